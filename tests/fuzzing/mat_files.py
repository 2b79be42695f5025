"""Mutated MATLAB files: read, or refused in one sentence; the process lives.

    python tests/fuzzing/mat_files.py --cases 30000 [--plain] [FILES ...]

Case i is a function of i and the seeds alone: files of every class that SciPy writes, compressed
and not, in both byte orders, and those given. Cases run in child processes; if one dies, its case
is reported and the next goes on behind it. With --plain SciPy reads them unchecked, to compare.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import re
import resource
import signal
import struct
import sys
import tempfile
import warnings
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat, savemat
from scipy.sparse import csc_matrix, issparse

from sambench.data.mat_files import load_mat
from sambench.errors import UserError

BATCH = 250
SECONDS, WAIT = 20, 600  # of CPU time, of waiting
MEMORY = 8 << 30
TELLING = [0, 1, 2, 3, 7, 8, 10, 11, 14, 15, 16, 19, 20, 200, 0x10000, 0x40005, 2**31 - 1, 2**31]
SENTENCE = re.compile(
    r".* is (not a readable MATLAB file \(.+\); fetch it again"
    r"|a MATLAB file of version 7\.3; save it with -v7)\."
)


def variables() -> dict[str, Any]:
    """Variables of every class."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(6, dtype=np.uint16), 8).reshape(6, 8)
    drawn = np.empty((1, 2), object)
    for index in range(2):
        drawn[0, index] = {"Segmentation": labels, "Boundaries": labels % 2 == index}
    mixed = np.empty((2, 2), object)
    mixed[:] = [[1, "two"], [csc_matrix(labels > 2), np.zeros((0, 3))]]
    return {
        "truth": drawn,
        "inst": {"Boundaries": mixed, "Segmentation": labels, "Categories": {"a": {"b": 1.5}}},
        "logical": labels > 2,
        "double": rng.random((5, 7)),
        "single": rng.random((5, 7)).astype(np.float32),
        "complex": np.array([[1 + 2j, 3]]),
        "sparse": csc_matrix(labels.astype(float)),
        "sparse_logical": csc_matrix(labels > 1),
        "sparse_complex": csc_matrix(labels * 1j),
        "text": "a map \u00e9 of edges",
        "lines": np.array(["one", "three"]),
        "integers": np.arange(3, dtype=np.int64),
        "empty": np.zeros((0, 0)),
        "cube": np.zeros((2, 3, 4), np.int8),
    }


def seeds() -> list[bytes]:
    """One file for each variable and one of all, compressed or not; one of the other byte order."""
    every = variables()
    found = [swapped(np.arange(6, dtype=np.int32).reshape(2, 3))]
    for content in [every, *({name: value} for name, value in every.items())]:
        for compressed in (False, True):
            file = io.BytesIO()
            savemat(file, content, do_compression=compressed)
            found.append(file.getvalue())
    return found


def swapped(values: np.ndarray[Any, Any]) -> bytes:
    """A big-endian file of a cell of a matrix of 32-bit integers."""

    def element(kind: int, data: bytes) -> bytes:
        return struct.pack(">II", kind, len(data)) + data + bytes(-len(data) % 8)

    def matrix(kind: int, shape: tuple[int, ...], name: bytes, rest: bytes) -> bytes:
        flags = element(6, struct.pack(">II", kind, 0))
        dimensions = element(5, struct.pack(f">{len(shape)}i", *shape))
        return element(14, flags + dimensions + element(1, name) + rest)

    inner = matrix(12, values.shape, b"", element(5, values.T.astype(">i4").tobytes()))
    header = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x01\x00MI"
    return header + matrix(1, (1, 1), b"swapped", inner)


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Damage a file, or what is compressed in it."""
    packed = data[128:132] == b"\x0f\0\0\0"
    if packed and rng.random() < 0.6:
        size = int.from_bytes(data[132:136], "little")
        inner = damaged(zlib.decompress(data[136 : 136 + size]), rng)
        again = zlib.compress(inner, rng.choice([1, 6]))
        return data[:128] + struct.pack("<II", 15, len(again)) + again + data[136 + size :]
    return damaged(data, rng)


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Flip, replace, cut, insert or zero bytes, once or several times; the beginning more often."""
    content = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 3, 8])):
        if not content:
            break
        within = len(content) if rng.random() < 0.4 else min(len(content), rng.choice([200, 600]))
        at = rng.randrange(within)
        DAMAGES[rng.randrange(len(DAMAGES))](content, at, rng)
    return bytes(content)


