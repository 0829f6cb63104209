"""Optimizers by name and by config, and optimizers of a user's own."""

import doctest
import math

import numpy as np
import pytest
import tensorflow as tf

import taskset
from taskset import optimizers
from taskset.errors import ConfigError, UnknownName
from taskset.execution.loop import train
from taskset.optimizers import base
from taskset.random import seeds
from taskset.samplers.optimizers import fixed_optimizers, optimizer_families


def test_every_name_is_an_optimizer_with_a_published_rule():
    rules = {
        "adam_lr": "adam",
        "adagrad_lr": "adagrad",
        "adam1p_wide_grid": "adam",
        "adam4p_wide_grid": "adam",
        "adam6p_wide_grid": "adam6p",
        "adam8p_wide_grid": "adam8p",
        "adagrad_wide_grid": "adagrad",
        "nadamw_grid": "nadamw_published",
        "nadamw_corrected": "nadamw_corrected",
    }
    names = fixed_optimizers() + [f"{f}_seed{s}" for f in (*optimizer_families(), "nadamw_corrected") for s in (0, 1, 999)]
    params, found = {"x": tf.constant([0.5, -2.0])}, {}
    for name in names:
        optimizer = optimizers.get_optimizer(name)
        assert optimizer.name == name
        hparams = optimizer.hparams(10000)
        assert all(type(v) is float and not math.isnan(v) for v in hparams.values())
        assert found.setdefault(optimizer.rule, set(hparams)) == set(hparams)  # what one program can be given
        new, _ = optimizer.update(params, optimizer.init(params), params, 7, hparams)
        assert np.isfinite(new["x"]).all()
        assert optimizer.rule == rules[name.rpartition("_")[0]]
    assert set(found) == set(rules.values())


def test_configs_reach_the_update():
    config = optimizers.get_optimizer("adam8p_wide_grid_seed21").settings
    assert set(config) == {"learning_rate", "beta1", "beta2", "epsilon", "l1", "l2", "linear_decay", "exponential_decay"}
    fixed = optimizers.get_optimizer("adam_lr_-3.00").settings
    assert fixed == {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
    assert optimizers.get_optimizer("adagrad_lr_-3.00").settings == {"learning_rate": 1e-3, "initial_accumulator_value": 0.1}
    assert {optimizers.get_optimizer(f"nadamw_corrected_seed{s}").settings["use_nesterov"] for s in range(20)} == {True, False}


def test_opt_list_is_in_order_and_follows_the_horizon():
    first = optimizers.opt_list(3)
    assert first[0].name == "nadamw_grid_seed251"
    assert [o.name for o in optimizers.opt_list(10)[:3]] == [o.name for o in first]
    assert all(o.rule == "nadamw_published" for o in first)
    assert first[0].hparams(100)["horizon"] == 100 and first[0].hparams(500)["decay_steps"] == pytest.approx(
        5 * first[0].hparams(100)["decay_steps"]
    )


@pytest.mark.parametrize("act, error, words", [
    (lambda: optimizers.get_optimizer("adam8p_wide_gird_seed2"), UnknownName, "adam8p_wide_grid_seed2"),
    (lambda: optimizers.make_optimizer("adamw", {"learning_rate": 0.1}), UnknownName, "nadamw_grid"),
    (lambda: optimizers.make_optimizer("adam_lr", {"learning_rate": 0.1, "beta": 0.1}), ConfigError, "beta1, beta2, epsilon"),
    (lambda: optimizers.make_optimizer("adam_lr", {}), ConfigError, "learning_rate"),
    (lambda: optimizers.adam("0.1"), ConfigError, "learning_rate '0.1' of adam: allowed is"),
    (lambda: optimizers.adam(math.nan), ConfigError, "learning_rate nan"),
    (lambda: optimizers.adam(0.1, beta2=1.0), ConfigError, "0 <= beta2 < 1"),
    (lambda: optimizers.nadamw_published(0.1, warmup_fraction=1.5), ConfigError, "0 <= warmup_fraction <= 1"),
    (lambda: optimizers.nadamw_corrected(0.1, use_nesterov=0.3), ConfigError, "True or False"),
    (lambda: optimizers.sgd(0.1).hparams(0), ConfigError, "horizon 0"),
    (lambda: optimizers.sgd(0.1).hparams(10.5), ConfigError, "horizon 10.5"),
])  # fmt: skip
def test_bad_input_is_explained_in_one_line(act, error, words):
    with pytest.raises(error) as caught:
        act()
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_pair_of_functions_is_an_optimizer():
    """Gradient descent that falls to 0 along a line: it reads the horizon and the step, in the compiled loop."""

    def update(grads, state, params, step, hparams):
        left = 1 - tf.cast(step, tf.float32) / hparams["horizon"]
        return {p: w - 0.01 * left * grads[p] for p, w in params.items()}, {"seen": state["seen"] + 1}

    optimizer = optimizers.from_functions("falling", lambda params: {"seen": tf.constant(0)}, update)
    assert (optimizer.name, optimizer.rule) == ("falling", "falling")
    task = taskset.get_task("quadratic_family_seed3")
    found, losses = train(task, optimizer, 4, seed=1)
    params = task.init(1)
    for step, batch in zip(range(4), task.batches("train", 1)):
        loss, gradients = task.value_and_gradients(params, batch, tf.constant([seeds.stream(1, "loss", "train"), step]))
        assert float(loss) == pytest.approx(losses[step], rel=1e-5)
        params = {p: w - 0.01 * (1 - step / 4) * gradients[p] for p, w in params.items()}
    for path, w in params.items():
        np.testing.assert_allclose(found[path], w, rtol=1e-4)
    with pytest.raises(ConfigError, match="optimizer name 'a/b'"):
        optimizers.from_functions("a/b", lambda params: {}, update)
    with pytest.raises(ConfigError, match="horizon 0"):
        optimizer.hparams(0)


def test_the_documented_example_of_a_users_own_optimizer_runs():
    result = doctest.testmod(base)
    assert result.attempted >= 5 and result.failed == 0
