"""Commands: `python -m taskset list | show | sample | train | baseline | normalize | plot | score | suite | report | data`.

Each command is a thin layer over the function it names, in the file of its group. Errors of a user are one line on
stderr and exit status 2. Heavy modules (TensorFlow, pandas) are imported by the commands that need them.
"""

import contextlib
import errno
import io
import os
import sys
import warnings
from pathlib import Path
from typing import Annotated, cast

import typer

from taskset.cli import data, report, score, suite, sweeps, tasks
from taskset.cli.options import err
from taskset.errors import OutdatedBaselines, TasksetError, system
from taskset.execution.runtime import expect_retracing
from taskset.version import __version__

__all__ = ["Version", "app", "is_script", "main"]  # `python -m learned` has these, too

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def is_script(name: str) -> bool:
    """Whether this process is the console script of that name: shells complete for scripts, not for `python -m`."""
    return Path(sys.argv[0]).stem == name


app = typer.Typer(
    add_completion=is_script("taskset"),
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="TaskSet: small training tasks by name, and their baselines.",
)
app.command("list")(tasks.list_names)
for command in (tasks.sample, tasks.show, sweeps.train, sweeps.baseline, sweeps.normalize, sweeps.plot):
    app.command()(command)
app.add_typer(data.app, name="data")
app.command("score")(score.score)
app.command("suite")(suite.suite)
app.command("report")(report.report)


def show_version(asked: bool) -> None:
    """Print the version and exit, if `--version` was given."""
    if asked:
        print(f"taskset {__version__}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version and exit.", show_default=False)
]


@app.callback()
def callback(version: Version = False) -> None:
    """Small training tasks by name, and their baselines."""


# Typer has Click inside or beside it, depending on its version; their common error class is reached through a public one.
_UsageError = cast("type[typer.BadParameter]", next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException"))


def main(commands: typer.Typer = app, name: str = "python -m taskset") -> None:
    """Run a command line and exit with its status: 1 if a part of the work failed, 2 for a user's error, 130 if interrupted."""
    script = name.removeprefix("python -m ")
    _open_what_is_closed()
    _print_any_text()
    expect_retracing()
    try:
        with _notes():
            status = commands(standalone_mode=False, prog_name=script if is_script(script) else name)
    except TasksetError as error:
        status = _fail(str(error))
    except typer.Exit as ended:
        status = ended.exit_code
    except (typer.Abort, KeyboardInterrupt):
        status = 130
    except _UsageError as error:  # a missing argument, an option that isn't there; the help, where nothing was asked for
        message = error.format_message()
        status = _show_usage(message) if message.startswith("Usage:") else _fail(message)
    except SystemExit as ended:
        if not isinstance(ended.__context__, BrokenPipeError):
            raise
        status = 0  # the reader of a pipe, such as `head`, has seen enough
    except OSError as error:
        if error.filename is None and "temporary directory" in str(error):  # Python or Matplotlib found none to write in
            status = _fail(f"{system(error)}; set TMPDIR to a directory that can be written")
        elif error.errno in _NO_ROOM and _is_of_printing(error):
            status = _unwritten(error)
        else:
            raise
    sys.exit(_written(status if isinstance(status, int) else 0))


def _open_what_is_closed() -> None:
    """Have stdin, stdout and stderr lead nowhere where they are closed: a file that is opened next would get what is printed."""
    while (place := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(place, True)
    os.close(place)


def _print_any_text() -> None:
    """Let stdout show what its encoding lacks as an escape, as stderr does: a path in ASCII must not end a command."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def _written(status: int) -> int:
    """The status of a command whose output is written: here, where it may fail in one line, and not when Python ends."""
    if sys.stdout is None or sys.stdout.closed:
        return status
    try:
        sys.stdout.flush()
    except BrokenPipeError as error:
        _unwritten(error)
    except OSError as error:
        return _unwritten(error)
    return status


def _unwritten(error: OSError) -> int:
    """The status of a command whose output can't be written; says so, but not to a reader of a pipe that has seen enough."""
    with contextlib.suppress(io.UnsupportedOperation):  # of what stands for stdout in tests
        place = sys.stdout.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)  # for what stdout still holds, which Python writes when it ends
        os.dup2(nowhere, place)
        os.close(nowhere)
    if isinstance(error, BrokenPipeError):
        return 0
    with contextlib.suppress(OSError):  # where stderr has the same place
        _fail(f"can't write the output: {system(error)}")
    return 2


def _is_of_printing(error: OSError) -> bool:
    """Whether an error was raised where commands print, and not where they write files."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    module = "" if place is None else str(place.tb_frame.f_globals.get("__name__", ""))
    return module.startswith(("taskset.cli.", "learned.cli.", "rich.", "typer.", "click."))


@contextlib.contextmanager
def _notes():
    """Print warnings of outdated baselines in one line, without a place in the package's source."""
    with warnings.catch_warnings():
        other = warnings.showwarning

        def show(message, category, *place, **where):
            if issubclass(category, OutdatedBaselines):
                err.print(f"note: {message}", markup=False)
            else:
                other(message, category, *place, **where)

        warnings.showwarning = show
        yield


def _show_usage(text):
    err.print(text, markup=False)
    return 2


def _fail(message):
    err.print(f"error: {message}", markup=False)
    return 2
