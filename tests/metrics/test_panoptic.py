"""PQ and mIoU against brute force of their reference code, readers, and both tasks."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from sambench.checks.dataset import problems_of
from sambench.checks.task import check_task
from sambench.datasets._segments import from_instances, from_numbers
from sambench.errors import UserError
from sambench.interfaces import Masks, Model, ModelCard
from sambench.masks import rle
from sambench.metrics import panoptic
from sambench.metrics.statistics import estimates
from sambench.registry import load
from sambench.tasks._prompted import answered, load_segments, save_segments
from sambench.truths import Instances, Segments


@st.composite
def segments(draw, crowds):
    numbers = draw(arrays(np.int64, (4, 6), elements=st.integers(0, 4)))
    categories = [draw(st.integers(1, 2)) for _ in range(4)]
    known = {n: (category, category == 1) for n, category in enumerate(categories, 1)}
    return from_numbers(numbers, known, draw(st.sets(st.integers(1, 4))) if crowds else ())


def reference(truth, answer):  # noqa: C901 (the whole rule in one place)
    """The rules of panopticapi, pair by pair: category -> [iou, tp, fp, fn]."""
    found = {}

    def of(category):
        return found.setdefault(int(category), [0.0, 0, 0, 0])

    void = truth.labels == 0
    hit_truth, hit_answer = set(), set()
    for g in range(len(truth)):
        for p in range(len(answer)):
            if truth.crowd[g] or truth.categories[g] != answer.categories[p]:
                continue
            wanted, given_ = truth.mask(g), answer.mask(p)
            common = (wanted & given_).sum()
            union = wanted.sum() + given_.sum() - common - (given_ & void).sum()
            if common / union > 0.5:
                entry = of(truth.categories[g])
                entry[0] += common / union
                entry[1] += 1
                hit_truth.add(g)
                hit_answer.add(p)
    for g in set(range(len(truth))) - hit_truth:
        if not truth.crowd[g]:
            of(truth.categories[g])[3] += 1
    for p in set(range(len(answer))) - hit_answer:
        lost = (answer.mask(p) & void).sum()
        crowds = [g for g in range(len(truth)) if truth.crowd[g]]
        for g in [g for g in crowds if truth.categories[g] == answer.categories[p]][-1:]:
            lost += (answer.mask(p) & truth.mask(g)).sum()
        if lost / answer.mask(p).sum() <= 0.5:
            of(answer.categories[p])[2] += 1
    return found


@settings(max_examples=150, deadline=None)
@given(segments(crowds=True), segments(crowds=False))
def test_matches_equal_brute_force(truth, answer):
    record = panoptic.panoptic_record(truth, answer)
    expected = reference(truth, answer)
    for i, category in enumerate(record["categories"]):
        found = [record[name][i] for name in ("iou_sum", "tp", "fp", "fn")]
        assert found == pytest.approx(expected.pop(category, [0, 0, 0, 0]))
    assert not expected


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(segments(crowds=False), segments(crowds=False)), min_size=1, max_size=3))
def test_miou_equals_the_confusion_matrix(pairs):
    confusion = np.zeros((3, 3))
    for truth, answer in pairs:
        of_truth = np.concatenate([[0], truth.categories])[truth.labels]
        of_answer = np.concatenate([[0], answer.categories])[answer.labels]
        np.add.at(confusion, (of_truth, of_answer), 1)
    known = confusion[1:]  # void of the truth does not count
    common = np.diag(known[:, 1:])
    union = known.sum(axis=1) + known[:, 1:].sum(axis=0) - common
    records = [panoptic.semantic_record(*pair) for pair in pairs]
    found = panoptic.semantic_estimator(records)(np.ones(len(records)))
    if union.any():
        assert found["mIoU"] == pytest.approx((common[union > 0] / union[union > 0]).mean())
    if known.any():
        assert found["accuracy"] == pytest.approx(common.sum() / known.sum())


def strip(*parts):
    """Numbers of segments along one row: (number, length) each."""
    return np.array([[number for number, length in parts for _ in range(length)]])


def test_pq_by_hand():
    known = {1: (7, True), 2: (8, False)}
    truth = from_numbers(strip((1, 10), (2, 10)), known)
    answer = from_numbers(strip((1, 8), (2, 12)), known)
    record = panoptic.panoptic_record(truth, answer)
    found = panoptic.panoptic_estimator([record])(np.ones(1))
    assert found["PQ_things"] == pytest.approx(8 / 10)
    assert found["PQ_stuff"] == pytest.approx(10 / 12)
    assert found["PQ"] == found["SQ"] == pytest.approx((0.8 + 10 / 12) / 2)
    assert found["RQ"] == 1
    twice = panoptic.panoptic_estimator([record, panoptic.panoptic_record(truth, truth)])
    assert twice(np.array([1.0, 0.0])) == pytest.approx(found)
    assert twice(np.array([0.0, 1.0]))["PQ"] == 1


def test_half_is_no_match():
    known = {1: (7, True)}
    truth, answer = (from_numbers(strip((1, n), (9, 20 - n)), known | {9: (9, False)})
                     for n in (10, 5))  # fmt: skip
    record = panoptic.panoptic_record(truth, answer)
    assert (record["tp"][0], record["fp"][0], record["fn"][0]) == (0, 1, 1)


def test_instances_become_segments():
    scenes = load("dataset", "scenes", width=80, height=64)
    instances = scenes.read_truth("00", Instances)
    found, exact = from_instances(instances), scenes.read_truth("00", Segments)
    assert found.categories.tolist() == instances.categories.tolist()
    assert (found.labels > 0).sum() == (exact.labels > 1).sum()
    assert problems_of(load("dataset", "scenes", images=2)) == []
    assert exact.things.tolist() == [False] + [True] * len(instances)


@pytest.fixture
def coco(tmp_path):
    folder = tmp_path / "annotations"
    (folder / "panoptic_val2017").mkdir(parents=True)
    (tmp_path / "val2017").mkdir()
    colours = np.zeros((6, 9, 3), dtype=np.uint8)
    colours[:, :3], colours[:, 3:6] = (10, 2, 1), (5, 0, 0)
    Image.fromarray(colours).save(folder / "panoptic_val2017" / "000000000007.png")
    Image.fromarray(colours).save(tmp_path / "val2017" / "000000000007.jpg")
    content = {
        "images": [{"id": 7, "file_name": "000000000007.jpg", "height": 6, "width": 9}],
        "annotations": [{"image_id": 7, "file_name": "000000000007.png", "segments_info": [
            {"id": 10 + 2 * 256 + 65536, "category_id": 1, "iscrowd": 0},
            {"id": 5, "category_id": 119, "iscrowd": 0},
        ]}],
        "categories": [{"id": 1, "name": "person", "isthing": 1},
                       {"id": 119, "name": "flower", "isthing": 0}],
    }  # fmt: skip
    (folder / "panoptic_val2017.json").write_text(json.dumps(content))
    return tmp_path


def test_coco_panoptic_is_read(coco):
    dataset = load("dataset", "coco_panoptic", root=str(coco))
    truth = dataset.read_truth("7", Segments)
    assert truth.ids == (5, 10 + 2 * 256 + 65536)
    assert truth.categories.tolist() == [119, 1]
    assert truth.things.tolist() == [False, True]
    assert truth.labels[0].tolist() == [2] * 3 + [1] * 3 + [0] * 3
    assert dataset.categories == {1: "person", 119: "flower"}


def test_a_segment_that_is_not_listed_is_told(coco):
    path = coco / "annotations" / "panoptic_val2017.json"
    path.write_text(path.read_text().replace('"id": 5,', '"id": 6,'))
    with pytest.raises(UserError, match="differ in segment 5"):
        load("dataset", "coco_panoptic", root=str(coco)).read_truth("7", Segments)


def test_scene_parsing_is_read(tmp_path):
    base = tmp_path / "ADEChallengeData2016"
    for part in ("images", "annotations"):
        (base / part / "validation").mkdir(parents=True)
    labels = np.repeat([[0, 3, 150]], 4, axis=0).astype(np.uint8)
    Image.fromarray(labels).save(base / "annotations" / "validation" / "ADE_val_00000001.png")
    dataset = load("dataset", "sceneparsing", root=str(tmp_path))
    truth = dataset.read_truth("ADE_val_00000001", Segments)
    assert truth.categories.tolist() == [3, 150]
    assert truth.labels[0].tolist() == [0, 1, 2]
    assert not truth.things.any()


def test_scene_parsing_names_its_classes_by_the_file_of_the_release(tmp_path):
    """open_semantic asks for them by these names."""
    for part in ("images", "annotations"):
        (tmp_path / part / "validation").mkdir(parents=True)
    names = tmp_path / "objectInfo150.txt"

    def opened(*rows, title="Name"):
        names.write_text("\n".join([f"Idx\tRatio\tTrain\tVal\t{title}", *rows]) + "\n")
        return load("dataset", "sceneparsing", root=str(tmp_path))

    rows = [f"{number} \t0.01\t9\t8\tthing {number}, object " for number in range(1, 151)]
    dataset = opened(*rows)
    assert dataset.categories == {number: f"thing {number}" for number in range(1, 151)}
    load("task", "open_semantic").check(dataset)
    other = opened(*rows[:-1], "150\t0.01\t9\t8\tflag")
    assert other.fingerprint != dataset.fingerprint
    for wrong in (opened(*rows[:-1]), opened(*rows, title="Stuff")):
        with pytest.raises(UserError, match="does not name the classes 1 to 150"):
            _ = wrong.categories
    names.unlink()
    assert load("dataset", "sceneparsing", root=str(tmp_path)).categories == {}


class Answering(Model):
    """Answers each prompt with the segment that is under it: the truth itself."""

    def __init__(self, dataset):
        self.card = ModelCard("answering")
        self.truths = {
            dataset.read_image(id).tobytes(): dataset.read_truth(id, Segments) for id in dataset.ids
        }

    def embed(self, images):
        return [self.truths[image.tobytes()] for image in images]

    def predict(self, embedding, prompts, *, multimask):
        masks = np.stack([embedding.mask(i) for i in range(len(embedding))])
        if prompts.boxes is not None:
            boxes = rle.boxes(rle.encode(masks))
            asked = [int(np.flatnonzero((boxes == box).all(axis=1))[0]) for box in prompts.boxes]
        else:
            x, y = prompts.points[:, 0].astype(int).T
            asked = embedding.labels[y, x] - 1
        logits = torch.as_tensor(masks[asked])[:, None].float() * 2 - 1
        return Masks(logits, torch.ones(len(asked), 1), embedding.size, lambda logits: logits)


@pytest.mark.parametrize("task", ["panoptic", "semantic"])
@pytest.mark.parametrize("options", [{}, {"prompt": "point", "mask": "single", "top": "small"}])
def test_the_contract_is_kept_and_the_truth_is_perfect(task, options):
    scenes = load("dataset", "scenes", width=80, height=64, images=3, objects=4)
    asked = load("task", task, **options)
    report = check_task(asked, Answering(scenes), scenes)
    assert report.findings == ()
    assert report.facts[asked.metric] == 1


def test_the_confident_or_the_smaller_mask_lies_above():
    truth = from_numbers(strip((1, 12), (2, 8)), {1: (7, True), 2: (8, True)})
    masks = np.zeros((2, 1, 20), dtype=bool)
    masks[0, :, :15], masks[1, :, 10:] = True, True

    class Overlapping(Answering):
        def __init__(self):
            self.card = ModelCard("overlapping")

        def predict(self, embedding, prompts, *, multimask):
            logits = torch.as_tensor(masks)[:, None].float() * 2 - 1
            return Masks(logits, torch.tensor([[0.9], [0.5]]), (1, 20), lambda logits: logits)

    def labels(top):
        return answered(Overlapping(), truth, truth, "box", "confident", top).labels[0].tolist()

    assert labels("confident") == [1] * 15 + [2] * 5
    assert labels("small") == [1] * 10 + [2] * 10


def test_saved_segments_that_do_not_fit_are_refused(tmp_path):
    truth = from_numbers(strip((1, 12), (2, 8)), {1: (7, True), 2: (8, True)})
    path = save_segments(truth, tmp_path / "a")
    path.write_text('{"categories": [7], "things": [true]}')
    with pytest.raises(UserError, match="fewer segments than its PNG"):
        load_segments(tmp_path / "a")


def test_intervals_of_sq_wait_for_images_that_pq_does_without() -> None:
    """A category without a match counts as 0, so that few images give too low an SQ."""
    records = [
        {"categories": [1, 2], "things": [True, False], "iou_sum": [0.5 + i / 300, 0.9 - i / 400],
         "tp": [1, 1], "fp": [i % 2, 1], "fn": [1, i % 3]}
        for i in range(100)
    ]  # fmt: skip
    found = {n: estimates(panoptic.panoptic_estimator(records[:n]), n) for n in (30, 99, 100)}

    assert not any(found[30][name].withheld for name in ("PQ", "RQ", "PQ_stuff"))
    assert all("SQ of fewer than 100" in found[99][name].withheld for name in ("SQ", "SQ_things"))
    assert not found[100]["SQ"].withheld
