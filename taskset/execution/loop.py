"""The compiled training loop: many steps of one task under one optimizer in one call.

A call from Python costs more than a step of a small task. So a call runs a chunk of steps in a `tf.while_loop` on the device; the
host draws the raw batches of the chunk beforehand. Hyperparameters, seeds and the first step are arguments, so that one
compilation serves all learning rates and seeds of a task.

Augmentation can cost more than the step itself, and doesn't depend on the parameters: augmented batches are prepared by a program
of their own, once for all runs of a seed and once for all evaluations. Other data is prepared in the training program.
"""

import concurrent.futures
import functools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from taskset.datasets.base import SPLITS, Batch, RawBatch
from taskset.errors import ConfigError, shown
from taskset.execution import evaluation_batches, modes, scalars
from taskset.execution.checked import checked_init, checked_update, tensors
from taskset.execution.program import compiled
from taskset.execution.scalars import Scalars
from taskset.optimizers.base import Gradients, Hparams, Optimizer, Params, State, hparams_of, is_optimizer, is_own, positive
from taskset.random.seeds import batch_seed
from taskset.random.stateless import Key
from taskset.tasks.base import Task

Raw: TypeAlias = dict[str, Any]  # {name: tensor [chunk, batch size, ..]}, and a dict of such under "valid_inner"
Drawn: TypeAlias = Raw  # what the training program reads: the same, of prepared batches where they are augmented
Evaluate: TypeAlias = Callable[[Params], dict[str, Any]]  # params -> {split: mean loss}; [copies] of them for several runs

CHUNK_BYTES = 32 * 2**20  # of batches in one call
CHUNK_STEPS = 4000
VALIDATION_INTERVAL = 10  # steps during which an optimizer that reads validation losses sees one batch (arXiv 2009.11243)


def execution_mode(task: Task, device: str | None = None) -> str:
    """The fastest mode for a built task: `taskset.execution.modes.loop_mode`.

    device: "CPU", "GPU" or "TPU"; None: the kind on which TensorFlow places what is not placed: a GPU wherever it has one.
    """
    if device is None:
        device = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    return modes.loop_mode(task.model.convolutional, device)


