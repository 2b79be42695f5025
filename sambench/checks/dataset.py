"""Does a dataset keep the contract of `Dataset`, and do its annotations fit its images?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from sambench.checks.findings import Finding, Report
from sambench.data.images import taken_for_labels
from sambench.errors import UserError
from sambench.interfaces import JSON, Dataset
from sambench.masks.rle import decode
from sambench.truths import Boundaries, Concepts, Instances

BOX_SLACK = 2.0
"""Annotated boxes come from polygons; their masks' own boxes may differ by a little, in pixels."""
CHECKS = (
    "card",
    "ids",
    "fingerprint",
    "images",
    "masks",
    "labels",
    "boxes",
    "boundaries",
    "phrases",
    "duplicates",
)


def check_dataset(dataset: Dataset, limit: int = 0) -> Report:
    """Read a dataset and look for what is wrong.

    Args:
        dataset: what is to be checked.
        limit: only so many images, from the first; 0 reads all.
    """
    findings = [*_card(dataset), *_ids(dataset), *_fingerprint(dataset)]
    ids = dataset.ids[: limit or None]
    problems: list[tuple[str, str]] = []
    digests: dict[str, str] = {}
    counted = 0
    for id in ids:
        try:
            found, objects = _image(dataset, id, digests)
        except Exception as error:  # noqa: BLE001 (whatever is wrong with an image is a finding)
            reason = str(error) if isinstance(error, UserError) else f"{error!r}"
            found, objects = [("images", f"{id}: {reason}")], 0
        problems += found
        counted += objects
    findings += _grouped(problems)
    if not limit:
        findings += _counts(dataset, counted)
    facts: JSON = {"images": len(ids), "masks": counted}
    return Report(tuple(findings), CHECKS, facts)


_REMEDIES = {
    "images": "Return (H, W, 3) uint8 RGB, the same at every reading.",
    "masks": "Give run lengths of the image's own size, with at least one pixel; leave out others.",
    "labels": "Take what is brighter than a threshold as the object, or store labels without loss.",
    "boxes": "Give boxes as x0, y0, x1, y1 in pixels of the image: COCO's own are x, y, w, h.",
    "boundaries": "Give (H, W) bool of the image's size for each annotator.",
    "phrases": "Give each a text, and for each annotator the masks, of the image's own size.",
    "duplicates": "Keep one of each, or say in the card's note why they are there.",
}


def _grouped(problems: Iterable[tuple[str, str]]) -> Iterator[Finding]:
    """One finding for each kind of problem, with its first examples."""
    kinds: dict[str, list[str]] = {}
    for check, problem in problems:
        kinds.setdefault(check, []).append(problem)
    for check, found in kinds.items():
        shown = "; ".join(found[:3]) + (f"; and {len(found) - 3} more" if len(found) > 3 else "")
        yield Finding(check, shown, _REMEDIES[check])


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
        yield Finding("ids", f"{twice!r} is there twice", "Give each image an id of its own.")
    if list(dataset.ids) != ids or not all(isinstance(id, str) for id in ids):
        yield Finding("ids", "they change or are no text", "Return texts, in a fixed order.")


def _fingerprint(dataset: Dataset) -> Iterator[Finding]:
    print_ = dataset.fingerprint
    if len(print_) != 64 or set(print_) - set("0123456789abcdef"):
        yield Finding(
            "fingerprint",
            f"it is {print_!r}",
            "Return the SHA-256 over the annotations: equal truth, equal fingerprint.",
        )


def _counts(dataset: Dataset, masks: int) -> Iterator[Finding]:
    have = {"images": len(dataset), "masks": masks}
    for what, wanted in dataset.card.expected.items():
        if what in have and have[what] != wanted:
            yield Finding(
                "card",
                f"there are {have[what]} {what}, the card expects {wanted}",
                "Fetch what is missing, or correct the card.",
            )


def _image(dataset: Dataset, id: str, digests: dict[str, str]) -> tuple[list[tuple[str, str]], int]:
    """Problems of one image and its number of objects."""
    image = dataset.read_image(id)
    problems: list[tuple[str, str]] = []
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        return [("images", f"{id} is {image.shape} {image.dtype}")], 0
    if not np.array_equal(image, dataset.read_image(id)):
        problems.append(("images", f"{id} is another at the second reading"))
    twin = digests.setdefault(hashlib.sha256(image.tobytes()).hexdigest(), id)
    if twin != id:
        problems.append(("duplicates", f"{id} has the same pixels as {twin}"))
    size = (image.shape[0], image.shape[1])
    objects = 0
    if Instances in dataset.truths:
        truth = dataset.read_truth(id, Instances)
        problems += _instances(id, truth, size)
        doubt = taken_for_labels(truth)
        problems += [("labels", f"{id} has {doubt}")] if doubt else []
        objects = len(truth)
    if Boundaries in dataset.truths:
        problems += _boundaries(id, dataset.read_truth(id, Boundaries), size)
    if Concepts in dataset.truths:
        problems += _concepts(id, dataset.read_truth(id, Concepts), size)
    return problems, objects


def _instances(id: str, truth: Instances, size: tuple[int, int]) -> Iterator[tuple[str, str]]:
    seen: dict[Any, Any] = {}
    for index, rle in enumerate(truth.rles):
        name = f"{id}, annotation {truth.ids[index]}"
        if tuple(rle["size"]) != size or truth.size != size:
            yield "masks", f"{name}: mask of {tuple(rle['size'])} in an image of {size}"
            continue
        mask = decode([rle])[0]
        if not mask.any():
            yield "masks", f"{name}: no pixel"
            continue
        twin = seen.setdefault(rle["counts"], truth.ids[index])
        if twin != truth.ids[index]:
            yield "duplicates", f"{name}: the same mask as {twin}"
        x, y = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
        tight = np.array([x[0], y[0], x[-1] + 1, y[-1] + 1], np.float64)
        apart = float(np.abs(tight - truth.boxes[index]).max())
        if apart > BOX_SLACK and not truth.crowd[index]:
            box = [round(float(v), 1) for v in truth.boxes[index]]
            yield "boxes", f"{name}: box {box}, its mask spans {tight.astype(int).tolist()}"


def _boundaries(id: str, truth: Boundaries, size: tuple[int, int]) -> Iterator[tuple[str, str]]:
    for number, drawn in enumerate(truth.annotators):
        if drawn.shape != size or drawn.dtype != np.bool_:
            yield "boundaries", f"{id}, annotator {number}: {drawn.shape} {drawn.dtype}"
    if not any(drawn.any() for drawn in truth.annotators):
        yield "boundaries", f"{id}: nobody drew a boundary"


def _concepts(id: str, truth: Concepts, size: tuple[int, int]) -> Iterator[tuple[str, str]]:
    if not len(truth.phrases) == len(truth.annotations) == len(truth.exhaustive):
        yield "phrases", f"{id}: phrases, annotations and exhaustive are of different lengths"
        return
    for phrase, annotators in zip(truth.phrases, truth.annotations, strict=True):
        sizes = {tuple(rle["size"]) for masks in annotators for rle in masks}
        if not phrase.strip() or not annotators:
            yield "phrases", f"{id}: {phrase!r} has no text or no annotator"
        elif sizes - {size}:
            yield "phrases", f"{id}, {phrase!r}: masks of {sizes - {size}} in an image of {size}"
