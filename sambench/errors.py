"""The error that a user is meant to read, and what it suggests instead of an unknown name."""

import sysconfig
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from traceback import extract_tb


class UserError(ValueError):
    """Input that cannot be used; the message is one sentence that names it and the remedy.

    A byte order mark in it, as at the beginning of a list's first name, is spelled out: nobody
    sees one.
    """

    def __str__(self) -> str:
        return super().__str__().replace("\ufeff", r"\ufeff")


RENAMED = {
    "side": ("points_per_side", "image_size"),
    **dict.fromkeys(("min_iou", "iou", "iou_threshold"), ("pred_iou_thresh",)),
    **dict.fromkeys(
        ("min_stability", "stability", "stability_threshold"), ("stability_score_thresh",)
    ),
    "offset": ("stability_score_offset",),
    **dict.fromkeys(("box_nms", "nms", "nms_threshold"), ("box_nms_thresh",)),
    "crop_layers": ("crop_n_layers",),
    "crop_nms": ("crop_nms_thresh",),
    "crop_overlap": ("crop_overlap_ratio",),
    "crop_downscale": ("crop_n_points_downscale_factor",),
    "min_region": ("min_mask_region_area",),
    "output": ("fusion",),
    "limit": ("max_proposals",),
}
"""Options of 0.1 and what they are called since; of several, one is known where it is asked for."""


def renamed(name: str, known: Iterable[str]) -> list[str]:
    """Those of the known options that an option of 0.1 became; both may be written as flags."""
    new = RENAMED.get(_field(name), ())
    return [each for each in known if _field(each) in new]


def _field(name: str) -> str:
    return name.lstrip("-").replace("-", "_")


def nearest(name: str, known: Iterable[str]) -> str:
    """Suggest known names: ``did you mean a or b?``, or the whole list if none is similar.

    An option that was renamed since 0.1 has the new name suggested, see `RENAMED`.
    """
    names = sorted(known)
    close = renamed(name, names) or get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"known are {', '.join(names) or 'none'}."


def choices(name: str, known: Iterable[str]) -> str:
    """As `nearest`, with the whole list behind the name that was likely meant."""
    names = sorted(known)
    said = nearest(name, names)
    return f"{said} Known are {', '.join(names)}." if said.endswith("?") else said


def place_of(error: BaseException) -> str:
    """Where a plug-in's code raised an error, as `` at FILE, line N``; "" where it did not.

    The innermost place in code that is not installed counts; of an installed package, the place
    at which it was entered.
    """
    ours, python = Path(__file__).parent, Path(sysconfig.get_path("stdlib"))
    places = [(Path(f.filename), f.lineno) for f in extract_tb(error.__traceback__)]
    own, installed = [], []
    for path, line in places:
        if {"site-packages", "dist-packages"} & {*path.parts}:
            installed.append((path, line))
        elif path.is_file() and not (path.is_relative_to(ours) or path.is_relative_to(python)):
            own.append((path, line))
    found = own[-1:] or installed[:1]
    return f" at {found[0][0]}, line {found[0][1]}" if found else ""
