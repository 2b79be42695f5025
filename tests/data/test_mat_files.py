"""MATLAB files: SciPy's own reading of them, and no damage that ends the process."""

import io
import pickle
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat
from scipy.sparse import csc_matrix

from sambench.data.mat_files import load_mat
from sambench.errors import UserError

FUZZ = Path(__file__).resolve().parents[1] / "fuzzing" / "mat_files.py"
LABELS = np.repeat(np.arange(4, dtype=np.uint16), 6).reshape(4, 6)


def written(**content):
    file = io.BytesIO()
    savemat(file, content)
    return file.getvalue()


def packed(data):
    """The same file, its one variable compressed."""
    inner = zlib.compress(data[128:])
    return data[:128] + struct.pack("<II", 15, len(inner)) + inner


def element(kind, data, order="<"):
    return struct.pack(f"{order}II", kind, len(data)) + data + bytes(-len(data) % 8)


def matrix(kind, *rest, shape=(2, 3), flags=0, order="<", name=b"m"):
    parts = (
        element(6, struct.pack(f"{order}II", flags | kind, 0), order),
        element(5, struct.pack(f"{order}{len(shape)}i", *shape), order),
        element(1, name, order),
        *rest,
    )
    return element(14, b"".join(parts), order)


def file_of(*variables, order="<"):
    mark = {"<": b"\x00\x01IM", ">": b"\x01\x00MI"}[order]
    return b"MATLAB 5.0 MAT-file".ljust(124) + mark + b"".join(variables)


def integers(*values, order="<"):
    return element(5, struct.pack(f"{order}{len(values)}i", *values), order)


DOUBLES = element(9, np.arange(6.0).tobytes())
GOOD = matrix(6, DOUBLES)
NAMES = (element(5, struct.pack("<i", 4)), element(1, b"a\0\0\0bc\0\0"))
EMPTY = struct.pack("<II", 14, 0)
SPARSE = (integers(0, 1, 1), integers(0, 2, 2, 3), element(9, np.ones(3).tobytes()))


def refusal(tmp_path, data, **options):
    path = tmp_path / "x.mat"
    path.write_bytes(data)
    with pytest.raises(UserError) as caught:
        load_mat(path, **options)
    message = str(caught.value)
    assert message.startswith(f"{path} is ")
    assert "\n" not in message
    return message


def test_what_scipy_writes_is_read_as_scipy_reads_it(tmp_path):
    content = {
        "double": np.arange(6.0).reshape(2, 3), "logical": LABELS > 1, "single": np.float32(0.1),
        "sparse": csc_matrix(LABELS), "text": "caf\u00e9", "empty": np.zeros((0, 3)),
        "struct": {"Segmentation": LABELS, "more": {"of": "it"}},
    }  # fmt: skip
    for compressed in (False, True):
        path = tmp_path / "x.mat"
        savemat(path, content, do_compression=compressed)
        for mat_dtype in (False, True):
            found, expected = (
                load_mat(path, mat_dtype=mat_dtype),
                loadmat(path, mat_dtype=mat_dtype),
            )
            assert found.keys() == expected.keys()
            assert (found["sparse"] != expected["sparse"]).nnz == 0
            for name in ("double", "logical", "single", "text", "empty"):
                assert found[name].dtype == expected[name].dtype
                np.testing.assert_array_equal(found[name], expected[name])
            inner = found["struct"][0, 0]
            np.testing.assert_array_equal(inner["Segmentation"], LABELS)
            assert inner["more"][0, 0]["of"] == "it"


def test_both_byte_orders_small_elements_and_smaller_types_are_read(tmp_path):
    path = tmp_path / "x.mat"
    path.write_bytes(file_of(matrix(12, integers(*range(6), order=">"), order=">"), order=">"))
    assert load_mat(path)["m"].tolist() == [[0, 2, 4], [1, 3, 5]]
    small = struct.pack("<HH", 2, 4) + bytes([1, 2, 3, 4])  # doubles stored as 4 bytes in a tag
    path.write_bytes(file_of(matrix(6, small, shape=(2, 2))))
    values = load_mat(path, mat_dtype=True)["m"]
    assert values.dtype == np.float64
    assert values.tolist() == [[1, 3], [2, 4]]


