"""The clips of a board: J and F over time, and frames to move through; see assets/clips.js."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sambench.errors import UserError
from sambench.interfaces import JSON, Dataset
from sambench.report.leaderboard import Board
from sambench.report.numbers import metric_of, show_metric
from sambench.report.pages.browser import ScoredRun
from sambench.report.pages.layers import (
    TRUTH,
    fit,
    write_outlines,
    write_photo,
    write_prediction,
)
from sambench.report.pages.links import browser_address
from sambench.report.pages.render import Page
from sambench.report.scores import chosen_images
from sambench.shown import RLE
from sambench.store.paths import file_stem
from sambench.video.clips import Clip, ClipDataset
from sambench.video.interfaces import ClipTask
from sambench.video.tracks import Tracks

log = logging.getLogger(__name__)
Write = Callable[[Sequence[RLE], tuple[int, int], Path], None]
FRAMES = 120
"""Frames of a clip that are drawn at most, evenly spaced."""


def clip_page(
    board: Board,
    runs: Sequence[ScoredRun],
    dataset: Dataset | None,
    folder: Path,
    *,
    most: int,
    side: int,
) -> Page:
    """The clips of a board, worst first; draws the frames of some.

    Args:
        board: the board.
        runs: its runs whose clips have scores.
        dataset: whose frames may be read; None draws nothing.
        folder: for the pictures; addresses are relative to the folder above it.
        most: how many clips to draw.
        side: longest side of a picture.
    """
    ids = dict.fromkeys(id for run in runs for id in run.scores)
    named = {str(i): run.shown for i, run in enumerate(runs)}
    chosen = chosen_images(named, metric_of(runs[0].run.result), most)
    clips: list[JSON] = [
        {
            "id": id,
            "scores": [run.scores.get(id) for run in runs],
            "runs": [_objects(run.lines.get(id)) for run in runs],
        }
        for id in ids
    ]
    if isinstance(dataset, ClipDataset):
        wanted = [(number, id) for number, id in enumerate(ids) if id in chosen]
        # Most of drawing is done outside of Python: decoding, resizing, encoding.
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            drawn = threads.map(
                lambda each: _drawn(each[1], runs, dataset, folder / f"{each[0]:06d}", side), wanted
            )
            for (number, _), pictures in zip(wanted, drawn, strict=True):
                clips[number] |= pictures
    for_script = {
        "metric": show_metric(board.metric),
        "factor": board.metric.factor,
        "decimals": board.metric.places,
        "runs": [run.run.result.model for run in runs],
        "clips": clips,
        "why": "not drawn; raise --images"
        if dataset is not None
        else f"the frames of {board.dataset} were not given; see --dataset",
    }
    data = {"board": board, "runs": for_script["runs"], "truth": TRUTH, "for_script": for_script}
    return Page(browser_address(board), "clips.html", f"Clips: {board.title}", data)


def _objects(line: JSON | None) -> JSON:
    """J and F of each object in each frame, to three decimals; nothing where the clip failed."""
    objects: Mapping[str, Any] = line["record"]["objects"] if line else {}
    return {
        id: {name: [v if v is None else round(v, 3) for v in own[name]] for name in ("j", "f")}
        for id, own in objects.items()
    }


def _drawn(
    id: str, runs: Sequence[ScoredRun], dataset: ClipDataset, folder: Path, side: int
) -> JSON:
    """Draw frames of a clip; one that cannot be read any more is left without."""
    try:
        clip, truth = dataset.clip(id), dataset.read_truth(id, Tracks)
        size = fit(clip.size, side)
        shown = list(range(0, len(clip), -(-len(clip) // FRAMES)))
        folder.mkdir(parents=True, exist_ok=True)
        pictures = _frames(clip, truth, shown, size, folder)
    except (UserError, KeyError) as error:
        log.warning("clip %s is not drawn: %s", id, error)
        return {}
    return {
        "width": size[1],
        "height": size[0],
        "shown": shown,
        "names": [clip.names[frame] for frame in shown],
        **pictures,
        "predicted": [
            _predicted(id, run, clip, shown, size, folder, number)
            for number, run in enumerate(runs)
        ],
    }


def _frames(
    clip: Clip, truth: Tracks, shown: Sequence[int], size: tuple[int, int], folder: Path
) -> JSON:
    """Photographs, and outlines of the truth, "" where a frame is not annotated."""
    photos, outlines = [], []
    for frame in shown:
        path = folder / f"{frame:05d}.jpg"
        write_photo(clip.frame(frame), size, path)
        photos.append(_address(path))
        path = folder / f"{frame:05d}-truth.png"
        outlines.append(_layer(truth, frame, size, path, write_outlines))
    return {"photos": photos, "truth": outlines}


def _predicted(
    id: str,
    run: ScoredRun,
    clip: Clip,
    shown: Sequence[int],
    size: tuple[int, int],
    folder: Path,
    number: int,
) -> list[str]:
    """Pictures of a run's masks; none where no prediction was kept."""
    if not run.predicted(id):
        return []
    assert isinstance(run.task, ClipTask)
    try:
        tracks = run.task.tracks(run.task.load(run.run.predictions / file_stem(id)))
    except UserError as error:
        log.warning("a prediction is not drawn: %s", error)
        return []
    place = {name: index for index, name in enumerate(tracks.frames)}
    return [
        _layer(tracks, place[name], size, folder / f"{frame:05d}-{number}.png", write_prediction)
        if (name := clip.names[frame]) in place
        else ""
        for frame in shown
    ]


def _layer(tracks: Tracks, frame: int, size: tuple[int, int], path: Path, write: Write) -> str:
    """Draw the masks of a frame; "" where there is none, so that nothing has to be drawn."""
    masks = [rle for own in tracks.masks.values() if (rle := own[frame]) is not None]
    if not masks:
        return ""
    write(masks, size, path)
    return _address(path)


def _address(path: Path) -> str:
    """Relative to the site; file names are made here and safe."""
    return "/".join(path.parts[-4:])
