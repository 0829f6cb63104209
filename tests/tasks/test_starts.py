"""How parameters start: what each is drawn from, as data, against the draws; and the starts of the release, tensor by tensor."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from taskset import catalogue
from taskset.catalogue import make_task
from taskset.random import stateless
from taskset.samplers import schemas
from taskset.tasks import distributions, initializers, starts
from taskset.tasks.base import Task

GOLDEN = Path(__file__).parents[1] / "golden"


def task_of(name, **changes):
    """The task called `name`, with changes to its config; its data is never opened."""
    family, config = catalogue.resolve(name)
    config = {**config, **changes} if changes else config
    return Task(name, family, config, catalogue.builder(family)(config, catalogue.facts(family, config).data), "synthetic")


def assert_drawn_from(values, distribution, what):
    """Mean and standard deviation within five standard errors, no entry out of bounds, and the shape of the law."""
    values, n = np.asarray(values, float).ravel(), np.size(values)
    if distribution.name == "constant":
        np.testing.assert_array_equal(values, np.float32(distribution.mean), err_msg=what)
        return
    mean, stddev = distribution.mean, distribution.stddev
    assert abs(values.mean() - mean) <= 5 * stddev / math.sqrt(n), what
    if distribution.name == "orthogonal":  # its squares aren't independent draws: their sum is given
        np.testing.assert_allclose(np.sqrt(np.mean(values**2)), stddev, rtol=1e-5, err_msg=what)
        return
    law = {
        "normal": scipy.stats.norm(mean, stddev),
        "uniform": scipy.stats.uniform(mean - math.sqrt(3) * stddev, 2 * math.sqrt(3) * stddev),
        "truncated normal": scipy.stats.truncnorm(-2, 2, 0, stddev / distributions.TRUNCATION),
    }[distribution.name]
    assert scipy.stats.kstest(values, law.cdf).pvalue > 1e-4, what
    np.testing.assert_allclose(law.std(), stddev, rtol=1e-4, err_msg=what)
    if distribution.bounds:
        assert distribution.bounds[0] <= values.min() and values.max() <= distribution.bounds[1], what


# --- the initializers -----------------------------------------------------------------------------------------------------------

SHAPE = (60, 90)
PLAIN = {  # name: (argument, name of the law, stddev of an entry of a [60, 90] matrix)
    "lecun_normal": (None, "truncated normal", distributions.TRUNCATION / math.sqrt(60)),
    "contrib_variance_scaling": (2.0, "truncated normal", distributions.TRUNCATION * math.sqrt(1.3 * 2 / 60)),
    "he_normal": (None, "truncated normal", math.sqrt(2 / 60)),
    "he_uniform": (None, "uniform", math.sqrt(2 / 60)),
    "glorot_normal": (None, "truncated normal", math.sqrt(2 / 150)),
    "glorot_uniform": (None, "uniform", math.sqrt(2 / 150)),
    "variance_scaling": (3.0, "truncated normal", math.sqrt(3 / 60)),
    "random_normal": (0.7, "normal", 0.7),
    "truncated_normal": (0.7, "normal", 0.7),  # the published slip
    "random_uniform": (0.7, "uniform", 0.7 / math.sqrt(3)),
    "orthogonal": (1.5, "orthogonal", 1.5 / math.sqrt(90)),
}


def test_every_initializer_of_the_schema_is_here():
    named = {case["if"]["prefixItems"][0]["enum"][0] for case in schemas.SQUARE_INITIALIZER["allOf"]}
    assert named == {*PLAIN, "identity"} == set(initializers._BY_NAME)


@pytest.mark.parametrize("name", PLAIN)
def test_initializers_draw_from_what_they_say(name):
    argument, law, stddev = PLAIN[name]
    deferred = initializers.from_config([name, argument])(SHAPE, tf.float32)
    assert deferred.distribution.name == law
    assert deferred.distribution.stddev == pytest.approx(stddev, rel=1e-9)
    assert_drawn_from(deferred.draw(stateless.as_key(3), SHAPE, tf.float32), deferred.distribution, name)


def test_contrib_variance_scaling_is_a_third_of_a_percent_wider_than_todays():
    ratio = [initializers.from_config([f"{kind}variance_scaling", 2.0])(SHAPE).distribution.stddev for kind in ("contrib_", "")]
    assert ratio[0] / ratio[1] == pytest.approx(1.0029, abs=1e-4)


SCALED = starts.scaled(starts.normal(-1.0, 2.0), 20.0)


@pytest.mark.parametrize("start", [starts.normal(1.0, 0.5), starts.uniform(-1.0, 3.0), SCALED])
def test_plain_starts_draw_from_what_they_say(start):
    assert_drawn_from(start.draw(stateless.as_key(3), [4000], tf.float32), start.distribution, str(start.distribution))


def test_a_start_in_words():
    assert str(distributions.truncated_normal(1 / math.sqrt(192))) == "truncated normal, stddev 0.0635"
    assert str(distributions.normal(0.0, 1.0)) == "normal, stddev 1"
    assert str(distributions.normal(-2.0, 0.25)) == "normal, mean -2, stddev 0.25"
    assert str(distributions.uniform(-0.1, 0.1)) == "uniform, from -0.1 to 0.1"
    assert str(distributions.uniform([-5.0, 0.0], [10.0, 15.0])) == "uniform, from (-5, 0) to (10, 15)"
    assert str(distributions.uniform(-0.1, 0.1).scaled(100.0)) == "uniform, from -10 to 10"
    assert str(distributions.constant(0.0)) == "constant 0" and str(distributions.identity()) == "identity"


# --- the recurrent cores --------------------------------------------------------------------------------------------------------


def sampled_text(kind, **changes):
    """A text classifier of the release's configs that has this kind of core, with a small vocabulary."""
    published = json.loads((GOLDEN / "rnn_text_classification_family.json").read_text())
    name = next(name for name, (config, _) in published.items() if config["core"][0] == kind)
    return task_of(name, vocab_size=50, **changes)


