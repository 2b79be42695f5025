"""Your own folders: every usual layout and kind of mask, read as meant or refused."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageDraw, ImageFilter

from sambench import cli
from sambench.checks.dataset import check_dataset, problems_of
from sambench.data.images import grey_levels, read_labels
from sambench.datasets._instances import from_rles
from sambench.datasets.bbbc038v1 import Bbbc038v1
from sambench.datasets.egohos import Egohos
from sambench.datasets.folder import Folder
from sambench.errors import UserError
from sambench.masks import rle
from sambench.metrics.detection.assignment import Detections
from sambench.registry import load
from sambench.tasks._coco_results import ImageDetections

SIZE = (60, 80)
ELLIPSE = (15, 10, 65, 50)


def ellipse(scale=1, box=ELLIPSE):
    """One ellipse, 255 on 0; an anti-aliased edge from a drawing of several times the size."""
    image = Image.new("L", (SIZE[1] * scale, SIZE[0] * scale))
    ImageDraw.Draw(image).ellipse([scale * side for side in box], fill=255)
    return image.resize((SIZE[1], SIZE[0]), Image.Resampling.BOX)


HARD = np.asarray(ellipse())
LABELS = np.zeros(SIZE, np.uint8)
LABELS[5:30, 5:30], LABELS[20:50, 40:70], LABELS[40:55, 5:25] = 1, 2, 3
RNG = np.random.default_rng(0)


def save(path, values, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, values)
    elif path.suffix == ".npz":
        np.savez(path, values)
    elif path.suffix == ".tif":
        tifffile.imwrite(path, np.asarray(values), **{"photometric": "minisblack", **options})
    else:
        image = values if isinstance(values, Image.Image) else Image.fromarray(values)
        image.save(path, **options)


def photograph(path):
    save(path, RNG.integers(0, 256, (*SIZE, 3), dtype=np.uint8))


def folder(base, **options):
    return Folder(images=str(base / "images"), masks=str(base / "masks"), **options)


def own(base, mask, name="x.png", *, image="x.jpg", reading=None, **options):
    """A folder of one image and one mask."""
    photograph(base / "images" / image)
    save(base / "masks" / name, mask, **options)
    return folder(base, **(reading or {}))


def masks_of(dataset, id="x"):
    return dataset[id].truth.masks()


# Grey levels


def jpeg(image, quality=90):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(io.BytesIO(buffer.getvalue()))


SOFT = {
    "twice as fine": ellipse(2),
    "four times as fine": ellipse(4),
    "eight times as fine": ellipse(8),
    "jpeg 50": jpeg(ellipse(), 50),
    "jpeg 75": jpeg(ellipse(), 75),
    "jpeg 95": jpeg(ellipse(), 95),
    "blur of 1": ellipse().filter(ImageFilter.GaussianBlur(1)),
    "blur of 3": ellipse().filter(ImageFilter.GaussianBlur(3)),
    "blur of 8": ellipse().filter(ImageFilter.GaussianBlur(8)),
    "resized": ellipse().resize((100, 75), Image.Resampling.BILINEAR).resize((80, 60)),
    "rotated": ellipse().rotate(13, Image.Resampling.BILINEAR),
}


@pytest.mark.parametrize("name", SOFT)
def test_grey_levels_are_refused_or_thresholded_to_one_object(tmp_path, name):
    soft = np.asarray(SOFT[name])
    dataset = own(tmp_path, soft)
    with pytest.raises(UserError, match=r"x\.png has \d+ values.*not an object each; give thresho"):
        masks_of(dataset)
    [mask] = masks_of(folder(tmp_path, threshold=128))
    assert (mask == (soft >= 128)).all()
    assert len(masks_of(folder(tmp_path, objects="values"))) == len(np.unique(soft)) - 1
    (tmp_path / "masks" / "x.png").rename(tmp_path / "masks" / "x_1.png")
    with pytest.raises(
        UserError, match=r"x_1\.png has \d+ values beside the background.*threshold"
    ):
        masks_of(folder(tmp_path))
    assert (masks_of(folder(tmp_path, threshold=128)) == (soft >= 128)).all()


def test_soft_masks_of_large_images_change_gradually(tmp_path):
    y, x = np.mgrid[:500, :700]
    bell = 255 * np.exp(-((y - 250) ** 2 + (x - 350) ** 2) / 40000)
    assert "values that change gradually" in grey_levels((bell / 3).astype(np.int64))
    assert grey_levels((bell > 100).astype(np.int64)) == ""


@pytest.mark.parametrize("middle", [127, 128])
@pytest.mark.parametrize("width", [1, 8])
def test_trimaps_are_refused_until_told_what_is_unknown(tmp_path, middle, width):
    trimap = np.zeros(SIZE, np.uint8)
    trimap[10:50, 10:70] = middle
    trimap[10 + width : 50 - width, 10 + width : 70 - width] = 255
    with pytest.raises(UserError, match=rf"the values 0, {middle} and 255 of a trimap"):
        masks_of(own(tmp_path, trimap))
    truth = folder(tmp_path, ignore=str(middle))["x"].truth
    assert (truth.masks() == (trimap == 255)).all()
    assert (truth.ignore == (trimap == middle)).all()
    assert (masks_of(folder(tmp_path, threshold=255)) == (trimap == 255)).all()
    assert (masks_of(folder(tmp_path, threshold=100)) == (trimap > 0)).all()
    both = folder(tmp_path, threshold=255, ignore=str(middle))["x"].truth
    assert (both.ignore == (trimap == middle)).all()


def rows(side, count):
    """Touching cells, numbered row by row."""
    return np.kron(np.arange(1, count * count + 1).reshape(count, -1), np.ones((side, side), int))


def dots(count):
    labels = np.zeros(SIZE, int)
    for number in range(1, count + 1):
        labels[RNG.integers(SIZE[0]), RNG.integers(SIZE[1])] = number
    return labels


PLAUSIBLE = {
    "a few": LABELS,
    "greys": LABELS * 80,
    "touching cells": rows(6, 30),
    "tiny touching cells": rows(3, 30),
    "tiny cells apart": np.kron(rows(1, 12), np.array([[1, 1, 0], [1, 1, 0], [0, 0, 0]])),
    "single pixels": dots(40),
    "lines": np.where(np.arange(80) % 8 == 0, np.arange(80) // 8, 0)[None].repeat(60, axis=0),
    "binary": HARD,
    "nothing": HARD * 0,
    "all": HARD * 0 + 7,
    "void": np.where(LABELS == 0, 255, LABELS - 1),
}


@pytest.mark.parametrize("name", PLAUSIBLE)
def test_labels_pass(tmp_path, name):
    labels = np.asarray(PLAUSIBLE[name])
    assert grey_levels(labels.astype(np.int64)) == ""
    if labels.shape == SIZE:
        found = masks_of(own(tmp_path, labels.astype(np.uint16)))
        assert len(found) == len(set(np.unique(labels)) - {0})


def test_compressed_labels_of_several_greys_are_found():
    for quality in (75, 90, 95):
        labels = np.asarray(jpeg(Image.fromarray(LABELS * 60), quality)).astype(np.int64)
        assert grey_levels(labels)


# Floats, depths, files of other kinds


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", ["x.tif", "x.npy"])
def test_floats_below_one_need_a_threshold(tmp_path, name, dtype):
    dataset = own(tmp_path, (HARD * (0.98 / 255)).astype(dtype), name)
    with pytest.raises(UserError, match=r"x\.\w+ has values from 0 to 0\.9.*give threshold="):
        masks_of(dataset)
    assert (masks_of(folder(tmp_path, threshold=0.5)) == (HARD > 0)).all()
    with pytest.raises(UserError, match=r"threshold=128 is on another scale.*such as 0\.5"):
        masks_of(folder(tmp_path, threshold=128))


@pytest.mark.parametrize("name", ["x.tif", "x.npy"])
def test_floats_that_are_whole_are_labels(tmp_path, name):
    found = masks_of(own(tmp_path, LABELS.astype(np.float32), name))
    assert (found == [n == LABELS for n in (1, 2, 3)]).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["x.tif", "x.npy"])
def test_values_that_are_no_numbers_are_refused(tmp_path, name, value):
    values = LABELS.astype(np.float32)
    values[0, 0] = value
    dataset = own(tmp_path, values, name)
    with pytest.raises(UserError, match=r"x\.\w+ has .*(nan|inf)"):
        masks_of(dataset)
    with pytest.raises(UserError, match="NaN or infinite"):
        masks_of(folder(tmp_path, threshold=0.5))


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "uint16", "int32", "uint32", "int64"])
@pytest.mark.parametrize("name", ["x.npy", "x.npz", "x_masks.npy", "x.tif"])
def test_labels_of_any_type(tmp_path, name, dtype):
    labels = LABELS.astype(dtype)
    found = masks_of(own(tmp_path, labels, name))
    assert (found == [labels == n for n in np.unique(labels)[1:]]).all()


def test_large_labels_keep_their_value(tmp_path):
    truth = own(tmp_path, LABELS.astype(np.uint32) * 10**9, "x.tif")["x"].truth
    assert truth.ids == (10**9, 2 * 10**9, 3 * 10**9)
    assert (read_labels(tmp_path / "masks" / "x.tif") == LABELS.astype(np.int64) * 10**9).all()


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_labels_of_few_bits_are_the_stored_values(tmp_path, bits):
    path = tmp_path / "masks" / "x.png"
    photograph(tmp_path / "images" / "x.jpg")
    labels = np.minimum(LABELS, 2**bits - 1)
    write_grey_png(path, labels, bits)
    assert folder(tmp_path)["x"].truth.ids == tuple(range(1, min(3, 2**bits - 1) + 1))


def write_grey_png(path, labels, bits):
    """Grey of few bits, which Pillow does not write."""
    per_byte = 8 // bits
    packed = np.zeros((labels.shape[0], -(-labels.shape[1] // per_byte)), np.uint8)
    for place in range(per_byte):
        part = labels[:, place::per_byte]
        packed[:, : part.shape[1]] |= (part << (8 - bits * (place + 1))).astype(np.uint8)
    rows = b"".join(b"\0" + row.tobytes() for row in packed)

    def chunk(kind, data):
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    header = struct.pack(">IIBBBBB", labels.shape[1], labels.shape[0], bits, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def test_negative_labels_are_refused_unless_they_are_background(tmp_path):
    dataset = own(tmp_path, LABELS.astype(np.int16) - 1, "x.npy")
    with pytest.raises(UserError, match=r"x\.npy has the value -1, which is negative; add it to"):
        masks_of(dataset)
    assert folder(tmp_path, background="-1")["x"].truth.ids == (0, 1, 2)


def test_white_as_zero_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"x\.tif says that 0 is white.*save it as PNG"):
        masks_of(own(tmp_path, HARD > 0, "x.tif", photometric="miniswhite"))


def test_numpy_files_that_are_no_masks(tmp_path):
    path = tmp_path / "masks" / "x.npy"
    dataset = own(tmp_path, LABELS, path.name)
    np.save(path, {"masks": LABELS}, allow_pickle=True)
    with pytest.raises(UserError, match=r"x\.npy holds Python objects.*Cellpose.*PNG or TIFF"):
        masks_of(dataset)
    np.save(path, LABELS.astype("U1"))
    with pytest.raises(UserError, match="values of type <U1; labels are numbers"):
        masks_of(folder(tmp_path))
    for shape in ((60, 80, 1, 1), (9,), (5, 5, 5)):
        np.save(path, np.zeros(shape))
        with pytest.raises(UserError, match=r"x\.npy has the shape .* not \(60, 80\)"):
            masks_of(folder(tmp_path))
    np.savez_compressed(tmp_path / "z.npz", LABELS)
    cut = (tmp_path / "z.npz").read_bytes()[:-9]
    for content in (b"", b"\x93NUMPY\x01\0", path.read_bytes()[:90], cut):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"x\.npy is not a readable NumPy file"):
            masks_of(folder(tmp_path))
    path.unlink()
    np.savez(tmp_path / "masks" / "x.npz", LABELS, LABELS)
    with pytest.raises(UserError, match=r"x\.npz has 2 arrays; save the masks as one alone"):
        masks_of(folder(tmp_path))


# Stacks


@pytest.mark.parametrize("name", ["x.tif", "x.npy", "x_masks.tif"])
def test_pages_are_an_object_each(tmp_path, name):
    stack = np.stack([n == LABELS for n in (1, 2, 3)]).astype(np.uint8) * 255
    found = masks_of(own(tmp_path, stack, name))
    assert (found == (stack > 0)).all()
    assert (masks_of(folder(tmp_path, threshold=128)) == (stack > 0)).all()


def test_arrays_with_the_objects_last(tmp_path):
    stack = np.stack([n == LABELS for n in (1, 2, 3)], axis=-1)
    assert (masks_of(own(tmp_path, stack, "x.npy")) == np.moveaxis(stack, 2, 0)).all()


def test_pages_of_labels_need_a_choice(tmp_path):
    stack = np.stack([LABELS, LABELS[::-1]])
    with pytest.raises(UserError, match=r"x\.tif has 3 values beside the background"):
        masks_of(own(tmp_path, stack, "x.tif"))
    save(tmp_path / "images" / "x.tif", np.stack([LABELS, LABELS]))
    (tmp_path / "images" / "x.jpg").unlink()
    found = masks_of(folder(tmp_path, page=2))
    assert (found == [LABELS[::-1] == n for n in (1, 2, 3)]).all()
    save(tmp_path / "masks" / "x.tif", LABELS)
    assert len(masks_of(folder(tmp_path, page=2))) == 3


def test_a_file_for_each_object_has_one_page(tmp_path):
    stack = np.stack([LABELS == 1, LABELS == 2]).astype(np.uint8)
    with pytest.raises(UserError, match=r"x_1\.tif has 2 pages, but a file for each object has on"):
        masks_of(own(tmp_path, stack, "x_1.tif"))


# Colours


COLOURS = np.array([(0, 0, 0), (216, 27, 96), (30, 136, 229), (255, 193, 7)], np.uint8)


def test_colours_are_objects_when_told(tmp_path):
    dataset = own(tmp_path, COLOURS[LABELS])
    with pytest.raises(UserError, match=r"x\.png has colours; give objects=colours if each colour"):
        masks_of(dataset)
    with pytest.raises(UserError, match="has colours; give objects=colours"):
        masks_of(folder(tmp_path, threshold=128))
    truth = folder(tmp_path, objects="colours")["x"].truth
    assert truth.ids == tuple(sorted((r << 16) + (g << 8) + b for r, g, b in COLOURS[1:].tolist()))
    assert {int(m.sum()) for m in truth.masks()} == {int((n == LABELS).sum()) for n in (1, 2, 3)}
    white = COLOURS.copy()
    white[0] = 255
    save(tmp_path / "masks" / "x.png", white[LABELS])
    assert len(masks_of(folder(tmp_path, objects="colours", background=str(0xFFFFFF)))) == 3


def test_grey_in_three_channels_is_grey(tmp_path):
    grey = np.repeat(LABELS[..., None], 3, axis=2)
    assert len(masks_of(own(tmp_path, grey))) == 3
    opaque = np.dstack([grey, LABELS * 0 + 255])
    assert len(masks_of(own(tmp_path, opaque))) == 3


def test_transparent_masks_are_refused(tmp_path):
    for image in (
        Image.fromarray(np.dstack([COLOURS[LABELS], HARD])),
        Image.merge("LA", [Image.fromarray(LABELS), Image.fromarray(HARD)]),
    ):
        with pytest.raises(UserError, match=r"x\.png has transparent pixels.*without alpha"):
            masks_of(own(tmp_path, image))


def test_grey_levels_are_colours_too_and_wider_samples_are_none(tmp_path):
    grey = np.array([0, 60, 120, 200], dtype=np.uint8)[LABELS]
    truth = own(tmp_path / "grey", grey, reading={"objects": "colours"})["x"].truth
    assert truth.ids == tuple(v * 0x10101 for v in (60, 120, 200))
    wide = own(tmp_path / "wide", grey.astype(np.uint16), "x.tif", reading={"objects": "colours"})
    with pytest.raises(UserError, match="has no colours; leave objects=colours out"):
        masks_of(wide)


def test_blended_colours_are_refused(tmp_path):
    big = Image.fromarray(COLOURS[LABELS]).resize((200, 150), Image.Resampling.BILINEAR)
    blended = big.resize((SIZE[1], SIZE[0]), Image.Resampling.BILINEAR)
    with pytest.raises(UserError, match=r"x\.png has \d+ colours, most of them only where others"):
        masks_of(own(tmp_path, blended, reading={"objects": "colours"}))
    with pytest.raises(UserError, match=r"x\.jpg is stored with loss, which changes colours"):
        own(tmp_path / "b", COLOURS[LABELS], "x.jpg", reading={"objects": "colours"})["x"]


def palette_image(values, colours):
    image = Image.fromarray(values)
    image.putpalette(colours.ravel().tolist())
    return image


def test_palettes_are_their_values(tmp_path):
    dataset = own(tmp_path, palette_image(LABELS, COLOURS))
    assert (masks_of(dataset) == [n == LABELS for n in (1, 2, 3)]).all()
    assert len(masks_of(folder(tmp_path, objects="colours"))) == 3
    with pytest.raises(UserError, match="has a palette of colours; threshold= is for grey masks"):
        masks_of(folder(tmp_path, threshold=128))


def test_a_palette_with_black_elsewhere_is_refused(tmp_path):
    moved = palette_image(np.where(HARD, 0, 1).astype(np.uint8), np.array([(255,) * 3, (0,) * 3]))
    with pytest.raises(UserError, match=r"value 1 is black and whose value 0 is not; give objects"):
        masks_of(own(tmp_path, moved))
    assert (masks_of(folder(tmp_path, objects="colours")) == (HARD > 0)).all()
    assert (masks_of(folder(tmp_path, objects="values")) == (HARD == 0)).all()
    assert (masks_of(folder(tmp_path, threshold=128)) == (HARD > 0)).all()


def test_a_palette_of_greys_shows_a_smooth_edge(tmp_path):
    soft = np.asarray(ellipse(8))
    levels = RNG.permutation(256)
    levels[[0, int(np.flatnonzero(levels == 0)[0])]] = levels[
        [int(np.flatnonzero(levels == 0)[0]), 0]
    ]
    places = np.argsort(levels)
    greys = np.repeat(levels[:, None], 3, axis=1)
    dataset = own(tmp_path, palette_image(places[soft].astype(np.uint8), greys))
    with pytest.raises(UserError, match="give threshold="):
        masks_of(dataset)
    assert (masks_of(folder(tmp_path, threshold=128)) == (soft >= 128)).all()


# Formats with loss


@pytest.mark.parametrize("name", ["x.jpg", "x.JPEG", "x.jfif", "x.webp"])
def test_masks_with_loss_need_a_threshold(tmp_path, name):
    kind = "WEBP" if name == "x.webp" else "JPEG"
    dataset = own(tmp_path, HARD, name, image="x.png", format=kind, quality=60)
    with pytest.raises(
        UserError, match=r"stored with loss.*give threshold=.*or save labels as PNG"
    ):
        masks_of(dataset)
    [mask] = masks_of(folder(tmp_path, threshold=128))
    assert (mask != (HARD > 0)).mean() < 0.01
    flat = np.zeros(SIZE, np.uint8)
    save(tmp_path / "masks" / name, flat, format=kind)
    assert len(masks_of(folder(tmp_path))) == 0


def test_options_that_are_unknown_or_clash(tmp_path):
    dataset = own(tmp_path, LABELS)
    for options, words in (
        ({"threshold": -1.0}, "threshold=-1.0 is out of range"),
        ({"threshold": float("nan")}, "out of range"),
        ({"objects": "blobs"}, "objects=blobs is unknown; give values or colours"),
        ({"objects": "values", "threshold": 1.0}, "exclude each other"),
        ({"without_mask": "yes"}, "without_mask=yes is unknown; give empty or skip"),
        ({"intensity": "auto"}, "give full, minmax, percentile or LO..HI"),
    ):
        with pytest.raises(UserError, match=words):
            folder(tmp_path, **options)
    with pytest.raises(UserError, match=r"threshold=0\.5 is on another scale.*such as 128"):
        folder(tmp_path, threshold=0.5)["x"]
    prints = [folder(tmp_path, **o).fingerprint for o in ({}, {"threshold": 2.0}, {"page": 1})]
    assert len({dataset.fingerprint, *prints}) == 3


# Layouts


@pytest.mark.parametrize(
    "name",
    ["x.png", "x_mask.png", "x_masks.png", "x_cp_masks.png", "x_label.png", "x_labels.tif",
     "x_seg.png", "x_segmentation.png", "x_gt.bmp", "x_Mask.PNG", "x.jpg.png", "x.jpg_mask.png"],
)  # fmt: skip
def test_names_of_label_maps(tmp_path, name):
    found = masks_of(own(tmp_path, LABELS, name))
    assert (found == [n == LABELS for n in (1, 2, 3)]).all()


@pytest.mark.parametrize(
    "image",
    ["x.jpg", "x.JPG", "x.jpeg", "x.jfif", "x.jpe", "x.png", "x.PNG", "x.bmp", "x.tif", "x.TIFF",
     "x.webp", "x.gif"],
)  # fmt: skip
def test_names_of_images(tmp_path, image):
    photograph(tmp_path / "images" / "tmp.png")
    with Image.open(tmp_path / "images" / "tmp.png") as picture:
        kinds = {".jfif": "JPEG", ".jpe": "JPEG"}
        picture.save(tmp_path / "images" / image, kinds.get(image[1:]))
    (tmp_path / "images" / "tmp.png").unlink()
    save(tmp_path / "masks" / "x.png", LABELS)
    assert len(masks_of(folder(tmp_path))) == 3


@pytest.mark.parametrize("pattern", ["x_{}.png", "x/{}.png", "x/obj{}.png", "x_mask_{}.png"])
def test_names_of_single_objects(tmp_path, pattern):
    photograph(tmp_path / "images" / "x.jpg")
    for number in (1, 2, 3):
        save(tmp_path / "masks" / pattern.format(number), (number == LABELS) * np.uint8(255))
    assert (masks_of(folder(tmp_path)) == [n == LABELS for n in (1, 2, 3)]).all()


@pytest.mark.parametrize("name", ["x.png", "x_mask.png", "x/0.png", "x_0.png"])
def test_folders_of_any_depth(tmp_path, name):
    for part in ("train", "val/far"):
        photograph(tmp_path / "images" / part / "x.jpg")
        save(tmp_path / "masks" / part / name, (LABELS == 1) * np.uint8(1))
    photograph(tmp_path / "images" / ".hidden" / "y.jpg")
    photograph(tmp_path / "images" / "__MACOSX" / "y.jpg")
    dataset = folder(tmp_path)
    assert dataset.ids == ("train/x", "val/far/x")
    for id in dataset.ids:
        assert (masks_of(dataset, id) == (LABELS == 1)).all()


@pytest.mark.parametrize("image", ["x.png", "x.jpg"])
@pytest.mark.parametrize("mask", ["x_masks.png", "x_mask.tif", "x_cp_masks.npy"])
def test_masks_beside_their_images(tmp_path, image, mask):
    photograph(tmp_path / "d" / image)
    photograph(tmp_path / "d" / "x_2.png")
    save(tmp_path / "d" / mask, LABELS)
    save(tmp_path / "d" / "x_2_masks.png", LABELS)
    dataset = Folder(images=str(tmp_path / "d"), masks=str(tmp_path / "d"))
    assert dataset.ids == ("x", "x_2")
    assert [len(dataset[id].truth) for id in dataset] == [3, 3]


def test_png_beside_jpeg_is_its_mask(tmp_path):
    photograph(tmp_path / "x.jpg")
    save(tmp_path / "x.png", LABELS)
    dataset = Folder(images=str(tmp_path), masks=str(tmp_path))
    assert dataset.image_path("x").name == "x.jpg"
    assert len(masks_of(dataset)) == 3


@pytest.mark.parametrize(("images", "masks"), [("", "masks"), ("photos", "")])
def test_one_folder_below_the_other(tmp_path, images, masks):
    photograph(tmp_path / images / "x.jpg")
    save(tmp_path / masks / "x.png", LABELS)
    dataset = Folder(images=str(tmp_path / images), masks=str(tmp_path / masks))
    assert dataset.ids == ("x",)
    assert len(masks_of(dataset)) == 3


def test_seg_npy_of_cellpose_is_left_out_beside_the_masks(tmp_path):
    dataset = own(tmp_path, LABELS, "x_cp_masks.png")
    np.save(tmp_path / "masks" / "x_seg.npy", {"masks": LABELS}, allow_pickle=True)
    assert len(masks_of(dataset)) == 3
    (tmp_path / "masks" / "x_cp_masks.png").unlink()
    with pytest.raises(UserError, match=r"x_seg\.npy holds Python objects"):
        masks_of(folder(tmp_path))


def test_accents_match_however_they_are_composed(tmp_path):
    photograph(tmp_path / "images" / "re\u0301sume\u0301.jpg")
    save(tmp_path / "masks" / "r\u00e9sum\u00e9.png", LABELS)
    assert [len(sample.truth) for sample in folder(tmp_path).values()] == [3]


def test_names_with_odd_characters(tmp_path):
    for name in ("a b", "50%", "x#1", "图像", "a,b=c", "con.1"):
        photograph(tmp_path / "images" / f"{name}.jpg")
        save(tmp_path / "masks" / f"{name}.png", LABELS)
    assert [len(sample.truth) for sample in folder(tmp_path).values()] == [3] * 6


def test_two_masks_for_one_image_are_refused(tmp_path):
    dataset = own(tmp_path, LABELS)
    save(tmp_path / "masks" / "x_mask.png", LABELS)
    with pytest.raises(UserError, match=r"x has 2 label maps .* x\.png and x_mask\.png; keep one"):
        len(dataset)
    (tmp_path / "masks" / "x.png").unlink()
    save(tmp_path / "masks" / "x_0.png", LABELS)
    with pytest.raises(UserError, match="x has a label map and masks of single objects"):
        len(folder(tmp_path))


def test_images_without_a_mask(tmp_path, caplog):
    own(tmp_path, LABELS)
    photograph(tmp_path / "images" / "none.jpg")
    with pytest.raises(
        UserError,
        match=r"1 of 2 images have no mask in .*masks, which holds 1 \.png, first none\.jpg: .*"
        r"give without_mask=empty where there are no objects, or without_mask=skip",
    ):
        len(folder(tmp_path))
    empty, skip = folder(tmp_path, without_mask="empty"), folder(tmp_path, without_mask="skip")
    assert [len(sample.truth) for sample in empty.values()] == [0, 3]
    assert "1 of 2 images have no mask and count as images without objects" in caplog.text
    assert empty["none"].truth.size == SIZE
    assert skip.ids == ("x",)
    assert "1 of 2 images have no mask and are left out" in caplog.text
    assert len({empty.fingerprint, skip.fingerprint}) == 2
    save(tmp_path / "masks" / "none.png", LABELS * 0)
    assert [len(sample.truth) for sample in folder(tmp_path).values()] == [0, 3]


def test_other_formats_are_told_apart(tmp_path):
    for kind in ("json", "txt", "xml"):
        base = tmp_path / kind
        photograph(base / "x.jpg")
        (base / f"x.{kind}").write_text("{}")
        with pytest.raises(
            UserError, match=rf"no mask .* 1 \.jpg, 1 \.{kind} \(`sambench list` shows readers"
        ):
            len(Folder(images=str(base), masks=str(base)))
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "a.txt").touch()
    with pytest.raises(UserError, match=r"has no images .*it holds 1 \.txt"):
        len(Folder(images=str(tmp_path / "t"), masks=str(tmp_path / "json")))


@pytest.mark.parametrize("name", ["y.heic", "y.dcm", "y.nii.gz", "y.npy", "y.psd", "y.mp4"])
def test_images_of_other_kinds_are_not_left_out_in_silence(tmp_path, name):
    dataset = own(tmp_path, LABELS)
    (tmp_path / "images" / "README.md").touch()
    (tmp_path / "images" / name).write_bytes(b"?")
    with pytest.raises(UserError, match=rf"{name} is of a kind that folder does not read there"):
        len(dataset)


def test_masks_of_another_size_and_no_mask_at_all(tmp_path):
    dataset = own(tmp_path, LABELS[:, :-1])
    with pytest.raises(UserError, match=r"x\.jpg has size \(60, 80\), but .*x\.png has \(60, 79\)"):
        dataset["x"]
    save(tmp_path / "masks" / "other.png", LABELS)
    with pytest.raises(
        UserError, match=r"other\.png belongs to no image .* name it as folder take"
    ):
        len(folder(tmp_path))
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file is not a folder"):
        len(Folder(images=str(tmp_path / "file"), masks=str(tmp_path / "masks")))


# Elsewhere


def test_a_file_for_each_object_is_binary_in_every_dataset(tmp_path):
    base = tmp_path / "stage1_train" / "x"
    photograph(base / "images" / "x.png")
    save(base / "masks" / "1.png", ellipse(8))
    with pytest.raises(UserError, match=r"1\.png has \d+ values beside the background"):
        Bbbc038v1(root=str(tmp_path), sample="all")["x"]


def test_checks_find_grey_levels_that_a_reader_took_for_labels(tmp_path):
    photograph(tmp_path / "train" / "image" / "ego4d_x.jpg")
    save(tmp_path / "train" / "label" / "ego4d_x.png", ellipse(8))
    dataset = Egohos(root=str(tmp_path), sample="all")
    [problem] = [p for p in problems_of(dataset) if "may not be objects" in p]
    assert "ego4d_x: its objects may not be objects" in problem
    assert "labels" in {finding.check for finding in check_dataset(dataset).findings}
    save(tmp_path / "train" / "label" / "ego4d_x.png", LABELS)
    again = Egohos(root=str(tmp_path), sample="all")
    assert "labels" not in {finding.check for finding in check_dataset(again).findings}


def test_checks_and_runs_name_a_mask_that_is_refused(tmp_path, capsys):
    dataset = own(tmp_path, ellipse(8))
    assert "give threshold=" in problems_of(dataset)[0]
    assert "give threshold=" in check_dataset(dataset).findings[0].problem
    spec = f"folder:images={tmp_path / 'images'},masks={tmp_path / 'masks'}"
    words = ["run", "--task", "points", "--model", "whole_image", "--output"]
    words.append(str(tmp_path / "out"))
    assert cli.main([*words, "--dataset", spec]) == 2
    assert "give threshold=" in capsys.readouterr().err
    assert cli.main([*words, "--dataset", spec + ",threshold=128", "--fresh"]) == 0


# What looks like labels and is none


def test_palettes_that_opacity_tells_apart_are_refused(tmp_path):
    white = np.full((*SIZE, 4), 255, np.uint8)
    white[..., 3] = ellipse(4)
    soft = Image.fromarray(white).quantize(16, method=Image.Quantize.FASTOCTREE)
    with pytest.raises(UserError, match=r"x\.png has transparent pixels"):
        masks_of(own(tmp_path, soft))
    labels = Image.fromarray(LABELS)
    labels.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    assert len(masks_of(own(tmp_path, labels, transparency=0))) == 3
    with pytest.raises(UserError, match=r"x\.png has transparent pixels"):
        masks_of(own(tmp_path, labels, transparency=2))


def test_jpeg_inside_a_tiff_is_stored_with_loss(tmp_path):
    dataset = own(tmp_path, LABELS)
    (tmp_path / "masks" / "x.png").unlink()
    Image.fromarray(HARD).save(tmp_path / "masks" / "x.tif", compression="jpeg")
    with pytest.raises(UserError, match=r"x\.tif is stored with loss"):
        masks_of(folder(tmp_path))
    assert dataset
    assert (masks_of(folder(tmp_path, threshold=128)) == (HARD >= 128)).all()


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.stack([HARD] * 3, -1), "may be a picture in colours or 3 objects"),
        (np.stack([HARD, HARD * 0, HARD[::-1]], -1), "may be a picture in colours or 3 objects"),
        (np.stack([HARD > 0] * 3, -1), "has 3 equal pages or channels"),
        (np.stack([HARD / 255.0] * 3), "has 3 equal pages or channels"),
    ],
)
def test_arrays_of_pictures_are_no_stacks_of_objects(tmp_path, array, words):
    with pytest.raises(UserError, match=rf"x\.npy has .*{words}|x\.npy {words}"):
        masks_of(own(tmp_path, array, "x.npy"))


def test_a_git_lfs_pointer_of_a_numpy_file_is_called_so(tmp_path):
    dataset = own(tmp_path, LABELS, "x.npy")
    (tmp_path / "masks" / "x.npy").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(UserError, match=r"x\.npy is a Git LFS pointer"):
        masks_of(dataset)


def test_options_name_the_greys_of_a_gif(tmp_path):
    trimap = np.where(LABELS == 1, 128, np.where(LABELS == 2, 255, 0)).astype(np.uint8)
    with pytest.raises(UserError, match=r"of a trimap.*or ignore=128 if that is unknown"):
        masks_of(own(tmp_path, trimap, "x.gif"))
    truth = folder(tmp_path, ignore="128")["x"].truth
    assert (truth.masks() == (LABELS == 2)).all()
    assert (truth.ignore == (LABELS == 1)).all()
    inverted = np.where(LABELS == 2, 0, 255).astype(np.uint8)
    reading = {"background": "255"}
    assert (masks_of(own(tmp_path, inverted, "x.gif", reading=reading)) == (LABELS == 2)).all()
    with pytest.raises(UserError, match="palette of greys, so whether 1 is a stored value"):
        masks_of(folder(tmp_path, background="1"))


def test_a_threshold_is_on_the_scale_of_its_values(tmp_path):
    soft = np.asarray(ellipse(4)).astype(np.uint16) * 257
    with pytest.raises(UserError, match=r"to 65535, so threshold=128 .*such as 32768"):
        masks_of(own(tmp_path, soft, reading={"threshold": 128}))
    assert (masks_of(folder(tmp_path, threshold=32768)) == (soft >= 32768)).all()
    logits = np.where(LABELS == 1, 4.5, -7.5).astype(np.float32)
    (tmp_path / "masks" / "x.png").unlink()
    with pytest.raises(UserError, match=r"from -7\.5 to 4\.5, but threshold= is for values from 0"):
        masks_of(own(tmp_path, logits, "x.npy", reading={"threshold": 0.5}))


def test_links_that_lead_in_a_circle_are_refused(tmp_path):
    dataset = own(tmp_path, LABELS)
    assert dataset.ids == ("x",)
    for name in ("images", "masks"):
        (tmp_path / name / "again").symlink_to(tmp_path / name)
    with pytest.raises(UserError, match=r"images.again is a link to a folder that holds it"):
        folder(tmp_path).ids  # noqa: B018


def test_a_page_or_file_without_its_object_is_refused(tmp_path):
    stack = np.stack([n == LABELS for n in (1, 9, 3)])
    with pytest.raises(UserError, match=r"x\.npy: page 2 has no object; save the pages without"):
        masks_of(own(tmp_path, stack, "x.npy"))
    (tmp_path / "masks" / "x.npy").unlink()
    save(tmp_path / "masks" / "x_1.png", LABELS // 3 * 90)
    save(tmp_path / "masks" / "x_2.png", LABELS * 0)
    with pytest.raises(UserError, match=r"x_2\.png has no object, but .* take it away"):
        masks_of(folder(tmp_path))
    with pytest.raises(UserError, match=r"x_1\.png has no object"):
        masks_of(folder(tmp_path, threshold=128))
    for path in (tmp_path / "masks").iterdir():
        path.unlink()
    assert len(masks_of(own(tmp_path, LABELS * 0, reading={"threshold": 128}))) == 0


# Spacing


@pytest.mark.parametrize(("text", "sides"), [("0.5", (0.5, 0.5)), ("0.5+0.8", (0.5, 0.8))])
def test_spacing_stands_with_the_objects_and_scales_distances(tmp_path, text, sides):
    dataset = own(tmp_path, LABELS, reading={"spacing": text})
    truth = dataset["x"].truth
    assert truth.extra["spacing"] == sides
    plain = folder(tmp_path)
    assert "spacing" not in plain["x"].truth.extra
    assert dataset.fingerprint != plain.fingerprint
    moved = np.roll(LABELS == 1, 3, axis=0)
    task, shifted = load("task", "instances:surface=1"), rle.encode(moved[None])
    found = ImageDetections(
        "x", Detections(tuple(shifted), np.ones(1), np.zeros(1, int), truth.boxes[:1]), (1,)
    )
    for known, far in ((plain["x"].truth, 3.0), (truth, 3 * sides[0])):
        one = from_rles(truth.size, truth.rles[:1], extra=known.extra)
        assert task.score(found, one)["surface"][0][1] == pytest.approx(far)


@pytest.mark.parametrize("text", ["0", "-1", "wide", "1+2+3", "inf", "nan"])
def test_spacing_that_is_none_is_refused(tmp_path, text):
    with pytest.raises(UserError, match=r"^spacing=.* is not a size above 0; give 0\.5, or rows"):
        own(tmp_path, LABELS, reading={"spacing": text})
