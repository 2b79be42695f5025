"""Label Studio's run lengths of brush strokes.

The bytes are a stream of bits, the highest of each byte first, in the format of the JavaScript
package rle-pack: 32 bits for the number of values; 5 for the bits of a value, less one; four times
4 for the bits of a block's length, less one. Then blocks follow until all values are there: one bit
that says whether the block repeats one value, 2 that choose among the four widths, the length less
one, and the value or values. Values are the red, green, blue and opacity of the pixels, row by row.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sambench.data.json_input import At
from sambench.interfaces import JSON

from ._instances import encode
from ._shapes import Extent

CHANNELS = 4
HEADER = 32 + 5 + 4 * 4
"""Bits before the first block."""


@dataclass(frozen=True)
class Brush:
    """Strokes on an image of size (H, W): the object is where they are not transparent."""

    data: bytes
    size: tuple[int, int]

    @property
    def extent(self) -> Extent:
        """The whole image: strokes are not decoded for this."""
        return 0, 0, self.size[1], self.size[0]

    def draw(self, size: tuple[int, int]) -> JSON:
        """COCO run-length encoding of the part inside an image of size (H, W)."""
        pixels = unpacked(self.data).reshape(*size, CHANNELS)
        return encode(pixels[..., -1] > 0)


def brush(at: At, size: tuple[int, int]) -> Brush:
    """Run lengths of a JSON file, for an image of size (H, W).

    Raises:
        UserError: they are not a list of bytes, or are for another number of pixels.
    """
    data = at.numbers(what="a list of run lengths")
    if not all(type(value) is int and 0 <= value < 256 for value in data):
        at.expected("a list of whole numbers from 0 to 255")
    stream = bytes(map(int, data))
    count = int.from_bytes(stream[:4], "big")
    if len(stream) * 8 < HEADER or count != size[0] * size[1] * CHANNELS:
        at.fail(
            f"holds {count} values, expected {CHANNELS} for each pixel of {size[1]} x {size[0]}"
        )
    return Brush(stream, size)


def unpacked(stream: bytes) -> NDArray[np.int64]:
    """All values, (n,).

    Raises:
        ValueError: the stream ends before, or holds more.
    """
    bits = _Bits(stream)
    count, width = bits.number(32), bits.number(5) + 1
    lengths = [bits.number(4) + 1 for _ in range(4)]
    values = np.empty(count, dtype=np.int64)
    begin = 0
    while begin < count:
        repeated = bits.number(1)
        end = begin + 1 + bits.number(lengths[bits.number(2)])
        if end > count:
            raise ValueError(f'has an "rle" of more than {count} values')
        values[begin:end] = bits.numbers(1 if repeated else end - begin, width)
        begin = end
    return values


class _Bits:
    """A stream of bits, read in order."""

    def __init__(self, stream: bytes) -> None:
        self._bits = np.unpackbits(np.frombuffer(stream, dtype=np.uint8))
        self._at = 0

    def number(self, width: int) -> int:
        """The next bits as one number."""
        return int(self.numbers(1, width)[0])

    def numbers(self, count: int, width: int) -> NDArray[np.int64]:
        """The next numbers of equal width, (count,)."""
        end = self._at + count * width
        if end > len(self._bits):
            raise ValueError('has an "rle" that ends too early')
        found = self._bits[self._at : end].reshape(count, width)
        self._at = end
        weights = np.int64(1) << np.arange(width - 1, -1, -1, dtype=np.int64)
        numbers: NDArray[np.int64] = found @ weights
        return numbers
