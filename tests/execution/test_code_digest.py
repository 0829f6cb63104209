"""What a digest of an object's code sees."""

import collections
import dataclasses
import enum
import functools
import importlib
import os
import random
import re
import subprocess
import sys
import types
from pathlib import Path

import keras
import numpy as np
import pytest

from taskset.execution import code_digest
from taskset.execution.code_digest import differs, digest, of_code
from taskset.optimizers import sgd

pytestmark = pytest.mark.elsewhere

RATES = {"high": 0.1}


def pair_of(rate, times=lambda x, y: x * y):
    def update(grads, state, params, step, hparams):
        return {path: w - times(rate, grads[path]) for path, w in params.items()}, state

    return lambda params: {}, update


class Object:
    def __init__(self, **values):
        vars(self).update(values)

    def update(self):
        return RATES["high"]


class Child(Object):
    def update(self):
        return super().update() + 1


def slots_of(slot):
    """Two functions whose only difference is the first constant of a comprehension."""
    if slot == "m":
        return lambda params, state: {p: state["m"][p] + params[p] for p in params}
    return lambda params, state: {p: state["v"][p] + params[p] for p in params}


def says_a():
    return "a"


def says_b():
    return "b"


def documented():
    """What it says."""
    return "a"


class OfC(np.random.RandomState):
    pass


def as_mean(k):
    """A user's function that says that it is of NumPy."""

    @functools.wraps(np.mean)
    def mean(x):
        return k * x

    return mean


class Times:
    """A decorator that is an object: with what it wraps it has numbers of its own."""

    def __init__(self, function, k):
        functools.update_wrapper(self, function)
        self.function, self.k = function, k

    def __call__(self, *given):
        return self.k * self.function(*given)


class Slots:
    __slots__ = ("rate",)


class MoreThanSlots(Slots):
    def __init__(self, rate):
        self.rate, self.other = rate, 1


@dataclasses.dataclass
class Data:
    rate: float = 0.1
    rates: list = dataclasses.field(default_factory=list)


def with_attribute(rate):
    def update(x):
        return update.rate * x

    update.rate = rate
    return update


def tried(a, b):
    try:
        a()
        b()
    except ValueError:
        pass
    return 0


def tried_less(a, b):
    try:
        a()
    except ValueError:
        pass
    else:
        b()
    return 0


class KeyedByName(dict):
    """Entries are attributes, which a look at any other fails to find, or makes."""

    def __getattr__(self, name):
        return self[name]


class OfNoModule:
    """Classes that `exec` makes say that they are of `builtins`."""

    def __new__(cls, body):
        there = {}
        exec(f"class K:\n def f(self): return {body}", there)
        return there["K"]


@pytest.mark.parametrize(
    "one,other",
    [
        (pair_of(0.1), pair_of(0.2)),
        (as_mean(1), as_mean(2)),
        (Times(says_a, 0.1), Times(says_a, 10.0)),
        (MoreThanSlots(0.1), MoreThanSlots(0.2)),
        (Data(0.1), Data(0.2)),
        (with_attribute(0.1), with_attribute(0.2)),
        (tried, tried_less),
        (OfNoModule(1), OfNoModule(2)),
        (collections.defaultdict(says_a), collections.defaultdict(says_b)),
        (np.ma.array([1.0, 2.0], mask=[0, 1]), np.ma.array([1.0, 2.0], mask=[1, 0])),
        (re.compile("a"), re.compile("b")),
        (random.Random(0), random.Random(1)),
        (range(3), range(4)),
        (Path("a"), Path("b")),
        (pair_of(0.1), pair_of(0.1, lambda x, y: x + y)),
        (pair_of, Child),
        (functools.partial(pair_of, 0.1), functools.partial(pair_of, 0.2)),
        (Object(rate=0.1), Object(rate=0.2)),
        (Object(rate=1), Object(rate=1.0)),
        (Object(rates=np.zeros(3)), Object(rates=np.ones(3))),
        (Object(rate=0.1), Child(rate=0.1)),
        (Object(rate=0.1).update, Object(rate=0.2).update),
        (Object, Child),
        (types.SimpleNamespace(a=1), types.SimpleNamespace(a=2)),
        (sgd(0.1), sgd(0.2)),
        (slots_of("m"), slots_of("v")),
        (says_a, says_b),
        (documented, says_b),
        (keras.optimizers.Adam(1e-2), keras.optimizers.Adam(1e-6)),
        (keras.optimizers.Adam(1e-2), keras.optimizers.Nadam(1e-2)),
        (lambda rng: {"rate": rng.uniform()}, lambda rng: {"rate": rng.normal()}),
    ],
)
def test_what_computes_otherwise_has_another_digest(one, other):
    assert None not in (digest(one), digest(other)) and digest(one) != digest(other)
    assert digest(one) == digest(one)


