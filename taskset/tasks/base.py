"""A task: initial parameters from a seed, batches from four splits, a scalar loss and its gradients. All pure functions."""

from __future__ import annotations

import functools
import importlib.util
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import tensorflow as tf

from taskset.datasets.base import SOURCES, Batch, BatchShapes, DataSpec, RawBatch, RawBatches, check_split
from taskset.datasets.given import GivenBatches, Repeatable
from taskset.errors import ConfigError, cut, shown, unknown
from taskset.optimizers.base import Gradients, Params, Step
from taskset.random import seeds, stateless
from taskset.random.seeds import batch_seed
from taskset.random.stateless import Key, Seed
from taskset.registry import Config, Shapes, is_own
from taskset.tasks.distributions import Distribution
from taskset.tasks.functional import Functional

if TYPE_CHECKING:
    from taskset.tasks.elsewhere.jax import JaxTask
    from taskset.tasks.elsewhere.torch import TorchTask

Metrics: TypeAlias = dict[str, tf.Tensor]  # {name: scalar}
Loss: TypeAlias = Callable[[Batch, Key], tf.Tensor | tuple[tf.Tensor, Metrics]]
GradientNoise: TypeAlias = Callable[[Gradients, Batch, Key], Gradients]


@dataclass(frozen=True)
class Model:
    """What a builder returns.

    loss: `loss(batch, key) -> scalar` or `-> (scalar, {name: scalar})`, written with Sonnet modules constructed inside it;
        parameters become a flat dict (`taskset.tasks.functional`), random numbers come from `taskset.random.stateless` and `key`.
    data: the data specification whose batches the loss reads; None for a task without data.
    gradient_noise: `(gradients, batch, key) -> gradients`, for problems whose gradients are disturbed and whose loss is not.
    convolutional: whether the loss has convolutions (they decide how the training loop is best executed on a CPU).
    """

    loss: Loss
    data: DataSpec | None = None
    gradient_noise: GradientNoise | None = None
    convolutional: bool = False


