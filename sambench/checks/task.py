"""Does a task keep the contract of `Task`: plain records, and numbers that no order can move?"""

from __future__ import annotations

import json
import math
import pickle
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sambench.checks.findings import Report, carry_out, raised
from sambench.findings import Finding
from sambench.interfaces import JSON, Dataset, Model, Prediction, Sample, Task
from sambench.shown import as_details
from sambench.store.sources import read_item, size_of

TOLERANCE = 1e-9
SMOOTHED = 1e-3
"""Published formulas add small constants to denominators, which weigh less the more is counted."""


@dataclass(frozen=True)
class Trial:
    """A task that was run on a few images.

    Attributes:
        task: what is checked.
        samples: images with the truth that the task needs.
        predict: runs the GPU half on a sample.
        predictions: one for each sample.
        records: one for each sample.
        facts: the numbers, once they were computed.
    """

    task: Task
    samples: list[Sample]
    predict: Callable[[Sample], Prediction]
    predictions: list[Prediction]
    records: list[JSON]
    facts: JSON = field(default_factory=dict)


def check_task(task: Task, model: Model, dataset: Dataset, images: int = 3) -> Report:
    """Run a task on a few images and look for what is wrong.

    Args:
        task: what is to be checked.
        model: answers its prompts.
        dataset: with the truth that it needs.
        images: how many, two or more.
    """
    findings = tuple(declared(task))
    try:
        trial = _trial(task, model, dataset, images)
    except Exception as error:  # noqa: BLE001 (whatever the task raises is a finding)
        return Report((*findings, raised("run", error)), ("declared", "run"), {})
    report = carry_out(CHECKS, trial, trial.facts)
    return replace(report, findings=findings + report.findings, checks=("declared", *report.checks))


def _trial(task: Task, model: Model, dataset: Dataset, images: int) -> Trial:
    task.check(dataset)
    samples = [
        Sample(id, read_item(dataset, id), dataset.read_truth(id, task.truth))
        for id in dataset.ids[:images]
    ]

    def predict(sample: Sample) -> Prediction:
        [embedding] = model.embed([sample.image])
        return task.predict(model, embedding, sample)

    predictions = [predict(sample) for sample in samples]
    pairs = zip(predictions, samples, strict=True)
    records = [task.score(prediction, sample.truth) for prediction, sample in pairs]
    return Trial(task, samples, predict, predictions, records)


def declared(task: Task) -> Iterator[Finding]:
    """The task is a frozen dataclass that says what it needs and how the paper ran it."""
    if not is_dataclass(task) or not task.__dataclass_params__.frozen:
        yield Finding(
            "declared", "it is not a frozen dataclass", "Decorate it with @dataclass(frozen=True)."
        )
        return
    for name in ("truth", "metric", "needs", "paper"):
        if not hasattr(task, name):
            yield Finding("declared", f"it has no {name}", f"Set the class variable {name}.")
    own = {field.name for field in fields(task)}
    for preset, options in task.presets.items():
        if set(options) - own:
            strange = ", ".join(sorted(set(options) - own))
            yield Finding(
                "declared", f"preset {preset} sets {strange}", "Presets set options of the task."
            )
    for preset, names in task.left_open.items():
        settled = {*task.presets.get(preset, names), *(set(names) - own)} & set(names)
        if settled:
            yield Finding(
                "declared",
                f"left_open of preset {preset} names {', '.join(sorted(settled))}",
                "Name options there that a preset does not set.",
            )
    if task.scoring - own:
        strange = ", ".join(sorted(task.scoring - own))
        yield Finding("declared", f"scoring names {strange}", "Name options of the task there.")


def plain_records(trial: Trial) -> Iterator[Finding]:
    """Predictions pickle without tensors, records are JSON without NaN."""
    if b"torch" in pickle.dumps(trial.predictions):
        yield Finding(
            "plain records",
            "a prediction holds tensors",
            "Return NumPy arrays from predict: scoring runs in processes without torch.",
        )
    try:
        again = json.loads(json.dumps(trial.records, allow_nan=False))
    except (TypeError, ValueError) as error:
        problem = f"a record is not JSON ({error})"
        yield Finding("plain records", problem, "Return JSON values from score; NaN is None.")
        return
    if not _close(trial.task.estimator(again)(np.ones(len(again))), _value(trial)):
        yield Finding(
            "plain records",
            "records that went through JSON give different numbers",
            "Let records hold text keys and plain numbers: a resumed run reads them from a file.",
        )


