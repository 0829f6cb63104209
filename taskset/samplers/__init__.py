"""Configs from seeds: the sampling procedure of TaskSet (Metz et al. 2020, arXiv 2002.11887), and the facts of each config.

Importing this package registers every family of the library with its sampler, schema and facts. No TensorFlow here.
"""

from taskset.samplers import (
    char_rnn_language_model_family,
    conv_fc_family,
    conv_pooling_family,
    losg_tasks_family,
    made_family,
    maf_family,
    mlp_ae_family,
    mlp_family,
    mlp_vae_family,
    nvp_family,
    quadratic_family,
    rnn_text_classification_family,
    word_rnn_language_model_family,
)

__all__ = [
    "PUBLISHED_FAMILIES",
    "char_rnn_language_model_family",
    "conv_fc_family",
    "conv_pooling_family",
    "losg_tasks_family",
    "made_family",
    "maf_family",
    "mlp_ae_family",
    "mlp_family",
    "mlp_vae_family",
    "nvp_family",
    "quadratic_family",
    "rnn_text_classification_family",
    "word_rnn_language_model_family",
]

# The families of the paper; the others are this library's own.
PUBLISHED_FAMILIES = (
    "char_rnn_language_model_family",
    "conv_fc_family",
    "conv_pooling_family",
    "losg_tasks_family",
    "maf_family",
    "mlp_ae_family",
    "mlp_family",
    "mlp_vae_family",
    "nvp_family",
    "quadratic_family",
    "rnn_text_classification_family",
    "word_rnn_language_model_family",
)
