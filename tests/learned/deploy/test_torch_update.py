"""torch_update.py: exported weights as a `torch.optim.Optimizer`, against the rules in TensorFlow."""

import copy
import io
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
import tensorflow as tf

from learned import optimizers
from learned.deploy import numpy_update
from learned.deploy.export import export
from taskset.errors import StoreError
from tests.learned.deploy.exports import refused, saved
from tests.learned.rules import ANOTHER_WAY, HORIZON, SHAPES, Inputs, flat, weights, without_last_layer

pytestmark = pytest.mark.elsewhere
torch = pytest.importorskip("torch", reason="PyTorch is not installed")
from learned.deploy import torch_update  # noqa: E402

EVERY = pytest.mark.parametrize("name", torch_update.RULES)
PLANNED = pytest.mark.parametrize("name", ["anchored", "anchored_muon"])


@pytest.fixture(autouse=True)
def one_thread():
    """As TensorFlow in these tests; several threads cost more than they gain here."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def outputs_first(monkeypatch):
    """All parameters have their outputs first, as layers of PyTorch have."""
    monkeypatch.setattr(sys.modules[__name__], "turned", lambda x, source=-1, destination=0: x.T)


def made(params, name="anchored", **options):
    return torch_update.LearnedOptimizer(params, name, weights(optimizers.get(name)), **{"steps": 100, **options})


def turned(x, source=-1, destination=0):
    """Weights with their outputs first, as PyTorch has them; vectors as they are."""
    return np.moveaxis(x, source, destination) if x.ndim > 1 else x


def parameters(inputs, dtype):
    return {path: torch.nn.Parameter(torch.tensor(turned(p), dtype=dtype)) for path, p in inputs.params.items()}


def run(optimizer, params, inputs):
    for g, loss in zip(inputs.grads, inputs.losses):
        for path, p in params.items():
            p.grad = torch.tensor(turned(g[path]), dtype=p.dtype)
        optimizer.step(loss=loss)
    return {path: turned(p.detach().double().numpy(), 0, -1) for path, p in params.items()}


def longer(times):
    """`Inputs` of ten times as many steps; steps follow each other, which PyTorch counts itself."""
    inputs = Inputs(SHAPES)
    inputs.grads, inputs.losses, inputs.validation = inputs.grads * times, inputs.losses * times, inputs.validation * times
    inputs.times = range(len(inputs.grads))
    return inputs


@EVERY
@pytest.mark.parametrize("dtype, times, tolerance", [("float32", 1, 1e-5), ("float64", 10, 1e-9)])
def test_equal_to_tensorflow(name, dtype, times, tolerance):
    equal_to_tensorflow(name, longer(times), dtype, tolerance)


def equal_to_tensorflow(name, inputs, dtype, tolerance):
    learned = optimizers.get(name)
    params = parameters(inputs, getattr(torch, dtype))
    found = run(made(params.values(), name, steps=int(HORIZON)), params, inputs)
    update = tf.function(learned.update, autograph=False, reduce_retracing=True)
    expected = inputs.moved(inputs.run(learned, weights(learned), tf.as_dtype(dtype), update))
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(inputs.moved(found), expected, rtol=0, atol=tolerance * max(1, np.abs(expected).max()))


def test_matrices_of_one_shape_are_made_orthogonal_together():
    """Lying and standing ones; one without a gradient at first; matrices of one row or one column, which are none."""
    inputs = Inputs({"again": (7, 5), "b": (5,), "column": (6, 1), "lying": (5, 7), "row": (1, 6), "w": (7, 5), "z": (7, 1, 5)})
    inputs.times = range(len(inputs.grads))
    for g in inputs.grads[:2]:
        g["again"] *= 0
    equal_to_tensorflow("anchored_muon", inputs, "float64", 1e-9)


@ANOTHER_WAY
def test_equal_to_tensorflow_where_it_takes_another_way(name, make, outputs_first):
    """Blocks have the rows that they have in TensorFlow."""
    inputs = make()
    inputs.times = range(len(inputs.grads))
    equal_to_tensorflow(name, inputs, "float64", 1e-9)


def test_axes_of_equal_length_are_told_apart_as_in_tensorflow(outputs_first):
    """`adafac_mlp` keeps averages over the two largest axes; of equal ones the outputs count as larger, then the inputs."""
    inputs = Inputs({"b": (5,), "kernel": (3, 3, 5, 5), "w": (6, 6), "wide": (4, 6)})
    inputs.times = range(len(inputs.grads))
    equal_to_tensorflow("adafac_mlp", inputs, "float64", 1e-9)


def test_a_network_whose_last_layer_is_0_is_left_out(monkeypatch):
    inputs, theta = Inputs(SHAPES), without_last_layer()
    inputs.times = range(len(inputs.grads))
    expected = inputs.moved(inputs.run(optimizers.get("anchored"), theta, tf.float64))
    monkeypatch.setattr(torch_update._Work, "network", None)
    params = parameters(inputs, torch.float64)
    found = run(torch_update.LearnedOptimizer(params.values(), "anchored", theta, int(HORIZON)), params, inputs)
    np.testing.assert_allclose(inputs.moved(found), expected, rtol=0, atol=1e-9)


@PLANNED
def test_however_the_work_is_divided(name, monkeypatch):
    """Large tensors in pieces, small ones together, few or all before the controller: the numbers are the same."""
    found = []
    for chunk, most in ((1, 1), (16, 50), (40, 2**22), (2**16, 2**22)):
        monkeypatch.setitem(torch_update.CHUNKS, "cpu", chunk)
        monkeypatch.setattr(torch_update, "ROUND", most)
        inputs = Inputs(SHAPES)
        params = parameters(inputs, torch.float64)
        found.append(inputs.moved(run(made(params.values(), name), params, inputs)))
    assert np.abs(found[0]).max() > 1e-3
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], rtol=0, atol=1e-12)


@PLANNED
def test_other_strides_and_huge_gradients(name):
    inputs, other = Inputs(SHAPES), Inputs(SHAPES)
    other.grads[4] = {path: 1e30 * g for path, g in inputs.grads[4].items()}
    inputs.grads[4] = {path: np.clip(1e30 * g, -1e12, 1e12) for path, g in inputs.grads[4].items()}
    params, strided = parameters(inputs, torch.float64), parameters(other, torch.float64)
    strided["kernel"] = torch.nn.Parameter(strided["kernel"].detach().to(memory_format=torch.channels_last))
    strided["w"] = torch.nn.Parameter(strided["w"].detach().T.contiguous().T)
    assert not strided["kernel"].is_contiguous() and not strided["w"].is_contiguous()
    expected = inputs.moved(run(made(params.values(), name), params, inputs))
    np.testing.assert_allclose(inputs.moved(run(made(strided.values(), name), strided, other)), expected, rtol=0, atol=1e-12)


# How it is used.


def halves(name, dtype=torch.float32):
    """A training in two halves, resumed from a file of the state: (parameters, inputs, optimizer of the first half)."""
    first, second = Inputs(SHAPES), Inputs(SHAPES)
    first.grads, second.grads = first.grads[:5], second.grads[5:]
    second.losses = second.losses[5:]
    params = parameters(first, dtype)
    optimizer = made(params.values(), name)
    run(optimizer, params, first)
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    return params, second, torch.load(file, weights_only=True)


@EVERY
def test_resumed_it_continues(name):
    inputs = Inputs(SHAPES)
    whole = parameters(inputs, torch.float32)
    expected = run(made(whole.values(), name), whole, inputs)
    params, second, state = halves(name)
    optimizer = made(params.values(), name)
    optimizer.load_state_dict(state)
    found = run(optimizer, params, second)
    assert all(np.array_equal(found[path], expected[path]) for path in expected)


@PLANNED
def test_resumed_for_longer(name):
    """`steps` are those that the new optimizer is made with, or is given while training."""
    params, second, state = halves(name)
    start = {path: p.detach().clone() for path, p in params.items()}
    found = []
    for change in ({}, {"steps": 4000}, None):
        optimizer = made(params.values(), name, **(change or {}))
        optimizer.load_state_dict(copy.deepcopy(state))
        if change is None:
            optimizer.steps = 4000
        for path, p in params.items():
            p.data = start[path].clone()
        found.append(second.moved(run(optimizer, params, second)))
    assert np.abs(found[0] - found[1]).max() > 1e-4 and np.array_equal(found[1], found[2])
    with pytest.raises(ValueError, match=f"steps 0 of {name}:"):
        optimizer.steps = 0


def copied(x):
    return x.clone() if isinstance(x, torch.Tensor) else x


@PLANNED
def test_a_loaded_state_is_a_copy_on_the_device_of_the_parameters(name):
    """The state of the first optimizer and that of the second, which was loaded from it, go their own ways."""
    p, q, elsewhere = (torch.nn.Parameter(torch.ones(3, 2, device=device)) for device in ("cpu", "cpu", "meta"))
    first, second, third = made([p], name), made([q], name), made([elsewhere], name)
    p.grad = torch.ones(3, 2)
    first.step(loss=1.0)
    for other in (second, third):
        other.load_state_dict(first.state_dict())
    kept = {key: {slot: copied(x) for slot, x in second.state[key].items()} for key in (q, "run")}
    first.step(loss=2.0)
    assert first.state["run"]["step"] == 2
    for key, values in kept.items():
        assert all(torch.equal(torch.as_tensor(x), torch.as_tensor(second.state[key][slot])) for slot, x in values.items())
    tensors = [x for state in third.state.values() for x in state.values() if isinstance(x, torch.Tensor)]
    assert len(tensors) == 7 and {x.device.type for x in tensors} == {"meta"}


def late(name, inputs, again=None):
    """One of two groups of tensors gets gradients from step 5 on, after a state through `again`: (optimizer, parameters)."""
    params = parameters(inputs, torch.float64)
    optimizer = made(params.values(), name, steps=int(HORIZON))
    for step, (g, loss) in enumerate(zip(inputs.grads, inputs.losses)):
        if step == 5 and again:
            optimizer = again(optimizer, params)
        for i, (path, p) in enumerate(params.items()):
            p.grad = torch.tensor(turned(g[path]), dtype=p.dtype) if i % 2 or step >= 5 else None
        optimizer.step(loss=loss)
    return optimizer, {path: turned(p.detach().numpy(), 0, -1) for path, p in params.items()}


@pytest.mark.parametrize("name", ["anchored", "anchored_muon", "learnable_adam"])
def test_averages_of_a_late_parameter_are_corrected_by_its_own_steps(name):
    """As in NumPy, which corrects tensor by tensor; also where the state comes from a file in between."""
    inputs = longer(1)

    def reloaded(optimizer, params):
        other = made(params.values(), name, steps=int(HORIZON))
        other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        return other

    optimizer, found = late(name, inputs)
    assert {optimizer.state[p]["step"] for p in optimizer.param_groups[0]["params"]} == {len(inputs.grads), len(inputs.grads) - 5}
    numpy, params = numpy_update.LearnedOptimizer(name, weights(optimizers.get(name)), int(HORIZON)), dict(inputs.params)
    params = {path: p.astype(np.float64) for path, p in params.items()}
    state = numpy.init(params)
    for step, (g, loss) in enumerate(zip(inputs.grads, inputs.losses)):
        given = {path: g[path] for i, path in enumerate(params) if i % 2 or step >= 5}
        params, state = numpy.update(given, state, params, step, loss)
    for other in (params, late(name, inputs, reloaded)[1]):
        np.testing.assert_allclose(inputs.moved(found), inputs.moved(other), rtol=0, atol=1e-10)


def test_a_state_without_counts_takes_that_of_the_run():
    params, second, state = halves("anchored")
    start, found = {path: p.detach().clone() for path, p in params.items()}, []
    for counted in (True, False):
        optimizer, given = made(params.values()), copy.deepcopy(state)
        for key, values in given["state"].items():
            if key != "run" and not counted:
                assert values.pop("step") == 5
        optimizer.load_state_dict(given)
        for path, p in params.items():
            p.data = start[path].clone()
        found.append(second.moved(run(optimizer, params, second)))
    assert np.array_equal(*found)


@PLANNED
def test_beyond_the_planned_steps_it_warns_once(name):
    p = torch.nn.Parameter(torch.ones(3))
    p.grad, optimizer = torch.ones(3), made([p], name, steps=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            optimizer.step(loss=1.0)
        with pytest.raises(UserWarning, match="step 3 of a training planned for steps=2: .*set optimizer.steps"):
            optimizer.step(loss=1.0)
        optimizer.step(loss=1.0)  # step 3: the one before was refused
        optimizer.steps = 3
        with pytest.warns(UserWarning, match="step 4 of") as warned:
            optimizer.step(loss=1.0)
        assert [one.filename for one in warned] == [__file__]  # the user's line
        optimizer.steps = 6
        optimizer.step(loss=1.0)
        other = made([torch.nn.Parameter(torch.ones(3))], "mlp", steps=1)
        for _ in range(3):
            other.param_groups[0]["params"][0].grad = torch.ones(3)
            other.step()


def test_a_float64_parameter_that_comes_later():
    """State and computation are float64 from there on."""
    half, full = torch.nn.Parameter(torch.ones(3)), torch.nn.Parameter(torch.ones(3, dtype=torch.float64))
    for name in ("anchored", "anchored_muon", "mlp"):
        optimizer = made([half], name)
        half.grad = full.grad = None
        for p in (half, full):
            p.grad = torch.ones_like(p)
            if p is full:
                optimizer.add_param_group({"params": [full]})
            optimizer.step(loss=1.0)
        assert {optimizer.state[p]["m"].dtype for p in (half, full)} == {torch.float64}


def test_what_it_looks_like():
    optimizer = made([{"params": [torch.nn.Parameter(torch.ones(3))], "weight_decay": 0.5}])
    assert repr(optimizer) == "LearnedOptimizer(anchored, steps=100; group 0: 3 numbers in 1 tensors, weight_decay 0.5)"


@PLANNED
def test_closure_and_loss_are_the_same_and_one_is_needed(name):
    found = []
    for way in ("closure", "loss"):
        p = torch.nn.Parameter(torch.ones(3))
        optimizer = made([p], name)

        def closure(p=p, optimizer=optimizer):
            optimizer.zero_grad()
            loss = (p * torch.tensor([1.0, 2.0, 3.0])).square().sum()
            loss.backward()
            return loss

        for _ in range(3):
            returned = optimizer.step(closure) if way == "closure" else optimizer.step(loss=closure())
            assert returned.requires_grad
        found.append(p.detach().numpy().copy())
        for wrong, message in (({}, "reads the train loss"), ({"closure": closure, "loss": 1.0}, "one of both")):
            with pytest.raises(ValueError, match=message) as error:
                optimizer.step(**wrong)  # the loss of the step before is not taken again
            assert "\n" not in str(error.value) and np.array_equal(p.detach().numpy(), found[-1])
        with pytest.raises(ValueError, match=r"shape \(2,\)"):
            optimizer.step(loss=torch.ones(2))
    assert np.array_equal(*found) and (found[0] != 1).all()
    plain = torch.nn.Parameter(torch.ones(3))
    plain.grad = torch.ones(3)
    made([plain], "mlp").step()  # it reads no loss
    assert (plain != 1).all()


def test_a_group_that_is_refused_is_not_there():
    optimizer = made([torch.nn.Parameter(torch.ones(3))], "anchored")
    for wrong in ({"weight_decay": 1.5}, {"vectors": "all"}, {"lr": 0.1}):
        with pytest.raises(ValueError, match="allowed|learning rate"):
            optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(2))], **wrong})
    with pytest.raises(ValueError, match="allowed are floats"):
        optimizer.add_param_group({"params": [torch.ones(2, dtype=torch.int32)]})
    assert len(optimizer.param_groups) == 1


@pytest.mark.parametrize("name", ["anchored", "anchored_muon", "mlp"])
def test_groups_frozen_and_with_weight_decay_of_their_own(name):
    """A parameter is multiplied by 1 - weight_decay before its step; one without a gradient keeps its numbers and its state."""
    a, b, c = (torch.nn.Parameter(torch.full((3,), x)) for x in (0.5, -0.5, 0.25))
    optimizer = made([{"params": [a], "weight_decay": 0.1}, {"params": [b]}], name)
    optimizer.add_param_group({"params": [c], "weight_decay": 0.5})
    alone = [torch.nn.Parameter(torch.full((3,), x)) for x in (0.5 * 0.9, -0.5)]
    other = made(alone, name)
    for p in (a, b, *alone):
        p.grad = torch.tensor([1.0, 2.0, 3.0])
    optimizer.step(loss=1.0)
    other.step(loss=1.0)
    assert torch.equal(a, alone[0]) and torch.equal(b, alone[1]) and (c == 0.25).all() and c not in optimizer.state
    kept, b.grad, c.grad = copy.deepcopy(optimizer.state[b]), None, torch.ones(3)
    optimizer.step(loss=1.0)
    assert torch.equal(b, alone[1]) and (c != 0.25).all()
    assert kept.pop("step") == optimizer.state[b]["step"] == 1
    assert all(torch.equal(value, optimizer.state[b][key]) for key, value in kept.items())


@pytest.mark.parametrize("name", ["anchored", "anchored_muon", "mlp"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_weights_of_half_precision_have_a_state_of_float32(name, dtype):
    dtype = getattr(torch, dtype)
    half = torch.nn.Parameter(torch.linspace(-1, 1, 40).view(8, 5).to(dtype))
    full = torch.nn.Parameter(half.detach().float())
    optimizer, other = made([half], name), made([full], name)
    for step in range(3):
        half.grad = torch.linspace(1, 2, 40).view(8, 5).to(dtype)
        full.grad = half.grad.float()
        optimizer.step(loss=1.0)
        other.step(loss=1.0)
        assert torch.equal(half, full.to(dtype))
        full.data = half.detach().float()
        if step == 1:
            again = made([half], name)
            again.load_state_dict(optimizer.state_dict())
            optimizer = again
    assert half.dtype == dtype and {x.dtype for name, x in optimizer.state[half].items() if name != "step"} == {torch.float32}


def test_clipped_gradients_are_those_it_sees():
    found = []
    for clip in (True, False):
        p = torch.nn.Parameter(torch.ones(4))
        optimizer = made([p])
        for size in (1.0, 100.0):
            p.grad = torch.full((4,), size)
            if clip:
                torch.nn.utils.clip_grad_norm_([p], 1.0)
            else:
                p.grad = torch.full((4,), 0.5)
            optimizer.step(loss=1.0)
        found.append(p.detach().numpy())
    np.testing.assert_allclose(*found, rtol=1e-5)


def test_what_is_refused():
    p = torch.nn.Parameter(torch.ones(3))
    p.grad = torch.ones(3)
    refused("steps None of anchored: allowed is an integer", lambda: made([p], steps=None))
    refused("steps None of anchored_muon: allowed is an integer", lambda: made([p], "anchored_muon", steps=None))
    refused("weight_decay 1.5: allowed is at least 0 and below 1", lambda: made([p], weight_decay=1.5))
    refused("unknown learned optimizer 'hierarchical'", lambda: torch_update.LearnedOptimizer([p], "hierarchical", {}))
    refused("dtype torch.int64: allowed are floats", lambda: made([torch.arange(3)]))
    refused("a group of parameters has 'steps'", lambda: made([{"params": [p], "steps": 10}]))
    refused("a group of parameters has lr 0.1: anchored has no learning rate", lambda: made([{"params": [p], "lr": 0.1}]))
    refused("argument 'lr' of anchored: allowed are steps, weight_decay, vectors; it has no", lambda: made([p], lr=0.1))
    others = torch.optim.Adam([p]).state_dict()
    refused("a group of parameters has 'betas'.*a state_dict must be", lambda: made([p]).load_state_dict(others))
    refused(r"closure is a Tensor: .*step\(loss=loss\)", lambda: made([p]).step(torch.ones([])))
    optimizer = made([p])
    torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5).step()
    refused("lr 0.5: anchored has no learning rate", lambda: optimizer.step(loss=1.0))
    table = torch.nn.Embedding(4, 2, sparse=True)
    table(torch.tensor([1])).sum().backward()
    refused("layout torch.sparse_coo: allowed are dense", lambda: made(table.parameters()).step(loss=1.0))


def test_the_two_files_are_enough(tmp_path):
    """Alone in a directory, used by a process that can import neither this package nor TensorFlow."""
    saved(tmp_path / "checkpoint.npz", "mlp")
    _, reader = export(tmp_path / "checkpoint.npz", tmp_path / "alone" / "mlp.npz", "torch")
    assert reader.name == "torch_update.py"
    code = """
