"""Fully connected variational autoencoders of centred images."""

from typing import Any

from taskset.datasets.images import ImageData
from taskset.registry import register_builder
from taskset.tasks.base import Model
from taskset.tasks.images import center
from taskset.tasks.vae import mlp_negative_elbo


@register_builder("fixed_mlp_vae")
def build(config: dict[str, Any], data: ImageData) -> Model:
    """As `mlp_vae_family`, of images in [-1, 1]."""
    return Model(lambda batch, key: mlp_negative_elbo(center(batch["image"]), config, key), data)
