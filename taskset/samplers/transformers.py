"""What transformer_lm_family and vit_family have in common: draws, schema, shapes, and the work of attention."""

from typing import Any

from taskset.registry import Config, Shapes
from taskset.samplers import schemas, shapes
from taskset.samplers.draws import Draws

NORMS = ("layer_norm", "rms_norm")
POSITIONS = ("learned", "sinusoid", "none")
RESIDUAL_STARTS = ("plain", "depth_scaled", "zero")
_ACTIVATIONS = {"gelu": 4, "relu": 3, "swish": 2, "tanh": 1, "elu": 1}
_INITIALIZERS = {"random_normal": 3, "lecun_normal": 2, "glorot_uniform": 2, "he_normal": 1, "orthogonal": 1}

FIELDS: dict[str, Any] = {
    "layers": schemas.LAYERS,
    "heads": schemas.SIZE,
    "width": schemas.SIZE,
    "hidden_units": schemas.SIZE,
    "gated": schemas.BOOLEAN,
    "activation": schemas.ANY_ACTIVATION,
    "norm": schemas.one_of(*NORMS),
    "pre_norm": schemas.BOOLEAN,
    "biases": schemas.BOOLEAN,
    "positions": schemas.one_of(*POSITIONS),
    "w_init": schemas.INITIALIZER,
    "residual_init": schemas.one_of(*RESIDUAL_STARTS),
    "dropout": schemas.nullable(schemas.number(exclusiveMinimum=0, exclusiveMaximum=1)),
}


def sample(draw: Draws) -> Config:
    """The first part of a config: the layers."""
    width = draw.choice(16, 24, 32, 32, 48, 64, 96, 128)
    return {
        "layers": draw.choice(1, 1, 2, 2, 2, 3, 4, 6),
        "heads": draw.choice(1, 2, 4),
        "width": width,
        "hidden_units": width * draw.choice(1, 2, 2, 4),
        "gated": draw.bernoulli(0.25),
        "activation": draw.wchoice(_ACTIVATIONS),
        "norm": draw.choice("layer_norm", "layer_norm", "layer_norm", "rms_norm"),
        "pre_norm": draw.choice(True, True, False),
        "biases": draw.choice(True, False),
        "positions": draw.choice("learned", "learned", "learned", "sinusoid", "sinusoid", "none"),
        "w_init": _initializer(draw),
        "residual_init": draw.choice("plain", "plain", "plain", "depth_scaled", "depth_scaled", "zero"),
        "dropout": _dropout(draw),
    }


def _initializer(draw: Draws) -> list[Any]:
    """[name, argument]; normal draws have standard deviations of .01 to .1, orthogonal matrices gains of .25 to 2."""
    name = draw.wchoice(_INITIALIZERS)
    stddev, gain = draw.log_float(0.01, 0.1), draw.log_float(0.25, 2)
    return [name, {"random_normal": stddev, "orthogonal": gain}.get(name)]


def _dropout(draw: Draws) -> float | None:
    dropped, rate = draw.bernoulli(0.25), draw.uniform(0.05, 0.3)
    return rate if dropped else None


def infeasible(config: Config) -> str | None:
    """Why the heads don't fit the width; None if they do."""
    if config["width"] % config["heads"]:
        return f"heads = {config['heads']}: the width, {config['width']}, is no multiple of it"
    return None


def position_shapes(config: Config, length: int) -> Shapes:
    """The learned vectors of positions, if there are any."""
    return {"positions/embeddings": (length, config["width"])} if config["positions"] == "learned" else {}


def layer_shapes(config: Config) -> Shapes:
    """{path: shape} of the layers, in the order in which the model creates them. Keys have no bias: it would change nothing."""
    width, hidden, found = config["width"], config["hidden_units"], {}

    def linear(path: str, inputs: int, outputs: int, bias: bool = True) -> None:
        layer = shapes.linear(path, inputs, outputs)
        found.update(layer if bias and config["biases"] else {f"{path}/w": layer[f"{path}/w"]})

    def norm(path: str) -> None:
        found[f"{path}/scale"] = (width,)
        if config["norm"] == "layer_norm":
            found[f"{path}/offset"] = (width,)

    for i in range(config["layers"]):
        path = f"layer_{i}"
        if config["pre_norm"]:
            norm(f"{path}/attention_norm")
        for name in ("query", "key", "value", "output"):
            linear(f"{path}/attention/{name}", width, width, bias=name != "key")
        norm(f"{path}/{'feed_forward' if config['pre_norm'] else 'attention'}_norm")
        if config["gated"]:
            linear(f"{path}/feed_forward/gate", width, hidden)
        linear(f"{path}/feed_forward/input", width, hidden)
        linear(f"{path}/feed_forward/output", hidden, width)
        if not config["pre_norm"]:
            norm(f"{path}/feed_forward_norm")
    if config["pre_norm"]:
        norm("final_norm")
    return found


def attention_work(config: Config, length: int) -> dict[str, float]:
    """Products and activations of one example beyond those of the weight matrices: scores, weighted sums, norms."""
    scores = config["layers"] * config["heads"] * length**2
    norms = (2 * config["layers"] + config["pre_norm"]) * length * config["width"]
    return {"products": 2 * config["layers"] * length**2 * config["width"], "activations": scores + norms}
