"""The command line: what it prints, and one clear line with status 2 for what a user can get wrong."""

import functools
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import taskset
from examples import own_family
from taskset import catalogue, registry
from taskset.catalogue import configs
from taskset.cli import data, options, score, sweeps, tasks
from taskset.errors import UnknownName
from taskset.execution import costs as measured
from taskset.samplers import about
from taskset.samplers.optimizers import FIXED_FAMILIES, all_optimizers, by_seed, one_run_optimizers, opt_list_names
from taskset.scoring.suites import baseline_protocol
from tests.datasets import prepared_sets

OWN = str(Path(own_family.__file__))


@pytest.fixture
def run(run_here, monkeypatch):
    """run(*arguments) -> (status, stdout, stderr) of `python -m taskset`."""
    for module in (tasks, sweeps):
        monkeypatch.setattr(module, "start_tensorflow", lambda: None)  # it is running already
    return functools.partial(run_here, "taskset")


def refused(result, *texts):
    status, _, err = result
    assert status == 2
    assert err.startswith("error: ") and err.count("\n") == 1, err
    for text in texts:
        assert text in err


def test_score_has_the_seeds_and_batches_of_the_baselines():
    assert (score.SEEDS, score.BATCHES) == (baseline_protocol.SEEDS, baseline_protocol.BATCHES)


def test_score_shows_no_bar_before_there_is_work(run, monkeypatch):
    monkeypatch.setattr(score, "start_tensorflow", lambda threads: None)
    refused(run("score", "lion", "--suite", "nope"), "Allowed are problems:1", "1m:1, 1h:1, 1d:2, rivals:1", "files (.json)")
    refused(run("score", "lion", "--horizon", 77), "horizon 77", "the nearest is 80")


def test_score_says_what_to_do_next():
    lines = score._next(Path("scores/my lion-1m"), Path("runs/first"))
    assert "  python -m taskset report 'scores/my lion-1m' runs/first" in lines and all(len(line) <= 80 for line in lines)
    assert "  python -m taskset score --compare scores/lion-1m scores/OTHER" in score._next(Path("scores/lion-1m"), None)


def test_a_suite_to_score_on_is_made_without_the_other_package(run, tmp_path):
    status, out, _ = run("suite", "quadratic_family_seed1?", "--horizon", "2000", "--out", str(tmp_path / "few.json"))
    assert status == 0 and "tasks of 1 family;" in out
    assert {task["family"] for task in json.loads((tmp_path / "few.json").read_text())["tasks"]} == {"quadratic_family"}
    listed = run("suite", "--list")[1]
    assert "\nsmall:2 " in listed and "48.1 min, of 1,440 allowed" in listed and max(map(len, listed.splitlines())) <= 80
    refused(run("suite", "quadratic_family_seed1?"), "allowed are `suite PATTERNS --horizon STEPS --out FILE`")


def test_list(run):
    status, out, _ = run("list", "mlp_family_seed1?")
    assert status == 0 and out.split() == [f"mlp_family_seed1{i}" for i in range(10)]
    families = run("list", "--families", "--all")[1].split()
    assert set(families) > {*taskset.families(), "fixed_conv", "associative"} and families == sorted(families)
    assert run("list", "mlp_family_seed1", "vit_family_seed[12]")[1].split() == [
        "mlp_family_seed1",
        "vit_family_seed1",
        "vit_family_seed2",
    ]
    assert run("list", "--optimizers", "adam_lr_-[12].00")[1].split() == ["adam_lr_-2.00", "adam_lr_-1.00"]
    assert run("list", "--optimizers", "l*n")[1].split() == ["lion"]
    assert run("list", "--optimizers", "opt_list:2")[1].split() == opt_list_names(2)
    names = run("list", "conv_fc_family_seed*", "--feasible")[1].split()
    assert 900 < len(names) < 1000 and all(map(catalogue.feasible, names[:20]))
    assert len(run("list", "--family", "quadratic_family")[1].split()) == 1000


