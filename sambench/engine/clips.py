"""What would give a clip a wrong number in silence: frames and files that are not its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import unquote

from sambench.data.images import read_labels
from sambench.errors import UserError
from sambench.video.clips import Clip
from sambench.video.tracks import Tracks, values_in


def check_frames(clip: Clip, truth: Tracks) -> None:
    """Refuse tracks of other frames than those that a model is shown.

    Raises:
        UserError: the names of the frames differ, or their order.
    """
    if truth.frames == clip.names:
        return
    odd = sorted({*truth.frames} ^ {*clip.names})
    what = f"{odd[0]} being of one of both alone" if odd else "in another order"
    raise UserError(
        f"its clip has {len(clip)} frames and its masks are of {len(truth.frames)}, {what}; fetch "
        "both again: they are not of the same video."
    )


def check_files(folder: Path, truth: Tracks) -> list[int]:
    """Refuse a folder of predicted PNG files of which some would be read as something else.

    What is wrong with them otherwise, `Task.load` and `Task.score` say.

    Args:
        folder: of the clip, with label maps or with a folder of masks for each object; whatever is
            no folder passes.
        truth: of the clip.

    Returns:
        The objects that are to be seen in none of the files of frames where they are annotated; of
        files that cannot be scored none.

    Raises:
        UserError: there are both forms, two folders have one number, an object has no folder or a
            file with several values, or files are named after other frames.
    """
    if not folder.is_dir():
        return []
    apart = _by_number(folder)
    if apart:
        return _check_apart(folder, apart, truth)
    annotated = sorted({frame for id in truth.ids for frame in truth.annotated(id)})
    files = _files(folder, truth, annotated)
    seen = {value for path in files for value in _values(path)}
    if len(seen) == len(truth) == 1:  # of any value
        return []
    scored = files and seen <= {*truth.ids}
    return [id for id in truth.ids if scored and id not in seen]


def _check_apart(folder: Path, apart: Mapping[int, Path], truth: Tracks) -> list[int]:
    """As `check_files`, of folders by the numbers of their objects."""
    if len(apart) == len(truth) == 1:  # of any number
        apart = dict(zip(truth.ids, apart.values(), strict=True))
    lacking = [id for id in truth.ids if id not in apart]
    if lacking:
        raise UserError(
            f"{folder} has folders of objects and none of object {lacking[0]}; give each object "
            "one, with empty masks where it is not to be seen."
        )
    unseen = []
    for id in truth.ids:
        files = _files(apart[id], truth, truth.annotated(id))
        values = {path: _values(path) for path in files}
        several = [path for path in files if len(values[path]) > 1]
        if several:
            raise UserError(
                f"{several[0]} has {len(values[several[0]])} values beside 0, and a file in an "
                "object's own folder has one; save masks of 0 and 255, without smooth edges."
            )
        unseen += [] if any(values.values()) else [id]
    return unseen


def _by_number(folder: Path) -> dict[int, Path]:
    """The folders of objects by their numbers; none where other folders are among them."""
    folders = sorted(path for path in folder.iterdir() if path.is_dir())
    if not all(path.name.isdecimal() for path in folders):
        return {}
    found: dict[int, Path] = {}
    for path in folders:
        other = found.setdefault(int(path.name), path)
        if other != path:
            raise UserError(f"{other} and {path} are of the same object; keep one.")
    if found and any(folder.glob("*.png")):
        raise UserError(
            f"{folder} has PNG files beside the folder {folders[0].name}; give a file a frame, or "
            "a folder an object, not both."
        )
    return found


def _files(folder: Path, truth: Tracks, frames: Iterable[int]) -> list[Path]:
    """The files of frames, counted from 0, as far as they are there.

    Raises:
        UserError: some are not, and others are of no frame: they are named after something else.
    """
    named = {unquote(path.stem): path for path in sorted(folder.glob("*.png"))}
    names = [truth.frames[frame] for frame in frames]
    lacking = [name for name in names if name not in named]
    foreign = [path for name, path in named.items() if name not in truth.frames]
    if lacking and foreign:
        raise UserError(
            f"{foreign[0]} is of no frame of its clip, and frame {lacking[0]} has no file; give "
            "each file the name of its frame."
        )
    return [named[name] for name in names if name in named]


def _values(path: Path) -> set[int]:
    """What is in a label image beside 0."""
    return {int(value) for value in values_in(read_labels(path)) if value}
