"""Does a model keep the contract of `Model`? Small experiments, each finding with its remedy.

The experiments use a few photographs with annotated objects. They cannot prove a model right; they
catch what goes wrong when a model is plugged in: x and y swapped, state that leaks from one image
into the next, answers that depend on the batch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sambench.checks.findings import Bench, Finding, Report, Scene
from sambench.engine.environment import peak_memory
from sambench.interfaces import Masks, Model, Prompts

SLACK, PIXELS, SHARE = 0.01, 8, 0.005
"""Answers are the same if their logits differ by less than this part of the largest magnitude, and
their masks by no more pixels than these, or than this part of them."""
IOU_RANGE = (-0.2, 1.2)
"""SAM regresses the IoU without bounds; far outside, it is something else, such as a logit."""


def check_model(model: Model, photographs: list[Scene]) -> Report:
    """Experiment with a model.

    Args:
        model: what is to be checked.
        photographs: what to try it on, two or more.
    """
    bench = Bench(model, photographs)
    findings: list[Finding] = []
    done: list[str] = []
    for check in CHECKS:
        done.append(_name(check))
        try:
            findings += check(bench)
        except Exception as error:  # noqa: BLE001 (whatever the model raises is a finding)
            problem = f"it raised {type(error).__name__}: {error}"
            findings.append(Finding(done[-1], problem, "Run it under a debugger on this input."))
            break
    return Report(tuple(findings), tuple(done), bench.facts)


def _name(check: Callable[..., Any]) -> str:
    return check.__name__.replace("_", " ").strip()


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
    unknown = bench.model.prompts - {"points", "boxes", "masks", "texts"}
    if unknown:
        yield Finding(
            "card",
            f"it says to take {', '.join(sorted(unknown))}",
            "Prompts are points, boxes, masks, texts.",
        )


def shapes(bench: Bench) -> Iterator[Finding]:
    """Answers have the shapes and types that `Masks` tells, and the multimask contract holds."""
    scene = bench.scenes[0]
    embeddings = bench.model.embed([one.image for one in bench.scenes])
    if len(embeddings) != len(bench.scenes):
        yield Finding(
            "shapes",
            f"embed gave {len(embeddings)} embeddings of {len(bench.scenes)} images",
            "Return one embedding for each image, in order.",
        )
    for kind in bench.kinds:
        for multimask in (True, False):
            found = bench.answer(scene, kind, multimask=multimask)
            wrong = list(_arrays(found, len(scene.boxes)))
            yield from wrong or _at_image_size(found, scene)
            if not wrong and not multimask and found.logits.shape[1] != 1:
                yield Finding(
                    "shapes",
                    f"{found.logits.shape[1]} candidates for {kind}, multimask=False",
                    "Return exactly one candidate where multimask is False.",
                )


def _arrays(found: Masks, count: int) -> Iterator[Finding]:
    import torch

    shape = tuple(found.logits.shape)
    if len(shape) != 4 or shape[0] != count or not shape[1]:
        yield Finding(
            "shapes",
            f"logits of {count} prompts have shape {shape}",
            "Return (B, C, h, w): B prompts, C candidates.",
        )
    if tuple(found.iou.shape) != shape[:2]:
        yield Finding(
            "shapes",
            f"iou has shape {tuple(found.iou.shape)}, logits {shape}",
            "Return one predicted IoU for each candidate, (B, C).",
        )
    if found.logits.dtype not in (torch.float32, torch.float64):
        yield Finding(
            "shapes", f"logits are {found.logits.dtype}", "Return float32 logits, no masks."
        )


def _at_image_size(found: Masks, scene: Scene) -> Iterator[Finding]:
    full = found.at_image_size()
    wanted = (*found.logits.shape[:2], *scene.size)
    if found.size != scene.size or tuple(full.shape) != wanted:
        yield Finding(
            "shapes",
            f"an image of {scene.size} (H, W) gives masks of {tuple(full.shape)[2:]}",
            "Set Masks.size to (H, W) of the image and let resize bring the logits there.",
        )
    if not bool(full.isfinite().all()):
        yield Finding(
            "shapes", "logits are not finite", "Look for NaN, as from half precision, in the model."
        )


def predicted_iou(bench: Bench) -> Iterator[Finding]:
    """Predicted IoU are qualities, not logits."""
    low, high = IOU_RANGE
    for kind in bench.kinds:
        iou = bench.answer(bench.scenes[0], kind).iou
        if not bool(((iou >= low) & (iou <= high)).all()):
            yield Finding(
                "predicted iou",
                f"predicted IoU of {kind} lie between {iou.min():.3g} and {iou.max():.3g}",
                "Return qualities between 0 and 1; if they are logits, apply the sigmoid.",
            )


def coordinate_order(bench: Bench) -> Iterator[Finding]:
    """Masks lie where the prompts are, and not where x and y swapped would be."""
    for kind in bench.kinds:
        own, swapped, chance = np.mean([_placed(bench, s, kind) for s in bench.scenes], axis=0)
        bench.facts[f"overlap with truth, {kind}"] = round(float(own), 3)
        if swapped > own:
            yield Finding(
                "coordinate order",
                f"masks of {kind} overlap what lies under the swapped coordinates "
                f"({swapped:.2f}) more than what was asked for ({own:.2f})",
                "Points are (x, y) and boxes (x0, y0, x1, y1): swap neither x and y nor H and W.",
            )
        elif own <= chance + 0.01:
            yield Finding(
                "coordinate order",
                f"masks of {kind} fit what was asked for ({own:.2f}) no better than another object "
                f"({chance:.2f})",
                "Bring prompts from pixels of the image to those of the network's input; a model "
                "with random weights fails here too.",
            )


def _placed(bench: Bench, scene: Scene, kind: str) -> tuple[float, float, float]:
    """Mean overlap of masks with their box, with their box mirrored at the diagonal, by chance."""
    found = bench.answer(scene, kind).most_confident().binary()[:, 0]
    mirrored = scene.boxes[:, [1, 0, 3, 2]]
    others = np.roll(scene.boxes, 1, axis=0)
    own, swapped, chance = (
        np.mean([_overlap(m, b) for m, b in zip(found, boxes, strict=True)])
        for boxes in (scene.boxes, mirrored, others)
    )
    return float(own), float(swapped), float(chance)


def _overlap(mask: NDArray[np.bool_], box: NDArray[np.float64]) -> float:
    """IoU of a mask (H, W) with a filled box, which is cut at the image's edge."""
    filled = np.zeros_like(mask)
    x0, y0, x1, y1 = box.astype(int)
    filled[y0:y1, x0:x1] = True
    union = (mask | filled).sum()
    return float((mask & filled).sum() / union) if union else 0.0


