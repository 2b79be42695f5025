"""Objects followed through clips: prompts, and predictions as folders of PNG files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sambench.data.images import read_labels
from sambench.errors import UserError
from sambench.masks.clicks import Click, first_click, next_click
from sambench.masks.rle import boxes, decode, encode
from sambench.shown import RLE, Layer
from sambench.store.paths import file_stem
from sambench.video.clips import Clip
from sambench.video.interfaces import Answers, FramePrompt, State, VideoModel, exclusive
from sambench.video.tracks import Tracks, values_in

MOST = 255
"""The largest id that a label map of DAVIS's format holds."""
INSIDE = 255
"""Value of an object's pixels in a file of its own, as SA-V's servers take them: not 0."""


def mask_prompt(mask: NDArray[np.bool_]) -> FramePrompt:
    """The object's mask (H, W) itself."""
    return FramePrompt(mask=mask)


def box_prompt(mask: NDArray[np.bool_]) -> FramePrompt:
    """The tight box of an object's mask (H, W)."""
    return FramePrompt(box=boxes(encode(mask[None]))[0])


def click_prompt(clicks: Sequence[Click]) -> FramePrompt:
    """All clicks of an object on a frame so far."""
    points = np.array([[click.x, click.y] for click in clicks], dtype=np.float64)
    return FramePrompt(points, np.array([int(click.positive) for click in clicks]))


@dataclass(frozen=True)
class Target:
    """An object on a frame where it is prompted.

    Attributes:
        frame: counted from 0.
        id: of the object.
        mask: (H, W) bool, the truth.
        ignore: (H, W) bool, pixels that are neither right nor wrong, or None.
    """

    frame: int
    id: int
    mask: NDArray[np.bool_]
    ignore: NDArray[np.bool_] | None = None


def click_on(
    model: VideoModel,
    state: State,
    target: Target,
    count: int,
    seen: NDArray[np.bool_] | None = None,
) -> list[Click]:
    """Click on an object of a frame: on its centre, then on the centre of the larger error.

    Args:
        model: that follows objects.
        state: of the clip.
        target: what is clicked on.
        count: clicks to make; fewer are made where no error is left.
        seen: (H, W) bool, the mask that is there; without one the first click is on the object.

    Returns:
        The clicks.
    """
    clicks: list[Click] = []
    for _ in range(count):
        if seen is None:
            click = first_click(target.mask)
        else:
            taken = [(click.x, click.y) for click in clicks]
            click = next_click(target.mask, seen, ignore=target.ignore, clicked=taken)
        if click is None:
            break
        clicks.append(click)
        answer = model.add(state, target.frame, target.id, click_prompt(clicks))
        seen = np.asarray(answer) > 0
    return clicks


def followed(
    model: VideoModel,
    state: State,
    clip: Clip,
    firsts: Mapping[int, int],
    *,
    exclusively: bool,
) -> Tracks:
    """Follow objects that were told of from the first of their frames to the end of a clip.

    Args:
        model: that follows them.
        state: of the clip.
        clip: its frames.
        firsts: by object the frame from which on its masks count; before, it has empty ones.
        exclusively: a pixel is of one object at most, see `exclusive`.
    """
    [nothing] = encode(np.zeros((1, *clip.size), dtype=bool))
    found: dict[int, list[RLE | None]] = {id: [nothing] * len(clip) for id in firsts}
    for frame, answers in model.propagate(state, min(firsts.values())):
        masks = masks_of(answers, (id for id, first in firsts.items() if first <= frame),
                         exclusively=exclusively)  # fmt: skip
        for id, mask in masks.items():
            [found[id][frame]] = encode(mask[None])
    return Tracks(clip.names, clip.size, {id: tuple(own) for id, own in found.items()})


def masks_of(
    answers: Answers, ids: Iterable[int], *, exclusively: bool
) -> dict[int, NDArray[np.bool_]]:
    """The masks (H, W) of those objects of a frame that count, by object."""
    own = {id: answers[id] for id in ids}
    return exclusive(own) if exclusively else {id: np.asarray(a) > 0 for id, a in own.items()}


def write_tracks(tracks: Tracks, folder: Path) -> None:
    """Write the objects of a clip as PNG files, one a frame.

    A file for each frame holds ids, in DAVIS's colours; no two objects share a pixel.

    Raises:
        UserError: an id is none that a label map can hold.
    """
    folder.mkdir(parents=True)
    for index, name in enumerate(tracks.frames):
        masks = {id: decode([rle])[0] for id in tracks.ids if (rle := tracks.masks[id][index])}
        _write(_labels(masks, tracks.size, folder), folder / f"{file_stem(name)}.png")


def write_apart(tracks: Tracks, folder: Path) -> None:
    """Write the objects of a clip as PNG files, in a folder for each, named by its id.

    The names have three digits, as those of SA-V; a pixel is 255 in the object and 0 elsewhere.
    """
    for id in tracks.ids:
        own = folder / f"{id:03d}"
        own.mkdir(parents=True)
        for name, rle in zip(tracks.frames, tracks.masks[id], strict=True):
            if rle is not None:
                inside = decode([rle])[0].astype(np.uint8) * INSIDE
                Image.fromarray(inside).save(own / f"{file_stem(name)}.png")


