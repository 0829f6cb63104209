"""Convolutional autoencoders."""

from typing import Any

from taskset.registry import Facts, add_fixed, register_facts, register_schema
from taskset.tasks.fixed import conv_autoencoders
from taskset.tasks.fixed.parts import images

register_schema("fixed_conv_ae", conv_autoencoders.SCHEMA)


@register_facts("fixed_conv_ae")
def facts(config: dict[str, Any]) -> Facts:
    """One number for each latent and each pixel's channel."""
    return conv_autoencoders.facts(config, 1)


def _autoencoder(name, dataset, encoder, latents, decoder):
    add_fixed(
        __name__, name, "fixed_conv_ae", {"encoder": encoder, "latents": latents, "decoder": [32, *decoder], "dataset": dataset}
    )


_autoencoder("FixedImageConvAE_mnist_32x32x32x32x32_bs128", images("mnist", 128), [32, 32], 32, [32, 32])
_autoencoder("FixedImageConvAE_mnist_32x64x8x64x32_bs128", images("mnist", 128), [32, 64], 8, [64, 32])
# The last number of the name is not its own: published with 64.
_autoencoder("FixedImageConvAE_mnist_32x64x32x64x32_bs512", images("mnist", 512), [32, 64], 32, [64, 64])
_autoencoder("FixedImageConvAE_cifar10_32x32x32x32x32_bs128", images("cifar10", 128), [32, 32], 32, [32, 32])
_autoencoder("FixedImageConvAE_cifar10_32x64x8x64x32_bs128", images("cifar10", 128), [32, 64], 8, [64, 32])
