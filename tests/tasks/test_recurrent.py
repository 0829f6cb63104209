"""Recurrent cells and the families made of them, against NumPy, finite differences and automatic differentiation."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from taskset import catalogue
from taskset.samplers.parts import ACTIVATIONS
from taskset.tasks import recurrent_loops
from taskset.tasks.base import Task
from tests.small import Tokens

GOLDEN = Path(__file__).parents[1] / "golden"
T, B, D, H = 7, 3, 4, 5


INIT = ["random_normal", 0.5]
CORES = {
    "vrnn": {"hidden_to_hidden": INIT, "in_to_hidden": INIT, "act_fn": "tanh", "core_dim": H},
    "gru": {"core_dim": H, **dict.fromkeys(("wh", "wz", "wr", "uh", "uz", "ur"), INIT)},
    "lstm": {"w_gates": INIT, "core_dim": H},
}


def config_of(core, trainable_init=True, **others):
    sizes = {"embed_dim": D, "vocab_size": 20}
    return {**sizes, "w_init": INIT, "core": [core, CORES[core]], "trainable_init": trainable_init, **others}


def make(family, config, data):
    return Task(family, family, config, catalogue.builder(family)(config, data), "none")


def nonzero(params):
    """Parameters moved away from their starts, so that biases and initial states matter."""
    rng = np.random.default_rng(0)
    return {path: p + tf.constant(rng.normal(scale=0.1, size=p.shape), p.dtype) for path, p in params.items()}


# The cells in NumPy, from their definitions; one example and one time step after the other.


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def numpy_step(kind, p, x, state):
    if kind == "vrnn":
        inputs, hidden = x @ p["core/in_to_hidden"] + p["core/b_in"], state[0] @ p["core/hidden_to_hidden"] + p["core/b_h"]
        return (np.tanh(inputs + hidden),)
    if kind == "gru":
        (h,) = state
        z = sigmoid(x @ p["core/wz"] + h @ p["core/uz"] + p["core/bz"])
        r = sigmoid(x @ p["core/wr"] + h @ p["core/ur"] + p["core/br"])
        c = np.tanh(x @ p["core/wh"] + (r * h) @ p["core/uh"] + p["core/bh"])
        return ((1 - z) * h + z * c,)
    h, c = state
    gates = np.concatenate([x, h]) @ p["core/w_gates"] + p["core/b_gates"]
    i, j, f, o = gates.reshape(4, -1)
    c = sigmoid(f + 1) * c + sigmoid(i) * np.tanh(j)
    return sigmoid(o) * np.tanh(c), c


def numpy_outputs(kind, p, tokens, vocab_size):
    """[B, T, H] for tokens [B, T]."""
    rows = []
    for row in tokens:
        parts = ("hidden", "cell")[: 2 if kind == "lstm" else 1]
        state = tuple(p.get(f"initial_state/{part}", np.zeros(H)) for part in parts)
        outputs = []
        for token in row:
            state = numpy_step(kind, p, p["embed/embeddings"][min(token, vocab_size - 1)], state)
            outputs.append(state[0])
        rows.append(outputs)
    return np.array(rows)


def numpy_cross_entropy(logits, label):
    return math.log(sum(math.exp(v) for v in logits)) - logits[label]


def numpy_language_losses(kind, p, batch, vocab_size):
    outputs = numpy_outputs(kind, p, batch["tokens"][:, :-1], vocab_size)
    logits = outputs @ p["linear/w"] + p["linear/b"]
    targets = np.minimum(batch["tokens"][:, 1:], vocab_size - 1)
    return np.array([[numpy_cross_entropy(v, t) for v, t in zip(*row)] for row in zip(logits, targets)])


def as_numpy(tensors):
    return {k: v.numpy().astype(np.float64) if v.dtype.is_floating else v.numpy() for k, v in tensors.items()}


@pytest.mark.parametrize("trainable_init", [True, False])
@pytest.mark.parametrize("core", CORES)
def test_language_model_losses_are_those_of_numpy(core, trainable_init):
    config, data = config_of(core, trainable_init), Tokens()
    plain, masked = (make(f, config, data) for f in ("char_rnn_language_model_family", "masked_language_model"))
    params, batch = nonzero(plain.init(0)), next(plain.batches("train", 0))
    losses = numpy_language_losses(core, as_numpy(params), as_numpy(batch), config["vocab_size"])
    mask = batch["mask"].numpy()[:, 1:]
    assert 0 < mask.sum() < mask.size and batch["tokens"].numpy().max() >= config["vocab_size"]
    np.testing.assert_allclose(plain.loss(params, batch, 0), losses.mean(), rtol=1e-5)
    np.testing.assert_allclose(masked.loss(params, batch, 0), (losses * mask).sum() / mask.sum(), rtol=1e-5)
    words = make("word_rnn_language_model_family", config, data)
    np.testing.assert_allclose(words.loss(params, batch, 0), losses.mean(), rtol=1e-5)


def test_a_masked_loss_ignores_what_follows_the_text():
    config = config_of("gru")
    plain, masked = (make(f, config, Tokens()) for f in ("char_rnn_language_model_family", "masked_language_model"))
    params, batch = masked.init(0), next(masked.batches("train", 0))
    other = {**batch, "tokens": tf.where(batch["mask"] > 0, batch["tokens"], 7)}
    assert masked.loss(params, batch, 0) == masked.loss(params, other, 0)
    assert plain.loss(params, batch, 0) != plain.loss(params, other, 0)


@pytest.mark.parametrize("core, loss_compute", [("vrnn", "last"), ("gru", "avg"), ("lstm", "max")])
def test_classification_loss_is_that_of_numpy(core, loss_compute):
    config = config_of(core, loss_compute=loss_compute)
    data = Tokens(max_token=15, num_classes=2)
    task = make("rnn_text_classification_family", config, data)
    assert task.parameter_shapes["embed/embeddings"] == (15, D)
    params, batch = nonzero(task.init(0)), next(task.batches("train", 0))
    p, b = as_numpy(params), as_numpy(batch)
    outputs = numpy_outputs(core, p, b["tokens"], 15)
    pooled = {"last": outputs[:, -1], "avg": outputs.mean(1), "max": outputs.max(1)}[loss_compute]
    logits = pooled @ p["linear/w"] + p["linear/b"]
    expected = np.mean([numpy_cross_entropy(v, t) for v, t in zip(logits, b["label"])])
    loss, metrics = task.loss_and_metrics(params, batch, 0)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    assert metrics["accuracy"] == np.mean(logits.argmax(1) == b["label"])


# Gradients.


def loop_arguments(kind, dtype):
    rng = np.random.default_rng(1)
    shapes = {
        "vrnn": ([T, B, H], [H, H], [B, H]),
        "gru": ([T, B, 3 * H], [H, 2 * H], [H, H], [B, H]),
        "lstm": ([T, B, 4 * H], [H, 4 * H], [B, H], [B, H]),
    }[kind]
    return [tf.constant(rng.normal(size=shape), dtype) for shape in shapes]


def loop_of(kind, how, activation=tf.tanh):
    function = getattr(recurrent_loops, f"{kind}{how}")
    return (lambda *args: function(*args, activation)) if kind == "vrnn" else function


def weighted_gradients(loop, arguments):
    """Outputs, and gradients of a fixed random combination of them."""
    weights = tf.constant(np.random.default_rng(2).normal(size=[T, B, H]), arguments[0].dtype)
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        outputs = loop(*arguments)
        total = tf.reduce_sum(weights * outputs)
    return [outputs, *tape.gradient(total, arguments)]


@pytest.mark.parametrize("dtype, tolerance", [(tf.float64, 1e-9), (tf.float32, 1e-4)])
@pytest.mark.parametrize("kind", CORES)
def test_hand_written_gradients_are_the_automatic_ones(kind, dtype, tolerance):
    arguments = loop_arguments(kind, dtype)
    by_hand, automatic = (weighted_gradients(loop_of(kind, how), arguments) for how in ("", "_plain"))
    for x, y in zip(by_hand, automatic):
        assert np.abs(y).max() > 0.01
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_hand_written_gradients_of_all_activations(name):
    from taskset.tasks import activations

    arguments = loop_arguments("vrnn", tf.float64)
    loops = [loop_of("vrnn", how, activations.from_config(name)) for how in ("", "_plain")]
    for x, y in zip(*(weighted_gradients(loop, arguments) for loop in loops)):
        np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", CORES)
def test_gradients_in_graph_and_compiled_and_in_a_loop(kind):
    arguments = loop_arguments(kind, tf.float32)
    loop = loop_of(kind, "")
    eager = weighted_gradients(loop, arguments)

    def in_a_loop(*args):
        zeros = [tf.zeros_like(x) for x in eager]
        step = lambda i, _: (i + 1, weighted_gradients(loop, args))  # noqa: E731
        return tf.while_loop(lambda i, _: i < 2, step, (0, zeros), maximum_iterations=2)[1]

    graph = tf.function(lambda *args: weighted_gradients(loop, args), autograph=False)(*arguments)
    compiled = tf.function(in_a_loop, autograph=False, jit_compile=True)(*arguments)
    for x, y, z in zip(eager, graph, compiled):
        np.testing.assert_allclose(y, x, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(z, x, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", CORES)
def test_second_derivatives(kind):
    """Backpropagation through training steps differentiates the hand-written gradients once more."""
    arguments = loop_arguments(kind, tf.float64)

    def curvature(how):
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            _, *gradients = weighted_gradients(loop_of(kind, how), arguments)
            total = tf.add_n([tf.reduce_sum(tf.sin(g)) for g in gradients])
        return tape.gradient(total, arguments)

    for x, y in zip(curvature(""), tf.function(lambda: curvature("_plain"), autograph=False)()):
        np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-9)


TASKS = {
    "char_rnn_language_model_family": (config_of("lstm"), Tokens()),
    "masked_language_model": (config_of("gru"), Tokens()),
    "rnn_text_classification_family": (config_of("vrnn", loss_compute="max"), Tokens(num_classes=2)),
}


@pytest.mark.parametrize("family", TASKS)
def test_gradients_are_finite_differences(family):
    task = make(family, *TASKS[family])
    params, batch = nonzero(task.init(0, tf.float64)), next(task.batches("train", 0))
    _, gradients = task.value_and_gradients(params, batch, 0)
    loss = tf.function(lambda p: task.loss(p, batch, 0), autograph=False)
    rng, epsilon = np.random.default_rng(3), 1e-5
    for path, p in params.items():
        direction = tf.constant(rng.normal(size=p.shape))
        ends = [loss({**params, path: p + sign * epsilon * direction}) for sign in (1, -1)]
        along = tf.reduce_sum(direction * gradients[path])
        assert abs(along) > 1e-6, path
        np.testing.assert_allclose((ends[0] - ends[1]) / (2 * epsilon), along, rtol=1e-5, atol=1e-9, err_msg=path)


@pytest.mark.parametrize("family", TASKS)
def test_eager_graph_and_compiled_agree(family):
    task = make(family, *TASKS[family])
    params, batch = nonzero(task.init(0)), next(task.batches("train", 0))
    loss, gradients = task.value_and_gradients(params, batch, 0)
    for compiled in (False, True):
        function = tf.function(task.value_and_gradients, autograph=False, jit_compile=compiled)
        other_loss, others = function(params, batch, tf.constant(0))
        np.testing.assert_allclose(other_loss, loss, rtol=1e-5)
        for path in params:
            np.testing.assert_allclose(others[path], gradients[path], rtol=1e-4, atol=1e-6, err_msg=path)


def test_a_learned_initial_state_starts_at_zero_and_is_learned():
    learned, fixed = (make("char_rnn_language_model_family", config_of("lstm", t), Tokens()) for t in (True, False))
    params, batch = learned.init(0), next(learned.batches("train", 0))
    _, gradients = learned.value_and_gradients(params, batch, 0)
    for part in ("hidden", "cell"):
        path = f"initial_state/{part}"
        assert not np.any(params[path]) and np.any(gradients[path]) and path not in fixed.parameter_shapes
    # Embedding and weights are drawn from (seed, path): the same with and without a learned state.
    assert learned.loss(params, batch, 0) == fixed.loss(fixed.init(0), batch, 0)


def test_embeddings_start_standard_normal():
    config = {**config_of("gru"), "vocab_size": 500, "embed_dim": 40}
    embeddings = make("char_rnn_language_model_family", config, Tokens()).init(0)["embed/embeddings"].numpy()
    assert abs(embeddings.mean()) < 0.02 and abs(embeddings.std() - 1) < 0.02 and np.abs(embeddings).max() > 2.5


@pytest.mark.parametrize("kind", ["rnn_text_classification", "char_rnn_language_model", "word_rnn_language_model"])
def test_published_configs_build_with_the_shapes_their_facts_say(kind):
    family = f"{kind}_family"
    published = json.loads((GOLDEN / f"{family}.json").read_text())
    seen = set()
    for config, _ in published.values():
        variant = (config["core"][0], config["trainable_init"])
        if variant in seen:
            continue
        seen.add(variant)
        facts = catalogue.facts(family, config)
        shapes = make(family, config, facts.data).parameter_shapes
        assert list(shapes.items()) == list(facts.parameter_shapes.items())
    assert len(seen) >= 4
