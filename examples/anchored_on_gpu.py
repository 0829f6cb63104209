"""Outer training of `anchored` on tiny tasks, on one accelerator under JAX: for machines that have a GPU and no TensorFlow.

    python -m examples.tiny_data data.npz                                          here: 8x8 images and text, synthetic
    python anchored_on_gpu.py data.npz OUT --seconds 535 --planned 760             there: needs NumPy and JAX, no other file

The rule is that of learned/optimizers/anchored.py; the estimator is persistent evolution strategies (Vicol et al. 2021, arXiv
2112.13835) with antithetic pairs; the outer optimizer is AdamW. Each kind of task is one program for all pairs: data set, start
scale, rescaling and length of the episode are inputs of a pair. Run again, it resumes from OUT/latest.npz with new episodes.

Losses are normalized by Adam's best of 17 rates on each (kind, data set), which is computed first: initial -> 1, best -> 0, in
[-2, 2]. OUT/theta-STEP.npz: the weights after that many outer steps, by their names in the package. The schedules follow the
clock (--planned seconds in all), so two runs differ.
"""

import argparse
import functools
import itertools
import json
import math
import pathlib
import time

import jax
import jax.numpy as jnp
import numpy as np

# The rule: learned/optimizers/anchored.py says what is what.
M_DECAYS, V_DECAYS = np.array([0.5, 0.9, 0.99]), np.array([0.95, 0.999])
RATE, NORMALISED, EPSILON, LARGEST, WIDEST, SHARED = 0.01, 0.05, 1e-9, 1e12, 10.0, 0.1
FRACTIONS = np.array([0.03, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 1.1])
TRENDS, SHORTEST = 6, 10.0
SHAPES = {
    "controller/linear_0/b": (16,), "controller/linear_0/w": (25, 16), "controller/linear_1/b": (2,),
    "controller/linear_1/w": (16, 2), "mlp/linear_0/b": (8,), "mlp/linear_0/w": (14, 8), "mlp/linear_1/b": (8,),
    "mlp/linear_1/w": (8, 8), "mlp/linear_2/w": (8, 1), "power": (),
}  # fmt: skip
PLACES = np.cumsum([0] + [math.prod(s) for s in SHAPES.values()])


def unflatten(x):
    """{name: array} of a vector of all weights."""
    return {n: x[PLACES[i] : PLACES[i + 1]].reshape(s) for i, (n, s) in enumerate(SHAPES.items())}


def start_weights(rng):
    """The vector at the start: hidden layers truncated normal with stddev 1 / sqrt(fan-in), all else 0."""
    w = {n: np.zeros(s) for n, s in SHAPES.items()}
    for n in ("controller/linear_0/w", "mlp/linear_0/w", "mlp/linear_1/w"):
        draw = rng.standard_normal((8, *SHAPES[n]))
        pick = np.argmax(np.abs(draw) < 2, 0)
        w[n] = np.take_along_axis(draw, pick[None], 0)[0] / math.sqrt(SHAPES[n][0])
    return np.concatenate([w[n].ravel() for n in SHAPES]).astype(np.float32)


def rule_init(n, tensors):
    """The state of one training of n numbers in that many tensors."""
    losses = {k: jnp.zeros(TRENDS) for k in ("mean", "weight", "least")} | {"first": jnp.zeros(())}
    return {
        "m": jnp.zeros((3, n)),
        "v": jnp.zeros((2, n)),
        "losses": losses,
        "cosine": jnp.zeros(tensors),
        "square": jnp.zeros((2, tensors)),
    }


