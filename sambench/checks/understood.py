"""What was understood of a dataset: how many objects, of which sizes and categories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from sambench.interfaces import Dataset, Sample
from sambench.truths import Instances, Segments
from sambench.video import ClipDataset, Tracks

SIZES = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, np.inf)}
"""COCO's sizes by area in pixels, from the first number to below the second."""
DRAWN = 10
"""Images on a contact sheet."""
DENSEST = 3
"""Those of them that are chosen because they have most objects."""
NAMED = 40
"""Categories that are named, the most frequent ones."""
FEW = 5
"""Images without objects that are named."""


class Understood:
    """Counts over the samples that it is shown."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.objects: dict[str, int] = {}
        self._sizes: Counter[str] = Counter()
        self._categories: Counter[int] = Counter()
        self._crowd = 0
        self._segments: Counter[str] = Counter()
        self._twins: list[str] = []
        self._tracks: Counter[str] = Counter()

    def add(self, sample: Sample) -> None:
        """Count the objects or segments of one image, where its truth knows of any."""
        if isinstance(sample.truth, Tracks):
            self._add_tracks(sample.id, sample.truth)
            return
        if isinstance(sample.truth, Segments):
            self._add_segments(sample.truth)
        truth: Instances | None = sample.truth.objects()
        if truth is None:
            return
        counted = ~truth.crowd
        self.objects[sample.id] = int(counted.sum())
        self._crowd += int(truth.crowd.sum())
        same = len(truth) - len({rle["counts"] for rle in truth.rles})
        self._twins += [sample.id] * same
        self._categories.update(truth.categories[counted].tolist())
        for name, (low, high) in SIZES.items():
            self._sizes[name] += int(((truth.areas >= low) & (truth.areas < high) & counted).sum())

    def _add_segments(self, truth: Segments) -> None:
        counted = ~truth.crowd
        self._crowd += int(truth.crowd.sum())
        self._segments["things"] += int((truth.things & counted).sum())
        self._segments["stuff"] += int((~truth.things & counted).sum())
        self._categories.update(truth.categories[counted].tolist())

    def _add_tracks(self, id: str, truth: Tracks) -> None:
        self.objects[id] = len(truth)
        known = {frame for each in truth.ids for frame in truth.annotated(each)}
        later = sum(truth.first(each) > min(known) for each in truth.ids)
        found = {"frames": len(truth.frames), "annotated": len(known), "later": later}
        self._tracks += Counter(found)

    def lines(self) -> Iterator[str]:
        """What there is, one fact a line."""
        if isinstance(self.dataset, ClipDataset):
            yield from self._of_clips()
            return
        yield f"images: {len(self.dataset)}"
        if self._segments:
            kinds = ", ".join(f"{count} {kind}" for kind, count in self._segments.items())
            crowd = f"; and {self._crowd} crowd regions" if self._crowd else ""
            yield f"segments: {self._segments.total()} ({kinds}){crowd}"
            yield from self._of_categories()
        if not self.objects:
            return
        total = sum(self.objects.values())
        sizes = ", ".join(f"{self._sizes[name]} {name}" for name in SIZES)
        crowd = f"; and {self._crowd} crowd regions" if self._crowd else ""
        yield f"objects: {total} ({sizes}){crowd}"
        yield from self._of_categories()
        bare = [id for id, count in self.objects.items() if not count]
        named = ", ".join(bare[:FEW]) + (", ..." if len(bare) > FEW else "")
        yield f"images without objects: {len(bare)}" + (f" ({named})" if bare else "")
        if self._twins:
            count, first = len(self._twins), self._twins[0]
            yield f"objects of the same mask as another: {count} (first in {first})"
        if self.dataset.card.note:
            yield f"note: {self.dataset.card.note}"

    def _of_clips(self) -> Iterator[str]:
        found = self._tracks
        yield f"clips: {len(self.dataset)}"
        yield f"frames: {found['frames']} ({found['annotated']} annotated)"
        later = f" ({found['later']} of them come after the first annotated frame)"
        yield f"objects: {sum(self.objects.values())}" + (later if found["later"] else "")
        if self.dataset.card.note:
            yield f"note: {self.dataset.card.note}"

    def _of_categories(self) -> Iterator[str]:
        """Names with their counts, the most frequent first; none where there are no categories."""
        names = dict(self.dataset.categories)
        found = {id: count for id, count in self._categories.items() if id in names or id}
        if not names and not found:
            return
        unused = len(names.keys() - self._categories.keys())
        yield f"categories: {len(found)} used" + (f", {unused} unused" if unused else "")
        ranked = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))
        for id, count in ranked[:NAMED]:
            yield f"  {names.get(id, id)}: {count}"
        if len(ranked) > NAMED:
            yield f"  {len(ranked) - NAMED} others: {sum(count for _, count in ranked[NAMED:])}"
        if self._categories[0] and 0 not in names:
            yield f"  without category: {self._categories[0]}"

    def chosen(self) -> list[str]:
        """Ids for a contact sheet: those with most objects, the others evenly spaced."""
        ids = list(self.objects or self.dataset.ids)
        densest = sorted(ids, key=lambda id: -self.objects.get(id, 0))[:DENSEST]
        others = [id for id in ids if id not in densest]
        count = min(DRAWN - len(densest), len(others))
        spaced = [others[i * len(others) // count] for i in range(count)]
        kept = {*densest, *spaced}
        return [id for id in ids if id in kept]
