"""The mathematics of tools/experiments/: what is conserved, and variances against their formulas."""

import numpy as np
import pytest

from tools.experiments import implicit_regularisation as valley
from tools.experiments import sharp_function


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam"])
def test_rules_by_hand_keep_the_position_along_the_valley(name):
    from taskset.optimizers import adaptive, descent

    rule = {"sgd": descent.sgd(0.1), "momentum": descent.momentum(0.02), "adam": adaptive.adam(0.02)}[name]
    points = valley.trajectories(rule, valley.circle(1.0, 5), steps=60)
    assert points.shape == (61, 5, 2)
    np.testing.assert_allclose(valley.along(points), np.broadcast_to(valley.along(points[0]), (61, 5)), atol=2e-6)
    if name == "sgd":  # each step shrinks x - y by 1 - 2 lr
        across = points @ np.array([1.0, -1.0])
        np.testing.assert_allclose(across[20], across[0] * 0.8**20, rtol=1e-3)


def test_a_penalty_moves_it_to_the_origin_and_layouts_agree_for_rules_by_hand():
    from taskset.optimizers import adaptive

    rule, starts = adaptive.adam8p(0.05, l2=0.1), valley.circle(1.0, 5)
    one, two = (valley.trajectories(rule, starts, layout, 60) for layout in (valley.ONE, valley.TWO))
    np.testing.assert_allclose(one, two, atol=1e-6)
    assert np.all(np.abs(valley.along(one[-1])) < 0.9 * np.abs(valley.along(starts)))


def test_no_start_is_the_image_of_another():
    starts = valley.circle(1.0)
    x, y = starts.T
    for image in ((-x, -y), (y, x), (-y, -x)):
        distances = np.linalg.norm(starts[:, None] - np.stack(image, axis=1)[None], axis=-1)
        assert distances.min() > 0.02
    assert np.abs(valley.along(starts)).min() > 0.05


@pytest.mark.parametrize("w, sigma", [(0.0, 0.1), (200.0, 0.001), (200.0, 0.01), (200.0, 0.1), (5.0, 0.3)])
def test_variances_follow_their_formulas(w, sigma):
    found = [x.var(ddof=1) for x in sharp_function.estimates(sigma, w, pairs=200_000)]
    np.testing.assert_allclose(found, sharp_function.variances(sigma, w), rtol=0.04, atol=1e-20)
    if w == 0:
        np.testing.assert_allclose(sharp_function.variances(sigma, w)[0], 2 * sharp_function.THETA**2)
