"""Shared by all tests: one thread for TensorFlow, and small data of the test's own making."""

import importlib
import os
import sys

import pytest

from taskset import catalogue, registry
from taskset.execution.runtime import start_tensorflow

pytest.register_assert_rewrite("tests.learned", "tests.small")  # values are shown where asserts of shared modules fail, too
os.environ["TASKSET_COMPILE_CACHE"] = "off"  # what is tested is compiled from what is there
start_tensorflow(threads=1)


@pytest.fixture(scope="session")
def real_data_dir():
    """A TFDS directory with real data, or a skip."""
    place = os.environ.get("TFDS_DATA_DIR")
    if not place:
        pytest.skip("TFDS_DATA_DIR is not set: no real data here")
    return place


@pytest.fixture(autouse=True)
def nothing_is_taken_away():
    """Fails a test after which a name is no longer registered: those that come after it in this process would fail instead."""
    before = _registered()
    yield
    assert before - _registered() == set()


def _registered():
    families, fixed, users = registry._entries()
    return {*families, *fixed}.union(*users.values())


@pytest.fixture
def registered_here():
    """Forgets the names that a test registers, and the files that it gives to `--import`."""
    catalogue.load()
    modules = set(sys.modules)
    with registry.restored():
        yield
    for name in [name for name in sys.modules if name not in modules and name.startswith("taskset_plugin_")]:
        del sys.modules[name]


@pytest.fixture
def saved_figures(monkeypatch):
    """The figures of Matplotlib that a test saves, kept to be looked at instead of drawn."""
    from matplotlib.figure import Figure

    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *_, **__: figures.append(self))
    return figures


@pytest.fixture
def run_here(monkeypatch, capsys):
    """run_here(package, *arguments) -> (status, stdout, stderr) of `python -m package`, in this process."""

    def call(package, *arguments):
        monkeypatch.setattr(sys, "argv", [package, *map(str, arguments)])
        capsys.readouterr()  # what the test itself has printed
        with pytest.raises(SystemExit) as ended:
            importlib.import_module(f"{package}.cli.main").main()
        return ended.value.code, *capsys.readouterr()

    return call
