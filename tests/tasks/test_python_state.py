"""What a function keeps in Python is found by what a call changes of it, wherever it is kept."""

import functools
import io
import itertools
import random
import time
from collections.abc import Iterator, Mapping
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from taskset.tasks import python_state

MODULE = {"n": 0}


class Counter:
    n = 0


class Schedule:
    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1


class Slots:
    __slots__ = ("n",)

    def __init__(self):
        self.n = 0


class Own(Iterator):
    def __init__(self):
        self.n = 0

    def __next__(self):
        self.n += 1


class OfAll:
    """Keeps something of each kind; `step` changes one of them."""

    of_class = 0

    def __init__(self):
        self.number, self.numpy, self.array = 0, np.int64(0), np.zeros(2)
        self.listed, self.named, self.other = [0, 1], {"deep": [(0, {"n": 1.5})]}, Counter()
        self.counter, self.iterator, self.generated = itertools.count(), iter([1, 2]), (n for n in (1, 2, 3))
        self.numpys, self.older, self.pythons = np.random.default_rng(0), np.random.RandomState(0), random.Random(0)
        self.nan, self.flag, self.text, self.nothing = float("nan"), False, "a", None
        self.schedule, self.slots, self.own_iterator = Schedule(), Slots(), Own()
        self.part = functools.partial(lambda kept: add(kept, "n"), {"n": 0})
        self.itself = self

    def step(self, change):
        change(self)


def add(target, place, value=1):
    target[place] += value


CHANGES = {
    "self.number": lambda own: vars(own).update(number=1),
    "self.numpy": lambda own: vars(own).update(numpy=own.numpy + 1),
    "self.array": lambda own: add(own.array, 1),
    "self.listed[0]": lambda own: add(own.listed, 0),
    "self.named['deep'][0][1]['n']": lambda own: add(own.named["deep"][0][1], "n"),
    "self.other.n": lambda own: setattr(own.other, "n", 1),
    "self.of_class": lambda own: setattr(OfAll, "of_class", OfAll.of_class + 1),
    "self.counter": lambda own: next(own.counter),
    "self.iterator": lambda own: next(own.iterator),
    "self.generated": lambda own: next(own.generated),
    "self.numpys": lambda own: own.numpys.uniform(),
    "self.older": lambda own: own.older.rand(),
    "self.pythons": lambda own: own.pythons.random(),
    "self.listed[1]": lambda own: own.listed.pop(),
    "self.schedule.calls": lambda own: own.schedule(),
    "self.slots.n": lambda own: setattr(own.slots, "n", 1),
    "self.part.args[0]['n']": lambda own: own.part(),
    "self.own_iterator.n": lambda own: next(own.own_iterator),
}


@pytest.mark.parametrize("where", CHANGES)
def test_a_change_is_found_where_it_is(where):
    own = OfAll()
    next(own.generated)
    before = python_state.of(own.step)
    assert python_state.changed(before, python_state.of(own.step)) == []
    own.step(CHANGES[where])
    assert python_state.changed(before, python_state.of(own.step)) == [where]


def prepare(own):
    own.flag, own.text, own.nothing, own.sizes = True, "b", {"w": 3}, [3]
    own.named["more"] = 2.0


def test_what_is_remembered_is_no_change():
    own = OfAll()
    before = python_state.of(own.step)
    own.step(prepare)
    own.constant = tf.ones(3)
    assert python_state.changed(before, python_state.of(own.step)) == []


@pytest.mark.parametrize("place", ["nothing", "new"])
def test_a_tensor_of_the_program_is_found(place):
    own = OfAll()

    @tf.function(autograph=False)
    def program(x):
        before = python_state.of(own.step)
        setattr(own, place, {"deep": [x]})
        assert python_state.changed(before, python_state.of(own.step)) == [f"self.{place}['deep'][0]"]
        again = python_state.of(own.step)
        assert python_state.changed(again, again) == []
        return x

    program(tf.ones(3))


def test_closures_and_modules_are_looked_at():
    n, kept = 0, SimpleNamespace(n=0)

    def step():
        nonlocal n
        n += 1
        MODULE["n"] += 1
        kept.n += 1
        step.calls = getattr(step, "calls", 0) + 1

    step()
    before = python_state.of(step)
    step()
    assert set(python_state.changed(before, python_state.of(step))) == {"n", "MODULE['n']", "kept.n", "self.calls"}


@pytest.mark.parametrize("large", [[[float(i)] for i in range(100_000)], list(range(1_000_000)), ["a"] * 1_000_000])
def test_a_large_object_is_looked_at_in_part(large):
    own = OfAll()
    own.large = large
    start = time.process_time()
    assert len(python_state.of(own.step)) <= python_state.MOST + 1
    assert time.process_time() - start < 1


def test_what_was_not_looked_at_is_not_lost():
    own = OfAll()
    own.texts, own.behind = ["a"] * (python_state.MOST - 60), [float(i) for i in range(30)]
    before = python_state.of(own.step)
    own.texts += ["a"] * 100
    assert python_state.changed(before, python_state.of(own.step)) == []


class Broken(Mapping):
    """Raises whatever is asked of it."""

    def __getitem__(self, key):
        raise OSError("gone")

    __iter__ = __len__ = __length_hint__ = __getitem__

    @property
    def __dict__(self):
        raise RuntimeError("no")


def test_what_can_not_be_looked_at_is_left_out():
    with io.BytesIO() as file:
        np.savez(file, a=np.ones(2))
        file.seek(0)
        saved = np.load(file)
        kept = [Broken(), saved, 10**5000, {"n": 0}]

        def step():
            kept[3]["n"] += 1
            return saved

        before = python_state.of(step)
        step()
        assert python_state.changed(before, python_state.of(step)) == ["kept[3]['n']"]


def test_what_was_decorated_is_looked_into():
    """A compiled function runs its Python once, so that a second call can't tell."""
    calls = {"outer": 0, "inner": 0}

    def decorated(function):
        @functools.wraps(function)
        def wrapper(x):
            calls["outer"] += 1
            return function(x)

        return wrapper

    @tf.function(autograph=False)
    @decorated
    def step(x):
        return [x * factor for factor in [inner_calls(calls)]]

    before = python_state.of(step)
    step(tf.ones(2))
    assert python_state.changed(before, python_state.of(step)) == ["calls['outer']", "calls['inner']"]


def test_the_object_of_a_compiled_method_is_looked_into():
    class Own:
        steps = 0

        @tf.function(autograph=False)
        def update(self, x):
            self.steps += 1
            return x * self.steps

    own = Own()
    before = python_state.of(own.update)
    own.update(tf.ones(2))
    assert python_state.changed(before, python_state.of(own.update)) == ["self.steps"]


def inner_calls(calls):
    calls["inner"] += 1
    return float(calls["inner"])


def test_names_in_comprehensions_are_looked_at():
    def step():
        return [MODULE["n"] for _ in range(2)]

    before = python_state.of(step)
    MODULE["n"] += 1
    assert python_state.changed(before, python_state.of(step)) == ["MODULE['n']"]
