"""Outer gradients in JAX: the same optimizers, task and estimators as `learned`'s, for benchmarks/outer.py.

One training is written for itself, `jax.vmap` makes copies of it, `jax.lax.scan` truncations, `jax.jit` the program. `axis` says
where the features of a parameter lie: 0, [features, *shape], as `learned` has them, or -1, [*shape, features], as most code in
JAX has them; the benchmark takes whichever is faster.
"""

import jax
import jax.numpy as jnp
import numpy as np

MLP_DECAYS = np.array([0.1, 0.5, 0.9, 0.99, 0.999, 0.9999], np.float32)
ADAFAC_DECAYS = np.array([0.9, 0.99, 0.999], np.float32)
TIMES = np.array([1, 3, 10, 30, 100, 300, 1e3, 3e3, 1e4, 3e4, 1e5], np.float32)


def unflatten(theta, shapes):
    """{path: array} of the vector theta [P]."""
    sizes = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])[:-1]
    return {path: part.reshape(shape) for (path, shape), part in zip(shapes.items(), jnp.split(theta, sizes))}


# The task: 64-32-10 on 8x8 images.


def task_loss(params, batch):
    """Mean cross-entropy in nats."""
    x = batch["image"].reshape(batch["image"].shape[0], -1)
    h = jax.nn.relu(x @ params["mlp/linear_0/w"] + params["mlp/linear_0/b"])
    logits = h @ params["mlp/linear_1/w"] + params["mlp/linear_1/b"]
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), batch["label"][:, None], 1).mean()


def fresh_params(key, shapes):
    """Weights N(0, 2 / fan-in), biases 0."""
    keys = jax.random.split(key, len(shapes))
    draw = lambda k, s: jax.random.normal(k, s) * np.sqrt(2 / s[0]) if len(s) == 2 else jnp.zeros(s)  # noqa: E731
    return {path: draw(k, tuple(shape)) for k, (path, shape) in zip(keys, shapes.items())}


# The optimizers: `init(params) -> state`, `update(theta, grads, state, params, step) -> (params, state)`.


def normalised(x):
    """x rsqrt(1e-5 + mean(x^2))."""
    return x * jax.lax.rsqrt(1e-5 + jnp.mean(jnp.square(x)))


def network(theta, x, step, axis):
    """The outputs for features x, those of time multiplied once."""
    time = jnp.tanh(step / TIMES - 1)
    product = (lambda w, x: jnp.tensordot(w, x, (0, 0))) if axis == 0 else (lambda w, x: x @ w)
    beside = (lambda b, x: b.reshape(-1, *[1] * (x.ndim - 1))) if axis == 0 else (lambda b, x: b)
    w, known = theta["mlp/linear_0/w"], x.shape[axis]
    x = product(w[:known], x)
    x = x + beside(theta["mlp/linear_0/b"] + time @ w[known:], x)
    layer = 1
    while f"mlp/linear_{layer}/w" in theta:
        x = product(theta[f"mlp/linear_{layer}/w"], jax.nn.relu(x))
        x = x + beside(theta[f"mlp/linear_{layer}/b"], x)
        layer += 1
    return x


def stepped(p, outputs, axis):
    """p - direction exp(.001 magnitude) .001."""
    direction, magnitude = jnp.take(outputs, 0, axis), jnp.take(outputs, 1, axis)
    return p - direction * jnp.exp(0.001 * magnitude) * 0.001


def averages(old, new, fractions):
    """old + fractions (new - old), [averages, *shape]."""
    return old + fractions.reshape(-1, *[1] * (old.ndim - 1)) * (new - old)


class Mlp:
    """`learned.optimizers.mlp`."""

    def __init__(self, axis):
        self.axis = axis

    def init(self, params):
        return {path: jnp.zeros((len(MLP_DECAYS), *p.shape)) for path, p in params.items()}

    def update(self, theta, grads, state, params, step):
        after, new = {}, {}
        for path, p in params.items():
            new[path] = averages(state[path], grads[path], 1 - MLP_DECAYS)
            inputs = jnp.stack([normalised(x) for x in (grads[path], p, *new[path])], self.axis)
            after[path] = stepped(p, network(theta, inputs, step, self.axis), self.axis)
        return after, new


