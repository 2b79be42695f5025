"""Experiments with one answer of a model: its form, and whether it lies where it was asked."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sambench.checks.bench import Bench, Photograph
from sambench.findings import Finding
from sambench.interfaces import Masks

IOU_RANGE = (-0.2, 1.2)
"""SAM regresses the IoU without bounds; far outside, it is something else, such as a logit."""


def shapes(bench: Bench) -> Iterator[Finding]:
    """Answers have the shapes and types that `Masks` tells, and the multimask contract holds."""
    photo = bench.photographs[0]
    embeddings = bench.model.embed([one.image for one in bench.photographs])
    if len(embeddings) != len(bench.photographs):
        yield Finding(
            "shapes",
            f"embed gave {len(embeddings)} embeddings of {len(bench.photographs)} images",
            "Return one embedding for each image, in order.",
        )
    for kind in bench.kinds:
        for multimask in (True, False):
            found = bench.answer(photo, kind, multimask=multimask)
            wrong = list(_arrays(found, len(photo.boxes)))
            yield from wrong or _upsampled(found, photo)
            if not wrong and not multimask and found.logits.shape[1] != 1:
                yield Finding(
                    "shapes",
                    f"{found.logits.shape[1]} candidates for {kind}, multimask=False",
                    "Return exactly one candidate where multimask is False.",
                )


def _arrays(found: Masks, count: int) -> Iterator[Finding]:
    import torch

    shape = tuple(found.logits.shape)
    if len(shape) != 4 or shape[0] != count or not shape[1]:
        yield Finding(
            "shapes",
            f"logits of {count} prompts have shape {shape}",
            "Return (B, C, h, w): B prompts, C candidates.",
        )
    if tuple(found.iou.shape) != shape[:2]:
        yield Finding(
            "shapes",
            f"iou has shape {tuple(found.iou.shape)}, logits {shape}",
            "Return one predicted IoU for each candidate, (B, C).",
        )
    if found.logits.dtype not in (torch.float32, torch.float64):
        yield Finding(
            "shapes", f"logits are {found.logits.dtype}", "Return float32 logits, not masks."
        )


def _upsampled(found: Masks, photo: Photograph) -> Iterator[Finding]:
    full = found.at_image_size()
    wanted = (*found.logits.shape[:2], *photo.size)
    if found.size != photo.size or tuple(full.shape) != wanted:
        yield Finding(
            "shapes",
            f"an image of {photo.size} (H, W) gives masks of {tuple(full.shape)[2:]}",
            "Set Masks.size to (H, W) of the image and let resize bring the logits there.",
        )
    if not bool(full.isfinite().all()):
        yield Finding(
            "shapes", "logits are not finite", "Look for NaN, as from half precision, in the model."
        )


def predicted_iou(bench: Bench) -> Iterator[Finding]:
    """Predicted IoU are qualities, not logits."""
    low, high = IOU_RANGE
    for kind in bench.kinds:
        iou = bench.answer(bench.photographs[0], kind).iou
        if not bool(((iou >= low) & (iou <= high)).all()):
            yield Finding(
                "predicted iou",
                f"predicted IoU of {kind} lie between {iou.min():.3g} and {iou.max():.3g}",
                "Return qualities between 0 and 1; if they are logits, apply the sigmoid.",
            )


def coordinate_order(bench: Bench) -> Iterator[Finding]:
    """Masks lie where the prompts are, and not where x and y swapped would be."""
    for kind in bench.kinds:
        own, swapped, chance = np.mean([_placed(bench, s, kind) for s in bench.photographs], axis=0)
        bench.facts[f"overlap with truth, {kind}"] = round(float(own), 3)
        if swapped > own:
            yield Finding(
                "coordinate order",
                f"masks of {kind} overlap what lies under the swapped coordinates "
                f"({swapped:.2f}) more than what was asked for ({own:.2f})",
                "Points are (x, y) and boxes (x0, y0, x1, y1): swap neither x and y nor H and W.",
            )
        elif own <= chance + 0.01:
            yield Finding(
                "coordinate order",
                f"masks of {kind} fit what was asked for ({own:.2f}) no better than another object "
                f"({chance:.2f})",
                "Bring prompts from pixels of the image to those of the network's input; if the "
                "weights are random, give --untrained.",
            )


def _placed(bench: Bench, photo: Photograph, kind: str) -> tuple[float, float, float]:
    """Mean overlap of masks with their box, with their box mirrored at the diagonal, by chance."""
    found = bench.answer(photo, kind).most_confident().binary()[:, 0]
    mirrored = photo.boxes[:, [1, 0, 3, 2]]
    others = np.roll(photo.boxes, 1, axis=0)
    own, swapped, chance = (
        np.mean([_overlap(m, b) for m, b in zip(found, boxes, strict=True)])
        for boxes in (photo.boxes, mirrored, others)
    )
    return float(own), float(swapped), float(chance)


def _overlap(mask: NDArray[np.bool_], box: NDArray[np.float64]) -> float:
    """IoU of a mask (H, W) with a filled box, which is cut at the image's edge."""
    filled = np.zeros_like(mask)
    x0, y0, x1, y1 = box.astype(int)
    filled[y0:y1, x0:x1] = True
    union = (mask | filled).sum()
    return float((mask & filled).sum() / union) if union else 0.0


def inputs_untouched(bench: Bench) -> Iterator[Finding]:
    """Images and prompts are not written to."""
    photo = bench.photographs[0]
    image = photo.image.copy()
    [embedding] = bench.model.embed([image])
    for kind in bench.kinds:
        prompts, fresh = photo.prompts(kind), photo.prompts(kind)
        bench.model.predict(embedding, prompts, multimask=True)
        part, same = getattr(prompts, kind), getattr(fresh, kind)
        if not np.array_equal(part, same) or not np.array_equal(image, photo.image):
            yield Finding(
                "inputs untouched", f"the image or the {kind} were changed", "Work on copies."
            )