def test_lists_for_people(run):
    tasks, families, optimizers = run("list")[1], run("list", "--families")[1], run("list", "--optimizers")[1]
    for text in (tasks, families, optimizers):
        assert max(map(len, text.splitlines())) <= 80 and len(text.splitlines()) < 100
    names = run("list", "--families", "--all")[1].split()
    assert [line.split()[0] for line in tasks.splitlines()[1 : len(names) + 1]] == names
    assert [line.partition(":")[0] for line in families.splitlines() if line[0] != " "] == names
    assert "mlp_family: dense classifiers; data: ten image sets" in " ".join(families.split())
    assert "tasks: by seed and 3 fixed" in families and optimizers.index("lion ") < optimizers.index("adam_lr_X")
    assert run("list", "--all")[1].split() == catalogue.list_tasks()
    assert run("list", "--optimizers", "--all")[1].split() == [*all_optimizers(), *one_run_optimizers()]


def test_each_optimizer_has_a_line_in_the_list():
    patterns = {re.sub(r"(_seedN|_X)$", "", pattern) for pattern in about.OPTIMIZERS} - {"opt_list:N"}
    assert patterns == {*FIXED_FAMILIES, *by_seed(), *one_run_optimizers()}


@pytest.mark.parametrize("most", [10, pytest.param(registry.SEEDS, marks=pytest.mark.slow)])
def test_families_are_as_large_as_the_list_says(most):
    sizes = {}
    seeds = [f"{family}_seed{seed}" for family in taskset.families() for seed in range(most)]
    for family, config in map(catalogue.resolve, [*taskset.fixed_tasks(), *seeds]):
        facts = catalogue.facts(family, config)
        if not facts.infeasible and family in about.ABOUT:
            sizes.setdefault(family, []).append(facts.num_params)
    assert set(sizes) == set(about.ABOUT)
    for family, found in sizes.items():
        least, largest = about.ABOUT[family].parameters
        assert least <= min(found) and max(found) <= largest and len(about.ABOUT[family].what) <= 41, family
        assert most < registry.SEEDS or (least, largest) == (min(found), max(found)), family


def test_score_refuses_what_it_would_ignore(run):
    refused(run("score", "lion", "--compare", "a.json", "b.json"), "--compare takes nothing else: leave out optimizer")


def test_seeds_are_written_in_plain_digits(run):
    refused(run("show", "mlp_family_seed1\N{ARABIC-INDIC DIGIT THREE}"), "unknown task")


def test_list_refuses_what_it_would_ignore(run):
    refused(run("list", "--families", "--optimizers"), "--families and --optimizers are two lists")
    refused(run("list", "mlp*", "--families"), "--families takes no pattern")
    refused(run("list", "--families", "--max-params", 5), "conditions are for tasks: leave out --families")
    refused(run("list", "--all", "mlp*"), "--all takes no pattern")
    refused(run("list", "--all", "--feasible"), "--all takes no pattern and no condition")
    refused(run("list", "--optimizers", "--family", "mlp_family"), "conditions are for tasks: leave out --optimizers")


def test_list_by_data_set(run):
    def names(*options):
        return run("list", *options)[1].split()

    mnist = names("mlp_*family_seed?", "--dataset", "mnist")
    assert mnist and all(catalogue.facts(*catalogue.resolve(name)).data.name == "mnist" for name in mnist)
    text = "rnn_text_classification_family_seed?"  # whatever its configs name
    assert len(names(text, "--dataset", "imdb_reviews/subwords8k")) == 10
    refused(run("list", text, "--dataset", "tokenized*"), "nothing matches")
    refused(run("list", "TwoD_*", "--dataset", "?*"), "nothing matches")
    refused(run("list", "TwoD_*", "--dataset", "cifar"), "unknown data set 'cifar'; did you mean 'cifar10' or 'cifar100'?")


