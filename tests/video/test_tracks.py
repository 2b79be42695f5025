"""Tracks say what is wrong with them; clips read frames one by one and refuse odd ones."""

import numpy as np
import pytest
from PIL import Image

from sambench.errors import UserError
from sambench.masks.rle import encode
from sambench.video import FileClip, Tracks
from sambench.video.tracks import values_in

SIZE = (4, 6)


def rle(*pixels, size=SIZE):
    mask = np.zeros((1, *size), bool)
    for row, column in pixels:
        mask[0, row, column] = True
    return encode(mask)[0]


SEEN, GONE = rle((1, 2), (1, 3)), rle()


def tracks(masks, frames=("a", "b", "c"), **more):
    return Tracks(frames, SIZE, masks, **more)


def problems(truth, size=SIZE):
    return [finding.problem for finding in truth.problems(size)]


def test_absent_and_not_annotated_are_told_apart():
    truth = tracks({3: (None, GONE, SEEN), 1: (SEEN, None, GONE)})
    assert problems(truth) == problems(truth, None) == []
    assert len(truth) == 2
    assert truth.ids == (3, 1)
    assert truth.annotated(3) == (1, 2)
    assert truth.annotated(1) == (0, 2)
    assert truth.first(3) == 2
    assert truth.first(1) == 0
    assert truth.mask(3, 0) is None
    assert truth.mask(3, 1).sum() == 0
    assert np.argwhere(truth.mask(3, 2)).tolist() == [[1, 2], [1, 3]]
    assert truth.objects().ids == (1,)
    assert truth.objects().boxes.tolist() == [[2, 1, 4, 2]]
    assert truth.instances(2).ids == (3,)
    assert truth.layer().masks == (SEEN,)
    assert [(f.minor, f.problem) for f in truth.doubts()] == [
        (True, "object 3 is annotated in no frame after c")
    ]


def test_void_is_what_no_object_is_known_of():
    truth = tracks({1: (SEEN, SEEN, SEEN)}, void=(rle((0, 0)), None, None))
    assert problems(truth) == []
    assert truth.instances(0).ignore.sum() == 1
    assert truth.instances(1).ignore is None
    assert problems(tracks({1: (SEEN,) * 3}, void=(None,))) == [
        "void has 1 masks, the clip 3 frames"
    ]


@pytest.mark.parametrize(
    ("truth", "words"),
    [
        (tracks({}), "no objects"),
        (tracks({1: ()}, frames=()), "no frames"),
        (tracks({1: (SEEN, SEEN)}), "object 1 has 2 masks, the clip 3 frames"),
        (tracks({-1: (SEEN,) * 3}), "id -1, not a whole number from 0"),
        (tracks({True: (SEEN,) * 3}), "id True"),
        (tracks({1: (SEEN,) * 3}, frames=("a", "b", "a")), "frame 'a' is there twice"),
        (tracks({1: (SEEN, rle(size=(6, 4)), None)}), "object 1, frame b: mask of (6, 4)"),
        (tracks({7: (None, GONE, GONE)}), "object 7 is seen in no frame"),
        (tracks({7: (None, None, None)}), "object 7 is seen in no frame"),
        (
            tracks({1: (SEEN, {"size": list(SIZE), "counts": b"1"}, None)}),
            "object 1, frame b: its run lengths do not cover",
        ),
    ],
)
def test_what_is_wrong_is_said(truth, words):
    found = problems(truth)
    assert len(found) == 1
    assert words in found[0]


def test_tracks_of_another_size_than_the_clip_are_wrong():
    assert "the image has size (5, 5), its tracks (4, 6)" in problems(
        tracks({1: (SEEN,) * 3}), (5, 5)
    )


def save(path, size=SIZE, level=0):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.full((*size, 3), level, np.uint8)).save(path)
    return path


def test_frames_are_read_when_asked_for(tmp_path):
    paths = [save(tmp_path / f"{i:05}.png", level=10 * i) for i in range(3)]
    clip = FileClip(paths)
    assert clip.names == ("00000", "00001", "00002")
    assert clip.size == SIZE
    assert len(clip) == 3
    assert clip.frame(2).shape == (4, 6, 3)
    assert [frame[0, 0, 0] for frame in clip] == [0, 10, 20]
    before = clip.stamp()
    save(paths[1], level=99)
    assert clip.frame(1)[0, 0, 0] == 99
    assert clip.stamp() != before
    paths[1].unlink()
    assert clip.stamp() is None
    with pytest.raises(UserError, match="does not exist"):
        clip.frame(1)
    for index in (-1, 3):
        with pytest.raises(IndexError):
            clip.frame(index)


def test_frames_of_other_sizes_or_of_one_name_are_refused(tmp_path):
    clip = FileClip([save(tmp_path / "0.png"), save(tmp_path / "1.png", size=(4, 5))])
    with pytest.raises(UserError, match=r"1\.png has size \(4, 5\).* 0\.png, has \(4, 6\)"):
        clip.frame(1)
    with pytest.raises(UserError, match="same name"):
        FileClip([save(tmp_path / "0.png"), save(tmp_path / "x" / "0.png")])
    with pytest.raises(UserError, match="no frames"):
        FileClip([])


@pytest.mark.parametrize("labels", [[[7]], [[0, 255], [3, 0]], [[-2, 5]], [[0, 2**40, 9]]])
def test_values_of_a_label_image_are_those_that_sorting_finds(labels):
    labels = np.array(labels)
    assert values_in(labels).tolist() == np.unique(labels).tolist()
