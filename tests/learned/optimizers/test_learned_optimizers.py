"""Learned optimizers against NumPy twins, in all ways of execution, and their gradients against finite differences."""

import math

import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf

from learned import optimizers
from learned.optimizers.as_optimizer import with_weights
from learned.optimizers.hierarchical import clipped_by_average
from taskset import optimizers as designed
from taskset.errors import ConfigError, UnknownName
from taskset.execution.loop import Loop
from taskset.tasks.base import Model, Task
from taskset.tasks.initializers import constant, lecun_normal
from tests.learned.rules import (
    ANOTHER_WAY,
    EVERY,
    FEW,
    HORIZON,
    SHAPES,
    STEPS,
    WEIGHTS,
    Inputs,
    arrays,
    numbers,
    tensors,
    weights,
)
from tests.small import RandomImages
from tests.twins.learned import TWINS

ZERO_AT_FIRST = {"anchored": ("mlp/linear_2/w", "controller/linear_1/w"), "anchored_muon": ("controller/linear_1/w",)}
NETWORKS = pytest.mark.parametrize("name", TWINS)


# What they are.


def test_names():
    assert optimizers.names() == sorted(WEIGHTS)
    with pytest.raises(UnknownName, match="unknown learned optimizer 'mpl'; did you mean 'mlp'"):
        optimizers.get("mpl")


@EVERY
def test_number_of_weights(name):
    optimizer = optimizers.get(name)
    theta = optimizer.init_theta(0)
    assert optimizer.name == name and optimizer.num_weights == WEIGHTS[name]
    assert {path: tuple(w.shape) for path, w in theta.items()} == optimizer.shapes
    assert sum(w.shape.num_elements() for w in theta.values()) == WEIGHTS[name]


@NETWORKS
def test_initial_weights(name):
    optimizer = optimizers.get(name)
    theta, again, other = (numbers(optimizer.init_theta(seed)) for seed in (0, 0, 1))
    for path, w in theta.items():
        np.testing.assert_array_equal(w, again[path])
        if not path.endswith(("/w", "/w_gates")) or path in ZERO_AT_FIRST.get(name, ()):
            assert not w.any()
            continue
        assert (w != other[path]).mean() > 0.99
        assert np.abs(w).max() <= 2 / math.sqrt(len(w)) * (1 + 1e-6)
        if w.size > 500:
            assert w.std() * math.sqrt(len(w)) == pytest.approx(0.8796, rel=0.1)


# What they compute.


@NETWORKS
def test_equal_to_the_twin(name):
    inputs, optimizer = Inputs(SHAPES), optimizers.get(name)
    theta = weights(optimizer)
    planned = {"horizon": HORIZON} if optimizer.uses_horizon else {}
    twin = inputs.moved(inputs.twin(TWINS[name], theta, **planned))
    assert np.abs(twin).max() > 1e-3  # they go somewhere
    double = inputs.moved(inputs.run(optimizer, theta, tf.float64))
    np.testing.assert_allclose(double, twin, rtol=1e-8, atol=1e-9 * np.abs(twin).max())
    single = inputs.moved(inputs.run(optimizer, theta, tf.float32))
    np.testing.assert_allclose(single, twin, rtol=0, atol=1e-5)


@ANOTHER_WAY
def test_equal_to_the_twin_where_it_takes_another_way(name, make):
    inputs, optimizer = make(), optimizers.get(name)
    theta = weights(optimizer)
    twin = inputs.moved(inputs.twin(TWINS[name], theta, horizon=HORIZON))
    found = inputs.moved(inputs.run(optimizer, theta, tf.float64))
    np.testing.assert_allclose(found, twin, rtol=1e-8, atol=1e-9 * np.abs(twin).max())


@pytest.mark.parametrize(
    "name, twin",
    [("sgd", designed.sgd(0.01)), ("sgdm", designed.momentum(0.01, 0.9)), ("adam", designed.adam(0.001))],
    ids=lambda argument: argument if isinstance(argument, str) else "",
)
def test_equal_to_the_rule_by_hand(name, twin):
    inputs, optimizer = Inputs(FEW), optimizers.get(f"learnable_{name}")
    inputs.times = range(STEPS)
    hparams = twin.hparams(STEPS)
    params = tensors(inputs.params, tf.float64)
    state = twin.init(params)
    for step, g in enumerate(inputs.grads):
        params, state = twin.update(tensors(g, tf.float64), state, params, step, hparams)
    learned = inputs.run(optimizer, optimizer.init_theta(0, tf.float64), tf.float64)
    np.testing.assert_allclose(inputs.moved(learned), inputs.moved(numbers(params)), rtol=1e-9)


