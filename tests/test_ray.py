"""Sweeps, scores, evaluations and outer training on a Ray cluster of two raylets: the numbers are those of one machine.

Left out where Ray isn't installed. docs/how-to/several_machines.md has the command and its last result.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import numpy as np
import pyarrow.parquet as pq
import pytest

from examples import own_family
from learned import optimizers
from learned.evaluation import runs
from learned.outer_training import checkpoint
from learned.outer_training.task_pool import TaskPool
from learned.outer_training.workers import Workers
from taskset.errors import TasksetError
from taskset.execution import carried
from taskset.jobs import engines
from taskset.normalization.sweep import baseline
from taskset.normalization.sweep.marked import MarkedWork, plan
from taskset.normalization.sweep.options import SweepOptions
from taskset.normalization.sweep.runner import sweep_to_file
from taskset.scoring import candidates, trial_runs
from tests.learned.trainings import NAMES, check_equal, options, suite, trainer

ROOT = Path(__file__).parent.parent
OWN = own_family.__file__
TASKS = [*(f"own_regression_seed{i}" for i in range(3)), "quadratic_family_seed3", "mlp_family_seed12"]
OPTIONS = SweepOptions(("adam_lr_-3.00", "adam_lr_-2.00"), "synthetic", 20, (0, 1), 1, 4)
MINE = """
import tensorflow as tf

class Sign:
    rule = "sign"

    def init(self, params):
        return {}

    def hparams(self, horizon):
        return {}

    def update(self, grads, state, params, step, hparams):
        return {name: p - 0.01 * tf.sign(grads[name]) for name, p in params.items()}, state
"""


def cluster_module():
    pytest.importorskip("ray", reason="Ray is not installed: pip install '.[ray]'")
    from ray import cluster_utils

    return cluster_utils


@pytest.fixture(scope="module")
def cluster():
    """A head with one core, for tests to add nodes to."""
    made = cluster_module().Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    yield made
    made.shutdown()


@pytest.fixture(scope="module")
def engine(cluster):
    """The engine, connected as the command line connects it."""
    with engines.opened("ray", cluster.address) as opened:
        yield opened


@pytest.fixture
def node(cluster, engine):
    """A second node with one core."""
    added = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    yield added
    if added in cluster.worker_nodes:
        cluster.remove_node(added)


@dataclass(frozen=True)
class Noted(baseline.SweepWork):
    """A sweep whose attempts at each task leave a note of the node that makes them; those on `slow` take longer."""

    notes: str = ""
    slow: str = ""

    def compute(self, job, given, report):
        import ray

        here = ray.get_runtime_context().get_node_id()
        Path(self.notes, f"{job}:{here}:{uuid.uuid4()}").touch()
        if here == self.slow:
            time.sleep(5)
        return super().compute(job, given, report)


def files(root):
    return {path.relative_to(root): path for path in sorted(Path(root, "curves").rglob("*.parquet"))}


def check_same_curves(one, other):
    """The same files with the same numbers; seconds, time stamps and a file's checksum of both are its own."""
    there, here = files(one), files(other)
    assert list(there) == list(here) and there
    for name, path in there.items():
        tables = [pq.ParquetFile(file).read().drop_columns(["seconds_per_step"]) for file in (path, here[name])]
        left, right = (table.replace_schema_metadata(None) for table in tables)
        assert left.equals(right), name
        own = (b"git_commit", b"core_seconds", b"created", b"taskset_crc32", b"ARROW:schema")
        labels = [{key: value for key, value in table.schema.metadata.items() if key not in own} for table in tables]
        assert labels[0] == labels[1], name


def test_a_sweep_of_which_a_node_dies(cluster, engine, node, tmp_path):
    for name in TASKS:
        sweep_to_file(name, OPTIONS, tmp_path / "local")
    root, notes, killed = tmp_path / "ray", tmp_path / "notes", []
    notes.mkdir()
    todo = baseline.plan(TASKS, OPTIONS, root)
    work = Noted(OPTIONS, str(root), notes=str(notes), slow=node.node_id)

    def kill(progress):
        if not killed and any(node.node_id in note.name for note in notes.iterdir()):
            killed.append(len(progress.finished))
            cluster.remove_node(node, allow_graceful=False)

    done = engine.run(todo.waiting, work, engine.workers(None, 1), kill, modules=(OWN,))
    assert sorted(done.finished) == sorted(TASKS) and not done.failed and not done.working and killed
    attempts = [note.name.split(":")[0] for note in notes.iterdir()]
    assert len(attempts) == len(TASKS) + 1 and set(attempts) == set(TASKS)  # one was made again, nothing else
    check_same_curves(tmp_path / "local", root)
    assert not list(root.rglob("*.tmp"))
    assert baseline.plan(TASKS, OPTIONS, root).waiting == []


def test_more_seeds_are_added(engine, node, tmp_path):
    more = SweepOptions(OPTIONS.optimizers, "synthetic", 20, (0, 1, 2), 1, 4)
    sweep_to_file(TASKS[0], OPTIONS, tmp_path / "ray")
    sweep_to_file(TASKS[0], more, tmp_path / "local")
    done = baseline.run(baseline.plan(TASKS[:1], more, tmp_path / "ray"), more, tmp_path / "ray", modules=(OWN,), engine=engine)
    assert done.finished == TASKS[:1]
    check_same_curves(tmp_path / "local", tmp_path / "ray")


