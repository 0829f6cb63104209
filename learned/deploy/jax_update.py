"""Learned optimizers in JAX: this file and an .npz of weights are all that is needed to use one.

    optimizer = load("weights.npz", steps=10_000)                      # of the whole training
    state = optimizer.init(params)                                     # params: any tree of arrays
    for batch in batches:
        value, gradients = jax.value_and_grad(loss)(params, batch)
        updates, state = optimizer.update(gradients, state, params, value=value)
        params = jax.tree.map(lambda p, u: p + u, params, updates)     # optax.apply_updates(params, updates)

`init` and `update` are pure functions that `jax.jit` takes, and those of Optax: where it is installed the optimizer is an
`optax.GradientTransformationExtraArgs`, to be used in `optax.chain` (clipping before it, weight decay behind it) and in
`optax.masked`, which lets the gradients of the rest through as they are: freeze these by `optax.set_to_zero`. A training is
resumed for longer with the same state and another number of `steps`. Past them the rule stays at the end of its schedule; there
is no warning, as a compiled step can't give one. State and computation are float64 where a parameter is, else float32; updates
have the dtypes of the parameters. Arguments that don't fit raise ValueError.

`load(.., vectors=mask)`: the parameters that count as vectors whatever their shape, so that `anchored_muon` moves them along
NAdam's direction, such as embeddings; a tree of bools like the params, or a function of them that returns it, as in
`optax.masked`.

The .npz is what `python -m learned export --format jax` writes.
"""

from __future__ import annotations

import functools
import io
import itertools
import json
import math
import zipfile
import zlib
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

try:
    import jax
    import jax.numpy as jnp
except ModuleNotFoundError as error:
    if error.name != "jax":  # it is here, and lacks something
        raise
    raise ModuleNotFoundError("jax_update.py needs JAX: pip install jax", name="jax") from error

try:
    from optax import GradientTransformationExtraArgs as Transformation
except ImportError:

    class Transformation(NamedTuple):  # type: ignore[no-redef]  # Optax's, where it is missing
        """What Optax calls a gradient transformation."""

        init: Callable[[Any], Any]
        update: Callable[..., tuple[Any, Any]]


def load(path: str | PathLike[str], steps: int | None = None, vectors: Any = False) -> Transformation:
    """The optimizer of an .npz file, for a training of `steps` steps.

    Raises `ValueError` where the file is no export, is damaged, or lacks a weight.
    """
    return learned_optimizer(*read(path), steps=steps, vectors=vectors)


def learned_optimizer(name: str, theta: dict[str, Any], steps: int | None = None, vectors: Any = False) -> Transformation:
    """(init, update) of a rule with its weights.

    name: of the rule; theta: {path: array}; steps: of the whole training, needed where the rule reads them; vectors: which
    parameters count as vectors, a tree of bools whose leaves may stand for whole branches of the params, or a function
    `vectors(params)` that returns it.

    update(gradients, state, params, value=loss) -> (updates, state); value: the train loss that the gradients come from, needed
    where the rule reads it.
    """
    reads_loss = reads_steps = name in ("anchored", "anchored_muon")
    weights = _effective(_checked(name, theta, RULES, steps, reads_steps))
    start, move = RULES[name]
    if name != "anchored_muon" and vectors is not False:
        raise ValueError(f"vectors of {name}: allowed of anchored_muon alone, which tells vectors and matrices apart")

    def init(params: Any) -> dict[str, Any]:
        leaves = _leaves(params)
        numbers = [jnp.asarray(p, _dtype(leaves)) for p in leaves if np.size(p)]
        return {"step": jnp.zeros([], jnp.int32), **(start(numbers) if numbers else {})}

    def update(updates: Any, state: dict[str, Any], params: Any = None, *, value: Any = None, **other: Any) -> tuple[Any, Any]:
        del other
        if params is None:
            raise ValueError(f"{name} reads the parameters: call update(gradients, state, params, ..)")
        if reads_loss and value is None:
            raise ValueError(f"{name} reads the train loss: call update(.., value=loss) with the one that gradients come from")
        leaves = _leaves(params)
        tree: Any = jax.tree.structure(params)
        same = jax.tree.structure(updates) == tree
        if not same or any(np.shape(g) != np.shape(p) for g, p in zip(jax.tree.leaves(updates), leaves)):
            raise ValueError("gradients differ from the parameters in structure or shapes: allowed are those of `params`")
        if any(not _is_real(g) for g in jax.tree.leaves(updates)):
            raise ValueError("a gradient is no array of real numbers: allowed are floats and integers")
        dtype = _dtype(leaves)
        value = _scalar(0 if value is None else value, dtype)
        step = _step_of(state)
        theta = {path: jnp.asarray(w, dtype) for path, w in weights.items()}
        # What has no numbers is left out.
        g, p = ([jnp.asarray(x, dtype) for x in xs if np.size(x)] for xs in (jax.tree.leaves(updates), leaves))
        if not p:
            return updates, {"step": step + 1}
        rest = {key: x for key, x in state.items() if key != "step"}
        _check_state(rest, jax.eval_shape(start, p))
        flat = [one for one, x in zip(_marked(vectors, params), leaves) if np.size(x)]
        g, seen = ([x.ravel() if one else x for one, x in zip(flat, xs)] for xs in (g, p))
        moves, new = move(theta, g, rest, seen, step, value, steps)
        left = iter([x.reshape(like.shape) for x, like in zip(moves, p)])
        moves = [(next(left) if np.size(x) else jnp.asarray(x)).astype(jnp.asarray(x).dtype) for x in leaves]
        return jax.tree.unflatten(tree, moves), {"step": step + 1, **new}

    return Transformation(init, update)


