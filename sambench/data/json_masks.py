"""Run-length encodings of masks in JSON files from other programs, checked against COCO."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from sambench.data.json_input import At
from sambench.errors import UserError
from sambench.interfaces import JSON

ALPHABET = frozenset(map(chr, range(48, 48 + 64)))
"""Characters of compressed run lengths."""


def read_run_lengths(at: At, size: tuple[int, int] | None = None) -> JSON:
    """Read run lengths, compressed or not -> a compressed encoding.

    Compressed ones are not parsed here, see `check_runs`.

    Args:
        at: ``{"size": [H, W], "counts": ...}``.
        size: (H, W) of the image, where it is known.

    Raises:
        UserError: they are something else, of another size, or do not add up to it.
    """
    given = at["size"].numbers(2, "[height, width]")
    height, width = (side.whole(1) for side in at["size"].items())
    if size is not None and (height, width) != size:
        at.fail(f"is a mask of size {given} in an image of {list(size)}")
    counts = at["counts"]
    if isinstance(counts.value, list):
        return _uncompressed(counts, height, width)
    if not isinstance(counts.value, str):
        counts.expected("run lengths")
    if counts.value.startswith(("b'", 'b"')):
        counts.fail("is the spelling of bytes in Python", "write counts.decode() to the file")
    if not ALPHABET.issuperset(counts.value):
        counts.fail("has damaged run lengths")
    return {"size": [height, width], "counts": counts.value.encode()}


def _uncompressed(at: At, height: int, width: int) -> JSON:
    from pycocotools import mask as coco_mask

    runs = at.value
    if set(map(type, runs)) != {int} or min(runs) < 0:
        runs = [item.whole(0) for item in at.items()]
    if sum(runs) != height * width:
        at.fail(f"has run lengths that do not add up to {height * width} pixels")
    rle: JSON = coco_mask.frPyObjects({"size": [height, width], "counts": runs}, height, width)
    return rle


def check_runs(encoded: Iterable[tuple[At, JSON]]) -> list[list[float]]:
    """Check that compressed run lengths cover their sizes: pycocotools reads on beyond short ones.

    Args:
        encoded: where each stands, and what `read_run_lengths` made of it.

    Returns:
        The tight box (x0, y0, x1, y1) of each; zeros for an empty mask.

    Raises:
        UserError: one is damaged.
    """
    from sambench.masks.rle import boxes

    listed = list(encoded)
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for index, (_, rle) in enumerate(listed):
        groups[tuple(rle["size"])].append(index)
    found: list[list[float]] = [[]] * len(listed)
    for members in groups.values():
        try:
            tight = boxes([listed[i][1] for i in members])
        except UserError:
            _name_damaged(listed[i] for i in members)
            raise
        for i, box in zip(members, tight.tolist(), strict=True):
            found[i] = box
    return found


def _name_damaged(encoded: Iterable[tuple[At, JSON]]) -> None:
    from sambench.masks.rle import runs

    for at, rle in encoded:
        try:
            runs([rle])
        except UserError:
            at["counts"].fail(
                f"has damaged run lengths, or those of another size than {rle['size']}"
            )
