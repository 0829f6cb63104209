"""Weights of train.py as a checkpoint of the package, which knows the tasks that they were trained on.

    python -m tools.weights.gpu.checkpoint OUT/theta-000546.npz SUITE --programs DIR --from WEIGHTS.npz --out FILE
        [--before MORE.npz ..]

SUITE, DIR and WEIGHTS.npz: as programs.py and train.py had them; beside the weights is the log, which tells the tasks that were
trained on. WEIGHTS.npz is a checkpoint, MORE.npz are those it came from: their tasks count, too.
"""

import argparse
import dataclasses
import json
import re
from pathlib import Path

import numpy as np

from taskset.errors import counted
from taskset.scoring import suites
from tools.weights import shipped_checkpoint
from tools.weights.gpu.train import LENGTHS, MANIFEST


def trained_on(log):
    """The names of the tasks of a training, from the lines of its log."""
    (line,) = [line for line in map(json.loads, log.read_text().splitlines()) if "left_out" in line]
    return sorted(line["ms"].keys() - set(line["left_out"]))


def made(arguments):
    """(meta, {path: weights}) of the checkpoint."""
    from learned.outer_training import checkpoint

    manifest = json.loads((arguments.programs / MANIFEST).read_text())
    with np.load(arguments.weights) as saved:
        theta = {name: saved[name] for name in saved.files}
    suite, here = suites.load(str(arguments.suite)), trained_on(arguments.weights.parent / "log.jsonl")
    start, *before = [checkpoint.load(path) for path in (arguments.start, *arguments.before)]
    entries = shipped_checkpoint.entries_of([*before, start])
    entries |= {name: shipped_checkpoint.of_train(dataclasses.asdict(suite.entry(name))) for name in here}
    steps, shortest, longest = manifest["steps"], min(LENGTHS), max(LENGTHS)
    families = len({entries[name]["family"] for name in here})
    tasks = f"{counted(len(here), 'task')} of {counted(families, 'family', 'families')}"
    about = (
        f"with {manifest['pairs']} pairs on a GPU (tools.weights.gpu.train) on {tasks} "
        f"({suite.source} data), episodes {steps * shortest} to {steps * longest} steps; from weights of "
        f"{start.meta['step']} outer steps on {len(start.trained_on)} tasks"
    )
    options = {
        "optimizer": manifest["optimizer"],
        "estimator": "es_single",
        "objective": "train",
        "lengths": f"log_uniform:{steps * shortest}:{steps * longest}",
        **{name: manifest[name] for name in ("pairs", "steps", "sigma", "rescaled")},
    }
    meta = {
        "optimizer": manifest["optimizer"],
        "shapes": {name: list(w.shape) for name, w in theta.items()},
        "options": options,
        "suite": {
            "name": suite.name,
            "version": suite.version,
            "source": suite.source,
            "horizon": suite.horizon,
            "tasks": [entries[name] for name in sorted(entries)],
        },
        "step": int(re.findall(r"\d+", arguments.weights.stem)[-1]),
        "versions": {"taskset": suite.taskset_version},
        "about": about,
    }
    return meta, theta


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, help="What tools.weights.gpu.train wrote.")
    parser.add_argument("suite", type=Path, help="The suite of the programs.")
    parser.add_argument("--programs", type=Path, required=True, help="Directory that tools.weights.gpu.programs wrote.")
    parser.add_argument("--from", dest="start", type=Path, required=True, help="The checkpoint that the training went on from.")
    parser.add_argument("--before", type=Path, nargs="*", default=[], help="Checkpoints before that one.")
    parser.add_argument("--out", type=Path, required=True, help="The checkpoint to write.")
    arguments = parser.parse_args()
    shipped_checkpoint.save(arguments.out, *made(arguments))


if __name__ == "__main__":
    main()
