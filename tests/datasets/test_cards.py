"""What a card says follows from the options: split, counts, title."""

import json
import sys
from pathlib import Path

import pytest

from sambench.datasets import _subsample
from sambench.registry import find, names, option_types

SPLITS = {
    ("ade20k", "training"): ({}, None),
    ("ade20k", "validation"): ({"images of the paper": 302, "masks of the paper": 10128}, None),
    ("bsds500", "train"): ({"images": 200}, None),
    ("bsds500", "val"): ({"images": 100}, None),
    ("bsds500", "test"): ({"images": 200}, None),
    ("coco", "val2017"): ({"images": 5000, "masks": 36781}, "Microsoft COCO 2017 instances"),
    ("coco", "mine"): ({}, "Microsoft COCO 2017 instances"),
    ("coco_panoptic", "val2017"): ({"images": 5000}, None),
    ("coco_panoptic", "train"): ({}, None),
    ("davis2016", "val"): ({"clips": 20}, None),
    ("davis2016", "all"): ({}, None),
    ("davis2017", "trainval"): ({"clips": 90}, None),
    ("duts", "TR"): ({"images": 10553}, None),
    ("duts", "TE"): ({"images": 5019}, None),
    ("lvos", "test"): ({"clips": 160}, None),
    ("refcoco", "testA"): ({}, None),
    ("refcocoplus", "testB"): ({}, None),
    ("grefcoco", "val"): ({}, None),
    ("mose", "train"): ({"clips": 1507}, None),
    ("lvis", "train"): ({}, "LVIS v1"),
    ("pascal_voc", "train"): ({"images": 1464, "masks": 3507}, None),
    ("sav", "test"): ({"clips": 150}, None),
    ("sbd", "train"): ({"images": 8498, "masks": 20172}, None),
    ("sceneparsing", "validation"): ({"images": 2000}, None),
    ("youtube_vos", "valid"): ({"clips": 507}, None),
    ("sceneparsing", "mine"): ({"images": 0}, None),
}
OWN = {"voc", "yolo"}
"""Users' own data, whose card says nothing of a split."""


def made(name, root, monkeypatch, **options):
    """A dataset of which no file is there but what its constructor reads."""
    cls = find("dataset", name)
    for module in {sys.modules[base.__module__] for base in cls.__mro__}:
        if hasattr(module, "require"):
            monkeypatch.setattr(module, "require", lambda path, cls: Path(path))
    return cls(root=str(root), **options)


@pytest.mark.parametrize(("name", "split"), SPLITS)
def test_the_split_and_its_counts_stand_on_the_card(name, split, tmp_path, monkeypatch):
    expected, title = SPLITS[name, split]
    (tmp_path / "annotations").mkdir()
    content = {"images": [], "annotations": [], "categories": []}
    (tmp_path / f"annotations/instances_{split}.json").write_text(json.dumps(content))
    for part in ("Image", "Mask"):
        (tmp_path / f"DUTS-{split}-{part}").mkdir()
    card = made(name, tmp_path, monkeypatch, split=split).card
    assert (card.split, dict(card.expected)) == (split, expected)
    usual = find("dataset", name).card
    assert card.title == (title or usual.title)
    assert (card.name, card.licence, card.citation) == (usual.name, usual.licence, usual.citation)


def test_every_split_is_held():
    known = {name for name in names("dataset") if "split" in option_types(find("dataset", name))}
    assert known == {name for name, _ in SPLITS} | OWN | {"refcocog"}


def test_the_split_of_refcocog_is_told_with_who_split(tmp_path, monkeypatch):
    assert made("refcocog", tmp_path, monkeypatch, split="test").card.split == "test, umd"


def test_a_version_of_lvis_stands_in_its_title(tmp_path, monkeypatch):
    assert made("lvis", tmp_path, monkeypatch, version="v0.5").card.title == "LVIS v0.5"


class TestSample:
    class Counted(_subsample.Sampled):
        everything = tuple(f"{i:03}" for i in range(100))

        def count(self, id):
            return 300 if int(id) % 2 else 0

        read_image = read_truth = fingerprint = None

    def test_all_is_everything(self):
        assert self.Counted("all").ids == self.Counted.everything

    def test_the_sample_stops_once_it_has_ten_thousand_masks(self):
        ids = self.Counted("sa23").ids
        assert len(ids) == 34  # 33 have 9900
        assert all(int(id) % 2 for id in ids)  # images without a mask are not taken
        assert list(ids) == sorted(ids)  # in the dataset's order
        assert ids != self.Counted.everything[1::2][:34]  # and not the first ones


@pytest.mark.parametrize("with_classes", [False, True])
def test_names_of_voc_are_of_its_class_maps(with_classes, tmp_path):
    for folder in ("JPEGImages", "SegmentationObject"):
        (tmp_path / folder).mkdir()
    (tmp_path / "class_names.txt").write_text("__ignore__\n_background_\ncat\n")
    if with_classes:
        (tmp_path / "SegmentationClass").mkdir()
    found = find("dataset", "voc")(root=str(tmp_path)).categories
    assert dict(found) == ({1: "cat"} if with_classes else {})
