"""Facts and schema of the convolutional autoencoders and variational autoencoders."""

from itertools import pairwise
from typing import Any

from taskset.registry import Facts, Shapes
from taskset.samplers import data, schemas, shapes

# decoder: the channels of its linear layer's image, then those of its transposed convolutions.
SCHEMA = schemas.fields(
    encoder=schemas.HIDDEN_SIZES,
    latents=schemas.SIZE,
    decoder=schemas.HIDDEN_SIZES,
    dataset=schemas.IMAGE_DATASET,
)


def _indivisible(config: dict[str, Any], image_shape: tuple[int, int, int]) -> str | None:
    shrink = 2 ** (len(config["decoder"]) - 1)
    if all(size % shrink == 0 for size in image_shape[:2]):
        return None
    height, width = image_shape[:2]
    return f"decoder: {len(config['decoder']) - 1} doublings don't end at images of {height}x{width} pixels"


def _encoder(config: dict[str, Any], image_shape: tuple[int, int, int], codes: int) -> Shapes:
    height, width, channels = image_shape
    parameters: Shapes = {}
    for i, units in enumerate(config["encoder"]):
        parameters.update({f"encoder/conv_{i}/w": (3, 3, channels, units), f"encoder/conv_{i}/b": (units,)})
        height, width, channels = shapes.convolution_size(height, 2, "SAME"), shapes.convolution_size(width, 2, "SAME"), units
    return {**parameters, **shapes.linear("encoder/linear", height * width * channels, codes)}


def _decoder(config: dict[str, Any], image_shape: tuple[int, int, int], outputs: int) -> Shapes:
    height, width, _ = image_shape
    shrink = 2 ** (len(config["decoder"]) - 1)
    parameters = shapes.linear("decoder/linear", config["latents"], height // shrink * (width // shrink) * config["decoder"][0])
    for i, (channels, units) in enumerate(pairwise(config["decoder"])):
        parameters.update({f"decoder/conv_transpose_{i}/w": (3, 3, units, channels), f"decoder/conv_transpose_{i}/b": (units,)})
    return {**parameters, "decoder/conv/w": (1, 1, config["decoder"][-1], outputs), "decoder/conv/b": (outputs,)}


def facts(config: dict[str, Any], numbers: int) -> Facts:
    """`Facts` of a config; `numbers`: how many numbers stand for a latent and for a pixel's channel (2: mean and log stddev)."""
    images = data.image_data(config["dataset"])
    problem = _indivisible(config, images.image_shape)
    if problem:
        return Facts(images, None, problem)
    encoder = _encoder(config, images.image_shape, numbers * config["latents"])
    decoder = _decoder(config, images.image_shape, numbers * images.image_shape[-1])
    return Facts(images, {**encoder, **decoder}, images.infeasible)
