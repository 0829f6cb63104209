"""Image families: losses against NumPy twins, densities against numerical Jacobians, gradients, the three ways to run."""

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import tensorflow as tf

from taskset import catalogue
from taskset.random import stateless
from taskset.tasks import autoregressive, vae
from taskset.tasks.base import Task
from taskset.tasks.made_family import made_degrees
from taskset.tasks.maf_family import published_degrees
from taskset.tasks.nvp_family import coupling_inverse
from tests.small import TINY, RandomImages, shaken
from tests.twins import images as twins

KEY = 3


ODD = RandomImages(4, (9, 7, 1))
FEW = RandomImages(4, (3, 3, 1))  # an odd number of pixels, and fewer than there are hidden units
W = ["glorot_uniform", None]
CONV = {
    "strides": [[1, 1], [2, 2]], "hidden_units": [3, 4], "activation": "tanh", "w_init": W, "padding": ["VALID", "SAME"],
    "use_bias": True, "center_data": True,
}  # fmt: skip
MLP = {"layer_sizes": [6, 7], "activation": "tanh", "w_init": W, "center_data": False}
AE = {
    "hidden_units": [6, 5], "activation": "tanh", "w_init": W,
    "output_type": "tanh", "loss_type": "l2", "reduction_type": "reduce_sum",
}  # fmt: skip
VAE = {"enc_hidden_units": [6, 4], "dec_hidden_units": [7], "activation": "tanh", "w_init": W}
FLOW = {"activation": "tanh", "w_init": ["random_normal", 0.1], "hidden_units": [12, 14], "num_bijectors": 3}
FIXED_MLP = {**MLP, "before_activation": ["none", None], "loss": "cross_entropy"}
CONV_AE = {"encoder": [3, 4], "latents": 3, "decoder": [5, 4, 3]}

# One of each family, for the checks of gradients and of execution.
ONE_EACH = {
    "mlp_family": (MLP, TINY),
    "conv_fc_family": ({**CONV, "fc_hidden_units": [6]}, TINY),
    "conv_pooling_family": ({**CONV, "pool_type": "squared_mean"}, TINY),
    "mlp_ae_family": (AE, TINY),
    "mlp_vae_family": (VAE, TINY),
    "nvp_family": (FLOW, FEW),
    "maf_family": (FLOW, FEW),
    "made_family": (FLOW, FEW),
    "fixed_mlp": ({**FIXED_MLP, "before_activation": ["dropout", 0.5]}, TINY),
    "fixed_conv": ({**CONV, "pool_type": "mean"}, TINY),
    "fixed_conv_ae": (CONV_AE, TINY),
    "fixed_conv_vae": (CONV_AE, TINY),
    "fixed_mlp_vae": (VAE, TINY),
}
VARIANTS = [
    ("mlp_family", {**MLP, "center_data": True, "activation": "leaky_relu2"}, TINY),
    ("mlp_family", {**MLP, "layer_sizes": []}, TINY),
    ("conv_fc_family", {**CONV, "fc_hidden_units": [], "use_bias": False, "padding": ["SAME", "VALID"]}, ODD),
    ("conv_fc_family", {**CONV, "fc_hidden_units": [6, 5], "strides": [[2, 2], [1, 2]], "activation": "cos"}, ODD),
    ("conv_pooling_family", {**CONV, "pool_type": "max", "center_data": False}, ODD),
    ("conv_pooling_family", {**CONV, "pool_type": "mean", "activation": "relu"}, ODD),
    ("mlp_ae_family", {**AE, "output_type": "sigmoid", "reduction_type": "reduce_mean"}, TINY),
    ("mlp_ae_family", {**AE, "output_type": "linear", "loss_type": "l1"}, TINY),
    ("mlp_ae_family", {**AE, "output_type": "linear_center", "loss_type": "l1", "reduction_type": "reduce_mean"}, TINY),
    ("mlp_vae_family", {**VAE, "enc_hidden_units": [4], "dec_hidden_units": [40], "w_init": ["random_normal", 2.0]}, FEW),  # clip
    ("fixed_mlp", FIXED_MLP, TINY),
    ("fixed_mlp", {**FIXED_MLP, "loss": "squared_error"}, TINY),
    ("fixed_mlp", {**FIXED_MLP, "before_activation": ["layer_norm", None]}, TINY),
    ("fixed_mlp", {**FIXED_MLP, "before_activation": ["batch_norm", None], "activation": "relu"}, TINY),
]
FLOWS = ("nvp_family", "maf_family", "made_family")


