"""Learned optimizers in NumPy alone: this file and an .npz of weights are all that is needed to use one.

    optimizer = load("weights.npz", steps=10_000)                     # of the whole training
    state = optimizer.init(params)                                     # params: {name: array}
    for step in range(steps):
        params, state = optimizer.update(gradients, state, params, step, loss, validation_loss)

Arrays of other libraries that NumPy can read (PyTorch tensors on the CPU, JAX arrays) may be given; NumPy arrays come back.
State and computation are float64 where a parameter is, else float32; bfloat16 and float16 parameters are rounded once, at the end
of a step. A parameter whose gradient is missing or None stays as it is, and so does its state. States are nested dicts of arrays
and numbers and can be saved as such. A training is resumed for longer by an optimizer of more `steps`. Past them the rule stays
at the end of its schedule, and warns. Arguments that don't fit raise ValueError.

`load(.., vectors=["embedding*"])`: the parameters, by names or globs, that count as vectors whatever their shape, so that
`anchored_muon` moves them along NAdam's direction.

The .npz is what `python -m learned export` writes: "meta", a JSON text that names the optimizer, and an array "theta/PATH" for
each of its weights. `load` checks the file's sums (the CRC-32 of each array) and shapes, and never unpickles.

Inside, features come first: x [features, *shape of the tensor] or [features, parameters].
"""

from __future__ import annotations

import fnmatch
import io
import json
import math
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

TIMES = (1, 3, 10, 30, 100, 300, 1e3, 3e3, 1e4, 3e4, 1e5)  # steps


class LearnedOptimizer:
    """A rule with its weights.

    name: of the rule; theta: {path: array}; steps: of the whole training, needed where the rule reads them; vectors: names, or
    globs of names, of parameters that count as vectors.
    reads_loss, reads_validation_loss, reads_steps: whether the rule needs the loss in `update`, both losses, `steps`.
    """

    def __init__(self, name: str, theta: dict[str, Any], steps: int | None = None, vectors: Sequence[str] = ()) -> None:
        self.reads_steps, self.reads_validation_loss = name in ("anchored", "anchored_muon"), name == "hierarchical"
        self.reads_loss = self.reads_steps or self.reads_validation_loss
        self.name, self.theta = name, _checked(name, theta, RULES, steps, self.reads_steps)
        self._used, self.steps, self.vectors = _effective(self.theta), steps, tuple(vectors)
        self._shapes: tuple[dict, dict] | None = None  # of the parameters of the last update, and of their state
        if isinstance(vectors, str) or not all(isinstance(glob, str) for glob in self.vectors):
            raise ValueError(f"vectors {vectors!r}: allowed is a list of names or globs of parameters")
        if self.vectors and name != "anchored_muon":
            raise ValueError(f"vectors of {name}: allowed of anchored_muon alone, which tells vectors and matrices apart")

    @property
    def steps(self) -> int | None:
        """How many steps the training is planned to have, or None; it can be set while training."""
        return self._planned

    @steps.setter
    def steps(self, value: int | None) -> None:
        _checked(self.name, {}, RULES, value, self.reads_steps)
        self._planned, self._warned = value, False

    def init(self, params: dict[str, Any]) -> dict[str, Any]:
        """The state before the first step."""
        params = _parameters(params)
        unknown = [glob for glob in self.vectors if not any(_is_called(path, glob) for path in params)]
        if unknown:
            raise ValueError(f"vectors {unknown[0]!r}: no parameter has that name; there are {', '.join(map(str, params)):.200}")
        params = _computed({path: p for path, p in params.items() if p.size}, _dtype(params))
        return RULES[self.name][0](self._theta(params), params)

    def update(
        self,
        grads: dict[str, Any],
        state: dict[str, Any],
        params: dict[str, Any],
        step: int,
        loss: float | None = None,
        validation_loss: float | None = None,
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """(params, state) after one more step; nothing is changed in place.

        grads: {name: array of the parameter's shape, or None}; step: steps already taken, 0, 1, ..; loss: the train loss that
        grads come from; validation_loss: the last one that was measured (the rule was trained with one every 10 steps, held
        between).
        """
        if self.reads_validation_loss and (loss is None or validation_loss is None):
            raise ValueError(f"{self.name} reads losses: give `loss` and `validation_loss`, the last one measured")
        if self.reads_loss and loss is None:
            raise ValueError(f"{self.name} reads the train loss: give `loss`, the one that the gradients come from")
        params = _parameters(params)
        dtype = _dtype(params)
        grads = _gradients(grads, params, dtype)
        moving = _computed({path: p for path, p in params.items() if path in grads}, dtype)
        if not moving:
            return params, state
        losses = tuple(_scalar(name, x) for name, x in (("loss", loss), ("validation_loss", validation_loss)))
        step = _step(step)
        if self.reads_steps and step >= (self.steps or 0) and not self._warned:
            self._warned = True
            warnings.warn(
                f"step {step + 1} of a training planned for steps={self.steps}: {self.name} stays at the end of its schedule; "
                "load it with the steps of the whole training",
                stacklevel=2,
            )
        try:
            used = self._with_tensors(state, lambda tensors: {path: tensors[path] for path in moving})
            self._check(used, moving)
            grads, seen = ({path: self._seen(path, x) for path, x in xs.items()} for xs in (grads, moving))
            moved, new = RULES[self.name][1](self._theta(moving), grads, used, seen, step, losses, self.steps)
            moved = {path: p.reshape(moving[path].shape) for path, p in moved.items()}
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"the state or theta doesn't fit ({error}): take the state from `init` of these parameters"
            ) from error
        new = self._with_tensors(new, lambda tensors: {**self._tensors(state), **tensors})
        return {path: moved[path].astype(p.dtype, copy=False) if path in moved else p for path, p in params.items()}, new

    def _check(self, state, params):
        """Raise a `KeyError` where a state has not the arrays that one of these parameters has; of the same ones, once."""
        shapes = {path: p.shape for path, p in params.items()}
        if self._shapes is None or self._shapes[0] != shapes:
            self._shapes = shapes, _shapes_of(RULES[self.name][0](self._theta(params), params))
        if missing := _lacking(_shapes_of(state), self._shapes[1]):
            raise KeyError(missing)

    def _seen(self, path, x):
        """A parameter, or its gradient, as the rule sees it."""
        return x.ravel() if any(_is_called(path, glob) for glob in self.vectors) else x

    def _tensors(self, state):
        """{name: ..}: the part of a state that belongs to single parameters; what reads losses has another part for them."""
        return state["tensors"] if self.reads_loss else state

    def _with_tensors(self, state, change):
        changed = change(self._tensors(state))
        return {**state, "tensors": changed} if self.reads_loss else changed

    def _theta(self, params):
        dtype = next(iter(params.values())).dtype
        return {path: w.astype(dtype, copy=False) for path, w in self._used.items()}


