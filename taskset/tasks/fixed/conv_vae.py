"""Convolutional variational autoencoders."""

from typing import Any

from taskset.registry import Facts, add_fixed, register_facts, register_schema
from taskset.tasks.fixed import conv_autoencoders
from taskset.tasks.fixed.parts import images

register_schema("fixed_conv_vae", conv_autoencoders.SCHEMA)


@register_facts("fixed_conv_vae")
def facts(config: dict[str, Any]) -> Facts:
    """Mean and log stddev of each latent and of each pixel's channel."""
    return conv_autoencoders.facts(config, 2)


def _vae(name, dataset, encoder, latents, decoder):
    add_fixed(
        __name__, name, "fixed_conv_vae", {"encoder": encoder, "latents": latents, "decoder": [32, *decoder], "dataset": dataset}
    )


_MNIST = images("mnist", 128)
_CIFAR = images("cifar10", 128)

_vae("FixedImageConvVAE_mnist_32x32x32x32x32_bs128", _MNIST, [32, 32], 32, [32, 32])
_vae("FixedImageConvVAE_mnist_32x64x32x64x32_bs128", _CIFAR, [32, 64], 32, [64, 32])  # reads cifar10, as published
_vae("FixedImageConvVAE_cifar10_32x64x128x64x32_bs128", _CIFAR, [32, 64], 128, [64, 32])
_vae("FixedImageConvVAE_mnist_64x128x128x128x64_bs128", _MNIST, [64, 128], 128, [128, 64])
_vae("FixedImageConvVAE_cifar10_64x128x256x128x256x128x64_bs128", _CIFAR, [64, 128, 256], 128, [256, 128, 64])
_vae("FixedImageConvVAE_cifar10_32x64x128x64x128x64x32_bs128", _CIFAR, [32, 64, 128], 64, [128, 64, 32])
_vae("FixedImageConvVAE_cifar10_32x64x128x64x128x64x32_bs512", images("cifar10", 512), [32, 64, 128], 64, [128, 64, 32])
