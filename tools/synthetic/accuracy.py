"""How hard the synthetic image sets are beside the real ones: pixel statistics and the accuracy of two small networks.

    python -m tools.synthetic.accuracy --data-dir DIR [--sets mnist cifar10] [--seeds 0 1] [--steps 3000]

Prints one row per set and source: mean and standard deviation of the pixels (in [0, 1]), share of zeros, correlation of
neighbouring pixels and of colour channels; test accuracy of an MLP (64-64) and of a convolutional network (16-32, max pooling,
64) after Adam at learning rate 1e-3 with batches of 64; and train and test accuracy of the MLP on 5000 training images after
the same number of steps. "structureless" is the negative control: class means of the real set plus white noise of its pixels'
standard deviation.
"""

import argparse

import keras
import numpy as np

from taskset.datasets import arrays

BATCH = 64
COLUMNS = ("set", "data", "mean", "std", "zeros", "neighb.", "chann.", "mlp", "conv", "5k train", "5k test")


def mlp(shape, classes):
    """Two hidden layers of 64 rectified units."""
    layers = [keras.Input(shape), keras.layers.Flatten()]
    layers += [keras.layers.Dense(64, "relu"), keras.layers.Dense(64, "relu"), keras.layers.Dense(classes)]
    return keras.Sequential(layers)


def convolutions(shape, classes):
    """Two 3x3 convolutions with max pooling, then one hidden layer of 64."""
    layers = [keras.Input(shape)]
    for channels in (16, 32):
        layers += [keras.layers.Conv2D(channels, 3, padding="same", activation="relu"), keras.layers.MaxPooling2D()]
    layers += [keras.layers.Flatten(), keras.layers.Dense(64, "relu"), keras.layers.Dense(classes)]
    return keras.Sequential(layers)


def accuracy(network, train, test, classes, steps):
    """(train, test) accuracy after `steps` steps of Adam."""
    keras.utils.set_random_seed(0)
    model = network(train[0].shape[1:], classes)
    model.compile(
        keras.optimizers.Adam(1e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        steps_per_execution=100,
    )
    rows = np.random.default_rng(0).integers(0, len(train[1]), steps * BATCH)
    for chunk in np.split(rows, max(1, steps // 500)):
        model.fit(unit(train[0][chunk]), train[1][chunk], BATCH, epochs=1, shuffle=False, verbose=0)
    return [model.evaluate(unit(x[:10_000]), y[:10_000], 1000, verbose=0)[1] for x, y in (train, test)]


def unit(pixels):
    """uint8 -> [0, 1]."""
    return pixels.astype(np.float32) / 255


def statistics(pixels):
    """Mean, standard deviation, share of zeros, correlation of horizontal neighbours and of the first two channels."""
    x = unit(pixels[:5000])
    neighbours = np.corrcoef(x[:, :, 1:].ravel(), x[:, :, :-1].ravel())[0, 1]
    channels = np.corrcoef(x[..., 0].ravel(), x[..., 1].ravel())[0, 1] if x.shape[-1] > 1 else np.nan
    return x.mean(), x.std(), (x == 0).mean(), neighbours, channels


def structureless(train, test, rng):
    """The negative control: pixels of the class mean plus white noise."""
    means = np.stack([unit(train[0][train[1] == k]).mean(axis=0) for k in range(train[1].max() + 1)])
    deviation = unit(train[0][:5000]).std(axis=0)

    def imitate(y):
        noisy = means[y] + deviation * rng.standard_normal((len(y), *deviation.shape), dtype=np.float32)
        return (np.clip(noisy, 0, 1) * 255).astype(np.uint8)

    return (imitate(train[1]), train[1]), (imitate(test[1]), test[1])


def hold_out(stored):
    """(train, test) of stored images; where only training images are stored, the first 1000 are the test."""
    for split in ("test", "validation"):
        if split in stored.images:
            return [(stored.images[part], stored.labels[part]) for part in ("train", split)]
    return [(stored.images["train"][rows], stored.labels["train"][rows]) for rows in (slice(1000, None), slice(1000))]


def measure(name, label, train, test, steps):
    """One printed row."""
    classes = int(train[1].max()) + 1
    few = (train[0][:5000], train[1][:5000])
    values = [
        *statistics(train[0]),
        accuracy(mlp, train, test, classes, steps)[1],
        accuracy(convolutions, train, test, classes, steps)[1],
        *accuracy(mlp, few, test, classes, steps),
    ]
    print(f"{name:<24}{label:<16}" + "".join(f"{value:>9.3f}" for value in values), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", help="TFDS directory; without it only the synthetic sets are measured.")
    parser.add_argument("--sets", nargs="+", default=["mnist", "fashion_mnist", "cifar10"], help="Image sets to compare.")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1], help="Seeds of the stand-ins.")
    parser.add_argument("--steps", type=int, default=3000, help="Training steps of each network.")
    arguments = parser.parse_args()
    print(f"{COLUMNS[0]:<24}{COLUMNS[1]:<16}" + "".join(f"{column:>9}" for column in COLUMNS[2:]))
    for name in arguments.sets:
        if arguments.data_dir:
            real = arrays.load(name, "tfds", arguments.data_dir)
            train, test = hold_out(real)
            measure(name, "real", train, test, arguments.steps)
            measure(name, "structureless", *structureless(train, test, np.random.default_rng(0)), arguments.steps)
        for seed in arguments.seeds:
            made = arrays.load(name, "synthetic", seed=seed)
            train, test = hold_out(made)
            measure(name, f"synthetic {seed}", train, test, arguments.steps)


if __name__ == "__main__":
    main()
