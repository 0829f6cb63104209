"""Weights that come with the package, one file per name; docs/one_run.md reports how good they are. No TensorFlow.

python -m learned pretrained    the names, and how each was trained

    learned.keras.from_checkpoint("muon_mined", steps=1000)    a name can be given wherever a checkpoint can
"""

from __future__ import annotations

from pathlib import Path

from learned.outer_training import checkpoint
from learned.types import PathLike
from taskset import changes
from taskset.errors import counted, unknown

ROOT = Path(__file__).parent
BEST = "muon_mined"  # on the validation tasks of docs/one_run_history.md


def names() -> list[str]:
    """The names of all weights that come with the package."""
    return sorted(path.stem for path in ROOT.glob("*.npz"))


def find(given: PathLike) -> Path:
    """The path of a checkpoint: a file of the package where `given` is one of `names()`, else `given` itself.

    Raises `UnknownName` where it is neither such a name nor looks like a file.
    """
    text = str(given)
    if text in names():
        return ROOT / f"{text}.npz"
    if not text.endswith(".npz") and Path(text).name == text and not Path(text).exists():
        raise unknown("checkpoint", text, names(), f"Allowed are {', '.join(names())}, and files (.npz).")
    return Path(given)


def describe(name: str) -> str:
    """One line: how the weights called `name` were trained."""
    found = checkpoint.load(find(name))
    meta = found.meta
    options, suite = meta["options"], meta["suite"]
    how = f"{name}: {meta['optimizer']} by {options['estimator']} for {options['objective']} loss, {meta['step']} outer steps"
    if "about" in meta:  # of weights that were not trained on tasks of the package
        return f"{how} {meta['about']}"
    trained = [task for task in suite["tasks"] if task["split"] == "train"]
    families = len({task["family"] for task in trained})
    version = meta.get("versions", {}).get("taskset", changes.FIRST)
    changed = sum(changes.outdated(task["task"], suite["source"], version) for task in trained)
    since = f", of which {changed} changed since" if changed else ""
    others = len({*found.trained_before} - {task["task"] for task in trained})
    before = f", before on {counted(others, 'other')}" if others else ""
    data = f"({suite['source']} data){before}, episodes {options['lengths']}"
    tasks = f"{counted(len(trained), 'task')} of {counted(families, 'family', 'families')}"
    return f"{how} on {tasks} {data}; on the tasks of version {version}{since}"
