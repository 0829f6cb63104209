"""TensorFlow without its greetings."""

import contextlib
import gc
import os
import sys


@contextlib.contextmanager
def _silent_stderr():
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def start_tensorflow(threads=None):
    """Import TensorFlow and let it open its devices, without the lines its C++ side prints before a log level applies.

    What it compiles is kept on disk (`taskset.compile_cache`). Must be the first use of TensorFlow in the process.
    threads: of each of its two thread pools; None: its default.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from taskset import compile_cache  # here: `list` and `show` are to start at once

    compile_cache.switch_on(threads)
    with _silent_stderr():
        import sonnet  # noqa: F401
        import tensorflow as tf

        if threads is not None:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        tf.zeros([])
    gc.freeze()  # TensorFlow's million objects stay: walking over them takes a tenth of the time of a tiny task's steps