def test_all_real_files_are_read_as_scipy_reads_them(shared):
    for path in sorted((shared / "reference" / "bsds_bench_5").rglob("*.mat")):
        assert pickle.dumps(load_mat(path)) == pickle.dumps(loadmat(path))


def test_a_field_name_without_an_end_is_refused(tmp_path):
    """SciPy read on behind it until the process died."""
    data = bytearray(written(truth={"Segmentation": LABELS, "Boundaries": LABELS}))
    at = data.index(b"\x05\x00\x04\x00") + 4  # the length of a field's name
    assert data[at] in (13, 32)
    data[at] = 1
    for damage in (bytes(data), packed(bytes(data))):
        message = refusal(tmp_path, damage)
        assert "field names that are empty, have no end or recur, at byte" in message
        assert message.endswith("; fetch it again.")


DAMAGED = {
    "another type of values": (matrix(6, element(8, bytes(48))), "values of type 8 and size 48"),
    "a type there is not": (matrix(6, element(200, bytes(48))), "values of type 200"),
    "doubles as integers": (matrix(6, element(13, bytes(48))), "float64 stored as uint64"),
    "too few values": (matrix(6, DOUBLES, shape=(2, 4)), "48 bytes for 8 float64"),
    "no imaginary part": (matrix(6, DOUBLES, flags=0x800), "the values cut short"),
    "more than its values": (matrix(6, DOUBLES, DOUBLES), "56 bytes left over"),
    "sides below 0": (matrix(6, DOUBLES, shape=(-2, -3)), "dimensions below 0"),
    "one side": (matrix(6, DOUBLES, shape=(6,)), r"dimensions (6,)"),
    "sides that overflow": (matrix(6, DOUBLES, shape=(2**30, 2**30, 0)), "dimensions (1073741824"),
    "a class there is not": (matrix(19, DOUBLES), "a matrix of class 19"),
    "cut short": (GOOD[:-9], "where 95 are left"),
    "not even a tag": (GOOD + b"\x0e\0\0\0", "a variable cut short"),
    "a second of the name": (GOOD + GOOD, "a second variable 'm', at byte 240"),
    "an empty variable": (EMPTY, "type 14 and size 0 at depth 0"),
    "another element": (element(9, bytes(16)), "type 9 and size 16 at depth 0"),
    "cells that are not there": (matrix(1, EMPTY, shape=(1, 2**27)), "134217728 matrices in 8"),
    "a field too few": (matrix(2, *NAMES, EMPTY, shape=(1, 1)), "2 matrices in 8 bytes"),
    "no fields, many structs": (
        matrix(2, NAMES[0], element(1, b""), shape=(2**15, 2**15)), "structs of 0 fields",
    ),
    "names of length 0": (
        matrix(2, integers(0), NAMES[1], EMPTY, EMPTY, shape=(1, 1)), "field names of length [0]",
    ),
    "names of no whole number": (
        matrix(2, integers(3), NAMES[1], EMPTY, EMPTY, shape=(1, 1)), "length [3] in 8 bytes",
    ),
    "names without an end": (
        matrix(2, NAMES[0], element(1, b"a\0\0\0bcde"), EMPTY, EMPTY, shape=(1, 1)), "have no end",
    ),
    "blank text without end": (matrix(4, element(1, b""), shape=(1, 2**30)), "0 bytes for 10737"),
    "text too short": (matrix(4, element(4, b"a\0b\0"), shape=(1, 3)), "4 bytes for 3 characters"),
    "text of another type": (matrix(4, element(9, bytes(24)), shape=(1, 3)), "the text of type 9"),
    "rows outside": (matrix(5, *SPARSE, shape=(1, 3)), "rows of a sparse matrix out of order"),
    "rows out of order": (
        matrix(5, integers(1, 0, 1), *SPARSE[1:]), "rows of a sparse matrix out of order",
    ),
    "columns out of order": (
        matrix(5, SPARSE[0], integers(0, 2, 1, 3), SPARSE[2]), "columns of a sparse matrix",
    ),
    "more columns than rows": (
        matrix(5, SPARSE[0], integers(0, 2, 2, 4), SPARSE[2]), "columns of a sparse matrix",
    ),
    "too few sparse values": (
        matrix(5, *SPARSE[:2], element(9, bytes(16))), "16 bytes for 3 sparse values",
    ),
    "sparse without measure": (
        matrix(5, *SPARSE, shape=(2**29, 3)), "a sparse matrix of dimensions (536870912, 3)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGED)
def test_what_does_not_hold_together_is_refused_with_its_place(tmp_path, name):
    variables, words = DAMAGED[name]
    message = refusal(tmp_path, file_of(variables))
    assert words in message
    assert "at byte " in message


def test_the_good_ones_of_these_are_read(tmp_path):
    path = tmp_path / "x.mat"
    path.write_bytes(
        file_of(
            GOOD,
            matrix(5, *SPARSE, name=b"s"),
            matrix(2, *NAMES, EMPTY, EMPTY, shape=(1, 1), name=b"t"),
        )
    )
    content = load_mat(path)
    assert content["m"].tolist() == [[0, 2, 4], [1, 3, 5]]
    assert content["s"].toarray().tolist() == [[1, 0, 0], [1, 0, 1]]
    assert content["t"].dtype.names == ("a", "bc")


def test_cells_in_cells_have_a_bottom(tmp_path):
    nested = matrix(6, DOUBLES)
    for _ in range(2000):
        nested = matrix(1, nested, shape=(1, 1))
    assert "at depth 33" in refusal(tmp_path, file_of(nested))


def test_compressed_data_is_what_it_says(tmp_path):
    good = packed(file_of(GOOD))
    path = tmp_path / "x.mat"
    path.write_bytes(good)
    assert load_mat(path)["m"].sum() == 15

    def of(inner):
        return file_of(struct.pack("<II", 15, len(inner)) + inner)

    wrong = bytearray(good)
    wrong[-1] ^= 1  # the checksum
    longer = zlib.compress(GOOD + bytes(8))
    bomb = zlib.compress(struct.pack("<II", 14, 2**32 - 8))
    for data, words in (
        (bytes(wrong), "damaged: .*incorrect data check"),
        (of(longer), "is not 112 bytes long, at byte 128"),
        (of(bomb), "a variable of 4294967296 bytes compressed to"),
        (of(b""), "an empty compressed variable"),
        (of(zlib.compress(GOOD) + b"rest"), "is not 112 bytes long"),
        (of(zlib.compress(matrix(19, DOUBLES))), "byte 8 of the variable compressed at byte 128"),
    ):
        assert re.search(words, refusal(tmp_path, data))


def test_other_versions_and_files_are_refused_with_the_remedy(tmp_path):
    old = io.BytesIO()
    savemat(old, {"m": LABELS.astype(float)}, format="4")
    for data in (old.getvalue(), b"", bytes(300), b"<html>" * 90):
        message = refusal(tmp_path, data, remedy="save it with -v7")
        assert message.endswith("(not of version 5 to 7.2, at byte 124); save it with -v7.")
    new = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400)
    assert "is a MATLAB file of version 7.3; save it with -v7." in refusal(tmp_path, new)
    with pytest.raises(UserError, match=r"none\.mat does not exist; check the path"):
        load_mat(tmp_path / "none.mat")
    with pytest.raises(UserError, match=r"cannot be read .*; check the path"):
        load_mat(tmp_path)


def test_no_mutation_ends_the_process():
    words = [sys.executable, str(FUZZ), "--cases", "600"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert "600 cases, 0 failed" in done.stdout