class AdafacMlp:
    """`learned.optimizers.adafac_mlp`, for parameters of rank 1 and 2."""

    def __init__(self, axis):
        self.axis = axis

    def init(self, params):
        return {path: self._init(p) for path, p in params.items()}

    @staticmethod
    def _axes(p):
        """(largest, second largest); of equal ones the later is larger."""
        return (1, 0) if p.shape[1] >= p.shape[0] else (0, 1)

    def _factors(self, p, x):
        return [x.mean(1 + axis, keepdims=True) for axis in self._axes(p)] if p.ndim == 2 else [x]

    def _init(self, p):
        zeros = lambda n: jnp.zeros((n, *p.shape))  # noqa: E731
        return {"m": zeros(3), "rms": zeros(1), "second": self._factors(p, zeros(3))}

    def _features(self, g, p, m, rms, second):
        factor = jax.lax.rsqrt(rms + 1e-6)
        row, col = second[0], second[-1]
        if len(second) == 1:
            g_scaled, m_scaled = g * jax.lax.rsqrt(row + 1e-9), m * jax.lax.rsqrt(row + 1e-6)
        else:
            mean = row.mean(1 + self._axes(p)[1], keepdims=True)
            scale = jax.lax.rsqrt(jnp.maximum(row / (mean + 1e-9), 1e-9)) * jax.lax.rsqrt(jnp.maximum(col, 1e-9))
            g_scaled, m_scaled = g * scale, m * scale
        roots = jax.lax.rsqrt(row + 1e-8), jax.lax.rsqrt(col + 1e-8)
        blocks = (g[None], p[None], m, rms, m * factor, factor, g_scaled, row, col, *roots, m_scaled)
        each = [normalised(x) for block in blocks for x in block]
        return jnp.stack([jnp.broadcast_to(x, p.shape) for x in each], self.axis)

    def update(self, theta, grads, state, params, step):
        offsets = {kind: jnp.exp(10.0 * theta[f"decay_offsets/{kind}"]) for kind in ("m", "rms", "factored")}
        fraction = {
            "m": (1 - ADAFAC_DECAYS) * offsets["m"],
            "rms": jnp.clip((1 - ADAFAC_DECAYS[2:]) * offsets["rms"], 0, 1),
            "factored": jnp.clip((1 - ADAFAC_DECAYS) * offsets["factored"], 0, 1),
        }
        after, new = {}, {}
        for path, p in params.items():
            g, old = grads[path], state[path]
            m, rms = averages(old["m"], g, fraction["m"]), averages(old["rms"], jnp.square(g), fraction["rms"])
            parts = self._factors(p, jnp.square(g)[None] + 1e-30)
            second = [averages(x, part, fraction["factored"]) for x, part in zip(old["second"], parts)]
            new[path] = {"m": m, "rms": rms, "second": second}
            outputs = network(theta, self._features(g, p, m, rms, second), step, self.axis)
            after[path] = stepped(p, outputs, self.axis)
        return after, new


OPTIMIZERS = {"mlp": Mlp, "adafac_mlp": AdafacMlp}


# Truncations and estimators.


