"""Schemas of configs: what samplers draw fits, and what doesn't fit is one line."""

import copy

import pytest

from taskset import catalogue
from taskset.errors import ConfigError
from taskset.schema import explain
from tests.samplers.families import OURS


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
