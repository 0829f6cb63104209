"""Step sizes for each tensor: what a controller of them reads, and how it sets them. Shared by `anchored` and `anchored_muon`.

All tensors of a task lie in one vector of N numbers, in the order of `features.tensor_order`; numbers of each tensor come from
sums over its part of the vector. The features of time and of the loss are those of VeLO (Metz et al. 2022, arXiv 2211.09760) on
the fraction of the run instead of absolute time; a controller for each tensor is Celo's (Moudgil et al. 2025, arXiv 2501.12670).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf

from learned.optimizers import features, network
from learned.types import Params, Tree

Pairs: TypeAlias = "Sequence[tuple[tf.Tensor, tf.Tensor]]"  # of vectors [N]

RATE, NORMALISED = 0.01, 0.05  # at the start: the learning rate, and the share of the normalised direction
EPSILON = 1e-9  # beside root mean squares
LARGEST = 1e12  # gradients are clipped at it: their squares still have a finite sum in float32
WIDEST = 10.0  # bound of the logarithm of a step: more than ln 1000, so that steps can follow parameters of any scale
HIDDEN = 16  # units of the controller
FRACTIONS = (0.03, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 1.1)  # of the run
MOST_LOSS = 1e30  # larger ones, whose sums could overflow in float32, count as not finite
TRENDS, SHORTEST = 6, 10.0  # averages of the loss; the half-life of the fastest, in steps
READ = len(FRACTIONS) + TRENDS - 1 + 11  # numbers that a controller reads
SIZE_READ = READ - 5  # which of them is a third of the logarithm of the tensor's size
V_DECAYS = (0.95, 0.999)
USUAL_STEPS = 2000.0  # a run of so many has the same steps whatever `length` is
ROW, LARGE = 64, 2**16  # numbers that `products_alone` adds at once; of a tensor that has sums of its own
SHARED = 0.1  # the size of a tensor counts as at least about this share of that of all parameters
NOTHING = 1e-10  # of the usual mean square: parameters below it are at 0


def sizes(params: Params) -> list[int]:
    """The number of entries of each tensor, in order."""
    return [params[path].shape.num_elements() for path in features.tensor_order(params)]


def vector(tensors: Params) -> tf.Tensor:
    """{path: tensor} -> [N]."""
    return tf.concat([tf.reshape(tensors[path], [-1]) for path in features.tensor_order(tensors)], 0)


def means(x: tf.Tensor, sizes: Sequence[int]) -> tf.Tensor:
    """The mean of each row of x [k, N] over each tensor: [k, tensors]."""
    parts = tf.split(x, sizes, axis=1)
    # A product with ones: on a CPU, XLA sums a row one number after the other, in a product many at once.
    return tf.concat([tf.matmul(part, tf.fill([n, 1], tf.constant(1 / n, x.dtype))) for part, n in zip(parts, sizes)], 1)


def products(pairs: Pairs, sizes: Sequence[int]) -> tf.Tensor:
    """The mean of x y over each tensor, for pairs of vectors [N]: [pairs, tensors]."""
    return means(tf.stack([tf.square(x) if x is y else x * y for x, y in pairs]), sizes)


def products_alone(pairs: Pairs, sizes: Sequence[int]) -> tf.Tensor:
    """`products` for one large model.

    Small tensors are added up together: a sum over each is what XLA would compile, for a minute where there are 80. Numbers are
    added in rows, as products with ones, many at once; one after the other it adds those of a vector.
    """
    runs = _runs(sizes)
    parts = [[tf.split(x, [sum(run) for run in runs]) for x in pair] for pair in pairs]
    sums = [tf.concat([_sums(a * b, _levels(tuple(run))) for a, b, run in zip(x, y, runs)], 0) for x, y in parts]
    return tf.stack(sums) / tf.constant(sizes, pairs[0][0].dtype)


def _runs(sizes):
    """The sizes of tensors that lie one after the other, in runs: those of at least `LARGE` numbers by themselves."""
    runs = []
    for n, before in zip(sizes, [LARGE, *sizes]):
        if max(n, before) < LARGE:
            runs[-1].append(n)
        else:
            runs.append([n])
    return runs


class _Level(NamedTuple):
    """What is added of a vector: at[i] are the places of numbers that belong to tensor i alone, where `valid`; the others are in
    its first `rows` rows of `ROW` numbers, of which the sums are the next level's vector."""

    at: np.ndarray
    valid: np.ndarray
    rows: int


