"""How much a training step computes, derived from the config: for estimates of its cost. No TensorFlow.

Counts are for one forward pass of a batch; the backward pass is in proportion.
"""

import math
from collections.abc import Callable
from typing import Any

from taskset.registry import Config, Facts, Shapes
from taskset.samplers import convolutions, resnet_family, transformers, vit_family

_LOOKED_UP = ("embed/embeddings", "positions/embeddings")  # rows are read, nothing is multiplied
KINDS = ("products", "activations", "augmented", "draws", "steps", "parameters")


def work(config: Config, facts: Facts) -> dict[str, float]:
    """{kind: count} of a task that can run and whose facts have shapes.

    products: multiplications in matrix products and convolutions.
    activations: numbers in their results and in the batch; in residual nets and transformers also those that are normalized.
    augmented: pixels whose colours are augmented.
    draws: random numbers drawn for a disturbed matrix.
    steps: iterations that must run one after the other (a recurrent core's, a chain of reflections).
    parameters: numbers that the optimizer updates.
    """
    counts = dict.fromkeys(KINDS, 0.0)
    counts["parameters"] = facts.num_params or 0
    if isinstance(config, list):
        counts["products"] = _linear_system(*config[:2])
    elif "A_dist" in config:
        counts.update(_quadratic_form(config))
    if facts.data is not None:
        _add_layers(counts, config, facts)
    return counts


def _shapes(facts: Facts) -> Shapes:
    if facts.parameter_shapes is None:
        raise ValueError("work is counted from parameter shapes, and these facts have none")
    return facts.parameter_shapes


def _add_layers(counts: dict[str, float], config: Any, facts: Facts) -> None:
    data: Any = facts.data  # an image data set, texts or sequences: their own fields are read below
    batch, inputs = data.batch_size, data.batch
    times = _applications(config, data)
    for path, shape in _shapes(facts).items():
        if len(shape) > 1 and path not in _LOOKED_UP:
            counts["products"] += batch * times(path) * math.prod(shape)
            counts["activations"] += batch * times(path) * shape[-1]
    counts["activations"] += sum(math.prod(shape) for shape, _ in inputs.values())
    if _is(config, "stem"):
        normalized = [shape[0] * pixels for path, shape, pixels in _residual(config, data) if path.endswith("/scale")]
        counts["activations"] += batch * sum(normalized)
    elif _is(config, "heads"):
        for kind, count in _attention(config, data).items():
            counts[kind] += batch * count
    elif "tokens" in inputs:
        counts["steps"] = inputs["tokens"][0][1]
    augmentation = getattr(data, "augment", None)
    if augmentation and augmentation["do_color_aug"] and data.image_shape[-1] == 3:
        counts["augmented"] = batch * math.prod(data.image_shape)


def _is(config: Any, field: str) -> bool:
    """Whether a config is that of a family which has this field: "stem" of residual nets, "heads" of transformers."""
    return isinstance(config, dict) and field in config


def _residual(config: dict[str, Any], data: Any) -> list[resnet_family.Layer]:
    return resnet_family.layers(config, data.image_shape)


def _length(config: dict[str, Any], data: Any) -> int:
    """The number of vectors that a transformer reads of one example."""
    return data.patch_length - 1 if "tokens" in data.batch else vit_family.sequence_length(config, data.image_shape)


def _attention(config: dict[str, Any], data: Any) -> dict[str, float]:
    """Of one example: the work that no parameter's shape shows, the product with tied embeddings included."""
    length = _length(config, data)
    counts = transformers.attention_work(config, length)
    if config.get("tied"):
        counts["products"] += length * config["width"] * config["vocab_size"]
        counts["activations"] += length * config["vocab_size"]
    return counts


def _linear_system(kind: str, args: dict[str, Any]) -> int:
    """Products of the losg problems that have a dense matrix; those of the others are in their layers, or negligible."""
    if "base" in args:
        return _linear_system(*args["base"])
    return args["dim"] ** 2 if kind in ("quadratic", "norm") else 0


def _quadratic_form(config: dict[str, Any]) -> dict[str, float]:
    square, noise = config["dims"] ** 2, config["noise"] and config["noise"]["A_noise"][0]
    if noise in ("linspace_eigen", "logspace_eigen"):
        return {"products": 5 * square, "draws": square / 2, "steps": 2 * config["dims"]}
    return {"products": square, "draws": square if noise else 0}


def _applications(config: Any, data: Any) -> Callable[[str], float]:
    """A function path -> how often the matrix is applied to one example: once per pixel, once per step, or once."""
    if _is(config, "heads"):
        length = _length(config, data)
        return lambda path: 1 if path == "linear/w" and "label" in data.batch else length
    if _is(config, "stem"):
        applied = {path: pixels for path, _, pixels in _residual(config, data)}
        return lambda path: applied.get(path, 1)
    if "tokens" in data.batch:
        length = data.batch["tokens"][0][1]
        every_step = "core/" if "label" in data.batch else ("core/", "linear/")
        return lambda path: length if path.startswith(every_step) else 1
    pixels = _pixels(config, data) if isinstance(config, dict) and {"strides", "encoder"} & set(config) else {}
    return lambda path: pixels.get(path, 1)


def _pixels(config: dict[str, Any], data: Any) -> dict[str, float]:
    """{path: number of pixels at which the kernel is applied}."""
    if "strides" in config:
        images = convolutions.image_shapes(config, data.image_shape)[1:]
        return {f"conv_{i}/w": height * width for i, (height, width, _) in enumerate(images)}
    height, width, _ = data.image_shape
    shrunk = [height * width / 4**i for i in range(len(config["encoder"]) + 1)]
    encoder = {f"encoder/conv_{i}/w": pixels for i, pixels in enumerate(shrunk[1:])}
    decoder = {f"decoder/conv_transpose_{i}/w": pixels for i, pixels in enumerate(shrunk[:0:-1])}
    return {**encoder, **decoder, "decoder/conv/w": shrunk[0]}
