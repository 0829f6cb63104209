"""PyTorch optimizers: they step through PyTorch, on memory that TensorFlow reads, and on gradients in TensorFlow's memory."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeGuard, cast

import numpy as np
import tensorflow as tf

from taskset.errors import ConfigError, cut, shown
from taskset.scoring.stepped import EvaluateVector, ParameterShapes, Stepped

if TYPE_CHECKING:
    import torch


def is_class(thing: object) -> TypeGuard[type[torch.optim.Optimizer]]:
    """Whether it is a subclass of torch.optim.Optimizer."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(thing, type) and issubclass(thing, torch.optim.Optimizer)


class Torch:
    """What `kind(parameters, **hyperparameters)` makes, a new one for each run. Steps are taken by `TorchSteps`."""

    library = "torch"
    runs = Stepped

    def __init__(self, kind: type[torch.optim.Optimizer], name: str, hyperparameters: Mapping[str, Any]) -> None:
        self.name, self._kind, self._hyperparameters = name, kind, hyperparameters
        self.rule = f"{kind.__module__}.{kind.__qualname__} {name}"

    def hparams(self, horizon: int) -> dict[str, float]:
        """None: the hyperparameters are the optimizer's own."""
        del horizon
        return {}

    def begin(self, start: np.ndarray, shapes: ParameterShapes) -> TorchSteps:
        """The `TorchSteps` of a run; see `taskset.scoring.stepped.Stepped`."""
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

        self._torch = torch
        self._vector = torch.empty(len(start)).copy_(torch.from_numpy(np.array(start)))  # aligned as TensorFlow needs it
        self._shared = tf.experimental.dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(self._vector))
        sizes = [int(np.prod(shape)) for shape in shapes]
        self._split = lambda vector: [part.view(shape) for part, shape in zip(vector.split(sizes), shapes)]
        self._places = self._split(self._vector)
        self._parameters = [torch.nn.Parameter(place) for place in self._places]
        self._seen: list[tuple[int, int, bool]] | None = None
        try:
            self._optimizer = kind(self._parameters, **hyperparameters)
        except (TypeError, ValueError) as error:
            reason = cut(str(error), 200)
            raise ConfigError(
                f"optimizer {name!r} with {shown(hyperparameters)}: {reason}; change its hyperparameters"
            ) from error
        self._takes_closure = "closure" in inspect.signature(self._optimizer.step).parameters

    def vector(self) -> tf.Tensor:
        """All parameters as one TensorFlow vector, in the memory of PyTorch's."""
        with self._torch.no_grad():
            for parameter, place in zip(self._parameters, self._places):
                if parameter.data_ptr() != place.data_ptr():
                    place.copy_(parameter)
                    parameter.data = place
        return self._shared

    def step(self, evaluate: EvaluateVector) -> None:
        """Take one step; evaluate: `vector -> (loss, vector of gradients)`, both TensorFlow's.

        The gradients are there when the optimizer's `step` is called. Its closure recomputes them only where parameters were
        moved or gradients removed since, so that an optimizer that calls it once pays for one.
        """
        loss = self._evaluate(evaluate)

        def closure() -> torch.Tensor:
            nonlocal loss
            if self._versions() != self._seen:
                loss = self._evaluate(evaluate)
            return loss

        if self._takes_closure:
            self._optimizer.step(cast("Callable[[], float]", closure))  # PyTorch's types say float, its closures return tensors
        else:
            self._optimizer.step()

    def _evaluate(self, evaluate: EvaluateVector) -> torch.Tensor:
        torch = self._torch
        loss, gradients = evaluate(self.vector())
        shared = torch.utils.dlpack.from_dlpack(tf.experimental.dlpack.to_dlpack(gradients))
        for parameter, gradient in zip(self._parameters, self._split(shared)):
            parameter.grad = gradient
        self._seen = self._versions()
        return torch.tensor(float(loss))

    def _versions(self) -> list[tuple[int, int, bool]]:
        return [(p._version, p.data_ptr(), p.grad is None) for p in self._parameters]
