"""Text data: specifications and batches."""

import subprocess
import sys

import numpy as np
import pytest

from taskset import catalogue
from taskset.datasets import text_info
from taskset.datasets.base import SPLITS
from taskset.datasets.text import open_corpus
from taskset.errors import UnknownName
from tests.datasets.texts import JOINED, classification, language


def test_specifications_need_no_tensorflow():
    use = "t.LanguageModelData('lm1b/bytes', 8, None, False, 20).infeasible"
    code = f"import sys, taskset.datasets.text as t; {use}; print('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"


@pytest.mark.parametrize(
    "family", ["char_rnn_language_model_family", "word_rnn_language_model_family", "rnn_text_classification_family"]
)
def test_every_name_that_configs_use_is_known(family):
    for seed in range(100):
        data = catalogue.facts(family, catalogue.sample(family, seed)).data
        assert data.reads in text_info.NAMES
        assert data.infeasible is None or "batch size" in data.infeasible or "valid_size" in data.infeasible


@pytest.mark.parametrize(
    "name, original",
    [
        ("imdb_reviews/subwords8k", "imdb_reviews/plain_text"),
        ("lm1b/bytes", "lm1b"),
        ("tokenized_wikipedia/20190301.zh_bytes", "wikipedia/20190301.zh"),
        ("tokenized_amazon_reviews/Books_v1_02_subwords8k", "amazon_us_reviews/Books_v1_02"),
    ],
)
def test_names_lead_to_plain_text(name, original):
    assert text_info.info(name).original == original


def test_unknown_name_offers_neighbours():
    with pytest.raises(UnknownName, match="'lm1b/byte'; did you mean 'lm1b/bytes'"):
        open_corpus("lm1b/byte", "synthetic")
    with pytest.raises(UnknownName, match="unknown source 'tfdz'"):
        open_corpus("lm1b/bytes", "tfdz")


@pytest.mark.parametrize("name", [JOINED, "tokenized_amazon_reviews/Home_v1_00_bytes"])
def test_classification_reads_movie_reviews_whatever_it_names(name):
    data = classification(name=name)
    assert (data.name, data.reads, data.num_classes) == (name, "imdb_reviews/subwords8k", 2)
    assert hash(data) == hash(classification(name=name))


def test_infeasible_names_the_field():
    assert classification().infeasible is None
    assert "batch of 8000" in language("imdb_reviews/bytes", batch_size=8000, valid_size=10000).infeasible
    assert "valid_size" in classification(valid_size=12_500).infeasible
    # The validation splits are not used by a language model with just_train, so that small ones don't matter.
    assert language(batch_size=400).infeasible and not language(batch_size=400, just_train=True).infeasible


def documents_of(batches, split, count):
    return batches._orders[split](0, split, 0, count)


@pytest.mark.parametrize("data", [classification(), language(), language("imdb_reviews/subwords8k", just_train=True)])
def test_batches_fit_the_specification(small, data):
    import tensorflow as tf

    batches = data.open("synthetic")
    for split in SPLITS:
        raw = batches(split, 1, 0, 3)
        batch = data.prepare({name: tf.constant(array[0]) for name, array in raw.items()}, tf.zeros(2, tf.int32))
        assert {name: (tuple(t.shape), t.dtype.name) for name, t in batch.items()} == data.batch
        tokens, mask = batch["tokens"].numpy(), batch["mask"].numpy()
        assert ((tokens > 0) == (mask == 1)).all() and set(np.unique(mask)) <= {0.0, 1.0}


def test_batches_restart_at_any_step(small):
    batches = classification().open("synthetic")
    whole, again = batches("train", 5, 0, 200), classification().open("synthetic")("train", 5, 187, 13)  # into the second epoch
    assert all((whole[name][187:] == again[name]).all() for name in whole)
    assert not (batches("train", 6, 0, 1)["tokens"] == whole["tokens"][:1]).all()


def test_splits_are_disjoint_and_num_train_counts(small):
    batches = language(num_train=1000).open("synthetic")
    seen = {split: set(documents_of(batches, split, {"train": 62}.get(split, 18)).ravel()) for split in SPLITS}
    assert batches._documents["test"] is not batches._documents["train"]
    train, inner, outer = (seen[split] for split in ("train", "valid_inner", "valid_outer"))
    assert (len(train), len(inner), len(outer)) == (992, 288, 288)  # whole batches of an epoch, without repetition
    assert inner <= set(range(300)) and outer <= set(range(300, 600)) and train <= set(range(600, 1600))


def test_just_train_makes_all_four_splits_the_train_split(small):
    batches = language(num_train=50, just_train=True).open("synthetic")
    for split in SPLITS:
        assert batches._documents[split] is batches._documents["train"]
        assert set(documents_of(batches, split, 3).ravel()) <= set(range(600, 650))
    assert not (batches("train", 0, 0, 1)["tokens"] == batches("test", 0, 0, 1)["tokens"]).all()
