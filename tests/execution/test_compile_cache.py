"""The cache of compiled programs: found again whatever was compiled before, the same numbers from it, switched off, kept
small."""

import gc
import importlib.metadata
import os
import subprocess
import sys

import pytest
import tensorflow as tf

from taskset.errors import ConfigError
from taskset.execution import compile_cache
from taskset.execution.canonical import canonical_name
from taskset.execution.program import Program

TRAIN = """
import sys
from taskset.execution.runtime import start_tensorflow
start_tensorflow(threads=1)
import taskset
from taskset.execution.loop import Loop
for name in sys.argv[1:]:
    task, optimizer = taskset.get_task(name, source="synthetic"), taskset.get_optimizer("adam_lr_-2.00")
    loop = Loop(task, optimizer, 20)
    run = loop.start(0)
    print(name, float(loop.train(run, optimizer.hparams(20), 20)[-1]).hex(), loop.evaluation(0, 1)(run.params)["test"].hex())
"""
TASKS = "quadratic_family_seed3", "losg_tasks_family_seed17"


def trained(cache, *names, warns=None, **variables):
    environment = {**os.environ, "TASKSET_COMPILE_CACHE": str(cache), **variables}
    environment.pop("TF_XLA_FLAGS", None)
    done = subprocess.run([sys.executable, "-c", TRAIN, *names], check=True, capture_output=True, text=True, env=environment)
    assert warns in done.stderr if warns else "Warning" not in done.stderr
    return sorted(done.stdout.split("\n"))


@pytest.mark.long
def test_another_process_finds_the_programs_in_any_order_and_computes_the_same(tmp_path):
    cold = trained(tmp_path, *TASKS)
    files = sorted(tmp_path.rglob("*.pb"))
    assert len(files) >= 2 * len(TASKS)
    assert trained(tmp_path, *reversed(TASKS)) == cold
    assert sorted(tmp_path.rglob("*.pb")) == files
    assert trained("off", *TASKS) == cold


