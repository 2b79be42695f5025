"""Annotation formats other than COCO's own: read as meant, or refused by file, place and remedy."""

import copy
import json
import re

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from scipy.io import savemat

from sambench.datasets.bsds500 import Bsds500
from sambench.datasets.coco_panoptic import CocoPanoptic
from sambench.datasets.lvis import Lvis
from sambench.datasets.ovis import Ovis
from sambench.datasets.sa1b import Sa1b
from sambench.datasets.sbd import Sbd
from sambench.datasets.streets import Streets
from sambench.datasets.visor import Visor
from sambench.datasets.woodscape import Woodscape
from sambench.engine.evaluation import evaluate
from sambench.errors import UserError
from sambench.truths import Instances, Regions, Segments

H, W = 64, 96
SQUARE = [20, 10, 60, 10, 60, 40, 20, 40]
CORNERS = [SQUARE[i : i + 2] for i in range(0, 8, 2)]
FAR = [[1, 1], [1, 9], [9e9, 9]]
AREA = coco_mask.area(coco_mask.frPyObjects([SQUARE], H, W))[0]


def mask():
    """Compressed run lengths of the square."""
    rle = coco_mask.merge(coco_mask.frPyObjects([SQUARE], H, W))
    return {"size": [H, W], "counts": rle["counts"].decode()}


def photograph(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (W, H)).save(path)


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def refused(call):
    """The sentence in which something is refused."""
    with pytest.raises(UserError) as caught:
        call()
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert "Error" not in sentence
    return sentence


def content():
    """An annotation in each of two images."""
    return {
        "images": [{"id": n, "height": H, "width": W} for n in (1, 2)],
        "annotations": [
            {"id": n, "image_id": n, "category_id": c, "segmentation": [SQUARE]}
            for n, c in ((1, 1), (2, 3))
        ],
        "categories": [{"id": 1, "name": "fish"}, {"id": 3, "name": "bird"}],
    }


def lvis(folder, given):
    given["images"] = [
        image | {"coco_url": f"http://x/images/{image['id']}.png"} for image in given["images"]
    ]
    (folder / "lvis_v1_val.json").write_text(json.dumps(given))
    return Lvis(root=str(folder))


def federated(**fields):
    new = content()
    for category in new["categories"]:
        category["frequency"] = "r"
    for image in new["images"]:
        image |= {"neg_category_ids": [3], "not_exhaustive_category_ids": []}
    new["images"][0] |= fields
    return new


def test_lvis_needs_what_its_evaluation_needs(tmp_path):
    truth = lvis(tmp_path, federated(neg_category_ids=["3"])).read_truth("1", Instances)
    assert truth.extra["neg_category_ids"] == (3,)
    for given, words in (
        (content(), 'has no "frequency"'),
        (federated(neg_category_ids=None), r"images\[0\].neg_category_ids .id 1. is null"),
        (federated(neg_category_ids=[9]), "names category 9"),
        (federated(not_exhaustive_category_ids=3), "expected a list of category ids"),
    ):
        assert re.search(words, refused(lambda given=given: lvis(tmp_path, given).ids))
    wrong = federated()
    wrong["categories"][0]["frequency"] = "often"
    assert "expected r, c or f" in refused(lambda: lvis(tmp_path, wrong).ids)
    wrong = federated()
    assert "has no" in refused(lambda: lvis(tmp_path, wrong | {"categories": []}).ids)


def sa1b(folder, **fields):
    folder.mkdir(exist_ok=True)
    annotation = {"id": 1, "segmentation": mask(), "bbox": [20, 10, 39, 29], "area": 1200} | fields
    image = {"image_id": 1, "width": W, "height": H, "file_name": "sa_1.jpg"}
    Image.new("RGB", (W, H)).save(folder / "sa_1.jpg")
    (folder / "sa_1.json").write_text(json.dumps({"image": image, "annotations": [annotation]}))
    return Sa1b(root=str(folder))


