"""Edge maps of every make: read as they are meant, or refused in one sentence; never as nothing."""

import json
import logging
import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from scipy.ndimage import gaussian_filter
from scipy.sparse import csc_matrix

from sambench.cli import main
from sambench.errors import UserError
from sambench.metrics.edges.nms import structured_nms
from sambench.registry import load

SIZE = (60, 80)
IDS = ("a", "b", "c")


def outline(seed):
    """What an annotator draws: (H, W) bool, lines one pixel wide."""
    top, left = np.random.default_rng(seed).integers(8, 20, 2)
    drawn = np.zeros(SIZE, bool)
    drawn[top : top + 25, left] = drawn[top : top + 25, left + 35] = True
    drawn[top, left + 1 : left + 35] = drawn[top + 24, left + 1 : left + 35] = True
    drawn[[top, top, top + 24, top + 24], [left, left + 35] * 2] = False  # as thinning leaves it
    return drawn


def detected(seed):
    """A map in [0, 1] with steps of 1/255: the outline is found, and so is some of nothing."""
    rng = np.random.default_rng(seed + 100)
    strength = outline(seed) * rng.integers(128, 256, SIZE)
    strength[rng.integers(0, 60, 40), rng.integers(0, 80, 40)] = rng.integers(1, 128, 40)
    strength[0, 0] = 255
    return strength / 255


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Images and truth as BSDS500 lays them out."""
    folder = tmp_path_factory.mktemp("bsds")
    for part in ("images", "groundTruth"):
        (folder / part / "val").mkdir(parents=True)
    for seed, id in enumerate(IDS):
        Image.new("RGB", SIZE[::-1]).save(folder / f"images/val/{id}.jpg")
        cell = np.empty((1, 1), object)
        cell[0, 0] = {"Boundaries": outline(seed), "Segmentation": np.ones(SIZE, np.uint16)}
        savemat(folder / f"groundTruth/val/{id}.mat", {"groundTruth": cell})
    return folder


@pytest.fixture
def score(root, tmp_path, capsys):
    """Scores a folder by the command line; returns exit code, result and what was said."""

    def run(*words):
        capsys.readouterr()
        code = main([
            "score", "--task", "edges", "--dataset", f"bsds500:root={root},split=val",
            "--predictions", str(tmp_path / "maps"), "--output", str(tmp_path / "out"),
            "--workers", "0", "--resamples", "10", "--json", "--fresh", *words,
        ])  # fmt: skip
        out, err = capsys.readouterr()
        return code, json.loads(out) if out else None, err

    (tmp_path / "maps").mkdir()
    return run


def png(path, values, mode=None):
    image = Image.fromarray(values)
    (image.convert(mode) if mode else image).save(path)


def palette(path, values):
    image = Image.fromarray(values.max() - values, "P")  # indices run the other way
    image.putpalette([level for index in range(256) for level in [values.max() - index] * 3])
    image.save(path)


def with_alpha(path, values):
    Image.merge("LA", [Image.fromarray(values), Image.new("L", values.shape[::-1], 255)]).save(path)


BYTES = {
    "png": (".png", png),
    "png palette": (".png", palette),
    "png RGB": (".png", lambda path, values: png(path, values, "RGB")),
    "png alpha": (".png", with_alpha),
    "png RGB alpha": (".png", lambda path, values: png(path, values, "RGBA")),
    "png16": (".png", lambda path, values: png(path, values.astype(np.uint16) * 257)),
    "png16 to 255": (".png", lambda path, values: png(path, values.astype(np.uint16))),
    "npy uint8": (".npy", np.save),
    "npy uint16 to 255": (".npy", lambda path, values: np.save(path, values.astype(np.uint16))),
    "npy uint16": (".npy", lambda path, values: np.save(path, values.astype(np.uint16) * 257)),
    "npy int64": (".npy", lambda path, values: np.save(path, values.astype(np.int64))),
    "npy int32": (".npy", lambda path, values: np.save(path, values.astype(np.int32) * 257)),
    "npy float to 255": (".npy", lambda path, values: np.save(path, values.astype(np.float32))),
    "npy float": (".npy", lambda path, values: np.save(path, values / 255)),
    "npy float16": (".npy", lambda path, values: np.save(path, (values / 255).astype(np.float16))),
    "mat uint8": (".mat", lambda path, values: savemat(path, {"E": values})),
    "mat double": (".mat", lambda path, values: savemat(path, {"E": values / 255})),
    "mat double to 255": (".mat", lambda path, values: savemat(path, {"E": values.astype(float)})),
    "mat single": (".mat", lambda path, values: savemat(path, {"E": (values / 255).astype("f4")})),
    "mat sparse": (".mat", lambda path, values: savemat(path, {"E": csc_matrix(values / 255)})),
    "mat more": (
        ".mat",
        lambda path, values: savemat(path, {"E": values / 255, "seconds": 3.0, "by": "HED"}),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", BYTES)
def test_maps_of_every_make_give_the_same_numbers(score, tmp_path, kind):
    for seed, id in enumerate(IDS):
        np.save(tmp_path / f"maps/{id}.npy", detected(seed))
    code, expected, _ = score()
    assert code == 0
    assert 0.5 < expected["metrics"]["ODS"]["value"] < 1
    ending, write = BYTES[kind]
    for seed, id in enumerate(IDS):
        (tmp_path / f"maps/{id}.npy").unlink()
        write(tmp_path / f"maps/{id}{ending}", np.round(detected(seed) * 255).astype(np.uint8))
    code, result, _ = score()
    assert code == 0
    if kind == "npy float16":  # its steps are coarser
        assert result["metrics"]["ODS"]["value"] == pytest.approx(
            expected["metrics"]["ODS"]["value"], abs=2e-3
        )
    else:
        assert result["metrics"] == expected["metrics"]


BINARY = {
    "png of 0 and 1": (".png", lambda path, on: png(path, on.astype(np.uint8))),
    "png of 0 and 255": (".png", lambda path, on: png(path, on.astype(np.uint8) * 255)),
    "png of 1 bit": (".png", png),
    "png16 of 0 and 1": (".png", lambda path, on: png(path, on.astype(np.uint16))),
    "npy bool": (".npy", np.save),
    "npy int64": (".npy", lambda path, on: np.save(path, on.astype(np.int64))),
    "npy int8": (".npy", lambda path, on: np.save(path, on.astype(np.int8))),
    "npy float": (".npy", lambda path, on: np.save(path, on.astype(float))),
    "mat logical": (".mat", lambda path, on: savemat(path, {"E": on})),
    "mat uint8": (".mat", lambda path, on: savemat(path, {"E": on.astype(np.uint8)})),
    "mat double": (".mat", lambda path, on: savemat(path, {"E": on.astype(float)})),
}


@pytest.mark.parametrize("kind", BINARY)
def test_maps_of_yes_and_no_are_read_as_such(score, tmp_path, kind):
    ending, write = BINARY[kind]
    for seed, id in enumerate(IDS):
        write(tmp_path / f"maps/{id}{ending}", outline(seed))
    code, result, err = score()
    assert code == 0
    assert result["metrics"]["ODS"]["value"] == 1.0
    assert "WARNING" not in err


def test_the_scale_is_that_of_the_folder_and_stands_in_the_protocol(score, tmp_path):
    """A map with hardly an edge has 1 as its greatest value, and 255 still stands for 1."""
    faint = np.zeros(SIZE, np.uint8)
    faint[30, 10:50] = 1
    for seed, id in enumerate(IDS):
        png(tmp_path / f"maps/{id}.png", np.round(detected(seed) * 255).astype(np.uint8))
    png(tmp_path / "maps/c.png", faint)
    code, _, err = score()  # which may as well be a map of 0 and 1
    assert code == 2
    assert re.search("1 of 3 edge maps have values up to 1 only.*c.png.*--scale 255 if", err)
    _, result, err = score("--scale", "255")
    assert result["protocol"]["task"]["scale"] == 255.0
    assert "1 of 3 edge maps have no value at or above the first threshold, 0.01" in err
    assert "c.png" in err
    png(tmp_path / "maps/c.png", faint * 9)
    _, first, _ = score("--limit", "1")  # the whole folder counts, whatever is scored
    assert first["protocol"]["task"]["scale"] == 255.0
    task = load("task", "edges:scale=255")
    assert task.load(tmp_path / "maps/c").max() == np.float32(9 / 255)


@pytest.mark.parametrize(
    ("most", "others", "kind"),
    [
        (1, 255, np.uint8),
        (1, 255, np.float32),
        (255, 65535, np.uint16),
        (1023, 65535, np.uint16),
        (1, 65535, np.int32),
    ],
)
def test_one_map_of_another_range_is_refused(score, tmp_path, most, others, kind):
    for seed, id in enumerate(IDS):
        top = most if id == "b" else others
        np.save(tmp_path / f"maps/{id}.npy", (detected(seed) * top).astype(kind))
    code, _, err = score()
    assert code == 2
    assert f"1 of 3 edge maps have values up to {most} only" in err
    assert "b.npy" in err
    assert score("--scale", str(others))[0] == 0


def test_an_empty_map_among_others_is_one_without_edges(score, tmp_path):
    for seed, id in enumerate(IDS):
        png(tmp_path / f"maps/{id}.png", outline(seed) & (id != "b"))
    code, result, err = score()
    assert (code, result["images"]) == (0, 3)
    assert 0.6 < result["metrics"]["ODS"]["value"] < 0.9
    assert "WARNING" not in err


def full(value, dtype):
    """A folder's maps with no other value than that."""
    return lambda path: np.save(f"{path}.npy", np.where(outline(0), value, 0).astype(dtype))


