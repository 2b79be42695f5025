"""The log of a training, a JSON object a step, and the curves drawn from it."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from sambench.errors import UserError
from sambench.interfaces import JSON, Curve

from .losses import FOCAL_WEIGHT

log = logging.getLogger(__name__)
LOG = "log.jsonl"
POINTS = 30
"""A curve has about so many points: each is the mean over equally many steps."""
LOSSES = {
    "all": ("loss", 1.0),
    f"{FOCAL_WEIGHT:g} x focal": ("focal", FOCAL_WEIGHT),
    "dice": ("dice", 1.0),
    "predicted IoU": ("iou_error", 1.0),
}
CURVES = ("loss.png", "loss.svg", "iou.png", "iou.svg")
QUALITY = {"first prompt": ("first_iou", 1.0), "last round": ("last_iou", 1.0)}


def read_log(path: Path, steps: int) -> list[JSON]:
    """The lines of a log up to that step; a line cut off when its writer was killed is none.

    Raises:
        UserError: another line is not a line of a log.
    """
    lines: list[JSON] = []
    written = path.read_text(encoding="utf-8").split("\n")[:-1] if path.is_file() else []
    for number, text in enumerate(written, 1):
        try:
            line = json.loads(text)
            if line["step"] <= steps:
                lines.append(line)
        except (ValueError, TypeError, KeyError):
            raise UserError(
                f"{path} is damaged in line {number}; move it away, and the training goes on "
                "without its curves so far."
            ) from None
    return lines


def open_log(path: Path, steps: int) -> list[JSON]:
    """Take away what was logged after that step; returns the lines before."""
    lines = read_log(path, steps)
    if len(lines) != steps:
        log.warning("%s has %d of the %d steps done: so do the curves", path, len(lines), steps)
    part = path.with_name(path.name + ".tmp")
    part.write_text("".join(map(as_line, lines)), encoding="utf-8")
    part.replace(path)
    return lines


def as_line(values: JSON) -> str:
    """One line of the log."""
    return json.dumps(values) + "\n"


def draw(lines: Sequence[JSON], folder: Path) -> None:
    """Write loss and IoU against the step, as PNG and SVG."""
    from sambench.report.pages.plots import curves_plot

    for name, parts, y in (
        ("loss", LOSSES, "loss"),
        ("iou", QUALITY, "IoU of simulated interactions"),
    ):
        curves = _curves(lines, parts, y)
        if curves:
            svg = curves_plot(name, curves).svg
            (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
            _write_png(curves, folder / f"{name}.png")


def _write_png(curves: Mapping[str, Curve], path: Path) -> None:
    """The same as pixels, as some programs want it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.0, 3.4), layout="constrained")
    axes = figure.subplots()
    for label, curve in curves.items():
        axes.plot(curve.x, curve.y, label=label)
        axes.set(xlabel=curve.x_label, ylabel=curve.y_label)
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=160, metadata={"Software": None})


def _curves(
    lines: Sequence[JSON], parts: Mapping[str, tuple[str, float]], y: str
) -> dict[str, Curve]:
    """Means over windows of steps; steps without objects have no values."""
    known = [line for line in lines if line["loss"] is not None]
    windows = np.array_split(np.arange(len(known)), min(POINTS, len(known))) if known else []
    return {
        label: Curve(
            label,
            tuple(float(np.mean([known[i]["step"] for i in window])) for window in windows),
            tuple(float(np.mean([known[i][name] for i in window])) * weight for window in windows),
            x_label="step",
            y_label=y,
        )
        for label, (name, weight) in parts.items()
        if windows
    }
