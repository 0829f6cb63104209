"""What a score says of itself: which tasks, evaluations and intervals its numbers are of."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from taskset.scoring import alike, candidates, comparison, score, standing, standing_table, statistics, suites, summary
from taskset.scoring.report import page as page_file
from taskset.scoring.suites import tiers
from taskset.scoring.suites.suite import SCALES

SHORT = {"hyperparameters": {"learning_rate": 0.001}, "horizon": 40, "batches": 1}


@pytest.fixture
def few(tmp_path):
    """A file of a suite of three tasks, two of them of the split train, that has no scales of test losses."""
    found = [entry for entry in tiers.load("1h:1").tasks if entry.family == "quadratic_family"]
    chosen = [next(entry for entry in found if entry.split == "test"), *[e for e in found if e.split == "train"][:2]]
    tasks = tuple(replace(e, scales={split: e.scales[split] for split in SCALES}) for e in chosen)
    suites.save(replace(tiers.load("1h:1"), name="few", tasks=tasks), tmp_path / "few.json")
    return tmp_path / "few.json"


def test_tasks_without_a_test_normalizer_unequal_batches_and_few_tasks_are_said(few, tmp_path, monkeypatch):
    known = standing._measured

    def without_one(*given):
        found = known(*given)
        del found[next(key for key in found if key[1] == "test")]
        return found

    monkeypatch.setattr(standing, "_measured", without_one)
    said = []
    found = score.score("lion", str(few), tmp_path / "out", **SHORT, planned=said.append)
    assert said[0] == "lion: 3 tasks, 0 finished before; 1 trial x 2 seeds x 40 steps" and len(said) == 2
    assert said[1].startswith("estimated: ") and said[1].endswith(" with 1 worker, if steps cost what Adam's do")
    assert [len(found.rows[0].values[split]) for split in ("train", "test")] == [3, 2]
    assert "test loss of 2 of 3 tasks: the others have no test normalizer" in found.notes
    assert (tmp_path / "out" / "profile.pdf").stat().st_size > 1000
    assert any(note.startswith("batches in an evaluation: lion 1, baselines 5; over fewer, losses") for note in found.notes)
    assert any(note.startswith("over 2 to 3 tasks the intervals are too narrow: nominally 95%, but") for note in found.notes)
    monkeypatch.setattr(standing, "_measured", known)
    said.clear()
    again = score.score("lion", str(few), tmp_path / "out", **SHORT, planned=said.append)
    assert not [note for note in again.notes if "test normalizer" in note]
    assert said == ["lion: 3 tasks, 3 finished before; 1 trial x 2 seeds x 40 steps"]


def test_a_plan_says_what_is_known_of_its_cost():
    found = candidates.candidate("lion")
    options = score.options_of(found, "synthetic", 1)
    known = score._plan(found, ["TwoD_Bowl10"], {"TwoD_Bowl10": 2.0}, options, 2)
    assert known[0] == "lion: 1 task, 0 finished before; 1 trial x 2 seeds x 1 step"
    assert known[1].endswith(" with 2 workers, if steps cost what Adam's do")
    assert score._plan(found, ["TwoD_Bowl10"], {"TwoD_Bowl10": None}, options, 2)[1] == "1 task of unknown cost"


def test_objects_are_run_by_one_worker_and_the_plan_says_so(few, tmp_path):
    class Stop(Exception):
        """The runs would begin."""

    said = []

    def planned(line):
        said.append(line)
        if len(said) == 2:
            raise Stop

    with pytest.raises(Stop):
        score.score(unmoved(), str(few), tmp_path / "out", name="mine", horizon=40, workers=8, planned=planned)
    assert " with 1 worker," in said[1]


def test_a_score_on_tasks_that_an_optimizer_was_trained_on_says_so(few, tmp_path):
    seen = [entry.task for entry in suites.load_any(few).tasks if entry.split == "train"]
    learned = SimpleNamespace(**vars(unmoved()), trained_on=(*seen, "mlp_family_seed7"))
    says = "mine was trained on 2 of these 3 tasks: --split test leaves them out"
    for split, expected in (("all", True), ("test", False)):
        found = score.score(learned, str(few), tmp_path / split, name="mine", horizon=40, batches=1, split=split)
        assert (says in found.notes) is expected and expected is any("trained on" in note for note in found.notes)
    learned.trained_on = "other people's attribute"
    assert candidates.candidate(learned, name="mine").trained_on == ()


def unmoved():
    """An optimizer that leaves everything as it is."""
    return SimpleNamespace(
        rule="still",
        hparams=lambda horizon: {},
        init=lambda params: {},
        update=lambda grads, state, params, step, hparams: (params, state),
    )


def test_what_0_and_diverged_mean_is_said_alike_everywhere():
    """0 is no best of all baselines: the list and other optimizers get below it. A view of a diverged run may be less than 2."""
    table = pd.DataFrame(columns=[*comparison.LEFT, *statistics.STATISTICS])
    compared = summary.heading(comparison.Comparison(table, pd.DataFrame(), table, [], 200, "end"))
    scored = standing_table.heading(standing.Standing("1h:1", 2000, "end", ["a"], [], None))
    page = [page_file._read("assets", name) for name in ("main.js", "optimizers.js")]
    rivals = (Path(__file__).parents[2] / "docs" / "rivals.md").read_text()
    for text in (compared, scored, *page, rivals):
        words = " ".join(text.replace("` +", "").replace('"', "").split())
        assert "the lowest loss that any of Adam's rates reaches, with baselines of your own any of their optimizers" in words
        assert "lipped to [-2, 2]" in words and "not finite counts as 2" in words
        assert not any(old in words for old in ("best of the baselines", "best that the baselines", "diverged run counts"))
    assert "diverged: of the runs of all trials, chosen or not" in scored and "chosen or not" in rivals
    assert all("Diverged runs: of those that are chosen" in text for text in (compared, page[1]))


def test_baselines_with_fewer_seeds_than_others_are_named():
    runs = [("a", "adam_lr_-3.00", 0), ("a", "adam_lr_-3.00", 1), ("b", "adam_lr_-3.00", 0)]
    lists = [(task, name, 0) for task in "ab" for name in ("nadamw_grid_seed1", "nadamw_grid_seed2")]

    def notes(rows):
        return alike.fewer_seeds(pd.DataFrame([row for row in rows for _ in range(2)], columns=["task", "optimizer", "seed"]))

    assert notes(runs) == [] and notes(lists) == []
    (note,) = notes([*runs, *lists])
    assert note.startswith(
        "on 1 of 2 tasks nadamw_grid_seed1 .. nadamw_grid_seed2 (2 in all) have fewer seeds than other baselines"
    )
