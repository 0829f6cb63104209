"""`anchored` with matrices made orthogonal: the direction of Muon beside NAdam's, the steps set by a controller for each tensor.

Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon) moves a matrix by the orthogonal factor of its momentum, along all
its singular directions alike. How far, and how much of NAdam's direction beside it, the controller of `tensorwise` says, which
outer training fits. There is no network for single parameters.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

import tensorflow as tf

from learned.optimizers import features, network, tensorwise
from learned.optimizers.base import LearnedOptimizer
from learned.optimizers.tensorwise import inverse_root
from learned.types import Tree
from taskset.optimizers.muon import by_blocks, newton_schulz, rows_and_columns
from taskset.tasks.initializers import constant

M_DECAYS = (0.9, 0.99)
V_DECAY = 0.999
ORTHOGONAL = 0.9  # the share of the orthogonal direction at the start
SIZE = 0.35  # of the orthogonal direction: its RMS, about that of NAdam's


def anchored_muon() -> LearnedOptimizer:
    """485 weights: a ReLU network 26-16-3 for each tensor, two exponents.

        p <- p - rate u                                     rate: `tensorwise.rates` of c1 and c2
        u = (1 - b) n + b .35 sqrt(max(rows, columns)) O    of a matrix, b = sigmoid(3 c3 + logit .9)
        u = n                                               of any other tensor

    (c1, c2, c3): the controller's outputs for the tensor. n: NAdam's direction, as in `anchored`. O: the `orthogonal` factor of
    n sqrt(v), the average of gradients in it, by blocks of at most 128 rows along the smaller side; the factor before it makes
    its RMS about .35, as that of n often is, and less where the average has few directions. A matrix is a tensor of two or more
    axes, [everything but the last axis, last axis], of which neither is 1. The last layer starts at 0: at the start nine tenths
    of the step of a matrix are Muon's, at rate .01.

    The controller reads `tensorwise.readings`, with n as the direction and g / sqrt(v), m / sqrt(v) (.9, .99) as its three
    averages; and the cosine of n and O, 1 where there is no O. All are free of units. It reads the train loss and the horizon.
    """
    weights = network.linear_weights("controller/linear_0", tensorwise.READ + 1, tensorwise.HIDDEN)
    weights["controller/linear_1/w"] = ((tensorwise.HIDDEN, 3), constant(0.0))
    weights["controller/linear_1/b"] = ((3,), constant(0.0))
    weights["power"] = ((), constant(0.0))
    weights["length"] = ((), constant(0.0))
    alone = _init_alone, _update_alone
    return LearnedOptimizer("anchored_muon", weights, _init, _update, uses_loss=True, uses_horizon=True, alone=alone)


def _init(theta, params):
    del theta
    dtype, n = next(iter(params.values())).dtype, sum(tensorwise.sizes(params))
    return {"m": tf.zeros([len(M_DECAYS), n], dtype), "v": tf.zeros([n], dtype)} | tensorwise.start(params)


def orthogonal(matrices: tf.Tensor) -> tf.Tensor:
    """Nearly U V' of the singular value decomposition U S V' of each of several matrices [k, rows, columns], rows <= columns.

    Those of more than 128 rows `by_blocks`: each block has its own decomposition.
    """
    return by_blocks(_orthogonal, matrices)


def _orthogonal(matrices):
    """`taskset.optimizers.muon.orthogonalized` with the epsilon of this rule, and with a derivative where all entries are 0."""
    mean_square = tf.reduce_mean(tf.square(matrices), axis=(1, 2), keepdims=True)
    return newton_schulz(matrices * inverse_root(mean_square) / math.sqrt(math.prod(matrices.shape[1:])))


def _orthogonal_parts(parts, shapes):
    """[n] of each tensor -> `SIZE` sqrt(max(rows, columns)) O [n], None where it is no matrix; those of one shape at once."""
    alike = defaultdict(list)
    for place, shape in enumerate(shapes):
        if sides := rows_and_columns(shape):
            alike[min(sides), max(sides)].append((place, sides))
    found = [None] * len(parts)
    for (_, longer), members in alike.items():
        matrices = [_lying(tf.reshape(parts[place], sides)) for place, sides in members]
        for o, (place, sides) in zip(tf.unstack(SIZE * math.sqrt(longer) * orthogonal(tf.stack(matrices))), members):
            found[place] = tf.reshape(o if sides[0] <= sides[1] else tf.transpose(o), [-1])
    return found


def _lying(matrix):
    return matrix if matrix.shape[0] <= matrix.shape[1] else tf.transpose(matrix)


@dataclass(frozen=True, eq=False)
class Observed:
    """What a step is made of.

    read: by the controller [READ + 1, tensors]; n, o: the two directions of each tensor, [n], o None where it is no matrix;
    squares: the means of n^2, n O and O^2 over the tensors, [tensors] each; s_square: squares of their sizes [tensors]; state:
    the one after the step.
    """

    read: tf.Tensor
    n: list[tf.Tensor]
    o: list[tf.Tensor | None]
    squares: tuple[tf.Tensor, tf.Tensor, tf.Tensor]
    s_square: tf.Tensor
    state: Tree


def _averages(state, g):
    """(m (.9) before g; m and v after it, as state; both m and v, [N] each)."""
    m, v = tensorwise.averages(state["m"], g, M_DECAYS), state["v"] + (1 - V_DECAY) * (tf.square(g) - state["v"])
    return state["m"][0], {"m": m, "v": v}, tf.unstack(m), v


def observed(grads, state, params, step, loss, horizon, averages=_averages, products=tensorwise.products) -> Observed:
    """Everything of a step but the weights. Arguments: of `LearnedOptimizer.update`; how averages and sums are made."""
    sizes, order, p = tensorwise.sizes(params), features.tensor_order(params), tensorwise.vector(params)
    g = tf.clip_by_value(tensorwise.vector(grads), -tensorwise.LARGEST, tensorwise.LARGEST)
    t = tf.cast(step, p.dtype) + 1
    trend, losses = tensorwise.trends(state["losses"], loss, horizon)

    old, kept, m, v = averages(state, g)
    s_square, corrected, after = tensorwise.measured(products([(g, g), (p, p), (g, old), (old, old)], sizes), params, state, t)
    lacking = tensorwise.lacking(M_DECAYS, t)
    average = 0.9 / tensorwise.lacking([0.9], t + 1)[0] * m[0] + 0.1 / lacking[0] * g
    inverse = inverse_root(v / tensorwise.lacking([V_DECAY], t)[0])
    of_m = tf.unstack(1 / (lacking * tensorwise.noise(M_DECAYS, t)))

    n = tf.split(average * inverse, sizes)
    found = _orthogonal_parts(tf.split(average, sizes), [params[path].shape for path in order])
    o = [of_n if of_o is None else of_o for of_n, of_o in zip(n, found)]
    whole_n, whole_o = tf.concat(n, 0), tf.concat(o, 0)
    seen = [whole_n, g * inverse, *(x * one * inverse for x, one in zip(m, of_m))]
    squares = products([*((x, x) for x in seen), (whole_n, whole_o), (whole_o, whole_o)], sizes)
    cosine = squares[4] * inverse_root(squares[0]) * inverse_root(squares[5])

    fraction = tf.minimum(tf.cast(step, p.dtype) / horizon, 1.0)
    read = tensorwise.readings(params, fraction, trend, s_square, corrected, after["cosine"], squares[:4], t)
    of_both = squares[0], squares[4], squares[5]
    return Observed(tf.concat([read, cosine[None]], 0), n, found, of_both, s_square, {**kept, **after, "losses": losses})


def rates_and_shares(theta, outputs, seen: Observed, horizon):
    """(rate, b) of each tensor, [tensors], from the controller's three outputs."""
    c1, c2, c3 = outputs
    b = tf.sigmoid(3 * c3 + math.log(ORTHOGONAL / (1 - ORTHOGONAL)))
    of_n, of_both, of_o = seen.squares
    square = tf.square(1 - b) * of_n + 2 * b * (1 - b) * of_both + tf.square(b) * of_o
    square = tf.maximum(square, 0.0)  # rounding may leave it below 0
    return tensorwise.rates(theta, c1, c2, seen.s_square, square, horizon), b