class Outer:
    """PES and truncated backpropagation of `pairs` trainings in truncations of `steps` steps, episodes of `length` steps."""

    def __init__(self, optimizer, axis, theta_shapes, params_shapes, scale, pairs, steps, length, sigma):
        self.optimizer, self.theta_shapes, self.params_shapes = OPTIMIZERS[optimizer](axis), theta_shapes, params_shapes
        self.scale, self.pairs, self.steps, self.length, self.sigma = scale, pairs, steps, length, sigma

    def _normalized(self, loss):
        initial, best = self.scale
        finite = jnp.isfinite(loss)
        scaled = jnp.clip((jnp.where(finite, loss, initial) - best) / (initial - best), -2, 2)
        return jnp.where(finite, scaled, 2.0)

    def start(self, params):
        """The inner state of a training that begins."""
        return {"params": params, "optimizer": self.optimizer.init(params)}

    def step(self, theta, inner, step, batch):
        """(normalized loss before the step, state behind it) of one training."""
        loss, grads = jax.value_and_grad(task_loss)(inner["params"], batch)
        update = self.optimizer.update(unflatten(theta, self.theta_shapes), grads, inner["optimizer"], inner["params"], step)
        return self._normalized(loss), dict(zip(("params", "optimizer"), update))

    def truncation(self, theta, inner, fresh, first, reset_at, batches):
        """(losses [K, C], states): theta [C, P]; inner [C, ..]; fresh params [C, ..]; first, reset_at [C]; batches [K, C, ..]."""
        begin = jax.vmap(self.start)(fresh)

        def body(inner, each):
            i, batch = each

            def reset():
                choose = lambda a, b: jnp.where((reset_at == i).reshape(-1, *[1] * (a.ndim - 1)), a, b)  # noqa: E731
                return jax.tree.map(choose, begin, inner)

            inner = jax.lax.cond(jnp.any(reset_at == i), reset, lambda: inner)
            steps = jnp.where(i >= reset_at, i - reset_at, first + i)
            loss, inner = jax.vmap(self.step)(theta, inner, steps, batch)
            return inner, loss

        inner, losses = jax.lax.scan(body, inner, (jnp.arange(self.steps), batches))
        return losses, inner

    def pes(self, theta, e, xi, inner, fresh, first, reset_at, batches):
        """(gradient [P], xi, inner, losses); e, xi: [N, P]; fresh, first, reset_at, batches: of the pairs."""
        twice = lambda x: jnp.concatenate([x, x])  # noqa: E731
        both = jnp.concatenate([theta + e, theta - e])
        batches = jax.tree.map(lambda x: jnp.concatenate([x, x], 1), batches)
        given = jax.tree.map(twice, (fresh, first, reset_at))
        losses, inner = self.truncation(both, inner, *given, batches)
        d = losses[:, : self.pairs] - losses[:, self.pairs :]
        old = jnp.arange(self.steps)[:, None] < reset_at
        xi = xi + e
        d_old, d_new = (jnp.nan_to_num(jnp.where(mask, d, 0).sum(0) / self.steps) for mask in (old, ~old))
        gradient = (d_old @ xi + d_new @ e) / (2 * self.sigma**2 * self.pairs)
        return gradient, jnp.where((reset_at < self.steps)[:, None], e, xi), inner, losses

    def bptt(self, theta, inner, fresh, first, reset_at, batches):
        """(gradient [P], inner, losses) of `pairs` trainings at theta."""

        def mean_loss(theta):
            losses, after = self.truncation(jnp.tile(theta, (self.pairs, 1)), inner, fresh, first, reset_at, batches)
            return losses.mean(), (after, losses)

        (_, (inner, losses)), gradient = jax.value_and_grad(mean_loss, has_aux=True)(theta)
        return gradient, inner, losses

    # The whole outer step, draws and Adam included.

    def first_carry(self, theta, estimator):
        """Everything that changes from outer step to outer step."""
        copies = self.pairs * (2 if estimator == "pes" else 1)
        params = {path: jnp.zeros((copies, *shape)) for path, shape in self.params_shapes.items()}
        xi = {"xi": jnp.zeros((self.pairs, theta.size))} if estimator == "pes" else {}
        taken = jnp.full(self.pairs, self.length)
        moments = jnp.zeros_like(theta), jnp.zeros_like(theta)
        return {"theta": theta, "adam": moments, "t": 0, "inner": jax.vmap(self.start)(params), "taken": taken, **xi}

    def outer_step(self, estimator, carry, data, key, rate):
        """One outer step: draws, the truncation, the estimate, clipping, Adam; returns (carry, mean loss)."""
        e_key, batch_key, fresh_key = jax.random.split(jax.random.fold_in(key, carry["t"]), 3)
        rows = jax.random.randint(batch_key, (self.steps, self.pairs, 128), 0, len(data["label"]))
        batches = {name: x[rows] for name, x in data.items()}
        fresh = jax.vmap(lambda k: fresh_params(k, self.params_shapes))(jax.random.split(fresh_key, self.pairs))
        reset_at = jnp.minimum(self.length - carry["taken"], self.steps)
        given = carry["inner"], fresh, carry["taken"], reset_at, batches
        new = dict(carry)
        if estimator == "pes":
            e = self.sigma * jax.random.normal(e_key, carry["xi"].shape)
            gradient, new["xi"], new["inner"], losses = self.pes(carry["theta"], e, carry["xi"], *given)
        else:
            gradient, new["inner"], losses = self.bptt(carry["theta"], *given)
        new["taken"] = jnp.where(reset_at < self.steps, self.steps - reset_at, carry["taken"] + self.steps)
        new["t"], gradient = carry["t"] + 1, jnp.clip(gradient, -0.1, 0.1)
        m = 0.9 * carry["adam"][0] + 0.1 * gradient
        v = 0.999 * carry["adam"][1] + 0.001 * gradient**2
        scaled = m / (1 - 0.9 ** new["t"]) / (jnp.sqrt(v / (1 - 0.999 ** new["t"])) + 1e-8)
        new["theta"], new["adam"] = carry["theta"] - rate * scaled, (m, v)
        return new, losses.mean()
