"""TensorFlow without its startup messages, set up once, whichever module imports it first.

TensorFlow's C++ side prints some ten lines before a log level applies. `watch` (called when `taskset` is imported) silences the
next `import tensorflow` of this process, in whichever module it is, and has compiled programs kept on disk
(`taskset.execution.compile_cache`). It opens no devices: they can still be configured. They are opened by their first use, or by
`start_tensorflow`.
"""

import contextlib
import gc
import importlib
import importlib.abc
import importlib.util
import logging
import os
import sys
import types
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec

from taskset.errors import ConfigError


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    if sys.stderr is None:  # it was closed when Python started
        yield
        return
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _load_triton() -> None:
    """Load Triton, which comes with PyTorch and is loaded by its optimizers: behind TensorFlow it would end the process.

    Both have an LLVM of their own, and only this order of the two works (Triton 3, TensorFlow 2.21).
    """
    if importlib.util.find_spec("triton") is not None:
        with contextlib.suppress(Exception):  # one that can't be loaded does no harm
            importlib.import_module("triton")


def keep_triton_out() -> None:
    """Let PyTorch find no Triton where TensorFlow was imported before `taskset`: its optimizers work without it on a CPU."""
    if "triton" not in sys.modules:
        sys.modules["triton"] = None  # type: ignore[assignment]  # documented: import raises ModuleNotFoundError


class _Loader(importlib.abc.Loader):
    """Executes TensorFlow's `__init__` as `loader` does, with the settings that must come before and after it."""

    def __init__(self, loader: importlib.abc.Loader, threads: int | None):
        self._loader, self._threads = loader, threads

    def create_module(self, spec: ModuleSpec) -> types.ModuleType | None:
        from taskset.execution import compile_cache  # here, so that `list` and `show` start at once

        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        if os.path.expanduser("~") == "~":  # no home directory: the Keras inside TensorFlow would write into a folder called ~
            os.environ.setdefault("KERAS_HOME", os.path.join(os.devnull, "keras"))  # can't be made, which Keras puts up with
        compile_cache.switch_on(self._threads)  # TensorFlow reads its flags once
        return self._loader.create_module(spec)

    def exec_module(self, module: types.ModuleType) -> None:
        module.__loader__ = self._loader  # later readers find nothing changed
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        with _silent_stderr():
            _load_triton()
            self._loader.exec_module(module)
        _set_threads(module, self._threads)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds TensorFlow where the other finders do. threads: size of each of its two thread pools; None: its default."""

    threads: int | None = None

    def find_spec(self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None) -> ModuleSpec | None:
        if name != "tensorflow":
            return None
        found = (finder.find_spec(name, path, target) for finder in sys.meta_path if finder is not self)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self.threads)
        return spec


_finder = _Finder()


def watch() -> None:
    """Silence the import of TensorFlow, if it is still to come."""
    if _finder not in sys.meta_path and "tensorflow" not in sys.modules:
        sys.meta_path.insert(0, _finder)


def use_threads(threads: int | None) -> None:
    """Set the size of each of TensorFlow's two thread pools, before or after it is imported.

    Raises: ConfigError if it already runs with another number.
    """
    _finder.threads = threads
    if "tensorflow" in sys.modules:
        _set_threads(sys.modules["tensorflow"], threads)


def _set_threads(tf: types.ModuleType, threads: int | None) -> None:
    if threads is None:
        return
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError as error:
        raise ConfigError(
            f"threads {threads}: TensorFlow already runs in this process with another number of threads; "
            f"call taskset.execution.runtime.use_threads({threads}) before its first use"
        ) from error


def start_tensorflow(threads: int | None = None) -> None:
    """Import TensorFlow and let it open its devices, quietly; does nothing if they are open.

    threads: as in `use_threads`; None leaves the setting as it is.
    """
    if threads is not None:
        use_threads(threads)
    watch()
    import sonnet  # noqa: F401
    import tensorflow as tf
    from tensorflow.python.eager import context  # there is no public way to ask whether devices are open

    if context.context()._initialized:
        return
    with _silent_stderr():
        tf.zeros([])
    gc.freeze()  # else the collector walks TensorFlow's million objects, a tenth of the time of a tiny task's steps


def start_worker() -> None:
    """`start_tensorflow` and `expect_retracing` of a process that works for another one: one thread, as each core has its own."""
    start_tensorflow(threads=1)
    expect_retracing()


def expect_retracing() -> None:
    """Leave out TensorFlow's advice on functions that are traced again: commands trace those of each task on purpose."""
    logging.getLogger("tensorflow").addFilter(_is_no_advice)  # once, however often it is called


def _is_no_advice(record: logging.LogRecord) -> bool:
    return "triggered tf.function retracing" not in record.getMessage()
