"""An LSTM for each tensor over a network for each parameter: Metz et al. 2020 (arXiv 2009.11243).

In a step, the LSTM of a tensor reads statistics of the tensor, and the messages that all LSTMs and the tensor's own parameters
sent in the step before; its own message is an input of the network of each parameter. Tensors are columns here, [features, T].
"""

from __future__ import annotations

import math

import tensorflow as tf

from learned.optimizers import features, network
from learned.optimizers.base import LearnedOptimizer
from learned.optimizers.lstm import cell, cell_weights
from taskset.tasks.initializers import constant

DECAYS = (0.5, 0.9, 0.99, 0.999, 0.9999)
CLIP = 10  # gradients are clipped at this many times the average of their root mean square
AVERAGED = {"clip": 0.99, "train": 0.9, "validation": 0.95}  # decays of the bias-corrected averages
STATISTICS = 18
HIDDEN = 64  # of the LSTM
MOST_SQUARED_LOSS = 1e15  # the squares of larger ones could overflow in float32
MESSAGES = {"by_lstms": 18, "by_parameters": 16}  # sizes of the messages to the LSTMs of the next step
TO_PARAMETERS = 17
PER_PARAMETER, PER_TENSOR = 23, 14  # further inputs of the network
AXES = 4


def hierarchical() -> LearnedOptimizer:
    """35,799 weights: LSTM(64) of 52 inputs, network 54-32-32-18, linear maps 64-17 and 64-18, 162 initial states.

    Gradients are clipped first, and everything else sees them clipped; averages include the gradient of the step.
    """
    weights = cell_weights("lstm", STATISTICS + sum(MESSAGES.values()), HIDDEN)
    weights |= network.linear_weights("to_parameters", HIDDEN, TO_PARAMETERS)
    weights |= network.linear_weights("to_lstms", HIDDEN, MESSAGES["by_lstms"])
    inputs = PER_PARAMETER + PER_TENSOR + TO_PARAMETERS
    weights |= network.mlp_weights((inputs, 32, 32, 2 + MESSAGES["by_parameters"]))
    for name, size in {"h": HIDDEN, "c": HIDDEN, **MESSAGES}.items():
        weights[f"initial_state/{name}"] = ((size,), constant(0.0))
    return LearnedOptimizer("hierarchical", weights, _init, _update, uses_validation_loss=True, uses_loss=True)


def _init(theta, params):
    dtype, tensors = theta["initial_state/h"].dtype, len(params)
    lstm = {name: tf.tile(theta[f"initial_state/{name}"][:, None], [1, tensors]) for name in ("h", "c", "by_parameters")}
    return {
        "m": features.zeros(params, len(DECAYS)),
        "rms": features.zeros(params, len(DECAYS)),
        "clip": {path: tf.zeros([], dtype) for path in params},
        "totals": {name: tf.zeros([], dtype) for name in AVERAGED},
        "lstm": {**lstm, "by_lstms": theta["initial_state/by_lstms"][:, None]},
        "losses": {name: tf.zeros([], dtype) for name in ("mean", "variance", "validation")},
    }


def _debiased(old, new, total):
    """A bias-corrected average a_t = sum_i d^(t - i) x_i / W_t, W_t = `total` = sum_i d^(t - i): a <- a + (x - a) / W.

    In this form the first average is the first x to the last bit, whose distance to it is then 0.
    """
    return old + (new - old) / total


def clipped_by_average(g, old, total):
    """(g clipped elementwise to +-10 a, a), a the average of the root mean square of g, this step's included."""
    new = _debiased(old, features.root(tf.reduce_mean(tf.square(g))), total)
    return tf.maximum(tf.minimum(g, CLIP * new), -CLIP * new), new


def _losses(state, loss, validation_loss, totals):
    """(features [2], state). Mean, variance (of the distance to the mean so far) and validation loss are bias-corrected averages.

    Train: (loss - mean) rsqrt(variance + 1e-8); validation: the same with the averaged validation loss, both clipped to +-5.
    A loss that is not finite or beyond MOST_SQUARED_LOSS counts as the average so far: the averages are never lost by one step.
    """
    loss, validation_loss = _usable(loss, state["mean"]), _usable(validation_loss, state["validation"])
    mean = _debiased(state["mean"], loss, totals["train"])
    variance = _debiased(state["variance"], tf.square(loss - mean), totals["train"])
    validation = _debiased(state["validation"], validation_loss, totals["validation"])
    scaled = (tf.stack([loss, validation]) - mean) * tf.math.rsqrt(variance + 1e-8)
    return _limited(scaled), {"mean": mean, "variance": variance, "validation": validation}


def _usable(loss, average):
    return tf.where(tf.abs(loss) <= MOST_SQUARED_LOSS, loss, average)


