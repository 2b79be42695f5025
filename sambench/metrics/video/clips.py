"""From the masks of a clip to its record, and from records to J&F of a set.

Two rules say which frames count:

* ``davis``, of davis2017-evaluation's semi-supervised evaluation: of each object that the first
  annotated frame numbers, all annotated frames but the first and the last.
* ``sav``, of SA-V's sav_evaluator: of each object all frames in which it is annotated but the first
  and the last, from the first of these in which it is to be seen or is predicted; an object that is
  to be seen in none of them does not count.

J and F of an object are means over its frames, those of a set means over its objects, whatever
their clips, and J&F is the mean of both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.masks.rle import Runs, areas
from sambench.metrics.video.boundary import boundary_of_runs
from sambench.metrics.video.region import jaccard_of_runs, pair
from sambench.metrics.video.statistics import statistics
from sambench.shown import RLE

JSON = dict[str, Any]
RULES = ("davis", "sav")
NAMES = ("j", "j_recall", "j_decay", "f", "f_recall", "f_decay")
"""Columns of a table of objects, and all but jf of what `estimator` gives."""


def clip_record(
    predicted: Mapping[int, Sequence[RLE]],
    truth: Mapping[int, Sequence[RLE | None]],
    rule: str = "davis",
) -> JSON:
    """J and F of every object of a clip, frame by frame.

    Args:
        predicted: object id -> T COCO run-length encodings, an empty mask where it is not seen. An
            object that is not there is seen nowhere; one that is not in `truth` counts nowhere.
        truth: object id -> T encodings, None where nobody looked for the object.
        rule: one of `RULES`.

    Returns:
        ``{"objects": {"1": {"j": [T], "f": [T]}}}`` for the objects that the rule counts; None for
        a frame that does not count. Where ``davis`` leaves out objects that come later, their ids
        are ``"uncounted"``.

    Raises:
        UserError: the rule is unknown, or masks are damaged, too few or of other sizes.
    """
    if rule not in RULES:
        raise UserError(f"rule {rule} is unknown; give {' or '.join(RULES)}.")
    counted = _numbered(truth) if rule == "davis" else list(truth)
    objects = {}
    for id in counted:
        scores = _object(predicted.get(id), truth[id], rule)
        if scores is not None:
            objects[str(id)] = scores
    late = [id for id in truth if id not in counted]
    return {"objects": objects, **({"uncounted": late} if late else {})}


def _numbered(truth: Mapping[int, Sequence[RLE | None]]) -> list[int]:
    """Ids up to the highest that the first annotated frame shows."""
    known = {
        id: [(i, rle) for i, rle in enumerate(own) if rle is not None] for id, own in truth.items()
    }
    first = min((own[0][0] for own in known.values() if own), default=0)
    shown = [id for id, own in known.items() if own and own[0][0] == first and _seen(own[0][1])]
    return [id for id in truth if id <= max(shown, default=-1)]


def _seen(rle: RLE) -> bool:
    return bool(areas([rle])[0])


def _object(predicted: Sequence[RLE] | None, truth: Sequence[RLE | None], rule: str) -> JSON | None:
    """J and F of one object; None where it does not count."""
    annotated = [(i, rle) for i, rle in enumerate(truth) if rle is not None][1:-1]
    frames, known = [i for i, _ in annotated], [rle for _, rle in annotated]
    if predicted is not None and len(predicted) != len(truth):
        raise UserError(
            f"{len(predicted)} predicted masks for {len(truth)} frames; give one for each frame."
        )
    given = [_empty(rle) if predicted is None else predicted[i] for i, rle in annotated]
    first, second = pair(given, known)
    begin = _begin(first, second) if rule == "sav" else 0
    if begin is None:
        return None
    scores: JSON = {"j": [None] * len(truth), "f": [None] * len(truth)}
    values = {"j": jaccard_of_runs(first, second), "f": boundary_of_runs(first, second)}
    for name, found in values.items():
        for i, value in list(zip(frames, found.tolist(), strict=True))[begin:]:
            scores[name][i] = value
    return scores


def _begin(predicted: Runs, truth: Runs) -> int | None:
    """The first frame that SA-V's rule counts; None if the object is to be seen in none."""
    if not truth.areas.any():
        return None
    return int(np.argmax((predicted.areas > 0) | (truth.areas > 0)))


def _empty(like: RLE) -> RLE:
    """A mask without a pixel, of the size of another one."""
    from sambench.masks.rle import encode

    return encode(np.zeros((1, *like["size"]), dtype=bool))[0]


def object_table(record: JSON) -> dict[str, dict[str, float]]:
    """Object -> mean, recall and decay of J and F over its frames, by the `NAMES`, and jf.

    Args:
        record: what `clip_record` gives. An object without a frame that counts is left out.
    """
    found = {}
    for id, scores in record["objects"].items():
        known = {name: [v for v in scores[name] if v is not None] for name in ("j", "f")}
        if known["j"]:
            own = [value for name in ("j", "f") for value in statistics(np.array(known[name]))]
            found[id] = {"jf": (own[0] + own[3]) / 2, **dict(zip(NAMES, own, strict=True))}
    return found


def estimator(records: Sequence[JSON]) -> Callable[[NDArray[np.float64]], dict[str, float]]:
    """Records of clips -> J&F, J and F with recall and decay, for any weights of the clips.

    Args:
        records: N of what `clip_record` gives.

    Returns:
        A function of counts (N,), how often each clip is taken -> ``jf`` and the `NAMES`, means
        over the objects of all clips; NaN without objects.
    """
    tables = [object_table(record) for record in records]
    sums = np.array([
        [sum(own[name] for own in table.values()) for name in NAMES] for table in tables
    ]).reshape(len(tables), len(NAMES))  # fmt: skip
    objects = np.array([len(table) for table in tables], dtype=np.float64)

    def estimate(counts: NDArray[np.float64]) -> dict[str, float]:
        weight = counts @ objects
        means = (counts @ sums) / weight if weight else np.full(len(NAMES), np.nan)
        values = dict(zip(NAMES, means.tolist(), strict=True))
        return {"jf": (values["j"] + values["f"]) / 2, **values}

    return estimate
