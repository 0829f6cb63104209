"""Fully connected variational autoencoders of centred images; other than that they are tasks of mlp_vae_family."""

from taskset.registry import add_fixed, register_facts, register_schema
from taskset.samplers import mlp_vae_family
from taskset.tasks.fixed.parts import DEFAULT, images

register_schema("fixed_mlp_vae", mlp_vae_family.SCHEMA)
register_facts("fixed_mlp_vae")(mlp_vae_family.facts)


def _vae(name, dataset, encoder, decoder):
    config = {
        "enc_hidden_units": encoder,
        "dec_hidden_units": decoder,
        "activation": "relu",
        "w_init": DEFAULT,
        "dataset": dataset,
    }
    add_fixed(__name__, name, "fixed_mlp_vae", config)


# cifar101: one digit too many in the published names.
_vae("FixedMLPVAE_cifar101_128x32x128_bs128", images("cifar10", 128), [128, 32], [128])
_vae("FixedMLPVAE_cifar101_128x128x32x128x128_bs128", images("cifar10", 128), [128, 128, 32], [128, 128])
_vae("FixedMLPVAE_mnist_128x8x128x128_bs128", images("mnist", 128), [128, 8], [128, 128])
_vae("FixedMLPVAE_mnist_128x128x8x128_bs128", images("mnist", 128), [128, 128, 8], [128])
_vae("FixedMLPVAE_mnist_128x64x32x64x128_bs64", images("mnist", 64), [128, 64, 32], [64, 128])
_vae("FixedMLPVAE_food10132x32_128x64x32x64x128_bs64", images("food101_32x32", 64), [128, 64, 32], [64, 128])
# Reads food101, as published.
_vae("Imagenet32x30_FC_VAE_128x64x32x64x128_relu_bs256", images("food101_32x32", 256), [128, 64, 32], [64, 128])
