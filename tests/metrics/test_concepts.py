"""cgF1 and its parts: by hand, by brute force, and what must hold of any records."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sambench.masks.rle import encode
from sambench.metrics.concepts import (
    EPSILON,
    THRESHOLDS,
    best,
    concept_f1,
    match,
    match_overlaps,
    pair_record,
)
from sambench.metrics.iou import iou

SIZE = (12, 16)


def box(x0, y0, x1, y1):
    mask = np.zeros(SIZE, bool)
    mask[y0:y1, x0:x1] = True
    return mask


def rles(*masks):
    return encode(np.stack(masks)) if masks else []


def values(*images):
    """Metrics of images, each a list of (predicted masks, annotations of masks)."""
    records = [
        [pair_record(rles(*found), [rles(*own) for own in annotations]) for found, annotations in i]
        for i in images
    ]
    return concept_f1(records)(np.ones(len(records)))


A, B = box(0, 0, 4, 4), box(8, 0, 12, 4)
THREE_QUARTERS = box(0, 0, 3, 4)  # of A: IoU 12 / 16


def test_worked_example():
    """Two positives, two negatives: one mask right, one of IoU .75, one missed, one too many.

    At IoU .50 to .75 (6 of 10): TP 2, FP 0, FN 1: F1 = 4 / 5. Above (4 of 10): TP 1, FP 1, FN 2:
    F1 = 2 / 5. Presence: TP 2, FP 1, TN 1: MCC = 2 / sqrt(3 * 2 * 2 * 1).
    """
    found = values(
        [([THREE_QUARTERS], [[A]]), ([A], [[]])],
        [([A], [[A, B]]), ([], [[]])],
    )
    pm = (6 * 0.8 + 4 * 0.4) / 10
    mcc = 2 / np.sqrt(12)
    rough = {"rel": 3e-4}  # epsilons
    assert found["pmF1"] == pytest.approx(pm, **rough)
    assert found["IL_MCC"] == pytest.approx(mcc, **rough)
    assert found["cgF1"] == pytest.approx(pm * mcc, **rough)
    assert found["pmF1@50"] == pytest.approx(0.8, **rough)
    assert found["pmF1@75"] == pytest.approx(0.8, **rough)
    assert found["cgF1@75"] == pytest.approx(0.8 * mcc, **rough)
    assert found["IL_precision"] == pytest.approx(2 / 3, **rough)
    assert found["IL_recall"] == pytest.approx(1, **rough)
    assert found["IL_F1"] == pytest.approx(0.8, **rough)
    assert found["IL_FPR"] == pytest.approx(0.5, **rough)
    # Local F1: 1 or 0 for the first, 2 / 3 for the second.
    assert found["positive_macro_F1"] == pytest.approx((0.6 + 2 / 3) / 2, **rough)


def test_the_epsilons_are_the_published_ones():
    """One perfect positive and one right negative, worked with 1e-4 and 1e-6 in place."""
    found = values([([A], [[A]]), ([], [[]])])
    ratio = 1 / (1 + 1e-4)
    f1 = 2 * ratio * ratio / (2 * ratio + 1e-4)
    mcc = 1 / (1 + 1e-6)
    assert found["pmF1"] == pytest.approx(f1, abs=1e-15)
    assert found["cgF1"] == pytest.approx(f1 * mcc, abs=1e-15)


def test_the_assignment_maximises_the_sum():
    """The pair of highest IoU is given up where two others make more."""
    overlaps = np.array([[0.9, 0.8], [0.85, 0.0]])
    assert match_overlaps(overlaps).tp.tolist() == [2] * 7 + [1, 0, 0]


def test_false_positives_on_negatives_leave_pmf1_alone():
    right = ([A], [[A]])
    clean, wrong = values([right, ([], [[]])]), values([right, ([A, B], [[]]), ([], [[]])])
    assert clean["pmF1"] == wrong["pmF1"]
    assert wrong["cgF1"] < clean["cgF1"]


def test_a_missed_phrase_counts_in_the_micro_mean_and_not_in_the_number_of_the_macro():
    found = values([([A], [[A]]), ([], [[B]]), ([], [[]])])
    assert found["pmF1"] == pytest.approx(2 / 3, rel=3e-4)
    assert found["positive_macro_F1"] == pytest.approx(1, rel=3e-4)


def test_the_best_annotation_counts_for_everything():
    three = [[B], [A, B], [A]]
    record = pair_record(rles(A), [rles(*own) for own in three])
    assert record == {"annotator": 2, "truths": 1, "predictions": 1, "tp": [1] * 10}
    first = pair_record(rles(A), [rles(A), rles(A)])
    assert first["annotator"] == 0


def test_nothing_found_where_one_annotator_saw_nothing_is_perfect():
    found = values([([], [[A], [], [B]]), ([A], [[A], [A], [A]])])
    assert found["IL_MCC"] == pytest.approx(1, abs=1e-5)
    assert found["pmF1"] == pytest.approx(1, abs=2e-4)


def test_an_answer_to_what_nobody_saw_is_wrong_whoever_is_asked():
    record = pair_record(rles(A), [[], rles(B)])
    assert (record["annotator"], record["truths"], record["tp"]) == (0, 0, [0] * 10)


def test_what_is_not_defined_is_nan():
    positives, negatives = values([([A], [[A]])]), values([([], [[]])])
    assert np.isnan(positives["IL_MCC"])
    assert np.isnan(positives["cgF1"])
    assert positives["pmF1"] == pytest.approx(1, abs=2e-4)
    assert np.isnan(negatives["pmF1"])
    assert np.isnan(negatives["cgF1"])
    assert negatives["IL_FPR"] == 0


def test_everything_predicted_everywhere_has_no_correlation():
    found = values([([A], [[A]]), ([A], [[]])])
    assert found["IL_MCC"] == found["cgF1"] == 0


def brute_force(images):
    """The published definitions, spelled out: all permutations, and correlation of presence."""
    counts = {t: [0, 0, 0] for t in THRESHOLDS}
    said, true = [], []
    for pair in (pair for image in images for pair in image):
        found, truth = pair[0], _oracle(*pair)
        said.append(bool(found))
        true.append(bool(truth))
        if not truth:
            continue
        for t in THRESHOLDS:
            tp = _true_positives(found, truth, t)
            for i, n in enumerate((tp, len(found) - tp, len(truth) - tp)):
                counts[t][i] += n
    scores = [_f1(*counts[t]) for t in THRESHOLDS]
    varied = len(set(true)) == 2
    mcc = (np.corrcoef(said, true)[0, 1] if len(set(said)) == 2 else 0.0) if varied else np.nan
    return (np.mean(scores) if any(true) else np.nan), mcc


def _f1(tp, fp, fn):
    precision, recall = tp / (tp + fp + EPSILON), tp / (tp + fn + EPSILON)
    return 2 * precision * recall / (precision + recall + EPSILON)


def _true_positives(found, truth, threshold):
    few, many = sorted((found, truth), key=len)
    assigned = max(
        permutations(many, len(few)),
        key=lambda order: sum(iou(a, b) for a, b in zip(few, order, strict=True)),
    )
    return sum(iou(a, b) >= threshold for a, b in zip(few, assigned, strict=True))


def _oracle(found, annotations):
    def quality(truth):
        if not found and not truth:
            return 1.0
        scores = []
        for t in THRESHOLDS:
            tp = _true_positives(found, truth, t)
            scores.append(_f1(tp, len(found) - tp, len(truth) - tp))
        return np.mean(scores)

    return max(annotations, key=quality)


def random_images(seed, annotators, images=3, phrases=3):
    """Jittered copies of up to three rectangles, some dropped, some made up."""
    rng = np.random.default_rng(seed)

    def rectangle():
        x, y = rng.integers(0, 9, 2)
        w, h = rng.integers(3, 8, 2)
        return box(x, min(y, 6), x + w, min(y, 6) + h)

    def jittered(masks):
        kept = [np.roll(m, rng.integers(-1, 2), axis=rng.integers(2)) for m in masks]
        return [m for m in kept if rng.random() < 0.8] + (
            [rectangle()] if rng.random() < 0.2 else []
        )

    def pair():
        masks = [rectangle() for _ in range(rng.integers(0, 4))]
        return jittered(masks), [jittered(masks) for _ in range(annotators)]

    return [[pair() for _ in range(phrases)] for _ in range(images)]


@pytest.mark.parametrize("annotators", [1, 3])
@pytest.mark.parametrize("seed", range(15))
def test_against_brute_force(seed, annotators):
    images = random_images(seed, annotators)
    pm, mcc = brute_force(images)
    found = values(*images)
    assert found["pmF1"] == pytest.approx(pm, abs=1e-12, nan_ok=True)
    assert found["IL_MCC"] == pytest.approx(mcc, abs=1e-5, nan_ok=True)
    assert found["cgF1"] == pytest.approx(pm * mcc, abs=1e-5, nan_ok=True)


OFFICIAL = (
    "cgF1", "pmF1", "IL_MCC", "IL_precision", "IL_recall", "IL_F1", "IL_FPR", "positive_macro_F1",
    "cgF1@50", "cgF1@75", "pmF1@50", "pmF1@75",
)  # fmt: skip


@pytest.mark.parametrize(
    ("annotators", "seed", "printed"),
    [
        (1, 0, [0.07331414, 0.214443, 0.34188173, 0.74999997, 0.85714282, 0.79999947,
                0.5454545, 0.24755993, 0.148627, 0.06935031, 0.4347322, 0.20284883]),
        (3, 0, [0.32149874, 0.49679151, 0.64715023, 0.88461535, 0.95833329, 0.91999946,
                0.37499995, 0.48718151, 0.49043865, 0.27245167, 0.75784359, 0.4210022]),
        (3, 2, [0.47794805, 0.51784366, 0.9229582, 0.95833329, 0.99999996, 0.97872286,
                0.1111111, 0.55172788, 0.75774953, 0.36913637, 0.82100091, 0.39994917]),
    ],
)  # fmt: skip
def test_the_evaluator_of_the_authors_says_the_same(annotators, seed, printed):
    """Outputs of CGF1Evaluator of the package sam3 0.1.4 for the same masks."""
    found = values(*random_images(seed, annotators, images=8, phrases=4))
    assert [found[name] for name in OFFICIAL] == pytest.approx(printed, abs=1e-8)


seeds = st.integers(0, 2**32 - 1)


def records(seed, annotators=1):
    return [
        [pair_record(rles(*found), [rles(*own) for own in truths]) for found, truths in image]
        for image in random_images(seed, annotators)
    ]


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_neither_images_nor_masks_have_an_order(seed):
    images = random_images(seed, 1)
    turned = [
        [(found[::-1], [own[::-1] for own in truths]) for found, truths in image[::-1]]
        for image in images[::-1]
    ]
    # Equal sums of IoU may be reached by other pairs, so pairs of equal sums are left aside.
    ties = [
        match(rles(*f), rles(*t[0])).tp.tolist() != match(rles(*f[::-1]), rles(*t[0])).tp.tolist()
        for image in images
        for f, t in image
    ]
    if not any(ties):
        assert values(*turned) == pytest.approx(values(*images), nan_ok=True)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_perfect_answers_reach_100(seed):
    images = [[(t[0], t) for _, t in image] for image in random_images(seed, 1)]
    images.append([([], [[]]), ([A], [[A]])])
    found = values(*images)
    assert found["cgF1"] == pytest.approx(1, abs=2e-4)
    assert found["IL_FPR"] == 0


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_bounds_and_counts(seed):
    own = records(seed, 3)
    found = concept_f1(own)(np.ones(3))
    for name, value in found.items():
        assert np.isnan(value) or -1 <= value <= 1
        assert name in ("cgF1", "IL_MCC", "cgF1@50", "cgF1@75") or np.isnan(value) or value >= 0
    weighted = concept_f1(own)(np.array([2.0, 0.0, 1.0]))
    assert weighted == pytest.approx(concept_f1([own[0], own[0], own[2]])(np.ones(3)), nan_ok=True)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_more_annotators_never_lower_the_f1_of_a_pair(seed):
    for found, truths in random_images(seed, 3)[0]:
        matches = [match(rles(*found), rles(*own)) for own in truths]
        scores = [1.0 if m.empty else m.f1().mean() for m in matches]
        assert scores[best(matches)] == max(scores)
