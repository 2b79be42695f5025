"""`sambench.evaluate` with objects: what they were made with is not known."""

import sys
from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from sambench import evaluate
from sambench.interfaces import Dataset, DatasetCard, Task
from sambench.registry import load
from sambench.store.run import find_runs
from sambench.truths import Instances


class Boxes(Dataset):
    """One box an image."""

    truths = (Instances,)
    card = DatasetCard(name="boxes", title="boxes", licence="none", citation="none")
    fingerprint = "1"

    def __init__(self, height=18, ids=("a", "b")):
        self.height, self._ids = height, ids

    @property
    def ids(self):
        return self._ids

    def read_image(self, id):
        return np.full((32, 48, 3), 9, np.uint8)

    def read_truth(self, id, kind):
        masks = np.zeros((32, 48, 1), np.uint8, order="F")
        masks[: self.height, :24] = 1
        area = np.array([24.0 * self.height])
        box, no = np.array([[0.0, 0, 24, self.height]]), np.zeros(1, bool)
        return Instances(
            (32, 48), tuple(coco_mask.encode(masks)), (0,), np.ones(1, int), box, area, no
        )


@dataclass(frozen=True)
class Count(Task):
    """Counts images."""

    truth: ClassVar[type] = Instances
    metric: ClassVar[str] = "n"
    needs: ClassVar[frozenset[str]] = frozenset()
    paper: ClassVar[str] = "none"

    def predict(self, model, embedding, sample):
        return 1

    def score(self, prediction, truth):
        return {"n": prediction}

    def estimator(self, records):
        values = np.array([record["n"] for record in records])
        return lambda counts: {"n": float(values @ counts)}


@pytest.fixture
def score(tmp_path):
    def score(task, dataset, **more):
        settings = {"workers": 0, "resamples": 0, "progress": False, **more}
        return evaluate(task, model="whole_image", dataset=dataset, output=tmp_path, **settings)

    return score


def test_a_dataset_made_otherwise_has_numbers_of_its_own(score):
    found = [score("points", Boxes(height)).metrics["mIoU"].value for height in (16, 32)]
    assert found == [0.25, 0.5]


def test_code_of_a_notebook_is_never_taken_for_what_it_was(score, monkeypatch):
    found = []
    for factor in (1, 2):
        module = ModuleType("cell")
        module.Count = type("Count", (Count,), {"__module__": "cell"})
        module.Count.predict = lambda *_, factor=factor: factor
        monkeypatch.setitem(sys.modules, "cell", module)
        found.append(score(module.Count(), "mini", limit=1).metrics["n"].value)
    assert found == [1.0, 2.0]


def test_images_that_come_and_go_are_counted_as_they_are(score, tmp_path):
    for ids, shown in ((("a",), "1 of 1"), (("a", "b", "c"), "3 of 3"), (("c", "b"), "2 of 2")):
        result = score("points", Boxes(ids=ids), fresh=False)
        assert result.protocol["dataset"]["images"] == shown
        (run,) = find_runs([tmp_path])
        assert [line["id"] for line in run.lines()] == list(ids)


def test_no_more_images_are_embedded_together_than_asked_for(tmp_path):
    """Else all images of a dataset would be held in memory before the first is predicted."""
    model = load("model", "whole_image")
    together = []

    class Counting(type(model)):
        def embed(self, images):
            together.append(len(images))
            return super().embed(images)

    evaluate(
        "points", model=Counting(), dataset=load("dataset", "scenes:images=5"), batch=2,
        output=tmp_path, resamples=10, workers=0, progress=False,
    )  # fmt: skip
    assert together == [2, 2, 1]
