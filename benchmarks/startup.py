"""How long the commands and functions take that should be at once: `python -m benchmarks.startup [--root DIR] [--publish]`.

Each line is measured in fresh processes: medians of wall-clock and of processor time, and, of functions, the most
memory that a process had. Goals are wall-clock, and 3 GB of memory.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from taskset.normalization import store
from tools import report

NAME = "mlp_family_seed12"
# The peak that `resource` gives counts the process that started this one, too; Linux's own is of this program alone.
PEAK = """
from pathlib import Path
if (status := Path("/proc/self/status")).exists():
    print(*(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM")))
"""


def lines(root, task, family):
    """[(what, goal in seconds or None, the code that runs first, the code that is timed)]; the latter None: the whole process."""
    given = "" if root is None else f", root={str(root)!r}"
    # The first call of load_curves imports pandas and pyarrow; what is asked for is the reading.
    ready = f"import taskset, pandas, pyarrow.dataset; taskset.load_curves(task={task!r}{given})"
    return [
        ("`python -c pass`", None, ["-c", "pass"], None),
        ("`import taskset`", 0.3, ["-c", "import taskset"], None),
        ("`python -m taskset list`", 0.5, ["-m", "taskset", "list"], None),
        (f"`python -m taskset show {NAME}`", 0.5, ["-m", "taskset", "show", NAME], None),
        (
            "`load_curves(task=..)` in a fresh process",
            None,
            ["-c", f"import taskset; taskset.load_curves(task={task!r}{given})"],
            None,
        ),
        ("`load_curves(task=..)`", 0.1, ready, f"taskset.load_curves(task={task!r}{given})"),
        ("`load_normalizers()`", 0.3, ready, f"taskset.load_normalizers({given[2:]})"),
        ("`load_curves(family=..)`, the largest", 1.0, ready, f"taskset.load_curves(family={family!r}{given})"),
        ("`load_curves()`: the whole table", 4.0, ready, f"taskset.load_curves({given[2:]})"),
    ]


def measure(first, timed):
    """(wall seconds, processor seconds, peak MiB) of a process, or of `timed` in a process that did `first`; None: not known."""
    if timed is not None:
        clock = "(time.perf_counter(), time.process_time())"
        code = f"{first}\nimport time\na = {clock}\n{timed}\nb = {clock}\nprint(b[0] - a[0], b[1] - a[1])\n{PEAK}"
        printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
        return float(printed[0]), float(printed[1]), int(printed[2]) / 1024 if len(printed) > 2 else None
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *first], check=True, capture_output=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, None


def table(root, repeats):
    """The rows of the table; lines are measured in turn, so that a busy moment doesn't fall on one of them alone."""
    normalizers = store.load_normalizers(root)
    given, found = lines(root, normalizers["task"].iloc[0], normalizers["family"].mode().iloc[0]), {}
    for _ in range(repeats):
        for what, _, first, timed in given:
            found.setdefault(what, []).append(measure(first, timed))
    rows = []
    for what, goal, *_ in given:
        *seconds, peaks = zip(*found[what])
        wall, cpu = map(statistics.median, seconds)
        memory = "-" if None in peaks else f"{max(peaks):,.0f}"
        rows.append([what, "-" if goal is None else f"{goal:.1f}", f"{wall:.3f}", f"{cpu:.3f}", memory])
    return rows


def section(root, repeats):
    """The section's markdown."""
    files = store.curve_files(root)
    size, count = sum(path.stat().st_size for path in files), sum(store.read_metadata(path)["rows"] for path in files)
    rows = table(root, repeats)
    load = os.getloadavg()[0]
    return "\n\n".join(
        [
            "## Startup",
            f"Seconds, medians of {repeats} fresh processes each (Python's own start is part of the first five lines). The "
            f"curves: {count:,} rows in {len(files)} files, {size / 1e6:.1f} MB. Load average while measuring: {load:.1f}; where "
            "that is above the number of cores, the processor time says more than the wall clock. By "
            "`python -m benchmarks.startup`.",
            report.table(["", "goal", "wall clock", "processor time", "peak memory, MiB"], rows),
            report.conditions("taskset", "pandas", "pyarrow", "numpy"),
        ]
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, help="Baselines to read; by default those of the package.")
    parser.add_argument("--repeats", type=int, default=7, help="Fresh processes for each line.")
    report.publish_option(parser)
    arguments = parser.parse_args()
    with report.errors_of_one_line():
        text = section(arguments.root, arguments.repeats)
    report.show(arguments, "startup", text)


if __name__ == "__main__":
    main()
