"""The bias of gradients through truncated unrolls, against the length of a truncation.

    python -m tools.experiments.truncation_bias --out DIR | --publish

Question. An inner training of T steps is cut into truncations of K steps, and each is differentiated with the state that it
starts from taken as given. How far is that from the gradient of the whole, and which hyperparameters does it prefer?

Formula. g_K = (K / T) sum_j d/dtheta [mean of the outer loss over truncation j], its first state being a constant; g_T is the
gradient of the mean over all T steps. With a truncation of one step g_1 = 0: the loss of a step is taken before its update.
On a line of learning rates the bias is (g_K - g_T) / |g_T| in d/d log lr, and the learning rate that descent along g_K would
end at is the first at which the mean of d/d log lr over the starts turns from - to + (linear in log lr between points).
Persistent evolution strategies (PES, Vicol et al. 2021, arXiv 2112.13835) look at the same truncations and are unbiased for
the smoothed loss.

Settings. Task, outer loss and momentum: tools.experiments.tiny_problem. T = 500, K = 5 to 500, nine learning rates from .003
to .3, beta = .9, 8 starts that all K and all rates share. PES at lr = .03: K = 5 and 50, 16 pairs, sigma .05, one whole
training each, repeated 32 times. The bias at short truncations is that of Wu et al. 2018 (arXiv 1803.02021).
"""

import numpy as np

from taskset.scoring import statistics
from tools import report
from tools.experiments import page, tiny_problem

STEPS, TRUNCATIONS, STARTS = 500, (5, 10, 25, 50, 100, 250, 500), 8
RATES = tuple(np.geomspace(0.003, 0.3, 9))
TABLE_RATES = (0.003, 0.03, 0.3)
DRAWN_RATES = (0.003, 0.03, 0.1)  # where the whole gradient is not drowned in its variance
PES_RATE, PES_TRUNCATIONS, PAIRS, SIGMA, REPEATS = 0.03, (5, 50), 16, 0.05, 32
PICTURE = "truncation_bias.png"


def gradients(problem, thetas, starts, steps, truncation, **execution):
    """g_K [points, starts, P] at thetas [points, P], in trainings of `steps` steps from their start."""
    import tensorflow as tf

    from learned.estimators import base, episodes
    from learned.unrolling.backpropagation import BackpropagatedUnroll

    unroll = BackpropagatedUnroll(problem, starts, len(thetas), truncation, **execution)
    copies, inner, where = tf.constant(np.repeat(thetas, starts, axis=0)), unroll.empty(), episodes.start(0, starts)
    parts = []
    for _ in range(0, steps, truncation):
        one = episodes.next_truncation(unroll, where, lambda rng, n: np.full(n, steps), base.together)
        _, inner, found = unroll.gradients(copies, inner, *one.arguments)
        parts.append(found.numpy().astype(np.float64))
        where = one.after
    return np.mean(parts, axis=0).reshape(len(thetas), starts, -1)


def persistent(problem, theta, steps, truncation, pairs=PAIRS, sigma=SIGMA, repeats=REPEATS):
    """Estimates of the whole gradient by PES [repeats, P], each from one training of every pair."""
    from learned.estimators.base import Settings
    from learned.estimators.pes import PES

    estimator, found = PES(problem, Settings(pairs, truncation, sigma)), []
    for seed in range(repeats):
        state, parts = estimator.init(seed), []
        for _ in range(0, steps, truncation):
            estimate, state = estimator.estimate(theta, state, lambda rng, n: np.full(n, steps))
            parts.append(estimate.gradient)
        found.append(np.mean(parts, axis=0))
    return np.array(found)


def turning_rate(rates, slopes):
    """Where slopes [rates] first turn from - to +, linear in log rate; NaN where they don't."""
    for i in range(len(rates) - 1):
        if slopes[i] < 0 <= slopes[i + 1]:
            share = slopes[i] / (slopes[i] - slopes[i + 1])
            return float(np.exp((1 - share) * np.log(rates[i]) + share * np.log(rates[i + 1])))
    return float("nan")


def measure():
    """({K: g_K [rates, starts, 2]}, {K: PES [repeats, 2]})."""
    problem, found, pes = tiny_problem.problem(), {}, {}
    for truncation in TRUNCATIONS:
        found[truncation] = gradients(problem, tiny_problem.theta(np.array(RATES)), STARTS, STEPS, truncation)
        slopes = found[truncation][..., 0].mean(axis=1)
        listed = ", ".join(f"{slope:.3g}" for slope in slopes)
        print(f"K = {truncation}: d/d log lr {listed}; turns at lr {turning_rate(RATES, slopes):.3g}", flush=True)
    for truncation in PES_TRUNCATIONS:
        pes[truncation] = persistent(problem, tiny_problem.theta(PES_RATE), STEPS, truncation)
        print(f"PES, K = {truncation}, lr {PES_RATE}: {pes[truncation][:, 0].mean():.3g}", flush=True)
    return found, pes