def determinism(bench: Bench) -> Iterator[Finding]:
    """The same question twice gives the same answer."""
    scene = bench.scenes[0]
    embeddings = bench.fresh(scene), bench.fresh(scene)
    for kind in bench.kinds:
        first, second = (bench.ask(embedding, scene, kind) for embedding in embeddings)
        if not _same(first, second):
            yield Finding(
                "determinism",
                f"the same {kind} on the same image gave two answers ({_apart(first, second)})",
                "Call eval() on the network (dropout), and seed what is random.",
            )


def state_between_images(bench: Bench) -> Iterator[Finding]:
    """What is asked of one image does not depend on which images came before."""
    one, other = bench.scenes[:2]
    embedding = bench.fresh(one)
    before = {kind: bench.ask(embedding, one, kind) for kind in bench.kinds}
    another = bench.fresh(other)
    for kind in bench.kinds:
        bench.ask(another, other, kind)
        after = bench.ask(embedding, one, kind)
        if not _same(before[kind], after):
            yield Finding(
                "state between images",
                f"{kind} on one image gave another answer once another image was embedded "
                f"({_apart(before[kind], after)})",
                "Keep all that belongs to an image in its embedding, nothing in the model.",
            )


def batch_invariance(bench: Bench) -> Iterator[Finding]:
    """Prompts together give what each gives alone; images likewise."""
    yield from _prompts_together(bench)
    together = bench.model.embed([scene.image for scene in bench.scenes])
    for scene, embedding in zip(bench.scenes, together, strict=True):
        kind = bench.kinds[0]
        alone, joint = bench.answer(scene, kind), bench.ask(embedding, scene, kind)
        if not _same(alone, joint):
            yield Finding(
                "batch invariance",
                f"an image embedded with others gives other masks ({_apart(alone, joint)})",
                "Let no image of a batch see the others: no batch statistics, no shared padding.",
            )
            return


