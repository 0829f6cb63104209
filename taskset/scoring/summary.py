"""A `Comparison` as lines and Markdown."""

from taskset.scoring import statistics

HEADER = ["optimizer", "trials", "split", "tasks", "diverged runs", *statistics.STATISTICS]


def rows(comparison):
    """The table's cells as text, HEADER on top."""
    lines = [HEADER]
    for row in comparison.table.to_dict("records"):
        cells = [f"{row[s]:.3f} [{row[f'{s} low']:.3f}, {row[f'{s} high']:.3f}]" for s in statistics.STATISTICS]
        left = [row["title"], str(row["trials"]), row["split"], str(row["tasks"]), f"{row['diverged']} of {row['runs']}"]
        lines.append(left + cells)
    return lines


def speed_ups(comparison):
    """One line a learned optimizer: the median of its speed-ups over tasks."""
    lines = []
    for name, part in comparison.speedups.groupby("title", sort=False):
        beyond = int(part["at_least"].sum())
        lines.append(
            f"{name}: the best Adam rate takes {part['speedup'].median():.2f} x {comparison.horizon} steps to the same smoothed "
            f"train loss (median of {len(part)} tasks; on {beyond} no rate got there in the steps that there are curves of, "
            "which count as those many)"
        )
    return lines


def heading(comparison):
    """What the numbers are."""
    told = {"end": "at the last step", "mean": "mean over the curve", "lowest": "lowest of the curve"}[comparison.view]
    return (
        f"Normalized loss (1: start, 0: the best of the baselines) after {comparison.horizon} steps, {told}; mean over seeds, "
        "then statistics over tasks with 95% bootstrap intervals. A diverged run counts as 2."
    )


def markdown(comparison):
    """All of it."""
    header, *body = rows(comparison)
    lines = [header, [":--", "--:", ":--", *["--:"] * (len(header) - 3)], *body]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n\n".join([heading(comparison), table, *speed_ups(comparison), *comparison.notes]) + "\n"
