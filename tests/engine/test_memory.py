"""A GPU's memory that runs out, simulated: what is tried again, with what, and what is let go."""

import json
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch

from sambench.commands import predict as command
from sambench.engine.evaluation import run
from sambench.engine.settings import Settings
from sambench.engine.timed_model import Predictor, TimedModel
from sambench.interfaces import Masks, Model, ModelCard, Prompts, Sample
from sambench.registry import load

IMAGE = np.zeros((32, 48, 3), dtype=np.uint8)
STEPS = ("embed", "predict", "resize")


def prompts(count):
    return Prompts(points=np.full((count, 1, 2), 9.0), labels=np.ones((count, 1), dtype=int))


class Short(Model):
    """Another model on a GPU that is too small, or that is short of memory now and then.

    Args:
        inner: computes.
        room: how many images, prompts or masks it does at a time, by the step.
        fails: calls that fail by themselves, counted from 1, by the step.
        chunk: how many prompts it decodes at a time; so many have to fit.
    """

    def __init__(self, inner, room=None, fails=None, chunk=0, batch=16):
        self.card, self.inner, self.prompt_batch, self.chunk = inner.card, inner, batch, chunk
        self.room, self.fails = room or {}, fails or {}
        self.asked = {step: [] for step in STEPS}
        self.held, self.alive = [], []

    def _fits(self, step, size):
        """Take memory for a call, and note how much of earlier ones is still held."""
        self.alive.append(sum(tensor() is not None for tensor in self.held))
        activations = torch.zeros(10)
        self.held.append(weakref.ref(activations))
        self.asked[step].append(size)
        call = len(self.asked[step])
        if size > self.room.get(step, size) or call in self.fails.get(step, ()):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")

    def embed(self, images):
        self._fits("embed", len(images))
        return self.inner.embed(images)

    def predict(self, embedding, prompts, *, multimask):
        for start in range(0, len(prompts), self.chunk or len(prompts)):
            self._fits("predict", len(prompts[start : start + (self.chunk or len(prompts))]))
        answer = self.inner.predict(embedding, prompts, multimask=multimask)

        def resize(logits):
            self._fits("resize", len(logits))
            return answer.resize(logits)

        return Masks(answer.logits, answer.iou, answer.size, resize)


class Flat(Model):
    """Has an answer to everything, and no weights."""

    def __init__(self):
        self.card = ModelCard(name="flat")

    def embed(self, images):
        return [image.shape[:2] for image in images]

    def predict(self, embedding, prompts, *, multimask):
        logits = torch.ones(len(prompts), 3, *embedding)
        return Masks(logits, torch.full((len(prompts), 3), 0.5), embedding, lambda x: x)


class Ask:
    """A task that asks for so many prompts at a time."""

    def __init__(self, *counts):
        self.counts = counts

    def predict(self, model, embedding, sample):
        return [len(model.predict(embedding, prompts(n), multimask=True).iou) for n in self.counts]


SAMPLE = Sample("a", IMAGE, None)


class TestPrompts:
    def test_halving_begins_with_what_was_asked_and_not_with_what_might_have_been(self):
        model = Short(Flat(), room={"predict": 5}, batch=256)
        Predictor(model).predict(Ask(20), (32, 48), SAMPLE)
        assert model.asked["predict"] == [20, 10, 5, 5, 5, 5]

    def test_the_models_own_chunk_is_halved_too(self):
        model = Short(Flat(), room={"predict": 5}, batch=256, chunk=8)
        Predictor(model).predict(Ask(20), (32, 48), SAMPLE)
        assert model.asked["predict"] == [8, 4, 4, 4, 4, 4]

    def test_beyond_the_model_the_largest_call_is_halved(self):
        class Sums(Ask):
            def predict(self, model, embedding, sample):
                for count in (12, 2):
                    answer = model.predict(embedding, prompts(count), multimask=True)
                    if model.prompt_batch > 3:
                        raise torch.OutOfMemoryError("CUDA out of memory")
                return len(answer.iou)

        timed = Predictor(Short(Flat()))
        assert timed.predict(Sums(), (32, 48), SAMPLE)[0] == 2
        assert timed._model.prompt_batch == 3

    def test_a_single_prompt_is_tried_once_more_with_what_was_given_back(self, monkeypatch):
        given_back = []
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        monkeypatch.setattr(torch.cuda, "empty_cache", lambda: given_back.append(1))
        model = Short(Flat(), fails={"predict": {1}})
        Predictor(model).predict(Ask(1), (32, 48), SAMPLE)
        assert (model.asked["predict"], given_back) == ([1, 1], [1])
        never = Short(Flat(), room={"predict": 0})
        with pytest.raises(torch.OutOfMemoryError):
            Predictor(never).predict(Ask(1), (32, 48), SAMPLE)
        assert never.asked["predict"] == [1, 1]

    def test_apples_gpus_run_out_of_memory_too(self):
        class Apple(Short):
            def _fits(self, step, size):
                try:
                    super()._fits(step, size)
                except torch.OutOfMemoryError:
                    raise RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)") from None

        model = Apple(Flat(), room={"predict": 2})
        Predictor(model).predict(Ask(4), (32, 48), SAMPLE)
        assert model.asked["predict"] == [4, 2, 2]

    def test_the_command_predict_goes_on_too(self, monkeypatch, tmp_path, capsys):
        from PIL import Image

        Image.fromarray(IMAGE).save(tmp_path / "a.png")
        model = Short(Flat(), fails={"predict": {1}})
        monkeypatch.setattr(command, "load_model", lambda spec, device: model)
        from sambench.cli import main

        assert main(["predict", str(tmp_path / "a.png"), "--point", "3,4"]) == 0
        assert "1 mask" in capsys.readouterr().out


