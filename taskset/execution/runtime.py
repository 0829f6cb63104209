"""TensorFlow without its greetings, set up once, whoever imports it first.

TensorFlow's C++ side prints some ten lines before a log level applies. `watch` (called when `taskset` is imported) makes the next
`import tensorflow` of this process a quiet one, in whichever module it stands, and has what is compiled kept on disk
(`taskset.execution.compile_cache`). Nothing is opened then: devices can still be configured. They are opened at the first use, or by
`start_tensorflow`.
"""

import contextlib
import gc
import importlib.abc
import os
import sys

from taskset.errors import ConfigError


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


class _Loader(importlib.abc.Loader):
    """Executes TensorFlow's `__init__` as `loader` does, between what has to come before and after."""

    def __init__(self, loader, threads):
        self._loader, self._threads = loader, threads

    def create_module(self, spec):
        from taskset.execution import compile_cache  # here: `list` and `show` are to start at once

        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        compile_cache.switch_on(self._threads)  # TensorFlow reads its flags once
        return self._loader.create_module(spec)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self._loader  # whoever asks afterwards finds nothing changed
        with _silent_stderr():
            self._loader.exec_module(module)
        _set_threads(module, self._threads)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds TensorFlow where the other finders do. threads: of each of its two thread pools; None: its default."""

    threads = None

    def find_spec(self, name, path, target=None):
        if name != "tensorflow":
            return None
        found = (finder.find_spec(name, path, target) for finder in sys.meta_path if finder is not self)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self.threads)
        return spec


_finder = _Finder()


def watch():
    """Make the import of TensorFlow quiet, if it is still to come."""
    if _finder not in sys.meta_path and "tensorflow" not in sys.modules:
        sys.meta_path.insert(0, _finder)


def use_threads(threads):
    """Set the size of each of TensorFlow's two thread pools, before or after it is imported.

    Raises: ConfigError if it runs already, with another number.
    """
    _finder.threads = threads
    if "tensorflow" in sys.modules:
        _set_threads(sys.modules["tensorflow"], threads)


def _set_threads(tf, threads):
    if threads is None:
        return
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError as error:
        raise ConfigError(
            f"threads {threads}: TensorFlow runs already in this process, with another number of them; "
            f"call taskset.quiet.use_threads({threads}) before its first use"
        ) from error


def start_tensorflow(threads=None):
    """Import TensorFlow and let it open its devices, quietly; nothing happens if they are open.

    threads: as of `use_threads`; None: as they are set.
    """
    if threads is not None:
        use_threads(threads)
    watch()
    import sonnet  # noqa: F401
    import tensorflow as tf
    from tensorflow.python.eager import context  # nothing public tells whether devices are open

    if context.context()._initialized:
        return
    with _silent_stderr():
        tf.zeros([])
    gc.freeze()  # TensorFlow's million objects stay: walking over them takes a tenth of the time of a tiny task's steps