def test_sa1b_names_file_and_place(tmp_path):
    assert len(sa1b(tmp_path)["sa_1"].truth) == 1
    for field, value, words in (
        ("bbox", ["a"], r"sa_1.json: annotations\[0\].bbox \(id 1\) is a list"),
        ("bbox", [20, 10, 60, 40], "x0, y0, x1, y1"),
        ("area", True, "is true"),
        ("segmentation", [[1, 1, 1, 9, 9e9, 9]], "far outside"),
        ("segmentation", mask() | {"counts": "11"}, "damaged"),
        ("segmentation", None, "only a box"),
        ("id", None, "is null"),
    ):
        dataset = sa1b(tmp_path, **{field: value})
        sentence = refused(lambda dataset=dataset: dataset.read_truth("sa_1", Instances))
        assert re.search(words, sentence), sentence


def panoptic(folder, ids=("a_1", "b_2"), **fields):
    """Two images of two segments; fields change the first one's first segment."""
    (folder / "annotations" / "panoptic_val2017").mkdir(parents=True, exist_ok=True)
    (folder / "val2017").mkdir(exist_ok=True)
    colours = np.zeros((H, W, 3), dtype=np.uint8)
    colours[..., 0], colours[10:40, 20:60] = 44, (112, 17, 1)
    segments = [
        {"id": 44, "category_id": 2, "iscrowd": 0},
        {"id": 112 + 256 * 17 + 65536, "category_id": 1, "iscrowd": 0},
    ]
    for id in ids:
        png = Image.fromarray(colours)
        png.save(folder / "annotations" / "panoptic_val2017" / f"{id}.png")
        png.save(folder / "val2017" / f"{id}.jpg")
    given = {
        "images": [{"id": id, "file_name": f"{id}.jpg", "height": H, "width": W} for id in ids],
        "annotations": [
            {"image_id": id, "file_name": f"{id}.png", "segments_info": copy.deepcopy(segments)}
            for id in ids
        ],
        "categories": [
            {"id": 1, "name": "a", "isthing": 1}, {"id": 2, "name": "b", "isthing": 0},
        ],
    }  # fmt: skip
    given["annotations"][0]["segments_info"][0] |= fields
    (folder / "annotations" / "panoptic_val2017.json").write_text(json.dumps(given))
    return CocoPanoptic(root=str(folder))


def test_panoptic_ids_may_be_text(tmp_path):
    dataset = panoptic(tmp_path)
    assert dataset.ids == ("a_1", "b_2")
    result = evaluate(
        "panoptic", model="box_mask", dataset=dataset, output=tmp_path / "out", progress=False
    )
    assert result.metrics["PQ"].value == 1
    assert panoptic(tmp_path / "numbers", ids=(10, 9)).ids == ("9", "10")


def test_panoptic_segments_may_be_text_too(tmp_path):
    truth = panoptic(tmp_path, id="44", category_id="2", iscrowd=True)
    truth = truth.read_truth("a_1", Segments)
    assert (truth.categories.tolist(), truth.crowd.tolist()) == ([2, 1], [True, False])


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"id": None}, r"annotations\[0\].segments_info\[0\].id is null"),
        ({"id": 0}, "is 0, expected a whole number from 1"),
        ({"id": 112 + 256 * 17 + 65536}, r"segments_info\[0\] has too"),
        ({"category_id": 9}, "is 9, which the categories do not list"),
        ({"category_id": None}, "is null"),
        ({"iscrowd": "no"}, "expected 0 or 1"),
    ],
)
def test_panoptic_names_the_segment(tmp_path, fields, words):
    dataset = panoptic(tmp_path, **fields)
    assert re.search(words, refused(lambda: dataset.ids))


def test_panoptic_names_what_does_not_belong_together(tmp_path):
    path = tmp_path / "annotations" / "panoptic_val2017.json"
    panoptic(tmp_path)
    given = json.loads(path.read_text())
    for change, words in (
        ({"annotations": given["annotations"][:1] * 2}, r"of image a_1, as is annotations\[0\]"),
        ({"images": given["images"][:1]}, "belongs to image b_2, which the file does not list"),
        ({"images": given["images"] * 2}, r"images\[2\].*images\[0\] has too"),
        ({"categories": [{"id": 1}]}, 'has no "isthing"'),
        ({"annotations": {}}, "expected a list"),
    ):
        path.write_text(json.dumps(given | change))
        dataset = CocoPanoptic(root=str(tmp_path))
        assert re.search(words, refused(lambda dataset=dataset: dataset.ids))
    path.write_text(json.dumps(given))
    Image.new("RGB", (W, H + 1)).save(tmp_path / "val2017" / "a_1.jpg")
    dataset = CocoPanoptic(root=str(tmp_path))
    assert "has size" in refused(lambda: dataset.read_truth("a_1", Segments))


