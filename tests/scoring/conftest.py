"""What the tests of adapters share: a small task, and the curves of plain SGD on it."""

import pytest

from taskset.catalogue import get_task
from taskset.optimizers import sgd
from tests.scoring.small_sweeps import RATE, TASK, curves


@pytest.fixture(scope="module")
def task():
    return get_task(TASK, source="synthetic")


@pytest.fixture(scope="module")
def expected(task):
    return curves(task, sgd(RATE))
