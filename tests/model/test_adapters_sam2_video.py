"""The adapter of the package sam2's video predictor beside the package's own loop, every frame."""

import importlib
import importlib.util

import numpy as np
import pytest
import torch
from PIL import Image

from sambench.errors import UserError
from sambench.model.sam2_video import OVERRIDES
from sambench.registry import load
from sambench.video.clips import FileClip
from sambench.video.interfaces import FramePrompt
from tests.parts.clips import PATHS, Drawn, check_tasks, square

for package in ("sam2", "hydra", "iopath"):
    if importlib.util.find_spec(package) is None:
        pytest.skip(
            f"the package {package} is not installed; .ci/adapters installs it",
            allow_module_level=True,
        )

pytestmark = pytest.mark.filterwarnings("ignore")  # the package's own
CONFIG = "configs/sam2.1/sam2.1_hiera_t.yaml"
SMALL = (
    "++model.image_size=256",
    "++model.image_encoder.trunk.embed_dim=16",
    "++model.image_encoder.trunk.stages=[1,1,2,1]",
    "++model.image_encoder.trunk.global_att_blocks=[3]",
    "++model.image_encoder.neck.backbone_channel_list=[128,64,32,16]",
    "++model.memory_attention.num_layers=1",
    "++model.num_maskmem=3",
)
POINTS, LABELS = np.array([[5.0, 7.0], [20.0, 20.0]]), np.array([1, 0])
BOX = np.array([2.0, 4.0, 10.0, 12.0])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The package's predictor of a tiny network, and the adapter of the same weights."""
    build = importlib.import_module("sam2.build_sam")
    real = build.compose
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            build, "compose",
            lambda config_name, overrides: real(config_name, [*overrides, *SMALL]),
        )  # fmt: skip
        torch.manual_seed(0)
        own = build.build_sam2_video_predictor(
            CONFIG, device="cpu", hydra_overrides_extra=[*OVERRIDES], apply_postprocessing=False
        )
        for parameter in own.parameters():
            torch.nn.init.normal_(parameter, std=0.15)
        # With random weights no object is ever there, and every mask were the same.
        own.sam_mask_decoder.pred_obj_score_head.layers[-1].bias.data.fill_(30.0)
        path = tmp_path_factory.mktemp("checkpoints") / "tiny.pt"
        torch.save({"model": own.state_dict()}, path)
        return own, load("model", f"sam2_video:checkpoint={path},config={CONFIG}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A clip as the package reads it: JPEG files, of noise so that frames differ everywhere."""
    folder = tmp_path_factory.mktemp("clip")
    noise = np.random.default_rng(0).integers(0, 80, (24, 32, 3))
    for index, image in enumerate(Drawn(PATHS["one"])):
        Image.fromarray((image + noise).astype(np.uint8)).save(folder / f"{index:05d}.jpg")
    return folder


def clip_of(folder):
    return FileClip(sorted(folder.glob("*.jpg")))


def theirs(own, folder, *told, start=None, reverse=False):
    """By frame the logits of one object, by the package's own loop."""
    state = own.init_state(str(folder))
    for add, frame, given in told:
        getattr(own, add)(state, frame, 1, **given)
    found = own.propagate_in_video(state, start_frame_idx=start, reverse=reverse)
    return {frame: masks[0, 0].numpy() for frame, _, masks in found}


CASES = {
    "mask": ("add_new_mask", {"mask": square(PATHS["one"][1][0])}),
    "clicks": ("add_new_points_or_box", {"points": POINTS, "labels": LABELS}),
    "box": ("add_new_points_or_box", {"box": BOX}),
    "box and click": (
        "add_new_points_or_box", {"points": POINTS[:1], "labels": LABELS[:1], "box": BOX}
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_every_frame_is_what_the_package_gives(made, folder, case):
    own, model = made
    add, given = CASES[case]
    expected = theirs(own, folder, (add, 0, given))
    state = model.start(clip_of(folder))
    seen = model.add(state, 0, 1, FramePrompt(**given))
    found = dict(model.propagate(state, 0))
    assert list(found) == list(expected) == [0, 1, 2, 3, 4, 5]
    for frame, logits in expected.items():
        np.testing.assert_array_equal(found[frame][1], logits)
        assert logits.std() > 0
    assert len({logits.tobytes() for logits in expected.values()}) == 6
    np.testing.assert_array_equal(seen, found[0][1])


def test_it_follows_back_in_time_as_the_package_does(made, folder):
    own, model = made
    add, given = CASES["mask"]
    expected = theirs(own, folder, (add, 4, given), start=4, reverse=True)
    state = model.start(clip_of(folder))
    model.add(state, 4, 1, FramePrompt(**given))
    found = dict(model.propagate(state, 4, reverse=True))
    assert list(found) == list(expected) == [4, 3, 2, 1, 0]
    for frame, logits in expected.items():
        np.testing.assert_array_equal(found[frame][1], logits)


def test_a_corrected_frame_is_what_the_package_gives_and_keeps_its_clicks(made, folder):
    own, model = made
    (add, given), (click, clicks) = CASES["mask"], CASES["clicks"]
    state = own.init_state(str(folder))
    getattr(own, add)(state, 0, 1, **given)
    before = {f: masks[0, 0].numpy() for f, _, masks in own.propagate_in_video(state)}
    _, _, corrected = getattr(own, click)(state, 3, 1, **clicks)
    after = {f: masks[0, 0].numpy() for f, _, masks in own.propagate_in_video(state)}

    mine = model.start(clip_of(folder))
    model.add(mine, 0, 1, FramePrompt(**given))
    first = dict(model.propagate(mine, 0))
    seen = model.add(mine, 3, 1, FramePrompt(**clicks))
    second = dict(model.propagate(mine, 0))
    np.testing.assert_array_equal(seen, corrected[0, 0])
    np.testing.assert_array_equal(second[3][1], seen)
    for frame in range(6):
        np.testing.assert_array_equal(first[frame][1], before[frame])
        np.testing.assert_array_equal(second[frame][1], after[frame])
    assert (after[4] != before[4]).any()
    model.forget(mine)
    model.add(mine, 0, 1, FramePrompt(**given))
    again = dict(model.propagate(mine, 0))
    np.testing.assert_array_equal(again[5][1], before[5])


def test_objects_are_followed_each_by_itself_from_where_they_are_told_of(made, folder):
    _, model = made
    told = [
        (0, 1, FramePrompt(mask=square(PATHS["one"][1][0]))),
        (2, 2, FramePrompt(box=np.array([18.0, 10.0, 27.0, 19.0]))),
    ]

    def follow(some):
        clip = clip_of(folder)
        state = model.start(clip)
        for frame, id, prompt in some:
            model.add(state, frame, id, prompt)
        return dict(model.propagate(state, 0))

    both = follow(told)
    assert [sorted(own) for own in both.values()] == [[1], [1], *[[1, 2]] * 4]
    for one in told:
        for frame, own in follow([one]).items():
            for id, logits in own.items():
                np.testing.assert_array_equal(logits, both[frame][id])


def test_frames_are_read_when_they_are_needed_and_encoded_once_for_all_objects(made):
    _, model = made
    clip = Drawn(PATHS["two"])
    state = model.start(clip)
    assert clip.read == []
    for id in (1, 2):
        model.add(state, 2, id, FramePrompt(mask=square(PATHS["two"][id][2])))
    assert clip.read == [2]
    list(model.propagate(state, 2))
    assert clip.read == [2, 3, 4]


def test_both_tasks_run_with_it(made):
    _, model = made
    specs = (
        "video_object", "video_object:prompt=3-click", "video_interactive:frames=2",
        "video_interactive:frames=2,protocol=online",
    )  # fmt: skip
    check_tasks(model, specs)


def test_bfloat16_is_what_the_package_gives_under_autocast(made, folder):
    own, model = made
    add, given = CASES["mask"]
    with torch.autocast("cpu", torch.bfloat16):
        expected = theirs(own, folder, (add, 0, given))
    state = model.start(clip_of(folder))
    model.precision = "bfloat16"
    try:
        model.add(state, 0, 1, FramePrompt(**given))
        found = dict(model.propagate(state, 0))
    finally:
        model.precision = "float32"
    for frame, logits in expected.items():
        np.testing.assert_array_equal(found[frame][1], logits)


def test_what_cannot_be_loaded_is_told_in_one_sentence(tmp_path):
    torch.save({"model": {"a": torch.zeros(1)}}, tmp_path / "none.pt")
    for config, words in (
        ("configs/none.yaml", "is not a SAM 2"), (CONFIG, "does not fit this architecture"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=words):
            load("model", "sam2_video", checkpoint=tmp_path / "none.pt", config=config)
    with pytest.raises(UserError, match="does not exist"):
        load("model", "sam2_video", checkpoint=tmp_path / "nowhere.pt")
