"""conv_pooling_family: convolutional classifiers of images that pool over height and width."""

from taskset.registry import Config, Facts, register_facts, register_sampler
from taskset.samplers import convolutions, data, parts, schemas, shapes
from taskset.samplers.draws import Draws

POOL_TYPES = ("mean", "max", "squared_mean")

_FIELDS = schemas.fields(
    **convolutions.FIELDS,
    pool_type=schemas.one_of(*POOL_TYPES),
    use_bias=schemas.BOOLEAN,
    dataset=schemas.IMAGE_DATASET,
    center_data=schemas.BOOLEAN,
)
# No family draws linear_w_init: the linear layer of fixed tasks starts from another initializer than their convolutions.
SCHEMA = convolutions.SAME_LENGTH | schemas.with_optional(_FIELDS, linear_w_init=schemas.INITIALIZER)


@register_sampler("conv_pooling_family", schema=SCHEMA)
def sample(seed: int) -> Config:
    """One to five convolutions."""
    draw = Draws(seed)
    return {
        **convolutions.sample(draw),
        "pool_type": draw.choice(*POOL_TYPES),
        "use_bias": draw.choice(True, False),
        "dataset": parts.image_dataset(draw),
        "center_data": draw.choice(True, False),
    }


@register_facts("conv_pooling_family")
def facts(config: Config) -> Facts:
    """The convolutions, then a linear layer of the pooled channels; use_bias only affects the convolutions."""
    images = data.image_data(config["dataset"])
    steps = convolutions.image_shapes(config, images.image_shape)
    reason = convolutions.infeasible(config, steps)
    if reason:
        return Facts(images, None, reason)
    head = shapes.linear("linear", steps[-1][-1], images.num_classes)
    return Facts(images, {**convolutions.parameter_shapes(config, steps), **head}, images.infeasible)
