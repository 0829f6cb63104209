"""The 3x3 convolutions of conv_fc_family and conv_pooling_family: draws, schema, shapes, and whether images are large enough."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from taskset.registry import Config, Shapes
from taskset.samplers import parts, schemas, shapes
from taskset.samplers.draws import Draws

Image = tuple[int, int, int]  # (height, width, channels)

PADDINGS = ("SAME", "VALID")
_PATTERNS = {"all_two": (2, 2), "one_two": (1, 2), "two_one": (2, 1)}

FIELDS: dict[str, Any] = {
    "strides": schemas.listed(schemas.tupled(schemas.SIZE, schemas.SIZE), least=1),
    "hidden_units": schemas.HIDDEN_SIZES,
    "activation": schemas.ACTIVATION,
    "w_init": schemas.INITIALIZER,
    "padding": schemas.listed(schemas.one_of(*PADDINGS), least=1),
}
SAME_LENGTH = {"sameLength": ["hidden_units", "strides", "padding"]}


def sample(draw: Draws) -> Config:
    """The first part of a config: one to five convolutions."""
    n = draw.choice(1, 2, 3, 4, 5)
    pattern = _PATTERNS[draw.choice(*_PATTERNS)]
    strides = [pattern[i % 2] for i in range(n)]
    return {
        "strides": [[s, s] for s in strides],
        "hidden_units": draw.log_ints(n, 8, 64),
        "activation": parts.activation(draw),
        "w_init": parts.initializer(draw),
        "padding": [draw.choice(*PADDINGS) for _ in range(n)],
    }


def image_shapes(config: Config, image_shape: Image) -> list[Image]:
    """(height, width, channels) of the input and of each convolution's output, up to the first that would be empty."""
    images = [image_shape]
    for (down, across), units, padding in zip(config["strides"], config["hidden_units"], config["padding"]):
        height, width, _ = images[-1]
        image = shapes.convolution_size(height, down, padding), shapes.convolution_size(width, across, padding), units
        if min(image) < 1:
            break
        images.append(image)
    return images


def infeasible(config: Config, images: Sequence[Image]) -> str | None:
    """Which convolution has too small an input, given `image_shapes(config, ..)`; None if none has."""
    i = len(images) - 1
    if i == len(config["hidden_units"]):
        return None
    height, width, _ = images[-1]
    return f"padding[{i}] = 'VALID': the 3x3 convolution {i} has only {height}x{width} pixels left to work on"


def parameter_shapes(config: Config, images: Sequence[Image]) -> Shapes:
    """{path: shape} of the convolutions."""
    parameters: Shapes = {}
    for i, ((*_, channels), (*_, units)) in enumerate(pairwise(images)):
        parameters[f"conv_{i}/w"] = (3, 3, channels, units)
        if config["use_bias"]:
            parameters[f"conv_{i}/b"] = (units,)
    return parameters
