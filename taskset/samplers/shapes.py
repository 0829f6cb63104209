"""The parameters of the common layers: {path: shape}, in the order in which the models create them. No TensorFlow."""

import math
from collections.abc import Sequence
from typing import Any

from taskset.registry import Config, Shapes


def linear(path: str, inputs: int, outputs: int) -> Shapes:
    """A linear layer with a bias."""
    return {f"{path}/w": (inputs, outputs), f"{path}/b": (outputs,)}


def mlp(path: str, inputs: int, sizes: Sequence[int]) -> Shapes:
    """A chain of linear layers with these output sizes: `{path}/linear_0`, .."""
    widths = [inputs, *sizes]
    layers = [linear(f"{path}/linear_{i}", n, m) for i, (n, m) in enumerate(zip(widths, sizes))]
    return {name: shape for layer in layers for name, shape in layer.items()}


def convolution_size(size: int, stride: int, padding: str) -> int:
    """The number of rows that a 3x3 convolution makes of `size` rows; zero or less if they are too few."""
    return math.ceil(size / stride) if padding == "SAME" else (size - 3) // stride + 1


def pixels(image_shape: Sequence[int]) -> int:
    """The number of values of an image."""
    return math.prod(image_shape)


def recurrent_core(core: list[Any], inputs: int) -> Shapes:
    """A recurrent core `[kind, arguments]` that reads vectors of length `inputs`; its variables are called `core/..`."""
    kind, args = core
    n = args["core_dim"]
    if kind == "vrnn":
        return {"core/in_to_hidden": (inputs, n), "core/b_in": (n,), "core/hidden_to_hidden": (n, n), "core/b_h": (n,)}
    if kind == "gru":
        gate = {"w": (inputs, n), "u": (n, n), "b": (n,)}
        return {f"core/{part}{name}": shape for name in "zrh" for part, shape in gate.items()}
    return {"core/w_gates": (inputs + n, 4 * n), "core/b_gates": (4 * n,)}


def initial_state(core: list[Any]) -> Shapes:
    """The learned initial state of a recurrent core: one vector, two for an LSTM."""
    kind, args = core
    names = ("hidden", "cell") if kind == "lstm" else ("hidden",)
    return {f"initial_state/{name}": (args["core_dim"],) for name in names}


def recurrent_net(config: Config, vocab_size: int, outputs: int) -> Shapes:
    """Embedding, core, initial state (if it is learned) and linear layer of a config of the recurrent families."""
    return {
        "embed/embeddings": (vocab_size, config["embed_dim"]),
        **recurrent_core(config["core"], config["embed_dim"]),
        **(initial_state(config["core"]) if config["trainable_init"] else {}),
        **linear("linear", config["core"][1]["core_dim"], outputs),
    }