# Outlines and masks in formats of single datasets


def ovis(folder, segmentations=None, **fields):
    names = ["v/1.jpg", "v/2.jpg"]
    photograph(folder / "train" / names[0])
    track = {"id": 1, "video_id": 3, "category_id": 1}
    track["segmentations"] = segmentations or [mask(), None]
    video = {"id": 3, "height": H, "width": W, "file_names": names} | fields
    write(folder / "annotations_train.json", {"videos": [video], "annotations": [track]})
    return Ovis(str(folder), sample="all")


def visor(folder, segments=(CORNERS,), **fields):
    name = "P01_1_frame_1.jpg"
    photograph(folder / "rgb_frames" / "val" / "P01" / "P01_1" / name)
    entry = {"image": {"name": name}, "annotations": [{"segments": list(segments)}]} | fields
    write(folder / "annotations" / "val" / "P01_1.json", {"video_annotations": [entry]})
    return Visor(str(folder), sample="all")


def streets(folder, xs=tuple(SQUARE[0::2]), ys=tuple(SQUARE[1::2]), **fields):
    base = folder / "vehicleannotations"
    photograph(base / "images" / "a.jpg")
    shape = {"all_points_x": xs, "all_points_y": ys}
    entry = {"filename": "a.jpg", "regions": [{"shape_attributes": shape}]} | fields
    write(base / "annotations" / "vehicle-annotations.json", {"a": entry})
    return Streets(str(folder), sample="all")


def woodscape(folder, outline=CORNERS, **fields):
    photograph(folder / "rgb_images" / "0.png")
    entry = {"image_height": H, "image_width": W, "annotation": [{"segmentation": outline}]}
    write(folder / "instance_annotations" / "0.json", {"0.json": entry | fields})
    return Woodscape(str(folder), sample="all")


AS_MEANT = {
    "ovis": (ovis, {}),
    "ovis, sides as text": (ovis, {"height": "64"}),
    "ovis, polygons": (ovis, {"segmentations": [[SQUARE], None]}),
    "ovis, nothing enclosed in a frame": (ovis, {"segmentations": [mask(), [[1, 2, 3, 4]]]}),
    "ovis, id as text": (ovis, {"id": "3"}),
    "visor": (visor, {}),
    "visor, text": (visor, {"segments": [[["20", "10"], *CORNERS[1:]]]}),
    "streets": (streets, {}),
    "streets, text": (streets, {"xs": list(map(str, SQUARE[0::2]))}),
    "woodscape": (woodscape, {}),
    "woodscape, several": (woodscape, {"outline": [CORNERS]}),
}


@pytest.mark.parametrize("name", AS_MEANT)
def test_outlines_are_read_as_meant(tmp_path, name):
    build, fields = AS_MEANT[name]
    dataset = build(tmp_path, **fields)
    assert dataset.instances(dataset.ids[0]).areas.tolist() == [AREA]
    assert all(len(dataset.instances(id)) == 0 for id in dataset.ids[1:])


