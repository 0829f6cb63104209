# The package on CPUs: docker build --tag taskset . && docker run --rm taskset list 'mlp_family_seed1?'
# Results stay where a volume is: docker run --rm --volume "$PWD/runs:/runs" taskset baseline mlp_family_seed3 --source synthetic --out mlp
FROM python:3.12-slim AS build
WORKDIR /src
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir /wheels/*.whl \
    && useradd --uid 1000 --create-home taskset \
    && install --directory --owner taskset /runs
USER 1000
WORKDIR /runs
ENTRYPOINT ["taskset"]
CMD ["--help"]
