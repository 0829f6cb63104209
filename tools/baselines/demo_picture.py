"""The picture of README.md: Adam's learning rates on tasks of `make demo`.

    make demo
    python -m tools.baselines.demo_picture demo --out DIR    (or --publish)

Writes DIR/pictures/demo.png; --publish writes it into docs/.
"""

import argparse
from pathlib import Path

import matplotlib
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from taskset.normalization.normalizer import mean_curves
from taskset.normalization.plot import limit_losses, rate_colours
from taskset.normalization.store import load_curves
from tools import report
from tools.baselines import pictures

TASKS = {
    "mlp_family_seed30": "a small MLP",
    "conv_pooling_family_seed10": "a convolutional net",
    "quadratic_family_seed18": "a quadratic form",
}
COLOURED = (1e-5, 1)  # learning rates that have colours of their own


def draw(root, path):
    """One panel per task: the mean train loss over seeds, from dark (small learning rates) to light (large ones); the best black.

    The best has the lowest loss of all at some step.
    """
    figure = Figure(figsize=(10.5, 3.3), layout="constrained")
    row = figure.subplots(1, len(TASKS))
    colours, scale = rate_colours(), LogNorm(*COLOURED, clip=True)
    for axes, (task, title) in zip(row, TASKS.items()):
        curves = mean_curves(load_curves(task=task, root=root))
        curves["rate"] = 10 ** curves["optimizer"].astype(str).str.removeprefix("adam_lr_").astype(float)
        best = curves.loc[curves["train"].idxmin(), "rate"]
        for rate, one in sorted(curves.groupby("rate"), key=lambda run: run[0] == best):
            colour, width = ("black", 2.2) if rate == best else (colours(scale(rate)), 1.2)
            axes.plot(one["step"], one["train"], color=colour, linewidth=width)
        limit_losses(axes, curves["train"], curves.loc[curves["step"] == 0, "train"].mean())
        source = "" if (curves["source"] == "none").all() else ", synthetic data"
        axes.set_title(f"{task}, best rate {best:.2g}:\n{title}{source}", fontsize=8.5)
        axes.set_xlabel("step", fontsize=9)
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    row[0].set_ylabel("train loss", fontsize=9)
    bar = figure.colorbar(matplotlib.cm.ScalarMappable(scale, colours), ax=list(row), pad=0.01, extend="both")
    bar.set_label("Adam's learning rate (black: the best)", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    pictures.save(figure, path, dpi=120, colours=96)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="Directory of the demo's sweep.")
    report.folder_options(parser)
    arguments = parser.parse_args()
    path = report.folder(arguments) / "pictures" / "demo.png"
    draw(arguments.root, path)
    print(f"written: {path}, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
