"""Predictions that another program made: what is refused of them, or said, before they count."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sambench.errors import UserError
from sambench.interfaces import JSON, Task

from ._coco_results import ImageDetections

log = logging.getLogger(__name__)


def require_size(what: str, masks: Sequence[JSON], size: tuple[int, int]) -> None:
    """Refuse masks of another size than their image: NumPy stretches some, others match nothing.

    Raises:
        UserError: one is.
    """
    for mask in masks:
        if tuple(mask["size"]) != tuple(size):
            raise UserError(
                f"{what} is a mask of size {list(mask['size'])} in an image of {list(size)}; give "
                "[height, width]."
            )


def refuse_unasked(task: Task, options: Iterable[str]) -> None:
    """Refuse options that say how a model is asked: of masks made elsewhere they change nothing.

    Raises:
        UserError: one of them is not the default.
    """
    defaults = {name: getattr(type(task), name) for name in options}  # as dataclasses keep them
    unused = [name for name, value in defaults.items() if getattr(task, name) != value]
    if unused:
        flag = f"--{unused[0].replace('_', '-')}"
        raise UserError(
            f"{flag} says how a model is asked, and predictions made elsewhere are scored as they "
            f"are; leave {flag} out, and choose among them before."
        )


def told_twice(results: Mapping[str, ImageDetections], path: Path) -> Mapping[str, ImageDetections]:
    """Results of a file by image; it is said if some are there twice: each of them counts."""
    twice, where = 0, ""
    for id, found in results.items():
        masks = found.detections
        counts = (mask["counts"] for mask in masks.rles)
        rows = zip(counts, masks.scores.tolist(), masks.categories.tolist(), strict=True)
        more = len(masks.rles) - len(set(rows))
        twice, where = twice + more, where or (id if more else "")
    if twice:
        log.warning(
            "%s has %d results that are there before, with the same mask, category and score, such "
            "as of image %s; each counts, as a wrong one where the first is right.",
            path, twice, where,
        )  # fmt: skip
    return results
