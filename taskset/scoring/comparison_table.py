"""A `Comparison` for a terminal of 80 columns, and as Markdown."""

import textwrap

from taskset.errors import counted
from taskset.files.markdown import table
from taskset.scoring import run_scores, statistics
from taskset.scoring.comparison import Comparison

HEADER = ["optimizer", "trials", "split", "tasks", "diverged runs", *statistics.STATISTICS]
TEXTS = (0, 2)  # columns of them, which are set to the left
WIDTH, TITLE = 80, 34  # letters of a line, and of a title, on the terminal


def rows(comparison: Comparison) -> list[list[str]]:
    """The table's cells as text, HEADER on top."""
    lines = [HEADER]
    for row in comparison.table.to_dict("records"):
        cells = [statistics.Estimate(row[s], row[f"{s} low"], row[f"{s} high"]).text() for s in statistics.STATISTICS]
        left = [row["title"], str(row["trials"]), row["split"], str(row["tasks"]), f"{row['diverged']} of {row['runs']}"]
        lines.append(left + cells)
    return lines


def terminal(comparison: Comparison) -> list[str]:
    """Lines of at most WIDTH characters: what the numbers are; for each split mean and interquartile mean with its interval;
    speed-ups and notes."""
    lines = textwrap.wrap(heading(comparison), WIDTH)
    for split, part in comparison.table.groupby("split", sort=False):
        tasks = part["tasks"].max()
        left = f"{split}, {counted(tasks, 'task')}"
        lines += ["", f"{left:{TITLE}} trials diverged   mean    IQM"]
        for row in part.to_dict("records"):
            title, *more = textwrap.wrap(row["title"], TITLE, subsequent_indent="  ")
            diverged = f"{row['diverged']}/{row['runs']}"
            interval = f"[{row['IQM low']:.3f},{row['IQM high']:.3f}]"
            lines.append(f"{title:{TITLE}} {row['trials']:6} {diverged:>8} {row['mean']:6.3f} {row['IQM']:6.3f} {interval}")
            lines += more
    notes = [*speed_ups(comparison), *comparison.notes]
    return [*lines, "", *(line for note in notes for line in textwrap.wrap(note, WIDTH))]


def speed_ups(comparison: Comparison) -> list[str]:
    """One line per learned optimizer: the median of its speed-ups over tasks."""
    lines = []
    for name, part in comparison.speedups.groupby("title", sort=False):
        beyond = int(part["at_least"].sum())
        lines.append(
            f"{name}: the best Adam rate takes {part['speedup'].median():.2f} x {comparison.horizon} steps to the same smoothed "
            f"train loss (median of {counted(len(part), 'task')}; on {beyond} no rate got there in the steps that there are "
            "curves of, which count as those many)"
        )
    return lines


def heading(comparison: Comparison) -> str:
    """What the numbers are."""
    return (
        f"Normalized loss (1: the start, {run_scores.ZERO}) after {comparison.horizon} steps, "
        f"{run_scores.IN_WORDS[comparison.view]}; "
        "mean over seeds, then statistics over tasks with 95% bootstrap intervals. Losses are clipped "
        "to [-2, 2]; one that is not finite counts as 2. "
        "Diverged runs: of those that are chosen for a task, not of all that were tried."
    )


def markdown(comparison: Comparison) -> str:
    """Heading, table, speed-ups and notes as Markdown."""
    header, *body = rows(comparison)
    columns = table(header, body, right=[i for i in range(len(header)) if i not in TEXTS])
    return "\n\n".join([heading(comparison), columns, *speed_ups(comparison), *comparison.notes]) + "\n"
