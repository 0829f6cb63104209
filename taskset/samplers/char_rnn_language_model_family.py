"""char_rnn_language_model_family: recurrent language models over bytes."""

from taskset.registry import Config, Facts, register_facts, register_sampler
from taskset.samplers import language_models, parts, schemas
from taskset.samplers.draws import Draws

VALID_SIZE = 3000


@register_sampler("char_rnn_language_model_family", schema=language_models.schema(schemas.CHARACTER_DATASET))
def sample(seed: int) -> Config:
    """Four of five have the whole vocabulary of 256."""
    return language_models.sample(seed, _vocab_size, parts.character_dataset)


def _vocab_size(draw: Draws) -> int:
    return 256 if draw.bernoulli(0.8) else draw.log_int(100, 256)


@register_facts("char_rnn_language_model_family")
def facts(config: Config) -> Facts:
    """Embedding, core, linear layer; validation splits of 3000 documents."""
    return language_models.facts(config, VALID_SIZE)