def _check_state(state, expected):
    """Raise a `ValueError` where a state has not the arrays, or not their shapes, that these parameters have."""
    if jax.tree.structure(state) != jax.tree.structure(expected):
        raise ValueError("the state is none of this rule with these parameters: take it from `init` of them")
    for x, like in zip(jax.tree.leaves(state), jax.tree.leaves(expected)):
        if np.shape(x) != like.shape:
            raise ValueError(
                f"an array of the state has shape {np.shape(x)}, expected is {like.shape}: take it from `init` of these params"
            )


def _marked(vectors, params):
    """Whether each leaf of the params counts as a vector."""
    mask = vectors(params) if callable(vectors) else vectors
    try:
        whole = jax.tree.map(lambda one, branch: jax.tree.map(lambda _: one, branch), mask, params)
    except ValueError as error:
        raise ValueError(f"vectors is no tree like the params: {error}") from error
    marks = jax.tree.leaves(whole)
    if not all(isinstance(one, (bool, np.bool_)) for one in marks):
        raise ValueError("vectors has leaves that are no bools: allowed is a tree of True and False like the params")
    return marks


def _effective(theta):
    """theta without the weights of a network whose last layer is 0, in `anchored`: nothing is computed of it."""
    last = theta.get("mlp/linear_2/w")
    if last is None or "mlp/linear_2/b" in theta or np.any(last):
        return theta
    return {path: w for path, w in theta.items() if not path.startswith("mlp/")}


def _leaves(params):
    leaves = jax.tree.leaves(params)  # none where a mask lets nothing through, as one of `optax.partition` may
    for p in leaves:
        if not jnp.issubdtype(jnp.asarray(p).dtype, jnp.floating):
            raise ValueError(f"parameter of dtype {jnp.asarray(p).dtype}: allowed are floats; leave out what is not trained")
    return leaves


def _is_real(x):
    """Whether this is an array of floats or integers, or one number."""
    try:
        dtype = jnp.asarray(x).dtype
    except (TypeError, ValueError):  # a text, an object
        return False
    return jnp.issubdtype(dtype, jnp.floating) or jnp.issubdtype(dtype, jnp.integer)


def _scalar(value, dtype):
    if not _is_real(value):
        raise ValueError(f"value {value!r:.100}: allowed is a real number, the train loss")
    if np.shape(value) != ():
        raise ValueError(f"value has shape {np.shape(value)}: allowed is a scalar")
    return jnp.asarray(value, dtype)


def _step_of(state):
    step = state.get("step") if isinstance(state, dict) else None
    if step is None or np.shape(step) != () or not jnp.issubdtype(jnp.asarray(step).dtype, jnp.integer):
        raise ValueError("the state is none of this rule with these parameters: take it from `init` of them")
    return jnp.asarray(step)


def _dtype(leaves):
    return jnp.float64 if any(jnp.asarray(p).dtype == jnp.float64 for p in leaves) else jnp.float32


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


# anchored: NAdam with a learned correction, and a controller of step sizes for each tensor (learned/optimizers/anchored.py of the
# package has the formulas, their sources and what the names mean). All tensors lie in one vector of N numbers: one loop over
# memory does everything, and what is compiled for each tensor is small. Its parts serve anchored_muon as well.

M_DECAYS, V_DECAYS = (0.5, 0.9, 0.99), (0.95, 0.999)
FRACTIONS = (0.03, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 1.1)
TRENDS = 6
MOST_LOSS = 1e30  # larger ones, whose sums could overflow, count as not finite
LARGEST_GRADIENT = 1e12
EPSILON = 1e-18  # beside mean squares
ROW, LARGE = 64, 2**16  # numbers that are added at once; of a tensor that has sums of its own