def turning(slopes):
    """The turning rate of the mean over starts of slopes [rates, starts], with an interval over the starts."""
    drawn = slopes[:, statistics.resamples(slopes.shape[1])[:1000]].mean(axis=-1).T
    turned = np.array([turning_rate(RATES, one) for one in drawn])
    if not np.isfinite(turning_rate(RATES, slopes.mean(axis=1))):
        return f"above {RATES[-1]:g}" if slopes.mean(axis=1)[-1] < 0 else f"below {RATES[0]:g}"
    beyond = np.mean(~np.isfinite(turned))
    low, high = np.nanquantile(turned, [0.025, 0.975])
    text = statistics.Estimate(turning_rate(RATES, slopes.mean(axis=1)), low, high).text(page.FORM)
    return text + (f" ({beyond:.0%} don't turn)" if beyond else "")


def per_cent(share, interval):
    """A cell: a share and its interval in per cent, with signs."""
    low, high = interval
    return f"{100 * share:+.0f}% [{100 * low:+.0f}, {100 * high:+.0f}]"


def bias(values, whole):
    """The bias of the mean of values [starts] in per cent of |the mean of whole| [starts], with an interval over the starts."""
    drawn = statistics.resamples(len(whole))
    means, exact = values[drawn].mean(axis=1), whole[drawn].mean(axis=1)
    share = (values.mean() - whole.mean()) / abs(whole.mean())
    return per_cent(share, np.quantile((means - exact) / np.abs(exact), [0.025, 0.975]))


def rows(found, pes):
    """Rows of the table."""
    whole = found[STEPS]
    for truncation, values in found.items():
        cells = []
        for rate in TABLE_RATES:
            at = int(np.argmin(np.abs(np.log(np.array(RATES) / rate))))
            cells.append(page.with_interval(values[at, :, 0]))
            if rate == PES_RATE:
                biases = [bias(values[at, :, i], whole[at, :, i]) for i in range(2)]
        yield ["backpropagation", truncation, *cells, *biases, turning(values[..., 0])]
    for truncation, values in pes.items():
        exact = whole[int(np.argmin(np.abs(np.log(np.array(RATES) / PES_RATE))))].mean(axis=0)
        biases = []
        for i in range(2):
            off = (values[:, i] - exact[i]) / abs(exact[i])
            biases.append(per_cent(off.mean(), statistics.interval(off, statistics.mean)))
        yield ["PES", truncation, "", page.with_interval(values[:, 0]), "", *biases, ""]


def draw(found, path):
    """d/d log lr against lr, one curve per K; relative bias against K."""
    from matplotlib import colormaps

    with page.figure(path, size=(10, 4), columns=2) as (_, axes):
        colors = colormaps["viridis"](np.linspace(0, 0.92, len(found)))
        for color, (truncation, values) in zip(colors, found.items()):
            axes[0].plot(RATES, values[..., 0].mean(axis=1), "o-", color=color, markersize=3, label=f"K = {truncation}")
        axes[0].axhline(0, color="0.6", linewidth=0.8)
        axes[0].set_yscale("symlog", linthresh=0.1)
        axes[0].set(
            xscale="log", xlabel="lr", ylabel="d / d log lr, mean of 8 starts", title=f"trainings of {STEPS} steps, symlog"
        )
        axes[0].legend(fontsize=8)
        whole = found[STEPS]
        for i, (rate, label) in enumerate(zip(DRAWN_RATES, "os^")):
            at = int(np.argmin(np.abs(np.log(np.array(RATES) / rate))))
            exact = whole[at, :, 0].mean()
            biases = [(values[at, :, 0].mean() - exact) / abs(exact) for values in found.values()]
            axes[1].plot(list(found), biases, f"{label}-", color=f"C{i}", label=f"lr {RATES[at]:.2g}")
        axes[1].axhline(0, color="0.6", linewidth=0.8)
        axes[1].set(
            xscale="log", xlabel="K, steps of a truncation", ylabel="bias over size of the whole gradient", title="d / d log lr"
        )
        axes[1].set_ylim(bottom=-0.05)
        axes[1].legend(fontsize=8)


def section(found, pes):
    """Figure and numbers in Markdown."""
    header = ["gradient", "K", *(f"d/d log lr at lr {rate:g}" for rate in TABLE_RATES)]
    header += [f"bias at lr {PES_RATE:g}, log lr", f"bias at lr {PES_RATE:g}, log(1 - beta)", "descent in lr ends at"]
    return f"""![gradient against learning rate for each length of truncations, and its bias](pictures/{PICTURE})

{report.table(header, list(rows(found, pes)))}

Trainings of {STEPS} steps; brackets: 95% bootstrap intervals over {STARTS} starts (PES: over {REPEATS} estimates of {PAIRS} pairs
each, with starts of their own); bias: of the mean, in per cent of the size of the whole gradient; synthetic data;
{report.conditions("tensorflow", "numpy")}."""


def write(measured, out):
    """The picture, and the section of the document."""
    found, pes = measured
    page.write("truncation-bias", PICTURE, lambda path: draw(found, path), section(found, pes), out)


if __name__ == "__main__":
    page.command(__doc__, measure, write)
