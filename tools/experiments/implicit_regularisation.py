"""Implicit regularisation: where in a valley of equal minima does an optimizer end?

    python -m tools.experiments.implicit_regularisation --out DIR | --publish

Question. On f(x, y) = (x - y)^2 / 2 all points of the valley x = y are minima, and the gradient (d, -d), d = x - y, never points
along the valley. Do learned optimizers drift along it towards the origin, as regularisation would make them?

Formula. s = (x + y) / sqrt(2) is the position along the valley. A rule that treats every number alike, and turns its steps around
when it turns its gradients around, moves x and y by opposite steps: SGD, momentum and Adam keep s up to rounding, whatever their
rate. What can change s is what reads the parameters (weight decay, features of a network, step sizes that follow the size of a
tensor) or is not odd in the gradient. The table has the mean over the starts of |s at the end| / |s at the start|.

Settings. 25 starts on circles of radius 0.1, 1 and 10, at angles 2 pi (k + .675) / 25: none is the mirror image of another, and
none lies where s is 0. 1,000 steps without noise, in float32. x and y are one tensor of two numbers, or two tensors of one.
The experiment is that of Metz et al. 2020 (arXiv 2009.11243).
"""

import numpy as np

from tools import report
from tools.experiments import page

STEPS, STARTS, RADII = 1000, 25, (0.1, 1.0, 10.0)
PICTURE = "implicit_regularisation.png"
ONE, TWO = "one tensor", "two tensors"
WINDOW = 1.6  # half the width of a panel
PRETRAINED = ("anchored_wide", "anchored_controller", "mlp_pes")
TRAINED = "examples/anchored_tiny.npz"


def circle(radius, count=STARTS):
    """The starts [count, 2]."""
    angles = 2 * np.pi * (np.arange(count) + 0.675) / count
    return (radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)).astype(np.float32)


def along(points):
    """s = (x + y) / sqrt(2) of points [.., 2], in float64."""
    return np.asarray(points, np.float64).sum(axis=-1) / np.sqrt(2)


def rules():
    """Rows (label, optimizer, layout of the parameters)."""
    import learned
    from taskset.optimizers import adaptive, descent

    regularised = {"l1": 0.0, "l2": 0.01, "linear_decay": 0.0, "exponential_decay": 0.0}
    by_hand = [
        ("SGD, rate 0.1", descent.sgd(0.1)),
        ("momentum 0.9, rate 0.01", descent.momentum(0.01)),
        ("Adam, rate 0.01", adaptive.adam(0.01)),
        ("Adam, rate 0.01, with 0.01 (x^2 + y^2)", adaptive.adam8p(0.01, 0.9, 0.999, 1e-8, **regularised)),
    ]
    loaded = [(name, learned.load(name)) for name in PRETRAINED]
    loaded.append(("anchored_tiny.npz", learned.load(report.DOCS.parent / TRAINED)))
    return [(label, rule, ONE) for label, rule in by_hand] + [
        (label, rule, kind) for label, rule in loaded for kind in (ONE, TWO)
    ]


def trajectories(optimizer, starts, layout=ONE, steps=STEPS):
    """Points [steps + 1, n, 2] from starts [n, 2]."""
    import tensorflow as tf

    hparams = optimizer.hparams(steps)

    def split(point):
        return {"w": point} if layout == ONE else {"x": point[:1], "y": point[1:]}

    def join(params):
        return params["w"] if layout == ONE else tf.concat([params["x"], params["y"]], 0)

    def step_of_one(i, params, state):
        point = join(params)
        d = point[0] - point[1]
        loss = {"loss": tf.square(d) / 2} if getattr(optimizer, "uses_loss", False) else {}
        return optimizer.update(split(tf.stack([d, -d])), state, params, i, hparams, **loss)

    @tf.function(autograph=False)
    def run(starts):
        params = tf.vectorized_map(split, starts)
        state = tf.vectorized_map(optimizer.init, params)

        def body(i, params, state, points):
            params, state = tf.vectorized_map(lambda one: step_of_one(i, *one), (params, state))
            now = tf.vectorized_map(join, params)
            return i + 1, params, state, tf.tensor_scatter_nd_update(points, [[i + 1]], now[None])

        points = tf.tensor_scatter_nd_update(tf.zeros([steps + 1, *starts.shape], starts.dtype), [[0]], starts[None])
        return tf.while_loop(lambda i, *_: i < steps, body, (tf.constant(0), params, state, points))[-1]

    return run(tf.constant(starts)).numpy()