def test_a_file_called_as_one_of_the_standard_library_is_a_users_own(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # two texts within a second would be one
    found = []
    for value in (1, 2):
        (tmp_path / "colorsys.py").write_text(f"def rate():\n    return {value}\n")
        monkeypatch.delitem(sys.modules, "colorsys", raising=False)
        importlib.invalidate_caches()
        found.append(of_code(importlib.import_module("colorsys").rate))
    assert differs(*found)
    monkeypatch.delitem(sys.modules, "colorsys")


def test_the_text_of_a_docstring_computes_nothing():
    def one():
        """What it says."""
        return "a"

    def other():
        """The same, in other words."""
        return "a"

    assert digest(one) == digest(other) is not None


def test_what_is_made_again_has_the_same_digest():
    for make in (
        lambda: pair_of(0.1),
        lambda: Child(rate={"a": {1, "b"}}),
        lambda: sgd(0.1),
        lambda: keras.optimizers.AdamW(1e-2),
        lambda: keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 100)),
    ):
        assert digest(make()) == digest(make()) is not None


def test_globals_count(monkeypatch):
    before = digest(Object())
    monkeypatch.setitem(RATES, "high", 0.2)
    assert digest(Object()) != before


HASHED = """
class Mine:
    def __init__(self):
        self.words, self.shift = {"x", "y", "z"}, lambda p: {"a": p, "b": {1, "c"}}
"""


def test_another_process_finds_the_same_digest(tmp_path, monkeypatch):
    (tmp_path / "hashed.py").write_text(HASHED)
    monkeypatch.syspath_prepend(tmp_path)
    code = "import hashed; from taskset.execution import code_digest; print(code_digest.digest(hashed.Mine()))"
    path = os.pathsep.join([str(tmp_path), *sys.path])
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path}
    )
    import hashed

    assert found.stdout.strip() == digest(hashed.Mine()), found.stderr


def test_what_cannot_be_seen_is_unknown():
    circle = Object()
    circle.itself = circle
    assert digest(circle) is not None
    for hidden in (
        np.random.default_rng(0),
        Object(rng=np.random.default_rng(0)),
        OfC(),
        iter([3]),
        type("Mine", (random.Random,), {})(0),
        np.frompyfunc(says_a, 0, 1),
        Object(rates=np.array([{}])),
    ):
        assert digest(hidden) is None


def test_optimizers_of_other_libraries():
    torch, optax = pytest.importorskip("torch"), pytest.importorskip("optax")
    assert digest(torch.optim.Adam) not in (None, digest(torch.optim.AdamW))
    each = [digest(optax.adam(rate)) for rate in (0.1, 0.1, 0.2)]
    assert each[0] == each[1] != each[2] and None not in each


CACHE: dict[str, int] = {}
RATE = 0.1


def cached(x):
    CACHE[str(x)] = x
    return helper(x) * RATE


def helper(x):
    return x + 1


def test_code_is_the_same_after_it_has_run_and_beside_other_packages(monkeypatch):
    before = of_code(cached)
    cached(3)
    monkeypatch.setattr(code_digest, "__version__", "99.0")
    monkeypatch.setattr(np, "__version__", "99.0")
    assert of_code(cached) == before and before is not None