def archive(path):
    np.savez(f"{path}.npz", a=outline(0))
    path.with_suffix(".npz").rename(path.with_suffix(".npy"))


def colours(path):
    png(f"{path}.png", np.arange(14400, dtype=np.int64).astype(np.uint8).reshape(60, 80, 3))


def clear(path):
    png(f"{path}.png", np.zeros((60, 80, 4), np.uint8))


def two(path):
    savemat(f"{path}.mat", {"E": outline(0), "O": outline(1)})


def deep_colour(path):
    """16 bits a channel, of which Pillow would keep the upper 8."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows = zlib.compress(b"".join(b"\0" + bytes(80 * 6) for _ in range(60)))
    head = struct.pack(">IIBBBBB", 80, 60, 16, 2, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    path.with_suffix(".png").write_bytes(b"\x89PNG\r\n\x1a\n" + parts)


def of(name, content):
    return lambda path: path.with_suffix(name).write_bytes(content)


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (full(0, np.uint8), "all 3 maps in .* are 0 everywhere"),
        (full(0.004, np.float32), "no map in .* reaches the first threshold, 0.01, if 1 stands"),
        (full(2, np.uint8), "reaches the first threshold, 0.01, if 255 stands for 1"),
        (full(1.5, np.float32), r"are float with values up to 1.5 \(.*\), so it is not clear"),
        (full(100, np.float32), "are float with values up to 100"),
        (full(1e4, np.float64), "are float with values up to 10000"),
        (full(1023, np.uint16), "are uint16 with values up to 1023"),
        (full(100, np.int8), "are int8 with values up to 100"),
        (full(32767, np.int16), "are int16 with values up to 32767"),
        (full(10**9, np.int64), r"are int64 with values up to 1e\+09"),
        (full(-1, np.float32), "has values outside .*, below 0 or NaN"),
        (full(-1, np.int32), "has values outside .*, below 0 or NaN"),
        (full(np.nan, np.float32), "below 0 or NaN"),
        (full(np.inf, np.float32), "below 0 or NaN"),
        (full(1j, np.complex64), "holds complex64"),
        (lambda path: np.save(f"{path}.npy", outline(0)[None]), r"array \(1, 60, 80\)"),
        (lambda path: np.save(f"{path}.npy", np.zeros((0, 4))), r"array \(0, 4\)"),
        (lambda path: np.save(f"{path}.npy", np.array("x")), "holds an array"),
        (archive, "is an archive of NumPy arrays"),
        (of(".npy", b""), "is not a NumPy array"),
        (of(".npy", b"\x93NUMPY\x01\x00"), "is not a NumPy array"),
        (of(".png", b"<html>"), "cannot be read as an image"),
        (of(".png", b"\x89PNG\r\n\x1a\n"), "cannot be read as an image"),
        (of(".mat", b"MATLAB"), r"is not a readable MATLAB file \(not of .*; save it with -v7"),
        (
            of(".mat", b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400)),
            "is a MATLAB file of version 7.3; save it with -v7",
        ),
        (deep_colour, "is in colour with 16 bits a channel"),
        (two, "holds E, O; it must hold one edge map"),
        (lambda path: savemat(f"{path}.mat", {"note": "x"}), "holds an array|holds <U1"),
        (colours, "3 channels that differ; an edge map is grey"),
        (clear, "is transparent in places"),
    ],
)
def test_what_would_be_a_guess_is_refused_before_anything_is_scored(score, tmp_path, write, words):
    for id in IDS:
        write(tmp_path / "maps" / id)
    code, result, err = score()
    assert (code, result) == (2, None)
    assert re.search(words, err)
    assert "Traceback" not in err


def test_a_palette_of_colours_and_pages_are_refused(score, tmp_path):
    for id in IDS:
        image = Image.fromarray(outline(0).astype(np.uint8), "P")
        image.putpalette([0, 0, 0, 255, 0, 0])
        image.save(tmp_path / f"maps/{id}.png")
    assert "channels that differ" in score()[2]
    pages = [Image.fromarray(outline(seed)) for seed in range(2)]
    pages[0].save(tmp_path / "maps/a.png", save_all=True, append_images=pages[1:])
    assert "a.png holds several images" in score()[2]


@pytest.mark.parametrize("scale", [1023, 2000])
def test_scale_settles_it(score, tmp_path, scale):
    for seed, id in enumerate(IDS):
        np.save(tmp_path / f"maps/{id}.npy", (detected(seed) * 1023).astype(np.uint16))
    code, result, _ = score("--scale", str(scale))
    assert code == 0
    assert result["protocol"]["task"]["scale"] == scale
    assert result["metrics"]["ODS"]["value"] > 0.5


def test_a_wrong_scale_is_refused(score, tmp_path):
    for seed, id in enumerate(IDS):
        np.save(tmp_path / f"maps/{id}.npy", detected(seed) * 255)
    code, _, err = score("--scale", "1")
    assert code == 2
    assert "values up to 255, above --scale 1, which stands for 1" in err
    assert "--scale -1 is too small; give 0 or more" in score("--scale", "-1")[2]
    for wrong in ("nan", "inf"):
        assert "is not finite" in score("--scale", wrong)[2]


def test_maps_of_several_types_are_refused_where_a_scale_would_not_fit_all(score, tmp_path):
    whole = [np.round(detected(seed) * 255) for seed in range(3)]
    png(tmp_path / "maps/a.png", whole[0].astype(np.uint8))
    png(tmp_path / "maps/b.png", outline(1))  # one bit: as good as any
    png(tmp_path / "maps/c.png", whole[2].astype(np.uint16) * 257)
    code, _, err = score()
    assert code == 2
    assert "maps of several types (uint16 in c.png, uint8 in a.png)" in err
    png(tmp_path / "maps/c.png", whole[2].astype(np.uint16))
    assert score("--scale", "255")[0] == 0


def test_missing_maps_and_those_of_another_size_are_said(score, tmp_path):
    code, _, err = score()
    assert code == 2
    assert "holds no predictions" in err
    (tmp_path / "maps/other.txt").write_text("x")
    assert "one edge map" in score()[2]
    png(tmp_path / "maps/a.png", outline(0))
    png(tmp_path / "maps/b.png", outline(1).T)
    Image.fromarray(outline(2)).convert("L").save(tmp_path / "maps/c.bmp")
    code, result, _ = score()
    assert code == 1
    assert result["complete"] is False
    assert "(60, 80)" in result["failed"]["b"]
    assert "(80, 60)" in result["failed"]["b"]
    assert "there is none (c.bmp is not read; convert it)" in result["failed"]["c"]


def raw(seed):
    """As a network gives it: lines several pixels wide, of all strengths."""
    wide = gaussian_filter(detected(seed), 1.5)
    return wide / wide.max()


@pytest.mark.parametrize(
    ("make", "thin"),
    [
        (raw, False),
        (lambda seed: structured_nms(gaussian_filter(raw(seed), 1)), True),
        (detected, True),
        (lambda seed: gaussian_filter(outline(seed).astype(float), 1) > 0.1, False),
        (lambda seed: np.maximum(outline(seed), np.roll(outline(seed), 1, 1)), False),
    ],
)
def test_score_says_when_maps_are_not_thin(score, tmp_path, make, thin):
    for seed, id in enumerate(IDS):
        np.save(tmp_path / f"maps/{id}.npy", np.clip(make(seed), 0, 1))
    _, before, err = score()
    assert ("are not thin" in err) == (not thin)
    assert ("--suppression structured" in err) == (not thin)
    if not thin:
        _, after, err = score("--suppression", "structured")
        assert "not thin" not in err
        assert after["protocol"]["task"]["suppression"] == "structured"
        assert before["metrics"] != after["metrics"]


def test_inverted_maps_are_said(score, tmp_path):
    for seed, id in enumerate(IDS):
        png(tmp_path / f"maps/{id}.png", ~outline(seed))
    for suppression in ("none", "structured"):
        err = score("--suppression", suppression)[2]
        assert "3 of 3 edge maps are strong in most of their pixels" in err
        assert "if the maps are inverted" in err
        assert "not thin" not in err
    for seed, id in enumerate(IDS[:2]):
        png(tmp_path / f"maps/{id}.png", outline(seed))
    assert "1 of 3 edge maps are strong" in score()[2]


def test_maps_that_a_run_saved_need_no_survey(root, tmp_path, capsys, caplog):
    """They are of 16 bits and full scale; each is read as it was saved."""
    words = ["--task", "edges", "--dataset", f"bsds500:root={root},split=val", "--workers", "0",
             "--resamples", "10", "--json", "--output", str(tmp_path)]  # fmt: skip
    assert main(["run", "--model", "sobel", "--predictions=all", *words]) == 0
    first = json.loads(capsys.readouterr().out)
    [folder] = tmp_path.rglob("*.predictions")
    with caplog.at_level(logging.WARNING):
        assert main(["score", "--predictions", str(folder), *words]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"] == first["metrics"]
    assert not caplog.records


def test_a_map_by_itself_is_read_as_its_type_says(tmp_path):
    task = load("task", "edges")
    png(tmp_path / "a.png", outline(0))
    assert task.load(tmp_path / "a").max() == 1
    np.save(tmp_path / "b.npy", outline(0).astype(np.int64))
    with pytest.raises(UserError, match="holds int64; give --scale"):
        task.load(tmp_path / "b")
