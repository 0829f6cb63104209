"""A `Standing` as a table: for a terminal of 80 columns, as Markdown, as LaTeX."""

from taskset.errors import cut
from taskset.scoring import statistics
from taskset.scoring.standing import Row, Standing

VIEWS = {"end": "at the last step", "mean": "mean over the curve", "lowest": "lowest of the curve"}
SPLITS = {"train": "train loss", "test": "test loss"}
WIDTH = 80
TITLE = 26  # letters of a title on the terminal


def heading(standing: Standing) -> str:
    """What the numbers are."""
    count = len(standing.tasks)
    return (
        f"{standing.suite}, {count} task{'s' if count > 1 else ''}, {standing.horizon} steps. Normalized loss "
        f"({VIEWS[standing.view]}; 1: the start, 0: the best of the baselines; a diverged run counts as 2), mean over seeds. "
        "Brackets: 95% bootstrap interval over tasks. won: share of tasks with a lower loss than Adam tuned for each task. "
        "Trials are chosen by train loss for train loss, by validation loss for test loss."
    )


def terminal(standing: Standing) -> list[str]:
    """Lines of at most WIDTH characters: a table for each split, with the interval of the interquartile mean."""
    lines = []
    for split, label in SPLITS.items():
        if not all(row.values.get(split) for row in standing.rows):
            continue
        lines += ["", f"{label:<{TITLE}} {'trials':>6} {'mean':>6} {'median':>6} {'IQM':>6} {'':13} {'won':>4} {'div.':>5}"]
        for row in standing.rows:
            found = row.summary(split)
            mean, median, (iqm, low, high) = found["mean"][0], found["median"][0], found["IQM"]
            interval = f"[{low:.3f},{high:.3f}]"
            title = f"{cut(row.title, TITLE):<{TITLE}}"
            values = f"{mean:6.3f} {median:6.3f} {iqm:6.3f} {interval:13}"
            lines.append(f"{title} {row.trials:6} {values} {_won(standing, row, split):>4} {_share(row):>5}".rstrip())
    for row in standing.rows:
        if row.milliseconds is not None:
            lines += [
                "",
                f"a step of {row.title}: {row.milliseconds:.3g} ms on this machine, gradients included (median of tasks)",
            ]
            break
    return [*lines, *standing.notes]


def _won(standing: Standing, row: Row, split: str) -> str:
    return "" if standing.tuned is None or standing.tuned == row else f"{row.won(split, standing.tuned):.0%}"


def _share(row: Row) -> str:
    return f"{row.diverged / row.runs:.0%}"


def header(standing: Standing) -> list[str]:
    """The columns of the full tables."""
    del standing
    return ["optimizer", "trials", "loss", *statistics.STATISTICS, "won", "diverged", "ms a step"]


def cells(standing: Standing) -> list[list[str]]:
    """The rows of the full tables as text, in the columns of `header`."""
    lines = []
    for row in standing.rows:
        for split, label in SPLITS.items():
            if row.values.get(split):
                numbers = [f"{v:.3f} [{low:.3f}, {high:.3f}]" for v, low, high in row.summary(split).values()]
                milliseconds = "" if row.milliseconds is None else f"{row.milliseconds:.3g}"
                counts = f"{row.diverged} of {row.runs}"
                left = [row.title, str(row.trials), label.removesuffix(" loss")]
                lines.append([*left, *numbers, _won(standing, row, split), counts, milliseconds])
    return lines


def markdown(standing: Standing) -> str:
    """The whole table, with what the numbers are."""
    columns = header(standing)
    lines = [columns, [":--", "--:", ":--", *["--:"] * (len(columns) - 3)], *cells(standing)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n\n".join([heading(standing), table, *standing.notes]) + "\n"


_LATEX = {"\\": r"\textbackslash{}", "_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}"}


def latex(standing: Standing) -> str:
    """The whole table as a `tabular` (package booktabs)."""
    columns = header(standing)
    escaped = [["".join(_LATEX.get(letter, letter) for letter in cell) for cell in line] for line in (columns, *cells(standing))]
    first, *rows = [" & ".join(line) + r" \\" for line in escaped]
    body = "\n".join(rows)
    aligned = f"lrl{'r' * (len(columns) - 3)}"
    return (
        f"% {heading(standing)}\n\\begin{{tabular}}{{{aligned}}}\n\\toprule\n{first}\n\\midrule\n{body}\n\\bottomrule\n"
        "\\end{tabular}\n"
    )
