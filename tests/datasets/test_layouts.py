"""Readers against the official ones on real data, and on small data made here."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from scipy.io import savemat

from sambench.checks.dataset import problems_of
from sambench.datasets.berkeley import Berkeley
from sambench.datasets.bsds500 import Bsds500
from sambench.datasets.coco import Coco
from sambench.datasets.davis345 import Davis345
from sambench.datasets.folder import Folder
from sambench.datasets.grabcut import Grabcut
from sambench.datasets.lvis import Lvis
from sambench.datasets.pascal_voc import PascalVoc
from sambench.datasets.sa1b import Sa1b
from sambench.datasets.sbd import Sbd
from sambench.errors import UserError
from sambench.truths import Boundaries, Instances

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def real(name):
    """Folder of real data, or a skipped test."""
    if not (DATA / name).is_dir():
        pytest.skip(f"real data of {name} is not on this machine")
    return DATA / name


def save(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(values, dtype=np.uint8)).save(path)


def photograph(path, height=4, width=6):
    save(path, np.arange(height * width * 3).reshape(height, width, 3))


# COCO's format


def test_coco_agrees_with_pycocotools():
    from pycocotools.coco import COCO

    root = real("coco")
    dataset = Coco(root=str(root), split="train2017")
    official = COCO(str(dataset.annotations))
    assert [int(id) for id in dataset] == sorted(official.getImgIds())
    for id in list(dataset)[::5]:
        truth = dataset.read_truth(id, Instances)
        annotations = official.loadAnns(official.getAnnIds([int(id)]))
        assert list(truth.ids) == [a["id"] for a in annotations]
        assert [r["counts"] for r in truth.rles] == [
            official.annToRLE(a)["counts"] for a in annotations
        ]
        assert truth.areas.tolist() == [a["area"] for a in annotations]
        assert truth.crowd.tolist() == [a["iscrowd"] == 1 for a in annotations]
        assert truth.categories.tolist() == [a["category_id"] for a in annotations]
        boxes = np.array([a["bbox"] for a in annotations]).reshape(-1, 4)
        np.testing.assert_allclose(truth.boxes[:, 2:] - truth.boxes[:, :2], boxes[:, 2:])


def test_coco_real_data_has_nothing_wrong_but_its_size():
    dataset = Coco(root=str(real("coco")), split="train2017")
    assert dataset.categories[1] == "person"
    problems = problems_of(dataset)
    assert [p.split(" has ")[1].split(",")[0] for p in problems] == ["215 images", "2035 masks"]


SQUARE = np.zeros((4, 6), dtype=np.uint8)
SQUARE[1:3, 2:5] = 1
POLYGON = [[2, 1, 5, 1, 5, 3, 2, 3]]


def coco_content():
    compressed = coco_mask.encode(np.asfortranarray(SQUARE))
    runs = {"size": [4, 6], "counts": [9, 2, 2, 2, 2, 2, 5]}
    return {
        "images": [
            {"id": 10, "file_name": "b.png", "height": 4, "width": 6},
            {"id": 9, "file_name": "a.png", "height": 4, "width": 6},
        ],
        "annotations": [
            {"id": 1, "image_id": 9, "category_id": 3, "segmentation": POLYGON},
            {
                "id": 2,
                "image_id": 9,
                "category_id": 3,
                "segmentation": {"size": [4, 6], "counts": compressed["counts"].decode()},
                "area": 5.5,
                "bbox": [1, 1, 2, 2],
            },
            {"id": 3, "image_id": 9, "category_id": 3, "segmentation": runs, "iscrowd": 1},
        ],
        "categories": [{"id": 3, "name": "square"}],
    }


def write_coco(folder, content):
    photograph(folder / "images" / "a.png")
    photograph(folder / "images" / "b.png")
    file = folder / "own.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return Coco(annotations=str(file), images=str(folder / "images"))


def test_own_coco_file(tmp_path):
    dataset = write_coco(tmp_path, coco_content())
    assert dataset.ids == ("9", "10")
    assert dataset.card.title == "own.json (COCO format)"
    truth = dataset["9"].truth
    assert (truth.masks() == SQUARE.astype(bool)).all()
    assert truth.areas.tolist() == [6, 5.5, 6]
    assert truth.boxes.tolist() == [[2, 1, 5, 3], [1, 1, 3, 3], [2, 1, 5, 3]]
    assert truth.crowd.tolist() == [False, False, True]
    assert truth.extra == {"image_id": 9}
    assert dataset.categories == {3: "square"}
    assert len(dataset["10"].truth) == 0
    assert dataset["10"].truth.boxes.shape == (0, 4)


def test_fingerprint_is_of_content_alone(tmp_path):
    first = write_coco(tmp_path / "one", coco_content())
    assert first.fingerprint == write_coco(tmp_path / "two", coco_content()).fingerprint
    other = coco_content()
    other["annotations"][0]["iscrowd"] = 1
    assert first.fingerprint != write_coco(tmp_path / "three", other).fingerprint


def without(part, index, key):
    content = coco_content()
    del content[part][index][key]
    return content


def changed(part, index, **values):
    content = coco_content()
    content[part][index].update(values)
    return content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not valid JSON"),
        ("[]", "expected an object with"),
        ("{}", 'no list "images"'),
        ({"images": []}, 'no list "annotations"'),
        (without("images", 0, "height"), r'images\[0\] \(id 10\) has no "height"'),
        (
            without("annotations", 1, "segmentation"),
            r'annotations\[1\] \(id 2\) has no "segmentation"',
        ),
        (changed("annotations", 1, id=1), "the id 1"),
        (changed("images", 1, id=10), "the id 10"),
        (changed("images", 1, id=None), r"images\[1\]\.id is null"),
        (changed("annotations", 1, image_id=7), r"annotations\[1\] \(id 2\) belongs to image 7"),
        (
            changed("annotations", 1, segmentation=[]),
            r"annotations\[1\] \(id 2\) has no segmentation",
        ),
        (
            changed("annotations", 1, segmentation=[[0, 0, 1, 1]]),
            r"annotations\[1\].segmentation \(id 2\) has no polygon of three",
        ),
        (changed("annotations", 1, segmentation=[[0, 0, 1, 1, 2, 2, 3]]), "7 coordinates, an odd"),
        (changed("annotations", 1, segmentation="abc"), "expected polygons or run lengths"),
        (
            changed("annotations", 1, segmentation={"size": [6, 4], "counts": [24]}),
            r"mask of size \[6, 4\] in an image of \[4, 6\]",
        ),
        (
            changed("annotations", 1, segmentation={"size": [4, 6], "counts": [25]}),
            "do not add up to 24",
        ),
        (
            changed("annotations", 1, segmentation={"size": [4, 6], "counts": "aaaaaaaaaa"}),
            "damaged run lengths",
        ),
        (
            changed("annotations", 1, segmentation={"size": [4, 6], "counts": "92"}),
            "damaged run lengths",
        ),
        (
            changed("annotations", 1, segmentation={"size": [4, 6], "counts": 5}),
            "is 5, expected run lengths",
        ),
        (changed("images", 0, height=5), "has size"),
    ],
)
def test_bad_coco_files_are_one_sentence(tmp_path, content, message):
    dataset = write_coco(tmp_path, content)
    with pytest.raises(UserError, match=message) as error:
        [dataset[id] for id in dataset]
    assert "own.json" in str(error.value)


def test_missing_files_are_named(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"instances_val2017.json.*sambench data fetch coco"):
        Coco(root=str(tmp_path))
    monkeypatch.setenv("SAMBENCH_DATA", str(tmp_path / "data"))
    with pytest.raises(UserError, match=f"{tmp_path}/data/coco/annotations"):
        Coco()
    with pytest.raises(UserError, match="go together"):
        Coco(annotations="a.json")
    dataset = write_coco(tmp_path, coco_content())
    (tmp_path / "images" / "b.png").unlink()
    with pytest.raises(UserError, match=r"b\.png does not exist"):
        dataset["10"]
    assert any("b.png does not exist" in problem for problem in problems_of(dataset))


# LVIS


def lvis(subset=""):
    root = real("lvis_v0.5")
    return Lvis(
        annotations=str(root / "lvis_val_100.json"),
        images=str(root),
        version="v0.5",
        subset=subset,
    )


def test_lvis_reads_what_its_file_says():
    dataset = lvis()
    content = json.loads(dataset.annotations.read_text())
    names = {c["id"]: c["frequency"] for c in content["categories"]}
    assert len(dataset) == 100
    total = 0
    for entry in content["images"]:
        truth = dataset.read_truth(str(entry["id"]), Instances)
        own = [a for a in content["annotations"] if a["image_id"] == entry["id"]]
        assert truth.ids == tuple(a["id"] for a in own)
        assert truth.extra["neg_category_ids"] == tuple(entry["neg_category_ids"])
        assert truth.extra["frequency"] == tuple(names[a["category_id"]] for a in own)
        assert not truth.crowd.any()
        total += len(truth)
    assert total == 977


def test_lvis_takes_a_subset_only_when_asked():
    whole, present = lvis(), lvis("present")
    assert len(present) == 64
    assert len(present[present.ids[0]].truth) > 0
    assert whole.fingerprint != present.fingerprint
    absent = next(id for id in whole if id not in present)
    with pytest.raises(UserError, match=r"needs COCO val2017 images.*subset=present"):
        whole[absent]
    with pytest.raises(UserError, match="subset=some is unknown"):
        lvis("some")


def test_lvis_v1_has_no_file_names_and_images_of_train(tmp_path):
    address = "http://images.cocodataset.org/train2017/000000000001.jpg"
    image = {"id": 1, "coco_url": address, "height": 4, "width": 6}
    image |= {"neg_category_ids": [2], "not_exhaustive_category_ids": [3]}
    content = coco_content() | {"images": [image]}
    content["annotations"] = [content["annotations"][0] | {"image_id": 1}]
    content["categories"] = [{"id": i, "name": f"x{i}", "frequency": "r"} for i in (2, 3)]
    (tmp_path / "lvis_v1_val.json").write_text(json.dumps(content))
    dataset = Lvis(root=str(tmp_path))
    with pytest.raises(UserError, match="needs COCO train2017 images"):
        dataset["1"]
    photograph(tmp_path / "train2017" / "000000000001.jpg")
    assert dataset["1"].truth.extra == {
        "image_id": 1,
        "neg_category_ids": (2,),
        "not_exhaustive_category_ids": (3,),
        "frequency": ("r",),
    }


# BSDS500


def test_bsds500_on_real_data():
    dataset = Bsds500(root=str(real("bsds500")), split="val")
    assert len(dataset) == dataset.card.expected["images"] == 100
    sample = dataset["101085"]
    assert 4 <= len(sample.truth.annotators) <= 9
    assert {drawn.shape for drawn in sample.truth.annotators} == {sample.image.shape[:2]}
    assert {drawn.dtype for drawn in sample.truth.annotators} == {np.dtype(bool)}


def bsds_truth(path, *maps):
    cell = np.empty((1, len(maps)), dtype=object)
    for i, drawn in enumerate(maps):
        cell[0, i] = {"Boundaries": drawn, "Segmentation": drawn}
    path.parent.mkdir(parents=True)
    savemat(path, {"groundTruth": cell})


@pytest.mark.parametrize("place", ["", "data", "BSDS500/data", "BSR/BSDS500/data"])
def test_bsds500_wherever_it_was_unpacked(tmp_path, place):
    data = tmp_path / place
    bsds_truth(data / "groundTruth" / "test" / "7.mat", SQUARE, 1 - SQUARE)
    photograph(data / "images" / "test" / "7.jpg")
    dataset = Bsds500(root=str(tmp_path))
    first, second = dataset["7"].truth.annotators
    assert (first == SQUARE).all()
    assert (second == 1 - SQUARE).all()
    assert problems_of(dataset) == ["bsds500 has 1 images, its card expects 200"]


def test_bsds500_damage_is_one_sentence(tmp_path):
    data = tmp_path
    bsds_truth(data / "groundTruth" / "test" / "7.mat", SQUARE)
    photograph(data / "images" / "test" / "7.jpg")
    dataset = Bsds500(root=str(tmp_path))
    for damage in (b"", b"\x00" * 300, b"text" * 100):
        (data / "groundTruth" / "test" / "7.mat").write_bytes(damage)
        with pytest.raises(UserError, match=r"7\.mat is not a readable MATLAB file"):
            dataset.read_truth("7", Boundaries)
    savemat(data / "groundTruth" / "test" / "7.mat", {"other": 1})
    with pytest.raises(UserError, match='no variable "groundTruth"'):
        dataset.read_truth("7", Boundaries)
    savemat(data / "groundTruth" / "test" / "7.mat", {"groundTruth": [[1]]})
    with pytest.raises(UserError, match="no ground truth of BSDS500"):
        dataset.read_truth("7", Boundaries)
    with pytest.raises(UserError, match=r"run `sambench data fetch bsds500` or give the right"):
        Bsds500(root=str(tmp_path), split="other")


# Your own folders


def folder(tmp_path, **options):
    return Folder(images=str(tmp_path / "images"), masks=str(tmp_path / "masks"), **options)


def test_folder_of_label_maps(tmp_path):
    labels = np.array(SQUARE)
    labels[0, 0], labels[3, 3] = 7, 255
    photograph(tmp_path / "images" / "x.JPG")
    save(tmp_path / "masks" / "x.png", labels)
    truth = folder(tmp_path)["x"].truth
    assert truth.ids == (1, 7, 255)
    assert (truth.mask(0) == SQUARE).all()
    assert truth.areas.tolist() == [6, 1, 1]
    assert truth.ignore is None
    other = folder(tmp_path, background="0+7", ignore="255")
    assert other["x"].truth.ids == (1,)
    assert other["x"].truth.ignore.nonzero() == (3, 3)
    assert other.fingerprint != folder(tmp_path).fingerprint


@pytest.mark.parametrize("names", [("x/1.png", "x/x.png"), ("x_1.png", "x_a_b.png")])
def test_folder_of_single_objects(tmp_path, names):
    photograph(tmp_path / "images" / "x.png")
    save(tmp_path / "masks" / names[0], SQUARE * 255)
    save(tmp_path / "masks" / names[1], (1 - SQUARE) * 200)
    truth = folder(tmp_path)["x"].truth
    assert truth.ids == (1, 2)
    assert (truth.mask(0) == SQUARE).all()
    assert (truth.mask(1) == 1 - SQUARE).all()


def test_folder_prefers_the_longest_name(tmp_path):
    for stem in ("x", "x_1"):
        photograph(tmp_path / "images" / f"{stem}.png")
    save(tmp_path / "masks" / "x_1_2.png", SQUARE)
    save(tmp_path / "masks" / "x_3.png", SQUARE)
    dataset = folder(tmp_path)
    assert [len(dataset[id].truth) for id in ("x", "x_1")] == [1, 1]


def test_folder_says_what_is_wrong(tmp_path):
    with pytest.raises(UserError, match="images=DIR,masks=DIR"):
        Folder()
    with pytest.raises(UserError, match="images, which is missing"):
        folder(tmp_path)
    photograph(tmp_path / "images" / "x.png")
    (tmp_path / "masks" / "x").mkdir(parents=True)
    with pytest.raises(UserError, match="0;1 is not a list of whole numbers"):
        folder(tmp_path, background="0;1")
    with pytest.raises(UserError, match="1 of 1 images have no mask"):
        len(folder(tmp_path))
    save(tmp_path / "masks" / "y.png", SQUARE)
    with pytest.raises(UserError, match=r"y\.png belongs to no image"):
        len(folder(tmp_path))
    (tmp_path / "masks" / "y.png").unlink()
    save(tmp_path / "masks" / "x.png", np.zeros((5, 6)))
    with pytest.raises(UserError, match=r"x\.png has size \(4, 6\).*\(5, 6\)"):
        folder(tmp_path)["x"]
    save(tmp_path / "masks" / "x_1.png", SQUARE)
    with pytest.raises(UserError, match="a label map and masks of single objects"):
        folder(tmp_path)["x"]
    (tmp_path / "masks" / "x.png").unlink()
    save(tmp_path / "masks" / "x_2.png", np.zeros((5, 6)))
    with pytest.raises(UserError, match=r"x_2\.png has size \(5, 6\)"):
        folder(tmp_path)["x"]
    photograph(tmp_path / "images" / "x.jpg")
    with pytest.raises(UserError, match="the same name"):
        folder(tmp_path)["x"]


def test_check_finds_empty_masks(tmp_path):
    photograph(tmp_path / "images" / "x.png")
    save(tmp_path / "masks" / "x_1.png", SQUARE)
    save(tmp_path / "masks" / "x_2.png", SQUARE * 0)
    (problem,) = problems_of(folder(tmp_path))
    assert "x_2.png has no object, but a file for each object has one" in problem


# Sets for clicks


def test_grabcut_on_real_data():
    options = {"images": "images_from_bsds500", "masks": "ground-truth"}
    whole = Grabcut(root=str(real("grabcut")), **options)
    present = Grabcut(root=str(real("grabcut")), subset="present", **options)
    assert (len(whole), len(present)) == (50, 20)
    assert problems_of(present) == []
    assert whole.fingerprint != present.fingerprint
    with pytest.raises(UserError, match=r"has no image banana1.*subset=present"):
        whole["banana1"]
    path = present.truth_paths("153077")[0]
    grey = np.asarray(Image.open(path))
    truth = present["153077"].truth
    assert (truth.mask(0) == (grey == 255)).all()
    assert (truth.ignore == (grey == 128)).all()
    assert present["124084"].truth.ignore is None  # stored with three channels, no band


def test_trimaps_and_what_is_no_trimap(tmp_path):
    photograph(tmp_path / "images" / "x.jpg")
    save(tmp_path / "masks" / "x.png", [[0, 1, 127, 128, 129, 255]] * 4)
    truth = Berkeley(root=str(tmp_path))["x"].truth
    assert truth.mask(0)[0].tolist() == [False, False, False, False, True, True]
    assert truth.ignore[0].tolist() == [False, False, False, True, False, False]
    save(tmp_path / "masks" / "x.png", np.full((4, 6, 3), (1, 2, 3)))
    with pytest.raises(UserError, match="a mask is grey"):
        Berkeley(root=str(tmp_path))["x"]


def test_davis345_takes_every_colour(tmp_path):
    photograph(tmp_path / "img" / "x.jpg")
    colours = np.zeros((4, 6, 3))
    colours[0, 0], colours[1, 1] = (128, 0, 0), (0, 0, 1)
    save(tmp_path / "gt" / "x.png", colours)
    assert Davis345(root=str(tmp_path))["x"].truth.mask(0).nonzero()[0].tolist() == [0, 1]


def test_sbd(tmp_path):
    folder = tmp_path / "benchmark_RELEASE" / "dataset"
    photograph(folder / "img" / "b.jpg")
    (folder / "inst").mkdir()
    savemat(folder / "inst" / "b.mat", {"GTinst": {"Segmentation": SQUARE * 3, "Boundaries": 0}})
    (folder / "val.txt").write_text("b\n")
    dataset = Sbd(root=str(tmp_path))
    assert dataset.ids == ("b",)
    assert dataset["b"].truth.ids == (3,)
    assert (dataset["b"].truth.mask(0) == SQUARE).all()
    savemat(folder / "inst" / "b.mat", {"GTinst": 1})
    with pytest.raises(UserError, match="no truth of SBD"):
        dataset["b"]
    (folder / "val.txt").write_text("b\nb\n")
    with pytest.raises(UserError, match="lists a name twice"):
        len(Sbd(root=str(tmp_path)))


def test_pascal_voc_keeps_void_out(tmp_path):
    folder = tmp_path / "VOCdevkit" / "VOC2012"
    photograph(folder / "JPEGImages" / "a.jpg")
    labels = np.array(SQUARE)
    labels[0], labels[3, 0] = 255, 2
    palette = Image.fromarray(labels)
    palette.putpalette(list(range(256)) * 3)
    (folder / "SegmentationObject").mkdir()
    palette.save(folder / "SegmentationObject" / "a.png")
    (folder / "ImageSets" / "Segmentation").mkdir(parents=True)
    (folder / "ImageSets" / "Segmentation" / "val.txt").write_text("a\n")
    truth = PascalVoc(root=str(tmp_path))["a"].truth
    assert truth.ids == (1, 2)
    assert (truth.mask(0) == SQUARE).all()
    assert truth.ignore.sum() == 6


def test_sa1b(tmp_path):
    rle = coco_mask.encode(np.asfortranarray(SQUARE))
    annotation = {
        "id": 77,
        "segmentation": {"size": [4, 6], "counts": rle["counts"].decode()},
        "bbox": [2, 1, 2, 1],
        "area": 6,
        "predicted_iou": 0.9,
    }
    image = {"image_id": 10, "width": 6, "height": 4, "file_name": "sa_10.jpg"}
    for n in (10, 9):
        photograph(tmp_path / f"sa_{n}.jpg")
        content = {"image": image, "annotations": [annotation]}
        (tmp_path / f"sa_{n}.json").write_text(json.dumps(content))
    dataset = Sa1b(root=str(tmp_path))
    assert dataset.ids == ("sa_9", "sa_10")
    truth = dataset["sa_10"].truth
    assert (truth.mask(0) == SQUARE).all()
    assert truth.ids == (77,)
    assert truth.boxes.tolist() == [[2, 1, 4, 2]]
    assert "points" not in truth.extra
    clicked = {**annotation, "point_coords": [[2.5, 1]]}
    (tmp_path / "sa_9.json").write_text(json.dumps({"image": image, "annotations": [clicked]}))
    assert dataset["sa_9"].truth.extra["points"] == [[2.5, 1]]
    clicked["point_coords"] = []
    (tmp_path / "sa_9.json").write_text(json.dumps({"image": image, "annotations": [clicked]}))
    with pytest.raises(UserError, match=r"point_coords"):
        dataset["sa_9"]
    (tmp_path / "sa_9.json").write_text("{}")
    with pytest.raises(UserError, match='has no "image"'):
        dataset["sa_9"]