def _is_called(path, glob):
    """Whether a parameter has this name, or one that the glob takes; a name itself may have brackets."""
    return path == glob or fnmatch.fnmatchcase(str(path), glob)


def _shapes_of(tree):
    """A state with the shapes of its arrays."""
    return {key: _shapes_of(x) for key, x in tree.items()} if isinstance(tree, dict) else np.shape(tree)


def _lacking(found, expected, path="state"):
    """What a tree of shapes has not of the expected one, or None; earlier versions kept no numbers of steps."""
    if not isinstance(expected, dict):
        return None if found == expected else f"{path} has shape {found}, expected is {expected}"
    if not isinstance(found, dict) or not expected.keys() - {"step"} <= found.keys():
        return f"{path} lacks {', '.join(expected)}"
    each = (_lacking(found[key], x, f"{path}/{key}") for key, x in expected.items() if key in found)
    return next(filter(None, each), None)


def load(path: str | PathLike[str], steps: int | None = None, vectors: Sequence[str] = ()) -> LearnedOptimizer:
    """The `LearnedOptimizer` of an .npz file, for a training of `steps` steps.

    Raises `ValueError` where the file is no export, is damaged, or lacks a weight.
    """
    return LearnedOptimizer(*read(path), steps=steps, vectors=vectors)


# Reading an export: the same text in numpy_update.py, torch_update.py and jax_update.py, each of which is used alone.

_DAMAGE = (ValueError, KeyError, TypeError, AttributeError, IndexError, EOFError, OverflowError, RuntimeError, SyntaxError)
LARGEST = 2**28  # bytes of all arrays: a thousand times the weights of the largest rule


def read(path: str | PathLike[str]) -> tuple[str, dict[str, np.ndarray]]:
    """(name of the rule, weights {path: array}) of an .npz file.

    Raises `ValueError` where the file is no export, is damaged, or lacks a weight; `FileNotFoundError` where there is none.
    """
    if not Path(path).exists():
        raise FileNotFoundError(
            f"there is no file {str(path)!r}: allowed is the path of an export; weights of the package are exported by "
            "`python -m learned export NAME --out NAME.npz --format torch` (or numpy, jax)"
        )
    with open(path, "rb") as file:  # what can't be opened is an OSError; what can't be read, or sought in, is damaged
        try:
            with zipfile.ZipFile(file) as archive:
                if sum(member.file_size for member in archive.infolist()) > LARGEST:
                    raise ValueError(f"it claims more than {LARGEST:,} bytes")
                arrays = {member.filename[: -len(".npy")]: _array(archive, member) for member in archive.infolist()}
            meta = json.loads(str(arrays["meta"]))
            name, shapes = meta["optimizer"], {path: tuple(shape) for path, shape in meta["shapes"].items()}
        except (*_DAMAGE, OSError, zipfile.BadZipFile, zlib.error) as error:
            why = f"{type(error).__name__}: {error}"[:200]
            raise ValueError(f"{path} is no export, or is damaged ({why}): export it again") from error
    theta = {name[len("theta/") :]: array for name, array in arrays.items() if name.startswith("theta/")}
    for weight in sorted({*shapes, *theta}):
        there = theta[weight].shape if weight in theta else "missing"
        if there != shapes.get(weight):
            raise ValueError(
                f"{path}: weight {weight!r:.100} is {there}, expected is {shapes.get(weight, 'no such weight')!s:.100}"
            )
    return name, theta


def _array(archive, member):
    """An array of an .npz, read to its end, which checks its CRC-32; nothing is allocated on its header's word."""
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{member.filename!r} is compressed in another way than NumPy's")
    with archive.open(member) as file:
        content = file.read(member.file_size)
    data = io.BytesIO(content)
    header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, fortran, dtype = header[np.lib.format.read_magic(data)](data)
    if dtype.hasobject or min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != len(content) - data.tell():
        raise ValueError(f"{member.filename!r} is not as long as its shape says, or holds Python objects")
    return np.ndarray(shape, dtype, content, data.tell(), order="F" if fortran else "C").copy()


def _checked(name, theta, rules, steps, reads_steps):
    """The weights as given, for a rule of `rules` and a training of `steps` steps; a ValueError where something is wrong."""
    if not isinstance(name, str) or name not in rules:
        raise ValueError(f"unknown learned optimizer {name!r:.100}: allowed are {', '.join(rules)}")
    if not isinstance(theta, dict):
        raise ValueError(f"theta is a {type(theta).__name__}: allowed is {{path: array}}")
    theta = {path: np.asarray(w) for path, w in theta.items()}
    for path, w in theta.items():
        if w.dtype.kind != "f" or not np.isfinite(w).all():
            raise ValueError(f"weight {path!r:.100} of type {w.dtype}: allowed are finite floats")
    whole = isinstance(steps, (int, np.integer)) and not isinstance(steps, bool) and steps >= 1
    if not whole and (steps is not None or reads_steps):
        raise ValueError(f"steps {steps!r} of {name}: allowed is an integer of at least 1, the steps of the whole training")
    return theta


# End of reading an export.


def _effective(theta):
    """theta without the weights of a network whose last layer is 0, in `anchored`: nothing is computed of it."""
    last = theta.get("mlp/linear_2/w")
    if last is None or "mlp/linear_2/b" in theta or np.any(last):
        return theta
    return {path: w for path, w in theta.items() if not path.startswith("mlp/")}


# What comes from outside.


def _parameters(params):
    """{name: array}, all floats."""
    if not isinstance(params, dict) or not any(map(np.size, params.values())):
        raise ValueError("params is empty or no dict: allowed is {name: array of floats}")
    params = {path: np.asarray(p) for path, p in params.items()}
    for path, p in params.items():
        if not _is_float(p.dtype):
            raise ValueError(f"parameter {path!r} is of dtype {p.dtype}: allowed are floats; leave out what is not trained")
    return params


def _dtype(params):
    """What is computed in: float64 where a parameter is, else float32."""
    return np.result_type(np.float32, *(p.dtype for p in params.values() if p.dtype.itemsize > 4))


