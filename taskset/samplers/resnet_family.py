"""resnet_family: residual convolutional classifiers of images (He et al. 2015, arXiv 1512.03385). Not a published family."""

from typing import Any, TypeAlias

from taskset.registry import Config, Facts, Shapes, register_facts, register_sampler
from taskset.samplers import conv_pooling_family, data, parts, schemas, shapes
from taskset.samplers.draws import Draws

OFFSET = 1_000_003  # a stream of random numbers of its own
MOST_IMAGES = 24  # in a batch that is drawn

BLOCKS = ("basic", "bottleneck")
RESIDUAL_STARTS = ("plain", "zero")
_ACTIVATIONS = {"relu": 6, "swish": 2, "gelu": 1, "elu": 1, "leaky_relu1": 1, "tanh": 1}
_INITIALIZERS = {
    "he_normal": 4, "he_uniform": 1, "glorot_normal": 1, "glorot_uniform": 1, "lecun_normal": 1, "orthogonal": 1,
    "variance_scaling": 2,
}  # fmt: skip
_NORMS = {"batch_norm": 4, "group_norm": 2, "layer_norm": 1, "none": 1}

NORM = schemas.tagged({"none": {"type": "null"}, "batch_norm": {"type": "null"}, "layer_norm": {"type": "null"},
                       "group_norm": schemas.SIZE})  # fmt: skip
SCHEMA = schemas.fields(
    stem=schemas.fields(kernel=schemas.integer(1, 64), channels=schemas.SIZE, stride=schemas.SIZE, max_pool=schemas.BOOLEAN),
    block=schemas.one_of(*BLOCKS),
    blocks=schemas.listed(schemas.tupled(schemas.SIZE, schemas.SIZE, schemas.SIZE), least=1),
    pre_activation=schemas.BOOLEAN,
    norm=NORM,
    activation=schemas.ANY_ACTIVATION,
    w_init=schemas.INITIALIZER,
    residual_init=schemas.one_of(*RESIDUAL_STARTS),
    pool_type=schemas.one_of(*conv_pooling_family.POOL_TYPES),
    dataset=schemas.IMAGE_DATASET,
    center_data=schemas.BOOLEAN,
)

Layer: TypeAlias = tuple[str, tuple[int, ...], int]  # (path of a parameter, its shape, pixels at which it is applied)


@register_sampler("resnet_family", schema=SCHEMA)
def sample(seed: int) -> Config:
    """One to three stages of one or two blocks, each stage with twice the channels on half the rows.

    An entry of `blocks` is [channels out, channels inside, stride].
    """
    draw = Draws(seed + OFFSET)
    block = draw.choice(*BLOCKS)
    width = 8 * draw.choice(1, 1, 1, 2, 2, 3)
    depths = [draw.choice(1, 1, 2) for _ in range(draw.choice(1, 1, 2, 2, 3))]
    expansion = draw.choice(2, 2, 4)
    stem = {"kernel": draw.choice(3, 3, 5, 7), "channels": width, "stride": draw.choice(1, 2, 2, 2, 4, 4, 4, 4)}
    pooled = draw.bernoulli(0.5)
    blocks = []
    for stage, depth in enumerate(depths):
        inner = width * 2**stage
        out = inner * expansion if block == "bottleneck" else inner
        blocks += [[out, inner, 2 if stage and i == 0 else 1] for i in range(depth)]
    return {
        "stem": {**stem, "max_pool": pooled and stem["stride"] < 4},
        "block": block,
        "blocks": blocks,
        "pre_activation": draw.choice(True, False),
        "norm": _norm(draw),
        "activation": draw.wchoice(_ACTIVATIONS),
        "w_init": parts.initializer_among(draw, _INITIALIZERS, 0.25, 4),
        "residual_init": draw.choice("plain", "plain", "plain", "zero"),
        "pool_type": draw.choice("mean", "mean", "mean", "max"),
        "dataset": parts.small_batches_of_images(draw, MOST_IMAGES),
        "center_data": draw.choice(True, False),
    }


def _norm(draw: Draws) -> list[Any]:
    """[name, number of groups]; null for norms without groups."""
    name, groups = draw.wchoice(_NORMS), draw.choice(2, 4)
    return [name, groups if name == "group_norm" else None]