def _prompts_together(bench: Bench) -> Iterator[Finding]:
    import torch

    scene = bench.scenes[0]
    for kind in bench.kinds:
        prompts, embedding = scene.prompts(kind), bench.embed(scene)
        joint = bench.model.predict(embedding, prompts, multimask=True)
        single = [
            bench.model.predict(embedding, prompts[i : i + 1], multimask=True)
            for i in range(len(prompts))
        ]
        logits = torch.cat([each.logits for each in single])
        alone = Masks(logits, torch.cat([e.iou for e in single]), joint.size, joint.resize)
        if not _same(joint, alone):
            yield Finding(
                "batch invariance",
                f"{kind} asked together give other masks than one by one ({_apart(joint, alone)})",
                "Let no prompt of a batch see the others.",
            )


def promising(bench: Bench) -> Iterator[Finding]:
    """What `predict_above` promises: other masks than those of `predict` only below the IoU."""
    import torch

    if type(bench.model).predict_above is Model.predict_above:
        return
    scene = bench.scenes[0]
    for kind in bench.kinds:
        prompts, embedding = scene.prompts(kind), bench.embed(scene)
        every = bench.model.predict(embedding, prompts, multimask=True)
        least = float(every.iou.median())
        some = bench.model.predict_above(embedding, prompts, least, multimask=True)
        kept = (every.iou > least)[..., None, None]
        merged = Masks(
            torch.where(kept, some.logits, every.logits), some.iou, every.size, every.resize
        )
        if not _same(every, merged) or not torch.allclose(every.iou, some.iou, atol=SLACK):
            yield Finding(
                "promising",
                f"of {kind}, masks with a predicted IoU above {least:.3g} are not those of predict",
                "Leave out masks only where the predicted IoU is not above the given one.",
            )


def feedback(bench: Bench) -> Iterator[Finding]:
    """Its own logits are taken as mask prompts, if it says so; padding points are taken."""
    scene = bench.scenes[0]
    if "points" not in bench.model.prompts:
        return
    prompts, embedding = scene.prompts("points"), bench.embed(scene)
    assert prompts.points is not None
    assert prompts.labels is not None
    padded = Prompts(
        points=np.concatenate([prompts.points, np.zeros_like(prompts.points)], axis=1),
        labels=np.concatenate([prompts.labels, np.full_like(prompts.labels, -1)], axis=1),
    )
    first = bench.model.predict(embedding, padded, multimask=False)
    plain = bench.model.predict(embedding, prompts, multimask=False)
    agreement = np.mean(first.binary() == plain.binary())
    if agreement < 0.9:
        yield Finding(
            "feedback",
            f"a padding point of label -1 changes {1 - agreement:.0%} of the pixels",
            "Ignore points of label -1: they fill up prompts with fewer points than others.",
        )
    if "masks" in bench.model.prompts:
        again = Prompts(points=prompts.points, labels=prompts.labels, masks=first.logits)
        bench.model.predict(embedding, again, multimask=False)


