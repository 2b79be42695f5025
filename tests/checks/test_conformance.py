"""The checks of plug-ins: a broken one is caught for the right reason, a sound one passes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch

from sambench.checks import bench
from sambench.checks.dataset import check_dataset
from sambench.checks.model import check_model
from sambench.checks.task import check_task
from sambench.cli import main
from sambench.commands.templates.model import NewModel
from sambench.commands.templates.task import NewTask
from sambench.interfaces import Layer, Masks, ModelCard, Prompts
from sambench.masks.rle import encode
from sambench.registry import load
from sambench.truths import Instances


@pytest.fixture(scope="module")
def photographs():
    """Of each the pixels of every third row and column: checks of the same, in a ninth of it."""
    return [thinned(photo) for photo in bench.photographs(load("dataset", "mini"), 3)]


def thinned(photo):
    image, masks = photo.image[::3, ::3], photo.masks[:, ::3, ::3]
    return replace(photo, image=np.ascontiguousarray(image), masks=masks, boxes=photo.boxes / 3)


def found(model, photographs):
    """Names of the checks that found something, and all that they said."""
    report = check_model(model, photographs)
    said = " ".join(finding.problem for finding in report.findings)
    return {finding.check for finding in report.findings}, said


def test_photographs_are_wide_tall_and_small(photographs):
    assert all(
        len(photo.masks) > 1 and photo.masks.shape[1:] == photo.size for photo in photographs
    )
    assert len({photo.size for photo in photographs}) == 3
    assert any(photo.size[0] != photo.size[1] for photo in photographs)


def test_three_photographs_are_enough():
    assert len(bench.photographs(load("dataset", "mini"))) == 3


class Alone(NewModel):
    """Gives a predicted IoU for each prompt instead of each candidate, if asked for several."""

    def predict(self, embedding, prompts, *, multimask):
        answer = super().predict(embedding, prompts, multimask=multimask)
        return replace(answer, iou=answer.iou[:, 0]) if multimask else answer


def test_the_shapes_of_several_candidates_are_looked_at(photographs):
    assert "shapes" in found(Alone(), photographs)[0]


def test_a_sound_model_passes(photographs):
    report = check_model(NewModel(), photographs)
    assert report.findings == ()
    assert report.facts["overlap with truth, boxes"] > 0.7
    assert report.facts["seconds to embed"] >= 0


class Swapped(NewModel):
    """Takes (y, x) for (x, y)."""

    def predict(self, embedding, prompts, *, multimask):
        if prompts.boxes is not None:
            prompts = replace(prompts, boxes=prompts.boxes[:, [1, 0, 3, 2]])
        else:
            prompts = replace(prompts, points=prompts.points[..., ::-1].copy())
        return super().predict(embedding, prompts, multimask=multimask)


class Leaking(NewModel):
    """Keeps the last image in the model, as a predictor with set_image does."""

    def embed(self, images):
        self.last = super().embed(images)[-1]
        return super().embed(images)

    def predict(self, embedding, prompts, *, multimask):
        answer = super().predict(embedding, prompts, multimask=multimask)
        shift = self.last.features.mean() / 255
        return replace(answer, logits=answer.logits - shift)


class Batched(NewModel):
    """Normalises over the batch, as a BatchNorm in training mode does."""

    def predict(self, embedding, prompts, *, multimask):
        answer = super().predict(embedding, prompts, multimask=multimask)
        return replace(answer, logits=answer.logits - answer.logits.mean())


class BatchedImages(NewModel):
    """Images of a batch see each other."""

    def embed(self, images):
        shared = float(np.mean([image.mean() for image in images]))
        return [replace(one, features=one.features * 0 + shared) for one in super().embed(images)]

    def predict(self, embedding, prompts, *, multimask):
        answer = super().predict(embedding, prompts, multimask=multimask)
        return replace(answer, logits=answer.logits - embedding.features.mean() / 255)


class Random(NewModel):
    """Draws without a seed, as dropout in training mode does."""

    def predict(self, embedding, prompts, *, multimask):
        answer = super().predict(embedding, prompts, multimask=multimask)
        return replace(answer, logits=answer.logits + torch.randn_like(answer.logits))


class Logits(NewModel):
    """Gives the IoU as a logit."""

    def predict(self, embedding, prompts, *, multimask):
        answer = super().predict(embedding, prompts, multimask=multimask)
        return replace(answer, iou=answer.iou * 10)


class Always(NewModel):
    """Three candidates, whatever it is asked for."""

    def predict(self, embedding, prompts, *, multimask):
        return super().predict(embedding, prompts, multimask=True)


class Transposed(NewModel):
    """Takes the size as (W, H)."""

    def predict(self, embedding, prompts, *, multimask):
        answer = super().predict(embedding, prompts, multimask=multimask)
        size = answer.size[::-1]

        def resize(logits):
            return torch.nn.functional.interpolate(logits[:, None], size)[:, 0]

        return Masks(answer.logits, answer.iou, size, resize)


class Deaf(NewModel):
    """Answers every prompt with the same place."""

    def predict(self, embedding, prompts, *, multimask):
        height, width = embedding.size
        boxes = np.tile([width * 0.4, height * 0.4, width * 0.6, height * 0.6], (len(prompts), 1))
        return super().predict(embedding, Prompts(boxes=boxes), multimask=multimask)


class Writing(NewModel):
    """Scales the prompts in place."""

    def predict(self, embedding, prompts, *, multimask):
        answer = super().predict(embedding, prompts, multimask=multimask)
        for part in (prompts.points, prompts.boxes):
            if part is not None:
                part *= 2
        return answer


class Padding(NewModel):
    """Takes padding points for real ones."""

    def predict(self, embedding, prompts, *, multimask):
        if prompts.points is not None:
            answer = super().predict(embedding, prompts, multimask=multimask)
            return replace(answer, logits=answer.logits + 99 * (prompts.points.shape[1] - 1))
        return super().predict(embedding, prompts, multimask=multimask)


class Hasty(NewModel):
    """Leaves out masks that it was asked for."""

    def predict_above(self, embedding, prompts, pred_iou_thresh, *, multimask):
        answer = super().predict(embedding, prompts, multimask=multimask)
        return replace(answer, logits=answer.logits * 0 - 1)


class Raising(NewModel):
    """Fails."""

    def predict(self, embedding, prompts, *, multimask):
        raise IndexError("index 3 is out of bounds")


class Nameless(NewModel):
    """Does not say which weights it has."""

    def __init__(self):
        super().__init__()
        self.card = ModelCard(name="org/model", parameters=5)


@pytest.mark.parametrize(
    ("model", "check", "said"),
    [
        (Swapped, "coordinate order", "swapped coordinates"),
        (Leaking, "state between images", "a different answer after another image was embedded"),
        (Batched, "batch invariance", "asked together give other masks than one by one"),
        (BatchedImages, "batch invariance", "an image embedded with others gives different masks"),
        (Random, "determinism", "gave two answers"),
        (Logits, "predicted iou", "lie between"),
        (Always, "shapes", "3 candidates for"),
        (Transposed, "shapes", "gives masks of"),
        (Deaf, "coordinate order", "no better than another object"),
        (Writing, "inputs untouched", "were changed"),
        (Padding, "feedback", "a padding point"),
        (Hasty, "promising", "are not those of predict"),
        (Raising, "shapes", "it raised IndexError: index 3 is out of bounds"),
        (Nameless, "card", "no weights_sha256"),
    ],
)
def test_a_broken_model_is_caught_for_the_right_reason(model, check, said, photographs):
    checks, words = found(model(), photographs)
    assert check in checks
    assert said in words
    if model not in (Random, Transposed, Writing):  # these go on to fail elsewhere too
        assert checks == {check}


def test_what_a_model_raises_is_told_with_place_and_input(photographs):
    _, words = found(Raising(), photographs)
    line = Raising.predict.__code__.co_firstlineno + 1
    assert f"it raised IndexError: index 3 is out of bounds at {__file__}, line {line}" in words
    height, width = photographs[0].size
    boxes = len(photographs[0].boxes)
    assert (
        f"asked for predict of {boxes} boxes on the image of {width} x {height} pixels, "
        "multimask=True" in words
    )


@pytest.mark.parametrize("model", [Deaf, Logits])
def test_an_untrained_model_passes_if_that_is_said(model, photographs):
    assert check_model(model(), photographs).findings
    assert check_model(model(), photographs, untrained=True).findings == ()


def test_the_form_of_an_untrained_model_s_answers_is_looked_at(photographs):
    assert check_model(Always(), photographs, untrained=True).findings


CONSTRUCTOR = '''
"""It."""
from sambench.commands.templates.model import NewModel

class Mine(NewModel):
    def __init__(self):
        raise RuntimeError("no weights")
'''


def test_a_model_that_cannot_be_made_is_named_with_its_line(tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text(CONSTRUCTOR)
    said = f"sambench: {path} cannot be made: it raised RuntimeError: no weights at {path}, line 7"
    assert main(["check", "model", str(path)]) == 2
    assert capsys.readouterr().err == f"{said}; -v shows the traceback.\n"
    assert main(["check", "model", str(path), "-v"]) == 2
    assert "Traceback" in capsys.readouterr().err
    path = tmp_path / "other.py"
    path.write_text(CONSTRUCTOR.replace("class", "nothing\n\nclass"))
    assert main(["check", "model", str(path)]) == 2
    assert (
        f"{path} cannot be imported: NameError: name 'nothing' is not defined at {path}, line 5"
        in (capsys.readouterr().err)
    )


@dataclass(frozen=True)
class OrderTask(NewTask):
    """A mean over images that forgets how often each counts."""

    metric: ClassVar[str] = "mean"

    def estimator(self, records):
        means = [float(np.mean(record["iou"])) for record in records]
        return lambda counts: {"mean": float(np.mean(means))}


@dataclass(frozen=True)
class ArrayTask(NewTask):
    """Records that no JSON can hold."""

    def score(self, prediction, truth):
        return {"iou": np.array(super().score(prediction, truth)["iou"])}


@dataclass(frozen=True)
class FirstTask(NewTask):
    """A number that the first image decides."""

    def estimator(self, records):
        first = records[0]["iou"][0]
        return lambda counts: {"mIoU": first}


@dataclass(frozen=True)
class UnnamedTask(NewTask):
    """Ranks by a metric that it does not give."""

    metric: ClassVar[str] = "AP"


@dataclass(frozen=True)
class SilentTask(NewTask):
    """A metric of which nothing is known."""

    metrics = ()
    metric: ClassVar[str] = "mIoU"


@dataclass(frozen=True)
class OpenTask(NewTask):
    """Leaves open what is no option."""

    left_open: ClassVar[Mapping[str, tuple[str, ...]]] = {"theirs": ("luck",)}


@dataclass(frozen=True)
class SmallTask(NewTask):
    """Draws what does not fit the image."""

    def layers(self, prediction):
        return {"Prediction": Layer(map=np.zeros((2, 2)))}


@pytest.mark.parametrize(
    ("task", "check", "said"),
    [
        (SilentTask, "numbers", "metric mIoU is not declared"),
        (OpenTask, "declared", "left_open of preset theirs names luck"),
        (SmallTask, "drawings", "layer Prediction of image"),
        (OrderTask, "resampling", "with count 0 still moves the numbers"),
        (ArrayTask, "plain records", "is not JSON"),
        (FirstTask, "numbers", "order of the images"),
        (UnnamedTask, "numbers", "metric AP is not among mIoU"),
    ],
)
def test_a_broken_task_is_caught_for_the_right_reason(task, check, said):
    report = check_task(task(), NewModel(), load("dataset", "mini"), 3)
    assert any(f.check == check and said in f.problem for f in report.findings)


def test_a_sound_task_passes():
    report = check_task(NewTask(), NewModel(), load("dataset", "mini"), 3)
    assert report.findings == ()
    assert 0.5 < report.facts["mIoU"] < 1


def test_the_task_of_clicks_passes():
    task = load("task", "points", points=2, feedback=False)
    assert check_task(task, load("model", "superpixel"), load("dataset", "mini"), 2).findings == ()


def test_the_set_that_ships_passes():
    report = check_dataset(load("dataset", "mini"))
    assert report.findings == ()
    assert report.facts["images"] == 10


class Wrong:
    """A dataset whose truth is changed before it is given."""

    def __init__(self, change):
        self.inner, self.change = load("dataset", "mini"), change

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def __len__(self):
        return len(self.inner)

    def read_truth(self, id, kind):
        truth = self.inner.read_truth(id, kind)
        return self.change(truth) if kind is Instances else truth


def as_xywh(truth):
    boxes = truth.boxes.copy()
    boxes[:, 2:] -= boxes[:, :2]
    return replace(truth, boxes=boxes)


def emptied(truth):
    empty = encode(np.zeros((1, *truth.size), bool))[0]
    return replace(truth, rles=(empty, *truth.rles[1:]))


def doubled(truth):
    return replace(truth, rles=(truth.rles[1], *truth.rles[1:]), boxes=truth.boxes[[1, *range(1, len(truth))]])  # fmt: skip # noqa: E501


def cropped(truth):
    masks = truth.masks()[:, :-1]
    return replace(truth, rles=tuple(encode(masks)))


@pytest.mark.parametrize(
    ("change", "check", "said"),
    [
        (as_xywh, "boxes", "its mask spans"),
        (emptied, "masks", "no pixel"),
        (doubled, "duplicates", "the same mask as"),
        (cropped, "masks", "in an image of"),
    ],
)
def test_a_broken_dataset_is_caught_for_the_right_reason(change, check, said):
    report = check_dataset(Wrong(change), limit=2)
    assert {finding.check for finding in report.findings} == {check}
    assert said in report.findings[0].problem