@functools.lru_cache(maxsize=16)
def _levels(sizes):
    """How to add up each of several tensors that lie one after the other: rows that lie in one of them, then rows of their sums.

    A row lies in one tensor, or is cut: then its numbers are added one by one, as are those after the last row. The sums of the
    rows are the next level's vector, in which nobody owns the sums of cut rows. A level ends where no row lies in one tensor, or
    where there are not more rows than tensors.

    Of tensors of 100 and 140 numbers, in rows of 64: row 0 is of the first, row 1 is cut at 100, row 2 is of the second, and 192
    to 239 are no row. Level 0 adds 64 to 99 for the first, and 100 to 127 and 192 to 239 for the second; rows is 3. Level 1 has
    the sums of the three rows: it adds number 0 for the first and number 2 for the second.
    """
    lengths, owners, levels = np.array(sizes), np.arange(len(sizes)), []  # parts of the vector; -1 owns what is counted already
    while len(lengths):
        ends = np.cumsum(lengths)
        rows = ends[-1] // ROW if ends[-1] // ROW > len(sizes) else 0
        first, last = (np.searchsorted(ends, np.arange(rows) * ROW + number, side="right") for number in (0, ROW - 1))
        row_owners = np.where(first == last, owners[first], -1)
        rows = rows if (row_owners >= 0).any() else 0
        cut = np.flatnonzero(first[:rows] != last[:rows])
        places = np.concatenate([(cut[:, None] * ROW + np.arange(ROW)).ravel(), np.arange(rows * ROW, ends[-1])])
        of = owners[np.searchsorted(ends, places, side="right")]
        found = [places[of == tensor] for tensor in range(len(sizes))]
        at = np.zeros((len(sizes), max(map(len, found))), np.int32)
        valid = np.arange(at.shape[1]) < np.array([len(one) for one in found])[:, None]
        at[valid] = np.concatenate(found)
        levels.append(_Level(at, valid, int(rows)))
        starts = np.flatnonzero(np.diff(row_owners[:rows], prepend=-2))
        lengths, owners = np.diff(starts, append=rows), row_owners[starts]
    return levels


def _sums(x, levels):
    """[N] -> the sums over the tensors [tensors]."""
    sums = tf.zeros([len(levels[0].at)], x.dtype)
    for at, valid, rows in levels:
        sums += tf.reduce_sum(tf.where(valid, tf.gather(x, at), tf.zeros([], x.dtype)), 1)
        x = tf.matmul(tf.reshape(x[: rows * ROW], [rows, ROW]), tf.ones([ROW, 1], x.dtype))[:, 0]
    return sums


def spread(values: tf.Tensor, sizes: Sequence[int]) -> tf.Tensor:
    """Numbers of each tensor [tensors] -> [N]."""
    return tf.concat([value * tf.ones([n], values.dtype) for value, n in zip(tf.unstack(values), sizes)], 0)


def inverse_root(mean_square: tf.Tensor) -> tf.Tensor:
    """1 / sqrt(x + 1e-18), of any shape."""
    return tf.math.rsqrt(mean_square + EPSILON**2)


def averages(old: tf.Tensor, new: tf.Tensor, decays: Sequence[float]) -> tf.Tensor:
    """d old + (1 - d) new for each decay d: [decays, ..]; old [decays, ..], new [..]."""
    return features.average(old, new, 1 - np.asarray(decays))


def lacking(decays: Sequence[float], t: tf.Tensor) -> tf.Tensor:
    """1 - d^t [decays]: the sum of the weights of an average that started at 0, after t steps."""
    return -tf.math.expm1(t * tf.constant(np.log(decays), t.dtype))


