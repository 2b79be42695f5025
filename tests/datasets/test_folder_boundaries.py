"""Boundary maps of one's own: layouts, annotators, values, and what is refused."""

import json

import numpy as np
import pytest
from PIL import Image

from sambench.checks.dataset import check_dataset
from sambench.cli import main
from sambench.datasets.folder import Folder
from sambench.errors import UserError
from sambench.interfaces import Boundaries, Instances

SIZE = (40, 60)
RING = np.zeros(SIZE, np.uint8)
RING[10, 10:41] = RING[30, 10:41] = RING[10:31, 10] = RING[10:31, 40] = 255
LINE = np.zeros(SIZE, np.uint8)
LINE[20] = 255


def save(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, values)
    else:
        Image.fromarray(values).save(path)


def folder(base, maps, *, images=("x.jpg",), **options):
    rng = np.random.default_rng(0)
    for name in images:
        save(base / "images" / name, rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8))
    for name, values in maps.items():
        save(base / "maps" / name, values)
    return Folder(str(base / "images"), boundaries=str(base / "maps"), **options)


@pytest.mark.parametrize(
    "names",
    [
        ("x.png",),
        ("x.npy",),
        ("x_1.png", "x_2.png"),
        ("x/anna.png", "x/ben.png"),
        ("anna/x.png", "ben/x.png"),
    ],
)
def test_each_layout_gives_a_map_for_each_annotator(tmp_path, names):
    dataset = folder(tmp_path, dict(zip(names, (RING, LINE), strict=False)))
    assert dataset.truths == (Boundaries,)
    assert dataset.ids == ("x",)
    drawn = dataset.read_truth("x", Boundaries).annotators
    assert len(drawn) == len(names)
    for found, values in zip(drawn, (RING, LINE), strict=False):
        np.testing.assert_array_equal(found, values == 255)
        assert found.dtype == bool
    assert "boundaries" not in {finding.check for finding in check_dataset(dataset, 0).findings}


def test_nested_images_and_names_with_numbers(tmp_path):
    images = ("a/x.jpg", "a/x_1.jpg")
    dataset = folder(tmp_path, {"a/x.png": RING, "a/x_1.png": LINE}, images=images)
    assert dataset.ids == ("a/x", "a/x_1")
    assert dataset.read_truth("a/x_1", Boundaries).annotators[0].sum() == SIZE[1]
    both = folder(tmp_path / "2", {"ann/a/x.png": RING, "ben/a/x.png": LINE}, images=images[:1])
    assert len(both.read_truth("a/x", Boundaries).annotators) == 2


def test_values(tmp_path):
    one = folder(tmp_path / "1", {"x.png": RING // 255})
    assert one.read_truth("x", Boundaries).annotators[0].sum() == (RING > 0).sum()
    dark = folder(tmp_path / "2", {"x.png": 255 - RING}, background="255")
    np.testing.assert_array_equal(dark.read_truth("x", Boundaries).annotators[0], RING > 0)
    soft = folder(tmp_path / "3", {"x.png": np.maximum(RING // 2, LINE)}, threshold=200)
    np.testing.assert_array_equal(soft.read_truth("x", Boundaries).annotators[0], LINE > 0)
    empty = folder(tmp_path / "4", {"x_1.png": RING, "x_2.png": RING * 0})
    assert [drawn.any() for drawn in empty.read_truth("x", Boundaries).annotators] == [True, False]


FILLED = np.zeros(SIZE, np.uint8)
FILLED[10:30, 10:40] = 255


@pytest.mark.parametrize(
    ("maps", "options", "said"),
    [
        ({"x.png": FILLED}, {}, "has areas, not lines"),
        ({"x.png": 255 - RING}, {}, "background= if lines are dark"),
        ({"x.png": np.maximum(RING // 2, LINE)}, {}, "has 2 values beside background"),
        ({"x.png": RING[:20]}, {}, "has size (20, 60), but its image (40, 60)"),
        ({"x.jpg": RING}, {}, "lossy format"),
        ({"x.png": np.stack([RING, RING * 0, LINE], 2)}, {}, "is in colour"),
        ({"y.png": RING}, {}, "belongs to no image"),
        ({"x.png": RING, "x_1.png": LINE}, {}, "keep one kind"),
        ({"x.png": RING}, {"ignore": "3"}, "ignore=, objects= and spacing= are for masks"),
        ({"x.png": RING}, {"without_mask": "empty"}, "give without_mask=skip"),
        ({"x.png": RING}, {"masks": "m"}, "folder needs two folders"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(tmp_path, maps, options, said):
    with pytest.raises(UserError) as caught:
        folder(tmp_path, maps, **options).read_truth("x", Boundaries)
    assert said in str(caught.value)


def test_an_image_without_a_map_is_refused_or_left_out(tmp_path):
    images = ("x.jpg", "y.jpg")
    with pytest.raises(UserError, match="1 of 2 images have no boundary map"):
        _ = folder(tmp_path, {"x.png": RING}, images=images).ids
    assert folder(tmp_path, {"x.png": RING}, images=images, without_mask="skip").ids == ("x",)


def test_with_masks_it_has_instances_alone(tmp_path):
    folder(tmp_path, {"x.png": FILLED})
    dataset = Folder(str(tmp_path / "images"), str(tmp_path / "maps"))
    assert dataset.truths == (Instances,)
    assert len(dataset.read_truth("x", Instances)) == 1


def test_edges_are_scored_on_them(tmp_path, capsys):
    folder(tmp_path, {"x_1.png": LINE, "x_2.png": LINE})
    save(tmp_path / "predicted" / "x.png", LINE)
    words = ["score", "--task", "edges", "--predictions", str(tmp_path / "predicted"), "--json",
             "--dataset", f"folder:images={tmp_path}/images,boundaries={tmp_path}/maps",
             "--suppression", "none", "--matching", "exact", "--workers", "0", "--resamples", "0",
             "--output", str(tmp_path / "runs")]  # fmt: skip
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)["metrics"]
    assert found["ODS"]["value"] == 1
    assert found["OIS"]["value"] == 1
