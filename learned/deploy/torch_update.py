"""Learned optimizers in PyTorch: this file and an .npz of weights are all that is needed to use one.

    optimizer = load("weights.npz", model.parameters(), steps=10_000)  # of the whole training
    for x, y in batches:
        loss = loss_of(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step(loss=loss)                                      # or step(closure)

`LearnedOptimizer` is a `torch.optim.Optimizer`: parameter groups, `state_dict` and `load_state_dict` work as usual. A training is
resumed with the `steps` that the new optimizer is made with, which may be more than before. Past them the rule stays at the end
of its schedule, and warns. A parameter without a gradient stays as it is, and so does its state. State and computation are
float64 where a parameter is, else float32; bfloat16 and float16 parameters are rounded once, at the end of a step. There is no
learning rate. Arguments that don't fit raise ValueError. Part of the state is the run's and no parameter's, which
torch.distributed.checkpoint does not know: there, save and load `state_dict()` as it is.

weight_decay, an option of a group, is decoupled: a parameter is multiplied by 1 - weight_decay before each step, in its own
dtype: half precision rounds this as well, and loses decays below 1/512 (bfloat16) or 1/4096 (float16).

vectors, another option of a group: whether its parameters count as vectors whatever their shape, so that `anchored_muon` moves
them along NAdam's direction: {"params": embedding.parameters(), "vectors": True}. The first axis of a matrix is taken for its
outputs, as in Linear and Conv; that of an Embedding counts its inputs. Where a vocabulary is large, and parameters start small,
steps are larger than those of the other frameworks unless embeddings are `vectors`.

The .npz is what `python -m learned export --format torch` writes.
"""

from __future__ import annotations

import io
import json
import math
import numbers
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

try:
    import torch
except ModuleNotFoundError as error:
    if error.name != "torch":  # it is here, and lacks something
        raise
    raise ModuleNotFoundError("torch_update.py needs PyTorch: pip install torch", name="torch") from error

_OPTIONS = (
    "params",
    "weight_decay",
    "vectors",
    "rule",
    "lr",
    "initial_lr",
    "param_names",
    "differentiable",
)  # of a group; a user gives three


