"""The private memory of a process, and how much of it a worker may have."""

import ctypes
from pathlib import Path

MIB = 2**20
# Above this, a worker of a sweep is replaced. TensorFlow itself takes 250; its code, 600 more, is shared by processes.
PRIVATE_MIB = 850


def private_mib(pid: int | str = "self") -> float:
    """MiB of a process's private memory (without its code and mapped data sets); 0 where the system has no such file."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        return int(status.split("RssAnon:")[1].split()[0]) / 1024
    except (OSError, IndexError):  # another system; a process that has just ended
        return 0


def return_memory() -> None:
    """Have the C library return freed pages to the system; does nothing where the library has no such call."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:
        trim(0)