def noise(decays: Sequence[float], t: tf.Tensor) -> tf.Tensor:
    """Standard deviations [decays] of the bias-corrected m of white noise of variance 1, after t steps:

    sqrt((1 - d) / (1 + d) (1 + d^t) / (1 - d^t))
    """
    d, sums = tf.constant(decays, t.dtype), lacking(decays, t)
    return tf.sqrt((1 - d) / (1 + d) * (2 - sums) / sums)


def trends(old: Tree, loss: tf.Tensor, horizon: tf.Tensor) -> tuple[tf.Tensor, Tree]:
    """(trends of the loss [TRENDS - 1], averages after it); old: "losses" of the state; loss, horizon: scalars.

    Averages a_k with half-lives from 10 steps to the horizon, and their minima b_k:

        clip((a_k - b_k) / (a_(k+1) - b_k) - 1, -1, 1)

    0 where a loss doesn't change by more than rounding. They are averages of the loss less the first one: differences of large
    numbers would be rounding. A loss that isn't finite, or beyond MOST_LOSS, leaves them as they are.
    """
    longest = tf.maximum(horizon / SHORTEST, 1.0)
    half_lives = SHORTEST * longest ** tf.constant(np.arange(TRENDS) / (TRENDS - 1), loss.dtype)
    share = -tf.math.expm1(-math.log(2) / half_lives)  # 1 - exp cancels: in float32 it is 0 for half-lives from 10^7 on
    usable = tf.abs(loss) <= MOST_LOSS
    share = tf.where(usable, share, tf.zeros_like(share))
    loss = tf.where(usable, loss, tf.zeros_like(loss))
    first = tf.where(old["weight"][0] > 0, old["first"], loss)
    mean, weight = old["mean"] + share * (loss - first - old["mean"]), old["weight"] + share * (1 - old["weight"])
    average = mean / tf.maximum(weight, 1e-12)
    least = tf.minimum(old["least"], average)  # the first average is 0, as is where `least` starts
    above, slower = average[:-1] - least[:-1], tf.maximum(average[1:] - least[:-1], 0.0)
    rounding = 1e-6 * (tf.abs(first) + tf.abs(average[:-1]) + tf.abs(average[1:])) + 1e-30
    trend = tf.clip_by_value((above + rounding) / (slower + rounding) - 1, -1.0, 1.0)
    return trend, {"mean": mean, "weight": weight, "least": least, "first": first}


def log(mean_square: tf.Tensor) -> tf.Tensor:
    """log(RMS) / 3 down to RMS = 1e-3, of any shape."""
    return tf.math.log(mean_square + 1e-6) / 6


def shapes(params: Params) -> np.ndarray:
    """log(size) / 5 - 1, whether at most one axis is longer than 1, whether more than two are, log(tensors) - 1: [4, tensors]."""
    columns = []
    for path in features.tensor_order(params):
        axes = sum(n > 1 for n in params[path].shape)
        size = math.log(params[path].shape.num_elements()) / 5 - 1
        columns.append((size, float(axes <= 1), float(axes > 2), math.log(len(params)) - 1))
    return np.array(columns).T


def start(params: Params) -> Tree:
    """The part of the state that belongs to tensors and to the loss, before the first step."""
    dtype, count = next(iter(params.values())).dtype, len(params)
    losses = {name: tf.zeros([TRENDS], dtype) for name in ("mean", "weight", "least")} | {"first": tf.zeros([], dtype)}
    return {"losses": losses, "cosine": tf.zeros([count], dtype), "square": tf.zeros([len(V_DECAYS), count], dtype)}


def usual(params: Params) -> float:
    """The mean square of all parameters where tensors of two or more axes start as usual, with 1 / inputs, and others at 0."""
    return sum(shape[-1] for shape in (w.shape for w in params.values()) if shape.rank > 1) / sum(sizes(params))