@EVERY
def test_order_of_tensors_does_not_matter(name):
    inputs, optimizer = Inputs(FEW), optimizers.get(name)
    theta = weights(optimizer)

    def backwards(theta, grads, state, params, *readings, **planned):
        turn = lambda d: {path: d[path] for path in reversed(d)}  # noqa: E731
        return optimizer.update(theta, turn(grads), state, turn(params), *readings, **planned)

    plain, turned = (inputs.run(optimizer, theta, tf.float64, update) for update in (optimizer.update, backwards))
    np.testing.assert_array_equal(inputs.moved(plain), inputs.moved(turned))


@EVERY
def test_order_within_an_axis_does_not_matter(name):
    """Units of a layer can be renumbered: no optimizer sees the neighbours of a number."""
    inputs, other, optimizer = Inputs(FEW), Inputs(FEW), optimizers.get(name)
    renumber = {"z": lambda x: x, "b": lambda x: x[::-1], "w": lambda x: x[::-1, [1, 2, 0]]}
    renumber["kernel"] = lambda x: x[:, :, [2, 0, 1]]
    other.params = {path: renumber[path](w) for path, w in inputs.params.items()}
    other.grads = [{path: renumber[path](g) for path, g in grads.items()} for grads in inputs.grads]
    theta = weights(optimizer)
    expected = {path: renumber[path](w) for path, w in inputs.run(optimizer, theta, tf.float64).items()}
    np.testing.assert_allclose(other.moved(other.run(optimizer, theta, tf.float64)), other.moved(expected), rtol=1e-9, atol=1e-12)


@EVERY
def test_which_losses_are_read(name):
    optimizer, inputs = optimizers.get(name), Inputs(FEW)
    theta = weights(optimizer)
    plain = inputs.run(optimizer, theta, tf.float64)
    for attribute, read in (("losses", optimizer.uses_loss), ("validation", optimizer.uses_validation_loss)):
        other = Inputs(FEW)
        setattr(other, attribute, [-x for x in getattr(other, attribute)[::-1]])
        same = np.array_equal(inputs.moved(plain), other.moved(other.run(optimizer, theta, tf.float64)))
        assert same == (not read)
    assert optimizer.uses_horizon == name.startswith("anchored") and optimizer.uses_validation_loss == (name == "hierarchical")
    assert optimizer.uses_loss == (optimizer.uses_horizon or optimizer.uses_validation_loss)


# How they can be run.


def gradients_of(params):
    """Of a loss that couples the numbers of a tensor: steps depend on what earlier steps did."""
    return {path: tf.cos(2 * w) + tf.reduce_mean(w) for path, w in params.items()}


def planned_of(optimizer, like):
    return optimizer.planned(HORIZON, like.dtype)


def unroll(optimizer, theta, params, steps, state=None):
    """Parameters after some steps of a loop on the device."""

    def body(i, params, state):
        loss = tf.add_n([tf.reduce_sum(tf.sin(2 * w)) for w in params.values()])
        params, state = optimizer.update(
            theta, gradients_of(params), state, params, i, loss, 0.5 * loss, **planned_of(optimizer, loss)
        )
        return i + 1, params, state

    start = (tf.constant(0), params, optimizer.init(theta, params) if state is None else state)
    return tf.while_loop(lambda i, *_: i < steps, body, start, maximum_iterations=steps, parallel_iterations=1)[1]


def batched_unroll(optimizer, theta, params, steps):
    """`unroll` of copies: all arguments have a leading axis."""

    def body(i, params, state):
        def one(copy):
            theta, params, state = copy
            loss = tf.add_n([tf.reduce_sum(tf.sin(2 * w)) for w in params.values()])
            arguments = gradients_of(params), state, params, i, loss, 0.5 * loss
            return optimizer.update(theta, *arguments, **planned_of(optimizer, loss))

        return i + 1, *tf.vectorized_map(one, (theta, params, state), fallback_to_while_loop=False)

    state = tf.vectorized_map(lambda copy: optimizer.init(*copy), (theta, params), fallback_to_while_loop=False)
    return tf.while_loop(lambda i, *_: i < steps, body, (tf.constant(0), params, state), maximum_iterations=steps)[1]


