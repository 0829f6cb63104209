"""What char_rnn_language_model_family and word_rnn_language_model_family have in common."""

from collections.abc import Callable
from typing import Any

from taskset.registry import Config, Facts
from taskset.samplers import data, parts, schemas, shapes
from taskset.samplers.draws import Draws


def schema(dataset: dict[str, Any]) -> dict[str, Any]:
    """The schema of a family's configs, given the schema of its `dataset` entries."""
    return schemas.fields(
        embed_dim=schemas.SIZE,
        w_init=schemas.INITIALIZER,
        vocab_size=schemas.SIZE,
        core=schemas.RECURRENT_CORE,
        trainable_init=schemas.BOOLEAN,
        dataset=dataset,
    )


def sample(seed: int, vocab_size: Callable[[Draws], int], dataset: Callable[[Draws], list[Any]]) -> Config:
    """A config; `vocab_size` and `dataset` are functions of the `Draws`."""
    draw = Draws(seed)
    return {
        "embed_dim": draw.log_int(8, 128),
        "w_init": parts.initializer(draw),
        "vocab_size": vocab_size(draw),
        "core": parts.recurrent_core(draw),
        "trainable_init": draw.choice(True, False),
        "dataset": dataset(draw),
    }


def facts(config: Config, valid_size: int) -> Facts:
    """Embedding, core, and a linear layer back to the vocabulary."""
    text = data.language_model_data(config["dataset"], valid_size)
    return Facts(text, shapes.recurrent_net(config, config["vocab_size"], config["vocab_size"]), text.infeasible)
