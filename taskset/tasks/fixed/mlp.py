"""Fully connected classifiers. Plain ones with cross-entropy are tasks of mlp_family, the others of fixed_mlp."""

from itertools import pairwise
from typing import Any

from taskset.registry import Facts, Shapes, add_fixed, register_facts, register_schema
from taskset.samplers import data, schemas, shapes
from taskset.tasks.fixed.parts import DEFAULT, images

KEEP = schemas.number(exclusiveMinimum=0, maximum=1)
NULL = {"type": "null"}
_VECTORS = {"none": (), "dropout": (), "layer_norm": ("scale", "offset"), "batch_norm": ("offset",)}

register_schema(
    "fixed_mlp",
    schemas.fields(
        layer_sizes=schemas.SIZES,
        activation=schemas.ACTIVATION,
        before_activation=schemas.tagged({"none": NULL, "dropout": KEEP, "layer_norm": NULL, "batch_norm": NULL}),
        w_init=schemas.INITIALIZER,
        dataset=schemas.IMAGE_DATASET,
        center_data=schemas.BOOLEAN,
        loss=schemas.one_of("cross_entropy", "squared_error"),
    ),
)


@register_facts("fixed_mlp")
def facts(config: dict[str, Any]) -> Facts:
    """pixels - layer_sizes - classes, with the vectors of the normalised layers."""
    spec = data.image_data(config["dataset"])
    kind = config["before_activation"][0]
    widths = [shapes.pixels(spec.image_shape), *config["layer_sizes"]]
    parameters: Shapes = {}
    for i, (n, m) in enumerate(pairwise(widths)):
        parameters.update(shapes.linear(f"mlp/linear_{i}", n, m))
        parameters.update({f"mlp/{kind}_{i}/{vector}": (m,) for vector in _VECTORS[kind]})
    parameters.update(shapes.linear(f"mlp/linear_{len(widths) - 1}", widths[-1], spec.num_classes))
    return Facts(spec, parameters, spec.infeasible)


def _config(dataset: str, units: list[int], activation: str = "relu") -> dict[str, Any]:
    return {
        "layer_sizes": units,
        "activation": activation,
        "w_init": DEFAULT,
        "dataset": images(dataset, 128),
        "center_data": False,
    }


def _cross_entropy(name, dataset):
    add_fixed(__name__, name, "mlp_family", _config(dataset, [128, 128, 128]))


def _squared_error(name, dataset):
    add_fixed(
        __name__,
        name,
        "fixed_mlp",
        {**_config(dataset, [128, 128, 128]), "before_activation": ["none", None], "loss": "squared_error"},
    )


def _regularized(name, before_activation, units, activation="relu"):
    config = {**_config("cifar10", units, activation), "before_activation": before_activation, "loss": "cross_entropy"}
    add_fixed(__name__, name, "fixed_mlp", config)


_squared_error("FixedMLP_cifar10_mse_128x128x128_relu_bs128", "cifar10")
_cross_entropy("FixedMLP_cifar10_ce_128x128x128_relu_bs128", "cifar10")
_squared_error("FixedMLP_mnist_mse_128x128x128_relu_bs128", "mnist")
_cross_entropy("FixedMLP_mnist_ce_128x128x128_relu_bs128", "mnist")
_squared_error("FixedMLP_food10132x32_mse_128x128x128_relu_bs128", "food101_32x32")
_cross_entropy("FixedMLP_food10132x32_ce_128x128x128_relu_bs128", "food101_32x32")
# The number is the probability that a unit is kept.
_regularized("FixedMLP_cifar10_Dropout05_128x128_relu_bs128", ["dropout", 0.5], [128, 128])
_regularized("FixedMLP_cifar10_Dropout08_128x128_relu_bs128", ["dropout", 0.8], [128, 128])
_regularized("FixedMLP_cifar10_Dropout02_128x128_relu_bs128", ["dropout", 0.2], [128, 128])
_regularized("FixedMLP_cifar10_LayerNorm_128x128x128_relu_bs128", ["layer_norm", None], [128, 128, 128])
_regularized("FixedMLP_cifar10_LayerNorm_128x128x128_tanh_bs128", ["layer_norm", None], [128, 128, 128], "tanh")
_regularized("FixedMLP_cifar10_BatchNorm_128x128x128_relu_bs128", ["batch_norm", None], [128, 128, 128])
_regularized("FixedMLP_cifar10_BatchNorm_64x64x64x64x64_relu_bs128", ["batch_norm", None], [64, 64, 64, 64, 64])
