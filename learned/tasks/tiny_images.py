"""Tiny tasks on images of 8x8 pixels, of the package's image sets: many of them share one compiled program.

Outer training follows the number of its steps, and these are the cheapest tasks that are still trainings of networks on data.
Tasks of a family differ in their data, batches and starts; those of one batch size have one program
(`learned.unrolling.sharing`). No TensorFlow here.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from learned.tasks.tiny_image_data import CLASSES, SETS, SIDE, SIZES, TinyImages
from taskset.datasets.base import DataSpec
from taskset.registry import Config, Facts, add_fixed, register_builder, register_facts, register_schema
from taskset.samplers import shapes

if TYPE_CHECKING:
    import tensorflow as tf

    from learned.unrolling.sharing import SharedModel

HIDDEN = 32
CHANNELS = (8, 16)  # of the two convolutions
BATCHES, STARTS = (32, 128), (0.3, 1.0, 3.0)  # of the tasks with names; STARTS: the scale of the first weights
SCHEMA = {
    "type": "object",
    "properties": {
        "dataset": {"enum": list(SETS)},
        "bs": {"type": "integer", "minimum": 1, "maximum": min(SIZES.values())},
        "start_scale": {"type": "number", "exclusiveMinimum": 0},
    },
    "required": ["dataset", "bs", "start_scale"],
    "additionalProperties": False,
}


def _facts(config, outputs):
    return Facts(TinyImages(config["dataset"], config["bs"]), shapes.mlp("mlp", SIDE * SIDE, [HIDDEN, outputs]))


def _model(family, config, data, outputs, loss_of):
    """An MLP with one hidden layer of 32 ReLUs; first weights: He's, times start_scale."""
    import sonnet as snt

    from learned.unrolling.sharing import SharedModel
    from taskset.tasks import initializers

    w_init = initializers.variance_scaling(2.0 * config["start_scale"] ** 2, "fan_in", "truncated_normal")

    def loss(batch, key):
        x = snt.flatten(batch["image"])
        return loss_of(snt.nets.MLP([HIDDEN, outputs], w_init=w_init, name="mlp")(x), x, batch["label"])

    return SharedModel(loss, data, program=f"{family}, {config['bs']}")


MLP, AUTOENCODER, CONVOLUTIONS = FAMILIES = "tiny_mlp", "tiny_autoencoder", "tiny_conv"
for _family in FAMILIES:
    register_schema(_family, SCHEMA)


@register_facts(MLP)
def facts_mlp(config: Config) -> Facts:
    """What a config says of its data and parameters."""
    return _facts(config, CLASSES)


@register_builder(MLP)
def build_mlp(config: Config, data: DataSpec) -> SharedModel:
    """64-32-10; cross-entropy in nats."""
    from taskset.tasks.images import classification

    return _model(MLP, config, data, CLASSES, lambda logits, image, label: classification(logits, label))


@register_facts(AUTOENCODER)
def facts_autoencoder(config: Config) -> Facts:
    """What a config says of its data and parameters."""
    return _facts(config, SIDE * SIDE)


@register_builder(AUTOENCODER)
def build_autoencoder(config: Config, data: DataSpec) -> SharedModel:
    """64-32-64; mean squared error of the pixels."""
    import tensorflow as tf

    def error(output, image, label):
        return tf.reduce_mean(tf.math.squared_difference(output, image))

    return _model(AUTOENCODER, config, data, SIDE * SIDE, error)


@register_facts(CONVOLUTIONS)
def facts_convolutions(config: Config) -> Facts:
    """What a config says of its data and parameters."""
    first, second = CHANNELS
    layers = {**shapes.linear("conv_0", 9, first), **shapes.linear("conv_1", 9 * first, second)}
    layers |= shapes.linear("linear", (SIDE // 4) ** 2 * second, CLASSES)
    return Facts(TinyImages(config["dataset"], config["bs"]), layers)


@register_builder(CONVOLUTIONS)
def build_convolutions(config: Config, data: DataSpec) -> SharedModel:
    """Two convolutions of 3x3 with stride 2 and ReLUs, 8 and 16 channels, then a linear layer; cross-entropy in nats.

    First weights: He's, times start_scale. A convolution is written as a product with the nine shifted images: XLA has no fast
    convolutions on a CPU, and what it makes of many copies of one is slower still.
    """
    import sonnet as snt
    import tensorflow as tf

    from learned.unrolling.sharing import SharedModel
    from taskset.tasks import initializers
    from taskset.tasks.images import classification

    w_init = initializers.variance_scaling(2.0 * config["start_scale"] ** 2, "fan_in", "truncated_normal")

    def loss(batch, key):
        x = batch["image"]
        for i, channels in enumerate(CHANNELS):
            x = tf.nn.relu(snt.Linear(channels, w_init=w_init, name=f"conv_{i}")(shifted(x)))
        return classification(snt.Linear(CLASSES, w_init=w_init, name="linear")(snt.flatten(x)), batch["label"])

    return SharedModel(loss, data, program=f"{CONVOLUTIONS}, {config['bs']}")


def shifted(images: tf.Tensor) -> tf.Tensor:
    """The 3x3 neighbourhoods of every other pixel, zeros beyond the last: [n, 2 h, 2 w, c] -> [n, h, w, 9 c]."""
    import tensorflow as tf

    height, width = images.shape[1:3]
    padded = tf.pad(images, [[0, 0], [0, 1], [0, 1], [0, 0]])
    return tf.concat([padded[:, i : i + height - 1 : 2, j : j + width - 1 : 2] for i in range(3) for j in range(3)], axis=-1)


def _name(family, dataset, bs, start_scale):
    """Tiny_mlp_cifar10_bs32_start0.3"""
    return f"{family.capitalize()}_{dataset.replace('/', '_')}_bs{bs}_start{start_scale}"


for _family, _dataset, _bs, _start in itertools.product(FAMILIES, SETS, BATCHES, STARTS):
    add_fixed(__name__, _name(_family, _dataset, _bs, _start), _family, {"dataset": _dataset, "bs": _bs, "start_scale": _start})