def make(family, config, data):
    return Task(family, family, config, catalogue.builder(family)(config, data), "synthetic")


def case_names(cases):
    return [f"{family}-{i}" for i, (family, *_) in enumerate(cases)]


CASES = [(family, *case) for family, case in ONE_EACH.items() if family not in FLOWS] + VARIANTS


@pytest.mark.parametrize("family, config, data", CASES, ids=case_names(CASES))
def test_loss_is_that_of_the_numpy_twin(family, config, data):
    task = make(family, config, data)
    params, batch = shaken(task), data.examples()
    expected = getattr(twins, family)(twins.float64(params), config, twins.float64(batch), KEY)
    assert task.loss(params, batch, KEY).numpy() == pytest.approx(expected, rel=1e-5)


# Flows


def flow_masks(family, pixels, hidden_units):
    if family == "maf_family":
        return twins.published_masks(pixels, hidden_units)
    return [autoregressive.mask(*degrees).numpy() for degrees in made_degrees(pixels, hidden_units)]


def flow_permutations(family, config, pixels):
    if family == "nvp_family":
        return [np.random.RandomState(i).permutation(pixels) for i in range(config["num_bijectors"] - 1)]
    return autoregressive.permutations_of(config, pixels)


def sampler(family, config, params, pixels):
    """z [n, pixels] -> x, in NumPy."""
    names, act = [f"bijector_{i}" for i in range(config["num_bijectors"])], config["activation"]
    if family == "nvp_family":
        layers = [lambda z, name=name: twins.coupling(z, params, name, act) for name in names]
    else:
        masks = flow_masks(family, pixels, config["hidden_units"])
        layers = [lambda z, name=name: twins.autoregressive(z, params, name, act, masks) for name in names]
    return lambda z: twins.sample(z, layers, flow_permutations(family, config, pixels))


def jacobian(function, x, step=1e-5):
    """Central differences of a function [n, inputs] -> [n, outputs] at one x: [outputs, inputs]."""
    steps = step * np.eye(len(x))
    return (function(x + steps) - function(x - steps)).T / (2 * step)


FLOW_CASES = [
    ("nvp_family", FLOW),
    ("nvp_family", {**FLOW, "num_bijectors": 1, "activation": "relu"}),
    ("maf_family", FLOW),
    ("maf_family", {**FLOW, "hidden_units": [20, 13]}),  # two units a pixel, and some that belong to none
    ("maf_family", {**FLOW, "hidden_units": [4]}),  # one affine map per pixel
    ("made_family", FLOW),
    ("made_family", {**FLOW, "hidden_units": [5], "num_bijectors": 2, "activation": "relu"}),
]


@pytest.mark.parametrize("family, config", FLOW_CASES, ids=case_names(FLOW_CASES))
def test_flow_density_is_that_of_what_it_samples(family, config):
    """log p(x) = log N(z) - log abs det dx/dz, with x sampled from z by NumPy and a Jacobian by differences."""
    task = make(family, config, FEW)
    params = shaken(task, tf.float64)
    pixels = math.prod(FEW.image_shape)
    draw = sampler(family, config, {name: value.numpy() for name, value in params.items()}, pixels)
    z = np.random.default_rng(1).standard_normal([FEW.batch_size, pixels])
    log_det = [np.linalg.slogdet(jacobian(draw, row))[1] for row in z]
    noise = stateless.normal(stateless.as_key(KEY), z.shape, tf.float64, stddev=0.01).numpy()
    image = (draw(z) - noise).reshape(FEW.batch_size, *FEW.image_shape)
    expected = -np.mean(twins.log_normal(z) - log_det)
    batch = {"image": tf.constant(image), "label": tf.zeros([FEW.batch_size], tf.int32)}  # which a flow doesn't read
    assert task.loss(params, batch, KEY).numpy() == pytest.approx(expected, rel=1e-7)
    # In float32, where the noise is another draw.
    noise = stateless.normal(stateless.as_key(KEY), z.shape, stddev=0.01).numpy()
    image = (draw(z) - noise).reshape(FEW.batch_size, *FEW.image_shape)
    low = {name: tf.cast(value, tf.float32) for name, value in params.items()}
    batch = {**batch, "image": tf.constant(image, tf.float32)}
    assert task.loss(low, batch, KEY).numpy() == pytest.approx(expected, rel=1e-5)


