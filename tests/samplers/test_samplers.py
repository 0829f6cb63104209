"""Configs: every published one that is at hand, the rules they obey, their schemas, and the facts read off them."""

import copy
import hashlib
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from taskset import catalogue, registry
from taskset.errors import ConfigError, UnknownName
from taskset.samplers import PUBLISHED_FAMILIES, optimizers, shapes
from taskset.schema import explain

OURS = (*PUBLISHED_FAMILIES, "made_family")  # other test modules register families, too

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
# Digests of the configs of seeds 0 .. 999: a name means one config for ever. Floats count to 12 digits (another C library may
# round a logarithm otherwise).
FROZEN = {
    "char_rnn_language_model_family": "0cc807c35c72ab75",
    "conv_fc_family": "716b46fe169edddf",
    "conv_pooling_family": "b32a1f82844d39ed",
    "losg_tasks_family": "e7b9a0735686fcaf",
    "maf_family": "ae4b771a9ee1a1e1",
    "mlp_ae_family": "ff59090c230a20da",
    "mlp_family": "3afaf75d30151b31",
    "mlp_vae_family": "357eb0c786ece9e2",
    "nvp_family": "1dd4f2deff21b338",
    "quadratic_family": "8911ba4596aa051a",
    "rnn_text_classification_family": "7aed81373e1ec2d5",
    "word_rnn_language_model_family": "2cc605bddd729e48",
    "adagrad_wide_grid": "ee43f97733b93631",
    "adam1p_wide_grid": "c6da02927b425ca0",
    "adam4p_wide_grid": "b76a78472fce1a84",
    "adam6p_wide_grid": "4f14843436249e9b",
    "adam8p_wide_grid": "9ec3eaa65f45dcf3",
    "nadamw_grid": "da55a0fb8c87a1ff",
}


def golden(family):
    return json.loads((GOLDEN / f"{family}.json").read_text())


# The published configs


@pytest.mark.parametrize("family", PUBLISHED_FAMILIES)
def test_task_configs_are_the_published_ones(family):
    published = golden(family)
    assert len(published) >= 11
    for name, entry in published.items():
        assert json.dumps(catalogue.get_config(name)) == json.dumps(entry), name


@pytest.mark.parametrize("family", optimizers.optimizer_families())
def test_optimizer_configs_are_the_published_ones(family):
    published = golden(family)
    assert len(published) >= 5
    for name, entry in published.items():
        assert json.dumps(optimizers.get_optimizer_config(name)) == json.dumps(entry), name


def test_golden_files_cover_all_published_families():
    files = {path.stem for path in GOLDEN.glob("*.json")} - {"opt_list"}
    assert files == set(PUBLISHED_FAMILIES) | set(optimizers.optimizer_families())
    assert len(PUBLISHED_FAMILIES) == 12 and set(PUBLISHED_FAMILIES) < set(catalogue.families())


def digest(configs):
    text = json.dumps(configs)
    rounded = json.dumps(json.loads(text, parse_float=lambda x: f"{float(x):.12g}"))
    return hashlib.sha256(rounded.encode()).hexdigest()[:16]


@pytest.mark.parametrize("family", [*PUBLISHED_FAMILIES, *optimizers.optimizer_families()])
def test_configs_never_change(family):
    sample = catalogue.sample if family in PUBLISHED_FAMILIES else optimizers.sample_optimizer
    configs = [sample(family, seed) for seed in range(registry.SEEDS)]
    assert len({json.dumps(config) for config in configs}) == registry.SEEDS
    assert digest(configs) == FROZEN[family]


def test_families_of_one_procedure_have_streams_of_their_own():
    flows = [{json.dumps(catalogue.sample(family, seed)) for seed in range(200)} for family in ("nvp_family", "maf_family")]
    assert flows[0].isdisjoint(flows[1])


def test_made_family_has_the_configs_of_maf_family():
    for seed in range(50):
        assert catalogue.sample("made_family", seed) == catalogue.sample("maf_family", seed)


