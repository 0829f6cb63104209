"""FixedTextRNNClassification_..: recurrent classifiers of the movie reviews, in pieces of words."""

import re
from typing import Any

from taskset.registry import add_fixed
from taskset.tasks.fixed.cores import core
from taskset.tasks.fixed.parts import DEFAULT, parsed

VOCAB_SIZE = 10_000
_NAME = re.compile(
    r"FixedTextRNNClassification_imdb_patch(?P<patch>\d+)_(?P<kind>[A-Z]+)(?P<units>\d+)"
    r"(?:_(?P<act_fn>tanh|relu))?(?:_(?:E|embed)(?P<embed>\d+))?(?:_(?P<over_time>avg|last))?_bs(?P<bs>\d+)"
)


def _config(name: str) -> dict[str, Any]:
    """The config that a name stands for; where the name doesn't mention them, an embedding of 64 and the last output."""
    fields = parsed(_NAME, name)
    patch_length, batch_size = int(fields["patch"]), int(fields["bs"])
    options = {"bs": batch_size, "num_train": None, "max_token": VOCAB_SIZE, "just_train": False, "patch_length": patch_length}
    return {
        "embed_dim": int(fields["embed"] or 64),
        "w_init": DEFAULT,
        "dataset": ["imdb_reviews/subwords8k", options],
        "vocab_size": VOCAB_SIZE,
        "core": core(fields["kind"], fields["units"], fields["act_fn"]),
        "trainable_init": True,
        "loss_compute": fields["over_time"] or "last",
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
    add_fixed(__name__, _name, "rnn_text_classification_family", _config(_name))
