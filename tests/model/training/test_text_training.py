"""Training with texts, on a tiny SAM: it learns phrases, resumes to the bit, and keeps the rest."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from sambench.cli import main
from sambench.datasets.scenes import Scenes
from sambench.errors import UserError
from sambench.model._texts import TextEncoder
from sambench.model.training import state, text_trainer
from sambench.model.training.log import LOG, read_log
from sambench.model.training.text_recipe import TextRecipe
from sambench.model.training.texts import Phrases, source_of
from sambench.model.training.training import Training
from sambench.truths import Concepts, Instances

from ..tiny_encoders import tiny_bert, tiny_clip
from .tiny import SCENES, TinySam, recipe, tiny_net

pytest.importorskip("transformers", reason="transformers is not installed")


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return tiny_bert(tmp_path_factory.mktemp("encoders") / "bert")


def training(folder, steps, encoder, save_every=50, dataset=None, texts=None, **changes):
    dataset = dataset or Scenes(**SCENES)
    taught = TextRecipe(str(encoder), **{"text_negatives": 1, **(texts or {})})
    choice = recipe(steps, **{"dropout": 0.0, "clicks": 0, **changes})
    return Training(choice, dataset, dataset.ids, folder, save_every, texts=taught)


def test_phrases_are_learnt_by_the_projection_alone(bert, tmp_path):
    sam = TinySam()
    one = Scenes(**{**SCENES, "images": 1})
    lines = training(tmp_path, 24, bert, dataset=one, lr=0.1, batch=1, masks=9).train(sam)
    losses = [line["loss"] for line in lines]
    assert losses[-1] < 0.95 * losses[0]
    learnt, about = load_file(tmp_path / state.MODEL), state.read_about(tmp_path / state.MODEL)
    assert learnt.keys() == {"projection.weight", "projection.bias"}
    assert learnt["projection.weight"].shape == (32, 16)
    assert about["text"]["encoder_sha256"] == TextEncoder(str(bert)).sha256
    assert about["text"]["steps"] == 24
    now, first = sam.net.state_dict(), tiny_net().state_dict()
    assert all(torch.equal(now[name], first[name]) for name in first)


def test_the_decoder_learns_where_it_is_asked_to(bert, tmp_path):
    texts = {"text_learns": "decoder"}
    training(tmp_path, 1, bert, texts=texts, clicks=1, warmup=0).train(TinySam())
    parts = {name.split(".")[0] for name in load_file(tmp_path / state.MODEL)}
    assert parts == {"projection", "prompt_encoder", "mask_decoder"}


def test_an_interrupted_training_goes_on_to_the_same_bytes(bert, tmp_path, monkeypatch):
    training(tmp_path / "whole", 4, bert).train(TinySam())
    accumulate = text_trainer.TextTrainer.accumulate

    def stopping(trainer):
        if trainer.step == 2:
            raise KeyboardInterrupt
        return accumulate(trainer)

    monkeypatch.setattr(text_trainer.TextTrainer, "accumulate", stopping)
    with pytest.raises(KeyboardInterrupt):
        training(tmp_path / "stopped", 4, bert).train(TinySam())
    monkeypatch.undo()
    with pytest.raises(UserError, match="a training with text_negatives 1, not 2"):
        training(tmp_path / "stopped", 4, bert, texts={"text_negatives": 2}).train(TinySam())
    training(tmp_path / "stopped", 4, bert).train(TinySam())
    training(tmp_path / "other", 4, bert, seed=1).train(TinySam())
    files = [(tmp_path / f / state.MODEL).read_bytes() for f in ("whole", "stopped", "other")]
    assert files[0] == files[1] != files[2]
    assert len(read_log(tmp_path / "stopped" / LOG, 4)) == 4


def test_what_is_absent_is_learnt_to_have_no_iou(bert, tmp_path):
    """Of an image without any object there is nothing else to learn."""

    class Empty(Scenes):
        def read_truth(self, id, kind):
            truth = super().read_truth(id, kind)
            none = tuple((((),)) for _ in truth.phrases)
            return Concepts(truth.size, truth.phrases, none, truth.exhaustive)

    squares = []
    learn = text_trainer.TextTrainer._learn_absence

    def seen(trainer, features, texts, size):
        prompts = text_trainer.Prompted(*text_trainer.no_points(len(texts)), texts=texts)
        with torch.no_grad():
            _, iou = text_trainer.decode(
                trainer.model.net, features, prompts, size, trainer.projection
            )
        squares.append(float((iou**2).mean()))
        learn(trainer, features, texts, size)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_trainer.TextTrainer, "_learn_absence", seen)
        options = {"texts": {"text_negatives": 2}, "lr": 3e-2}
        lines = training(tmp_path, 12, bert, dataset=Empty(**SCENES), **options).train(TinySam())
    assert np.mean(squares[-4:]) < 0.5 * np.mean(squares[:4])
    assert all(line["masks"] == 0 for line in lines)


def test_a_phrase_stands_for_all_that_it_names(bert):
    dataset = Scenes(**SCENES)
    source = Phrases(dataset, TextEncoder(str(bert)), "a {}", 2)
    for id in dataset.ids[:3]:
        truth = dataset.read_truth(id, Concepts)
        found = source(id, None, 9, np.random.default_rng(0))
        shown = [p for p, own in zip(truth.phrases, truth.annotations, strict=True) if own[0]]
        assert len(found.objects) == len(shown) == len(found.texts)
        assert torch.equal(found.texts, source.encoder([f"a {phrase}" for phrase in shown]))
        masks = dataset.read_truth(id, Instances).masks().any(axis=0)
        assert np.array_equal(found.objects.masks.any(axis=0), masks)
        assert len(found.absent) == min(2, len(truth.phrases) - len(shown))
        assert len(source(id, None, 1, np.random.default_rng(0)).objects) == 1


def test_crops_of_large_objects_are_learnt_from_clip(tmp_path):
    clip = tiny_clip(tmp_path / "clip")
    dataset = Scenes(images=2, seed=3, width=320, height=320, objects=3)
    encoder = TextEncoder(str(clip))
    source = source_of(TextRecipe(str(clip), "crops"), dataset, encoder)
    for id in dataset.ids:
        sizes = dataset.read_truth(id, Instances).areas
        draws = [
            source(id, lambda id=id: dataset.read_image(id), 9, np.random.default_rng(seed))
            for seed in (0, 0, 1)
        ]
        assert len(draws[0].objects) == sum(sizes >= 100**2)
        assert torch.equal(draws[0].texts, draws[1].texts)
        if len(draws[0].objects):
            assert draws[0].texts.norm(dim=1).tolist() == pytest.approx([1] * len(draws[0].texts))
            assert not torch.equal(draws[0].texts, draws[2].texts)
    texts = {"text_source": "crops"}
    options = {"texts": texts, "batch": 1, "warmup": 0}
    training(tmp_path / "t", 1, clip, dataset=dataset, **options).train(TinySam())
    about = state.read_about(tmp_path / "t" / state.MODEL)
    assert (about["text"]["source"], about["text"]["template"]) == ("crops", "{}")
    assert "text_negatives" not in about["plan"]


def test_what_cannot_be_taught_is_refused(bert, tmp_path, capsys):
    def refused(words, **options):
        with pytest.raises(UserError, match=words):
            training(tmp_path, 2, bert, **options).train(TinySam())

    refused("--text teaches no image encoder", whole=True)
    refused("sees no images", texts={"text_source": "crops"})

    class Bare(Scenes):
        truths = (Instances,)

    refused("knows no phrases", dataset=Bare(**SCENES))
    with pytest.raises(UserError, match=r"has no \{\} for the phrase"):
        TextRecipe("x", text_template="a")
    words = ["train", "--dataset", "scenes", "--steps", "1", "--output", str(tmp_path / "no")]
    assert main([*words, "--text", "minilm", "--text-negatives", "-2"]) == 2
    assert "--text-negatives -2 is too small" in capsys.readouterr().err
    assert main([*words, "--text-negatives", "2"]) == 2
    assert "--text-negatives is for texts; give --text" in capsys.readouterr().err
