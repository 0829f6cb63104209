"""The outer optimizer: AdamW, clipping and schedules against an independent one, entry by entry."""

import math

import numpy as np
import pytest

from learned.estimators import base
from learned.outer_training import outer_optimizer
from learned.outer_training.task_pool import Result
from taskset.errors import TasksetError
from tests.learned.trainings import options, suite, trainer


class Known:
    """Places whose gradients are known; everything else of them is made up."""

    def estimates(self, numbers, outer_step, theta):
        rng = np.random.default_rng(outer_step)
        return [Result("t", "f", base.Estimate(rng.normal(size=theta.size), 1.0, 0, 10)) for _ in numbers]

    def dump(self):
        return {}

    def saved(self):
        pass


def twin(x, gradients, rate_of, clip, weight_decay):
    """AdamW as in Loshchilov and Hutter, algorithm 2, with lists of Python numbers."""
    size = len(x)
    x, m, v, b1, b2 = list(x), [0.0] * size, [0.0] * size, 0.9, 0.999
    for t, gradient in enumerate(gradients, 1):
        g, rate = clip(list(gradient)), rate_of(t)
        for i in range(size):
            m[i] = b1 * m[i] + (1 - b1) * g[i]
            v[i] = b2 * v[i] + (1 - b2) * g[i] ** 2
            step = m[i] / (1 - b1**t) / (math.sqrt(v[i] / (1 - b2**t)) + 1e-8)
            x[i] = x[i] - rate * (step + weight_decay * x[i])
    return np.array(x)


def by_entries(g):
    return [max(-0.3, min(0.3, each)) for each in g]


def by_norm(g):
    norm = math.sqrt(sum(each * each for each in g))
    return [each * min(1.0, 0.3 / norm) for each in g]


@pytest.mark.parametrize(
    "clipping, clip, weight_decay", [("entries", by_entries, 0.0), ("entries", by_entries, 0.1), ("norm", by_norm, 0.1)]
)
def test_a_training_is_adamw_with_warm_up_and_cosine(tmp_path, clipping, clip, weight_decay):
    changes = {"clipping": clipping, "clip": 0.3, "weight_decay": weight_decay, "schedule": "cosine", "schedule_steps": 12}
    made = trainer(tmp_path, suite(), options(warm_up=4, learning_rate=0.2, **changes), Known())
    start, gradients, lines = made.x.copy(), [], []
    for step in range(15):
        rng = np.random.default_rng(step)
        gradients.append((rng.normal(size=start.size) + rng.normal(size=start.size)) / 2)

    def rate(t):
        rising = min(1.0, t / 5)
        done = min(max(t - 1 - 4, 0) / 8, 1.0)
        return 0.2 * rising * (0.1 + 0.9 * (1 + math.cos(math.pi * done)) / 2)

    made.train(15, save_every=100, report=lines.append)
    np.testing.assert_allclose(made.x, twin(start, gradients, rate, clip, weight_decay), rtol=1e-12)
    assert [line["learning_rate"] for line in lines] == pytest.approx([rate(t) for t in range(1, 16)], rel=1e-12)
    assert lines[4]["learning_rate"] == pytest.approx(0.2) and lines[-1]["learning_rate"] == pytest.approx(0.02)
    if clipping == "norm":
        assert [line["clipped_share"] for line in lines] == [line["gradient_norm"] > 0.3 for line in lines]


def test_norms_below_the_bound_stay():
    g = np.array([0.3, -0.4])
    assert outer_optimizer.clip_norm(g, 0.5) is g
    np.testing.assert_allclose(outer_optimizer.clip_norm(g, 0.25), [0.15, -0.2])
    np.testing.assert_array_equal(outer_optimizer.clip_norm(np.zeros(2), 0.1), 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"clipping": "values"}, {"weight_decay": -1.0}, {"schedule": "linear"}, {"schedule_steps": 9},
        {"schedule": "cosine", "schedule_steps": 3}, {"differences": "rms", "estimator": "bptt"},
        {"differences": "sign", "estimator": "combined"},
    ],
)  # fmt: skip
def test_bad_options_are_one_line(changes):
    with pytest.raises(TasksetError, match="llowed") as error:
        options(**changes)
    assert "\n" not in str(error.value)
