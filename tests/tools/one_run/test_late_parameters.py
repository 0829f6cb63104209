"""tools/one_run/late_parameters.py: that its three cases are what its table says, with rules whose moves are known."""

import numpy as np
import pytest

from tools.one_run import late_parameters


class Falling:
    """A rule with the rate 1 - step / steps, times the size of a matrix: at rate 1 the first step ends at the target."""

    def __init__(self, steps):
        self.steps = steps

    def init(self, params):
        return {"steps": 0}

    def update(self, grads, state, params, step, loss):
        assert step == state["steps"] and np.isfinite(loss)
        rate = (1 - step / self.steps) * late_parameters.SIDE**2
        moved = {name: p if grads[name] is None else p - rate * grads[name] for name, p in params.items()}
        return moved, {**state, "steps": step + 1}


def test_what_is_left_is_that_of_the_parameters_that_begin_late():
    def left(begins, before, steps=10):
        return late_parameters.left(Falling, steps, begins, before, seed=0)

    assert left(0, "zeros") == pytest.approx(0, abs=1e-25)
    assert left(9, "zeros") == left(9, "none") == pytest.approx(0.9**2)  # one step of rate .1
    assert left(10, "zeros") == 1.0
    assert left(9, "own") == pytest.approx(0, abs=1e-25)  # its first step has rate 1