def _computed(arrays, dtype):
    return {path: x.astype(dtype, copy=False) for path, x in arrays.items()}


def _is_float(dtype):
    return dtype.kind == "f" or "float" in dtype.name  # bfloat16 is not of NumPy's own kind


def _gradients(grads, params, dtype):
    """{name: array} of the gradients that are there, in the parameters' shapes, of `dtype`; none of what has no numbers."""
    found = {}
    if not isinstance(grads, dict):
        raise ValueError(f"grads is a {type(grads).__name__}: allowed is {{name: array or None}}")
    strange = [path for path in grads if path not in params]
    if strange:
        raise ValueError(f"gradient of {strange[0]!r}: allowed are those of the parameters, {', '.join(map(repr, params))}"[:300])
    for path, p in params.items():
        if grads.get(path) is None:
            continue
        g = np.asarray(grads[path])
        if g.shape != p.shape or not (_is_float(g.dtype) or g.dtype.kind in "iu"):
            raise ValueError(f"gradient of {path!r} is {g.dtype} {g.shape}: allowed are numbers of its shape, {p.shape}")
        if p.size:
            found[path] = g.astype(dtype)
    return found


def _step(step):
    """The step as an integer, which nothing is rounded to."""
    number = np.asarray(step)
    if number.shape or number.dtype.kind not in "iu" or number < 0:
        raise ValueError(f"step {step!r}: allowed is an integer of at least 0")
    return int(number)


def _scalar(name, x):
    if x is not None and np.shape(x) != ():
        raise ValueError(f"{name} has shape {np.shape(x)}: allowed is a scalar")
    try:
        return x if x is None else float(x + 0.0)  # a text is no number
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} {x!r:.100}: allowed is a scalar") from error


# Shared mathematics.


def _vectors(x):
    """Scalars count as tensors of shape [1]."""
    return np.reshape(x, np.shape(x) or (1,))


def _rsqrt(x):
    return 1 / np.sqrt(x)


def _sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


def _log_abs(x):
    return np.log(1e-8 + np.abs(x))


def _zeros(p, features):
    return np.zeros((features, *_vectors(p).shape), p.dtype)


WIDTH = 8192  # numbers of a tensor that are worked on at once: so few that what is computed of them stays in a core's caches


def _average(old, new, fractions, out=None):
    """m <- m + (1 - d) (x - m) for averages m [n, *shape] and 1 - d = fractions [n]."""
    out = np.subtract(new, old, out=out)
    out *= np.asarray(fractions, old.dtype).reshape([-1] + [1] * (old.ndim - 1))
    out += old
    return out


def _flat_averages(old, count):
    """(old averages [count, n], memory for the new ones) of a state [count, *shape]."""
    old = old.reshape(count, -1)
    return old, np.empty_like(old)


def _pieces(n):
    return [slice(start, min(start + WIDTH, n)) for start in range(0, n, WIDTH)]


def _squares(x):
    return np.array([np.dot(row, row) for row in x])


def _inverse_root(x, epsilon, out):
    """1 / sqrt(x + epsilon) in `out`."""
    np.add(x, epsilon, out=out)
    np.sqrt(out, out=out)
    np.divide(1, out, out=out)


def _tanh_time(step, dtype, times=TIMES):
    return np.tanh(step / np.array(times, dtype) - 1)


def _linear(theta, path, x):
    return theta[f"{path}/w"].T @ x + theta[f"{path}/b"][:, None]


class _Network:
    """The ReLU network mlp/linear_0, .. on normalised columns, WIDTH at a time, in memory that is used again.

    x [features + 1, WIDTH]: where the features go; the last row is 1, and biases are weights of that row.
    """

    def __init__(self, theta, features, dtype):
        self.theta, self.features = theta, features
        self.x = np.ones((features + 1, WIDTH), dtype)
        self.later = []  # of each layer but the first: weights and biases [outputs, inputs + 1]
        while f"mlp/linear_{len(self.later) + 1}/w" in theta:
            path = f"mlp/linear_{len(self.later) + 1}"
            w = theta[f"{path}/w"]
            self.later.append(np.concatenate([w, theta.get(f"{path}/b", np.zeros(w.shape[1], w.dtype))[None]]).T.copy())
        self.hidden = [np.ones((w.shape[1], WIDTH), dtype) for w in self.later]
        self.zeros = np.zeros(WIDTH, dtype)  # a row: NumPy's maximum of an array and the number 0 takes three times as long

    def shared(self, scale, shared):
        """Set what all columns of a tensor have in common: factors of the features [features], other inputs [others]."""
        w, b = self.theta["mlp/linear_0/w"], self.theta["mlp/linear_0/b"]
        own, others = w[: self.features] * scale.astype(w.dtype)[:, None], w[self.features :].T @ shared.astype(w.dtype) + b
        self.first = np.concatenate([own, others[None]]).T.copy()

    def __call__(self, n):
        """The outputs [outputs, n] for the first n columns of x."""
        w, x = self.first, self.x[:, :n]
        for later, hidden in zip(self.later, self.hidden):
            h = hidden[:-1, :n]
            np.matmul(w, x, out=h)
            np.maximum(h, self.zeros[:n], out=h)
            w, x = later, hidden[:, :n]
        return w @ x

    def normalised(self, n, averages, fill, shared):
        """Pairs (slice, outputs) over n numbers; a feature is normalised by x rsqrt(1e-5 + mean(x^2)).

        averages(at): brings averages up to date; fill(x, at): writes features [features, numbers]; shared(): inputs that all
        numbers have, once the averages are there.
        """
        pieces, squares, x = _pieces(n), np.zeros(self.features), self.x[: self.features]
        for at in pieces:
            averages(at)
            part = x[:, : at.stop - at.start]
            fill(part, at)
            squares += _squares(part)
        self.shared(_rsqrt(1e-5 + squares / n), shared())
        for at in pieces:
            if len(pieces) > 1:
                fill(x[:, : at.stop - at.start], at)
            yield at, self(at.stop - at.start)


def _move(p, outputs, out):
    """p <- p - direction exp(.001 magnitude) .001, the first two of outputs [outputs, n]."""
    step = np.multiply(outputs[1], 0.001, out=outputs[1])
    np.exp(step, out=step)
    step *= outputs[0]
    step *= 0.001
    np.subtract(p, step, out=out)


def _moved(network, p, averages, fill, shared):
    """The parameters [n] moved by the network's outputs."""
    moved = np.empty_like(p)
    for at, outputs in network.normalised(p.size, averages, fill, shared):
        _move(p[at], outputs, moved[at])
    return moved


