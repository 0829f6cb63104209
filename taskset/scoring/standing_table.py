"""A `Standing` as a table: for a terminal of 80 columns, as Markdown, as LaTeX."""

import textwrap

from taskset.errors import counted, cut
from taskset.files.markdown import table as markdown_table
from taskset.scoring import run_scores, statistics, task_losses
from taskset.scoring.rows import Row
from taskset.scoring.standing import Standing

SHOWN = ("train", "test")  # splits of data; valid_outer is for choosing trials alone
WIDTH = 80
HEADER = ["optimizer", "trials", "loss", *statistics.STATISTICS, "won", "speed-up", "diverged", "ms a step", "x Adam"]  # full
TITLE = 26  # letters of a title on the terminal


def heading(standing: Standing) -> str:
    """What the numbers are."""
    count, (name, _, version) = len(standing.tasks), standing.suite.rpartition(":")
    return (
        f"suite {name}, version {version}: {counted(count, 'task')}, {counted(standing.horizon, 'step')}. Normalized loss "
        f"({run_scores.IN_WORDS[standing.view]}; 1: the start, {run_scores.ZERO}; clipped to [-2, 2]; a loss that is not "
        "finite counts as 2), mean over seeds. Brackets: 95% bootstrap interval over tasks. won: share of tasks with a lower "
        "loss than Adam tuned for each task; equal losses count half. Trials are chosen by train loss for train loss, by "
        "validation loss for test loss. speed-up: how many times as fast as the best of Adam's rates to a smoothed train loss "
        "that both reach, median over tasks. diverged: of the runs of all trials, chosen or not. x Adam: cost of a step, Adam's "
        "being 1."
    )


def terminal(standing: Standing) -> list[str]:
    """Lines of at most WIDTH characters: what the numbers are; losses of each split, with the interval of the interquartile mean;
    speed and cost; the tasks gained and lost most; notes."""
    lines = textwrap.wrap(heading(standing), WIDTH)
    for split in SHOWN:
        rows = [row for row in standing.rows if row.values.get(split)]
        if not any(row.own for row in rows):
            continue
        title = run_scores.LOSSES[split]
        lines += ["", f"{title:<{TITLE}} {'trials':>6} {'mean':>6} {'median':>6} {'IQM':>6} {'':13} {'won':>4}"]
        for row in rows:
            found = row.summary(split)
            iqm = found["IQM"]
            interval = f"[{iqm.low:.3f},{iqm.high:.3f}]"
            values = f"{found['mean'].value:6.3f} {found['median'].value:6.3f} {iqm.value:6.3f} {interval:13}"
            lines.append(f"{_left(row)} {values} {_won(standing, row, split):>4}".rstrip())
    lines += ["", f"{'speed and cost':<{TITLE}} {'trials':>6} {'speed-up':>8} {'':13} {'diverged':>8} {'ms':>6} {'x Adam':>6}"]
    for row in standing.rows:
        fast = row.speed_up()
        speed, interval = (f"{fast.value:.2f}", f"[{fast.low:.2f},{fast.high:.2f}]") if fast else ("", "")
        costs = f"{_milliseconds(row):>6} {_relative(row):>6}"
        lines.append(f"{_left(row)} {speed:>8} {interval:13} {_share(row):>8} {costs}".rstrip())
    lines += task_losses.terminal(standing)
    notes = [line for note in standing.notes for line in textwrap.wrap(note, WIDTH)]
    return [*lines, *([""] if notes else []), *notes]


def _left(row: Row) -> str:
    return f"{cut(row.title, TITLE):<{TITLE}} {row.trials:6}"


def _milliseconds(row: Row) -> str:
    if row.milliseconds is None:
        return ""
    return f"{row.milliseconds:.3g}" if row.milliseconds < 999.5 else f"{row.milliseconds:.0f}"  # not 1e+03


def _relative(row: Row) -> str:
    return "" if row.relative is None else f"{row.relative:.2f}"


def _won(standing: Standing, row: Row, split: str) -> str:
    return "" if standing.tuned is None or standing.tuned == row else f"{row.won(split, standing.tuned):.0%}"


def _share(row: Row) -> str:
    return f"{row.diverged / row.runs:.0%}"


def cells(standing: Standing) -> list[list[str]]:
    """The rows of the full tables as text, in the columns of HEADER."""
    lines = []
    for row in standing.rows:
        for split in SHOWN:
            if row.values.get(split):
                numbers = [each.text() for each in row.summary(split).values()]
                speed = fast.text(".2f") if (fast := row.speed_up()) else ""
                counts = f"{row.diverged} of {row.runs}"
                left = [row.title, str(row.trials), run_scores.LOSSES[split].removesuffix(" loss")]
                won = _won(standing, row, split)
                lines.append([*left, *numbers, won, speed, counts, _milliseconds(row), _relative(row)])
    return lines


def table(standing: Standing) -> str:
    """The whole table as Markdown."""
    return markdown_table(HEADER, cells(standing), right=[1, *range(3, len(HEADER))])


def markdown(standing: Standing) -> str:
    """The whole table, with what the numbers are, and the tasks gained and lost most."""
    return "\n\n".join([heading(standing), table(standing), *task_losses.markdown(standing), *standing.notes]) + "\n"


_LATEX = {"\\": r"\textbackslash{}", "_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}"}


def latex(standing: Standing) -> str:
    """The whole table as a `tabular` (package booktabs)."""
    escaped = [["".join(_LATEX.get(letter, letter) for letter in cell) for cell in line] for line in (HEADER, *cells(standing))]
    first, *rows = [" & ".join(line) + r" \\" for line in escaped]
    body = "\n".join(rows)
    aligned = f"lrl{'r' * (len(HEADER) - 3)}"
    return (
        f"% {heading(standing)}\n\\begin{{tabular}}{{{aligned}}}\n\\toprule\n{first}\n\\midrule\n{body}\n\\bottomrule\n"
        "\\end{tabular}\n"
    )
