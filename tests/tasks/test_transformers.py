"""Transformers over text and over images: losses against NumPy twins, what each position sees, dropout, starts."""

import math

import numpy as np
import pytest
import tensorflow as tf

from taskset import catalogue
from taskset.execution.copies import batched
from taskset.random import stateless
from taskset.tasks import transformers
from taskset.tasks.base import Task
from taskset.tasks.transformer_lm_family import next_token_losses
from taskset.tasks.vit_family import patches
from tests import small
from tests.small import TINY, Tokens, shaken
from tests.twins import images
from tests.twins import transformers as twins

LAYERS = {
    "layers": 2, "heads": 2, "width": 8, "hidden_units": 12, "gated": False, "activation": "tanh", "norm": "layer_norm",
    "pre_norm": True, "biases": True, "positions": "learned", "w_init": ["glorot_uniform", None], "residual_init": "plain",
    "dropout": None,
}  # fmt: skip
TEXT = {**LAYERS, "vocab_size": 20, "embed_stddev": 0.5, "tied": False}
IMAGES = {**LAYERS, "patch_size": 3, "pool_type": "class_token", "center_data": True}
OTHER = [
    {},
    {"pre_norm": False, "biases": False, "positions": "sinusoid", "heads": 1, "activation": "gelu"},
    {"gated": True, "norm": "rms_norm", "positions": "none", "heads": 4, "activation": "swish"},
    {"gated": True, "norm": "rms_norm", "pre_norm": False, "residual_init": "zero", "dropout": 0.3},
]
TOKENS = Tokens()  # ids up to 39, beyond the vocabulary, and padding


def make(family, config, data):
    return Task(family, family, config, catalogue.builder(family)(config, data), "none")


def assert_twin(task, twin, batch):
    """The twin's loss, and a gradient for each parameter."""
    params = shaken(task)
    expected = twin(images.float64(params), task.config, images.float64(batch), 3)
    loss, gradients = task.value_and_gradients(params, batch, 3)
    assert loss.numpy() == pytest.approx(expected, rel=1e-5)
    assert all(np.abs(gradient).max() > 1e-6 for gradient in gradients.values())


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("other", OTHER)
def test_loss_of_text_is_that_of_the_numpy_twin(other, tied):
    task = make("transformer_lm_family", {**TEXT, **other, "tied": tied}, TOKENS)
    assert_twin(task, twins.transformer_lm_family, next(task.batches("train", 0)))


@pytest.mark.parametrize("pool_type", ["class_token", "mean"])
@pytest.mark.parametrize("other", OTHER)
def test_loss_of_images_is_that_of_the_numpy_twin(other, pool_type):
    task = make("vit_family", {**IMAGES, **other, "pool_type": pool_type}, TINY)
    assert_twin(task, twins.vit_family, TINY.examples())


def losses_at(task, params, tokens):
    """The loss at each position, [B, T - 1], with given parameters."""
    waiting = iter(params.values())
    with tf.variable_creator_scope(lambda next_creator, **kwargs: next(waiting)):
        return next_token_losses(task.config, tf.constant(tokens), stateless.as_key(0)).numpy()


@pytest.mark.parametrize("other", OTHER)
def test_a_later_token_changes_no_earlier_loss(other):
    task = make("transformer_lm_family", {**TEXT, **other}, TOKENS)
    params = shaken(task)
    tokens = np.random.default_rng(0).integers(1, 20, [3, 6]).astype(np.int32)
    before = losses_at(task, params, tokens)
    for place in range(6):
        changed = tokens.copy()
        changed[:, place] = changed[:, place] % 19 + 1
        after = losses_at(task, params, changed)
        np.testing.assert_array_equal(after[:, : max(place - 1, 0)], before[:, : max(place - 1, 0)])
        assert (after[:, max(place - 1, 0) :] != before[:, max(place - 1, 0) :]).all()  # as a target, and as an input to the rest


def test_padding_is_not_counted():
    task = make("transformer_lm_family", TEXT, TOKENS)
    params, batch = shaken(task), next(task.batches("train", 0))
    padded = batch["mask"].numpy() == 0
    assert padded.any()
    other = {**batch, "tokens": tf.where(padded, 7, batch["tokens"])}
    np.testing.assert_array_equal(task.loss(params, other, 0), task.loss(params, batch, 0))


