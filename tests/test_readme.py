"""The examples of README.md, as they stand there, one after the other; and that the page stays short."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"


def example(word):
    """The Python example that has `word` in it."""
    (found,) = [code for code in re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL) if word in code]
    return found


def test_two_minutes():
    """About 200 words a minute are read; the picture is a small one."""
    prose = re.sub(r"```.*?```", "", README.read_text(), flags=re.DOTALL)
    assert len(re.sub(r"\(\S+\)", "", prose).split()) < 420
    (picture,) = re.findall(r"!\[.*?\]\((.*?)\)", prose)
    assert (ROOT / picture).stat().st_size < 150_000


def test_every_example_is_tested():
    source = Path(__file__).read_text()
    tested, there = re.findall(r'example\("(.*?)"\)', source), re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert there
    for code in there:
        assert any(word in code for word in tested), code


@pytest.mark.smoke
def test_tasks_baselines_and_a_run():
    names = {}
    exec(example("task.value_and_gradients"), names)
    assert np.isfinite(float(names["loss"])) and names["batch"]["image"].shape == (11, 32, 32, 3)
    assert set(names["gradients"]) == set(names["params"])
    exec(example("load_curves"), names)
    assert names["normalize"](names["normalize"].initial) == 1.0 and names["curves"]["optimizer"].nunique() == 17
    exec(example("get_optimizer"), names)
    assert len(names["losses"]) == 2000 and names["normalized"][-1] < names["normalized"][0]


@pytest.mark.smoke
def test_keras():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 8)).astype(np.float32)
    names = {"x": x, "y": np.argmax(x[:, :4], 1)}
    exec(example("learned.keras"), names)
    assert names["optimizer"].name == "anchored_muon" and int(names["optimizer"].iterations) == 8
    assert all(np.isfinite(w).all() for w in names["model"].get_weights())


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
