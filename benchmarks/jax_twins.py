"""The benchmark's tasks, Adam and training loop as one would write them in JAX. Nothing here uses TensorFlow.

Parameters have the paths of the tasks they mirror. A loss is `loss(params, batch, draw)`; what is random comes from `draw`, in
the order in which the task draws.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

ACTIVATIONS = {
    "relu": jax.nn.relu, "tanh": jnp.tanh, "cos": jnp.cos, "elu": jax.nn.elu, "sigmoid": jax.nn.sigmoid, "swish": jax.nn.swish,
}  # fmt: skip
LEVEL = 1 / 255  # of a pixel


class Given:
    """Draws that are given: for comparing losses."""

    def __init__(self, arrays):
        self._arrays = iter(arrays)

    def normal(self, shape, stddev=1.0):
        return jnp.reshape(next(self._arrays), shape)

    def uniform(self, shape, low, high):
        return jnp.reshape(next(self._arrays), shape)


class Drawn:
    """Draws from a key: for timing."""

    def __init__(self, key):
        self._key = key

    def _next(self):
        self._key, key = jax.random.split(self._key)
        return key

    def normal(self, shape, stddev=1.0):
        return stddev * jax.random.normal(self._next(), shape)

    def uniform(self, shape, low, high):
        return jax.random.uniform(self._next(), shape, minval=low, maxval=high)


def _linear(params, name, x):
    return x @ params[f"{name}/w"] + params[f"{name}/b"]


def _mlp(params, name, x, layers, activation):
    for i in range(layers):
        x = _linear(params, f"{name}/linear_{i}", x)
        x = activation(x) if i < layers - 1 else x
    return x


def _cross_entropy(logits, labels):
    """By a one-hot product; by index where there are many classes. Each is the faster one there."""
    log_p = jax.nn.log_softmax(logits)
    if logits.shape[-1] <= 32:
        return -jnp.mean(jnp.sum(jax.nn.one_hot(labels, logits.shape[-1]) * log_p, -1))
    return -jnp.mean(jnp.take_along_axis(log_p, labels[..., None], -1))


def _input(batch, config):
    return 2.0 * batch["image"] - 1.0 if config["center_data"] else batch["image"]


def _flat(image):
    return image.reshape(image.shape[0], -1)


def mlp_family(config, fixed):
    layers, activation = len(config["layer_sizes"]) + 1, ACTIVATIONS[config["activation"]]

    def loss(params, batch, draw):
        return _cross_entropy(_mlp(params, "mlp", _flat(_input(batch, config)), layers, activation), batch["label"])

    return loss


def conv_pooling_family(config, fixed):
    pools = {"mean": jnp.mean, "max": jnp.max, "squared_mean": lambda x, axis: jnp.mean(jnp.square(x), axis)}
    pool, activation = pools[config["pool_type"]], ACTIVATIONS[config["activation"]]

    def loss(params, batch, draw):
        x = _input(batch, config)
        for i, (stride, padding) in enumerate(zip(config["strides"], config["padding"])):
            x = lax.conv_general_dilated(x, params[f"conv_{i}/w"], stride, padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))
            x = activation(x + params[f"conv_{i}/b"] if config["use_bias"] else x)
        return _cross_entropy(_linear(params, "linear", pool(x, axis=(1, 2))), batch["label"])

    return loss


def _vrnn(params, config, x):
    activation, u = ACTIVATIONS[config["act_fn"]], params["core/hidden_to_hidden"]

    def step(h, p):
        h = activation(p + h @ u)
        return h, h

    return step, x @ params["core/in_to_hidden"] + (params["core/b_in"] + params["core/b_h"]), lambda zeros: zeros


def _gru(params, config, x):
    n = config["core_dim"]
    w, b = (jnp.concatenate([params[f"core/{kind}{g}"] for g in "zrh"], -1) for kind in "wb")
    u, uh = jnp.concatenate([params["core/uz"], params["core/ur"]], -1), params["core/uh"]

    def step(h, p):
        z, r = jnp.split(jax.nn.sigmoid(p[:, : 2 * n] + h @ u), 2, -1)
        h = (1 - z) * h + z * jnp.tanh(p[:, 2 * n :] + (r * h) @ uh)
        return h, h

    return step, x @ w + b, lambda zeros: zeros


def _lstm(params, config, x):
    inputs = x.shape[-1]
    w, u = params["core/w_gates"][:inputs], params["core/w_gates"][inputs:]

    def step(state, p):
        h, c = state
        i, j, f, o = jnp.split(p + h @ u, 4, -1)
        c = jax.nn.sigmoid(f + 1) * c + jax.nn.sigmoid(i) * jnp.tanh(j)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    return step, x @ w + params["core/b_gates"], lambda zeros: (zeros, zeros)


def char_rnn_language_model_family(config, fixed):
    (kind, core), last = config["core"], config["vocab_size"] - 1
    cell = {"vrnn": _vrnn, "gru": _gru, "lstm": _lstm}[kind]

    def loss(params, batch, draw):
        tokens = jnp.minimum(batch["tokens"].T, last)
        step, p, start = cell(params, core, params["embed/embeddings"][tokens[:-1]])
        outputs = lax.scan(step, start(jnp.zeros((p.shape[1], core["core_dim"]))), p)[1]
        return _cross_entropy(_linear(params, "linear", outputs), tokens[1:])

    return loss


def mlp_ae_family(config, fixed):
    layers, kind = len(config["hidden_units"]) + 1, config["output_type"]
    output = {"tanh": jnp.tanh, "sigmoid": jax.nn.sigmoid}.get(kind, lambda y: y)
    error = {"l2": jnp.square, "l1": jnp.abs}[config["loss_type"]]
    reduce = {"reduce_mean": jnp.mean, "reduce_sum": jnp.sum}[config["reduction_type"]]

    def loss(params, batch, draw):
        x = _flat(batch["image"])
        x = 2.0 * x - 1.0 if kind in ("tanh", "linear_center") else x
        y = output(_mlp(params, "mlp", x, layers, ACTIVATIONS[config["activation"]]))
        return jnp.mean(reduce(error(y - x), axis=1))

    return loss


def _normal_log_density(z):
    return -0.5 * jnp.square(z) - 0.5 * np.log(2 * np.pi)


def mlp_vae_family(config, fixed):
    activation = ACTIVATIONS[config["activation"]]

    def loss(params, batch, draw):
        x = _flat(batch["image"])
        mean, log_std = jnp.split(_mlp(params, "encoder", x, len(config["enc_hidden_units"]), activation), 2, -1)
        z = mean + jnp.exp(log_std) * draw.normal(mean.shape)
        y = _mlp(params, "decoder", z, len(config["dec_hidden_units"]) + 1, activation)
        pixel_mean, pixel_log_std = jnp.split(jnp.clip(y, -10.0, 10.0), 2, -1)
        noise = draw.uniform(x.shape, -0.5 * LEVEL, 0.5 * LEVEL)
        log_p = _normal_log_density((x + noise - pixel_mean) * jnp.exp(-pixel_log_std)) - pixel_log_std + np.log(LEVEL)
        kl = 0.5 * (jnp.square(mean) + jnp.exp(2.0 * log_std) - 1.0) - log_std
        return jnp.mean(jnp.sum(kl, -1)) - jnp.mean(jnp.sum(log_p, -1))

    return loss


def nvp_family(config, fixed):
    count, layers, activation = config["num_bijectors"], len(config["hidden_units"]) + 1, ACTIVATIONS[config["activation"]]

    def loss(params, batch, draw):
        x = _flat(batch["image"])
        x, log_det, n = x + draw.normal(x.shape, 0.01), 0.0, x.shape[1]
        for i in reversed(range(count)):
            if i < count - 1:
                x = x[:, np.argsort(np.random.RandomState(i).permutation(n))]
            kept, changed = x[:, : n // 2], x[:, n // 2 :]
            s, t = jnp.split(_mlp(params, f"bijector_{i}", kept, layers, activation), 2, -1)
            x, log_det = jnp.concatenate([kept, (changed - t) * jnp.exp(-s)], 1), log_det - jnp.sum(s, 1)
        return -jnp.mean(log_det + jnp.sum(_normal_log_density(x), 1))

    return loss


def quadratic_family(config, fixed):
    def loss(params, batch, draw):
        return config["loss_scale"] * jnp.sum(jnp.square(fixed @ params["x"]))

    return loss


def make_loss(family, config, fixed=None):
    """`loss(params, batch, draw)` of a config; fixed: the matrix of a quadratic."""
    return globals()[family](config, fixed)


def prepare(raw):
    """One batch from one raw one: pixels / 255."""
    return {name: array.astype(jnp.float32) / 255.0 if array.dtype == jnp.uint8 else array for name, array in raw.items()}


def adam(gradients, state, params, t, learning_rate, b1=0.9, b2=0.999, epsilon=1e-8):
    """Kingma and Ba 2015, the form at the end of section 2; t = 1, 2, .."""
    m = jax.tree.map(lambda g, m: b1 * m + (1 - b1) * g, gradients, state[0])
    v = jax.tree.map(lambda g, v: b2 * v + (1 - b2) * g * g, gradients, state[1])
    rate = learning_rate * jnp.sqrt(1 - b2**t) / (1 - b1**t)
    return jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + epsilon), params, m, v), (m, v)


def make_step(loss, learning_rate):
    """`step((params, state), raw, draw, i) -> ((params, state), loss)`, i = 0, 1, .. the steps taken before."""

    def step(carry, raw, draw, i):
        params, state = carry
        value, gradients = jax.value_and_grad(loss)(params, prepare(raw), draw)
        return adam(gradients, state, params, i + 1.0, learning_rate), value

    return step
