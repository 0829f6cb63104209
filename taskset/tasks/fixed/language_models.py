"""FixedLM_..: recurrent language models over the bytes of lm1b, padding masked."""

import functools
import re

from taskset.registry import Facts, register_facts, register_fixed, register_schema
from taskset.samplers import data, schemas, shapes
from taskset.tasks.fixed import recurrent_schemas
from taskset.tasks.fixed.cores import core

VALID_SIZE = 3000
_NAME = re.compile(r"FixedLM_lm1b_patch(?P<patch>\d+)_(?P<kind>[A-Z]+)(?P<units>\d+)_embed(?P<embed>\d+)_avg_bs(?P<bs>\d+)")

register_schema(
    "masked_language_model",
    recurrent_schemas.with_defaults(
        ("w_init",),
        embed_dim=schemas.SIZE,
        vocab_size=schemas.SIZE,
        core=recurrent_schemas.CORE,
        trainable_init=schemas.BOOLEAN,
        dataset=schemas.CHARACTER_DATASET,
    ),
)


@register_facts("masked_language_model")
def facts(config):
    """Embedding, core, linear layer; validation splits of 3,000 documents."""
    text = data.language_model_data(config["dataset"], VALID_SIZE)
    return Facts(text, shapes.recurrent_net(config, config["vocab_size"], config["vocab_size"]), text.infeasible)


def describe(name):
    """(family, config) of a task by its name."""
    said = _NAME.fullmatch(name)
    options = {"patch_length": int(said["patch"]), "batch_size": int(said["bs"]), "just_train": False, "num_train": None}
    return "masked_language_model", {
        "embed_dim": int(said["embed"]),
        "vocab_size": 256,
        "core": core(said["kind"], said["units"]),
        "trainable_init": True,
        "dataset": ["lm1b/bytes", options],
    }


for _name in (
    "FixedLM_lm1b_patch128_GRU64_embed64_avg_bs128",
    "FixedLM_lm1b_patch128_GRU128_embed64_avg_bs128",
    "FixedLM_lm1b_patch128_GRU256_embed64_avg_bs128",
    "FixedLM_lm1b_patch128_LSTM128_embed64_avg_bs128",
    "FixedLM_lm1b_patch128_LSTM256_embed64_avg_bs128",
):
    register_fixed(_name)(functools.partial(describe, _name))
