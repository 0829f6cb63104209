"""What tests of data sets share."""

import dataclasses

import pytest

from taskset.datasets.synthetic import text as synthetic


@pytest.fixture
def small(monkeypatch):
    """Synthetic text of a few documents."""
    for name, shape in list(synthetic._SHAPES.items()):
        monkeypatch.setitem(synthetic._SHAPES, name, dataclasses.replace(shape, train=3000, test=800))
    synthetic.open_synthetic.cache_clear()
    yield
    synthetic.open_synthetic.cache_clear()
