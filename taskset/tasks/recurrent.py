"""Recurrent cores as Sonnet modules, and what the recurrent families share: embedding, initial state, unrolling.

Arrays over time are time-major, [T, B, ..].
"""

import math
from typing import Any, TypeAlias

import sonnet as snt
import tensorflow as tf

from taskset.tasks import activations, initializers, recurrent_loops
from taskset.tasks.initializers import Initializer

State: TypeAlias = tuple[tf.Tensor, ...]  # the parts of a core's state, [B, H] each


def _project(x: tf.Tensor, w: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """x w + b of all time steps in one matrix product: [T, B, n] -> [T, B, m]."""
    return tf.reshape(tf.matmul(tf.reshape(x, [-1, x.shape[2]]), w) + b, [*x.shape[:2], w.shape[1]])


class VanillaRNN(snt.Module):
    """h' = activation(x in_to_hidden + b_in + h hidden_to_hidden + b_h).

    The release has two linear layers, each with a bias that starts at 0. Both biases get the same gradient, so that their sum
    moves twice as far as one bias would.
    """

    state_names = ("hidden",)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        activation: activations.Activation,
        in_to_hidden: Initializer,
        hidden_to_hidden: Initializer,
        name: str = "core",
    ):
        super().__init__(name)
        self.hidden_size, self.activation = hidden_size, activation
        self.in_to_hidden = tf.Variable(in_to_hidden([input_size, hidden_size]), name="in_to_hidden")
        self.b_in = tf.Variable(tf.zeros([hidden_size]), name="b_in")
        self.hidden_to_hidden = tf.Variable(hidden_to_hidden([hidden_size, hidden_size]), name="hidden_to_hidden")
        self.b_h = tf.Variable(tf.zeros([hidden_size]), name="b_h")

    def __call__(self, x: tf.Tensor, state: State) -> tf.Tensor:
        """Outputs [T, B, H] of inputs [T, B, D] and the state at the start, (hidden [B, H],)."""
        p = _project(x, self.in_to_hidden, self.b_in + self.b_h)
        (hidden,) = state
        return recurrent_loops.vrnn(p, self.hidden_to_hidden, hidden, self.activation)


class GRU(snt.Module):
    """Gated recurrent unit (arXiv 1412.3555): see `recurrent_loops.gru`.

    initializer: a dict of the six matrices' initializers: wz, uz, wr, ur, wh, uh. Biases start from TensorFlow 1's default for
    any variable, as in the release: glorot uniform, which of a vector [H] is U(-l, l), l = sqrt(3 / H).
    """

    state_names = ("hidden",)

    def __init__(self, input_size: int, hidden_size: int, initializer: dict[str, Initializer], name: str = "core"):
        super().__init__(name)
        self.hidden_size = hidden_size
        self.w, self.u, self.b = {}, {}, {}
        for gate in "zrh":
            self.w[gate] = tf.Variable(initializer[f"w{gate}"]([input_size, hidden_size]), name=f"w{gate}")
            self.u[gate] = tf.Variable(initializer[f"u{gate}"]([hidden_size, hidden_size]), name=f"u{gate}")
            self.b[gate] = tf.Variable(initializers.glorot_uniform()([hidden_size]), name=f"b{gate}")

    def __call__(self, x: tf.Tensor, state: State) -> tf.Tensor:
        """Outputs [T, B, H] of inputs [T, B, D] and the state at the start, (hidden [B, H],)."""
        p = _project(x, tf.concat([self.w[g] for g in "zrh"], 1), tf.concat([self.b[g] for g in "zrh"], 0))
        return recurrent_loops.gru(p, tf.concat([self.u["z"], self.u["r"]], 1), self.u["h"], *state)


class LSTM(snt.Module):
    """Long short-term memory with one gate matrix [input + hidden, 4 hidden] for i, j, f, o: see `recurrent_loops.lstm`.

    w_gates: the initializer of the matrix. The gate biases start as the release's default for it, whatever it is: truncated
    normal, stddev 1 / sqrt(input + hidden) before the cut.
    """

    state_names = ("hidden", "cell")

    def __init__(self, input_size: int, hidden_size: int, w_gates: Initializer, name: str = "core"):
        super().__init__(name)
        self.input_size, self.hidden_size = input_size, hidden_size
        self.w_gates = tf.Variable(w_gates([input_size + hidden_size, 4 * hidden_size]), name="w_gates")
        b_init = initializers.truncated_normal(1 / math.sqrt(input_size + hidden_size))
        self.b_gates = tf.Variable(b_init([4 * hidden_size]), name="b_gates")

    def __call__(self, x: tf.Tensor, state: State) -> tf.Tensor:
        """Outputs [T, B, H] of inputs [T, B, D] and the state at the start, (hidden, cell), [B, H] each."""
        p = _project(x, self.w_gates[: self.input_size], self.b_gates)
        return recurrent_loops.lstm(p, self.w_gates[self.input_size :], *state)


Core: TypeAlias = VanillaRNN | GRU | LSTM


class LearnedState(snt.Module):
    """An initial state that is learned: one vector for each part of a core's state, starting at 0."""

    def __init__(self, core: Core, name: str = "initial_state"):
        super().__init__(name)
        self.vectors = [tf.Variable(tf.zeros([core.hidden_size]), name=part) for part in core.state_names]

    def __call__(self, batch_size: int) -> State:
        """The same state for each example: a tuple of [B, H]."""
        return tuple(tf.broadcast_to(v, [batch_size, v.shape[0]]) for v in self.vectors)


def zero_state(core: Core, batch_size: int, dtype: tf.DType) -> State:
    """A state of zeros: a tuple of [B, H]."""
    return tuple(tf.zeros([batch_size, core.hidden_size], dtype) for _ in core.state_names)


def core_from_config(config: list[Any], input_size: int) -> Core:
    """The core of a config's `[kind, arguments]`; its variables are called `core/..`."""
    kind, args = config
    size, init = args["core_dim"], {k: initializers.from_config(v) for k, v in args.items() if k not in ("core_dim", "act_fn")}
    if kind == "vrnn":
        return VanillaRNN(
            input_size, size, activations.from_config(args["act_fn"]), init["in_to_hidden"], init["hidden_to_hidden"]
        )
    if kind == "gru":
        return GRU(input_size, size, init)
    return LSTM(input_size, size, init["w_gates"])


def unroll(config: dict[str, Any], x: tf.Tensor) -> tf.Tensor:
    """Outputs [T, B, H] of inputs [T, B, D] through the core `config["core"]`.

    The first state is learned where `config["trainable_init"]` is true, else zeros.
    """
    core = core_from_config(config["core"], x.shape[2])
    state = LearnedState(core)(x.shape[1]) if config["trainable_init"] else zero_state(core, x.shape[1], x.dtype)
    return core(x, state)


def read_tokens(config: dict[str, Any], vocab_size: int, tokens: tf.Tensor) -> tf.Tensor:
    """Outputs [T, B, H] for tokens [B, T]: ids clipped to the vocabulary, embedding, core.

    Embeddings start from N(0, 1), the default of the Sonnet of the release (Sonnet 2's is a truncated normal).
    """
    ids = tf.minimum(tf.transpose(tokens), vocab_size - 1)
    embed = snt.Embed(vocab_size, config["embed_dim"], initializer=initializers.random_normal(1.0), name="embed")
    return unroll(config, embed(ids))
