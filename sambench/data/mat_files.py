"""MATLAB files of version 5 to 7.2, checked before SciPy reads them.

SciPy believes what such a file says of itself: an unknown type code or a field name without an end
makes it read memory that is not the file's, and the whole process dies. So every type, length,
count and index is followed here first, and SciPy is given only bytes that hold together.

The format is that of "MAT-File Format" (The MathWorks): a header of 128 bytes, then elements, each
a tag (type, size) and its bytes, padded to 8. A variable is an element of type matrix, or that one
compressed. A matrix holds elements: flags, dimensions, name, and what its class needs.
"""

from __future__ import annotations

import io
import math
import struct
import zlib
from collections.abc import Container
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError

_HEADER = 128
_ORDERS = {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}
"""The end of the header, version 1.0 in either byte order, and the sign of that order."""
_HDF = (b"\x00\x02IM", b"\x02\x00MI")

_NUMBERS = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
}  # fmt: skip
"""Types of elements that hold numbers."""
_UINT32, _MATRIX, _COMPRESSED, _UTF8 = 6, 14, 15, 16
_INTEGERS, _STRINGS = (5, 6), (1, _UTF8)
"""Types that counts and dimensions, or names may have."""
_CHARACTERS = {1: 1, 2: 1, 4: 2, _UTF8: 1, 17: 2, 18: 4}
"""Types of text, and the least bytes of a character."""

_CELL, _STRUCT, _OBJECT, _CHAR, _SPARSE, _FUNCTION, _OPAQUE = 1, 2, 3, 4, 5, 16, 17
_NUMERIC = {
    6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8",
}  # fmt: skip
"""Classes of full numeric arrays."""
_LOGICAL, _COMPLEX = 0x200, 0x800

_MOST_DIMENSIONS, _MOST_FIELDS, _DEEPEST = 32, 4096, 32
_MOST_VALUES, _MOST_UNWRITTEN = 2**31, 2**28
"""Values of an array; and of one that takes more memory than it has bytes in the file."""
_MOST_INFLATED = 1032
"""What a byte can grow to in the compression that MATLAB uses."""


def load_mat(
    path: Path, *, remedy: str = "fetch it again", mat_dtype: bool = False
) -> dict[str, Any]:
    """All variables of a MATLAB file of version 5 to 7.2, as `scipy.io.loadmat` returns them.

    Args:
        path: the file.
        remedy: what to do about one that cannot be read.
        mat_dtype: give arrays the class that MATLAB had them in, not the type they are stored in.

    Raises:
        UserError: it does not exist, is damaged, or is of another version.
    """
    from scipy.io import loadmat

    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; check the path.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); check the path.") from None
    if data[_HEADER - 4 : _HEADER] in _HDF:
        raise UserError(f"{path} is a MATLAB file of version 7.3; save it with -v7.")
    try:
        content: dict[str, Any] = loadmat(io.BytesIO(_checked(data)), mat_dtype=mat_dtype)
    except Exception as error:  # noqa: BLE001 (a damaged one raises anything)
        what = str(error) or type(error).__name__
        raise UserError(f"{path} is not a readable MATLAB file ({what}); {remedy}.") from None
    return content


class _DamageError(ValueError):
    """What is wrong with a file, and where."""


def _checked(data: bytes) -> bytes:
    """A file whose every length and type holds, with nothing compressed in it any more.

    Raises:
        _DamageError: there is none such.
    """
    order = _ORDERS.get(data[_HEADER - 4 : _HEADER])
    # A zero among the first bytes marks version 4.
    if order is None or 0 in data[:4]:
        raise _DamageError(f"not of version 5 to 7.2, at byte {_HEADER - 4}")
    parts, names = [memoryview(data)[:_HEADER]], set()
    walk = _Walk(data, order, _HEADER)
    while walk.at < walk.end:
        start = walk.at
        kind, size = walk.pair("a variable")
        if kind == _COMPRESSED:
            walk.skip(size, "a compressed variable")
            part = _inflate(walk.data[walk.at - size : walk.at], order, start)
            try:
                name = _Walk(part, order).matrix()
            except _DamageError as damage:
                raise _DamageError(f"{damage} of the variable compressed at byte {start}") from None
        else:
            walk.at = start
            name = walk.matrix()
            walk.at = start + 8 + size  # where SciPy goes on, whether there was padding or not
            part = walk.data[start : walk.at]
        if name in names:
            raise _DamageError(f"a second variable {name.decode('latin1')!r}, at byte {start}")
        names.add(name)
        parts.append(part)
    return b"".join(parts)