@pytest.mark.parametrize(
    "name, size", [("rnn_text_classification_family_seed0", 11_198), ("Copy_VRNN128_BS128_Length20_Tokens10", 19_724)]
)
def test_a_vanilla_core_has_two_biases(name, size):
    task = task_of(name)
    assert task.num_params == catalogue.num_params(name) == size
    assert [path for path in task.parameter_shapes if path.startswith("core/b")] == ["core/b_in", "core/b_h"]


def test_both_biases_of_a_vanilla_core_start_at_0_and_get_the_same_gradient():
    task = task_of("Copy_VRNN128_BS128_Length20_Tokens10", bs=4, length=3)
    params = task.init(0)
    _, gradients = task.value_and_gradients(params, next(task.batches("train", 0)), 0)
    assert not np.any(params["core/b_in"]) and not np.any(params["core/b_h"]) and np.any(gradients["core/b_in"])
    np.testing.assert_array_equal(gradients["core/b_in"], gradients["core/b_h"])


TRUNCATED = distributions.truncated_normal
MATRICES = {"hidden_to_hidden": ["orthogonal", 2.0], "in_to_hidden": ["random_normal", 0.3]}
VRNN = ["vrnn", {**MATRICES, "act_fn": "tanh", "core_dim": 40}]
NARROW = {matrix: ["random_uniform", 0.2] for matrix in ("wz", "wr", "uh", "uz", "ur")}
GRU = ["gru", {"core_dim": 40, "wh": ["he_uniform", None], **NARROW}]
LSTM = ["lstm", {"w_gates": ["random_normal", 0.3], "core_dim": 40}]
ZERO, BOX = distributions.constant(0.0), distributions.uniform(-0.2, 0.2)
GRU_BIAS = distributions.uniform(-math.sqrt(3 / 40), math.sqrt(3 / 40))
# (core, parameter): what it starts from with inputs of length 10.
CORES = {
    ("vrnn", "in_to_hidden"): distributions.normal(0.0, 0.3),
    ("vrnn", "b_in"): ZERO,
    ("vrnn", "hidden_to_hidden"): distributions.orthogonal(2.0, 40),
    ("vrnn", "b_h"): ZERO,
    **{("gru", path): BOX for path in ("wz", "uz", "wr", "ur", "uh")},
    ("gru", "wh"): distributions.uniform(-math.sqrt(6 / 10), math.sqrt(6 / 10)),
    **{("gru", path): GRU_BIAS for path in ("bz", "br", "bh")},
    ("lstm", "w_gates"): distributions.normal(0.0, 0.3),
    ("lstm", "b_gates"): TRUNCATED(1 / math.sqrt(50)),
}