def rule_update(theta, g, p, state, step, loss, horizon, shapes):
    """(p, state) after a step. g, p [n]: all tensors of `shapes` one behind the other; step, horizon: float scalars."""
    sizes = [math.prod(s) for s in shapes]
    ends = np.cumsum([0, *sizes])
    means = lambda x: jnp.stack([x[:, a:b].mean(1) for a, b in itertools.pairwise(ends)], 1)  # noqa: E731
    spread = lambda v: jnp.concatenate([jnp.broadcast_to(v[i], (k,)) for i, k in enumerate(sizes)])  # noqa: E731
    lacking = lambda d, t: -jnp.expm1(t * jnp.log(jnp.asarray(d, jnp.float32)))  # noqa: E731
    root = lambda x: jax.lax.rsqrt(x + EPSILON**2)  # noqa: E731
    g = jnp.clip(g, -LARGEST, LARGEST)
    t = step + 1
    trend, losses = _trends(state["losses"], loss, horizon)
    old = state["m"][1]
    squares = means(jnp.stack([g * g, p * p, g * old, old * old]))
    of_all = squares[1] @ (np.array(sizes) / sum(sizes))
    usual = sum(s[-1] for s in shapes if len(s) > 1) / sum(sizes)  # of matrices with 1 / inputs
    of_all = jnp.where(of_all < 1e-10 * usual, usual, of_all)  # models that start at 0
    s2 = squares[1] + SHARED**2 * of_all + 1e-16
    square = V_DECAYS[:, None] * state["square"] + (1 - V_DECAYS)[:, None] * squares[0]
    cosine = squares[2] * root(squares[0]) * root(squares[3])
    cosine = state["cosine"] + 0.1 * (cosine - state["cosine"])
    corrected = square / lacking(V_DECAYS, t)[:, None]
    m = state["m"] + (1 - M_DECAYS)[:, None] * (g - state["m"])
    v = state["v"] + (1 - V_DECAYS)[:, None] * (g * g - state["v"])
    inverse_r, inverse_s = spread(root(corrected[1])), spread(jax.lax.rsqrt(s2))
    lm, lv = lacking(M_DECAYS, t), lacking(V_DECAYS, t)
    second = v / lv[:, None]
    fast, slow = root(second[0]), root(second[1])
    noise = jnp.sqrt((1 - M_DECAYS) / (1 + M_DECAYS) * (2 - lm) / lm)
    seen = [g, *(m / (lm * noise)[:, None])]
    scaled = [x * slow for x in seen]
    x = jnp.stack(
        [*(y * inverse_r for y in seen), *(y * fast for y in seen), *scaled, p * inverse_s, second[1] * slow * inverse_r]
    )
    h = jax.nn.relu(jnp.einsum("io,in->on", theta["mlp/linear_0/w"], x) + theta["mlp/linear_0/b"][:, None])
    h = jax.nn.relu(jnp.einsum("io,in->on", theta["mlp/linear_1/w"], h) + theta["mlp/linear_1/b"][:, None])
    ahead = 0.9 / lacking(np.array([0.9]), t + 1)[0] * m[1] + 0.1 / lm[1] * g
    u = ahead * slow + theta["mlp/linear_2/w"][:, 0] @ h
    moved = means(jnp.stack([u * u, *(y * y for y in scaled[1:])]))
    log_s = jnp.log(s2) / 2
    quotient = jnp.log((corrected[0] + EPSILON**2) / (corrected[1] + EPSILON**2)) / 2
    logs = jnp.log(moved + 1e-6) / 6
    of_tensors = jnp.stack([cosine / lacking(np.array([0.9]), t)[0], quotient, *logs[1:], logs[0] - log_s / 3, log_s / 3])
    fraction = jnp.minimum(step / horizon, 1.0)
    shared = jnp.concatenate([jnp.tanh(10 * (fraction - FRACTIONS)), trend])
    fixed = np.array([
        (math.log(k) / 5 - 1, float(sum(n > 1 for n in s) <= 1), float(sum(n > 1 for n in s) > 2), math.log(len(shapes)) - 1)
        for k, s in zip(sizes, shapes)
    ]).T  # fmt: skip
    x = jnp.concatenate(
        [jnp.broadcast_to(shared[:, None], (len(shared), len(shapes))), of_tensors, jnp.asarray(fixed, jnp.float32)]
    )
    h = jax.nn.relu(theta["controller/linear_0/w"].T @ x + theta["controller/linear_0/b"][:, None])
    c1, c2 = theta["controller/linear_1/w"].T @ h + theta["controller/linear_1/b"][:, None]
    a = jax.nn.sigmoid(3 * c2 + math.log(NORMALISED / (1 - NORMALISED)))
    rate = RATE * jnp.exp(jnp.clip(3 * (c1 + theta["power"] * log_s), -WIDEST, WIDEST)) * (1 - a + a * root(moved[0]))
    return p - spread(rate) * u, {"m": m, "v": v, "losses": losses, "cosine": cosine, "square": square}