def network_jacobian(degrees):
    """How the outputs of a masked MLP with dense random weights depend on its inputs: [outputs, inputs]."""
    rng = np.random.default_rng(0)
    weights = [rng.standard_normal([len(m) for m in pair]) * autoregressive.mask(*pair).numpy() for pair in degrees]

    def network(x):
        for w in weights[:-1]:
            x = np.tanh(x @ w)
        return x @ weights[-1]

    return jacobian(network, rng.standard_normal(len(degrees[0][0])))


@pytest.mark.parametrize("degrees", [made_degrees, published_degrees])
@pytest.mark.parametrize("hidden_units", [[7], [12, 9], [16]])
def test_masks_are_autoregressive(degrees, hidden_units):
    """Shift and log-scale of pixel i depend on all earlier pixels, given enough units, and on no other."""
    seen = network_jacobian(degrees(7, hidden_units)).reshape(7, 2, 7)
    for part in range(2):
        dependent = abs(seen[:, part]) > 1e-8
        np.testing.assert_array_equal(dependent, np.tril(np.ones([7, 7]), -1))


def test_published_masks_leave_nothing_of_small_networks():
    assert not network_jacobian(published_degrees(7, [6])).any()
    assert not network_jacobian(published_degrees(7, [5, 5])).any()
    assert network_jacobian(made_degrees(7, [5, 5])).any()
    first, last = (autoregressive.mask(*pair).numpy() for pair in published_degrees(7, [6]))
    assert first.all() and not last.any()


def test_masked_weights_stay_zero():
    task = make("made_family", FLOW, FEW)
    params = task.init(0)
    degrees = made_degrees(9, FLOW["hidden_units"])
    for step in range(3):
        _, gradients = task.value_and_gradients(params, FEW.examples(), step)
        for i in range(FLOW["num_bijectors"]):
            for layer, pair in enumerate(degrees):
                masked = autoregressive.mask(*pair).numpy() == 0
                path = f"bijector_{i}/linear_{layer}/w"
                assert masked.any() and not params[path].numpy()[masked].any() and not gradients[path].numpy()[masked].any()
                assert params[path].numpy()[~masked].all()
        params = {name: value - 1e-3 * gradients[name] for name, value in params.items()}


def test_log_scale_is_clipped_with_the_gradient_passed_through():
    x = tf.constant([-1e20, -6.0, 0.5, 4.0, 1e20])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = autoregressive.clip_straight_through(x)
    np.testing.assert_array_equal(y, [-5, -5, 0.5, 3, 3])
    np.testing.assert_array_equal(tape.gradient(y, x), np.ones(5))


def test_permutations_follow_from_the_config():
    first = autoregressive.permutations_of(FLOW, 50)
    again = autoregressive.permutations_of(dict(reversed(FLOW.items())), 50)
    other = autoregressive.permutations_of({**FLOW, "activation": "relu"}, 50)
    np.testing.assert_array_equal(first, again)
    assert len(first) == 2 and (first[0] != first[1]).any() and (first[0] != other[0]).any()
    assert sorted(first[0]) == list(range(50))


def test_coupling_undoes_its_formula():
    z = tf.constant(np.random.default_rng(0).standard_normal([3, 5]))

    def network(kept):
        return tf.concat([tf.sin(kept), kept[:, :1], tf.cos(kept), kept[:, 1:] ** 2], 1)

    s, t = tf.split(network(z[:, :2]), 2, 1)
    found, log_det = coupling_inverse(tf.concat([z[:, :2], z[:, 2:] * tf.exp(s) + t], 1), network)
    np.testing.assert_allclose(found, z, rtol=1e-12)
    np.testing.assert_allclose(log_det, -tf.reduce_sum(s, 1), rtol=1e-12)


def test_overflow_at_the_start_is_not_hidden():
    """Unclamped scales with large weights: the published models are like that."""
    task = make("nvp_family", {**FLOW, "w_init": ["random_normal", 10.0], "activation": "relu"}, TINY)
    assert not np.isfinite(task.loss(task.init(0), TINY.examples(), KEY))


# Variational autoencoders


def test_kl_is_the_integral():
    mean, stddev = 0.7, 0.4
    q, p = scipy.stats.norm(mean, stddev), scipy.stats.norm()
    integral, _ = scipy.integrate.quad(lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), -8, 8)
    kl = vae.kl_to_standard_normal(tf.constant([[mean, mean]]), tf.constant([[math.log(stddev)] * 2]))
    np.testing.assert_allclose(kl, [2 * integral], rtol=1e-5)


