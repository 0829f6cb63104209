"""Outer trainings of seconds: their suite, options and trainer, made-up places, and whether two ended alike."""

import copy

import numpy as np

from learned import optimizers
from learned.estimators import base
from learned.outer_training import checkpoint
from learned.outer_training import trainer as outer
from learned.outer_training.options import Options
from learned.outer_training.task_pool import Result
from learned.outer_training.workers import Workers
from taskset import catalogue
from taskset.scoring.suites.suite import Entry, Suite

SCALES = {"train": (2.4, 0.1), "valid_outer": (2.4, 0.4)}
NAMES = ("losg_tasks_family_seed0", "quadratic_family_seed3", "quadratic_family_seed4")


def suite(names=NAMES, horizon=100, split="train"):
    entries = tuple(Entry(name, catalogue.resolve(name)[0], split, SCALES) for name in names)
    return Suite("tests", 1, "synthetic", horizon, entries)


def options(**changes):
    small = {"pairs": 2, "steps": 4, "lengths": "log_uniform:5:12", "slots": 3, "tasks_per_step": 2}
    small["first_lengths"] = "together" if changes.get("estimator") == "es_full" else "spread"
    return Options(**{"optimizer": "learnable_adam", "seed": 3, "warm_up": 3, "learning_rate": 0.05, **small, **changes})


def fresh(pool):
    """Places as a new process has them, with the programs compiled before."""
    other = copy.copy(pool)
    other.places = {}
    return other


def trainer(directory, suite, options, pool):
    return outer.Trainer(directory, suite, options, pool, optimizers.get(options.optimizer))


def arrays_of(path):
    found = checkpoint.load(path / outer.LATEST)
    return found.meta, found.arrays


def check_equal(one, other):
    (meta_a, arrays_a), (meta_b, arrays_b) = arrays_of(one), arrays_of(other)
    assert meta_a == meta_b and set(arrays_a) == set(arrays_b)
    for name, array in arrays_a.items():
        np.testing.assert_array_equal(array, arrays_b[name], err_msg=name)
    assert (one / outer.LOG).read_text() == (other / outer.LOG).read_text()


def check_workers(directory, pool, begun, steps):
    """Two workers that begin a training, which one process ends, give what one process gives. begun, steps: outer steps."""
    chosen, whole = pool.options, pool.suite
    trainer(directory / "a", whole, chosen, fresh(pool)).train(steps)
    with Workers(2, whole, chosen) as workers:
        trainer(directory / "b", whole, chosen, workers).train(begun)
    trainer(directory / "b", whole, chosen, fresh(pool)).train(steps)
    check_equal(directory / "a", directory / "b")


class MadeUpPlaces:
    """Places of made-up estimates, the same at a step whenever it is computed."""

    def estimates(self, numbers, outer_step, theta):
        rng = np.random.default_rng(outer_step)
        families = ("quadratic_family", "losg_tasks_family", "quadratic_family")
        found = []
        for number in numbers:
            loss = float("nan") if number == 1 else float(rng.uniform())
            metrics = {"es_weight": float(rng.uniform())}
            estimate = base.Estimate(rng.normal(size=theta.size), loss, int(rng.integers(2)), 8, metrics)
            found.append(Result(f"task{number}", families[number], estimate))
        return found

    def dump(self):
        return {}

    def saved(self):
        pass

    def restore(self, dumped):
        assert dumped == {}
        return {}


class WithStates(MadeUpPlaces):
    """Made-up places that have a state to keep."""

    def dump(self):
        return {0: (NAMES[0], 2, {"since": np.arange(3), "state|m": np.linspace(0, 1, 50)})}

    def restore(self, dumped):
        self.restored = dumped
        for number, (_, _, leaves) in dumped.items():
            if number != 0 or leaves["state|m"].shape != (50,):
                raise ValueError("another shape")
        return {}


def opened(directory):
    """The trainer of a directory, whose places are made up and have states."""
    return trainer(directory, suite(), options(), WithStates())
