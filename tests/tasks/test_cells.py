"""Cells: clicks and scores by hand, on a model that answers what it is told."""

import numpy as np
import pytest
import torch

from sambench.interfaces import Masks, Model, ModelCard, Sample
from sambench.masks.rle import encode
from sambench.registry import load
from sambench.truths import Instances


class Told(Model):
    """Answers one list of masks after another; remembers what it was asked."""

    card = ModelCard("told")

    def __init__(self, *rounds):
        self.rounds, self.asked = list(rounds), []

    def embed(self, images):
        return [image.shape[:2] for image in images]

    def predict(self, embedding, prompts, *, multimask):
        self.asked.append((prompts, multimask))
        masks = torch.from_numpy(np.stack(self.rounds[len(self.asked) - 1]))
        logits = torch.where(masks, 1.0, -1.0)[:, None]
        channels = 3 if multimask else 1
        iou = torch.ones(len(masks), channels)
        return Masks(logits.expand(-1, channels, -1, -1), iou, embedding, lambda low: low)


def box(x0, y0, x1, y1, size=(40, 60)):
    mask = np.zeros(size, dtype=bool)
    mask[y0:y1, x0:x1] = True
    return mask


LEFT, RIGHT = box(5, 5, 14, 20), box(30, 10, 41, 21)


def sample_of(*masks):
    count = len(masks)
    truth = Instances(
        size=masks[0].shape, rles=tuple(encode(np.stack(masks))), ids=tuple(range(1, count + 1)),
        categories=np.ones(count, dtype=np.int64), boxes=np.zeros((count, 4)),
        areas=np.ones(count), crowd=np.zeros(count, dtype=bool),
    )  # fmt: skip
    return Sample("one", np.zeros((*masks[0].shape, 3), dtype=np.uint8), truth)


def run(spec, model, sample):
    task = load("task", spec)
    record = task.score(task.predict(model, sample.truth.size, sample), sample.truth)
    return record, task.estimator([record])(np.ones(1))


def test_a_first_click_at_the_centre_and_then_one_of_each_kind():
    half = box(5, 5, 14, 12)
    model = Told([half, RIGHT | box(50, 0, 60, 5)], [LEFT, RIGHT])
    record, values = run("cells:iterations=2", model, sample_of(LEFT, RIGHT))
    (first, several), (second, single) = model.asked
    assert (several, single) == (True, False)
    assert first.points.tolist() == [[[9, 9]], [[35, 15]]]
    assert second.labels.tolist() == [[1, 1, 0]] * 2
    (lx, ly), (nx, ny) = second.points[0, 1:].astype(int)
    assert LEFT[ly, lx]
    assert not half[ly, lx]
    assert box(2, 2, 17, 23)[ny, nx]
    assert not LEFT[ny, nx]
    (rx, ry), (ex, ey) = second.points[1, 1:].astype(int)
    assert RIGHT[ry, rx]
    assert box(50, 0, 60, 5)[ey, ex]
    # At the end all is right; after the first answer the right object has a piece too many, and
    # the left one is not half.
    assert values["mSA"] == values["SA50"] == values["mSA@2"] == 1
    assert record["rounds"][0]["predicted"] == 3
    assert values["mSA@1"] == pytest.approx(0.25)


def test_a_box_first_and_the_logits_given_back():
    model = Told([LEFT, RIGHT], [LEFT, RIGHT])
    run("cells:first=box,iterations=2,feedback=true", model, sample_of(LEFT, RIGHT))
    (first, several), (second, _) = model.asked
    assert not several
    assert first.points is None
    assert first.boxes.tolist() == [[5, 5, 14, 20], [30, 10, 41, 21]]
    assert second.masks.shape == (2, 1, 40, 60)
    assert second.labels.tolist() == [[1, 0]] * 2


def test_several_clicks_at_once_lie_in_and_around_the_object():
    model = Told([LEFT, RIGHT])
    record, _ = run("cells:iterations=1,positives=3,negatives=4", model, sample_of(LEFT, RIGHT))
    [(prompts, several)] = model.asked
    assert not several
    assert prompts.labels.tolist() == [[1, 1, 1, 0, 0, 0, 0]] * 2
    # No pixel lies both within the box and five pixels more, and more than five from a full box.
    for own, points in zip((LEFT, RIGHT), prompts.points.astype(int), strict=True):
        inside = [bool(own[y, x]) for x, y in points]
        assert inside == [True] * 3 + [False] * 4
    assert record["clicks"][0][0] == (9, 9, True)


def test_larger_masks_lie_above_smaller_ones():
    small = box(8, 8, 11, 11)
    model = Told([LEFT, small | RIGHT])
    _, values = run("cells:iterations=1", model, sample_of(LEFT, RIGHT))
    assert values["SA50"] == 1


def test_hidden_objects_are_left_out_and_each_draws_its_own_clicks():
    model = Told([LEFT, LEFT | RIGHT])
    hidden = box(7, 7, 9, 9)
    record, _ = run("cells:iterations=1", model, sample_of(hidden, LEFT, RIGHT))
    assert record["objects"] == [2, 3]
    assert record["left_out"] == 1


def test_prompts_that_are_needed():
    needs = {
        "cells": {"points"},
        "cells:first=box": {"points", "boxes"},
        "cells:first=box,iterations=1": {"boxes"},
        "cells:feedback=true": {"points", "masks"},
    }
    assert {spec: set(load("task", spec).needs) for spec in needs} == needs
