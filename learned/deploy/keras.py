"""A learned optimizer where Keras expects an optimizer.

    model.compile(optimizer=learned.keras.from_checkpoint("checkpoint.npz"), loss=..)
    model.fit(x, y, ..)

Its state lies in Keras's optimizer variables and its weights in its config: `model.save` and `keras.models.load_model` keep both.

Some rules read the train loss. Keras passes every train loss to an optimizer's `scale_loss`, where this one keeps it; a custom
training loop calls `loss = optimizer.scale_loss(loss)` inside the tape. The validation loss, which `hierarchical` reads, comes
from the callback `ValidationLoss`. Some read how many steps the training will have: `from_checkpoint(.., steps=10_000)`.
"""

from __future__ import annotations

import base64
import fnmatch
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from learned import optimizers
from learned.deploy.keras_state import Frozen, key, map_leaves
from learned.deploy.keras_validation import ValidationLoss
from learned.deploy.weights import load_weights
from learned.optimizers.as_optimizer import with_weights
from learned.types import PathLike
from taskset.errors import ConfigError, cut, is_finite, shown
from taskset.execution.loop import VALIDATION_INTERVAL

__all__ = ["LearnedOptimizer", "MissingLoss", "ValidationLoss", "from_checkpoint"]


def from_checkpoint(
    path: PathLike, name: str | None = None, steps: int | None = None, vectors: Sequence[str] = (), **options: float | None
) -> LearnedOptimizer:
    """A `LearnedOptimizer` with the weights in a checkpoint or an export, or of a name of `learned.deploy.pretrained`.

    steps: batches that the whole training will have (batches of an epoch times epochs); needed where `reads_steps`.
    vectors: globs of the paths of variables that count as vectors whatever their shape, such as "*embedding*".
    options: weight_decay, clipnorm, clipvalue, global_clipnorm.
    """
    found = load_weights(path)
    return LearnedOptimizer(found.optimizer, found.theta, name, steps, vectors=vectors, **options)


class MissingLoss(ConfigError, ValueError):
    """A step without the train loss that the rule reads. Also a ValueError, as in PyTorch, JAX and NumPy."""

    __init__ = Exception.__init__  # else autograph, which raises errors again, makes it one of its own
    _keras_call_info_injected = True  # else Keras adds lines about the arguments of its conditional


_OPTIONS = ("weight_decay", "clipnorm", "clipvalue", "global_clipnorm")


def _checked(options: Mapping[str, Any]) -> dict[str, float | None]:
    """{option: a float, or None}. Raises `ConfigError` for other values, and where gradients would be clipped in two ways."""
    for name, value in options.items():
        if value is None:
            continue
        number = is_finite(value)
        if name == "weight_decay" and not (number and 0 <= value < 1):
            raise ConfigError(f"weight decay {shown(value)}: allowed is at least 0 and below 1, the share that a step takes away")
        if name != "weight_decay" and not (number and value > 0):
            raise ConfigError(f"{name} {shown(value)}: allowed is a finite number > 0; leave it out to clip nothing")
    clips = [name for name, value in options.items() if name != "weight_decay" and value is not None]
    if len(clips) > 1:
        raise ConfigError(f"{' and '.join(clips)}: allowed is one of them, as in Keras's optimizers; leave the others out")
    return {name: None if value is None else float(value) for name, value in options.items()}


