"""Category names as noun phrases: `Concepts` of a dataset of instances."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from sambench.interfaces import Concepts, Instances

from ._instances import without_empty


def from_categories(
    truth: Instances,
    names: Mapping[int, str],
    *,
    absent: Iterable[int],
    unsure: Iterable[int] = (),
) -> Concepts:
    """The phrases of one image: the categories that it shows, and those known to be absent.

    A category's name is its phrase, underscores read as spaces. Of categories that are neither
    annotated nor known to be absent nothing is asked. Phrases come in the order of the ids.

    Args:
        truth: instances of the image, of one annotator; masks without a pixel are left out.
        names: category id -> name.
        absent: categories of which the image has no instance.
        unsure: categories of which instances may be unmarked.
    """
    truth = without_empty(truth)
    shown = set(truth.categories.tolist())
    asked, unmarked = sorted(shown | set(absent)), set(unsure)
    marked = {
        id: tuple(truth.rles[i] for i in np.flatnonzero(truth.categories == id)) for id in shown
    }
    return Concepts(
        truth.size,
        tuple(names[id].replace("_", " ") for id in asked),
        tuple((marked.get(id, ()),) for id in asked),
        np.array([id not in unmarked for id in asked], dtype=bool),
    )
