"""Weights that come with the package, one file a name; docs/learned.md tells what they can do. No TensorFlow.

python -m learned pretrained                  the names, and how each was trained
learned.keras.from_checkpoint("mlp_pes")      wherever a checkpoint is asked for, a name will do
"""

from pathlib import Path

from learned.outer_training import checkpoint
from taskset import changes
from taskset.errors import unknown

ROOT = Path(__file__).parent


def names():
    """All names."""
    return sorted(path.stem for path in ROOT.glob("*.npz"))


def find(given):
    """The path of a checkpoint: of the package's own where `given` is one of `names()`, else `given` itself.

    Raises `UnknownName` where it is neither such a name nor looks like a file.
    """
    text = str(given)
    if text in names():
        return ROOT / f"{text}.npz"
    if not text.endswith(".npz") and Path(text).name == text and not Path(text).exists():
        raise unknown("checkpoint", text, names(), f"Allowed are {', '.join(names())}, and files (.npz).")
    return Path(given)


def describe(name):
    """One line: how the weights called `name` were trained."""
    told = checkpoint.load(find(name)).meta
    options, suite = told["options"], told["suite"]
    trained = [task for task in suite["tasks"] if task["split"] == "train"]
    families = len({task["family"] for task in trained})
    version = told.get("versions", {}).get("taskset", changes.FIRST)
    changed = sum(changes.outdated(task["task"], suite["source"], version) for task in trained)
    since = f", of which {changed} changed since" if changed else ""
    return (
        f"{name}: {told['optimizer']} by {options['estimator']} for {options['objective']} loss, {told['step']} outer steps on "
        f"{len(trained)} tasks of {families} families ({suite['source']} data), episodes {options['lengths']}; on the tasks of version {version}{since}"
    )
