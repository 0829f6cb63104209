"""Tasks in PyTorch and JAX: losses and gradients are TensorFlow's."""

import numpy as np
import pytest

from taskset.catalogue import get_task
from taskset.errors import ConfigError
from taskset.execution.loop import train
from taskset.optimizers import sgd
from taskset.tasks import base

pytestmark = pytest.mark.elsewhere

STEPS, RATE = 6, 0.01


@pytest.fixture(scope="module")
def task():
    return get_task("mlp_family_seed12", source="synthetic")


@pytest.fixture(scope="module")
def expected(task):
    return train(task, sgd(RATE), STEPS, seed=3, mode="graph_loop")


def test_torch(task, expected):
    torch = pytest.importorskip("torch")
    module = task.as_torch(seed=3)
    optimizer, losses = torch.optim.SGD(module.parameters(), lr=RATE), []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = module.loss()
        (3 * loss).backward()
        for parameter in module.parameters():
            parameter.grad /= 3
        optimizer.step()
        losses.append(loss.item())
    np.testing.assert_allclose(losses, expected[1], rtol=1e-5)
    found = dict(module.named_parameters())
    for path, w in expected[0].items():
        np.testing.assert_allclose(found[path.replace(".", "_")].detach(), w, rtol=1e-4, atol=1e-6)
    assert module.step == STEPS and module.loss(step=0).item() != module.loss(step=1).item()
    first = module.loss(split="test").item()
    assert module.step == STEPS and module.loss(split="test").item() != first  # a look takes no train batch
    assert module.loss(step=2).item() == module.loss(step=2).item() != module.loss(step=2, split="test").item()
    with pytest.raises(ConfigError, match="step -1: allowed is an integer 0 <= step"):
        module.loss(step=-1)


def test_torch_parameters_in_another_place(task):
    """Parts of one vector at first; an optimizer, `load_state_dict` or `deepcopy` may put other tensors in their places."""
    torch = pytest.importorskip("torch")
    module, other = task.as_torch(seed=3), task.as_torch(seed=4)
    expected = other.loss(step=0, split="test").item()  # the batch depends on the module's seed
    moved = task.as_torch(seed=4)
    for parameter in moved.parameters():
        parameter.data = parameter.data.clone()
    assert moved.loss(step=0, split="test").item() == expected
    before = module.loss(step=0).item()
    module.load_state_dict(other.state_dict())
    after = module.loss(step=0)
    after.backward()
    assert after.item() != before and all(parameter.grad is not None for parameter in module.parameters())
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
    assert module.loss(step=0).item() != after.item()


@pytest.mark.filterwarnings("ignore:Using backward.. with create_graph=True")
def test_torch_second_derivatives_are_refused(task):
    """They would be 0: PyTorch sees no program behind the gradients."""
    torch = pytest.importorskip("torch")
    module = task.as_torch(seed=3)
    parameters = list(module.parameters())
    refused = pytest.raises(ConfigError, match="create_graph=True for the loss of 'mlp_family_seed12': allowed is False, .* once")
    with refused as raised:
        torch.autograd.grad(module.loss(step=0), parameters, create_graph=True)
    assert "\n" not in str(raised.value)
    with refused:
        module.loss(step=0).backward(create_graph=True)
    with torch.enable_grad():
        plain = torch.autograd.grad(module.loss(step=0), parameters)
    twice = module.loss(step=0) + module.loss(step=0)
    for one, other in zip(plain, torch.autograd.grad(twice, parameters)):
        np.testing.assert_allclose(2 * one, other, rtol=1e-5)


def test_jax_batches_are_those_of_the_task(task):
    pytest.importorskip("jax")
    loss = task.as_jax()
    for (batch, key), step, ours in zip(loss.batches("test", 5, start=7), range(7, 42), task.batches("test", 5, start=7)):
        assert key[1] == step and set(batch) == set(ours)
        for name, array in batch.items():
            np.testing.assert_allclose(array, ours[name], rtol=1e-6)


def test_jax(task, expected):
    jax = pytest.importorskip("jax")
    loss = task.as_jax()

    @jax.jit
    def step(params, batch, key):
        value, gradients = jax.value_and_grad(lambda *given: 3 * loss(*given))(params, batch, key)
        return value / 3, {path: w - RATE / 3 * gradients[path] for path, w in params.items()}

    params, losses = loss.init(3), []
    for (batch, key), _ in zip(loss.batches("train", 3), range(STEPS)):
        value, params = step(params, batch, key)
        losses.append(float(value))
    np.testing.assert_allclose(losses, expected[1], rtol=1e-5)
    for path, w in expected[0].items():
        np.testing.assert_allclose(params[path], w, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(float(loss(loss.init(3), *next(loss.batches("train", 3)))), losses[0], rtol=1e-5)


def test_gradient_noise_goes_along():
    """A synthetic problem's gradients are disturbed, also where another framework asks for them."""
    torch = pytest.importorskip("torch")
    noisy = get_task("quadratic_family_seed0")
    if noisy.model.gradient_noise is None:
        noisy = next(t for t in (get_task(f"losg_tasks_family_seed{i}") for i in range(40)) if t.model.gradient_noise)
    module = noisy.as_torch(seed=1)
    module.loss(step=2).backward()
    from taskset.tasks.elsewhere.vector import bases

    batch = next(noisy.batches("train", 1, start=2))
    _, gradients = noisy.value_and_gradients(noisy.init(1), batch, np.array([bases(1, "train")[1], 2], np.int32))
    for parameter, path in zip(module.parameters(), noisy.parameter_shapes):
        np.testing.assert_allclose(parameter.grad, gradients[path], rtol=1e-4, atol=1e-6)
    assert torch.is_tensor(module.loss())


def test_a_framework_that_is_missing(task, monkeypatch):
    monkeypatch.setattr(base.importlib.util, "find_spec", lambda name: None)
    for make in (task.as_torch, task.as_jax):
        with pytest.raises(ConfigError, match="pip install"):
            make()