def assert_json(value):
    assert type(value) in (str, bool, int, float, type(None), list, dict), repr(value)
    if type(value) is list:
        for item in value:
            assert_json(item)
    if type(value) is dict:
        for key, item in value.items():
            assert type(key) is str
            assert_json(item)


def test_configs_are_plain_json():
    for seed in range(200):
        for family in OURS:
            config = catalogue.sample(family, seed)
            assert_json(config)
            assert json.loads(json.dumps(config)) == config
        for family in optimizers.optimizer_families():
            assert_json(optimizers.sample_optimizer(family, seed))


def test_no_list_is_shared_within_or_between_configs():
    def lists(value):
        children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        yield from [value] * isinstance(value, (dict, list))
        for child in children:
            yield from lists(child)

    for family in OURS:
        found = [part for seed in (0, 0, 1, 2, 3) for part in lists(catalogue.sample(family, seed))]
        assert len({id(part) for part in found}) == len(found), family


# Optimizer names


def test_fixed_optimizers():
    rates = np.logspace(-7, 1, 17)
    names = optimizers.fixed_optimizers()
    assert len(names) == 34 and names[0] == "adam_lr_-7.00" and "adam_lr_0.00" in names and names[-1] == "adagrad_lr_1.00"
    for i, name in enumerate(names):
        config, family = optimizers.get_optimizer_config(name)
        assert family == ("adam_lr" if i < 17 else "adagrad_lr")
        assert config == {"learning_rate": float(rates[i % 17])} and type(config["learning_rate"]) is float


def test_corrected_nadamw_has_the_published_configs():
    assert "nadamw_corrected" not in optimizers.optimizer_families()
    for seed in range(20):
        config, family = optimizers.get_optimizer_config(f"nadamw_corrected_seed{seed}")
        assert [config, "nadamw_grid"] == optimizers.get_optimizer_config(f"nadamw_grid_seed{seed}")
        assert family == "nadamw_corrected"


def test_opt_list():
    published = json.loads((GOLDEN / "opt_list.json").read_text())["nadamw_grid_seeds"]
    assert optimizers.opt_list_names(100) == [f"nadamw_grid_seed{seed}" for seed in published]
    assert optimizers.opt_list_names(2) == ["nadamw_grid_seed251", "nadamw_grid_seed611"]
    for n in (101, -1, 2.0, True):
        with pytest.raises(ConfigError, match="learned list has 100"):
            optimizers.opt_list_names(n)


def test_unknown_optimizers():
    with pytest.raises(UnknownName, match="did you mean 'adam8p_wide_grid_seed21'"):
        optimizers.get_optimizer_config("adam8_wide_grid_seed21")
    with pytest.raises(UnknownName, match="adam_lr_-3.00"):
        optimizers.get_optimizer_config("adam_lr_-3.0")
    with pytest.raises(UnknownName, match="unknown optimizer"):
        optimizers.get_optimizer_config("adam1p_wide_grid_seed01")
    with pytest.raises(UnknownName, match="optimizer family 'adam'"):
        optimizers.sample_optimizer("adam", 0)
    with pytest.raises(ConfigError, match="2\\*\\*31"):
        optimizers.get_optimizer_config("nadamw_grid_seed4294967296")


# Schemas


@pytest.mark.parametrize("family", OURS)
def test_sampled_configs_fit_their_schema(family):
    schema = catalogue.family(family).schema
    for seed in [*range(300), 12345, 2**31 - 1]:
        assert explain(schema, catalogue.sample(family, seed)) is None, seed


def put(value, *path):
    """A change to a config: sets the entry at `path`."""

    def change(config):
        for key in path[:-1]:
            config = config[key]
        config[path[-1]] = value

    return change


def drop(*path):
    """A change to a config: removes the entry at `path`."""

    def change(config):
        for key in path[:-1]:
            config = config[key]
        del config[path[-1]]

    return change