def _trends(old, loss, horizon):
    longest = jnp.maximum(horizon / SHORTEST, 1.0)
    decays = jnp.exp(-math.log(2) / (SHORTEST * longest ** (np.arange(TRENDS) / (TRENDS - 1))))
    finite = jnp.isfinite(loss)
    share, loss = jnp.where(finite, 1 - decays, 0.0), jnp.where(finite, loss, 0.0)
    first = jnp.where(old["weight"][0] > 0, old["first"], loss)
    mean, weight = old["mean"] + share * (loss - first - old["mean"]), old["weight"] + share * (1 - old["weight"])
    average = mean / jnp.maximum(weight, 1e-12)
    least = jnp.minimum(old["least"], average)
    above, slower = average[:-1] - least[:-1], jnp.maximum(average[1:] - least[:-1], 0.0)
    rounding = 1e-6 * (jnp.abs(first) + jnp.abs(average[:-1]) + jnp.abs(average[1:])) + 1e-30
    trend = jnp.clip((above + rounding) / (slower + rounding) - 1, -1.0, 1.0)
    return trend, {"mean": mean, "weight": weight, "least": least, "first": first}


# ---- Tiny tasks: (shapes of parameters, start stddevs, loss(params, batch)) ----
class Kind:
    """A kind of task: `sets` data sets, a loss of a list of tensors, a batch drawn from (set, key)."""

    def __init__(self, name, layers, loss, draw, sets):
        self.name, self.shapes, self.stddevs = name, [s for s, _ in layers], [d for _, d in layers]
        self.loss, self.draw, self.sets = loss, draw, sets
        self.n, self.ends = sum(map(math.prod, self.shapes)), np.cumsum([0, *map(math.prod, self.shapes)])

    def tensors(self, flat):
        return [flat[a:b].reshape(s) for a, b, s in zip(self.ends, self.ends[1:], self.shapes)]

    def start(self, key, scale):
        return jax.random.normal(key, (self.n,)) * np.repeat(np.array(self.stddevs), np.diff(self.ends)) * scale


def dense(*sizes, gain=1.0):
    return [t for a, b in itertools.pairwise(sizes) for t in (((a, b), gain / math.sqrt(a)), ((b,), 0.0))]


def cross_entropy(logits, labels):
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), labels[..., None], -1))


def mlp(params, x, act):
    for i in range(0, len(params), 2):
        x = x @ params[i] + params[i + 1]
        x = act(x) if i + 2 < len(params) else x
    return x


