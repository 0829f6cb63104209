"""A task: initial parameters from a seed, batches from four splits, a scalar loss and its gradients. All pure functions."""

import functools
import importlib.util
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from taskset.datasets.base import SPLITS, DataSpec
from taskset.errors import ConfigError, cut, shown, unknown
from taskset.random import seeds, stateless
from taskset.tasks.functional import Functional


@dataclass(frozen=True)
class Model:
    """What a builder returns.

    loss: `loss(batch, key) -> scalar` or `-> (scalar, {name: scalar})`, written with Sonnet modules constructed inside it;
        parameters become a flat dict (`taskset.tasks.functional`), random numbers come from `taskset.random.stateless` and `key`.
    data: the data specification whose batches the loss reads; None for a task without data.
    gradient_noise: `(gradients, batch, key) -> gradients`, for problems whose gradients are disturbed and whose loss is not.
    convolutional: whether the loss has convolutions (they decide how the training loop is best executed on a CPU).
    """

    loss: Callable
    data: DataSpec | None = None
    gradient_noise: Callable | None = None
    convolutional: bool = False


class Task:
    """One differentiable problem.

    Made by `get_task` and `make_task`. `params` and gradients are flat dicts {path: float32 tensor}; float64 parameters (from
    `init(seed, tf.float64)`) make everything be computed in float64. A `seed` is an integer 0 <= seed < 2**31, Python's or NumPy's.
    Losses and gradients take a scalar integer tensor or a key of `taskset.random.stateless` as well, whose draws are other ones; inside
    a `tf.function` give them tensors, for a function that is called with another integer is traced anew.

    Tasks can be pickled (for multiprocessing): by name, or config, source and directory. The other process builds them again,
    and has to have registered the families of one's own.

    name, family, config: what was asked for.
    source: "tfds", "synthetic", or "none" where nothing is loaded.
    data: the data specification, or None.
    parameter_shapes: {path: shape}; num_params: their total size.
    parameter_starts: {path: what its entries are drawn from} (`taskset.tasks.distributions`).
    random: whether the loss itself draws random numbers (noise in gradients and augmentation aside).
    """

    def __init__(self, name, family, config, model, source, data_dir=None, rebuild=None):
        self.name, self.family, self.config, self.model = name, family, config, model
        self._rebuild = rebuild  # what a pickle is read with: (name, family, config, source, data_dir) -> Task
        self.data, self.data_dir, self._asked_source, self._reads_other_data = model.data, data_dir, source, False
        self.source = source if model.data is not None and model.data.needs_source else "none"
        specs = {k: tf.TensorSpec(shape, dtype) for k, (shape, dtype) in self.batch_shapes.items()}
        self._functional = Functional(model.loss, specs, tf.TensorSpec([2], tf.int32))
        self.parameter_shapes, self.parameter_starts = self._functional.shapes, self._functional.distributions
        self.random = self._functional.uses_last_input
        self.num_params = sum(math.prod(shape) for shape in self.parameter_shapes.values())

    def __reduce__(self):
        if self._reads_other_data:
            raise ConfigError(
                f"task {shown(self.name)} reads other data than its name says and can't be pickled: pickle the first one"
            )
        return self._rebuild, (self.name, self.family, self.config, self._asked_source, self.data_dir)

    def __repr__(self):
        return f"<Task {self.name}: {self.num_params} parameters, source {self.source}>"

    @property
    def batch_shapes(self):
        """{name: (shape, dtype name)} of a batch."""
        return {} if self.data is None else self.data.batch

    def init(self, seed, dtype=tf.float32):
        """Initial parameters. The same seed gives the same ones, in every process."""
        return self._functional.init(seeds.check(seed), dtype)

    def initializer(self, dtype=tf.float32):
        """`init` for many seeds in one compiled program: a function of n seeds that returns {path: tensor [n, ..]}."""
        shapes = {path: tf.TensorSpec(shape, dtype) for path, shape in self.parameter_shapes.items()}
        keys = {path: tf.TensorSpec([None, 2], tf.int32) for path in shapes}

        def draw_each(keys):
            draw = lambda one: self._functional.init_with(one, dtype)  # noqa: E731
            return tf.map_fn(draw, keys, parallel_iterations=1, fn_output_signature=shapes)

        # Traced here: TensorFlow warns of functions that it traces in calls, one of them for every task.
        program = tf.function(draw_each, autograph=False).get_concrete_function(keys)

        def initialize(seeds_):
            numbers = [self._functional.init_numbers(seeds.check(seed)) for seed in seeds_]
            return program({path: tf.constant([stateless.words(n[path]) for n in numbers], tf.int32) for path in shapes})

        return initialize

    def loss(self, params, batch, seed):
        """The scalar loss of a batch; nats where it is a likelihood.

        Raises: ConfigError for parameters or a batch whose names, shapes or dtypes aren't the task's, and for a wrong seed.
        """
        return self.loss_and_metrics(params, batch, seed)[0]

    def loss_and_metrics(self, params, batch, seed):
        """(loss, {name: scalar})."""
        params, batch = self._checked_params(params), self._checked("batch entry", batch, self.batch_shapes)
        dtype = next(iter(params.values())).dtype
        batch = {k: tf.cast(v, dtype) if v.dtype.is_floating else v for k, v in batch.items()}
        result = self._functional.apply(params, batch, stateless.as_key(seed))
        return result if isinstance(result, tuple) else (result, {})

    def _checked_params(self, params):
        return self._checked("parameter", params, {path: (shape, "float32") for path, shape in self.parameter_shapes.items()})

    def _checked(self, kind, given, expected):
        """{name: tensor} of `given`; ConfigError unless these are as `expected`: {name: (shape, dtype name)}."""
        if not isinstance(given, dict):
            raise ConfigError(f"a dict of tensors is expected, one a {kind} ({self._names(expected)}); given is {shown(given)}")
        for name in given:
            if name not in expected:
                raise unknown(kind, name, list(expected), f"Those of {shown(self.name)}: {self._names(expected)}.")
        for name in expected:
            if name not in given:
                raise ConfigError(f"{kind} {name!r} is missing; those of {shown(self.name)}: {self._names(expected)}")
        try:
            tensors = {name: value if tf.is_tensor(value) else tf.convert_to_tensor(value) for name, value in given.items()}
        except (TypeError, ValueError) as error:
            raise ConfigError(f"a {kind} of {shown(self.name)} is no tensor: {cut(str(error), 200)}") from error
        for name, (shape, dtype) in expected.items():
            tensor = tensors[name]
            if not tensor.shape.is_compatible_with(shape):
                raise ConfigError(f"{kind} {name!r} has shape {list(tensor.shape)}; that of {shown(self.name)} is {list(shape)}")
            wanted = tf.as_dtype(dtype)
            if (tensor.dtype.is_floating, tensor.dtype.is_integer) != (wanted.is_floating, wanted.is_integer):
                raise ConfigError(f"{kind} {name!r} is {tensor.dtype.name}; that of {shown(self.name)} is {dtype}")
        return tensors

    @staticmethod
    def _names(expected):
        return cut(", ".join(expected), 200) or "there are none"

    def value_and_gradients(self, params, batch, seed):
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
            gradients = self.model.gradient_noise(gradients, batch, stateless.fold(seed, 1))
        return loss, gradients

    def as_torch(self, seed=0):
        """The task as a `torch.nn.Module` with the start of `seed`: `loss = module.loss(); loss.backward()`.

        See `taskset.tasks.elsewhere.torch.TorchTask`. Raises: ConfigError where PyTorch is not installed.
        """
        self._require("torch")
        from taskset.tasks.elsewhere.torch import TorchTask

        return TorchTask(self, seed)

    def as_jax(self):
        """The task as a function `loss(params, batch, key)` of JAX, with `init(seed)` and `batches(split, seed)`.

        See `taskset.tasks.elsewhere.jax.JaxTask`. Raises: ConfigError where JAX is not installed.
        """
        self._require("jax")
        from taskset.tasks.elsewhere.jax import JaxTask

        return JaxTask(self)

    def _require(self, package):
        if importlib.util.find_spec(package) is None:
            raise ConfigError(f"as_{package} of {shown(self.name)} needs {package}, which is not installed: pip install {package}")

    @functools.cached_property
    def _open(self):
        return self.data.open(self.source, self.data_dir)

    @property
    def data_origin(self):
        """Where the data came from, as its reader tells (JSON values: name, version, checksum), or None."""
        return None if self.data is None else getattr(self._open, "origin", None)

    def reading(self, raw_batches, source):
        """The same task on other data: a copy that draws from `raw_batches` (`taskset.datasets.base.RawBatches`).

        source: what results on that data are to be called.
        """
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, _open=raw_batches, source=source, _reads_other_data=True)
        return other

    def raw_batches(self, split, seed, start, count):
        """Batches `start .. start + count - 1` of a split as the host draws them: {name: array [count, batch size, ..]}."""
        _check_split(split)
        return {} if self.data is None else self._open(split, seeds.check(seed), start, count)

    def prepare(self, raw, batch_seed, step):
        """The batch that the loss reads, from one raw batch (TensorFlow; augmentation happens here).

        batch_seed: `batch_seed(seed, split)`; step: the number of the batch, int or integer tensor.
        """
        if self.data is None:
            return {}
        return self.data.prepare(raw, tf.stack([tf.cast(batch_seed, tf.int32), tf.cast(step, tf.int32)]))

    def batches(self, split, seed, start=0):
        """An endless iterator of batches, {name: tensor}; the same (split, seed) gives the same batches in the same order.

        start: number of the first one. Raises: UnknownName for a split, ConfigError for a seed or a start.
        """
        _check_split(split)
        return self._batches(split, seeds.check(seed), seeds.check_step(start))

    def _batches(self, split, seed, start):
        base, ahead = batch_seed(seed, split), 8
        while True:
            raw = self.raw_batches(split, seed, start, ahead)
            for i in range(ahead):
                yield self.prepare({k: tf.constant(np.ascontiguousarray(v[i])) for k, v in raw.items()}, base, start + i)
            start += ahead


def _check_split(split):
    if not isinstance(split, str) or split not in SPLITS:
        raise unknown("split", split, SPLITS, f"Allowed are {', '.join(SPLITS)}.")


def batch_seed(seed, split):
    """The integer that, with a batch's number, seeds what `prepare` draws."""
    return seeds.stream(seed, "batch", split)
