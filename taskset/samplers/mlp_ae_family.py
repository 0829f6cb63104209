"""mlp_ae_family: fully connected autoencoders of images."""

from taskset.registry import Config, Facts, register_facts, register_sampler
from taskset.samplers import data, parts, schemas, shapes
from taskset.samplers.draws import Draws

OUTPUT_TYPES = ("tanh", "sigmoid", "linear_center", "linear")
LOSS_TYPES = ("l2", "l1")
REDUCTION_TYPES = ("reduce_mean", "reduce_sum")

SCHEMA = schemas.fields(
    hidden_units=schemas.SIZES,
    activation=schemas.ACTIVATION,
    w_init=schemas.INITIALIZER,
    dataset=schemas.IMAGE_DATASET,
    output_type=schemas.one_of(*OUTPUT_TYPES),
    loss_type=schemas.one_of(*LOSS_TYPES),
    reduction_type=schemas.one_of(*REDUCTION_TYPES),
)


@register_sampler("mlp_ae_family", schema=SCHEMA)
def sample(seed: int) -> Config:
    """One to six hidden layers; the smallest is the code."""
    draw = Draws(seed)
    return {
        "hidden_units": draw.log_ints(draw.choice(1, 2, 3, 4, 5, 6), 32, 128),
        "activation": parts.activation(draw),
        "w_init": parts.initializer(draw),
        "dataset": parts.image_dataset(draw),
        "output_type": draw.choice("tanh", "tanh", "sigmoid", "sigmoid", "linear_center", "linear"),
        "loss_type": draw.choice("l2", "l2", "l1"),
        "reduction_type": draw.choice("reduce_mean", "reduce_sum"),
    }


@register_facts("mlp_ae_family")
def facts(config: Config) -> Facts:
    """pixels - hidden_units - pixels."""
    images = data.image_data(config["dataset"])
    pixels = shapes.pixels(images.image_shape)
    return Facts(images, shapes.mlp("mlp", pixels, [*config["hidden_units"], pixels]), images.infeasible)
