"""Baselines that follow objects: what they carry from frame to frame, in both directions."""

import numpy as np
import pytest
import torch

from sambench.errors import UserError
from sambench.model import _following
from sambench.registry import load
from sambench.video.interfaces import BOXES, MASKS, POINTS, FramePrompt, exclusive
from tests.parts.clips import PATHS, Drawn, square
from tests.parts.greys import Greys


@pytest.fixture
def greys(monkeypatch):
    model = Greys()
    monkeypatch.setattr(_following, "_loaded", lambda name, device: model)
    return model


def follow(model, clip, start=0, *, told, reverse=False):
    state = model.start(clip)
    for frame, id, prompt in told:
        model.add(state, frame, id, prompt)
    found = model.propagate(state, start, reverse=reverse)
    return {frame: {id: a > 0 for id, a in answers.items()} for frame, answers in found}


def mask(path, frame):
    return FramePrompt(mask=square(path[frame]))


def test_still_leaves_the_mask_where_it_is():
    path = PATHS["one"][1]
    found = follow(load("model", "still"), Drawn(PATHS["one"]), told=[(0, 1, mask(path, 0))])
    assert list(found) == [0, 1, 2, 3, 4, 5]
    assert all((own[1] == square(path[0])).all() for own in found.values())


def test_an_object_is_answered_from_the_frame_on_which_it_was_told_of_in_either_direction():
    paths = PATHS["two"]
    told = [(0, 1, mask(paths[1], 0)), (2, 2, mask(paths[2], 2))]
    found = follow(load("model", "still"), Drawn(paths), told=told)
    assert [sorted(own) for own in found.values()] == [[1], [1], [1, 2], [1, 2], [1, 2]]
    back = follow(load("model", "still"), Drawn(paths), 3, told=told[1:], reverse=True)
    assert {frame: sorted(own) for frame, own in back.items()} == {3: [], 2: [2], 1: [2], 0: [2]}