def _cell(theta, path, x, h, c):
    """One step of an LSTM on columns: gates (i, j, f, o) = w^T [x; h] + b, forget bias 1."""
    gates = theta[f"{path}/w_gates"].T @ np.concatenate([x, h]) + theta[f"{path}/b_gates"][:, None]
    i, j, f, o = np.split(gates, 4)
    c = _sigmoid(f + 1) * c + _sigmoid(i) * np.tanh(j)
    return _sigmoid(o) * np.tanh(c), c


def _each(tensor):
    """An update that treats every tensor by itself: `tensor(theta, g, state, p, step) -> (p, state)`."""

    def update(theta, grads, state, params, step, losses, steps):
        done = {path: tensor(theta, grads[path], state[path], p, step) for path, p in params.items()}
        return {path: p for path, (p, _) in done.items()}, {path: s for path, (_, s) in done.items()}

    return update


def _each_by_network(features, tensor):
    """`_each` for rules with one network of so many features: `tensor(theta, network, g, state, p, step)`."""

    def update(theta, grads, state, params, step, losses, steps):
        network = _Network(theta, features, next(iter(params.values())).dtype)
        by_network = lambda theta, *arguments: tensor(theta, network, *arguments)  # noqa: E731
        return _each(by_network)(theta, grads, state, params, step, losses, steps)

    return update


def _each_init(tensor):
    return lambda theta, params: {path: tensor(p) for path, p in params.items()}


# Rules with few weights.


def _sgd(theta, g, state, p, step):
    return p - np.exp(theta["log_learning_rate"]) * g, {}


def _sgdm(theta, g, state, p, step):
    u = -np.expm1(theta["log_one_minus_beta"]) * state["u"] + g
    return p - np.exp(theta["log_learning_rate"]) * u, {"u": u}


def _adam(theta, g, state, p, step):
    moments, weights, t = [], [], state.get("step", step) + 1
    for x, old, name in ((g, state["m"], "log_one_minus_beta1"), (g * g, state["v"], "log_one_minus_beta2")):
        fraction = np.exp(theta[name])
        moments.append(old + fraction * (x - old))
        weights.append(-np.expm1(t * np.log1p(-fraction)))
    rate = np.exp(theta["log_learning_rate"]) * np.sqrt(weights[1]) / weights[0]
    p = p - rate * moments[0] / (np.sqrt(moments[1]) + np.exp(theta["log_epsilon"]))
    return p, {"m": moments[0], "v": moments[1], "step": t}


# mlp: Metz et al. 2018 (arXiv 1810.10180), as carried on in 2022 (arXiv 2203.11860); mlp2019: as released with the former.

MLP_DECAYS = (0.1, 0.5, 0.9, 0.99, 0.999, 0.9999)
MLP2019_DECAYS = (0.5, 0.9, 0.99, 0.999, 0.9999)
MLP2019_TIMES = (3, 10, 30, 100, 300, 1e3, 3e3, 1e4, 3e5)


def _mlp(theta, network, g, state, p, step):
    old, m = _flat_averages(state["m"], len(MLP_DECAYS))
    fractions, g, w = 1 - np.array(MLP_DECAYS), g.ravel(), p.ravel()

    def averages(at):
        _average(old[:, at], g[at], fractions, m[:, at])

    def fill(x, at):
        x[0], x[1], x[2:] = g[at], w[at], m[:, at]

    moved = _moved(network, w, averages, fill, lambda: _tanh_time(step, p.dtype))
    return moved.reshape(p.shape), {"m": m.reshape(state["m"].shape)}


def _both_averages(state, g, decays):
    """(m, rms, function that brings them up to date) for averages of the gradient [n] and of its square, [decays, n] each."""
    (old_m, m), (old_rms, rms) = (_flat_averages(state[slot], len(decays)) for slot in ("m", "rms"))
    fractions = 1 - np.array(decays)

    def averages(at):
        _average(old_m[:, at], g[at], fractions, m[:, at])
        _average(old_rms[:, at], g[at] * g[at], fractions, rms[:, at])

    return m, rms, averages


def _mlp2019(theta, network, g, state, p, step):
    g, w = g.ravel(), p.ravel()
    m, rms, averages = _both_averages(state, g, MLP2019_DECAYS)

    def fill(x, at):
        x[0], x[6], x[7:12], x[12:17] = g[at], w[at], m[:, at], rms[:, at]
        _inverse_root(x[12:17], 1e-6, x[17:])
        np.multiply(x[7:12], x[17:], out=x[1:6])

    moved = _moved(network, w, averages, fill, lambda: _tanh_time(step, p.dtype, MLP2019_TIMES))
    return moved.reshape(p.shape), {"m": m.reshape(state["m"].shape), "rms": rms.reshape(state["rms"].shape)}


# adafac_mlp: "small_fc" of Metz et al. 2022 (arXiv 2203.11860); factored moments of Shazeer and Stern 2018 (arXiv 1804.04235).

ADAFAC_DECAYS = {"m": (0.9, 0.99, 0.999), "rms": (0.999,), "factored": (0.9, 0.99, 0.999)}


def _largest_axes(shape):
    """The largest and the second largest axis; of equal ones the later counts as larger."""
    return sorted(range(len(shape)), key=lambda axis: (shape[axis], axis))[:-3:-1]


def _factors(x):
    """[row, column] means of x [1, *shape], or [x] where it has fewer than two axes."""
    if x.ndim < 3:
        return [x]
    return [np.mean(x, axis=1 + axis, keepdims=True) for axis in _largest_axes(x.shape[1:])]


def _adafac_start(p):
    factors = _factors(_zeros(p, 1))
    second = [np.repeat(f, len(ADAFAC_DECAYS["factored"]), axis=0) for f in factors]
    return {"m": _zeros(p, len(ADAFAC_DECAYS["m"])), "rms": _zeros(p, 1), "row": second[0], "col": second[-1]}


def _adafac_scales(row, col, shape):
    """What g and m are multiplied with."""
    if len(shape) < 2:
        return _rsqrt(row + 1e-9), _rsqrt(row + 1e-6)
    mean = np.mean(row, axis=1 + _largest_axes(shape)[1], keepdims=True)
    both = _rsqrt(np.maximum(row / (mean + 1e-9), 1e-9)) * _rsqrt(np.maximum(col, 1e-9))
    return both, both


