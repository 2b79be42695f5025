"""Clips whose frames are not those of their masks, and what a result says of what is left out."""

import pytest

import sambench
from sambench.engine.clips import check_frames
from sambench.errors import UserError
from sambench.registry import load
from sambench.video.tracks import Tracks
from tests.parts.clips import PATHS, SIZE, Clips, Drawn, tracks


class Shifted(Clips):
    """One clip's masks are of frames with other names."""

    def read_truth(self, id, kind):
        truth = super().read_truth(id, kind)
        if id != "two":
            return truth
        later = (*truth.frames[1:], "00005")
        return Tracks(later, SIZE, truth.masks)


def test_masks_of_other_frames_fail_their_clip_alone(tmp_path):
    result = sambench.evaluate(
        "video_object", model=load("model", "still"), dataset=Shifted(), output=tmp_path,
        resamples=0, progress=False,
    )  # fmt: skip
    assert result.images == 2
    assert result.failed == {
        "two": "its clip has 5 frames and its masks are of 5, 00000 being of one of both alone; "
        "fetch both again: they are not of the same video."
    }


def test_fewer_frames_and_another_order_are_refused_too():
    clip, truth = Drawn(PATHS["one"]), tracks(PATHS["one"])
    check_frames(clip, truth)
    short = Tracks(truth.frames[:-1], SIZE, {1: truth.masks[1][:-1]})
    with pytest.raises(UserError, match="has 6 frames and its masks are of 5, 00005 being"):
        check_frames(clip, short)
    with pytest.raises(UserError, match="in another order"):
        check_frames(clip, Tracks(truth.frames[::-1], SIZE, truth.masks))
