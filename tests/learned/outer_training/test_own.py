"""Outer training with rules, estimators and objectives of a user's own: mistakes are one line, changes of code are noticed."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

import learned
from learned import optimizers, registry
from learned.optimizers.as_optimizer import with_weights
from learned.outer_training import checkpoint, objectives
from learned.outer_training import trainer as outer
from learned.outer_training.options import Options
from learned.outer_training.task_pool import TaskPool
from taskset.catalogue import get_task
from taskset.errors import ConfigError, StoreError
from taskset.execution import loop
from taskset.tasks.initializers import constant
from tests.learned.trainings import suite

TASK = "quadratic_family_seed3"
pytestmark = pytest.mark.usefixtures("registered_here")


def train(directory, steps=1, **chosen):
    """A training of a few steps, made anew: it resumes where the directory has one."""
    given = {"optimizer": "learnable_sgd", "estimator": "es_full", "objective": "train", **chosen}
    options = Options(pairs=2, steps=3, lengths="6", slots=1, tasks_per_step=1, warm_up=0, learning_rate=0.01, seed=3, **given)
    one = suite((TASK,))
    made = outer.Trainer(directory, one, options, TaskPool(one, options), optimizers.get(options.optimizer))
    made.train(steps, save_every=1)
    return made


def one_line(says, directory, **chosen):
    with pytest.raises(ConfigError, match=says) as caught:
        train(directory, **chosen)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


# Learned rules.


def rule(name="mine", wrong=None, init=None, **more):
    """SGD with exp(rate), `wrong(params, state)` of what it returns."""

    def update(theta, grads, state, params, step, loss, validation_loss):
        params = {path: p - tf.exp(theta["rate"]) * grads[path] for path, p in params.items()}
        return wrong(params, state) if wrong else (params, state)

    made = learned.LearnedOptimizer(
        name, {"rate": ((), constant(-4.0))}, init or (lambda theta, params: {"n": 0}), update, **more
    )
    learned.register_optimizer(name)(lambda: made)


def changed(change):
    return lambda params, state: ({path: change(p) for path, p in params.items()}, state)


WRONG_RULES = {
    "a vector's shape": (changed(tf.reduce_sum), r"a step of 'mine' made parameter .* float32 of shape \(\)"),
    "float64": (changed(lambda p: tf.cast(p, tf.float64)), "a step of 'mine' made parameter .* float64"),
    "no parameters": (lambda params, state: ({}, state), "update of 'mine' returned other parameters"),
    "another state": (lambda params, state: (params, {"m": 0}), "update of 'mine' returned a state with other entries"),
    "no pair": (lambda params, state: params, "update of 'mine' returned dict: allowed is a pair"),
    "NumPy's draws": (changed(lambda p: p * np.random.rand()), "update of 'mine' draws from NumPy's global random state"),
    "a loss it doesn't declare": (changed(lambda p: p + None), r"update of 'mine' failed: .*test_own\.py, line"),
}


@pytest.mark.parametrize("name", WRONG_RULES)
def test_what_a_rule_does_wrong_is_one_line(tmp_path, name):
    wrong, says = WRONG_RULES[name]
    rule(wrong=wrong)
    one_line(says, tmp_path, optimizer="mine")


def test_a_rule_of_ones_own_with_a_number_in_its_state(tmp_path):
    rule(wrong=lambda params, state: (params, {"n": state["n"] + 1}))
    assert train(tmp_path, 2, optimizer="mine").step == 2


class Derived(learned.LearnedOptimizer):
    """A learned optimizer of a class of one's own, made in its own way."""

    def __init__(self, name):
        def update(theta, grads, state, params, step, loss, validation_loss):
            return {path: p - tf.exp(theta["rate"]) * grads[path] for path, p in params.items()}, state

        super().__init__(name, {"rate": ((), constant(-4.0))}, lambda theta, params: {"n": 0}, update)


def test_a_rule_of_a_class_of_ones_own(tmp_path):
    learned.register_optimizer("derived")(lambda: Derived("derived"))
    assert train(tmp_path, 2, optimizer="derived").step == 2


def test_the_form_for_one_model_is_checked_as_well():
    def alone(theta, grads, state, params, step, loss, validation_loss):
        return {path: tf.reduce_sum(p) for path, p in params.items()}, state

    rule("alone", alone=(lambda theta, params: {"n": 0}, alone))
    made = optimizers.get("alone")
    optimizer = with_weights(made, {"rate": np.float32(-4.0)})
    with pytest.raises(ConfigError, match=r"a step of 'alone' made parameter .* float32 of shape \(\)"):
        loop.train(get_task(TASK), optimizer, 3)


# Objectives.


def objective(loss, name="mine", **attributes):
    class Mine:
        split, scale_split = None, "train"

        def check(self, task):
            pass

        def __call__(self, task, params, train_loss, batch, key):
            return loss(train_loss)

    Mine.name = name
    for key, value in attributes.items():
        setattr(Mine, key, value)
    learned.register_objective(name)(Mine)


WRONG_OBJECTIVES = {
    "a vector": lambda loss: tf.stack([loss, loss]),
    "one number in a list": lambda loss: loss[None],
    "float64": lambda loss: tf.cast(loss, tf.float64),
    "nothing": lambda loss: None,
}


@pytest.mark.parametrize("name", WRONG_OBJECTIVES)
def test_an_objective_returns_a_scalar(tmp_path, name):
    objective(WRONG_OBJECTIVES[name])
    one_line("objective 'mine' returned .*: allowed is a scalar float32, the loss", tmp_path, objective="mine")


