"""conv_fc_family: convolutional classifiers of images that end in a fully connected network."""

from taskset.registry import Config, Facts, register_facts, register_sampler
from taskset.samplers import convolutions, data, parts, schemas, shapes
from taskset.samplers.draws import Draws

SCHEMA = convolutions.SAME_LENGTH | schemas.fields(
    **convolutions.FIELDS,
    fc_hidden_units=schemas.SIZES,
    use_bias=schemas.BOOLEAN,
    dataset=schemas.IMAGE_DATASET,
    center_data=schemas.BOOLEAN,
)


@register_sampler("conv_fc_family", schema=SCHEMA)
def sample(seed: int) -> Config:
    """One to five convolutions, none to three hidden layers."""
    draw = Draws(seed)
    return {
        **convolutions.sample(draw),
        "fc_hidden_units": draw.log_ints(draw.choice(0, 1, 2, 3), 32, 128),
        "use_bias": draw.choice(True, False),
        "dataset": parts.image_dataset(draw),
        "center_data": draw.choice(True, False),
    }


@register_facts("conv_fc_family")
def facts(config: Config) -> Facts:
    """The convolutions, then an MLP of their flattened output; use_bias only affects the convolutions."""
    images = data.image_data(config["dataset"])
    steps = convolutions.image_shapes(config, images.image_shape)
    reason = convolutions.infeasible(config, steps)
    if reason:
        return Facts(images, None, reason)
    head = shapes.mlp("mlp", shapes.pixels(steps[-1]), [*config["fc_hidden_units"], images.num_classes])
    return Facts(images, {**convolutions.parameter_shapes(config, steps), **head}, images.infeasible)