def kinds(images, labels, text):
    """The kinds of task on images [D, n, 8, 8] in [0, 1], labels [D, n], text [D, n] of tokens below 64."""
    D, count = labels.shape

    def images_of(batch):
        def draw(which, key):
            rows = jax.random.randint(key, (batch,), 0, count)
            return images[which, rows], labels[which, rows]

        return draw

    def classifier(act, *hidden):
        def loss(params, batch):
            return cross_entropy(mlp(params, batch[0].reshape(len(batch[0]), 64), act), batch[1])

        return dense(64, *hidden, 10), loss

    def autoencoder(act, *hidden, mean_square):
        def loss(params, batch):
            x = batch[0].reshape(len(batch[0]), 64)
            y = mlp(params, x, act)
            if mean_square:
                return jnp.mean((y - x) ** 2)
            return jnp.mean(jnp.maximum(y, 0) - y * x + jnp.log1p(jnp.exp(-jnp.abs(y))))

        return dense(64, *hidden, 64), loss

    def conv(params, batch):
        x = batch[0][..., None] - 0.5
        for w, b, stride in ((params[0], params[1], 2), (params[2], params[3], 1)):
            around = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
            side = x.shape[1]
            patches = jnp.concatenate(
                [around[:, i : i + side : stride, j : j + side : stride] for i in range(3) for j in range(3)], -1
            )
            x = jax.nn.relu(patches @ w.reshape(-1, w.shape[-1]) + b)
        return cross_entropy(x.mean((1, 2)) @ params[4] + params[5], batch[1])

    conv_layers = [((3, 3, 1, 8), 1 / 3), ((8,), 0.0), ((3, 3, 8, 16), 1 / math.sqrt(72)), ((16,), 0.0), *dense(16, 10)]

    def text_of(batch, length):
        def draw(which, key):
            starts = jax.random.randint(key, (batch,), 0, text.shape[1] - length - 1)
            return text[which][starts[:, None] + np.arange(length + 1)]

        return draw

    def rnn(params, tokens):
        embed, w, b, out, bias = params
        cell = lambda h, x: (jnp.tanh(jnp.concatenate([x, h], -1) @ w + b),) * 2  # noqa: E731
        _, hs = jax.lax.scan(cell, jnp.zeros((len(tokens), 32)), jnp.swapaxes(embed[tokens[:, :-1]], 0, 1))
        return cross_entropy(hs @ out + bias, tokens[:, 1:].T)

    def gated(params, tokens):
        embed, w, b, out, bias = params

        def cell(state, x):
            h, c = state
            i, f, o, u = jnp.split(jnp.concatenate([x, h], -1) @ w + b, 4, -1)
            c = jax.nn.sigmoid(f + 1) * c + jax.nn.sigmoid(i) * jnp.tanh(u)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zero = jnp.zeros((len(tokens), 24))
        _, hs = jax.lax.scan(cell, (zero, zero), jnp.swapaxes(embed[tokens[:, :-1]], 0, 1))
        return cross_entropy(hs @ out + bias, tokens[:, 1:].T)

    rnn_layers = [((64, 16), 1.0), ((48, 32), 1 / math.sqrt(48)), ((32,), 0.0), *dense(32, 64)]
    gated_layers = [((64, 16), 1.0), ((40, 96), 1 / math.sqrt(40)), ((96,), 0.0), *dense(24, 64)]

    # Quadratics: |A_which (x - target)|^2 / 2 with noise in the target; spectra from round to narrow valleys.
    rng = np.random.default_rng(7)
    A = jnp.asarray(
        np.stack([np.linalg.qr(rng.standard_normal((32, 32)))[0] * np.logspace(0, -low, 32) for low in np.linspace(0, 2, D)]),
        jnp.float32,
    )
    goal = jnp.asarray(rng.standard_normal((D, 32)), jnp.float32)

    def quadratic(params, batch):
        return 0.5 * jnp.sum((batch[0] @ (params[0] - batch[1])) ** 2)

    def quadratic_of(which, key):
        return A[which], goal[which] + 0.1 * jax.random.normal(key, (32,))

    made = [
        Kind("mlp_relu", *classifier(jax.nn.relu, 32), images_of(64), D),
        Kind("mlp_deep_tanh", *classifier(jnp.tanh, 32, 32, 32), images_of(32), D),
        Kind("mlp_wide", *classifier(jax.nn.relu, 96, 48), images_of(16), D),
        Kind("ae_square", *autoencoder(jax.nn.relu, 32, 8, 32, mean_square=True), images_of(64), D),
        Kind("ae_bits", *autoencoder(jnp.tanh, 32, mean_square=False), images_of(32), D),
        Kind("conv", conv_layers, conv, images_of(32), D),
        Kind("rnn", rnn_layers, rnn, text_of(16, 12), text.shape[0]),
        Kind("lstm", gated_layers, gated, text_of(16, 10), text.shape[0]),
        Kind("quadratic", [((32,), 1.0)], quadratic, quadratic_of, D),
    ]
    return made


