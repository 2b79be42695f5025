"""Predictions of clips whose files are not what they seem: refused by name, or told of."""

import shutil
from functools import partial

import numpy as np
import pytest
from PIL import Image

from sambench.cli import main
from sambench.engine.clips import check_files
from sambench.errors import UserError
from sambench.masks.rle import encode
from sambench.tasks._tracking import write_apart, write_tracks
from sambench.video.tracks import Tracks
from tests.clip_runs import CLIPS, record_files
from tests.parts.clips import PATHS, SIZE, tracks

TWO = tracks(PATHS["two"])


def png(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(values, np.uint8)).save(path)


def rename(folder, by):
    for path in sorted(folder.glob("*.png"), reverse=by > 0):
        path.rename(path.with_name(f"{int(path.stem) + by:05d}.png"))


def spoil_with_a_twin(folder):
    shutil.copytree(folder / "001", folder / "1")


def spoil_with_a_label_map(folder):
    values = np.zeros(SIZE)
    values[:4], values[4:8] = 1, 2
    png(folder / "002/00003.png", values)


@pytest.mark.parametrize(
    ("write", "spoil", "words"),
    [
        (
            write_tracks, partial(rename, by=1),
            r"00005\.png is of no frame of its clip, and frame 00000 has no file",
        ),
        (
            write_apart, lambda folder: rename(folder / "002", 1),
            r"002.00005\.png is of no frame of its clip, and frame 00000 has no file",
        ),
        (
            write_apart, lambda folder: shutil.rmtree(folder / "002"),
            r"clip has folders of objects and none of object 2; give each object one",
        ),
        (write_apart, spoil_with_a_twin, r"001 and \S*1 are of the same object; keep one"),
        (
            write_apart, lambda folder: png(folder / "00000.png", np.zeros(SIZE)),
            "has PNG files beside the folder 001; give a file a frame, or a folder an object",
        ),
        (write_apart, spoil_with_a_label_map, r"002.00003\.png has 2 values beside 0"),
        (
            write_tracks, lambda folder: shutil.copytree(folder, folder / "0001"),
            "has PNG files beside the folder 0001",
        ),
    ],
)  # fmt: skip
def test_files_that_would_be_read_as_something_else_are_refused(tmp_path, write, spoil, words):
    write(TWO, tmp_path / "clip")
    assert check_files(tmp_path / "clip", TWO) == []
    spoil(tmp_path / "clip")
    with pytest.raises(UserError, match=words):
        check_files(tmp_path / "clip", TWO)


def test_files_of_more_or_fewer_frames_pass(tmp_path):
    """Every frame of a clip of which every fifth is annotated; or all but those nobody scores."""
    sparse = Tracks(TWO.frames[::2], SIZE, {id: own[::2] for id, own in TWO.masks.items()})
    write_tracks(TWO, tmp_path / "dense")
    assert check_files(tmp_path / "dense", sparse) == []
    (tmp_path / "dense/00000.png").unlink()
    (tmp_path / "dense/00004.png").unlink()
    assert check_files(tmp_path / "dense", TWO) == []
    (tmp_path / "empty").mkdir()
    for name in ("none", "empty"):
        assert check_files(tmp_path / name, TWO) == []  # `Task.load` says so


def test_a_single_object_may_have_any_number_or_value(tmp_path):
    one = tracks(PATHS["one"])
    write_apart(Tracks(one.frames, SIZE, {7: one.masks[1]}), tmp_path / "apart")
    write_tracks(Tracks(one.frames, SIZE, {255: one.masks[1]}), tmp_path / "maps")
    assert check_files(tmp_path / "apart", one) == check_files(tmp_path / "maps", one) == []
    nothing = tuple(encode(np.zeros((len(one.frames), *SIZE), bool)))
    for write in (write_apart, write_tracks):
        write(Tracks(one.frames, SIZE, {7: nothing}), tmp_path / write.__name__)
        assert check_files(tmp_path / write.__name__, one) == [1]


def test_objects_in_no_file_are_told_of_and_one_bad_clip_costs_no_other(tmp_path, capsys):
    """Masks of 0 and 1 of all objects alike: of the second there is nothing."""
    folder = tmp_path / "masks"
    for name, paths in PATHS.items():
        write_tracks(tracks(paths), folder / name)
    for path in (folder / "two").iterdir():
        png(path, np.asarray(Image.open(path)) > 0)
    rename(folder / "gone", 1)
    words = ["score", "--task=video_object", f"--dataset={CLIPS}", "--resamples=0", "--workers=0"]
    assert main([*words, f"--predictions={folder}", f"--output={tmp_path / 'out'}"]) == 1
    out, err = capsys.readouterr()
    assert "objects that are in no predicted file: 1, first object 2 of clip two" in err
    assert "gone: " in out
    assert "00007.png is of no frame of its clip" in out
    assert record_files(tmp_path / "out")[0].read_bytes().count(b'"record"') == 2