import sys
sys.modules.update(dict.fromkeys(("learned", "taskset", "tensorflow", "jax")))
import torch, torch_update
p = torch.nn.Parameter(torch.ones(3, 2))
p.grad = torch.full((3, 2), 0.5)
torch_update.load("mlp.npz", [p]).step()
print(p[0, 0].item())
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path / "alone", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    p = torch.nn.Parameter(torch.ones(3, 2))
    p.grad = torch.full((3, 2), 0.5)
    made([p], "mlp").step()
    assert float(done.stdout) == pytest.approx(p[0, 0].item(), abs=1e-6)
    saved(tmp_path / "checkpoint.npz", "hierarchical")
    with pytest.raises(StoreError, match="'hierarchical', which torch_update.py doesn't know: allowed are anchored, "):
        export(tmp_path / "checkpoint.npz", tmp_path / "x.npz", "torch")
    with pytest.raises(StoreError, match="format 'onnx': allowed are numpy, torch, jax"):
        export(tmp_path / "checkpoint.npz", tmp_path / "x.npz", "onnx")


def test_what_counts_as_a_vector_moves_as_one_of_one_axis():
    inputs = Inputs(SHAPES)
    params = parameters(inputs, torch.float64)
    rest = [p for path, p in params.items() if path != "w"]
    marked = made([{"params": [params["w"]], "vectors": True}, {"params": rest}], "anchored_muon")
    found = run(marked, params, inputs)
    other = flat(Inputs(SHAPES), "w")
    params = parameters(other, torch.float64)
    ordered = [params["w"], *(p for path, p in params.items() if path != "w")]
    expected = run(made(ordered, "anchored_muon"), params, other)
    for path, p in found.items():
        assert p.shape == SHAPES[path]
        np.testing.assert_allclose(p.ravel(), expected[path].ravel(), rtol=1e-9)
    params = parameters(inputs, torch.float64)
    assert np.abs(run(made(params.values(), "anchored_muon"), params, inputs)["w"] - found["w"]).max() > 1e-3


