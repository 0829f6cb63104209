"""Convolutional classifiers of images that pool over height and width."""

from typing import Any

import sonnet as snt
import tensorflow as tf

from taskset.datasets.images import ImageData
from taskset.registry import register_builder
from taskset.tasks import initializers
from taskset.tasks.base import Metrics, Model
from taskset.tasks.convolutions import convolve
from taskset.tasks.images import classification, network_input

_POOL = {
    "mean": lambda x: tf.reduce_mean(x, [1, 2]),
    "max": lambda x: tf.reduce_max(x, [1, 2]),
    "squared_mean": lambda x: tf.reduce_mean(tf.square(x), [1, 2]),
}


def pooled_classification(x: tf.Tensor, config: dict[str, Any], labels: tf.Tensor, num_classes: int) -> tuple[tf.Tensor, Metrics]:
    """Loss and metrics from the last convolution's output [batch, height, width, channels]: pool; linear; cross-entropy."""
    w_init = initializers.from_config(config.get("linear_w_init", config["w_init"]))
    logits = snt.Linear(num_classes, w_init=w_init, name="linear")(_POOL[config["pool_type"]](x))
    return classification(logits, labels)


@register_builder("conv_pooling_family")
def build(config: dict[str, Any], data: ImageData) -> Model:
    """Convolutions; the mean, maximum or mean of squares over all pixels; a linear layer to the classes; cross-entropy.

    The linear layer's weights start from `linear_w_init` where the config has it (fixed tasks alone do), else from `w_init`.
    """

    def loss(batch, key):
        x = convolve(network_input(batch["image"], config), config)
        return pooled_classification(x, config, batch["label"], data.num_classes)

    return Model(loss, data, convolutional=True)
