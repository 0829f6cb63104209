"""Pairs of functions that compute with NumPy: they step one at a time, on arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from taskset.errors import ConfigError, calling, cut, shown
from taskset.execution.checked import check_paths, wrong
from taskset.scoring.adapters.native import numbers_of, with_steps
from taskset.scoring.stepped import EvaluateVector, ParameterShapes, Stepped, ends
from taskset.tasks import python_state

Arrays: TypeAlias = Mapping[str, np.ndarray]  # {path: array}
Init: TypeAlias = Callable[..., Any]  # params -> state
Update: TypeAlias = Callable[..., tuple[Any, Any]]  # (grads, state, params, step, hparams) -> (params, state)


def is_marked(pair: object, name: str) -> bool:
    """Whether an object with functions `init` and `update`, such as a module, says that they compute with NumPy.

    Raises `ConfigError` for the name of another framework.
    """
    framework = getattr(pair, "framework", "tensorflow")
    if framework not in ("numpy", "tensorflow"):
        raise ConfigError(f'framework {shown(framework)} of {name!r}: allowed are "numpy" and "tensorflow"')
    return framework == "numpy"


class NumPy:
    """Two functions of arrays.

    init(params) -> state, any object; update(grads, state, params, step, hparams) -> (params, state). grads and params are
    {path: float32 array}; step: 0, 1, ..; hparams: {name: number}, with "horizon", the number of steps of the run, among them.
    Returned parameters may be of any float type; they are kept as float32.
    """

    library = "numpy"
    runs = Stepped

    def __init__(self, init: Init, update: Update, name: str, hyperparameters: Mapping[str, Any]) -> None:
        self.name, self.rule, self._init, self._update = name, f"numpy {name}", init, update
        self._hparams = numbers_of(hyperparameters, name)
        self._begun: dict[str, Any] | None = None  # what the functions kept in Python when the first run began

    def hparams(self, horizon: int) -> dict[str, float]:
        """None that TensorFlow's programs need."""
        del horizon
        return {}

    def begin(self, start: np.ndarray, shapes: ParameterShapes, horizon: int) -> NumPySteps:
        """The `NumPySteps` of a run; see `taskset.scoring.stepped.Stepped`.

        Another start follows a run's last step: what the run has left in Python must not be in it, even where no run follows.
        """

        def another() -> NumPySteps:
            return self._begun_as_the_first(start, shapes, horizon)

        steps = another()
        steps.at_end = another
        return steps

    def _begun_as_the_first(self, start: np.ndarray, shapes: ParameterShapes, horizon: int) -> NumPySteps:
        left = python_state.of(self._update)
        hparams = with_steps(self._hparams, horizon)
        steps = NumPySteps(self._init, self._update, start, shapes, self.name, hparams, horizon)
        begun = python_state.of(self._update)
        if self._begun is None:
            self._begun = begun
        unlike = [place for place in python_state.changed(self._begun, left) if begun.get(place) == left.get(place)]
        if unlike:
            raise ConfigError(
                f"{self.name!r} begins a run with what an earlier one left in {cut(', '.join(unlike))}: keep it in the state "
                "that init returns, or set it there"
            )
        return steps


class NumPySteps:
    """A run in progress: {path: array} and the functions' state. at_end: called after step `horizon`, the last."""

    at_end: Callable[[], object] | None = None

    def __init__(
        self,
        init: Init,
        update: Update,
        start: np.ndarray,
        shapes: ParameterShapes,
        name: str,
        hparams: Mapping[str, float],
        horizon: int,
    ) -> None:
        self._shapes, self._update, self._name, self._hparams = shapes, update, name, hparams
        self._taken, self._horizon = 0, horizon
        self._ends = ends(shapes)
        self._params: Arrays = self._split(start)
        with calling(init, f"init of {name!r} failed"):
            self._state = init(self._split(start))  # what it writes there is no part of the start

    def _split(self, vector: np.ndarray) -> dict[str, np.ndarray]:
        parts = np.split(np.array(vector), self._ends)  # of a copy: the functions may write into them
        return {path: part.reshape(shape) for part, (path, shape) in zip(parts, self._shapes.items())}

    def vector(self) -> tf.Tensor:
        """All parameters as one TensorFlow vector."""
        return tf.constant(np.concatenate([np.ravel(self._params[path]) for path in self._shapes]))

    def judged(self) -> tf.Tensor:
        """As `vector`."""
        return self.vector()

    def step(self, evaluate: EvaluateVector) -> None:
        """Take one step; evaluate: `vector -> (loss, vector of gradients)`, both TensorFlow's."""
        _, gradients = evaluate(self.vector())
        parts = self._split(gradients.numpy())
        with calling(self._update, f"update of {self._name!r} failed"):
            found = self._update(parts, self._state, self._params, self._taken, self._hparams)
        if not isinstance(found, tuple) or len(found) != 2 or not isinstance(found[0], Mapping):
            raise ConfigError(
                f"update of {self._name!r} returned {type(found).__name__}: allowed is a pair ({{path: array}}, state)"
            )
        params, self._state = found
        check_paths(params, self._shapes, self._name)
        self._params = {path: self._checked(path, params[path]) for path in self._shapes}
        self._taken += 1
        if self._taken == self._horizon and self.at_end:  # hparams may have a "horizon" of the user's own
            self.at_end()

    def _checked(self, path: str, value: Any) -> np.ndarray:
        array, shape = np.asarray(value), tuple(self._shapes[path])
        if array.shape != shape or array.dtype.kind != "f":
            raise wrong(self._name, path, (str(array.dtype), array.shape), ("float32", shape))
        return array.astype(np.float32, copy=False)