def _anchored_start(params, m_decays=M_DECAYS, v_decays=V_DECAYS):
    dtype, n = params[0].dtype, sum(p.size for p in params)
    # Arrays of their own: the same one twice couldn't be donated to a compiled step.
    losses = {name: jnp.zeros(TRENDS, dtype) for name in ("mean", "weight", "least")} | {"first": jnp.zeros([], dtype)}
    statistics = jnp.zeros((1 + len(V_DECAYS), len(params)), dtype)  # averages: of the cosine of g and m; of g^2, two
    m, v = ([jnp.zeros(n, dtype) for _ in decays] for decays in (m_decays, v_decays))
    return {"m": m, "v": v, "losses": losses, "statistics": statistics}


def _trends(old, loss, steps):
    """(the trends of the loss [TRENDS - 1], its averages)."""
    half_lives = 10 * max(steps / 10, 1) ** (np.arange(TRENDS) / (TRENDS - 1))
    usable = jnp.abs(loss) <= MOST_LOSS
    share = jnp.where(usable, jnp.asarray(-np.expm1(-math.log(2) / half_lives), loss.dtype), 0)
    loss = jnp.where(usable, loss, 0)
    first = jnp.where(old["weight"][0] > 0, old["first"], loss)
    mean, weight = old["mean"] + share * (loss - first - old["mean"]), old["weight"] + share * (1 - old["weight"])
    average = mean / jnp.maximum(weight, 1e-12)
    least = jnp.minimum(old["least"], average)
    above, slower = average[:-1] - least[:-1], jnp.maximum(average[1:] - least[:-1], 0)
    rounding = 1e-6 * (jnp.abs(first) + jnp.abs(average[:-1]) + jnp.abs(average[1:])) + 1e-30
    trend = jnp.clip((above + rounding) / (slower + rounding) - 1, -1, 1)
    return trend, {"mean": mean, "weight": weight, "least": least, "first": first}


def _lacking(decays, t):
    """1 - d^t: the sum of the weights of an average that started at 0."""
    return -jnp.expm1(t * jnp.asarray(np.log(decays), t.dtype))


def _root(mean_square):
    return jnp.sqrt(mean_square + EPSILON)


def _split(x, sizes):
    return [x[end - n : end] for end, n in zip(np.cumsum(sizes), sizes)]


# How sums over tensors are planned: the text of learned/optimizers/tensorwise.py, as this file is used alone.


class _Level(NamedTuple):
    """What is added of a vector: at[i] are the places of numbers that belong to tensor i alone, where `valid`; the others are in
    its first `rows` rows of `ROW` numbers, of which the sums are the next level's vector."""

    at: np.ndarray
    valid: np.ndarray
    rows: int


@functools.lru_cache(maxsize=16)
def _levels(sizes):
    """How to add up each of several tensors that lie one after the other: rows that lie in one of them, then rows of their sums.

    A row lies in one tensor, or is cut: then its numbers are added one by one, as are those after the last row. The sums of the
    rows are the next level's vector, in which nobody owns the sums of cut rows. A level ends where no row lies in one tensor, or
    where there are not more rows than tensors.

    Of tensors of 100 and 140 numbers, in rows of 64: row 0 is of the first, row 1 is cut at 100, row 2 is of the second, and 192
    to 239 are no row. Level 0 adds 64 to 99 for the first, and 100 to 127 and 192 to 239 for the second; rows is 3. Level 1 has
    the sums of the three rows: it adds number 0 for the first and number 2 for the second.
    """
    lengths, owners, levels = np.array(sizes), np.arange(len(sizes)), []  # parts of the vector; -1 owns what is counted already
    while len(lengths):
        ends = np.cumsum(lengths)
        rows = ends[-1] // ROW if ends[-1] // ROW > len(sizes) else 0
        first, last = (np.searchsorted(ends, np.arange(rows) * ROW + number, side="right") for number in (0, ROW - 1))
        row_owners = np.where(first == last, owners[first], -1)
        rows = rows if (row_owners >= 0).any() else 0
        cut = np.flatnonzero(first[:rows] != last[:rows])
        places = np.concatenate([(cut[:, None] * ROW + np.arange(ROW)).ravel(), np.arange(rows * ROW, ends[-1])])
        of = owners[np.searchsorted(ends, places, side="right")]
        found = [places[of == tensor] for tensor in range(len(sizes))]
        at = np.zeros((len(sizes), max(map(len, found))), np.int32)
        valid = np.arange(at.shape[1]) < np.array([len(one) for one in found])[:, None]
        at[valid] = np.concatenate(found)
        levels.append(_Level(at, valid, int(rows)))
        starts = np.flatnonzero(np.diff(row_owners[:rows], prepend=-2))
        lengths, owners = np.diff(starts, append=rows), row_owners[starts]
    return levels


