"""The image browser of a board; assets/browser.js brings it to life."""

from collections.abc import Sequence
from dataclasses import dataclass

from sambench.interfaces import JSON
from sambench.report.leaderboard import Board
from sambench.report.numbers import show_metric
from sambench.report.pages.browser import ScoredRun
from sambench.report.pages.layers import EXTRA, MISSED, TRUTH
from sambench.report.pages.links import browser_address
from sambench.report.pages.render import Page

COLOURS = {"Truth": (TRUTH,), "Errors": (MISSED, EXTRA)}
WORDS = {"Errors": "Errors: missed, extra"}


@dataclass(frozen=True)
class Layer:
    """A layer that can be switched.

    Attributes:
        name: its name, as in the data of the images.
        text: what its switch says.
        shown: whether it is shown at first.
        colours: of what it draws, RGB in 0..255.
    """

    name: str
    text: str
    shown: bool
    colours: Sequence[tuple[int, int, int]]


def browser_page(
    board: Board, runs: Sequence[ScoredRun], images: Sequence[JSON], *, readable: bool
) -> Page:
    """Images of a board: worst, median, best, and where two runs differ most.

    Args:
        board: the board.
        runs: its runs whose images have scores.
        images: what `browser_images` gave.
        readable: whether the photographs could be read.
    """
    hidden = _hidden(images)
    why = (
        "not drawn; raise --images"
        if readable
        else f"the photographs of {board.dataset} were not given; see --dataset"
    )
    for_script = {
        "metric": show_metric(board.metric),
        "factor": board.metric.factor,
        "decimals": board.metric.places,
        "lower": board.metric.lower_is_better,
        "runs": [run.run.result.model for run in runs],
        "images": list(images),
        "why": why,
    }
    data = {
        "board": board,
        "runs": for_script["runs"],
        "any_drawn": any("layers" in image for image in images),
        "layers": [
            Layer(name, WORDS.get(name, name), name not in hidden, COLOURS.get(name, ()))
            for name in _layer_names(images)
        ],
        "for_script": for_script,
    }
    return Page(browser_address(board), "images.html", f"Images: {board.title}", data)


def _hidden(images: Sequence[JSON]) -> set[str]:
    """Layers that are off at first: all of a prediction but its first, and later prompts."""
    runs = [run for image in images for run in image.get("runs", ())]
    return {"Later prompts"} | {name for run in runs for name in list(run["layers"])[1:]}


def _layer_names(images: Sequence[JSON]) -> list[str]:
    """Layers in the order in which they lie on each other."""
    runs = [run for image in images for run in image.get("runs", ())]
    found = dict.fromkeys(name for image in images for name in image.get("layers", ()))
    found |= dict.fromkeys(name for run in runs for name in run["layers"] if name != "Errors")
    errors = ["Errors"] if any("Errors" in run["layers"] for run in runs) else []
    marks = ["Truth"] if "Truth" in found else []
    marks += (
        ["Prompts"] if any(r["prompts"]["points"] + r["prompts"]["boxes"] for r in runs) else []
    )
    marks += ["Later prompts"] if any(run["prompts"]["later"] for run in runs) else []
    return [*(name for name in found if name != "Truth"), *errors, *marks]