@pytest.mark.parametrize(
    "name, change, said",
    [
        ("mlp_family_seed1", drop("activation"), "missing field 'activation'; needed are layer_sizes, activation, "),
        ("mlp_family_seed1", put("relu", "activaton"), "unknown field 'activaton'; did you mean 'activation'? allowed are "),
        ("mlp_family_seed1", put("rellu", "activation"), "activation = 'rellu': did you mean 'relu'? allowed are 'relu', "),
        ("mlp_family_seed1", put("a", "layer_sizes", 1), "layer_sizes[1] = 'a': must be an integer"),
        ("mlp_family_seed1", put(0, "layer_sizes", 1), "layer_sizes[1] = 0: must be at least 1"),
        ("mlp_family_seed1", put(3.0, "layer_sizes", 1), "layer_sizes[1] = 3.0: must be an integer"),
        ("mlp_family_seed1", put(True, "layer_sizes", 1), "layer_sizes[1] = True: must be an integer"),
        ("mlp_family_seed1", put((3, 4), "layer_sizes"), "layer_sizes = (3, 4): must be a list"),
        ("mlp_family_seed1", put(1, "center_data"), "center_data = 1: must be True or False"),
        ("mlp_family_seed1", put(["he_normal", 1.0], "w_init"), "w_init[1] = 1.0: must be None"),
        ("mlp_family_seed1", put(["orthogonal", None], "w_init"), "w_init[1] = None: must be a finite number"),
        ("mlp_family_seed1", put(["orthogonal", float("nan")], "w_init"), "w_init[1] = nan: must be a finite number"),
        ("mlp_family_seed1", put(["orthogonal", 0], "w_init"), "w_init[1] = 0: must be greater than 0"),
        ("mlp_family_seed1", put(["orthogonal"], "w_init"), "w_init = ['orthogonal']: a list of 1; must have at least 2 items"),
        ("mlp_family_seed1", put(["orthogonal", 1, 2], "w_init"), "a list of 3; must have at most 2 items"),
        ("mlp_family_seed1", put("mnits", "dataset", 0), "dataset[0] = 'mnits': did you mean 'mnist'? allowed are 'cifar10', "),
        ("mlp_family_seed1", put("mnist", "dataset", 0), "missing field 'num_classes' in dataset[1]; needed are bs, num_train, "),
        ("mlp_family_seed0", put(3, "dataset", 2, "hue"), "dataset[2].hue = 3: must be at most 0.5"),
        ("mlp_family_seed0", put([], "dataset", 2), "dataset[2] = []: must be a dict or None"),
        ("conv_fc_family_seed0", drop("padding", 0), "hidden_units has 5, strides has 5, padding has 4"),
        ("conv_fc_family_seed0", put([2], "strides", 1), "strides[1] = [2]: a list of 1; must have "),
        ("conv_fc_family_seed0", put("same", "padding", 1), "padding[1] = 'same': allowed are 'SAME', 'VALID'"),
        ("losg_tasks_family_seed3", drop(1, "base", 1, "dim"), "missing field 'dim' in [1].base[1]; needed are dim, bs, "),
        ("losg_tasks_family_seed3", put("sum_of_quadratic", 1, "base", 0), "did you mean 'sum_of_quadratics'?"),
        ("losg_tasks_family_seed3", put("bowl", 0), "unknown field 'base' in [1]; allowed are cond, angle, noise_stdev"),
        ("losg_tasks_family_seed3", put(1.5, 2), "[2] = 1.5: must be an integer"),
        ("losg_tasks_family_seed3", put("log_objective", 1, "base", 0), "[1].base[0] = 'log_objective': allowed are "),
        ("quadratic_family_seed0", put("3", "noise", "A_noise", 1, "max"), "noise.A_noise[1].max = '3': must be a "),
        ("quadratic_family_seed0", put(0, "dims"), "dims = 0: must be at least 1"),
        ("rnn_text_classification_family_seed0", put("rnn", "core", 0), "core[0] = 'rnn': did you mean 'vrnn'? allowed are "),
        ("rnn_text_classification_family_seed0", put("imdb_reviews", "dataset", 0), "dataset[0] = 'imdb_reviews': "),
        ("char_rnn_language_model_family_seed0", put("lm1b/subwords8k", "dataset", 0), "dataset[0] = 'lm1b/subwords8k': "),
        ("word_rnn_language_model_family_seed0", put(1, "dataset", 1, "patch_length"), "patch_length = 1: must be at least 2"),
    ],
)
def test_what_is_wrong_with_a_config(name, change, said):
    config, family = catalogue.get_config(name)
    changed = copy.deepcopy(config)
    change(changed)
    line = explain(catalogue.family(family).schema, changed)
    assert said in line and "\n" not in line
    with pytest.raises(ConfigError, match=f"{family} config: "):
        catalogue.check_config(family, changed)


