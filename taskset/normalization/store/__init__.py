"""Learning curves on disk: the schema, writing without half-finished files, reading only what is asked for."""

from taskset.normalization.store.curves import *  # noqa: F401,F403
from taskset.normalization.store.curves import _NAME  # noqa: F401
