"""What unrolls a problem: a program of its own, one that tasks share, or one on several devices."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from learned.unrolling.distributed import Spread
from learned.unrolling.problem import Problem
from learned.unrolling.sharing import SharedUnrolls, program_of, shared_unroll
from learned.unrolling.unroll import Unroll


def unroll(
    kind: type[Unroll],
    problem: Problem,
    pairs: int,
    signs: int,
    steps: int,
    strategy: tf.distribute.Strategy | None = None,
    programs: SharedUnrolls | None = None,
    **execution: Any,
) -> Any:
    """An `Unroll` or `BackpropagatedUnroll` (`kind`): by itself, or `Spread` over the replicas of a strategy (`distributed`).

    programs: where those of tasks that share one are looked up (`learned.unrolling.sharing.shared_unroll`); None: nowhere.
    """
    if strategy is None and programs is not None and program_of(problem.task):
        return shared_unroll(programs, kind, problem, pairs, signs, steps, **execution)
    if strategy is None:
        return kind(problem, pairs, signs, steps, **execution)
    return Spread(kind, strategy, problem, pairs, signs, steps, **execution)
