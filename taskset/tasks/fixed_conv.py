"""Convolutional classifiers with batch normalization."""

from typing import Any

from taskset.datasets.images import ImageData
from taskset.registry import register_builder
from taskset.tasks.base import Model
from taskset.tasks.batch_norm import normalize_by_batch
from taskset.tasks.conv_pooling_family import pooled_classification
from taskset.tasks.convolutions import convolve
from taskset.tasks.images import network_input


@register_builder("fixed_conv")
def build(config: dict[str, Any], data: ImageData) -> Model:
    """As `conv_pooling_family`, with batch normalization by the batch's own statistics before each activation, in all splits."""

    def loss(batch, key):
        x = convolve(network_input(batch["image"], config), config, lambda x, i: normalize_by_batch(x, f"batch_norm_{i}"))
        return pooled_classification(x, config, batch["label"], data.num_classes)

    return Model(loss, data, convolutional=True)
