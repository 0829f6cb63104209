"""What tests of learned optimizers share."""

import pytest


@pytest.fixture
def x64():
    """JAX, computing in float64 where arrays are; or a skip."""
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    jax.config.update("jax_enable_x64", True)
    yield jax
    jax.config.update("jax_enable_x64", False)
