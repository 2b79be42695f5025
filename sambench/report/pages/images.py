"""The image browser of a board; assets/browser.js brings it to life."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sambench.interfaces import JSON
from sambench.report.leaderboard import Board
from sambench.report.numbers import show_metric
from sambench.report.pages.browser import Scored
from sambench.report.pages.layers import EXTRA, MISSED, TRUTH
from sambench.report.pages.links import (
    task_address,
)
from sambench.report.pages.markup import Markup, data_script, tag
from sambench.report.pages.parts import page

if TYPE_CHECKING:
    from sambench.report.pages.site import Site


def browser_page(
    site: Site, board: Board, runs: Sequence[Scored], images: Sequence[JSON], *, readable: bool
) -> str:
    """Images of a board: worst, median, best, and where two runs differ most."""
    names = [run.run.result.model for run in runs]
    why = (
        "not drawn; raise --images"
        if readable
        else f"the photographs of {board.dataset} were not given; see --dataset"
    )
    data = {
        "metric": show_metric(board.metric),
        "factor": board.metric.factor,
        "decimals": board.metric.places,
        "lower": board.metric.lower_is_better,
        "runs": names,
        "images": list(images),
        "why": why,
    }
    layers, hidden = _layer_names(images), _hidden(images)
    body = [
        tag("h1", f"Images: {board.title}"),
        tag(
            "p", tag("a", "Back to the table", href=f"{task_address(board.task)}#board-{board.key}")
        ),
        _controls(names, any("layers" in image for image in images)),
        _layer_switches(layers, hidden) if layers else None,
        _pager(),
        tag("ul", id="gallery", class_="gallery"),
        _dialog(layers, hidden),
        data_script("data", data),
    ]
    return page(f"Images: {board.title}", body, site.links, "", "browser.js")


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


def _hidden(images: Sequence[JSON]) -> set[str]:
    """Layers that are off at first: all of a prediction but its first, and later prompts."""
    runs = [run for image in images for run in image.get("runs", ())]
    return {"Later prompts"} | {name for run in runs for name in list(run["layers"])[1:]}


COLOURS = {"Truth": (TRUTH,), "Errors": (MISSED, EXTRA)}
WORDS = {"Errors": "Errors: missed, extra"}


def _layer_switches(names: Sequence[str], hidden: set[str]) -> Markup:
    boxes = [
        tag(
            "label",
            tag("input", type="checkbox", data_layer=name, checked=name not in hidden),
            [tag("span", class_="key", style=f"background: rgb{c}") for c in COLOURS.get(name, ())],
            WORDS.get(name, name),
            tag("kbd", i),
        )
        for i, name in enumerate(names, 1)
    ]
    return tag("fieldset", tag("legend", "Layers"), boxes, class_="layers")


def _controls(names: Sequence[str], any_drawn: bool) -> Markup:
    runs = [tag("option", name, value=i) for i, name in enumerate(names)]
    orders = {
        "worst": "worst first", "best": "best first", "median": "nearest the median",
        "differ": "runs differ most",
    }  # fmt: skip
    options = [tag("option", text, value=value) for value, text in orders.items()]
    drawn = tag("input", type="checkbox", id="drawn", checked=any_drawn)
    return tag(
        "div",
        tag("label", "Run ", tag("select", runs, id="run-a")),
        tag(
            "label",
            "Compare with ",
            tag("select", tag("option", "none", value=""), runs, id="run-b"),
        ),
        tag("label", "Order ", tag("select", options, id="order")),
        tag("label", "Filter ", tag("input", type="search", id="search", placeholder="image id")),
        tag("label", drawn, " only drawn images"),
        class_="tools",
    )


def _pager() -> Markup:
    return tag(
        "div",
        tag("button", "Previous", type="button", id="previous"),
        tag("button", "Next", type="button", id="next"),
        tag("span", id="status", role="status", aria_live="polite"),
        class_="tools",
    )


def _dialog(layers: Sequence[str], hidden: set[str]) -> Markup:
    bar = tag(
        "div",
        tag("h2", id="dialog-title"),
        tag("button", "Previous", type="button", id="view-previous"),
        tag("button", "Next", type="button", id="view-next", autofocus=True),
        tag("button", "Close", type="button", id="close"),
        class_="bar",
    )
    views = tag("div", id="views", class_="views")
    switches = _layer_switches(layers, hidden)
    return tag("dialog", bar, switches, views, id="dialog", aria_labelledby="dialog-title")
