"""What the families of normalizing flows (nvp_family, maf_family, made_family) have in common."""

from collections.abc import Callable

from taskset.registry import Config, Facts, Shapes
from taskset.samplers import data, parts, schemas, shapes
from taskset.samplers.draws import Draws

SCHEMA = schemas.fields(
    activation=schemas.ACTIVATION,
    w_init=schemas.INITIALIZER,
    dataset=schemas.IMAGE_DATASET,
    hidden_units=schemas.HIDDEN_SIZES,
    num_bijectors=schemas.LAYERS,
)


def sample(generator_seed: int) -> Config:
    """A config from `RandomState(generator_seed)`."""
    draw = Draws(generator_seed)
    return {
        "activation": parts.activation(draw),
        "w_init": parts.initializer(draw),
        "dataset": parts.image_dataset(draw),
        "hidden_units": draw.log_ints(draw.choice(1, 2), 16, 128),
        "num_bijectors": draw.choice(1, 2, 3, 4),
    }


def facts(config: Config, bijector: Callable[[int], tuple[int, int]]) -> Facts:
    """Facts of a flow whose bijectors are MLPs; `bijector(pixels)` gives their (inputs, outputs)."""
    images = data.image_data(config["dataset"])
    inputs, outputs = bijector(shapes.pixels(images.image_shape))
    parameters: Shapes = {}
    # The density runs from the data to the latents: the last layer comes first.
    for i in reversed(range(config["num_bijectors"])):
        parameters.update(shapes.mlp(f"bijector_{i}", inputs, [*config["hidden_units"], outputs]))
    return Facts(images, parameters, images.infeasible)


def autoregressive(pixels: int) -> tuple[int, int]:
    """For `facts`: shift and log-scale of every pixel, from all pixels."""
    return pixels, 2 * pixels


def coupling(pixels: int) -> tuple[int, int]:
    """For `facts`: shift and log-scale of the second half of the pixels, from the first half."""
    half = pixels // 2
    return half, 2 * (pixels - half)