@pytest.mark.long
@EVERY
def test_eager_graph_xla_and_batched_give_the_same(name):
    steps, optimizer = 3, optimizers.get(name)
    rng = np.random.default_rng(1)
    copies = [(tensors(weights(optimizer, seed), tf.float32), tensors(arrays(rng, FEW), tf.float32)) for seed in (1, 2)]
    eager = [unroll(optimizer, *copy, steps) for copy in copies]
    graph = tf.function(lambda *copy: unroll(optimizer, *copy, steps), autograph=False)
    stacked = tf.nest.map_structure(lambda *x: tf.stack(x), *copies)
    xla = tf.function(lambda *copy: batched_unroll(optimizer, *copy, steps), autograph=False, jit_compile=True)(*stacked)
    for i, copy in enumerate(copies):
        in_graph = graph(*copy)
        assert max(np.abs(w - copy[1][path]).max() for path, w in eager[i].items()) > 1e-3
        for path, w in eager[i].items():
            np.testing.assert_allclose(in_graph[path], w, rtol=0, atol=2e-6)
            np.testing.assert_allclose(xla[path][i], w, rtol=0, atol=2e-6)


# Their gradients.


def outer_loss(optimizer, theta, start):
    params = unroll(optimizer, theta, start, 3)
    return 100.0 * tf.add_n([tf.reduce_sum(tf.square(w)) for w in params.values()])


def value_and_gradients(optimizer, theta, start):
    with tf.GradientTape() as tape:
        tape.watch(theta)
        loss = outer_loss(optimizer, theta, start)
    return loss, tape.gradient(loss, theta, unconnected_gradients="zero")


@EVERY
def test_gradients_against_finite_differences(name):
    optimizer, rng, h = optimizers.get(name), np.random.default_rng(5), 1e-5
    theta, start = weights(optimizer, 5), tensors(arrays(rng, FEW), tf.float64)
    backward = tf.function(lambda theta: value_and_gradients(optimizer, theta, start), autograph=False)
    loss = lambda theta: float(backward(tensors(theta, tf.float64))[0])  # noqa: E731
    gradients = numbers(backward(tensors(theta, tf.float64))[1])
    assert any(g.any() for g in gradients.values())
    for path, w in theta.items():
        at = tuple(rng.integers(0, n) for n in w.shape)
        above, below = ({**theta, path: w.copy()} for _ in range(2))
        above[path][at] += h
        below[path][at] -= h
        difference, largest = (loss(above) - loss(below)) / (2 * h), np.abs(gradients[path]).max()
        np.testing.assert_allclose(gradients[path][at], difference, rtol=1e-4, atol=1e-5 * largest + 1e-7)


@pytest.mark.parametrize("name", ["mlp", "adafac_mlp"])
def test_gradients_under_xla(name):
    optimizer = optimizers.get(name)
    shapes = {path: FEW[path] for path in ("b", "w")}  # more of them take long to compile
    theta, start = tensors(weights(optimizer, 5), tf.float32), tensors(arrays(np.random.default_rng(5), shapes), tf.float32)
    plain, xla = (
        tf.function(lambda theta: value_and_gradients(optimizer, theta, start), autograph=False, jit_compile=compiled)(theta)[1]
        for compiled in (False, True)
    )
    for path, g in plain.items():
        np.testing.assert_allclose(xla[path], g, rtol=1e-3, atol=1e-4 * np.abs(g).max() + 1e-7)


@EVERY
def test_gradients_where_everything_is_zero(name):
    """Biases and gradients are 0 at first, often: roots and logarithms of them must not make derivatives NaN."""
    optimizer = optimizers.get(name)
    theta, zero = optimizer.init_theta(0), {path: tf.zeros(shape) for path, shape in FEW.items()}
    losses = tf.zeros([]), tf.zeros([])
    with tf.GradientTape() as tape:
        tape.watch((theta, zero))
        planned = planned_of(optimizer, losses[0])
        params, state = optimizer.update(theta, zero, optimizer.init(theta, zero), zero, tf.constant(0), *losses, **planned)
        params, state = optimizer.update(theta, params, state, params, tf.constant(1), *losses, **planned)
        loss = tf.add_n([tf.reduce_sum(w) for w in params.values()])
    for g in tf.nest.flatten(tape.gradient(loss, (theta, zero), unconnected_gradients="zero")):
        assert np.isfinite(g).all()


def test_clipping_bounds_a_spike():
    """A gradient 10^6 times the usual one counts no more than the clipper lets through: 10 times its average."""
    average, total = tf.zeros([]), 0.0
    for g in [1.0] * 50 + [1e6]:
        total = 1 + 0.99 * total
        clipped, average = clipped_by_average(tf.fill([4], g), average, total)
    expected = (sum(0.99**i for i in range(1, 51)) + 1e6) / sum(0.99**i for i in range(51))
    assert 10 * expected < 1e6
    np.testing.assert_allclose(clipped, np.full(4, 10 * expected), rtol=1e-5)


# As optimizers of tasks.


