"""The bundled photographs and their annotations: complete, consistent, and readable by others."""

import json
from collections import Counter

import numpy as np
import pytest
from pycocotools.coco import COCO
from scipy.ndimage import distance_transform_edt

from sambench.checks.dataset import problems_of
from sambench.datasets.mini import ANNOTATORS, FOLDER, Mini, rasterise
from sambench.errors import UserError
from sambench.truths import Boundaries, Instances

APART = {"brick": 8.0}
"""How many pixels an outline may be from a boundary, if more than 2: lines run along the mortar."""


@pytest.fixture(scope="module")
def mini():
    return Mini()


@pytest.fixture(scope="module")
def content():
    return json.loads((FOLDER / "instances.json").read_text())


def shoelace(x, y):
    return abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2


def outline(mask):
    inner = np.zeros_like(mask)
    inner[1:-1, 1:-1] = (
        mask[1:-1, 1:-1] & mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
    )
    border = np.zeros_like(mask)
    border[[0, -1]] = border[:, [0, -1]] = True
    return mask & ~inner & ~border


def test_nothing_is_missing(mini):
    assert problems_of(mini) == []
    assert len(mini) == mini.card.expected["images"] >= 10
    assert str(len(mini)) in mini.card.note


def test_counts_of_masks(mini):
    counts = {id: len(mini[id].truth) for id in mini}
    assert counts["coins"] == 24
    assert sum(counts.values()) == mini.card.expected["masks"] >= 60


def test_ids_are_unique(mini, content):
    assert len(set(mini.ids)) == len(mini.ids)
    ids = [annotation["id"] for annotation in content["annotations"]]
    assert max(Counter(ids).values()) == 1


def test_photographs_are_those_that_were_annotated(mini, content):
    from sambench.files import sha256

    for entry in content["images"]:
        assert sha256(mini.image_path(entry["id"])) == entry["sha256"]
        assert entry["credit"]
        assert mini.read_image(entry["id"]).shape == (entry["height"], entry["width"], 3)


def test_grey_photographs_become_rgb(mini):
    image = mini.read_image("coins")
    assert (image[..., 0] == image[..., 1]).all()
    assert (image[..., 0] == image[..., 2]).all()


def test_polygons_lie_inside_and_fill_what_they_enclose(content):
    sizes = {entry["id"]: (entry["width"], entry["height"]) for entry in content["images"]}
    for annotation in content["annotations"]:
        width, height = sizes[annotation["image_id"]]
        enclosed = 0.0
        for ring in annotation["segmentation"]:
            x, y = np.reshape(ring, (-1, 2)).T
            assert len(x) >= 4
            assert x.min() >= 0
            assert y.min() >= 0
            assert x.max() <= width
            assert y.max() <= height
            enclosed += shoelace(x, y)
        # A ring that crosses itself encloses less than its signed area or fills more.
        assert annotation["area"] == pytest.approx(enclosed, rel=0.03, abs=12)


def test_boxes_and_areas_are_those_of_the_masks(mini):
    for id in mini:
        truth = mini.read_truth(id, Instances)
        for i, mask in enumerate(truth.masks()):
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            tight = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
            assert truth.boxes[i].tolist() == tight
            assert truth.areas[i] == mask.sum() >= 100
        assert not truth.crowd.any()


def test_masks_overlap_only_where_a_part_lies_on_its_whole(mini):
    for id in mini:
        masks = mini.read_truth(id, Instances).masks()
        for i, mask in enumerate(masks):
            for other in masks[:i]:
                both = (mask & other).sum()
                # A part is inside of its whole; neighbours share no more than their seam.
                assert both <= 0.01 * min(mask.sum(), other.sum()) + 8 or (
                    both >= 0.97 * min(mask.sum(), other.sum())
                )


def test_official_reader_agrees(mini, capsys):
    official = COCO(str(FOLDER / "instances.json"))
    capsys.readouterr()
    for id in mini:
        truth = mini.read_truth(id, Instances)
        annotations = official.loadAnns(official.getAnnIds([id]))
        masks = [official.annToMask(annotation) for annotation in annotations]
        assert (truth.masks() == np.stack(masks)).all()
        names = {category["id"]: category["name"] for category in official.loadCats(None or [])}
        assert set(truth.categories.tolist()) <= set(mini.categories)
        assert names.items() <= mini.categories.items()


def test_boundaries_are_thin_and_of_the_images_size(mini):
    for id in mini:
        size = mini.read_truth(id, Instances).size
        truth = mini.read_truth(id, Boundaries)
        assert len(truth.annotators) == len(ANNOTATORS) == 2
        for drawn in truth.annotators:
            assert drawn.shape == size
            assert drawn.dtype == bool
            assert 300 < drawn.sum() < 0.05 * drawn.size
            block = drawn[1:, 1:] & drawn[1:, :-1] & drawn[:-1, 1:] & drawn[:-1, :-1]
            assert block.sum() <= 0.01 * drawn.sum()  # a few crossings of lines


def test_the_second_annotator_draws_what_the_first_does_and_more(mini):
    for id in mini:
        objects, parts = mini.read_truth(id, Boundaries).annotators
        far = distance_transform_edt(~parts)[objects]
        assert far.max() <= 2
        assert parts.sum() >= objects.sum()


def test_outlines_of_masks_are_drawn(mini):
    for id in mini:
        parts = mini.read_truth(id, Boundaries).annotators[1]
        away = distance_transform_edt(~parts)
        for mask in mini.read_truth(id, Instances).masks():
            assert away[outline(mask)].max() <= APART.get(id, 2.0)


def test_coffee_is_in_the_cup_on_the_saucer(mini):
    truth = mini.read_truth("coffee", Instances)
    names = [mini.categories[c] for c in truth.categories.tolist()]
    masks = dict(zip(names, truth.masks(), strict=True))
    assert masks["coffee"][150, 290]
    assert masks["cup"][150, 290]
    assert not masks["saucer"][150, 290]
    assert masks["saucer"][300, 120]
    assert masks["spoon"][280, 360]
    assert masks["spoon"][80, 410]  # its handle, on the other side of the cup


def test_fingerprint_is_of_the_annotations(mini, tmp_path):
    assert Mini().fingerprint == mini.fingerprint
    assert Mini(root=str(tmp_path)).fingerprint == mini.fingerprint
    assert len(mini.fingerprint) == 64


def test_missing_photograph_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match=r"coins\.png does not exist"):
        Mini(root=str(tmp_path)).read_image("coins")


def test_missing_scikit_image_is_one_sentence(monkeypatch):
    import importlib

    module = importlib.import_module("sambench.datasets.mini")
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(UserError, match="pip install scikit-image"):
        Mini()


def test_rasterise_draws_exact_lines():
    drawn = rasterise([[1, 1, 5, 1], [1, 3, 4, 6]], (8, 8))
    expected = np.zeros((8, 8), dtype=bool)
    expected[1, 1:6] = True
    expected[[3, 4, 5, 6], [1, 2, 3, 4]] = True
    assert (drawn == expected).all()


def test_rasterise_thins_a_staircase():
    drawn = rasterise([[0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3]], (5, 5))
    assert drawn.sum() < 6
    assert not (drawn[1:, 1:] & drawn[1:, :-1] & drawn[:-1, 1:]).any()


def test_rasterise_the_same_either_way():
    lines = np.random.default_rng(0).integers(0, 40, (20, 4))
    one = rasterise(lines, (40, 40))
    other = rasterise(lines[:, [2, 3, 0, 1]], (40, 40))
    assert distance_transform_edt(~one)[other].max() <= 2
    assert distance_transform_edt(~other)[one].max() <= 2
