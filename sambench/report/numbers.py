"""How metrics are written, as each declares it."""

import math
from collections.abc import Iterable, Mapping, Sequence

from sambench.metrics.statistics import LEVEL, Estimate
from sambench.shown import Histogram, Metric, find_metric, from_details
from sambench.store.display import DASH as DASH
from sambench.store.display import IMAGES as IMAGES
from sambench.store.display import UNITS, arrow, interval, number
from sambench.store.display import counted as counted
from sambench.store.display import withheld as withheld
from sambench.store.result import Result
from sambench.store.tasks import declared_metrics


def declared_by(result: Result) -> tuple[Metric, ...]:
    """Declarations of a result's metrics: its own, or those of the installed task of that name."""
    return result.declared or declared_metrics(result.task)


def metric_of(result: Result, name: str = "") -> Metric:
    """The declaration of a metric of a result, of the one to rank by if none is named."""
    return find_metric(declared_by(result), name or result.metric)


def show_value(metric: Metric, value: float) -> str:
    """A value as the field prints it, a dash where it is not defined."""
    return number(metric, value)


def show_estimate(metric: Metric, estimate: Estimate) -> str:
    """Value and interval: ``59.1 (57.0 to 61.2)``."""
    value = show_value(metric, estimate.value)
    return f"{value} ({show_interval(metric, estimate)})" if has_interval(estimate) else value


def show_interval(metric: Metric, estimate: Estimate) -> str:
    """``57.0 to 61.2``, a dash where there is none."""
    return interval(metric, estimate.low, estimate.high) or DASH


def show_metric(metric: Metric) -> str:
    """A metric's name with its unit and an arrow where lower is better."""
    word = "" if metric.unit in metric.name else metric.unit  # as of seconds/click
    unit = UNITS.get(metric.unit, word)
    return f"{metric.name}{f' {unit}' if unit else ''}{arrow(metric)}"


def show_difference(metric: Metric, value: float, finer: int = 0) -> str:
    """A difference of two values, with its sign.

    Args:
        metric: that they are of.
        value: the difference, as stored.
        finer: decimals beyond those of the metric, as for paired differences, which are small.
    """
    return number(metric, value, "+z", finer)


def has_interval(estimate: Estimate) -> bool:
    """Whether there is an interval that says something of noise.

    One without width is of a single image, or of images that are all alike.
    """
    if math.isnan(estimate.low):
        return False
    return not math.isclose(estimate.low, estimate.high, rel_tol=1e-9, abs_tol=1e-12)


def telling(metrics: Sequence[Metric], main: str) -> list[Metric]:
    """The metrics that a table for reading needs: no breakdowns of others, no groups of their own.

    A part whose whole is not among them stays, such as mIoU@5 where there is no mIoU.

    Args:
        metrics: all of a result.
        main: name of the metric to rank by.
    """
    names = {metric.name for metric in metrics} - {main}
    return [metric for metric in central(metrics) if metric.of not in names]


def central(metrics: Iterable[Metric]) -> list[Metric]:
    """The metrics without those of groups of their own, which no short table shows."""
    return [metric for metric in metrics if metric.member or not metric.group]


def why_undefined(metric: Metric, items: str = IMAGES) -> str:
    """Why a metric has no value, as far as its declaration tells."""
    part = f"{metric.group} {metric.member}" if metric.member and not numbered(metric) else ""
    return f"not defined: these {items} have {f'none of {part}' if part else 'nothing to measure'}"


def numbered(metric: Metric) -> bool:
    """Whether a metric is one point of a curve, such as mIoU after 3 clicks."""
    return metric.member.isdecimal()


def category_labels(ids: Iterable[str], names: Mapping[str, str]) -> dict[str, str]:
    """What to call categories: by name, by id where it has none, by both where names recur.

    Args:
        ids: of categories, as text.
        names: by id, as far as they are known.
    """
    twice = len(set(names.values())) < len(names)

    def label(id: str) -> str:
        name = names.get(id, "")
        return name if name and not twice else f"{id} {name}".strip()

    return {id: label(id) for id in ids}


def scored(result: Result) -> str:
    """How much was scored: ``10 images, 93 objects``, as the first histogram counts objects."""
    told = [drawn for drawn in from_details(result.details) if isinstance(drawn, Histogram)]
    counts = dict[str, int]()
    for drawn in told:
        counts.setdefault(drawn.y_label, round(sum(drawn.counts)))
    return ", ".join(
        [counted(result.images, result.items), *(f"{n} {of}" for of, n in counts.items())]
    )


def hardware(result: Result) -> str:
    """What its model computed on: the name of the processor, or of the GPU."""
    environment = result.environment
    device = environment.get("device", "cpu")
    return str(environment.get("cpu") if device == "cpu" else device)


def speed(result: Result) -> tuple[float, str] | None:
    """How fast its model was, and of what: images/s, of clips frames/s; None if nobody knows."""
    for name, unit in (("frames_per_second", "frames/s"), ("images_per_second", "images/s")):
        if found := result.timing.get(name):
            return float(found), unit
    return None


SUSPICIOUS = 5
"""Images on which nothing at all is right by chance no more."""


def nothing_matched(result: Result) -> str:
    """What must be said of a main metric of exactly 0 where more is better; else nothing.

    AP of boxes whose categories are numbered as in another dataset is a 0 like any other.
    """
    metric, value = metric_of(result, result.metric), result.metrics[result.metric].value
    if value != 0 or metric.higher_is_better is not True or result.images < SUSPICIOUS:
        return ""
    whole = counted(result.images, result.items)
    return (
        f"{metric.name} is exactly 0 on {whole}: nothing is right at all. "
        "Categories numbered as in another dataset, another scale, or predictions for other "
        f"{result.items} look like this"
    )


def few_images(images: int, models: int = 2, items: str = IMAGES) -> str:
    """What must be said of a comparison of models on few images, in a clause; else nothing.

    Args:
        images: that all are measured on.
        models: how many are compared, each with each.
        items: what the images are, see `counted`.
    """
    if images == 1:
        return f"{counted(1, items)} gives no interval"
    pairs = models * (models - 1) / 2
    # The least p there can be: all images speak for the same model.
    if pairs * 2 ** (1 - images) > 1 - LEVEL:
        return f"{counted(images, items)} are too few to tell {models} models apart"
    return ""


def legend(metrics: Iterable[Metric]) -> list[str]:
    """What metrics are, one line for each family: ``mIoU: mean IoU over objects``.

    The parts of a breakdown that is there as a whole are in one line: ``mIoUs, mIoUm: mIoU by
    size (small, medium)``.
    """
    listed = [metric for metric in metrics if metric.description]
    names = {metric.name for metric in listed}
    lines, families = [], dict[tuple[str, str], list[Metric]]()
    for metric in listed:
        if metric.of in names:
            families.setdefault((metric.of, metric.group), []).append(metric)
        else:
            lines.append(f"{metric.name}: {metric.description}")
    return [*lines, *(_family(*key, members) for key, members in families.items())]


def _family(of: str, group: str, members: Sequence[Metric]) -> str:
    names = ", ".join(metric.name for metric in members)
    return f"{names}: {of} by {group} ({', '.join(metric.member for metric in members)})"


def direction_unknown(metric: Metric) -> str:
    """A sentence for where nothing can be ranked."""
    return f"Nothing is ranked: the direction of {metric.name} is not declared."
