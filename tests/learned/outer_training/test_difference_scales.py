"""Differences divided by their running size: on made-up losses, and across a resumption."""

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

from learned.estimators import base
from learned.outer_training import trainer as outer
from learned.outer_training.difference_scales import DifferenceScales
from learned.outer_training.task_pool import Result
from taskset.errors import ConfigError, StoreError, TasksetError
from tests.learned.trainings import NAMES, MadeUpPlaces, arrays_of, check_equal, options, suite, trainer

SIGMA = 0.01


def test_the_running_root_mean_square():
    """Against the weighted mean written out: weights d^age, normalized."""
    scales, squares = DifferenceScales(), [4.0, 1.0, 9.0, float("nan"), 0.25]
    found = [scales.update("a", square) for square in squares]
    finite = [square for square in squares if np.isfinite(square)]
    for count, r in zip((1, 2, 3, 3, 4), found):
        weights = 0.95 ** np.arange(count)[::-1]
        assert r == pytest.approx(np.sqrt(weights @ finite[:count] / weights.sum()))
    assert scales.update("b", 1e-10) == pytest.approx(1e-5)  # each task has its own
    assert scales.update("c", float("nan")) == 0 and scales.update("c", 0.0) == 0


def test_the_mean_square_of_differences():
    losses = np.array([[[1.0, 2.0, np.nan], [0.5, 2.0, 1.0]], [[0.0, 3.0, 1.0], [0.5, 1.0, 1.0]]])  # [K=2, sign, N=3]
    assert base.mean_square(losses) == pytest.approx((0.0**2 + 1.0**2) / 2)
    assert np.isnan(base.mean_square(losses[:, :, 2:]))


def test_differences_before_and_after_a_reset_do_not_cancel():
    losses = np.zeros([4, 2, 3])  # [K, sign, N]
    losses[0, 0], losses[3, 1, :2], losses[3, 1, 2] = 2.0, 2.0, np.inf
    old = np.arange(4)[:, None] < np.array([2, 4, 2])
    assert base.mean_square(losses[:, :, :2]) == 0
    assert base.mean_square_at_resets(losses[:, :, :1], old[:, :1]) == pytest.approx(0.5**2 + 0.5**2)
    assert base.mean_square_at_resets(losses, old) == pytest.approx((0.5**2 + 0.5**2 + 0) / 2)  # the second has no reset
    assert np.isnan(base.mean_square_at_resets(losses[:, :, 2:], old[:, 2:]))


class MadeUp(MadeUpPlaces):
    """Pairs with made-up losses, those of each task in units of its own; estimates as `es_full` makes them."""

    units = MappingProxyType({NAMES[0]: 1e-4, NAMES[1]: 1.0, NAMES[2]: 3e3})

    def __init__(self):
        self.squares = {}  # {(outer step, task): mean of D^2}

    def estimates(self, numbers, outer_step, theta):
        found = []
        for number in numbers:
            rng, task = np.random.default_rng([outer_step, number]), NAMES[number]
            e, losses = SIGMA * rng.normal(size=(5, theta.size)), self.units[task] * rng.normal(size=(4, 2, 5))
            settings = base.Settings(pairs=5, steps=4, sigma=SIGMA)
            d, _ = base.differences(losses, settings)
            gradient = d @ e / (2 * SIGMA**2 * 5)
            self.squares[outer_step, task] = base.mean_square(losses)
            estimate = base.Estimate(gradient, 1.0, 0, 40, square=self.squares[outer_step, task])
            found.append(Result(task, "f", estimate))
        return found


class OtherUnits(MadeUp):
    units = MappingProxyType({name: unit * 1000 for name, unit in MadeUp.units.items()})


def made(directory, pool, differences="rms"):
    return trainer(directory, suite(), options(differences=differences, sigma=SIGMA, clip=1e6), pool)


def test_units_of_a_task_do_not_matter_and_tasks_weigh_alike(tmp_path):
    pool, lines = MadeUp(), []
    ours, theirs = made(tmp_path / "a", pool), made(tmp_path / "b", OtherUnits())
    ours.train(6, report=lines.append)
    theirs.train(6)
    np.testing.assert_allclose(ours.x, theirs.x, rtol=1e-9)
    sizes = [line["gradient_norm"] for line in lines]
    assert all(0.1 < size < 3 for size in sizes)  # of the size of e / (2 sigma), as with the sign
    plain = made(tmp_path / "d", MadeUp(), "value")
    plain.train(6, report=lines.append)
    assert max(line["gradient_norm"] for line in lines[6:]) > 1e3
    for line in lines[0]["tasks"]:  # a first estimate has no other to be averaged with
        assert line["difference_rms"] == pytest.approx(np.sqrt(pool.squares[0, line["task"]]))


class WithoutSquares(MadeUp):
    def estimates(self, numbers, outer_step, theta):
        found = super().estimates(numbers, outer_step, theta)
        return [replace(one, estimate=replace(one.estimate, square=float("nan"))) for one in found]


def test_an_estimator_that_does_not_say_how_large_its_differences_are(tmp_path):
    made(tmp_path / "a", WithoutSquares(), "value").train(1)
    with pytest.raises(ConfigError, match=r"differences rms: the estimator 'pes' gives no Estimate\.square"):
        made(tmp_path / "b", WithoutSquares()).train(1)


class Exploding(MadeUp):
    def estimates(self, numbers, outer_step, theta):
        found = super().estimates(numbers, outer_step, theta)
        if outer_step == 5:
            found[0].estimate.gradient[0] = np.nan
        return found


def test_a_gradient_that_is_not_finite_ends_the_training_and_is_not_saved(tmp_path):
    with pytest.raises(TasksetError, match="gradient of outer step 6 is not finite, from .* stays as it was last saved"):
        made(tmp_path / "a", Exploding(), "value").train(9, save_every=4)
    again = made(tmp_path / "a", MadeUp(), "value")
    assert again.step == 4
    again.train(9, save_every=4)
    made(tmp_path / "b", MadeUp(), "value").train(9, save_every=4)
    check_equal(tmp_path / "a", tmp_path / "b")


def test_resuming_keeps_the_sizes(tmp_path):
    made(tmp_path / "a", MadeUp()).train(9, save_every=4)
    made(tmp_path / "b", MadeUp()).train(5, save_every=4)
    made(tmp_path / "b", MadeUp()).train(9, save_every=4)
    check_equal(tmp_path / "a", tmp_path / "b")
    assert set(arrays_of(tmp_path / "a")[0]["differences"]) == set(NAMES)


@pytest.mark.parametrize(
    "wrong", [{"x": [1, 1.0]}, {NAMES[0]: [0, 1.0]}, {NAMES[0]: [1, -1.0]}, {NAMES[0]: [1, float("nan")]}, {NAMES[0]: 3}]
)
def test_a_checkpoint_with_wrong_sizes_is_one_line(tmp_path, wrong):
    from learned.outer_training import checkpoint

    made(tmp_path, MadeUp()).train(2)
    found = checkpoint.load(tmp_path / outer.LATEST)
    checkpoint.save(tmp_path / outer.LATEST, {**found.meta, "differences": wrong}, found.arrays)
    with pytest.raises(StoreError, match="damaged") as error:
        made(tmp_path, MadeUp())
    assert "\n" not in str(error.value)
