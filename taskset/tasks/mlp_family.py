"""Fully connected classifiers of images."""

from typing import Any

import sonnet as snt

from taskset.datasets.images import ImageData
from taskset.registry import register_builder
from taskset.tasks import activations, initializers
from taskset.tasks.base import Model
from taskset.tasks.images import classification, network_input
from taskset.tasks.linear import MLP


@register_builder("mlp_family")
def build(config: dict[str, Any], data: ImageData) -> Model:
    """Flatten; an MLP of `layer_sizes` and a linear layer to the classes; cross-entropy."""
    activation = activations.from_config(config["activation"])
    w_init = initializers.from_config(config["w_init"])

    def loss(batch, key):
        x = snt.flatten(network_input(batch["image"], config))
        sizes = [*config["layer_sizes"], data.num_classes]
        logits = MLP(sizes, w_init=w_init, activation=activation, name="mlp")(x)
        return classification(logits, batch["label"])

    return Model(loss, data)
