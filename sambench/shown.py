"""What tasks, models and datasets declare so that others can show it: metrics, curves, cards.

Nothing that prints or draws knows a task: it asks a `Metric` for its unit and its direction, and a
`Curve` or a `Histogram` for its labels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from numpy.typing import NDArray

RLE = dict[str, Any]
"""A mask as COCO run lengths: ``{"size": [H, W], "counts": bytes}``."""
_PRINTED = {"percent": (100.0, 1), "fraction": (1.0, 3), "": (1.0, 4)}
"""Unit -> factor and decimals of print; any other unit is printed as it is, with two decimals."""
MOST_DECIMALS = 10
COUNTED = {"clicks", "count", "objects", "pixels"}
"""Units of which nothing can be fewer than none."""


@dataclass(frozen=True)
class Metric:
    """A number that a task gives: what it means and how the field prints it.

    Attributes:
        name: as the task's estimator gives it.
        description: what it is, in a phrase for a legend.
        unit: "percent" is stored as a fraction and printed times 100 with %, "fraction" is printed
            as .768; any other word, such as "pixels" or "clicks", stands in the heading. "count"
            needs no word, and "" is the unit of a metric that nobody declared.
        higher_is_better: the direction; None if neither is better: then nothing is ranked by it.
        decimals: of print; None for those usual with the unit.
        group: what a breakdown is by, such as "size"; "" if the metric is of no breakdown. Metrics
            of a group without a member belong together, aside of what a short table shows.
        member: the part of the group that it is of, such as "small". Where members are numbers, as
            of clicks, the breakdown is a curve.
        of: the metric that is broken down; "" where that is this one.
        signed: whether a value can be below 0 though the unit says otherwise, as of a correlation.
    """

    name: str
    description: str
    unit: str = "fraction"
    higher_is_better: bool | None = True
    decimals: int | None = None
    group: str = ""
    member: str = ""
    of: str = ""
    signed: bool = False

    def __post_init__(self) -> None:
        if self.decimals is not None and not 0 <= self.decimals <= MOST_DECIMALS:
            raise ValueError(f"metric {self.name} has {self.decimals} decimals, not 0 to 10")

    @property
    def factor(self) -> float:
        """What a stored value is multiplied with in print."""
        return _PRINTED.get(self.unit, (1.0, 2))[0]

    @property
    def places(self) -> int:
        """Decimals of print."""
        usual = _PRINTED.get(self.unit, (1.0, 2))[1]
        return usual if self.decimals is None else self.decimals

    @property
    def range(self) -> tuple[float, float]:
        """The least and the greatest value that it can have, as far as its unit tells."""
        share = self.unit in {"fraction", "percent"}
        if not share and self.unit not in COUNTED:
            return -math.inf, math.inf
        most = 1.0 if share else math.inf
        return -most if self.signed else 0.0, most

    @property
    def lower_is_better(self) -> bool:
        """Whether the lower value is declared to be the better one."""
        return self.higher_is_better is False


def find_metric(metrics: Iterable[Metric], name: str) -> Metric:
    """The declaration of a metric; of one that is not declared only the name is known."""
    undeclared = Metric(name, "", unit="", higher_is_better=None)
    return next((metric for metric in metrics if metric.name == name), undeclared)


@dataclass(frozen=True)
class Curve:
    """A line to draw; those of one name, of several models, share a plot.

    Attributes:
        name: what it shows, unique among the curves of its task.
        x, y: N values each.
        x_label, y_label: of the axes; "" for x, and for the name.
        unit: of y, as that of a `Metric`.
        log: whether the axis of x is logarithmic.
        equal_f: draw lines of equal F-measure, where x is recall and y precision.
        diagonal: draw the line of equal x and y, both of which lie in [0, 1].
        points: named points to draw beside it, (x, y).
        caption: what must be said of it beyond its axes, in sentences.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    x_label: str = ""
    y_label: str = ""
    unit: str = "fraction"
    log: bool = False
    equal_f: bool = False
    diagonal: bool = False
    points: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    caption: str = ""

    @property
    def drawable(self) -> bool:
        """Whether there are two points or more; a value that is not defined is none."""
        return len(self.known()) > 1

    def known(self) -> list[tuple[float, float]]:
        """Points (x, y) that are defined."""
        pairs = zip(self.x, self.y, strict=True)
        return [(x, y) for x, y in pairs if math.isfinite(x) and math.isfinite(y)]


@dataclass(frozen=True)
class Reference:
    """A known point on one dataset that is drawn beside a curve.

    Attributes:
        task: whose curve.
        curve: its name.
        label: what stands beside the point.
        x, y: the point.
        caption: where it is from, in a sentence.
    """

    task: str
    curve: str
    label: str
    x: float
    y: float
    caption: str = ""


@dataclass(frozen=True)
class Histogram:
    """Counts in bins.

    Attributes:
        name: of what is counted, unique among the histograms of its task; labels the axis of x.
        edges: N + 1 ends of the bins, ascending.
        counts: N counts.
        y_label: what is counted.
    """

    name: str
    edges: tuple[float, ...]
    counts: tuple[float, ...]
    y_label: str = "objects"


@dataclass(frozen=True)
class Layer:
    """What can be drawn over an image: masks, or a map.

    Attributes:
        masks: N run-length encoded masks, each drawn in a colour of its own.
        map: (H, W) in [0, 1], such as the strength of boundaries; it is drawn instead of masks.
    """

    masks: Sequence[RLE] = ()
    map: NDArray[Any] | None = None


