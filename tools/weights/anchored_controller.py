"""The pretrained weights anchored_controller: learned step sizes for NAdam's direction.

    python -m tools.weights.anchored_controller --out FILE.npz | --publish

Those of examples/anchored_tiny.npz, trained by examples/anchored_on_gpu.py, with the last layer of the network for directions at
its start, 0, and all step sizes times FACTOR, as NAdam's direction is shorter than the learned one. On tasks unlike those of that
training the learned direction drifts where gradients are small or noisy, and runs of 2,000 steps diverge; the controller of step
sizes alone keeps what was learned about the run's length and the trend of the loss. FACTOR was chosen from 1, 2 and 4 on
validation tasks (docs/one_run_history.md). --publish writes learned/deploy/pretrained/anchored_controller.npz.
"""

import argparse
import math
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
TRAINED = ROOT / "examples" / "anchored_tiny.npz"
SHIPPED = ROOT / "learned" / "deploy" / "pretrained" / "anchored_controller.npz"
AT_START, RATE = "mlp/linear_2/w", "controller/linear_1/b"
FACTOR = 4.0
ABOUT = (
    "on nine kinds of tiny task with 64 pairs each (synthetic data, examples/anchored_on_gpu.py), episodes log_uniform:100:2000; "
    "directions are NAdam's, step sizes learned"
)


def made():
    """(meta, {path: weights}) of the checkpoint."""
    from learned.outer_training import checkpoint

    found = checkpoint.load(TRAINED)
    theta = {path: np.zeros_like(w) if path == AT_START else np.array(w) for path, w in found.theta.items()}
    theta[RATE][0] += math.log(FACTOR) / 3  # a step is exp(3 c1)
    return {**found.meta, "about": ABOUT}, theta


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="Where to write the checkpoint.")
    parser.add_argument("--publish", action="store_true", help="Write it into the package.")
    arguments = parser.parse_args()
    from learned.outer_training import checkpoint

    meta, theta = made()
    for path in filter(None, [arguments.out, SHIPPED if arguments.publish else None]):
        checkpoint.save(path, meta, {f"theta/{name}": w for name, w in theta.items()})


if __name__ == "__main__":
    main()
