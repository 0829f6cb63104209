"""Imports every module that registers a builder. TensorFlow is loaded here."""

from taskset.tasks import conv_fc_family  # noqa: F401
from taskset.tasks import conv_pooling_family  # noqa: F401
from taskset.tasks import made_family  # noqa: F401
from taskset.tasks import maf_family  # noqa: F401
from taskset.tasks import mlp_ae_family  # noqa: F401
from taskset.tasks import mlp_family  # noqa: F401
from taskset.tasks import mlp_vae_family  # noqa: F401
from taskset.tasks import nvp_family  # noqa: F401
