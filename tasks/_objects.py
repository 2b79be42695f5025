"""Annotated objects: which a task asks for, and what their records show beside the metrics."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.interfaces import JSON, Dataset, Histogram
from sambench.truths import Instances

GroundTruth = Literal["exact", "dilated"]
"""What counts as an object: its annotated mask, or every pixel that this touches once it went to
the square of 1024 x 1024 pixels that SAM sees and back (EdgeSAM, Zhou et al., 2023)."""
SINGLE = "annotate single objects, or set iscrowd to 0 where that is what they are"
"""What to do for a task that has no option to count crowd regions."""


def require_objects(dataset: Dataset, ids: Sequence[str], remedy: str) -> None:
    """Refuse images that have crowd regions alone, for a task that does not count them.

    Args:
        dataset: gives the numbers, where it knows them.
        ids: the images.
        remedy: what to do, such as "give --crowd true".

    Raises:
        UserError: there is nothing but crowd regions.
    """
    objects, crowds = dataset.annotated(ids) or (1, 0)
    if not objects and crowds:
        raise UserError(
            f"all {crowds} annotations of dataset {dataset.card.name} are crowd regions (iscrowd), "
            f"which do not count, so there is nothing to score; {remedy}."
        )


def require_points(dataset: Dataset, ids: Sequence[str]) -> None:
    """Refuse images whose objects were annotated without a point, for a task that clicks on it.

    Raises:
        UserError: an image has none.
    """
    for id in ids:
        truth = dataset.read_truth(id, Instances)
        if len(truth) and "points" not in truth.extra:
            raise UserError(
                f"{id} of dataset {dataset.card.name} has no annotated points, as SA-1B has them; "
                "click elsewhere first, such as --first center."
            )


def object_mask(annotated: NDArray[np.bool_], ground_truth: GroundTruth) -> NDArray[np.bool_]:
    """What counts as an object that is annotated by a mask, both (H, W) bool."""
    if ground_truth == "exact":
        return annotated
    from sambench.masks.frame import dilated

    return dilated(annotated)


BINS = 20


def iou_histogram(values: Iterable[float]) -> Histogram:
    """How many objects have which IoU, in 20 bins of [0, 1]."""
    counts, edges = np.histogram([*values], bins=BINS, range=(0, 1))
    return Histogram("IoU", tuple(edges.round(6).tolist()), tuple(counts.tolist()))


def category_counts(records: Sequence[JSON]) -> dict[str, int]:
    """How many objects records list of each category, by its id as text."""
    return Counter(str(category) for record in records for category in record["categories"])
