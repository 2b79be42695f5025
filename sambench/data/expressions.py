"""Referring expressions of an image, and the objects that each of them names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sambench.findings import Finding, Size, of_masks, of_size
from sambench.interfaces import Layer, Truth
from sambench.masks.rle import areas, decode
from sambench.shown import RLE


@dataclass(frozen=True)
class Expressions(Truth):
    """Truth of one image: P expressions, each of which counts; a wording may occur again.

    Attributes:
        size: (H, W).
        texts: P expressions.
        targets: for each expression the COCO run-length encodings of the objects that it names;
            none where it names nothing.
    """

    size: tuple[int, int]
    texts: tuple[str, ...]
    targets: tuple[tuple[RLE, ...], ...]

    def target(self, index: int) -> NDArray[np.bool_]:
        """All that an expression names, (H, W) bool."""
        if not self.targets[index]:
            return np.zeros(self.size, dtype=bool)
        merged: NDArray[np.bool_] = np.any(decode(self.targets[index]), axis=0)
        return merged

    def problems(self, size: Size | None) -> Iterator[Finding]:
        """Expressions without text, parts of unequal length, masks of other images or empty."""
        remedy = "Give each expression a text, and the masks of what it names, of the image's size."
        for problem in self._malformed(size or self.size):
            yield Finding("expressions", problem, remedy)

    def _malformed(self, size: Size) -> Iterator[str]:
        yield from of_size("expressions' masks", self.size, size)
        for place, text in enumerate(self.texts):
            if not isinstance(text, str) or not text.strip():
                yield f"expression {place} is {text!r}, without text"
        if len(self.targets) != len(self.texts):
            yield f"{len(self.targets)} targets of {len(self.texts)} expressions"
            return
        masks = [
            (f"{text!r}, mask {index}", rle)
            for text, own in zip(self.texts, self.targets, strict=True)
            for index, rle in enumerate(own)
        ]
        wrong = list(of_masks([name for name, _ in masks], [rle for _, rle in masks], size))
        yield from wrong
        if not wrong and masks:
            for (name, _), area in zip(masks, areas([rle for _, rle in masks]), strict=True):
                if not area:
                    yield f"{name} has no pixel"

    def layer(self) -> Layer:
        """The masks of all that is named, each once."""
        every = {rle["counts"]: rle for own in self.targets for rle in own}
        return Layer(masks=list(every.values()))
