"""The fixed image tasks and the two-dimensional ones: names, order, configs, and that each can be built and run."""

import math
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf

from taskset import catalogue
from taskset.catalogue import get_task
from taskset.errors import ConfigError
from taskset.tasks.base import Task

NAMES = (pathlib.Path(__file__).parents[1] / "golden" / "fixed_tasks.txt").read_text().split()
TWO_D = [name for name in NAMES if name.startswith("TwoD_")]
IMAGES = [name for name in NAMES if re.match("FixedMLP|FixedImage|FixedMAF|FixedNVP|Mnist|Imagenet", name)]
HEAVY = {  # seconds to build, or hundreds of megabytes
    "FixedMAF_mnist_2layer_bs64",
    "FixedMAF_cifar10_3layer_bs64",
    "FixedNVP_mnist_2layer_bs64",
    "FixedNVP_mnist_5layer_bs64",
    "FixedImageConv_food10164x64_Conv_32x64x64_flatten_bs64",
}
DATA_IN_NAMES = {
    "cifar101": "cifar10",
    "food10132x32": "food101_32x32",
    "food101": "food101_32x32",
    "food10164x64": "food101_64x64",
    "coil10032x32": "coil100_32x32",
    "sun39732x32": "sun397_32x32",
    "colorectalhistology32x32": "colorectal_histology_32x32",
    "Mnist": "mnist",
    "Imagenet32x30": "food101_32x32",
}
# Published under the name of one data set, reading another one.
READS_ANOTHER = {"FixedImageConvVAE_mnist_32x64x32x64x32_bs128": "cifar10"}
VALID_SIZES = {"coil100_32x32": 800, "colorectal_histology_32x32": 700}


def described(name):
    family, config = catalogue.resolve(name)
    return family, config, catalogue.facts(family, config)


def units_in(name):
    """The longest run of sizes joined by x that is not an image size: `32x64x128`."""
    runs = [[int(n) for n in run.split("x")] for run in re.findall(r"(?<![a-zA-Z\d])\d+(?:x\d+)+", name)]
    return max(runs, key=len)


def test_there_are_66_and_8():
    assert len(TWO_D) == 8 and len(IMAGES) == 66 and set(IMAGES) <= set(catalogue.fixed_tasks())


def test_all_fixed_tasks_stand_in_the_published_order():
    assert catalogue.fixed_tasks()[: len(NAMES)] == NAMES  # other modules may register more, after them


@pytest.mark.parametrize("name", TWO_D + IMAGES)
def test_configs_fit_their_schemas(name):
    family, config = catalogue.resolve(name)
    assert catalogue.family(family).schema is not None
    catalogue.check_config(family, config)
    config = catalogue.get_config(name)[0]
    if isinstance(config, dict):
        config["dataset"][1]["bs"] = -1
        with pytest.raises(ConfigError, match="bs"):
            catalogue.check_config(family, config)
        catalogue.check_config(family, catalogue.get_config(name)[0])  # the change stayed with the copy


@pytest.mark.parametrize("name", IMAGES)
def test_data_is_what_the_name_says(name):
    _, _, facts = described(name)
    data_in_name = name.split("_")[0 if name[:5] in ("Mnist", "Image") else 1]
    data = READS_ANOTHER.get(name) or DATA_IN_NAMES.get(data_in_name, data_in_name)
    assert facts.data.name == data
    assert facts.data.valid_size == VALID_SIZES.get(data, 3000)
    assert facts.data.num_train is None and facts.data.augmentation is None
    batch_size = int(re.search(r"bs(\d+)$", name)[1])
    assert facts.data.batch_size == (64 if name == "FixedNVP_mnist_9layer_thin_bs16" else batch_size)
    assert facts.infeasible is None


@pytest.mark.parametrize("name", [name for name in IMAGES if not re.match("FixedMAF|FixedNVP", name)])
def test_sizes_are_what_the_name_says(name):
    family, config, _ = described(name)
    units = units_in(name)
    if "encoder" in config:
        sizes = [*config["encoder"], config["latents"], *config["decoder"][1:]]
        assert config["decoder"][0] == 32
        assert sizes == ([32, 64, 32, 64, 64] if name == "FixedImageConvAE_mnist_32x64x32x64x32_bs512" else units)
    elif "enc_hidden_units" in config:
        assert config["enc_hidden_units"] + config["dec_hidden_units"] == units
        assert config["enc_hidden_units"][-1] == min(units)
    else:
        assert units in [config.get("layer_sizes"), config.get("hidden_units")]
    head = re.search(r"(?:fc_|FC)(\d+(?:x\d+)*)", name)
    if family == "conv_fc_family":
        assert config["fc_hidden_units"] == ([int(n) for n in head[1].split("x")] if head else [])
    if "activation" in config:
        assert config["activation"] == ("tanh" if re.search("tanh|_he_|normal", name) else "relu")


