"""Engines: where the jobs of `baseline`, `score`, `learned evaluate` and `learned train` are computed.

    local     worker processes of this machine (`local.py`)
    ray       the cores of a Ray cluster (`ray_cluster.py`); results come back to this process, which writes the files

A curve or a weight is the same bit for bit, whichever engine computed it, on processors of one kind.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from taskset.errors import ConfigError, unknown
from taskset.jobs.engines.base import FINISHED, Engine, Process, Work, do
from taskset.jobs.engines.local import LOCAL, Local

NAMES = ("local", "ray")

__all__ = ["FINISHED", "LOCAL", "NAMES", "Engine", "Local", "Process", "Work", "do", "opened"]


@contextlib.contextmanager
def opened(name: str = "local", address: str | None = None) -> Iterator[Engine]:
    """Context manager: the engine of that name. address: of a Ray cluster (`ray_connection.connected`).

    Raises: UnknownName, ConfigError (an address of local; Ray isn't installed or can't be reached).
    """
    if name not in NAMES:
        raise unknown("engine", name, NAMES, f"Allowed are {' and '.join(NAMES)}.")
    if name == "local":
        if address is not None:
            raise ConfigError(f"address {address!r}: the engine local has none; leave it out or give --engine ray")
        yield LOCAL
        return
    from taskset.jobs.engines import ray_connection

    with ray_connection.connected(address) as engine:
        yield engine