# ---- Scales: Adam's best of 17 rates ----
RATES = 10.0 ** np.arange(-5, 1.01, 0.375)
STEPS = 2000


def adam_curves(kind):
    """[sets, rates, 100]: means of the train loss over 20 steps, and the initial losses [sets]."""

    def one(which, rate, seed):
        key = jax.random.PRNGKey(seed)
        p = kind.start(jax.random.fold_in(key, 1), 1.0)

        def step(state, i):
            p, m, v = state
            batch = kind.draw(which, jax.random.fold_in(key, i + 10))
            loss, g = jax.value_and_grad(lambda w: kind.loss(kind.tensors(w), batch))(p)
            m, v, t = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g, i + 1.0
            return (p - rate * m / (1 - 0.9**t) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8), m, v), loss

        _, losses = jax.lax.scan(step, (p, p * 0, p * 0), jnp.arange(STEPS, dtype=jnp.int32))
        return losses[0], losses.reshape(100, 20).mean(1)

    grid = jnp.meshgrid(jnp.arange(kind.sets), jnp.asarray(RATES, jnp.float32), jnp.arange(2), indexing="ij")
    first, curves = jax.jit(jax.vmap(one))(*(x.ravel() for x in grid))
    shape = (kind.sets, len(RATES), 2)
    return np.asarray(first).reshape(shape).mean((1, 2)), np.asarray(curves).reshape(*shape, 100).mean(2)


def scales(kind):
    """(initial [sets], best [sets]): best over rates and time of the mean over seeds, with Adam tuned and untuned for the log."""
    first, curves = adam_curves(kind)
    curves = np.where(np.isfinite(curves), curves, np.inf)
    return first.astype(np.float32), curves.min((1, 2)).astype(np.float32), curves


# ---- The outer gradient ----
TRUNCATION, SIGMA = 50, 0.01


def start_of(kind, key, most):
    """A new episode of one pair: everything that belongs to it. most: the longest length, in truncations."""
    keys = jax.random.split(key, 8)
    which = jax.random.randint(keys[0], (), 0, kind.sets)
    scale = jnp.exp(jax.random.uniform(keys[1], (), minval=-0.7, maxval=0.7))
    truncations = jnp.floor(jnp.exp(jax.random.uniform(keys[2], (), minval=math.log(2.0), maxval=jnp.log(most + 0.999)))).astype(
        jnp.int32
    )
    sort = jax.random.randint(keys[3], (), 0, 7)  # none 4, all alike 2, each tensor 1 of 7
    span = math.log(30.0)
    alike = jnp.exp(jax.random.uniform(keys[4], (), minval=-span, maxval=span))
    each = jnp.exp(jax.random.uniform(keys[5], (len(kind.shapes),), minval=-span, maxval=span))
    factor = jnp.where(sort < 4, 1.0, jnp.where(sort < 6, alike, each))
    s = jnp.concatenate([jnp.broadcast_to(factor[i], (b - a,)) for i, (a, b) in enumerate(itertools.pairwise(kind.ends))])
    p = kind.start(keys[6], scale) / s
    return {"key": keys[7], "which": which, "truncations": truncations, "s": s, "p": jnp.stack([p, p]),
            "state": jax.tree.map(lambda x: jnp.stack([x, x]), rule_init(kind.n, len(kind.shapes))),
            "xi": jnp.zeros(PLACES[-1]), "t": jnp.zeros((), jnp.int32)}  # fmt: skip


