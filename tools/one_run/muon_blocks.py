"""What it costs, and what it saves, that `muon_whole` makes wide matrices orthogonal by blocks of rows.

    TFDS_DATA_DIR=DIR python -m tools.one_run.muon_blocks [--publish]

A net 784-512-512-10 on real images of fashion_mnist, 1,000 steps, batches of 128 and of 16 (of which gradients have few
directions), two seeds, for several sizes of blocks (`taskset.optimizers.muon.by_blocks`). Losses are smoothed as in
yardstick.py; CPU time, gradients included, is that of the second seed, which compiles nothing, but traces the program anew, in
one process with one thread. --publish writes the section "muon_blocks" of docs/one_run.md.
"""

import argparse
import importlib
import time
from unittest import mock

from taskset.execution.runtime import start_tensorflow
from tools import report
from tools.one_run import DOCUMENT

ROWS = {"whole matrices": 10**6, "blocks of 128 rows": 128, "of 64": 64, "of 32": 32, "of 16": 16}
LAYERS, BATCHES, STEPS, SEEDS = [512, 512], (128, 16), 1000, (0, 1)


def fashion_mlp(batch):
    """The net on batches of so many images."""
    from taskset.catalogue import get_config, make_task

    config, family = get_config("FixedMLP_mnist_ce_128x128x128_relu_bs128")
    _, settings, *rest = config["dataset"]
    return make_task(
        family, {**config, "layer_sizes": LAYERS, "dataset": ["fashion_mnist", {**settings, "bs": batch}, *rest]}, "tfds"
    )


def runs(task, rows, steps):
    """(mean loss over the seeds, CPU seconds of the last run) with blocks of at most so many rows."""
    import learned
    from tools.experiments.training import train_losses_of_many
    from tools.one_run.yardstick import averaged

    muon = importlib.import_module("taskset.optimizers.muon")  # the package's `muon` is the optimizer
    with mock.patch.object(muon, "BLOCK", rows):
        rule, ends = learned.load("muon_whole"), []
        for seed in SEEDS:
            begun = time.process_time()
            ends.append(averaged(train_losses_of_many(task, [rule], [seed], steps)[0])[-1, 0])
    return sum(ends) / len(ends), time.process_time() - begun


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    report.publish_option(parser, "the section muon_blocks of docs/one_run.md")
    arguments = parser.parse_args()
    start_tensorflow(threads=1)
    tasks = [fashion_mlp(batch) for batch in BATCHES]
    header = ["", *(f"batches of {batch}: {what}" for batch in BATCHES for what in ("loss", "CPU seconds"))]
    cells = []
    for title, rows in ROWS.items():
        found = [runs(task, rows, STEPS) for task in tasks]
        cells.append([title, *(text for loss, seconds in found for text in (f"{loss:.3f}", f"{seconds:.0f}"))])
    text = f"""{report.table(header, cells)}

Train losses after {STEPS:,} steps, means over {len(SEEDS)} seeds, real images; {report.conditions("tensorflow", "numpy")}."""
    report.show(arguments, "muon_blocks", text, DOCUMENT)


if __name__ == "__main__":
    main()
