"""Configs of seeds: the published ones, and that they never change."""

import hashlib
import json
import pathlib
import re

import numpy as np
import pytest

from taskset import catalogue, registry
from taskset.errors import ConfigError, UnknownName
from taskset.samplers import PUBLISHED_FAMILIES, optimizers
from tests.samplers.families import OURS

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
# Digests of the configs of seeds 0 .. 999: a name means one config for ever. Floats count to 12 digits (another C library may
# round a logarithm otherwise).
FROZEN = {
    "char_rnn_language_model_family": "0cc807c35c72ab75",
    "conv_fc_family": "716b46fe169edddf",
    "conv_pooling_family": "b32a1f82844d39ed",
    "losg_tasks_family": "e7b9a0735686fcaf",
    "made_family": "ae4b771a9ee1a1e1",
    "maf_family": "ae4b771a9ee1a1e1",
    "mlp_ae_family": "ff59090c230a20da",
    "mlp_family": "3afaf75d30151b31",
    "mlp_vae_family": "357eb0c786ece9e2",
    "nvp_family": "1dd4f2deff21b338",
    "quadratic_family": "8911ba4596aa051a",
    "resnet_family": "79b3648a7dc0e0b3",
    "rnn_text_classification_family": "7aed81373e1ec2d5",
    "transformer_lm_family": "bcb9ea7110aaa225",
    "vit_family": "e2bb9402320ffe59",
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


@pytest.mark.parametrize("family", FROZEN)
def test_configs_never_change(family):
    sample = catalogue.sample if family in OURS else optimizers.sample_optimizer
    configs = [sample(family, seed) for seed in range(registry.SEEDS)]
    assert len({json.dumps(config) for config in configs}) == registry.SEEDS
    assert digest(configs) == FROZEN[family]


def test_all_families_are_frozen():
    assert set(FROZEN) == set(OURS) | set(optimizers.optimizer_families())


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
    names = optimizers.fixed_optimizers()
    assert len(names) == 34 and names[0] == "adam_lr_-7.00" and "adam_lr_0.00" in names and names[-1] == "adagrad_lr_1.00"
    for i, name in enumerate(names):
        config, family = optimizers.get_optimizer_config(name)
        assert family == ("adam_lr" if i < 17 else "adagrad_lr")
        assert config == {"learning_rate": 10.0 ** (-7 + i % 17 / 2)} and type(config["learning_rate"]) is float
        # NumPy's powers differ from Python's in the last place, and from one processor to the next.
        assert config["learning_rate"] == pytest.approx(np.logspace(-7, 1, 17)[i % 17], rel=1e-15)


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
    for given, near in (
        ("-3.0", ("-3.00",)),
        ("0.001", ("-3.00",)),
        ("1e-3", ("-3.00",)),
        ("-2.25", ("-2.50", "-2.00")),
        ("3e-4", ("-3.50", "-4.00")),
        (".1", ("-1.00",)),
        ("1", ("1.00", "0.00")),  # a logarithm or a rate
        ("-30", ("-7.00",)),
    ):
        with pytest.raises(UnknownName) as error:
            optimizers.get_optimizer_config(f"adam_lr_{given}")
        assert re.findall(r"'adam_lr_(\S+)' \(rate", str(error.value)) == list(near), given
    for given, said in (
        ("adam", "give its rate, adam_lr_-3.00"),
        ("Adagrad", "adagrad_lr_-3.00"),
        ("sgd", r"taskset\.optimizers\.sgd\(0\.1\)"),
        ("AdamW", "keras.optimizers:AdamW"),
        ("mine.py:Signum", "python -m taskset score.*register_optimizer"),
        ("adam_lr_nan", "did you mean"),
        ("adam_lr_3e-4", "keras.optimizers:Adam with score"),
        ("opt_list:1", r"a list of N optimizers.*list --optimizers opt_list:1` shows their names; baseline and score take it"),
        ("opt_list:500", r"at most 100; .*list --optimizers opt_list:10`"),
        ("opt_list:ten", r"a list of N optimizers.*list --optimizers opt_list:10`"),
    ):
        with pytest.raises(UnknownName, match=rf"unknown optimizer '{given}'.*{said}") as error:
            optimizers.get_optimizer_config(given)
        assert str(error.value).endswith("."), "another sentence may follow"
    with pytest.raises(UnknownName, match="unknown optimizer"):
        optimizers.get_optimizer_config("adam1p_wide_grid_seed01")
    with pytest.raises(UnknownName, match="optimizer family 'adam'"):
        optimizers.sample_optimizer("adam", 0)
    with pytest.raises(ConfigError, match="2\\*\\*31"):
        optimizers.get_optimizer_config("nadamw_grid_seed4294967296")
