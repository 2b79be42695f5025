"""Classes by their names: what is asked, AP against pycocotools, labels by the highest score."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from sambench.cli import main
from sambench.datasets.coco import Coco
from sambench.datasets.lvis import Lvis
from sambench.engine.evaluation import evaluate
from sambench.errors import UserError
from sambench.interfaces import Masks, Model, ModelCard
from sambench.masks.rle import decode, encode
from sambench.registry import load
from sambench.tasks._coco_results import results
from sambench.tasks._vocabulary import dealt
from sambench.truths import Instances, Segments

SIZE = (40, 60)
NAMES = {1: "cat", 2: "hot_dog", 3: "car", 4: "Cow"}


def square(x, y, side=10):
    mask = np.zeros(SIZE, bool)
    mask[y : y + side, x : x + side] = True
    return mask


A, B, C = square(2, 2), square(20, 5), square(40, 20)


def rle(mask):
    [encoded] = encode(mask[None])
    return {"size": encoded["size"], "counts": encoded["counts"].decode()}


def write(folder, categories=NAMES, synonyms=None, **image):
    """Two images: a cat and two hot dogs in the first, a car in the second."""
    (folder / "images").mkdir(exist_ok=True)
    images = []
    for id in (1, 2):
        pixels = np.random.default_rng(id).integers(0, 255, (*SIZE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{id}.png")
        images.append({"id": id, "file_name": f"{id}.png", "height": 40, "width": 60, **image})
    marks = [(1, 2, A), (1, 1, B), (1, 2, C), (2, 3, B)]
    annotations = [
        {"id": n, "image_id": i, "category_id": c, "segmentation": rle(m), "iscrowd": 0,
         "area": 100, "bbox": [*map(float, np.argwhere(m).min(axis=0)[::-1]), 10, 10]}
        for n, (i, c, m) in enumerate(marks, start=1)
    ]  # fmt: skip
    entries = [{"id": i, "name": n, "frequency": "f"} for i, n in categories.items()]
    for entry in entries if synonyms else ():
        entry["synonyms"] = synonyms.get(entry["id"], [entry["name"]])
    content = {"images": images, "annotations": annotations, "categories": entries}
    (folder / "all.json").write_text(json.dumps(content))
    return folder / "all.json"


def coco(folder, **options):
    return Coco(annotations=str(write(folder, **options)), images=str(folder / "images"))


class Told(Model):
    """Answers each phrase with masks and scores it was made with, and notes the phrases."""

    prompts = frozenset({"texts"})
    prompt_batch = 2

    def __init__(self, answers):
        self.answers, self.asked = answers, []
        self.card = ModelCard("told")

    def embed(self, images):
        return [None for _ in images]

    def predict(self, embedding, prompts, *, multimask):
        self.asked += prompts.texts
        most = max(1, *(len(self.answers.get(text, ())) for text in prompts.texts))
        logits, scores = (
            torch.full((len(prompts), most, *SIZE), -1.0),
            torch.zeros(len(prompts), most),
        )
        for row, text in enumerate(prompts.texts):
            for place, (mask, score) in enumerate(self.answers.get(text, ())):
                logits[row, place][torch.from_numpy(mask)] = 1
                scores[row, place] = score
        return Masks(logits, scores, SIZE, lambda logits: logits)


ANSWERS = {"cat": [(B, 0.9), (A, 0.4)], "hot dog": [(C, 0.8)], "car": [(square(0, 0), 0.3)]}


def seen(dataset, spec, answers=ANSWERS, id="1"):
    task, model = load("task", spec), Told(answers)
    task.check(dataset)
    prediction = task.predict(model, None, dataset.sample(id, task.truth))
    return model.asked, prediction


def test_every_name_is_asked_once_as_a_phrase(tmp_path):
    asked, found = seen(coco(tmp_path), "open_vocabulary:min_score=0.1")
    assert asked == ["cat", "hot dog", "car", "Cow"]
    masks = found.detections
    assert masks.scores.tolist() == pytest.approx([0.9, 0.8, 0.4, 0.3])
    assert masks.categories.tolist() == [1, 2, 1, 3]
    assert np.array_equal(decode(masks.rles), np.stack([B, C, A, square(0, 0)]))
    assert found.image_id == 1


def test_only_what_is_shown_and_the_template(tmp_path):
    dataset = coco(tmp_path)
    for task in ("open_vocabulary", "open_semantic"):
        asked, _ = seen(dataset, f"{task}:ask=shown,template=a photo of a {{}}")
        assert asked == ["a photo of a cat", "a photo of a hot dog"]
    assert seen(dataset, "open_vocabulary:ask=judged")[0] == ["cat", "hot dog", "car", "Cow"]
    with pytest.raises(UserError, match=r"has no \{\} for the name"):
        load("task", "open_vocabulary:template=a")


def test_a_limit_keeps_the_most_confident_of_all_names(tmp_path):
    _, found = seen(coco(tmp_path), "open_vocabulary:most=2")
    assert found.detections.scores.tolist() == pytest.approx([0.9, 0.8])
    assert found.detections.categories.tolist() == [1, 2]


def test_of_lvis_what_is_judged_is_what_is_annotated(tmp_path):
    address = "http://images.cocodataset.org/images/1.png"
    federated = {"coco_url": address, "neg_category_ids": [4], "not_exhaustive_category_ids": []}
    dataset = Lvis(annotations=str(write(tmp_path, **federated)), images=str(tmp_path))
    assert seen(dataset, "open_vocabulary:ask=judged")[0] == ["cat", "hot dog", "Cow"]
    _, found = seen(dataset, "open_vocabulary:fixed=true")
    assert len(found.detections) == 2 + 2 + 1 + 1  # candidates of the four names, without a limit
    task = load("task", "open_vocabulary")
    record = task.score(found, dataset.read_truth("1", Instances))
    assert record["frequency"] == {1: "f", 2: "f"}


def test_of_synonyms_the_best_answers(tmp_path):
    synonyms = {2: ["hot_dog", "frankfurter"], 1: ["cat"]}
    dataset = coco(tmp_path, synonyms=synonyms)
    answers = {"hot dog": [(A, 0.2)], "frankfurter": [(C, 0.7), (B, 0.6)]}
    asked, found = seen(dataset, "open_vocabulary:synonyms=best,min_score=0.1", answers)
    assert asked == ["cat", "hot dog", "frankfurter", "car", "Cow"]
    assert found.detections.scores.tolist() == pytest.approx([0.7, 0.6])
    assert found.detections.categories.tolist() == [2, 2]
    with pytest.raises(UserError, match="gives its categories no synonyms"):
        load("task", "open_vocabulary:synonyms=best").check(coco(tmp_path))


def test_names_are_dealt_so_that_none_keeps_its_own(tmp_path):
    words = {id: (name,) for id, name in NAMES.items()}
    for seed in range(20):
        given = dealt(words, seed)
        assert sorted(given.values()) == sorted(words.values())
        assert all(given[id] != words[id] for id in words)
    assert len({tuple(dealt(words, seed).values()) for seed in range(20)}) > 2
    asked, _ = seen(coco(tmp_path), "open_semantic:ask=shown,dealt=3")
    assert asked == [name.replace("_", " ") for (name,) in map(dealt(words, 3).get, (1, 2))]


def test_without_names_there_is_nothing_to_ask(tmp_path):
    bbbc = type("Bare", (Coco,), {"categories": {}})
    path = write(tmp_path)
    dataset = bbbc(annotations=str(path), images=str(tmp_path / "images"))
    with pytest.raises(UserError, match="lists no categories"):
        load("task", "open_semantic").check(dataset)
    with pytest.raises(UserError, match="call check"):
        load("task", "open_semantic").predict(Told({}), None, dataset.sample("1", Segments))


def test_average_precision_is_that_of_pycocotools(tmp_path):
    """One hot dog of two, the cat with a wrong mask below it; the car's mask misses."""
    path = write(tmp_path)
    dataset = f"coco:annotations={path},images={tmp_path / 'images'}"
    values = {}
    for evaluator in ("sambench", "official"):
        result = evaluate(
            "open_vocabulary", model=Told(ANSWERS), dataset=dataset, output=tmp_path / evaluator,
            evaluator=evaluator, min_score=0.1, resamples=0, progress=False, predictions="none",
        )  # fmt: skip
        values[evaluator] = {name: e.value for name, e in result.metrics.items()}
    for name, value in values["official"].items():
        assert values["sambench"][name] == pytest.approx(value, abs=0, nan_ok=True), name
    # The second image shows no cat and no hot dog, where the same masks are answered: of equal
    # scores, the first image's come first.
    assert values["sambench"]["AP"] == pytest.approx((1 + 51 / 101 + 0) / 3)


