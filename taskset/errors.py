"""What can go wrong in a user's hands.

Each error's text is one line: the value that was wrong, what is allowed, and the next step. The command line prints that line
and exits with status 2.
"""

import difflib


class TasksetError(Exception):
    """Anything a user can cause and mend."""


class UnknownName(TasksetError):
    """A task, family, optimizer or data set that is not registered."""


class ConfigError(TasksetError):
    """A config with a missing, unknown or ill-typed field."""


class InfeasibleTask(TasksetError):
    """A config that is well formed and still describes nothing that can run."""


class DataNotPrepared(TasksetError):
    """A real data set that is not in the data directory."""


class StoreError(TasksetError):
    """A directory of results that can't be read, can't be written or was made with other options."""


class OutdatedBaselines(UserWarning):
    """Baselines that were left out: the package has changed their tasks since they were computed."""


def unknown(kind, name, names, hint):
    """An `UnknownName` for `name` that offers its nearest neighbours among `names`."""
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    guess = f"; did you mean {' or '.join(repr(n) for n in near)}?" if near else "."
    return UnknownName(f"unknown {kind} {name!r}{guess} {hint}")
