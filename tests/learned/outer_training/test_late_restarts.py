"""Episodes that are resumed at their end with a longer length."""

import numpy as np
import pytest

from learned import estimators
from learned.estimators import base, episodes
from learned.outer_training.length_schedules import Resumed
from learned.outer_training.task_pool import TaskPool
from taskset.errors import ConfigError
from taskset.random import seeds
from tests.learned.problems import multiplicative_problem
from tests.learned.trainings import NAMES, check_equal, fresh, options, suite, trainer


class NoUnroll:
    """Draws nothing: episodes alone."""

    pairs, steps = 200, 10

    def fresh(self, drawn):
        return {}

    def raw(self, pieces):
        assert all(sum(count for _, _, count in parts) == self.steps for parts in pieces)
        return {}


@pytest.mark.parametrize("name", ["pes", "es_single", "es_truncated"])
def test_a_resumed_episode_is_the_longer_one(name):
    """Episodes of 7 steps, resumed up to 14, give the estimates of episodes of 14, to the last bit."""
    found = {}
    for length, resumed in ((14, base.never), (7, lambda rng, lengths: np.where(lengths == 7, 14, lengths))):
        made = estimators.get(name)(multiplicative_problem(), base.Settings(pairs=3, steps=4, resumed=resumed), mode="graph_loop")
        state, rows = made.init(1), []
        for _ in range(8):
            estimate, state = made.estimate(
                multiplicative_problem().theta(0), state, lambda rng, n, length=length: np.full(n, length)
            )
            rows.append((estimate.loss, *estimate.gradient))
        found[length] = np.array(rows)
    np.testing.assert_array_equal(found[7], found[14])
    assert len({row[0] for row in found[7]}) > 4


def test_most_steps_are_late_ones_and_the_longest_starts_from_the_beginning():
    late, early = [], []
    for share, seen in ((0.8, late), (0.0, early)):
        state = episodes.start(3, NoUnroll.pairs)
        resumed = Resumed(share, 1000)
        for _ in range(300):
            truncation = episodes.next_truncation(
                NoUnroll(),
                state,
                lambda rng, n: np.exp(rng.uniform(np.log(50), np.log(1000), n)).astype(int),
                base.spread,
                resumed,
            )
            state = truncation.after
            assert (state["length"] <= 1000).all() and (state["steps"] <= state["length"]).all()
            assert (truncation.horizons[:, 0] >= truncation.first).all()
            seen.append(state["steps"].copy())
    late, early = np.concatenate(late[100:]), np.concatenate(early[100:])
    assert np.mean(late > 300) > 1.3 * np.mean(early > 300)
    assert np.mean(late < 100) > 0.05  # and beginnings are still seen


def test_lengths_of_resumed_episodes():
    lengths = np.full(4000, 100, np.int32)
    found = Resumed(0.8, 1000)(seeds.generator(0, "test"), lengths)
    longer = found[found > 100]
    assert np.mean(found > 100) == pytest.approx(0.8, abs=0.03) and found.max() <= 1000
    assert np.mean(longer < np.sqrt(100 * 1000)) == pytest.approx(0.5, abs=0.03)
    full = np.full(10, 1000, np.int32)
    np.testing.assert_array_equal(Resumed(0.8, 1000)(seeds.generator(0, "test"), full), full)


def test_the_horizon_grows_with_the_episode():
    unroll, state = NoUnroll(), episodes.start(3, NoUnroll.pairs)
    for _ in range(2):
        truncation = episodes.next_truncation(
            unroll, state, lambda rng, n: np.full(n, 15), base.together, lambda rng, lengths: np.where(lengths == 15, 25, lengths)
        )
        state = truncation.after
    assert (truncation.horizons[:, 0] == 25).all() and (truncation.reset_at == unroll.steps).all()


def test_an_episode_that_ends_with_a_truncation_is_resumed_within_it():
    """Or its pair would count as finished in between, and its task would be exchanged before the next truncation."""
    state, seen = episodes.start(3, NoUnroll.pairs), []
    for _ in range(4):
        state = episodes.next_truncation(
            NoUnroll(), state, lambda rng, n: np.full(n, 20), base.together, lambda rng, lengths: np.where(lengths == 20, 30, 40)
        ).after
        seen.append((state["number"][0], state["steps"][0], state["length"][0]))
    assert seen == [(1, 10, 20), (1, 20, 30), (1, 30, 40), (1, 40, 40)]


def test_a_training_with_late_restarts_resumes_bit_for_bit(tmp_path):
    chosen, whole = options(late_restarts=0.8, lengths="log_uniform:5:40", slots=2), suite(NAMES[1:])
    pool = TaskPool(whole, chosen)
    trainer(tmp_path / "a", whole, chosen, fresh(pool)).train(12)
    trainer(tmp_path / "b", whole, chosen, fresh(pool)).train(7, save_every=5)
    trainer(tmp_path / "b", whole, chosen, fresh(pool)).train(12)
    check_equal(tmp_path / "a", tmp_path / "b")


@pytest.mark.parametrize(
    "changes", [{"late_restarts": 1.0}, {"late_restarts": 0.5, "lengths": "20"}, {"late_restarts": 0.5, "estimator": "es_full"}]
)
def test_what_is_not_allowed_is_one_line(changes):
    with pytest.raises(ConfigError, match="llowed"):
        options(**changes)


def test_any_longest_length():
    """NumPy's logarithm of 94,869 is larger than Python's in its last bit."""
    for longest in (94869, 136085, 287549):
        lengths = np.full(16, longest, np.int32)
        np.testing.assert_array_equal(Resumed(0.8, longest)(seeds.generator(0, "test"), lengths), lengths)