def truncation(kind, initial, best, theta, pair, key, most):
    """(sum of xi D / (2 sigma^2), mean loss, share of diverged, pair) of one pair over a truncation of TRUNCATION steps."""
    e = SIGMA * jax.random.normal(key, (PLACES[-1],))
    xi = pair["xi"] + e
    horizon = (pair["truncations"] * TRUNCATION).astype(jnp.float32)
    which, s = pair["which"], pair["s"]

    def side(sign, p, state):
        weights = unflatten(theta + sign * e)

        def step(carry, i):
            p, state, over = carry
            t = pair["t"] * TRUNCATION + i
            batch = kind.draw(which, jax.random.fold_in(pair["key"], t))
            loss, g = jax.value_and_grad(lambda w: kind.loss(kind.tensors(w * s), batch))(p)
            over = over | ~jnp.isfinite(loss)
            n = jnp.clip((loss - best[which]) / (initial[which] - best[which]), -2.0, 2.0)
            new, later = rule_update(weights, g, p, state, t.astype(jnp.float32), loss, horizon, kind.shapes)
            return (new, later, over), jnp.where(over, 2.0, n)

        (p, state, over), losses = jax.lax.scan(step, (p, state, ~jnp.isfinite(p).all()), jnp.arange(TRUNCATION))
        return losses.mean(), p, state, over

    losses, p, state, over = jax.vmap(side)(jnp.array([1.0, -1.0]), pair["p"], pair["state"])
    gradient = xi * (losses[0] - losses[1]) / (2 * SIGMA**2)
    pair = pair | {"p": p, "state": state, "xi": xi, "t": pair["t"] + 1}
    ended = (pair["t"] >= pair["truncations"]) | over.any()
    fresh = start_of(kind, jax.random.fold_in(pair["key"], 2**30), most)
    pair = jax.tree.map(lambda a, b: jnp.where(ended, a, b), fresh, pair)
    return gradient, losses.mean(), over.mean(), pair


def program(kind, initial, best):
    initial, best = jnp.asarray(initial), jnp.asarray(best)

    @jax.jit
    def run(theta, pairs, key, most):
        count = pairs["t"].shape[0]
        f = functools.partial(truncation, kind, initial, best, theta)
        g, loss, over, pairs = jax.vmap(lambda pair, k: f(pair, k, most))(pairs, jax.random.split(key, count))
        g = jnp.where(jnp.isfinite(g), g, 0.0)
        return g.mean(0), loss.mean(), over.mean(), pairs

    return run


@jax.jit
def adamw(x, m, v, t, grads, rate):
    """One outer step on the mean of the kinds' gradients, entries clipped to +-.1, weight decay 1e-4."""
    g = jnp.clip(sum(jnp.clip(g, -1.0, 1.0) for g in grads) / len(grads), -0.1, 0.1)
    m, v, t = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g, t + 1
    x = x - rate * (m / (1 - 0.9**t) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8) + 1e-4 * x)
    return x, m, v, t


def stored_scales(path, made):
    """{KIND/initial, KIND/best, KIND/curves} of all kinds, computed and kept in `path` if they aren't there."""
    if path.exists():
        return dict(np.load(path))
    stored = {}
    for kind in made:
        first, best, curves = scales(kind)
        stored |= {f"{kind.name}/initial": first, f"{kind.name}/best": best, f"{kind.name}/curves": curves}
        normalized = np.clip((curves - best[:, None, None]) / (first - best)[:, None, None], -2, 2).mean(-1)
        rate, tuned = normalized.mean(0).min(), normalized.min(1).mean()
        print(f"{kind.name}: {kind.n} parameters; Adam, mean of the curve: one rate {rate:.3f}, tuned {tuned:.3f}", flush=True)
    np.savez(path, **stored)
    return stored


