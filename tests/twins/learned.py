"""The learned optimizers once more, in NumPy and float64, slowly: one tensor after the other, every feature written out.

A twin has `init(theta, params) -> state` and, on dicts of arrays,
`update(theta, grads, state, params, step, loss, validation_loss) -> (params, state)`. Inputs of a network are rows,
[parameters, features]. No code of the library is used.
"""

import itertools
import math

import numpy as np

TAUS = [1, 3, 10, 30, 100, 300, 1000, 3000, 10000, 30000, 100000]


def rsqrt(x):
    return 1 / np.sqrt(x)


def sigmoid(x):
    return 0.5 * (1 + np.tanh(x / 2))


def log(x):
    return np.log(1e-8 + np.abs(x))


def axes_of(x):
    """Scalars count as vectors of length 1."""
    return np.reshape(x, np.shape(x) or (1,))


def second_moment_normalised(columns):
    """A list of arrays of one shape, each divided by its root mean square, as a matrix [n, columns]."""
    return np.stack([(x * rsqrt(1e-5 + np.mean(x**2))).ravel() for x in columns], 1)


def relu_network(theta, x):
    layers = sum(path.startswith("mlp/") and path.endswith("/w") for path in theta)
    for i in range(layers):
        x = x @ theta[f"mlp/linear_{i}/w"] + theta[f"mlp/linear_{i}/b"]
        x = np.maximum(x, 0) if i < layers - 1 else x
    return x


def step_of(p, outputs):
    return p - (outputs[:, 0] * np.exp(outputs[:, 1] * 0.001) * 0.001).reshape(np.shape(p))


def with_time(columns, time):
    return np.concatenate([columns, np.tile(time, (len(columns), 1))], 1)


def tanh_time(step, taus):
    return np.tanh(step / np.array(taus, float) - 1)


class PerTensor:
    """What mlp, mlp2019 and adafac_mlp share: tensors know nothing of each other."""

    def init(self, theta, params):
        return {path: self.start(axes_of(p)) for path, p in params.items()}

    def update(self, theta, grads, state, params, step, loss, validation_loss):
        new_params, new_state = {}, {}
        for path, p in params.items():
            inputs, new_state[path] = self.inputs(theta, axes_of(grads[path]), axes_of(p), state[path], step)
            new_params[path] = step_of(p, relu_network(theta, inputs))
        return new_params, new_state


class Mlp(PerTensor):
    decays = (0.1, 0.5, 0.9, 0.99, 0.999, 0.9999)

    def start(self, p):
        return [np.zeros(p.shape) for _ in self.decays]

    def inputs(self, theta, g, p, state, step):
        m = [d * old + (1 - d) * g for d, old in zip(self.decays, state)]
        return with_time(second_moment_normalised([g, p, *m]), tanh_time(step, TAUS)), m


class Mlp2019(PerTensor):
    decays = (0.5, 0.9, 0.99, 0.999, 0.9999)

    def start(self, p):
        return [(np.zeros(p.shape), np.zeros(p.shape)) for _ in self.decays]

    def inputs(self, theta, g, p, state, step):
        state = [(d * m + (1 - d) * g, d * v + (1 - d) * g**2) for d, (m, v) in zip(self.decays, state)]
        columns = [g, *(m * rsqrt(v + 1e-6) for m, v in state), p, *(m for m, _ in state), *(v for _, v in state)]
        columns += [rsqrt(v + 1e-6) for _, v in state]
        times = tanh_time(step, [3, 10, 30, 100, 300, 1000, 3000, 10000, 300000])
        return with_time(second_moment_normalised(columns), times), state


