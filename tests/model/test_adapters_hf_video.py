"""The adapter of transformers' video models: the real classes, random weights, every frame."""

import importlib.util

import numpy as np
import pytest
import torch

from sambench.errors import UserError
from sambench.registry import load
from sambench.video.interfaces import FramePrompt
from tests.parts.clips import PATHS, SIZE, Drawn, check_tasks, square

from .tiny_sam import SIDE, config, sam2_vision

transformers = pytest.importorskip("transformers", reason="transformers is not installed")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:transformers.*")
PROMPT = {"hidden_size": 128, "image_size": SIDE, "patch_size": 16, "mask_input_channels": 4}
DECODER = {
    "hidden_size": 128, "mlp_dim": 64, "num_attention_heads": 2, "iou_head_hidden_dim": 32
}  # fmt: skip
MEMORY = {
    "memory_attention_hidden_size": 128, "memory_attention_num_layers": 2,
    "memory_attention_rope_feat_sizes": [8, 8], "memory_encoder_hidden_size": 128,
    "mask_downsampler_embed_dim": 128,
    "image_size": SIDE, "memory_fuser_embed_dim": 128, "memory_fuser_intermediate_dim": 32,
    "num_maskmem": 3,
}  # fmt: skip


EDGE = {
    "perceiver_resampler_num_latents": 16, "perceiver_resampler_num_latents_2d": 16,
    "memory_attention_rope_k_sizes": [4, 4],
}  # fmt: skip


def sam2():
    net = transformers.Sam2VideoModel(config(
        "Sam2VideoConfig", vision_config=sam2_vision(128),
        prompt_encoder_config=config("Sam2VideoPromptEncoderConfig", **PROMPT),
        mask_decoder_config=config("Sam2VideoMaskDecoderConfig", **DECODER), **MEMORY,
    ))  # fmt: skip
    # With random weights no object is ever there, and every mask were the same.
    net.mask_decoder.pred_obj_score_head.proj_out.bias.data.fill_(10.0)
    return net


def edgetam():
    backbone = config(
        "TimmWrapperConfig", architecture="repvit_m0_9",
        model_args={"in_chans": 3, "features_only": True, "out_indices": [0, 1, 2, 3]},
    )  # fmt: skip
    vision = config(
        "EdgeTamVisionConfig", backbone_config=backbone, fpn_hidden_size=128,
        backbone_feature_sizes=[[32, 32], [16, 16], [8, 8]],
    )  # fmt: skip
    net = transformers.EdgeTamVideoModel(config(
        "EdgeTamVideoConfig", vision_config=vision,
        prompt_encoder_config=config("EdgeTamVideoPromptEncoderConfig", **PROMPT),
        mask_decoder_config=config("EdgeTamVideoMaskDecoderConfig", **DECODER), **MEMORY, **EDGE,
    ))  # fmt: skip
    net.mask_decoder.pred_obj_score_head.proj_out.bias.data.fill_(10.0)
    return net


@pytest.fixture(scope="module", params=[sam2, edgetam])
def model(request, tmp_path_factory):
    if request.param is edgetam and importlib.util.find_spec("timm") is None:
        pytest.skip("the package timm is not installed; .ci/adapters installs it")
    path = tmp_path_factory.mktemp("checkpoints") / "tiny"
    torch.manual_seed(0)
    request.param().save_pretrained(path)
    return load("model", f"hf_video:checkpoint={path}")


def mask_of(path, frame):
    return FramePrompt(mask=square(path[frame]))


@torch.inference_mode()
def by_the_library(model, clip, feed):
    """All frames at once, by transformers' own loop: low-resolution logits of each."""
    video = torch.stack([model.frame.pixels(frame) for frame in clip])
    kind = type(model.net).__name__.removesuffix("Model")
    session = getattr(transformers, f"{kind}InferenceSession")(
        video=video, video_height=SIZE[0], video_width=SIZE[1], dtype=torch.float32
    )
    index = session.obj_id_to_idx(1)
    feed(session, index)
    session.obj_with_new_inputs = [1]
    model.net(session, frame_idx=0)
    found = model.net.propagate_in_video_iterator(session, start_frame_idx=0)
    return {out.frame_idx: out.pred_masks for out in found}


