"""Pairs that are computed in groups: the same estimates, and workers that all have a part of every task."""

import numpy as np
import pytest

from learned import estimators
from learned.estimators import base
from learned.outer_training.options import Options
from learned.outer_training.task_pool import TaskPool, completed
from learned.outer_training.trainer import of_groups
from taskset.errors import ConfigError
from tests.learned.problems import multiplicative_problem
from tests.learned.trainings import NAMES, check_workers, options, suite, trainer


def drawn(rng, n):
    return rng.integers(4, 14, n)


@pytest.mark.parametrize("differences", [base.value, base.sign])
@pytest.mark.parametrize("name", ["pes", "es_single"])
def test_the_mean_over_groups_is_the_estimate_of_all_pairs(name, differences):
    """Over episodes that end apart from each other, some of them resumed."""

    def made(groups):
        settings = base.Settings(
            6,
            4,
            differences=differences,
            first_lengths=base.spread,
            resumed=lambda rng, n: n + rng.integers(0, 2, len(n)),
            groups=groups,
        )
        return estimators.get(name)(multiplicative_problem(), settings, mode="graph_loop")

    whole, part, theta = made(1), made(3), multiplicative_problem().theta(0)
    of_all, of_groups = whole.init(5), [part.init(5, group) for group in range(3)]
    ends = []
    for _ in range(8):
        estimate, of_all = whole.estimate(theta, of_all, drawn)
        found, of_groups = zip(*(part.estimate(theta, state, drawn) for state in of_groups))
        gradient = np.mean([one.gradient for one in found], axis=0)
        np.testing.assert_allclose(gradient, estimate.gradient, rtol=1e-4, atol=1e-6 * np.abs(estimate.gradient).max())
        assert np.mean([one.loss for one in found]) == pytest.approx(estimate.loss, rel=1e-5)
        assert np.mean([one.square for one in found]) == pytest.approx(estimate.square, rel=1e-4)
        assert sum(one.steps for one in found) == estimate.steps
        for state in of_groups:
            np.testing.assert_array_equal(completed(state), completed(of_all))
        ends.append(completed(of_all).copy())
    assert ends[-1].min() > 1 and any(len(set(counts)) > 1 for counts in ends)


@pytest.mark.long
def test_workers_with_a_group_each_give_what_one_process_gives(tmp_path):
    check_workers(tmp_path, TaskPool(suite(NAMES[1:]), options(groups=2, slots=2)), begun=7, steps=12)


def test_groups_of_a_slot_draw_the_same_tasks_together(tmp_path):
    chosen, whole = options(groups=2, slots=2), suite(NAMES[1:])
    pool = TaskPool(whole, chosen)
    made = trainer(tmp_path, whole, chosen, pool)
    draws = set()
    for _ in range(14):
        made.train(made.step + 1)
        for slot in {place // 2 for place in pool.places}:
            one, other = pool.places[2 * slot], pool.places[2 * slot + 1]
            assert (one.task, one.draws) == (other.task, other.draws)
            draws.add((slot, one.draws))
    assert len(draws) > 4


def test_a_group_without_a_finite_loss_leaves_the_others():
    results = [
        _result(np.array([2.0, 4.0]), loss=1.0, non_finite=0, square=3.0),
        _result(np.zeros(2), loss=float("nan"), non_finite=2, square=float("nan")),
    ]
    merged = of_groups(results, 4).estimate
    np.testing.assert_array_equal(merged.gradient, [1.0, 2.0])
    assert (merged.loss, merged.non_finite, merged.steps, merged.square) == (1.0, 2, 20, 3.0)
    assert np.isnan(of_groups(results[1:] * 2, 4).estimate.loss) and np.isnan(of_groups(results[1:] * 2, 4).estimate.square)


def test_the_mean_square_is_over_pairs_and_not_over_groups():
    """Of 8 pairs in two groups 3 have no finite difference: by hand, the mean of the other five, as all in one group give it."""
    losses = np.random.default_rng(0).normal(size=(4, 2, 8))
    losses[1, 0, [0, 2, 3]] = np.inf
    squares = ((losses[:, 0] - losses[:, 1]).mean(axis=0) ** 2)[[1, 4, 5, 6, 7]]
    settings = base.Settings(pairs=4, steps=4)

    def group(own):
        d, finite = base.differences(own, settings)
        return _result(np.array([d.mean()]), base.mean_loss(own), int((~finite).sum()), base.mean_square(own))

    merged = of_groups([group(losses[:, :, :4]), group(losses[:, :, 4:])], 8).estimate
    assert merged.non_finite == 3 and merged.square == pytest.approx(squares.mean()) == base.mean_square(losses)
    assert merged.gradient[0] == pytest.approx(base.differences(losses, settings)[0].mean())


def _result(gradient, loss, non_finite, square):
    from learned.outer_training.task_pool import Result

    return Result("t", "f", base.Estimate(gradient, loss, non_finite, 10, square=square))


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"groups": 3, "pairs": 8}, "groups is 3: allowed is a number that divides the number of pairs, 8"),
        ({"groups": 0}, "groups 0: allowed is an integer from 1 to"),
        ({"groups": 2, "estimator": "es_full"}, "groups 2 with estimator 'es_full': .* pes, es_single"),
    ],
)
def test_what_is_refused(changed, message):
    with pytest.raises(ConfigError, match=message):
        Options("mlp", **changed)
