"""Vision transformers: classifiers of images as sequences of patches (Dosovitskiy et al. 2020, arXiv 2010.11929)."""

from typing import Any

import sonnet as snt
import tensorflow as tf

from taskset.datasets.images import ImageData
from taskset.registry import register_builder
from taskset.tasks import initializers, starts, transformers
from taskset.tasks.base import Model
from taskset.tasks.images import classification, network_input


def patches(image: tf.Tensor, size: int) -> tf.Tensor:
    """Images [B, H, W, C] as rows of pixels, [B, number of whole patches, size size C]."""
    height, width, channels = image.shape[1:]
    rows, columns = height // size, width // size
    image = tf.reshape(image[:, : rows * size, : columns * size], [-1, rows, size, columns, size, channels])
    return tf.reshape(tf.transpose(image, [0, 1, 3, 2, 4, 5]), [-1, rows * columns, size * size * channels])


@register_builder("vit_family")
def build(config: dict[str, Any], data: ImageData) -> Model:
    """A linear layer of patches; positions; layers; the class token or the mean of all vectors; a linear layer; cross-entropy."""
    w_init, width = initializers.from_config(config["w_init"]), config["width"]

    def loss(batch, key):
        pixels = patches(network_input(batch["image"], config), config["patch_size"])
        count, size = pixels.shape[1:]
        x = snt.Linear(width, w_init=w_init, name="patches")(tf.reshape(pixels, [-1, size]))
        x = tf.reshape(x, [pixels.shape[0], count, width])
        if config["pool_type"] == "class_token":
            token = starts.parameter("class_token", (width,), starts.normal(0.0, transformers.POSITIONS_STDDEV))
            x = tf.concat([tf.broadcast_to(token, [x.shape[0], 1, width]), x], 1)
        x = transformers.encode(x, config, key, causal=False)
        x = x[:, 0] if config["pool_type"] == "class_token" else tf.reduce_mean(x, 1)
        return classification(snt.Linear(data.num_classes, w_init=w_init, name="linear")(x), batch["label"])

    return Model(loss, data)
