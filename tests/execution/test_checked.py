"""A user's own optimizers in the compiled loop and in sweeps: what they may not do is one line, whichever way they get there."""

import itertools
import random
import threading
from dataclasses import dataclass, replace

import numpy as np
import pytest
import tensorflow as tf

import taskset
from taskset import registry
from taskset.errors import ConfigError
from taskset.execution.loop import train
from taskset.normalization.sweep.options import SweepOptions
from taskset.normalization.sweep.runner import by_rule, run_all
from taskset.optimizers import from_functions
from taskset.optimizers.base import Elementwise, as_given
from taskset.random import hidden
from taskset.scoring.adapters import adapt
from taskset.tasks.base import Model, Task

TASK = "quadratic_family_seed3"


class Own:
    """Gradient descent, with what is wrong about it."""

    name, rule, rate = "own", "own", 0.1

    def __init__(self, **attributes):
        self.steps = 0
        vars(self).update(attributes)

    def hparams(self, horizon):
        return {}

    def init(self, params):
        return {"count": 0}

    def update(self, grads, state, params, step, hparams):
        params, state = {path: w - self.rate * grads[path] for path, w in params.items()}, {"count": state["count"] + 1}
        return self.wrong(params, state) if hasattr(self, "wrong") else (params, state)

    def counted(self, params, state):
        self.steps += 1
        return params, state

    def remembered(self, params, state):
        self.last = {path: 0.9 * getattr(self, "last", {}).get(path, 0.0) + w for path, w in params.items()}
        return self.last, state

    def started(self, params, state):
        first, self.begun = not getattr(self, "begun", False), True
        return {path: w * 0.5 if first else w for path, w in params.items()}, state

    def seen_before(self, params, state):
        SEEN.add(len(SEEN))
        return {path: w * len(SEEN) for path, w in params.items()}, state

    def drawn_once(self, params, state):
        if not hasattr(self, "noise"):
            self.noise = float(np.random.rand())
        return {path: w + self.noise for path, w in params.items()}, state

    def array_in_the_state(self, params, state):
        SEEN.add(len(SEEN))
        return params, {"count": np.int32(len(SEEN)) + np.zeros([], np.int32)}


SEEN = set()


def counted_elsewhere():
    MODULE_STATE.append(0)
    return float(len(MODULE_STATE))


MODULE_STATE: list = []


def changed(change):
    return lambda params, state: ({path: change(w) for path, w in params.items()}, state)


def drawing(draw):
    return changed(lambda w: w + float(draw()))


