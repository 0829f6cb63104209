"""Recurrent cells over time: the sequential loop, and its gradient written by hand.

What does not depend on the previous state (the input's share of the pre-activations, for all steps in one matrix product) is
computed before, and passed in as `p`. Arrays over time are time-major: [T, B, ..], B the batch.

Automatic differentiation of a loop adds one outer product per step to the gradient of the recurrent weights. The hand-written
gradients keep the errors of all steps instead, and take the weights' gradient as one matrix product after the loop
(backpropagation through time; Werbos 1990). `vrnn_plain`, `gru_plain` and `lstm_plain` are the same functions differentiated
automatically; tests hold the two against each other.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import tensorflow as tf

from taskset.tasks.activations import Activation

State: TypeAlias = tuple[tf.Tensor, ...]
Step: TypeAlias = Callable[[State, list[tf.Tensor]], tuple[State, list[tf.Tensor]]]  # (state, inputs) -> (state, outputs)
WithGradient: TypeAlias = tuple[tf.Tensor, Callable[..., Any]]  # what `tf.custom_gradient` makes a differentiable function of


def _loop(
    step: Step, state: State, inputs: list[tf.Tensor], widths: Sequence[int], order: Callable[[tf.Tensor], tf.Tensor]
) -> tuple[State, list[tf.Tensor]]:
    """Apply `state, outputs = step(state, [input[t] ..])` for the t's of `order(i)`, i = 0 .. T - 1.

    state: tuple of [B, H]; widths: those of the outputs. Returns the last state and the outputs, each [T, B, width], at their t.
    """
    length, batch, dtype = inputs[0].shape[0], inputs[0].shape[1], inputs[0].dtype
    # Reading from an unstacked array has a gradient that costs O(1) per step, where that of x[t] costs O(T).
    sources = [tf.TensorArray(x.dtype, length, element_shape=x.shape[1:]).unstack(x) for x in inputs]
    sinks = tuple(tf.TensorArray(dtype, length, element_shape=[batch, width]) for width in widths)

    def body(i, state, sinks):
        t = order(i)
        state, outputs = step(state, [source.read(t) for source in sources])
        return i + 1, state, tuple(sink.write(t, y) for sink, y in zip(sinks, outputs))

    # XLA differentiates only loops whose length is known beforehand.
    start = (tf.constant(0), state, sinks)
    _, state, sinks = tf.while_loop(lambda i, *_: i < length, body, start, maximum_iterations=length)
    return state, [sink.stack() for sink in sinks]


def _forward(step: Step, state: State, inputs: list[tf.Tensor], widths: Sequence[int]) -> tuple[State, list[tf.Tensor]]:
    return _loop(step, state, inputs, widths, lambda i: i)


def _backward(step: Step, state: State, inputs: list[tf.Tensor], widths: Sequence[int]) -> tuple[State, list[tf.Tensor]]:
    last = inputs[0].shape[0] - 1
    return _loop(step, state, inputs, widths, lambda i: last - i)


def _previous(start: tf.Tensor, states: tf.Tensor) -> tf.Tensor:
    """The states before each step: [start, states[0], .., states[T - 2]]."""
    return tf.concat([start[None], states[:-1]], axis=0)


def _outer(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """sum_tb x_tb y_tb^T: [T, B, n], [T, B, m] -> [n, m]."""
    return tf.matmul(tf.reshape(x, [-1, x.shape[-1]]), tf.reshape(y, [-1, y.shape[-1]]), transpose_a=True)


def _derivative(function: Activation, x: tf.Tensor) -> tf.Tensor:
    """f'(x) of an elementwise function."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return tape.gradient(y, x)


def _vrnn_forward(p: tf.Tensor, u: tf.Tensor, h: tf.Tensor, activation: Activation) -> list[tf.Tensor]:
    """Pre-activations and outputs, each [T, B, H]."""

    def step(state, inputs):
        (h,), (p,) = state, inputs
        a = p + tf.matmul(h, u)
        h = activation(a)
        return (h,), [a, h]

    return _forward(step, (h,), [p], [h.shape[1]] * 2)[1]


def vrnn_plain(p: tf.Tensor, u: tf.Tensor, h: tf.Tensor, activation: Activation) -> tf.Tensor:
    """`vrnn`, differentiated automatically."""
    return _vrnn_forward(p, u, h, activation)[1]


def vrnn(p: tf.Tensor, u: tf.Tensor, h: tf.Tensor, activation: Activation) -> tf.Tensor:
    """h_t = activation(p_t + h_(t-1) u) (Elman 1990).

    p [T, B, H]: the inputs' share, bias included; u [H, H]; h [B, H]: the state at the start; activation: any elementwise
    function. Returns all h_t, [T, B, H].
    """

    @tf.custom_gradient
    def run(p: tf.Tensor, u: tf.Tensor, h: tf.Tensor) -> WithGradient:
        a, outputs = _vrnn_forward(p, u, h, activation)

        def gradient(upstream):
            def step(state, inputs):
                (dh,), (dy, slope) = state, inputs
                da = (dh + dy) * slope
                return (tf.matmul(da, ut),), [da]

            ut = tf.transpose(u)
            (dh,), (da,) = _backward(step, (tf.zeros_like(h),), [upstream, _derivative(activation, a)], [h.shape[1]])
            return da, _outer(_previous(h, outputs), da), dh

        return outputs, gradient

    return run(p, u, h)


