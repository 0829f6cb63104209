"""word_rnn_language_model_family: recurrent language models over pieces of words."""

from taskset.registry import Config, Facts, register_facts, register_sampler
from taskset.samplers import language_models, parts, schemas

VALID_SIZE = 10_000


@register_sampler("word_rnn_language_model_family", schema=language_models.schema(schemas.WORD_DATASET))
def sample(seed: int) -> Config:
    """The vocabulary may be larger than the number of pieces there are: the published range goes to 30,000."""
    return language_models.sample(seed, lambda draw: draw.log_int(1000, 30000), parts.word_dataset)


@register_facts("word_rnn_language_model_family")
def facts(config: Config) -> Facts:
    """Embedding, core, linear layer; validation splits of 10,000 documents."""
    return language_models.facts(config, VALID_SIZE)