def convolutions(block: str, sizes: list[int]) -> list[tuple[int, int, int]]:
    """(channels out, kernel size, stride) of the convolutions on a block's branch; sizes: an entry of `blocks`."""
    out, inner, stride = sizes
    if block == "bottleneck":
        return [(inner, 1, 1), (inner, 3, stride), (out, 1, 1)]
    return [(inner, 3, stride), (out, 3, 1)]


def layers(config: Config, image: tuple[int, ...]) -> list[Layer]:
    """All parameters before the last linear layer, in the order in which the model creates them.

    image: (height, width, channels) of the input. Where nothing is normalized, convolutions have biases.
    """
    stem, pre, channels = config["stem"], config["pre_activation"], config["stem"]["channels"]
    rows, columns = _strided(image[0], stem["stride"]), _strided(image[1], stem["stride"])
    found = _convolution(config, "stem", stem["kernel"], image[2], channels, rows * columns)
    if not pre:
        found += _normalization(config, "stem_norm", channels, rows * columns)
    if stem["max_pool"]:
        rows, columns = _strided(rows, 2), _strided(columns, 2)
    for number, sizes in enumerate(config["blocks"]):
        before, stride = rows * columns, sizes[2]
        rows, columns = _strided(rows, stride), _strided(columns, stride)
        found += _block(config, f"block_{number}", sizes, channels, before, rows * columns)
        channels = sizes[0]
    if pre:
        found += _normalization(config, "final_norm", channels, rows * columns)
    return found


def _block(config: Config, path: str, sizes: list[int], channels: int, before: int, after: int) -> list[Layer]:
    """sizes: an entry of `blocks`; channels: that come in; before, after: pixels that come in and go out."""
    out, pre = sizes[0], config["pre_activation"]
    found = _normalization(config, f"{path}/norm_0", channels, before) if pre else []
    if channels != out:
        found += _convolution(config, f"{path}/shortcut", 1, channels, out, after)
        if not pre:
            found += _normalization(config, f"{path}/shortcut_norm", out, after)
    pixels = before
    for i, (outputs, kernel, stride) in enumerate(convolutions(config["block"], sizes)):
        if pre and i:
            found += _normalization(config, f"{path}/norm_{i}", channels, pixels)
        pixels = pixels if stride == 1 else after
        found += _convolution(config, f"{path}/conv_{i}", kernel, channels, outputs, pixels)
        channels = outputs
        if not pre:
            found += _normalization(config, f"{path}/norm_{i}", channels, pixels)
    return [*found, (f"{path}/gain", (), 0)] if config["residual_init"] == "zero" else found


def _convolution(config: Config, path: str, kernel: int, inputs: int, outputs: int, pixels: int) -> list[Layer]:
    found: list[Layer] = [(f"{path}/w", (kernel, kernel, inputs, outputs), pixels)]
    return [*found, (f"{path}/b", (outputs,), pixels)] if config["norm"][0] == "none" else found


def _normalization(config: Config, path: str, channels: int, pixels: int) -> list[Layer]:
    return [] if config["norm"][0] == "none" else [(f"{path}/{name}", (channels,), pixels) for name in ("scale", "offset")]


def _strided(size: int, stride: int) -> int:
    return shapes.convolution_size(size, stride, "SAME")


@register_facts("resnet_family")
def facts(config: Config) -> Facts:
    """The convolutions and norms, then a linear layer of the pooled channels."""
    images = data.image_data(config["dataset"])
    found = layers(config, images.image_shape)
    reason = _infeasible(config, found)
    if reason:
        return Facts(images, None, reason)
    parameters: Shapes = {path: shape for path, shape, _ in found}
    head = shapes.linear("linear", config["blocks"][-1][0], images.num_classes)
    return Facts(images, {**parameters, **head}, images.infeasible)


def _infeasible(config: Config, found: list[Layer]) -> str | None:
    name, groups = config["norm"]
    if name != "group_norm":
        return None
    for path, shape, _ in found:
        if path.endswith("/scale") and shape[0] % groups:
            return f"norm[1] = {groups}: the {shape[0]} channels of {path.removesuffix('/scale')} don't fall into equal groups"
    return None
