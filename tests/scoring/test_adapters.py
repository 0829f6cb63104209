"""A rule gives the same curves, whichever framework takes its steps."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from taskset.errors import ConfigError
from taskset.normalization.sweep.options import SweepOptions
from taskset.normalization.sweep.runner import run_all
from taskset.optimizers import from_functions, sgd
from taskset.scoring.adapters import adapt
from tests.scoring.small_sweeps import RATE, STEPS, curves, plain_init, plain_update, same

pytestmark = pytest.mark.elsewhere


def test_a_pair_of_functions(task, expected):
    same(curves(task, adapt((plain_init, plain_update), "pair", {"learning_rate": RATE})), expected)
    with pytest.raises(ConfigError, match="finite numbers"):
        adapt((plain_init, plain_update), "pair", {"learning_rate": "high"})
    for value, found in ((123456789, "123456792"), (1e39, "inf")):
        with pytest.raises(
            ConfigError, match=f"hyperparameter 'seed' of 'pair' is .*: steps get it in float32, where it is {found};"
        ):
            adapt((plain_init, plain_update), "pair", {"learning_rate": RATE, "seed": value})
    adapt((plain_init, plain_update), "pair", {"learning_rate": RATE, "seed": 2**30, "decay": 0.1, "least": 1e-50})


def test_keras(task, expected):
    rates = [adapt(keras.optimizers.SGD, f"sgd_{rate}", {"learning_rate": rate}) for rate in (0.5 * RATE, RATE)]
    assert rates[0].rule == rates[1].rule
    frame = curves(task, *rates)
    same(frame[frame["optimizer"] == f"sgd_{RATE}"], expected)
    assert not np.allclose(frame["train"][:10], frame["train"][10:], rtol=1e-6)
    with pytest.raises(ConfigError, match="use_ema"):
        adapt(keras.optimizers.SGD(0.1, use_ema=True), "ema")
    for scaled in (
        keras.optimizers.SGD(0.1, loss_scale_factor=2.0),
        keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1)),
    ):
        with pytest.raises(ConfigError, match="scaled loss"):
            adapt(scaled, "scaled")


class Named(keras.optimizers.SGD):
    """It looks at the paths of variables, as Keras's Muon does."""

    def build(self, variables):
        super().build(variables)
        self.scales = [0.5 if variable.path.endswith("_b") else 1.0 for variable in variables]


def test_a_keras_optimizer_that_reads_the_paths_of_variables(task, expected):
    same(curves(task, adapt(Named(RATE), "named")), expected)
    if hasattr(keras.optimizers, "Muon"):  # since Keras 3.11
        assert np.isfinite(curves(task, adapt(keras.optimizers.Muon, "muon", {"learning_rate": 0.01}))["train"]).all()
        one, other = (adapt(keras.optimizers.Muon(rate), "muon") for rate in (0.01, 0.02))
        assert one.rule == other.rule


def test_a_keras_optimizer_that_cannot_be_built_is_refused_in_one_line(task):
    class Broken(keras.optimizers.SGD):
        def build(self, variables):
            raise ValueError("no room")

    with pytest.raises(ConfigError, match="build of 'broken' failed: .*no room"):
        curves(task, adapt(Broken(RATE), "broken"))


class Tiring(keras.optimizers.SGD):
    """Steps get shorter, by a variable that Keras doesn't list."""

    def build(self, variables):
        super().build(variables)
        self.tired = tf.Variable(1.0)

    def update_step(self, gradient, variable, learning_rate):
        self.tired.assign(0.9 * self.tired)
        super().update_step(gradient, variable, learning_rate * self.tired)


class Listed(keras.optimizers.SGD):
    """Steps get shorter, by a variable in a list in a dict."""

    def build(self, variables):
        super().build(variables)
        self.parts = {"tired": [tf.Variable(1.0)]}

    def update_step(self, gradient, variable, learning_rate):
        tired = self.parts["tired"][0]
        tired.assign(0.9 * tired)
        super().update_step(gradient, variable, learning_rate * tired)