class AdafacMlp(PerTensor):
    def start(self, p):
        return {"m": [np.zeros(p.shape)] * 3, "rms": np.zeros(p.shape), "v": [self.factors(np.zeros(p.shape))] * 3}

    def factors(self, v):
        """[row, col], spread over v's shape again; or [v]."""
        if v.ndim < 2:
            return [v]
        order = sorted(range(v.ndim), key=lambda axis: (v.shape[axis], axis))
        return [np.broadcast_to(v.mean(axis, keepdims=True), v.shape) for axis in (order[-1], order[-2])]

    def inputs(self, theta, g, p, state, step):
        def decays(kind, initial):
            return [1 - (1 - d) * np.exp(10 * delta) for d, delta in zip(initial, theta[f"decay_offsets/{kind}"])]

        clip = lambda d: min(max(d, 0.0), 1.0)  # noqa: E731
        m = [d * old + (1 - d) * g for d, old in zip(decays("m", [0.9, 0.99, 0.999]), state["m"])]
        (d,) = decays("rms", [0.999])
        rms = clip(d) * state["rms"] + (1 - clip(d)) * g**2
        factored = []
        for d, old in zip(decays("factored", [0.9, 0.99, 0.999]), state["v"]):
            factored.append([clip(d) * o + (1 - clip(d)) * f for o, f in zip(old, self.factors(g**2 + 1e-30))])
        rows, cols = [f[0] for f in factored], [f[-1] for f in factored]
        g_scaled, m_scaled = zip(*(self.divided(g, m_i, f) for m_i, f in zip(m, factored)))
        columns = [g, p, *m, rms, *(m_i * rsqrt(rms + 1e-6) for m_i in m), rsqrt(rms + 1e-6), *g_scaled, *rows, *cols]
        columns += [*(rsqrt(r + 1e-8) for r in rows), *(rsqrt(c + 1e-8) for c in cols), *m_scaled]
        inputs = with_time(second_moment_normalised(columns), tanh_time(step, TAUS))
        return inputs, {"m": m, "rms": rms, "v": factored}

    def divided(self, g, m, factors):
        if len(factors) == 1:
            return g * rsqrt(factors[0] + 1e-9), m * rsqrt(factors[0] + 1e-6)
        row, col = factors
        second = sorted(range(g.ndim), key=lambda axis: (g.shape[axis], axis))[-2]
        row_factor = rsqrt(np.maximum(row / (row.mean(second, keepdims=True) + 1e-9), 1e-9))
        col_factor = rsqrt(np.maximum(col, 1e-9))
        return g * row_factor * col_factor, m * row_factor * col_factor


def lstm_step(theta, path, x, h, c):
    """One step of rows x [n, inputs]; gates input, candidate, forget, output; forget bias 1."""
    gates = np.concatenate([x, h], 1) @ theta[f"{path}/w_gates"] + theta[f"{path}/b_gates"]
    i, j, f, o = np.split(gates, 4, axis=1)
    c = sigmoid(f + 1) * c + sigmoid(i) * np.tanh(j)
    return sigmoid(o) * np.tanh(c), c


class Lstm:
    def init(self, theta, params):
        return {path: [(np.zeros((np.size(p), 20)), np.zeros((np.size(p), 20)))] * 2 for path, p in params.items()}

    def update(self, theta, grads, state, params, step, loss, validation_loss):
        new_params, new_state = {}, {}
        for path, p in params.items():
            x, new_state[path] = np.array([self.seen(g) for g in np.ravel(grads[path])]), []
            for layer, (h, c) in enumerate(state[path]):
                x, cell = lstm_step(theta, f"lstm_{layer}", x, h, c)
                new_state[path].append((x, cell))
            output = x @ theta["linear/w"] + theta["linear/b"]
            new_params[path] = p + 0.1 * output.reshape(np.shape(p))
        return new_params, new_state

    def seen(self, g):
        return (np.log(abs(g)) / 10, np.sign(g)) if abs(g) >= np.exp(-10) else (-1.0, np.exp(10) * g)


class Ema:
    """A bias-corrected moving average, in the textbook's form."""

    def __init__(self, decay, value=0.0, count=0):
        self.decay, self.value, self.count = decay, value, count

    def after(self, x):
        return Ema(self.decay, self.decay * self.value + (1 - self.decay) * x, self.count + 1)

    @property
    def corrected(self):
        return self.value / (1 - self.decay**self.count)