def test_vectors_are_an_option_of_groups_and_saved():
    w = torch.nn.Parameter(torch.ones(4, 3))
    marked = made([w], "anchored_muon", vectors=True)
    assert marked.shapes([w]) == [(12,)] and made([w], "anchored_muon").shapes([w]) == [(4, 3)]
    other = made([w], "anchored_muon")
    other.load_state_dict(marked.state_dict())
    assert other.shapes([w]) == [(12,)]
    older = other.state_dict()
    del older["param_groups"][0]["vectors"]
    other.load_state_dict(older)
    assert other.shapes([w]) == [(4, 3)]
    with pytest.raises(ValueError, match="vectors True of anchored: allowed is False, or True of anchored_muon"):
        made([w], "anchored", vectors=True)
    with pytest.raises(ValueError, match="vectors 'w' of anchored_muon"):
        made([w], "anchored_muon", vectors="w")


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda both: pickle.loads(pickle.dumps(both))], ids=["copy", "pickle"])
def test_a_copy_goes_on_like_the_original(copied):
    inputs = Inputs(SHAPES)
    params = parameters(inputs, torch.float64)
    optimizer = made([{"params": [params["w"]], "weight_decay": 0.1}, {"params": [params["b"]]}], "anchored_muon")

    def step(optimizer, params):
        for path in ("w", "b"):
            params[path].grad = torch.tensor(turned(inputs.grads[0][path]))
        optimizer.step(loss=1.0)

    step(optimizer, params)
    others, other = copied((params, optimizer))
    for _ in range(3):
        step(optimizer, params)
        step(other, others)
    assert repr(other) == repr(optimizer) and other.steps == optimizer.steps
    for path in ("w", "b"):
        assert others[path] is not params[path] and torch.equal(others[path], params[path])


