"""Sets of hyperparameters: what may be one, and that it is the same trial wherever it is given."""

import numpy as np
import pytest

import taskset
from taskset import optimizers, plugins, registry
from taskset.errors import ConfigError
from taskset.scoring import candidates, optimizer_code, score, trial_runs

pytestmark = pytest.mark.elsewhere

TASK = "TwoD_Bowl1"


def test_results_of_tuples_and_arrays_are_resumed(tmp_path):
    """A file gives lists back: what is compared with it has to be lists before."""
    given = {"betas": (0.9, 0.99), "rates": np.array([0.5, 0.25]), "lr": np.float32(0.5), "n": np.int64(3), "amsgrad": False}
    one = candidates.candidate("lion", given)
    assert one.trials == ({"betas": [0.9, 0.99], "rates": [0.5, 0.25], "lr": 0.5, "n": 3, "amsgrad": False},)
    options = score.options_of(one, "synthetic", 40)
    trial_runs.plan(one, [TASK], options, tmp_path)
    (tmp_path / "curves").mkdir()
    (tmp_path / "curves" / "some.parquet").write_bytes(b"")
    assert list(trial_runs.plan(one, [TASK], options, tmp_path)) == [TASK]
    assert list(trial_runs.plan(candidates.candidate("lion", list(one.trials)), [TASK], options, tmp_path)) == [TASK]


def test_a_candidate_has_its_own_hyperparameters_trials_and_name(tmp_path):
    one = candidates.candidate("lion", {"lr": 0.5})
    assert candidates.candidate(one) is one
    with pytest.raises(ConfigError, match=r"^hyperparameters, name of a Candidate, 'lion': it has its own"):
        taskset.score(one, "1m", tmp_path / "out", hyperparameters={"lr": 0.1}, name="other")
    assert not (tmp_path / "out").exists()


def test_pytorch_takes_a_list_for_betas():
    torch = pytest.importorskip("torch")
    found = candidates.candidate(torch.optim.Adam, {"lr": 0.1, "betas": (0.5, 0.75)})
    steps = found.make(0, 10).begin(np.ones(2, np.float32), {"w": (2,)}, 10)
    assert list(steps._optimizer.param_groups[0]["betas"]) == [0.5, 0.75]


@pytest.mark.parametrize(
    "given", [{"schedule": len}, {"lr": float("nan")}, {"lr": [1.0, float("inf")]}, {"lr": 1j}, {"lr": object()}]
)
def test_what_no_file_could_hold_is_refused(given):
    for sets in (given, [{}, given], lambda rng: given):
        with pytest.raises(ConfigError, match=r"hyperparameters .* of 'lion': allowed are JSON values, finite numbers") as error:
            candidates.candidate("lion", sets, 2 if isinstance(sets, list) else None)
        assert "\n" not in str(error.value)


def test_a_samplers_own_error_is_one_line_with_its_place():
    def sampler(rng):
        return {"lr": rng.unifrom()}

    says = r"the sampler of hyperparameters of 'lion' failed: AttributeError: .*unifrom.*test_trials\.py, line \d+"
    with pytest.raises(ConfigError, match=says) as error:
        candidates.candidate("lion", sampler, 3)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("trials", [1, 3, None])
def test_workers_run_the_trials_that_were_asked_for(trials):
    found = candidates.candidate("opt_list:10", trials=trials)
    text = trial_runs.Text("opt_list:10", found.trials, found.name).candidate()
    assert text.names == found.names and text.as_json() == found.as_json()
    assert [text.make(i, 10).name for i in range(len(text.trials))] == list(found.names)


def test_a_file_that_is_no_pair_says_what_it_lacks(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("import math\n\ndef init(params): return {}\n\ndef updaet(*given): return {}, {}\n\nclass Sign: pass\n")
    says = r"mine\.py has no function update, which a file by itself needs: there is init, updaet, Sign; or .* mine\.py:NAME"
    with pytest.raises(ConfigError, match=says):
        candidates.candidate(str(path))
    with pytest.raises(ConfigError, match="has no 'Moon': there is init, updaet, Sign; name one"):
        candidates.candidate(f"{path}:Moon")


def test_a_registered_optimizer_is_scored_by_its_name(registered_here):
    digests = []

    def make(rate):
        registry.forget("mine")
        taskset.register_optimizer("mine", learning_rate=rate)(optimizers.sgd)
        found = candidates.candidate("mine")
        assert found.names == ("mine",) and found.code not in digests and not found.code.startswith(optimizer_code.UNKNOWN)
        digests.append(found.code)  # other hyperparameters are other code
        return found

    assert make(0.1).make(0, 10).hparams(10)["learning_rate"] == 0.1
    assert make(0.2).make(0, 10).hparams(10)["learning_rate"] == 0.2
    trials = candidates.candidate("mine", [{"learning_rate": 0.3}, {"learning_rate": 0.4}])
    assert [trials.make(trial, 10).hparams(10)["learning_rate"] for trial in (0, 1)] == [0.3, 0.4]
    assert [trials.make(trial, 10).name for trial in (0, 1)] == ["mine@0", "mine@1"]
    with pytest.raises(ConfigError, match="optimizer 'mine' can't be made: TypeError: .*momentun"):
        candidates.candidate("mine", {"momentun": 0.9}).make(0, 10)


def test_a_factory_that_fails_is_one_line():
    def broken(rate):
        return {}["lr"]

    with pytest.raises(ConfigError, match=r"optimizer 'broken' with .* can't be made: KeyError: 'lr' \(.*test_trials.py, line"):
        candidates.candidate(broken, {"rate": 0.1}).make(0, 10)


BOTH = """
import taskset


@taskset.register_fixed("of_both")
def of_both():
    return "losg_tasks_family", taskset.get_config("TwoD_Bowl10")[0]


def init(params):
    return {}


def update(grads, state, params, step, hparams):
    return params, {}
"""


@pytest.mark.usefixtures("registered_here")
def test_one_file_may_register_and_be_scored_also_after_an_edit(tmp_path):
    file = tmp_path / "both.py"
    file.write_text(BOTH)
    plugins.load([str(file)])
    before = candidates.candidate(str(file))
    file.write_text(BOTH + "\n# edited\n")
    after = candidates.candidate(str(file))
    assert before.code != after.code and candidates.candidate(str(file)).code == after.code
