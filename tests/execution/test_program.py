"""Compiled programs: what they refuse."""

import pytest
import tensorflow as tf

from taskset.errors import ConfigError
from taskset.execution.program import Program
from taskset.tasks.graphs import draws_hidden


@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize(
    "draw", [lambda x: tf.random.normal(x.shape), lambda x: tf.map_fn(lambda y: y + tf.random.uniform([]), x)]
)
def test_numbers_that_no_other_run_repeats_are_refused(draw, xla):
    """Also within a function that the program calls. Draws from a seed that is given are allowed."""
    with pytest.raises(ConfigError, match="draws from TensorFlow's global random state .Random.*stateless_normal"):
        Program(lambda x: x + draw(x), xla)(tf.zeros([3]))
    program = Program(lambda x: x + tf.random.stateless_normal(x.shape, seed=[0, 1]), xla)
    assert tf.reduce_all(program(tf.zeros([3])) == program(tf.zeros([3])))


def test_kinds_of_operations_with_a_hidden_random_state():
    """The gradient of a draw draws nothing: tf.random.stateless_gamma may be differentiated."""
    assert all(
        map(
            draws_hidden,
            [
                "RandomPoisson",
                "RandomShuffle",
                "RandomUniformInt",
                "TruncatedNormal",
                "Multinomial",
                "LogUniformCandidateSampler",
            ],
        )
    )
    assert not any(
        map(draws_hidden, ["StatelessRandomUniformV2", "StatelessTruncatedNormal", "RandomGammaGrad", "RandomIndexShuffle"])
    )
