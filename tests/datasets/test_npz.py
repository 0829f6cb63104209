"""The reader of .npz files: right values from what is whole, one short line from what is damaged or claims too much."""

import io
import tracemalloc
import zipfile

import numpy as np
import pytest

from taskset.files import npz

ARRAYS = {
    "scalar": np.array(3.0, np.float32),
    "text": np.array('{"a": 1}'),
    "matrix": np.arange(12, dtype=np.int64).reshape(3, 4),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "empty": np.zeros((0, 3), np.uint8),
    "a/path": np.linspace(0, 1, 7),
}


def equal(found, expected):
    same = [found[k].dtype == a.dtype and found[k].shape == a.shape and np.array_equal(found[k], a) for k, a in expected.items()]
    return set(found) == set(expected) and all(same)


def flipped(content, rng):
    """`content` with one bit turned over."""
    changed, bit = bytearray(content), int(rng.integers(8 * len(content)))
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_what_is_written_is_read(tmp_path, write):
    write(tmp_path / "a.npz", **ARRAYS)
    found = npz.read(tmp_path / "a.npz")
    assert equal(found, ARRAYS) and all(array.flags.writeable for array in found.values())


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_no_flipped_bit_is_read_as_right(tmp_path, write):
    path, rng, errors = tmp_path / "a.npz", np.random.default_rng(0), []
    write(path, **ARRAYS)
    content = path.read_bytes()
    for _ in range(600):
        path.write_bytes(flipped(content, rng))
        try:
            arrays = npz.read(path)
        except npz.Damaged as error:
            errors.append(str(error))
        else:
            assert equal(arrays, ARRAYS)  # a bit without a meaning, such as one of a date
    assert len(errors) > 300 and all("\n" not in error and len(error) < 200 for error in errors)


def test_cut_short_it_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, **ARRAYS)
    content = path.read_bytes()
    for cut in (0, 1, 21, 22, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:cut])
        with pytest.raises(npz.Damaged, match="cut short or damaged"):
            npz.read(path)
    with pytest.raises(FileNotFoundError):
        npz.read(tmp_path / "none.npz")


def header(shape, dtype="<f8"):
    """The bytes of an .npy file that claims a shape, with 8 bytes behind it."""
    file = io.BytesIO()
    np.lib.format.write_array_header_2_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
    return file.getvalue() + bytes(8)


def archive(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members:
            file.writestr(name, content)


@pytest.mark.parametrize(
    "shape, dtype",
    [((2**44,), "<f8"), ((2**70, 2**70), "<f8"), ((-1,), "<f8"), ((), "|O"), ((2,), "<f8"), ((2**70, 0), "<f8")],
)
def test_claims_beyond_what_is_there(tmp_path, shape, dtype):
    """128 TiB, say: nothing of it is allocated."""
    archive(tmp_path / "a.npz", [("x.npy", header(shape, dtype))])
    with pytest.raises(npz.Damaged) as error:
        npz.read(tmp_path / "a.npz")
    assert "\n" not in str(error.value) and len(str(error.value)) < 200


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_bombs_take_no_memory(tmp_path, compression):
    """Zeros that unpack to a thousand times as much; and one that lies about it."""
    path = tmp_path / "a.npz"
    content = header((2**20,))[:-8] + bytes(2**23)
    archive(path, [(f"{i}.npy", content) for i in range(4)], compression)
    honest = path.read_bytes()
    lies = honest.replace(len(content).to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    assert lies != honest
    for bomb in (honest, lies):
        path.write_bytes(bomb)
        tracemalloc.start()
        with pytest.raises(npz.Damaged):
            npz.read(path)
        assert tracemalloc.get_traced_memory()[1] < 2**21
        tracemalloc.stop()


def test_two_arrays_of_one_name(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive(tmp_path / "a.npz", [("x.npy", header((1,))), ("x.npy", header((1,)))])
    with pytest.raises(npz.Damaged, match="the same name"):
        npz.read(tmp_path / "a.npz")