def _adafac_mlp(theta, network, g, state, p, step):
    v, w, fractions = _vectors(g), _vectors(p), {}
    for kind, decays in ADAFAC_DECAYS.items():
        fractions[kind] = (1 - np.array(decays)) * np.exp(10 * theta[f"decay_offsets/{kind}"])
        if kind != "m":
            fractions[kind] = np.clip(fractions[kind], 0, 1)
    factors = _factors((v * v)[None] + np.asarray(1e-30, p.dtype))
    row, col = (_average(state[s], f, fractions["factored"]) for s, f in (("row", factors[0]), ("col", factors[-1])))
    # What rows and columns have is spread over the tensor where a piece of it is worked on.
    few = [*_adafac_scales(row, col, v.shape), row, col, _rsqrt(row + 1e-8), _rsqrt(col + 1e-8)]
    spread = [np.broadcast_to(x, (3, *v.shape)) for x in few]
    (old_m, m), (old_rms, rms) = (_flat_averages(state[slot], len(ADAFAC_DECAYS[slot])) for slot in ("m", "rms"))
    g, w = g.ravel(), w.ravel()

    def averages(at):
        _average(old_m[:, at], g[at], fractions["m"], m[:, at])
        _average(old_rms[:, at], g[at] * g[at], fractions["rms"], rms[:, at])

    def fill(x, at):
        scale_g, scale_m, *others = (_piece(block, at) for block in spread)
        x[0], x[1], x[2:5], x[5:6] = g[at], w[at], m[:, at], rms[:, at]
        _inverse_root(x[5:6], 1e-6, x[9:10])
        np.multiply(x[2:5], x[9:10], out=x[6:9])
        np.multiply(scale_g, x[0], out=x[10:13])
        x[13:16], x[16:19], x[19:22], x[22:25] = others
        np.multiply(scale_m, x[2:5], out=x[25:])

    moved = _moved(network, w, averages, fill, lambda: _tanh_time(step, p.dtype))
    new = {"m": m.reshape(state["m"].shape), "rms": rms.reshape(state["rms"].shape), "row": row, "col": col}
    return moved.reshape(p.shape), new


def _piece(block, at):
    """Numbers `at` of each feature of block [features, *shape], which may be broadcast: only the rows around them are copied."""
    start, stop = at.start, at.stop
    while block.ndim > 2:
        inner = math.prod(block.shape[2:])
        first, last = start // inner, -(-stop // inner)
        start, stop = start - first * inner, stop - first * inner
        if last - first > 1:
            return block[:, first:last].reshape(len(block), -1)[:, start:stop]
        block = block[:, first]
    return block[:, start:stop]


# lstm: Andrychowicz et al. 2016 (arXiv 1606.04474).

LSTM_HIDDEN = 20


def _lstm_start(p):
    return {f"lstm_{i}": {part: np.zeros((LSTM_HIDDEN, p.size), p.dtype) for part in "hc"} for i in range(2)}


def _lstm(theta, g, state, p, step):
    g, moved, old, new = g.ravel(), np.empty(p.size, p.dtype), [], []
    for i in range(2):
        old.append(state[f"lstm_{i}"])
        new.append({part: np.empty_like(x) for part, x in old[i].items()})
    inputs = [np.ones((size + LSTM_HIDDEN + 1, WIDTH), p.dtype) for size in (2, LSTM_HIDDEN)]
    weights, gates = [_gate_weights(theta, f"lstm_{i}") for i in range(2)], np.empty((4 * LSTM_HIDDEN, WIDTH), p.dtype)
    for at in _pieces(p.size):
        n, limit = at.stop - at.start, math.exp(-10)
        part, size = g[at], np.abs(g[at])
        large = size >= limit
        x = [np.where(large, np.log(np.maximum(size, limit)) / 10, -1), np.where(large, np.sign(part), part / limit)]
        for i in range(2):
            inputs[i][: len(x), :n], inputs[i][len(x) : -1, :n] = x, old[i]["h"][:, at]
            y = np.matmul(weights[i], inputs[i][:, :n], out=gates[:, :n])
            np.tanh(y, out=y)
            h, c = new[i]["h"][:, at], new[i]["c"][:, at]
            in_, candidate, forget, out = np.split(y, 4)
            for gate in (in_, forget, out):  # sigmoid(x) = (1 + tanh(x / 2)) / 2
                np.multiply(gate, 0.5, out=gate)
                np.add(gate, 0.5, out=gate)
            np.multiply(forget, old[i]["c"][:, at], out=c)
            candidate *= in_
            c += candidate
            np.multiply(out, np.tanh(c, out=candidate), out=h)
            x = h
        moved[at] = p.ravel()[at] + 0.1 * _linear(theta, "linear", x)[0]
    return moved.reshape(p.shape), {f"lstm_{i}": one for i, one in enumerate(new)}


def _gate_weights(theta, path):
    """Weights and biases [4 hidden, inputs + 1] of the gates (i, j, f, o); of those behind a sigmoid, half. Forget bias 1."""
    weights = np.concatenate([theta[f"{path}/w_gates"], theta[f"{path}/b_gates"][None]])
    i, j, f, o = np.split(weights.T.copy(), 4)
    f[:, -1] += 1
    return np.concatenate([i / 2, j, f / 2, o / 2])


# hierarchical: Metz et al. 2020 (arXiv 2009.11243).

HIERARCHICAL_DECAYS = (0.5, 0.9, 0.99, 0.999, 0.9999)
CORRECTED = {"train": 0.9, "validation": 0.95}  # decays of the bias-corrected averages of losses
CLIP_DECAY = 0.99  # of the average of a tensor's root mean square, which may have started late


def _hierarchical_init(theta, params):
    dtype, n = next(iter(params.values())).dtype, len(HIERARCHICAL_DECAYS)
    one = {name: theta[f"initial_state/{name}"][:, None] for name in ("h", "c", "by_parameters", "by_lstms")}
    to_all, zero = one.pop("by_lstms"), np.zeros((), dtype)
    one |= {"clip": zero, "clip_weight": zero}
    tensors = {path: {"m": _zeros(p, n), "rms": _zeros(p, n), **one} for path, p in params.items()}
    losses = {name: zero for name in ("mean", "variance", "validation")}
    return {"tensors": tensors, "by_lstms": to_all, "losses": losses, "totals": {name: zero for name in CORRECTED}}


def _corrected(old, x, total):
    """A bias-corrected average: a <- a + (x - a) / W, W = 1 + d W before it being the sum of all weights."""
    return old + (x - old) / total


