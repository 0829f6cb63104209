"""Convolutional classifiers of images with a fully connected head."""

from typing import Any

import sonnet as snt

from taskset.datasets.images import ImageData
from taskset.registry import register_builder
from taskset.tasks import activations, initializers
from taskset.tasks.base import Model
from taskset.tasks.convolutions import convolve
from taskset.tasks.images import classification, network_input


@register_builder("conv_fc_family")
def build(config: dict[str, Any], data: ImageData) -> Model:
    """Convolutions; flatten; an MLP of `fc_hidden_units` and a linear layer to the classes; cross-entropy."""
    activation = activations.from_config(config["activation"])
    w_init = initializers.from_config(config["w_init"])

    def loss(batch, key):
        x = snt.flatten(convolve(network_input(batch["image"], config), config))
        sizes = [*config["fc_hidden_units"], data.num_classes]
        logits = snt.nets.MLP(sizes, w_init=w_init, activation=activation, name="mlp")(x)
        return classification(logits, batch["label"])

    return Model(loss, data, convolutional=True)
