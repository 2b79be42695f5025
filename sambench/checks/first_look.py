"""What the first person who has the files of a dataset should look at: see `DatasetCard.unseen`."""

from __future__ import annotations

from collections.abc import Iterator

from sambench.data.expressions import Expressions
from sambench.interfaces import Dataset
from sambench.truths import Boundaries, Concepts, Instances, Regions, Segments
from sambench.video import Tracks

LOOKS: dict[type, tuple[str, ...]] = {
    Instances: (
        "each object that its authors count is one mask: objects that touch are apart, and what is "
        "in several pieces is together",
        "nothing is an object that is none: background, void, outlines, groups marked as one",
    ),
    Segments: (
        "each segment lies on what its category says, and things and stuff are not confused",
        "void is where its authors say nothing is known, and nowhere else",
    ),
    Boundaries: ("each person's lines lie on the outlines of objects, one pixel wide",),
    Regions: ("each person's regions cover the image, and meet where objects meet",),
    Tracks: (
        "each object keeps its number, and so its colour, over all frames of its clip",
        "an object that is out of sight has an empty mask, and a frame that nobody annotated none",
    ),
    Expressions: ("each expression names the object that it is given with, and no other",),
    Concepts: ("each phrase has the masks that it names, and negative phrases have none",),
}
"""What can go wrong with each type of truth though nothing is refused."""


def first_look(dataset: Dataset) -> Iterator[str]:
    """A checklist, one line each; nothing if real files were seen, or nothing is claimed."""
    card = dataset.card
    if not card.unseen:
        return
    expected = ", ".join(f"{count} {what}" for what, count in card.expected.items())
    yield f"{card.unseen} If these are its original files, please look:"
    yield f"  [ ] the counts above are those of its authors{f' ({expected})' if expected else ''}"
    yield "  [ ] on the picture that --sheet FILE.png draws no mask is shifted or turned"
    for kind in dataset.truths:
        yield from (f"  [ ] {look}" for look in LOOKS.get(kind, ()))
    if dataset.categories:
        yield "  [ ] the categories above have their authors' names"
    yield "  [ ] one image's masks are, pixel by pixel, those of the authors' own tools"
    yield f'  then say what was seen in datasets/{card.name}.py: layout="verified on real files", '
    yield "  seen=...; and mend what was wrong, with a test on a small file of the same layout"