def test_propagation_prompts_each_frame_with_what_the_last_mask_is(greys):
    path = PATHS["one"][1]
    told = [(0, 1, mask(path, 0))]
    found = follow(
        load("model", "propagate:logits=true,point=false"), Drawn(PATHS["one"]), told=told
    )
    assert all((found[t][1] == square(path[t])).all() for t in range(6))
    first, *later = greys.asked
    assert first[1]  # of the mask that was given: the best of several is its logits
    assert [prompts.boxes.tolist() for prompts, _ in later] == [
        [[x, y, x + side, y + side]] for x, y, side in path[:-1]
    ]
    assert all(prompts.kinds() == {"boxes", "masks"} and not several for prompts, several in later)
    greys.asked.clear()
    follow(load("model", "propagate"), Drawn(PATHS["one"]), told=told)
    assert {prompts.kinds() for prompts, _ in greys.asked} == {frozenset({"boxes", "points"})}
    assert [prompts.points.tolist() for prompts, _ in greys.asked] == [
        [[[x + side // 2 - 1, y + side // 2 - 1]]] for x, y, side in path[:-1]
    ]


def test_propagation_loses_what_leaves_and_asks_no_more(greys):
    path = PATHS["gone"][3]
    found = follow(load("model", "propagate"), Drawn(PATHS["gone"]), told=[(0, 3, mask(path, 0))])
    assert [int(own[3].sum()) for own in found.values()] == [64, 64, 0, 0, 0, 0, 0]
    assert len(greys.asked) == 2


def test_flow_moves_the_mask_with_the_picture():
    pytest.importorskip("cv2", reason="the extra sambench[opencv] is not installed")
    from scipy.ndimage import gaussian_filter

    size, step = (96, 128), 2
    noise = np.random.default_rng(0).uniform(0, 255, (size[0], size[1] + 40))
    scene = gaussian_filter(noise, 2)
    scene = ((scene - scene.min()) / np.ptp(scene) * 255).astype(np.uint8)

    class Panned(Drawn):
        def __init__(self):
            self.names, self.size = ("0", "1", "2", "3", "4"), size

        def frame(self, index):
            return np.repeat(scene[:, step * index :][:, : size[1], None], 3, axis=2)

    begun = np.zeros(size, dtype=bool)
    begun[30:60, 50:90] = True
    for method in ("dis", "farneback"):
        model = load("model", f"flow:method={method}")
        found = follow(model, Panned(), told=[(0, 1, FramePrompt(mask=begun))])
        moved = np.roll(begun, -step * 4, axis=1)
        common, union = (found[4][1] & moved).sum(), (found[4][1] | moved).sum()
        assert common / union > 0.9


def test_clicks_are_answered_by_the_image_model_and_correct_what_is_there(greys):
    model = load("model", "propagate")
    assert model.prompts == {MASKS, BOXES, POINTS}
    path = PATHS["one"][1]
    state = model.start(Drawn(PATHS["one"]))
    one = FramePrompt(np.array([[5.0, 6.0]]), np.array([1]))
    seen = model.add(state, 0, 1, one)
    assert (seen > 0).tolist() == square(path[0]).tolist()
    two = FramePrompt(np.array([[5.0, 6.0], [0.0, 0.0]]), np.array([1, 0]))
    model.add(state, 0, 1, two)
    assert [multimask for _, multimask in greys.asked] == [True, False]
    assert greys.asked[0][0].masks is None
    assert greys.asked[1][0].masks is not None
    list(model.propagate(state, 0))
    greys.asked.clear()
    model.add(state, 3, 1, FramePrompt(np.array([[0.0, 0.0]]), np.array([0])))
    [before, corrected] = greys.asked  # the mask of that frame is asked for again by its box
    assert before[0].boxes.tolist() == [[8, 4, 16, 12]]
    assert corrected[0].masks is not None
    [[(x, y), clicked]], [labels] = corrected[0].points.tolist(), corrected[0].labels.tolist()
    assert (10 < x < 13, 6 < y < 9) == (True, True), "what is known of the object stays told"
    assert (clicked, labels) == ([0, 0], [1, 0])


def test_a_pass_that_is_stopped_goes_on_with_what_is_known_of_the_others(greys):
    paths, model = PATHS["two"], load("model", "propagate")
    clip = Drawn(paths)
    state = model.start(clip)
    model.add(state, 0, 1, mask(paths[1], 0))
    for frame, _ in model.propagate(state, 0):
        if frame == 2:
            break
    model.add(state, 2, 2, mask(paths[2], 2))
    found = {t: {id: a > 0 for id, a in own.items()} for t, own in model.propagate(state, 2)}
    assert list(found) == [2, 3, 4]
    for t, own in found.items():
        assert {id: m.tolist() for id, m in own.items()} == {
            id: square(paths[id][t]).tolist() for id in (1, 2)
        }


@pytest.mark.parametrize("packs", [True, False])
@pytest.mark.parametrize(("remember", "later"), [(128, []), (2, [3, 4, 5]), (0, [1, 2, 3, 4, 5])])
def test_frames_of_all_passes_are_embedded_once_as_far_as_there_is_room(
    greys, packs, remember, later
):
    """Those of the first frames are kept; the answers are those of a model that keeps none."""
    if packs:
        greys.pack = lambda grey: {"grey": torch.from_numpy(grey)}
        greys.unpack = lambda packed: packed["grey"].numpy()
    path = PATHS["one"][1]
    clip, model = Drawn(PATHS["one"]), load("model", f"propagate:remember={remember}")
    state = model.start(clip)
    model.add(state, 0, 1, mask(path, 0))
    passes = []
    for _ in range(3):
        passes.append({t: a[1].tolist() for t, a in model.propagate(state, 0)})
    assert passes[0] == passes[1] == passes[2]
    assert all((np.array(passes[0][t]) > 0).tolist() == square(path[t]).tolist() for t in range(6))
    # Nobody asks about the first, whose mask is given; the last is at hand until another is asked.
    assert clip.read == [1, 2, 3, 4, 5, *later, *later]
    assert len(state.embeddings.kept) == min(remember, 5)
    model.forget(state)
    assert [own for _, own in model.propagate(state, 0)] == [{}] * 6


def test_prompts_that_nobody_answers_are_refused():
    model = load("model", "still")
    state = model.start(Drawn(PATHS["one"]))
    with pytest.raises(UserError, match="takes clip masks, not clip boxes"):
        model.add(state, 0, 1, FramePrompt(box=np.array([0, 0, 4, 4])))
    with pytest.raises(UserError, match="takes no boxes"):
        load("model", "propagate:model=superpixel")
    with pytest.raises(UserError, match="follows objects itself"):
        load("model", "propagate:model=still")
    with pytest.raises(ValueError, match="a frame's prompt"):
        FramePrompt()


def test_a_pixel_is_of_the_object_of_the_highest_logit():
    values = {5: np.array([[1.0, 3.0, -1.0, 2.0]]), 2: np.array([[2.0, 1.0, -2.0, 2.0]])}
    found = exclusive(values)
    assert found[5].tolist() == [[False, True, False, True]]
    assert found[2].tolist() == [[True, False, False, False]]
    assert exclusive({}) == {}


def test_a_mask_that_was_given_is_above_logits():
    """An object told of later, by its mask, on a frame where another one is followed by logits."""
    followed, given = np.full((2, 3), 7.0, np.float32), np.zeros((2, 3), dtype=bool)
    given[0] = True
    for answers in ({1: followed, 2: given}, {2: given, 1: followed}):
        found = exclusive(answers)
        assert (found[2] == given).all()
        assert (found[1] == ~given).all()
    both = exclusive({1: given, 2: ~given | given})
    assert (both[1] == given).all()
    assert (both[2] == ~given).all()