def test_oracles_are_perfect_and_a_file_of_results_scores_as_the_run(tmp_path, capsys):
    path = write(tmp_path)
    data = f"coco:annotations={path},images={tmp_path / 'images'}"
    for task, metric in (("open_vocabulary", "AP"), ("open_semantic", "mIoU")):
        result = evaluate(
            task, model=load("model", "oracle", dataset=data), dataset=data, output=tmp_path / task,
            min_score=0.5, resamples=0, progress=False, predictions="all",
        )  # fmt: skip
        assert result.metrics[metric].value == 1
    dataset = load("dataset", data)
    _, found = seen(dataset, "open_vocabulary:min_score=0.1")
    (tmp_path / "results.json").write_text(json.dumps(results(found)))
    words = ["score", "--task", "open_vocabulary", "--predictions", str(tmp_path / "results.json")]
    words += ["--dataset", data, "--output", str(tmp_path / "scored"), "--json", "--workers", "0"]
    assert main(words) == 0
    scored = json.loads(capsys.readouterr().out)
    assert scored["metrics"]["AP"]["value"] == pytest.approx((1 + 51 / 101 + 0) / 3)


@pytest.mark.parametrize(
    "option", ["min_score=0.5", "most=1", "ask=shown", "template=a {}", "dealt=1"]
)
def test_what_says_how_a_model_is_asked_is_refused_of_masks_made_elsewhere(tmp_path, option):
    dataset, task = coco(tmp_path), load("task", f"open_vocabulary:{option}")
    (tmp_path / "results.json").write_text("[]")
    with pytest.raises(UserError, match=f"--{option.partition('=')[0].replace('_', '-')} says how"):
        task.load_all(tmp_path / "results.json", dataset)
    with pytest.raises(UserError, match="scored as they are"):
        task.surveyed([])
    assert load("task", "open_semantic:background=class").surveyed([]).background == "class"


