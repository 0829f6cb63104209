"""The parameters of the common layers: {path: shape}, in the order in which the models create them. No TensorFlow."""

import math


def linear(path, inputs, outputs):
    """A linear layer with a bias."""
    return {f"{path}/w": (inputs, outputs), f"{path}/b": (outputs,)}


def mlp(path, inputs, sizes):
    """Linear layers of these output sizes, one after the other: `{path}/linear_0`, .."""
    widths = [inputs, *sizes]
    layers = [linear(f"{path}/linear_{i}", n, m) for i, (n, m) in enumerate(zip(widths, sizes))]
    return {name: shape for layer in layers for name, shape in layer.items()}


def convolution_size(size, stride, padding):
    """The rows that a 3x3 convolution leaves of `size` (not positive where it runs out of rows)."""
    return math.ceil(size / stride) if padding == "SAME" else (size - 3) // stride + 1


def pixels(image_shape):
    """How many numbers an image has."""
    return math.prod(image_shape)


def recurrent_core(core, inputs):
    """A `[kind, arguments]` of recurrent cores reading vectors of length `inputs`; its variables are called `core/..`."""
    kind, args = core
    n = args["core_dim"]
    if kind == "vrnn":
        return {"core/in_to_hidden": (inputs, n), "core/b_in": (n,), "core/hidden_to_hidden": (n, n), "core/b_h": (n,)}
    if kind == "gru":
        gate = {"w": (inputs, n), "u": (n, n), "b": (n,)}
        return {f"core/{part}{name}": shape for name in "zrh" for part, shape in gate.items()}
    return {"core/w_gates": (inputs + n, 4 * n), "core/b_gates": (4 * n,)}


def initial_state(core):
    """The learned initial state of a recurrent core: one vector, two for an LSTM."""
    kind, args = core
    names = ("hidden", "cell") if kind == "lstm" else ("hidden",)
    return {f"initial_state/{name}": (args["core_dim"],) for name in names}


def recurrent_net(config, vocab_size, outputs):
    """Embedding, core, initial state where it is learned, and the linear layer, of a config of the recurrent families."""
    return {
        "embed/embeddings": (vocab_size, config["embed_dim"]),
        **recurrent_core(config["core"], config["embed_dim"]),
        **(initial_state(config["core"]) if config["trainable_init"] else {}),
        **linear("linear", config["core"][1]["core_dim"], outputs),
    }
