"""quadratic_family: quadratic forms with random matrices, some redrawn at every evaluation."""

from taskset.registry import Config, Facts, register_facts, register_sampler
from taskset.samplers import schemas
from taskset.samplers.draws import Draws

OUTPUT_FNS = ("identity", "log")
# The smallest eigenvalue of every log-spaced spectrum.
_LOGSPACE_MIN = 1e-5

_NORMAL = schemas.fields(mean=schemas.number(), std=schemas.number(minimum=0))
_INTERVAL = schemas.fields(min=schemas.number(), max=schemas.number())
_POSITIVE_INTERVAL = schemas.fields(min=schemas.number(exclusiveMinimum=0), max=schemas.number(exclusiveMinimum=0))
_MATRIX = schemas.tagged(
    {"normal": _NORMAL, "linspace_eigen": _INTERVAL, "uniform": _INTERVAL, "logspace_eigen": _POSITIVE_INTERVAL}
)
_VECTOR = schemas.tagged({"normal": _NORMAL, "uniform": _INTERVAL})

SCHEMA = schemas.fields(
    A_dist=_MATRIX,
    initial_dist=_VECTOR,
    output_fn=schemas.one_of(*OUTPUT_FNS),
    dims=schemas.MATRIX_SIZE,
    seed=schemas.SEED,
    loss_scale=schemas.number(exclusiveMinimum=0),
    noise=schemas.nullable(schemas.fields(A_noise=_MATRIX)),
)


def _interval(draw, low, high, width):
    smallest = draw.uniform(low, high)
    return {"min": smallest, "max": smallest + draw.uniform(0, width)}


def _vector(draw):
    name = draw.choice("normal", "uniform")
    if name == "normal":
        return [name, {"mean": draw.normal(0, 1), "std": draw.uniform(0, 2)}]
    return [name, _interval(draw, -5, 2.5, 5)]


def _matrix_name(draw):
    return draw.choice("normal", "linspace_eigen", "uniform", "logspace_eigen")


def _matrix(draw):
    name = _matrix_name(draw)
    if name == "normal":
        return [name, {"mean": draw.normal(0, 1), "std": draw.uniform(0, 2)}]
    if name == "uniform":
        return [name, _interval(draw, -3, 1, 5)]
    if name == "linspace_eigen":
        return [name, _interval(draw, 0.01, 50, 100)]
    return [name, {"min": _LOGSPACE_MIN, "max": draw.uniform(1, 1000)}]


def _matrix_noise(draw):
    name = _matrix_name(draw)
    if name == "normal":
        return [name, {"mean": draw.normal(0, 0.05), "std": draw.uniform(0, 0.05)}]
    if name == "uniform":
        return [name, _interval(draw, -0.15, 0.05, 0.25)]
    if name == "linspace_eigen":
        return [name, _interval(draw, 0.01, 2, 10)]
    return [name, {"min": _LOGSPACE_MIN, "max": draw.uniform(1, 10)}]


@register_sampler("quadratic_family", schema=SCHEMA)
def sample(seed: int) -> Config:
    """Two to 3000 dimensions; half of the seeds have noise in the matrix."""
    draw = Draws(seed)
    return {
        "A_dist": _matrix(draw),
        "initial_dist": _vector(draw),
        "output_fn": draw.choice(*OUTPUT_FNS),
        "dims": draw.log_int(2, 3000),
        "seed": draw.randint(0, 100000),
        "loss_scale": draw.log_float(1e-5, 1e3),
        "noise": {"A_noise": _matrix_noise(draw)} if draw.choice(True, False) else None,
    }


@register_facts("quadratic_family")
def facts(config: Config) -> Facts:
    """A vector x; no data."""
    return Facts(None, {"x": (config["dims"],)})
