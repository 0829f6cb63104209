"""Four made-up sweeps, and the directory that they are merged into."""

import functools
import shutil
from pathlib import Path

import pytest

from taskset import catalogue
from taskset.normalization.release import ship
from tests.normalization import made_up_sweeps as made
from tests.normalization.release.shipping import LIST, ORIGIN


@pytest.fixture(scope="package")
def few_tasks():
    """The registry's list cut to a few tasks: reading the config of all 13,000 takes ten seconds."""
    listed = [*catalogue.fixed_tasks(), *(f"{f}_seed{s}" for f in catalogue.families() for s in range(60))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "list_tasks", lambda pattern=None: listed)
        yield listed


@pytest.fixture(scope="package")
def sweeps(tmp_path_factory):
    """Four sweeps: Adam, Adam at a longer horizon for two of the tasks, the learned list, and one on real data."""
    root = tmp_path_factory.mktemp("sweeps")
    return [
        made.write(root / "adam"),
        made.write(root / "long", made.TASKS[:2], steps=40, batches=3),
        made.write(root / "list", made.TASKS[1:], optimizers=list(LIST)),
        made.write(root / "real", ["mlp_family_seed5"], source="tfds", origin=ORIGIN, seeds=[0]),
    ]


@pytest.fixture(scope="package")
def shipped(few_tasks, sweeps, tmp_path_factory):
    root = tmp_path_factory.mktemp("shipped")
    lines = []
    counted = ship.ship(sweeps, root, {"mlp_family_seed7": 12.5}, {"mnist": "scanned twice"}, lines.append)
    assert counted == (4, 3 * 6 + 2 * 6 + 2 * 4 + 3) and any("quadratic_family" in line for line in lines)
    return root


@pytest.fixture
def copy(shipped, tmp_path):
    return Path(shutil.copytree(shipped, tmp_path / "copy"))


@pytest.fixture
def run(run_here):
    """run(*arguments) -> (status, stdout, stderr) of `python -m taskset data`."""
    return functools.partial(run_here, "taskset", "data")
