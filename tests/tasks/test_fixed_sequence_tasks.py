"""The fixed recurrent tasks: names, configs, generated data; and that they can be learned."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import taskset
from taskset import catalogue
from taskset.datasets.sequences import AssociativeData, CopyData
from taskset.errors import InfeasibleTask
from taskset.tasks.base import Task

PUBLISHED = (Path(__file__).parents[1] / "golden" / "fixed_tasks.txt").read_text().split()
PREFIXES = ("FixedLM_", "FixedTextRNNClassification_", "Associative_", "Copy_")
NAMES = [name for name in PUBLISHED if name.startswith(PREFIXES)]


def test_the_published_names_in_their_order():
    assert len(NAMES) == 5 + 12 + 18
    assert [name for name in taskset.fixed_tasks() if name.startswith(PREFIXES)] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_configs_fit_their_schemas_and_models_their_facts(name):
    family, config = catalogue.resolve(name)
    catalogue.check_config(family, config)
    facts = catalogue.facts(family, config)
    assert facts.infeasible is None
    model = catalogue.builder(family)(config, facts.data)
    shapes = Task(name, family, config, model, "synthetic").parameter_shapes
    assert list(shapes.items()) == list(facts.parameter_shapes.items())


@pytest.mark.parametrize(
    "name, family, size, others",
    [
        (
            "FixedLM_lm1b_patch128_GRU256_embed64_avg_bs128",
            "masked_language_model",
            256,
            {"embed_dim": 64, "vocab_size": 256, "trainable_init": True},
        ),
        (
            "FixedTextRNNClassification_imdb_patch32_LSTM128_E128_bs128",
            "rnn_text_classification_family",
            128,
            {"embed_dim": 128, "vocab_size": 10000, "loss_compute": "last", "trainable_init": True},
        ),
        (
            "FixedTextRNNClassification_imdb_patch32_VRNN64_relu_avg_bs128",
            "rnn_text_classification_family",
            64,
            {"embed_dim": 64, "loss_compute": "avg"},
        ),
        ("Associative_LSTM256_BS128_Pairs40_Tokens100", "associative", 256, {"bs": 128, "pairs": 40, "tokens": 100}),
        ("Copy_GRU256_BS128_Length40_Tokens50", "copy", 256, {"bs": 128, "length": 40, "tokens": 50, "trainable_init": False}),
    ],
)
def test_names_say_what_configs_hold(name, family, size, others):
    found, config = catalogue.resolve(name)
    assert found == family and config["core"][1]["core_dim"] == size
    assert others.items() <= config.items()


def test_data_of_the_text_tasks():
    data = catalogue.facts(*catalogue.resolve("FixedTextRNNClassification_imdb_patch128_LSTM128_avg_bs64")).data
    assert (data.batch_size, data.patch_length, data.max_token, data.valid_size) == (64, 128, 10000, 3000)
    data = catalogue.facts(*catalogue.resolve(NAMES[0])).data
    assert (data.name, data.batch_size, data.patch_length) == ("lm1b/bytes", 128, 128)
    assert (data.just_train, data.num_train, data.valid_size) == (False, None, 3000)


def test_an_irnn_starts_at_the_identity():
    family, config = catalogue.resolve("FixedTextRNNClassification_imdb_patch32_IRNN64_relu_last_bs128")
    model = catalogue.builder(family)(config, catalogue.facts(family, config).data)
    params = Task("irnn", family, config, model, "synthetic").init(3)
    np.testing.assert_array_equal(params["core/hidden_to_hidden"], np.eye(64))
    assert config["core"][1]["act_fn"] == "relu"


# Data.


def drawn(data, split="train", seed=0, start=0, count=3):
    return data.open("none", None)(split, seed, start, count)


def test_associative_sequences():
    data = AssociativeData(batch_size=200, pairs=6, num_tokens=9)
    batch = drawn(data)
    assert {k: (v.shape[1:], v.dtype.name) for k, v in batch.items()} == data.batch
    tokens, answers, mask = batch["tokens"], batch["target"][..., -1], batch["mask"]
    keys, values = tokens[..., 0:12:2], tokens[..., 1:12:2]
    assert all(len(set(row)) == 6 for row in keys.reshape(-1, 6))
    assert np.all(tokens[..., 12] == 9) and tokens[..., :12].max() == 8 and tokens.min() == 0
    asked = keys == tokens[..., 13:]
    np.testing.assert_array_equal(asked.sum(-1), 1)
    np.testing.assert_array_equal((values * asked).sum(-1), answers)
    assert mask[..., :-1].max() == 0 and mask[..., -1].min() == 1 and batch["target"][..., :-1].max() == 0
    # Every position is asked for, every token is a key and a value, about equally often (600 draws: 5 standard deviations).
    for counts, n in ((asked.sum((0, 1)), 6), (np.bincount(values.ravel()), 9), (np.bincount(keys.ravel()), 9)):
        share = 1 / n
        assert np.abs(counts / counts.sum() - share).max() < 5 * math.sqrt(share * (1 - share) / 600)


def test_copy_sequences():
    data = CopyData(batch_size=50, num_copied=4, num_tokens=7)
    batch = drawn(data)
    assert {k: (v.shape[1:], v.dtype.name) for k, v in batch.items()} == data.batch
    tokens = batch["tokens"]
    np.testing.assert_array_equal(batch["target"][..., -4:], tokens[..., :4])
    assert np.all(tokens[..., 4] == 7) and np.all(tokens[..., 5:] == 8) and set(np.unique(tokens[..., :4])) == set(range(7))
    assert tokens.shape[-1] == 9 and np.all(batch["mask"].sum(-1) == 4) and np.all(batch["mask"][..., :5] == 0)


@pytest.mark.parametrize("data", [AssociativeData(8, 3, 5), CopyData(8, 3, 5)])
def test_batches_are_a_function_of_split_seed_and_step(data):
    whole = drawn(data, count=6)
    later = drawn(data, start=4, count=2)
    for name in whole:
        np.testing.assert_array_equal(whole[name][4:], later[name])
    tokens = whole["tokens"]
    others = [drawn(data, split="test", count=6), drawn(data, seed=1, count=6), {"tokens": np.roll(tokens, 1, axis=0)}]
    assert all(np.any(tokens != other["tokens"]) for other in others)


def test_more_pairs_than_tokens_are_infeasible():
    family, config = catalogue.resolve("Associative_LSTM128_BS128_Pairs5_Tokens20")
    with pytest.raises(InfeasibleTask, match="pairs = 21 .* tokens = 20"):
        taskset.make_task(family, {**config, "pairs": 21})


# Losses.


def small(name, units=24, **changes):
    """The task called `name` with fewer units and another size."""
    family, config = catalogue.resolve(name)
    kind, args = config["core"]
    return taskset.make_task(family, {**config, "core": [kind, {**args, "core_dim": units}], **changes})


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith(("Associative", "Copy")) and "128_BS" in name])
def test_loss_of_a_uniform_guess_counts_the_answer_alone(name):
    task = small(name, 8, bs=4)
    params, batch = task.init(0), next(task.batches("train", 0))
    silent = {**params, "linear/w": tf.zeros_like(params["linear/w"])}
    symbols = task.data.num_symbols
    np.testing.assert_allclose(task.loss(silent, batch, 0), math.log(symbols), rtol=1e-6)
    # A bias towards one symbol changes the loss by as much as the answers hold of it.
    biased = {**silent, "linear/b": tf.one_hot(0, symbols)}
    target, mask = batch["target"].numpy(), batch["mask"].numpy()
    expected = math.log(math.e + symbols - 1) - np.mean(target[mask > 0] == 0)
    loss, metrics = task.loss_and_metrics(biased, batch, 0)
    np.testing.assert_allclose(loss, expected, rtol=1e-6)
    np.testing.assert_allclose(metrics["accuracy"], np.mean(target[mask > 0] == 0), rtol=1e-6)


@pytest.mark.parametrize(
    "name, changes",
    [
        ("Copy_GRU128_BS128_Length20_Tokens10", {"length": 2, "tokens": 3}),
        ("Associative_LSTM128_BS128_Pairs10_Tokens50", {"pairs": 1, "tokens": 4}),
    ],
)
def test_short_sequences_are_learned(name, changes):
    task = small(name, bs=32, **changes)
    steps, params = 300, task.init(0)
    raw = {k: tf.constant(v) for k, v in task.raw_batches("train", 0, 0, steps).items()}

    @tf.function(jit_compile=True, autograph=False)
    def train(params):
        def step(i, params, squares):
            _, gradients = task.value_and_gradients(params, {k: v[i] for k, v in raw.items()}, 0)
            squares = {k: 0.9 * squares[k] + 0.1 * g**2 for k, g in gradients.items()}
            return i + 1, {k: p - 0.01 * gradients[k] / (tf.sqrt(squares[k]) + 1e-8) for k, p in params.items()}, squares

        start = (0, params, {k: tf.zeros_like(p) for k, p in params.items()})
        return tf.while_loop(lambda i, *_: i < steps, step, start)[1]

    def loss(params):
        return float(np.mean([task.loss(params, batch, 0) for _, batch in zip(range(3), task.batches("test", 0))]))

    assert loss(params) > 0.8 * math.log(task.data.num_symbols)
    assert loss(train(params)) < 0.2 * math.log(changes["tokens"])


def test_integers_of_any_kind_are_taken():
    """NumPy's are int64, and those of a corpus uint16."""
    task = small("Copy_LSTM128_BS128_Length5_Tokens10", bs=4)
    params, batch = task.init(0), next(task.batches("train", 0))
    expected = float(task.loss(params, batch, 0))
    for kind in (np.int64, np.uint16):
        given = {name: v.numpy().astype(kind) if v.dtype.is_integer else v for name, v in batch.items()}
        assert float(task.loss(params, given, 0)) == expected


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith(("Associative", "Copy"))])
def test_published_sizes_start_finite(name):
    task = taskset.get_task(name)
    gradients = tf.function(task.value_and_gradients, autograph=False)
    loss, gradients = gradients(task.init(0), next(task.batches("train", 0)), tf.constant(0))
    assert abs(loss - math.log(task.data.num_symbols)) < 1
    assert all(np.all(np.isfinite(g)) and np.any(g) for g in gradients.values())


def test_specifications_are_hashable():
    data = AssociativeData(8, 3, 5)
    assert {data: 1}[dataclasses.replace(data)] == 1 and data != CopyData(8, 3, 5)