REFUSED = {
    "ovis, a mask too many": (ovis, {"segmentations": [mask()] * 3}, r"annotations\[0\] .*3 segm"),
    "ovis, another size": (ovis, {"height": H + 1}, r"segmentations\[0\].* mask of size"),
    "ovis, damaged": (
        ovis,
        {"segmentations": [mask() | {"counts": "11"}, None]},
        "has damaged run lengths",
    ),
    "ovis, a video that is not there": (ovis, {"id": 4}, "names a video that the file does not"),
    "ovis, height null": (ovis, {"height": None}, r"videos\[0\].height .id 3. is null"),
    "ovis, files null": (ovis, {"file_names": None}, r"videos\[0\].file_names"),
    "ovis, file above": (ovis, {"file_names": ["../../a.jpg", "b"]}, "not in the folder"),
    "ovis, a frame twice": (
        ovis,
        {"file_names": ["v/1.jpg"] * 2},
        r"file_names\[1\].*listed twice",
    ),
    "visor, null": (
        visor,
        {"segments": [[[1, None], [1, 2], [3, 3]]]},
        r"P01_1.json: video_annotations\[0\].annotations\[0\].segments\[0\]\[0\]\[1\] is null",
    ),
    "visor, far away": (visor, {"segments": [FAR]}, "coordinate 9e.09, far outside"),
    "visor, no name": (visor, {"image": {}}, r'video_annotations\[0\].image has no "name"'),
    "visor, no list": (visor, {"annotations": 3}, r"annotations is 3, expected a list"),
    "streets, null": (streets, {"xs": [1, None, 3]}, r"all_points_x\[1\] is null"),
    "streets, a corner less": (streets, {"xs": [1, 2, 3]}, "3 x and 4 y coordinates"),
    "streets, far away": (streets, {"xs": [1, 2, 3, 1e12]}, "far outside"),
    "streets, a circle": (
        streets,
        {"regions": [{"shape_attributes": {"cx": 1}}]},
        'has no "all_points_x"',
    ),
    "streets, no name": (streets, {"filename": None}, "a.filename is null"),
    "woodscape, NaN": (woodscape, {"outline": [[1, 2], [3, float("nan")], [5, 6]]}, "is NaN"),
    "woodscape, flat": (woodscape, {"outline": SQUARE}, r"segmentation\[0\] is 20, expected"),
    "woodscape, far away": (woodscape, {"outline": FAR}, "far outside"),
    "woodscape, height 0": (woodscape, {"image_height": 0}, "image_height is 0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_outlines_are_refused_in_one_sentence(tmp_path, name):
    build, fields, words = REFUSED[name]
    dataset = build(tmp_path, **fields)
    sentence = refused(lambda: [dataset.read_truth(id, Instances) for id in dataset.ids])
    assert sentence.startswith(str(tmp_path))
    assert re.search(words, sentence), sentence


def test_two_images_of_one_id_are_named(tmp_path):
    dataset = streets(tmp_path)
    content = json.loads(dataset.source.read_text())
    write(dataset.source, content | {"b": content["a"] | {"filename": "a.png"}})
    sentence = refused(lambda: Streets(str(tmp_path), sample="all").ids)
    assert "a.jpg" in sentence
    assert "a.png" in sentence


# MATLAB files


def sbd(folder, labels):
    base = folder / "benchmark_RELEASE" / "dataset"
    photograph(base / "img" / "a.jpg")
    (base / "inst").mkdir(exist_ok=True)
    (base / "val.txt").write_bytes(b"\xef\xbb\xbfa\n")
    savemat(base / "inst" / "a.mat", {"GTinst": {"Segmentation": labels}})
    return Sbd(root=str(folder))


def bsds500(folder, labels):
    photograph(folder / "images" / "test" / "a.jpg")
    (folder / "groundTruth" / "test").mkdir(parents=True, exist_ok=True)
    drawn = np.empty((1, 1), dtype=object)
    drawn[0, 0] = {"Segmentation": labels, "Boundaries": labels}
    savemat(folder / "groundTruth" / "test" / "a.mat", {"groundTruth": drawn})
    return Bsds500(root=str(folder))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float64])
def test_label_maps_of_any_type_of_number(tmp_path, dtype):
    labels = np.zeros((H, W), dtype)
    labels[10:40, 20:60] = 7
    assert sbd(tmp_path / "sbd", labels)["a"].truth.ids == (7,)
    [regions] = bsds500(tmp_path / "bsds", labels).read_truth("a", Regions).annotators
    assert (regions == labels).all()


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.full((H, W), 0.5), "not whole numbers"),
        (np.full((H, W), np.nan), "not whole numbers"),
        (np.zeros((H, W, 3)), r"shape \(64, 96, 3\)"),
        ("labels", "expected a matrix of whole numbers"),
        (np.zeros((0, 0)), "shape"),
    ],
)
def test_label_maps_that_are_none(tmp_path, labels, words):
    for build, kind in ((sbd, Instances), (bsds500, Regions)):
        dataset = build(tmp_path / build.__name__, labels)
        sentence = refused(lambda dataset=dataset, kind=kind: dataset.read_truth("a", kind))
        assert re.search(words, sentence), sentence
