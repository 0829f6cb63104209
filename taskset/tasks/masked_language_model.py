"""The fixed language models: padding does not count."""

from typing import Any

from taskset.datasets.text import LanguageModelData
from taskset.registry import register_builder
from taskset.tasks.base import Model
from taskset.tasks.language_model import masked_mean_loss


@register_builder("masked_language_model")
def build(config: dict[str, Any], data: LanguageModelData) -> Model:
    """Embedding; recurrent core; a linear layer to the vocabulary; cross-entropy, mean over unmasked next tokens."""
    return Model(masked_mean_loss(config), data)
