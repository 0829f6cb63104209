"""Sonnet code as a pure function of its parameters.

`Functional(forward, ..)` traces `forward`, on shapes alone, and records every variable that its modules create: its path, shape
and initializer. A user's own is traced twice, and has to be the same both times. `apply` runs `forward` again with given tensors
in the variables' places, in order of creation. Modules are therefore constructed inside `forward`, in each call, and what they
`assign` (moving averages) is dropped.

Nothing may draw from TensorFlow's global random state: in here Sonnet's own initializers don't (`taskset.tasks.sonnet_starts`).
Nothing may be kept in Python between calls either.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf

from taskset.errors import ConfigError, cut
from taskset.optimizers.base import Params
from taskset.random import hidden, seeds, stateless
from taskset.random.stateless import Key
from taskset.registry import Shapes, is_own
from taskset.tasks import distributions, python_state, retracing
from taskset.tasks.deferred import Deferred
from taskset.tasks.graphs import global_draw
from taskset.tasks.sonnet_starts import seeded

_MADE_OUTSIDE = "a Sonnet module of the loss was made outside it: make modules inside the loss, in each call"


class _Dropped:
    """Stands for a variable that is not a parameter: holds a tensor, ignores assignments."""

    def __init__(self, value: Any):
        self._value = tf.convert_to_tensor(value)
        self.shape, self.dtype = self._value.shape, self._value.dtype

    def assign(self, value, *args, **kwargs):
        return value

    assign_add = assign_sub = assign

    def value(self):
        return self._value

    read_value = value


tf.register_tensor_conversion_function(
    _Dropped, lambda v, dtype=None, name=None, as_ref=False: tf.convert_to_tensor(v._value, dtype)
)


def _remember_scope_names() -> dict[str, str]:
    """{scope: the same without renaming} of the graph being traced, filled as scopes are entered.

    A graph renames a scope that is entered twice to `name_1`. Sonnet's BatchNorm enters its own twice, so that the paths of its
    parameters would depend on how it is written; in eager mode there is no renaming.
    """
    graph = tf.compat.v1.get_default_graph()
    renaming = graph.name_scope
    plain: dict[str, str] = {}

    @contextlib.contextmanager
    def name_scope(name: str) -> Iterator[str]:
        outer = graph.get_name_scope()
        with renaming(name) as scope:
            if name and not name.endswith("/"):
                plain[scope.rstrip("/")] = f"{plain.get(outer, outer)}/{name}".lstrip("/")
            yield scope

    graph.name_scope = name_scope
    return plain


def _require_own_randomness(program: tf.types.experimental.ConcreteFunction) -> None:
    """`ConfigError` if an operation draws from global state: the same seed would give another loss each time."""
    if drawn := global_draw(program.name.decode()):
        raise ConfigError(
            f"the loss draws from TensorFlow's global random state ({drawn}; dropout does, too): draw with "
            "taskset.random.stateless and the loss's key"
        )


def _changes(places: list[str]) -> ConfigError:
    return ConfigError(
        f"the loss changes {cut(', '.join(places))} in each call, so that the same arguments may give another loss each time: "
        "compute it from parameters, batch and key"
    )


def _initial(value: Any) -> Any:
    return value() if callable(value) else value


class Functional:
    """`forward(*inputs)` with its variables as arguments.

    forward: a function that constructs its Sonnet modules and applies them.
    inputs: `tf.TensorSpec`s (nested) of one call, for tracing.
    shapes: {path: shape}, in order of creation.
    distributions: {path: the law of the parameter's entries}.
    uses_last_input: whether anything is computed from the last input (for a loss: whether it draws random numbers).
    results: what `forward` returns, with a `tf.TensorSpec` for each tensor and None for what isn't one.
    """

    shapes: Shapes
    distributions: dict[str, distributions.Distribution]
    uses_last_input: bool
    results: Any

    def __init__(self, forward: Callable[..., Any], *inputs: Any):
        self.forward = forward
        self._initializers: dict[str, Deferred] = {}
        self._numbered: dict[str, str] = {}

        # Of a user's own alone: other threads may draw meanwhile, which is nothing to the package's losses.
        own_code = is_own(forward)
        before = python_state.of(forward) if own_code else {}
        with hidden.none_drawn("the loss") if own_code else contextlib.nullcontext():
            program = self._traced(inputs)
        if outside := sorted(variable.name for variable in program.graph.trainable_variables):
            raise ConfigError(
                f"the loss reads the variable {outside[0]!r}, which was made outside it: make modules and variables inside the "
                "loss, in each call; a constant is tf.constant"
            )
        spec = lambda result: tf.TensorSpec(result.shape, result.dtype) if tf.is_tensor(result) else None  # noqa: E731
        self.results = tf.nest.map_structure(spec, program.structured_outputs)
        self.shapes = {path: start.shape for path, start in self._initializers.items()}
        self.distributions = {path: start.distribution for path, start in self._initializers.items()}
        _require_own_randomness(program)
        if own_code:
            self._require_nothing_kept(program, before, inputs)
        own = program.inputs[: len(program.inputs) - len(program.captured_inputs)]  # captured tensors come after them
        self.uses_last_input = bool(own[-1].consumers())

    def _traced(self, inputs: Sequence[Any]) -> tf.types.experimental.ConcreteFunction:
        """`forward` traced, with its initial parameters; what they are and how they start is noted."""
        self._initializers.clear()
        self._numbered.clear()

        def trace(*args):
            self._scopes = _remember_scope_names()
            with tf.variable_creator_scope(self._record), seeded():
                return self.forward(*args)

        return tf.function(trace, autograph=False).get_concrete_function(*inputs)

    def _starts(self) -> list[tuple[Any, ...]]:
        """(path, shape, law) of each parameter of the last call."""
        return [(path, start.shape, start.distribution) for path, start in self._initializers.items()]

    def _require_nothing_kept(
        self, program: tf.types.experimental.ConcreteFunction, before: dict[str, Any], inputs: Sequence[Any]
    ) -> None:
        """`ConfigError` if each call of `forward` changes what it keeps in Python, or the second computes something else.

        program: the first call, traced. before: what it kept before that. What the first call alone changes may be what is
        prepared in it, and a tensor may be kept without being computed with.
        """
        first, starts = python_state.of(self.forward), self._starts()
        changed = python_state.changed(before, first)
        try:
            again = self._traced(inputs)
        except Exception as error:  # whatever a user's function raises
            told = ConfigError(f"the loss can be called once only: {error}; compute it from parameters, batch and key")
            raise (_changes(changed) if changed else told) from error
        if len(self._initializers) < len(self.shapes):  # the module has kept the parameters of the first call
            raise ConfigError(_MADE_OUTSIDE)
        if any(map(tf.is_symbolic_tensor, again.captured_inputs)):  # it computes with a tensor of the first call
            raise _changes(changed or ["a tensor that it keeps"])
        twice = python_state.changed(first, python_state.of(self.forward))
        if both := [where for where in changed if where in twice and not tf.is_symbolic_tensor(first.get(where))]:
            raise _changes(both)
        if starts != self._starts() or retracing.of(program) != retracing.of(again):
            raise ConfigError(
                "the loss is another one in its second call than in its first, so that the same arguments may give another loss: "
                "compute it from parameters, batch and key, and keep nothing in Python"
            )

    def _record(self, next_creator, **kwargs):
        value = _initial(kwargs["initial_value"])
        if kwargs.get("trainable") is False:
            return _Dropped(value)
        path = self._path(tf.get_current_name_scope(), kwargs["name"])
        if not (dtype := tf.as_dtype(getattr(value, "dtype", None) or tf.convert_to_tensor(value).dtype)).is_floating:
            raise ConfigError(
                f"parameter {path!r} is {dtype.name}: allowed are floats, which can be trained; a constant is tf.constant, and "
                "a variable that is not trained has trainable=False"
            )
        if isinstance(value, Deferred):
            self._initializers[path] = value
            return tf.zeros(value.shape, value.dtype)
        constant = tf.get_static_value(tf.convert_to_tensor(value))
        if constant is None:
            raise ConfigError(
                f"parameter {path!r} has an initial value that is drawn from TensorFlow's global state or depends on the batch: "
                "take an initializer of Sonnet's or from taskset.tasks.initializers"
            )
        fixed = lambda key, shape, dtype: tf.constant(constant, dtype)  # noqa: E731
        self._initializers[path] = Deferred(fixed, distributions.given(constant), constant.shape, constant.dtype)
        return tf.convert_to_tensor(value)

    def _path(self, scope: str, name: str) -> str:
        """The path of a variable: its scopes without the graph's renaming. A second module of one name is numbered: linear_1."""
        own, parts = scope.split("/") if scope else [], self._scopes.get(scope, scope).split("/") if scope else []
        prefixes = ["/".join(own[: i + 1]) for i in range(len(own))]
        chosen = [self._numbered.get(prefix, part) for prefix, part in zip(prefixes, parts)]
        path = "/".join([*chosen, name])
        if path not in self._initializers:
            return path
        renamed = [i for i, (there, part) in enumerate(zip(own, parts)) if there != part]
        if not renamed:
            raise ConfigError(f"two parameters are called {path!r}: give them different names")
        number = 0
        while True:
            number += 1
            chosen[renamed[0]] = f"{parts[renamed[0]]}_{number}"
            path = "/".join([*chosen, name])
            if path not in self._initializers:
                self._numbered[prefixes[renamed[0]]] = chosen[renamed[0]]
                return path

    def init(self, seed: int, dtype: tf.DType = tf.float32) -> Params:
        """Initial parameters {path: tensor}; each is drawn from (seed, path) alone, whatever the others are."""
        return self.init_with({path: stateless.as_key(number) for path, number in self.init_numbers(seed).items()}, dtype)

    def init_numbers(self, seed: int) -> dict[str, int]:
        """{path: integer} that seed the draws of `init`."""
        return {path: seeds.stream(seed, "init", path) for path in self._initializers}

    def init_with(self, keys: dict[str, Key], dtype: tf.DType = tf.float32) -> Params:
        """Initial parameters drawn with `keys` {path: key}: for compiled programs whose seed is an argument."""
        return {path: start.draw(keys[path], start.shape, dtype) for path, start in self._initializers.items()}

    def apply(self, params: Params, *inputs: Any) -> Any:
        """`forward(*inputs)` with `params` in the places of its variables."""
        waiting = iter(self.shapes)

        def supply(next_creator, **kwargs):
            if kwargs.get("trainable") is False:
                return _Dropped(_initial(kwargs["initial_value"]))
            return params[next(waiting)]

        with tf.variable_creator_scope(supply), seeded():
            return self.forward(*inputs)
