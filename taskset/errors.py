"""What can go wrong in a user's hands.

Each error's text is one line: the value that was wrong, what is allowed, and the next step. The command line prints that line
and exits with status 2.
"""

import difflib
import traceback


class TasksetError(Exception):
    """Anything a user can cause and mend."""


class UnknownName(TasksetError):
    """A task, family, optimizer or data set that is not registered."""


class ConfigError(TasksetError):
    """A config or an argument with a missing, unknown or ill-typed value."""


class InfeasibleTask(TasksetError):
    """A config that is well formed and still describes nothing that can run."""


class DataNotPrepared(TasksetError):
    """A real data set that is not in the data directory."""


class StoreError(TasksetError):
    """A directory of results that can't be read, can't be written or was made with other options."""


class OutdatedBaselines(UserWarning):
    """Baselines that were left out: the package has changed their tasks since they were computed."""


def shown(value, most=100):
    """`value` as an error's line shows it: its `repr` without line breaks, cut off after `most` characters."""
    return cut(repr(value), most)


def cut(text, most=100):
    """`text` in one line of at most `most` characters."""
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 3]}..."


def nearest(name, names, most=3):
    """Those of `names` that `name` may be meant for, nearest first; none for what is no name."""
    if not isinstance(name, str) or len(name) > 200:  # comparing takes long, and nobody misspells so much
        return []
    return difflib.get_close_matches(name, names, n=most, cutoff=0.6)


def unknown(kind, name, names, hint):
    """An `UnknownName` for `name` that offers its nearest neighbours among `names`."""
    near = nearest(name, names)
    guess = f"; did you mean {' or '.join(repr(n) for n in near)}?" if near else "."
    return UnknownName(f"unknown {kind} {shown(name)}{guess} {hint}")


def origin(error, inside=None):
    """What was raised and where, in one line: `NameError: name 'x' is not defined (/home/me/tasks.py, line 12)`.

    inside: a path or part of one; the line is the innermost one in a file whose path has it, else the innermost of all.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return f"{type(error).__name__}: {cut(error.msg, 200)} ({error.filename}, line {error.lineno})"
    frames = traceback.extract_tb(error.__traceback__)
    chosen = [frame for frame in frames if inside is not None and inside in frame.filename] or frames
    where = f" ({chosen[-1].filename}, line {chosen[-1].lineno})" if chosen else ""
    told = cut(str(error), 300)
    return (told if isinstance(error, TasksetError) else f"{type(error).__name__}{told and f': {told}'}") + where
