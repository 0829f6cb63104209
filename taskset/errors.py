"""Errors that users can cause and mend.

The message of each is one line: the value that was wrong, what is allowed, and the next step. The command line prints that line
and exits with status 2.
"""

import contextlib
import difflib
import math
import numbers
import operator
import shlex
import traceback
from collections.abc import Iterable, Iterator
from typing import SupportsIndex, cast


class TasksetError(Exception):
    """The base class of all errors that a user can cause and mend."""


class UnknownName(TasksetError):
    """A task, family, optimizer or data set that is not registered."""


class ConfigError(TasksetError):
    """A config or an argument with a missing or unknown field, or a value that is not allowed."""


class InfeasibleTask(TasksetError):
    """A task whose config is well formed, but which can't run."""


class DataNotPrepared(TasksetError):
    """A real data set that is not in the data directory."""


class StoreError(TasksetError):
    """A directory or file that can't be read or written, or results that were made with other options."""


class NoCurves(StoreError):
    """Baselines without curves of what was asked for."""


class OutdatedBaselines(UserWarning):
    """Baselines were left out, as their tasks have changed since they were computed."""


def shown(value: object, most: int = 100) -> str:
    """`value` for an error message: its `repr` without line breaks, cut off after `most` characters."""
    return cut(repr(value), most)


def cut(text: str, most: int = 100) -> str:
    """`text` on one line of at most `most` characters."""
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 3]}..."


def argument(path: object) -> str:
    """A path as one argument of a command that a message shows: quoted where the shell would split it."""
    return shlex.quote(str(path))


def counted(number: int, one: str, several: str = "", form: str = "") -> str:
    """A number of things: "1 task", "3 tasks".

    several: the noun's plural, by default with an s; form: of the number, as in format strings.
    """
    return f"{number:{form}} {one if number == 1 else several or f'{one}s'}"


def nearest(name: object, names: Iterable[str], most: int = 3) -> list[str]:
    """Up to `most` of `names` that `name` may be a misspelling of, nearest first, or else a part of, shortest first.

    None if it is not a string.
    """
    if not isinstance(name, str) or len(name) > 200:  # comparing long strings is slow
        return []
    names = list(names)
    near = difflib.get_close_matches(name, names, n=most, cutoff=0.6)
    return near or sorted((longer for longer in names if len(name) >= 3 and name in longer), key=len)[:most]


def unknown(kind: str, name: object, names: Iterable[str], hint: str) -> UnknownName:
    """An `UnknownName` for `name` that suggests similar ones among `names`. hint: where to find all of them."""
    return UnknownName(f"unknown {kind} {shown(name)}{guessed(name, names) or '.'} {hint}")


def guessed(name: object, names: Iterable[str]) -> str:
    """What `name` may be a misspelling of, for an error message: "; did you mean 'a' or 'b'?", or nothing."""
    near = nearest(name, names)
    return f"; did you mean {' or '.join(repr(n) for n in near)}?" if near else ""


def integer(value: object) -> int | None:
    """`value` as Python's int where it is an integer (Python's, NumPy's, an eager tensor); None for others, and for booleans."""
    if type(value).__name__ in ("bool", "bool_"):  # Python's and NumPy's
        return None
    try:
        return operator.index(cast("SupportsIndex", value))
    except (TypeError, AttributeError):  # an eager tensor of floats raises the latter
        return None


def is_number(value: object) -> bool:
    """Whether it is a real number, of Python's or NumPy's; True and False are none."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def is_finite(value: object) -> bool:
    """Whether it is a number (`is_number`) that a float can hold: not NaN, not infinite, not beyond 1.8e308."""
    try:
        return is_number(value) and math.isfinite(cast("float", value))
    except OverflowError:
        return False


def whole_number(
    name: str,
    value: object,
    least: int = 1,
    most: int | None = None,
    error: type[TasksetError] = ConfigError,
    note: str = "",
) -> int:
    """The argument `name` as an int. Raises `error` unless it is an `integer` from `least` to `most`.

    note: what the message ends with: ", a number of steps".
    """
    number = integer(value)
    if number is None or number < least or (most is not None and number > most):
        allowed = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise error(f"{name} {shown(value)}: allowed is an integer {allowed}{note}")
    return number


def system(error: OSError) -> str:
    """What the operating system says of an error, to follow a colon: "permission denied"."""
    return error.strerror.lower() if error.strerror else str(error)


def file_of(function: object) -> str | None:
    """The path of the file that a function is written in; None where it has no code of Python's."""
    return getattr(getattr(function, "__code__", None), "co_filename", None)


def origin(error: BaseException, inside: str | None = None) -> str:
    """An error and its place in one line: `NameError: name 'x' is not defined (/home/me/tasks.py, line 12)`.

    inside: a part of a path; the place is the innermost frame in a file whose path contains it, else the innermost of all.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return f"{type(error).__name__}: {cut(error.msg, 200)} ({error.filename}, line {error.lineno})"
    frames = traceback.extract_tb(error.__traceback__)
    chosen = [frame for frame in frames if inside is not None and inside in frame.filename] or frames
    where = f" ({chosen[-1].filename}, line {chosen[-1].lineno})" if chosen else ""
    message = cut(str(error), 300)
    return (message if isinstance(error, TasksetError) else f"{type(error).__name__}{message and f': {message}'}") + where


def to_install(error: BaseException) -> str:
    """What follows the message of an import that failed as a framework is missing: "; pip install torch". Nothing for others."""
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    return f"; pip install {missing}" if missing in ("jax", "keras", "optax", "torch") else ""


def own_failure(failure: str, function: object, error: Exception) -> ConfigError:
    """The error for what a user's function raised, with its line. failure: "optimizer 'mine' can't be made"."""
    return ConfigError(f"{failure}: {origin(error, file_of(function))}")


@contextlib.contextmanager
def calling(function: object, failure: str) -> Iterator[None]:
    """Around a call of a user's `function`: what it raises becomes one line, `own_failure`; a `TasksetError` stays as it is."""
    try:
        yield
    except TasksetError:
        raise
    except Exception as error:
        raise own_failure(failure, function, error) from error
