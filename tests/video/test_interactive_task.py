"""Clicking through a clip: offline on the worst frame, online where the mask is too bad."""

import json
from dataclasses import replace

import numpy as np
import pytest

from sambench.errors import UserError
from sambench.interfaces import Sample
from sambench.masks.rle import decode
from sambench.model import _following
from sambench.registry import load
from tests.parts.clips import PATHS, Drawn, square, tracks
from tests.parts.greys import Greys


@pytest.fixture(autouse=True)
def greys(monkeypatch):
    model = Greys()
    monkeypatch.setattr(_following, "_loaded", lambda name, device: model)
    return model


def predict(spec, paths, model="still:model=greys"):
    """A mask that stays is worse with every frame, and right where it was clicked on."""
    task, follower = load("task", spec), load("model", model)
    sample = Sample("clip", Drawn(paths), tracks(paths))
    [state] = follower.embed([sample.image])
    return task, task.predict(follower, state, sample), sample.truth


def right(found, round_number, id, path):
    masks = [decode([rle])[0] for rle in found.masks[round_number][id]]
    return [t for t, mask in enumerate(masks) if (mask == square(path[t])).all()]


def test_offline_clicks_go_to_the_worst_frame_of_the_pass_before():
    path = PATHS["one"][1]
    task, found, truth = predict("video_interactive:frames=3", PATHS["one"])
    # Squares of side 8 that move by 2: the first mask has nothing in common with frames 4 and 5,
    # of which the first is taken; what is then worst is 3, which it shares 2 of 8 columns with.
    assert found.prompted == {1: [0, 4, 3]}
    assert [right(found, n, 1, path) for n in range(3)] == [[0], [0, 4], [0, 3, 4]]
    record = json.loads(json.dumps(task.score(found, truth)))
    assert len(record["rounds"]["1"]) == 3
    assert record["rounds"]["1"] == sorted(record["rounds"]["1"])
    measured = task.estimator([record])(np.ones(1))
    assert measured["J&F@1"] == record["rounds"]["1"][0]
    assert measured["J&F@3"] == record["rounds"]["1"][2]
    assert measured["J&F"] == pytest.approx(np.mean(record["rounds"]["1"]))
    assert "J&F@5" not in measured


def test_online_clicks_go_to_the_first_frames_that_are_too_bad_and_move_none_before():
    path = PATHS["one"][1]
    _, found, _ = predict("video_interactive:frames=3,protocol=online", PATHS["one"])
    assert found.prompted == {1: [0, 1, 2]}  # after one step the IoU is 48 / 80
    assert [right(found, n, 1, path) for n in range(3)] == [[0], [0, 1], [0, 1, 2]]
    _, found, _ = predict("video_interactive:frames=3,protocol=online,pause=0.5", PATHS["one"])
    assert found.prompted == {1: [0, 2, 4]}  # after two steps 32 / 96
    _, found, _ = predict("video_interactive:frames=3,protocol=online,pause=0", PATHS["one"])
    assert found.prompted == {1: [0]}
    assert found.masks[0] == found.masks[2]


@pytest.mark.parametrize("protocol", ["offline", "online"])
def test_objects_are_clicked_on_each_by_itself(protocol):
    spec = f"video_interactive:frames=4,protocol={protocol}"
    _, both, _ = predict(spec, PATHS["two"])
    for id in (1, 2):
        paths = {id: PATHS["two"][id]}
        _, alone, _ = predict(spec, paths)
        assert alone.prompted[id] == both.prompted[id]
        assert [own[id] for own in alone.masks] == [own[id] for own in both.masks]


def test_a_model_that_is_right_gets_no_more_clicks(greys):
    model = "propagate:model=greys"
    for protocol in ("offline", "online"):
        spec = f"video_interactive:protocol={protocol}"
        task, found, truth = predict(spec, PATHS["one"], model)
        assert found.prompted == {1: [0]}
        assert found.clicks == {1: 1}
        assert len(found.masks) == 8
        assert task.estimator([task.score(found, truth)])(np.ones(1))["J&F"] == 1


def test_a_frame_gets_so_many_clicks():
    _, found, _ = predict("video_interactive:frames=2,clicks=2", {1: [(2, 4, 8), (2, 4, 8)] * 2})
    assert found.clicks == {1: 1}
    _, found, _ = predict("video_interactive:frames=2,clicks=2", PATHS["one"])
    assert found.clicks[1] in (2, 3)  # the second may be needed after a negative one


def test_predictions_survive_their_file(tmp_path):
    task, found, truth = predict("video_interactive:frames=2", PATHS["two"])
    task.save(found, tmp_path / "a")
    assert task.score(task.load(tmp_path / "a"), truth) == task.score(found, truth)
    assert [*task.layers(found)] == ["Prediction", "After the last round"]
    names = [curve.name for curve in task.curves([task.score(found, truth)])]
    assert names == ["J&F-frames", "J-time", "F-time", "J&F of objects"]


def test_a_file_of_other_frames_or_rounds_is_refused():
    """Both would be scored in silence, or end the run of all clips."""
    task, found, truth = predict("video_interactive:frames=2", PATHS["two"])
    later = replace(found, frames=(*found.frames[1:], "00005"))
    with pytest.raises(UserError, match="2 rounds of 5 frames, and 2 of 5 are asked for, named as"):
        task.score(later, truth)
    with pytest.raises(UserError, match="has 1 rounds of 5 frames, and 2 of 5 are asked for"):
        task.score(replace(found, masks=found.masks[:1]), truth)
