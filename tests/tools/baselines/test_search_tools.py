"""What the pages on searches and on clusters are computed with: schedules by hand, a Gaussian process by its definition."""

import importlib.util

import numpy as np
import pytest

from taskset import tabular
from taskset.normalization.sweep import planning
from taskset.normalization.sweep.options import SweepOptions
from tests.normalization.known_curves import frame
from tools.baselines import cluster_reckoning, search, search_methods


def test_schedules_by_hand():
    found = cluster_reckoning.queue([1.0, 2.0, 3.0], 2)  # 1 and 3 on one core, 2 on the other
    assert (found.makespan, found.first_idle, found.total) == (4.0, 2.0, 6.0) and found.efficiency == 0.75
    assert cluster_reckoning.queue([3.0, 2.0, 1.0], 2).makespan == 3.0
    names, costs = [f"mlp_family_seed{i}" for i in range(40)], np.arange(1.0, 41.0)
    shards = cluster_reckoning.shards(names, costs, 4, 1)
    parts = [sum(c for n, c in zip(names, costs) if n in planning.in_shard(names, (i, 4))) for i in range(1, 5)]
    assert shards.makespan == max(parts) and shards.first_idle == min(parts) and shards.total == costs.sum()


def test_dear_tasks_are_split():
    options = SweepOptions(("a", "b"), "synthetic", 50, (0, 1))
    estimated = np.array([10.0, 106.0])
    found = cluster_reckoning.split(estimated, estimated, options, 4, above=50)
    assert found.tolist() == [10.0, 31.0, 31.0, 31.0, 31.0]  # a quarter of 100, and building it again
    # What is split, and in which order it comes, was known before the costs were.
    assert cluster_reckoning.split(np.array([206.0, 26.0]), estimated, options, 4, above=50).tolist() == [206.0, *[11.0] * 4]


def test_the_gaussian_process_is_that_of_its_definition():
    rng = np.random.default_rng(0)
    seen, points, y = rng.uniform(size=(5, 2)), rng.uniform(size=(3, 2)), rng.normal(size=5)

    def kernel(a, b):
        return np.array([[np.exp(-((p - q) ** 2).sum() / (2 * 2 * 0.4**2)) for q in b] for p in a])

    covariance = kernel(seen, seen) + search_methods.NOISE * np.eye(5)
    cross = kernel(points, seen) @ np.linalg.inv(covariance)
    likelihood, mean, deviation = search_methods._posterior(seen, y, points, 0.4)
    np.testing.assert_allclose(mean, cross @ y)
    np.testing.assert_allclose(deviation**2, 1 - np.einsum("ij,ij->i", cross, kernel(points, seen)), atol=1e-9)
    expected = -0.5 * y @ np.linalg.inv(covariance) @ y - 0.5 * np.linalg.slogdet(covariance)[1]
    assert likelihood == pytest.approx(expected)
    line = np.linspace(0, 1, 9)[:, None]
    best = search_methods._most_improving(line[[0, 4, 8]], np.array([1.0, 0.0, 1.0]), line)
    assert best in (3, 5)  # beside the lowest, and not where it has looked


@pytest.mark.parametrize("method", ["tpe", "gaussian_process"])
def test_searchers_stay_within_their_budget(method):
    if method == "tpe" and importlib.util.find_spec("optuna") is None:
        pytest.skip("Optuna is not installed: pip install '.[tutorials]'")
    problem = tabular.from_curves(frame())
    found = getattr(search_methods, method)(problem.search(), 70, ["adam_lr"])
    assert 0 < found.steps <= 70 and found.trials >= 2 and found.best.optimizer.startswith("adam_lr")
    found = getattr(search_methods, method)(problem.search(seed=0), 35, ["adam_lr"])
    looked = [found.paid(name) for name in problem.optimizers if found.paid(name) is not None]
    assert len(looked) == found.trials >= 1 and min(looked) >= problem.first_step  # a look at a start tells nothing


def test_the_first_round_of_successive_halving_has_an_evaluation():
    problem = tabular.from_curves(frame())
    assert search.first_round(problem) == 10 > problem.horizon // search.ETA**3
    assert tabular.successive_halving(problem.search(), search.first_round(problem), search.ETA).steps > 0
