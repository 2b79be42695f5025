"""What the checks of datasets find in clips."""

import numpy as np
import pytest
from PIL import Image

from sambench.checks.dataset import check_dataset
from sambench.cli import main
from sambench.registry import load
from sambench.report.contact_sheet import CELL, contact_sheet
from sambench.video import Tracks

SIZE = (12, 16)


def frame(path, level, size=SIZE):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), level, np.uint8)).save(path)


def mask(path, *ids):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.zeros(SIZE, np.uint8)
    for id in ids:
        values[2 * id : 2 * id + 2] = id
    Image.fromarray(values).save(path)


@pytest.fixture
def spec(tmp_path):
    for i in range(6):
        frame(tmp_path / f"images/a/{i}.png", 10 + i)
        frame(tmp_path / f"images/b/{i}.png", 40 + i)
    for clip in "ab":
        mask(tmp_path / f"masks/{clip}/0.png", 1)
        mask(tmp_path / f"masks/{clip}/2.png", 1, 3)
        mask(tmp_path / f"masks/{clip}/4.png", 3)
    return f"frames:images={tmp_path}/images,masks={tmp_path}/masks"


def test_sound_clips_are_counted_and_drawn(spec, tmp_path, capsys):
    report = check_dataset(load("dataset", spec))
    assert report.findings == ()
    assert report.facts == {"clips": 2, "frames": 12, "objects": 4}
    assert report.checks == ("card", "ids", "fingerprint", "frames", "duplicates", "tracks")
    assert main(["data", "check", spec, "--sheet", str(tmp_path / "sheet.png")]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[:3] == [
        "clips: 2",
        "frames: 12 (6 annotated)",
        "objects: 4 (2 of them come after the first annotated frame)",
    ]
    assert "frames: 2 clips, 0 problems" in err
    assert main(["check", "dataset", spec]) == 0


def test_a_sheet_has_frames_from_the_first_annotated_to_the_last(spec):
    sheet = contact_sheet(load("dataset", spec), ["a", "b"])
    assert sheet.shape[1] > 4 * CELL  # three annotated frames of each
    assert sheet.shape[0] < 3 * CELL


def test_every_frame_is_looked_at(spec, tmp_path):
    frame(tmp_path / "images/b/5.png", 3, (12, 15))
    found = check_dataset(load("dataset", spec)).findings
    assert [finding.problem for finding in found if "5.png has size (12, 15)" in finding.problem]
    (tmp_path / "images/b/5.png").write_bytes(b"")
    found = check_dataset(load("dataset", spec)).findings
    assert [finding.problem for finding in found if "5.png is empty" in finding.problem]


def test_clips_of_the_same_pixels_are_told(spec, tmp_path):
    for i in range(6):
        frame(tmp_path / f"images/b/{i}.png", 10 + i)
    [finding] = check_dataset(load("dataset", spec)).findings
    assert (finding.problem, finding.minor) == ("b: the same pixels as a", True)


def test_an_object_of_which_nothing_can_be_scored_is_told(spec, tmp_path):
    mask(tmp_path / "masks/a/4.png", 3, 5)
    [finding] = check_dataset(load("dataset", spec)).findings
    assert finding.problem == "a: object 5 is annotated in no frame after 4"


def test_what_is_lacking_between_others_is_told(spec, tmp_path, capsys):
    """Of DAVIS every frame has a mask and numbers go by one; of one's own both may be meant."""
    root = tmp_path / "davis"
    for i in range(8):
        frame(root / f"JPEGImages/480p/a/{i:05}.png", 10 + i)
        mask(root / f"Annotations/480p/a/{i:05}.png", 1)
    davis = f"davis2017:root={root},split=all"
    assert main(["data", "check", davis]) == 0
    (root / "Annotations/480p/a/00003.png").unlink()
    assert main(["data", "check", davis]) == 1
    words = "a: 1 of its frames, first 00003, have no mask, which those before and after have"
    assert words in capsys.readouterr().out
    (root / "JPEGImages/480p/a/00003.png").unlink()
    assert main(["data", "check", davis]) == 1
    assert "a: the numbers of its frames leave out 1, first 3" in capsys.readouterr().out
    (tmp_path / "images/a/3.png").unlink()
    [finding] = check_dataset(load("dataset", spec)).findings
    assert finding.minor
    for clip in "ab":
        frame(tmp_path / f"images/{clip}/005.png", 3)
    found = [f for f in check_dataset(load("dataset", spec)).findings if not f.minor]
    assert [f.problem[3:] for f in found] == ["1 of its frames are there twice, first number 5"] * 2


def test_tracks_of_other_frames_than_the_clip_are_wrong(spec, monkeypatch):
    dataset = load("dataset", spec)
    read = dataset.read_truth

    def shifted(id, kind):
        truth = read(id, kind)
        return Tracks(tuple("123456"), truth.size, truth.masks)

    monkeypatch.setattr(dataset, "read_truth", shifted)
    found = check_dataset(dataset).findings
    assert {finding.problem[3:] for finding in found} == {
        "its tracks are of other frames than its clip"
    }
