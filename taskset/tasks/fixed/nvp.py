"""Real NVP: tasks of nvp_family. Kernels start glorot uniform: the layers of the release were TensorFlow's, not Sonnet's."""

from taskset.tasks.fixed.parts import GLOROT_UNIFORM, fixed, flow, images

_MNIST = images("mnist", 64)

fixed("FixedNVP_mnist_2layer_bs64", "nvp_family", flow(_MNIST, [2048, 2048], 2, GLOROT_UNIFORM))
fixed("FixedNVP_mnist_5layer_bs64", "nvp_family", flow(_MNIST, [2048, 2048], 5, GLOROT_UNIFORM))
fixed("FixedNVP_mnist_5layer_thin_bs64", "nvp_family", flow(_MNIST, [128, 128], 5, GLOROT_UNIFORM))
fixed("FixedNVP_mnist_3layer_thin_bs64", "nvp_family", flow(_MNIST, [128, 128], 3, GLOROT_UNIFORM))
fixed("FixedNVP_mnist_9layer_thin_bs16", "nvp_family", flow(_MNIST, [128, 128], 9, GLOROT_UNIFORM))  # batches of 64, as published
