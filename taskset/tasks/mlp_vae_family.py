"""Fully connected variational autoencoders of images."""

from typing import Any

from taskset.datasets.images import ImageData
from taskset.registry import register_builder
from taskset.tasks.base import Model
from taskset.tasks.vae import mlp_negative_elbo


@register_builder("mlp_vae_family")
def build(config: dict[str, Any], data: ImageData) -> Model:
    """The negative evidence lower bound of images in [0, 1], not centred (`taskset.tasks.vae`)."""
    return Model(lambda batch, key: mlp_negative_elbo(batch["image"], config, key), data)
