"""The timing protocol: what is measured, and how it is summarized.

Each image's record keeps the seconds of each step: ``read`` (image and truth), ``embed`` (the image
encoder and its preprocessing; ``load`` where a cache had it), ``decode`` (all calls of the model to
answer prompts), ``post`` (the rest of the task's prediction: choosing prompts, suppression,
encoding masks), ``score``. On a GPU CUDA events are read, so that the work is measured and not its
start. The first image of a process, and the first score of each scoring process, is a warm-up: it
is scored like any other, and left out of the times. Of a clip ``embed`` is its beginning, and all
that prompts and frames take is ``decode``; the seconds of each frame stand beside the steps.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sambench.interfaces import JSON

STEPS = ("read", "load", "embed", "decode", "post", "score")
WARMUP = "warmup"


def summarize(records: Sequence[JSON]) -> JSON:
    """Median and 95th percentile seconds of each step, and images a second, without warm-ups.

    Args:
        records: lines of a records file.

    Returns:
        Each step's ``median`` and ``p95``; ``images``, on how many they rest; and
        ``images_per_second`` of the model, as if this task ran alone, with
        ``images_per_second_shared`` where the embedding was shared: each task then bears an equal
        part of it. Of clips also ``frames_per_second`` and the ``latency`` of a frame, as a step.
    """
    steps = {step: _taken(records, step) for step in STEPS}
    timing: JSON = {
        step: {"median": float(np.median(taken)), "p95": float(np.quantile(taken, 0.95))}
        for step, taken in steps.items()
        if taken
    }
    warm = [r for r in records if "embed" not in r.get(WARMUP, ())] or list(records)
    tasks = max((int(r.get("tasks", 1)) for r in records), default=1)
    shared = {"images_per_second_shared": _speed(warm, shared=True)} if tasks > 1 else {}
    return {
        **timing,
        **_pace(warm),
        "images": len(warm),
        "tasks": tasks,
        "images_per_second": _speed(warm, shared=False),
        **shared,
    }


def _pace(records: Sequence[JSON]) -> JSON:
    """Frames a second over all clips, and the seconds until a frame's masks are there."""
    frames = [seconds for record in records for seconds in record.get("frames", ())]
    speed = _speed(records, shared=False)
    if not frames or speed is None:
        return {}
    return {
        "latency": {
            "median": float(np.median(frames)), "p95": float(np.quantile(frames, 0.95))
        },
        "frames_per_second": speed * len(frames) / len(records),
    }  # fmt: skip


def _taken(records: Sequence[JSON], step: str) -> list[float]:
    """A step's seconds in all records that have it, without warm-ups if others are left."""
    timed = [record for record in records if step in record["seconds"]]
    warm = [record for record in timed if step not in record.get(WARMUP, ())]
    return [record["seconds"][step] for record in warm or timed]


def _speed(records: Sequence[JSON], *, shared: bool) -> float | None:
    """Images a second of the model: the inverse of the mean seconds of its steps."""

    def seconds(record: JSON) -> float:
        embedding = sum(record["seconds"].get(step, 0.0) for step in ("load", "embed"))
        rest = sum(record["seconds"].get(step, 0.0) for step in ("decode", "post"))
        return float(embedding / (record.get("tasks", 1) if shared else 1) + rest)

    mean = float(np.mean([seconds(record) for record in records])) if records else 0.0
    return 1 / mean if mean else None