def _limited(x):
    return tf.clip_by_value(x, -5.0, 5.0)


def _norm(x):
    return features.root(tf.reduce_sum(tf.square(x)))


def _lengths(shape):
    """The lengths of 4 axes: 1 where there are fewer, and the fourth is the product of all that follow."""
    lengths = [*shape, *[1] * (AXES - len(shape))]
    return [*lengths[: AXES - 1], math.prod(lengths[AXES - 1 :])]


def _statistics(m, rms, p, g, is_scalar, losses):
    """The 18 statistics of a tensor, m and rms [decays, *shape] counting as one set of numbers each. Norms are L2, no logarithms.

    Where a mean is 0 but for rounding (cross-entropy's gradients over a last layer), its sign is that of rounding: runs agree bit
    for bit within one mode of execution, and only roughly between two.
    """
    means = tf.stack([tf.reduce_mean(x) for x in (m, rms, p)])
    variances = tf.stack([tf.math.reduce_variance(x) for x in (m, rms, p)])
    signs = tf.stack([_limited(features.log_abs(means)), tf.sign(means)], 1)
    shape = [float(is_scalar), *(math.log(1e-8 + n) - 1 for n in _lengths(p.shape))]
    norms = tf.stack([_norm(p), _norm(g)])
    return tf.concat(
        [tf.reshape(signs, [-1]), _limited(features.log_abs(variances)), norms, tf.constant(shape, p.dtype), losses], 0
    )


def _message_to_tensors(theta, state, statistics):
    """The LSTMs' step: (17 numbers for each tensor's parameters [17, T], new h, c, by_lstms)."""
    by_lstms = tf.tile(state["by_lstms"], [1, statistics.shape[1]])
    x = tf.concat([statistics, by_lstms, state["by_parameters"]], 0)
    h, c = cell(theta, "lstm", x, state["h"], state["c"])
    to_all = tf.reduce_mean(network.linear(theta, "to_lstms", h), 1, keepdims=True)
    return network.linear(theta, "to_parameters", h), {"h": h, "c": c, "by_lstms": to_all}


def _per_parameter(g, p, m, rms):
    """The 23 normalised inputs, [23, *shape]."""
    factor = tf.math.rsqrt(rms + 1e-6)
    x = tf.concat([g[None], p[None], features.log_abs(p)[None], m, m * factor, rms, factor], 0)
    return features.normalised(x)


def _per_tensor(p, tensors, time):
    """The 14 inputs that all parameters of a tensor share: 11 of time, number of tensors, norm and size."""
    logs = tf.stack([features.log_abs(_norm(p)), tf.constant(math.log(1e-8 + p.shape.num_elements()), p.dtype)])
    return tf.concat([time, tf.constant([math.log(1e-8 + tensors) - 1], p.dtype), logs], 0)


def _first_layer(theta, p, inputs, said, step):
    """What the first layer gives before its ReLU: {path: [hidden, *shape]}."""
    w, hidden = theta["mlp/linear_0/w"], {}
    for i, path in enumerate(features.tensor_order(p)):
        x = tf.reshape(inputs[path], [PER_PARAMETER, -1])
        shared = tf.concat([_per_tensor(p[path], len(p), features.sine_time(step, x.dtype)), said[:, i]], 0)
        hidden[path] = tf.matmul(w[:PER_PARAMETER], x, transpose_a=True) + network.first_bias(theta, shared)[:, None]
    return hidden


def _update(theta, grads, state, params, step, loss, validation_loss):
    g, p = features.with_axes(grads), features.with_axes(params)
    totals = {name: 1 + decay * state["totals"][name] for name, decay in AVERAGED.items()}
    losses, new_losses = _losses(state["losses"], loss, validation_loss, totals)
    new, statistics, inputs = {"m": {}, "rms": {}, "clip": {}, "totals": totals, "losses": new_losses}, [], {}
    order = features.tensor_order(p)
    for path in order:
        clipped, new["clip"][path] = clipped_by_average(g[path], state["clip"][path], totals["clip"])
        m, rms = features.gradient_averages(clipped, state["m"][path], state["rms"][path], DECAYS)
        new["m"][path], new["rms"][path] = m, rms
        statistics.append(_statistics(m, rms, p[path], clipped, params[path].shape.rank == 0, losses))
        inputs[path] = _per_parameter(clipped, p[path], m, rms)
    said, new["lstm"] = _message_to_tensors(theta, state["lstm"], tf.stack(statistics, 1))
    outputs = network.after_first(theta, features.rows(_first_layer(theta, p, inputs, said, step)))
    by_parameters = features.unrows(outputs[2:], p)
    new["lstm"]["by_parameters"] = tf.concat([tf.reshape(features.mean(by_parameters[q]), [-1, 1]) for q in order], 1)
    return network.stepped(params, outputs), new
