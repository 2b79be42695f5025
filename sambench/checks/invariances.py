"""Experiments with a model asked in several ways, which must not move its answers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sambench.checks.bench import Bench
from sambench.findings import Finding
from sambench.interfaces import Masks, Model, Prompts

SLACK, PIXELS, SHARE = 0.01, 8, 0.005
"""Answers are the same if their logits differ by less than this part of the largest magnitude, and
their masks by no more pixels than these, or than this part of them."""


def determinism(bench: Bench) -> Iterator[Finding]:
    """The same question twice gives the same answer."""
    photo = bench.photographs[0]
    embeddings = bench.fresh(photo), bench.fresh(photo)
    for kind in bench.kinds:
        first, second = (bench.ask(embedding, photo, kind) for embedding in embeddings)
        if not _same(first, second):
            yield Finding(
                "determinism",
                f"the same {kind} on the same image gave two answers ({_apart(first, second)})",
                "Call eval() on the network (dropout), and seed what is random.",
            )


def state_between_images(bench: Bench) -> Iterator[Finding]:
    """What is asked of one image does not depend on which images came before."""
    one, other = bench.photographs[:2]
    embedding = bench.fresh(one)
    before = {kind: bench.ask(embedding, one, kind) for kind in bench.kinds}
    another = bench.fresh(other)
    for kind in bench.kinds:
        bench.ask(another, other, kind)
        after = bench.ask(embedding, one, kind)
        if not _same(before[kind], after):
            yield Finding(
                "state between images",
                f"{kind} on one image gave a different answer after another image was embedded "
                f"({_apart(before[kind], after)})",
                "Keep all that belongs to an image in its embedding, nothing in the model.",
            )


def batch_invariance(bench: Bench) -> Iterator[Finding]:
    """Prompts together give what each gives alone; images likewise."""
    yield from _prompts_together(bench)
    together = bench.model.embed([photo.image for photo in bench.photographs])
    for photo, embedding in zip(bench.photographs, together, strict=True):
        kind = bench.kinds[0]
        alone, joint = bench.answer(photo, kind), bench.ask(embedding, photo, kind)
        if not _same(alone, joint):
            yield Finding(
                "batch invariance",
                f"an image embedded with others gives different masks ({_apart(alone, joint)})",
                "Let no image of a batch see the others: no batch statistics, no shared padding.",
            )
            return


def _prompts_together(bench: Bench) -> Iterator[Finding]:
    import torch

    photo = bench.photographs[0]
    for kind in bench.kinds:
        prompts, embedding = photo.prompts(kind), bench.embed(photo)
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
    photo = bench.photographs[0]
    for kind in bench.kinds:
        prompts, embedding = photo.prompts(kind), bench.embed(photo)
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
    photo = bench.photographs[0]
    if "points" not in bench.model.prompts:
        return
    prompts, embedding = photo.prompts("points"), bench.embed(photo)
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
