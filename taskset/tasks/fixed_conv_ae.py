"""Convolutional autoencoders."""

from typing import Any

import tensorflow as tf

from taskset.datasets.images import ImageData
from taskset.registry import register_builder
from taskset.tasks.base import Model
from taskset.tasks.conv_autoencoder import Decoder, Encoder


@register_builder("fixed_conv_ae")
def build(config: dict[str, Any], data: ImageData) -> Model:
    """Encoder to the latents, decoder back to the channels; sigmoid; mean squared error over pixels and batch."""

    def loss(batch, key):
        x = batch["image"]
        z = Encoder(config["encoder"], config["latents"])(x)
        y = tf.sigmoid(Decoder(data.image_shape, config["decoder"], data.image_shape[-1])(z))
        return tf.reduce_mean(tf.square(y - x))

    return Model(loss, data, convolutional=True)