@pytest.mark.parametrize("core", [VRNN, GRU, LSTM], ids=lambda core: core[0])
def test_every_parameter_of_a_core_starts_as_published(core):
    task = sampled_text(core[0], core=core, embed_dim=10, trainable_init=True, w_init=["glorot_normal", None])
    expected = {f"core/{path}": start for (kind, path), start in CORES.items() if kind == core[0]}
    expected |= {f"initial_state/{part}": ZERO for part in (("hidden", "cell") if core is LSTM else ("hidden",))}
    expected |= {"embed/embeddings": distributions.normal(0.0, 1.0), "linear/b": ZERO}
    expected["linear/w"] = TRUNCATED(math.sqrt(2 / 42) / distributions.TRUNCATION)
    assert {path: str(start) for path, start in task.parameter_starts.items()} == {p: str(s) for p, s in expected.items()}
    params = task.init(4)
    for path, start in expected.items():
        assert_drawn_from(params[path], start, path)


@pytest.mark.parametrize("w_gates", [["random_normal", 3.0], ["he_uniform", None]])
def test_gate_biases_of_an_lstm_start_from_the_default_whatever_the_config_names(w_gates):
    core = ["lstm", {"w_gates": w_gates, "core_dim": 700}]
    task = sampled_text("lstm", core=core, embed_dim=200)
    start = task.parameter_starts["core/b_gates"]
    assert start == distributions.truncated_normal(1 / math.sqrt(900))
    assert_drawn_from(task.init(1)["core/b_gates"], start, "core/b_gates")


def test_gate_biases_of_a_fixed_lstm():
    """Measured in the release: .064."""
    task = task_of("FixedLM_lm1b_patch128_LSTM128_embed64_avg_bs128")
    biases = np.stack([task.init(seed)["core/b_gates"] for seed in range(8)])
    assert biases.std() == pytest.approx(0.0635, rel=0.03) and np.abs(biases).max() <= 2 / math.sqrt(192) + 1e-6
    assert_drawn_from(biases, task.parameter_starts["core/b_gates"], "core/b_gates")


@pytest.mark.parametrize("name", [None, "Associative_GRU128_BS128_Pairs10_Tokens50"])
def test_biases_of_a_gru_start_glorot_uniform(name):
    task = sampled_text("gru") if name is None else task_of(name)
    (hidden,) = task.parameter_shapes["core/bz"]
    for path in ("core/bz", "core/br", "core/bh"):
        assert task.parameter_starts[path].bounds[1] == pytest.approx(math.sqrt(3 / hidden))
        assert_drawn_from(np.stack([task.init(seed)[path] for seed in range(10)]), task.parameter_starts[path], path)


# --- fixed tasks ----------------------------------------------------------------------------------------------------------------

GRUS = [name for name in catalogue.fixed_tasks()[:109] if "GRU" in name]


def test_nine_fixed_tasks_have_a_gru():
    assert len(GRUS) == 9


@pytest.mark.parametrize("name", GRUS)
def test_matrices_of_fixed_grus_start_glorot_uniform(name):
    task = task_of(name)
    for path in (f"core/{matrix}" for matrix in ("wz", "wr", "wh", "uz", "ur", "uh")):
        rows, columns = task.parameter_shapes[path]
        start = task.parameter_starts[path]
        assert start.name == "uniform" and start.stddev == pytest.approx(math.sqrt(2 / (rows + columns))), path
    assert task.parameter_starts["linear/w"].name == "truncated normal"


