"""FixedLM_..: recurrent language models over the bytes of lm1b, padding masked."""

import re
from typing import Any

from taskset.registry import Facts, add_fixed, register_facts, register_schema
from taskset.samplers import language_models, schemas
from taskset.tasks.fixed.cores import core
from taskset.tasks.fixed.parts import DEFAULT, parsed

VALID_SIZE = 3000
_NAME = re.compile(r"FixedLM_lm1b_patch(?P<patch>\d+)_(?P<kind>[A-Z]+)(?P<units>\d+)_embed(?P<embed>\d+)_avg_bs(?P<bs>\d+)")

register_schema("masked_language_model", language_models.schema(schemas.CHARACTER_DATASET))


@register_facts("masked_language_model")
def facts(config: dict[str, Any]) -> Facts:
    """Embedding, core, linear layer; validation splits of 3,000 documents."""
    return language_models.facts(config, VALID_SIZE)


def _config(name: str) -> dict[str, Any]:
    fields = parsed(_NAME, name)
    options = {"patch_length": int(fields["patch"]), "batch_size": int(fields["bs"]), "just_train": False, "num_train": None}
    return {
        "embed_dim": int(fields["embed"]),
        "w_init": DEFAULT,
        "vocab_size": 256,
        "core": core(fields["kind"], fields["units"]),
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
    add_fixed(__name__, _name, "masked_language_model", _config(_name))
