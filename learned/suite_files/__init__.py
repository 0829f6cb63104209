"""Suites of the tiny tasks of this package, written once as files: NAME_VERSION.json. No TensorFlow.

Their normalizers stand in these files alone, not among the baselines of `taskset`, as the tasks are for outer training. Those
of `tiny:1` are from Adam's 17 learning rates, 2 seeds, 2,000 steps and 5 batches of an evaluation, on synthetic data:

    python -m taskset baseline 'Tiny_*' --import learned --steps 2000 --seeds 2 --batches 5 --out DIR
    python -m tools.write_suites tiny:1 --root DIR --publish
"""

from taskset.scoring.suites import written

TINY = written.Written(
    "tiny", 1, "tiny tasks of learned, some .1 ms a step, many in one program", package=__name__, max_milliseconds=float("inf")
)
written.register(TINY)