def test_every_patch_sees_every_other():
    """The class token stands first: it sees the last patch only where nothing is masked."""
    task, batch = make("vit_family", IMAGES, TINY), TINY.examples()
    corner = np.zeros([8, 8, 3], np.float32)
    corner[5, 5] = 0.5
    params = shaken(task)
    assert task.loss(params, batch, 0) != task.loss(params, {**batch, "image": batch["image"] + corner}, 0)
    corner[5, 5], corner[7, 7] = 0, 0.5  # beside the whole patches
    assert task.loss(params, batch, 0) == task.loss(params, {**batch, "image": batch["image"] + corner}, 0)


@pytest.mark.parametrize("family, config, data", [("transformer_lm_family", TEXT, TOKENS), ("vit_family", IMAGES, TINY)])
def test_only_dropout_is_random(family, config, data):
    batch = next(make(family, config, data).batches("train", 0))
    found = {}
    for rate in (None, 0.2):
        task = make(family, {**config, "dropout": rate}, data)
        params = shaken(task)
        assert task.random == (rate is not None)
        loss = tf.function(task.loss, autograph=False)
        found[rate] = [float(loss(params, batch, tf.constant(seed))) for seed in range(20)]
    assert len(set(found[None])) == 1 and len(set(found[0.2])) == 20
    assert np.mean(found[0.2]) == pytest.approx(found[None][0], rel=0.2)


@pytest.mark.parametrize("family, config, data", [("transformer_lm_family", TEXT, TOKENS), ("vit_family", IMAGES, TINY)])
def test_gradients_of_several_copies_in_one_program(family, config, data):
    """Training of learned optimizers unrolls many copies at once; that needs a batched form of every operation."""
    task = make(family, {**config, "dropout": 0.2, "gated": True, "tied": True, "positions": "sinusoid"}, data)
    batch = next(task.batches("train", 0))
    each = [shaken(task, seed=seed) for seed in (0, 1)]
    stacked = {path: tf.stack([params[path] for params in each]) for path in each[0]}
    losses, gradients = batched(lambda one: task.value_and_gradients(one, batch, 3), stacked)
    for i, params in enumerate(each):
        loss, alone = task.value_and_gradients(params, batch, 3)
        np.testing.assert_allclose(losses[i], loss, rtol=1e-5)
        for path in alone:
            np.testing.assert_allclose(gradients[path][i], alone[path], rtol=1e-3, atol=1e-6)


def test_starts():
    assert np.array_equal(transformers.sinusoids(3, 4)[0], [0, 1, 0, 1])
    np.testing.assert_allclose(transformers.sinusoids(3, 4)[2], [math.sin(2), math.cos(2), math.sin(0.02), math.cos(0.02)])
    config = {**TEXT, "layers": 2, "width": 40, "hidden_units": 50, "w_init": ["random_normal", 0.1]}
    for kind, stddev in (("plain", 0.1), ("depth_scaled", 0.1 / 2), ("zero", 0.0)):
        task = make("transformer_lm_family", {**config, "residual_init": kind}, TOKENS)
        start = task.init(0)
        for part in ("attention", "feed_forward"):
            path = f"layer_1/{part}/output/w"
            assert np.std(start[path]) == pytest.approx(stddev, rel=0.1)
            assert task.parameter_starts[path].stddev == pytest.approx(stddev)
        assert np.std(start["layer_1/attention/query/w"]) == pytest.approx(0.1, rel=0.1)


def test_patches_are_read_row_by_row():
    image = np.random.default_rng(0).uniform(size=[2, 7, 9, 3])
    np.testing.assert_array_equal(patches(tf.constant(image), 3), twins.patches(image, 3))


def test_what_cannot_run():
    text, image = (catalogue.sample(family, 0) for family in ("transformer_lm_family", "vit_family"))
    reason = catalogue.facts("transformer_lm_family", {**text, "width": 10, "heads": 4}).infeasible
    assert reason == "heads = 4: the width, 10, is no multiple of it"
    assert catalogue.facts("vit_family", {**image, "width": 10, "heads": 4}).infeasible == reason
    reason = catalogue.facts("vit_family", {**image, "patch_size": 33}).infeasible
    assert reason.startswith("patch_size = 33: the images have only")


@pytest.mark.slow
@pytest.mark.parametrize("family, seeds", [("transformer_lm_family", (21, 55, 71)), ("vit_family", (20, 41, 109))])
def test_adam_learns(family, seeds):
    for seed in seeds:
        small.assert_learned(f"{family}_seed{seed}")
