"""Category names as noun phrases: `Concepts` of a dataset of instances."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from sambench.interfaces import JSON
from sambench.metrics.concepts import phrases
from sambench.truths import Concepts, Instances

from ._instances import without_empty


def from_categories(
    truth: Instances,
    names: Mapping[int, str],
    *,
    absent: Iterable[int],
    unsure: Iterable[int] = (),
) -> Concepts:
    """The phrases of one image: the categories that it shows, and those known to be absent.

    A category's name is its phrase, see `phrases`; categories of one name are one phrase. Of
    categories that are neither annotated nor known to be absent nothing is asked. Phrases come in
    the order of the ids.

    Args:
        truth: instances of the image, of one annotator; masks without a pixel are left out.
        names: category id -> name.
        absent: categories of which the image has no instance.
        unsure: categories of which instances may be unmarked.
    """
    truth = without_empty(truth)
    phrase = phrases(names)
    marked: dict[str, list[JSON]] = {}
    for id, rle in zip(truth.categories.tolist(), truth.rles, strict=True):
        marked.setdefault(phrase[id], []).append(rle)
    asked = {phrase[id]: None for id in sorted({*truth.categories.tolist(), *absent})}
    unmarked = {phrase[id] for id in unsure}
    return Concepts(
        truth.size,
        tuple(asked),
        tuple((tuple(marked.get(name, ())),) for name in asked),
        np.array([name not in unmarked for name in asked], dtype=bool),
    )
