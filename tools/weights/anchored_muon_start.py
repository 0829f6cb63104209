"""Where `anchored_muon` starts its outer training: with the step sizes of a checkpoint of `anchored`.

    python -m tools.weights.anchored_muon_start CHECKPOINT OUT.npz

The controller of `anchored` reads all but one of the same numbers and sets the same rates, so its weights are taken over. What is
new starts at 0: the weights of the cosine between both directions, and those of the output that says how much of Muon's
direction a step has. The network of directions is left out.
"""

import argparse

import numpy as np

from learned.outer_training import checkpoint
from tools import report

FIRST, LAST = "controller/linear_0/w", "controller/linear_1"


def taken_over(theta):
    """{path: weights} of `anchored_muon` from those of `anchored`."""
    found = {path: w for path, w in theta.items() if not path.startswith("mlp/")}
    found[FIRST] = np.pad(found[FIRST], ((0, 1), (0, 0)))
    found[f"{LAST}/w"] = np.pad(found[f"{LAST}/w"], ((0, 0), (0, 1)))
    found[f"{LAST}/b"] = np.pad(found[f"{LAST}/b"], (0, 1))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", help="Checkpoint of `anchored`: a file, or a name of `python -m learned pretrained`.")
    parser.add_argument("out", help="The checkpoint of `anchored_muon` to write.")
    arguments = parser.parse_args()
    from learned.deploy.weights import load_weights

    with report.errors_of_one_line():
        found = load_weights(arguments.checkpoint)
    theta = taken_over(found.theta)
    meta = {**found.meta, "optimizer": "anchored_muon", "shapes": {path: list(w.shape) for path, w in theta.items()}}
    checkpoint.save(arguments.out, meta, {f"theta/{path}": w for path, w in theta.items()})


if __name__ == "__main__":
    main()