MOST_SQUARED_LOSS = 1e15  # the squares of larger ones could overflow in float32


def _losses_seen(old, loss, validation_loss, totals):
    """(the two features of the losses, their averages). Losses too large to be squared count as the average so far."""
    usable = ((loss, old["mean"]), (validation_loss, old["validation"]))
    loss, validation_loss = (x if abs(x) <= MOST_SQUARED_LOSS else average for x, average in usable)
    mean = _corrected(old["mean"], loss, totals["train"])
    variance = _corrected(old["variance"], (loss - mean) ** 2, totals["train"])
    validation = _corrected(old["validation"], validation_loss, totals["validation"])
    features = (np.stack([loss, validation]) - mean) * _rsqrt(variance + 1e-8)
    return np.clip(features, -5, 5), {"mean": mean, "variance": variance, "validation": validation}


def _norm(x):
    return np.sqrt(np.sum(x * x))


def _variance(x, mean, pieces):
    total = 0.0
    for at in pieces:
        d = x[:, at] - mean
        total += np.vdot(d, d)
    return total / x.size


def _statistics(m, rms, p, g, losses):
    """The 18 statistics of a tensor, as a column; m, rms [decays, n], g [n]."""
    blocks, pieces, lengths = (m, rms, p.reshape(1, -1)), _pieces(p.size), [*_vectors(p).shape, 1, 1, 1]
    means = np.array([np.mean(x) for x in blocks])
    numbers = np.stack([np.clip(_log_abs(means), -5, 5), np.sign(means)], 1).ravel().tolist()
    numbers += [np.clip(_log_abs(_variance(x, mean, pieces)), -5, 5) for x, mean in zip(blocks, means)]
    numbers += [_norm(p), _norm(g), float(p.ndim == 0)]
    numbers += [math.log(1e-8 + n) - 1 for n in (*lengths[:3], math.prod(lengths[3:]))]
    return np.array([*numbers, *losses], p.dtype)[:, None]


def _hierarchical_tensor(theta, network, g, old, p, step, by_lstms, losses, tensors):
    """(p, state, what the tensor's LSTM says to all)."""
    weight = np.asarray(1 + CLIP_DECAY * old["clip_weight"], p.dtype)
    clip = _corrected(old["clip"], np.sqrt(np.mean(g * g)), weight)
    g, w, state = np.clip(g.ravel(), -10 * clip, 10 * clip), p.ravel(), {"clip": clip, "clip_weight": weight}
    m, rms, averages = _both_averages(old, g, HIERARCHICAL_DECAYS)

    def fill(x, at):
        x[0], x[1], x[3:8], x[13:18] = g[at], w[at], m[:, at], rms[:, at]
        np.abs(x[1], out=x[2])
        x[2] += 1e-8
        np.log(x[2], out=x[2])
        _inverse_root(x[13:18], 1e-6, x[18:])
        np.multiply(x[3:8], x[18:], out=x[8:13])

    def shared():
        x = np.concatenate([_statistics(m, rms, p, g, losses), by_lstms, old["by_parameters"]])
        state["h"], state["c"] = _cell(theta, "lstm", x, old["h"], old["c"])
        logs = [math.log(1e-8 + tensors) - 1, _log_abs(_norm(p)), math.log(1e-8 + p.size)]
        time = np.sin(step / (np.pi * np.array(TIMES)))
        return np.concatenate([time, logs, _linear(theta, "to_parameters", state["h"])[:, 0]])

    moved, said = np.empty_like(w), 0.0
    for at, outputs in network.normalised(p.size, averages, fill, shared):
        said = said + outputs[2:].sum(axis=1, keepdims=True)
        _move(w[at], outputs, moved[at])
    state |= {"m": m.reshape(old["m"].shape), "rms": rms.reshape(old["rms"].shape), "by_parameters": said / p.size}
    return moved.reshape(p.shape), state, _linear(theta, "to_lstms", state["h"])


def _hierarchical(theta, grads, state, params, step, losses, steps):
    dtype = next(iter(params.values())).dtype
    totals = {name: np.asarray(1 + decay * state["totals"][name], dtype) for name, decay in CORRECTED.items()}
    features, averages = _losses_seen(state["losses"], *(np.asarray(x, dtype) for x in losses), totals)
    moved, tensors, to_all, network = {}, {}, [], _Network(theta, 3 + 4 * len(HIERARCHICAL_DECAYS), dtype)
    for path, p in params.items():
        shared = step, state["by_lstms"], features, len(params)
        arguments = theta, network, grads[path], state["tensors"][path], p
        moved[path], tensors[path], said = _hierarchical_tensor(*arguments, *shared)
        to_all.append(said)
    return moved, {"tensors": tensors, "by_lstms": np.mean(to_all, axis=0), "losses": averages, "totals": totals}


# anchored: NAdam with a learned correction, and a controller of step sizes for each tensor (learned/optimizers/anchored.py has
# the formulas and their sources).

ANCHORED_DECAYS = {"m": np.array([0.5, 0.9, 0.99]), "v": np.array([0.95, 0.999])}
ANCHORED_FRACTIONS = np.array([0.03, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 1.1])
ANCHORED_TRENDS = 6
MOST_LOSS = 1e30  # larger ones, whose sums could overflow in float32, count as not finite


def _anchored_init(theta, params):
    dtype = next(iter(params.values())).dtype
    statistics = {"cosine": 0.0, "square": np.zeros(2), "step": 0}  # step: those of this tensor, which may have started late
    tensors = {
        path: {"m": np.zeros((3, p.size), dtype), "v": np.zeros((2, p.size), dtype), **statistics} for path, p in params.items()
    }
    zeros = np.zeros(ANCHORED_TRENDS)
    return {"tensors": tensors, "losses": {"mean": zeros, "weight": zeros, "least": zeros, "first": 0.0}}


def _anchored_trends(old, loss, steps):
    """(5 trends of the loss, its averages)."""
    half_lives = 10 * max(steps / 10, 1) ** (np.arange(ANCHORED_TRENDS) / (ANCHORED_TRENDS - 1))
    share = -np.expm1(-math.log(2) / half_lives)  # of the new loss; 1 - .5^(1 / half_life) would be rounding in long runs
    first, mean, weight = old["first"], old["mean"], old["weight"]
    if abs(loss) <= MOST_LOSS:
        first = first if weight[0] > 0 else loss
        mean, weight = mean + share * (loss - first - mean), weight + share * (1 - weight)
    average = mean / np.maximum(weight, 1e-12)
    least = np.minimum(old["least"], average)
    above, slower = average[:-1] - least[:-1], np.maximum(average[1:] - least[:-1], 0)
    rounding = 1e-6 * (np.abs(first) + np.abs(average[:-1]) + np.abs(average[1:])) + 1e-30
    averages = {"mean": mean, "weight": weight, "least": least, "first": first}
    return np.clip((above + rounding) / (slower + rounding) - 1, -1, 1), averages


