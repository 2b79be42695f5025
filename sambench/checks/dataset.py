"""Does a dataset keep the contract of `Dataset`, and do its annotations fit its images?

What is wrong with a truth, the truth says itself: see `sambench.truths`. A run refuses an image
with such a truth; doubts, and what is looked at here beside, no run refuses.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sambench.checks.findings import Report
from sambench.data.images import taken_for_labels
from sambench.errors import UserError
from sambench.findings import Finding
from sambench.interfaces import Dataset, Sample
from sambench.store.sources import digest_pixels
from sambench.truths import Instances, Truth, problems
from sambench.video import ClipDataset, Tracks
from sambench.video.gaps import gaps

READABLE = "Return (H, W, 3) uint8 RGB and its truth, the same at every reading."
LABELS = "Take what is brighter than a threshold as the object, or store labels without loss."


def check_dataset(
    dataset: Dataset, limit: int = 0, look: Callable[[Sample], None] | None = None
) -> Report:
    """Read a dataset, with all types of truth that it gives, and look for what is wrong.

    Args:
        dataset: what is to be checked.
        limit: read only this many images, from the first; 0 reads all, and compares their number
            with the card.
        look: called with each image and its truth of the first type, where both can be read.
    """
    clips = isinstance(dataset, ClipDataset)
    items = _Clips(dataset, look) if isinstance(dataset, ClipDataset) else _Images(dataset, look)
    ids = dataset.ids[: limit or None]
    findings = [*_card(dataset), *_ids(dataset), *_fingerprint(dataset)]
    findings += (finding for id in ids for finding in items.findings(id))
    facts = {"clips": len(ids)} if clips else {"images": len(ids)}
    facts |= {name: items.found[name] for name in items.counted}
    if not limit:
        findings += _counts(dataset, items.found)
    kinds = (kind.__name__.lower() for kind in dataset.truths)
    looked = ("frames", "duplicates") if clips else ("images", "duplicates", "labels")
    names = ("card", "ids", "fingerprint", *looked, *kinds)
    return Report(tuple(findings), names, facts)


def problems_of(dataset: Dataset, look: Callable[[Sample], None] | None = None) -> list[str]:
    """What `check_dataset` finds in all images, one sentence each, without what is minor."""
    report = check_dataset(dataset, look=look)
    return [finding.problem for finding in report.findings if not finding.minor]


def _card(dataset: Dataset) -> Iterator[Finding]:
    card = dataset.card
    lacking = [name for name in ("name", "title", "licence", "citation") if not getattr(card, name)]
    if lacking:
        yield Finding(
            "card",
            f"the card has no {', '.join(lacking)}",
            "Say what the dataset is, who made it and what its licence allows.",
        )
    if not dataset.truths:
        yield Finding("card", "truths is empty", "Name the types of truth, such as Instances.")


def _ids(dataset: Dataset) -> Iterator[Finding]:
    ids = list(dataset.ids)
    if not ids:
        yield Finding("ids", "there are no images", "Check the options and the files.")
    if len(set(ids)) != len(ids):
        twice = next(id for id in ids if ids.count(id) > 1)
        yield Finding("ids", f"{twice!r} occurs twice", "Give each image an id of its own.")
    if list(dataset.ids) != ids or not all(isinstance(id, str) for id in ids):
        yield Finding("ids", "they change or are not strings", "Return strings in a fixed order.")


def _fingerprint(dataset: Dataset) -> Iterator[Finding]:
    print_ = dataset.fingerprint
    if len(print_) != 64 or set(print_) - set("0123456789abcdef"):
        yield Finding(
            "fingerprint",
            f"it is {print_!r}",
            "Return the SHA-256 over the annotations: equal truth, equal fingerprint.",
        )


def _counts(dataset: Dataset, found: Counter[str]) -> Iterator[Finding]:
    what = "clips" if isinstance(dataset, ClipDataset) else "images"
    have = {what: len(dataset), **found}
    for what, wanted in dataset.card.expected.items():
        if what in have and have[what] != wanted:
            yield Finding(
                "card",
                f"{dataset.card.name} has {have[what]} {what}, its card expects {wanted}",
                "Fetch what is missing, or correct the card.",
            )


class _Images:
    """Looks at images one by one; remembers how many objects they have, and which pixels."""

    counted: tuple[str, ...] = ("masks",)
    """What is told of how much was found."""

    def __init__(self, dataset: Dataset, look: Callable[[Sample], None] | None) -> None:
        self.dataset, self.look = dataset, look
        self.found = Counter({"images with masks": 0, "masks": 0})
        self._digests: dict[str, str] = {}

    def findings(self, id: str) -> Iterator[Finding]:
        """What is wrong or doubtful about an image and its truths, each said once."""
        found = dict.fromkeys(_caught(self._item(id)))
        return (replace(finding, problem=f"{id}: {finding.problem}") for finding in found)

    def _item(self, id: str) -> Iterator[Finding]:
        """What is wrong with an image and its truths, one by one."""
        image = self.dataset.read_image(id)
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            yield Finding("images", f"the image is {image.shape} {image.dtype}", READABLE)
            return
        if not np.array_equal(image, self.dataset.read_image(id)):
            yield Finding("images", "the image differs when it is read again", READABLE)
        yield from self._twin(digest_pixels(image), id)
        counted: list[Instances] = []
        for kind in self.dataset.truths:
            yield from _caught(self._truth(Sample(id, image, None), kind, counted))
        for objects in counted[:1]:
            self.found += Counter({"masks": len(objects), "images with masks": bool(len(objects))})

    def _twin(self, digest: str, id: str) -> Iterator[Finding]:
        """That another one has the same pixels."""
        twin = self._digests.setdefault(digest, id)
        if twin != id:
            remedy = "Keep one of each, or say in the card's note why they are there."
            yield Finding("duplicates", f"the same pixels as {twin}", remedy, minor=True)

    def _truth(self, sample: Sample, kind: type, counted: list[Instances]) -> Iterator[Finding]:
        truth: Any = self.dataset.read_truth(sample.id, kind)
        size = sample.image.shape[0], sample.image.shape[1]
        wrong = list(problems(truth, kind, size))
        yield from wrong
        objects = truth.objects() if isinstance(truth, Truth) else None
        counted += [] if objects is None else [objects]
        if wrong:
            return
        if self.look is not None and kind is self.dataset.truths[0]:
            self.look(replace(sample, truth=truth))
        yield from truth.doubts()
        grey = "" if objects is None else taken_for_labels(objects)
        if grey:
            yield Finding("labels", f"its objects may not be objects: {grey}", LABELS)


class _Clips(_Images):
    """Looks at clips one by one, at every frame of each."""

    counted = ("frames", "objects")

    def __init__(self, dataset: ClipDataset, look: Callable[[Sample], None] | None) -> None:
        super().__init__(dataset, look)
        self.clips = dataset
        self.found = Counter({"frames": 0, "objects": 0})

    def _item(self, id: str) -> Iterator[Finding]:
        """What is wrong with the frames of a clip and its tracks."""
        clip, whole = self.clips.clip(id), hashlib.sha256()
        self.found["frames"] += len(clip)
        yield from self._numbers(clip.names)
        for name, frame in zip(clip.names, clip, strict=True):
            if frame.dtype != np.uint8 or frame.shape != (*clip.size, 3):
                yield Finding("frames", f"frame {name} is {frame.shape} {frame.dtype}", READABLE)
                return
            whole.update(digest_pixels(frame).encode())
        first = clip.frame(0)
        if not np.array_equal(first, clip.frame(0)):
            yield Finding("frames", "its first frame differs when it is read again", READABLE)
        yield from self._twin(whole.hexdigest(), id)
        truth = self.clips.read_truth(id, Tracks)
        wrong = list(problems(truth, Tracks, clip.size))
        yield from wrong
        if wrong:
            return
        if truth.frames != clip.names:
            problem = "its tracks are of other frames than its clip"
            yield Finding("tracks", problem, "Give tracks the names of the clip's frames.")
            return
        self.found["objects"] += len(truth)
        if self.look is not None:
            self.look(Sample(id, first, truth))
        yield from self._masks(truth)
        yield from truth.doubts()

    def _numbers(self, names: Sequence[str]) -> Iterator[Finding]:
        """Frames of the same number, and numbers that are left out."""
        if not all(name.isdecimal() for name in names):
            return
        numbers = sorted(map(int, names))
        if twice := [n for n, count in Counter(numbers).items() if count > 1]:
            problem = f"{len(twice)} of its frames are there twice, first number {twice[0]}"
            yield Finding("frames", problem, "Keep one file of each number.")
        elif lost := gaps(numbers):
            problem = f"the numbers of its frames leave out {len(lost)}, first {lost[0]}"
            yield self._lacking("frames", problem, "Fetch the frames that are missing.")

    def _masks(self, truth: Tracks) -> Iterator[Finding]:
        """Frames without a mask between others, and grey levels that pass for objects."""
        if lost := sorted({frame for id in truth.ids for frame in gaps(truth.annotated(id))}):
            names = f"{len(lost)} of its frames, first {truth.frames[lost[0]]}"
            problem = f"{names}, have no mask, which those before and after have"
            yield self._lacking("tracks", problem, "Fetch the masks that are missing.")
        grey = taken_for_labels(truth.instances(min(map(truth.first, truth.ids))))
        if grey:
            yield Finding("labels", f"its objects may not be objects: {grey}", LABELS)

    def _lacking(self, check: str, problem: str, remedy: str) -> Finding:
        """What published clips have, and one's own may do without."""
        return Finding(check, problem, remedy, minor=self.dataset.card.own)


def _caught(findings: Iterator[Finding]) -> Iterator[Finding]:
    """The same; whatever is raised on the way is a finding, too."""
    try:
        yield from findings
    except Exception as error:  # noqa: BLE001 (whatever is wrong with an image is a finding)
        reason = str(error) if isinstance(error, UserError) else repr(error)
        yield Finding("images", reason, READABLE)
