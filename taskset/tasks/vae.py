"""Variational autoencoders (Kingma and Welling 2013, arXiv 1312.6114) with a quantised normal over the pixels."""

import math
from collections.abc import Callable
from typing import Any

import sonnet as snt
import tensorflow as tf

from taskset.random import stateless
from taskset.random.stateless import Key
from taskset.tasks import activations, initializers
from taskset.tasks.base import Metrics
from taskset.tasks.linear import MLP

LEVEL = 1 / 255  # distance of two neighbouring values of a pixel
LIMIT = 10.0


def quantised_normal_log_density(x: tf.Tensor, mean: tf.Tensor, log_stddev: tf.Tensor, key: Key) -> tf.Tensor:
    """log N(x + u; mean, stddev^2) + log(1/255) of each entry, in nats; u uniform between -0.5/255 and 0.5/255.

    With the uniform noise the density bounds the probability of the quantised value from below (Theis et al. 2015, arXiv
    1511.01844, section 3.1). Same shape as x.
    """
    u = stateless.uniform(key, x.shape, x.dtype, -0.5 * LEVEL, 0.5 * LEVEL)
    z = (x + u - mean) * tf.exp(-log_stddev)
    return -0.5 * tf.square(z) - log_stddev - 0.5 * math.log(2 * math.pi) + math.log(LEVEL)


def kl_to_standard_normal(mean: tf.Tensor, log_stddev: tf.Tensor) -> tf.Tensor:
    """KL(N(mean, stddev^2) || N(0, 1)) = sum over the last axis of (mean^2 + stddev^2 - 1) / 2 - log stddev, in nats: [batch]."""
    return tf.reduce_sum(0.5 * (tf.square(mean) + tf.exp(2.0 * log_stddev) - 1.0) - log_stddev, axis=-1)


def negative_elbo(
    x: tf.Tensor, encode: Callable[[tf.Tensor], tf.Tensor], decode: Callable[[tf.Tensor], tf.Tensor], key: Key
) -> tuple[tf.Tensor, Metrics]:
    """Mean over the batch of KL(q(z given x) || N(0, 1)) - log p(x given z), z one reparameterised sample; nats per image.

    x: [batch, ..]. encode: x -> [batch, 2 latents], mean and log stddev. decode: z [batch, latents] -> [.., 2 c] for x
    [.., c], mean and log stddev, clipped to +-10 here. Metrics: kl_term, log_p_x, elbo (means over the batch).
    """
    sample_key, noise_key = stateless.split(key, 2)
    mean, log_stddev = tf.split(encode(x), 2, axis=-1)
    z = mean + tf.exp(log_stddev) * stateless.normal(sample_key, mean.shape, x.dtype)
    pixel_mean, pixel_log_stddev = tf.split(tf.clip_by_value(decode(z), -LIMIT, LIMIT), 2, axis=-1)
    log_p = quantised_normal_log_density(x, pixel_mean, pixel_log_stddev, noise_key)
    log_p_x = tf.reduce_mean(tf.reduce_sum(snt.flatten(log_p), axis=1))
    kl_term = tf.reduce_mean(kl_to_standard_normal(mean, log_stddev))
    elbo = log_p_x - kl_term
    return -elbo, {"kl_term": kl_term, "log_p_x": log_p_x, "elbo": elbo}


def mlp_negative_elbo(image: tf.Tensor, config: dict[str, Any], key: Key) -> tuple[tf.Tensor, Metrics]:
    """`negative_elbo` of the flattened image, with MLPs of `enc_hidden_units` (the last: the latents) and `dec_hidden_units`."""
    activation = activations.from_config(config["activation"])
    w_init = initializers.from_config(config["w_init"])
    x = snt.flatten(image)
    *hidden, latents = config["enc_hidden_units"]
    encoder = MLP([*hidden, 2 * latents], w_init=w_init, activation=activation, name="encoder")
    decoder = MLP([*config["dec_hidden_units"], 2 * x.shape[1]], w_init=w_init, activation=activation, name="decoder")
    return negative_elbo(x, encoder, decoder, key)
