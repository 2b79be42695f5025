"""Which readers were seen to read real files: what their cards say of it, and that it is so."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sambench.checks.first_look import LOOKS, first_look
from sambench.checks.understood import Understood
from sambench.commands import data
from sambench.datasets.ade20k import Ade20k
from sambench.datasets.cityscapes import Cityscapes
from sambench.datasets.coco_panoptic import CocoPanoptic
from sambench.datasets.ecssd import Ecssd
from sambench.datasets.ppdls import Ppdls
from sambench.datasets.sceneparsing import Sceneparsing
from sambench.errors import UserError
from sambench.registry import entries, find, load
from sambench.shown import DatasetCard
from sambench.store.plan import describe
from sambench.truths import Instances, Segments

CARDS = {e.name: find("dataset", e.name).card for e in entries("dataset") if e.origin == "built-in"}


@pytest.fixture
def layouts(shared):
    """Original files of several datasets."""
    if not (shared / "data" / "layouts").is_dir():
        pytest.skip("original files of the layouts are not on this machine")
    return shared / "data" / "layouts"


def under(path, target):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


# Cards


@pytest.mark.parametrize("name", CARDS)
def test_what_is_called_verified_says_what_was_seen(name):
    card = CARDS[name]
    assert ("verified on real files" in card.layout) == bool(card.seen)
    assert bool(card.unseen) == (bool(card.layout) and not card.seen and not card.own)


def test_readers_that_have_seen_real_files():
    assert {name for name, card in CARDS.items() if card.seen} == {
        "ade20k", "bbbc038v1", "bsds500", "cityscapes", "coco", "coco_panoptic", "davis2016",
        "ecssd", "grabcut", "lvis", "lvis_v05", "ppdls", "sceneparsing",
    }  # fmt: skip


def test_a_result_of_a_reader_that_saw_no_real_file_says_so(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "images" / "a.jpg")
    Image.fromarray(np.eye(8, dtype=np.uint8) * 255).save(tmp_path / "masks" / "a.png")
    task, model = load("task", "points"), load("model", "box_mask")
    noted = [
        describe("points", task, model, load("dataset", spec))["about"]["note"]
        for spec in (f"berkeley:root={tmp_path}", f"ecssd:root={tmp_path},masks=masks")
    ]
    assert noted == [CARDS["berkeley"].unseen, ""]
    assert "berkeley has seen no real file" in noted[0]


def test_own_data_and_what_comes_with_the_code_claims_nothing():
    usual = {"name": "x", "title": "x", "licence": "x", "citation": "x"}
    assert DatasetCard(**usual).unseen == ""
    assert DatasetCard(**usual, layout="from documentation", own=True).unseen == ""
    assert DatasetCard(**usual, layout="from documentation").unseen
    assert not CARDS["mini"].layout


# The first look


def test_check_prints_what_to_look_at_until_someone_has_seen_it(tmp_path, capsys):
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "images" / "a.jpg")
    Image.fromarray(np.eye(8, dtype=np.uint8) * 255).save(tmp_path / "masks" / "a.png")
    checklists = {}
    for spec in (f"berkeley:root={tmp_path}", f"ecssd:root={tmp_path},masks=masks"):
        data._check(spec, None)
        lines = capsys.readouterr().out.splitlines()
        checklists[spec[:5]] = [line for line in lines if line.startswith("  [ ] ")]
    assert checklists["ecssd"] == []
    assert len(checklists["berke"]) == 3 + len(LOOKS[Instances])
    assert "(100 masks)" in checklists["berke"][0]


def test_every_truth_that_a_reader_gives_first_has_something_to_look_at():
    for name, card in CARDS.items():
        if card.unseen:
            assert set(find("dataset", name).truths) & LOOKS.keys(), name


# Segments are counted, too


def segmented(root):
    """COCO's panoptic layout: a thing of 12 pixels, stuff of 8, a crowd of 4, void of 8."""
    numbers = np.array([[300, 300, 300, 7, 7, 0, 0, 2**17]] * 4)
    colours = np.stack([numbers % 256, numbers // 256 % 256, numbers // 65536], axis=2)
    segments = [
        {"id": 300, "category_id": 1, "iscrowd": 0},
        {"id": 7, "category_id": 9, "iscrowd": 0},
        {"id": 2**17, "category_id": 1, "iscrowd": 1},
    ]
    content = {
        "images": [{"id": 1, "file_name": "1.jpg"}],
        "annotations": [{"image_id": 1, "file_name": "1.png", "segments_info": segments}],
        "categories": [
            {"id": 1, "name": "cat", "isthing": 1},
            {"id": 9, "name": "sky", "isthing": 0},
        ],
    }
    for folder in ("annotations/panoptic_val2017", "val2017"):
        (root / folder).mkdir(parents=True)
    (root / "annotations/panoptic_val2017.json").write_text(json.dumps(content))
    Image.fromarray(colours.astype(np.uint8)).save(root / "annotations/panoptic_val2017/1.png")
    Image.new("RGB", (8, 4)).save(root / "val2017/1.jpg")
    return CocoPanoptic(str(root))


def test_segments_are_counted_by_kind_and_category(tmp_path):
    dataset = segmented(tmp_path)
    understood = Understood(dataset)
    understood.add(dataset["1"])
    assert list(understood.lines()) == [
        "images: 1",
        "segments: 2 (1 things, 1 stuff); and 1 crowd regions",
        "categories: 2 used",
        "  cat: 1",
        "  sky: 1",
    ]
    assert list(first_look(dataset)) == []


# Real files


def test_ade20k(layouts):
    root = layouts / "ade20k"
    dataset = Ade20k(str(root), sample="all", split="training")
    found, listed = {}, {}
    for id in dataset:
        levels = dataset.read_truth(id, Instances).categories
        found[id] = np.bincount(levels)[1:].tolist()
        text = dataset.image_path(id).with_suffix(".json").read_bytes().decode("latin-1")
        objects = json.loads(text)["annotation"]["object"]
        listed[id] = np.bincount([o["parts"]["part_level"] for o in objects]).tolist()
    assert found == listed
    assert found["ADE_train_00016869"] == [51, 14, 5]
    assert sum(map(sum, found.values())) == 139
    with pytest.raises(UserError, match="split=val is unknown"):
        Ade20k(str(root), split="val")


def test_sceneparsing(layouts, tmp_path):
    for part in ("images", "annotations"):
        under(tmp_path / part / "validation", layouts / "sceneparsing" / part)
    dataset = Sceneparsing(str(tmp_path))
    assert [len(dataset[id].truth) for id in dataset] == [7, 6, 12]
    assert {81, 97} < set(dataset["ADE_val_00000003"].truth.categories)  # a bus, an escalator


def test_coco_panoptic(layouts, tmp_path):
    source = layouts / "coco_panoptic"
    under(tmp_path / "annotations/panoptic_val2017.json", source / "panoptic_examples.json")
    under(tmp_path / "annotations/panoptic_val2017", source / "panoptic_examples")
    under(tmp_path / "val2017", source / "input_images")
    dataset = CocoPanoptic(str(tmp_path))
    content = json.loads(dataset.annotations.read_text())
    segments = crowds = 0
    for entry in content["annotations"]:
        truth = dataset.read_truth(str(entry["image_id"]), Segments)
        areas = np.bincount(truth.labels.ravel())[1:]
        facts = zip(truth.ids, areas.tolist(), truth.categories.tolist(), truth.crowd, strict=True)
        info = entry["segments_info"]
        assert sorted(facts) == sorted(
            (s["id"], s["area"], s["category_id"], s["iscrowd"] == 1) for s in info
        )
        pixels = Image.open(source / "panoptic_examples_2ch_format" / entry["file_name"])
        assert (np.append(0, truth.categories)[truth.labels] == np.asarray(pixels)[..., 0]).all()
        segments, crowds = segments + len(truth), crowds + int(truth.crowd.sum())
    assert (segments, crowds) == (50, 3)


def test_cityscapes(layouts):
    dataset = Cityscapes(str(layouts / "cityscapes"), sample="all")
    (id,) = dataset
    truth = dataset.read_truth(id, Segments)
    path = str(dataset.truth_paths(id)[0]).replace("instanceIds", "labelIds")
    labels, known = np.asarray(Image.open(path)), truth.labels > 0
    assert (np.append(0, truth.categories)[truth.labels] == labels)[known].all()
    assert (len(truth), len(dataset.read_truth(id, Instances))) == (15, 15)


def test_ppdls(layouts, tmp_path):
    for path in (layouts / "ppdls").glob("*.png"):
        under(tmp_path / "Plant" / "Ara2012" / f"ara2012_{path.name}", path)
    (tmp_path / "Plant" / "Tobacco").mkdir()
    dataset = Ppdls(str(tmp_path))
    assert [len(dataset[id].truth) for id in dataset] == [15, 11, 15]
    for id in dataset:
        masks = dataset[id].truth.masks()
        image = str(dataset.image_path(id))
        whole, centres = (
            np.asarray(Image.open(image.replace("_rgb", part)).convert("L")) > 0
            for part in ("_fg", "_centers")
        )
        assert (masks.any(axis=0) == whole).all()
        assert ((masks & centres).sum(axis=(1, 2)) == 1).all()


def test_ecssd(shared):
    if not (shared / "data" / "ecssd").is_dir():
        pytest.skip("real data of ecssd is not on this machine")
    dataset = Ecssd(str(shared / "data" / "ecssd"))
    assert len(dataset) == 60
    for id in dataset.ids[:10]:
        truth = dataset[id].truth
        assert len(truth) == 1
        mask = np.asarray(Image.open(Path(dataset.truth_paths(id)[0])).convert("L")) > 128
        assert (truth.mask(0) == mask).all()
