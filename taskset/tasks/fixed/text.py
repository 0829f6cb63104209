"""FixedTextRNNClassification_..: recurrent classifiers of the movie reviews, in pieces of words."""

import functools
import re

from taskset.registry import Facts, register_facts, register_fixed, register_schema
from taskset.samplers import data, schemas, shapes
from taskset.samplers.rnn_text_classification_family import LOSS_COMPUTES
from taskset.tasks.fixed import recurrent_schemas
from taskset.tasks.fixed.cores import core

VOCAB_SIZE = 10_000
_NAME = re.compile(
    r"FixedTextRNNClassification_imdb_patch(?P<patch>\d+)_(?P<kind>[A-Z]+)(?P<units>\d+)"
    r"(?:_(?P<act_fn>tanh|relu))?(?:_(?:E|embed)(?P<embed>\d+))?(?:_(?P<over_time>avg|last))?_bs(?P<bs>\d+)"
)
_DATASET = schemas.tagged(
    {
        "imdb_reviews/subwords8k": schemas.fields(
            bs=schemas.SIZE, num_train=schemas.NUM_TRAIN, max_token=schemas.SIZE, patch_length=schemas.SIZE
        )
    }
)

register_schema(
    "fixed_text_classification",
    recurrent_schemas.with_defaults(
        ("w_init",),
        embed_dim=schemas.SIZE,
        dataset=_DATASET,
        vocab_size=schemas.SIZE,
        core=recurrent_schemas.CORE,
        trainable_init=schemas.BOOLEAN,
        loss_compute=schemas.one_of(*LOSS_COMPUTES),
    ),
)


@register_facts("fixed_text_classification")
def facts(config):
    """As in the sampled family, the vocabulary is what both vocab_size and max_token allow."""
    text = data.text_classification_data(config["dataset"])
    vocab_size = min(config["vocab_size"], text.max_token)
    return Facts(text, shapes.recurrent_net(config, vocab_size, text.num_classes), text.infeasible)


def describe(name):
    """(family, config) of a task by its name: what it leaves out is an embedding of 64 and the last output."""
    said = _NAME.fullmatch(name)
    options = {"bs": int(said["bs"]), "num_train": None, "max_token": VOCAB_SIZE, "patch_length": int(said["patch"])}
    return "fixed_text_classification", {
        "embed_dim": int(said["embed"] or 64),
        "dataset": ["imdb_reviews/subwords8k", options],
        "vocab_size": VOCAB_SIZE,
        "core": core(said["kind"], said["units"], said["act_fn"]),
        "trainable_init": True,
        "loss_compute": said["over_time"] or "last",
    }


for _name in (
    "FixedTextRNNClassification_imdb_patch32_LSTM128_bs128",
    "FixedTextRNNClassification_imdb_patch128_LSTM128_bs64",
    "FixedTextRNNClassification_imdb_patch32_LSTM128_E128_bs128",
    "FixedTextRNNClassification_imdb_patch128_LSTM128_embed128_bs64",
    "FixedTextRNNClassification_imdb_patch128_LSTM128_avg_bs64",
    "FixedTextRNNClassification_imdb_patch32_GRU128_bs128",
    "FixedTextRNNClassification_imdb_patch32_GRU64_avg_bs128",
    "FixedTextRNNClassification_imdb_patch32_VRNN128_tanh_bs128",
    "FixedTextRNNClassification_imdb_patch32_VRNN64_tanh_avg_bs128",
    "FixedTextRNNClassification_imdb_patch32_VRNN64_relu_avg_bs128",
    "FixedTextRNNClassification_imdb_patch32_IRNN64_relu_avg_bs128",
    "FixedTextRNNClassification_imdb_patch32_IRNN64_relu_last_bs128",
):
    register_fixed(_name)(functools.partial(describe, _name))