@dataclass(frozen=True)
class Marks:
    """Prompts to draw over an image.

    Attributes:
        clicks: for each object its clicks (x, y, positive), the first one first.
        boxes: N boxes (x0, y0, x1, y1).
    """

    clicks: Sequence[Sequence[Sequence[float]]] = ()
    boxes: Sequence[Any] = ()


BOUND = "bound"
"""Family of what shows how far a protocol reaches and competes with no model."""


@dataclass(frozen=True)
class ModelCard:
    """What a model is, as far as it can move a number.

    Attributes:
        name: the model's name, as ``sambench list`` shows it.
        weights_sha256: identity of the checkpoint: its content, never its file name.
        preprocessing: how an image becomes the network's input, in words.
        precision: arithmetic, such as float32.
        parameters: number of parameters.
        licence, citation: SPDX name or words; paper.
        family: what it descends from, such as SAM or SAM 2; "baseline" if it was not trained,
            BOUND if it is given the truth, which ranks cannot hold.
    """

    name: str
    weights_sha256: str = ""
    preprocessing: str = ""
    precision: str = "float32"
    parameters: int = 0
    licence: str = ""
    citation: str = ""
    family: str = ""


@dataclass(frozen=True)
class DatasetCard:
    """What a dataset is and where it is from.

    Attributes:
        name: as ``sambench list`` shows it.
        title: full name.
        licence, citation: SPDX name or words; paper.
        homepage: where it is described.
        split: which part this is.
        note: one sentence that a table must show beside the numbers, if there is one.
        steps: how to get it, in words, where no command can fetch it.
        layout: how its reader knows the files: "verified on real files", "from documentation", or
            which part is which; "" where nothing is claimed, as of data that comes with the code.
        seen: what was seen when real files of it were read: which, and what was compared.
        expected: expected counts, such as {"images": 100}.
        own: it is the user's own data, whose name others may use too.
        references: known points on it, such as what people reach, to draw beside curves.
    """

    name: str
    title: str
    licence: str
    citation: str
    homepage: str = ""
    split: str = ""
    note: str = ""
    steps: str = ""
    layout: str = ""
    seen: str = ""
    expected: Mapping[str, int] = field(default_factory=dict)
    own: bool = False
    references: tuple[Reference, ...] = ()

    @property
    def unseen(self) -> str:
        """That no real file of it was read, as a sentence; "" where one was, or that is no claim.

        Of one's own data a format is read: whether it is understood each must see for theirs.
        """
        if self.seen or self.own or not self.layout:
            return ""
        return f"The reader of {self.name} has seen no real file; its layout is {self.layout}."


def with_references(
    drawings: Iterable[Curve | Histogram], references: Iterable[Mapping[str, Any]]
) -> list[Curve | Histogram]:
    """Curves with the points of a dataset beside them; the fields are those of `Reference`."""
    found = list(drawings)
    for known in references:
        for i, drawing in enumerate(found):
            if isinstance(drawing, Curve) and drawing.name == known["curve"]:
                points = {**drawing.points, known["label"]: (known["x"], known["y"])}
                caption = " ".join(filter(None, (drawing.caption, known["caption"])))
                found[i] = replace(drawing, points=points, caption=caption)
    return found


_PARTS: dict[str, type[Curve | Histogram]] = {"curves": Curve, "histograms": Histogram}


def as_details(drawings: Iterable[Curve | Histogram]) -> dict[str, Any]:
    """Curves and histograms as the `details` of a result: kind -> name -> fields, as JSON values.

    A curve of less than two points is left out.
    """
    drawn = [d for d in drawings if isinstance(d, Histogram) or d.drawable]
    found: dict[str, Any] = {}
    for part, cls in _PARTS.items():
        own = {d.name: _plain(d) for d in drawn if isinstance(d, cls)}
        found |= {part: own} if own else {}
    return found


def _plain(drawing: Curve | Histogram) -> dict[str, Any]:
    values = asdict(drawing)
    if isinstance(drawing, Curve):
        points = drawing.known()
        values |= {"x": [float(x) for x, _ in points], "y": [float(y) for _, y in points]}
    return {name: value for name, value in values.items() if name != "name"}


def from_details(details: Mapping[str, Any]) -> list[Curve | Histogram]:
    """The curves and histograms that the `details` of a result hold; damaged ones are left out."""
    found: list[Curve | Histogram] = []
    for part, cls in _PARTS.items():
        given = details.get(part)
        for name, values in given.items() if isinstance(given, Mapping) else ():
            if _whole(values):
                found.append(cls(**{**_known(cls, values), "name": str(name)}))
    return found


def _whole(values: Any) -> bool:
    """Whether a curve has as many x as y, or a histogram an edge more than counts, all numbers."""
    if not isinstance(values, Mapping):
        return False
    first, second, more = ("x", "y", 0) if "x" in values else ("edges", "counts", 1)
    one, other = values.get(first, ()), values.get(second, ())
    return _numbers(one) and _numbers(other) and len(one) == len(other) + more


def _known(cls: type[Curve | Histogram], values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a drawing, those of another type left out; lists become tuples."""
    usual = vars(cls("", (), ()))
    kept: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in usual
    }
    kept = {k: v for k, v in kept.items() if isinstance(v, type(usual[k]))}
    points = {k: v for k, v in kept.get("points", {}).items() if _numbers(v) and len(v) == 2}
    return {**kept, "points": points} if "points" in kept else kept


def _numbers(values: Any) -> bool:
    """Whether it is a list of finite numbers."""
    return isinstance(values, list | tuple) and all(
        isinstance(value, int | float) and math.isfinite(value) for value in values
    )
