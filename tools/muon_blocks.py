"""What it costs, and what it saves, that `muon_whole` makes wide matrices orthogonal by blocks of rows.

    TFDS_DATA_DIR=DIR python -m tools.muon_blocks [--publish]

A net 784-512-512-10 on real images of fashion_mnist, batches of 128, 1,000 steps, two seeds, for several sizes of blocks
(`taskset.optimizers.muon.by_blocks`). Losses are smoothed as in `tools.yardstick`; CPU time is that of the second seed, which
compiles nothing, in one process with one thread. --publish writes the section "muon_blocks" of docs/one_run.md.
"""

import argparse
import importlib
import time
from unittest import mock

from benchmarks import report
from taskset.execution.runtime import start_tensorflow
from tools.one_run import DOCUMENTS

ROWS = {"whole matrices": 10**6, "blocks of 128 rows": 128, "of 64": 64, "of 32": 32, "of 16": 16}
LAYERS, STEPS, SEEDS = (512, 512), 1000, (0, 1)


def rows_of(task, steps):
    """Rows (title, loss of each seed, CPU seconds of the last run)."""
    import learned
    from tools.experiments.training import train_losses_of_many
    from tools.yardstick import smooth

    muon = importlib.import_module("taskset.optimizers.muon")  # the package's `muon` is the optimizer
    for title, rows in ROWS.items():
        with mock.patch.object(muon, "BLOCK", rows):
            rule, ends = learned.load("muon_whole"), []
            for seed in SEEDS:
                begun = time.process_time()
                ends.append(smooth(train_losses_of_many(task, [rule], [seed], steps)[0])[-1, 0])
        yield [title, *(f"{end:.3f}" for end in ends), f"{time.process_time() - begun:.0f}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    report.publish_option(parser, "the section muon_blocks of docs/one_run.md")
    args = parser.parse_args()
    start_tensorflow(threads=1)
    from tools.yardstick import fashion_like

    task = fashion_like("FixedMLP_mnist_ce_128x128x128_relu_bs128", layer_sizes=list(LAYERS))()
    header = ["", *(f"loss, seed {seed}" for seed in SEEDS), "CPU seconds"]
    text = f"""{report.table(header, list(rows_of(task, STEPS)))}

Train losses after {STEPS:,} steps, real images; {report.conditions("tensorflow", "numpy")}."""
    print(text)
    if args.publish:
        report.write_section("muon_blocks", text, DOCUMENTS[0])


if __name__ == "__main__":
    main()
