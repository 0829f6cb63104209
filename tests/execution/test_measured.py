"""Counts of work by hand, and what is stored of starts and costs."""

import pytest

import learned  # noqa: F401
from benchmarks import families
from taskset import catalogue
from taskset.execution import costs, known_starts
from taskset.execution.work import work
from taskset.samplers import OWN_FAMILIES, PUBLISHED_FAMILIES
from tools import costs as tools_costs
from tools import quirks


def counts(family, config):
    return work(config, catalogue.facts(family, config))


def dataset(name, batch_size):
    return [name, {"bs": batch_size, "num_train": None, "just_train": False}, None]


def test_work_of_an_mlp():
    config = {"layer_sizes": [20], "activation": "relu", "w_init": ["he_normal", None], "center_data": True}
    found = counts("mlp_family", {**config, "dataset": dataset("cifar10", 8)})
    assert found["products"] == 8 * (3072 * 20 + 20 * 10)
    assert found["activations"] == 8 * (20 + 10 + 3072 + 1)
    assert found["parameters"] == 3072 * 20 + 20 + 20 * 10 + 10
    assert found["steps"] == found["draws"] == found["augmented"] == 0


def test_work_of_convolutions_counts_pixels():
    config = {
        "strides": [[2, 2], [1, 1]], "hidden_units": [8, 16], "activation": "relu", "w_init": ["he_normal", None],
        "padding": ["SAME", "VALID"], "use_bias": False, "dataset": dataset("cifar10", 4), "center_data": True,
        "pool_type": "mean",
    }  # fmt: skip
    found = counts("conv_pooling_family", config)
    assert found["products"] == 4 * (16 * 16 * 27 * 8 + 14 * 14 * 72 * 16 + 16 * 10)


def test_work_of_decoders_counts_pixels():
    family, config = catalogue.resolve("FixedImageConvAE_mnist_32x64x8x64x32_bs128")
    encoder = 14 * 14 * 9 * 32 + 7 * 7 * 9 * 32 * 64 + 7 * 7 * 64 * 8
    decoder = 8 * 7 * 7 * 32 + 7 * 7 * 9 * 32 * 64 + 14 * 14 * 9 * 64 * 32 + 28 * 28 * 32
    assert counts(family, config)["products"] == 128 * (encoder + decoder)


@pytest.mark.parametrize(
    "name, applied",
    [("FixedLM_lm1b_patch128_LSTM128_embed64_avg_bs128", 128), ("FixedTextRNNClassification_imdb_patch128_LSTM128_bs64", 1)],
)
def test_work_of_recurrent_nets_counts_steps(name, applied):
    family, config = catalogue.resolve(name)
    shapes = catalogue.facts(family, config).parameter_shapes
    batch = 128 if applied == 128 else 64
    core, linear = shapes["core/w_gates"], shapes["linear/w"]
    found = counts(family, config)
    assert found["steps"] == 128
    assert found["products"] == batch * (128 * core[0] * core[1] + applied * linear[0] * linear[1])


def test_work_of_quadratic_forms():
    config = catalogue.sample("quadratic_family", 2)
    plain = counts("quadratic_family", {**config, "dims": 10, "noise": None})
    dense = counts("quadratic_family", {**config, "dims": 10, "noise": {"A_noise": ["normal", {"mean": 0.0, "std": 1.0}]}})
    assert (plain["products"], plain["draws"], dense["draws"]) == (100, 0, 100)
    assert counts("losg_tasks_family", ["quadratic", {"dim": 30, "noise_stdev": 0.0}, 1])["products"] == 900


def test_work_of_a_residual_net():
    config = {
        "stem": {"kernel": 3, "channels": 8, "stride": 2, "max_pool": True}, "block": "bottleneck", "blocks": [[16, 4, 2]],
        "pre_activation": False, "norm": ["batch_norm", None], "activation": "relu", "w_init": ["he_normal", None],
        "residual_init": "plain", "pool_type": "mean", "dataset": dataset("cifar10", 4), "center_data": True,
    }  # fmt: skip
    found = counts("resnet_family", config)
    stem, inside, end = 16 * 16, 8 * 8, 4 * 4  # pixels
    assert found["products"] == 4 * (stem * 27 * 8 + inside * 8 * 4 + end * (9 * 4 * 4 + 4 * 16 + 8 * 16) + 16 * 10)
    convolved = stem * 8 + inside * 4 + end * (4 + 16 + 16)
    assert found["activations"] == 4 * (2 * convolved + 10 + 3072 + 1)  # what is convolved is normalized, too
    assert found["parameters"] == 27 * 8 + 8 * 4 + 9 * 4 * 4 + 4 * 16 + 8 * 16 + 2 * (8 + 4 + 4 + 16 + 16) + 16 * 10 + 10


LAYERS = {
    "layers": 2, "heads": 2, "width": 8, "hidden_units": 32, "gated": False, "activation": "relu", "norm": "layer_norm",
    "pre_norm": True, "biases": False, "positions": "learned", "w_init": ["he_normal", None], "residual_init": "plain",
    "dropout": None,
}  # fmt: skip
LAYER = 4 * 8 * 8 + 2 * 8 * 32  # products of a vector with the matrices of a layer
RESULTS = 4 * 8 + 32 + 8