@keras.saving.register_keras_serializable("learned")
class LearnedOptimizer(keras.optimizers.Optimizer):
    """The learned optimizer `learned` with the weights theta, {path: array}, as a Keras optimizer on the TensorFlow backend.

    steps: batches that the whole training will have, needed where the rule reads them; `optimizer.steps = ..` changes them where
    a training is continued for longer. `load_weights` leaves them as they are, `load_model` restores the saved ones. Past them
    the rule stays at the end of its schedule, and warns: in a compiled `fit` at its end.

    It has no learning rate, and computes in float32. A variable that the loss doesn't depend on stays as it is, and counts as one
    with a gradient of zeros; one that was frozen (`trainable = False`, then `compile`) keeps its state until it is trained again.
    One that is trained for the first time late takes steps of another size at first, as its averages aren't corrected for the
    late start: compile with a new optimizer where layers are unfrozen. Not for several replicas. Raises `ConfigError`.

    weight_decay is decoupled: variables are multiplied by 1 - weight_decay before each step (`exclude_from_weight_decay` works).
    clipnorm, clipvalue, global_clipnorm: as in Keras's optimizers; the rule sees the clipped gradients.

    vectors: globs of the paths of variables (`variable.path`) that count as vectors whatever their shape, so that `anchored_muon`
    moves them along NAdam's direction.
    """

    def __init__(
        self,
        learned: str,
        theta: Mapping[str, Any],
        name: str | None = None,
        steps: int | None = None,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        vectors: Sequence[str] = (),
        **other: Any,
    ) -> None:
        if other:
            raise ConfigError(
                f"argument {next(iter(other))!r} of {learned}: allowed are steps, name, vectors, {', '.join(_OPTIONS)}; it has "
                "no learning rate"
            )
        if keras.backend.backend() != "tensorflow":
            raise ConfigError(f"Keras backend {keras.backend.backend()!r}: allowed is 'tensorflow'; elsewhere use an export")
        given = _checked(dict(zip(_OPTIONS, (weight_decay, clipnorm, clipvalue, global_clipnorm))))
        super().__init__(learning_rate=1.0, name=name or learned, **given)
        self._learned = optimizers.get(learned)
        self._init: Callable[..., Any]
        self._update: Callable[..., Any]
        self._theta = {path: w.astype(np.float32) for path, w in with_weights(self._learned, theta).theta.items()}
        self._init, self._update, self._effective = self._learned.for_one_model(self._theta)
        if self._learned.alone:
            # Compiled wherever it is used: one operation after the other, its many passes over memory take three times as long.
            self._update = tf.function(self._update, autograph=False, jit_compile=True)
        self._loss_of_step, self._horizon, self._validated, self._warned = _Box(), _Box(), False, False
        self._validated_until: int | None = None
        self._planned = self._checked_steps(steps)
        if isinstance(vectors, str) or not all(isinstance(glob, str) for glob in vectors):
            raise ConfigError(f"vectors {shown(vectors)}: allowed is a list of globs of the paths of variables")
        if vectors and learned != "anchored_muon":
            raise ConfigError(f"vectors of {learned}: allowed of anchored_muon alone, which tells vectors and matrices apart")
        self._vectors = list(vectors)

    @property
    def learning_rate(self) -> float:
        """1, for callbacks that read it: the network decides the size of steps."""
        return 1.0

    @learning_rate.setter
    def learning_rate(self, value: object) -> None:
        raise ConfigError(f"learning rate {value!r}: {self._learned.name} has none to set; remove the callback or schedule")

    @property
    def reads_loss(self) -> bool:
        """Whether it needs the train loss of every step."""
        return self._learned.uses_loss

    @property
    def reads_validation_loss(self) -> bool:
        """Whether it needs a validation loss every 10 steps."""
        return self._learned.uses_validation_loss

    @property
    def reads_steps(self) -> bool:
        """Whether it needs to know how many steps the training will have."""
        return self._learned.uses_horizon

    @property
    def steps(self) -> int | None:
        """How many steps the training is planned to have, or None."""
        return self._planned

    @steps.setter
    def steps(self, value: int | None) -> None:
        self._planned = self._checked_steps(value)
        if self.built and self.reads_steps:
            self._horizon.value.assign(self._planned)
        self._warned = False

    def _checked_steps(self, steps):
        whole = isinstance(steps, (int, np.integer)) and not isinstance(steps, bool) and steps >= 1
        if not whole and (steps is not None or self.reads_steps):
            raise ConfigError(
                f"steps {steps!r} of {self._learned.name}: allowed is an integer of at least 1; give steps=, the number of "
                "batches of the whole training"
            )
        return int(steps) if whole else None

    def scale_loss(self, loss: tf.Tensor) -> tf.Tensor:
        """The loss itself; an optimizer that reads losses sees it in the next `apply`, once.

        Call it for each step where `apply` is called, inside the same compiled function. Where a step is left out after
        `scale_loss`, call it again for the next one: the optimizer can't tell that the loss that it has is not that step's.
        """
        seen = tf.convert_to_tensor(loss)
        if seen.shape.num_elements() not in (None, 1):
            raise ConfigError(
                f"loss of shape {tuple(seen.shape)} under {self._learned.name}: allowed is a scalar, the mean over it"
            )
        self._loss_of_step.value = tf.reshape(seen, [])
        return loss

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Make the variables of the state for the model's trainable variables."""
        if self.built:
            return
        if tf.distribute.get_strategy().num_replicas_in_sync > 1:
            raise ConfigError("a learned optimizer in Keras works on one device: train outside the scope of a strategy")
        for variable in variables:
            if keras.backend.standardize_dtype(variable.dtype) != "float32":
                raise ConfigError(f"variable {variable.path} is {variable.dtype}: allowed is float32 under {self._learned.name}")
            if getattr(variable, "overwrite_with_gradient", False):
                raise ConfigError(
                    f"variable {variable.path} is given its next value as its gradient, as scales of float8 layers are: allowed "
                    f"are float32, bfloat16 and float16 layers under {self._learned.name}"
                )
            if 0 in variable.shape:
                raise ConfigError(f"variable {variable.path} has shape {tuple(variable.shape)}: freeze what has no numbers")
        for glob in self._vectors:
            if not any(_is_called(variable.path, glob) for variable in variables):
                paths = cut(", ".join(variable.path for variable in variables), 200)
                raise ConfigError(f"vectors {glob!r}: no variable has such a path; there are {paths}")
        super().build(variables)
        with tf.init_scope():  # Keras builds while it traces the first step, and XLA wants variables from outside
            params = {key(i): self._seen(v, tf.zeros(v.shape)) for i, v in enumerate(variables)}
            self._state = map_leaves(self._init(self._weights(), params), self._variable)
            if self.reads_validation_loss:
                self._held = self.add_variable((), name="validation_loss")
            # A variable, so that a compiled training sees it change, and none of Keras's: loaded weights leave it as it is.
            self._horizon.value = tf.Variable(self.steps, trainable=False, dtype=tf.float32) if self.reads_steps else None

    def _seen(self, variable, x):
        """A variable's value or gradient as the rule sees it."""
        vector = any(_is_called(variable.path, glob) for glob in self._vectors)
        return tf.reshape(x, [-1]) if vector else tf.convert_to_tensor(x)

    def _variable(self, name, value):
        def start(shape, dtype=None):
            return tf.cast(value, dtype)

        return self.add_variable(value.shape, start, value.dtype.name, name=name)

    def _weights(self):
        return {path: tf.constant(w) for path, w in self._effective.items()}

    def apply(self, grads: Sequence[tf.Tensor | None], trainable_variables: Iterable[keras.Variable] | None = None) -> None:
        """One step; see `keras.optimizers.Optimizer.apply`."""
        loss, self._loss_of_step.value = self._loss_of_step.value, None  # of this step alone, also where it is refused
        if not grads:
            return
        variables = self._trainable_variables if trainable_variables is None else list(trainable_variables)
        if not self.built:
            self.build(variables)
        self._check_known(variables, grads)
        if tf.executing_eagerly():
            self._warn_past(self.steps_done + 1)
        moving = [v for v, g in zip(variables, grads) if g is not None]
        if not moving:
            raise ConfigError("no variable has a gradient: the loss doesn't depend on the model")
        clipped = iter(self._clip_gradients([tf.convert_to_tensor(g) for g in grads if g is not None]))
        losses = self._losses(loss)  # before anything is changed
        self._apply_weight_decay(moving)
        params = {key(self._get_variable_index(v)): self._seen(v, v) for v in variables}
        gradients = {
            path: tf.zeros_like(p) if g is None else self._seen(v, next(clipped))
            for v, (path, p), g in zip(variables, params.items(), grads)
        }
        whole = map_leaves(self._state, lambda name, variable: tf.convert_to_tensor(variable))
        rest, state = None, whole
        if len(params) < len(self._trainable_variables):
            all_of_them = enumerate(self._trainable_variables)
            rest = Frozen({key(i): self._seen(v, tf.zeros(v.shape)) for i, v in all_of_them}, params)
            state = rest.part(whole, self._init(self._weights(), params))
        step = tf.convert_to_tensor(self.iterations)
        planned = self._learned.planned(self._horizon.value, tf.float32)
        params, state = self._update(self._weights(), gradients, state, params, step, *losses, **planned)
        state = rest.whole(whole, state) if rest else state
        map_leaves(self._state, lambda name, variable, value: variable.assign(value), state)
        for variable in moving:
            value = tf.reshape(params[key(self._get_variable_index(variable))], variable.shape)
            variable.assign(value if variable.constraint is None else variable.constraint(value))
        self.iterations.assign_add(1)

    def _check_known(self, variables, grads):
        if len(variables) != len(grads):
            raise ConfigError(
                f"{len(grads)} gradients for {len(variables)} variables: allowed is one each, None for those without"
            )
        for variable, g in zip(variables, grads):
            name = getattr(variable, "path", variable.name)
            if g is not None and not tf.TensorShape(g.shape).is_compatible_with(tuple(variable.shape)):
                raise ConfigError(
                    f"gradient of {name} has the shape {tuple(g.shape)}: allowed is its own, {tuple(variable.shape)}"
                )
            if self._var_key(variable) not in self._trainable_variables_indices:
                raise ConfigError(
                    f"variable {name} is new to the optimizer, which keeps a state for those "
                    "that it was built with: compile with a new one, or build it before layers are frozen"
                )

    def _losses(self, loss):
        """(train loss, validation loss), each None where the rule does not read it."""
        if self.reads_loss and loss is None:
            raise MissingLoss(
                f"{self._learned.name} reads the train loss: call optimizer.scale_loss(loss) before the gradients are applied; "
                "under mixed_float16 Keras scales it elsewhere: use mixed_bfloat16"
            )
        if self.reads_loss and tf.is_symbolic_tensor(loss) == tf.executing_eagerly():
            # A compiled step would keep a loss from outside as a constant; outside, one of a compiled function has no value.
            given = (
                "inside a compiled function, and apply outside"
                if tf.executing_eagerly()
                else "outside the compiled function of apply"
            )
            raise MissingLoss(
                f"{self._learned.name} reads the train loss of each step, and scale_loss was called {given}: call "
                "optimizer.scale_loss(loss) where apply is called"
            )
        if self.reads_validation_loss and not self._validated:
            raise ConfigError(
                f"{self._learned.name} reads a validation loss: give fit callbacks=[learned.keras.ValidationLoss(..)]"
            )
        validation_loss = tf.convert_to_tensor(self._held) if self.reads_validation_loss else None
        return tf.cast(loss, tf.float32) if self.reads_loss else None, validation_loss

    def expect_validation_losses(self, until: int | None = None) -> None:
        """Promise to call `tell_validation_loss` before step 0 and every 10 steps from there on.

        until: the step at which the last loss is too old (`check_validation_loss`); None: it never is.
        """
        if not self.reads_validation_loss:
            raise ConfigError(f"{self._learned.name} reads no validation loss; remove the callback")
        self._validated, self._validated_until = True, until

    def tell_validation_loss(self, loss: tf.Tensor, until: int | None = None) -> None:
        """Set the validation loss from this step on. until: as of `expect_validation_losses`."""
        self._held.assign(loss)
        self._validated_until = until

    def check_validation_loss(self) -> None:
        """Raise `ConfigError` where a `ValidationLoss` was there and no longer is: its last loss would be used for ever."""
        if self._validated_until is not None and self.steps_done >= self._validated_until:
            raise ConfigError(
                f"the last validation loss is of before step {self.steps_done}: {self._learned.name} reads one every "
                f"{VALIDATION_INTERVAL} steps: give fit callbacks=[learned.keras.ValidationLoss(..)] each time"
            )

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Restore the state; `steps` stays as this optimizer was made."""
        # Files of earlier versions have the number of steps as one more variable, the last.
        older = self.reads_steps and len(store.keys()) == len(self.variables) + 1
        super().load_own_variables({str(i): store[str(i)] for i in range(len(self.variables))} if older else store)

    def finalize_variable_values(self, var_list: Sequence[keras.Variable]) -> None:
        """What `fit` calls at its end."""
        super().finalize_variable_values(var_list)
        self._warn_past(self.steps_done)

    @property
    def steps_done(self) -> int:
        """Steps so far, also where a strategy of one replica holds the variable."""
        return int(tf.convert_to_tensor(self.iterations))

    def _warn_past(self, done):
        """Warn once where more steps are done than planned; a compiled step can't."""
        if self.reads_steps and done > self._planned and not self._warned:
            self._warned = True
            warnings.warn(
                f"step {done} of a training planned for steps={self._planned}: {self._learned.name} stays at the end of its "
                "schedule; give steps=, the batches of an epoch times the epochs, or set optimizer.steps",
                stacklevel=3,
            )

    def get_config(self) -> dict[str, Any]:
        """JSON values: the learned optimizer's name, its weights (float32, base64), its own name, steps, vectors, options."""
        theta = {path: base64.b64encode(w.astype("<f4").tobytes()).decode() for path, w in self._theta.items()}
        options = {option: getattr(self, option) for option in _OPTIONS}
        return {
            "learned": self._learned.name,
            "theta": theta,
            "name": self.name,
            "steps": self.steps,
            "vectors": self._vectors,
            **options,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> LearnedOptimizer:
        """The optimizer of `get_config`, without its state."""
        learned: Any = config.get("learned")  # of a damaged file, maybe: it is checked here
        theta: Any = config.get("theta")
        shapes, weights = optimizers.get(learned).shapes, {}
        try:
            for path, shape in shapes.items():
                weights[path] = np.frombuffer(base64.b64decode(theta[path], validate=True), "<f4").reshape(shape)
        except (KeyError, TypeError, ValueError) as error:
            reason = cut(str(error))
            raise ConfigError(f"the config's weights of {learned!r} are damaged ({reason}): save the model again") from error
        if theta.keys() != shapes.keys() or not all(np.isfinite(w).all() for w in weights.values()):
            raise ConfigError(f"the config's weights are not those of {learned!r}, or not finite: save the model again")
        options = {option: config.get(option) for option in _OPTIONS}
        vectors = config.get("vectors", ())  # earlier versions had none
        return cls(learned, weights, config.get("name"), config.get("steps"), vectors=vectors, **options)


def _is_called(path, glob):
    """Whether a variable has this path, or one that the glob takes; a path itself may have brackets."""
    return path == glob or fnmatch.fnmatchcase(path, glob)


class _Box:
    """Hides a value from Keras, which tracks attributes."""

    value: Any = None
