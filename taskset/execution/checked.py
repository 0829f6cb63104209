"""What a user's `init` and `update` may do. A compiled step is checked while it is traced, which costs a run nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

from taskset.errors import ConfigError, TasksetError, cut, own_failure, shown
from taskset.optimizers.base import Gradients, Hparams, Params, State, Step, Update
from taskset.random import hidden
from taskset.tasks import graphs, python_state, retracing

_CHANGES = ("Assign", "ResourceApply", "ResourceScatter", "RngReadAndSkip", "RngSkip")  # kinds of operations on a variable
_START_DRAWS = "tf.random.stateless_normal(shape, seed=[0, 0])"  # what errors advise for init, which has no step


def checked_init(init: Callable[..., State], name: str) -> Callable[..., State]:
    """`init` that gives `tensors`. Raises `ConfigError` as `traced` does, and where the same parameters get another state."""
    what = f"init of {name!r}"

    def init_checked(*given: Any) -> State:
        if not tf.executing_eagerly():
            return tensors(traced(init, lambda: init(*given), what, draws=_START_DRAWS), name)
        with _own_failures(init, what), hidden.none_drawn(what, _START_DRAWS):
            first, second = tensors(init(*given), name), tensors(init(*given), name)
        if _values(first) != _values(second):
            raise ConfigError(
                f"{what} gives another state in its second call than in its first, for the same parameters: draw by functions "
                f"like {_START_DRAWS}, and keep nothing in Python"
            )
        return first

    return init_checked


def _values(state: State) -> list[Any]:
    """What states are compared by; NaN is NaN."""
    return [retracing.by_value(x.numpy()) for x in tf.nest.flatten(state)]


def tensors(state: State, name: str) -> State:
    """`state`, its numbers as tensors. Raises `ConfigError` for an entry that can't be one."""

    def tensor(entry: Any) -> tf.Tensor:
        wrong = (
            f"init of {name!r} returned a state with {shown(entry)}: allowed are tensors and numbers in dicts, lists and tuples; "
            "an empty dict for nothing"
        )
        try:
            made = tf.convert_to_tensor(entry)
        except (TypeError, ValueError) as error:
            raise ConfigError(wrong) from error
        if made.dtype == tf.string:
            raise ConfigError(wrong)
        return made

    return tf.nest.map_structure(tensor, state)


def checked_update(update: Update, name: str) -> Update:
    """`update` that raises `ConfigError` as `updated` does."""

    def update_checked(grads: Gradients, state: State, params: Params, step: Step, hparams: Hparams, **also: Any) -> Any:
        return updated(update, name, (params, state), grads, state, params, step, hparams, **also)

    return update_checked


def updated(
    update: Callable[..., Any], name: str, given: tuple[Params, State], *arguments: Any, **also: Any
) -> tuple[Params, State]:
    """(params, state) that `update(*arguments, **also)` returns. given: those before the step.

    Raises `ConfigError` for what it returns in another structure, shape or dtype, and as `traced` does.
    """
    found = traced(update, lambda: update(*arguments, **also), f"update of {name!r}")
    if not isinstance(found, tuple) or len(found) != 2 or not isinstance(found[0], Mapping):
        raise ConfigError(f"update of {name!r} returned {type(found).__name__}: allowed is a pair ({{path: tensor}}, state)")
    check_params(found[0], given[0], name)
    return dict(found[0]), _checked_state(found[1], given[1], name)


def traced(
    function: Any, call: Callable[[], Any], what: str, may_change: Sequence[tf.Variable] = (), draws: str = hidden.REPEATABLE
) -> Any:
    """What `call()`, a call of a user's `function`, returns; in a program it is traced three times.

    what: how errors call it. may_change: the variables that it may change. draws: how it may draw, for errors.
    Raises `ConfigError` where it fails, computes with NumPy, draws random numbers that another run can't repeat, changes other
    variables, or keeps something in Python, so that another call would compute something else.
    """
    if tf.executing_eagerly():
        with _own_failures(function, what):
            return call()
    graph = tf.compat.v1.get_default_graph()
    kept, first = python_state.of(function), None
    try:
        with _own_failures(function, what), hidden.none_drawn(what, draws):
            first, second = retracing.program(call), retracing.program(call)
            before = len(graph.get_operations())
            found = call()
    except ConfigError:
        changed = python_state.changed(kept, python_state.of(function))
        if first is not None and changed:  # once it worked
            raise keeps(what, changed) from None
        raise
    operations = graph.get_operations()[before:]
    drawn = [kind for kind in graphs.kinds(graph, operations) if graphs.draws_hidden(kind)]
    if drawn:
        raise ConfigError(
            f"{what} draws random numbers by {drawn[0]}, which no other run repeats: allowed are functions like {draws}"
        )
    if not _changed(graph, operations) <= {graph.capture(variable.handle).name for variable in may_change}:
        raise ConfigError(
            f"{what} changes a variable that is not its own, which all runs would share: keep it in `state`; a Keras "
            "optimizer, in an attribute, or in a list or dict there"
        )
    changed = python_state.changed(kept, python_state.of(function))
    if changed:
        raise keeps(what, changed)
    if first != second:
        raise another(what)
    return found


