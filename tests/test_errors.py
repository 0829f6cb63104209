"""Arguments that are to be whole or finite numbers."""

import math
from fractions import Fraction

import numpy as np
import pytest
import tensorflow as tf

import learned
import taskset
from taskset import errors, optimizers
from taskset.errors import ConfigError, counted
from taskset.scoring.adapters import native


@pytest.mark.parametrize("given", [3, np.int64(3), np.uint8(3), np.array(3), tf.constant(3)])
def test_whole_numbers_of_any_library_are_pythons_afterwards(given):
    found = errors.whole_number("steps", given)
    assert type(found) is int and found == 3


@pytest.mark.parametrize(
    "given",
    [True, np.True_, 3.0, np.float32(3), "3", None, [3], np.array([3, 3]), tf.constant(3.0), tf.constant(True), tf.constant("3")],
)
def test_what_is_none_is_one_line(given):
    with pytest.raises(ConfigError, match=r"steps .*: allowed is an integer from 1 to 9, those of the suite") as error:
        errors.whole_number("steps", given, most=9, note=", those of the suite")
    assert "\n" not in str(error.value)
    with pytest.raises(ConfigError, match="pairs .*: allowed is an integer from 1 to 2147483647"):
        learned.Options("mlp", pairs=given)


@pytest.mark.parametrize("given", [0, -1, 10, 10**30])
def test_whole_numbers_that_are_too_small_or_too_large(given):
    with pytest.raises(ConfigError, match="from 1 to 9"):
        errors.whole_number("steps", given, most=9)


@pytest.mark.parametrize("given", [0, -3, 1e308, np.float32(2), np.int64(3), Fraction(1, 3)])
def test_finite_numbers(given):
    assert errors.is_finite(given)


@pytest.mark.parametrize(
    "given", [True, np.True_, math.nan, math.inf, -np.float32(np.inf), 10**400, -(10**400), "3", None, [3], 3j, np.complex64(3)]
)
def test_what_is_no_finite_number(given):
    assert not errors.is_finite(given)


def test_numbers_beyond_all_floats_are_refused_by_name():
    with pytest.raises(ConfigError, match="learning_rate 1000.* of adam: allowed is a finite number >= 0"):
        optimizers.adam(10**400)
    with pytest.raises(ConfigError, match="rate 1000.* of optimizer 'mine': allowed is a finite number"):
        taskset.register_optimizer("mine", rate=10**400)
    with pytest.raises(ConfigError, match="hyperparameter 'rate' of 'mine' is 1000.*: allowed are finite numbers"):
        native.numbers_of({"rate": 10**400}, "mine")


def test_a_number_of_things_is_said_in_words():
    assert [counted(n, "task") for n in (0, 1, 2, 3000)] == ["0 tasks", "1 task", "2 tasks", "3000 tasks"]
    assert [counted(n, "family", "families", form=",") for n in (1, 3000)] == ["1 family", "3,000 families"]
