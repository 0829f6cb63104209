"""Transformers once more, in NumPy and float64: one example, one head and one position after the other."""

import math

import numpy as np

from taskset.random import stateless
from tests.twins.images import cross_entropy, image_input
from tests.twins.residual_nets import ACTIVATION


class Dropped:
    """x with the entries that the library drops: only the random numbers are its own."""

    def __init__(self, rate, key):
        self._rate, self._key, self._calls = rate, key, 0

    def __call__(self, x):
        if self._rate is None:
            return x
        self._calls += 1
        kept = stateless.uniform(stateless.fold(stateless.as_key(self._key), self._calls), x.shape).numpy() < 1 - self._rate
        return x * kept / (1 - self._rate)


def linear(params, path, x):
    return x @ params[f"{path}/w"] + params.get(f"{path}/b", 0.0)


def norm(params, path, x, kind):
    if kind == "rms_norm":
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) * params[f"{path}/scale"]
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * params[f"{path}/scale"] + params[f"{path}/offset"]


def positions(params, kind, length, width):
    if kind == "learned":
        return params["positions/embeddings"]
    vectors = np.zeros([length, width])
    if kind == "sinusoid":
        for t in range(length):
            for c in range(width):
                angle = t / 10000 ** (2 * (c // 2) / width)
                vectors[t, c] = math.cos(angle) if c % 2 else math.sin(angle)
    return vectors


def attention(params, path, config, x, causal):
    """x [T, width] of one example."""
    q, k, v = (linear(params, f"{path}/{name}", x) for name in ("query", "key", "value"))
    size = config["width"] // config["heads"]
    y = np.empty_like(x)
    for head in range(config["heads"]):
        part = slice(head * size, (head + 1) * size)
        for t in range(len(x)):
            seen = t + 1 if causal else len(x)
            scores = np.array([q[t, part] @ k[s, part] for s in range(seen)]) / math.sqrt(size)
            weights = np.exp(scores - scores.max())
            y[t, part] = weights @ v[:seen, part] / weights.sum()
    return linear(params, f"{path}/output", y)


def feed_forward(params, path, config, x):
    act, hidden = ACTIVATION[config["activation"]], linear(params, f"{path}/input", x)
    hidden = act(linear(params, f"{path}/gate", x)) * hidden if config["gated"] else act(hidden)
    return linear(params, f"{path}/output", hidden)


def encode(params, config, x, key, causal):
    """x [B, T, width]."""
    length, width = x.shape[1:]
    drop = Dropped(config["dropout"], key)
    x = drop(x + positions(params, config["positions"], length, width))

    def flat(x):
        return x.reshape(-1, width)

    for i in range(config["layers"]):
        for name in ("attention", "feed_forward"):
            path, kind = f"layer_{i}/{name}", config["norm"]
            inside = norm(params, f"{path}_norm", x, kind) if config["pre_norm"] else x
            if name == "attention":
                y = np.stack([attention(params, path, config, example, causal) for example in inside])
            else:
                y = feed_forward(params, path, config, inside)
            x = x + drop(flat(y)).reshape(x.shape)
            x = x if config["pre_norm"] else norm(params, f"{path}_norm", x, kind)
    return norm(params, "final_norm", x, config["norm"]) if config["pre_norm"] else x


def next_token_losses(params, config, tokens, key):
    """[B, T - 1] of tokens [B, T]."""
    tokens = np.minimum(tokens, config["vocab_size"] - 1)
    x = encode(params, config, params["embed/embeddings"][tokens[:, :-1]], key, causal=True)
    logits = x @ params["embed/embeddings"].T if config["tied"] else linear(params, "linear", x)
    losses = np.empty(logits.shape[:2])
    for b, t in np.ndindex(*losses.shape):
        losses[b, t] = np.logaddexp.reduce(logits[b, t]) - logits[b, t, tokens[b, t + 1]]
    return losses


def transformer_lm_family(params, config, batch, key):
    mask = batch["mask"][:, 1:]
    return (mask * next_token_losses(params, config, batch["tokens"], key)).sum() / mask.sum()


def patches(image, size):
    """[B, H, W, C] -> [B, patches, size size C]: row by row, whole patches only."""
    rows, columns = image.shape[1] // size, image.shape[2] // size
    found = [image[:, i * size : (i + 1) * size, j * size : (j + 1) * size] for i in range(rows) for j in range(columns)]
    return np.stack([part.reshape(len(image), -1) for part in found], 1)


def vit_family(params, config, batch, key):
    x = linear(params, "patches", patches(image_input(config, batch), config["patch_size"]))
    if config["pool_type"] == "class_token":
        x = np.concatenate([np.tile(params["class_token"], (len(x), 1, 1)), x], 1)
    x = encode(params, config, x, key, causal=False)
    x = x[:, 0] if config["pool_type"] == "class_token" else x.mean(1)
    return cross_entropy(linear(params, "linear", x), batch["label"])
