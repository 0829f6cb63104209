"""transformer_lm_family: causal transformers over bytes and over pieces of words. Not a published family."""

from typing import Any

from taskset.registry import Config, Facts, register_facts, register_sampler
from taskset.samplers import data, parts, schemas, shapes, transformers
from taskset.samplers.draws import Draws

OFFSET = 2_000_003  # a stream of random numbers of its own
VALID_SIZE = 3000
BYTES = 257  # ids of bytes, with that of the padding
PIECES = 8185  # the same of pieces of words

SCHEMA = schemas.fields(
    **transformers.FIELDS,
    vocab_size=schemas.SIZE,
    embed_stddev=schemas.number(exclusiveMinimum=0),
    tied=schemas.BOOLEAN,
    dataset=schemas.TEXT_DATASET,
)


@register_sampler("transformer_lm_family", schema=SCHEMA)
def sample(seed: int) -> Config:
    """Two of three read bytes, and know all of them; the others read pieces of words, of which they know 500 or more."""
    draw = Draws(seed + OFFSET)
    layers = transformers.sample(draw)
    reads_bytes, pieces = draw.bernoulli(2 / 3), draw.log_int(500, PIECES)
    return {
        **layers,
        "vocab_size": BYTES if reads_bytes else pieces,
        "embed_stddev": draw.log_float(0.01, 1),
        "tied": draw.choice(True, False),
        "dataset": _bytes(draw) if reads_bytes else _pieces(draw),
    }


def _bytes(draw: Draws) -> list[Any]:
    name, options = parts.character_dataset(draw)
    return [name, {**options, "patch_length": draw.log_int(12, 80), "batch_size": draw.log_int(4, 24)}]


def _pieces(draw: Draws) -> list[Any]:
    name, options = parts.word_dataset(draw)
    return [name, {**options, "patch_length": draw.log_int(8, 32), "batch_size": draw.log_int(4, 16)}]


@register_facts("transformer_lm_family")
def facts(config: Config) -> Facts:
    """Embedding, positions, layers, and a linear layer to the vocabulary unless embeddings are tied."""
    text = data.language_model_data(config["dataset"], VALID_SIZE)
    reason = transformers.infeasible(config)
    if reason:
        return Facts(text, None, reason)
    parameters = {
        "embed/embeddings": (config["vocab_size"], config["width"]),
        **transformers.position_shapes(config, text.patch_length - 1),
        **transformers.layer_shapes(config),
        **({} if config["tied"] else shapes.linear("linear", config["width"], config["vocab_size"])),
    }
    return Facts(text, parameters, text.infeasible)
