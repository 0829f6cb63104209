"""rnn_text_classification_family: recurrent classifiers of text."""

from taskset.registry import Config, Facts, register_facts, register_sampler
from taskset.samplers import data, parts, schemas, shapes
from taskset.samplers.draws import Draws

LOSS_COMPUTES = ("last", "avg", "max")

SCHEMA = schemas.fields(
    embed_dim=schemas.SIZE,
    w_init=schemas.INITIALIZER,
    dataset=schemas.TEXT_CLASSIFICATION_DATASET,
    vocab_size=schemas.SIZE,
    core=schemas.RECURRENT_CORE,
    trainable_init=schemas.BOOLEAN,
    loss_compute=schemas.one_of(*LOSS_COMPUTES),
)


@register_sampler("rnn_text_classification_family", schema=SCHEMA)
def sample(seed: int) -> Config:
    """Embedding, recurrent core, and how its outputs are pooled: the last one, their mean or their maximum."""
    draw = Draws(seed)
    return {
        "embed_dim": draw.log_int(8, 128),
        "w_init": parts.initializer(draw),
        "dataset": parts.text_classification_dataset(draw),
        "vocab_size": draw.log_int(100, 10000),
        "core": parts.recurrent_core(draw),
        "trainable_init": draw.choice(True, False),
        "loss_compute": draw.choice(*LOSS_COMPUTES),
    }


@register_facts("rnn_text_classification_family")
def facts(config: Config) -> Facts:
    """The embedding has as many rows as both vocab_size and the data's max_token allow."""
    text = data.text_classification_data(config["dataset"])
    vocab_size = min(config["vocab_size"], text.max_token)
    return Facts(text, shapes.recurrent_net(config, vocab_size, text.num_classes), text.infeasible)
