"""What a frozen encoder gives in training is what it gives in inference, to the bit."""

import numpy as np
import pytest
import torch

from sambench import cli
from sambench.datasets.scenes import Scenes
from sambench.engine.embedding_cache import EmbeddingCache
from sambench.engine.timed_model import Predictor
from sambench.model.training.features import FrozenFeatures
from sambench.model.training.trainer import Trainer

from .tiny import SCENES, TinySam, recipe


@pytest.fixture
def dataset():
    return Scenes(**SCENES)


def learned_from(trainer, monkeypatch):
    """Train; the features that the decoder was given, by id."""
    found, features_of = {}, trainer._features

    def listening(id, read):
        features = features_of(id, read)
        found[id] = features.detach().clone()
        return features

    monkeypatch.setattr(trainer, "_features", listening)
    for _ in trainer.run():
        pass
    return found


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.glob("??/*")}


@pytest.mark.parametrize("cached", [False, True])
def test_frozen_features_are_those_of_inference(cached, dataset, tmp_path, monkeypatch):
    model = TinySam()
    cache = EmbeddingCache(tmp_path, model) if cached else None
    paper = recipe(4, warmup=0)  # dropout and drop path as they are by default
    assert paper.dropout > 0
    assert paper.drop_path > 0
    frozen = FrozenFeatures(model, cache)
    found = learned_from(Trainer(model, dataset, dataset.ids, paper, frozen=frozen), monkeypatch)
    assert found.keys() == set(dataset.ids)
    for id, features in found.items():
        (embedding,) = TinySam().embed([dataset.read_image(id)])
        assert torch.equal(features, embedding.features), id


def test_training_and_runs_keep_equal_embeddings(dataset, tmp_path):
    trained, ran = tmp_path / "trained", tmp_path / "ran"
    model = TinySam()
    frozen = FrozenFeatures(model, EmbeddingCache(trained, model))
    for _ in Trainer(model, dataset, dataset.ids, recipe(3), frozen=frozen).run():
        pass
    run = Predictor(TinySam(), EmbeddingCache(ran, TinySam()))
    run.embed([dataset.read_image(id) for id in dataset.ids])
    assert len(contents(ran)) == len(dataset.ids)
    assert contents(trained) == contents(ran)


def test_the_commands_keep_equal_embeddings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scene = ["--dataset", "scenes:images=1,width=96,height=64,objects=2"]
    steps = ["--steps", "1", "--warmup", "0", "--masks", "1", "--clicks", "0"]
    train = ["train", *scene, "--output", "out", "--embedding-cache", "trained", *steps]
    run = ["run", "--task", "points", *scene, "--workers", "0", "--embedding-cache", "ran"]
    assert cli.main(train) == cli.main(run) == 0
    assert contents(tmp_path / "trained") == contents(tmp_path / "ran") != {}


@pytest.mark.parametrize("whole", [False, True])
def test_what_is_dropped_does_not_depend_on_where_features_came_from(whole, dataset, tmp_path):
    """Draws are a function of seed, step and place: computed, cached or kept, all is the same."""
    found = []
    for source in ("computed", "stored", "loaded", "kept"):
        model = TinySam()
        cache = None if source == "computed" else EmbeddingCache(tmp_path, model)
        frozen = FrozenFeatures(model, cache)
        if source == "kept":
            for id in dataset.ids:
                frozen(id, lambda id=id: dataset.read_image(id))
        trainer = Trainer(
            model, dataset, dataset.ids, recipe(4, dropout=0.5, whole=whole), frozen=frozen
        )
        lines = list(trainer.run())
        found.append((lines, model.net.state_dict()))
    first, *others = found
    for lines, weights in others:
        assert lines == first[0]
        assert all(torch.equal(weights[name], first[1][name]) for name in weights)


def test_features_of_a_frozen_encoder_are_computed_once(dataset):
    reads = []

    def read():
        reads.append(1)
        return dataset.read_image(dataset.ids[0])

    features = FrozenFeatures(TinySam(), most=1)
    first = features("a", read)
    assert features("a", read) is first
    features("b", read)
    assert torch.equal(features("a", read), first)
    assert len(reads) == 3


def test_an_encoder_that_learns_drops_paths(dataset):
    """Drop path is for --whole alone: there it moves the loss, and otherwise nothing."""
    losses = {}
    for whole in (False, True):
        for drop_path in (0.0, 0.9):
            choice = recipe(9, whole=whole, drop_path=drop_path, dropout=0.0)
            trainer = Trainer(TinySam(), dataset, dataset.ids, choice)
            losses[whole, drop_path] = trainer.accumulate()["loss"]
    assert losses[False, 0.0] == losses[False, 0.9]
    assert np.isfinite(list(losses.values())).all()
    assert losses[True, 0.0] != losses[True, 0.9]
