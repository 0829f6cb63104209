"""PyTorch optimizers: they step through PyTorch, on memory that TensorFlow reads, and on gradients in TensorFlow's memory."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard, cast

import numpy as np
import tensorflow as tf

from taskset.errors import ConfigError, calling, cut, shown
from taskset.execution.checked import wrong
from taskset.execution.runtime import keep_triton_out
from taskset.scoring.adapters.factories import called, parameters_after_first
from taskset.scoring.stepped import EvaluateVector, ParameterShapes, Stepped, sizes
from taskset.tasks.elsewhere.vector import cpu_dlpack

if TYPE_CHECKING:
    import torch


def is_class(thing: object) -> TypeGuard[type[torch.optim.Optimizer]]:
    """Whether it is a subclass of torch.optim.Optimizer."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(thing, type) and issubclass(thing, torch.optim.Optimizer)


class Torch:
    """What `kind(parameters, **hyperparameters)` makes, a new one for each run. Steps are taken by `TorchSteps`.

    Raises `ConfigError` for a hyperparameter that `kind` doesn't have.
    """

    library = "torch"
    runs = Stepped

    def __init__(self, kind: type[torch.optim.Optimizer], name: str, hyperparameters: Mapping[str, Any]) -> None:
        known, others = parameters_after_first(kind)  # the first are the parameters
        if lacking := [] if others else [key for key in hyperparameters if key not in known]:
            raise ConfigError(f"hyperparameter {shown(lacking[0])} of {name!r}: allowed are {cut(', '.join(known), 300)}")
        self.name, self._kind, self._hyperparameters = name, kind, hyperparameters
        self.rule = f"{kind.__module__}.{kind.__qualname__} {name}"

    def hparams(self, horizon: int) -> dict[str, float]:
        """None: the hyperparameters are the optimizer's own."""
        del horizon
        return {}

    def begin(self, start: np.ndarray, shapes: ParameterShapes, horizon: int) -> TorchSteps:
        """The `TorchSteps` of a run; see `taskset.scoring.stepped.Stepped`."""
        del horizon
        return TorchSteps(self._kind, self._hyperparameters, start, shapes, self.name)


class TorchSteps:
    """A run in progress. All parameters lie in one vector that TensorFlow sees, too; gradients are parts of TensorFlow's vector.

    Nothing is copied, unless the optimizer puts other tensors in the parameters' places.
    """

    def __init__(
        self,
        kind: type[torch.optim.Optimizer],
        hyperparameters: Mapping[str, Any],
        start: np.ndarray,
        shapes: ParameterShapes,
        name: str,
    ) -> None:
        import torch

        keep_triton_out()
        self._torch = torch
        self._vector = torch.empty(len(start)).copy_(torch.from_numpy(np.array(start)))  # aligned as TensorFlow needs it
        self._shared = tf.experimental.dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(self._vector))
        self._name, self._paths = name, list(shapes)
        each = sizes(shapes)
        self._split = lambda vector: [part.view(shape) for part, shape in zip(vector.split(each), shapes.values())]
        self._places = self._split(self._vector)
        self._parameters = [torch.nn.Parameter(place) for place in self._places]
        self._seen, self._kept = torch.empty_like(self._vector), torch.empty_like(self._vector)  # parameters, their gradients
        self._optimizer = called(lambda **given: kind(self._parameters, **given), hyperparameters, name)
        # Those of schedulefree have a mode for training and one for evaluation: they step at other points than they find.
        self._has_modes = all(callable(getattr(self._optimizer, mode, None)) for mode in ("train", "eval"))
        self._set_mode("train")
        self._takes_closure = "closure" in inspect.signature(self._optimizer.step).parameters

    def vector(self) -> tf.Tensor:
        """All parameters as one TensorFlow vector, in the memory of PyTorch's."""
        with self._torch.no_grad():
            for path, parameter, place in zip(self._paths, self._parameters, self._places):
                if parameter.shape != place.shape or parameter.dtype != place.dtype:
                    found, allowed = ((str(t.dtype).removeprefix("torch."), tuple(t.shape)) for t in (parameter, place))
                    raise wrong(self._name, path, found, allowed)
                if parameter.data_ptr() != place.data_ptr() or parameter.stride() != place.stride():
                    place.copy_(parameter.clone())  # it may lie in the very memory that is written
                    parameter.data = place
        return self._shared

    def judged(self) -> tf.Tensor:
        """As `vector`, in the optimizer's mode for evaluation, where it has one."""
        if not self._has_modes:
            return self.vector()
        self._set_mode("eval")
        found = tf.constant(np.array(self.vector()))  # a copy: the memory is that of the parameters
        self._set_mode("train")
        return found

    def _set_mode(self, mode: str) -> None:
        if self._has_modes:
            set_it = getattr(self._optimizer, mode)
            with calling(inspect.unwrap(set_it), f"{mode} of {self._name!r} failed"):
                set_it()

    def step(self, evaluate: EvaluateVector) -> None:
        """Take one step; evaluate: `vector -> (loss, vector of gradients)`, both TensorFlow's.

        The gradients are there when the optimizer's `step` is called. Its closure computes them again, except at the first call
        while the parameters are still those: it puts the same gradients back then, whatever became of them, so that an optimizer
        that calls it once pays for one.
        """
        loss, gradients = evaluate(self.vector())
        shared = self._from_tensorflow(gradients)
        parts = self._split(shared)
        self._give(parts)
        if not self._takes_closure:
            self._stepped()
            return
        self._seen.copy_(self._vector)
        self._kept.copy_(shared)
        first = True

        def closure() -> torch.Tensor:
            nonlocal loss, parts, first
            vector = self.vector()
            if not (first and _same_bits(self._vector, self._seen)):
                loss, gradients = evaluate(vector)
                parts = self._split(self._from_tensorflow(gradients))
            elif not _same_bits(shared, self._kept):
                parts = self._split(self._kept.clone())
            first = False
            self._give(parts)
            return self._torch.tensor(float(loss))

        self._stepped(cast("Callable[[], float]", closure))  # PyTorch's types say float, its closures return tensors

    def _stepped(self, *closure: Callable[[], float]) -> None:
        with calling(inspect.unwrap(type(self._optimizer).step), f"step of {self._name!r} failed"):
            self._optimizer.step(*closure)

    def _from_tensorflow(self, vector: tf.Tensor) -> torch.Tensor:
        return self._torch.utils.dlpack.from_dlpack(cpu_dlpack(vector))

    def _give(self, gradients: Sequence[torch.Tensor]) -> None:
        for parameter, gradient in zip(self._parameters, gradients):
            if parameter.grad is not gradient:
                parameter.grad = gradient


def _same_bits(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two vectors are the same, bit for bit: an eighth of the time of `torch.equal`."""
    return np.array_equal(one.numpy().view(np.int32), other.numpy().view(np.int32))