def _anchored_directions(network, g, p, old, t, r, s):
    """(u [n], mean squares of u and of m / sqrt(v), new m, new v) of a tensor, WIDTH numbers after the other.

    Features are written without what they are divided by, if it is one number: that is part of the first layer's weights.
    """
    dm, dv, n = ANCHORED_DECAYS["m"], ANCHORED_DECAYS["v"], g.size
    noise = np.sqrt((1 - dm) / (1 + dm) * (1 + dm**t) * (1 - dm**t))  # of m, not corrected
    lacking, seen = 1 - dv**t, np.array([1, *(1 / noise)])
    fast, slow = np.sqrt(lacking)
    ahead, now = (p.dtype.type(slow * x) for x in (0.9 / (1 - 0.9 ** (t + 1)), 0.1 / (1 - 0.9**t)))  # of NAdam's direction
    if network:
        network.shared(np.concatenate([seen / r, seen * fast, seen * slow, [1 / s, 1 / (slow * r)]]), np.zeros(0))
    memory = network.x if network else np.empty((14, min(WIDTH, n)), p.dtype)
    m, v, u, squares = np.empty_like(old["m"]), np.empty_like(old["v"]), np.empty_like(g), np.zeros(4)
    for at in _pieces(n):
        x, part, moved = memory[:, : at.stop - at.start], g[at], u[at]
        _average(old["m"][:, at], part, 1 - dm, m[:, at])
        _average(old["v"][:, at], np.multiply(part, part, out=moved), 1 - dv, v[:, at])
        inverse = np.empty((2, part.size), p.dtype)
        _inverse_root(v[:, at], (1e-18 * lacking).astype(p.dtype)[:, None], inverse)
        np.multiply(m[:, at], inverse[1], out=x[9:12])
        np.multiply(m[1, at], ahead, out=moved)
        moved += now * part
        moved *= inverse[1]
        if network:
            x[0], x[1:4], x[12] = part, m[:, at], p[at]
            np.multiply(x[:4], inverse[0], out=x[4:8])
            np.multiply(part, inverse[1], out=x[8])
            np.multiply(v[1, at], inverse[1], out=x[13])
            moved += network(part.size)[0]
        squares += [np.vdot(row, row) for row in (moved, *x[9:12])]
    return u, squares / n * [1, *(seen[1:] * slow) ** 2], m, v


def _anchored_sizes(g, p, m, old, t, mean_square_of_all):
    """(RMS of p, no less than a tenth of that of all; mean square of g (slow and fast average); the state of both) of a tensor.

    m: the average of gradients (.9) before this one; t: the tensor's steps with this one.
    """
    mean = lambda x, y: float(np.vdot(x, y)) / p.size  # noqa: E731
    square = old["square"] + (1 - ANCHORED_DECAYS["v"]) * (mean(g, g) - old["square"])
    cosine = mean(g, m) / (_root(mean(g, g)) * _root(mean(m, m)))
    size = np.sqrt(mean(p, p) + 0.01 * mean_square_of_all + 1e-16)
    fast, slow = square / (1 - ANCHORED_DECAYS["v"] ** t)
    return size, slow, fast, {"cosine": old["cosine"] + 0.1 * (cosine - old["cosine"]), "square": square, "step": t}


def _root(x):
    return np.sqrt(x + 1e-18)


def _anchored_controlled(theta, shared, shape, size, slow, fast, cosine, squares, tensors, *more):
    """The controller's outputs for a tensor. squares: mean squares of its direction and of m / sqrt(v); more: other readings."""
    axes, logs, size_of = sum(n > 1 for n in shape), np.log(squares + 1e-6) / 6, math.log(math.prod(shape)) / 5 - 1
    x = [*shared, cosine, np.log((fast + 1e-18) / (slow + 1e-18)) / 2, *logs[1:]]
    x += [logs[0] - np.log(size) / 3, np.log(size) / 3, size_of, axes <= 1, axes > 2, math.log(tensors) - 1, *more]
    h = np.maximum(_linear(theta, "controller/linear_0", np.array(x, float)[:, None]), 0)
    return _linear(theta, "controller/linear_1", h)[:, 0]


def _anchored_rate(theta, c1, c2, size, square, length):
    """What a direction of this mean square is multiplied by."""
    share = _sigmoid(3 * c2 + math.log(0.05 / 0.95))
    rate = 0.01 * np.exp(np.clip(3 * (c1 + theta["power"] * np.log(size) + length), -10, 10))
    return rate * (1 - share + share / _root(square))


def _anchored_tensor(theta, network, g, old, p, step, shared, mean_square_of_all, tensors, length):
    shape, p, g, t = p.shape, p.ravel(), np.clip(g.ravel(), -1e12, 1e12), int(old.get("step", step)) + 1
    size, slow, fast, new = _anchored_sizes(g, p, old["m"][1], old, t, mean_square_of_all)
    u, squares, m, v = _anchored_directions(network, g, p, old, t, _root(slow), size)
    cosine = new["cosine"] / (1 - 0.9**t)
    c1, c2 = _anchored_controlled(theta, shared, shape, size, slow, fast, cosine, squares, tensors)
    u *= p.dtype.type(_anchored_rate(theta, c1, c2, size, squares[0], length))
    return (p - u).reshape(shape), {"m": m, "v": v, **new}


def _anchored(theta, grads, state, params, step, losses, steps):
    dtype = next(iter(params.values())).dtype
    network = _Network(theta, 14, dtype) if "mlp/linear_2/w" in theta else None
    by_network = lambda theta, *arguments: _anchored_tensor(theta, network, *arguments)  # noqa: E731
    return _anchored_each(by_network, theta, grads, state, params, step, losses, steps)