def test_categories_that_a_name_does_not_tell_apart_are_refused(tmp_path):
    """The first would take all pixels of both, and the other have an IoU of 0."""
    dataset = coco(tmp_path, categories={**NAMES, 7: "Hot dog"})
    for task in ("open_semantic", "open_vocabulary"):
        with pytest.raises(UserError, match="calls both category 2 and 7 'hot dog'"):
            load("task", task).check(dataset)


def test_a_pixel_is_of_the_class_of_the_highest_score(tmp_path):
    dataset = coco(tmp_path)
    answers = {"cat": [(B, 0.9), (A, 0.4)], "hot dog": [(A | square(24, 5), 0.8)]}
    _, found = seen(dataset, "open_semantic", answers)
    assert found.categories.tolist() == [1, 2]
    assert np.array_equal(found.mask(0), B)
    assert np.array_equal(found.mask(1), (A | square(24, 5)) & ~B)


def test_void_counts_where_it_is_a_class(tmp_path):
    """A cat's 100 pixels, of which the answer has 60, and 40 elsewhere, in an image of 2400."""
    truth = Segments(B.astype(np.int64), np.array([1]), np.array([True]), np.array([False]))
    labels = (square(24, 5) | square(20, 20, 0)).astype(np.int64)
    none = np.zeros(1, bool)
    answer = Segments(labels, np.array([1]), none, none)
    expected = {"void": (60 / 100, 0.6), "class": ((60 / 140 + 2260 / 2340) / 2, 2320 / 2400)}
    for background, (miou, accuracy) in expected.items():
        task = load("task", f"open_semantic:background={background}")
        found = task.estimator([task.score(answer, truth)])(np.ones(1))
        assert (found["mIoU"], found["accuracy"]) == pytest.approx((miou, accuracy))


def test_the_protocol_says_what_was_asked(tmp_path):
    data = f"coco:annotations={write(tmp_path)},images={tmp_path / 'images'}"
    result = evaluate(
        "open_semantic", model=Told(ANSWERS), dataset=data, output=tmp_path,
        template="the {}", dealt=1, resamples=0, progress=False,
    )  # fmt: skip
    said = result.protocol["task"]
    assert (said["template"], said["dealt"], said["ask"]) == ("the {}", 1, "all")
