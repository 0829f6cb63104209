"""losg_tasks_family: every kind against plain NumPy, finite differences, and known values of the classical functions."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import taskset
from taskset import catalogue
from taskset.catalogue import make_task
from taskset.errors import UnknownName
from taskset.random import stateless
from taskset.samplers.losg_tasks_family import KINDS, TEST_PROBLEMS
from taskset.tasks import losg_test_functions as functions
from tests.tasks.losg_configs import CONFIGS, NETWORK, start, task_of

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "losg_tasks_family.json").read_text())


# --- the formulas once more, in NumPy -------------------------------------------------------------------------------------------


def linear_system(args, number):
    rng = np.random.RandomState(number)
    w = rng.randn(args["dim"], args["dim"]).astype(np.float32)
    return w.astype(float), rng.randn(args["dim"], 1).astype(np.float32).astype(float)


def quadratic_twin(args, number, p, batch):
    w, y = linear_system(args, number)
    return np.sum((w @ p["x"] - y) ** 2) / 2


def norm_twin(args, number, p, batch):
    w, y = linear_system(args, number)
    return np.sum((np.abs(w @ p["x"] - y) + 1e-6) ** args["norm_power"]) ** (1 / args["norm_power"])


def bowl_twin(args, number, p, batch):
    c, s = math.cos(args["angle"]), math.sin(args["angle"])
    x, y = p["x"]
    return (args["cond"] * (c * x - s * y) ** 2 + (s * x + c * y) ** 2) / 2


def dependency_chain_twin(args, number, p, batch):
    x = p["x"]
    return sum(x[0] ** 2 + x[i] ** 2 / (x[i - 1] ** 2 + 1e-6) for i in range(1, args["dim"] + 1))


def outward_snake_twin(args, number, p, batch):
    x, total = p["x"], 0.0
    for d in batch["features"]:
        total += d[0] / (np.linalg.norm(x) + 1e-6)
        total += sum(((x[i] - math.pi * math.cos(x[i - 1])) * d[i]) ** 2 for i in range(1, len(x)))
    return total


def classifier_twin(logits, p, batch):
    z, label = logits[:, 0], batch["label"]
    entropy = -np.mean(label * np.log(1 / (1 + np.exp(-z))) + (1 - label) * np.log(1 - 1 / (1 + np.exp(-z))))
    return entropy + 1e-3 * np.mean([np.sum(v**2) for v in p.values()])


def fully_connected_twin(args, number, p, batch):
    x = batch["features"]
    for i in range(len(args["hidden_sizes"])):
        x = np.tanh(x @ p[f"mlp/linear_{i}/w"] + p[f"mlp/linear_{i}/b"])
    last = len(args["hidden_sizes"])
    return classifier_twin(x @ p[f"mlp/linear_{last}/w"] + p[f"mlp/linear_{last}/b"], p, batch)


def softmax_twin(args, number, p, batch):
    return classifier_twin(p["embeddings"][batch["ids"]].sum(1) @ p["w"] + p["b"], p, batch)


def classical_twin(args, number, p, batch):
    x, y = p["x"]
    pi, cos, sin, exp = math.pi, math.cos, math.sin, math.exp
    return {
        "rosenbrock": lambda: (1 - x) ** 2 + 100 * (y - x * x) ** 2,
        "ackley": lambda: 20 - 20 * exp(-0.2 * math.hypot(x, y) / 2**0.5) + math.e - exp((cos(2 * pi * x) + cos(2 * pi * y)) / 2),
        "beale": lambda: sum((c - x * (1 - y**k)) ** 2 for k, c in ((1, 1.5), (2, 2.25), (3, 2.625))),
        "branin": lambda: (y - 5.1 * x * x / (4 * pi * pi) + 5 * x / pi - 6) ** 2 + 10 + 10 * (1 - 0.125 / pi) * cos(x),
        "logsumexp": lambda: math.log(exp(x + 3 * y - 0.1) + exp(x - 3 * y - 0.1) + exp(-x - 0.1) + 1),
        "matyas": lambda: 0.26 * (x * x + y * y) - 0.48 * x * y,
        "michalewicz": lambda: 2 - sum(sin(v) * sin(i * v * v / pi) ** 10 for i, v in ((1, x), (2, y))),
        "StyblinskiTang": lambda: 80 + sum(v**4 - 16 * v**2 + 5 * v for v in (x, y)) / 2,
    }[args["problem"]]()


def rescale_twin(args, number, p, batch):
    kind, base = args["base"]
    return TWINS[kind](base, number, {path: v / args["scale"] for path, v in p.items()}, batch)


def log_twin(args, number, p, batch):
    kind, base = args["base"]
    return math.log(TWINS[kind](base, number, p, batch) + 1e-6) - math.log(1e-6)


TWINS = {
    "quadratic": quadratic_twin,
    "norm": norm_twin,
    "bowl": bowl_twin,
    "dependency_chain": dependency_chain_twin,
    "outward_snake": outward_snake_twin,
    "min_max_well": lambda args, number, p, batch: max(p["x"] ** 2) + 1 / min(p["x"] ** 2) - 2 + 1e-12,
    "sum_of_quadratics": lambda args, number, p, b: np.sum((p["x"] - b["features"]) ** 2) - np.sum(b["features"] ** 2),
    "projection_quadratic": lambda args, number, p, batch: np.sum((p["x"] * batch["features"]) ** 2),
    "fully_connected": fully_connected_twin,
    "sparse_softmax_regression": softmax_twin,
    "optimization_test_problems": classical_twin,
    "sparse_problems": lambda args, number, p, batch: TWINS[args["base"][0]](args["base"][1], number, p, batch),
    "rescale_problems": rescale_twin,
    "log_objective": log_twin,
}


def doubles(tensors):
    return {k: np.asarray(v, float) if v.dtype.is_floating else v.numpy() for k, v in tensors.items()}


@pytest.mark.parametrize("name", CONFIGS)
def test_loss_is_the_formula(name):
    kind, args, number = CONFIGS[name]
    task = task_of(CONFIGS[name])
    params, batch = start(task)
    expected = TWINS[kind](args, number, doubles(params), doubles(batch))
    np.testing.assert_allclose(task.loss(params, batch, 0), expected, rtol=1e-5)


def test_every_kind_is_tested():
    assert {config[0] for config in CONFIGS.values()} == set(KINDS) == set(TWINS)


@pytest.mark.parametrize("name", CONFIGS)
def test_gradients_are_those_of_finite_differences(name):
    task = task_of(CONFIGS[name])
    params, batch = start(task, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(params)
        loss = task.loss(params, batch, 0)
    gradients = tape.gradient(loss, params)
    assert loss.dtype == tf.float64
    for path, value in params.items():
        flat, gradient = value.numpy().ravel(), np.ravel(tf.convert_to_tensor(gradients[path]))
        step = 1e-6 * max(np.abs(flat).max(), 1e-3)
        for i in range(min(flat.size, 8)):
            losses = []
            for sign in (1, -1):
                moved = flat.copy()
                moved[i] += sign * step
                losses.append(float(task.loss({**params, path: tf.reshape(tf.constant(moved), value.shape)}, batch, 0)))
            slope = (losses[0] - losses[1]) / (2 * step)
            np.testing.assert_allclose(gradient[i], slope, rtol=1e-5, atol=1e-7 * np.abs(gradient).max() + 1e-7)


@pytest.mark.long
@pytest.mark.parametrize("name", CONFIGS)
def test_eager_graph_and_compiled_agree(name):
    kind, args, number = CONFIGS[name]
    noisy = {**args, "noise_stdev": 0.1} if "noise_stdev" in args else args
    task = task_of([kind, noisy, number])
    params, batch = start(task)
    loss, gradients = task.value_and_gradients(params, batch, 3)
    for jit in (False, True):
        run = tf.function(task.value_and_gradients, autograph=False, jit_compile=jit)
        other_loss, other = run(params, batch, stateless.as_key(3))
        np.testing.assert_allclose(other_loss, loss, rtol=2e-5)
        for path in gradients:
            np.testing.assert_allclose(other[path], gradients[path], rtol=2e-5, atol=2e-5 * np.abs(gradients[path]).max())


@pytest.mark.parametrize("name", GOLDEN)
def test_published_problems_start_finite(name):
    family, config = catalogue.resolve(name)
    task = make_task(family, config)
    assert task.parameter_shapes == catalogue.facts(family, config).parameter_shapes
    assert list(task.parameter_shapes) == list(catalogue.facts(family, config).parameter_shapes)
    params, batch = start(task, seed=0)
    loss, gradients = task.value_and_gradients(params, batch, 0)
    assert loss.dtype == tf.float32 and loss.shape == ()
    assert np.isfinite(loss) and all(np.isfinite(g).all() for g in gradients.values())
    assert {k: v.dtype for k, v in gradients.items()} == {k: tf.float32 for k in params}


# --- known values ---------------------------------------------------------------------------------------------------------------


def at(name, x, y):
    return float(functions.FUNCTIONS[name][0](tf.constant(x, tf.float64), tf.constant(y, tf.float64)))


@pytest.mark.parametrize(
    "name, point, value",
    [
        ("rosenbrock", (1.0, 1.0), 0.0),
        ("ackley", (0.0, 0.0), 0.0),
        ("beale", (3.0, 0.5), 0.0),
        ("branin", (-math.pi, 12.275), 0.397887),
        ("branin", (math.pi, 2.275), 0.397887),
        ("branin", (9.42478, 2.475), 0.397887),
        ("matyas", (0.0, 0.0), 0.0),
        ("michalewicz", (2.185312, 1.570796), 0.193377),
        ("StyblinskiTang", (-2.903534, -2.903534), 80 - 2 * 39.166166),
        ("logsumexp", (0.0, 0.0), math.log(3 * math.exp(-0.1) + 1)),
    ],
)
def test_known_values(name, point, value):
    assert at(name, *point) == pytest.approx(value, abs=2e-6)


@pytest.mark.parametrize("name", ["rosenbrock", "beale", "branin", "matyas", "michalewicz", "StyblinskiTang"])
def test_known_minima_are_stationary(name):
    points = {"rosenbrock": (1.0, 1.0), "beale": (3.0, 0.5), "branin": (math.pi, 2.275), "matyas": (0.0, 0.0)}
    points |= {"michalewicz": (2.18531196, math.pi / 2), "StyblinskiTang": (-2.90353403, -2.90353403)}
    x = tf.constant(points[name], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = functions.FUNCTIONS[name][0](x[0], x[1])
    assert np.abs(tape.gradient(value, x)).max() < 1e-5


def test_tip_of_the_cone_has_a_finite_gradient():
    x = tf.zeros(2)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = functions.ackley(x[0], x[1])
    assert np.isfinite(tape.gradient(value, x)).all()


@pytest.mark.parametrize("name", TEST_PROBLEMS)
def test_starts_fill_their_boxes(name):
    boxes = {"rosenbrock": (-5, 10), "ackley": (-32.768, 32.768), "beale": (-4.5, 4.5), "branin": ([-5, 0], [10, 15])}
    boxes |= {"matyas": (-10, 10), "michalewicz": (0, math.pi), "StyblinskiTang": (-5, 5)}
    task = task_of(CONFIGS[name])
    x = np.stack([task.init(seed)["x"] for seed in range(150)])
    if name == "logsumexp":
        assert abs(x.mean()) < 0.2 and abs(x.std() - 1) < 0.15
        return
    low, high = (np.broadcast_to(edge, 2) for edge in boxes[name])
    unit = (x - low) / (high - low)
    assert unit.min() >= 0 and unit.max() < 1
    assert (unit.min(0) < 0.05).all() and (unit.max(0) > 0.95).all() and (np.abs(unit.mean(0) - 0.5) < 0.09).all()


def test_starts_of_the_others():
    wide = task_of(["quadratic", {"dim": 400, "noise_stdev": 0.0}, 1]).init(0)["x"].numpy()
    assert wide.shape == (400, 1) and abs(wide.std() - 1) < 0.15
    args = {"base": ["quadratic", {"dim": 400, "noise_stdev": 0.0}], "scale": 50.0}
    np.testing.assert_allclose(task_of(["rescale_problems", args, 1]).init(0)["x"], 50 * wide, rtol=1e-6)
    params = task_of(["fully_connected", {**NETWORK, "n_features": 16, "hidden_sizes": [300, 200]}, 1]).init(0)
    for path, rows in {"mlp/linear_0/w": 16, "mlp/linear_1/w": 300, "mlp/linear_0/b": 300, "mlp/linear_2/w": 200}.items():
        assert np.std(params[path]) == pytest.approx(1.2 / math.sqrt(rows), rel=0.15)


def test_published_starts():
    points = {name: taskset.published_start(name) for name in catalogue.fixed_tasks()}
    assert {name for name, point in points.items() if point is not None} == set(catalogue.list_tasks("TwoD_*"))
    assert len({points[f"TwoD_Bowl{k}"] for k in (1, 10, 100, 1000)}) == 1
    assert taskset.published_start("quadratic_family_seed3") is None
    with pytest.raises(UnknownName, match="unknown task 'TwoD_Beal'; did you mean 'TwoD_Beale'"):
        taskset.published_start("TwoD_Beal")
    for name, loss in (("TwoD_Bowl1", (0.74733**2 + 0.39201**2) / 2), ("TwoD_Beale", 2323.977)):
        assert float(taskset.get_task(name).loss({"x": tf.constant(points[name])}, {}, 0)) == pytest.approx(loss, rel=1e-5)
