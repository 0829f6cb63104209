"""Optimizers that installed packages have under names of their own: entry point group `taskset.optimizers`.

An entry point is a function `text -> optimizer, or None where text names none of theirs`. That of `learned` (setup.cfg) finds
checkpoints and pretrained optimizers. The function may have an attribute `is_one`, `text -> bool`: whether it would make an
optimizer, which then need not be made to check a name.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from typing import Any

from taskset.errors import ConfigError, TasksetError, calling, origin, shown
from taskset.registry import require_optimizer

ENTRY_POINTS = "taskset.optimizers"


def optimizer(text: str) -> Any:
    """The `taskset.optimizers.base.Optimizer` that an installed package makes of a text; None where none knows it.

    Raises `ConfigError` where a package can't be imported, fails, or makes something else, and where several know the text.
    """
    found = [(who, made) for who, make in _makers() if (made := _asked(who, make, text)) is not None]
    _require_one(text, [who for who, _ in found])
    if not found:
        return None
    who, made = found[0]
    require_optimizer(made, f"installed package {who!r}, asked for optimizer {shown(text)},")
    return made


def is_one(text: str) -> bool:
    """Whether `optimizer` finds one; makes none where the package can tell without. Raises `ConfigError` as that does."""
    found = [who for who, make in _makers() if _knows(who, make, text)]
    _require_one(text, found)
    return bool(found)


def takes(name: str) -> bool:
    """Whether a package has an optimizer of this name. Those that can't be asked are passed over.

    One of them may be that which is being imported, and registers optimizers of its own; whoever asks for theirs is told.
    """
    for entry in _entries():
        with contextlib.suppress(TasksetError):
            if _knows(*_loaded(entry), name):
                return True
    return False


def _knows(who: str, make: Callable[[str], Any], text: str) -> bool:
    if hasattr(make, "is_one"):
        return bool(_asked(who, make.is_one, text))
    return _asked(who, make, text) is not None


def _asked(who: str, function: Callable[[str], Any], text: str) -> Any:
    with calling(function, f"installed package {who!r} fails when asked for optimizer {shown(text)}"):
        return function(text)


def _require_one(text: str, packages: Sequence[str]) -> None:
    """Raise `ConfigError` where several packages know a text: nothing says which of them was meant."""
    if len(packages) > 1:
        several = f"optimizer {shown(text)} is of several installed packages, {', '.join(packages)}"
        raise ConfigError(f"{several}: uninstall those that you don't need")


def _makers() -> Iterator[tuple[str, Callable[[str], Any]]]:
    """(package, its function) of each entry point."""
    return map(_loaded, _entries())


def _entries() -> list[metadata.EntryPoint]:
    return sorted(metadata.entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name)


def _loaded(entry: metadata.EntryPoint) -> tuple[str, Callable[[str], Any]]:
    """(package, its function). Raises `ConfigError` where the package can't be imported."""
    who = entry.dist.name if entry.dist else entry.name
    try:
        return who, entry.load()
    except (Exception, SystemExit) as error:
        failed = f"installed package {who!r} has optimizers and can't be imported"
        raise ConfigError(f"{failed}: {origin(error, entry.module)}; mend or uninstall it") from error
