"""vit_family: vision transformers, classifiers of images (Dosovitskiy et al. 2020, arXiv 2010.11929). Not a published family."""

from taskset.registry import Config, Facts, register_facts, register_sampler
from taskset.samplers import data, parts, schemas, shapes, transformers
from taskset.samplers.draws import Draws

OFFSET = 3_000_017  # a stream of random numbers of its own
MOST_IMAGES = 32  # in a batch that is drawn

POOL_TYPES = ("class_token", "mean")

SCHEMA = schemas.fields(
    **transformers.FIELDS,
    patch_size=schemas.SIZE,
    pool_type=schemas.one_of(*POOL_TYPES),
    dataset=schemas.IMAGE_DATASET,
    center_data=schemas.BOOLEAN,
)


@register_sampler("vit_family", schema=SCHEMA)
def sample(seed: int) -> Config:
    """Patches of 4, 7 or 8 rows and columns; what is left of an image beside its whole patches is not read."""
    draw = Draws(seed + OFFSET)
    return {
        **transformers.sample(draw),
        "patch_size": draw.choice(4, 7, 8, 8),
        "pool_type": draw.choice(*POOL_TYPES),
        "dataset": parts.small_batches_of_images(draw, MOST_IMAGES),
        "center_data": draw.choice(True, False),
    }


def sequence_length(config: Config, image: tuple[int, ...]) -> int:
    """The number of whole patches of an image (height, width, ..), and one more for a class token."""
    size = config["patch_size"]
    return (image[0] // size) * (image[1] // size) + (config["pool_type"] == "class_token")


@register_facts("vit_family")
def facts(config: Config) -> Facts:
    """A linear layer of patches, class token, positions, layers, and a linear layer to the classes."""
    images = data.image_data(config["dataset"])
    size, (height, width, channels) = config["patch_size"], images.image_shape
    reason = transformers.infeasible(config)
    if size > min(height, width):
        reason = f"patch_size = {size}: the images have only {height}x{width} pixels"
    if reason:
        return Facts(images, None, reason)
    parameters = {
        **shapes.linear("patches", size * size * channels, config["width"]),
        **({"class_token": (config["width"],)} if config["pool_type"] == "class_token" else {}),
        **transformers.position_shapes(config, sequence_length(config, images.image_shape)),
        **transformers.layer_shapes(config),
        **shapes.linear("linear", config["width"], images.num_classes),
    }
    return Facts(images, parameters, images.infeasible)