def _runs(sizes):
    """The sizes of tensors that lie one after the other, in runs: those of at least `LARGE` numbers by themselves."""
    runs = []
    for n, before in zip(sizes, [LARGE, *sizes]):
        if max(n, before) < LARGE:
            runs[-1].append(n)
        else:
            runs.append([n])
    return runs


def _means(x, y, sizes):
    """The mean of x y over each tensor [tensors], for x, y: a vector [N], or a list of its parts of each tensor.

    Small tensors are added up together, as XLA would compile a sum over each; of a large one it needs no copy.
    """
    sums, runs = [], _runs(sizes)
    for a, b, run in zip(_of_runs(x, runs), _of_runs(y, runs), runs):
        sums.append(
            _sums(a * b, _levels(tuple(run))) if len(run) > 1 else jnp.dot(a, b, precision=jax.lax.Precision.HIGHEST)[None]
        )
    return jnp.concatenate(sums) / jnp.asarray(sizes, sums[0].dtype)


def _of_runs(x, runs):
    """The part of each run, for what `_means` takes."""
    if not isinstance(x, list):
        return _split(x, [sum(run) for run in runs])
    parts = iter(x)
    of = [list(itertools.islice(parts, len(run))) for run in runs]
    return [_vector(some) if len(some) > 1 else some[0].ravel() for some in of]


def _sums(x, levels):
    """[N] -> the sums over the tensors [tensors]."""
    sums = 0
    for at, valid, rows in levels:
        sums += jnp.where(valid, x[at], 0).sum(1)
        x = jnp.matmul(x[: rows * ROW].reshape(rows, ROW), jnp.ones(ROW, x.dtype), precision=jax.lax.Precision.HIGHEST)
    return sums


def _vector(arrays):
    """All numbers in one vector [N]. Written one array after the other: XLA's concatenation asks for each number where it is."""
    vector, at = jnp.zeros(sum(x.size for x in arrays), arrays[0].dtype), 0
    for x in arrays:
        vector = jax.lax.dynamic_update_slice(vector, x.ravel(), (at,))
        at += x.size
    return vector


def _spread(values, sizes):
    """Numbers of each tensor [tensors] -> [N]."""
    return jnp.concatenate([jnp.broadcast_to(value, n) for value, n in zip(values, sizes)])


def _network(theta, x):
    """The network's output [N] for a list of features [N], as sums of products: one loop, with the features themselves.

    A ReLU by a comparison takes fewer instructions than `jnp.maximum`, which asks about NaN.
    """
    for layer in range(3):
        w, biases = theta[f"mlp/linear_{layer}/w"], theta[f"mlp/linear_{layer}/b"] if layer < 2 else [0]
        out = [sum((w[i, j] * feature for i, feature in enumerate(x)), bias) for j, bias in enumerate(biases)]
        x = [jnp.where(h > 0, h, 0) for h in out]
    return out[0]


def _averages(state, g, m_decays=M_DECAYS, v_decays=V_DECAYS):
    """(m, v): the averages of the gradient and of its square, not bias-corrected."""
    m = [x + (1 - d) * (g - x) for x, d in zip(state["m"], m_decays)]
    return m, [x + (1 - d) * (g * g - x) for x, d in zip(state["v"], v_decays)]


def _corrected(g, m, v, t, m_decays=M_DECAYS, v_decays=V_DECAYS):
    """(NAdam's average of the gradient, the m in units of noise, the v), bias-corrected."""
    lacking_m, d, nine = _lacking(m_decays, t), jnp.asarray(m_decays, t.dtype), m_decays.index(0.9)
    of_m = jax.lax.rsqrt((1 - d) / (1 + d) * (2 - lacking_m) * lacking_m)
    ahead = 0.9 / _lacking([0.9], t + 1)[0] * m[nine] + 0.1 / lacking_m[nine] * g
    return ahead, [x * one for x, one in zip(m, of_m)], [x * one for x, one in zip(v, 1 / _lacking(v_decays, t))]


