"""Image files of all kinds through the one decoder: read as meant, or refused in one sentence."""

import json
import struct
import zlib
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from sambench import cli
from sambench.data.images import Decoding, Intensity, files, image_size, labels, read_rgb
from sambench.data.images.files import MOST_PIXELS
from sambench.datasets.berkeley import Berkeley
from sambench.datasets.coco import Coco
from sambench.datasets.folder import Folder
from sambench.datasets.pascal_voc import PascalVoc
from sambench.errors import UserError

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (12, 16, 3), dtype=np.uint8)
GREY = RNG.integers(0, 256, (12, 16), dtype=np.uint8)
DEEP = RNG.integers(0, 2**16, (12, 16, 3), dtype=np.uint16)


def saved(tmp_path, name, image, **options):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    image.save(path, **options)
    return path


def as_rgb(grey):
    return np.repeat(np.asarray(grey, dtype=np.uint8)[..., None], 3, axis=2)


def mapped(text):
    return Decoding(intensity=Intensity.parse(text), option="{}=")


# Ordinary images


@pytest.mark.parametrize("quality", [50, 95])
@pytest.mark.parametrize("name", ["x.jpg", "x.jfif", "x.JPEG", "x.webp"])
def test_ordinary_images_are_decoded_as_ever(tmp_path, name, quality):
    kind = "WEBP" if name.endswith("webp") else "JPEG"
    path = saved(tmp_path, name, RGB, quality=quality, format=kind)
    with Image.open(path) as image:
        assert (read_rgb(path) == np.array(image.convert("RGB"))).all()
    assert image_size(path) == (12, 16)


def test_every_mode_becomes_rgb(tmp_path):
    alpha = RNG.integers(0, 256, (12, 16), dtype=np.uint8)
    palette = Image.fromarray(RGB).quantize(8)
    shown = {
        "bit.png": (Image.fromarray(GREY > 99), as_rgb((GREY > 99) * 255)),
        "grey.bmp": (Image.fromarray(GREY), as_rgb(GREY)),
        "grey_alpha.png": (Image.merge("LA", [*map(Image.fromarray, (GREY, alpha))]), as_rgb(GREY)),
        "alpha.png": (Image.fromarray(np.dstack([RGB, alpha])), RGB),
        "palette.png": (palette, np.array(palette.convert("RGB"))),
        "one.gif": (palette, np.array(palette.convert("RGB"))),
        "cmyk.tif": (Image.fromarray(255 - RGB).convert("CMYK"), 255 - RGB),
        "ycbcr.tif": (
            Image.fromarray(RGB).convert("YCbCr"),
            np.array(Image.fromarray(RGB).convert("YCbCr").convert("RGB")),
        ),
    }
    for name, (image, expected) in shown.items():
        assert (read_rgb(saved(tmp_path, name, image)) == expected).all(), name


def test_transparency_of_a_palette_is_dropped_without_a_warning(tmp_path):
    palette = Image.fromarray(RGB).quantize(8)
    path = saved(tmp_path, "x.png", palette, transparency=bytes([0, 128, 255]))
    assert (read_rgb(path) == np.array(palette.convert("RGB"))).all()


def test_cmyk_of_photoshop_is_inverted_and_without_its_marker_is_refused(tmp_path):
    flat = np.full((16, 16, 3), (200, 40, 90), dtype=np.uint8)
    path = saved(tmp_path, "x.jpg", Image.fromarray(flat).convert("CMYK"), quality=100)
    assert np.abs(read_rgb(path).astype(int) - flat).max() <= 3
    content = path.read_bytes()
    start = content.index(b"\xff\xee")
    path.write_bytes(content[:start] + content[start + 16 :])
    with pytest.raises(UserError, match=r"x\.jpg is a CMYK JPEG without.*convert it to RGB"):
        read_rgb(path)


def test_colours_that_are_not_converted_are_refused(tmp_path):
    path = saved(tmp_path, "x.tif", Image.new("LAB", (4, 4)))
    with pytest.raises(UserError, match=r"x\.tif has colours of the kind LAB; convert it to RGB"):
        read_rgb(path)


# EXIF orientation


