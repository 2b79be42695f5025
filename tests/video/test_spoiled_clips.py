"""Clips whose frames are not those of their masks, and what a result says of what is left out."""

import pytest

import sambench
from sambench.engine.clips import check_frames
from sambench.errors import UserError
from sambench.registry import load
from sambench.store.clips import left_out
from sambench.video.gaps import gaps
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


class Numbered(Clips):
    """One clip's object has the number 0, which in a label map is the background."""

    def read_truth(self, id, kind):
        truth = super().read_truth(id, kind)
        return Tracks(truth.frames, SIZE, {0: truth.masks[3]}) if id == "gone" else truth


def test_a_number_that_no_label_map_holds_is_told_with_the_remedy(tmp_path):
    given = {"model": "still", "dataset": Numbered(), "resamples": 0, "progress": False}
    result = sambench.evaluate("video_object", output=tmp_path, predictions="all", **given)
    assert result.failed == {
        "gone": "object 0 of gone cannot be saved in a label map, whose ids go from 1 to 255; give "
        "--exclusive false, by which each object has files of its own, or --predictions none."
    }
    apart = sambench.evaluate(
        "video_object:exclusive=false", output=tmp_path, predictions="all", **given
    )
    assert apart.failed == {}


def test_fewer_frames_and_another_order_are_refused_too():
    clip, truth = Drawn(PATHS["one"]), tracks(PATHS["one"])
    check_frames(clip, truth)
    short = Tracks(truth.frames[:-1], SIZE, {1: truth.masks[1][:-1]})
    with pytest.raises(UserError, match="has 6 frames and its masks are of 5, 00005 being"):
        check_frames(clip, short)
    with pytest.raises(UserError, match="in another order"):
        check_frames(clip, Tracks(truth.frames[::-1], SIZE, truth.masks))


class Short(Clips):
    """One clip has two frames, of which none counts; of another nobody annotated a frame."""

    def clip(self, id):
        return Drawn({k: own[:2] for k, own in PATHS[id].items()} if id == "two" else PATHS[id])

    def read_truth(self, id, kind):
        truth = super().read_truth(id, kind)
        if id == "two":
            return Tracks(truth.frames[:2], SIZE, {1: truth.masks[1][:2]})
        if id == "gone":
            own = truth.masks[3]
            return Tracks(truth.frames, SIZE, {3: (*own[:3], None, *own[4:])})
        return truth


def test_a_result_says_what_counts_in_no_number(tmp_path):
    for task in ("video_object", "video_interactive"):
        result = sambench.evaluate(
            task, model="still:model=superpixel", dataset=Short(), output=tmp_path, resamples=0,
            progress=False,
        )  # fmt: skip
        assert result.note.endswith(
            "1 object of 1 clip, first two, annotated in fewer than 3 frames, count in no metric. "
            "In 1 clip, first gone, frames between those that count have no mask; they count in no "
            "metric."
        )


def test_nothing_is_said_where_all_counts_or_nothing_does():
    def line(id, *own):
        return {"id": id, "record": {"objects": {str(n): {"j": j} for n, j in enumerate(own)}}}

    assert left_out([line("a", [None, 1.0, 0.5, None]), line("b", [None, 1.0, None])]) == ""
    assert left_out([line("a", [None, None]), line("b", [None])]) == ""


@pytest.mark.parametrize(
    ("numbers", "lacking"),
    [
        ([], []),
        ([7], []),
        ([1, 2, 3, 5, 6], [4]),
        ([0, 5, 10, 25, 30], [15, 20]),
        ([3, 4, 7, 8, 9, 11], [5, 6, 10]),
        ([0, 2, 3], []),  # either step may be meant
        ([0, 1, 9, 10, 11], []),  # most would be lacking
        ([0, 4, 8, 10], []),  # 2 is no multiple of 4
        ([0, 10, 40], []),
    ],
)
def test_gaps_are_of_rows_that_are_regular_but_for_them(numbers, lacking):
    assert gaps(numbers) == lacking