@contextmanager
def _own_failures(function: Any, what: str) -> Iterator[None]:
    """`ConfigError` for what a call of a user's `function` raises."""
    try:
        yield
    except TasksetError:
        raise
    except tf.errors.OperatorNotAllowedInGraphError as error:
        raise ConfigError(
            f"{what} decides by the value of a tensor (`if step < 10`, `while`, `and`), which a compiled step can't: "
            "write tf.where(step < 10, a, b)"
        ) from error
    except NotImplementedError as error:
        if "numpy array" not in str(error):
            raise _failed(function, what, error) from error
        raise ConfigError(
            f'{what} computes with NumPy: write framework = "numpy" beside init and update, or use TensorFlow'
        ) from error
    except Exception as error:  # whatever a user's function raises
        raise _failed(function, what, error) from error


def keeps(what: str, changed: Sequence[str]) -> ConfigError:
    """The error of what changes something that it keeps in Python."""
    return ConfigError(
        f"{what} changes {cut(', '.join(changed))}: it is compiled, so that Python's values change once, not in every "
        "step; keep them in `state`, or compute them from `step`"
    )


def another(what: str) -> ConfigError:
    """The error of what computes something else when it is called again."""
    return ConfigError(
        f"{what} computes something else in its second call than in its first: it is compiled, so that Python decides once for "
        "all steps; keep what changes in `state`, or compute it from `step`"
    )


def _failed(function: Any, what: str, error: Exception) -> ConfigError:
    """The error for what a user's function raised, with its line."""
    plain = getattr(getattr(function, "__self__", None), "formula", getattr(function, "__func__", function))
    return own_failure(f"{what} failed", plain, error)


def _changed(graph: tf.Graph, operations: Sequence[tf.Operation]) -> set[str]:
    """The names in `graph` of the variables that these operations, or what they call, may change."""
    changing = [op for op in operations if any(kind.startswith(_CHANGES) for kind in graphs.kinds(graph, [op]))]
    return {given.name for op in changing for given in op.inputs if given.dtype == tf.resource}


def check_params(found: Mapping[str, Any], params: Params, name: str) -> None:
    """Raise `ConfigError` unless `found` has the paths, shapes and dtypes of `params`."""
    check_paths(found, params, name)
    for path, w in params.items():
        if found[path] is None:
            raise ConfigError(f"update of {name!r} returned None for parameter {path}: allowed is a tensor of its shape")
        new = tf.convert_to_tensor(found[path])
        if new.dtype != w.dtype or not new.shape.is_compatible_with(w.shape):
            raise wrong(name, path, (new.dtype.name, tuple(new.shape)), (w.dtype.name, tuple(w.shape)))


def check_paths(found: Mapping[str, Any], given: Mapping[str, Any], name: str) -> None:
    """Raise `ConfigError` unless `found`, which a step made, has the parameters that it was given."""
    if found.keys() == given.keys():  # in every step of a NumPy optimizer
        return
    each = {"lacking": sorted(set(given) - set(found)), "new": sorted(map(str, set(found) - set(given)))}
    told = "; ".join(f"{kind}: {cut(', '.join(paths))}" for kind, paths in each.items() if paths)
    raise ConfigError(f"update of {name!r} returned other parameters than it was given ({told}): allowed are the same")


def wrong(name: str, path: str, found: tuple[str, tuple[int, ...]], allowed: tuple[str, tuple[int, ...]]) -> ConfigError:
    """The error of a parameter whose (dtype, shape) a step changed."""
    return ConfigError(
        f"a step of {name!r} made parameter {path} {found[0]} of shape {found[1]}: allowed is {allowed[0]} of shape "
        f"{allowed[1]}; return each parameter as it was given"
    )


def _checked_state(found: Any, state: State, name: str) -> State:
    """`found` with its numbers as tensors. Raises `ConfigError` unless its structure, shapes and dtypes are those of `state`."""
    try:
        tf.nest.assert_same_structure(state, found)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"update of {name!r} returned a state with other entries than init's: allowed is the same structure in every step"
        ) from error

    def entry(old: Any, new: Any) -> Any:
        if not tf.is_tensor(old):
            return new
        try:
            made = new if tf.is_tensor(new) else tf.convert_to_tensor(new, old.dtype)
        except (TypeError, ValueError):
            made = None
        if made is None or made.dtype != old.dtype or not made.shape.is_compatible_with(old.shape):
            there = shown(new) if made is None else f"{made.dtype.name} of shape {tuple(made.shape)}"
            raise ConfigError(
                f"update of {name!r} returned a state with {there} where it was given {old.dtype.name} of shape "
                f"{tuple(old.shape)}: allowed is the same in every step"
            )
        return made

    return tf.nest.map_structure(entry, state, found)
