"""How much memory a process has for itself, and how much is the measure."""

import ctypes
from pathlib import Path

MIB = 2**20
# Of a worker of a sweep, above which it is replaced. TensorFlow itself takes 250; its code, 600 more, processes share.
PRIVATE_MIB = 850


def private_mib(pid="self"):
    """MiB that a process has for itself (not its code, not data sets mapped from files); 0 where the system doesn't tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        return int(status.split("RssAnon:")[1].split()[0]) / 1024
    except (OSError, IndexError):  # another system; a process that has just ended
        return 0


def return_memory():
    """Have the C library give freed pages back to the system; where it has no such call, they stay for later use."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:
        trim(0)