def measure(steps=STEPS):
    """[(label, layout, points [steps + 1, radii, starts, 2])]."""
    starts = np.concatenate([circle(radius) for radius in RADII])
    found = []
    for label, optimizer, layout in rules():
        points = trajectories(optimizer, starts, layout, steps).reshape(steps + 1, len(RADII), STARTS, 2)
        ratios = np.abs(along(points[-1]) / along(points[0])).mean(axis=-1)
        print(f"{label}, {layout}: mean ratio at radii {RADII}: {', '.join(f'{ratio:.4g}' for ratio in ratios)}", flush=True)
        found.append((label, layout, points))
    return found


def draw(found, path):
    """One panel per rule and layout, from the circle of radius 1."""
    from matplotlib import colormaps

    with page.figure(path, size=(15, 5.6), rows=2, columns=6, sharex=True, sharey=True) as (_, axes):
        for panel, (label, layout, points) in zip(axes.flat, found):
            panel.plot([-WINDOW, WINDOW], [-WINDOW, WINDOW], color="0.8", linewidth=4, zorder=0)
            shown = points[:, RADII.index(1.0)]
            colors = colormaps["twilight"](np.linspace(0, 1, STARTS, endpoint=False))
            for start, color in enumerate(colors):
                panel.plot(*shown[:, start].T, color=color, linewidth=0.9)
            panel.scatter(*shown[0].T, s=6, color="0.5", zorder=3)
            panel.scatter(*shown[-1].T, s=14, color="black", zorder=3)
            name = label.replace(", with", ",\nwith")
            panel.set_title(f"{name}\n({layout})" if "\n" not in name else name, fontsize=9)
            panel.set(xlim=(-WINDOW, WINDOW), ylim=(-WINDOW, WINDOW), aspect="equal")
        for panel in axes[-1]:
            panel.set_xlabel("x")
        for panel in axes[:, 0]:
            panel.set_ylabel("y")


def rows(found):
    """Rows of the table: ratios with bootstrap intervals over the starts."""
    for label, layout, points in found:
        cells = []
        for radius in range(len(RADII)):
            ratios = np.abs(along(points[-1, radius]) / along(points[0, radius]))
            cells.append(page.with_interval(ratios))
            if RADII[radius] == 1.0:
                middle, closer = f"{np.median(ratios):.3g}", f"{np.sum(ratios < 0.99)} of {len(ratios)}"
        across = np.abs(points[-1, RADII.index(1.0)] @ np.array([1.0, -1.0])) / np.sqrt(2)
        yield [label, layout, *cells, middle, closer, f"{np.median(across):.1g}"]


def section(found):
    """Figure and numbers in Markdown."""
    header = ["optimizer", "x and y are", *(f"mean ratio, radius {radius:g}" for radius in RADII)]
    header += ["median, radius 1", "closer, radius 1", "off the valley, radius 1"]
    legend = "gray: starts, black: ends, wide line: the valley; colours are those of the starts' angles"
    return f"""![trajectories from the circle of radius 1; {legend}](pictures/{PICTURE})

{report.table(header, list(rows(found)))}

Ratio: distance from the origin along the valley at the end over that at the start. Brackets: 95% bootstrap interval over the
{STARTS} starts. Closer: starts that end at less than 0.99 of it. Off the valley: median of |x - y| / sqrt(2) at the end.
{found[0][2].shape[0] - 1:,} steps; {report.conditions("tensorflow", "numpy")}."""


def write(found, out):
    """The picture, and the section of the document."""
    page.write("implicit-regularisation", PICTURE, lambda path: draw(found, path), section(found), out)


if __name__ == "__main__":
    page.command(__doc__, measure, write)
