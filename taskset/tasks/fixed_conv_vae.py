"""Convolutional variational autoencoders."""

from typing import Any

from taskset.datasets.images import ImageData
from taskset.registry import register_builder
from taskset.tasks.base import Model
from taskset.tasks.conv_autoencoder import Decoder, Encoder
from taskset.tasks.images import center
from taskset.tasks.vae import negative_elbo


@register_builder("fixed_conv_vae")
def build(config: dict[str, Any], data: ImageData) -> Model:
    """The negative evidence lower bound of centred images (`taskset.tasks.vae`)."""

    def loss(batch, key):
        encoder = Encoder(config["encoder"], 2 * config["latents"])
        decoder = Decoder(data.image_shape, config["decoder"], 2 * data.image_shape[-1])
        return negative_elbo(center(batch["image"]), encoder, decoder, key)

    return Model(loss, data, convolutional=True)