@pytest.mark.parametrize("name", [name for name in IMAGES if name.startswith("FixedImageConv_") or name.startswith("Mnist_Conv")])
def test_convolutions(name):
    family, config, _ = described(name)
    normalized, flattened = "batchnorm" in name or "_bn_" in name, re.search("flatten|fc_|FC", name)
    assert family == ("fixed_conv" if normalized else "conv_fc_family" if flattened else "conv_pooling_family")
    assert config["strides"] == [[2, 2]] + [[1, 1]] * (len(config["hidden_units"]) - 1)
    assert set(config["padding"]) == {"SAME"} and config["use_bias"] and not config["center_data"]
    assert config.get("pool_type") == (None if flattened else "max" if name.endswith("32x64x128_he_bs64") else "mean")
    normal = {"_normal": 0.02, "largenormal": 0.2, "smallnormal": 0.002}
    std = next((normal[key] for key in normal if f"{key}_bs" in name), None)
    special = {"_he_": ["he_normal", None], "variance": ["contrib_variance_scaling", 2.0]}
    default = next((special[key] for key in special if key in name), ["lecun_normal", None])
    assert config["w_init"] == (default if std is None else ["random_normal", std])
    pooled_with_its_own = not flattened and config["w_init"] != ["lecun_normal", None]
    assert config.get("linear_w_init") == (["lecun_normal", None] if pooled_with_its_own else None)


def test_flows():
    configs = {name: described(name)[1] for name in IMAGES if re.match("FixedMAF|FixedNVP", name)}
    assert {name: (config["hidden_units"], config["num_bijectors"]) for name, config in configs.items()} == {
        "FixedNVP_mnist_2layer_bs64": ([2048, 2048], 2),
        "FixedNVP_mnist_5layer_bs64": ([2048, 2048], 5),
        "FixedNVP_mnist_5layer_thin_bs64": ([128, 128], 5),
        "FixedNVP_mnist_3layer_thin_bs64": ([128, 128], 3),
        "FixedNVP_mnist_9layer_thin_bs16": ([128, 128], 9),
        "FixedMAF_mnist_2layer_bs64": ([2048, 2048], 2),
        "FixedMAF_mnist_3layer_thin_bs64": ([128, 128], 3),
        "FixedMAF_cifar10_3layer_bs64": ([1024, 1024], 3),
    }


def test_mlps():
    configs = {name: described(name)[1] for name in IMAGES if re.match("FixedMLP_", name)}
    assert len(configs) == 13
    for name, config in configs.items():
        kind = re.search("Dropout0.|LayerNorm|BatchNorm", name)
        expected = {
            "Dropout02": ["dropout", 0.2],
            "Dropout05": ["dropout", 0.5],
            "Dropout08": ["dropout", 0.8],
            "LayerNorm": ["layer_norm", None],
            "BatchNorm": ["batch_norm", None],
        }
        assert config.get("before_activation", ["none", None]) == (expected[kind[0]] if kind else ["none", None])
        assert config.get("loss", "cross_entropy") == ("squared_error" if "_mse_" in name else "cross_entropy")


def weighted(names):
    return [pytest.param(name, marks=pytest.mark.slow) if name in HEAVY else name for name in names]


@pytest.mark.parametrize("name", weighted(IMAGES))
def test_builds_as_its_facts_say_and_runs(name):
    family, config, facts = described(name)
    task = Task(name, family, config, catalogue.builder(family)(config, facts.data), "synthetic")
    assert list(task.parameter_shapes.items()) == list(facts.parameter_shapes.items())
    assert task.num_params == sum(math.prod(shape) for shape in facts.parameter_shapes.values())
    rng = np.random.default_rng(0)
    batch = {
        "image": tf.constant(rng.uniform(size=[4, *facts.data.image_shape]), tf.float32),
        "label": tf.constant(rng.integers(facts.data.num_classes, size=4), tf.int32),
    }
    loss, gradients = task.value_and_gradients(task.init(0), batch, 0)
    assert np.isfinite(loss)
    assert all(np.isfinite(g).all() for g in gradients.values())
    assert any(g.numpy().any() for g in gradients.values())


@pytest.mark.parametrize(
    "name, x, value",
    [
        ("TwoD_Bowl1", (3, 4), 12.5),
        ("TwoD_Bowl10", (3, 4), 53.0),
        ("TwoD_Bowl100", (3, 4), 458.0),
        ("TwoD_Bowl1000", (3, 4), 4508.0),
        ("TwoD_Rosenbrock", (1, 1), 0.0),
        ("TwoD_Rosenbrock", (2, 3), 101.0),
        ("TwoD_Ackley", (0, 0), 0.0),
        ("TwoD_Beale", (3, 0.5), 0.0),
        ("TwoD_Beale", (0, 0), 14.203125),
        ("TwoD_StyblinskiTang", (0, 0), 80.0),
        ("TwoD_StyblinskiTang", (-2.903534, -2.903534), 80 - 78.33233),
    ],
)
def test_two_dimensional_problems(name, x, value):
    task = get_task(name)
    ((path, shape),) = task.parameter_shapes.items()
    assert math.prod(shape) == 2 and task.source == "none"
    params = {path: tf.reshape(tf.constant(x, tf.float32), shape)}
    assert task.loss(params, {}, 0).numpy() == pytest.approx(value, rel=1e-5, abs=2e-5)
    _, once = task.value_and_gradients(params, {}, 0)
    _, again = task.value_and_gradients(params, {}, 1)
    np.testing.assert_array_equal(once[path], again[path])  # no gradient noise
