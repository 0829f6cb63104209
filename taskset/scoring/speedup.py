"""The second view: how many steps the best Adam takes to the loss that a learned optimizer ends with.

    envelope    the lowest, over learning rates, of the mean curve over seeds, at each evaluation
    smoothed    its moving average with decay .95 over evaluations (bias-corrected: no weight on what was before the first)
    monotone    the lowest so far
    steps       where that first reaches the loss, linearly between evaluations

The learned optimizer's curve goes through the same smoothing. A speed-up is those steps / its own horizon.

`relative_speed` looks from both sides, so that it needs no curves that are longer than the optimizer's: where it ends lower than
the best Adam, the speed-up is the horizon / the steps that it takes to where Adam ends.
"""

import numpy as np
from numpy.typing import ArrayLike

DECAY = 0.95


def smoothed(curve: ArrayLike) -> np.ndarray:
    """The lowest so far of the moving average of a curve [points]."""
    average, weight = 0.0, 0.0
    out: list[float] = []
    for x in np.asarray(curve, np.float64):
        average, weight = DECAY * average + (1 - DECAY) * x, DECAY * weight + 1 - DECAY
        out.append(average / weight)
    return np.minimum.accumulate(out)


def envelope(curves: ArrayLike) -> np.ndarray:
    """[rates, points], NaN once diverged -> [points], `smoothed`."""
    curves = np.asarray(curves, np.float64)
    return smoothed(np.where(np.isfinite(curves), curves, np.inf).min(axis=0))


def steps_to(loss: float, steps: np.ndarray, monotone: np.ndarray) -> float:
    """The first step at which `monotone` [points], at `steps` [points], is down to `loss`; inf where it never is."""
    below = np.flatnonzero(monotone <= loss)
    if not len(below):
        return np.inf
    i = below[0]
    if i == 0 or not np.isfinite(monotone[i - 1]):
        return float(steps[i])
    share = (monotone[i - 1] - loss) / (monotone[i - 1] - monotone[i])
    return float(steps[i - 1] + share * (steps[i] - steps[i - 1]))


def speed_up(curve: np.ndarray, horizon: int, steps: np.ndarray, adam: ArrayLike) -> float:
    """Steps that the best Adam takes to where `curve` [points] ends, over `horizon`.

    adam: mean curves [rates, points] at `steps`, which may go beyond the horizon. 0 for a curve that has diverged; inf where no
    Adam gets there.
    """
    if not np.isfinite(curve).all():
        return 0.0
    return steps_to(smoothed(curve)[-1], steps, envelope(adam)) / horizon


def relative_speed(curve: np.ndarray, steps: np.ndarray, adam: ArrayLike) -> float:
    """How many times as fast as the best Adam a run of as many steps is: below 1 where Adam ends lower, above where the run does.

    curve: [points] at `steps`; adam: [rates, points]. Both go through `smoothed`; the one that ends higher sets the loss to be
    reached. 0 for a curve that has diverged.
    """
    if not np.isfinite(curve).all():
        return 0.0
    mine, theirs, horizon = smoothed(curve), envelope(adam), float(steps[-1])
    first = float(steps[1])  # no curve says what happened before
    if mine[-1] > theirs[-1]:
        return max(steps_to(mine[-1], steps, theirs), first) / horizon
    return horizon / max(steps_to(theirs[-1], steps, mine), first)