@pytest.mark.parametrize("config", [None, [], "mnist", 3])
def test_a_config_of_another_type(config):
    assert explain(catalogue.family("mlp_family").schema, config) == f"the config = {config!r}: must be a dict"


# Facts


@pytest.mark.parametrize("family", OURS)
def test_facts_of_sampled_configs(family):
    feasible = 0
    for seed in range(200):
        config = catalogue.sample(family, seed)
        before = copy.deepcopy(config)
        described = catalogue.facts(family, config)
        assert config == before
        assert hash(described.data) == hash(catalogue.facts(family, config).data)
        feasible += described.infeasible is None
        if described.infeasible is None:
            sizes = [n for shape in described.parameter_shapes.values() for n in shape]
            assert sizes and all(type(n) is int and n >= 1 for n in sizes), seed
    assert feasible >= 180


@pytest.mark.parametrize("size", range(1, 12))
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_rows_left_by_a_convolution(size, stride):
    assert max(shapes.convolution_size(size, stride, "VALID"), 0) == len(range(0, max(size - 2, 0), stride))
    assert shapes.convolution_size(size, stride, "SAME") == len(range(0, size, stride))


def described(name):
    config, family = catalogue.get_config(name)
    return catalogue.facts(family, config)


def test_facts_of_an_mlp():
    facts = described("mlp_family_seed1")
    assert facts.data.name == "food101_32x32" and facts.data.batch_size == 117 and facts.data.num_train is None
    assert list(facts.parameter_shapes.items()) == [
        ("mlp/linear_0/w", (3072, 68)),
        ("mlp/linear_0/b", (68,)),
        ("mlp/linear_1/w", (68, 37)),
        ("mlp/linear_1/b", (37,)),
        ("mlp/linear_2/w", (37, 78)),
        ("mlp/linear_2/b", (78,)),
        ("mlp/linear_3/w", (78, 101)),
        ("mlp/linear_3/b", (101,)),
    ]


def test_facts_of_convolutions():
    # 32 -> 32 (SAME, 1) -> 16 (SAME, 2) -> 14 (VALID, 1) -> 7 (SAME, 2) -> 5 (VALID, 1)
    facts = described("conv_fc_family_seed0")
    assert facts.infeasible is None
    assert list(facts.parameter_shapes)[:3] == ["conv_0/w", "conv_0/b", "conv_1/w"]
    assert facts.parameter_shapes["conv_4/w"] == (3, 3, 29, 18)
    assert facts.parameter_shapes["mlp/linear_0/w"] == (5 * 5 * 18, 62)
    assert facts.parameter_shapes["mlp/linear_3/w"] == (102, 397)
    pooled = described("conv_pooling_family_seed0")
    assert list(pooled.parameter_shapes)[-2:] == ["linear/w", "linear/b"]
    assert pooled.parameter_shapes["linear/w"] == (18, 100)


def test_cropping_leaves_smaller_images():
    config, family = catalogue.get_config("mlp_family_seed0")
    config["dataset"][2]["crop_amount"] = 2
    assert catalogue.facts(family, config).parameter_shapes["mlp/linear_0/w"] == (30 * 30 * 3, 71)


def test_convolutions_that_run_out_of_rows():
    config = catalogue.sample("conv_fc_family", 0)
    config["strides"] = [[2, 2]] * 5
    config["padding"] = ["SAME", "SAME", "SAME", "VALID", "VALID"]  # 32 -> 16 -> 8 -> 4 -> 1
    facts = catalogue.facts("conv_fc_family", config)
    assert facts.infeasible == "padding[4] = 'VALID': the 3x3 convolution 4 has only 1x1 pixels left to work on"
    config["padding"][4] = "SAME"
    assert catalogue.facts("conv_fc_family", config).infeasible is None