def _inflate(packed: memoryview, order: str, start: int) -> memoryview:
    """The one matrix that is compressed in an element.

    Raises:
        _DamageError: it does not decompress to what its tag says, byte for byte.
    """
    where = f"at byte {start}"
    try:
        tag = zlib.decompressobj().decompress(packed, 8)
        if len(tag) < 8:
            raise _DamageError(f"an empty compressed variable, {where}")
        size = 8 + struct.unpack(f"{order}II", tag)[1]
        if size > _MOST_INFLATED * len(packed):
            raise _DamageError(f"a variable of {size} bytes compressed to {len(packed)}, {where}")
        # One byte more than there should be, to reach the end of the stream and its checksum.
        unpacking = zlib.decompressobj()
        unpacked = unpacking.decompress(packed, size + 1)
    except zlib.error as error:
        raise _DamageError(f"compressed data that is damaged: {error}, {where}") from None
    if len(unpacked) != size or unpacking.unused_data:
        raise _DamageError(f"a compressed variable that is not {size} bytes long, {where}")
    return memoryview(unpacked)


class _Walk:
    """A walk over elements, in the order in which SciPy reads them.

    Attributes:
        at: the byte that comes next.
        end: the first byte behind the matrix that is walked over.
    """

    def __init__(self, data: bytes | memoryview, order: str, at: int = 0) -> None:
        self.data, self.at, self.end = memoryview(data), at, len(data)
        self.order, self.two = order, struct.Struct(f"{order}II")

    def pair(self, what: str) -> tuple[int, int]:
        """Two 32-bit numbers, such as the type and the size in a tag."""
        if self.at + 8 > self.end:
            raise _DamageError(f"{what} cut short, at byte {self.at}")
        first, second = self.two.unpack_from(self.data, self.at)
        self.at += 8
        return first, second

    def skip(self, size: int, what: str) -> None:
        """Go on behind that many bytes."""
        if self.at + size > self.end:
            raise _DamageError(
                f"{what} of {size} bytes where {self.end - self.at} are left, {self}"
            )
        self.at += size

    def __str__(self) -> str:
        return f"at byte {self.at}"

    def element(self, what: str, kinds: Container[int]) -> tuple[int, memoryview]:
        """Type and bytes of an element that has one of these types."""
        start = self.at
        kind, size = self.pair(what)
        small = kind >> 16  # the size of at most 4 bytes that are within the tag
        if small:
            kind, size, self.at = kind & 0xFFFF, small, start + 4
        if kind not in kinds or small > 4:
            raise _DamageError(f"{what} of type {kind} and size {size}, at byte {start}")
        self.skip(size, what)
        found = self.data[self.at - size : self.at]
        self.at = start + 8 if small else self.at + -size % 8
        return kind, found

    def integers(self, what: str) -> NDArray[np.int64]:
        """An element of 32-bit numbers, none of them negative."""
        start = self.at
        _, found = self.element(what, _INTEGERS)
        if len(found) % 4:
            raise _DamageError(f"{what} of {len(found)} bytes, at byte {start}")
        numbers = np.frombuffer(found, f"{self.order}i4").astype(np.int64)
        if (numbers < 0).any():
            raise _DamageError(f"{what} below 0, at byte {start}")
        return numbers

    def matrix(self, depth: int = 0) -> bytes:
        """Check a matrix and all in it; returns its name."""
        start, outer = self.at, self.end
        kind, size = self.pair("a matrix")
        if kind != _MATRIX or (not size and not depth) or depth > _DEEPEST:
            raise _DamageError(f"type {kind} and size {size} at depth {depth}, at byte {start}")
        if self.at + size > outer:
            raise _DamageError(f"a matrix of {size} bytes where {outer - self.at} are left, {self}")
        self.end = self.at + size
        name = self.contents(depth) if size else b""
        if self.at < self.end:
            raise _DamageError(f"{self.end - self.at} bytes left over in a matrix, {self}")
        self.end = outer
        return name

    def contents(self, depth: int) -> bytes:
        """Check what is in a matrix that is not empty; returns its name."""
        start = self.at
        if self.pair("the flags") != (_UINT32, 8):
            raise _DamageError(f"a matrix that does not begin with its flags, at byte {start}")
        flags = self.pair("the flags")[0]
        kind = flags & 0xFF
        shape = () if kind == _OPAQUE else self.dimensions()
        name = bytes(self.element("the name", _STRINGS)[1])
        if kind in _NUMERIC:
            self.numbers(np.dtype(_NUMERIC[kind]), math.prod(shape), flags)
        elif kind == _CHAR:
            self.text(math.prod(shape))
        elif kind == _SPARSE:
            self.sparse(shape, flags)
        elif kind == _CELL:
            self.matrices(math.prod(shape), depth)
        elif kind in (_STRUCT, _OBJECT):
            if kind == _OBJECT:
                self.element("the name of a class", _STRINGS)
            self.matrices(math.prod(shape) * self.fields(math.prod(shape)), depth)
        elif kind == _FUNCTION:
            self.matrices(1, depth)
        elif kind == _OPAQUE:
            self.element("the name of a type", _STRINGS)
            self.element("the name of a class", _STRINGS)
            self.matrices(1, depth)
        else:
            raise _DamageError(f"a matrix of class {kind}, at byte {start}")
        return name

    def dimensions(self) -> tuple[int, ...]:
        """The shape of a matrix."""
        start = self.at
        shape = tuple(self.integers("the dimensions").tolist())
        # Without those of 0, which would hide that the others overflow.
        most = math.prod(side for side in shape if side)
        if not 2 <= len(shape) <= _MOST_DIMENSIONS or most > _MOST_VALUES:
            raise _DamageError(f"dimensions {shape}, at byte {start}")
        return shape

    def numbers(self, dtype: np.dtype[Any], count: int, flags: int) -> None:
        """A full array: the values, then the imaginary parts if there are any."""
        for _ in range(2 if flags & _COMPLEX else 1):
            start = self.at
            kind, found = self.element("the values", _NUMBERS)
            stored = np.dtype(_NUMBERS[kind])
            # MATLAB saves room with a smaller type, but never with one that changes a value.
            smaller = stored.itemsize < dtype.itemsize and np.can_cast(stored, dtype)
            if stored != dtype and not smaller:
                raise _DamageError(f"values of {dtype} stored as {stored}, at byte {start}")
            if len(found) != count * stored.itemsize:
                raise _DamageError(f"{len(found)} bytes for {count} {stored}, at byte {start}")

    def text(self, count: int) -> None:
        """An array of characters; one without bytes is all blanks."""
        start = self.at
        kind, found = self.element("the text", _CHARACTERS)
        least, most = _CHARACTERS[kind] * count, (4 if kind >= _UTF8 else _CHARACTERS[kind]) * count
        if count > _MOST_UNWRITTEN or (found and not least <= len(found) <= most):
            raise _DamageError(f"{len(found)} bytes for {count} characters, at byte {start}")

    def sparse(self, shape: tuple[int, ...], flags: int) -> None:
        """A sparse matrix: rows, where each column begins in them, values."""
        start = self.at
        if len(shape) != 2 or math.prod(shape) > _MOST_UNWRITTEN:
            raise _DamageError(f"a sparse matrix of dimensions {shape}, at byte {start}")
        rows, columns = self.integers("the rows"), self.integers("the columns")
        height, width = shape
        ordered = len(columns) == width + 1 and not columns[0] and (np.diff(columns) >= 0).all()
        if not ordered or columns[-1] > len(rows):
            raise _DamageError(f"columns of a sparse matrix out of order, at byte {start}")
        count = int(columns[-1])
        rows = rows[:count]
        places = np.repeat(np.arange(width), np.diff(columns)) * height + rows
        if (rows >= height).any() or (np.diff(places) <= 0).any():
            raise _DamageError(f"rows of a sparse matrix out of order, at byte {start}")
        for _ in range(2 if flags & _COMPLEX else 1):
            start = self.at
            kind, found = self.element("the values", _NUMBERS)
            # MATLAB stores logical values as bytes that it calls double.
            logical = flags & _LOGICAL and not flags & _COMPLEX and len(found) == count
            if not logical and len(found) < count * np.dtype(_NUMBERS[kind]).itemsize:
                raise _DamageError(f"{len(found)} bytes for {count} sparse values, at byte {start}")

    def fields(self, count: int) -> int:
        """The names of the fields of that many structs; returns how many there are."""
        start = self.at
        length = self.integers("the length of field names").tolist()
        names = bytes(self.element("the names of fields", _STRINGS)[1])
        if len(length) != 1 or not length[0] or len(names) % length[0]:
            raise _DamageError(
                f"field names of length {length} in {len(names)} bytes, at byte {start}"
            )
        # Each ends with a zero, within its length.
        ends = [names[at : at + length[0]].partition(b"\0") for at in range(0, len(names), *length)]
        if len(ends) > _MOST_FIELDS or not (ends or count <= _MOST_UNWRITTEN):
            raise _DamageError(f"{count} structs of {len(ends)} fields, at byte {start}")
        found = {name for name, end, _ in ends if name and end and _is_utf8(name)}
        if len(found) != len(ends):
            raise _DamageError(f"field names that are empty, have no end or recur, at byte {start}")
        return len(ends)

    def matrices(self, count: int, depth: int) -> None:
        """That many matrices, one behind the other."""
        if self.at + 8 * count > self.end:
            raise _DamageError(f"{count} matrices in {self.end - self.at} bytes, {self}")
        for _ in range(count):
            self.matrix(depth + 1)


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True