def default_interval(steps: int) -> int:
    """Steps between two reports of a run of `steps` steps: 50 reports in all."""
    return max(1, steps // 50)


def augmented(task: Task) -> bool:
    """Whether preparing a task's batches is work that is worth sharing."""
    return getattr(task.data, "augmentation", None) is not None


def chunk_size(task: Task, interval: int) -> int:
    """Steps per call: `interval` divided into equal parts whose batches take at most CHUNK_BYTES."""
    most = CHUNK_STEPS
    if task.data is not None:
        raw = task.raw_batches("train", 0, 0, 1)
        size = sum(array.nbytes for array in raw.values())
        if augmented(task):
            shapes = task.batch_shapes.values()
            size = max(size, sum(math.prod(shape) * np.dtype(dtype).itemsize for shape, dtype in shapes))
        most = min(most, max(1, CHUNK_BYTES // max(size, 1)))
    return math.ceil(interval / math.ceil(interval / most))


def _while(count: tf.Tensor, body: Callable[..., tuple[Any, ...]], state: tuple[Any, ...]) -> tuple[Any, ...]:
    """The last of `state = body(i, *state)`, i = 0 .. count - 1."""
    start = (tf.constant(0), *state)
    return tf.while_loop(lambda i, *_: i < count, lambda i, *s: (i + 1, *body(i, *s)), start, parallel_iterations=1)[1:]


def _unchanged(tensors: Any) -> Any:
    return tensors


def _like(examples: Any) -> Callable[[Any], Any]:
    """A function that reshapes vectors to the shapes of `examples`."""
    shapes = tf.nest.map_structure(lambda x: x.shape, examples)
    return lambda vectors: tf.nest.map_structure(tf.reshape, vectors, shapes)


def _at(raw: Raw, i: tf.Tensor) -> dict[str, tf.Tensor]:
    return {name: array[i] for name, array in raw.items()}


@dataclass
class Run:
    """One training run in progress: everything that a step changes.

    params, state: of the task and of the optimizer; step: steps taken; seconds: CPU time of training steps so far, of all threads
    of this process; a sweep adds the run's share of drawing its batches.
    """

    seed: int
    params: Params
    state: State
    step: int = 0
    seconds: float = 0.0


class Loop:
    """The compiled programs of one task under one optimizer rule.

    task: a `Task`; optimizer: any optimizer of the rule (its hyperparameters are arguments of `train`).
    interval: steps between two evaluations of the run; it is divided into calls of equal size.
    mode: one of `taskset.execution.modes.MODES`; None: by `execution_mode`.
    """

    def __init__(self, task: Task, optimizer: Optimizer, interval: int = CHUNK_STEPS, mode: str | None = None):
        self.task, self.optimizer = task, optimizer
        modes.check(mode)
        self.mode = mode or execution_mode(task)
        self.chunk = chunk_size(task, interval)
        self._names = tuple(optimizer.hparams(interval))
        self._validates = getattr(optimizer, "uses_validation_loss", False)
        self._flat = getattr(optimizer, "elementwise", False)
        self._augmented = augmented(task)
        self._prepare = compiled(self._prepare_program, self.mode)
        self._train = compiled(self._train_program, self.mode)
        self._evaluate: dict[int, Callable[..., Any]] = {}  # {batches per call: program}

    @functools.cached_property
    def _init(self) -> Callable[[Params], State]:
        """The optimizer's `init`, its numbers as tensors; that of a user's own is checked."""
        optimizer = self.optimizer
        if is_own(optimizer):
            return checked_init(optimizer.init, optimizer.name)
        return lambda params: tensors(optimizer.init(params), optimizer.name)

    @functools.cached_property
    def _update(self) -> Callable[..., Any]:
        """The optimizer's `update`; that of a user's own is checked while it is traced."""
        optimizer = self.optimizer
        return checked_update(optimizer.update, optimizer.name) if is_own(optimizer) else optimizer.update

    # What a loop over several runs at once overrides (`taskset.execution.copies`).

    _runs: tuple[int, ...] = ()  # leading axes of parameters, losses and hyperparameters

    def _value_and_gradients(self, params: Params, batch: Batch, key: Key) -> tuple[tf.Tensor, Gradients]:
        return self.task.value_and_gradients(params, batch, key)

    def _loss(self, params: Params, batch: Batch, key: Key) -> tf.Tensor:
        return self.task.loss(params, batch, key)

    def _updated(
        self, grads: Gradients, state: State, params: Params, step: tf.Tensor, hparams: Hparams, also: dict[str, Any]
    ) -> tuple[Params, State]:
        return self._update(grads, state, params, step, hparams, **also)

    def _unpacked(self, floats: tf.Tensor) -> Hparams:
        """{name: hyperparameter}, from all of them in one tensor."""
        return dict(zip(self._names, tf.unstack(tf.reshape(floats, [len(self._names), *self._runs]))))

    def _flattened(self, tensors):
        return tf.nest.map_structure(lambda x: tf.reshape(x, [*self._runs, -1]), tensors)

    def start(self, seed: int) -> Run:
        """A run at step 0."""
        params = self.task.init(seed)
        return Run(seed, params, self._init(params))

    def _train_program(self, params, state, raw, numbers):
        """`steps` <= chunk steps from step `first` on; returns params, state, losses [chunk] (zeros after the first `steps`).

        raw: `Drawn`; numbers: int32 [6 + n], of `scalars.packed`.
        """
        at, floats = scalars.unpacked(numbers)
        hparams = self._unpacked(floats)
        raw = dict(raw)
        validation = raw.pop("valid_inner", None)

        flattened = self._flattened if self._flat else _unchanged
        shaped, state_shaped = (_like(params), _like(state)) if self._flat else (_unchanged, _unchanged)

        def body(i, params, state, losses):
            step = at.first + i
            batch = self._batch(_at(raw, i), at.batch_seed, step)
            loss, gradients = self._value_and_gradients(shaped(params), batch, tf.stack([at.loss_seed, step]))
            also = self._also_given(params, loss, validation, at, step)
            params, state = self._updated(flattened(gradients), state, params, step, hparams, also)
            return params, state, tf.tensor_scatter_nd_update(losses, [[i]], [tf.cast(loss, losses.dtype)])

        start = (flattened(params), flattened(state), tf.zeros([self.chunk, *self._runs]))
        params, state, losses = _while(at.steps, body, start)
        return shaped(params), state_shaped(state), losses

    def _also_given(self, params, loss, validation, at: Scalars, step) -> dict[str, Any]:
        """The keyword arguments of `update` that the optimizer asks for; see `taskset.optimizers.base.Optimizer`."""
        also: dict[str, Any] = {"loss": loss} if getattr(self.optimizer, "uses_loss", False) else {}
        if not self._validates:
            return also

        def validation_loss():
            number = step // VALIDATION_INTERVAL
            place = number - at.first // VALIDATION_INTERVAL
            batch = self.task.prepare(_at(validation, place), at.valid_batch_seed, number)
            return self.task.loss(params, batch, tf.stack([at.valid_loss_seed, number]))

        return {**also, "validation_loss": validation_loss}

    def _evaluate_program(self, params, raw, batch_bases, loss_bases, numbers, count):
        """Losses [len(numbers)] of the first `count` batches (`Drawn`); batch i has its own seeds and number."""

        def body(i, losses):
            batch = self._batch(_at(raw, i), batch_bases[i], numbers[i])
            loss = self._loss(params, batch, tf.stack([loss_bases[i], numbers[i]]))
            return (tf.tensor_scatter_nd_update(losses, [[i]], [tf.cast(loss, losses.dtype)]),)

        start = (tf.zeros([numbers.shape[0], *self._runs]),)
        return _while(count, body, start)[0]

    def _batch(self, drawn, batch_base, number):
        """The batch that the loss reads, of one drawn."""
        return drawn if self._augmented else self.task.prepare(drawn, batch_base, number)

    def _prepare_program(self, raw, batch_bases, numbers):
        """Prepared batches {name: [chunk, ..]} of raw ones; batch i has its own seed and number."""
        kinds = {name: dtype for name, (_, dtype) in self.task.batch_shapes.items()}
        prepare = lambda one: self.task.prepare(*one)  # noqa: E731
        return tf.map_fn(prepare, (raw, batch_bases, numbers), parallel_iterations=1, fn_output_signature=kinds)

    def draw(self, seed: int, first: int) -> Drawn:
        """The train batches of one call, as `train` reads them; draw once where several runs share the seed.

        For an optimizer that reads validation losses, "valid_inner" has their raw batches.
        """
        return self.prepared(self.draw_raw(seed, first), seed, first)

    def draw_raw(self, seed: int, first: int) -> Raw:
        """The first part of `draw`: raw batches, as tensors, for a loop that prepares them by itself."""
        raw: Raw = dict(self.task.raw_batches("train", seed, first, self.chunk))
        if self._validates:
            count = self.chunk // VALIDATION_INTERVAL + 2  # the first and the last interval may lie in the chunk in part
            raw["valid_inner"] = self.task.raw_batches("valid_inner", seed, first // VALIDATION_INTERVAL, count)
        return tf.nest.map_structure(tf.constant, raw)

    def prepared(self, raw: Raw, seed: int, first: int) -> Drawn:
        """The second part of `draw`: where batches are augmented, that is done here; else they stay as they are."""
        if not self._augmented:
            return raw
        also = {name: raw[name] for name in raw if name == "valid_inner"}
        train = {name: array for name, array in raw.items() if name not in also}
        bases = tf.fill([self.chunk], batch_seed(seed, "train"))
        return {**self._prepare(train, bases, tf.range(first, first + self.chunk)), **also}

    def scalars_of(self, run: Run, hparams: Hparams, steps: int) -> tf.Tensor:
        """All scalars of a call of the training program, int32 [6 + n] (`taskset.execution.scalars`)."""
        floats = np.array([hparams[name] for name in self._names], np.float32).ravel()
        return tf.constant(scalars.packed(scalars.of_call(run.seed, run.step, steps), floats))

    def train(self, run: Run, hparams: Hparams, steps: int, raw: Drawn | None = None) -> np.ndarray:
        """Take `steps` <= chunk steps of `run` (in place); returns their train losses, float32 [steps].

        hparams: {name: scalar}, those of the optimizer's rule; raw: the result of `draw(run.seed, run.step)`, if already drawn.
        """
        raw = self.draw(run.seed, run.step) if raw is None else raw
        start = time.process_time()
        run.params, run.state, losses = self._train(run.params, run.state, raw, self.scalars_of(run, hparams, steps))
        losses = losses.numpy()[:steps]
        run.seconds += time.process_time() - start
        run.step += steps
        return losses

    def evaluated(self, run: Run, hparams: Hparams) -> Params:
        """The parameters at which `run` is judged: its own, unless the optimizer says otherwise (`Optimizer`)."""
        judged = getattr(self.optimizer, "evaluated", None)
        return judged(run.params, run.state, hparams) if judged else run.params

    def compile(self, run: Run, hparams: Hparams) -> None:
        """Compile the training program, which no timing includes: takes zero steps, so `run` does not change."""
        seconds = run.seconds
        self.train(run, hparams, 0)
        run.seconds = seconds

    def evaluation(self, seed: int, batches: int) -> Evaluate:
        """A function `params -> {split: mean loss}` over the same `batches` batches of each split at every call.

        A task without data and without randomness has one loss: it is computed once and is exact.
        """
        raw, places = evaluation_batches.drawn(self.task, seed, batches)
        if self._augmented:
            raw = self._prepared_evaluation(raw, places, seed)
        chunk = math.ceil(len(places) / math.ceil(len(places) / (4 * self.chunk)))
        if chunk not in self._evaluate:
            self._evaluate[chunk] = compiled(self._evaluate_program, self.mode)
        padded = evaluation_batches.padded_calls(raw, places, seed, chunk)

        def evaluate(params: Params) -> dict[str, Any]:
            parts = [self._evaluate[chunk](params, *call).numpy()[: int(call[-1])] for call in padded]
            losses = np.concatenate(parts).astype(np.float64)
            if len(losses) == 1:
                return dict.fromkeys(SPLITS, losses[0].tolist())
            return dict(zip(SPLITS, losses.reshape(len(SPLITS), batches, *self._runs).mean(axis=1).tolist()))

        return evaluate

    def _prepared_evaluation(self, raw: RawBatch, places: list[evaluation_batches.Place], seed: int) -> RawBatch:
        """The raw batches of `evaluation_batches.drawn`, prepared."""
        parts = []
        for some, bases, _, numbers, count in evaluation_batches.padded_calls(raw, places, seed, self.chunk):
            prepared = self._prepare(some, bases, numbers)
            parts.append({name: array.numpy()[: int(count)] for name, array in prepared.items()})
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def calls(loop: Loop, seed: int, steps: int, interval: int) -> Iterator[tuple[int, Drawn]]:
    """(steps, `Drawn`) of each call from step 0 on; every multiple of `interval` is reached.

    The batches of the next call are drawn by another thread while the device computes.
    """
    intervals = [range(begin, min(begin + interval, steps), loop.chunk) for begin in range(0, steps, interval)]
    firsts = [first for one in intervals for first in one]
    with concurrent.futures.ThreadPoolExecutor(1) as drawing:
        waiting = drawing.submit(loop.draw, seed, 0)
        for first, after in zip(firsts, [*firsts[1:], steps]):
            raw = waiting.result()
            if after < steps:
                waiting = drawing.submit(loop.draw, seed, after)
            yield after - first, raw


def train(
    task: Task,
    optimizer: Optimizer,
    steps: int,
    seed: int = 0,
    mode: str | None = None,
    report: Callable[[Run, np.ndarray], None] | None = None,
    interval: int | None = None,
) -> tuple[Params, np.ndarray]:
    """Train a task from its start; returns (params, train losses [steps]), params being those at which the run is judged.

    optimizer: an `Optimizer` (`taskset.get_optimizer`); its horizon is `steps`.
    mode: one of `taskset.execution.modes.MODES`; None: by `execution_mode`.
    report: called as report(run, losses of the interval) every `interval` steps (default: 50 times in all).

    Raises: ConfigError for what is not allowed, and inside of a `tf.function`, where losses have no numbers yet.
    """
    if tf.inside_function():
        raise ConfigError("train compiles its own steps: call it outside of tf.function")
    if not isinstance(task, Task):
        raise ConfigError(f"task {shown(task)}: allowed is what taskset.get_task(name) returns")
    if not is_optimizer(optimizer):
        raise ConfigError(
            f"optimizer {shown(optimizer)}: allowed is what taskset.get_optimizer(name) or taskset.optimizers.from_functions "
            "returns; taskset.score runs those of Keras, PyTorch, Optax and NumPy"
        )
    for text in ("name", "rule"):
        if not isinstance(getattr(optimizer, text, None), str):
            raise ConfigError(f"optimizer {shown(optimizer)} has no {text}, a text: see taskset.optimizers.base.Optimizer")
    steps = positive(steps, "steps")
    interval = default_interval(steps) if interval is None else positive(interval, "interval")
    loop = Loop(task, optimizer, interval, mode)
    run, hparams = loop.start(seed), hparams_of(optimizer, steps)
    losses, part = [np.zeros(0, np.float32)], []
    for count, raw in calls(loop, seed, steps, interval):
        part.append(loop.train(run, hparams, count, raw))
        if run.step % interval == 0 or run.step == steps:
            losses.append(np.concatenate(part))
            part = []
            if report:
                report(run, losses[-1])
    return loop.evaluated(run, hparams), np.concatenate(losses)
