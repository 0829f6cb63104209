"""The machine that this process runs on: what `seconds` and compiled programs depend on."""

import os
import platform
from pathlib import Path


def _lines() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []


def processor() -> str:
    """The processor's model, where the system reports it, and its architecture: "AMD EPYC (x86_64)"."""
    models = [line.split(":", 1)[1].strip() for line in _lines() if line.startswith("model name")]
    return f"{models[0]} ({platform.machine()})" if models else platform.machine()


def cores() -> int:
    """Cores that this process may use; those of the machine where the system doesn't tell (macOS)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def kind() -> str:
    """The kind of machine, which `seconds` depend on: processor and operating system."""
    return f"{processor()}, {platform.system()}"


def instructions() -> str:
    """The model and features of the processor, by which XLA chooses instructions."""
    lines = sorted({line for line in _lines() if line.startswith(("model name", "flags", "Features"))})
    return "\n".join(lines) if lines else platform.processor()
