"""The second view: how many steps the best Adam takes to the loss that a learned optimizer ends with.

    envelope    the lowest, over learning rates, of the mean curve over seeds, at each evaluation: no single rate is as low
    smoothed    its moving average with decay .95 over evaluations (bias-corrected: no weight on what was before the first)
    monotone    the lowest so far
    steps       where that first reaches the loss, linearly between evaluations

The learned optimizer's curve goes through the same smoothing. A speed-up is those steps / its own horizon.

`relative_speed` looks from both sides, so that it needs no curves that are longer than the optimizer's: it is the ratio of the
steps that both take to the lowest loss that both reach.

The moving average has a memory of 20 evaluations, whatever the curve. It makes speed-ups smaller: a run that is twice as fast at
everything has one of 1.3 to 1.7, as its average still contains the start when it is low already.
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


def blew_up(curve: np.ndarray) -> bool:
    """Whether a run, a curve [points], has diverged, or ends further above its start than it ever was below."""
    return not np.isfinite(curve).all() or bool(curve[-1] - curve[0] > curve[0] - np.min(curve))


def speed_up(curve: np.ndarray, horizon: int, steps: np.ndarray, adam: ArrayLike) -> float:
    """Steps that the best Adam takes to where `curve` [points] ends, over `horizon`.

    adam: mean curves [rates, points] at `steps`, which may go beyond the horizon. Adam's steps are at least one interval between
    evaluations. 0 for a curve that `blew_up`; inf where no Adam gets there.
    """
    if blew_up(curve):
        return 0.0
    return max(steps_to(smoothed(curve)[-1], steps, envelope(adam)), _first(steps)) / horizon


def relative_speed(curve: np.ndarray, steps: np.ndarray, adam: ArrayLike) -> float:
    """How many times as fast as Adam a run of as many steps is, to the lowest loss that both reach: Adam's steps / its own.

    curve: [points] at `steps`; adam: [rates, points]. Both go through `smoothed`, and the one that ends higher sets the loss. 1
    for two equal curves; 0 for a curve that `blew_up` or never falls below its start. 1, too, for a curve that falls where no
    Adam does: the start is all that both reach.
    """
    if blew_up(curve):
        return 0.0
    mine, theirs = smoothed(curve), envelope(adam)
    if mine[-1] >= mine[0]:
        return 0.0
    first, loss = _first(steps), max(mine[-1], theirs[-1])
    return max(steps_to(loss, steps, theirs), first) / max(steps_to(loss, steps, mine), first)


def _first(steps: np.ndarray) -> float:
    """The step of the first evaluation after the start: no curve says what happened before it."""
    return float(steps[1])
