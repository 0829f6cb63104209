"""Residual nets once more, in NumPy and float64, from parameters {path: array} and a batch."""

import numpy as np

from tests.twins.images import conv, cross_entropy, image_input

ACTIVATION = {
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
    "swish": lambda x: x / (1 + np.exp(-x)),
    "gelu": lambda x: x / (1 + np.exp(-np.sqrt(8 / np.pi) * (x + 0.044715 * x**3))),
}


def norm(params, path, x, kind, groups):
    if kind == "none":
        return x
    y = np.empty_like(x)
    if kind == "batch_norm":
        for c in range(x.shape[3]):
            y[..., c] = (x[..., c] - x[..., c].mean()) / np.sqrt(x[..., c].var() + 1e-5)
    else:
        size = x.shape[3] // (1 if kind == "layer_norm" else groups)
        for example in range(len(x)):
            for c in range(0, x.shape[3], size):
                part = x[example, :, :, c : c + size]
                y[example, :, :, c : c + size] = (part - part.mean()) / np.sqrt(part.var() + 1e-5)
    return y * params[f"{path}/scale"] + params[f"{path}/offset"]


def max_pool(x):
    """Windows of 3x3 at every second row and column; the odd row of padding at the end."""
    rows, columns = -(-x.shape[1] // 2), -(-x.shape[2] // 2)
    before = [max((2 * (n - 1) + 3 - size), 0) // 2 for n, size in ((rows, x.shape[1]), (columns, x.shape[2]))]
    y = np.empty([len(x), rows, columns, x.shape[3]])
    for i in range(rows):
        for j in range(columns):
            top, left = 2 * i - before[0], 2 * j - before[1]
            y[:, i, j] = x[:, max(top, 0) : top + 3, max(left, 0) : left + 3].max((1, 2))
    return y


def resnet_family(params, config, batch, key):
    act = ACTIVATION[config["activation"]]

    def convolve(x, path, stride):
        return conv(x, params[f"{path}/w"], (stride, stride), "SAME", params.get(f"{path}/b", 0.0))

    def normed(x, path):
        return norm(params, path, x, *config["norm"])

    x = convolve(image_input(config, batch), "stem", config["stem"]["stride"])
    x = x if config["pre_activation"] else act(normed(x, "stem_norm"))
    x = max_pool(x) if config["stem"]["max_pool"] else x
    for i, (out, _, stride) in enumerate(config["blocks"]):
        path, strides = f"block_{i}", {"basic": (stride, 1), "bottleneck": (1, stride, 1)}[config["block"]]
        if config["pre_activation"]:
            entry = act(normed(x, f"{path}/norm_0"))
            y = convolve(entry, f"{path}/conv_0", strides[0])
            for j in range(1, len(strides)):
                y = convolve(act(normed(y, f"{path}/norm_{j}")), f"{path}/conv_{j}", strides[j])
        else:
            entry, y = x, x
            for j in range(len(strides)):
                y = normed(convolve(y if j == 0 else act(y), f"{path}/conv_{j}", strides[j]), f"{path}/norm_{j}")
        shortcut = x[:, ::stride, ::stride]
        if x.shape[3] != out:
            shortcut = convolve(entry, f"{path}/shortcut", stride)
            shortcut = shortcut if config["pre_activation"] else normed(shortcut, f"{path}/shortcut_norm")
        x = shortcut + params.get(f"{path}/gain", 1.0) * y
        x = x if config["pre_activation"] else act(x)
    x = act(normed(x, "final_norm")) if config["pre_activation"] else x
    x = {"mean": x.mean((1, 2)), "max": x.max((1, 2))}[config["pool_type"]]
    return cross_entropy(x @ params["linear/w"] + params["linear/b"], batch["label"])
