"""The baselines in the package: whole, computed again, and in what is installed."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import taskset
from taskset import changes
from taskset.datasets.base import SPLITS
from taskset.errors import StoreError
from taskset.normalization import store

HERE = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def packaged():
    try:
        store.curve_files(None)
    except StoreError:
        pytest.skip("this checkout has no baselines in data/")
    return store.packaged_root()


@pytest.mark.baselines
def test_the_baselines_of_the_package_are_whole(packaged):
    """In a process of its own: the tasks that test modules register stand in no table."""
    done = subprocess.run([sys.executable, "-m", "taskset", "data", "check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("nothing is wrong")


def test_the_package_can_be_uploaded(packaged):
    """Package indexes take files of at most 100 MB; the baselines hardly get smaller in a wheel."""
    assert sum(path.stat().st_size for path in Path(packaged).rglob("*") if path.is_file()) <= 95 * 2**20


@pytest.mark.baselines
def test_the_baselines_beside_the_package_are_whole_and_none_of_them_is_in_both(packaged):
    extra = HERE / "data-extra"
    if not extra.exists():
        pytest.skip("data-extra/ is in the repository alone")
    command = [sys.executable, "-m", "taskset", "data", "check", str(extra)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("nothing is wrong")
    keys = ["task", "source", "horizon", "split"]
    both = store.load_normalizers(root=extra).merge(store.load_normalizers(), on=keys)  # of today's tasks
    assert len(both) == 0


@pytest.mark.parametrize("place", range(3))
def test_a_shipped_curve_is_computed_again(packaged, place):
    """The cheapest task of three families, one without data and two on synthetic images, from scratch.

    The start to 1e-5 relative; some 100 steps on to 1e-2: rounding, which differs between processors and between runs computed
    together and alone, grows on the way.
    """
    from taskset.catalogue import get_task
    from taskset.execution.loop import Loop
    from taskset.optimizers import get_optimizer

    table = taskset.load_sweeps().dropna(subset="ms_per_step").sort_values("ms_per_step")
    table = table[[not changes.outdated(*row) for row in zip(table["task"], table["source"], table["taskset_version"])]]
    table = table.drop_duplicates(["source", "family"])
    table = table[[("adam_lr_-3.00" in names) for names in table["optimizers"]]].set_index("source")
    row = table.loc[["none", "synthetic"]].reset_index().groupby("source").head(2).iloc[[0, 2, 3]].iloc[place]
    seed, interval = int(row["seeds"][0]), row["horizon"] // row["evaluations"]
    task, optimizer = get_task(row["task"], "synthetic"), get_optimizer("adam_lr_-3.00")
    loop = Loop(task, optimizer, interval)
    run, hparams = loop.start(seed), optimizer.hparams(int(row["horizon"]))
    evaluate = loop.evaluation(seed, int(row["batches"]))
    shipped = taskset.load_curves(row["task"], optimizer="adam_lr_-3.00", source=row["source"], horizon=int(row["horizon"]))
    shipped = shipped[shipped["seed"] == seed].set_index("step")
    goal = -(-100 // interval) * interval
    before = evaluate(run.params)
    while run.step < goal:
        loop.train(run, hparams, min(loop.chunk, goal - run.step))
    after = evaluate(run.params)
    for split in SPLITS:
        assert before[split] == pytest.approx(shipped.loc[0, split], rel=1e-5), row["task"]
        assert after[split] == pytest.approx(shipped.loc[goal, split], rel=1e-2), row["task"]


@pytest.mark.slow
def test_baselines_reach_the_wheel_and_the_source_distribution(shipped, tmp_path):
    pytest.importorskip("setuptools", reason="setuptools is not installed")
    tree = tmp_path / "tree"
    for name in ("taskset", "learned", "data"):
        shutil.copytree(HERE / name, tree / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "*.parquet"))
    for name in ("setup.cfg", "setup.py", "pyproject.toml", "MANIFEST.in", "README.md"):
        shutil.copy(HERE / name, tree / name)
    shutil.copytree(shipped, tree / "data", dirs_exist_ok=True)
    for kind in ("wheel", "sdist"):
        code = f"from setuptools import build_meta; build_meta.build_{kind}({str(tmp_path)!r})"
        subprocess.run([sys.executable, "-c", code], cwd=tree, check=True, capture_output=True)
    files = {path.relative_to(shipped).as_posix() for path in shipped.rglob("*") if path.is_file()}
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        assert {f"taskset/data/{name}" for name in files} <= set(wheel.namelist())
        wheel.extractall(tmp_path / "installed")
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as sdist:
        inside = {name.split("/", 1)[1] for name in sdist.getnames() if "/" in name}
        assert {f"data/{name}" for name in files} <= inside
    code = "import taskset; print(taskset.__file__, len(taskset.load_curves()), taskset.load_sweeps()['rows'].sum())"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
    ).stdout.split()
    assert printed[0].startswith(str(tmp_path / "installed")) and printed[1] == printed[2] == str(
        len(taskset.load_curves(root=shipped))
    )
