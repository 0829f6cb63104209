"""The examples of README.md, as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import taskset
from learned import optimizers
from learned.deploy import numpy_update
from learned.deploy.export import export
from learned.outer_training import checkpoint

README = Path(__file__).parent.parent / "README.md"


def example(word):
    """The Python example that has `word` in it."""
    (found,) = [code for code in re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL) if word in code]
    return found


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """A directory that has what the commands before the examples leave behind."""
    theta = optimizers.get("mlp").init_theta(0)
    meta = {"optimizer": "mlp", "shapes": {path: list(w.shape) for path, w in theta.items()}}
    checkpoint.save(tmp_path / "runs/mlp-pes/checkpoint.npz", meta, {f"theta/{path}": w.numpy() for path, w in theta.items()})
    export(tmp_path / "runs/mlp-pes/checkpoint.npz", tmp_path / "runs/mlp.npz")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path / "runs"))


@pytest.mark.smoke
def test_keras(trained):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 8)).astype(np.float32)
    names = {"x": x, "y": np.argmax(x[:, :4], 1)}
    exec(example("learned.keras"), names)
    assert names["optimizer"].name == "mlp" and int(names["optimizer"].iterations) == 8
    assert all(np.isfinite(w).all() for w in names["model"].get_weights())


def steps(params, gradients_of):
    names = {"params": params, "gradients_of": gradients_of}
    exec(example("import numpy_update"), names)
    return names["params"]


@pytest.mark.smoke
def test_numpy(trained):
    start = {"w": np.ones((3, 2), np.float32), "b": np.zeros(2, np.float32)}
    gradients_of = lambda params: {name: 2 * p for name, p in params.items()}  # noqa: E731
    expected, optimizer = dict(start), numpy_update.load("runs/mlp.npz")
    state = optimizer.init(expected)
    for step in range(100):
        expected, state = optimizer.update(gradients_of(expected), state, expected, step)
    found = steps(start, gradients_of)
    for name, p in found.items():
        np.testing.assert_array_equal(p, expected[name])
    assert (found["w"] != 1).all()


def test_jax(trained):
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    start = {"w": jax.numpy.ones((3, 2)), "b": jax.numpy.zeros(2)}
    gradients_of = jax.jit(jax.grad(lambda params: sum((p**2).sum() for p in params.values())))
    plain = steps({name: np.asarray(p) for name, p in start.items()}, lambda params: {name: 2 * p for name, p in params.items()})
    for name, p in steps(start, gradients_of).items():
        np.testing.assert_allclose(p, plain[name], rtol=0, atol=1e-6)


@pytest.mark.smoke
def test_a_task_in_a_few_lines():
    names = {}
    exec(example("task.value_and_gradients"), names)
    assert np.isfinite(float(names["loss"])) and names["batch"]["image"].shape == (11, 32, 32, 3)


def test_a_training_loop_of_ones_own():
    names = {"taskset": taskset}
    exec(example("jit_compile"), names)
    assert float(names["loss"]) < float(names["task"].loss(names["task"].init(0), {}, 0))
    assert names["step"].experimental_get_tracing_count() == 1


QUIET = """
import taskset, tensorflow as tf
assert tf.config.list_logical_devices("CPU")
task = taskset.get_task("quadratic_family_seed12")
task.value_and_gradients(task.init(seed=0), next(task.batches("train", seed=0)), seed=0)
"""


def test_tensorflow_starts_without_a_word_whoever_imports_it_and_keeps_programs(tmp_path):
    environment = {**os.environ, "TASKSET_COMPILE_CACHE": str(tmp_path)}
    for name in ("TF_CPP_MIN_LOG_LEVEL", "TF_XLA_FLAGS"):
        environment.pop(name, None)
    code = QUIET + "from taskset.execution.loop import train\ntrain(task, taskset.get_optimizer('adam_lr_-2.00'), 3)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert list(tmp_path.rglob("*.pb*"))


@pytest.mark.smoke
def test_baselines_of_the_package():
    names = {}
    exec("import taskset\n" + example("load_normalizers()"), names)
    assert names["n"](names["n"].initial) == 1.0