class TestImages:
    def test_a_single_image_is_tried_once_more(self):
        model = Short(Flat(), fails={"embed": {1}})
        assert TimedModel(model).embed([IMAGE]) == [(32, 48)]
        assert model.asked["embed"] == [1, 1]

    def test_fewer_are_embedded_together_from_then_on(self, caplog):
        model = Short(Flat(), room={"embed": 2})
        timed = TimedModel(model)
        assert len(timed.embed([IMAGE] * 7)) == len(timed.embed([IMAGE] * 4)) + 3 == 7
        assert model.asked["embed"] == [7, 3, 1] + 6 * [1] + 4 * [1]
        assert "going on with 1 images at a time" in caplog.text

    def test_one_that_never_fits_fails_alone(self, tmp_path):
        class Large(Short):
            def embed(self, images):
                self._fits("embed", max(int(image.max()) for image in images))
                return self.inner.embed(images)

        dataset = load("dataset", "scenes:images=4,width=64,height=64")
        most = sorted(int(dataset.read_image(id).max()) for id in dataset.ids)
        model = Large(Flat(), room={"embed": most[-1] - 1})
        settings = Settings(tmp_path, batch=4, resamples=10, progress=False)
        [result] = run({"points": load("task", "points")}, model, dataset, settings)
        assert len(result.failed) == sum(value == most[-1] for value in most) < 4


SCENES = "scenes:images=2,width=64,height=64,objects=5"
TASKS = ("points:points=2", "foreground:points_per_side=3")
CASES = [
    {"fails": {"predict": {1}}},
    {"fails": {"predict": {2}}},
    {"room": {"predict": 3}},
    {"room": {"predict": 1}},
    {"fails": {"resize": {1}}},
    {"room": {"resize": 3}},
    {"fails": {"embed": {1}}},
    {"room": {"embed": 1}},
]


class Remembering(Model):
    """Another model that embeds each image once."""

    def __init__(self, inner):
        self.card, self.inner, self.known = inner.card, inner, {}

    def embed(self, images):
        for image in images:
            if image.tobytes() not in self.known:
                self.known[image.tobytes()] = self.inner.embed([image])[0]
        return [self.known[image.tobytes()] for image in images]

    def predict(self, embedding, prompts, *, multimask):
        return self.inner.predict(embedding, prompts, multimask=multimask)


@pytest.fixture(scope="module")
def remembering(minisam):
    return Remembering(minisam)


@pytest.fixture(scope="module")
def plenty(remembering):
    return {task: numbers(task, Short(remembering)) for task in TASKS}


def numbers(task, model, **settings):
    """Every number of the records of two images."""
    dataset, name = load("dataset", SCENES), task.partition(":")[0]
    output = Path(numbers.folder) / str(len([*Path(numbers.folder).iterdir()]))
    given = Settings(output, resamples=0, progress=False, **settings)
    [result] = run({name: load("task", task)}, model, dataset, given)
    assert not result.failed
    assert result.path is not None
    lines = map(json.loads, result.path.with_suffix(".records.jsonl").read_text().splitlines())
    return {line["id"]: line["record"] for line in lines if "record" in line}


def measured(records):
    """Without what the model says of its masks, which another batch rounds otherwise."""
    return {
        id: {name: value for name, value in record.items() if name != "predicted"}
        for id, record in records.items()
    }


@pytest.fixture(scope="module", autouse=True)
def _folder(tmp_path_factory):
    numbers.folder = tmp_path_factory.mktemp("runs")


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("task", TASKS)
def test_no_number_moves_and_no_failed_call_is_kept(remembering, plenty, task, case):
    model = Short(remembering, **case, batch=8)
    found, expected = numbers(task, model, batch=2), plenty[task]
    assert measured(found) == measured(expected)
    for id, record in expected.items():
        said = (np.array(each.get("predicted", [])) for each in (found[id], record))
        assert next(said) == pytest.approx(next(said), abs=1e-6)
    assert set(model.alive) == {0}
