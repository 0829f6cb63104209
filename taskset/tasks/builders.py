"""Imports every module that registers a builder. TensorFlow is loaded here."""

from taskset.tasks import char_rnn_language_model_family  # noqa: F401
from taskset.tasks import conv_fc_family  # noqa: F401
from taskset.tasks import conv_pooling_family  # noqa: F401
from taskset.tasks import fixed_conv  # noqa: F401
from taskset.tasks import fixed_conv_ae  # noqa: F401
from taskset.tasks import fixed_conv_vae  # noqa: F401
from taskset.tasks import fixed_mlp  # noqa: F401
from taskset.tasks import fixed_mlp_vae  # noqa: F401
from taskset.tasks import losg_tasks_family  # noqa: F401
from taskset.tasks import made_family  # noqa: F401
from taskset.tasks import maf_family  # noqa: F401
from taskset.tasks import masked_language_model  # noqa: F401
from taskset.tasks import mlp_ae_family  # noqa: F401
from taskset.tasks import mlp_family  # noqa: F401
from taskset.tasks import mlp_vae_family  # noqa: F401
from taskset.tasks import nvp_family  # noqa: F401
from taskset.tasks import quadratic_family  # noqa: F401
from taskset.tasks import rnn_text_classification_family  # noqa: F401
from taskset.tasks import sequences  # noqa: F401
from taskset.tasks import word_rnn_language_model_family  # noqa: F401
