"""The image families once more, in NumPy and float64, from parameters {path: array} and a batch.

Written from the formulas, without the library's code; only the random numbers come from `taskset.random.stateless`.
"""

import itertools
import math

import numpy as np
import tensorflow as tf

from taskset.random import stateless

ACTIVATION = {
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
    "cos": np.cos,
    "leaky_relu2": lambda x: np.where(x > 0, x, 0.2 * x),
}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def mlp(params, path, x, activation, between=lambda x, i: x):
    n = sum(name.startswith(f"{path}/linear_") and name.endswith("/w") for name in params)
    for i in range(n):
        x = x @ params[f"{path}/linear_{i}/w"] + params[f"{path}/linear_{i}/b"]
        x = ACTIVATION[activation](between(x, i)) if i < n - 1 else x
    return x


def conv(x, w, stride=(1, 1), padding="SAME", b=0.0):
    """Cross-correlation; SAME pads so that ceil(size / stride) rows are left, the odd row of padding at the end."""
    size = w.shape[:2]
    if padding == "SAME":
        total = [max((math.ceil(n / s) - 1) * s + k - n, 0) for n, s, k in zip(x.shape[1:3], stride, size)]
        x = np.pad(x, [(0, 0), *((t // 2, t - t // 2) for t in total), (0, 0)])
    rows = [range(0, n - k + 1, s) for n, s, k in zip(x.shape[1:3], stride, size)]
    patches = [[x[:, i : i + size[0], j : j + size[1]] for j in rows[1]] for i in rows[0]]
    return np.stack([np.stack([np.tensordot(p, w, 3) for p in row], 1) for row in patches], 1) + b


def conv_transpose(x, w, b):
    """The adjoint of a 3x3 convolution of stride 2 with padding SAME; w [3, 3, out, in]."""
    batch, height, width, _ = x.shape
    y = np.zeros([batch, 2 * height + 1, 2 * width + 1, w.shape[2]])
    for i in range(height):
        for j in range(width):
            y[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3] += np.einsum("bc,hwoc->bhwo", x[:, i, j], w)
    return y[:, :-1, :-1] + b


def convolutions(params, config, x, between=lambda x, i: x):
    for i, (stride, padding) in enumerate(zip(config["strides"], config["padding"])):
        x = conv(x, params[f"conv_{i}/w"], stride, padding, params.get(f"conv_{i}/b", 0.0))
        x = ACTIVATION[config["activation"]](between(x, i))
    return x


def cross_entropy(logits, labels):
    logits = logits - logits.max(1, keepdims=True)
    return np.mean(np.log(np.exp(logits).sum(1)) - logits[np.arange(len(labels)), labels])


def image_input(config, batch):
    return 2 * batch["image"] - 1 if config["center_data"] else batch["image"]


def flat(x):
    return x.reshape(len(x), -1)


def mlp_family(params, config, batch, key):
    return cross_entropy(mlp(params, "mlp", flat(image_input(config, batch)), config["activation"]), batch["label"])


def conv_fc_family(params, config, batch, key):
    x = flat(convolutions(params, config, image_input(config, batch)))
    return cross_entropy(mlp(params, "mlp", x, config["activation"]), batch["label"])


def conv_pooling_family(params, config, batch, key, between=lambda x, i: x):
    x = convolutions(params, config, image_input(config, batch), between)
    x = {"mean": x.mean((1, 2)), "max": x.max((1, 2)), "squared_mean": (x * x).mean((1, 2))}[config["pool_type"]]
    return cross_entropy(x @ params["linear/w"] + params["linear/b"], batch["label"])


def mlp_ae_family(params, config, batch, key):
    kind = config["output_type"]
    x = flat(batch["image"] if kind in ("sigmoid", "linear") else 2 * batch["image"] - 1)
    y = mlp(params, "mlp", x, config["activation"])
    y = sigmoid(y) if kind == "sigmoid" else np.tanh(y) if kind == "tanh" else y
    error = (y - x) ** 2 if config["loss_type"] == "l2" else abs(y - x)
    return (error.mean(1) if config["reduction_type"] == "reduce_mean" else error.sum(1)).mean()


def negative_elbo(x, codes, decode, key):
    """Two keys are split off: the first for the latents, the second for the noise of the pixels."""
    latent_key, pixel_key = stateless.split(stateless.as_key(key), 2)
    mean, log_stddev = np.split(codes, 2, -1)
    z = mean + np.exp(log_stddev) * stateless.normal(latent_key, mean.shape).numpy()
    m, s = np.split(np.clip(decode(z), -10, 10), 2, -1)
    u = stateless.uniform(pixel_key, x.shape, minval=-0.5 / 255, maxval=0.5 / 255).numpy()
    log_p = -((x + u - m) ** 2) / (2 * np.exp(s) ** 2) - np.log(np.exp(s) * np.sqrt(2 * np.pi)) - np.log(255)
    kl = (mean**2 + np.exp(log_stddev) ** 2 - 1 - 2 * log_stddev) / 2
    return kl.sum(1).mean() - flat(log_p).sum(1).mean()


def mlp_vae_family(params, config, batch, key):
    x, act = flat(batch["image"]), config["activation"]
    return negative_elbo(x, mlp(params, "encoder", x, act), lambda z: mlp(params, "decoder", z, act), key)


def fixed_mlp_vae(params, config, batch, key):
    return mlp_vae_family(params, config, {"image": 2 * batch["image"] - 1}, key)


def fixed_mlp(params, config, batch, key):
    kind, keep = config["before_activation"]

    def between(x, i):
        if kind == "dropout":
            layer_key = stateless.split(stateless.as_key(key), len(config["layer_sizes"]))[i]
            kept = stateless.uniform(layer_key, x.shape).numpy() < keep
            return np.where(kept, x / keep, 0)
        if kind == "layer_norm":
            x = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
            return x * params[f"mlp/layer_norm_{i}/scale"] + params[f"mlp/layer_norm_{i}/offset"]
        return x / np.sqrt(1 + 1e-3) + params[f"mlp/batch_norm_{i}/offset"] if kind == "batch_norm" else x

    logits = mlp(params, "mlp", flat(image_input(config, batch)), config["activation"], between)
    if config["loss"] == "cross_entropy":
        return cross_entropy(logits, batch["label"])
    return np.mean((sigmoid(logits) - np.eye(logits.shape[1])[batch["label"]]) ** 2)


def fixed_conv(params, config, batch, key):
    def between(x, i):
        moments = x.mean((0, 1, 2)), x.var((0, 1, 2))
        return (x - moments[0]) / np.sqrt(moments[1] + 1e-3) + params[f"batch_norm_{i}/offset"]

    return conv_pooling_family(params, config, batch, key, between)


def conv_encoder(params, config, x):
    for i in range(len(config["encoder"])):
        x = np.maximum(conv(x, params[f"encoder/conv_{i}/w"], (2, 2), "SAME", params[f"encoder/conv_{i}/b"]), 0)
    return flat(x) @ params["encoder/linear/w"] + params["encoder/linear/b"]


def conv_decoder(params, config, z, image_shape):
    n = len(config["decoder"]) - 1
    x = z @ params["decoder/linear/w"] + params["decoder/linear/b"]
    x = x.reshape(len(z), image_shape[0] // 2**n, image_shape[1] // 2**n, -1)
    for i in range(n):
        path = f"decoder/conv_transpose_{i}"
        x = np.maximum(conv_transpose(x, params[f"{path}/w"], params[f"{path}/b"]), 0)
    return x @ params["decoder/conv/w"][0, 0] + params["decoder/conv/b"]


def fixed_conv_ae(params, config, batch, key):
    x = batch["image"]
    return np.mean((sigmoid(conv_decoder(params, config, conv_encoder(params, config, x), x.shape[1:])) - x) ** 2)


def fixed_conv_vae(params, config, batch, key):
    x = 2 * batch["image"] - 1
    return negative_elbo(x, conv_encoder(params, config, x), lambda z: conv_decoder(params, config, z, x.shape[1:]), key)


# Flows: from the latents to the data, as one samples. Their density is checked with the Jacobian of these maps.


def coupling(z, params, path, activation):
    half = z.shape[1] // 2
    s, t = np.split(mlp(params, path, z[:, :half], activation), 2, 1)
    return np.concatenate([z[:, :half], z[:, half:] * np.exp(s) + t], 1)


def autoregressive(z, params, path, activation, masks):
    """Pixel by pixel: shift and log-scale of the next one from those that are there."""
    masked = dict(params)
    for i, mask in enumerate(masks):
        masked[f"{path}/linear_{i}/w"] = params[f"{path}/linear_{i}/w"] * mask
    y = np.full_like(z, np.nan)
    for i in range(z.shape[1]):
        seen = np.where(np.isnan(y), 0, y)
        shift, log_scale = mlp(masked, path, seen, activation)[:, 2 * i : 2 * i + 2].T
        y[:, i] = z[:, i] * np.exp(np.clip(log_scale, -5, 3)) + shift
    return y


def sample(z, layers, permutations):
    for i, layer in enumerate(layers):
        z = layer(z)
        z = z[:, permutations[i]] if i < len(permutations) else z
    return z


def log_normal(z):
    return -0.5 * np.sum(z**2 + np.log(2 * np.pi), -1)


def published_masks(pixels, hidden_units):
    """Block by block, for each layer [inputs, outputs]."""
    masks, widths = [], [pixels, *hidden_units, 2 * pixels]
    for layer, (n_in, n_out) in enumerate(itertools.pairwise(widths)):
        d_in, d_out = n_in // pixels, n_out // pixels
        mask = np.zeros([n_in, n_out])
        for b in range(pixels):
            mask[b * d_in : (b + 1) * d_in, (b + (layer == 0)) * d_out :] = 1
        masks.append(mask)
    return masks


def float64(tensors):
    return {name: np.asarray(x, np.float64) if tf.as_dtype(x.dtype).is_floating else np.asarray(x) for name, x in tensors.items()}