WRONG = {
    "counts in Python": (Own.counted, r"changes self\.steps: it is compiled"),
    "a memory in Python": (Own.remembered, r"changes self\.last\['x'\]: it is compiled"),
    "the first call alone": (Own.started, "update of 'own' computes something else in its second call than in its first"),
    "a set": (Own.seen_before, "computes something else in its second call"),
    "an array in the state": (Own.array_in_the_state, "computes something else in its second call"),
    "NumPy's draws, in the first call alone": (Own.drawn_once, "update of 'own' draws from NumPy's global random state"),
    "what a called function keeps": (drawing(counted_elsewhere), "computes something else in its second call"),
    "an iterator without length": (drawing(itertools.cycle([0.0, 1.0]).__next__), "computes something else in its second call"),
    "an iterator that ends": (drawing(map(float, [1]).__next__), "update of 'own' failed: StopIteration"),
    "NumPy's draws": (drawing(np.random.rand), "update of 'own' draws from NumPy's global random state"),
    "Python's draws": (drawing(random.random), "update of 'own' draws from Python's global random state"),
    "TensorFlow's draws": (changed(lambda w: w + tf.random.normal([])), "draws random numbers by"),
    "another dtype": (changed(lambda w: tf.cast(w, tf.float64)), "made parameter .* float64 of shape"),
    "another shape": (changed(tf.reduce_sum), r"made parameter .* float32 of shape \(\)"),
    "nothing": (changed(lambda w: None), "returned None for parameter"),
    "no pair": (lambda params, state: params, "returned dict: allowed is a pair"),
    "fewer parameters": (lambda params, state: ({}, state), "returned other parameters .*lacking"),
    "another state": (lambda params, state: (params, {}), "a state with other entries than init's"),
    "a number of another kind": (lambda params, state: (params, {"count": 0.5}), "a state with 0.5 where it was given int32"),
    "a text in its state": (lambda params, state: (params, {"count": "x"}), "a state with 'x' where it was given int32"),
    "NumPy": (changed(np.sign), "computes with NumPy"),
    "an error": (changed(lambda w: {}["lr"]), r"update of 'own' failed: KeyError: 'lr' \(.*test_checked\.py, line \d+\)"),
    "a decision": (changed(lambda w: w if tf.reduce_sum(w) > 0 else -w), "decides by the value of a tensor"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_an_own_optimizer_does_wrong_is_one_line(name):
    wrong, says = WRONG[name]
    own = Own()
    own.wrong = wrong.__get__(own) if getattr(Own, wrong.__name__, None) is wrong else wrong
    with pytest.raises(ConfigError, match=says) as caught:
        train(taskset.get_task(TASK), own, 5)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_functions_of_ones_own_are_checked_as_well():
    def update(grads, state, params, step, hparams):
        return {path: w - np.random.rand() * grads[path] for path, w in params.items()}, state

    with pytest.raises(ConfigError, match="update of 'pair' draws from NumPy's"):
        train(taskset.get_task(TASK), from_functions("pair", lambda params: {}, update), 5)


CALLS = {"update": 0}


@tf.function(autograph=False)
def compiled(grads, state, params, step, hparams):
    CALLS["update"] += 1
    return params, state


def test_a_function_that_the_user_compiled_is_looked_into():
    with pytest.raises(ConfigError, match=r"update of 'pair' changes CALLS\['update'\]: it is compiled"):
        train(taskset.get_task(TASK), adapt((lambda params: {}, compiled), "pair"), 5)


def test_the_error_of_a_start_advises_what_a_start_can_do():
    own = Own()
    own.init = lambda params: {"count": 0, "drawn": np.random.rand()}
    with pytest.raises(ConfigError, match=r"seed=\[0, 0\]\)$"):
        train(taskset.get_task(TASK), own, 5)


@pytest.mark.parametrize(
    "draw, says",
    [
        (np.random.rand, "init of 'own' draws from NumPy's global random state"),
        (np.random.default_rng(0).normal, "init of 'own' gives another state in its second call"),
        (lambda: tf.random.normal([2]), "init of 'own' gives another state in its second call"),
        (itertools.count().__next__, "init of 'own' gives another state in its second call"),
        (lambda: {}["lr"], r"init of 'own' failed: KeyError: 'lr' \(.*test_checked\.py, line \d+\)"),
    ],
)
def test_a_start_that_another_run_does_not_repeat_is_refused(draw, says):
    own = Own()
    own.init = lambda params: {"count": 0, "drawn": draw()}
    with pytest.raises(ConfigError, match=says):
        train(taskset.get_task(TASK), own, 5)
    with pytest.raises(ConfigError, match=says.replace("own", "pair")):
        train(taskset.get_task(TASK), adapt((own.init, own.update), "pair"), 5)


def test_a_number_in_the_state_may_stay_one():
    """`{"count": 0}` comes back as a Python number: of the dtype that it began with."""
    constant = Own(wrong=lambda params, state: (params, {"count": 1}))
    expected = train(taskset.get_task(TASK), Own(), 5)[1]
    np.testing.assert_array_equal(train(taskset.get_task(TASK), constant, 5)[1], expected)


def test_a_state_of_texts_is_refused_before_anything_runs():
    own = Own(init=lambda params: {"count": "x"})
    with pytest.raises(ConfigError, match="init of 'own' returned a state with 'x'"):
        train(taskset.get_task(TASK), own, 5)


@dataclass(frozen=True)
class Hidden:
    """One rule for all rates: only `update` knows the rate."""

    name: str
    rate: float
    rule = "hidden"

    def hparams(self, horizon):
        return {}

    def init(self, params):
        return {}

    def update(self, grads, state, params, step, hparams):
        return {path: w - self.rate * grads[path] for path, w in params.items()}, state


def test_own_optimizers_of_one_rule_that_differ_have_programs_of_their_own():
    task, both = taskset.get_task(TASK), [Hidden("h1", 0.1), Hidden("h2", 0.001)]
    options = SweepOptions(("h1", "h2"), "none", 10, (0,), 1, 1)
    assert by_rule(both) == [[both[0]], [both[1]]]
    together = run_all(task, both, options).to_pandas().set_index(["optimizer", "step"])["train"]
    for one in both:
        alone = run_all(task, [one], SweepOptions((one.name,), "none", 10, (0,), 1, 1)).to_pandas()
        np.testing.assert_allclose(together.loc[one.name], alone["train"], rtol=1e-6)
    assert together["h1", 10] != pytest.approx(together["h2", 10], rel=1e-5)


def scaled(k):
    """An `Elementwise` of a user's own formula."""

    def formula(t, w, g, learning_rate):
        return (w - k * learning_rate * g,)

    return Elementwise("own", "own", formula, (), {"learning_rate": 0.1}, as_given)


def test_own_formulas_have_programs_of_their_own_and_are_checked():
    both = [replace(scaled(k), name=f"k{k}") for k in (0.5, 2.0)]
    assert by_rule(both) == [[both[0]], [both[1]]]
    same = scaled(1.0)
    assert len(by_rule([same, replace(same, name="other")])) == 1
    wrong = replace(same, formula=lambda t, w, g, learning_rate: (tf.reduce_sum(w),))
    with pytest.raises(ConfigError, match=r"made parameter .* float32 of shape \(\)"):
        train(taskset.get_task(TASK), wrong, 5)
    failing = replace(same, formula=lambda t, w, g, learning_rate: ({}["lr"],))
    with pytest.raises(ConfigError, match=r"failed: KeyError: 'lr' \(.*test_checked\.py, line"):
        train(taskset.get_task(TASK), failing, 5)


NAN = float("nan")


def test_a_constant_that_is_nan_is_not_changed():
    def update(grads, state, params, step, hparams):
        return {path: tf.where(tf.math.is_finite(w), w, NAN) for path, w in params.items()}, state

    assert len(train(taskset.get_task(TASK), from_functions("with_nan", lambda params: {}, update), 3)[1]) == 3


def test_numbers_and_lists_of_own_optimizers_count_by_value():
    first, second = (Own(betas=[0.9, 0.99], rate=np.float64(0.1)) for _ in range(2))
    assert len(by_rule([first, second])) == 1
    assert len(by_rule([first, Own(betas=[0.9, 0.9], rate=np.float64(0.1))])) == 2


def test_draws_of_another_thread_are_nothing_to_the_packages_tasks():
    over = threading.Event()

    def draw():
        while not over.is_set():
            np.random.rand()
            random.random()

    thread = threading.Thread(target=draw)
    thread.start()
    try:
        assert len(train(taskset.get_task(TASK), taskset.get_optimizer("adam_lr_-2.00"), 3)[1]) == 3
    finally:
        over.set()
        thread.join()


def test_the_packages_own_optimizers_share_programs():
    rates = [taskset.get_optimizer(name) for name in ("adam_lr_-3.00", "adam_lr_-2.00", "lion", "nadamw_grid_seed3")]
    assert [len(group) for group in by_rule(rates)] == [2, 1, 1]
    assert not any(registry.is_own(type(one)) for one in rates)


@pytest.mark.parametrize("draw, whose", [(np.random.rand, "NumPy"), (random.random, "Python")])
def test_a_loss_that_draws_on_the_host_is_refused(draw, whose):
    def loss(batch, key):
        x = tf.Variable(tf.ones([2]), name="x")
        return tf.reduce_sum(x**2) * draw()

    with pytest.raises(ConfigError, match=f"the loss draws from {whose}'s global random state"):
        train(Task("drawn", "drawn", {}, Model(loss), "tfds"), taskset.get_optimizer("adam_lr_-2.00"), 2)


def test_generators_of_ones_own_are_not_global():
    with hidden.none_drawn("this"):
        np.random.default_rng(0).random()
        random.Random(0).random()
    with pytest.raises(ConfigError, match="this draws from NumPy's"), hidden.none_drawn("this"):
        np.random.shuffle([1, 2])


def test_another_thread_may_have_drawn():
    """It can't be told apart from what is refused, and the line says so."""
    go, drawn, end = threading.Event(), threading.Event(), threading.Event()

    def beside():
        go.wait(10)
        np.random.rand()
        drawn.set()
        end.wait(10)

    def wait():
        go.set()
        assert drawn.wait(10)

    other = threading.Thread(target=beside)
    other.start()
    with pytest.raises(ConfigError, match="or another thread of this process does"), hidden.none_drawn("this"):
        wait()
    end.set()
    other.join()