def test_autocast_leaves_the_step_as_it_is():
    found = []
    for autocast in (False, True):
        inputs = Inputs(SHAPES)
        params = parameters(inputs, torch.float32)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
            found.append(run(made(params.values(), "anchored_muon"), params, inputs))
    for path, p in found[0].items():
        np.testing.assert_array_equal(found[1][path], p)


@PLANNED
def test_a_state_in_double_precision_goes_on_in_single(name):
    w = torch.nn.Parameter(torch.ones(4, 3, dtype=torch.float64))
    w.grad = torch.ones_like(w)
    double = made([w], name)
    double.step(loss=1.0)
    other = torch.nn.Parameter(w.detach().float())
    other.grad = torch.ones_like(other)
    single = made([other], name)
    single.load_state_dict(double.state_dict())
    single.step(loss=0.5)
    double.step(loss=0.5)
    np.testing.assert_allclose(other.detach(), w.detach(), rtol=1e-5)


@pytest.mark.parametrize("name", ["anchored", "anchored_muon"])
def test_losses_whose_sums_overflow_count_as_not_finite(name):
    inputs = longer(1)
    inputs.losses[0], inputs.losses[2] = 3e38, -3e38
    equal_to_tensorflow(name, inputs, "float32", 1e-5)


def state_of(name, shape):
    p = torch.nn.Parameter(torch.ones(shape))
    p.grad = torch.ones_like(p)
    optimizer = made([p], name)
    optimizer.step(loss=1.0)
    return optimizer.state_dict()


