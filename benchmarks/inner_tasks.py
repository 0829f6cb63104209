"""The tasks of the inner-loop benchmark: configs of the families, most of them on random pixels or tokens of a given shape."""

from dataclasses import dataclass

import numpy as np

from taskset.random import seeds

W_INIT = ["glorot_normal", None]
PUBLISHED = ("mlp_family_seed30", "conv_pooling_family_seed10", "FixedMLPAE_mnist_32x32x32_bs128")


@dataclass(frozen=True)
class RandomImages:
    """A data specification: uint8 pixels drawn afresh for each batch, ten classes."""

    image_shape: tuple
    batch_size: int

    needs_source = False
    num_classes = 10

    @property
    def batch(self):
        return {"image": ((self.batch_size, *self.image_shape), "float32"), "label": ((self.batch_size,), "int32")}

    def open(self, source, data_dir=None):
        def batch(rng):
            image = rng.integers(0, 256, (self.batch_size, *self.image_shape), np.uint8)
            return {"image": image, "label": rng.integers(0, 10, self.batch_size, np.int32)}

        return _each_from_its_number(batch)

    def prepare(self, raw, key):
        from taskset.datasets import augmentation

        return {"image": augmentation.to_unit(raw["image"]), "label": augmentation.to_labels(raw["label"])}


@dataclass(frozen=True)
class RandomTokens:
    """A data specification: windows of random bytes."""

    patch_length: int
    batch_size: int

    needs_source = False

    @property
    def batch(self):
        return {"tokens": ((self.batch_size, self.patch_length), "int32")}

    def open(self, source, data_dir=None):
        shape = (self.batch_size, self.patch_length)
        return _each_from_its_number(lambda rng: {"tokens": rng.integers(0, 256, shape, np.int32)})

    def prepare(self, raw, key):
        return raw


def _each_from_its_number(batch):
    """Raw batches, each drawn by `batch(generator)` from split, seed and its number alone, as a task requires."""

    def draw(split, seed, start, count):
        drawn = [batch(seeds.generator(seed, "batch", split, number)) for number in range(start, start + count)]
        return {name: np.stack([each[name] for each in drawn]) for name in drawn[0]}

    return draw


def _mlp(shape, batch, sizes):
    config = {"layer_sizes": sizes, "activation": "relu", "w_init": W_INIT, "center_data": False}
    return "mlp_family", config, RandomImages(shape, batch)


def _conv(units, strides, batch):
    config = {"strides": [[s, s] for s in strides], "hidden_units": units, "activation": "relu", "w_init": W_INIT}
    config |= {"padding": ["SAME"] * len(units), "pool_type": "mean", "use_bias": True, "center_data": False}
    return "conv_pooling_family", config, RandomImages((32, 32, 3), batch)


def _characters(core):
    config = {"embed_dim": 64, "w_init": W_INIT, "vocab_size": 256, "core": core, "trainable_init": False}
    return "char_rnn_language_model_family", config, RandomTokens(33, 32)  # 32 predictions


def _lines():
    gru = {matrix: W_INIT for matrix in ("wz", "uz", "wr", "ur", "wh", "uh")}
    vrnn = {"hidden_to_hidden": W_INIT, "in_to_hidden": W_INIT, "act_fn": "tanh"}
    autoencoder = {"hidden_units": [64], "activation": "relu", "w_init": W_INIT}
    autoencoder |= {"output_type": "sigmoid", "loss_type": "l2", "reduction_type": "reduce_mean"}
    vae = {"enc_hidden_units": [128, 16], "dec_hidden_units": [128], "activation": "relu", "w_init": W_INIT}
    nvp = {"hidden_units": [64, 64], "num_bijectors": 2, "activation": "relu", "w_init": ["random_normal", 0.01]}
    quadratic = {"A_dist": ["linspace_eigen", {"min": 0.1, "max": 2.0}], "initial_dist": ["normal", {"mean": 0.0, "std": 1.0}]}
    quadratic |= {"output_fn": "identity", "dims": 100, "seed": 0, "loss_scale": 1.0, "noise": None}
    digits = RandomImages((28, 28, 1), 64)
    return {
        "MLP 784-64-64-10, batch 32": _mlp((28, 28, 1), 32, [64, 64]),
        "MLP 784-64-64-10, batch 128": _mlp((28, 28, 1), 128, [64, 64]),
        "MLP 64-32-10, batch 32": _mlp((8, 8, 1), 32, [32]),
        "Convolutions 16-32-32, strides 1-2-2, 32x32x3, batch 64": _conv([16, 32, 32], [1, 2, 2], 64),
        "LSTM 64, characters": _characters(["lstm", {"w_gates": W_INIT, "core_dim": 64}]),
        "GRU 64, characters": _characters(["gru", {"core_dim": 64, **gru}]),
        "Vanilla RNN 64, characters": _characters(["vrnn", {"core_dim": 64, **vrnn}]),
        "MLP autoencoder 3072-64-3072, batch 64": ("mlp_ae_family", autoencoder, RandomImages((32, 32, 3), 64)),
        "VAE 784-128-16-128-784, batch 64": ("mlp_vae_family", vae, digits),
        "Real NVP 784, 2 x 64-64, batch 64": ("nvp_family", nvp, digits),
        "Quadratic 100": ("quadratic_family", quadratic, None),
    }


def names():
    """The lines of the table, in order."""
    return (*_lines(), *PUBLISHED)


def make(name):
    """The `Task` of a line. The published ones run on synthetic data."""
    from taskset import catalogue
    from taskset.catalogue import get_task
    from taskset.tasks.base import Task

    if name in PUBLISHED:
        return get_task(name, "synthetic")
    family, config, data = _lines()[name]
    return Task(name, family, config, catalogue.builder(family)(config, data), "none")