def moved(params, seen: Observed, rates, shares):
    """The params after the step."""
    new = {}
    for path, rate, share, n, o in zip(features.tensor_order(params), tf.unstack(rates), tf.unstack(shares), seen.n, seen.o):
        u = n if o is None else n + share * (o - n)
        new[path] = params[path] - tf.reshape(rate * u, params[path].shape)
    return new


def _stepped(theta, params, seen, horizon):
    rates, shares = rates_and_shares(theta, tensorwise.controller(theta, seen.read), seen, horizon)
    return moved(params, seen, rates, shares), seen.state


def _update(theta, grads, state, params, step, loss, validation_loss, horizon):
    del validation_loss
    return _stepped(theta, params, observed(grads, state, params, step, loss, horizon), horizon)


# The same rule for one large model, as a program of XLA; see `anchored`.


def _init_alone(theta, params):
    state = _init(theta, params)
    return {**state, "m": {str(i): m for i, m in enumerate(tf.unstack(state["m"]))}}


def _averages_alone(state, g):
    m = {str(i): state["m"][str(i)] + (1 - decay) * (g - state["m"][str(i)]) for i, decay in enumerate(M_DECAYS)}
    v = state["v"] + (1 - V_DECAY) * (tf.square(g) - state["v"])
    return state["m"]["0"], {"m": m, "v": v}, [m["0"], m["1"]], v


def _update_alone(theta, grads, state, params, step, loss, validation_loss, horizon):
    del validation_loss
    seen = observed(grads, state, params, step, loss, horizon, _averages_alone, tensorwise.products_alone)
    return _stepped(theta, params, seen, horizon)
