"""The outer loss along lines of theta, for unrolls of 5 to 500 steps: where does the surface get rough?

    python -m tools.experiments.outer_surface --out DIR | --publish

Question. Metz et al. 2019 (arXiv 1810.10180) found that the loss of an inner training, as a function of the optimizer's
weights, gets sharp and full of local minima as the training gets longer. Does it, where, and from which length on?

Formula. M_K(theta) = mean of the outer loss over the first K steps; all points of a line share start and batches. On the
points a_0 < a_1 < .. of a line

    roughness = sum_i |M_K(a_i+1) - M_K(a_i)| / (max_i M_K(a_i) - min_i M_K(a_i))
    slope     = max_i |M_K(a_i+1) - M_K(a_i)| / (a_i+1 - a_i)

Roughness is 1 where M_K rises or falls throughout, at most 2 with one valley, and more with each further one.

Settings. Task, outer loss and momentum: tools.experiments.tiny_problem. Four lines: log lr from log .001 to log 10 at beta =
.9; the same within 2% of lr = .1 and within 2% of lr = 1; and the pretrained `mlp_pes`, theta + a d, a from -1 to 1, d random
with the root mean square of each tensor of theta. 8 starts (4 of `mlp_pes`), lengths 5 to 500.
"""

import numpy as np

from taskset.random import seeds
from tools import report
from tools.experiments import page, tiny_problem

LENGTHS = (5, 20, 50, 100, 200, 500)
STARTS, POINTS = 8, 121
MLP_STARTS, MLP_POINTS = 4, 61
CENTRES, WIDTH = (0.1, 1.0), 0.02  # of the narrow lines: learning rates, and the half width in log lr
WIDE = "momentum, lr .001 to 10"
PICTURE = "outer_surface.png"


def losses(problem, thetas, starts, steps, **execution):
    """Outer losses [steps, points, starts] of inner trainings at thetas [points, P] from their start."""
    import tensorflow as tf

    from learned.estimators import base, episodes
    from learned.unrolling.unroll import Unroll

    unroll = Unroll(problem, starts, len(thetas), steps, **execution)
    where = episodes.start(0, starts)
    truncation = episodes.next_truncation(unroll, where, lambda rng, n: np.full(n, steps), base.together)
    copies = tf.constant(np.repeat(thetas, starts, axis=0))
    found, _ = unroll.run(copies, copies, unroll.empty(), *truncation.arguments)
    return found.numpy().astype(np.float64).reshape(steps, len(thetas), starts)


def means(found, lengths=LENGTHS):
    """M_K [lengths, points, starts] of losses [steps, points, starts]."""
    return np.stack([found[:length].mean(axis=0) for length in lengths])


def roughness(values):
    """Total variation over range along the first axis, [points, ..]; 1 where all are equal."""
    moved, spread = np.abs(np.diff(values, axis=0)).sum(axis=0), np.ptp(values, axis=0)
    return np.where(spread > 0, moved / np.where(spread > 0, spread, 1), 1.0)


def slope(values, places):
    """The largest slope between neighbours, of values [points, ..] at places [points]."""
    return (np.abs(np.diff(values, axis=0)) / np.diff(places).reshape(-1, *[1] * (values.ndim - 1))).max(axis=0)


def around_pretrained(points):
    """(problem, places a [points], theta + a d [points, P]) of `mlp_pes`."""
    from learned.deploy.weights import load_weights

    found = load_weights("mlp_pes")
    problem, rng = tiny_problem.problem(found.optimizer), seeds.generator(0, "direction")
    size = {path: np.sqrt(np.mean(np.square(w, dtype=np.float64))) for path, w in found.theta.items()}
    direction = problem.layout.vector(
        {path: size[path] * rng.standard_normal(w.shape) for path, w in sorted(found.theta.items())}
    )
    places = np.linspace(-1, 1, points)
    return problem, places, (problem.layout.vector(found.theta) + places[:, None] * direction).astype(np.float32)


def measure(lengths=LENGTHS, starts=STARTS, points=POINTS):
    """{line: (places [points], M_K [lengths, points, starts])}."""
    momentum, found = tiny_problem.problem(), {}
    lines = {WIDE: np.linspace(np.log(1e-3), np.log(10), points)}
    for centre in CENTRES:
        lines[f"momentum, lr within {100 * WIDTH:g}% of {centre:g}"] = np.log(centre) + np.linspace(-WIDTH, WIDTH, points)
    for name, places in lines.items():
        thetas = tiny_problem.theta(np.exp(places))
        found[name] = places, means(losses(momentum, thetas, starts, lengths[-1]), lengths)
    problem, places, thetas = around_pretrained(MLP_POINTS)
    found["mlp_pes, random direction"] = places, means(losses(problem, thetas, MLP_STARTS, lengths[-1]), lengths)
    for name, (places, values) in found.items():
        for length, row in zip(lengths, values):
            rough, steep = roughness(row).mean(), slope(row, places).mean()
            print(f"{name}, {length} steps: roughness {rough:.3g}, slope {steep:.3g}", flush=True)
    return found


def rows(found, lengths=LENGTHS):
    """Rows of the table: means over the starts, with intervals over them."""
    for name, (places, values) in found.items():
        for length, row in zip(lengths, values):
            best = places[row.mean(axis=1).argmin()]
            place = f"lr {np.exp(best):.3g}" if "momentum" in name else f"a = {best:.3g}"
            spread = np.ptp(row, axis=0)
            cells = (page.with_interval(x) for x in (roughness(row), slope(row, places), spread))
            yield [name, length, *cells, place]


def draw(found, path, lengths=LENGTHS):
    """One panel per line: M_K of the first start, one curve per length."""
    from matplotlib import colormaps

    with page.figure(path, size=(16, 3.8), columns=4, sharey=True) as (_, axes):
        colors = colormaps["viridis"](np.linspace(0, 0.92, len(lengths)))
        for panel, (name, (places, values)) in zip(axes, found.items()):
            for length, color, row in zip(lengths, colors, values):
                panel.plot(
                    np.exp(places) if "momentum" in name else places, row[:, 0], color=color, linewidth=1, label=f"{length} steps"
                )
            along = "lr" if "momentum" in name else "a, the length of the change of the weights"
            panel.set(title=name, xscale="log" if name == WIDE else "linear", xlabel=along)
            if name != WIDE:
                panel.locator_params(axis="x", nbins=5)
        axes[0].set_ylabel("mean outer loss of the unroll")
        axes[0].legend(fontsize=8)


def section(found):
    """Figure and numbers in Markdown."""
    header = ["line", "steps", "roughness", "largest slope", "highest minus lowest", "lowest at"]
    return f"""![mean outer loss along four lines, one start, one curve per length](pictures/{PICTURE})

{report.table(header, list(rows(found)))}

Means over {STARTS} starts ({MLP_STARTS} of mlp_pes), brackets: 95% bootstrap intervals over them; lowest: of the
mean over the starts. {POINTS} points ({MLP_POINTS} of mlp_pes); synthetic data; {report.conditions("tensorflow", "numpy")}."""


def write(found, out):
    """The picture, and the section of the document."""
    page.write("outer-surface", PICTURE, lambda path: draw(found, path), section(found), out)


if __name__ == "__main__":
    page.command(__doc__, measure, write)