def measured(squares: tf.Tensor, params: Params, state: Tree, t: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, Tree]:
    """(s^2 [tensors], the means of v over the tensors, bias-corrected [2, tensors], state after it).

        s^2 = mean p^2 + .01 a + 1e-16,    a = mean of all p^2, or `usual` where that is below 1e-10 `usual`

    The second term moves tensors, and whole models, that start at 0. Parameters that are merely small keep their own size: steps
    are relative to it. squares: the means of g^2, p^2, g m and m^2 over the tensors [4, tensors], m before the step; t: steps
    with this one.
    """
    counts = sizes(params)
    of_all = tf.matmul(squares[1:2], tf.constant(np.array(counts)[:, None] / sum(counts), squares.dtype))[0]
    at_start = tf.constant(usual(params), of_all.dtype)
    of_all = tf.where(of_all < NOTHING * at_start, at_start, of_all)
    s_square = squares[1] + SHARED**2 * of_all + 1e-16
    square = averages(state["square"], squares[0], V_DECAYS)
    cosine = squares[2] * inverse_root(squares[0]) * inverse_root(squares[3])
    after = {"square": square, "cosine": state["cosine"] + 0.1 * (cosine - state["cosine"])}
    return s_square, square / lacking(V_DECAYS, t)[:, None], after


def readings(
    params: Params,
    fraction: tf.Tensor,
    trend: tf.Tensor,
    s_square: tf.Tensor,
    corrected: tf.Tensor,
    cosine: tf.Tensor,
    moved: tf.Tensor,
    t: tf.Tensor,
) -> tf.Tensor:
    """What the controller reads [READ, tensors].

    fraction: of the run; trend: of the loss; s_square, corrected: as `measured` returns them; cosine: in the state after it;
    moved: the means of the squares of the direction and of the three m / sqrt(v) over the tensors [4, tensors].

    In this order: fraction of the run (9), trend of the loss (5), cosine of g and m, fast over slow RMS of g, RMS of m / sqrt(v)
    (3), RMS of the direction over s, s, size, whether at most one axis is longer than 1 and whether more than two are, number of
    tensors.
    """
    log_s = tf.math.log(s_square) / 2
    quotient = tf.math.log((corrected[0] + EPSILON**2) / (corrected[1] + EPSILON**2)) / 2
    of_tensors = [cosine / lacking([0.9], t)[0], quotient, *tf.unstack(log(moved[1:])), log(moved[0]) - log_s / 3, log_s / 3]
    time = tf.tanh(10 * (fraction - tf.constant(FRACTIONS, trend.dtype)))
    shared = tf.tile(tf.concat([time, trend], 0)[:, None], [1, len(params)])
    return tf.concat([shared, tf.stack(of_tensors), tf.constant(shapes(params), trend.dtype)], 0)


def controller(theta: Params, x: tf.Tensor) -> list[tf.Tensor]:
    """The controller's outputs, [tensors] each, of readings x [READ, tensors]: a ReLU network with one hidden layer."""
    return tf.unstack(network.linear(theta, "controller/linear_1", tf.nn.relu(network.linear(theta, "controller/linear_0", x))))


def rates(
    theta: Params, c1: tf.Tensor, c2: tf.Tensor, s_square: tf.Tensor, direction_square: tf.Tensor, horizon: tf.Tensor
) -> tf.Tensor:
    """What the direction of each tensor is multiplied by [tensors].

    c1, c2: the controller's outputs; s_square, direction_square: mean squares of parameters and direction, [tensors] each;
    horizon: T, the planned number of steps.

    .01 exp(clip(3 (c1 + power log s + length log(T / 2000)), -10, 10)) ((1 - a) + a / RMS(direction)),
    a = sigmoid(3 c2 + logit .05)
    """
    power = theta["power"] * tf.math.log(s_square) / 2 + theta["length"] * tf.math.log(horizon / USUAL_STEPS)
    rate = RATE * tf.exp(tf.clip_by_value(3 * (c1 + power), -WIDEST, WIDEST))
    a = tf.sigmoid(3 * c2 + math.log(NORMALISED / (1 - NORMALISED)))
    return rate * (1 - a + a * inverse_root(direction_square))