def _anchored_directions(theta, g, p, m, v, t, step, inverse_r, inverse_s):
    """(u [N], the three m / sqrt(v) [N] in units of noise); inverse_r, inverse_s: 1 / R, 1 / s of each tensor."""
    sizes = [x.size for x in p]
    ahead, in_noise, second = _corrected(g, m, v, t)
    slow = jax.lax.rsqrt(second[1] + EPSILON)
    scaled = [x * slow for x in in_noise]
    if "mlp/linear_2/w" not in theta:
        return ahead * slow, scaled
    of_r, of_s = _spread(inverse_r, sizes), _vector([x * one for x, one in zip(p, inverse_s)])
    # Constants would be loaded one by one; these, which depend on the step as XLA sees it, are kept as vectors.
    weights = {path: jnp.where(step < 0, 0, w) for path, w in theta.items()}

    def with_network():
        ahead, in_noise, second = _corrected(g, m, v, t)
        fast, slow = (jax.lax.rsqrt(x + EPSILON) for x in second)
        seen = [g, *in_noise]
        x = [*(x * of_r for x in seen), *(x * fast for x in seen), *(x * slow for x in seen), of_s, second[1] * slow * of_r]
        return ahead * slow + _network(weights, x)

    # XLA would compute all this in each loop that reads u; what a condition returns, it computes once.
    return jax.lax.cond(step >= 0, with_network, lambda: jnp.zeros_like(g)), scaled


def _measured(g, params, m, statistics, t):
    """(log s, (cosine of g and m, fast and slow mean square of g), [tensors] each, and the statistics after this step).

    m: the average of gradients (.9) before this one; t: steps with this one.
    """
    sizes, dtype = [x.size for x in params], g.dtype
    pairs = (g, g), (params, params), (g, m), (m, m)
    g_square, p_square, g_m, m_square = (_means(x, y, sizes) for x, y in pairs)
    of_all = jnp.dot(p_square, jnp.asarray(sizes, dtype) / sum(sizes))
    usual = sum(x.shape[-1] for x in params if x.ndim > 1) / sum(sizes)  # of matrices with 1 / inputs
    of_all = jnp.where(of_all < 1e-10 * usual, usual, of_all)  # models that start at 0
    log_s = jnp.log(p_square + 0.01 * of_all + 1e-16) / 2
    cosine = g_m / (_root(g_square) * _root(m_square))
    shares = jnp.asarray([0.1, *(1 - d for d in V_DECAYS)], dtype)[:, None]
    statistics = statistics + shares * (jnp.stack([cosine, g_square, g_square]) - statistics)
    return log_s, tuple(statistics / _lacking([0.9, *V_DECAYS], t)[:, None]), statistics


def _controlled(theta, params, step, steps, trend, log_s, measured, squares, *more):
    """The controller's outputs [outputs, tensors].

    log_s, measured: of `_measured`; squares: mean squares of the direction and of three averages over sqrt(v) [4, tensors];
    more: what else the controller of a rule reads, [tensors] each.
    """
    sizes, dtype, (cosine, fast, slow) = [x.size for x in params], log_s.dtype, measured
    logs, quotient = jnp.log(squares + 1e-6) / 6, jnp.log((fast + EPSILON) / (slow + EPSILON)) / 2
    times = jnp.tanh(10 * (jnp.minimum(step.astype(dtype) / steps, 1) - jnp.asarray(FRACTIONS, dtype)))
    shared = jnp.broadcast_to(jnp.concatenate([times, trend])[:, None], (len(FRACTIONS) + TRENDS - 1, len(params)))
    axes = [sum(n > 1 for n in x.shape) for x in params]
    shapes = [[math.log(n) / 5 - 1 for n in sizes], [a <= 1 for a in axes], [a > 2 for a in axes]]
    shapes = jnp.asarray([*shapes, [math.log(len(params)) - 1] * len(params)], dtype)
    of_tensors = jnp.stack([cosine, quotient, *logs[1:], logs[0] - log_s / 3, log_s / 3])
    x = jnp.concatenate([shared, of_tensors, shapes, *(reading[None] for reading in more)])
    return _linear(theta, "controller/linear_1", jnp.maximum(_linear(theta, "controller/linear_0", x), 0))


def _rates(theta, c1, c2, log_s, square, steps):
    """What the direction of each tensor, of mean square `square`, is multiplied by: [tensors]."""
    a = jax.nn.sigmoid(3 * c2 + math.log(0.05 / 0.95))
    power = theta["power"] * log_s + theta.get("length", 0.0) * jnp.log(jnp.asarray(steps / 2000, log_s.dtype))
    return 0.01 * jnp.exp(jnp.clip(3 * (c1 + power), -10, 10)) * (1 - a + a / _root(square))