def _labels(
    masks: Mapping[int, NDArray[np.bool_]], size: tuple[int, int], folder: Path
) -> NDArray[np.uint8]:
    labels = np.zeros(size, dtype=np.uint8)
    for id, mask in masks.items():
        if not 0 < id <= MOST:
            raise UserError(
                f"object {id} of {folder.name} cannot be saved in a label map, whose ids go from 1 "
                f"to {MOST}; give --exclusive false, by which each object has files of its own, or "
                "--predictions none."
            )
        labels[mask] = id
    return labels


def _write(labels: NDArray[np.uint8], path: Path) -> None:
    image = Image.fromarray(labels, mode="P")
    image.putpalette(palette())
    image.save(path)


def palette() -> bytes:
    """256 colours, three bytes each, as those of DAVIS and PASCAL VOC.

    The bits of an id, from the lowest, go in turn to red, green and blue, from the highest bit.
    """
    ids = np.arange(256)
    colours = np.zeros((256, 3), dtype=np.uint8)
    for bit in range(8):
        channel, place = bit % 3, 7 - bit // 3
        colours[:, channel] |= (((ids >> bit) & 1) << place).astype(np.uint8)
    return colours.tobytes()


def read_tracks(folder: Path) -> Tracks:
    """Read the objects of a clip from PNG files in either form; frames in order of their names.

    Raises:
        UserError: there are none, one is damaged, or they are of different sizes.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is not there; give a folder with one of PNG files a clip.")
    apart = sorted(path for path in folder.iterdir() if path.is_dir())
    found = _read_apart(apart) if apart else _read_labels(folder)
    frames = sorted({name for own in found.values() for name in own})
    sizes = {tuple(rle["size"]) for own in found.values() for rle in own.values()}
    if not frames:
        raise UserError(f"{folder} holds no PNG files; give one a frame.")
    if len(sizes) > 1:
        raise UserError(f"{folder} has frames of sizes {sorted(sizes)}; a clip has one.")
    [(height, width)] = sizes
    masks = {id: tuple(own.get(name) for name in frames) for id, own in found.items()}
    if not apart:
        del masks[0]  # the background
    return Tracks(tuple(map(unquote, frames)), (height, width), masks)


def _read_labels(folder: Path) -> dict[int, dict[str, RLE]]:
    """By id, which is 0 for the background, and frame: the masks of label maps."""
    found: dict[int, dict[str, RLE]] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for path in sorted(folder.glob("*.png")):
        labels, name = read_labels(path), path.stem
        shapes[name] = labels.shape
        ids = np.union1d(values_in(labels), [0])
        for id, rle in zip(ids.tolist(), encode(labels == ids[:, None, None]), strict=True):
            found.setdefault(id, {})[name] = rle
    nothing = {s: encode(np.zeros((1, *s), dtype=bool))[0] for s in set(shapes.values())}
    empty = {name: nothing[shape] for name, shape in shapes.items()}
    return {id: {**empty, **own} for id, own in found.items()}


def _read_apart(folders: Sequence[Path]) -> dict[int, dict[str, RLE]]:
    """By id and frame: the masks of files of each object's own."""
    found: dict[int, dict[str, RLE]] = {}
    for folder in folders:
        if not folder.name.isdecimal():
            raise UserError(f"{folder} is named by no id; a clip has PNG files or a folder an id.")
        masks = ((path.stem, read_labels(path) > 0) for path in sorted(folder.glob("*.png")))
        found[int(folder.name)] = {name: encode(mask[None])[0] for name, mask in masks}
    return found


def matched(prediction: Tracks, truth: Tracks) -> Iterator[tuple[int, tuple[RLE | None, ...]]]:
    """By object of the truth: its predicted mask in each of the truth's frames.

    Frames go by their names, objects by their ids; where both have one object, it is the same one,
    as in DAVIS 2016, whose files hold 255. An object that was never predicted has empty masks.

    Raises:
        UserError: the size is another, or an object is predicted that is not asked for.
    """
    if prediction.size != truth.size:
        raise UserError(
            f"its predicted masks are of size {prediction.size}, its frames of {truth.size} "
            "(height, width); save them at the size of the frames."
        )
    masks = dict(prediction.masks)
    if len(masks) == 1 and len(truth) == 1:
        masks = dict(zip(truth.ids, masks.values(), strict=True))
    unknown = sorted(masks.keys() - set(truth.ids))
    if unknown:
        raise UserError(
            f"object {unknown[0]} is predicted, and its objects are "
            f"{', '.join(map(str, truth.ids))}; number them as the annotations do."
        )
    place = {name: index for index, name in enumerate(prediction.frames)}
    nothing = encode(np.zeros((1, *truth.size), dtype=bool))[0]
    for id in truth.ids:
        own = masks.get(id, (nothing,) * len(place))
        yield id, tuple(own[place[name]] if name in place else None for name in truth.frames)


def filled(masks: Sequence[RLE | None], truth: Tracks, id: int) -> list[RLE]:
    """An object's masks in all frames, empty ones where none was predicted and none is annotated.

    Raises:
        UserError: none was predicted in a frame in which the object is annotated, other than the
            first and the last of these, which no rule counts.
    """
    for frame in truth.annotated(id)[1:-1]:
        if masks[frame] is None:
            raise UserError(
                f"nothing is predicted for object {id} in frame {truth.frames[frame]}; save a PNG "
                "for every frame that is annotated."
            )
    [nothing] = encode(np.zeros((1, *truth.size), dtype=bool))
    return [nothing if mask is None else mask for mask in masks]


def layers_of(tracks: Tracks) -> Layer:
    """The masks in the first frame, which stands for the clip where one image must."""
    return Layer(masks=[own[0] for own in tracks.masks.values() if own and own[0] is not None])
