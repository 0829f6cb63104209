"""An optimizer learned from nothing against the best of 17 Adam learning rates: `python -m examples.demo_learned --out DIR`

The task is Digits_mlp32_bs128, a 64-32-10 MLP on 8x8 images (synthetic ones: nothing is downloaded), trained for 100 steps.

1. baselines: the 17 Adam rates, 3 seeds each
2. outer training of `mlp` by full evolution strategies on the train loss, from random weights
3. evaluation on 3 seeds; outer training never sees them, its starts and batches come from seeds of its own
4. a table, curves.png with train and validation loss, and the verdict

Exit status 1 if the learned optimizer's mean train loss at step 100 is not below that of the best rate.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

TASK, HORIZON, SEEDS, BATCHES, OUTER_STEPS = "Digits_mlp32_bs128", 100, 3, 7, 200
TRAINING = (
    "--optimizer", "mlp", "--estimator", "es_full", "--objective", "train", "--lengths", HORIZON, "--steps", HORIZON,
    "--pairs", 8, "--pool", 2, "--tasks-per-step", 2, "--learning-rate", 0.03, "--warm-up", 10,
)  # fmt: skip


def run(*command):
    """A command line of this package, shown and run."""
    command = [str(part) for part in command]
    print(f"\n$ python -m {' '.join(command)}", flush=True)
    subprocess.run([sys.executable, "-m", *command], check=True)


def verdict(out):
    """Print raw losses and draw the curves; returns (mean train loss of the learned optimizer, of the best rate, its name)."""
    import learned  # noqa: F401
    import taskset
    from taskset.scoring.picture import draw

    best = draw(TASK, [out / "evaluation"], out / "baselines", out / "curves.png")
    last = {}
    for name, root, optimizer in (("learned", "evaluation", None), (best, "baselines", best)):
        curves = taskset.load_curves(task=TASK, optimizer=optimizer, root=out / root)
        last[name] = curves[curves["step"] == HORIZON].set_index("seed")[["train", "valid_outer", "test"]].astype(float)
    print(f"\nLoss in nats at step {HORIZON}; synthetic data")
    print(f"{'':14} {'seed':>6} {'train':>9} {'validation':>11} {'test':>9}")
    for name, losses in last.items():
        for seed, row in [*losses.iterrows(), ("mean", losses.mean(skipna=False))]:
            print(f"{name:14} {seed!s:>6} {row['train']:9.4f} {row['valid_outer']:11.4f} {row['test']:9.4f}")
    means = [losses.mean(skipna=False) for losses in last.values()]
    if means[0]["test"] > means[1]["test"]:
        print(
            "\nOn images that it wasn't trained on it does worse: it was made for the train loss alone (see --objective valid)."
        )
    return means[0]["train"], means[1]["train"], best


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("demo-learned"), help="Folder of all results.")
    parser.add_argument("--outer-steps", type=int, default=OUTER_STEPS, help="Outer steps of the training.")
    parser.add_argument("--seed", type=int, default=0, help="Seed of the outer training.")
    args = parser.parse_args()
    start, out = time.perf_counter(), args.out
    sweep = ("--source", "synthetic", "--steps", HORIZON, "--seeds", SEEDS, "--batches", BATCHES)
    run("taskset", "baseline", TASK, "--import", "learned", *sweep, "--out", out / "baselines")
    suite = out / "suite.json"
    run("learned", "suite", TASK, "--baselines", out / "baselines", "--horizon", HORIZON, "--out", suite)
    last = ("--outer-steps", args.outer_steps, "--seed", args.seed, "--workers", 2)
    run("learned", "train", "--tasks", suite, *TRAINING, *last, "--out", out / "training")
    checkpoint, measured = out / "training" / "checkpoint.npz", ("--horizon", HORIZON, "--seeds", SEEDS, "--batches", BATCHES)
    run("learned", "evaluate", checkpoint, "--tasks", TASK, *measured, "--out", out / "evaluation")
    run("learned", "compare", out / "evaluation", "--baselines", out / "baselines")
    ours, theirs, best = verdict(out)
    below = ours < theirs
    print(f"\n{out / 'curves.png'}: curves, mean over seeds 0 .. {SEEDS - 1}. {time.perf_counter() - start:.0f} s in all.")
    print(
        f"{'The learned optimizer ends below' if below else 'NOT BELOW'} the best of 17 Adam rates ({best}): mean train loss "
        f"{ours:.4f} against {theirs:.4f} at step {HORIZON}."
    )
    sys.exit(0 if below else 1)


if __name__ == "__main__":
    main()
