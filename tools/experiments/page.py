"""Where an experiment's figure and table go: a picture, and a section of experiments.md; and the command line of most."""

import argparse
import contextlib

from taskset.execution.runtime import start_tensorflow
from taskset.scoring import profile, statistics
from tools import report

TITLE = "# Experiments\n"
COLOURS = (*profile.COLOURS, "#8C5A2B", "0.5")  # told apart by colour-blind eyes; of the default ones, red and green are not
FORM = ".3g"  # of a number with its interval, in `Estimate.text`


def write(name, picture, draw, text, out, document="experiments.md", title=TITLE):
    """Draw OUT/pictures/PICTURE by `draw(path)`, and write the section `name` of a document in OUT, which begins with `title`."""
    (out / "pictures").mkdir(parents=True, exist_ok=True)
    draw(out / "pictures" / picture)
    report.write_section(name, text, out / document, title)


def with_interval(values):
    """The mean of values [n] and its 95% bootstrap interval over them: 1.23 [1.1, 1.4]."""
    return statistics.estimate(values).text(FORM)


@contextlib.contextmanager
def figure(path, *, size, rows=1, columns=1, dpi=90, **options):
    """(a figure of matplotlib, its axes), saved as `path` at the end. size: inches; options: of `Figure.subplots`.

    The colours C0, C1, .. are COLOURS, from the first line to the file: Matplotlib looks them up when it draws.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"axes.prop_cycle": matplotlib.cycler(color=COLOURS)}):
        made = Figure(figsize=size, layout="constrained")
        yield made, made.subplots(rows, columns, **options)
        made.savefig(path, dpi=dpi)


def parser_of(description):
    """The command line of an experiment: where its results go."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    report.folder_options(parser)
    return parser


def started(parser):
    """(arguments, folder of the results) of a command line (`parser_of`), with TensorFlow started."""
    arguments = parser.parse_args()
    start_tensorflow(threads=1)
    return arguments, report.folder(arguments)


def command(description, measure, write):
    """Run an experiment without options of its own: `write(measure(), folder of the results)`."""
    _, folder = started(parser_of(description))
    write(measure(), folder)