def _gru_forward(p: tf.Tensor, u_gates: tf.Tensor, u_candidate: tf.Tensor, h: tf.Tensor) -> list[tf.Tensor]:
    """Gates (z, r) [T, B, 2H], candidates and outputs [T, B, H]."""
    n = h.shape[1]

    def step(state, inputs):
        (h,), (p,) = state, inputs
        gates = tf.sigmoid(p[:, : 2 * n] + tf.matmul(h, u_gates))
        z, r = tf.split(gates, 2, axis=1)
        c = tf.tanh(p[:, 2 * n :] + tf.matmul(r * h, u_candidate))
        h = (1 - z) * h + z * c
        return (h,), [gates, c, h]

    return _forward(step, (h,), [p], [2 * n, n, n])[1]


def gru_plain(p: tf.Tensor, u_gates: tf.Tensor, u_candidate: tf.Tensor, h: tf.Tensor) -> tf.Tensor:
    """`gru`, differentiated automatically."""
    return _gru_forward(p, u_gates, u_candidate, h)[2]


@tf.custom_gradient
def gru(p: tf.Tensor, u_gates: tf.Tensor, u_candidate: tf.Tensor, h: tf.Tensor) -> WithGradient:
    """Gated recurrent unit (Chung et al. 2014, arXiv 1412.3555, section 3.2; the reset gate acts before the matrix product).

    z, r = sigmoid(p^z + h uz), sigmoid(p^r + h ur);  c = tanh(p^c + (r * h) u_candidate);  h' = (1 - z) h + z c

    p [T, B, 3H]: the inputs' shares of z, r, c, biases included; u_gates [H, 2H]: uz and ur; u_candidate [H, H];
    h [B, H]: the state at the start. Returns all h', [T, B, H].
    """
    gates, candidates, outputs = _gru_forward(p, u_gates, u_candidate, h)
    n = h.shape[1]

    def gradient(upstream):
        def step(state, inputs):
            (dh,), (dy, gates, c, h) = state, inputs
            z, r = tf.split(gates, 2, axis=1)
            dh += dy
            dc = dh * z * (1 - c * c)
            drh = tf.matmul(dc, uct)
            dgates = tf.concat([dh * (c - h), drh * h], axis=1) * gates * (1 - gates)
            return (dh * (1 - z) + drh * r + tf.matmul(dgates, ugt),), [tf.concat([dgates, dc], axis=1)]

        ugt, uct = tf.transpose(u_gates), tf.transpose(u_candidate)
        before = _previous(h, outputs)
        (dh,), (dp,) = _backward(step, (tf.zeros_like(h),), [upstream, gates, candidates, before], [3 * n])
        return dp, _outer(before, dp[..., : 2 * n]), _outer(gates[..., n:] * before, dp[..., 2 * n :]), dh

    return outputs, gradient


def _lstm_forward(p: tf.Tensor, u: tf.Tensor, h: tf.Tensor, c: tf.Tensor) -> list[tf.Tensor]:
    """Gates (i, j, f, o) [T, B, 4H], cells and outputs [T, B, H]."""
    n = h.shape[1]

    def step(state, inputs):
        (h, c), (p,) = state, inputs
        i, j, f, o = tf.split(p + tf.matmul(h, u), 4, axis=1)
        i, j, f, o = tf.sigmoid(i), tf.tanh(j), tf.sigmoid(f + 1), tf.sigmoid(o)
        c = f * c + i * j
        h = o * tf.tanh(c)
        return (h, c), [tf.concat([i, j, f, o], axis=1), c, h]

    return _forward(step, (h, c), [p], [4 * n, n, n])[1]


def lstm_plain(p: tf.Tensor, u: tf.Tensor, h: tf.Tensor, c: tf.Tensor) -> tf.Tensor:
    """`lstm`, differentiated automatically."""
    return _lstm_forward(p, u, h, c)[2]


@tf.custom_gradient
def lstm(p: tf.Tensor, u: tf.Tensor, h: tf.Tensor, c: tf.Tensor) -> WithGradient:
    """Long short-term memory with a forget gate whose bias is 1 higher (Hochreiter and Schmidhuber 1997; Gers et al. 2000).

    i, j, f, o = p + h u;  c' = sigmoid(f + 1) c + sigmoid(i) tanh(j);  h' = sigmoid(o) tanh(c')

    p [T, B, 4H]: the inputs' shares, biases included; u [H, 4H]; h, c [B, H]: the state at the start. Returns all h', [T, B, H].
    """
    gates, cells, outputs = _lstm_forward(p, u, h, c)
    n = h.shape[1]

    def gradient(upstream):
        def step(state, inputs):
            (dh, dc), (dy, gates, c, before) = state, inputs
            i, j, f, o = tf.split(gates, 4, axis=1)
            squashed = tf.tanh(c)
            dh += dy
            dc += dh * o * (1 - squashed * squashed)
            di, dj, df = dc * j * i * (1 - i), dc * i * (1 - j * j), dc * before * f * (1 - f)
            da = tf.concat([di, dj, df, dh * squashed * o * (1 - o)], axis=1)
            return (tf.matmul(da, ut), dc * f), [da]

        ut, zeros = tf.transpose(u), tf.zeros_like(h)
        inputs = [upstream, gates, cells, _previous(c, cells)]
        (dh, dc), (dp,) = _backward(step, (zeros, zeros), inputs, [4 * n])
        return dp, _outer(_previous(h, outputs), dp), dh, dc

    return outputs, gradient