def test_a_state_of_another_rule_or_shape_is_refused_before_anything_changes():
    optimizer = made([torch.nn.Parameter(torch.ones(3, 4))], "learnable_adam")
    for name in ("anchored", "anchored_muon"):
        refused(
            f"a state of {name}: allowed is one of learnable_adam",
            lambda name=name: optimizer.load_state_dict(state_of(name, (3, 4))),
        )
    for shape in ((4, 3), (5, 3), (12,)):
        wrong = state_of("learnable_adam", shape)
        refused(
            r"a state whose m is of a parameter of shape .*, for one of shape \(3, 4\)",
            lambda wrong=wrong: optimizer.load_state_dict(wrong),
        )
    assert not optimizer.state
    earlier = state_of("learnable_adam", (3, 4))
    del earlier["param_groups"][0]["rule"]  # as earlier versions saved it
    optimizer.load_state_dict(earlier)
    assert torch.equal(optimizer.state[optimizer.param_groups[0]["params"][0]]["m"], earlier["state"][0]["m"])


def test_what_a_hook_makes_of_a_state_is_loaded():
    optimizer, saved = made([torch.nn.Parameter(torch.ones(3))], "learnable_adam"), state_of("learnable_adam", (3,))

    def doubled(optimizer, given):
        state = {key: {**entry, "m": 2 * entry["m"]} if key != "run" else entry for key, entry in given["state"].items()}
        return {**given, "state": state}

    optimizer.register_load_state_dict_pre_hook(doubled)
    optimizer.load_state_dict(saved)
    assert torch.equal(optimizer.state[optimizer.param_groups[0]["params"][0]]["m"], 2 * saved["state"][0]["m"])


@pytest.mark.parametrize("loss", [[1.0], "low", "0.5", object()])
def test_a_loss_that_is_no_number_is_refused_before_weights_decay(loss):
    p = torch.nn.Parameter(torch.ones(3))
    p.grad = torch.ones(3)
    optimizer = made([p], weight_decay=np.float32(0.1))
    refused("loss .*: allowed is a scalar", lambda: optimizer.step(loss=loss))
    assert torch.equal(p, torch.ones(3))


def test_a_complex_loss_is_refused():
    p = torch.nn.Parameter(torch.ones(3))
    p.grad = torch.ones(3)
    refused("loss is torch.complex64", lambda: made([p]).step(loss=torch.tensor(1 + 1j)))


def test_a_step_that_is_refused_changes_nothing():
    w, table = torch.nn.Parameter(torch.ones(3)), torch.nn.Embedding(5, 2, sparse=True)
    optimizer = made([{"params": [w], "weight_decay": 0.1}, {"params": table.parameters()}])
    (w.sum() + table(torch.tensor([1])).sum()).backward()
    with pytest.raises(ValueError, match="allowed are dense ones"):
        optimizer.step(loss=1.0)
    assert torch.equal(w, torch.ones(3))
