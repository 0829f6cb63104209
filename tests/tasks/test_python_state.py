"""What a function keeps in Python is found by what a call changes of it, wherever it is kept."""

import itertools
import random
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from taskset.tasks import python_state

MODULE = {"n": 0}


class Counter:
    n = 0


class OfAll:
    """Keeps something of each kind; `step` changes one of them."""

    of_class = 0

    def __init__(self):
        self.number, self.numpy, self.array = 0, np.int64(0), np.zeros(2)
        self.listed, self.named, self.other = [0], {"deep": [(0, {"n": 1.5})]}, Counter()
        self.counter, self.iterator, self.generated = itertools.count(), iter([1, 2]), (n for n in (1, 2, 3))
        self.numpys, self.older, self.pythons = np.random.default_rng(0), np.random.RandomState(0), random.Random(0)
        self.nan, self.flag, self.text, self.nothing = float("nan"), False, "a", None
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


def test_a_large_object_is_looked_at_in_part():
    own = OfAll()
    own.large = [[float(i)] for i in range(10 * python_state.MOST)]
    assert len(python_state.of(own.step)) <= python_state.MOST + 1
