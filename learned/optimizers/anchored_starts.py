"""Weights with which `anchored` is a hand-designed rule with a schedule: where its outer training can start.

    p <- p - rate level(t / T) s d

d: NAdam's direction, or that direction over its RMS; s: 1, or the size of the tensor's parameters.

`anchored` reads the fraction of the run as nine steps tanh(10 (t / T - tau)). One unit of the controller's hidden layer for each,
which is linear where it can be, makes a piecewise smooth logarithm of the rate out of them, by least squares.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from learned.optimizers import anchored, tensorwise
from learned.types import Arrays

LOWEST = 0.01  # of `level` that is followed: its logarithm has no end
NEARLY = 0.99  # the share of the normalised direction, where it is wanted
RIDGE = 1e-4  # on the fitted weights, which outer training is to move from
POINTS = 400


def constant(fraction: np.ndarray) -> np.ndarray:
    """1."""
    return np.ones_like(fraction)


def linear(fraction: np.ndarray) -> np.ndarray:
    """1 - t / T."""
    return 1 - fraction


def flat_then_cosine(fraction: np.ndarray) -> np.ndarray:
    """1 until half of the run, then half a cosine down to 0."""
    return np.where(fraction < 0.5, 1.0, (1 + np.cos(2 * np.pi * (fraction - 0.5))) / 2)


LEVELS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "constant": constant,
    "linear": linear,
    "flat, cosine": flat_then_cosine,
}


def scheduled(
    rate: float, level: str = "linear", normalised: bool = False, scaled: bool = False, seed: int = 0, length: float = 0.0
) -> Arrays:
    """{path: float32 array} for `anchored`.

    rate: learning rate at the start of a run of 2,000 steps, relative to the size of the parameters where `scaled`; of T steps:
    (T / 2000)^length times as large. level: of LEVELS.
    seed: of the hidden weights that the schedule doesn't use; their outputs are 0, as are those of the network of directions.
    Within 10 % of the rule until nine tenths of a run, and no lower than a two-hundredth of the rate after that.
    """
    weights = {path: np.array(w) for path, w in anchored.anchored().init_theta(seed).items()}
    taus = np.array(tensorwise.FRACTIONS)
    fraction = np.arange(POINTS) / POINTS
    wanted = (math.log(rate / tensorwise.RATE) + np.log(np.maximum(LEVELS[level](fraction), LOWEST))) / 3
    units = np.tanh(10 * (fraction[:, None] - taus)) + 1
    outputs, bias = _fit(units, wanted)
    count = len(taus)
    weights["controller/linear_0/w"][:, :count] = 0
    weights["controller/linear_0/w"][:count, :count] = np.eye(count)
    weights["controller/linear_0/b"][:count] = 1  # tanh + 1 is never below 0, where a ReLU would cut it off
    weights["controller/linear_1/w"][:count, 0] = outputs
    weights["controller/linear_1/b"][:] = bias, (_logit(NEARLY) - _logit(tensorwise.NORMALISED)) / 3 if normalised else 0.0
    weights["length"] = np.float32(length / 3)
    weights["power"] = np.float32(1 / 3 if scaled else 0.0)
    return {path: np.asarray(w, np.float32) for path, w in weights.items()}


def _fit(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
    """(w, b) of the least mean (x w + b - y)^2 + RIDGE |w|^2."""
    mean = x.mean(axis=0)
    centred = x - mean
    w = np.linalg.solve(centred.T @ centred / len(x) + RIDGE * np.eye(x.shape[1]), centred.T @ (y - y.mean()) / len(x))
    return w, float(y.mean() - mean @ w)


def _logit(share: float) -> float:
    return math.log(share / (1 - share))
