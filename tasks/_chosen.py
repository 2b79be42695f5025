"""Masks that were chosen among several that a model gave, with those that were not taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sambench.data.json_masks import check_runs, read_run_lengths
from sambench.files import write_json
from sambench.interfaces import JSON, Masks
from sambench.masks.rle import decode, encode
from sambench.metrics import iou as mask_metrics

from ._coco_results import ImageDetections, read_entries, read_results, results

OTHERS = "others"
"""The member of a COCO result that has what was not taken; pycocotools passes it over."""


@dataclass(frozen=True)
class Chosen(ImageDetections):
    """What was found in one image, and for each mask the model's others for the same prompt.

    Attributes:
        others: for each mask, the run lengths of those that were not taken; none where it was the
            only one.
    """

    others: tuple[tuple[JSON, ...], ...] = ()


def most_confident_first(answer: Masks) -> Masks:
    """The C candidates of each prompt, the most confident changed for the first, (B, C)."""
    import torch

    taken = answer.iou.argmax(dim=1, keepdim=True)
    places = torch.arange(answer.iou.shape[1], device=taken.device)
    order = torch.where(places == taken, 0, torch.where(places == 0, taken, places))
    logits = torch.take_along_dim(answer.logits, order[:, :, None, None], dim=1)
    return Masks(logits, answer.iou.gather(1, order), answer.size, answer.resize)


def run_lengths(answer: Masks) -> list[list[JSON]]:
    """Run lengths of the C candidates of each of B prompts, at the size of the image."""
    masks = answer.binary()
    flat, count = encode(masks.reshape(-1, *answer.size)), masks.shape[1]
    return [flat[start : start + count] for start in range(0, len(flat), count)]


def best_iou(
    found: ImageDetections,
    iou: Sequence[float],
    objects: Sequence[NDArray[np.bool_]],
    ignore: NDArray[np.bool_] | None,
) -> list[float] | None:
    """The best IoU of all that each mask was chosen among; None where that is not known.

    Args:
        found: N masks.
        iou: theirs with the objects.
        objects: (H, W) bool each.
        ignore: (H, W) bool, pixels that do not count.
    """
    if not isinstance(found, Chosen):
        return None
    best = []
    for taken, mask, own in zip(iou, objects, found.others, strict=True):
        rest = mask_metrics.iou(mask, decode(own), ignore).tolist() if own else []
        best.append(max([taken, *rest]))
    return best


def write_chosen(found: ImageDetections, stem: Path) -> Path:
    """Write COCO results, as `write_results` does, with what was not taken of each."""
    others = found.others if isinstance(found, Chosen) else ()
    entries = results(found)
    for entry, own in zip(entries, others, strict=False):
        entry[OTHERS] = [{**mask, "counts": mask["counts"].decode("ascii")} for mask in own]
    path = stem.with_name(stem.name + ".json")
    write_json(path, entries, sync=False)
    return path


def read_chosen(stem: Path) -> ImageDetections:
    """Read what `write_chosen` wrote, or as `read_results` does what has no others.

    Raises:
        UserError: as `read_results`, or some results have others and some do not.
    """
    found = read_results(stem)
    if not found.objects:
        return found
    entries = read_entries(stem.with_name(stem.name + ".json"))
    bare = [entry for entry in entries if OTHERS not in entry]
    if bare:
        if len(bare) < len(entries):
            bare[0].fail(f'has no "{OTHERS}", which others have', "give it in all or in none")
        return found
    pairs = [[(at, read_run_lengths(at)) for at in entry[OTHERS].items()] for entry in entries]
    check_runs(pair for own in pairs for pair in own)
    others = tuple(tuple(mask for _, mask in own) for own in pairs)
    return Chosen(found.image_id, found.detections, found.objects, found.predicted, others)