def test_work_of_a_transformer_over_text():
    text = ["lm1b/bytes", {"patch_length": 6, "batch_size": 3, "just_train": False, "num_train": None}]
    for tied in (True, False):
        config = {**LAYERS, "vocab_size": 257, "embed_stddev": 0.1, "tied": tied, "dataset": text}
        found = counts("transformer_lm_family", config)
        assert found["products"] == 3 * (2 * (5 * LAYER + 2 * 5 * 5 * 8) + 5 * 8 * 257) and found["steps"] == 0
        activations = 5 * (2 * RESULTS + 257) + 2 * 2 * 5 * 5 + 5 * 5 * 8 + 2 * 6  # scores, norms, tokens and their mask
        assert found["activations"] == 3 * activations
        assert found["parameters"] == 257 * 8 + 5 * 8 + 2 * (LAYER + 4 * 8) + 2 * 8 + (0 if tied else 257 * 9)


def test_work_of_a_transformer_over_images():
    config = {**LAYERS, "patch_size": 8, "pool_type": "class_token", "dataset": dataset("cifar10", 3), "center_data": True}
    found = counts("vit_family", config)
    assert found["products"] == 3 * (17 * 192 * 8 + 2 * (17 * LAYER + 2 * 17 * 17 * 8) + 8 * 10)


def test_a_fit_finds_its_weights():
    names = [f"mlp_family_seed{seed}" for seed in range(12)]
    truth = {"constant": 0.2, "products": 1e-7, "parameters": 3e-6}
    ms = [costs.estimate(truth, families.counts_of(name)) for name in names]
    weights = tools_costs.fit(names, ms)
    for seed in range(50, 60):
        found = families.counts_of(f"mlp_family_seed{seed}")
        assert costs.estimate(weights, found) == pytest.approx(costs.estimate(truth, found), rel=0.02)
    assert max(tools_costs.left_out_errors(names, ms)) < 1.02
    assert max(tools_costs.left_out_errors(names, [*ms[:-1], 3 * ms[-1]])) > 2


def test_samples_are_spread_over_the_sizes():
    facts = families.facts_of("conv_fc_family")
    chosen = families.sample(facts, 4)
    assert len(set(chosen)) == 4 and all(map(catalogue.feasible, chosen))
    work_of = [families.counts_of(name)["products"] for name in chosen]
    assert work_of == sorted(work_of) and work_of[-1] > 5 * work_of[0]
    both = families.sample(facts, 4, 16)
    assert set(chosen) < set(both) and len(set(both)) == len(both)
    assert both[:16] == [name for name in facts if catalogue.feasible(name)][:16]


def test_what_is_stored_is_about_tasks_that_there_are():
    for name in costs._read()["milliseconds"]:
        assert catalogue.feasible(name) and costs.milliseconds(name)[1] == "measured"
    sampled = {*PUBLISHED_FAMILIES, *OWN_FAMILIES}
    fixed = {catalogue.resolve(name)[0] for name in catalogue.fixed_tasks()[:109]}  # others may follow them
    assert set(costs._read()["weights"]) == sampled | fixed
    groups = known_starts._read()["groups"]
    assert set(groups) == {known_starts.FIXED} | sampled
    for group, entry in groups.items():
        for kind in known_starts.NON_FINITE:
            names = (
                entry.get(kind, []) if group == known_starts.FIXED else [f"{group}_seed{seed}" for seed in entry.get(kind, [])]
            )
            assert all(catalogue.feasible(name) and known_starts.start(name) == kind for name in names)


def test_families_that_were_measured_apart_say_when():
    families = {"x": {}, "y": {"condition": "CPU time of one thread; then"}, "z": {"condition": "CPU time of one thread; then"}}
    assert tools_costs.conditions({"condition": "CPU time of one thread; first", "families": families}) == "first.\ny, z: then."


def test_nothing_is_known_of_what_was_not_measured():
    assert known_starts.start("nvp_family_seed123456") is None
    examined = known_starts._read()["groups"][known_starts.FIXED]["tasks"]
    later = catalogue.fixed_tasks()[examined:]  # those of `learned`, say
    assert later and all(known_starts.start(name) is None for name in later)
    assert costs.milliseconds(next(n for n in catalogue.list_tasks("conv_fc_family_seed*") if not catalogue.feasible(n))) is None


def test_the_page_of_quirks_has_the_figures_of_today():
    tasks, page = quirks.published(), quirks.DOCUMENT.read_text()
    text = " ".join(page.split("<!-- touched -->")[0].split()).lower()
    for quirk, touches in quirks.QUIRKS:
        names = [name for name in tasks if touches(*tasks[name])]
        assert 0 < len(names) < len(tasks)
        assert f"| {quirk} | " in page and f" | {len(names)} | {names[0]}" in page
        assert f"**{quirk.lower()}" in text