def test_code_is_another_after_an_edit(monkeypatch):
    before = [of_code(cached), of_code(Counting)]
    monkeypatch.setitem(globals(), "RATE", 0.2)
    assert differs(before[0], of_code(cached))
    monkeypatch.setitem(globals(), "RATE", 0.1)
    monkeypatch.setitem(globals(), "helper", lambda x: x + 2)
    assert differs(before[0], of_code(cached))
    monkeypatch.setattr(Counting, "step", lambda self: 2)
    assert differs(before[1], of_code(Counting))
    assert differs(of_code(scaled(1)), of_code(scaled(2))) and not differs(of_code(scaled(1)), of_code(scaled(1)))
    assert not differs("3.10 abc", "3.11 def") and differs("3.11 abc", "3.11 def")
    assert differs(of_code(slots_of("m")), of_code(slots_of("v")))


class Level(enum.Enum):
    HIGH = 0.1


class OtherLevel(enum.Enum):
    HIGH = 0.2


class Remembered:
    @functools.cached_property
    def rate(self):
        return 1


class OtherwiseRemembered:
    @functools.cached_property
    def rate(self):
        return 2


RULES = {"a": says_a}


def ruled(x):
    return RULES["a"]()


def test_code_in_constants_enums_decorators_and_dictionaries_is_code(monkeypatch):
    weights, other = (lambda p: p in {"w", "b"}), (lambda p: p in {"w"})
    for one, another in (
        (weights, other),
        (Level.HIGH, OtherLevel.HIGH),
        (Remembered.__dict__["rate"], OtherwiseRemembered.__dict__["rate"]),
    ):
        assert differs(of_code(one), of_code(another))
    before = of_code(ruled)
    monkeypatch.setitem(RULES, "a", says_b)
    assert differs(before, of_code(ruled))


def test_all_files_of_a_users_package_count(tmp_path, monkeypatch):
    package = tmp_path / "mypackage"
    package.mkdir()
    (package / "__init__.py").write_text("from .core import rate\n")
    (package / "core.py").write_text("def rate():\n    return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    import mypackage

    before = digest(mypackage)
    (package / "core.py").write_text("def rate():\n    return 2\n")
    assert None not in (before, digest(mypackage)) and before != digest(mypackage)


def scaled(k):
    return lambda x: k * x


class Counting:
    """Its count is no code."""

    def __init__(self):
        self.count = 0

    def step(self):
        return 1


@functools.singledispatch
def kept(x):
    return x


KINDS: dict[str, type] = {}


def counted(x):
    counted.calls = getattr(counted, "calls", 0) + 1
    KINDS[str(x)] = type(x)
    return kept(x)


def test_dictionaries_with_any_attribute_are_looked_at_by_their_entries():
    assert None is not digest(KeyedByName(a=1)) != digest(KeyedByName(a=2))


def test_what_a_run_leaves_in_functions_and_dictionaries_is_no_code():
    before = of_code(counted)
    assert digest(kept) is not None
    counted(3)
    counted(KeyedByName())
    assert of_code(counted) == before is not None


def test_a_package_without_a_file_is_unknown(tmp_path, monkeypatch):
    (tmp_path / "nofile").mkdir()
    (tmp_path / "nofile" / "part.py").write_text("RATE = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    import nofile.part

    assert digest(nofile) is None and digest(nofile.part) is not None


def test_lists_of_keras_optimizers_have_no_numbers_of_this_process():
    made = [keras.optimizers.Adam(1e-2) for _ in range(2)]
    for one in made:
        one.exclude = ["head"]
    assert digest(made[0]) == digest(made[1]) is not None


def test_the_state_of_an_object_is_no_code():
    one, other = Counting(), Counting()
    other.count = 5
    assert of_code(one.step) == of_code(other.step)
    assert of_code(np.random.default_rng(0).normal) == of_code(np.random.default_rng(1).normal) is not None