def test_quantised_normal_averages_the_log_density_over_a_level():
    x, mean, stddev = 0.3, 0.301, 0.002
    level = np.linspace(x - 0.5 / 255, x + 0.5 / 255, 20001)
    expected = scipy.stats.norm(mean, stddev).logpdf(level).mean() - np.log(255)
    values = np.full([200_000], x, np.float32)
    log_p = vae.quantised_normal_log_density(tf.constant(values), mean, tf.math.log(stddev), stateless.as_key(0))
    assert log_p.numpy().mean() == pytest.approx(expected, abs=3 * float(log_p.numpy().std()) / math.sqrt(len(values)) + 1e-4)
    assert log_p.numpy().std() > 0.01


def test_vae_metrics_add_up():
    task = make("mlp_vae_family", VAE, TINY)
    loss, metrics = task.loss_and_metrics(shaken(task), TINY.examples(), KEY)
    assert set(metrics) == {"kl_term", "log_p_x", "elbo"}
    assert metrics["elbo"].numpy() == pytest.approx(-loss.numpy())
    assert metrics["elbo"].numpy() == pytest.approx((metrics["log_p_x"] - metrics["kl_term"]).numpy())
    assert metrics["kl_term"] > 0


def test_accuracy():
    task = make("mlp_family", {**MLP, "layer_sizes": []}, TINY)
    params = {name: tf.zeros_like(value) for name, value in task.init(0).items()}
    labels = TINY.examples()["label"].numpy()
    for label in range(TINY.num_classes):
        params["mlp/linear_0/b"] = tf.one_hot(label, TINY.num_classes)
        _, metrics = task.loss_and_metrics(params, TINY.examples(), KEY)
        assert metrics["accuracy"].numpy() == pytest.approx(np.mean(labels == label))


def test_dropout_keeps_the_stated_share():
    from taskset.tasks.fixed_mlp import dropout

    y = dropout(0.2)(tf.ones([100, 100]), 0, stateless.as_key(1)).numpy()
    assert set(np.unique(y)) == {0.0, 5.0}
    assert np.mean(y > 0) == pytest.approx(0.2, abs=0.02)


# All families


@pytest.mark.parametrize("family", ONE_EACH)
def test_gradients_are_finite_differences(family):
    config, data = ONE_EACH[family]
    task = make(family, config, data)
    params, batch = shaken(task, tf.float64), data.examples()
    _, gradients = task.value_and_gradients(params, batch, KEY)
    rng = np.random.default_rng(2)
    directions = {name: tf.constant(rng.standard_normal(value.shape)) for name, value in params.items()}
    step = 1e-6

    def loss(scale):
        return task.loss({name: value + scale * directions[name] for name, value in params.items()}, batch, KEY).numpy()

    slope = sum(float(tf.reduce_sum(gradients[name] * directions[name])) for name in params)
    assert slope == pytest.approx((loss(step) - loss(-step)) / (2 * step), rel=1e-6)


@pytest.mark.long
@pytest.mark.parametrize("family", ONE_EACH)
def test_eager_graph_and_compiled_agree(family):
    config, data = ONE_EACH[family]
    task = make(family, config, data)
    params, batch = shaken(task), data.examples()

    def function():
        return task.value_and_gradients(params, batch, KEY)

    loss, gradients = function()
    assert loss.dtype == tf.float32
    largest = max(abs(gradient.numpy()).max() for gradient in gradients.values())
    for run in (tf.function(function, autograph=False), tf.function(function, autograph=False, jit_compile=True)):
        other_loss, other = run()
        assert other_loss.numpy() == pytest.approx(loss.numpy(), rel=1e-5)
        for path, gradient in gradients.items():
            np.testing.assert_allclose(other[path], gradient, rtol=1e-4, atol=1e-6 * largest, err_msg=path)


@pytest.mark.parametrize("family", [name for name in ONE_EACH if name.endswith("_family")])
def test_facts_tell_the_shapes_of_what_is_built(family):
    for seed in range(3):
        config = catalogue.sample(family, seed)
        facts = catalogue.facts(family, config)
        if not facts.infeasible:
            shapes = make(family, config, facts.data).parameter_shapes
            assert list(shapes.items()) == list(facts.parameter_shapes.items())
