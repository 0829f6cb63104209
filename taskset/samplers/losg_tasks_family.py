"""losg_tasks_family: the synthetic problems of "Learned Optimizers that Scale and Generalize" (arXiv 1703.04813).

A config is `[kind, arguments, seed]`. Three kinds (`WRAPPERS`) modify a base problem of another kind.
"""

import math
from collections.abc import Callable
from typing import Any

from taskset.registry import Config, Facts, Shapes, register_facts, register_sampler
from taskset.samplers import data, parts, schemas, shapes
from taskset.samplers.draws import Draws

# In the order from which base problems are drawn.
BASES = (
    "quadratic",
    "bowl",
    "optimization_test_problems",
    "fully_connected",
    "norm",
    "dependency_chain",
    "outward_snake",
    "min_max_well",
    "sum_of_quadratics",
    "projection_quadratic",
)
WRAPPERS = ("log_objective", "rescale_problems", "sparse_problems")
KINDS = tuple(sorted([*BASES, *WRAPPERS, "sparse_softmax_regression"]))
TEST_PROBLEMS = ("StyblinskiTang", "ackley", "beale", "branin", "logsumexp", "matyas", "michalewicz", "rosenbrock")


def _noise_stdev(draw, noisy):
    return draw.log_float(0.01, 10) if noisy else 0.0


def _dim_with_noise(draw):
    noisy = draw.bernoulli(0.5)
    return {"dim": draw.log_int(10, 1000), "noise_stdev": _noise_stdev(draw, noisy)}


def _bowl(draw):
    noisy = draw.bernoulli(0.5)
    return {
        "cond": draw.log_float(0.01, 100),
        "angle": draw.choice(0.0, 0.0, math.pi / 4, math.pi / 3),
        "noise_stdev": _noise_stdev(draw, noisy),
    }


def _sparse_softmax_regression(draw):
    noisy = draw.bernoulli(0.5)
    return {
        "n_features": draw.log_int(2, 100),
        "n_classes": 2,
        "noise_stdev": _noise_stdev(draw, noisy),
        "bs": draw.log_int(1, 50),
        "n_samples": draw.log_int(1, 30),
    }


def _test_problem(draw):
    noisy = draw.bernoulli(0.5)
    return {"problem": draw.choice(*TEST_PROBLEMS), "noise_stdev": _noise_stdev(draw, noisy)}


def _fully_connected(draw):
    n = draw.choice(2, 3, 4, 5)
    equal = draw.bernoulli(0.5)
    return {
        "n_features": draw.log_int(1, 16),
        "n_classes": 2,
        "activation": parts.activation(draw),
        "bs": draw.log_int(1, 200),
        "n_samples": draw.log_int(1, 30),
        "hidden_sizes": [draw.log_int(4, 32)] * n if equal else draw.log_ints(n, 4, 32),
    }


def _norm(draw):
    return {"dim": draw.log_int(3, 1000), "norm_power": draw.uniform(0.1, 5)}


def _dim_with_data(draw):
    return {"dim": draw.log_int(3, 100), "bs": draw.log_int(1, 200), "n_samples": draw.log_int(100, 20000)}


def _base(draw):
    name = draw.choice(*BASES)
    return [name, _ARGUMENTS[name](draw)]


def _sparse_problems(draw):
    noisy = draw.bernoulli(0.5)
    return {"base": _base(draw), "zero_probability": draw.uniform(0.9, 0.99), "noise_stdev": _noise_stdev(draw, noisy)}


def _rescale_problems(draw):
    return {"base": _base(draw), "scale": draw.log_float(0.001, 1000)}


def _log_objective(draw):
    return {"base": _base(draw)}


_ARGUMENTS: dict[str, Callable[[Draws], dict[str, Any]]] = {
    "bowl": _bowl,
    "dependency_chain": _dim_with_data,
    "fully_connected": _fully_connected,
    "log_objective": _log_objective,
    "min_max_well": _dim_with_noise,
    "norm": _norm,
    "optimization_test_problems": _test_problem,
    "outward_snake": _dim_with_data,
    "projection_quadratic": _dim_with_data,
    "quadratic": _dim_with_noise,
    "rescale_problems": _rescale_problems,
    "sparse_problems": _sparse_problems,
    "sparse_softmax_regression": _sparse_softmax_regression,
    "sum_of_quadratics": _dim_with_data,
}