def inputs_untouched(bench: Bench) -> Iterator[Finding]:
    """Images and prompts are not written to."""
    scene = bench.scenes[0]
    image = scene.image.copy()
    [embedding] = bench.model.embed([image])
    for kind in bench.kinds:
        prompts, fresh = scene.prompts(kind), scene.prompts(kind)
        bench.model.predict(embedding, prompts, multimask=True)
        part, same = getattr(prompts, kind), getattr(fresh, kind)
        if not np.array_equal(part, same) or not np.array_equal(image, scene.image):
            yield Finding(
                "inputs untouched", f"the image or the {kind} were changed", "Work on copies."
            )


def own_methods(bench: Bench) -> Iterator[Finding]:
    """What it finds without prompts has the shape that tasks expect."""
    scene = bench.scenes[0]
    boundaries, propose = map(bench.model.direct, ("boundaries", "propose"))
    if boundaries is not None:
        edges = np.asarray(boundaries(scene.image))
        if edges.shape != scene.size or not np.isfinite(edges).all() or edges.min() < 0:
            yield Finding(
                "own methods",
                f"boundaries(image) of {scene.size} gave {edges.shape}, from {edges.min():.3g}",
                "Return (H, W), finite and not negative.",
            )
    if propose is not None:
        rles, scores = propose(scene.image)
        sizes = {tuple(rle["size"]) for rle in rles}
        if len(rles) != len(scores) or sizes - {scene.size}:
            yield Finding(
                "own methods",
                f"propose(image) gave {len(rles)} masks of sizes {sizes} and {len(scores)} scores",
                "Return N run-length encodings of the image's size and N scores.",
            )


def speed(bench: Bench) -> Iterator[Finding]:
    """How long it takes, and how much memory: facts, no findings."""
    scene = bench.scenes[0]
    start = time.perf_counter()
    embedding = bench.fresh(scene)
    bench.facts["seconds to embed"] = round(time.perf_counter() - start, 4)
    for kind in bench.kinds:
        start = time.perf_counter()
        bench.model.predict(embedding, scene.prompts(kind), multimask=True).binary()
        each = (time.perf_counter() - start) / len(scene.boxes)
        bench.facts[f"seconds a prompt, {kind}"] = round(each, 4)
    bench.facts["peak memory, GB"] = round(peak_memory()["host_rss"] / 1e9, 2)
    yield from ()


def _same(a: Masks, b: Masks) -> bool:
    if a.logits.shape != b.logits.shape:
        return False
    scale = max(float(a.logits.abs().max()), 1e-6)
    if float((a.logits - b.logits).abs().max()) > SLACK * scale:
        return False
    mine, others = a.binary(), b.binary()
    union = (mine | others).sum(axis=(2, 3))
    return bool(((mine ^ others).sum(axis=(2, 3)) <= np.maximum(PIXELS, SHARE * union)).all())


def _apart(a: Masks, b: Masks) -> str:
    if a.logits.shape != b.logits.shape:
        return f"shapes {tuple(a.logits.shape)} and {tuple(b.logits.shape)}"
    return f"{np.mean(a.binary() != b.binary()):.2%} of the pixels differ"


def _needs_prompts(
    check: Callable[[Bench], Iterator[Finding]],
) -> Callable[[Bench], Iterator[Finding]]:
    """Skip an experiment with prompts for a model that takes neither points nor boxes."""

    def run(bench: Bench) -> Iterator[Finding]:
        return check(bench) if bench.kinds else iter(())

    run.__name__ = check.__name__
    return run


CHECKS: tuple[Callable[[Bench], Iterator[Finding]], ...] = (
    card,
    *map(
        _needs_prompts,
        (
            shapes,
            predicted_iou,
            inputs_untouched,
            determinism,
            state_between_images,
            batch_invariance,
            coordinate_order,
            promising,
            feedback,
        ),
    ),
    own_methods,
    speed,
)