class Task:
    """One differentiable problem.

    Made by `get_task` and `make_task`. `params` and gradients are flat dicts {path: float32 tensor}. With parameters of float64,
    from `init(seed, tf.float64)`, everything is computed in float64.

    A `seed` is a Python or NumPy integer, 0 <= seed < 2**31. Losses and gradients also take a scalar integer tensor or a key of
    `taskset.random.stateless`; the integer 3 and a tensor of it give different draws. A `tf.function` that takes the seed as a
    Python integer is traced again for each new one: pass it a scalar integer tensor, `tf.constant(step)`.

    Tasks can be pickled (for multiprocessing): by name, or config, source and directory. The other process builds them again,
    and has to have registered the families of one's own.

    name, family, config: what was asked for.
    source: "tfds", "synthetic", or "none" where nothing is loaded.
    data: the data specification, or None.
    parameter_shapes: {path: shape}; num_params: their total size.
    parameter_starts: {path: what its entries are drawn from} (`taskset.tasks.distributions`).
    random: whether the loss itself draws random numbers (noise in gradients and augmentation aside).
    """

    name: str
    family: str
    config: Config
    model: Model
    source: str
    data: DataSpec | None
    data_dir: str | None
    parameter_shapes: Shapes
    parameter_starts: dict[str, Distribution]
    random: bool
    num_params: int

    def __init__(
        self,
        name: str,
        family: str,
        config: Config,
        model: Model,
        source: str,
        data_dir: str | None = None,
        rebuild: Callable[[str, str, Config, str, str | None], Task] | None = None,
    ):
        self.name, self.family, self.config, self.model = name, family, config, model
        self._rebuild = rebuild  # what a pickle is read with: (name, family, config, source, data_dir) -> Task
        self.data, self.data_dir, self._asked_source, self._reads_other_data = model.data, data_dir, source, False
        self.source = source if model.data is not None and model.data.needs_source else "none"
        specs = {k: tf.TensorSpec(shape, dtype) for k, (shape, dtype) in self.batch_shapes.items()}
        self._functional = Functional(model.loss, specs, tf.TensorSpec([2], tf.int32))
        self._check_results()
        self.parameter_shapes, self.parameter_starts = self._functional.shapes, self._functional.distributions
        self.random = self._functional.uses_last_input
        self.num_params = sum(math.prod(shape) for shape in self.parameter_shapes.values())

    def _check_results(self) -> None:
        """Raise unless the loss has parameters and returns one number, and metrics of one number each."""
        results, name = self._functional.results, shown(self.name)
        loss, metrics = results if isinstance(results, tuple) and len(results) == 2 else (results, {})
        if not isinstance(metrics, dict):
            raise ConfigError(f"the loss of {name} returns {shown(metrics)} beside the loss: allowed is {{name: scalar}}")
        for what, spec in {"loss": loss, **{f"metric {key!r}": metric for key, metric in metrics.items()}}.items():
            is_tensor = isinstance(spec, tf.TensorSpec)
            if not is_tensor or not spec.shape.is_compatible_with([]) or (what == "loss" and not spec.dtype.is_floating):
                given = f"{spec.dtype.name} of shape {spec.shape}" if is_tensor else "no tensor"
                raise ConfigError(
                    f"the {what} of {name} is {given}: allowed is one float, as tf.reduce_mean over the examples gives"
                )
        if not self._functional.shapes:
            raise ConfigError(f"the loss of {name} has no parameters: make Sonnet modules or variables inside it, in each call")

    def __reduce__(self) -> tuple[Any, ...]:
        if self._reads_other_data:
            raise ConfigError(
                f"task {shown(self.name)} was given other data and can't be pickled: pickle the task it was made from"
            )
        return self._rebuild, (self.name, self.family, self.config, self._asked_source, self.data_dir)

    def __copy__(self) -> Task:
        """Another task with the same parts: `copy.copy` is not to go the way of a pickle, which builds the task again."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        return other

    def __repr__(self) -> str:
        return f"<Task {self.name}: {self.num_params} parameters, source {self.source}>"

    @property
    def batch_shapes(self) -> BatchShapes:
        """{name: (shape, dtype name)} of a batch."""
        return {} if self.data is None else self.data.batch

    def init(self, seed: int, dtype: tf.DType = tf.float32) -> Params:
        """Initial parameters. The same seed gives the same ones, in every process."""
        return self._functional.init(seeds.check(seed), dtype)

    def initializer(self, dtype: tf.DType = tf.float32) -> Callable[[Iterable[int]], Params]:
        """`init` for many seeds in one compiled program: a function of n seeds that returns {path: tensor [n, ..]}."""
        shapes = {path: tf.TensorSpec(shape, dtype) for path, shape in self.parameter_shapes.items()}
        keys = {path: tf.TensorSpec([None, 2], tf.int32) for path in shapes}

        def draw_each(keys):
            draw = lambda one: self._functional.init_with(one, dtype)  # noqa: E731
            return tf.map_fn(draw, keys, parallel_iterations=1, fn_output_signature=shapes)

        # Traced here: TensorFlow warns of functions that it traces in calls, one of them for every task.
        program = tf.function(draw_each, autograph=False).get_concrete_function(keys)

        def initialize(seeds_: Iterable[int]) -> Params:
            numbers = [self._functional.init_numbers(seeds.check(seed)) for seed in seeds_]
            return program({path: tf.constant([stateless.words(n[path]) for n in numbers], tf.int32) for path in shapes})

        return initialize

    def loss(self, params: Params, batch: Batch, seed: Seed) -> tf.Tensor:
        """The scalar loss of a batch; nats where it is a likelihood.

        Raises: ConfigError for parameters or a batch whose names, shapes or dtypes aren't the task's, and for a wrong seed.
        """
        return self.loss_and_metrics(params, batch, seed)[0]

    def loss_and_metrics(self, params: Params, batch: Batch, seed: Seed) -> tuple[tf.Tensor, Metrics]:
        """(loss, {name: scalar})."""
        params, batch = self._checked_params(params), self._checked_batch(batch)
        dtype = next(iter(params.values())).dtype
        batch = {k: tf.cast(v, dtype if v.dtype.is_floating else self.batch_shapes[k][1]) for k, v in batch.items()}
        try:
            result = self._functional.apply(params, batch, stateless.as_key(seed))
        except (TypeError, ValueError) as error:
            if all(tensor.shape[0] is not None for tensor in batch.values()):
                raise
            raise ConfigError(
                f"the model of {shown(self.name)} needs to know how many examples a batch has when it is traced: give a fixed "
                "number, such as tf.TensorSpec([64, ..]) in an input_signature"
            ) from error
        return result if isinstance(result, tuple) else (result, {})

    def _checked_params(self, params: Params) -> Params:
        return self._checked("parameter", params, {path: (shape, "float32") for path, shape in self.parameter_shapes.items()})

    def _checked_batch(self, batch: Batch) -> Batch:
        """A batch may have any number of examples, the same in each of its entries. Most models have to know it while traced."""
        shapes = {name: ((None, *shape[1:]), dtype) for name, (shape, dtype) in self.batch_shapes.items()}
        tensors = self._checked("batch entry", batch, shapes)
        sizes = {name: tensor.shape[0] for name, tensor in tensors.items() if tensor.shape[0] is not None}
        if len(set(sizes.values())) > 1:
            listed = ", ".join(f"{name!r} {size}" for name, size in sizes.items())
            raise ConfigError(f"the entries of a batch of {shown(self.name)} have different numbers of examples: {listed}")
        return tensors

    def _checked(self, kind: str, given: Any, expected: Mapping[str, tuple[tuple[int | None, ...], str]]) -> dict[str, tf.Tensor]:
        """{name: tensor} of `given`; ConfigError unless these are as `expected`: {name: (shape, dtype name)}."""
        if not isinstance(given, dict):
            raise ConfigError(f"a dict of tensors is expected, one per {kind} ({self._names(expected)}); given is {shown(given)}")
        for name in given:
            if name not in expected:
                raise unknown(kind, name, list(expected), f"Those of {shown(self.name)}: {self._names(expected)}.")
        for name in expected:
            if name not in given:
                raise ConfigError(f"{kind} {name!r} is missing; those of {shown(self.name)}: {self._names(expected)}")
        try:
            tensors = {name: value if tf.is_tensor(value) else tf.convert_to_tensor(value) for name, value in given.items()}
        except (TypeError, ValueError) as error:
            raise ConfigError(f"a {kind} of {shown(self.name)} is not a tensor: {cut(str(error), 200)}") from error
        for name, (shape, dtype) in expected.items():
            tensor = tensors[name]
            if not tensor.shape.is_compatible_with(shape):
                raise ConfigError(f"{kind} {name!r} has shape {list(tensor.shape)}; that of {shown(self.name)} is {list(shape)}")
            wanted = tf.as_dtype(dtype)
            if (tensor.dtype.is_floating, tensor.dtype.is_integer) != (wanted.is_floating, wanted.is_integer):
                raise ConfigError(f"{kind} {name!r} is {tensor.dtype.name}; that of {shown(self.name)} is {dtype}")
        return tensors

    @staticmethod
    def _names(expected: Iterable[str]) -> str:
        return cut(", ".join(expected), 200) or "there are none"

    def value_and_gradients(self, params: Params, batch: Batch, seed: Seed) -> tuple[tf.Tensor, Gradients]:
        """(loss, gradients); synthetic problems disturb their gradients here.

        Raises: as `loss`.
        """
        params = self._checked_params(params)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(params)
            loss = self.loss(params, batch, seed)
        gradients = tape.gradient(loss, params, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        gradients = {path: tf.convert_to_tensor(g) for path, g in gradients.items()}
        if self.model.gradient_noise:
            gradients = self._disturbed(gradients, self.model.gradient_noise(gradients, batch, stateless.fold(seed, 1)))
        return loss, gradients

    def _disturbed(self, exact: Gradients, noisy: Gradients) -> Gradients:
        """`noisy`. Raises `ConfigError` unless its paths, shapes and dtypes are those of the exact gradients."""
        for path in {**exact, **noisy}:
            was, now = (_kind(gradients, path) for gradients in (exact, noisy))
            if was != now:
                raise ConfigError(
                    f"gradient_noise of {shown(self.name)} made {now} of gradient {path}, {was}: allowed are the paths, shapes "
                    "and dtypes that it was given"
                )
        return noisy

    def as_torch(self, seed: int = 0) -> TorchTask:
        """The task as a `torch.nn.Module` with the start of `seed`: `loss = module.loss(); loss.backward()`.

        See `taskset.tasks.elsewhere.torch.TorchTask`. Raises: ConfigError where PyTorch is not installed.
        """
        self._require("torch")
        from taskset.tasks.elsewhere.torch import TorchTask

        return TorchTask(self, seed)

    def as_jax(self) -> JaxTask:
        """The task as a function `loss(params, batch, key)` of JAX, with `init(seed)` and `batches(split, seed)`.

        See `taskset.tasks.elsewhere.jax.JaxTask`. Raises: ConfigError where JAX is not installed.
        """
        self._require("jax")
        from taskset.tasks.elsewhere.jax import JaxTask

        return JaxTask(self)

    def _require(self, package: str) -> None:
        if importlib.util.find_spec(package) is None:
            raise ConfigError(
                f"as_{package} of {shown(self.name)} needs {package}, which is not installed: pip install {package}"
            )

    def _no_data(self) -> ConfigError:
        return ConfigError(f"task {shown(self.name)} reads no data")

    @functools.cached_property
    def _open(self) -> RawBatches:
        if self.data is None:
            raise self._no_data()
        if lacking := [part for part in ("open", "prepare") if not hasattr(self.data, part)]:
            raise ConfigError(
                f"the data of {shown(self.name)} has no {', no '.join(lacking)}: allowed is what taskset.datasets.base.DataSpec "
                "describes"
            )
        with tf.init_scope():  # a function that is being traced may be the first to ask: readers iterate over their files
            opened = self.data.open(self.source, self.data_dir)
        return Repeatable(opened, f"the data of {shown(self.name)}") if is_own(type(self.data)) else opened

    @property
    def data_origin(self) -> dict[str, Any] | None:
        """Where the data came from, as its reader reports it (JSON values: name, version, checksum), or None."""
        return None if self.data is None else getattr(self._open, "origin", None)

    def reading(self, raw_batches: RawBatches, source: str) -> Task:
        """The same task on other data: a copy that draws from `raw_batches` (`taskset.datasets.base.RawBatches`).

        source: what results on that data are to be called. Raises `ConfigError` for a name of the package's own sources, and for
        a task that reads no data. The new task does where names, shapes or values of what it draws are not those that it reads.
        Where the task's data has no attribute `raw` (`InMemoryData`, data of a user's own), the loss looks at names, shapes and
        dtypes, and nothing at values.
        """
        if not isinstance(source, str) or not source.strip() or "/" in source or source in (*SOURCES, "none"):
            raise ConfigError(f"source {shown(source)}: allowed is a name without /, other than {', '.join(SOURCES)} and none")
        if not callable(raw_batches):
            raise ConfigError(f"raw_batches {shown(raw_batches)}: allowed is a function of split, seed, start and count")
        if self.data is None:
            raise self._no_data()
        other = object.__new__(type(self))
        other.__dict__.update(
            self.__dict__, _open=GivenBatches(raw_batches, self.data, source), source=source, _reads_other_data=True
        )
        return other

    def raw_batches(self, split: str, seed: int, start: int, count: int) -> RawBatch:
        """Batches `start .. start + count - 1` of a split as the host draws them: {name: array [count, batch size, ..]}.

        Raises: as `batches`.
        """
        check_split(split)
        seed, start = seeds.check(seed), seeds.check_step(start)
        return {} if self.data is None else self._open(split, seed, start, count)

    def prepare(self, raw: dict[str, tf.Tensor], batch_seed: int | tf.Tensor, step: Step) -> Batch:
        """The batch that the loss reads, from one raw batch (TensorFlow; augmentation happens here).

        batch_seed: `batch_seed(seed, split)`; step: the number of the batch, int or integer tensor.
        """
        if self.data is None:
            return {}
        return self.data.prepare(raw, tf.stack([tf.cast(batch_seed, tf.int32), tf.cast(step, tf.int32)]))

    def batches(self, split: str, seed: int, start: int = 0) -> Iterator[Batch]:
        """An endless iterator of batches, {name: tensor}; the same (split, seed) gives the same batches in the same order.

        start: number of the first one. Raises: UnknownName for a split, ConfigError for a seed or a start.
        """
        check_split(split)
        return self._batches(split, seeds.check(seed), seeds.check_step(start))

    def _batches(self, split: str, seed: int, start: int) -> Iterator[Batch]:
        base, ahead = batch_seed(seed, split), 8
        while True:
            raw = self.raw_batches(split, seed, start, ahead)
            for i in range(ahead):
                yield self.prepare({k: tf.constant(np.ascontiguousarray(v[i])) for k, v in raw.items()}, base, start + i)
            start += ahead


def _kind(gradients: Gradients, path: str) -> str:
    """Shape and dtype of a gradient, as errors tell them."""
    g = gradients.get(path)
    return "nothing" if g is None else f"{g.dtype.name} of shape {tuple(g.shape)}"