def determinism(trial: Trial) -> Iterator[Finding]:
    """The same image gives the same record, whatever came before."""
    for sample, record in reversed(list(zip(trial.samples, trial.records, strict=True))):
        again = trial.task.score(trial.predict(sample), sample.truth)
        if json.dumps(again) != json.dumps(record):
            yield Finding(
                "determinism",
                f"image {sample.id} gives a different record the second time",
                "Seed random draws by the image's id, and keep no state between images.",
            )
            return


def numbers(trial: Trial) -> Iterator[Finding]:
    """The metric to rank by is among the numbers; neither order nor repetition moves them."""
    count = len(trial.records)
    value = _value(trial)
    trial.facts.update(value)
    if trial.task.metric not in value:
        yield Finding(
            "numbers",
            f"metric {trial.task.metric} is not among {', '.join(value)}",
            "Return the metric to rank by from the estimator.",
        )
    names = {metric.name for metric in trial.task.metrics}
    for name in value:
        if name not in names:
            yield Finding(
                "numbers",
                f"metric {name} is not declared: it is shown as a plain number and never ranked",
                f'Add Metric("{name}", "what it is", unit, higher_is_better) to metrics.',
            )
    backwards = trial.task.estimator(trial.records[::-1])(np.ones(count))
    if not _close(backwards, value):
        yield Finding(
            "numbers", "the order of the images changes them", "Sum over records; use no order."
        )
    if not _close(trial.task.estimator(trial.records)(np.full(count, 2.0)), value, SMOOTHED):
        yield Finding(
            "numbers",
            "counting every image twice changes the numbers",
            "Let the estimator weight each record by its count: intervals are made so.",
        )


def resampling(trial: Trial) -> Iterator[Finding]:
    """To leave an image out by its count is to leave out its record."""
    count = len(trial.records)
    for left_out in range(count):
        weights = np.ones(count)
        weights[left_out] = 0
        rest = trial.records[:left_out] + trial.records[left_out + 1 :]
        weighted = trial.task.estimator(trial.records)(weights)
        if not _close(weighted, trial.task.estimator(rest)(np.ones(count - 1))):
            yield Finding(
                "resampling",
                f"record {left_out} with count 0 still moves the numbers",
                "Let counts of zero leave a record out, in every sum and every denominator.",
            )
            return


def saving(trial: Trial) -> Iterator[Finding]:
    """A saved prediction, loaded again, scores the same."""
    with tempfile.TemporaryDirectory() as folder:
        stem = Path(folder) / "prediction"
        try:
            trial.task.save(trial.predictions[0], stem)
        except NotImplementedError:
            return
        loaded = trial.task.load(stem)
        again = trial.task.score(loaded, trial.samples[0].truth)
    if not _alike(again, trial.records[0]):
        yield Finding(
            "saving",
            "a prediction that was saved and loaded scores differently",
            "Let save keep all that score needs.",
        )


def _alike(a: Any, b: Any) -> bool:
    return json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)


def _value(trial: Trial) -> dict[str, float]:
    return trial.task.estimator(trial.records)(np.ones(len(trial.records)))


def _close(a: dict[str, float], b: dict[str, float], tolerance: float = TOLERANCE) -> bool:
    return a.keys() == b.keys() and all(
        math.isclose(a[name], b[name], rel_tol=tolerance, abs_tol=tolerance)
        or (math.isnan(a[name]) and math.isnan(b[name]))
        for name in a
    )


def drawings(trial: Trial) -> Iterator[Finding]:
    """Curves can be kept in a result, and layers fit their images."""
    json.dumps(as_details(trial.task.curves(trial.records)), allow_nan=False)
    for prediction, sample in zip(trial.predictions, trial.samples, strict=True):
        for name, layer in trial.task.layers(prediction).items():
            sizes = {tuple(rle["size"]) for rle in layer.masks}
            sizes |= set() if layer.map is None else {layer.map.shape}
            if sizes - {size_of(sample.image)}:
                yield Finding(
                    "drawings",
                    f"layer {name} of image {sample.id} is of another size than the image",
                    "Give masks and maps (H, W) at the size of the image.",
                )
                return


CHECKS = (plain_records, determinism, numbers, resampling, saving, drawings)
