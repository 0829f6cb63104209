"""A rule gives the same curves, whichever framework takes its steps."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from taskset.catalogue import get_task
from taskset.errors import ConfigError
from taskset.normalization.sweep.runner import SweepOptions, sweep
from taskset.optimizers import sgd
from taskset.scoring.adapters import adapt

STEPS, RATE = 20, 0.05
OPTIONS = SweepOptions(("any",), "synthetic", STEPS, (0, 1), 2, 4)
TASK = "TwoD_Bowl10"


def plain_update(grads, state, params, step, hparams):
    moved = {path: w - hparams["learning_rate"] * grads[path] for path, w in params.items()}
    return moved, {"count": state["count"] + 1.0}


def plain_init(params):
    return {"count": tf.constant(0.0)}


@pytest.fixture(scope="module")
def task():
    return get_task(TASK, source="synthetic")


def curves(task, *optimizers):
    return sweep(task, list(optimizers), OPTIONS).to_pandas()


def same(frame, other):
    assert frame["train"].iloc[0] > 1.0001 * frame["train"].iloc[4]
    np.testing.assert_allclose(frame["train"], other["train"], rtol=2e-5)
    np.testing.assert_allclose(frame["test"], other["test"], rtol=2e-5)


@pytest.fixture(scope="module")
def expected(task):
    return curves(task, sgd(RATE))


def test_a_pair_of_functions(task, expected):
    same(curves(task, adapt((plain_init, plain_update), "pair", {"learning_rate": RATE})), expected)
    with pytest.raises(ConfigError, match="finite numbers"):
        adapt((plain_init, plain_update), "pair", {"learning_rate": "high"})


def test_keras(task, expected):
    rates = [adapt(keras.optimizers.SGD, f"sgd_{rate}", {"learning_rate": rate}) for rate in (0.5 * RATE, RATE)]
    assert rates[0].rule == rates[1].rule
    frame = curves(task, *rates)
    same(frame[frame["optimizer"] == f"sgd_{RATE}"], expected)
    assert not np.allclose(frame["train"][:10], frame["train"][10:], rtol=1e-6)
    with pytest.raises(ConfigError, match="use_ema"):
        adapt(keras.optimizers.SGD(0.1, use_ema=True), "ema")


class Tiring(keras.optimizers.SGD):
    """Steps get shorter, by a variable that Keras doesn't list."""

    def build(self, variables):
        super().build(variables)
        self.tired = tf.Variable(1.0)

    def update_step(self, gradient, variable, learning_rate):
        self.tired.assign(0.9 * self.tired)
        super().update_step(gradient, variable, learning_rate * self.tired)


@pytest.mark.parametrize("kind", [keras.optimizers.Nadam, Tiring])
def test_each_run_of_a_keras_optimizer_starts_anew(task, kind):
    both = curves(task, adapt(kind(0.01), "mine"))
    alone = sweep(task, [adapt(kind(0.01), "mine")], SweepOptions(("any",), "synthetic", STEPS, (1,), 2, 4)).to_pandas()
    np.testing.assert_array_equal(both[both["seed"] == 1]["train"], alone["train"])


def test_torch(task, expected):
    torch = pytest.importorskip("torch")
    same(curves(task, adapt(torch.optim.SGD, "torch_sgd", {"lr": RATE})), expected)
    with pytest.raises(ConfigError, match="rate"):
        adapt(torch.optim.SGD, "torch_sgd", {"rate": RATE}).begin(np.zeros(2, np.float32), [(2,)])


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
    halves = sweep(task, [sgd(RATE / 2)], SweepOptions(("any",), "synthetic", 2 * STEPS, (0, 1), 2, 4)).to_pandas()
    same(curves(task, adapt(Twice, "twice")), halves)


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


def test_what_is_no_optimizer():
    for thing in (3, lambda: 3, lambda: lambda: 3):
        with pytest.raises(ConfigError, match="allowed are"):
            adapt(thing, "nothing")
    with pytest.raises(ConfigError, match="have no place"):
        adapt(sgd(0.1), "sgd", {"learning_rate": 1})
    with pytest.raises(ConfigError, match="rate"):
        adapt(sgd, "sgd", {"rate": 1})
