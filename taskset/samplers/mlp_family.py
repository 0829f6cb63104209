"""mlp_family: fully connected classifiers of images."""

from taskset.registry import Config, Facts, register_facts, register_sampler
from taskset.samplers import data, parts, schemas, shapes
from taskset.samplers.draws import Draws

SCHEMA = schemas.fields(
    layer_sizes=schemas.SIZES,
    activation=schemas.ACTIVATION,
    w_init=schemas.INITIALIZER,
    dataset=schemas.IMAGE_DATASET,
    center_data=schemas.BOOLEAN,
)


@register_sampler("mlp_family", schema=SCHEMA)
def sample(seed: int) -> Config:
    """One to six hidden layers."""
    draw = Draws(seed + 99123491)
    return {
        "layer_sizes": draw.log_ints(draw.choice(1, 2, 3, 4, 5, 6), 16, 128),
        "activation": parts.activation(draw),
        "w_init": parts.initializer(draw),
        "dataset": parts.image_dataset(draw),
        "center_data": draw.choice(True, False),
    }


@register_facts("mlp_family")
def facts(config: Config) -> Facts:
    """pixels - layer_sizes - classes."""
    images = data.image_data(config["dataset"])
    sizes = [*config["layer_sizes"], images.num_classes]
    return Facts(images, shapes.mlp("mlp", shapes.pixels(images.image_shape), sizes), images.infeasible)
