"""Does a model keep the contract of `Model`? Small experiments, each finding with its remedy.

The experiments use a few photographs with annotated objects. They cannot prove a model right; they
catch what goes wrong when a model is plugged in: x and y swapped, state that leaks from one image
into the next, answers that depend on the batch.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np

from sambench.checks import answers, invariances
from sambench.checks.bench import Bench, Photograph
from sambench.checks.findings import Check, Report, carry_out
from sambench.engine.environment import peak_memory
from sambench.findings import Finding
from sambench.interfaces import Model


def check_model(
    model: Model, photographs: Sequence[Photograph], *, untrained: bool = False
) -> Report:
    """Experiment with a model; prompts are for those that take points or boxes.

    Args:
        model: what is to be checked.
        photographs: what to try it on, two or more.
        untrained: its weights mean nothing, so where its masks lie and what it thinks of them is
            not looked at.
    """
    bench = Bench(model, photographs)
    checks = [check for check in PROMPTED if not (untrained and check in OF_QUALITY)]
    prompted = checks if bench.kinds else []
    return carry_out((card, *prompted, own_methods, speed), bench, bench.facts)


def card(bench: Bench) -> Iterator[Finding]:
    """The card names the model and its weights."""
    about = bench.model.card
    if not about.name or "/" in about.name:
        yield Finding(
            "card", f"its name is {about.name!r}", "Name it in the card; it becomes a file name."
        )
    if about.parameters and not about.weights_sha256:
        yield Finding(
            "card",
            "it has parameters but no weights_sha256",
            "Give the checkpoint's SHA-256: results of other weights must not look like its own.",
        )
    unknown = bench.model.prompts - {"points", "boxes", "masks", "texts", "blanks"}
    if unknown:
        yield Finding(
            "card",
            f"it claims to take {', '.join(sorted(unknown))}",
            "Prompts are points, boxes, masks, texts.",
        )


def own_methods(bench: Bench) -> Iterator[Finding]:
    """What it finds without prompts has the shape that tasks expect."""
    photo = bench.photographs[0]
    boundaries, propose = map(bench.model.direct, ("boundaries", "propose"))
    if boundaries is not None:
        edges = np.asarray(boundaries(photo.image))
        if edges.shape != photo.size or not np.isfinite(edges).all() or edges.min() < 0:
            yield Finding(
                "own methods",
                f"boundaries(image) of {photo.size} gave {edges.shape}, from {edges.min():.3g}",
                "Return (H, W), finite and not negative.",
            )
    if propose is not None:
        rles, scores = propose(photo.image)
        sizes = {tuple(rle["size"]) for rle in rles}
        if len(rles) != len(scores) or sizes - {photo.size}:
            yield Finding(
                "own methods",
                f"propose(image) gave {len(rles)} masks of sizes {sizes} and {len(scores)} scores",
                "Return N run-length encodings of the image's size and N scores.",
            )


def speed(bench: Bench) -> Iterator[Finding]:
    """How long it takes, and how much memory: facts, no findings."""
    photo = bench.photographs[0]
    start = time.perf_counter()
    embedding = bench.fresh(photo)
    bench.facts["seconds to embed"] = round(time.perf_counter() - start, 4)
    for kind in bench.kinds:
        start = time.perf_counter()
        bench.model.predict(embedding, photo.prompts(kind), multimask=True).binary()
        each = (time.perf_counter() - start) / len(photo.boxes)
        bench.facts[f"seconds a prompt, {kind}"] = round(each, 4)
    bench.facts["peak memory, GB"] = round(peak_memory()["host_rss"] / 1e9, 2)
    yield from ()


PROMPTED: tuple[Check[Bench], ...] = (
    answers.shapes,
    answers.predicted_iou,
    answers.inputs_untouched,
    invariances.determinism,
    invariances.state_between_images,
    invariances.batch_invariance,
    answers.coordinate_order,
    invariances.promising,
    invariances.feedback,
)
OF_QUALITY: tuple[Check[Bench], ...] = (answers.predicted_iou, answers.coordinate_order)
"""Those of them that random weights fail."""
