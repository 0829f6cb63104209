"""Real NVP: tasks of nvp_family. Kernels start glorot uniform: the layers of the release were TensorFlow's, not Sonnet's."""

from taskset.registry import add_fixed
from taskset.tasks.fixed.parts import GLOROT_UNIFORM, flow, images

_MNIST = images("mnist", 64)

add_fixed(__name__, "FixedNVP_mnist_2layer_bs64", "nvp_family", flow(_MNIST, [2048, 2048], 2, GLOROT_UNIFORM))
add_fixed(__name__, "FixedNVP_mnist_5layer_bs64", "nvp_family", flow(_MNIST, [2048, 2048], 5, GLOROT_UNIFORM))
add_fixed(__name__, "FixedNVP_mnist_5layer_thin_bs64", "nvp_family", flow(_MNIST, [128, 128], 5, GLOROT_UNIFORM))
add_fixed(__name__, "FixedNVP_mnist_3layer_thin_bs64", "nvp_family", flow(_MNIST, [128, 128], 3, GLOROT_UNIFORM))
# Batches of 64, whatever its name says, as published.
add_fixed(__name__, "FixedNVP_mnist_9layer_thin_bs16", "nvp_family", flow(_MNIST, [128, 128], 9, GLOROT_UNIFORM))
