"""Configs from seeds: the sampling procedure of TaskSet (Metz et al. 2020, arXiv 2002.11887), further families, and the facts of
each config.

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
    resnet_family,
    rnn_text_classification_family,
    transformer_lm_family,
    vit_family,
    word_rnn_language_model_family,
)

__all__ = [
    "OWN_FAMILIES",
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
    "resnet_family",
    "rnn_text_classification_family",
    "transformer_lm_family",
    "vit_family",
    "word_rnn_language_model_family",
]

# The families of the paper.
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

# This library's own.
OWN_FAMILIES = ("made_family", "resnet_family", "transformer_lm_family", "vit_family")