class Hierarchical:
    decays = (0.5, 0.9, 0.99, 0.999, 0.9999)

    def init(self, theta, params):
        one = lambda name: theta[f"initial_state/{name}"]  # noqa: E731
        state = {path: self.tensor_start(axes_of(p), one) for path, p in params.items()}
        return {"tensors": state, "lstms": one("by_lstms"), "mean": Ema(0.9), "variance": Ema(0.9), "validation": Ema(0.95)}

    def tensor_start(self, p, one):
        averages = [(np.zeros(p.shape), np.zeros(p.shape)) for _ in self.decays]
        return {"averages": averages, "clip": Ema(0.99), "h": one("h"), "c": one("c"), "mlp": one("by_parameters")}

    def update(self, theta, grads, state, params, step, loss, validation_loss):
        mean, validation = state["mean"].after(loss), state["validation"].after(validation_loss)
        variance = state["variance"].after((loss - mean.corrected) ** 2)
        seen = [loss - mean.corrected, validation.corrected - mean.corrected]
        losses = np.clip(np.array(seen) * rsqrt(variance.corrected + 1e-8), -5, 5)
        new_params, tensors, to_lstms = {}, {}, []
        for path, p in params.items():
            arguments = theta, axes_of(grads[path]), p, state["tensors"][path], state["lstms"], losses, step, len(params)
            new_params[path], tensors[path], said = self.tensor(*arguments)
            to_lstms.append(said)
        lstms = np.mean(to_lstms, 0)
        return new_params, {"tensors": tensors, "lstms": lstms, "mean": mean, "variance": variance, "validation": validation}

    def tensor(self, theta, g, p, state, from_lstms, losses, step, tensors):
        clip = state["clip"].after(np.sqrt(np.mean(g**2)))
        g = np.clip(g, -10 * clip.corrected, 10 * clip.corrected)
        averages = [(d * m + (1 - d) * g, d * v + (1 - d) * g**2) for d, (m, v) in zip(self.decays, state["averages"])]
        x = np.concatenate([self.statistics(averages, p, g, losses), from_lstms, state["mlp"]])
        h, c = lstm_step(theta, "lstm", x[None], state["h"][None], state["c"][None])
        outputs = relu_network(theta, self.inputs(averages, g, axes_of(p), step, tensors, self.linear(theta, "to_parameters", h)))
        new = {"averages": averages, "clip": clip, "h": h[0], "c": c[0], "mlp": outputs[:, 2:].mean(0)}
        return step_of(p, outputs), new, self.linear(theta, "to_lstms", h)

    def linear(self, theta, path, x):
        return (x @ theta[f"{path}/w"] + theta[f"{path}/b"])[0]

    def statistics(self, averages, p, g, losses):
        pools = [np.stack([m for m, _ in averages]), np.stack([v for _, v in averages]), p]
        numbers = []
        for pool in pools:
            numbers += [np.clip(log(pool.mean()), -5, 5), np.sign(pool.mean())]
        numbers += [np.clip(log(pool.var()), -5, 5) for pool in pools]
        numbers += [np.sqrt(np.sum(p**2)), np.sqrt(np.sum(g**2)), float(np.ndim(p) == 0)]
        lengths = [*axes_of(p).shape, 1, 1, 1][:4]
        return np.array([*numbers, *(log(n) - 1 for n in lengths), *losses])

    def inputs(self, averages, g, p, step, tensors, from_lstm):
        ms, vs = [m for m, _ in averages], [v for _, v in averages]
        columns = [g, p, log(p), *ms, *(m * rsqrt(v + 1e-6) for m, v in averages), *vs, *(rsqrt(v + 1e-6) for v in vs)]
        shared = [np.sin(step / (np.pi * np.array(TAUS, float)))]
        shared += [[log(tensors) - 1, log(np.sqrt(np.sum(p**2))), log(p.size)], from_lstm]
        return with_time(second_moment_normalised(columns), np.concatenate(shared))


