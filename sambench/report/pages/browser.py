"""Drawing the images of a board for the image browser."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sambench.errors import UserError
from sambench.interfaces import JSON, Dataset, Task
from sambench.report.numbers import metric_of
from sambench.report.pages.layers import (
    draw_errors,
    draw_outlines,
    draw_prediction,
    fit,
    write_layer,
    write_photo,
)
from sambench.report.scores import Scores, chosen_images
from sambench.store.paths import file_stem
from sambench.store.run import Run

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ScoredRun:
    """A run with what the browser needs of it.

    Attributes:
        run: the result file.
        task: its task.
        lines: of its records, by image id.
        scores: by image id.
    """

    run: Run
    task: Task
    lines: Mapping[str, JSON]
    scores: Scores

    @property
    def shown(self) -> Scores:
        """The scores of images to choose from: those with a prediction, or all if there is none."""
        known = {id: value for id, value in self.scores.items() if self.predicted(id)}
        return known or self.scores

    def predicted(self, id: str) -> bool:
        """Whether an image's prediction was kept."""
        return file_stem(id) in self.run.predicted


def browser_images(
    runs: Sequence[ScoredRun], dataset: Dataset | None, folder: Path, *, most: int, side: int
) -> list[JSON]:
    """Scores of all images of a board, with drawn layers for the chosen ones.

    Args:
        runs: of one board.
        dataset: whose photographs may be read; None draws nothing.
        folder: for the pictures; addresses are relative to the folder above it.
        most: how many images to draw.
        side: longest side of a picture.

    Returns:
        For each image what assets/browser.js reads.
    """
    ids = dict.fromkeys(id for run in runs for id in run.scores)
    metric = metric_of(runs[0].run.result)
    named = {str(i): run.shown for i, run in enumerate(runs)}
    drawn = set(chosen_images(named, metric, most)) if dataset is not None and most else set()
    images = []
    for number, id in enumerate(ids):
        image: JSON = {"id": id, "scores": [run.scores.get(id) for run in runs]}
        if dataset is not None and id in drawn:
            image |= _drawn(id, number, runs, dataset, folder, side)
        images.append(image)
    return images


def _drawn(
    id: str, number: int, runs: Sequence[ScoredRun], dataset: Dataset, folder: Path, side: int
) -> JSON:
    """Draw one image; an image that cannot be read any more is left without a picture."""
    task = runs[0].task
    try:
        photo = dataset.read_image(id)
        truth: Any = dataset.read_truth(id, task.truth)
    except (UserError, KeyError) as error:
        log.warning("image %s is not drawn: %s", id, error)
        return {}
    folder.mkdir(parents=True, exist_ok=True)
    full = photo.shape[0], photo.shape[1]
    size = fit(full, side)
    stem = folder / f"{number:06d}"
    write_photo(photo, size, stem.with_suffix(".jpg"))
    layers = {"Photo": _address(stem.with_suffix(".jpg"))}
    drawn = truth.layer()
    if drawn is not None:
        path = stem.with_name(f"{stem.name}-truth.png")
        write_layer(draw_outlines(drawn, size), path)
        layers["Truth"] = _address(path)
    scale = size[1] / full[1], size[0] / full[0]
    return {
        "width": size[1],
        "height": size[0],
        "layers": layers,
        "runs": [
            _run_layers(id, run, truth, size, scale, stem.with_name(f"{stem.name}-{i}"))
            for i, run in enumerate(runs)
        ],
    }


def _run_layers(
    id: str,
    run: ScoredRun,
    truth: Any,
    size: tuple[int, int],
    scale: tuple[float, float],
    stem: Path,
) -> JSON:
    """Layers and prompts of one run on one image."""
    prediction = _prediction(id, run)
    layers = {}
    drawn = {} if prediction is None else run.task.layers(prediction)
    for i, (name, predicted) in enumerate(drawn.items()):
        path = stem.with_name(f"{stem.name}-{i}.png")
        write_layer(draw_prediction(predicted, size), path)
        layers[name] = _address(path)
        wanted = None if i else run.task.asked(prediction, truth)
        errors = None if wanted is None else draw_errors(wanted, predicted, size)
        if errors is not None:
            path = stem.with_name(f"{stem.name}-errors.png")
            write_layer(errors, path)
            layers["Errors"] = _address(path)
    return {"layers": layers, "prompts": _prompts(run, id, prediction, truth, scale)}


def _prediction(id: str, run: ScoredRun) -> Any:
    """The prediction that was kept; None where there is none, or, with a warning, none to read."""
    if not run.predicted(id):
        return None
    try:
        return run.task.load(run.run.predictions / file_stem(id))
    except UserError as error:
        log.warning("a prediction is not drawn: %s", error)
        return None


def _prompts(
    run: ScoredRun, id: str, prediction: Any, truth: Any, scale: tuple[float, float]
) -> JSON:
    """Clicks, the first of each object and those after it, and boxes, in pixels of the picture."""
    marks = run.task.marks(run.lines[id]["record"], prediction, truth)
    points = [
        [
            [round(x * scale[0], 1), round(y * scale[1], 1), int(bool(positive))]
            for x, y, positive in own
        ]
        for own in marks.clicks
    ]
    boxes = [
        [round(float(value) * scale[i % 2], 1) for i, value in enumerate(box)]
        for box in marks.boxes
    ]
    first = [own[0] for own in points if own]
    later = [click for own in points for click in own[1:]]
    return {"points": first, "boxes": boxes, "later": later}


def _address(path: Path) -> str:
    """Relative to the site; file names are made here and safe."""
    return f"{path.parent.parent.name}/{path.parent.name}/{path.name}"