def small_task():
    """Linear regression on random pixels.

    No cross-entropy: the mean of its gradients over a layer is 0 but for rounding, and `hierarchical` looks at that mean's sign.
    """

    def loss(batch, key):
        outputs = snt.Linear(5, w_init=lecun_normal(), b_init=constant(0.0))(snt.Flatten()(batch["image"]))
        return tf.reduce_mean(tf.square(outputs - tf.cast(batch["label"], outputs.dtype)[:, None]))

    return Task("small", "small", {}, Model(loss, RandomImages()), "synthetic")


def zero_layer(theta):
    """theta of `anchored` with a network of no effect."""
    return {path: tf.zeros_like(w) if path == "mlp/linear_2/w" else w for path, w in theta.items()}


@pytest.mark.parametrize(
    "name, mode, change",
    [
        ("mlp", "xla_loop", dict),
        ("hierarchical", "graph_loop", dict),
        ("hierarchical", "xla_loop", dict),
        ("anchored", "xla_loop", dict),
        ("anchored", "graph_loop", dict),
        ("anchored", "xla_loop", zero_layer),
        ("anchored_muon", "xla_loop", dict),
    ],
)
def test_in_the_training_loop(name, mode, change):
    """13 + 12 steps of the compiled loop are the same as steps by hand, with a validation loss at steps 0, 10 and 20."""
    task, learned = small_task(), optimizers.get(name)
    theta = change(tensors(weights(learned), tf.float32))
    loop = Loop(task, with_weights(learned, theta), interval=13, mode=mode)
    run, hparams = loop.start(4), with_weights(learned, theta).hparams(25)
    losses = np.concatenate([loop.train(run, hparams, 13), loop.train(run, hparams, 12)])
    params, train, valid = task.init(4), task.batches("train", 4), task.batches("valid_inner", 4)
    state, key, planned = learned.init(theta, params), tf.zeros([2], tf.int32), learned.planned(25, tf.float32)
    for step in range(25):
        held = task.loss(params, next(valid), key) if step % 10 == 0 else held  # noqa: F821
        loss, gradients = task.value_and_gradients(params, next(train), key)
        np.testing.assert_allclose(losses[step], loss, rtol=1e-4)
        params, state = learned.update(theta, gradients, state, params, tf.constant(step), loss, held, **planned)
    for path, w in params.items():
        np.testing.assert_allclose(run.params[path], w, rtol=0, atol=1e-4)


def test_weights_that_do_not_fit():
    mlp, other = optimizers.get("mlp"), optimizers.get("mlp2019")
    with pytest.raises(ConfigError, match="weights of 'mlp2019': 'mlp/linear_0/w' has shape .19, 32., allowed is .31, 32."):
        with_weights(other, mlp.init_theta(0))
    with pytest.raises(ConfigError, match="'mlp/linear_2/b' has shape none"):
        with_weights(mlp, {path: w for path, w in mlp.init_theta(0).items() if path != "mlp/linear_2/b"})


def test_other_weights_are_another_rule():
    mlp = optimizers.get("mlp")
    assert repr(with_weights(mlp, mlp.init_theta(0))) == f"<WithWeights mlp: {mlp!r}>"
    rules = [with_weights(mlp, mlp.init_theta(seed)).rule for seed in (0, 0, 1)]
    assert rules[0] == rules[1] != rules[2]
    assert with_weights(mlp, mlp.init_theta(0), "mine").name == "mine"


def test_adam_is_differentiable_where_a_gradient_was_always_zero():
    # Under XLA the derivative of sqrt(v) at v = 0 is infinite, and infinity times 0 made all derivatives NaN; TensorFlow's own
    # kernel takes that product to be 0.
    rule = optimizers.get("learnable_adam")
    theta = tensors(weights(rule), tf.float64)
    start = {"w": tf.constant([1.0, -2.0, 3.0], tf.float64)}

    def end(theta):
        params, state = start, rule.init(theta, start)
        for step in range(4):
            g = {"w": params["w"] * tf.constant([1.0, 0.5, 0.0], tf.float64)}
            params, state = rule.update(theta, g, state, params, tf.constant(step), None, None)
        return tf.reduce_sum(tf.square(params["w"])), params

    @tf.function(autograph=False, jit_compile=True)
    def gradients(theta):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            loss, params = end(theta)
        return tape.gradient(loss, theta), params

    found, params = gradients(theta)
    for path, w in theta.items():
        above, below = (end({**theta, path: w + h})[0] for h in (1e-6, -1e-6))
        np.testing.assert_allclose(found[path], (above - below) / 2e-6, rtol=1e-5, atol=1e-8)
    np.testing.assert_array_equal(params["w"][2], 3.0)
