"""Data sets mapped from files: several tasks of one set, and all processes, have it in memory once."""

import contextlib
import os
import tempfile

from taskset.datasets.sharing import SCRATCH_VARIABLE


@contextlib.contextmanager
def shared_arrays():
    """A scratch directory for decoded data sets, which all processes started inside map; removed at the end."""
    with tempfile.TemporaryDirectory(prefix="taskset-arrays-") as scratch:
        before = os.environ.get(SCRATCH_VARIABLE)
        os.environ[SCRATCH_VARIABLE] = before or scratch
        try:
            yield
        finally:
            if before is None:
                del os.environ[SCRATCH_VARIABLE]
