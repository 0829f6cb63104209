"""Recurrent language models over pieces of words."""

from typing import Any

from taskset.datasets.text import LanguageModelData
from taskset.registry import register_builder
from taskset.tasks.base import Model
from taskset.tasks.language_model import mean_loss


@register_builder("word_rnn_language_model_family")
def build(config: dict[str, Any], data: LanguageModelData) -> Model:
    """Embedding; recurrent core; a linear layer to the vocabulary; cross-entropy of the next token, mean over all positions."""
    return Model(mean_loss(config), data)