_STDEV = schemas.number(minimum=0)
_WITH_NOISE = schemas.fields(dim=schemas.SIZE, noise_stdev=_STDEV)
_WITH_DATA = schemas.fields(dim=schemas.SIZE, bs=schemas.SIZE, n_samples=schemas.SIZE)
# Data made of rows and their negatives.
_WITH_SYMMETRIC_DATA = schemas.fields(dim=schemas.SIZE, bs=schemas.SIZE, n_samples=schemas.integer(2))
_BASE_FORMS = {
    "quadratic": {**_WITH_NOISE, "properties": {**_WITH_NOISE["properties"], "dim": schemas.MATRIX_SIZE}},
    "bowl": schemas.fields(cond=schemas.number(minimum=0), angle=schemas.number(), noise_stdev=_STDEV),
    "optimization_test_problems": schemas.fields(problem=schemas.one_of(*TEST_PROBLEMS), noise_stdev=_STDEV),
    "fully_connected": schemas.fields(
        n_features=schemas.SIZE,
        n_classes=schemas.one_of(2),
        activation=schemas.ACTIVATION,
        bs=schemas.SIZE,
        n_samples=schemas.SIZE,
        hidden_sizes=schemas.SIZES,
    ),
    "norm": schemas.fields(dim=schemas.MATRIX_SIZE, norm_power=schemas.number(exclusiveMinimum=0)),
    "dependency_chain": _WITH_DATA,
    "outward_snake": _WITH_DATA,
    "min_max_well": _WITH_NOISE,
    "sum_of_quadratics": _WITH_SYMMETRIC_DATA,
    "projection_quadratic": _WITH_SYMMETRIC_DATA,
}
_BASE = schemas.tagged(_BASE_FORMS)
_FORMS = {
    **_BASE_FORMS,
    "sparse_softmax_regression": schemas.fields(
        n_features=schemas.SIZE, n_classes=schemas.one_of(2), noise_stdev=_STDEV, bs=schemas.SIZE, n_samples=schemas.SIZE
    ),
    "sparse_problems": schemas.fields(base=_BASE, zero_probability=schemas.number(minimum=0, maximum=1), noise_stdev=_STDEV),
    "rescale_problems": schemas.fields(base=_BASE, scale=schemas.number(exclusiveMinimum=0)),
    "log_objective": schemas.fields(base=_BASE),
}

SCHEMA = schemas.tagged(_FORMS, schemas.SEED)


@register_sampler("losg_tasks_family", schema=SCHEMA)
def sample(seed: int) -> Config:
    """One of fourteen kinds of problem."""
    draw = Draws(seed)
    kind = draw.choice(*KINDS)
    # int() truncates, as published.
    return [kind, _ARGUMENTS[kind](draw), int(draw.uniform(0, 100000))]


@register_facts("losg_tasks_family")
def facts(config: Config) -> Facts:
    """Most problems have one vector x. Their data is computed from the config: all configs can run."""
    kind, args, number = config
    return Facts(data.losg_data(kind, args, number), parameter_shapes(kind, args))


def parameter_shapes(kind: str, args: dict[str, Any]) -> Shapes:
    """{path: shape} of one kind of problem."""
    if kind in WRAPPERS:
        return parameter_shapes(*args["base"])
    if kind == "fully_connected":
        return shapes.mlp("mlp", args["n_features"], [*args["hidden_sizes"], args["n_classes"]])
    if kind == "sparse_softmax_regression":
        n, classes = args["n_features"], args["n_classes"]
        return {"embeddings": (2, n), "w": (n, classes), "b": (classes,)}
    return {"x": _vector_shape(kind, args)}


def _vector_shape(kind: str, args: dict[str, Any]) -> tuple[int, ...]:
    if kind in ("quadratic", "norm"):
        return (args["dim"], 1)
    if kind in ("bowl", "optimization_test_problems"):
        return (2,)
    return (args["dim"] + 1,) if kind == "dependency_chain" else (args["dim"],)