class LearnedOptimizer(torch.optim.Optimizer):
    """A rule with its weights.

    params: as for any optimizer of PyTorch, parameters or groups, on one device. name: of the rule; theta: {path: array};
    steps: of the whole training, needed where the rule reads them; weight_decay, vectors: of groups that don't have their own.
    reads_loss, reads_steps: whether the rule needs the train loss in `step`, and `steps`.
    """

    def __init__(
        self,
        params: Iterable[Any],
        name: str,
        theta: dict[str, Any],
        steps: int | None = None,
        weight_decay: float = 0.0,
        vectors: bool = False,
        **other: Any,
    ) -> None:
        if other:
            raise ValueError(
                f"argument {next(iter(other))!r} of {name}: allowed are steps, weight_decay, vectors; it has no learning rate"
            )
        self.reads_loss = self.reads_steps = name in ("anchored", "anchored_muon")
        self._weights, self.name, self._planned = _effective(_checked(name, theta, RULES, steps, self.reads_steps)), name, steps
        self._scratch: dict[Any, Any] = {}
        self._warned = False
        super().__init__(params, {"weight_decay": weight_decay, "vectors": vectors, "rule": name, "lr": 1.0})

    @property
    def steps(self) -> int | None:
        """How many steps the training is planned to have, or None; it can be set while training."""
        return self._planned

    @steps.setter
    def steps(self, value: int | None) -> None:
        _checked(self.name, {}, RULES, value, self.reads_steps)
        self._planned, self._warned = value, False

    def __repr__(self) -> str:
        groups = [
            f"group {i}: {sum(p.numel() for p in group['params'])} numbers in {len(group['params'])} tensors, "
            f"weight_decay {group['weight_decay']}"
            for i, group in enumerate(self.param_groups)
        ]
        return f"{type(self).__name__}({self.name}, steps={self.steps}; {'; '.join(groups)})"

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """As in any optimizer of PyTorch; the parameters must be dense floats on one device."""
        super().add_param_group(param_group)
        try:
            self._check_group(self.param_groups[-1])
        except ValueError:
            self.param_groups.pop()  # what is refused isn't trained
            raise

    def _check_group(self, group):
        self._check_options(group)
        decay = group["weight_decay"]
        if not isinstance(decay, numbers.Real) or not 0 <= decay < 1:
            raise ValueError(f"weight_decay {decay!r}: allowed is at least 0 and below 1, the share that a step takes away")
        devices = {str(p.device) for group in self.param_groups for p in group["params"]}
        if len(devices) > 1:
            raise ValueError(f"parameters on {' and '.join(sorted(devices))}: allowed is one device")
        for p in group["params"]:
            if not p.is_floating_point():
                raise ValueError(f"parameter of dtype {p.dtype}: allowed are floats; leave out what is not trained")

    def _check_options(self, group):
        strange = [key for key in group if key not in _OPTIONS]
        if strange:
            raise ValueError(
                f"a group of parameters has {strange[0]!r}: {self.name} has weight_decay and vectors, and a state_dict must be "
                "that of a LearnedOptimizer"
            )
        if group.get("rule", self.name) != self.name:  # earlier versions saved none
            raise ValueError(f"a state of {group['rule']}: allowed is one of {self.name}, the rule of this optimizer")
        vectors = group.get("vectors", False)  # earlier versions saved none
        if not isinstance(vectors, bool) or (vectors and self.name != "anchored_muon"):
            raise ValueError(
                f"vectors {vectors!r} of {self.name}: allowed is False, or True of anchored_muon, which tells them apart"
            )
        if group.get("lr", 1) != 1:
            raise ValueError(f"a group of parameters has lr {group['lr']!r}: {self.name} has no learning rate; leave it out")

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None, *, loss: Any = None) -> Any:
        """One step; returns the loss.

        closure: computes the gradients and returns the loss that they come from; or loss: that loss, a scalar.
        """
        if closure is not None and loss is not None:
            raise ValueError("closure and loss: allowed is one of both")
        if closure is not None and not callable(closure):
            raise ValueError(f"closure is a {type(closure).__name__}: allowed is a function; give a loss as step(loss=loss)")
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        if loss is None and self.reads_loss:
            raise ValueError(f"{self.name} reads the train loss: call step(loss=loss) with the one that the gradients come from")
        if loss is not None:
            _check_loss(loss)
        moving = [[p for p in group["params"] if p.grad is not None and p.numel()] for group in self.param_groups]
        for group, own in zip(self.param_groups, moving):  # all of them, before anything is changed
            self._check_moving(group, own)
        for group, own in zip(self.param_groups, moving):
            if group["weight_decay"] and own:
                torch._foreach_mul_(own, 1 - group["weight_decay"])
        if params := [p for own in moving for p in own]:
            self._warn_past()
            with torch.autocast(params[0].device.type, enabled=False):  # it would compute products of matrices in half precision
                RULES[self.name](self, params, loss)
        return loss

    def _warn_past(self):
        step = self.state["run"].get("step", 0)
        if self.reads_steps and step >= self.steps and not self._warned:
            self._warned = True
            warnings.warn(
                f"step {step + 1} of a training planned for steps={self.steps}: {self.name} stays at the end of its schedule; "
                "make it with the steps of the whole training, or set optimizer.steps",
                stacklevel=5,  # the line that called `step`, through its two wrappers
            )

    def _check_moving(self, group, moving):
        if group["lr"] != 1:
            raise ValueError(f"lr {group['lr']!r}: {self.name} has no learning rate; remove the scheduler, or what else sets it")
        for p in moving:
            if p.grad.layout != torch.strided:
                raise ValueError(f"gradient of layout {p.grad.layout}: allowed are dense ones")

    def __getstate__(self) -> dict[str, Any]:
        """What a copy or a pickle has: PyTorch's own would leave out the rule."""
        return {**super().__getstate__(), **{name: self.__dict__[name] for name in _KEPT}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """The optimizer of `__getstate__`."""
        super().__setstate__(state)
        self._scratch = {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what `state_dict` returned. `steps` stays as this optimizer was made."""
        given: dict[str, Any] = {}

        def check(optimizer: torch.optim.Optimizer, seen: dict[str, Any]) -> None:
            self._check_state(seen)
            given.update(seen)

        last = self.register_load_state_dict_pre_hook(check)  # it sees what other hooks have made of the state
        try:
            super().load_state_dict(state_dict)
        finally:
            last.remove()
        # PyTorch casts states to the dtypes of their parameters, those of bfloat16 ones are float32; and it shares the run's.
        params = [p for group in self.param_groups for p in group["params"]]
        saved = [key for group in given["param_groups"] for key in group["params"]]
        for key, p in [*zip(saved, params), ("run", "run")]:
            if key in given["state"]:
                self.state[p] = {name: _copied(value, params[0].device) for name, value in given["state"][key].items()}

    def _check_state(self, state_dict):
        for group in state_dict["param_groups"]:
            self._check_options(group)
        params = [p for group in self.param_groups for p in group["params"]]
        saved = [key for group in state_dict["param_groups"] for key in group["params"]]
        for key, p in zip(saved, params):
            for name in ("m", "v", "u", "rms", "h0", "c0", "h1", "c1"):  # the first axis is their number
                value = state_dict["state"].get(key, {}).get(name)
                if value is not None and value.shape[1:] != p.shape:
                    raise ValueError(
                        f"a state whose {name} is of a parameter of shape {tuple(value.shape[1:])}, for one of shape "
                        f"{tuple(p.shape)}: allowed are the shapes of this optimizer's parameters"
                    )

    def shapes(self, params: Iterable[torch.Tensor]) -> list[torch.Size]:
        """The shapes that the rule sees of parameters: one axis where they count as vectors."""
        vectors = {id(p) for group in self.param_groups if group.get("vectors", False) for p in group["params"]}
        return [torch.Size([p.numel()]) if id(p) in vectors else p.shape for p in params]

    def _dtype(self):
        """What is computed in: float64 where a parameter is, with a gradient or without, else float32."""
        dtypes = (p.dtype for group in self.param_groups for p in group["params"])
        return torch.float64 if torch.float64 in dtypes else torch.float32

    def _theta(self, like):
        key = "theta", like.dtype, like.device
        if key not in self._scratch:
            self._scratch[key] = {path: torch.as_tensor(w).to(like) for path, w in self._weights.items()}
        return self._scratch[key]

    def _buffer(self, name, size, like):
        """A vector of memory that is used again in every step."""
        key = name, like.dtype, like.device
        if key not in self._scratch or len(self._scratch[key]) < size:
            self._scratch[key] = like.new_empty(size)
        return self._scratch[key][:size]


_KEPT = ("name", "reads_loss", "reads_steps", "_weights", "_planned", "_warned")  # beside what PyTorch keeps


def _check_loss(loss):
    if math.prod(getattr(loss, "shape", ())) != 1:
        raise ValueError(f"loss has shape {tuple(loss.shape)}: allowed is a scalar")
    if isinstance(loss, torch.Tensor):  # its number is not looked at: a device would be waited for
        if loss.is_complex():
            raise ValueError(f"loss is {loss.dtype}: allowed is a real number")
        return
    try:
        float(loss + 0.0)  # a text is no number
    except (TypeError, ValueError) as error:
        raise ValueError(f"loss {loss!r:.100}: allowed is a scalar") from error


def _copied(value, device):
    return value.to(device, copy=True) if isinstance(value, torch.Tensor) else value


def load(
    path: str | PathLike[str],
    params: Iterable[Any],
    steps: int | None = None,
    weight_decay: float = 0.0,
    vectors: bool = False,
    **other: Any,
) -> LearnedOptimizer:
    """The `LearnedOptimizer` of an .npz file for `params`, in a training of `steps` steps.

    Raises `ValueError` where the file is no export, is damaged, or lacks a weight.
    """
    return LearnedOptimizer(params, *read(path), steps=steps, weight_decay=weight_decay, vectors=vectors, **other)


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


# anchored: NAdam with a learned correction, and a controller of step sizes for each tensor (learned/optimizers/anchored.py of the
# package has the formulas, their sources and what the names mean). Its parts serve anchored_muon as well.

M_DECAYS, V_DECAYS = (0.5, 0.9, 0.99), (0.95, 0.999)
FRACTIONS = (0.03, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 1.1)
TRENDS = 6
MOST_LOSS = 1e30  # larger ones, whose sums could overflow, count as not finite
LARGEST_GRADIENT = 1e12
EPSILON = 1e-18  # beside mean squares
CHUNKS = {"cpu": 2**16}  # numbers that are worked on at once: few enough for the caches, many enough for cheap calls
ROUND = 2**22  # numbers whose steps are held at once, at least one tensor: the controller works on all of their tensors together
_UNITS = [0, 1, 2, 3, 13]  # features in units of the gradient


def _controlled(rule):
    """The update by `rule`, a kind of `_Step`."""

    def update(optimizer, params, loss):
        dtype = optimizer._dtype()
        like = torch.zeros((), dtype=dtype, device=params[0].device)
        run = optimizer.state["run"]
        if not run:
            run |= {"step": 0, "first": like.clone(), **{name: like.new_zeros(TRENDS) for name in ("mean", "weight", "least")}}
        run.update({name: x.to(like) for name, x in run.items() if name != "step"})  # of a state in another precision
        trends = _trends(run, _scalar(loss, like), optimizer.steps)
        fraction = min(run["step"] / optimizer.steps, 1)
        times = like.new_tensor([math.tanh(10 * (fraction - at)) for at in FRACTIONS])
        shared = torch.cat([times, trends])
        states = [_controlled_state(rule, optimizer.state[p], p, like, run["step"]) for p in params]
        run["step"] += 1
        all_of_them = len(params), _square_of_all(optimizer, params, dtype)
        for t in sorted({state["step"] for state in states}):  # one, unless some parameters had their first gradients later
            chosen = [both for both in zip(params, states) if both[1]["step"] == t]
            step = rule(optimizer, t, shared, *all_of_them, like)
            batches = [[chosen[i] for i in batch] for batch in _batches([p.numel() for p, _ in chosen], step.chunk)]
            for indices in _packed([sum(p.numel() for p, _ in batch) for batch in batches], ROUND):
                step.move([_Batch(*zip(*batches[i]), dtype) for i in indices])

    return update


def _square_of_all(optimizer, params, dtype):
    """The mean square of all parameters; where they are all at 0, that of matrices with 1 / inputs."""
    of_all = torch.stack(torch._foreach_norm([_flat(p, dtype) for p in params])).square().sum()
    usual = sum(shape[0] for shape in optimizer.shapes(params) if len(shape) > 1)
    return torch.where(of_all < 1e-10 * usual, torch.full_like(of_all, usual), of_all) / sum(p.numel() for p in params)


def _scalar(x, like):
    return x.detach().reshape(()).to(like) if isinstance(x, torch.Tensor) else like.new_tensor(float(x))


def _controlled_state(rule, state, p, like, done):
    """The state of a parameter, in the dtype of `like`. Its "step" counts its own steps, this one included."""
    if state and state["m"].dtype != like.dtype:  # a float64 parameter came later
        state.update({name: state[name].to(like) for name in ("m", "v", "statistics")})
    state["step"] = 1 + (state.get("step", done) if state else 0)  # earlier versions saved the run's count alone
    if "m" not in state:
        state["m"] = like.new_zeros((len(rule.m_decays), *p.shape))
        state["v"] = like.new_zeros((len(rule.v_decays), *p.shape))
        state["statistics"] = like.new_zeros(1 + len(V_DECAYS))  # averages over the tensor: cosine of g and m, two of g^2
    return state


def _trends(run, loss, steps):
    """The trends of the loss [TRENDS - 1]; brings its averages in `run` up to date."""
    half_lives = 10 * max(steps / 10, 1) ** (torch.arange(TRENDS).to(loss) / (TRENDS - 1))
    usable = loss.abs() <= MOST_LOSS
    share = torch.where(usable, -torch.expm1(-math.log(2) / half_lives), 0)
    loss = torch.where(usable, loss, 0)
    first = torch.where(run["weight"][0] > 0, run["first"], loss)
    mean = run["mean"] + share * (loss - first - run["mean"])
    weight = run["weight"] + share * (1 - run["weight"])
    average = mean / weight.clamp(min=1e-12)
    least = torch.minimum(run["least"], average)
    run.update(first=first, mean=mean, weight=weight, least=least)
    above, slower = average[:-1] - least[:-1], (average[1:] - least[:-1]).clamp(min=0)
    rounding = 1e-6 * (first.abs() + average[:-1].abs() + average[1:].abs()) + 1e-30
    return ((above + rounding) / (slower + rounding) - 1).clamp(-1, 1)


def _batches(sizes, chunk):
    """Indices of tensors that are worked on together: large ones alone, small ones with others, at most `chunk` numbers."""
    small = [i for i, n in enumerate(sizes) if n <= chunk // 4]
    together = [[small[i] for i in batch] for batch in _packed([sizes[i] for i in small], chunk)]
    return [[i] for i, n in enumerate(sizes) if n > chunk // 4] + together


def _packed(sizes, most):
    """Indices in groups of at most `most` numbers, or one that is larger."""
    groups, room = [], 0
    for i, n in enumerate(sizes):
        if n > room:
            groups.append([])
            room = most
        groups[-1].append(i)
        room -= n
    return groups


def _flat(x, dtype):
    """The numbers of x in a vector of `dtype`, in x's own memory where that is possible."""
    return x.detach().reshape(-1).to(dtype)


class _Batch:
    """Vectors of all numbers of some tensors: g, p [n], m, v [averages, n]; one in its own memory, or copies of several."""

    def __init__(self, params, states, dtype):
        self.params, self.states, self.sizes = params, states, [p.numel() for p in params]
        together = lambda parts: parts[0] if len(parts) == 1 else torch.cat(parts, -1)  # noqa: E731
        self.g, self.p = (together([_flat(x, dtype) for x in tensors]) for tensors in ([p.grad for p in params], params))
        self.m, self.v = (together([state[name].reshape(len(state[name]), -1) for state in states]) for name in ("m", "v"))

    def squares(self, x):
        """The mean square of the vector x [n] over each tensor: [tensors]."""
        return _squares(self.split(x), x.new_tensor(self.sizes))

    def totals(self, rows):
        """Of each of some rows over a piece of the batch, what `mean_squares` adds up; only one tensor comes in pieces."""
        return [torch.dot(x, x) for x in rows] if len(self.sizes) == 1 else [self.squares(x) for x in rows]

    def mean_squares(self, totals, scale):
        """The mean squares of the rows over each tensor, times scale: [rows, tensors]; totals: of each piece."""
        sums = torch.stack([sum(total) for total in zip(*totals)]).view(len(totals[0]), -1) * scale
        return sums / len(self.g) if len(self.sizes) == 1 else sums

    def split(self, x):
        """The parts of x [.., n] that belong to the tensors."""
        return x.split(self.sizes, -1)

    def spread(self, values):
        """Numbers of each tensor [tensors] -> [n], or [1] where there is only one tensor."""
        return values if len(self.sizes) == 1 else values.repeat_interleave(torch.tensor(self.sizes, device=values.device))

    def store(self):
        """Write what was copied back to the parameters and their states."""
        _store(self.params, self.split(self.p))
        for name, x in (("m", self.m), ("v", self.v)):
            _store([state[name] for state in self.states], self.split(x))


def _squares(vectors, sizes):
    """The mean square of each vector: [vectors]."""
    return torch.stack(torch._foreach_norm(vectors)).square() / sizes


def _products(xs, ys, sizes):
    """The mean of x y for each pair of vectors: [vectors]."""
    return torch.stack([torch.dot(*both) for both in zip(xs, ys)]) / sizes


def _store(tensors, values):
    for x, value in zip(tensors, values):
        if x.data_ptr() != value.data_ptr():
            x.copy_(value.reshape(x.shape))


def _root(mean_square):
    return torch.sqrt(mean_square + EPSILON)


def _lacking(decays, t):
    """1 - d^t: the sums of the weights of averages that started at 0."""
    return [-math.expm1(t * math.log(d)) for d in decays]


class _Step:
    """A step of a rule with a controller: what is the same for all tensors that move for the t-th time, and how batches move.

    A rule has decays of averages of the gradient, .9 among them, and of its square, .999 being the last; and `directed`.
    """

    m_decays: tuple[float, ...] = M_DECAYS
    v_decays: tuple[float, ...] = V_DECAYS

    def __init__(self, optimizer, t, shared, tensors, square_of_all, like):
        self.optimizer, self.t, self.shared, self.tensors, self.theta = optimizer, t, shared, tensors, optimizer._theta(like)
        self.chunk, self.square_of_all = CHUNKS.get(like.device.type, 2**21), square_of_all
        self.column = lambda x: like.new_tensor(x)[:, None]
        self.shares = self.column([0.1, *(1 - d for d in V_DECAYS)])  # of statistics
        self.lacking_squares = self.column(_lacking(V_DECAYS, t))
        self.m_shares, self.v_shares = (self.column([1 - d for d in decays]) for decays in (self.m_decays, self.v_decays))
        self.lacking_m, self.lacking_v = (_lacking(decays, t) for decays in (self.m_decays, self.v_decays))
        self.epsilon = self.column([EPSILON * x for x in self.lacking_v])
        # Standard deviations that m, not corrected, would have if gradients were noise of variance 1.
        self.noise = [math.sqrt((1 - d) / (1 + d) * (2 - x) * x) for d, x in zip(self.m_decays, self.lacking_m)]
        self.nine, self.slow = self.m_decays.index(0.9), math.sqrt(self.lacking_v[-1])

    def ahead(self, scale):
        """What m (.9) and g are multiplied with in NAdam's average of the gradient, times scale."""
        return scale * 0.9 / -math.expm1((self.t + 1) * math.log(0.9)), scale * 0.1 / self.lacking_m[self.nine]

    def directed(self, batches, us, measured):
        """What the directions of the tensors are multiplied with [tensors]; writes the directions u [n] of each batch.

        m and v become those of this step. measured: of `_measured`.
        """
        raise NotImplementedError

    def move(self, batches):
        """Move the parameters of these batches."""
        us = self._buffers("u", batches)
        rates = self.directed(batches, us, self._measured(batches))
        for batch, u, rate in zip(batches, us, rates.split([len(batch.sizes) for batch in batches])):
            batch.p.addcmul_(u, batch.spread(rate), value=-1)
            batch.store()

    def _buffers(self, name, batches):
        """A vector [n] for each batch."""
        ends = [len(batch.g) for batch in batches]
        return self.optimizer._buffer(name, sum(ends), self.epsilon).split(ends)

    def _measured(self, batches):
        """(cosine of g and m; fast, slow mean square of g; RMS of p, at least about a tenth of that of all) [tensors] each.

        Brings the statistics of the tensors up to date.
        """
        states = [state for batch in batches for state in batch.states]
        n = self.epsilon.new_tensor([n for batch in batches for n in batch.sizes])
        of_tensors = lambda vectors: [x for batch, v in zip(batches, vectors) for x in batch.split(v)]  # noqa: E731
        g_square = _squares(of_tensors([batch.g for batch in batches]), n)
        if n.device.type != "cpu" or not (g_square * n < LARGEST_GRADIENT**2).all():  # else nothing is so large
            for batch in batches:
                batch.g = batch.g.clamp(-LARGEST_GRADIENT, LARGEST_GRADIENT)
            g_square = _squares(of_tensors([batch.g for batch in batches]), n)
        g, m = of_tensors([batch.g for batch in batches]), of_tensors([batch.m[self.nine] for batch in batches])
        cosine = _products(g, m, n) / (_root(g_square) * _root(_squares(m, n)))
        statistics = torch.stack([state["statistics"] for state in states], 1)
        statistics = statistics.lerp(torch.stack([cosine, g_square, g_square]), self.shares)
        _store([state["statistics"] for state in states], statistics.unbind(1))
        fast, slow = statistics[1:] / self.lacking_squares
        size = torch.sqrt(_squares(of_tensors([batch.p for batch in batches]), n) + 0.01 * self.square_of_all + 1e-16)
        return statistics[0] / -math.expm1(self.t * math.log(0.9)), fast, slow, size

    def _pieces(self, batch, *vectors):
        """Pieces of g, p, m, v of the batch and of other vectors [n], of at most `chunk` numbers."""
        n = len(batch.g)
        width = -(-n // -(-n // self.chunk))
        return zip(*(values.split(width, -1) for values in (batch.g, batch.p, batch.m, batch.v, *vectors)))

    def _outputs(self, batches, measured, squares, *more):
        """The controller's outputs [outputs, tensors].

        squares: mean squares of the direction and of three averages over sqrt(v) [4, tensors]; more: other readings [tensors].
        """
        theta, logs, (cosine, fast, slow, size) = self.theta, torch.log(squares + 1e-6) / 6, measured
        quotient, log_size = torch.log((fast + EPSILON) / (slow + EPSILON)) / 2, torch.log(size)
        params = [p for batch in batches for p in batch.params]
        axes = [sum(n > 1 for n in shape) for shape in self.optimizer.shapes(params)]
        shapes = [(math.log(p.numel()) / 5 - 1, a <= 1, a > 2) for p, a in zip(params, axes)]
        of_tensors = [cosine, quotient, *logs[1:], logs[0] - log_size / 3, log_size / 3, *log_size.new_tensor(shapes).T]
        of_tensors += [torch.full_like(log_size, math.log(self.tensors) - 1), *more]
        x = torch.cat([self.shared[:, None].expand(-1, len(log_size)), torch.stack(of_tensors)])
        h = torch.relu(theta["controller/linear_0/w"].T @ x + theta["controller/linear_0/b"][:, None])
        return theta["controller/linear_1/w"].T @ h + theta["controller/linear_1/b"][:, None]

    def _rates(self, c1, c2, size, square):
        """What directions of these mean squares are multiplied with, for each tensor."""
        share = torch.sigmoid(3 * c2 + math.log(0.05 / 0.95))
        power = self.theta["power"] * torch.log(size) + self.theta.get("length", 0.0) * math.log(self.optimizer.steps / 2000)
        rate = 0.01 * torch.exp((3 * (c1 + power)).clamp(-10, 10))
        return rate * (1 - share + share / _root(square))


class _Anchored(_Step):
    """The network reads 14 features for each parameter.

    What a feature is divided by, if it is one number for the tensor, is instead part of the first layer's weights, so that few
    passes over the numbers remain.
    """

    def __init__(self, *arguments):
        super().__init__(*arguments)
        seen, fast = [1.0, *(1 / x for x in self.noise)], math.sqrt(self.lacking_v[0])
        # Features as they are computed, times these, are those of the rule; the 5 of them in units of R and s still lack those.
        self.scale = self.column([*seen, *(fast * x for x in seen), *(self.slow * x for x in seen), 1.0, 1 / self.slow])
        self.with_network = "mlp/linear_2/w" in self.theta
        self.of_m, self.of_g = self.ahead(self.slow)

    def directed(self, batches, us, measured):
        """As in any rule."""
        counts, (_, _, slow, size) = [len(batch.sizes) for batch in batches], measured
        per_batch = zip(batches, us, (1 / _root(slow)).split(counts), (1 / size).split(counts))
        squares = torch.cat([self._directions(*arguments) for arguments in per_batch], 1)
        return self._rates(*self._outputs(batches, measured, squares), size, squares[0])

    def _directions(self, batch, u, inverse_r, inverse_s):
        """Mean squares of u and of the three m / sqrt(v) [4, tensors]; writes u [n]; m and v become those of this step."""
        alone, scale, totals = len(batch.sizes) == 1, self.scale.clone(), []
        if alone:
            scale[_UNITS] *= inverse_r
            scale[12] *= inverse_s
        layers = self._layers(scale) if self.with_network else ()
        for parts in self._pieces(batch, u):
            work = self._work(len(parts[0]))
            if self.with_network:
                work.features(*parts[:4], self.m_shares, self.v_shares, self.epsilon)
                torch.mul(work.slow_m, self.of_m, out=parts[4]).add_(work.slow_g, alpha=self.of_g)  # NAdam's direction
                if not alone:
                    work.x[_UNITS] *= batch.spread(inverse_r)
                    work.x[12] *= batch.spread(inverse_s)
                work.network(*layers, parts[4])
            else:
                work.averages(parts[0], *parts[2:4], self.m_shares, self.v_shares, self.epsilon[1])
                torch.mul(work.slow_m, self.of_m, out=parts[4]).addcmul_(parts[0], work.slow, value=self.of_g)
            totals.append(batch.totals(work.noise))
        return torch.cat([batch.squares(u)[None], batch.mean_squares(totals, self.scale[9:12].square())])

    def _layers(self, scale):
        """The network's weights and biases, with `scale` of the features in the first layer."""
        biases = [self.theta[f"mlp/linear_{i}/b"][:, None] for i in range(2)]
        first, second = (self.theta["mlp/linear_0/w"] * scale).T.contiguous(), self.theta["mlp/linear_1/w"].T.contiguous()
        return first, biases[0], second, biases[1], self.theta["mlp/linear_2/w"][:, 0]

    def _work(self, n):
        key = "work", n, self.scale.dtype, self.scale.device
        if key not in self.optimizer._scratch:
            self.optimizer._scratch[key] = _Work(self.optimizer._buffer("work", 32 * self.chunk, self.scale), n)
        return self.optimizer._scratch[key]


class _Work:
    """Memory for n numbers; `features` and `network`, or `averages` alone, are all that is done for each of them."""

    def __init__(self, memory, n):
        self.x, self.inverse, hidden = memory[: 32 * n].view(32, n).split([14, 2, 16])
        self.g, self.m, self.p, self.root = self.x[0], self.x[1:4], self.x[12], self.x[13]
        self.seen, self.scaled = self.x[None, :4], self.x[4:12].view(2, 4, n)
        self.square, self.inverses, self.slow = self.inverse[0], self.inverse[:, None], self.inverse[1]
        self.slow_g, self.slow_m, self.slow_ms, self.noise = self.x[8], self.x[10], self.x[9:12], self.x[9:12].unbind()
        self.hidden, self.outputs = hidden[:8], hidden[8:].T
        self.second = hidden[8:]

    def features(self, g, p, m, v, m_shares, v_shares, epsilon):
        """The features x [14, n]: g, m; both over the root of v (.95), of v (.999); p; the root of v (.999)."""
        self.g.copy_(g)
        m.lerp_(self.g, m_shares)
        self.m.copy_(m)
        v.lerp_(torch.mul(self.g, self.g, out=self.square), v_shares)
        torch.add(v, epsilon, out=self.inverse).rsqrt_()
        torch.mul(self.seen, self.inverses, out=self.scaled)
        self.p.copy_(p)
        torch.mul(v[1], self.slow, out=self.root)

    def averages(self, g, m, v, m_shares, v_shares, epsilon):
        """What of `features` is needed without a network: the three m over the root of v (.999)."""
        m.lerp_(g, m_shares)
        v.lerp_(torch.mul(g, g, out=self.square), v_shares)
        torch.add(v[1], epsilon, out=self.slow).rsqrt_()
        torch.mul(m, self.slow, out=self.slow_ms)

    def network(self, w0, b0, w1, b1, w2, u):
        """Add the network's outputs to u [n]."""
        torch.addmm(b0, w0, self.x, out=self.hidden).relu_()
        torch.addmm(b1, w1, self.hidden, out=self.second).relu_()
        u.addmv_(self.outputs, w2)


# anchored_muon: NAdam's direction and, of matrices, the orthogonal one of Muon beside it, by the same controller
# (learned/optimizers/anchored_muon.py of the package has the formulas and their sources).

NEWTON_SCHULZ, GROUPS = (3.4445, -4.7750, 2.0315), (2, 3)  # five iterations; those of a group share a Gram matrix
BLOCK = 128  # rows of a matrix that are made orthogonal to one another, at most


def _orthogonal(matrices):
    """Nearly U V' of the singular value decomposition U S V' of each of several matrices [k, rows, columns], rows <= columns.

    Of each block of at most BLOCK rows; rows of zeros fill up the last block.
    """
    k, rows, columns = matrices.shape
    count = -(-rows // BLOCK)
    high = -(-rows // count)
    filled = torch.nn.functional.pad(matrices, (0, 0, 0, count * high - rows)).view(k * count, high, columns)
    mean_square = filled.square().mean((1, 2), keepdim=True)
    x = _newton_schulz(filled / (_root(mean_square) * math.sqrt(high * columns)))
    return x.view(k, count * high, columns)[:, :rows]


def _newton_schulz(x):
    a, b, c = NEWTON_SCHULZ
    for iterations in GROUPS:
        gram, product = torch.bmm(x, x.mT), None
        for i in range(iterations):
            factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
            factor.diagonal(dim1=1, dim2=2).add_(a)
            product = factor if product is None else torch.bmm(factor, product)
            if i < iterations - 1:
                gram = torch.bmm(torch.bmm(factor, gram), factor)
        x = torch.bmm(product, x)
    return x


def _lying(shape, x):
    """The numbers x [n] of a tensor as a matrix of no more rows than columns, in the memory of x; None where it is none.

    A matrix is a tensor of two or more axes, [first axis, everything else], of which neither is 1. The first axis of a layer of
    PyTorch counts the outputs, as the last one does in TensorFlow: the matrices are the same, transposed, and the rows of a
    square one are the inputs, as there. Those of a kernel come in another order, so that blocks of them have other members.
    """
    rows, columns = (shape[0], shape[1:].numel()) if len(shape) > 1 else (1, 1)
    if min(rows, columns) == 1:
        return None
    matrix = x.view(rows, columns)
    return matrix if rows < columns else matrix.T


def _make_orthogonal(shapes, ns, averages):
    """Averages of gradients [n] of matrices become .35 sqrt(max(rows, columns)) O, those of one shape at once; others n."""
    alike = {}
    for shape, n, average in zip(shapes, ns, averages):
        matrix = _lying(shape, average)
        if matrix is None:
            average.copy_(n)
        else:
            alike.setdefault(matrix.shape, []).append(matrix)
    for (_, longer), matrices in alike.items():
        _store(matrices, 0.35 * math.sqrt(longer) * _orthogonal(torch.stack(matrices)))


class _AnchoredMuon(_Step):
    """n: NAdam's direction; o: the orthogonal one of a matrix, of another tensor n."""

    m_decays, v_decays = (0.9, 0.99), (0.999,)

    def directed(self, batches, us, measured):
        """As in any rule."""
        averages, counts = self._buffers("average", batches), [len(batch.sizes) for batch in batches]
        squares = torch.cat([self._directions(*arguments) for arguments in zip(batches, us, averages)], 1)
        sizes = squares.new_tensor([n for batch in batches for n in batch.sizes])
        n, o = ([x for batch, v in zip(batches, vectors) for x in batch.split(v)] for vectors in (us, averages))
        _make_orthogonal(self.optimizer.shapes(p for batch in batches for p in batch.params), n, o)
        both, of_o = _products(n, o, sizes), _squares(o, sizes)
        c1, c2, c3 = self._outputs(batches, measured, squares, both / (_root(squares[0]) * _root(of_o)))
        b = torch.sigmoid(3 * c3 + math.log(9))  # at the start nine tenths are the orthogonal direction
        square = (1 - b).square() * squares[0] + 2 * b * (1 - b) * both + b.square() * of_o  # rounding may leave it below 0
        for batch, u, of_batch, share in zip(batches, us, averages, b.split(counts)):
            u.lerp_(of_batch, batch.spread(share))
        return self._rates(c1, c2, measured[-1], square.clamp(min=0))

    def _directions(self, batch, n, average):
        """Mean squares of n, g / sqrt(v) and both m / sqrt(v) [4, tensors]; writes n and the average of gradients in it [n]."""
        (of_m, of_g), totals = self.ahead(1.0), []
        for g, _, m, v, *out in self._pieces(batch, average, n):
            seen, inverse = self.optimizer._buffer("seen", 4 * len(g), g).view(4, -1).split([3, 1])
            m.lerp_(g, self.m_shares)
            v.lerp_(torch.mul(g, g, out=inverse[0]), self.v_shares)
            torch.add(v, self.epsilon, out=inverse).rsqrt_().mul_(self.slow)
            torch.mul(m[0], of_m, out=out[0]).add_(g, alpha=of_g)
            torch.mul(out[0], inverse[0], out=out[1])
            torch.mul(g, inverse[0], out=seen[0])
            torch.mul(m, inverse, out=seen[1:])
            totals.append(batch.totals(seen))
        scale = self.column([1.0, *(x**-2 for x in self.noise)])
        return torch.cat([batch.squares(n)[None], batch.mean_squares(totals, scale)])


# Rules that treat each tensor by itself: `rule(theta, g, state, p, step) -> p`, which brings the state up to date;
# step: those of the run before this one; state["step"]: those of the tensor, this one included.


def _each(slots, rule):
    """The update by `rule`; slots: {name of a state: how many numbers it has for each one of the parameter}."""

    def update(optimizer, params, loss):
        dtype = optimizer._dtype()
        run = optimizer.state["run"]
        step = run.setdefault("step", 0)
        for p in params:
            state, w = optimizer.state[p], p.detach().to(dtype)
            state["step"] = 1 + (state.get("step", step) if state else 0)  # earlier versions saved the run's count alone
            for name, count in slots.items():
                if name not in state:
                    state[name] = w.new_zeros((count, *w.shape) if isinstance(count, int) else count(w))
                elif state[name].dtype != dtype:
                    state[name] = state[name].to(dtype)  # a float64 parameter came later
            vector = torch.atleast_1d(w)  # scalars count as tensors of shape [1]
            values = {name: state[name].view(len(state[name]), *vector.shape) if w.dim() == 0 else state[name] for name in slots}
            values["step"] = state["step"]
            p.copy_(rule(optimizer._theta(w), p.grad.to(dtype).view_as(vector), values, vector, step).view_as(p))
        run["step"] = step + 1

    return update


def _sgd(theta, g, state, p, step):
    return p - torch.exp(theta["log_learning_rate"]) * g


def _sgdm(theta, g, state, p, step):
    u = state["u"][0].mul_(-torch.expm1(theta["log_one_minus_beta"])).add_(g)
    return p - torch.exp(theta["log_learning_rate"]) * u


def _adam(theta, g, state, p, step):
    fractions = [torch.exp(theta[f"log_one_minus_beta{i}"]) for i in (1, 2)]
    m, v = state["m"][0].lerp_(g, fractions[0]), state["v"][0].lerp_(g * g, fractions[1])
    first, second = (-torch.expm1(state["step"] * torch.log1p(-fraction)) for fraction in fractions)
    rate = torch.exp(theta["log_learning_rate"]) * torch.sqrt(second) / first
    return p - rate * m / (torch.sqrt(v) + torch.exp(theta["log_epsilon"]))


TIMES = (1, 3, 10, 30, 100, 300, 1e3, 3e3, 1e4, 3e4, 1e5)  # steps
MLP_DECAYS = (0.1, 0.5, 0.9, 0.99, 0.999, 0.9999)
MLP2019_DECAYS = (0.5, 0.9, 0.99, 0.999, 0.9999)
MLP2019_TIMES = (3, 10, 30, 100, 300, 1e3, 3e3, 1e4, 3e5)
ADAFAC_DECAYS = {"m": (0.9, 0.99, 0.999), "rms": (0.999,), "factored": (0.9, 0.99, 0.999)}
COLUMNS = 2**15  # of the network at once


def _average(old, new, fractions):
    """m <- m + (1 - d) (x - m) in place, for averages m [n, *shape] and 1 - d = fractions [n]."""
    return old.add_(fractions.reshape([-1] + [1] * (old.dim() - 1)) * (new - old))


def _decayed(old, new, decays):
    return _average(old, new, 1 - old.new_tensor(decays))


def _stepped(theta, p, blocks, step, times=TIMES):
    """p <- p - direction exp(.001 magnitude) .001, both from the network on normalised blocks [features, *shape] and time."""
    x = torch.cat([block.expand(-1, *p.shape).reshape(len(block), -1) for block in blocks])
    scale = torch.rsqrt(1e-5 + x.square().mean(1))
    w, time = theta["mlp/linear_0/w"], torch.tanh(step / p.new_tensor(times) - 1)
    first, layers = w[: len(x)].T * scale, [(theta["mlp/linear_0/b"] + w[len(x) :].T @ time)[:, None]]
    while f"mlp/linear_{len(layers)}/w" in theta:
        layers.append(theta[f"mlp/linear_{len(layers)}/b"][:, None])
    moves = torch.empty_like(x[0])
    for columns, move in zip(x.split(COLUMNS, 1), moves.split(COLUMNS)):
        h = torch.addmm(layers[0], first, columns)
        for i, bias in enumerate(layers[1:], 1):
            h = torch.addmm(bias, theta[f"mlp/linear_{i}/w"].T, h.relu_())
        torch.mul(h[0], torch.exp(0.001 * h[1]), out=move)
    return p - 0.001 * moves.view_as(p)


def _mlp(theta, g, state, p, step):
    return _stepped(theta, p, [g[None], p[None], _decayed(state["m"], g, MLP_DECAYS)], step)


def _mlp2019(theta, g, state, p, step):
    m, rms = _decayed(state["m"], g, MLP2019_DECAYS), _decayed(state["rms"], g * g, MLP2019_DECAYS)
    factor = torch.rsqrt(rms + 1e-6)
    return _stepped(theta, p, [g[None], m * factor, p[None], m, rms, factor], step, MLP2019_TIMES)


def _largest_axes(shape):
    """The largest and the second largest axis; of equal ones the later in TensorFlow's order: kernel, inputs, outputs."""
    order = [*range(2, len(shape)), 1, 0]
    return sorted(range(len(shape)), key=lambda axis: (shape[axis], order.index(axis)))[:-3:-1]


def _factors(x):
    """[row, column] means of x [1, *shape], or [x, x] where it has fewer than two axes."""
    return [x.mean(1 + axis, keepdim=True) for axis in _largest_axes(x.shape[1:])] if x.dim() > 2 else [x, x]


def _adafac_shape(i):
    return lambda w: (len(ADAFAC_DECAYS["factored"]), *_factors(torch.atleast_1d(w)[None])[i].shape[1:])


def _adafac_mlp(theta, g, state, p, step):
    fractions = {}
    for kind, decays in ADAFAC_DECAYS.items():
        fractions[kind] = (1 - p.new_tensor(decays)) * torch.exp(10 * theta[f"decay_offsets/{kind}"])
        if kind != "m":
            fractions[kind] = fractions[kind].clamp(0, 1)
    m, rms = _average(state["m"], g, fractions["m"]), _average(state["rms"], g * g, fractions["rms"])
    row, col = (_average(state[s], f, fractions["factored"]) for s, f in zip(("row", "col"), _factors((g * g)[None] + 1e-30)))
    if p.dim() < 2:
        scale_g, scale_m = torch.rsqrt(row + 1e-9), torch.rsqrt(row + 1e-6)
    else:
        mean = row.mean(1 + _largest_axes(p.shape)[1], keepdim=True)
        scale_g = scale_m = torch.rsqrt((row / (mean + 1e-9)).clamp(min=1e-9)) * torch.rsqrt(col.clamp(min=1e-9))
    factor, roots = torch.rsqrt(rms + 1e-6), [torch.rsqrt(row + 1e-8), torch.rsqrt(col + 1e-8)]
    return _stepped(theta, p, [g[None], p[None], m, rms, m * factor, factor, g * scale_g, row, col, *roots, m * scale_m], step)


def _lstm(theta, g, state, p, step):
    x, limit = g.reshape(1, -1), math.exp(-10)
    large = x.abs() >= limit
    x = torch.cat([torch.where(large, x.abs().clamp(min=limit).log() / 10, -1), torch.where(large, x.sign(), x / limit)])
    for i in range(2):
        h, c = (state[f"{part}{i}"].view(LSTM_HIDDEN, -1) for part in "hc")
        gates = theta[f"lstm_{i}/w_gates"].T @ torch.cat([x, h]) + theta[f"lstm_{i}/b_gates"][:, None]
        i_gate, j, f, o = gates.split(LSTM_HIDDEN)
        c.copy_(torch.sigmoid(f + 1) * c + torch.sigmoid(i_gate) * torch.tanh(j))
        x = h.copy_(torch.sigmoid(o) * torch.tanh(c))
    return p + 0.1 * (theta["linear/w"].T @ x + theta["linear/b"][:, None]).view_as(p)


LSTM_HIDDEN = 20

RULES: dict[str, Callable[..., None]] = {
    "anchored": _controlled(_Anchored),
    "anchored_muon": _controlled(_AnchoredMuon),
    "mlp": _each({"m": len(MLP_DECAYS)}, _mlp),
    "mlp2019": _each({"m": len(MLP2019_DECAYS), "rms": len(MLP2019_DECAYS)}, _mlp2019),
    "adafac_mlp": _each({"m": 3, "rms": 1, "row": _adafac_shape(0), "col": _adafac_shape(1)}, _adafac_mlp),
    "lstm": _each({f"{part}{i}": LSTM_HIDDEN for part in "hc" for i in range(2)}, _lstm),
    "learnable_sgd": _each({}, _sgd),
    "learnable_sgdm": _each({"u": 1}, _sgdm),
    "learnable_adam": _each({"m": 1, "v": 1}, _adam),
}
