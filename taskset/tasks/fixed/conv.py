"""Convolutional classifiers: tasks of conv_pooling_family, of fixed_conv (with batch normalization) and of conv_fc_family."""

import dataclasses
from typing import Any

from taskset.registry import Facts, Shapes, add_fixed, register_facts, register_schema
from taskset.samplers import conv_pooling_family
from taskset.tasks.fixed.parts import DEFAULT, images

HE = ["he_normal", None]
VARIANCE_SCALING = ["contrib_variance_scaling", 2.0]

register_schema("fixed_conv", conv_pooling_family.SCHEMA)


@register_facts("fixed_conv")
def facts(config: dict[str, Any]) -> Facts:
    """As conv_pooling_family, with an offset for each channel of each convolution."""
    plain = conv_pooling_family.facts(config)
    if plain.parameter_shapes is None:
        return plain
    layers: Shapes = {}
    for i, units in enumerate(config["hidden_units"]):
        layers.update({path: shape for path, shape in plain.parameter_shapes.items() if path.startswith(f"conv_{i}/")})
        layers[f"batch_norm_{i}/offset"] = (units,)
    return dataclasses.replace(plain, parameter_shapes={**layers, **plain.parameter_shapes})


def _convolutions(dataset: list[Any], units: list[int], activation: str, w_init: list[Any]) -> dict[str, Any]:
    return {
        "strides": [[2, 2], *([1, 1] for _ in units[1:])],
        "hidden_units": units,
        "activation": activation,
        "w_init": w_init,
        "padding": ["SAME" for _ in units],
        "use_bias": True,
        "dataset": dataset,
        "center_data": False,
    }


def _pool(name, dataset, units, activation="relu", w_init=DEFAULT, pool_type="mean"):
    """`w_init` is for the convolutions alone, as in the release; the linear layer keeps Sonnet's default."""
    linear = {} if w_init == DEFAULT else {"linear_w_init": DEFAULT}
    add_fixed(
        __name__,
        name,
        "conv_pooling_family",
        {**_convolutions(dataset, units, activation, w_init), **linear, "pool_type": pool_type},
    )


def _batch_norm(name, dataset, units):
    add_fixed(__name__, name, "fixed_conv", {**_convolutions(dataset, units, "relu", DEFAULT), "pool_type": "mean"})


def _flatten(name, dataset, units, fc_units, activation="relu", w_init=DEFAULT):
    add_fixed(
        __name__, name, "conv_fc_family", {**_convolutions(dataset, units, activation, w_init), "fc_hidden_units": fc_units}
    )


_CIFAR = images("cifar10", 128)
_CIFAR_64 = images("cifar10", 64)

_pool("FixedImageConv_cifar10_32x64x64_bs128", _CIFAR, [32, 64, 64])
_pool("FixedImageConv_cifar10_32x64x64_tanh_bs64", _CIFAR_64, [32, 64, 64], "tanh")
_pool("FixedImageConv_cifar10_32x64x128_he_bs64", _CIFAR_64, [32, 64, 128], "tanh", HE, "max")
_pool("FixedImageConv_cifar10_32x64x128_normal_bs64", _CIFAR_64, [32, 64, 128], "tanh", ["random_normal", 0.02])
_pool("FixedImageConv_cifar10_32x64x128_largenormal_bs64", _CIFAR_64, [32, 64, 128], "tanh", ["random_normal", 0.2])
_pool("FixedImageConv_cifar10_32x64x128_smallnormal_bs64", _CIFAR_64, [32, 64, 128], "tanh", ["random_normal", 0.002])
_pool("FixedImageConv_cifar10_32x64x128x128x128_avg_he_bs64", _CIFAR_64, [32, 64, 128, 128, 128], "tanh", HE)

_batch_norm("FixedImageConv_cifar10_batchnorm_32x64x64_bs128", _CIFAR, [32, 64, 64])
_batch_norm("FixedImageConv_cifar10_batchnorm_32x32x32x64x64_bs128", _CIFAR, [32, 32, 32, 64, 64])
_batch_norm("FixedImageConv_food101_batchnorm_32x32x32x64x64_bs128", images("food101_32x32", 128), [32, 32, 32, 64, 64])
_batch_norm("FixedImageConv_cifar100_bn_32x64x128x128_bs128", images("cifar100", 128), [32, 64, 128, 128])
_batch_norm("FixedImageConv_coil10032x32_bn_32x64x128x128_bs128", images("coil100_32x32", 128, 800), [32, 64, 128, 128])
_batch_norm("FixedImageConv_sun39732x32_bn_32x64x128x128_bs128", images("sun397_32x32", 128), [32, 64, 128, 128])

_flatten("FixedImageConv_cifar10_32x64x64_flatten_bs128", _CIFAR, [32, 64, 64], [])
_flatten("FixedImageConv_cifar10_32x64x64_fc_64_bs128", _CIFAR, [32, 64, 64], [64])
_flatten("FixedImageConv_mnist_32x64x64_fc_64_bs128", images("mnist", 128), [32, 64, 64], [64])
_flatten(
    "FixedImageConv_cifar10_32x64x128_flatten_FC64x32_tanh_he_bs8",
    images("cifar10", 8), [32, 64, 128], [64, 32], "tanh", HE,
)  # fmt: skip
_flatten(
    "FixedImageConv_cifar10_32x64x128_flatten_FC64x32_tanh_variance_scaling_bs64",
    _CIFAR_64, [32, 64, 128], [64, 32], "tanh", VARIANCE_SCALING,
)  # fmt: skip
_flatten(
    "FixedImageConv_cifar100_32x64x128_FC64x32_tanh_variance_scaling_bs64",
    images("cifar100", 64), [32, 64, 128], [64, 32], "tanh", VARIANCE_SCALING,
)  # fmt: skip
_flatten("FixedImageConv_cifar100_32x64x64_flatten_bs128", images("cifar100", 128), [32, 64, 64], [])
_flatten("FixedImageConv_food10164x64_Conv_32x64x64_flatten_bs64", images("food101_64x64", 64), [32, 64, 64], [])
_flatten(
    "FixedImageConv_colorectalhistology32x32_32x64x64_flatten_bs128",
    images("colorectal_histology_32x32", 128, 700), [32, 64, 64], [],
)  # fmt: skip
_flatten("Mnist_Conv_32x16x64_flatten_FC32_tanh_bs32", images("mnist", 32), [32, 16, 64], [32], "tanh")