def _flip(content: bytearray, at: int, rng: random.Random) -> None:
    content[at] ^= 1 << rng.randrange(8)


def _replace(content: bytearray, at: int, rng: random.Random) -> None:
    content[at] = rng.randrange(256)


def _cut(content: bytearray, at: int, rng: random.Random) -> None:
    del content[at : rng.choice([at + 1, at + 8, at + rng.randrange(1, 200), len(content)])]


def _insert(content: bytearray, at: int, rng: random.Random) -> None:
    content[at:at] = rng.randbytes(rng.choice([1, 8, 60]))


def _zero(content: bytearray, at: int, rng: random.Random) -> None:
    end = min(len(content), at + rng.choice([1, 4, 16, 100]))
    content[at:end] = bytes(end - at)


def _number(content: bytearray, at: int, rng: random.Random) -> None:
    """A number that means something in a tag, where one may be."""
    at -= at % 4
    content[at : at + 4] = struct.pack(rng.choice("<<<>") + "I", rng.choice(TELLING))


DAMAGES: list[Callable[[bytearray, int, random.Random], None]] = [
    _flip, _flip, _replace, _number, _number, _cut, _insert, _zero,
]  # fmt: skip


def use(value: Any) -> None:
    """Touch all that was read, as those who ask for it do."""
    if issparse(value):
        use(value.toarray())
    elif isinstance(value, np.ndarray):
        if value.dtype.kind == "O":
            for item in value.ravel():
                use(item)
        elif value.dtype.names:
            for name in value.dtype.names:
                use(value[name])
        else:
            value.tobytes()


def judge(data: bytes, path: Path, plain: bool) -> str:
    """How a case ended: read, refused, or what is wrong."""
    path.write_bytes(data)
    try:
        content = loadmat(path, mat_dtype=True) if plain else load_mat(path, mat_dtype=True)
    except UserError as error:
        return "refused" if SENTENCE.fullmatch(str(error)) else f"says {str(error)!r}"
    except Exception as error:  # noqa: BLE001
        return "refused" if plain else f"raw {type(error).__name__}: {error}"
    try:
        use(content["__globals__"])
        for value in content.values():
            use(value)
    except Exception as error:  # noqa: BLE001
        return f"read, but not usable: {type(error).__name__}"
    return "read"


def batch(cases: range, files: list[bytes], plain: bool, write: int) -> None:
    """Run cases in this process, each announced before and told of behind."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        for case in cases:
            os.write(write, f"{case}\n".encode())
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            signal.setitimer(signal.ITIMER_REAL, WAIT)
            rng = random.Random(case)
            data = mutate(files[case % len(files)], rng)
            ended = judge(data, Path(folder) / "x.mat", plain)
            os.write(write, f"{case} {ended}\n".encode())


def run(cases: range, files: list[bytes], plain: bool) -> dict[int, str]:
    """How each case ended."""
    ended: dict[int, str] = {}
    while len(ended) < len(cases):
        rest = cases[len(ended) : len(ended) + BATCH]
        read, write = os.pipe()
        child = os.fork()
        if not child:
            os.close(read)
            batch(rest, files, plain, write)
            os._exit(0)
        os.close(write)
        with os.fdopen(read) as lines:
            for line in lines:
                case, _, how = line.rstrip("\n").partition(" ")
                ended[int(case)] = how or "started"
        status = os.waitpid(child, 0)[1]
        if status:
            last = max(ended, default=rest[0])
            ended[last] = f"died of {signal.Signals(status & 127).name}" if status & 127 else "left"
    return ended


def main() -> int:
    """Run the cases that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="seeds beside the generated ones")
    parser.add_argument("--cases", type=int, default=30000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--plain", action="store_true", help="SciPy alone, unchecked")
    words = parser.parse_args()
    files = [*seeds(), *(path.read_bytes() for path in words.files)]
    ended = run(range(words.first, words.first + words.cases), files, words.plain)
    failed = {case: how for case, how in ended.items() if how not in ("read", "refused")}
    for case, how in list(failed.items())[:40]:
        print(f"case {case}: {how}")
    print(", ".join(f"{n} {how}" for how, n in Counter(ended.values()).most_common(12)))
    print(f"{len(ended)} cases, {len(failed)} failed")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