def test_list_by_size_cost_and_start(run):
    def names(*options):
        return run("list", "--family", "mlp_family", *options)[1].split()

    small = names("--max-params", 40_000)
    sizes = {name: catalogue.num_params(name) for name in names()}
    assert set(small) == {name for name, size in sizes.items() if size <= 40_000} and 20 < len(small) < 980
    quick = names("--max-ms", 1.5)
    costs = {name: measured.milliseconds(name) for name in sizes}
    assert quick == [name for name, (ms, _) in costs.items() if ms <= 1.5] and 20 < len(quick) < 980
    assert {how for _, how in costs.values()} == {"measured", "estimated"}
    assert names("--max-params", 40_000, "--max-ms", 1.5) == [name for name in small if name in quick]
    finite = run("list", "--family", "nvp_family", "--finite-start")[1].split()
    assert 500 < len(finite) < 950 and "nvp_family_seed0" not in finite and "nvp_family_seed1" in finite
    refused(run("list", "--family", "mlp_family", "--max-params", 10), "nothing matches")
    assert "own_regression_seed2" in run("list", "--family", "own_regression", "--finite-start", "--import", OWN)[1]
    assert "measured or" in " ".join(run("list", "--help")[1].split())


def test_a_family_is_told_by_the_name_where_it_can_be(run, monkeypatch):
    """A fixed task has a config, its name doesn't have its family; of 17,000 sampled ones none is drawn, which took 11 s."""
    monkeypatch.setattr(configs, "sample", lambda *_: pytest.fail("a config was drawn"))
    names = run("list", "--family", "mlp_family")[1].split()
    assert {"FixedMLP_cifar10_ce_128x128x128_relu_bs128", "mlp_family_seed999"} <= {*names}
    monkeypatch.undo()
    for name in (*names[:20], "quadratic_family_seed1000", "TwoD_Bowl1"):
        assert catalogue.family_of(name) == catalogue.resolve(name)[0]
    for wrong in ("mlp_famly_seed3", "nothing", 3, ["a"]):
        with pytest.raises(UnknownName, match="task"):
            catalogue.family_of(wrong)


def test_show_has_start_and_cost(run):
    name = "nvp_family_seed0"
    out = run("show", name)[1]
    assert max(map(len, out.splitlines())) <= 80
    out = " ".join(out.split())
    assert "start non-finite loss (parameters of init(0)" in out and "synthetic data" in out
    assert f"step {measured.milliseconds(name)[0]:.3g} ms {measured.milliseconds(name)[1]} (CPU time of one thread" in out
    assert "start     finite" in run("show", "nvp_family_seed1")[1]
    out = " ".join(run("show", "own_regression_seed2", "--import", OWN)[1].split())
    assert "start " not in out and "step " not in out  # nobody measured it
    assert "InMemoryData(x float32 [" in out and "examples: train " in out
    assert "start " not in run("show", "nvp_family_seed5000")[1]


def test_show_has_the_distribution_that_each_parameter_starts_from(run):
    def rows(name, *options):
        return [" ".join(line.split()) for line in run("show", name, "--starts", *options)[1].splitlines()]

    out = rows("FixedLM_lm1b_patch128_LSTM128_embed64_avg_bs128")
    assert "parameter shape size starts from" in out
    assert "core/b_gates 512 512 truncated normal, stddev 0.0635" in out
    assert "embed/embeddings 256 x 64 16,384 normal, stddev 1" in out
    assert "initial_state/hidden 128 128 constant 0" in out
    out = rows("FixedMAF_mnist_3layer_thin_bs64")
    assert "bijector_0/linear_0/w 784 x 128 100,352 truncated normal, stddev 0.0468, masked entries 0" in out
    assert "x 2 2 uniform, from (-5, 0) to (10, 15)" in rows("losg_tasks_family_seed69")
    assert any("truncated normal" in row for row in rows("own_regression_seed2", "--import", OWN))
    longer, plain = rows("mlp_family_seed12"), [" ".join(row.split()) for row in run("show", "mlp_family_seed12")[1].splitlines()]
    assert len(plain) == len(longer) and all(row.startswith(start) for row, start in zip(longer, plain))
    assert "parameter shape size" in plain and plain[-1].startswith("total ")


