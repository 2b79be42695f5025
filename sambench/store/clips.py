"""What must be said beside the numbers of clips of what counts in none of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sambench.interfaces import JSON
from sambench.store.display import counted
from sambench.video.gaps import gaps

FEWEST = 3
"""Annotated frames from which on one counts: the first and the last do not."""


def left_out(lines: Sequence[JSON]) -> str:
    """Sentences on objects without a frame that counts, and on frames between those that do.

    Args:
        lines: with the ``id`` and the ``record`` of each clip, see `ClipTask`.

    Returns:
        Nothing where all count, and where none does: that is said otherwise.
    """
    counts = {line["id"]: [*_counting(line["record"])] for line in lines}
    if not any(map(any, counts.values())):
        return ""
    without = {id: n for id, own in counts.items() if (n := own.count([]))}
    holes = {id: n for id, own in counts.items() if (n := sum(len(gaps(each)) for each in own))}
    said = []
    if without:
        said.append(
            f"{counted(sum(without.values()), 'objects')} of {counted(len(without), 'clips')}, "
            f"first {next(iter(without))}, annotated in fewer than {FEWEST} frames, count in no "
            "metric."
        )
    if holes:
        said.append(
            f"In {counted(len(holes), 'clips')}, first {next(iter(holes))}, frames between those "
            "that count have no mask; they count in no metric."
        )
    return " ".join(said)


def _counting(record: JSON) -> Iterator[list[int]]:
    """By object the frames that count, counted from 0."""
    for own in record["objects"].values():
        yield [frame for frame, value in enumerate(own["j"]) if value is not None]
