"""A trained optimizer for use outside TensorFlow: weights in an .npz, and beside it the one file that reads them."""

from pathlib import Path

from learned import optimizers
from learned.deploy import pretrained
from learned.outer_training import checkpoint
from taskset.errors import StoreError
from taskset.normalization.store import write_text

READER = "numpy_update.py"


def load_weights(path):
    """The `Checkpoint` in a file, or of a name of `learned.deploy.pretrained`, whose weights are those of an optimizer of this version.

    Raises `StoreError` or `UnknownName` where they are not.
    """
    found = checkpoint.load(pretrained.find(path))
    name, told = found.optimizer, {w: tuple(found.value("shapes", list, w)) for w in found.value("shapes", dict)}
    expected = optimizers.get(name).shapes
    shapes = {w: array.shape for w, array in found.theta.items()}
    different = sorted(w for w in {*shapes, *expected, *told} if not shapes.get(w) == expected.get(w) == told.get(w))
    if different:
        raise StoreError(
            f"{path}: weight {different[0]!r} has shape {shapes.get(different[0], 'none')}; allowed for {name!r} is "
            f"{expected.get(different[0], 'no such weight')}: it is of another optimizer or version"
        )
    return found


def export(path, output):
    """Write the weights in the checkpoint `path` to `output` (.npz) and `numpy_update.py` beside it; returns both paths.

    The .npz is a checkpoint that can't be gone on with: it has the weights, and all that is known of how they were trained.
    """
    output = Path(output)
    if output.suffix != ".npz":
        raise StoreError(f"output {str(output)!r}: allowed is the name of an .npz file")
    found = load_weights(path)
    meta = {key: value for key, value in found.meta.items() if key not in ("format", "slots")}
    checkpoint.save(output, meta, {f"theta/{name}": array for name, array in found.theta.items()})
    reader = output.with_name(READER)
    write_text(Path(__file__).with_name(READER).read_text(), reader)
    return output, reader