@pytest.mark.parametrize("kind", ["mask", "clicks", "box"])
def test_every_frame_is_what_the_library_gives(model, kind):
    paths = PATHS["one"]
    clip, scale = Drawn(paths), np.array([SIDE / SIZE[1], SIDE / SIZE[0]])
    points, labels = np.array([[5.0, 7.0], [20.0, 20.0]]), np.array([1, 0])
    prompts = {
        "mask": mask_of(paths[1], 0),
        "clicks": FramePrompt(points, labels),
        "box": FramePrompt(box=np.array([2.0, 4.0, 10.0, 12.0])),
    }

    def feed(session, index):
        if kind == "mask":
            whole = torch.from_numpy(square(paths[1][0]))[None, None].float()
            large = torch.nn.functional.interpolate(
                whole, (SIDE, SIDE), mode="bilinear", antialias=True
            )
            session.add_mask_inputs(index, 0, (large >= 0.5).float())
            return
        places = points if kind == "clicks" else np.array([[2.0, 4.0], [10.0, 12.0]])
        given = labels if kind == "clicks" else np.array([2, 3])
        session.add_point_inputs(index, 0, {
            "point_coords": torch.from_numpy(places * scale).float()[None, None],
            "point_labels": torch.from_numpy(given).int()[None, None],
        })  # fmt: skip

    expected = by_the_library(model, clip, feed)
    state = model.start(clip)
    seen = model.add(state, 0, 1, prompts[kind])
    found = dict(model.propagate(state, 0))
    assert list(found) == list(expected) == [0, 1, 2, 3, 4, 5]
    for frame, low in expected.items():
        full = torch.nn.functional.interpolate(low, SIZE, mode="bilinear")[0, 0]
        torch.testing.assert_close(torch.from_numpy(found[frame][1]), full)
        assert full.std() > 0
    np.testing.assert_array_equal(seen, found[0][1])


def test_objects_are_followed_each_by_itself_from_where_they_are_told_of(model):
    paths = PATHS["two"]
    told = [(0, 1, mask_of(paths[1], 0)), (2, 2, mask_of(paths[2], 2))]

    def follow(some):
        state = model.start(Drawn(paths))
        for frame, id, prompt in some:
            model.add(state, frame, id, prompt)
        return dict(model.propagate(state, 0))

    both = follow(told)
    assert [sorted(own) for own in both.values()] == [[1], [1], [1, 2], [1, 2], [1, 2]]
    for one in told:
        for frame, own in follow([one]).items():
            for id, logits in own.items():
                np.testing.assert_allclose(logits, both[frame][id], atol=1e-5)


def test_a_corrected_frame_keeps_its_correction_and_is_remembered(model):
    paths = PATHS["one"]
    state = model.start(Drawn(paths))
    model.add(state, 0, 1, mask_of(paths[1], 0))
    before = dict(model.propagate(state, 0))
    click = FramePrompt(np.array([[10.0, 8.0], [1.0, 1.0]]), np.array([1, 0]))
    corrected = model.add(state, 3, 1, click)
    after = dict(model.propagate(state, 0))
    np.testing.assert_array_equal(after[3][1], corrected)
    assert (after[4][1] != before[4][1]).any()
    model.forget(state)
    model.add(state, 0, 1, mask_of(paths[1], 0))
    again = dict(model.propagate(state, 0))
    np.testing.assert_array_equal(again[5][1], before[5][1])


def test_both_tasks_run_with_it(model):
    check_tasks(
        model, ("video_object", "video_object:prompt=3-click", "video_interactive:frames=2")
    )


def test_other_models_are_refused(tmp_path):
    transformers.BertConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
    ).save_pretrained(tmp_path)
    with pytest.raises(UserError, match="is a bert model; hf_video takes sam2_video"):
        load("model", f"hf_video:checkpoint={tmp_path}")
