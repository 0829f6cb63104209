"""The inner loop beside JAX: the same model, batches, optimizer and core.

    python -m benchmarks.inner [--lines TEXT ..] [--rounds 7] [--modes] [--publish]

Each side runs in a process of its own, both with one thread and pinned to the same core, in turn: one call of the one, one call
of the other, `--rounds` times. A call is a chunk of training steps on raw batches (uint8 pixels, int32 tokens) that are drawn
beforehand and given to both as tensors on the device; scaling them, random draws, loss, gradients and Adam are in the time. What
is counted is CPU time of the process, which other load on the machine disturbs least; medians. JAX runs as one `lax.scan` under
`jit` and as one jitted call a step, with threefry and with rbg keys where it draws: whichever is fastest counts.

A line on which JAX is faster is taken apart: both sides' time for loss, gradient and Adam
(benchmarks/inner_parts.py).

Before anything is timed, both sides train from the same parameters on the same batches and draws; losses that differ stop it.
Prints the section "inner" of docs/benchmarks.md; --publish writes it.
"""

import argparse
import os
import statistics

from benchmarks import inner_parts, inner_tasks, processes
from benchmarks.inner_sides import CHECKED, LEARNING_RATE, Jax, Ours
from tools import report


def _line(ours, jax, name, rounds, all_modes):
    """Measure one line; returns a dict per way of ours."""
    line = ours.ask("build", name, all_modes)
    difference = jax.ask("build", line)
    ways, (other,) = ours.ask("names"), jax.ask("names")
    times = {way: [] for way in (*ways, other)}
    for _ in range(rounds):
        for i, way in enumerate(ways):
            times[way].append(ours.ask("measure", i))
        times[other].append(jax.ask("measure", 0))
    cpu, wall = ({way: statistics.median(pair[k] for pair in pairs) for way, pairs in times.items()} for k in (0, 1))
    return [
        {"name": name, "mode": way, "jax": other, "difference": difference, "chosen": way == line["mode"],
         "ours": cpu[way], "theirs": cpu[other], "rate": 1 / wall[way], "their rate": 1 / wall[other]}
        for way in ways
    ]  # fmt: skip


def _apart(ours, jax, rounds):
    """[(part, our CPU seconds a step, JAX's)] of the line just measured."""
    ours.ask("take_apart")
    jax.ask("take_apart")
    places, sides = range(len(inner_parts.PARTS)), (ours, jax)
    times = [[[side.ask("measure", i)[0] for side in sides] for i in places] for _ in range(rounds)]
    medians = [[statistics.median(one[i][k] for one in times) for k in (0, 1)] for i in places]
    before = [[0.0, 0.0], *medians[:-1]]
    return [(part, *(b - a for a, b in zip(*pair))) for part, pair in zip(inner_parts.PARTS, zip(before, medians))]


HEADER = ["task", "mode", "JAX", "ours, ms", "JAX, ms", "ours, steps/s", "JAX, steps/s", "ratio", "difference of losses"]


def _row(line):
    times = [f"{1e3 * line[side]:.4g}" for side in ("ours", "theirs")]
    rates = [f"{line[side]:.0f}" for side in ("rate", "their rate")]
    ratio, difference = f"{line['theirs'] / line['ours']:.2f}", f"{line['difference']:.0e}"
    return [line["name"], line["mode"], line["jax"], *times, *rates, ratio, difference]


def _profile(lines):
    """A table of the lines that were taken apart."""
    apart = [line for line in lines if "parts" in line]
    if not apart:
        return "On no line is JAX faster."
    header = ["task", *(f"{inner_parts.NAMES[part]}, us" for part in inner_parts.PARTS)]
    rows = [[line["name"], *(f"{1e6 * a:.3g} / {1e6 * b:.3g}" for _, a, b in line["parts"])] for line in apart]
    return f"""Where the time goes on the lines with a ratio below 1, microseconds of CPU time a step, ours / JAX's. Each
part is the time of a loop with this part less that of one without it (benchmarks/inner_parts.py). Where a part is negative, the
compiler optimized the larger loop better, and the parts of that line say nothing.

{report.table(header, rows)}"""


def _section(lines):
    mean = statistics.geometric_mean(line["theirs"] / line["ours"] for line in lines)
    return f"""## Inner loop against JAX

Milliseconds of CPU time of a training step of Adam (learning rate {LEARNING_RATE}), and steps a second by the clock. The ratio is
JAX's CPU time over this package's ("ours"), above 1 where this package is faster. One thread, one core, two processes in turn,
medians; raw batches are on the device on both sides. JAX: the fastest of one `lax.scan` and one jitted call a step, each with
threefry and rbg keys where it draws. The last column is the relative difference of the losses of the first {CHECKED} steps.
Made by `python -m benchmarks.inner`.

{report.table(HEADER, map(_row, lines))}

Geometric mean of the ratios: {mean:.2f}.

{_profile(lines)}

{report.conditions("tensorflow", "dm-sonnet", "jax", "numpy")}."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", nargs="*", default=[""], help="Only the lines whose name contains one of these.")
    parser.add_argument("--rounds", type=int, default=7, help="Turns of each side.")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)), help="Core that both sides run on.")
    parser.add_argument("--modes", action="store_true", help="Time all execution modes of ours; there is no section for that.")
    report.publish_option(parser)
    arguments = parser.parse_args()
    report.require_whole(parser, arguments, "lines", "modes")
    lines, ours, jax = [], processes.Process(Ours, arguments.core), processes.Process(Jax, arguments.core)
    for name in inner_tasks.names():
        if any(part in name for part in arguments.lines):
            for line in _line(ours, jax, name, arguments.rounds, arguments.modes):
                lines.append(line)
                print("*" if line["chosen"] else " ", " | ".join(_row(line)), flush=True)
            if not arguments.modes and line["theirs"] < line["ours"]:
                line["parts"] = _apart(ours, jax, arguments.rounds)
                print("   ", *(f"{part} {1e6 * a:.3g} / {1e6 * b:.3g}" for part, a, b in line["parts"]), flush=True)
    ours.close()
    jax.close()
    if not arguments.modes:
        text = _section(lines)
        report.show(arguments, "inner", text)


if __name__ == "__main__":
    main()
