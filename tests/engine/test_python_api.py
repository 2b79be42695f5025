"""sambench.evaluate as a training loop calls it: every epoch, with a model object that changes."""

import copy
import time

import numpy as np
import pytest
import torch

import sambench
from sambench.errors import UserError
from sambench.interfaces import Masks, Model, ModelCard
from sambench.registry import load


class Trained(Model):
    """A disc around each click, whose one weight is its radius; its card never changes."""

    prompts = frozenset({"points"})

    def __init__(self):
        self.net = torch.nn.Linear(1, 1)
        self.card = ModelCard("trained")
        self.embedded = []
        self.grow(5.0)

    def grow(self, radius):
        with torch.no_grad():
            self.net.weight.fill_(radius)

    def embed(self, images):
        self.embedded.extend(images)
        return [image.shape[:2] for image in images]

    def predict(self, embedding, prompts, *, multimask):
        height, width = embedding
        with torch.no_grad():
            x, y = torch.tensor(np.asarray(prompts.points)[:, 0], dtype=torch.float32).T
            across = (torch.arange(width)[None] - x[:, None])[:, None] ** 2
            down = (torch.arange(height)[None] - y[:, None])[:, :, None] ** 2
            logits = self.net.weight.item() - (across + down).sqrt()
        iou = torch.full((len(logits), 1), 0.5)
        return Masks(logits[:, None], iou, (height, width), lambda low: low)


def epoch(model, folder, **more):
    settings = {"dataset": "mini", "limit": 2, "output": folder, "progress": False, **more}
    return sambench.evaluate("points", model=model, **settings)


def test_weights_that_changed_are_seen_at_every_epoch(tmp_path):
    model, values = Trained(), {}
    for radius in (5.0, 40.0, 5.0, 80.0):
        model.grow(radius)
        value = epoch(model, tmp_path).metrics["mIoU"].value
        assert values.setdefault(radius, value) == value
    assert len(set(values.values())) == 3
    assert len(model.embedded) == 8


def test_what_is_not_to_be_done_anew_is_continued(tmp_path):
    model = Trained()
    first = epoch(model, tmp_path)
    assert repr(epoch(model, tmp_path, fresh=False).metrics) == repr(first.metrics)  # NaN too
    assert len(model.embedded) == 2
    epoch(model, tmp_path, fresh=False, limit=3)
    assert len(model.embedded) == 3
    by_name = epoch("superpixel", tmp_path)
    assert repr(epoch("superpixel", tmp_path).metrics) == repr(by_name.metrics)


def test_a_call_leaves_nothing_behind(tmp_path):
    model, rng = Trained(), torch.random.get_rng_state()
    model.net.train()
    before = {name: copy.copy(value) for name, value in vars(model).items() if name != "embedded"}
    epoch(model, tmp_path)
    assert vars(model).keys() == {*before, "embedded"}
    assert model.card == before["card"]
    assert model.net.training
    assert all(parameter.requires_grad for parameter in model.net.parameters())
    assert torch.is_grad_enabled()
    assert torch.equal(torch.random.get_rng_state(), rng)


def test_an_epoch_costs_little_beside_the_model(tmp_path):
    model = Trained()
    epoch(model, tmp_path)
    start = time.process_time()
    epoch(model, tmp_path, resamples=100)
    assert time.process_time() - start < 5  # half a second where nothing else runs


def test_embeddings_of_weights_that_may_change_are_not_cached(tmp_path):
    from sambench.engine.embedding_cache import CacheOptions

    with pytest.raises(UserError, match="does not follow the weights"):
        epoch(load("model", "superpixel"), tmp_path, cache=CacheOptions(tmp_path / "cache"))


def test_a_result_says_what_its_model_is_and_takes(tmp_path):
    own = epoch(Trained(), tmp_path).protocol["model"]
    assert (own["family"], own["prompts"], own["methods"]) == ("", ["points"], [])
    built_in = epoch("felzenszwalb", tmp_path).protocol["model"]
    assert (built_in["family"], built_in["prompts"]) == ("baseline", ["points"])
    assert built_in["methods"] == ["boundaries", "propose", "superpixels"]
    assert built_in["parameters"] == 0