@pytest.mark.parametrize("number", [0.5, np.float32(0.5)])
def test_a_number_is_a_loss(tmp_path, number):
    objective(lambda loss: number)
    assert train(tmp_path, objective="mine").step == 1


def test_an_objective_that_fails_or_draws_or_lacks_a_part(tmp_path):
    objective(lambda loss: {}["a"])
    one_line(r"objective 'mine' failed: KeyError: 'a' \(.*test_own\.py, line", tmp_path, objective="mine")
    objective(lambda loss: loss * np.random.rand(), "drawn")
    one_line("objective 'drawn' draws from NumPy's global random state", tmp_path / "drawn", objective="drawn")
    learned.register_objective("bare")(lambda: lambda *given: given[2])
    with pytest.raises(
        ConfigError, match="objective 'bare' is .*, which has no name, split, scale_split, check: see learned.Obj"
    ):
        objectives.get("bare")


# Estimators.


def estimator(change=lambda estimate, state: (estimate, state), name="mine", first=lambda state: state):
    """`es_full` with `change(estimate, state)` of what it gives."""

    class Mine:
        def __init__(self, problem, settings, **execution):
            self.whole = registry.estimators.get("es_full")(problem, settings, **execution)

        def init(self, seed):
            return first(self.whole.init(seed))

        def estimate(self, theta, state, lengths):
            return change(*self.whole.estimate(theta, state, lengths))

    learned.register_estimator(name)(Mine)


def given(**fields):
    return lambda estimate, state: (dataclasses.replace(estimate, **fields), state)


def with_entry(value):
    return lambda estimate, state: (estimate, {**state, "calls": value})


WRONG_ESTIMATORS = {
    "no pair": (lambda estimate, state: estimate, r"returned .*: allowed is a pair \(learned\.Estimate, state\)"),
    "nothing": (lambda estimate, state: None, r"returned None: allowed is a pair"),
    "a state of other entries": (with_entry(1), "returned a state with .*int64.* under 'calls', and was given nothing"),
    "nothing in its state": (with_entry(None), "estimator 'mine' has None under 'calls': allowed are arrays of numbers"),
    "a gradient of objects": (given(gradient=np.array([None])), "returned an Estimate that is none"),
    "a text as its loss": (given(loss="low"), "returned an Estimate that is none"),
    "a state without a count": (lambda *both: (both[0], {"a": 1}), "a state of estimator .* is .*allowed is a dict with"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_ESTIMATORS)
def test_what_an_estimator_gives_is_checked(tmp_path, name):
    change, says = WRONG_ESTIMATORS[name]
    estimator(change)
    one_line(says, tmp_path, estimator="mine")


def test_numbers_of_numpy_and_tensorflow_are_numbers(tmp_path):
    estimator(given(loss=np.float32(0.5), non_finite=np.int64(0), steps=tf.constant(6), details={"x": tf.constant(1.5)}))
    made = train(tmp_path, estimator="mine")
    assert made.step == 1 and '"x": 1.5' in (tmp_path / outer.LOG).read_text()


@pytest.mark.long
def test_the_packages_own_estimators_pass_the_checks(tmp_path):
    """A state that an estimator of the package gives has the same leaves after every estimate."""
    for kind in ("es_truncated", "pes", "es_single"):
        learned.register_estimator(f"own_{kind}")(lambda *a, kind=kind, **b: registry.estimators.get(kind)(*a, **b))
        own, package = (train(tmp_path / f"{i}_{kind}", 3, estimator=name).x for i, name in enumerate((f"own_{kind}", kind)))
        np.testing.assert_array_equal(own, package)


# Code that changes.


def test_a_training_is_not_resumed_by_other_code(tmp_path):
    def factor(weight):
        registry.objectives._registered.pop("mine", None)
        objective(lambda loss: weight * loss)

    factor(1.0)
    assert train(tmp_path, 1, objective="mine").step == 1
    assert train(tmp_path, 2, objective="mine").step == 2
    assert [*checkpoint.load(tmp_path / outer.LATEST).meta["own_code"]] == ["objective mine"]
    factor(0.5)
    with pytest.raises(StoreError, match="was made with other code of objective mine than it has now"):
        train(tmp_path, 3, objective="mine")


def test_the_packages_own_are_known_by_their_version_alone(tmp_path):
    train(tmp_path)
    assert "own_code" not in checkpoint.load(tmp_path / outer.LATEST).meta
    assert registry.own_code(optimizer="learnable_sgd", estimator="pes", objective="train") == {}


def test_leaves_that_stand_nowhere_are_an_error():
    from learned.unrolling.vectors import from_leaves

    with pytest.raises(ValueError, match=r"'a\|c' is unknown"):
        from_leaves({"a": {"b": np.zeros(2)}}, {"a|b": np.zeros(2), "a|c": np.zeros(1)})


def test_an_estimator_of_ones_own_says_what_it_takes():
    estimator()
    for change, says in (({"differences": "sign"}, "linear in them"), ({"groups": 2}, "groups 2 with estimator 'mine'")):
        with pytest.raises(ConfigError, match=says):
            Options("learnable_sgd", estimator="mine", pairs=2, **change)
    own = registry.estimators.own("mine")
    own.takes_differences = own.takes_groups = True
    assert Options("learnable_sgd", estimator="mine", pairs=2, differences="sign", groups=2).groups == 2