# Standard deviations as the release has them (those of entries before masking).
FIXED = {
    ("Copy_GRU128_BS128_Length20_Tokens10", "core/wr"): ("uniform", 0.120),
    ("FixedLM_lm1b_patch128_GRU256_embed64_avg_bs128", "core/wz"): ("uniform", 0.079),
    ("FixedNVP_mnist_3layer_thin_bs64", "bijector_0/linear_0/w"): ("uniform", 0.0620),
    ("FixedNVP_mnist_3layer_thin_bs64", "bijector_2/linear_1/w"): ("uniform", 0.0883),
    ("FixedNVP_mnist_3layer_thin_bs64", "bijector_1/linear_2/w"): ("uniform", 0.0468),
    ("FixedMAF_mnist_3layer_thin_bs64", "bijector_0/linear_0/w"): ("truncated normal", 0.0469),
    ("FixedImageConv_cifar10_32x64x128_largenormal_bs64", "linear/w"): ("truncated normal", 0.077),
    ("FixedImageConv_cifar10_32x64x128_largenormal_bs64", "conv_1/w"): ("normal", 0.2),
    ("FixedImageConv_cifar10_32x64x128_normal_bs64", "linear/w"): ("truncated normal", 0.077),
    ("FixedImageConv_cifar10_32x64x128_smallnormal_bs64", "linear/w"): ("truncated normal", 0.077),
    ("FixedImageConv_cifar10_32x64x128_smallnormal_bs64", "conv_2/w"): ("normal", 0.002),
    ("FixedImageConv_cifar10_32x64x128_he_bs64", "linear/w"): ("truncated normal", 0.077),
    ("FixedImageConv_cifar10_32x64x128_he_bs64", "conv_1/w"): ("truncated normal", math.sqrt(2 / 288)),
    ("FixedImageConv_cifar10_32x64x128x128x128_avg_he_bs64", "linear/w"): ("truncated normal", 0.077),
    ("FixedImageConv_cifar10_32x64x128_flatten_FC64x32_tanh_he_bs8", "mlp/linear_2/w"): ("truncated normal", math.sqrt(2 / 32)),
    ("FixedImageConv_cifar10_32x64x128_flatten_FC64x32_tanh_variance_scaling_bs64", "conv_1/w"): (
        "truncated normal",
        1.0029 * math.sqrt(2 / 288),
    ),
    ("FixedImageConv_cifar100_32x64x128_FC64x32_tanh_variance_scaling_bs64", "mlp/linear_1/w"): (
        "truncated normal",
        1.0029 * math.sqrt(2 / 64),
    ),
}


@pytest.mark.parametrize("name, path", FIXED)
def test_fixed_tasks_start_as_in_the_release(name, path):
    law, stddev = FIXED[name, path]
    task = task_of(name)
    start = task.parameter_starts[path]
    assert start.name == law and start.stddev == pytest.approx(stddev, rel=0.012)
    values = task.init(0)[path].numpy()
    if start.note == distributions.MASKED:
        values = values[values != 0]
    assert_drawn_from(values[:20_000].ravel()[:20_000], start, path)


@pytest.mark.parametrize("prefix", ["FixedNVP_mnist_9layer_thin", "FixedMAF_mnist_3layer_thin"])
def test_all_kernels_of_a_fixed_flow_start_alike(prefix):
    (name,) = [name for name in catalogue.fixed_tasks() if name.startswith(prefix)]
    for path, start in task_of(name).parameter_starts.items():
        kernel = "uniform" if "NVP" in name else "truncated normal"
        assert start.name == (kernel if path.endswith("/w") else "constant"), path


# --- losg -----------------------------------------------------------------------------------------------------------------------

NETWORK = {"n_features": 9, "n_classes": 2, "activation": "tanh", "bs": 6, "n_samples": 9, "hidden_sizes": [50, 40]}
BASES = [["fully_connected", NETWORK], ["optimization_test_problems", {"problem": "ackley", "noise_stdev": 0.0}]]


SPARSE = {"zero_probability": 0.9, "noise_stdev": 1.0}


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("kind, more", [("log_objective", {}), ("sparse_problems", SPARSE)])
def test_log_and_sparse_problems_start_standard_normal(kind, more, base):
    task = make_task("losg_tasks_family", [kind, {"base": base, **more}, 5])
    assert set(map(str, task.parameter_starts.values())) == {"normal, stddev 1"}
    values = [np.concatenate([np.ravel(v) for v in task.init(seed).values()]) for seed in range(50)]
    assert_drawn_from(values, distributions.normal(0.0, 1.0), kind)


def test_a_rescaled_problem_keeps_the_start_of_its_base():
    def start_of(config):
        return make_task("losg_tasks_family", config).parameter_starts

    network = start_of([*BASES[0], 5])
    rescaled = start_of(["rescale_problems", {"base": BASES[0], "scale": 20.0}, 5])
    assert rescaled == {path: start.scaled(20.0) for path, start in network.items()}
    assert start_of(["rescale_problems", {"base": BASES[1], "scale": 0.5}, 5])["x"].bounds == (-16.384, 16.384)


def test_the_eighteen_tasks_whose_base_has_another_start():
    def touched(seed):
        kind, args, number = catalogue.sample("losg_tasks_family", seed)
        if kind not in ("log_objective", "sparse_problems"):
            return False
        base = make_task("losg_tasks_family", [*args["base"], number]).parameter_starts
        return set(base.values()) != {distributions.normal(0.0, 1.0)}

    seeds = [61, 82, 90, 148, 409, 417, 437, 559, 563, 611, 668, 707, 717, 789, 812, 843, 870, 970]
    assert [seed for seed in range(1000) if touched(seed)] == seeds
