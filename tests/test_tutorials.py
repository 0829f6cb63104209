"""The pages of docs/ that teach: their Python runs as it stands there, block after block, and so do their commands.

`<!-- needs: torch -->` above a block names packages without which the block is left out: its test is then reported as skipped,
after what the other blocks leave has been checked. `make test-tutorials` has all packages and leaves nothing out.
"""

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

DOCS = Path(__file__).parent.parent / "docs"
PAGES = [
    DOCS / "start.md",
    *sorted((DOCS / "tutorials").glob("*.md")),
    *(page for page in sorted((DOCS / "how-to").glob("*.md")) if "```python" in page.read_text()),
]
BLOCK = re.compile(r"(?:<!-- needs: (?P<needs>[\w ,]+) -->\n)?```(?P<language>python|sh)\n(?P<text>.*?)```", re.DOTALL)


def execute(page, names, *, commands=False):
    """Run a page's blocks in the namespace `names`; returns the packages whose absence left blocks out."""
    left_out = set()
    for block in BLOCK.finditer(page.read_text()):
        needs = re.findall(r"\w+", block["needs"] or "")
        if missing := {package for package in needs if importlib.util.find_spec(package) is None}:
            left_out |= missing
        elif block["language"] == "python":
            line = page.read_text()[: block.start("text")].count("\n")
            exec(compile("\n" * line + block["text"], str(page), "exec"), names)
        elif commands:
            for command in block["text"].replace("\\\n", " ").strip().splitlines():
                python, *arguments = shlex.split(command)
                assert python == "python"
                done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
                assert done.returncode == 0, f"{command}\n{done.stderr}"
    return left_out


def skip_if(left_out):
    if left_out:
        pytest.skip(f"blocks left out, as there is no {', no '.join(sorted(left_out))}; the others ran: make test-tutorials")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A function that runs the page of a name in an empty directory; returns the names that it leaves, and what was missing."""
    monkeypatch.chdir(tmp_path)

    def run(name, **options):
        (page,) = [page for page in PAGES if page.stem == name]
        names = {"__name__": "tutorial"}
        left_out = execute(page, names, **options)
        return names, left_out

    return run


def test_every_page_is_tested():
    source = Path(__file__).read_text()
    assert [page.stem for page in PAGES if f'run("{page.stem}"' not in source] == []


def test_start(run):
    names, _ = run("start")
    assert names["step"].experimental_get_tracing_count() == 1  # its seeds are tensors
    assert names["losses"].shape == (100,) and names["losses"][-20:].mean() < names["losses"][0]


def test_task(run):
    names, _ = run("task")
    assert names["config"]["layer_sizes"] == [64, 64] and names["wider"].num_params > names["task"].num_params
    assert "rleu" in names["message"] and "relu" in names["message"]
    assert names["task"].batch_shapes == {"image": ((11, 32, 32, 3), "float32"), "label": ((11,), "int32")}


def test_baselines(run):
    names, _ = run("baselines")
    means = names["one"].groupby("step")["normalized"].mean()
    assert 0.3 < means.loc[0] < 1.7 and means.iloc[-1] < 0.5 * means.loc[0]
    assert names["best"].str.startswith("adam").all()


def test_own_family(run, registered_here):
    names, _ = run("own_family")
    assert names["losses"][-20:].mean() < 0.5 * names["losses"][:5].mean()


def test_own_data(run):
    names, _ = run("own_data")
    assert names["mine"].source == "my_images" and len(names["losses"]) == 20 and np.isfinite(names["losses"]).all()
    drawn, images = names["mine"].raw_batches("test", 0, 0, 1)["image"][0, 0], names["images"]
    assert any(np.array_equal(drawn, image) for image in images[450:])


def test_own_optimizer(run, registered_here):
    names, _ = run("own_optimizer")
    assert names["losses"][-1] < names["losses"][0] and names["normalized"][-1] < 1
    for path, w in names["params"].items():
        np.testing.assert_allclose(w, names["same"][path], rtol=0, atol=1e-5)
        np.testing.assert_array_equal(names["registered"][path], names["same"][path])


def test_use_learned(run):
    names, left_out = run("use_learned")
    losses = names["history"].history["loss"]
    assert losses[-1] < losses[0] and left_out <= {"torch", "jax"}
    assert names["step"] == 199
    if "torch" not in left_out:
        assert names["torch"].nn.functional.cross_entropy(names["net"](names["inputs"]), names["targets"]) < np.log(4)
    if "jax" not in left_out:  # the start is 0: the loss, log 4
        assert names["loss_of"](names["params"]) < 0.5 * np.log(4)
    skip_if(left_out)


def test_jax_arrays_are_updated_as_those_of_numpy_are(tmp_path):
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    from learned.deploy import export, numpy_update

    export.export("mlp_pes", tmp_path / "mlp.npz")
    optimizer = numpy_update.load(tmp_path / "mlp.npz")

    def steps(params):
        state = optimizer.init(params)
        for step in range(20):
            params, state = optimizer.update({name: 2 * p for name, p in params.items()}, state, params, step)
        return params

    start = {"w": np.ones((3, 2), np.float32), "b": np.zeros(2, np.float32)}
    plain = steps(start)
    for name, p in steps({name: jax.numpy.asarray(p) for name, p in start.items()}).items():
        np.testing.assert_allclose(p, plain[name], rtol=0, atol=1e-6)


def test_read_baselines(run):
    names, left_out = run("read_baselines")
    assert set(names["one"]["task"]) == {"mlp_family_seed12"} and names["one"]["optimizer"].nunique() == 17
    assert set(names["many"]) == {"task", "seed", "step", "train"} and len(names["tables"]) == 4
    assert left_out <= {"polars", "duckdb"}
    if "means" in names:
        assert names["means"]["train"].is_sorted() and "adam_lr_-3.00" in set(names["means"]["optimizer"])
    if "shares" in names:
        assert "quadratic_family" in {family for family, *_ in names["shares"]} and all(0 <= s <= 1 for *_, s in names["shares"])
    skip_if(left_out)


def test_elsewhere(run):
    names, left_out = run("elsewhere")
    for needed, losses in (({"torch"}, "torch_losses"), ({"jax", "optax"}, "jax_losses")):
        if not needed & left_out:
            assert len(names[losses]) == 100 and np.mean(names[losses][-10:]) < names[losses][0]
    skip_if(left_out)


def test_optuna(run):
    names, left_out = run("optuna")
    assert names["other"].best.optimizer in names["rates"]
    skip_if(left_out)
    if not left_out:
        assert names["search"].best.loss < names["problem"].losses["valid_outer"][:, :, 0].mean()
        assert len(names["study"].trials) == 12 and names["search"].trials <= 12
        halving, horizon = names["halving"], names["problem"].horizon
        assert 5 * horizon <= halving.steps < 6 * horizon or len(names["halved"].trials) == 40
        assert halving.trials > halving.steps / horizon and halving.best.optimizer in names["rates"]


@pytest.mark.slow
def test_train_learned(run):
    names, _ = run("train_learned", commands=True)
    assert names["curves"]["task"].nunique() > 1 and names["curves"]["optimizer"].nunique() == 1