@pytest.mark.long
def test_a_damaged_program_is_compiled_again_and_the_numbers_stay(tmp_path):
    whole = trained(tmp_path, TASKS[0])
    contents = {path: path.read_bytes() for path in tmp_path.rglob("*.pb")}
    paths = sorted(contents)
    flipped = bytearray(contents[paths[0]])
    flipped[len(flipped) // 2] ^= 4
    paths[0].write_bytes(flipped)
    paths[1].write_bytes(contents[paths[1]][:-100])
    assert trained(tmp_path, TASKS[0], warns="compiled again: ") == whole
    assert set(tmp_path.rglob("*.pb")) == set(paths)
    assert trained(tmp_path, TASKS[0]) == whole  # mended: no warning

    for path in paths:  # whole by its sum, and nothing that TensorFlow can use
        garbage = b"garbage"
        path.write_bytes(compile_cache._sum(path.name.partition(".")[2], garbage) + garbage)
    assert trained(tmp_path, TASKS[0], warns="TensorFlow doesn't accept it") == whole
    assert trained(tmp_path, TASKS[0]) == whole


def test_a_full_disk_is_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(compile_cache._process, "place", tmp_path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(compile_cache.os, "replace", full)
    with pytest.warns(UserWarning, match="no space left on device"):
        compile_cache._save(tmp_path, "key", {"program.pb": b"machine code"})
    assert not list(tmp_path.iterdir())


def homeless(path):
    raise RuntimeError("Could not determine home directory.")


def test_without_a_home_directory_there_is_a_warning(fresh, monkeypatch):
    monkeypatch.delenv("TASKSET_COMPILE_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(compile_cache.Path, "expanduser", homeless)
    with pytest.warns(UserWarning, match="set TASKSET_COMPILE_CACHE to"):
        compile_cache.switch_on()
    assert os.environ["TF_XLA_FLAGS"] == "--tf_xla_clustering_debug"


def test_a_worker_has_its_own_directory_where_its_parent_has_another(fresh, monkeypatch, tmp_path):
    monkeypatch.setenv("TASKSET_COMPILE_CACHE", str(tmp_path))
    compile_cache.switch_on()
    flags, place = os.environ["TF_XLA_FLAGS"], compile_cache._process.place
    compile_cache.switch_on(threads=1)
    assert os.environ["TF_XLA_FLAGS"] == flags and compile_cache._process.place != place
    assert compile_cache.settings() == {"TF_XLA_FLAGS": "--tf_xla_clustering_debug"}


def looped(scale):
    """A function with a loop, a branch and a gradient of its own, traced again."""

    @tf.custom_gradient
    def doubled(x):
        return 2 * x, lambda upstream: 2 * upstream

    @tf.function(autograph=False)
    def body(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(doubled(x) ** 2)
        return x - scale * tape.gradient(y, x)

    @tf.function(autograph=False)
    def program(x):
        x = tf.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, body(x)), (0, x))[1]
        return tf.cond(x[0] > 0, lambda: x, lambda: -x)

    return program.get_concrete_function(tf.TensorSpec([2]))


def run(name, x):
    return tf.raw_ops.StatefulPartitionedCall(args=[x], Tout=[tf.float32], f=name)[0].numpy().tolist()


def test_names_follow_from_the_content():
    first, again, other = (looped(scale) for scale in (0.5, 0.5, 0.25))
    assert first.name != again.name
    names = [canonical_name(function.name.decode()) for function in (first, again, other)]
    assert names[0] == names[1] != names[2]
    x = tf.constant([1.0, -2.0])
    assert run(names[0], x) == first(x).numpy().tolist()
    assert run(names[2], x) == other(x).numpy().tolist() != first(x).numpy().tolist()


def test_graphs_do_not_outlive_their_programs():
    @tf.custom_gradient
    def doubled(x):
        return 2 * x, lambda upstream: 2 * upstream

    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(doubled(x) ** 2)
        return tape.gradient(y, x)

    def graphs():
        gc.collect()
        return sum(isinstance(found, tf.__internal__.FuncGraph) for found in gc.get_objects())

    before, program = graphs(), Program(gradient, xla=True)
    assert program(tf.constant([1.0, 2.0])).numpy().tolist() == [8.0, 16.0]
    del program
    assert graphs() <= before


@pytest.fixture
def fresh(monkeypatch):
    """As in a process that has not imported TensorFlow."""
    monkeypatch.delitem(sys.modules, "tensorflow")
    monkeypatch.setattr(compile_cache._process, "place", None)
    for name in compile_cache.SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_clustering_debug")


def test_off_and_flags_of_the_user_are_left_alone(fresh, monkeypatch, tmp_path):
    monkeypatch.setenv("TASKSET_COMPILE_CACHE", "off")
    compile_cache.switch_on()
    assert os.environ["TF_XLA_FLAGS"] == "--tf_xla_clustering_debug"
    monkeypatch.setenv("TASKSET_COMPILE_CACHE", str(tmp_path))
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_persistent_cache_directory=/own")
    compile_cache.switch_on()
    assert os.environ["TF_XLA_FLAGS"] == "--tf_xla_persistent_cache_directory=/own"


def test_flags_are_added_to_those_of_the_user(fresh, monkeypatch, tmp_path):
    monkeypatch.setenv("TASKSET_COMPILE_CACHE", str(tmp_path))
    compile_cache.switch_on(threads=1)
    assert os.environ["TF_XLA_FLAGS"].startswith("--tf_xla_clustering_debug --tf_xla_persistent_cache_directory=ram://")
    compile_cache.switch_on(threads=2)
    assert len(list(tmp_path.iterdir())) == 2  # programs depend on the threads
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    compile_cache.switch_on(threads=2)
    assert len(list(tmp_path.iterdir())) == 3  # and on how XLA is set


def test_a_directory_that_cannot_be_made_is_a_warning(fresh, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TASKSET_COMPILE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.warns(UserWarning, match="TASKSET_COMPILE_CACHE"):
        compile_cache.switch_on()
    assert os.environ["TF_XLA_FLAGS"] == "--tf_xla_clustering_debug"


def test_the_oldest_programs_are_deleted(tmp_path):
    ours, others = tmp_path / compile_cache._key(1), tmp_path / "models"
    for place in (ours, others):
        place.mkdir()
        for age, name in ((9000, "a.pb"), (8000, "b.pb"), (10, "c.pb")):
            (place / name).write_bytes(bytes(100))
            written = (place / name).stat().st_mtime - age
            os.utime(place / name, (written, written))
    compile_cache.prune(tmp_path, most=250)
    assert sorted(path.name for path in ours.iterdir()) == ["b.pb", "c.pb"]
    compile_cache.prune(tmp_path, most=0)
    assert [path.name for path in ours.iterdir()] == ["c.pb"]  # young: another process may be about to read it
    assert len(list(others.iterdir())) == 3  # a user's own models


@pytest.mark.parametrize("name", ["tensorflow", "tensorflow-cpu", "tf-nightly", "tensorflow-of-somebody"])
def test_the_version_of_tensorflow_under_any_name(fresh, monkeypatch, tmp_path, name):
    """No other distribution is there than `name`, which contains the package."""

    def version(asked):
        if asked != name:
            raise importlib.metadata.PackageNotFoundError(asked)
        return "2.21.0"

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(importlib.metadata, "packages_distributions", lambda: {"tensorflow": [name]})
    monkeypatch.setenv("TASKSET_COMPILE_CACHE", str(tmp_path))
    assert compile_cache.tensorflow_version() == "2.21.0"
    compile_cache.switch_on()
    assert [path.name.rsplit("-", 1)[0] for path in tmp_path.iterdir()] == ["tensorflow-2.21.0"]


def test_without_tensorflow_a_line_says_so(monkeypatch):
    def version(asked):
        raise importlib.metadata.PackageNotFoundError(asked)

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(importlib.metadata, "packages_distributions", dict)
    with pytest.raises(ConfigError, match="TensorFlow is not installed .*pip install tensorflow"):
        compile_cache.tensorflow_version()