def _anchored_each(tensor, theta, grads, state, params, step, losses, steps):
    """An update that treats every tensor by itself, with what all of them share."""
    trends, averages = _anchored_trends(state["losses"], float(losses[0]), steps)
    shared = [*np.tanh(10 * (min(step / steps, 1) - ANCHORED_FRACTIONS)), *trends]
    usual = sum(p.shape[-1] for p in params.values() if p.ndim > 1)  # the sum of squares of matrices with 1 / inputs
    of_all = sum(float(np.vdot(p, p)) for p in params.values())
    of_all = (usual if of_all < 1e-10 * usual else of_all) / sum(p.size for p in params.values())  # models that start at 0
    length, done = theta.get("length", 0.0) * math.log(steps / 2000), {}
    for path, p in params.items():
        done[path] = tensor(theta, grads[path], state["tensors"][path], p, step, shared, of_all, len(params), length)
    return {path: p for path, (p, _) in done.items()}, {"tensors": {path: s for path, (_, s) in done.items()}, "losses": averages}


# anchored_muon: NAdam's direction and, of matrices, the orthogonal one of Muon beside it, by the same controller
# (learned/optimizers/anchored_muon.py has the formulas and their sources).

ANCHORED_MUON_DECAYS = np.array([0.9, 0.99])
NEWTON_SCHULZ, GROUPS = (3.4445, -4.7750, 2.0315), (2, 3)  # five iterations; those of a group share a Gram matrix
BLOCK = 128  # rows of a matrix that are made orthogonal to one another, at most


def _anchored_muon_init(theta, params):
    state = _anchored_init(theta, params)
    for tensor in state["tensors"].values():
        tensor["m"], tensor["v"] = tensor["m"][:2], tensor["v"][0]
    return state


def _orthogonal(matrix):
    """Nearly U V' of the singular value decomposition U S V' of each block of at most BLOCK rows, those of the smaller side.

    By five Newton-Schulz iterations. Rows of zeros fill up the last block.
    """
    lying = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    rows, columns = lying.shape
    count = -(-rows // BLOCK)
    high = -(-rows // count)
    x = np.pad(lying, ((0, count * high - rows), (0, 0))).reshape(count, high, columns)
    mean_square = np.mean(x * x, axis=(1, 2), keepdims=True, dtype=np.float64)
    x = _newton_schulz(x / (_root(mean_square) * math.sqrt(high * columns)).astype(x.dtype))
    x = x.reshape(count * high, columns)[:rows]
    return x if lying is matrix else x.T


def _newton_schulz(x):
    a, b, c = NEWTON_SCHULZ
    identity = np.eye(x.shape[1], dtype=x.dtype)
    for iterations in GROUPS:
        gram, product = x @ x.swapaxes(1, 2), None
        for i in range(iterations):
            factor = a * identity + b * gram + c * gram @ gram
            product = factor if product is None else factor @ product
            if i < iterations - 1:
                gram = factor @ gram @ factor
        x = product @ x
    return x


def _anchored_muon_directions(g, old, t):
    """(n, the average of gradients in it [n] each, mean squares of n and of g, m / sqrt(v), new m, new v) of a tensor."""
    decays = ANCHORED_MUON_DECAYS
    m = _average(old["m"], g, 1 - decays)
    v = old["v"] + g.dtype.type(0.001) * (g * g - old["v"])
    inverse = np.empty_like(v)
    _inverse_root(v * g.dtype.type(1 / (1 - 0.999**t)), g.dtype.type(1e-18), inverse)
    ahead, now = (g.dtype.type(x) for x in (0.9 / (1 - 0.9 ** (t + 1)), 0.1 / (1 - 0.9**t)))
    average = ahead * m[0] + now * g
    n, in_noise = average * inverse, m * inverse
    noise = np.sqrt((1 - decays) / (1 + decays) * (1 + decays**t) * (1 - decays**t))  # of m, not corrected
    squares = [float(np.vdot(x, x)) / g.size for x in (n, g * inverse, *in_noise)]
    return n, average, np.array(squares) / [1, 1, *noise**2], m, v


def _anchored_muon_tensor(theta, g, old, p, step, shared, mean_square_of_all, tensors, length):
    shape, p, g, t = p.shape, p.ravel(), np.clip(g.ravel(), -1e12, 1e12), int(old.get("step", step)) + 1
    size, slow, fast, new = _anchored_sizes(g, p, old["m"][0], old, t, mean_square_of_all)
    n, average, squares, m, v = _anchored_muon_directions(g, old, t)
    rows, columns = (p.size // shape[-1], shape[-1]) if len(shape) > 1 else (1, 1)
    o = n
    if min(rows, columns) > 1:
        o = _orthogonal(average.reshape(rows, columns)).ravel() * p.dtype.type(0.35 * math.sqrt(max(rows, columns)))
    both, of_o = (float(np.vdot(x, o)) / p.size for x in (n, o))
    alike = both / (_root(squares[0]) * _root(of_o))
    cosine = new["cosine"] / (1 - 0.9**t)
    c1, c2, c3 = _anchored_controlled(theta, shared, shape, size, slow, fast, cosine, squares, tensors, alike)
    b = _sigmoid(3 * c3 + math.log(9))
    square = max((1 - b) ** 2 * squares[0] + 2 * b * (1 - b) * both + b**2 * of_o, 0.0)  # rounding may leave it below 0
    u = n + p.dtype.type(b) * (o - n)
    u *= p.dtype.type(_anchored_rate(theta, c1, c2, size, square, length))
    return (p - u).reshape(shape), {"m": m, "v": v, **new}


def _anchored_muon(*arguments):
    return _anchored_each(_anchored_muon_tensor, *arguments)


RULES = {
    "learnable_sgd": (_each_init(lambda p: {}), _each(_sgd)),
    "learnable_sgdm": (_each_init(lambda p: {"u": np.zeros_like(p)}), _each(_sgdm)),
    "learnable_adam": (_each_init(lambda p: {"m": np.zeros_like(p), "v": np.zeros_like(p), "step": 0}), _each(_adam)),
    "mlp": (_each_init(lambda p: {"m": _zeros(p, len(MLP_DECAYS))}), _each_by_network(2 + len(MLP_DECAYS), _mlp)),
    "mlp2019": (
        _each_init(lambda p: {s: _zeros(p, len(MLP2019_DECAYS)) for s in ("m", "rms")}),
        _each_by_network(2 + 4 * len(MLP2019_DECAYS), _mlp2019),
    ),
    "adafac_mlp": (_each_init(_adafac_start), _each_by_network(28, _adafac_mlp)),
    "lstm": (_each_init(_lstm_start), _each(_lstm)),
    "hierarchical": (_hierarchical_init, _hierarchical),
    "anchored": (_anchored_init, _anchored),
    "anchored_muon": (_anchored_muon_init, _anchored_muon),
}
