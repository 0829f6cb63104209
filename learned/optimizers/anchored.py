"""A learned correction of NAdam: it starts as that rule and can only become another one by training.

The idea of a safe start is STAR's (Harrison et al. 2022, arXiv 2209.11208); direction and step size apart are Celo's (Moudgil et
al. 2025, arXiv 2501.12670). Step sizes are those of `tensorwise`.

All tensors of a task lie in one vector of N numbers: one loop over memory updates the averages, makes the features and applies
the network, whatever the number of tensors, and a program compiles in the same time.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from learned.optimizers import features, network, tensorwise
from learned.optimizers.base import LearnedOptimizer
from learned.optimizers.tensorwise import V_DECAYS, inverse_root
from taskset.tasks.initializers import constant

M_DECAYS = (0.5, 0.9, 0.99)
PER_PARAMETER, HIDDEN = 14, 8


def anchored() -> LearnedOptimizer:
    """652 weights: a ReLU network 14-8-8-1 for each parameter, another 25-16-2 for each tensor, two exponents.

        u = n + network(x)                                    n: NAdam's direction
        p <- p - .01 exp(clip(3 c, -10, 10)) ((1 - a) u + a u / RMS(u)),    a = sigmoid(3 c2 + logit .05)
        c = c1 + power log s + length log(T / 2000)                         T: the planned number of steps

    (c1, c2): the controller's outputs for the tensor; s: RMS of the tensor's parameters, no less than about a tenth of that of
    all; RMS is over the tensor. The last layers, `power` and `length` start at 0: the start is 95 % NAdam at rate .01 and 5 % its
    normalised direction. With power = 1/3 a step is relative to the size of the parameters; with length = -1/6 it falls like one
    over the root of the number of steps.

    n = (.9 m / (1 - .9^(t+1)) + .1 g / (1 - .9^t)) r, t = 1, 2, .., r = 1 / sqrt(v + 1e-18), with the averages below, m as it is
    and v bias-corrected.

    x: g, m (decays .5 .9 .99), each divided by R, by sqrt(v) (.95), by sqrt(v) (.999); p / s; sqrt(v) / R. R^2 is the tensor's
    mean of v (.999). m is divided by the standard deviation that it would have if gradients were noise of variance 1, so that
    m / sqrt(v) measures how much more than noise there is, and needs no statistics of its own. All are free of units.

    The controller reads `tensorwise.readings`, with u as the direction. It reads the train loss and the horizon.
    """
    weights = network.mlp_weights((PER_PARAMETER, HIDDEN, HIDDEN))
    weights["mlp/linear_2/w"] = ((HIDDEN, 1), constant(0.0))
    weights |= network.linear_weights("controller/linear_0", tensorwise.READ, tensorwise.HIDDEN)
    weights["controller/linear_1/w"] = ((tensorwise.HIDDEN, 2), constant(0.0))
    weights["controller/linear_1/b"] = ((2,), constant(0.0))
    weights["power"] = ((), constant(0.0))
    weights["length"] = ((), constant(0.0))
    alone = _init_alone, _update_alone
    return LearnedOptimizer(
        "anchored", weights, _init, _update, uses_loss=True, uses_horizon=True, alone=alone, effective=_effective
    )


def _effective(theta):
    """theta without the network's weights where its last layer is 0: the direction is NAdam's, and nothing else is computed."""
    if np.any(theta["mlp/linear_2/w"]):
        return theta
    return {path: w for path, w in theta.items() if not path.startswith("mlp/")}


def _init(theta, params):
    del theta
    dtype, n = next(iter(params.values())).dtype, sum(tensorwise.sizes(params))
    averages = {"m": tf.zeros([len(M_DECAYS), n], dtype), "v": tf.zeros([len(V_DECAYS), n], dtype)}
    return averages | tensorwise.start(params)


def _network(theta, x):
    """The network's output [N] for a list of features [N].

    Written as sums of products, which XLA makes one loop of together with the features themselves: half the time of matrix
    products with matrices so narrow, whose operands go through memory.
    """
    for layer in range(3):
        path = f"mlp/linear_{layer}"
        columns = [tf.unstack(column) for column in tf.unstack(theta[f"{path}/w"], axis=1)]
        out = [tf.add_n([w * feature for w, feature in zip(column, x)]) for column in columns]
        if layer == 2:
            return out[0]
        x = [tf.nn.relu(h + b) for h, b in zip(out, tf.unstack(theta[f"{path}/b"]))]


def _corrected(g, m, v, t):
    """(NAdam's average of the gradient, the three m in units of noise, the two v), bias-corrected, from lists m, v of [N]."""
    lacking_m, lacking_v = tf.unstack(tensorwise.lacking(M_DECAYS, t)), tf.unstack(tensorwise.lacking(V_DECAYS, t))
    second = [x / lacking for x, lacking in zip(v, lacking_v)]
    in_noise = [x / (lacking * noise) for x, lacking, noise in zip(m, lacking_m, tf.unstack(tensorwise.noise(M_DECAYS, t)))]
    return 0.9 / tensorwise.lacking([0.9], t + 1)[0] * m[1] + 0.1 / lacking_m[1] * g, in_noise, second


def _directions(theta, g, p, corrected, inverse_r, inverse_s):
    """(u [N], the three m / sqrt(v) [N] in units of noise); corrected: what `_corrected` returns."""
    ahead, in_noise, second = corrected
    fast, slow = (inverse_root(x) for x in second)
    seen = [g, *in_noise]
    scaled = [x * slow for x in seen]
    x = [*(x * inverse_r for x in seen), *(x * fast for x in seen), *scaled, p * inverse_s, second[1] * slow * inverse_r]
    return ahead * slow + _network(theta, x), scaled[1:]


def _update(theta, grads, state, params, step, loss, validation_loss, horizon):
    del validation_loss

    def averages(g):
        m, v = tensorwise.averages(state["m"], g, M_DECAYS), tensorwise.averages(state["v"], tf.square(g), V_DECAYS)
        return {"m": m, "v": v}, tf.unstack(m), tf.unstack(v)

    def directions(g, p, m, v, t, inverse_r, inverse_s):
        spread = (tensorwise.spread(x, sizes) for x in (inverse_r, inverse_s))
        return _directions(theta, g, p, _corrected(g, m, v, t), *spread)

    sizes = tensorwise.sizes(params)
    return _moved(theta, grads, state, params, step, loss, horizon, state["m"][1], averages, directions, tensorwise.products)


def _moved(theta, grads, state, params, step, loss, horizon, old, averages, directions, products):
    """The update.

    old: m (.9) before it; averages(g): (m and v after it: as state, and as lists of [N]); directions(g, p, m, v, t, 1/R, 1/s): as
    `_directions`, 1/R and 1/s being [tensors]; products: of `tensorwise`.
    """
    sizes, p = tensorwise.sizes(params), tensorwise.vector(params)
    g = tf.clip_by_value(tensorwise.vector(grads), -tensorwise.LARGEST, tensorwise.LARGEST)
    t = tf.cast(step, p.dtype) + 1
    trend, losses = tensorwise.trends(state["losses"], loss, horizon)
    squares = products([(g, g), (p, p), (g, old), (old, old)], sizes)
    s_square, corrected, after = tensorwise.measured(squares, params, state, t)

    new_averages, m, v = averages(g)
    u, scaled = directions(g, p, m, v, t, inverse_root(corrected[1]), tf.math.rsqrt(s_square))
    moved = products([(x, x) for x in (u, *scaled)], sizes)

    fraction = tf.minimum(tf.cast(step, p.dtype) / horizon, 1.0)
    x = tensorwise.readings(params, fraction, trend, s_square, corrected, after["cosine"], moved, t)
    rate = tf.unstack(tensorwise.rates(theta, *tensorwise.controller(theta, x), s_square, moved[0], horizon))

    moves = {path: r * part for path, r, part in zip(features.tensor_order(params), rate, tf.split(u, sizes))}
    new = {path: w - tf.reshape(moves[path], w.shape) for path, w in params.items()}
    return new, {**new_averages, **after, "losses": losses}


# The same rule for one large model, as a program of XLA: each average is a vector of its own. What is stacked, XLA writes number
# by number instead of many at once, which takes four times as long; among many small copies, stacks cost nothing and keep
# programs small.


def _corrected_alone(g, m, v, t):
    """`_corrected`, with the divisions done once instead of for each number."""
    lacking_m = tensorwise.lacking(M_DECAYS, t)
    of_m, of_v = tf.unstack(1 / (lacking_m * tensorwise.noise(M_DECAYS, t))), tf.unstack(1 / tensorwise.lacking(V_DECAYS, t))
    ahead, now = 0.9 / tensorwise.lacking([0.9], t + 1)[0], 0.1 / lacking_m[1]
    return ahead * m[1] + now * g, [x * one for x, one in zip(m, of_m)], [x * one for x, one in zip(v, of_v)]


def _init_alone(theta, params):
    state, n = _init(theta, params), sum(tensorwise.sizes(params))
    for slot in ("m", "v"):
        state[slot] = {str(i): tf.zeros([n], state[slot].dtype) for i in range(state[slot].shape[0])}
    return state


def _network_alone(theta, x):
    """`_network` in fewer instructions: sums begin with the bias, and the ReLU, by a comparison, asks nothing about NaN."""
    for layer in range(3):
        path = f"mlp/linear_{layer}"
        columns = [tf.unstack(column) for column in tf.unstack(theta[f"{path}/w"], axis=1)]
        biases = tf.unstack(theta[f"{path}/b"]) if layer < 2 else [tf.zeros([], x[0].dtype)]
        out = [sum((w * feature for w, feature in zip(column, x)), bias) for column, bias in zip(columns, biases)]
        x = [tf.where(h > 0, h, tf.zeros_like(h)) for h in out]
    return out[0]


def _update_alone(theta, grads, state, params, step, loss, validation_loss, horizon):
    del validation_loss
    sizes, order = tensorwise.sizes(params), features.tensor_order(params)

    def averages(g):
        new = {"m": {}, "v": {}}
        for slot, x, decays in (("m", g, M_DECAYS), ("v", tf.square(g), V_DECAYS)):
            for (i, old), d in zip(sorted(state[slot].items()), decays):
                new[slot][i] = old + (1 - d) * (x - old)
        return new, list(new["m"].values()), list(new["v"].values())

    def directions(g, p, m, v, t, inverse_r, inverse_s):
        ahead, in_noise, second = _corrected_alone(g, m, v, t)
        slow = inverse_root(second[1])
        scaled = [x * slow for x in in_noise]
        if "mlp/linear_2/w" not in theta:
            return ahead * slow, scaled
        del p
        of_r = tensorwise.spread(inverse_r, sizes)
        of_s = tensorwise.vector({path: params[path] * one for path, one in zip(order, tf.unstack(inverse_s))})
        # Constants would be loaded one by one; these, which depend on the step as XLA sees it, are kept as vectors.
        weights = {path: tf.where(step < 0, tf.zeros_like(w), w) for path, w in theta.items()}

        def with_network():
            ahead, in_noise, second = _corrected_alone(g, m, v, t)
            fast, slow = (inverse_root(x) for x in second)
            seen = [g, *in_noise]
            x = [*(x * of_r for x in seen), *(x * fast for x in seen), *(x * slow for x in seen), of_s, second[1] * slow * of_r]
            return ahead * slow + _network_alone(weights, x)

        # XLA would compute all this in each loop that reads u. What a loop returns, it computes once: this one has one round, as
        # XLA can't see.
        start = tf.cast(step < 0, tf.int32), tf.zeros_like(g)
        return tf.while_loop(lambda i, u: i < 1, lambda i, u: (i + 1, with_network()), start)[1], scaled

    return _moved(
        theta, grads, state, params, step, loss, horizon, state["m"]["1"], averages, directions, tensorwise.products_alone
    )