class Anchored:
    m_decays, v_decays = [0.5, 0.9, 0.99], [0.95, 0.999]

    def init(self, theta, params):
        zeros = lambda p, n: [np.zeros(np.shape(p)) for _ in range(n)]  # noqa: E731
        state = {path: {"m": zeros(p, 3), "v": zeros(p, 2), "cosine": 0.0} for path, p in params.items()}
        return {"tensors": state, "losses": [], "t": 0}

    def update(self, theta, grads, state, params, step, loss, validation_loss, horizon):
        t, losses = step + 1, [*state["losses"], loss]
        everything = np.concatenate([np.ravel(p) for p in params.values()])
        usual = np.concatenate([np.full(np.size(p), float(np.ndim(p) > 1)) / np.prod(np.shape(p)[:-1]) for p in params.values()])
        shared = np.concatenate([self.time(step, horizon), self.trends(losses, horizon)])
        tensors, new_params = {}, {}
        for path, p in params.items():
            arguments = theta, np.clip(grads[path], -1e12, 1e12), p, state["tensors"][path], t, shared
            at_zero = np.mean(everything**2) < 1e-10 * np.mean(usual)
            of_all = np.mean(usual if at_zero else everything**2), len(params), (horizon / 2000) ** (3 * theta["length"])
            new_params[path], tensors[path] = self.tensor(*arguments, *of_all)
        return new_params, {"tensors": tensors, "losses": losses}

    def time(self, step, horizon):
        return np.tanh(10 * (min(step / horizon, 1) - np.array([0.03, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 1.1])))

    def trends(self, losses, horizon):
        """From all losses so far, each average as a weighted mean of them."""
        averages = []
        for half_life in np.geomspace(10, max(horizon, 10), 6):
            history = []
            for n in range(1, len(losses) + 1):
                weights = 0.5 ** (np.arange(n)[::-1] / half_life)
                history.append(np.sum(weights * (np.array(losses[:n]) - losses[0])) / np.sum(weights))
            averages.append(history)
        found = []
        for a, slower in itertools.pairwise(averages):
            rounding = 1e-6 * (abs(losses[0]) + abs(a[-1]) + abs(slower[-1])) + 1e-30
            quotient = (a[-1] - min(a) + rounding) / (max(slower[-1] - min(a), 0) + rounding)
            found.append(np.clip(quotient - 1, -1, 1))
        return np.array(found)

    def tensor(self, theta, g, p, state, t, shared, mean_square_of_all, tensors, factor):
        rms = lambda x: np.sqrt(np.mean(x**2) + 1e-18)  # noqa: E731
        cosine = 0.9 * state["cosine"] + 0.1 * np.mean(g * state["m"][1]) / rms(g) / rms(state["m"][1])
        m = [d * old + (1 - d) * g for d, old in zip(self.m_decays, state["m"])]
        v = [d * old + (1 - d) * g**2 for d, old in zip(self.v_decays, state["v"])]
        mh, vh = ([x / (1 - d**t) for d, x in zip(ds, xs)] for ds, xs in ((self.m_decays, m), (self.v_decays, v)))
        # Of white noise of variance 1, the variance of a weighted mean is the sum of the squares of the weights.
        weights = [(1 - d) * d ** np.arange(t) / (1 - d**t) for d in self.m_decays]
        seen = [g, *(x / np.sqrt(np.sum(w**2)) for x, w in zip(mh, weights))]
        fast, slow = (1 / np.sqrt(x + 1e-18) for x in vh)
        size = np.sqrt(np.mean(p**2) + 0.01 * mean_square_of_all + 1e-16)
        r = np.sqrt(np.mean(vh[1]) + 1e-18)
        columns = [*(x / r for x in seen), *(x * fast for x in seen), *(x * slow for x in seen), p / size, vh[1] * slow / r]
        corrected = relu_network({**theta, "mlp/linear_2/b": 0.0}, np.stack([np.ravel(x) for x in columns], 1))
        u = (0.9 * m[1] / (1 - 0.9 ** (t + 1)) + 0.1 * g / (1 - 0.9**t)) * slow + corrected.reshape(np.shape(p))
        log_rms = lambda x: np.log(np.mean(x**2) + 1e-6) / 6  # noqa: E731
        x = [*shared, cosine / (1 - 0.9**t), np.log((np.mean(vh[0]) + 1e-18) / (np.mean(vh[1]) + 1e-18)) / 2]
        x += [*(log_rms(x * slow) for x in seen[1:]), log_rms(u) - np.log(size) / 3, np.log(size) / 3, np.log(np.size(p)) / 5 - 1]
        long = sum(n > 1 for n in np.shape(p))
        x = np.array([*x, long < 2, long > 2, np.log(tensors) - 1])
        h = np.maximum(x @ theta["controller/linear_0/w"] + theta["controller/linear_0/b"], 0)
        c = h @ theta["controller/linear_1/w"] + theta["controller/linear_1/b"]
        share = 1 / (1 + 19 * np.exp(-3 * c[1]))  # 1 / 20 at c = 0
        rate = 0.01 * np.clip(factor * np.exp(3 * c[0]) * size ** (3 * theta["power"]), np.exp(-10), np.exp(10))
        return p - rate * ((1 - share) * u + share * u / rms(u)), {"m": m, "v": v, "cosine": cosine}


