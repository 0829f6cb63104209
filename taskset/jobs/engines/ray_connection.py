"""The connection to a Ray cluster: quiet, with errors of one line, and ended however this process ends."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from taskset.errors import ConfigError, cut, system

if TYPE_CHECKING:
    from taskset.jobs.engines.ray_cluster import Ray

CONNECT_SECONDS = 10.0
QUIET = {  # what Ray reads when it is imported or started
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
}


@contextlib.contextmanager
def connected(address: str | None = None) -> Iterator[Ray]:
    """Context manager: the engine of a Ray cluster; what was begun there ends with it.

    address: HOST:PORT of its head, "auto" for a cluster that runs on this machine, "local" for a new one of this machine's cores,
    which ends with the context; None: RAY_ADDRESS, else auto where there is one, else local.
    Raises `ConfigError`: Ray isn't installed, or can't be reached.
    """
    os.environ.update({name: os.environ.get(name, value) for name, value in QUIET.items()})
    try:
        import ray
    except ImportError as error:
        raise ConfigError("the engine ray needs the package ray: pip install '.[ray]' in a checkout of taskset") from error
    from taskset.jobs.engines.ray_cluster import Ray

    if ray.is_initialized():  # by the caller, whose connection it stays
        with contextlib.closing(Ray(ray)) as engine:
            yield engine
        return
    _check_reachable(address or os.environ.get("RAY_ADDRESS"))
    with _terminated() as handle:
        try:
            _connect(ray, address or os.environ.get("RAY_ADDRESS"))
        except (ConnectionError, ValueError, RuntimeError, OSError) as error:
            raise _unreachable(address, cut(str(error), 200)) from error
        handle()  # Ray has put a handler of its own in its place
        try:
            with contextlib.closing(Ray(ray)) as engine:
                yield engine
        finally:
            ray.shutdown()


def _connect(ray: Any, address: str | None) -> None:
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address is None:
        with contextlib.suppress(ConnectionError):
            ray.init("auto", **quiet)
            return
    if address in (None, "local"):
        ray.init("local", include_dashboard=False, **quiet)
    else:
        ray.init(address, **quiet)


def _check_reachable(address: str | None) -> None:
    """Raise where nobody listens at HOST:PORT: Ray itself ends the process then."""
    if address in (None, "auto", "local"):
        return
    host, colon, port = str(address).rpartition(":")
    if not (host and colon and port.isdigit() and int(port) < 2**16 and "/" not in host):
        raise ConfigError(f"address {address!r}: allowed are HOST:PORT of a Ray cluster's head, auto and local")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise _unreachable(address, system(error)) from error


def _unreachable(address: str | None, why: str) -> ConfigError:
    return ConfigError(
        f"no Ray cluster at {address or 'this machine'} ({why}): give --address HOST:PORT of its head, or local for this machine"
    )


@contextlib.contextmanager
def _terminated() -> Iterator[Callable[[], None]]:
    """A context in which SIGTERM raises SystemExit(143), once the function that it gives was called.

    Not where this isn't the main thread or the user has a handler, which stays. Ray makes every SystemExit in its own code one of
    status 1.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    before, seen = signal.getsignal(signal.SIGTERM), []

    def end(number: int, frame: object) -> None:
        del frame
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once: nothing may interrupt the end
        seen.append(number)
        sys.exit(128 + number)

    try:
        yield lambda: _set_handler(end if before == signal.SIG_DFL else before)
    except SystemExit:
        if seen:
            raise SystemExit(128 + seen[0]) from None
        raise
    finally:
        _set_handler(before)


def _set_handler(handler: Any) -> None:
    signal.signal(signal.SIGTERM, handler)
