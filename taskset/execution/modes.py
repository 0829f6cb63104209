"""How a task's training is executed, by task and device: rules based on measurements (docs/benchmarks.md). No TensorFlow.

A mode is one of MODES: the loop over steps compiled by XLA, run by TensorFlow's own executor, or by Python. Besides, a sweep
trains the runs of one seed in one program (`taskset.execution.copies`) where that pays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from taskset.errors import ConfigError

if TYPE_CHECKING:
    from taskset.datasets.base import DataSpec
    from taskset.registry import Facts

MODES = ("xla_loop", "graph_loop", "eager_loop")


def check(mode: str | None) -> None:
    """`ConfigError` unless `mode` is one of MODES or None."""
    if mode not in (None, *MODES):
        raise ConfigError(f"mode {mode!r}: allowed are {', '.join(MODES)}")


def loop_mode(convolutional: bool, device: str = "CPU") -> str:
    """The fastest of MODES for a task with or without convolutions.

    Measured on a CPU for tasks of all families: XLA takes .1 to 1.1 times as long as TensorFlow's own loop, but 8 to 60 times as
    long where there are convolutions. Assumed on accelerators: there each operation that XLA doesn't compile is started
    separately, which costs more than a step of most tasks.
    """
    return "graph_loop" if device == "CPU" and convolutional else "xla_loop"


def copies_pay(data: DataSpec | None) -> bool:
    """Whether to train the runs of a seed in one program on a CPU; data: the task's data specification, or None.

    It pays for tasks that need no data set, which are tiny. Measured with 17 learning rates under XLA: quadratics and losg tasks
    1.1 to 16 times the steps, and 4 to 30 times the evaluations, of runs one by one; an MLP on images .7 times.
    """
    return data is None or not data.needs_source


def described(facts: Facts) -> str | None:
    """One line on how a task with these facts is executed; None where its parameters are known only once it is built."""
    if facts.parameter_shapes is None:
        return None
    mode = loop_mode(facts.convolutional)
    together = ", the runs of a seed in one program" if copies_pay(facts.data) else ""
    accelerators = loop_mode(facts.convolutional, "GPU")
    return f"{mode} on a CPU{together} (measured); {accelerators} on accelerators (assumed); `train --mode` chooses another"