@pytest.mark.parametrize("kind", [keras.optimizers.Nadam, Tiring, Listed])
def test_each_run_of_a_keras_optimizer_starts_anew(task, kind):
    both = curves(task, adapt(kind(0.01), "mine"))
    alone = run_all(task, [adapt(kind(0.01), "mine")], SweepOptions(("any",), "synthetic", STEPS, (1,), 2, 4)).to_pandas()
    np.testing.assert_array_equal(both[both["seed"] == 1]["train"], alone["train"])


def test_torch(task, expected):
    torch = pytest.importorskip("torch")
    same(curves(task, adapt(torch.optim.SGD, "torch_sgd", {"lr": RATE})), expected)
    with pytest.raises(ConfigError, match="rate"):
        adapt(torch.optim.SGD, "torch_sgd", {"rate": RATE}).begin(np.zeros(2, np.float32), {"w": (2,)}, 10)


def test_torch_optimizers_that_replace_parameters_or_want_closures(task, expected):
    torch = pytest.importorskip("torch")

    class Replacing(torch.optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, {})

        def step(self):
            for group in self.param_groups:
                for p in group["params"]:
                    p.data = p.data - RATE * p.grad

    class Twice(torch.optim.Optimizer):
        """A half step, then the other half with the gradient taken there."""

        def __init__(self, params):
            super().__init__(params, {})

        @torch.no_grad()
        def step(self, closure):
            with torch.enable_grad():
                closure()
            for _ in range(2):
                for group in self.param_groups:
                    for p in group["params"]:
                        p.add_(p.grad, alpha=-RATE / 2)
                with torch.enable_grad():
                    closure()

    same(curves(task, adapt(Replacing, "replacing")), expected)
    # The task has no data and no noise: a step of two halves is two steps at half the rate.
    halves = run_all(task, [sgd(RATE / 2)], SweepOptions(("any",), "synthetic", 2 * STEPS, (0, 1), 2, 4)).to_pandas()
    same(curves(task, adapt(Twice, "twice")), halves)


def test_a_torch_optimizer_with_modes_is_judged_in_that_for_evaluation(task, expected):
    """Without a step, the loss stays that at the start, wherever gradients are taken."""
    torch = pytest.importorskip("torch")

    class Elsewhere(torch.optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, {})
            self.training = False

        def train(self):
            self._move(1.0, training=True)

        def eval(self):
            self._move(-1.0, training=False)

        @torch.no_grad()
        def _move(self, by, training):
            if self.training != training:
                for p in self.param_groups[0]["params"]:
                    p.add_(by)
            self.training = training

        def step(self):
            assert self.training

    losses = curves(task, adapt(Elsewhere, "elsewhere"))["train"].to_numpy()
    np.testing.assert_allclose(losses, np.repeat(expected[expected["step"] == 0]["train"].to_numpy(), 5), rtol=1e-6)


@pytest.mark.parametrize("in_a_chain", [False, True])
def test_schedule_free_in_optax_is_judged_at_its_average(in_a_chain):
    """z <- z - rate g(y), x the mean of all z so far, y = .1 z + .9 x: with gradients g(y) = y."""
    optax = pytest.importorskip("optax")
    transformation = optax.contrib.schedule_free_sgd(0.1, b1=0.9)
    if in_a_chain:
        transformation = optax.chain(optax.clip(1e9), transformation)
    run = adapt(transformation, "free").begin(np.array([1.0, -2.0], np.float32), {"w": (2,)}, 10)
    x = z = y = np.array([1.0, -2.0])
    for t in range(1, 6):
        np.testing.assert_allclose(run.vector(), y, rtol=1e-5)
        run.step(lambda vector: (tf.constant(0.0), vector))
        z = z - 0.1 * y
        x = x + (z - x) / t
        y = 0.1 * z + 0.9 * x
        np.testing.assert_allclose(run.judged(), x, rtol=1e-5)


def test_optax(task, expected):
    optax = pytest.importorskip("optax")
    same(curves(task, adapt(optax.sgd, "optax_sgd", {"learning_rate": RATE})), expected)
    same(curves(task, adapt(optax.sgd(RATE), "optax_sgd")), expected)


def test_a_factory_is_given_the_horizon():
    seen = []

    def make(learning_rate, horizon):
        seen.append(horizon)
        return sgd(learning_rate)

    adapted = adapt(make, "mine", {"learning_rate": 0.1}, 70)
    assert seen == [70] and adapted.name == "mine" and adapted.hparams(70)["learning_rate"] == 0.1