def turned_jpeg(path, code, image=RGB):
    exif = Image.Exif()
    exif[274] = code
    return saved(path.parent, path.name, image, exif=exif)


@pytest.mark.parametrize("code", range(1, 9))
@pytest.mark.parametrize("name", ["x.jpg", "x.png", "x.tif", "x.webp"])
def test_displayed_is_what_viewers_show_and_stored_what_the_file_has(tmp_path, name, code):
    path = turned_jpeg(tmp_path / name, code)
    with Image.open(path) as image:
        shown = np.array(ImageOps.exif_transpose(image).convert("RGB"))
    plain = saved(tmp_path, "plain" + path.suffix, RGB)
    displayed, stored = Decoding("displayed"), Decoding("stored")
    assert (read_rgb(path, displayed) == shown).all()
    assert (read_rgb(path, stored) == read_rgb(plain)).all()
    assert image_size(path, displayed) == shown.shape[:2]
    assert image_size(path, stored) == (12, 16)


@pytest.mark.parametrize("code", [0, 9, 200])
def test_an_orientation_that_means_nothing_is_none(tmp_path, code):
    path = turned_jpeg(tmp_path / "x.png", code)
    assert (read_rgb(path) == RGB).all()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_exif_after_the_pixels_of_a_png_counts(tmp_path):
    path = saved(tmp_path, "x.png", RGB)
    exif = Image.Exif()
    exif[274] = 6
    content = path.read_bytes()
    end = content.index(b"IEND") - 4
    late = chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
    path.write_bytes(content[:end] + late + content[end:])
    assert image_size(path, Decoding("displayed")) == (16, 12)
    assert (read_rgb(path, Decoding("displayed")) == np.rot90(RGB, -1)).all()


def test_the_annotated_size_decides_where_it_can(tmp_path):
    path = turned_jpeg(tmp_path / "x.png", 6)
    assert (read_rgb(path, annotated=(12, 16)) == RGB).all()
    assert (read_rgb(path, annotated=(16, 12)) == np.rot90(RGB, -1)).all()
    assert image_size(path, annotated=lambda: (16, 12)) == (16, 12)
    for size in ((12, 17), None):
        with pytest.raises(UserError, match=r"x\.png.*orientation 6.*mogrify -auto-orient"):
            read_rgb(path, annotated=size)
    square = turned_jpeg(tmp_path / "square.png", 6, RGB[:, :12])
    half = turned_jpeg(tmp_path / "half.png", 3)
    for path, size in ((square, (12, 12)), (half, (12, 16))):
        with pytest.raises(UserError, match="do not tell whether they mean"):
            read_rgb(path, annotated=size)


def test_the_size_is_not_asked_for_without_an_orientation(tmp_path):
    assert (read_rgb(saved(tmp_path, "x.png", RGB), annotated=lambda: 1 / 0) == RGB).all()


