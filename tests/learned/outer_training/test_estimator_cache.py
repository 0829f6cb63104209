"""Estimators in a bounded amount of memory: which go, and that nobody notices."""

import os

import numpy as np
import pytest

from learned.outer_training import task_pool
from learned.outer_training.estimator_cache import EstimatorCache
from learned.outer_training.options import Options
from learned.outer_training.task_pool import TaskPool
from taskset.execution import memory
from taskset.jobs import pool
from tests.learned.trainings import suite


def test_those_asked_for_longest_ago_go_and_needed_ones_stay():
    made, needed = [], {"a"}
    kept = EstimatorCache(
        lambda name: made.append(name) or name.upper(), lambda: needed, most=300, used=lambda: 100 * len(kept._kept), room=0
    )
    for name in "abca":
        assert kept(name) == name.upper()
    assert made == ["a", "b", "c"]
    kept("d")  # 400 MiB: b goes, the oldest that isn't needed
    assert [name in kept for name in "abcd"] == [True, False, True, True]
    kept("b")
    assert [name in kept for name in "abcd"] == [True, True, False, True]
    needed |= {"b", "d"}
    kept("e")  # nothing is to spare: more memory it is
    assert [name in kept for name in "abde"] == [True] * 4
    assert made == ["a", "b", "c", "d", "b", "e"]


def test_a_process_that_has_much_else_keeps_some_programs():
    made = []
    kept = EstimatorCache(
        lambda name: made.append(name) or name, lambda: (), most=300, used=lambda: 5000 + 100 * len(kept._kept), room=200
    )
    for name in "abab":
        kept(name)
    assert made == ["a", "b"]
    kept("c")  # 300 MiB of programs: a goes
    assert [name in kept for name in "abc"] == [False, True, True]


@pytest.mark.long
def test_a_training_does_not_notice(monkeypatch):
    names = ("quadratic_family_seed3", "quadratic_family_seed4", "TwoD_Bowl1")
    chosen = Options("learnable_adam", pairs=2, steps=4, lengths="4", slots=1, tasks_per_step=1, first_lengths="together", seed=3)

    def run(most):
        made = []

        def few(make, needed, _):
            return EstimatorCache(lambda name: made.append(name) or make(name), needed, most, lambda: len(made), room=0)

        monkeypatch.setattr(task_pool, "EstimatorCache", few)
        one = TaskPool(suite(names), chosen)
        theta = np.concatenate([np.ravel(w) for w in one.optimizer.init_theta(0).values()]).astype(np.float64)
        results = [result for step in range(12) for result in one.estimates([0], step, theta)]
        return made, [(result.task, result.estimate.loss, result.estimate.gradient.tolist()) for result in results]

    (once, with_all), (again, with_few) = run(most=1e9), run(most=0)
    assert sorted(once) == sorted(names) and len(again) > 3
    assert with_few == with_all


def test_memory_is_counted():
    before = memory.private_mib()
    block = np.ones(200 * memory.MIB // 8)
    assert 150 < memory.private_mib() - before < 250
    del block


def note_process(job, path, report):
    """A job of a sweep's worker."""
    with open(path, "a") as file:
        file.write(f"{job} {os.getpid()}\n")


@pytest.mark.long
def test_a_worker_of_a_sweep_that_grew_is_replaced(tmp_path, monkeypatch):
    processes = []
    for most in (1, 1e6):
        monkeypatch.setattr(pool, "PRIVATE_MIB", most)
        done = pool.run(["a", "b"], note_process, (tmp_path / str(most),), 1)
        assert (done.finished, done.failed) == (["a", "b"], {})
        processes.append(len({line.split()[1] for line in (tmp_path / str(most)).read_text().splitlines()}))
    assert processes == [2, 1]