def cooled(grads, state, params, step, hparams):
    """SGD whose rate falls to zero, of TensorFlow's or NumPy's numbers."""
    rate = hparams["learning_rate"] * (1 - step / hparams["horizon"])
    return {path: w - rate * grads[path] for path, w in params.items()}, state


def cooled_in_a_loop(grads, state, params, step, hparams):
    return cooled(grads, state, params, tf.cast(step, tf.float32), {**hparams, "learning_rate": RATE})


def test_a_pair_is_given_the_horizon_whoever_runs_it(task):
    """One contract: that of `from_functions` is that of a pair in `score`, in a compiled loop and through NumPy."""
    frame = curves(task, from_functions("cooled", lambda params: {}, cooled_in_a_loop))
    assert frame["train"].iloc[4] != curves(task, sgd(RATE))["train"].iloc[4]
    same(curves(task, adapt((lambda params: {}, cooled_in_a_loop), "cooled")), frame)
    numpy = types.SimpleNamespace(framework="numpy", init=lambda params: {}, update=cooled)
    same(curves(task, adapt(numpy, "cooled", {"learning_rate": RATE})), frame)
    assert adapt((plain_init, plain_update), "own", {"horizon": 7}).hparams(20) == {"horizon": 7.0}


def test_what_is_no_optimizer():
    for thing in (3, lambda: 3, lambda: lambda: 3):
        with pytest.raises(ConfigError, match="allowed are"):
            adapt(thing, "nothing")
    with pytest.raises(ConfigError, match="have no place"):
        adapt(sgd(0.1), "sgd", {"learning_rate": 1})
    with pytest.raises(ConfigError, match="rate"):
        adapt(sgd, "sgd", {"rate": 1})


# Trials share a program only where they are the same functions.


def pair_of(rate):
    return lambda params: {}, lambda grads, state, params, step, hparams: (
        {k: params[k] - rate * grads[k] for k in params},
        state,
    )


def keras_of(beta):
    class Mine(keras.optimizers.Optimizer):
        def build(self, variables):
            super().build(variables)
            self.momenta = [self.add_variable_from_reference(v, "momentum") for v in variables]

        def update_step(self, gradient, variable, learning_rate):
            momentum = self.momenta[self._get_variable_index(variable)]
            momentum.assign(beta * momentum + gradient)
            variable.assign_sub(learning_rate * momentum)

    return Mine(learning_rate=0.01)


def named_of(rate):
    return from_functions("mine", *pair_of(rate))


class OfItself:
    """One rule, and an attribute that `hparams` doesn't give."""

    name = rule = "of_itself"

    def __init__(self, rate):
        self.rate, self.init = rate, plain_init

    def hparams(self, horizon):
        return {}

    def update(self, grads, state, params, step, hparams):
        return {k: params[k] - self.rate * grads[k] for k in params}, state


@pytest.mark.parametrize("factory,key", [(pair_of, "rate"), (keras_of, "beta"), (named_of, "rate"), (OfItself, "rate")])
def test_a_factory_gives_each_trial_its_own_program(task, factory, key):
    each = [adapt(factory, f"mine{i}", {key: value}) for i, value in enumerate((0.0, 0.1))]
    both = curves(task, *each)
    second = both[both["optimizer"] == "mine1"]
    np.testing.assert_allclose(second["train"], curves(task, adapt(factory, "alone", {key: 0.1}))["train"], rtol=1e-6)
    assert not np.allclose(both["train"][:5], second["train"][:5], rtol=1e-6)


def test_trials_of_the_same_functions_share_a_program():
    given = [{"learning_rate": 0.1}, {"learning_rate": 0.2}, {"learning_rate": 0.1, "more": 1}]
    pairs = [adapt((plain_init, plain_update), "pair", one) for one in given]
    assert pairs[0].rule == pairs[1].rule != pairs[2].rule
    assert adapt(sgd, "a", given[0]).rule == adapt(sgd, "b", given[1]).rule
    adams = [adapt(keras.optimizers.Adam, "adam", one) for one in ({}, *given[:2], {"beta_1": 0.5}, {"clipnorm": 1.0})]
    assert adams[0].rule == adams[1].rule == adams[2].rule and len({one.rule for one in adams}) == 3