class AnchoredMuon(Anchored):
    m_decays, v_decays = [0.9, 0.99], [0.999]

    def init(self, theta, params):
        state = super().init(theta, params)
        for path, p in params.items():
            zeros = lambda n, p=p: [np.zeros(np.shape(p)) for _ in range(n)]  # noqa: E731
            state["tensors"][path] = {"m": zeros(2), "v": zeros(1), "square": np.zeros(2), "cosine": 0.0}
        return state

    def orthogonal(self, m):
        """By the singular value decompositions of blocks, in which a polynomial of a matrix is that of its singular values."""
        matrix = np.reshape(m, (-1, np.shape(m)[-1]))
        lying = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
        high = math.ceil(len(lying) / math.ceil(len(lying) / 128))
        found = []
        for first in range(0, len(lying), high):
            u, s, v = np.linalg.svd(lying[first : first + high], full_matrices=False)
            s = s / np.sqrt(np.sum(s**2) + 1e-18 * high * lying.shape[1])
            for _ in range(5):
                s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
            found.append((u * s) @ v)
        found = 0.35 * np.sqrt(lying.shape[1]) * np.concatenate(found)
        return np.reshape(found if lying is matrix else found.T, np.shape(m))

    def tensor(self, theta, g, p, state, t, shared, mean_square_of_all, tensors, factor):
        rms = lambda x: np.sqrt(np.mean(x**2) + 1e-18)  # noqa: E731
        cosine = 0.9 * state["cosine"] + 0.1 * np.mean(g * state["m"][0]) / rms(g) / rms(state["m"][0])
        m = [d * old + (1 - d) * g for d, old in zip(self.m_decays, state["m"])]
        v = 0.999 * state["v"][0] + 0.001 * g**2
        square = [d * old + (1 - d) * np.mean(g**2) for d, old in zip((0.95, 0.999), state["square"])]
        fast, slow = (x / (1 - d**t) for d, x in zip((0.95, 0.999), square))
        root = np.sqrt(v / (1 - 0.999**t) + 1e-18)
        average = 0.9 * m[0] / (1 - 0.9 ** (t + 1)) + 0.1 * g / (1 - 0.9**t)
        n = average / root
        matrix = np.ndim(p) > 1 and min(np.shape(p)[-1], np.size(p) // np.shape(p)[-1]) > 1
        o = self.orthogonal(average) if matrix else n
        size = np.sqrt(np.mean(p**2) + 0.01 * mean_square_of_all + 1e-16)
        log_rms = lambda x: np.log(np.mean(x**2) + 1e-6) / 6  # noqa: E731
        weights = [(1 - d) * d ** np.arange(t) / (1 - d**t) for d in self.m_decays]
        seen = [g, *(x / (1 - d**t) / np.sqrt(np.sum(w**2)) for x, d, w in zip(m, self.m_decays, weights))]
        x = [*shared, cosine / (1 - 0.9**t), np.log((fast + 1e-18) / (slow + 1e-18)) / 2, *(log_rms(y / root) for y in seen)]
        x += [log_rms(n) - np.log(size) / 3, np.log(size) / 3, np.log(np.size(p)) / 5 - 1]
        long = sum(k > 1 for k in np.shape(p))
        x = np.array([*x, long < 2, long > 2, np.log(tensors) - 1, np.mean(n * o) / rms(n) / rms(o)])
        h = np.maximum(x @ theta["controller/linear_0/w"] + theta["controller/linear_0/b"], 0)
        c = h @ theta["controller/linear_1/w"] + theta["controller/linear_1/b"]
        share, b = 1 / (1 + 19 * np.exp(-3 * c[1])), 1 / (1 + np.exp(-3 * c[2]) / 9)
        rate = 0.01 * np.clip(factor * np.exp(3 * c[0]) * size ** (3 * theta["power"]), np.exp(-10), np.exp(10))
        u = (1 - b) * n + b * o
        after = {"m": m, "v": [v], "square": square, "cosine": cosine}
        return p - rate * ((1 - share) * u + share * u / rms(u)), after


TWINS = {
    "mlp": Mlp(), "mlp2019": Mlp2019(), "adafac_mlp": AdafacMlp(), "lstm": Lstm(), "hierarchical": Hierarchical(),
    "anchored": Anchored(), "anchored_muon": AnchoredMuon(),
}  # fmt: skip
