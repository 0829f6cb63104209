"""What tests of learned optimizers share."""

import sys

import pytest

from learned.cli import main


@pytest.fixture
def x64():
    """JAX, computing in float64 where arrays are; or a skip."""
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    jax.config.update("jax_enable_x64", True)
    yield jax
    jax.config.update("jax_enable_x64", False)


@pytest.fixture
def run_here(monkeypatch, capsys):
    """run_here(*arguments) -> (status, stdout, stderr) of `python -m learned`, in this process."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["learned", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main.main()
        return ended.value.code, *capsys.readouterr()

    return call