def coco(tmp_path, height, width):
    content = {
        "images": [{"id": 1, "file_name": "x.jpg", "height": height, "width": width}],
        "annotations": [],
        "categories": [],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    return Coco(annotations=str(tmp_path / "a.json"), images=str(tmp_path))


def test_coco_takes_the_pixels_that_its_size_means(tmp_path):
    path = turned_jpeg(tmp_path / "x.jpg", 6)
    stored = read_rgb(path, Decoding("stored"))
    assert (coco(tmp_path, 12, 16).read_image("1") == stored).all()
    assert (coco(tmp_path, 16, 12).read_image("1") == np.rot90(stored, -1)).all()
    with pytest.raises(UserError, match="orientation 6"):
        coco(tmp_path, 12, 12).read_image("1")


def test_masks_decide_for_readers_of_mask_files(tmp_path):
    base = tmp_path / "VOCdevkit" / "VOC2012"
    (base / "ImageSets" / "Segmentation").mkdir(parents=True)
    (base / "ImageSets" / "Segmentation" / "val.txt").write_text("x\n")
    path = turned_jpeg(base / "JPEGImages" / "x.jpg", 6)
    for shape, upright in (((12, 16), False), ((16, 12), True)):
        saved(base / "SegmentationObject", "x.png", np.ones(shape, np.uint8))
        sample = PascalVoc(root=str(tmp_path))["x"]
        assert (
            sample.image == read_rgb(path, Decoding("displayed" if upright else "stored"))
        ).all()
        assert sample.truth.size == shape
    turned_jpeg(path, 3)
    saved(base / "SegmentationObject", "x.png", np.ones((12, 16), np.uint8))
    with pytest.raises(UserError, match="orientation 3"):
        PascalVoc(root=str(tmp_path))["x"]


# More than 8 bits


def test_grey_of_16_bits_is_refused_or_mapped(tmp_path):
    for name in ("x.png", "x.tif"):
        path = saved(tmp_path, name, GREY.astype(np.uint16) * 257)
        with pytest.raises(UserError, match=rf"{name} has samples of more than 8 bits.*convert it"):
            read_rgb(path)
        with pytest.raises(UserError, match=r"intensity=full, minmax, percentile or LO\.\.HI"):
            read_rgb(path, Decoding(option="{}="))
        assert (read_rgb(path, mapped("full")) == as_rgb(GREY)).all()
        assert (read_rgb(path, mapped("0..65535")) == as_rgb(GREY)).all()
        low, high = int(GREY.min()), int(GREY.max())
        stretched = np.rint((GREY - low) * (255 / (high - low)))
        assert (read_rgb(path, mapped("minmax")) == as_rgb(stretched)).all()


@pytest.mark.parametrize("options", [{}, {"byteorder": ">"}, {"compression": "zlib"}])
def test_colours_of_16_bits_keep_all_bits(tmp_path, options):
    tifffile.imwrite(tmp_path / "x.tif", DEEP, photometric="rgb", **options)
    cv2.imwrite(str(tmp_path / "lzw.tif"), DEEP[..., ::-1])
    cv2.imwrite(str(tmp_path / "x.png"), DEEP[..., ::-1])
    cv2.imwrite(str(tmp_path / "alpha.png"), np.dstack([DEEP[..., ::-1], DEEP[..., 0]]))
    expected = np.rint(np.clip((DEEP.astype(float) - 1000) * (255 / 250), 0, 255))
    for name in ("x.tif", "lzw.tif", "x.png", "alpha.png"):
        with pytest.raises(UserError, match="more than 8 bits"):
            read_rgb(tmp_path / name)
        assert (read_rgb(tmp_path / name, mapped("1000..1250")) == expected).all(), name


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_floats_are_refused_or_mapped(tmp_path, dtype):
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, (GREY / 255).astype(dtype))
    with pytest.raises(UserError, match="or floats; convert it to 8 bits"):
        read_rgb(path)
    assert (read_rgb(path, mapped("full")) == as_rgb(GREY)).all()
    tifffile.imwrite(path, GREY.astype(dtype))
    with pytest.raises(UserError, match=r"floats from 0 to 25., but the intensity full is for"):
        read_rgb(path, mapped("full"))
    tifffile.imwrite(path, np.where(GREY > 9, np.nan, 0).astype(dtype))
    with pytest.raises(UserError, match=r"x\.tif has samples that are NaN or infinite"):
        read_rgb(path, mapped("minmax"))


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [("int8", -128, 127), ("int16", -(2**15), 2**15 - 1), ("int32", -(2**31), 2**31 - 1),
     ("uint32", 0, 2**32 - 1)],
)  # fmt: skip
def test_signs_and_32_bits_keep_their_range(tmp_path, dtype, low, high):
    samples = np.array([[low, high], [0, high // 2]]).astype(dtype)
    tifffile.imwrite(tmp_path / "x.tif", samples)
    expected = np.rint((samples.astype(float) - low) / (high - low) * 255)
    for text in ("full", "minmax", f"{low}..{high}"):
        assert (read_rgb(tmp_path / "x.tif", mapped(text)) == as_rgb(expected)).all()


def test_percentiles_leave_out_what_is_extreme(tmp_path):
    samples = np.arange(10000, dtype=np.uint16).reshape(100, 100)
    samples[0, 0] = 65535
    grey = read_rgb(saved(tmp_path, "x.png", samples), mapped("percentile"))[..., 0]
    assert (grey[50, 50] in (128, 129), grey[0, 1], grey[0, 0]) == (True, 0, 255)
    sparse = np.zeros((100, 100), np.uint16)
    sparse[0, 0] = 9
    with pytest.raises(UserError, match="1st and 99th percentile; give the intensity as minmax"):
        read_rgb(saved(tmp_path, "x.png", sparse), mapped("percentile"))
    assert not read_rgb(saved(tmp_path, "x.png", sparse * 0 + 7), mapped("minmax")).any()


def test_white_as_zero_and_layouts_that_are_not_read(tmp_path):
    tifffile.imwrite(tmp_path / "w.tif", GREY.astype(np.uint16) * 257, photometric="miniswhite")
    assert (read_rgb(tmp_path / "w.tif", mapped("full")) == as_rgb(255 - GREY)).all()
    tifffile.imwrite(tmp_path / "p.tif", np.moveaxis(DEEP, 2, 0), photometric="rgb")
    with pytest.raises(UserError, match=r"p\.tif has samples of more than 8 bits in a layout"):
        read_rgb(tmp_path / "p.tif", mapped("full"))
    tifffile.imwrite(tmp_path / "f.tif", DEEP / np.float32(65535), photometric="rgb")
    with pytest.raises(UserError, match=r"f\.tif is a TIFF in a form that is not read: convert it"):
        read_rgb(tmp_path / "f.tif", mapped("full"))


@pytest.mark.parametrize("text", ["half", "5..5", "9..1", "1..", "..", "nan..1", "1...2x"])
def test_an_unknown_intensity_names_those_there_are(text):
    with pytest.raises(UserError, match=r"full, minmax, percentile or LO\.\.HI"):
        Intensity.parse(text)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("-1000..400", -1000, 400), (".1...9", 0.1, 0.9), ("1e-3..2.", 0.001, 2)],
)
def test_a_range_is_two_numbers(text, low, high):
    assert Intensity.parse(text) == Intensity("range", low, high)


def test_images_of_8_bits_are_never_mapped(tmp_path):
    assert (read_rgb(saved(tmp_path, "x.png", RGB), mapped("0..10")) == RGB).all()


# Pages and frames


@pytest.mark.parametrize("name", ["x.tif", "x.gif", "x.webp", "x.png"])
def test_a_page_is_chosen_or_the_file_refused(tmp_path, name):
    frames = [Image.new("L", (8, 6), value) for value in (0, 80, 160)]
    options = {"lossless": True} if name == "x.webp" else {}
    path = saved(tmp_path, name, frames[0], save_all=True, append_images=frames[1:], **options)
    with pytest.raises(UserError, match=rf"{name} has 3 pages or frames; save the one"):
        read_rgb(path)
    with pytest.raises(UserError, match="choose one with page=N, from 1"):
        image_size(path, Decoding(option="{}="))
    for page, value in enumerate((0, 80, 160), start=1):
        assert (read_rgb(path, Decoding(page=page)) == value).all()
    with pytest.raises(UserError, match="has no page 4, only 3"):
        read_rgb(path, Decoding(page=4))


def test_previews_are_no_pages(tmp_path):
    first, second = Image.fromarray(RGB), Image.fromarray(RGB[::2, ::2].copy())
    path = saved(tmp_path, "x.mpo", first, format="MPO", save_all=True, append_images=[second])
    path = path.rename(tmp_path / "x.jpg")
    assert read_rgb(path).shape == RGB.shape
    with tifffile.TiffWriter(tmp_path / "x.tif") as file:
        file.write(RGB, photometric="rgb")
        file.write(RGB[::2, ::2], photometric="rgb", subfiletype=1)
    assert (read_rgb(tmp_path / "x.tif") == RGB).all()
    tifffile.imwrite(tmp_path / "raw.tif", RGB, photometric="rgb", subfiletype=1)
    with pytest.raises(UserError, match=r"raw\.tif shows only a preview, as raw files of cameras"):
        read_rgb(tmp_path / "raw.tif")


def test_stacks_of_imagej(tmp_path):
    tifffile.imwrite(tmp_path / "x.tif", np.zeros((4, 6, 8), np.uint8), imagej=True)
    with pytest.raises(UserError, match="has 4 pages"):
        read_rgb(tmp_path / "x.tif")


# No images, damaged ones, huge ones


CONTENTS = {
    "empty.jpg": (b"", "is empty"),
    "pointer.jpg": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    "page.jpg": (b"<!DOCTYPE html><html></html>", "is a web page, not an image: download"),
    "denied.jpg": (b"<?xml version='1.0'?><Error/>", "is XML or SVG"),
    "error.png": (b'{"error": "not found"}', "is JSON"),
    "x.png": (b"\0\0\0\x18ftypheic\0\0\0\0", "is HEIC, which is not read here: convert it"),
    "x.tif": (b"\0" * 128 + b"DICM", "is DICOM, which is not read here: convert it"),
    "x.jpg": (b"\x5c\x01\0\0" + b"\0" * 340 + b"n+1\0", "is NIfTI"),
    "x.bmp": (b"\x1f\x8b\x08", "is compressed with gzip"),
    "x.gif": (b"PK\x03\x04", "is a ZIP archive"),
    "x.webp": (b"\x93NUMPY", "is a NumPy array, not an image"),
    "text.jpg": (b"hello", "is not an image, or damaged"),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_what_is_no_image_is_told_what_it_is(tmp_path, name):
    content, words = CONTENTS[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=rf"{name} {words}|{name} .*{words}"):
        read_rgb(tmp_path / name)
    with pytest.raises(UserError):
        image_size(tmp_path / name)


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(UserError, match=r"x\.jpg does not exist; check the path"):
        read_rgb(tmp_path / "x.jpg")
    (tmp_path / "x.jpg").mkdir()
    with pytest.raises(UserError, match=r"x\.jpg cannot be read \(Is a directory\)"):
        read_rgb(tmp_path / "x.jpg")


@pytest.mark.filterwarnings("ignore")  # of damaged EXIF data, which Pillow leaves out
@pytest.mark.parametrize("name", ["x.jpg", "x.png", "x.tif", "x.bmp", "x.webp", "x.gif"])
def test_damage_is_one_sentence(tmp_path, name):
    image = Image.fromarray(np.repeat(np.repeat(RGB, 8, 0), 8, 1))
    options = {"compression": "tiff_lzw"} if name == "x.tif" else {}
    content = saved(tmp_path, name, image, **options).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=rf"{name} is (damaged|not an image|a TIFF|a JPEG)"):
        read_rgb(tmp_path / name)
    for place in RNG.integers(0, min(len(content), 400), 60):
        (tmp_path / name).write_bytes(content[:place] + b"\xff\0" + content[place + 2 :])
        with suppress(UserError):
            assert read_rgb(tmp_path / name).dtype == np.uint8


def blank_png(path, width, height):
    """A PNG of one bit a pixel, far smaller than its pixels."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    row = bytes(1 + -(-width // 8))
    pixels = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    parts = chunk(b"IHDR", header), chunk(b"IDAT", pixels), chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


def test_large_images_are_read_and_huge_ones_refused(tmp_path):
    limit = Image.MAX_IMAGE_PIXELS
    path = blank_png(tmp_path / "x.png", 14000, 14000)
    assert image_size(path) == (14000, 14000)
    with pytest.raises(UserError, match=r"24000 x 24000 pixels.*cut it into tiles or shrink it"):
        read_rgb(blank_png(path, 24000, 24000))
    assert 24000**2 > MOST_PIXELS > 14000**2
    assert limit == Image.MAX_IMAGE_PIXELS


def test_pillow_s_own_limit_never_applies(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    monkeypatch.setattr(files, "COMMON_PIXELS", 10)
    for name in ("x.tif", "x.png", "x.bmp"):
        assert (read_rgb(saved(tmp_path, name, RGB)) == RGB).all()
    assert Image.MAX_IMAGE_PIXELS == 10


# Those who read


def test_readers_without_options_name_a_remedy_for_the_file(tmp_path):
    saved(tmp_path / "images", "x.jpg", RGB)
    cv2.imwrite(str(tmp_path / "images" / "x.png"), DEEP)
    (tmp_path / "images" / "x.jpg").unlink()
    saved(tmp_path / "masks", "x.png", np.ones((12, 16), np.uint8) * 255)
    with pytest.raises(UserError, match=r"x\.png has samples of more than 8 bits.*convert it"):
        Berkeley(root=str(tmp_path))["x"]


def own(tmp_path, **options):
    return Folder(images=str(tmp_path / "images"), masks=str(tmp_path / "masks"), **options)


def test_folder_reads_as_displayed_or_as_told(tmp_path):
    path = turned_jpeg(tmp_path / "images" / "x.png", 6)
    saved(tmp_path / "masks", "x.png", np.ones((16, 12), np.uint8))
    sample = own(tmp_path)["x"]
    assert (sample.image == np.rot90(RGB, -1)).all()
    assert sample.truth.size == (16, 12)
    saved(tmp_path / "masks", "x.png", np.ones((12, 16), np.uint8))
    with pytest.raises(UserError, match="give orientation=stored if masks are of its stored"):
        own(tmp_path)["x"]
    assert (own(tmp_path, orientation="stored")["x"].image == RGB).all()
    assert own(tmp_path).fingerprint != own(tmp_path, orientation="stored").fingerprint
    turned_jpeg(path, 3)
    assert (own(tmp_path)["x"].image == RGB[::-1, ::-1]).all()
    with pytest.raises(UserError, match="orientation exif is unknown; give displayed or stored"):
        own(tmp_path, orientation="exif")


def test_folder_maps_and_chooses(tmp_path):
    pages = [Image.fromarray(GREY.astype(np.uint16) * factor) for factor in (1, 257)]
    saved(tmp_path / "images", "x.tif", pages[0], save_all=True, append_images=pages[1:])
    saved(tmp_path / "masks", "x.png", np.ones((12, 16), np.uint8))
    with pytest.raises(UserError, match=r"x\.tif has 2 pages or frames; choose one with page=N"):
        own(tmp_path)["x"]
    with pytest.raises(UserError, match="say how they become 8 bits with intensity=full"):
        own(tmp_path, page=2)["x"]
    assert (own(tmp_path, page=2, intensity="full")["x"].image == as_rgb(GREY)).all()
    with pytest.raises(UserError, match="pages count from 1"):
        own(tmp_path, page=-1)


def predict(capsys, *words):
    code = cli.main(["predict", *map(str, words)])
    return code, capsys.readouterr().err


def test_predict_reads_as_displayed(tmp_path, capsys):
    path = turned_jpeg(tmp_path / "x.jpg", 6, np.repeat(np.repeat(RGB, 4, 0), 4, 1))
    out = tmp_path / "o.png"
    code, _ = predict(capsys, path, "--point", "20,60", "-o", out, "--model", "whole_image")
    assert code == 0
    with Image.open(out) as picture:
        assert picture.size == (48, 64)
    code, words = predict(capsys, path, "--point", "60,20", "-o", out, "--model", "whole_image")
    assert (code, "which is 48 x 64" in words) == (2, True)


def test_predict_names_its_flags(tmp_path, capsys):
    frames = [Image.fromarray(GREY.astype(np.uint16) * 257) for _ in range(2)]
    path = saved(tmp_path, "x.tif", frames[0], save_all=True, append_images=frames[1:])
    words = predict(capsys, path, "--point", "2,2")
    assert words == (
        2,
        f"sambench: {path} has 2 pages or frames; choose one with --page N, from 1.\n",
    )
    code, words = predict(capsys, path, "--point", "2,2", "--page", "2")
    assert (code, "--intensity full, minmax, percentile or LO..HI" in words) == (2, True)
    flags = [
        "--page",
        "2",
        "--intensity",
        "full",
        "--model",
        "whole_image",
        "-o",
        tmp_path / "o.png",
    ]
    assert predict(capsys, path, "--point", "2,2", *flags)[0] == 0


@pytest.mark.parametrize(("apart", "dimensions"), [(0, 2), (24, 2), (25, 3)])
def test_a_grey_image_that_was_stored_with_loss_as_colours_is_grey(apart, dimensions):
    colours = np.full((8, 8, 3), 100, np.uint8)
    colours[0, 0, 2] += apart
    image = Image.fromarray(colours)
    assert labels._grey_or_colours(image, Path("x.jpg"), lossy=True).ndim == dimensions
