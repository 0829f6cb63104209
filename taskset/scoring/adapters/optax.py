"""Optax transformations: they step through JAX, compiled, a vector of gradients in and a vector of parameters out."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

import numpy as np
import tensorflow as tf

from taskset.errors import ConfigError, calling, shown
from taskset.execution.checked import another, keeps, wrong
from taskset.random import hidden
from taskset.scoring.stepped import EvaluateVector, ParameterShapes, Stepped, ends
from taskset.tasks import python_state

if TYPE_CHECKING:
    import jax
    import optax

InitVector: TypeAlias = "Callable[[jax.Array], Any]"  # vector -> state, a nest of JAX arrays
UpdateVector: TypeAlias = "Callable[[jax.Array, Any, np.ndarray, np.ndarray], tuple[jax.Array, Any]]"

ALIGNMENT = 64  # bytes


def is_transformation(thing: object) -> TypeGuard[optax.GradientTransformation]:
    """Whether it is a gradient transformation: a named pair (init, update), as Optax's are."""
    return isinstance(thing, tuple) and getattr(thing, "_fields", ()) == ("init", "update")


class Optax:
    """A transformation; steps are taken by `OptaxSteps`. Updates get the parameters, and the loss where they ask for `value`."""

    library = "optax"
    runs = Stepped

    def __init__(self, transformation: optax.GradientTransformation, name: str) -> None:
        self.name, self.rule, self._transformation = name, f"optax {name}", transformation
        self._compiled: dict[tuple[tuple[str, tuple[int, ...]], ...], tuple[InitVector, UpdateVector]] = {}

    def hparams(self, horizon: int) -> dict[str, float]:
        """None: the hyperparameters are inside the transformation."""
        del horizon
        return {}

    def begin(self, start: np.ndarray, shapes: ParameterShapes, horizon: int) -> OptaxSteps:
        """The `OptaxSteps` of a run; see `taskset.scoring.stepped.Stepped`."""
        del horizon
        import jax

        key = tuple(shapes.items())
        if key not in self._compiled:
            init, update = self._init(shapes), self._update(shapes)
            self._require_nothing_kept(init, update, start)
            self._compiled = {key: (jax.jit(init), jax.jit(update))}
        return OptaxSteps(*self._compiled[key], start, shapes, self)

    def _require_nothing_kept(self, init: InitVector, update: UpdateVector, start: np.ndarray) -> None:
        """`ConfigError` where a function draws from hidden states or keeps something in Python: it is compiled, so runs once."""
        import jax

        vector = jax.ShapeDtypeStruct(start.shape, start.dtype)
        self._require_one_program("init", init, vector)
        state = jax.eval_shape(init, vector)
        self._require_one_program("update", update, vector, state, vector, jax.ShapeDtypeStruct((), start.dtype))

    def _require_one_program(self, part: str, function: Callable[..., Any], *arguments: Any) -> None:
        what, given = f"{part} of {self.name!r}", getattr(self._transformation, part)
        kept = python_state.of(given)
        with self.calling(part), hidden.none_drawn(what, "jax.random.normal with a key in the state"):
            first, second = (_program(function, arguments) for _ in range(2))
        if changed := python_state.changed(kept, python_state.of(given)):
            raise keeps(what, changed)
        if first != second:
            raise another(what)

    def calling(self, what: str) -> AbstractContextManager[None]:
        """`taskset.errors.calling` of the transformation's `init` or `update`."""
        return calling(getattr(self._transformation, what), f"{what} of {self.name!r} failed")

    def judged(self, vector: jax.Array, state: Any, shapes: ParameterShapes) -> jax.Array:
        """The parameters that evaluations are of: of `optax.contrib.schedule_free`, also within a chain, the average."""
        import jax
        import jax.numpy as jnp

        def averages(part: object) -> bool:
            return type(part).__name__ == "ScheduleFreeState"

        found = [part for part in jax.tree.leaves(state, is_leaf=averages) if averages(part)]
        if not found:
            return vector
        from optax.contrib import schedule_free_eval_params

        return jnp.concatenate([jnp.ravel(p) for p in schedule_free_eval_params(found[0], self._tree(vector, shapes))])

    def _tree(self, vector: jax.Array, shapes: ParameterShapes) -> list[jax.Array]:
        import jax.numpy as jnp

        return [part.reshape(shape) for part, shape in zip(jnp.split(vector, ends(shapes)), shapes.values())]

    def _init(self, shapes):
        return lambda vector: self._transformation.init(self._tree(vector, shapes))

    def _update(self, shapes):
        import jax.numpy as jnp

        extra = _takes_value(self._transformation)

        def update(vector, state, gradients, loss):
            params, gradients = self._tree(vector, shapes), self._tree(gradients, shapes)
            keywords = {"value": loss} if extra else {}
            found = self._transformation.update(gradients, state, params, **keywords)
            several = isinstance(found, (list, tuple)) and len(found) == 2 and isinstance(found[0], (list, tuple))
            if not several or len(found[0]) != len(params):
                raise ConfigError(
                    f"update of {self.name!r} returned {shown(found)}: allowed is a pair (updates, state), with an update for "
                    "each parameter"
                )
            updates, state = found
            moved = [self._moved(path, p, u) for path, p, u in zip(shapes, params, updates)]
            return jnp.concatenate([jnp.ravel(p) for p in moved]), state

        return update

    def _moved(self, path: str, parameter: jax.Array, update: jax.Array | None) -> jax.Array:
        """As `optax.apply_updates`, without broadcasting."""
        if update is None:
            return parameter
        if update.shape != parameter.shape:
            both = [(str(x.dtype), tuple(x.shape)) for x in (update, parameter)]
            raise wrong(self.name, f"{path} move by an update", *both)
        return (parameter + update).astype(parameter.dtype)