def train(made, stored, args, begun):
    """Outer steps until the time is up; yields lines of the log."""
    programs = [program(kind, stored[f"{kind.name}/initial"], stored[f"{kind.name}/best"]) for kind in made]
    latest, key = args.out / "latest.npz", jax.random.PRNGKey(args.seed)
    x = start_weights(np.random.default_rng(args.seed))
    m, v, step, before = np.zeros_like(x), np.zeros_like(x), 0, 0.0
    if latest.exists():
        saved = np.load(latest)
        x, m, v, step, before = saved["x"], saved["m"], saved["v"], int(saved["t"]), float(saved["spent"])
    x, m, v, t = jnp.asarray(x), jnp.asarray(m), jnp.asarray(v), jnp.asarray(float(step))
    pairs = []
    for i, kind in enumerate(made):
        keys = jax.random.split(jax.random.fold_in(key, 1000 + i + step), args.pairs)
        pairs.append(jax.jit(jax.vmap(functools.partial(start_of, kind, most=4)))(keys))
    sums, counted, trained, spent = np.zeros((len(made), 2)), 0, time.time(), before
    while time.time() - begun < args.seconds:
        spent = before + time.time() - trained
        done = min(spent / args.planned, 1.0)
        most = 4 + 36 * min(done / 0.4, 1.0)  # truncations of the longest episode: 200 steps, later 2,000
        rate = args.rate * min((step + 1) / 100, 1) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done)))
        out = []
        for i, run in enumerate(programs):
            g, loss, over, pairs[i] = run(x, pairs[i], jax.random.fold_in(jax.random.fold_in(key, i), step), most)
            out.append((g, loss, over))
        x, m, v, t = adamw(x, m, v, t, [o[0] for o in out], rate)
        step += 1
        if step % 10 == 0:  # reading a number waits for the device
            sums, counted = sums + np.array([[float(loss), float(over)] for _, loss, over in out]), counted + 1
        if step % 250 == 0:
            means = sums / counted
            losses = {kind.name: round(float(loss), 3) for kind, loss in zip(made, means[:, 0])}
            yield {"step": step, "seconds": round(spent, 1), "mean": round(float(means[:, 0].mean()), 4), "loss": losses,
                   "diverged": round(float(means[:, 1].mean()), 4), "longest": round(TRUNCATION * most)}  # fmt: skip
            sums, counted = np.zeros((len(made), 2)), 0
        if step % 500 == 0:
            save_weights(args.out / f"theta-{step:06d}.npz", x)
    np.savez(latest, x=np.asarray(x), m=np.asarray(m), v=np.asarray(v), t=np.asarray(t), spent=spent)
    save_weights(args.out / f"theta-{step:06d}.npz", x)


def save_weights(path, x):
    """The weights by their names in the package."""
    np.savez(path, **unflatten(np.asarray(x)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path, help="What examples/tiny_data.py wrote.")
    parser.add_argument("out", type=pathlib.Path, help="Directory for scales, weights and log.")
    parser.add_argument("--seconds", type=float, required=True, help="Seconds of this run.")
    parser.add_argument("--planned", type=float, required=True, help="Seconds of the whole training: the schedules' end.")
    parser.add_argument("--pairs", type=int, default=64, help="Antithetic pairs of each kind of task.")
    parser.add_argument("--seed", type=int, default=0, help="Seed of every draw.")
    parser.add_argument("--rate", type=float, default=3e-3, help="Highest outer learning rate.")
    args = parser.parse_args()
    begun = time.time()
    args.out.mkdir(parents=True, exist_ok=True)
    data = np.load(args.data)
    made = kinds(jnp.asarray(data["images"], jnp.float32) / 255, jnp.asarray(data["labels"]), jnp.asarray(data["text"]))
    stored = stored_scales(args.out / "scales.npz", made)
    with open(args.out / "log.jsonl", "a") as log:
        for line in train(made, stored, args, begun):
            print(json.dumps(line), flush=True)
            log.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
