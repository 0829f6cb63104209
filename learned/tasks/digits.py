"""Digits of 8x8 pixels and small MLPs on them: the quickest task on which a learned optimizer shows something.

The images are those of mnist (or of its synthetic stand-in): two rows and columns cut off each side, then means of 3x3 pixels
(`learned.tasks.tiny_image_data`).
Only building a task imports TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from learned.tasks.tiny_image_data import SIDE, SIZES, TinyImages
from taskset.registry import Facts, register_builder, register_facts, register_fixed, register_schema
from taskset.samplers import shapes

if TYPE_CHECKING:
    from taskset.tasks.base import Model

FAMILY = "digits_mlp"

register_schema(
    FAMILY,
    {
        "type": "object",
        "properties": {
            "layer_sizes": {"type": "array", "items": {"type": "integer", "minimum": 1}},
            "bs": {"type": "integer", "minimum": 1, "maximum": min(SIZES.values())},
        },
        "required": ["layer_sizes", "bs"],
        "additionalProperties": False,
    },
)


@register_facts(FAMILY)
def facts(config: dict[str, Any]) -> Facts:
    """The data and parameter shapes of a config."""
    data = TinyImages("mnist", config["bs"])
    return Facts(data, shapes.mlp("mlp", SIDE**2, [*config["layer_sizes"], data.num_classes]))


@register_builder(FAMILY)
def build(config: dict[str, Any], data: TinyImages) -> Model:
    """Flatten; an MLP of ReLUs with `layer_sizes` and a linear layer to the ten classes; cross-entropy in nats."""
    import sonnet as snt

    from taskset.tasks import base, initializers
    from taskset.tasks.images import classification

    def loss(batch, key):
        sizes = [*config["layer_sizes"], data.num_classes]
        w_init = initializers.from_config(["he_normal", None])
        logits = snt.nets.MLP(sizes, w_init=w_init, name="mlp")(snt.flatten(batch["image"]))
        return classification(logits, batch["label"])

    return base.Model(loss, data)


@register_fixed("Digits_mlp32_bs128")
def digits_mlp32_bs128() -> tuple[str, dict[str, Any]]:
    """A 64-32-10 MLP at batch size 128."""
    return FAMILY, {"layer_sizes": [32], "bs": 128}
