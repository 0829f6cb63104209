"""Real NVP: tasks of nvp_family."""

from taskset.tasks.fixed.parts import fixed, flow, images

_MNIST = images("mnist", 64)

fixed("FixedNVP_mnist_2layer_bs64", "nvp_family", flow(_MNIST, [2048, 2048], 2))
fixed("FixedNVP_mnist_5layer_bs64", "nvp_family", flow(_MNIST, [2048, 2048], 5))
fixed("FixedNVP_mnist_5layer_thin_bs64", "nvp_family", flow(_MNIST, [128, 128], 5))
fixed("FixedNVP_mnist_3layer_thin_bs64", "nvp_family", flow(_MNIST, [128, 128], 3))
fixed("FixedNVP_mnist_9layer_thin_bs16", "nvp_family", flow(_MNIST, [128, 128], 9))  # batches of 64, as published