def test_a_batch_larger_than_a_split():
    config = catalogue.sample("mlp_family", 1)
    config["dataset"][1]["bs"] = 10**6
    assert str(10**6) in catalogue.facts("mlp_family", config).infeasible


def test_facts_of_an_autoencoder_a_vae_and_flows():
    shape = described("mlp_ae_family_seed0").parameter_shapes
    assert shape["mlp/linear_0/w"] == (784, 73) and shape["mlp/linear_5/w"] == (76, 784)
    shape = described("mlp_vae_family_seed1").parameter_shapes  # encoder 128, 117 latents; decoder 49, 39; 16x16x3
    assert shape["encoder/linear_1/w"] == (128, 234) and shape["decoder/linear_0/w"] == (117, 49)
    assert shape["decoder/linear_2/b"] == (1536,)
    shape = described("nvp_family_seed1").parameter_shapes
    assert shape["bijector_2/linear_0/w"] == (1536, 23) and shape["bijector_2/linear_1/w"] == (23, 3072)
    assert described("maf_family_seed0").parameter_shapes["bijector_1/linear_1/w"] == (55, 6144)


def test_facts_of_recurrent_nets():
    facts = described("char_rnn_language_model_family_seed0")
    assert facts.data.patch_length == 29 and facts.data.batch_size == 215 and facts.data.valid_size == 3000
    assert list(facts.parameter_shapes.items()) == [
        ("embed/embeddings", (256, 37)),
        *((f"core/{name}{gate}", shape) for gate in "zrh" for name, shape in (("w", (37, 78)), ("u", (78, 78)), ("b", (78,)))),
        ("initial_state/hidden", (78,)),
        ("linear/w", (78, 256)),
        ("linear/b", (256,)),
    ]
    assert described("word_rnn_language_model_family_seed0").data.valid_size == 10_000
    facts = described("rnn_text_classification_family_seed0")
    core = ["core/in_to_hidden", "core/b_in", "core/hidden_to_hidden", "core/b_h"]
    assert list(facts.parameter_shapes) == ["embed/embeddings", *core, "linear/w", "linear/b"]
    assert facts.parameter_shapes["linear/w"] == (62, 2)


def test_the_vocabulary_ends_at_max_token():
    config = catalogue.sample("rnn_text_classification_family", 0)
    config["vocab_size"] = 9000
    assert catalogue.facts("rnn_text_classification_family", config).parameter_shapes["embed/embeddings"] == (8185, 37)


def test_facts_of_an_lstm():
    core = ["lstm", {"w_gates": ["he_normal", None], "core_dim": 5}]
    assert shapes.recurrent_core(core, 3) == {"core/w_gates": (8, 20), "core/b_gates": (20,)}
    assert shapes.initial_state(core) == {"initial_state/hidden": (5,), "initial_state/cell": (5,)}


def test_facts_of_problems_without_images():
    assert described("quadratic_family_seed0").parameter_shapes == {"x": (18,)}
    assert described("losg_tasks_family_seed0").parameter_shapes == {"embeddings": (2, 54), "w": (54, 2), "b": (2,)}
    assert described("losg_tasks_family_seed3").parameter_shapes == {"x": (36,)}
    assert described("losg_tasks_family_seed17").parameter_shapes == {"x": (20,)}
    assert described("losg_tasks_family_seed18").parameter_shapes["mlp/linear_2/w"] == (10, 2)


def test_nothing_here_loads_tensorflow_or_pandas():
    code = (
        "import sys; from taskset import catalogue, schema; from taskset.samplers import optimizers\n"
        "[catalogue.facts(f, catalogue.sample(f, 0)) for f in catalogue.families()]\n"
        "sys.exit(', '.join({'tensorflow', 'pandas'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=GOLDEN.parents[1], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
