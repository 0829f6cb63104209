"""The callback that gives a learned optimizer in Keras its validation losses."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras

from taskset.errors import ConfigError
from taskset.execution.loop import VALIDATION_INTERVAL


class ValidationLoss(keras.callbacks.Callback):
    """Gives an optimizer that reads it a validation loss every 10 steps, each on the next batch of `batches`.

    batches: iterable of (x, y), iterated over again and again. An iterator, such as a generator, which can be iterated over only
    once, must not end. No batch is kept. With `steps_per_execution`, as often as Keras calls back.
    """

    def __init__(self, batches: Iterable[tuple[Any, Any]]) -> None:
        super().__init__()
        self._batches, self._iterator, self._given = batches, None, 0

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """A training that is resumed keeps the last loss."""
        optimizer = self.model.optimizer
        if isinstance(optimizer, keras.mixed_precision.LossScaleOptimizer):
            raise ConfigError(
                "under the policy mixed_float16 Keras scales losses out of the optimizer's sight: allowed are mixed_bfloat16, or "
                "compile(.., auto_scale_loss=False)"
            )
        if not hasattr(optimizer, "expect_validation_losses"):  # none of `learned.deploy.keras`
            raise ConfigError(f"{type(optimizer).__name__} reads no validation loss; remove the callback")
        self._next = -(-optimizer.steps_done // VALIDATION_INTERVAL) * VALIDATION_INTERVAL
        optimizer.expect_validation_losses(until=self._next)
        _watch(self.model)

    def on_train_batch_begin(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Measure, if it is time."""
        optimizer = self.model.optimizer
        step = optimizer.steps_done
        if step < self._next:
            return
        if not optimizer.built:
            optimizer.build(self.model.trainable_variables)
        self._next = step - step % VALIDATION_INTERVAL + VALIDATION_INTERVAL
        x, y = self._batch()
        with _metrics_kept(self.model):
            loss = self.model.compute_loss(x, y, self.model(x, training=False), training=False)
        optimizer.tell_validation_loss(loss, until=self._next)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """From here on the loss counts as too old."""
        self.model.optimizer.expect_validation_losses(until=0)

    def _batch(self):
        # Not by StopIteration from here: `fit` would take it for the end of its own data.
        for _ in range(2):
            if self._iterator is None:
                self._iterator = iter(self._batches)
            batch = next(self._iterator, None)
            if batch is not None:
                self._given += 1
                return batch
            if self._iterator is self._batches:
                break
            self._iterator = None
        raise ConfigError(
            f"the batches of ValidationLoss came to their end after {self._given}: allowed are a list or a tf.data.Dataset "
            "with at least one (x, y), which is iterated over again and again, or an iterator that doesn't end"
        )


@contextlib.contextmanager
def _metrics_kept(model: keras.Model) -> Iterator[None]:
    """Give the model's metrics their values back: Keras counts the losses of several outputs in those of the epoch."""
    before = {id(m): [keras.ops.convert_to_numpy(v) for v in m.variables] for m in model.metrics}
    try:
        yield
    finally:
        for metric in model.metrics:
            values = before.get(id(metric), [])
            if len(values) != len(metric.variables):  # made by the first loss
                metric.reset_state()
                continue
            for variable, value in zip(metric.variables, values):
                variable.assign(value)


def _watch(model):
    """Check before every step of `fit` that the validation loss is not too old: a compiled step reads Python values once."""
    step = model.train_function
    if step is None or getattr(step, "watched", False):
        return

    def watched(iterator):
        model.optimizer.check_validation_loss()
        return step(iterator)

    watched.watched = True
    model.train_function = watched
