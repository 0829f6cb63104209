"""Facts: what a config says without being built."""

import copy
import subprocess
import sys
from pathlib import Path

import pytest

from taskset import catalogue
from taskset.samplers import shapes
from tests.samplers.families import OURS


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
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