@pytest.mark.parametrize("group", [("taskset",), ("taskset", "data"), ("learned",)])
def test_a_groups_help_has_whole_sentences(group, run_here, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    status, text, _ = run_here(*group, "--help")
    commands = text.partition("Commands:")[2].splitlines()
    assert status == 0 and len(commands) > 5 and not [line for line in commands if line.endswith("...")]


NO_TENSORFLOW = """
import importlib, sys
for package, *arguments in {commands}:
    sys.argv = [package, *arguments]
    try:
        importlib.import_module(package + ".cli.main").main()
    except SystemExit as ended:
        assert not ended.code, (package, arguments, ended.code)
assert "tensorflow" not in sys.modules
"""


def test_help_and_lists_leave_tensorflow_alone():
    commands = [(package, *arguments) for package in ("taskset", "learned") for arguments in (["--help"], ["suite", "--help"])]
    commands += [("learned", each, "--help") for each in ("train", "evaluate", "choose", "compare", "export", "recipe")]
    commands += [("learned", "pretrained"), ("learned", "recipe"), ("taskset", "show", "mlp_family_seed12"), ("taskset", "list")]
    code = NO_TENSORFLOW.format(commands=commands)
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0 and "muon_mined: " in done.stdout and "mlp/linear_0/w" in done.stdout, done.stderr


def test_show_and_sample(run):
    status, out, _ = run("show", "mlp_family_seed12")
    assert status == 0 and "cifar10" in out and "mlp/linear_0/w" in out and "feasible  yes" in out
    assert json.loads(run("sample", "mlp_family", 12)[1]) == taskset.sample("mlp_family", 12)
    infeasible = next(n for n in catalogue.list_tasks("conv_fc_family_seed*") if not catalogue.feasible(n))
    assert "feasible  no: " in run("show", infeasible)[1]


def test_train(run):
    status, out, _ = run("train", "quadratic_family_seed18", "--steps", 20, "--optimizer", "adam_lr_-1.00")
    assert status == 0 and "step 20" in out and "ms per step" in out and "source none" in out
    assert re.findall(r"^step (\d+) ", out, re.MULTILINE) == ["0", "5", "10", "15", "20"]
    assert max(map(len, out.splitlines())) <= 80
    assert "baseline" in run("train", "--help")[1]


def test_own_family_everywhere(run, tmp_path):
    assert "own_regression" in run("list", "--families", "--import", OWN)[1]
    assert "mlp/linear_0/w" in run("show", "own_regression_seed2", "--import", OWN)[1]
    assert run("train", "own_regression_seed2", "--import", OWN, "--steps", 5)[0] == 0
    command = [
        "baseline",
        "own_regression_seed2",
        "--import",
        OWN,
        "--steps",
        10,
        "--evaluations",
        5,
        "--seeds",
        1,
        "--batches",
        1,
    ]
    status, out, _ = run(*command, "--optimizer", "adam_lr_-2.00", "--out", tmp_path)
    assert status == 0 and "own_regression_seed2" in out
    assert taskset.normalizer("own_regression_seed2", root=tmp_path).horizon == 10
    status, out, _ = run("normalize", tmp_path, "--split", "test")
    assert status == 0 and "adam_lr_-2.00" in out and "test loss; source none, runs of each task: 1" in out
    assert max(map(len, out.partition("written:")[0].splitlines())) <= 80
    status, out, _ = run("plot", tmp_path, "--task", "own_regression_seed2")
    picture = tmp_path / "plots" / "own_regression_seed2.png"
    assert status == 0 and picture.read_bytes().startswith(b"\x89PNG")
    refused(
        run(*command, "--optimizer", "adam_lr_-3.00", "--out", tmp_path),
        "other options",
        "name those that are there as well as new ones",
    )
    refused(run("plot", tmp_path, "--task", "own_regresion_seed2"), "did you mean 'own_regression_seed2'")
    refused(run("plot", tmp_path, "--task", "own_regression_seed2", "--out", "/proc/a.png"), "can't write /proc/a.png")
    refused(run("plot", tmp_path, "--task", "own_regression_seed2", "--out", tmp_path / "a.xyz"), "a.xyz", ".png", ".svg")
    refused(run("normalize", tmp_path, "--split", "trian"), "did you mean 'train'")


def test_no_weights_are_made_into_an_optimizer_to_refuse_a_command(run, tmp_path, monkeypatch):
    from learned.evaluation import runs

    def made(checkpoint):
        raise AssertionError(f"{checkpoint} was made into an optimizer")

    monkeypatch.setattr(runs, "optimizer_of", made)
    refused(run("train", "mlp_famly_seed3", "--optimizer", "muon_mined"), "did you mean 'mlp_family_seed3'")
    refused(run("train", "mlp_famly_seed3", "--optimizer", "lost.npz"), "did you mean 'mlp_family_seed3'")
    refused(run("train", "mlp_family_seed3", "--optimizer", str(tmp_path / "lost.npz")), "lost.npz")
    refused(run("baseline", "mlp_family_seed3", "--optimizer", "muon_mined", "--out", tmp_path), "has weights")
    refused(run("list", "--optimizers", "muon_mined"), "has weights")


def test_misspelt_names(run, tmp_path, monkeypatch):
    refused(run("show", "mlp_famly_seed3"), "'mlp_famly_seed3'", "did you mean 'mlp_family_seed3'")
    refused(run("train", "mlp_family_seed3", "--optimizer", "adam_lr_-3.0"), "did you mean", "'adam_lr_-3.00'")
    refused(run("sample", "conv_family", 1), "did you mean")
    refused(run("list", "nothing*"), "nothing matches")
    refused(run("list", "mlp_family_seed1", "nothing*"), "nothing matches 'nothing*'")
    refused(run("list", "mlp_family"), "did you mean mlp_family_seed..?")
    refused(run("list", "--family", "mlp"), "did you mean", "'mlp_family'")
    refused(run("list", "--optimizers", "adm*"), "no optimizer matches 'adm*'", "list --optimizers shows all")
    refused(run("baseline", "mlp_family_seed3", "--source", "sythetic", "--out", tmp_path), "did you mean 'synthetic'")
    refused(run("baseline", "mlp_family_seed3", "--steps", 20, "--out", tmp_path), "--evaluations")
    refused(run("baseline", "mlp_family_sed*", "--out", tmp_path), "no task matches", "seeds 0 .. 999", "100[0-2]")
    refused(run("baseline", "mlp_famly_seed*", "--out", tmp_path), "did you mean mlp_family_seed")
    refused(run("baseline", "mlp_family_seed3", "--optimizer", "adma_lr_*", "--out", tmp_path), "did you mean 'adam_lr_*'")
    refused(run("train", "mlp_family_seed3", "--steps", 10**20), "--steps")
    refused(run("list", "--import", ""), "module name")
    refused(run("data", "prepare", "minst"), "did you mean 'mnist'")
    refused(run("trian"), "train")
    refused(run("show"), "argument")
    refused(run("train", "mlp_family_seed3", "--source", "real"), "'tfds' and 'synthetic'")
    refused(run("train", "quadratic_family_seed1", "--mode", "fast"), "xla_loop")
    refused(run("list", "--import", "no_such_module"), "no_such_module", ".py file")
    (tmp_path / "folder_of_nothing").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    refused(run("list", "--import", "folder_of_nothing"), "a folder without __init__.py", ".py file")
    status, _, err = run()
    assert status == 2 and err.startswith("Usage: ")


BROKEN = """
import sonnet as snt
import taskset

@taskset.register_sampler("broken_family")
def sample(seed):
    return {}

@taskset.register_builder("broken_family")
def build(config, data):
    return taskset.Model(lambda batch, key: snt.Linear(1)(batch["y"]))
"""


def test_a_family_that_cannot_be_built_is_one_line_a_task_and_nothing_is_claimed(run, tmp_path):
    (tmp_path / "broken.py").write_text(BROKEN)
    command = [
        "baseline",
        "broken_family_seed[01]",
        "--import",
        tmp_path / "broken.py",
        "--workers",
        1,
        "--out",
        tmp_path / "out",
    ]
    status, out, err = run(*command)
    assert status == 1 and "curves, normalizers" not in out and "100%" not in out
    assert err.count("can't be built: KeyError: 'y'") == 2 and err.count("broken.py, line 11)") == 2 and err.count("\n") == 3


def test_data_that_is_not_prepared(run, tmp_path):
    for name in ("mlp_family_seed12", "rnn_text_classification_family_seed1"):
        result = run("train", name, "--source", "tfds", "--data-dir", tmp_path)
        refused(result, "python -m taskset data prepare", str(tmp_path), "download", "--source synthetic")
    refused(run("baseline", "mlp_family_seed12", "--data-dir", tmp_path, "--out", tmp_path / "out"), "data prepare cifar10")


def test_a_reader_that_has_seen_enough_is_no_error():
    command = [sys.executable, "-m", "taskset", "list", "--all"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.wait() == 0 and process.stderr.read() == b""


def test_a_reader_that_has_seen_enough_ends_no_work():
    """A sweep ended there, with status 0."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as pipe:
        out = options.Output(file=pipe)
        for _ in range(3):
            out.print("1 of 2 finished")


def test_no_directory_for_temporary_files(run, tmp_path, monkeypatch):
    """As in a container whose disk is read-only."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/dev/null/no"])
    result = run("baseline", "quadratic_family_seed0", "--out", tmp_path)
    refused(result, "no usable temporary directory found", "set TMPDIR to a directory that can be written")