def _anchored(theta, grads, state, params, step, loss, steps):
    sizes = [x.size for x in params]
    g = jnp.clip(_vector(grads), -LARGEST_GRADIENT, LARGEST_GRADIENT)
    t = step.astype(g.dtype) + 1
    trend, losses = _trends(state["losses"], loss, steps)
    log_s, measured, statistics = _measured(g, params, state["m"][1], state["statistics"], t)
    m, v = _averages(state, g)
    u, scaled = _anchored_directions(theta, g, params, m, v, t, step, 1 / _root(measured[-1]), jnp.exp(-log_s))
    squares = jnp.stack([_means(x, x, sizes) for x in (u, *scaled)])
    c1, c2 = _controlled(theta, params, step, steps, trend, log_s, measured, squares)
    rates = _rates(theta, c1, c2, log_s, squares[0], steps)
    moves = [(-r * part).reshape(x.shape) for r, part, x in zip(rates, _split(u, sizes), params)]
    return moves, {"m": m, "v": v, "losses": losses, "statistics": statistics}


# anchored_muon: NAdam's direction and, of matrices, the orthogonal one of Muon beside it, by the same controller
# (learned/optimizers/anchored_muon.py has the formulas and their sources).

MUON_DECAYS = (0.9, 0.99), (0.999,)  # of m; of v
NEWTON_SCHULZ, GROUPS = (3.4445, -4.7750, 2.0315), (2, 3)  # five iterations; those of a group share a Gram matrix
BLOCK = 128  # rows of a matrix that are made orthogonal to one another, at most


def _anchored_muon_start(params):
    return _anchored_start(params, *MUON_DECAYS)


