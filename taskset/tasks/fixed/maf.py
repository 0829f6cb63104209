"""Masked autoregressive flows: tasks of maf_family. Only the 2-layer one is autoregressive (`taskset.tasks.maf_family`).

Kernels start glorot normal before they are masked, the default of the release's masked layers.
"""

from taskset.registry import add_fixed
from taskset.tasks.fixed.parts import flow, images

GLOROT_NORMAL = ["glorot_normal", None]

add_fixed(__name__, "FixedMAF_mnist_2layer_bs64", "maf_family", flow(images("mnist", 64), [2048, 2048], 2, GLOROT_NORMAL))
add_fixed(__name__, "FixedMAF_mnist_3layer_thin_bs64", "maf_family", flow(images("mnist", 64), [128, 128], 3, GLOROT_NORMAL))
add_fixed(__name__, "FixedMAF_cifar10_3layer_bs64", "maf_family", flow(images("cifar10", 64), [1024, 1024], 3, GLOROT_NORMAL))
