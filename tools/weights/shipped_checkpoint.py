"""A checkpoint to ship: weights of an outer training that knows the tasks of every training before it.

    python -m tools.weights.shipped_checkpoint WEIGHTS.npz --before CHECKPOINT .. --about TEXT --out FILE [--share .75]

The weights are share WEIGHTS + (1 - share) of the first CHECKPOINT.

A training that goes on from other weights (--from, imitation) has its own suite alone, but its weights have learned from all of
those tasks: `taskset score` says of them what was trained on, and no suite that judges may have them.
"""

import argparse
from pathlib import Path

import numpy as np

from tools import report


def of_train(entry):
    """An entry of a suite, as JSON, of the split train, with the scale of the train loss alone."""
    return {**entry, "split": "train", "scales": {"train": entry["scales"]["train"]}}


def entries_of(checkpoints):
    """{task: entry} of the tasks that any of these was trained on; of a task that several have, the last one's."""
    found = {}
    for one in checkpoints:
        found |= {entry["task"]: of_train(entry) for entry in one.meta["suite"]["tasks"] if entry["split"] == "train"}
    return found


def with_tasks(meta, entries):
    """meta of a checkpoint whose suite is {task: entry}, sorted by name."""
    return {**meta, "suite": {**meta["suite"], "tasks": [entries[name] for name in sorted(entries)]}}


def averaged(theta, other, share):
    """share theta + (1 - share) other, {path: array} each."""
    return {path: (share * w + (1 - share) * other[path]).astype(w.dtype) for path, w in theta.items()}


def save(path, meta, theta):
    """Write weights {path: array}, compressed: a suite has thousands of tasks, and NumPy's letters have four bytes."""
    from learned.outer_training import checkpoint

    checkpoint.save(path, meta, {f"theta/{name}": w for name, w in theta.items()})
    with np.load(path) as saved:
        entries = {name: saved[name] for name in saved.files}
    np.savez_compressed(path, **entries)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", help="Checkpoint with the weights.")
    parser.add_argument("--before", nargs="+", required=True, help="Checkpoints that they come from: files, or pretrained names.")
    parser.add_argument("--about", required=True, help="What follows the number of outer steps in `learned pretrained`.")
    parser.add_argument("--out", type=Path, required=True, help="The checkpoint to write.")
    parser.add_argument("--share", type=float, default=1.0, help="Of WEIGHTS in the average with the first of --before.")
    arguments = parser.parse_args()
    from learned.deploy.weights import load_weights

    last, *earlier = [load_weights(path) for path in (arguments.weights, *arguments.before)]
    if arguments.share != 1 and earlier[0].optimizer != last.optimizer:
        parser.error(f"an average of {last.optimizer} and {earlier[0].optimizer}: allowed are weights of one learned optimizer")
    meta = with_tasks({**last.meta, "about": arguments.about}, entries_of([*earlier, last]))
    save(arguments.out, meta, averaged(last.theta, earlier[0].theta, arguments.share) if arguments.share != 1 else last.theta)


if __name__ == "__main__":
    with report.errors_of_one_line():
        main()