def _orthogonal(matrices):
    """Nearly U V' of the singular value decomposition U S V' of each of several matrices [k, rows, columns], rows <= columns.

    Of each block of at most BLOCK rows; rows of zeros fill up the last block.
    """
    k, rows, columns = matrices.shape
    count = -(-rows // BLOCK)
    high = -(-rows // count)
    filled = jnp.pad(matrices, ((0, 0), (0, count * high - rows), (0, 0))).reshape(k * count, high, columns)
    mean_square = jnp.mean(filled * filled, axis=(1, 2), keepdims=True)
    x = _newton_schulz(filled / (_root(mean_square) * math.sqrt(high * columns)))
    return x.reshape(k, count * high, columns)[:, :rows]


def _newton_schulz(x):
    """The iterations, in float32 also where products of matrices are rounded by default."""
    (a, b, c), dot = NEWTON_SCHULZ, functools.partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)
    identity = jnp.eye(x.shape[1], dtype=x.dtype)
    for iterations in GROUPS:
        gram, product = dot(x, jnp.swapaxes(x, 1, 2)), None
        for i in range(iterations):
            factor = a * identity + b * gram + c * dot(gram, gram)
            product = factor if product is None else dot(factor, product)
            if i < iterations - 1:
                gram = dot(dot(factor, gram), factor)
        x = dot(product, x)
    return x


def _orthogonal_parts(parts, shapes):
    """[n] of each tensor -> .35 sqrt(max(rows, columns)) O [n], None where it is no matrix; those of one shape at once.

    A matrix is a tensor of two or more axes, [everything but the last axis, last axis], of which neither is 1.
    """
    alike, found = {}, [None] * len(parts)
    for place, shape in enumerate(shapes):
        rows, columns = (math.prod(shape[:-1]), shape[-1]) if len(shape) > 1 else (1, 1)
        if min(rows, columns) > 1:
            alike.setdefault((min(rows, columns), max(rows, columns)), []).append((place, rows, columns))
    for (shorter, longer), members in alike.items():
        lying = [parts[place].reshape(rows, columns) for place, rows, columns in members]
        o = 0.35 * math.sqrt(longer) * _orthogonal(jnp.stack([x if len(x) == shorter else x.T for x in lying]))
        for x, (place, rows, _) in zip(o, members):
            found[place] = (x if rows == shorter else x.T).ravel()
    return found


def _anchored_muon(theta, grads, state, params, step, loss, steps):
    sizes = [x.size for x in params]
    g = jnp.clip(_vector(grads), -LARGEST_GRADIENT, LARGEST_GRADIENT)
    t = step.astype(g.dtype) + 1
    trend, losses = _trends(state["losses"], loss, steps)
    log_s, measured, statistics = _measured(g, params, state["m"][0], state["statistics"], t)
    m, v = _averages(state, g, *MUON_DECAYS)
    average, in_noise, (second,) = _corrected(g, m, v, t, *MUON_DECAYS)
    inverse = jax.lax.rsqrt(second + EPSILON)
    whole, *scaled = (x * inverse for x in (average, g, *in_noise))
    n, found = _split(whole, sizes), _orthogonal_parts(_split(average, sizes), [x.shape for x in params])
    o = [of_n if of_o is None else of_o for of_n, of_o in zip(n, found)]
    squares = jnp.stack([_means(x, x, sizes) for x in (whole, *scaled)])
    both, of_o = _means(whole, o, sizes), _means(o, o, sizes)
    cosine = both / (_root(squares[0]) * _root(of_o))
    c1, c2, c3 = _controlled(theta, params, step, steps, trend, log_s, measured, squares, cosine)
    b = jax.nn.sigmoid(3 * c3 + math.log(9))  # at the start nine tenths are the orthogonal direction
    square = (1 - b) ** 2 * squares[0] + 2 * b * (1 - b) * both + b**2 * of_o  # rounding may leave it below 0
    rates = _rates(theta, c1, c2, log_s, jnp.maximum(square, 0), steps)
    moves = [
        (-rate * (x if y is None else x + share * (y - x))).reshape(p.shape)
        for rate, share, x, y, p in zip(rates, b, n, found, params)
    ]
    return moves, {"m": m, "v": v, "losses": losses, "statistics": statistics}


# Rules that treat each tensor by itself: `rule(theta, g, state, p, step) -> (move, state)`.


def _each(start, rule):
    def move(theta, grads, state, params, step, loss, steps):
        del loss, steps
        vectors = [
            (g.reshape(p.shape or (1,)), s, p.reshape(p.shape or (1,))) for g, s, p in zip(grads, state["tensors"], params)
        ]
        done = [rule(theta, g, s, p, step) for g, s, p in vectors]
        return [x.reshape(p.shape) for (x, _), p in zip(done, params)], {"tensors": [s for _, s in done]}

    return lambda params: {"tensors": [start(p.reshape(p.shape or (1,))) for p in params]}, move


def _zeros(*names, count=1):
    return lambda p: {name: jnp.zeros((count, *p.shape), p.dtype) for name in names}


def _sgd(theta, g, state, p, step):
    return -jnp.exp(theta["log_learning_rate"]) * g, {}


def _sgdm(theta, g, state, p, step):
    u = -jnp.expm1(theta["log_one_minus_beta"]) * state["u"] + g
    return -jnp.exp(theta["log_learning_rate"]) * u[0], {"u": u}


def _adam(theta, g, state, p, step):
    fractions = [jnp.exp(theta[f"log_one_minus_beta{i}"]) for i in (1, 2)]
    m, v = (state[name] + f * (x - state[name]) for name, x, f in zip("mv", (g, g * g), fractions))
    first, second = (-jnp.expm1((step + 1) * jnp.log1p(-fraction)) for fraction in fractions)
    rate = jnp.exp(theta["log_learning_rate"]) * jnp.sqrt(second) / first
    return -rate * m[0] / (jnp.sqrt(v[0]) + jnp.exp(theta["log_epsilon"])), {"m": m, "v": v}


TIMES = (1, 3, 10, 30, 100, 300, 1e3, 3e3, 1e4, 3e4, 1e5)  # steps
MLP_DECAYS = (0.1, 0.5, 0.9, 0.99, 0.999, 0.9999)
MLP2019_DECAYS = (0.5, 0.9, 0.99, 0.999, 0.9999)
MLP2019_TIMES = (3, 10, 30, 100, 300, 1e3, 3e3, 1e4, 3e5)
ADAFAC_DECAYS = {"m": (0.9, 0.99, 0.999), "rms": (0.999,), "factored": (0.9, 0.99, 0.999)}


def _linear(theta, path, x):
    return theta[f"{path}/w"].T @ x + theta[f"{path}/b"][:, None]


def _average(old, new, fractions):
    """m <- m + (1 - d) (x - m) for averages m [n, *shape] and 1 - d = fractions [n]."""
    return old + jnp.asarray(fractions, old.dtype).reshape([-1] + [1] * (old.ndim - 1)) * (new - old)


def _decayed(old, new, decays):
    return _average(old, new, 1 - np.array(decays))


def _stepped(theta, p, blocks, step, times=TIMES):
    """- direction exp(.001 magnitude) .001, both from the network on normalised blocks [features, *shape] and time."""
    x = jnp.concatenate([jnp.broadcast_to(block, (len(block), *p.shape)).reshape(len(block), -1) for block in blocks])
    x = x * jax.lax.rsqrt(1e-5 + jnp.mean(x * x, axis=1, keepdims=True))
    w, time = theta["mlp/linear_0/w"], jnp.tanh(step.astype(p.dtype) / jnp.asarray(times, p.dtype) - 1)
    h, layer = w[: len(x)].T @ x + (w[len(x) :].T @ time + theta["mlp/linear_0/b"])[:, None], 1
    while f"mlp/linear_{layer}/w" in theta:
        h, layer = _linear(theta, f"mlp/linear_{layer}", jnp.maximum(h, 0)), layer + 1
    return -0.001 * (h[0] * jnp.exp(0.001 * h[1])).reshape(p.shape)


def _mlp(theta, g, state, p, step):
    m = _decayed(state["m"], g, MLP_DECAYS)
    return _stepped(theta, p, [g[None], p[None], m], step), {"m": m}


def _mlp2019(theta, g, state, p, step):
    m, rms = _decayed(state["m"], g, MLP2019_DECAYS), _decayed(state["rms"], g * g, MLP2019_DECAYS)
    factor = jax.lax.rsqrt(rms + 1e-6)
    return _stepped(theta, p, [g[None], m * factor, p[None], m, rms, factor], step, MLP2019_TIMES), {"m": m, "rms": rms}


def _largest_axes(shape):
    """The largest and the second largest axis; of equal ones the later counts as larger."""
    return sorted(range(len(shape)), key=lambda axis: (shape[axis], axis))[:-3:-1]


def _factors(x):
    """[row, column] means of x [1, *shape], or [x, x] where it has fewer than two axes."""
    return [jnp.mean(x, 1 + axis, keepdims=True) for axis in _largest_axes(x.shape[1:])] if x.ndim > 2 else [x, x]


def _adafac_start(p):
    row, col = (jnp.repeat(f, len(ADAFAC_DECAYS["factored"]), axis=0) for f in _factors(jnp.zeros_like(p)[None]))
    return {**_zeros("m", count=3)(p), **_zeros("rms")(p), "row": row, "col": col}


def _adafac_mlp(theta, g, state, p, step):
    fractions = {}
    for kind, decays in ADAFAC_DECAYS.items():
        fractions[kind] = jnp.asarray(1 - np.array(decays), p.dtype) * jnp.exp(10 * theta[f"decay_offsets/{kind}"])
        if kind != "m":
            fractions[kind] = jnp.clip(fractions[kind], 0, 1)
    rsqrt, factors = jax.lax.rsqrt, _factors((g * g)[None] + 1e-30)
    m, rms = _average(state["m"], g, fractions["m"]), _average(state["rms"], g * g, fractions["rms"])
    row, col = (_average(state[s], f, fractions["factored"]) for s, f in zip(("row", "col"), factors))
    if p.ndim < 2:
        scale_g, scale_m = rsqrt(row + 1e-9), rsqrt(row + 1e-6)
    else:
        mean = jnp.mean(row, 1 + _largest_axes(p.shape)[1], keepdims=True)
        scale_g = scale_m = rsqrt(jnp.maximum(row / (mean + 1e-9), 1e-9)) * rsqrt(jnp.maximum(col, 1e-9))
    factor, roots = rsqrt(rms + 1e-6), [rsqrt(row + 1e-8), rsqrt(col + 1e-8)]
    blocks = [g[None], p[None], m, rms, m * factor, factor, g * scale_g, row, col, *roots, m * scale_m]
    return _stepped(theta, p, blocks, step), {"m": m, "rms": rms, "row": row, "col": col}


LSTM_HIDDEN = 20


def _lstm_start(p):
    return {f"{part}{i}": jnp.zeros((LSTM_HIDDEN, p.size), p.dtype) for part in "hc" for i in range(2)}


def _lstm(theta, g, state, p, step):
    x, limit, new = g.reshape(1, -1), math.exp(-10), {}
    large = jnp.abs(x) >= limit
    logs = jnp.log(jnp.maximum(jnp.abs(x), limit)) / 10
    x = jnp.concatenate([jnp.where(large, logs, -1), jnp.where(large, jnp.sign(x), x / limit)])
    for n in range(2):
        gates = theta[f"lstm_{n}/w_gates"].T @ jnp.concatenate([x, state[f"h{n}"]]) + theta[f"lstm_{n}/b_gates"][:, None]
        i, j, f, o = jnp.split(gates, 4)
        new[f"c{n}"] = jax.nn.sigmoid(f + 1) * state[f"c{n}"] + jax.nn.sigmoid(i) * jnp.tanh(j)
        x = new[f"h{n}"] = jax.nn.sigmoid(o) * jnp.tanh(new[f"c{n}"])
    return 0.1 * _linear(theta, "linear", x).reshape(p.shape), new


RULES: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "anchored": (_anchored_start, _anchored),
    "anchored_muon": (_anchored_muon_start, _anchored_muon),
    "mlp": _each(_zeros("m", count=len(MLP_DECAYS)), _mlp),
    "mlp2019": _each(_zeros("m", "rms", count=len(MLP2019_DECAYS)), _mlp2019),
    "adafac_mlp": _each(_adafac_start, _adafac_mlp),
    "lstm": _each(_lstm_start, _lstm),
    "learnable_sgd": _each(_zeros(), _sgd),
    "learnable_sgdm": _each(_zeros("u"), _sgdm),
    "learnable_adam": _each(_zeros("m", "v"), _adam),
}