def test_a_terminal_of_width_0(tmp_path):
    """Errors and lines of `show` were not printed."""
    environment = {**os.environ, "COLUMNS": "0"}
    command = [sys.executable, "-m", "taskset", "plot", str(tmp_path), "--task", "quadratic_family_seed0"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    refused((done.returncode, done.stdout, done.stderr), "has no tasks.parquet")


def test_data_status(run, tmp_path):
    status, out, _ = run("data", "status", "--data-dir", tmp_path)
    assert status == 0
    rows = {line.split()[0]: line for line in out.splitlines()[1:] if line}
    assert " no (11.6 MB)" in rows["mnist"] and "downloads" in out
    assert max(map(len, out.splitlines())) <= 80 and not any(line.endswith(" ") for line in out.splitlines())
    assert "which is not there" in run("data", "status", "--data-dir", tmp_path / "gone")[1]
    assert any("withdrawn" in line and "tokenized_amazon_reviews/Books_v1_02_bytes" in line for line in out.splitlines())


def test_an_older_version_of_a_data_set_is_mentioned(run, tmp_path, monkeypatch):
    monkeypatch.setattr(data, "start_tensorflow", lambda: None)  # it is running already
    prepared_sets.tfds_version(tmp_path, "3.0.0")
    (prepared_sets.tfds_version(tmp_path, "3.0.1") / "mnist-train.tfrecord-00001-of-00002").unlink()
    says = "3.0.1 is damaged (train has 1 of 2 files); 3.0.0 is read"
    assert f"mnist: {says}" in " ".join(run("data", "status", "--data-dir", tmp_path)[1].split())
    assert run("data", "prepare", "mnist", "--data-dir", tmp_path)[:2] == (0, f"mnist is prepared: {says}\n")


def test_configs_of_ones_own():
    config = taskset.sample("mlp_family", 3)
    assert taskset.make_task("mlp_family", config, source="synthetic").num_params == 48100

    def line(**changes):
        with pytest.raises(taskset.TasksetError) as error:
            taskset.make_task("mlp_family", {k: v for k, v in {**config, **changes}.items() if v is not None}, source="synthetic")
        return str(error.value)

    assert "layer_sizes" in line(layer_sizes=None) and "missing" in line(layer_sizes=None)
    assert "depth" in line(depth=3) and "layer_sizes" in line(depth=3)
    assert "layer_sizes[1]" in line(layer_sizes=[3, "x"])
    assert "activation" in line(activation="gelu") and "swish" in line(activation="gelu")
    with pytest.raises(taskset.TasksetError, match="did you mean 'mlp_family'"):
        taskset.make_task("mlp_famly", config)


def test_a_directory_that_cannot_be_written(run, tmp_path):
    command = ["baseline", "quadratic_family_seed18", "--steps", 50, "--seeds", 1, "--out"]
    refused(run(*command, "/proc/results"), "can't write", "--out")
    file = tmp_path / "file"
    file.write_text("")
    refused(run(*command, file / "results"), "can't write")


def test_help_names_every_command(run):
    status, out, _ = run("--help")
    assert status == 0
    for command in ("list", "show", "sample", "train", "baseline", "normalize", "plot", "data"):
        assert f" {command} " in out


PROBE = """
import sys, taskset
taskset.list_tasks(); taskset.sample("mlp_family", 1); taskset.feasible("conv_fc_family_seed1"); taskset.optimizer_families()
taskset.published_start("TwoD_Beale")
heavy = [m for m in ("tensorflow", "pandas", "matplotlib", "sonnet", "keras") if m in sys.modules]
print(heavy)
"""


def test_names_configs_and_facts_load_no_tensorflow_and_no_pandas():
    assert subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_every_public_name_exists():
    for name in taskset.__all__:
        assert getattr(taskset, name) is not None
    with pytest.raises(AttributeError, match="get_tasks"):
        _ = taskset.get_tasks


def test_a_file_that_fails_without_a_word_of_the_system_is_one_line(run, monkeypatch, tmp_path):
    """An OSError that a file system's own code raises has no `strerror`."""

    def fails(*_, **options):
        raise OSError("The share is gone")

    monkeypatch.setattr(data, "open", fails, raising=False)
    refused(run("data", "add", tmp_path, "--to", tmp_path, "--costs", "costs.csv"), "can't read costs.csv: The share is gone")


def test_a_path_that_the_output_has_no_letters_for(tmp_path):
    command = [sys.executable, "-m", "taskset", "data", "status", "--data-dir", str(tmp_path / "\u00fcber")]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\xfcber, which is not there" in done.stdout


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full, a disk without room, on this system")
@pytest.mark.parametrize("command", ["taskset list", "taskset --version", "learned pretrained"])
def test_a_full_disk_behind_the_output_is_one_line(command):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", *command.split()], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (2, "error: can't write the output: no space left on device\n")


def test_a_command_without_an_output():
    done = subprocess.run(f"{sys.executable} -m taskset --version >&-", shell=True, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_tensorflow_starts_where_stderr_is_closed():
    """What TensorFlow prints goes nowhere, and not into a file that was opened in stderr's place."""
    started = (
        "import os; from taskset.cli import main; from taskset.execution.runtime import start_tensorflow; "
        "main._open_what_is_closed(); start_tensorflow(); print(os.path.samestat(os.fstat(2), os.stat(os.devnull)))"
    )
    done = subprocess.run(f'{sys.executable} -c "{started}" 2>&-', shell=True, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "True\n")
