"""Truncations under tf.distribute: what two devices compute is what one computes."""

import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from learned import estimators
from learned.unrolling import distributed
from taskset.errors import ConfigError, UnknownName


def on_two_devices(path, names):
    done = subprocess.run(
        [sys.executable, "-m", "tests.two_devices", str(path), *names], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def check(found, names):
    assert str(found["described/mirrored"]) == "MirroredStrategy(cpu:0, cpu:1)"
    assert str(found["described/one"]) == "OneDeviceStrategy(cpu:1)"
    assert found["placed/mirrored"].tolist() == ["device:CPU:0", "device:CPU:1"] and found["placed/one"].tolist() == [
        "device:CPU:1"
    ]
    compared = 0
    for key, alone in found.items():
        name, kind, rest = (*key.split("/", 2), "")[:3]
        if name not in names or kind == "none":
            continue
        expected = found[f"{name}/none/{rest}"]
        np.testing.assert_allclose(alone, expected, rtol=1e-8, atol=1e-9, err_msg=key)
        compared += rest.startswith("gradient") and expected.any()
    assert compared == 3 * (len(names) + 1)


@pytest.mark.long
def test_the_same_gradients_as_on_one_device(tmp_path):
    check(on_two_devices(tmp_path / "out.npz", ["pes"]), ["pes"])


@pytest.mark.slow
def test_all_estimators(tmp_path):
    check(on_two_devices(tmp_path / "out.npz", estimators.names()), estimators.names())


@pytest.mark.parametrize(
    "name, device, message",
    [
        ("one", "cuda", "device 'cuda': allowed are cpu, gpu, tpu"),
        ("one", "gpu:7", "device 'gpu:7' is not there: allowed are those of this machine, cpu:0"),
        ("mirrored", "cpu:3", "device 'cpu:3' is not there"),
        ("mirrored", "cpu:0,cpu:0", "different devices of one kind"),
        ("two", "cpu", "unknown strategy 'two'. Allowed are one, mirrored, tpu"),
        ("one", "tpu", "allowed is strategy 'tpu' with device 'tpu'"),
        ("tpu", "tpu", "device 'tpu' is not there: allowed are those of this machine, cpu:0"),
    ],
)
def test_devices_that_are_not_there_are_one_line(name, device, message):
    with pytest.raises((ConfigError, UnknownName), match=re.escape(message)) as error:
        distributed.strategy(name, device)
    assert "\n" not in str(error.value)


def test_pairs_are_shared_out_evenly():
    distributed.check_pairs(3, tf.distribute.OneDeviceStrategy("/cpu:0"))

    class Three:
        num_replicas_in_sync = 3

    with pytest.raises(ConfigError, match="a multiple of the 3 replicas"):
        distributed.check_pairs(4, Three())
    distributed.check_pairs(12, Three(), groups=2)
    with pytest.raises(ConfigError, match="pairs is 6: .* a multiple of 12, 3 replicas of the strategy for each of 4 groups"):
        distributed.check_pairs(6, Three(), groups=4)
