"""Promptable concept segmentation: noun phrases asked of images, scored as SA-Co does.

Carion et al., SAM 3: Segment Anything with Concepts (arXiv 2511.16719), section 5 and appendix E.3,
and the authors' evaluator where the text leaves a choice. What is counted is a pair of image and
phrase. A positive pair has instances to find, a negative one has none.

cgF1 = pmF1 * IL_MCC: how well the instances of positive pairs are segmented, times how well the
presence of a phrase is classified.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sambench.interfaces import JSON, Estimator
from sambench.masks import rle

THRESHOLDS = np.linspace(0.5, 0.95, 10)
EPSILON = 1e-4
"""Added to the denominators of the numbers of masks, as the authors' evaluator does."""
IL_EPSILON = 1e-6
"""The same for the numbers of the image level."""

Floats = NDArray[np.float64]


def phrases(names: Mapping[int, str]) -> dict[int, str]:
    """The noun phrase of each category: its name, underscores read as spaces.

    Names that differ in case or spaces alone are one phrase, spelled as the first: an image would
    else be asked for the same thing as present and as absent.

    Args:
        names: category id -> name.
    """
    spelled = {id: " ".join(name.replace("_", " ").split()) for id, name in names.items()}
    first: dict[str, str] = {}
    return {id: first.setdefault(phrase.casefold(), phrase) for id, phrase in spelled.items()}


@dataclass(frozen=True)
class Match:
    """One pair of image and phrase against one annotation.

    Attributes:
        truths: number of annotated instances.
        predictions: number of predicted masks.
        tp: (10,) int64, matched pairs of masks at each of `THRESHOLDS`.
    """

    truths: int
    predictions: int
    tp: NDArray[np.int64]

    @property
    def empty(self) -> bool:
        """Nothing is there and nothing was found: a perfect answer, which has no F1."""
        return not self.truths and not self.predictions

    def f1(self) -> Floats:
        """F1 of the pair by itself at each threshold, (10,)."""
        return f1(
            self.tp.astype(np.float64),
            (self.predictions - self.tp).astype(np.float64),
            (self.truths - self.tp).astype(np.float64),
        )


def f1(tp: Floats, fp: Floats, fn: Floats, epsilon: float = EPSILON) -> Floats:
    """F1 as the harmonic mean of precision and recall, each with epsilon in the denominator."""
    precision, recall = tp / (tp + fp + epsilon), tp / (tp + fn + epsilon)
    score: Floats = 2 * precision * recall / (precision + recall + epsilon)
    return score


def match(predicted: Sequence[JSON], truth: Sequence[JSON]) -> Match:
    """Assign predictions to instances one to one so that the sum of IoU is greatest.

    Args:
        predicted: D run-length encodings.
        truth: G run-length encodings of the same size.
    """
    return match_overlaps(rle.overlaps(predicted, truth))


def match_overlaps(iou: Floats) -> Match:
    """The same from IoU (D, G); an assigned pair of masks counts where its IoU is the threshold."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(iou, maximize=True)
    tp = (iou[rows, columns][:, None] >= THRESHOLDS).sum(axis=0)
    return Match(iou.shape[1], iou.shape[0], tp)


def best(matches: Sequence[Match]) -> int:
    """The annotation, of several, that an answer is scored against: the oracle of SA-Co/Gold.

    It is the one of highest F1, averaged over the thresholds; a perfect one where neither it nor
    the answer has any mask; the first of equal ones.
    """
    return int(np.argmax([1.0 if m.empty else m.f1().mean() for m in matches]))


def pair_record(predicted: Sequence[JSON], annotations: Sequence[Sequence[JSON]]) -> JSON:
    """Counts of one pair of image and phrase, of the best annotation, as JSON values.

    Args:
        predicted: run-length encodings of the masks that count.
        annotations: for each annotator, the run-length encodings of the instances.
    """
    matches = [match(predicted, instances) for instances in annotations]
    index = best(matches)
    chosen = matches[index]
    return {
        "annotator": index,
        "truths": chosen.truths,
        "predictions": chosen.predictions,
        "tp": chosen.tp.tolist(),
    }


def concept_f1(records: Sequence[Sequence[JSON]]) -> Estimator:
    """Estimator of cgF1 and what it is made of.

    Args:
        records: for each image, a record of `pair_record` for each of its phrases.

    Returns:
        Counts of the images -> metrics, between 0 and 1 (IL_MCC: -1 and 1). Without positive
        pairs, or without negative ones, what needs them is NaN.
    """
    sums = np.array([_sums(pairs) for pairs in records]).reshape(len(records), -1)

    def estimate(counts: Floats) -> dict[str, float]:
        totals = counts @ sums
        tp, fp, fn, local = totals[4:].reshape(4, -1)
        of_images = image_level(*totals[:4])
        positive, found = totals[0] + totals[2], totals[0]
        pm = f1(tp, fp, fn) if positive else np.full(len(THRESHOLDS), np.nan)
        macro = local / found if found else pm
        mcc = of_images["IL_MCC"]
        return {
            "cgF1": float(pm.mean() * mcc),
            "pmF1": float(pm.mean()),
            **of_images,
            "positive_macro_F1": float(macro.mean()),
            **{f"cgF1@{at}": float(pm[i] * mcc) for i, at in ((0, 50), (5, 75))},
            **{f"pmF1@{at}": float(pm[i]) for i, at in ((0, 50), (5, 75))},
        }

    return estimate


def _sums(pairs: Sequence[JSON]) -> Floats:
    """Of one image: TP, FP, FN, TN of presence; TP, FP, FN and summed F1 of its positive pairs."""
    presence, masks = np.zeros(4), np.zeros((4, len(THRESHOLDS)))
    for pair in pairs:
        one = Match(pair["truths"], pair["predictions"], np.array(pair["tp"]))
        presence[2 * (one.predictions == 0) + (one.truths == 0)] += 1
        if one.truths:
            masks += np.stack([one.tp, one.predictions - one.tp, one.truths - one.tp, one.f1()])
    return np.concatenate([presence, masks.ravel()])


def image_level(tp: float, fp: float, fn: float, tn: float) -> dict[str, float]:
    """How well the presence of phrases is classified, from the 2 x 2 table of pairs.

    A pair is predicted positive if it has any mask, wherever it lies. IL_MCC is Matthews'
    correlation coefficient; 0 where all pairs, or none, are predicted positive.
    """
    epsilon = IL_EPSILON
    positive, negative = tp + fn, fp + tn
    nan = float("nan")
    precision = tp / (tp + fp + epsilon)
    recall = tp / (positive + epsilon) if positive else nan
    spread = np.sqrt((tp + fp) * positive * negative * (tn + fn))
    return {
        "IL_MCC": float((tp * tn - fp * fn) / (spread + epsilon)) if positive and negative else nan,
        "IL_precision": float(precision) if positive else nan,
        "IL_recall": float(recall),
        "IL_F1": float(2 * precision * recall / (precision + recall + epsilon)),
        "IL_FPR": float(fp / (negative + epsilon)) if negative else nan,
    }
