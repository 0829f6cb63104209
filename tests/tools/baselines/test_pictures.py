"""What the pictures of docs/baselines.md count, on frames that are known; and that they can be drawn."""

import numpy as np
import pandas as pd
import pytest

from taskset.samplers.optimizers import LOG10_LEARNING_RATES
from tools.baselines import page, pictures

EVERY = list(LOG10_LEARNING_RATES)


def means(settings):
    """Curves of settings (task, family, horizon, rates, points, level): `level` from the first point on, at `points` steps."""
    rows = [
        (family, task, "none", horizon, round(horizon * i / points), rate, level if i else 1.0, EVERY[9])
        for task, family, horizon, rates, points, level in settings
        for rate in rates
        for i in range(points + 1)
    ]
    frame = pd.DataFrame(rows, columns=[*pictures.SETTING, "step", "rate", "normalized", "best_rate"])
    return frame.astype(dict.fromkeys(("family", "task", "source"), "category"))


def runs(settings):
    """Two runs a rate of settings (task, family, horizon, rates, rates that diverge)."""
    rows = [
        (family, task, "none", horizon, seed, rate in bad, rate)
        for task, family, horizon, rates, bad in settings
        for rate in rates
        for seed in range(2)
    ]
    frame = pd.DataFrame(rows, columns=[*pictures.SETTING, "seed", "diverged", "rate"])
    return frame.astype(dict.fromkeys(("family", "task", "source"), "category"))


@pytest.fixture
def frames():
    """In family f, a and b have all rates, c has nine, and d, which always diverges, has no normalizer."""
    whole = [("a", "f", 2000, EVERY, 4, 0.2), ("b", "f", 2000, EVERY, 4, 0.4), ("c", "f", 1000, EVERY[4:13], 4, 0.9)]
    high = EVERY[-1:]
    ran = [("a", "f", 2000, EVERY, high), ("b", "f", 2000, EVERY, []), ("c", "f", 1000, EVERY[4:13], EVERY[4:13])]
    return means(whole), runs([*ran, ("d", "f", 2000, EVERY, EVERY)])


def test_pictures_show_settings_with_all_rates_and_a_normalizer(frames):
    curves, ran = pictures.shown(*frames)
    assert set(curves["task"]) == set(ran["task"]) == {"a", "b"}
    assert pictures.counts(curves) == pictures.counts(ran) == {"f": 2}
    assert set(pictures.counts(frames[0]).values()) == {3}
    said = page.left_out(*frames)
    assert "1 (f 1) were swept with fewer rates" in said and "1 (f 1) have no normalizer, and 100.0% of their runs" in said
    assert page.left_out(curves, ran) == ""


def test_a_share_does_not_change_with_the_settings_behind_it(frames):
    curves, ran = pictures.shown(*frames)
    hits, total = pictures.diverged_counts(ran)
    assert total.tolist() == [[4] * 17] and hits.tolist() == [[0] * 16 + [2]]
    hits, total = pictures.best_counts(curves)
    assert total.tolist() == [[2] * 17] and hits[0, 9] == hits.sum() == 2


def test_a_median_is_of_the_same_settings_at_every_point():
    same = pictures.medians(means([("a", "f", 2000, EVERY, 4, 0.2), ("b", "f", 10000, EVERY, 4, 0.4)]))
    assert same.index.tolist() == [0, 0.25, 0.5, 0.75, 1] and list(same.columns) == EVERY
    np.testing.assert_allclose(same.loc[0.25:], 0.3)
    # One with half the evaluations: it would pull every other point.
    fewer = pictures.medians(means([("a", "f", 2000, EVERY, 4, 0.2), ("b", "f", 10000, EVERY, 2, 0.4)]))
    assert fewer.index.tolist() == [0, 0.5, 1]
    np.testing.assert_allclose(fewer.loc[0.5:], 0.3)


def test_the_curve_of_the_best_rate_is_black_and_named(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(pictures, "save", lambda figure, path: drawn.append(figure))
    found = means([("a", "f", 2000, EVERY, 4, 0.4)])
    found.loc[(found["rate"] == -2.5) & (found["step"] > 0), "normalized"] = 0.1
    pictures.curves(found, tmp_path / "curves.png")
    (axes, bar) = drawn[0].axes
    (best,) = [line for line in axes.get_lines() if line.get_color() == "black"]
    assert best.get_ydata()[-1] == 0.1 and best is axes.get_lines()[-1] and len(axes.get_lines()) == len(EVERY)
    assert axes.get_title() == "f (1): 10^-2.5" and bar.get_xlim() == pictures.COLOURED


def test_pictures_of_few_and_of_many_settings(tmp_path, frames):
    many = [(f"g{i}", "g", 2000, EVERY, 4, i / 40) for i in range(pictures.MANY)]
    curves = pd.concat([pictures.shown(*frames)[0].astype({"family": str}), means(many).astype({"family": str})])
    curves = curves.assign(source="none", task=curves["task"].astype(str))
    ran = runs([(task, family, horizon, rates, []) for task, family, horizon, rates, *_ in many])
    pictures.profiles(curves, tmp_path / "profiles.png")
    pictures.best_rates(curves, tmp_path / "best.png")
    pictures.diverged(ran, tmp_path / "diverged.png")
    pictures.curves(curves, tmp_path / "curves.png")
    assert len([path for path in tmp_path.iterdir() if path.stat().st_size > 5000]) == 4
