"""What a model is given, checked before PyTorch is needed: the device, an image, prompts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.interfaces import Model, Prompts


def choose_device(device: str, precision: str) -> str:
    """The device as PyTorch writes it, checked together with the precision.

    Raises:
        UserError: one of them is not to be had here.
    """
    if (device, precision) == ("cpu", "float32"):
        return device  # there for certain, without asking PyTorch
    import torch

    from .nn import precision as arithmetics

    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise UserError(
            f"device {device!r} is unknown to PyTorch; give --device cpu or cuda."
        ) from None
    arithmetics.check(chosen, precision)
    return "cpu" if chosen.type == "cpu" else str(chosen)


def check_image(image: NDArray[np.uint8]) -> None:
    """Refuse what is not an image.

    Raises:
        UserError: it is not (H, W, 3) uint8.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise UserError(
            f"an image is (H, W, 3) uint8, not {image.shape} {image.dtype}; convert it."
        )


def check_prompts(model: Model, prompts: Prompts) -> None:
    """Refuse prompts of kinds that a model does not take, and those of the wrong shape.

    Raises:
        UserError: there are such prompts.
    """
    lacking = prompts.kinds() - model.prompts
    if lacking:
        raise UserError(
            f"model {model.card.name} takes {' and '.join(sorted(model.prompts))}, not "
            f"{' and '.join(sorted(lacking))}; choose another model."
        )
    for kind, last, rank in (("points", 2, 3), ("boxes", 4, 2), ("masks", None, 4)):
        part = getattr(prompts, kind)
        if part is not None and (part.ndim != rank or last not in (None, part.shape[-1])):
            raise UserError(f"{kind} of shape {tuple(part.shape)} are none; see Prompts.")
        if kind != "masks" and part is not None and not np.isfinite(part).all():
            raise UserError(f"{kind} must be finite numbers; leave out those that are not.")
    if prompts.points is not None and prompts.points.shape[:2] != np.asarray(prompts.labels).shape:
        raise UserError("each point needs one label: give points (B, N, 2) and labels (B, N).")
    if prompts.labels is not None and not np.isin(prompts.labels, (-2, -1, 0, 1)).all():
        raise UserError("labels are 1 (foreground), 0 (background), -1 (padding) or -2 (blank).")


def without_padding(prompts: Prompts) -> list[tuple[NDArray[np.intp], Prompts]]:
    """Group prompts by how many points they have, without the points that only fill up the batch.

    To SAM a padding point is a token like others: with it, an answer would depend on what other
    prompts there are in the batch.

    Returns:
        Rows of the batch and their prompts, for each number of points.
    """
    if prompts.points is None or prompts.labels is None:
        return [(np.arange(len(prompts)), prompts)]
    real = np.asarray(prompts.labels) != -1
    if real.all():
        return [(np.arange(len(prompts)), prompts)]
    counts, front = real.sum(axis=1), np.argsort(~real, axis=1, kind="stable")

    def of(rows: NDArray[np.intp], count: int) -> Prompts:
        chosen = rows[:, None], front[rows, :count]
        boxes, masks = (None if p is None else p[rows] for p in (prompts.boxes, prompts.masks))
        texts = None if prompts.texts is None else tuple(prompts.texts[row] for row in rows)
        points, labels = np.asarray(prompts.points), np.asarray(prompts.labels)
        return Prompts(points[chosen], labels[chosen], boxes, masks, texts)

    groups = [(np.flatnonzero(counts == count), int(count)) for count in np.unique(counts)]
    return [(rows, of(rows, count)) for rows, count in groups]
