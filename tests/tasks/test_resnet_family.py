"""Residual nets against their NumPy twin, and the net of arXiv 2009.11243."""

import numpy as np
import pytest
import tensorflow as tf

from taskset import catalogue
from taskset.catalogue import get_task
from taskset.tasks.base import Task
from tests import small
from tests.small import TINY, RandomImages, shaken
from tests.twins import images as twins
from tests.twins.residual_nets import resnet_family

ODD = RandomImages(4, (9, 7, 1))
CONFIG = {
    "stem": {"kernel": 3, "channels": 4, "stride": 2, "max_pool": False},
    "block": "basic", "blocks": [[4, 4, 1], [6, 6, 2]], "pre_activation": True, "norm": ["batch_norm", None],
    "activation": "tanh", "w_init": ["he_normal", None], "residual_init": "plain", "pool_type": "mean", "center_data": True,
}  # fmt: skip
BOTTLENECK = {"block": "bottleneck", "blocks": [[8, 4, 1], [8, 4, 2], [12, 4, 1]]}
POOLED = {"kernel": 5, "channels": 4, "stride": 1, "max_pool": True}
VARIANTS = [
    (CONFIG, TINY),
    ({**CONFIG, "pre_activation": False, "activation": "gelu"}, ODD),
    ({**CONFIG, **BOTTLENECK, "stem": POOLED, "norm": ["group_norm", 2], "activation": "swish"}, TINY),
    ({**CONFIG, **BOTTLENECK, "pre_activation": False, "norm": ["layer_norm", None], "residual_init": "zero"}, TINY),
    ({**CONFIG, "norm": ["none", None], "stem": {**POOLED, "stride": 2}, "pool_type": "max", "center_data": False}, ODD),
    ({**CONFIG, **BOTTLENECK, "norm": ["none", None], "pre_activation": False, "residual_init": "zero"}, ODD),
]


def make(config, data):
    return Task("resnet", "resnet_family", config, catalogue.builder("resnet_family")(config, data), "synthetic")


@pytest.mark.parametrize("config, data", VARIANTS)
def test_loss_is_that_of_the_numpy_twin(config, data):
    task = make(config, data)
    params, batch = shaken(task), data.examples()
    expected = resnet_family(twins.float64(params), config, twins.float64(batch), 3)
    assert task.loss(params, batch, 3).numpy() == pytest.approx(expected, rel=1e-5)
    _, gradients = task.value_and_gradients(params, batch, 3)
    assert all(np.abs(gradient).max() > 1e-6 for gradient in gradients.values())


def test_the_net_on_which_learned_optimizers_were_tested():
    """arXiv 2009.11243: 7x7x64 with stride 2, a max pool, four bottlenecks, batch norm, pool, a linear layer: 14 layers."""
    name = "ResNet14_cifar10_bs128"
    family, config = catalogue.resolve(name)
    catalogue.check_config(family, config)
    shapes = catalogue.facts(family, config).parameter_shapes
    kernels = [shape for path, shape in shapes.items() if path.endswith("/w") and "shortcut" not in path]
    blocks = ((64, 32), (128, 32), (128, 64), (128, 64))  # channels of the input, inside; all have 128 at the end
    branches = [kernel for a, b in blocks for kernel in ((1, 1, a, b), (3, 3, b, b), (1, 1, b, 128))]
    assert kernels == [(7, 7, 3, 64), *branches, (128, 10)] and len(kernels) == 14
    assert [path for path in shapes if "shortcut" in path] == ["block_0/shortcut/w"]
    assert get_task(name, "synthetic").parameter_shapes == shapes


def test_a_branch_that_starts_at_zero_changes_nothing_at_first():
    config = {**CONFIG, "residual_init": "zero", "blocks": [[4, 4, 1]]}
    task, batch = make(config, TINY), TINY.examples()
    start = task.init(0)
    assert start["block_0/gain"].shape == () and start["block_0/gain"] == 0
    other = {path: 2 * value if path.startswith("block_0/conv") else value for path, value in start.items()}
    assert task.loss(start, batch, 0) == task.loss(other, batch, 0)
    _, gradients = task.value_and_gradients(start, batch, 0)
    assert np.abs(gradients["block_0/gain"]) > 1e-5


def test_groups_have_to_divide_the_channels():
    config = {**catalogue.sample("resnet_family", 0), "norm": ["group_norm", 3], "pre_activation": False}
    config["stem"]["channels"] = 8
    reason = catalogue.facts("resnet_family", config).infeasible
    assert reason == "norm[1] = 3: the 8 channels of stem_norm don't fall into equal groups"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [50, 98, 117])
def test_adam_learns(seed):
    small.assert_learned(f"resnet_family_seed{seed}")


def test_everything_is_computed_in_the_dtype_of_the_parameters():
    task = make({**CONFIG, "norm": ["group_norm", 2]}, TINY)
    batch = {name: tf.cast(value, tf.float64) if value.dtype.is_floating else value for name, value in TINY.examples().items()}
    assert task.loss(task.init(0, tf.float64), batch, 0).dtype == "float64"
