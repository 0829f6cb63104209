"""Imports every module that registers a builder. TensorFlow is loaded here."""

from taskset.tasks import (
    char_rnn_language_model_family,  # noqa: F401
    conv_fc_family,  # noqa: F401
    conv_pooling_family,  # noqa: F401
    fixed_conv,  # noqa: F401
    fixed_conv_ae,  # noqa: F401
    fixed_conv_vae,  # noqa: F401
    fixed_mlp,  # noqa: F401
    fixed_mlp_vae,  # noqa: F401
    losg_tasks_family,  # noqa: F401
    made_family,  # noqa: F401
    maf_family,  # noqa: F401
    masked_language_model,  # noqa: F401
    mlp_ae_family,  # noqa: F401
    mlp_family,  # noqa: F401
    mlp_vae_family,  # noqa: F401
    nvp_family,  # noqa: F401
    quadratic_family,  # noqa: F401
    resnet_family,  # noqa: F401
    rnn_text_classification_family,  # noqa: F401
    sequences,  # noqa: F401
    transformer_lm_family,  # noqa: F401
    vit_family,  # noqa: F401
    word_rnn_language_model_family,  # noqa: F401
)