def test_what_fails_is_reported_and_stops_nothing(engine, tmp_path):
    todo = baseline.Plan(["mlp_family_seed12", TASKS[0]], [], {})
    real = SweepOptions(OPTIONS.optimizers, "tfds", 20, (0,), 1, 4)
    done = baseline.run(todo, real, tmp_path / "r", data_dir=str(tmp_path / "nowhere"), modules=(OWN,), engine=engine)
    assert list(done.failed) == ["mlp_family_seed12"] and "nowhere" in done.failed["mlp_family_seed12"]
    assert done.finished == [TASKS[0]]


def test_a_score_and_an_evaluation(engine, node, tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text(MINE)
    candidate = candidates.candidate(f"{mine}:Sign")
    chosen = SweepOptions(candidate.names, "synthetic", 20, (0,), 1, 4)
    for place, text, with_engine in (("a", None, engines.LOCAL), ("b", f"{mine}:Sign", engine)):
        given = text and trial_runs.Text(text, candidate.trials, candidate.name)
        waiting = trial_runs.plan(candidate, NAMES, chosen, tmp_path / place)
        assert not trial_runs.run(candidate, waiting, chosen, tmp_path / place, text=given, workers=2, engine=with_engine).failed
    check_same_curves(tmp_path / "a", tmp_path / "b")

    weights = tmp_path / "weights.npz"
    theta = optimizers.get("learnable_adam").init_theta(0)
    meta = {"optimizer": "learnable_adam", "options": {"estimator": "pes"}, "step": 7}
    checkpoint.save(weights, meta, {f"theta/{name}": np.asarray(value) for name, value in theta.items()})
    judged = runs.named_checkpoint(weights)
    chosen = SweepOptions((judged.name,), "synthetic", 20, (0,), 1, 4)
    work = MarkedWork(judged, chosen, str(tmp_path / "c"))
    for name in NAMES:
        engines.do(name, work, (), lambda share: None)
    waiting = plan(judged, NAMES, chosen, tmp_path / "d")
    assert not runs.run(judged, waiting, chosen, tmp_path / "d", engine=engine).failed
    check_same_curves(tmp_path / "c", tmp_path / "d")


def test_an_outer_training_of_which_a_node_dies(cluster, engine, node, tmp_path):
    whole, chosen = suite(NAMES[1:]), options()
    trainer(tmp_path / "a", whole, chosen, TaskPool(whole, chosen)).train(6, save_every=3)
    with Workers(2, whole, chosen, engine=engine) as workers:

        def replace(line):
            if line["step"] == 4:
                cluster.remove_node(node, allow_graceful=False)
                cluster.add_node(num_cpus=1)

        trainer(tmp_path / "b", whole, chosen, workers).train(6, save_every=3, report=replace)
        assert workers.revived == 1
    check_equal(tmp_path / "a", tmp_path / "b")


def test_another_version_on_a_node_is_refused(monkeypatch):
    cluster_module()
    from taskset.jobs.engines import ray_cluster

    with pytest.raises(TasksetError, match=r"has taskset .*, and this process has 0\.0: install the same version"):
        ray_cluster.Setup("0.0", "session", {}, (), {}).apply()


def test_no_cluster_at_an_address():
    cluster_module()
    command = [
        sys.executable,
        "-m",
        "taskset",
        "baseline",
        TASKS[3],
        "--out",
        "nowhere",
        "--engine",
        "ray",
        "--address",
        "127.0.0.1:1",
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("error: no Ray cluster at 127.0.0.1:1")
    assert len(done.stderr.splitlines()) == 1


def marked(mark):
    """Processes with this text in their environment."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (place / "environ").read_bytes() and ") Z" not in (place / "stat").read_text():
                found.append(int(place.name))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("number, status", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_nothing_outlives_a_sweep_that_is_ended(tmp_path, number, status):
    cluster_module()
    mark = f"TASKSET_TEST_MARK_{uuid.uuid4().hex}"
    environment = {**os.environ, mark: "1"}
    command = [
        sys.executable,
        "-m",
        "taskset",
        "baseline",
        "quadratic_family_seed?",
        "--source",
        "synthetic",
        "--steps",
        "100000",
    ]
    more = ["--seeds", "2", "--engine", "ray", "--workers", "1", "--address", "local", "--out", str(tmp_path)]
    process = subprocess.Popen([*command, *more], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob(".claims/*")) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert process.poll() is None and len(marked(mark)) > 2
    process.send_signal(number)
    assert process.wait(60) == status
    deadline = time.monotonic() + 30
    while marked(mark) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert marked(mark) == []


def test_the_cluster_file_of_the_page_is_one(tmp_path):
    """By the schema that `ray up` checks it with."""
    cluster_module()
    import ray.autoscaler
    import yaml

    page = (ROOT / "docs" / "how-to" / "several_machines.md").read_text()
    (block,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    schema = json.loads(Path(ray.autoscaler.__file__).with_name("ray-schema.json").read_text())
    jsonschema.validate(yaml.safe_load(block), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**yaml.safe_load(block), "max_workres": 3}, schema)


def test_files_travel(tmp_path, monkeypatch):
    monkeypatch.setattr(carried, "_copies", {})
    there = tmp_path / "there.py"
    there.write_text("A = 1\n")
    packed = carried.pack([str(there)])
    assert carried.place(str(there)) == str(there)
    carried.unpack(packed, tmp_path / "scratch")
    assert carried.place(str(there)) == str(there)  # the machine has it
    carried._copies.clear()
    there.write_text("A = 2\n")
    carried.unpack(packed, tmp_path / "scratch")
    copy = Path(carried.place(str(there)))
    assert copy != there and copy.name == "there.py" and copy.read_text() == "A = 1\n"
    with pytest.raises(TasksetError, match="can't read"):
        carried.pack([str(tmp_path / "nowhere.py")])
