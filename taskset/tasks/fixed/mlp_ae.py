"""Fully connected autoencoders: tasks of mlp_ae_family."""

from taskset.registry import add_fixed
from taskset.tasks.fixed.parts import DEFAULT, images


def _autoencoder(name, dataset, units):
    config = {
        "hidden_units": units,
        "activation": "relu",
        "w_init": DEFAULT,
        "dataset": images(dataset, 128),
        "output_type": "sigmoid",
        "loss_type": "l2",
        "reduction_type": "reduce_mean",
    }
    add_fixed(__name__, name, "mlp_ae_family", config)


_autoencoder("FixedMLPAE_mnist_32x32x32_bs128", "mnist", [32, 32, 32])
_autoencoder("FixedMLPAE_mnist_128x32x128_bs128", "mnist", [128, 32, 128])
_autoencoder("FixedMLPAE_cifar10_128x32x128_bs128", "cifar10", [128, 32, 128])
