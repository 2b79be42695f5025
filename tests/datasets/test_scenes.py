"""Rendered scenes: exact truth, the same everywhere."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sambench.checks.dataset import problems_of
from sambench.datasets.scenes import SHAPES, VISIBLE, Scenes, boundaries_of
from sambench.errors import UserError
from sambench.truths import Boundaries, Instances


@pytest.fixture(scope="module")
def scenes():
    return Scenes(images=12)


def labels_of(scenes, id):
    truth = scenes.read_truth(id, Instances)
    labels = np.zeros(truth.size, dtype=np.int64)
    for number, mask in enumerate(truth.masks(), 1):
        labels[mask] = number
    return labels


def test_nothing_is_missing():
    dataset = Scenes()
    assert len(dataset) == dataset.card.expected["images"] == len(set(dataset.ids))
    assert problems_of(Scenes(images=3)) == []


def test_pixels_and_masks_are_pinned():
    """The same on every machine; if this fails, `VERSION` has to rise."""
    scenes = Scenes()
    seen = hashlib.sha256()
    for id in scenes.ids[:5]:
        seen.update(scenes.read_image(id).tobytes())
        seen.update(labels_of(scenes, id).astype("<i8").tobytes())
    assert seen.hexdigest() == "351f44ad8f10768133ce9e5a7224516737e80ed495b7c70468d766c2328552e6"


def test_a_scene_depends_on_seed_and_number_alone(scenes):
    many = Scenes(images=5000)
    assert many.ids[3] == "0003"
    for here, there in (("03", "0003"), ("11", "0011")):
        assert (scenes.read_image(here) == many.read_image(there)).all()
        assert scenes[here].truth.rles == many[there].truth.rles
    assert not (scenes.read_image("03") == scenes.read_image("04")).all()
    assert not (scenes.read_image("03") == Scenes(seed=1).read_image("03")).all()


def test_masks_do_not_overlap_and_are_large_enough(scenes):
    for id in scenes:
        truth = scenes.read_truth(id, Instances)
        masks = truth.masks()
        assert 1 <= len(masks) <= scenes.objects
        assert masks.sum(0).max() == 1
        assert masks.sum((1, 2)).min() >= VISIBLE
        assert (truth.areas == masks.sum((1, 2))).all()


def test_boxes_are_those_of_the_masks(scenes):
    for id in scenes:
        truth = scenes.read_truth(id, Instances)
        for box, mask in zip(truth.boxes, truth.masks(), strict=True):
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            assert box.tolist() == [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]


def test_every_shape_occurs_and_is_named():
    scenes = Scenes(images=30)
    kinds = {int(c) for id in scenes for c in scenes[id].truth.categories}
    assert kinds == set(scenes.categories) == set(range(1, len(SHAPES) + 1))
    assert scenes.categories[2] == "ring"


def test_boundaries_lie_where_labels_meet(scenes):
    for id in scenes:
        labels = labels_of(scenes, id)
        (drawn,) = scenes.read_truth(id, Boundaries).annotators
        assert drawn.shape == labels.shape
        meets = np.zeros_like(drawn)
        around = np.pad(labels, 1, mode="edge")
        for dy in range(3):
            for dx in range(3):
                window = around[dy : dy + labels.shape[0], dx : dx + labels.shape[1]]
                meets |= window != labels
        assert meets[drawn].all()
        block = drawn[1:, 1:] & drawn[1:, :-1] & drawn[:-1, 1:] & drawn[:-1, :-1]
        assert block.sum() <= 0.01 * drawn.sum()
        assert drawn.sum() > 0.3 * meets.sum()


def test_boundaries_of_a_square():
    labels = np.zeros((8, 8), dtype=np.int64)
    labels[2:6, 2:6] = 1
    drawn = boundaries_of(labels)
    expected = np.zeros((8, 8), dtype=bool)
    expected[1, 2:5] = expected[5, 2:5] = expected[2:5, 1] = expected[2:5, 5] = True
    corners = drawn & ~expected
    assert (drawn & expected).sum() >= expected.sum() - 1
    assert set(zip(*np.nonzero(corners), strict=True)) <= {(1, 1), (1, 5), (5, 1), (5, 5)}


def test_objects_differ_from_what_is_behind_them(scenes):
    image = scenes.read_image("00").astype(int)
    masks = scenes.read_truth("00", Instances).masks()
    behind = image[~masks.any(0)].mean(0)
    far = [np.abs(image[mask].mean(0) - behind).max() for mask in masks]
    assert np.median(far) > 20


def test_fingerprint_is_of_the_options():
    prints = {
        Scenes(images=5).fingerprint,
        Scenes(images=6).fingerprint,
        Scenes(images=5, seed=1).fingerprint,
        Scenes(images=5, width=321).fingerprint,
        Scenes(images=5, objects=3).fingerprint,
    }
    assert len(prints) == 5
    assert Scenes(images=5).fingerprint == Scenes(images=5).fingerprint


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    width=st.integers(64, 120),
    height=st.integers(64, 120),
    objects=st.integers(1, 20),
)
def test_any_options_give_a_consistent_scene(seed, width, height, objects):
    scenes = Scenes(images=1, seed=seed, width=width, height=height, objects=objects)
    image, truth = scenes.read_image("0"), scenes.read_truth("0", Instances)
    # An object too small to be seen is not in the scene: one of few objects may be empty.
    assert problems_of(scenes) == ([] if len(truth) else ["0: nobody drew a boundary"])
    assert image.shape == (height, width, 3)
    assert image.dtype == np.uint8
    assert truth.masks().sum(0).max(initial=0) <= 1
    (drawn,) = scenes.read_truth("0", Boundaries).annotators
    assert drawn.any() or not len(truth)


def test_the_largest_scene_does_not_overflow():
    scenes = Scenes(images=1, width=4096, height=4096, objects=3)
    areas = scenes.read_truth("0", Instances).areas
    assert areas.min() > 1000
    assert areas.max() < 3.2 * 1024**2


@pytest.mark.parametrize(
    "options",
    [{"images": 0}, {"seed": -1}, {"width": 8}, {"height": 63}, {"width": 5000}, {"objects": 0}],
)
def test_an_option_out_of_range_is_one_sentence(options):
    (name,) = options
    with pytest.raises(
        UserError, match=rf"^scenes:{name}=-?\d+ is too (small|large); give [\d,]+ to [\d,]+\.$"
    ):
        Scenes(**options)