def _program(function: Callable[..., Any], arguments: Sequence[Any]) -> tuple[str, list[bytes]]:
    """What a function computes, traced: equal for equal programs."""
    import jax

    traced = jax.make_jaxpr(functools.partial(function))(*arguments)  # a new function: JAX knows those that it has traced
    return re.sub(r"0x[0-9a-f]+", "", str(traced.jaxpr)), list(map(_bytes, traced.consts))


def _bytes(value: Any) -> bytes:
    """Of an array, or of JAX's random keys, which NumPy doesn't know."""
    import jax

    keys = jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(value) if keys else value).tobytes()


def _takes_value(transformation: optax.GradientTransformation) -> bool:
    """Whether update takes further arguments by name, such as the loss as `value`."""
    try:
        parameters = inspect.signature(transformation.update).parameters.values()
    except (TypeError, ValueError):  # of a function that can't be looked into
        return type(transformation).__name__ == "GradientTransformationExtraArgs"
    return any(each.name == "value" or each.kind is each.VAR_KEYWORD for each in parameters)


class OptaxSteps:
    """A run in progress: a vector of parameters and the transformation's state, both JAX's."""

    def __init__(
        self, init: InitVector, update: UpdateVector, start: np.ndarray, shapes: ParameterShapes, made_by: Optax
    ) -> None:
        import jax.numpy as jnp

        self._vector, self._update, self._shapes, self._made_by = jnp.array(start), update, shapes, made_by
        with made_by.calling("init"):
            self._state = init(self._vector)

    def vector(self) -> tf.Tensor:
        """All parameters as one TensorFlow vector, in JAX's memory where that is aligned as TensorFlow needs it."""
        if self._vector.unsafe_buffer_pointer() % ALIGNMENT:
            return tf.constant(np.asarray(self._vector))
        return tf.experimental.dlpack.from_dlpack(self._vector.__dlpack__())

    def judged(self) -> tf.Tensor:
        """`Optax.judged` of the run."""
        return tf.constant(np.asarray(self._made_by.judged(self._vector, self._state, self._shapes)))

    def step(self, evaluate: EvaluateVector) -> None:
        """Take one step; evaluate: `vector -> (loss, vector of gradients)`, both TensorFlow's."""
        loss, gradients = evaluate(self.vector())
        # NumPy's view of TensorFlow's memory: the compiled call takes it in a tenth of the time of jax.dlpack.from_dlpack.
        with self._made_by.calling("update"):
            self._vector, self._state = self._update(self._vector, self._state, gradients.numpy(), loss.numpy())
