"""How a call ended that was made for another process: what it returned, or one of three ways to fail."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from taskset.errors import TasksetError


@dataclass(frozen=True)
class Done:
    """The call returned `value`."""

    value: Any


@dataclass(frozen=True)
class Failed:
    """What was asked for can't be done. reason: the message of a `TasksetError`, or how a job's process ended."""

    reason: str


@dataclass(frozen=True)
class Broken:
    """Anything else was raised: a fault of the code that was called. error: its type and message."""

    error: str
    traceback: str

    @property
    def reason(self) -> str:
        """The error, and below it where it was raised."""
        return f"{self.error}\n{self.traceback}"


@dataclass(frozen=True)
class Died:
    """The process ended before it answered. how: in words that follow "it ended"."""

    how: str


Returned: TypeAlias = Done | Failed | Broken  # of a call whose process lives
Answer: TypeAlias = Returned | Died


def answer_of(call: Callable[..., Any], *arguments: Any) -> Returned:
    """What `call(*arguments)` returned, or why it raised: one broken task must not stop the others."""
    try:
        return Done(call(*arguments))
    except TasksetError as error:
        return Failed(str(error))
    except Exception as error:
        return Broken(f"{type(error).__name__}: {error}", traceback.format_exc())
