"""The task of noun phrases: datasets that know phrases, models that answer them, its records."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from sambench.checks.dataset import check_dataset
from sambench.checks.task import check_task
from sambench.cli import main
from sambench.data.suites import select
from sambench.datasets._concepts import from_categories
from sambench.datasets.coco import Coco
from sambench.datasets.lvis import Lvis
from sambench.datasets.saco import Saco
from sambench.datasets.scenes import SHAPES
from sambench.engine.evaluation import evaluate
from sambench.errors import UserError
from sambench.interfaces import Masks, Model, ModelCard, Prompts, Sample
from sambench.masks.rle import decode, encode
from sambench.registry import load
from sambench.truths import Concepts, Instances

from ..model.tiny_encoders import tiny_clip

SIZE = (40, 60)


def square(x, y, side=10):
    mask = np.zeros(SIZE, bool)
    mask[y : y + side, x : x + side] = True
    return mask


def rle(mask):
    [encoded] = encode(mask[None])
    return {"size": encoded["size"], "counts": encoded["counts"].decode()}


def photograph(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (*SIZE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def entry(id, **more):
    return {"id": id, "file_name": f"{id}.png", "height": SIZE[0], "width": SIZE[1], **more}


def marked(id, image, category, mask, **more):
    return {"id": id, "image_id": image, "category_id": category, "segmentation": rle(mask), **more}


CATEGORIES = [{"id": i, "name": n} for i, n in ((1, "cat"), (2, "hot_dog"), (3, "car"), (4, "cow"))]
A, B, C = square(2, 2), square(20, 5), square(40, 20)


def coco(folder):
    photograph(folder / "images" / "1.png")
    photograph(folder / "images" / "2.png", 1)
    annotations = [
        marked(1, 1, 2, A),
        marked(2, 1, 1, B),
        marked(3, 1, 2, C),
        marked(4, 2, 3, A, iscrowd=1),
        marked(5, 2, 3, B),
    ]
    content = {"images": [entry(1), entry(2)], "annotations": annotations, "categories": CATEGORIES}
    (folder / "coco.json").write_text(json.dumps(content))
    return Coco(annotations=str(folder / "coco.json"), images=str(folder / "images"))


def test_names_of_coco_are_phrases_and_absent_ones_negatives(tmp_path):
    truth = coco(tmp_path).read_truth("1", Concepts)
    assert truth.phrases == ("cat", "hot dog", "car", "cow")
    assert [[len(masks) for masks in own] for own in truth.annotations] == [[1], [2], [0], [0]]
    assert truth.exhaustive.all()
    assert np.array_equal(decode(truth.annotations[1][0]), np.stack([A, C]))


def test_a_category_with_a_crowd_is_not_exhaustive(tmp_path):
    truth = coco(tmp_path).read_truth("2", Concepts)
    assert truth.exhaustive.tolist() == [True, True, False, True]


def test_phrases_of_lvis_are_what_is_known_of_an_image(tmp_path):
    address = "http://images.cocodataset.org/val2017/000000000001.jpg"
    image = entry(1, coco_url=address, neg_category_ids=[4], not_exhaustive_category_ids=[2])
    content = {
        "images": [image],
        "annotations": [marked(1, 1, 2, A), marked(2, 1, 1, B)],
        "categories": [{**category, "frequency": "f"} for category in CATEGORIES],
    }
    (tmp_path / "lvis_v1_val.json").write_text(json.dumps(content))
    truth = Lvis(root=str(tmp_path)).read_truth("1", Concepts)
    assert truth.phrases == ("cat", "hot dog", "cow")
    assert truth.exhaustive.tolist() == [True, False, True]
    assert truth.annotations[2] == ((),)


def test_scenes_know_all_their_shapes():
    dataset = load("dataset", "scenes:images=3")
    truth = dataset.read_truth("0", Concepts)
    assert truth.phrases == tuple(shape.__name__ for shape in SHAPES)
    assert sum(len(masks) for (masks,) in truth.annotations) == len(dataset["0"].truth)
    report = check_dataset(dataset)
    assert not report.findings
    assert "concepts" in report.checks


def test_phrases_of_another_size_are_found():
    class Small(type(load("dataset", "scenes:images=1"))):
        def read_truth(self, id, kind):
            truth = super().read_truth(id, kind)
            return replace(truth, annotations=(((rle(A),),),) * 5) if kind is Concepts else truth

    assert {found.check for found in check_dataset(Small(images=1)).findings} == {"phrases"}


PHRASES = ("a cat", "red car", "cow")


def saco(folder, subset="gold_tiny", files=None, exhaustive=(1, 1, 1), **changed):
    """Three phrases of one image: the annotators a, b, c mark 1, 2 and 0 cats and a car each."""
    photograph(folder / "images" / "x" / "1.jpg")
    Image.open(folder / "images" / "x" / "1.jpg").save(folder / "images" / "x" / "1.png")
    cats = ([A], [A, B], [])
    files = files or [f"{subset}_merged_{letter}_release_test.json" for letter in "abc"]
    for number, name in enumerate(files):
        images = [
            entry(10 + i, text_input=phrase, is_instance_exhaustive=1) | {"file_name": "x/1.png"}
            for i, phrase in enumerate(PHRASES)
        ]
        images[1]["is_instance_exhaustive"] = exhaustive[number]
        masks = [(10, mask) for mask in cats[number]] + [(11, C)]
        annotations = [
            marked(i + 1, image, 1, mask, bbox=[0.1, 0.1, 0.2, 0.2], area=0.01)
            for i, (image, mask) in enumerate(masks)
        ]
        content = {"images": images, "annotations": annotations}
        content |= {"categories": [{"id": 1, "name": "object"}]}
        if number == 1:
            content["images"][0] |= changed
        (folder / name).write_text(json.dumps(content))
    return Saco(subset, str(folder))


def test_saco_gold_has_three_annotators(tmp_path):
    dataset = saco(tmp_path)
    assert dataset.ids == ("x/1.png",)
    assert dataset.card.name == "saco_gold_tiny"
    truth = dataset["x/1.png"].truth
    assert truth.phrases == PHRASES
    assert [[len(own) for own in pair] for pair in truth.annotations] == [
        [1, 2, 0], [1, 1, 1], [0, 0, 0],
    ]  # fmt: skip
    assert truth.exhaustive.all()
    assert not check_dataset(dataset).findings
    found = evaluate(
        "text", model=Told({"red car": [C]}), dataset=dataset, workers=0, output=tmp_path
    )
    assert found.metrics["cgF1"].value == pytest.approx(1, abs=2e-4)


def test_a_pair_is_exhaustive_if_all_annotators_say_so(tmp_path):
    truth = saco(tmp_path, exhaustive=(1, 0, 1))["x/1.png"].truth
    assert truth.exhaustive.tolist() == [True, False, True]


def test_saco_silver_has_one_annotator(tmp_path):
    truth = saco(tmp_path, "silver_tiny", ["silver_tiny_merged_test.json"])["x/1.png"].truth
    assert [len(pair) for pair in truth.annotations] == [1, 1, 1]


def test_saco_says_what_is_wrong(tmp_path):
    saco(tmp_path)
    with pytest.raises(UserError, match="has 0 files gold_other"):
        Saco("gold_other", str(tmp_path))
    with pytest.raises(UserError, match="subset=bronze_x is unknown"):
        Saco("bronze_x", str(tmp_path))
    with pytest.raises(UserError, match="other pairs of image and phrase"):
        saco(tmp_path, text_input="a dog").ids  # noqa: B018
    lacking = saco(tmp_path)
    content = json.loads(lacking.paths[0].read_text())
    del content["images"][1]["is_instance_exhaustive"]
    lacking.paths[0].write_text(json.dumps(content))
    with pytest.raises(UserError, match=r'\(id 11\) has no "is_instance_exhaustive"'):
        lacking.ids  # noqa: B018


def test_the_subsets_of_saco_are_a_suite(tmp_path):
    saco(tmp_path / "saco", "gold_fg_food")
    selection = select(f"saco_gold:root={tmp_path}")
    assert [dataset.card.name for dataset in selection.datasets] == ["saco_gold_fg_food"]
    assert len(selection.absent) == 6


class Told(Model):
    """Gives each phrase the masks it was told, and another one of a score that does not count."""

    prompts = frozenset({"texts"})
    prompt_batch = 2

    def __init__(self, answers):
        self.answers, self.asked = answers, []
        self.card = ModelCard("told")

    def embed(self, images):
        return [image.shape[:2] for image in images]

    def predict(self, embedding, prompts, *, multimask):
        self.asked += prompts.texts
        most = 1 + max(len(self.answers.get(text, ())) for text in prompts.texts)
        logits, scores = torch.ones(len(prompts), most, *embedding), torch.zeros(len(prompts), most)
        for row, text in enumerate(prompts.texts):
            for i, mask in enumerate(self.answers.get(text, ())):
                logits[row, i], scores[row, i] = torch.from_numpy(mask).float() * 2 - 1, 0.5
        scores[scores == 0] = 0.49
        return Masks(logits, scores, embedding, torch.Tensor.clone)


def found_by(task, model, sample):
    [embedding] = model.embed([sample.image])
    return task.predict(model, embedding, sample)


def test_scores_from_a_half_count(tmp_path):
    dataset = coco(tmp_path)
    task, model = load("task", "text"), Told({"hot dog": [A], "cow": [B]})
    sample = dataset.sample("1", Concepts)
    found = found_by(task, model, sample)
    assert tuple(model.asked) == found.phrases == ("cat", "hot dog", "car", "cow")
    assert [len(masks) for masks in found.rles] == [0, 1, 0, 1]
    record = task.score(found, sample.truth)
    counts = [(p["truths"], p["predictions"], p["tp"][0]) for p in record["pairs"]]
    assert counts == [(1, 0, 0), (2, 1, 1), (0, 0, 0), (0, 1, 0)]
    assert record["left_out"] == 0
    loose = found_by(load("task", "text:min_score=0.4"), model, sample)
    assert [len(masks) for masks in loose.rles] == [2, 2, 2, 2]


def test_phrases_with_unmarked_instances_are_not_asked(tmp_path):
    sample = coco(tmp_path).sample("2", Concepts)
    task, model = load("task", "text"), Told({})
    record = task.score(found_by(task, model, sample), sample.truth)
    assert "car" not in model.asked
    assert record["left_out"] == 1


def test_negatives_can_be_a_sample():
    dataset = load("dataset", "scenes:images=6,objects=3")
    asked = {}
    for seed in (0, 0, 1):
        task = load("task", f"text:negatives=1,seed={seed}")
        found = []
        for id in dataset.ids:
            sample = dataset.sample(id, Concepts)
            shown = [any(own) for (own,) in sample.truth.annotations]
            phrases = found_by(task, Told({}), sample).asked
            assert {i for i, is_shown in enumerate(shown) if is_shown} <= set(phrases)
            assert len(phrases) == sum(shown) + 1
            found.append(phrases)
        assert asked.setdefault(seed, found) == found
    assert asked[0] != asked[1]
    positives = load("task", "text:negatives=0")
    sample = dataset.sample("0", Concepts)
    assert all(
        any(sample.truth.annotations[i]) for i in found_by(positives, Told({}), sample).asked
    )


def test_the_oracle_is_the_ceiling_and_the_whole_image_the_floor(tmp_path):
    dataset = coco(tmp_path)
    own = f"coco:annotations={dataset.annotations},images={dataset.images}"
    best = evaluate(
        "text",
        model=load("model", "oracle", dataset=own),
        dataset=dataset,
        workers=0,
        output=tmp_path,
    )
    assert best.metrics["cgF1"].value == pytest.approx(1, abs=1e-4)
    assert best.metrics["IL_FPR"].value == 0
    floor = evaluate("text", model="whole_image", dataset=dataset, workers=0, output=tmp_path)
    # 7 pairs: 2 positives, 5 negatives, all said to be there; no mask covers half of an image.
    wanted = {"cgF1": 0, "pmF1": 0, "IL_MCC": 0, "IL_recall": 1, "IL_precision": 2 / 7, "IL_FPR": 1}
    assert {name: floor.metrics[name].value for name in wanted} == pytest.approx(wanted, abs=1e-5)


def test_the_task_keeps_its_contract(tmp_path):
    dataset = load("dataset", "scenes:images=3")
    model = load("model", "oracle:dataset=scenes:images=3")
    report = check_task(load("task", "text"), model, dataset)
    assert not report.findings, report.findings


def test_predictions_of_other_phrases_are_refused(tmp_path):
    task = load("task", "text")
    sample = coco(tmp_path).sample("1", Concepts)
    found = found_by(task, Told({"cat": [B]}), sample)
    task.save(found, tmp_path / "p")
    assert task.score(task.load(tmp_path / "p"), sample.truth) == task.score(found, sample.truth)
    other = replace(found, phrases=("dog", *found.phrases[1:]))
    with pytest.raises(UserError, match="answers 'dog' as phrase 0"):
        task.score(other, sample.truth)
    (tmp_path / "q.json").write_text('{"a": 1}')
    with pytest.raises(UserError, match=r'q\.json has no "asked"; add it'):
        task.load(tmp_path / "q")


def scored(tmp_path, dataset, results, *more):
    """Exit status of scoring a file of results: mask, score and names of where they belong."""
    (tmp_path / "results.json").write_text(json.dumps(results))
    words = ["score", "--task", "text", "--dataset", dataset, "--workers", "0", "--json", *more]
    words += ["--predictions", str(tmp_path / "results.json"), "--output", str(tmp_path / "scored")]
    return main(words)


def result(image, category, mask, score=0.9):
    return {"image_id": image, "category_id": category, "segmentation": rle(mask), "score": score}


def coco_spec(tmp_path):
    dataset = coco(tmp_path)
    return f"coco:annotations={dataset.annotations},images={dataset.images}"


def test_a_mask_of_another_size_is_refused_where_nothing_is_compared_with_it(tmp_path, capsys):
    """Image 2 shows no cow: any mask would be a false positive, of whatever size."""
    wrong = [result(1, 1, B), result(2, 4, np.ones((20, 30), bool))]
    assert scored(tmp_path, coco_spec(tmp_path), wrong) == 1
    said = capsys.readouterr().err
    assert "image 2 failed: the answer to 'cow' is a mask of size [20, 30] in an image of" in said


def test_masks_of_several_sizes_are_refused_by_the_name_of_their_file(tmp_path, capsys):
    wrong = [result(1, 1, B), result(1, 4, np.ones((20, 30), bool))]
    assert scored(tmp_path, coco_spec(tmp_path), wrong) == 2
    assert f"{tmp_path / 'results.json'}: run-length encoding 1 is of size" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize("score", [45, -0.2])
def test_scores_that_min_score_cannot_be_compared_with_are_refused(tmp_path, capsys, score):
    assert scored(tmp_path, coco_spec(tmp_path), [result(1, 1, B, score)]) == 2
    assert f"has the score {score}, of 'cat' in image 1; write scores from 0 to 1" in (
        capsys.readouterr().err
    )


def test_results_that_are_there_twice_are_said(tmp_path, capsys):
    once, values = [result(1, 1, B), result(1, 2, A), result(2, 1, B)], []
    for results in (once, [*once, once[1]]):
        assert scored(tmp_path, coco_spec(tmp_path), results, "--fresh") == 0
        said = capsys.readouterr()
        values.append(json.loads(said.out)["metrics"]["cgF1"]["value"])
    assert values[1] < values[0]
    assert "results.json has 1 results that are there before, with the same mask" in said.err
    assert "such as of image 1;" in said.err


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"scores": []}, "has lists of unequal length"),
        ({"rles": [[{"size": [9, 9], "counts": "0"}], [], [], []]}, r"rles\[0\]\[0\].counts has"),
        ({"asked": ["one", 1, 2, 3]}, r'asked\[0\] is "one", expected a number'),
        ({"phrases": None}, "phrases is null, expected a list"),
    ],
)
def test_a_spoiled_prediction_is_refused_by_file_and_place(tmp_path, change, says):
    task = load("task", "text")
    sample = coco(tmp_path).sample("1", Concepts)
    path = task.save(found_by(task, Told({"cat": [B]}), sample), tmp_path / "p")
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UserError, match=rf"p\.json.*{says}"):
        task.load(tmp_path / "p")


def test_phrases_that_are_no_categories_are_asked_in_corrupted_images_too(tmp_path):
    pytest.importorskip("imagecorruptions", reason="imagecorruptions-imaug is not installed")
    saco(tmp_path)
    spec = f"saco:subset=gold_tiny;root={tmp_path}"
    dataset = load("dataset", f"corrupted:dataset={spec},kind=contrast")
    load("task", "text").check_images(dataset, dataset.ids)
    with pytest.raises(UserError, match="names its phrases by no category"):
        load("task", "text").load_all(tmp_path / "none.json", dataset)


def test_models_without_texts_are_refused_in_one_sentence(tmp_path, capsys):
    words = ["run", "--task", "text", "--dataset", "scenes:images=2", "--model", "box_mask"]
    words += ["--output", str(tmp_path)]
    assert main(words) == 2
    assert "box_mask does not take" in capsys.readouterr().err


# Everything, ranked by CLIP

transformers = pytest.importorskip("transformers", reason="transformers is not installed")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """CLIP's real class, tiny, with random weights and a tokenizer that spells."""
    return tiny_clip(tmp_path_factory.mktemp("checkpoints") / "tiny_clip")


SCENE = "scenes:images=2"


def ranked(clip, **options):
    """The oracle's masks at points, ranked by the tiny CLIP."""
    inner = f"oracle:dataset={SCENE}"
    return load(
        "model",
        "clip_rank",
        model=inner,
        clip=str(clip),
        stability_score_thresh=0,
        points_per_side=8,
        **options,
    )


def scene():
    dataset = load("dataset", SCENE)
    return dataset.sample("0", Concepts)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:transformers.*")
def test_softmax_is_that_of_clip_itself(clip):
    model = ranked(clip, template="{}", background="ground")
    [embedding] = model.embed([scene().image])
    found = model.predict(embedding, Prompts(texts=("star", "blob")), multimask=True)
    assert found.iou.shape == (2, len(embedding.rles))
    for row, text in enumerate(("star", "blob")):
        tokens = model.tokenizer([text, "ground"], return_tensors="pt", padding=True)
        crops = np.stack([model._crop(scene().image, own) for own in embedding.rles])
        pixels = ((torch.from_numpy(crops) / 255 - model.mean) / model.std).permute(0, 3, 1, 2)
        with torch.inference_mode():
            own = model.net(**tokens, pixel_values=pixels.float()).logits_per_image
        torch.testing.assert_close(found.iou[row], own.softmax(dim=1)[:, 0], atol=1e-5, rtol=1e-4)
    long = model.predict(embedding, Prompts(texts=("a" * 200,)), multimask=True)
    assert long.iou.isfinite().all()
    single = model.predict(embedding, Prompts(texts=("star", "blob")), multimask=False)
    torch.testing.assert_close(single.iou[:, 0], found.iou.max(dim=1).values)


def test_its_masks_are_those_of_the_inner_model(clip):
    model, sample = ranked(clip), scene()
    [embedding] = model.embed([sample.image])
    found = model.predict(embedding, Prompts(texts=("ring",)), multimask=True).binary()[0]
    assert np.array_equal(found, decode(embedding.rles))
    known = {own["counts"] for (masks,) in sample.truth.annotations for own in masks}
    assert {own["counts"] for own in embedding.rles} <= known


def test_a_template_without_a_place_for_the_phrase_is_refused(clip):
    with pytest.raises(UserError, match=r"template=a thing has no \{\} for the phrase"):
        ranked(clip, template="a thing")


def test_best_and_threshold(clip):
    """FastSAM's rule gives one mask whatever is asked; a cosine of 1 is reached by none."""
    [embedding] = ranked(clip).embed([scene().image])
    texts = Prompts(texts=("star", "xyz"))
    fastsam = ranked(clip, select="best", score="cosine", threshold=-1.01)
    scores = fastsam.predict(embedding, texts, multimask=True).iou
    assert ((scores >= 0.5).sum(dim=1) == 1).all()
    strict = ranked(clip, score="cosine", threshold=1.01)
    assert (strict.predict(embedding, texts, multimask=True).iou < 0.5).all()
    cosine = fastsam._texts(["a photo of a star"]) @ embedding.features.T
    at = ranked(clip, score="cosine", threshold=float(cosine.max()))
    scores = at.predict(embedding, Prompts(texts=("star",)), multimask=True).iou[0]
    assert float(scores.max()) == pytest.approx(0.5, abs=1e-4)
    assert int(scores.argmax()) == int(cosine.argmax())


def test_crops_are_squares_around_the_mask(clip):
    image = np.full((*SIZE, 3), 100, np.uint8)
    image[A] = 200
    [own] = encode(A[None])
    sharp = {"expand": 2.0}
    kept = ranked(clip, **sharp)._crop(image, own)
    assert kept.shape == (32, 32, 3)
    # The square is x, y from -3 to 17, black beyond the image; the mask is the 10 in its middle.
    assert kept[16, 16].tolist() == [200] * 3
    assert kept[28, 28].tolist() == [100] * 3
    assert kept[1, 16].tolist() == [0] * 3
    assert ranked(clip, outside="zero", **sharp)._crop(image, own)[28, 28].tolist() == [0] * 3
    white = ranked(clip, outside="white", **sharp)._crop(image, own)
    assert white[28, 28].tolist() == white[1, 16].tolist() == [255] * 3
    assert (ranked(clip, outside="zero", expand=1.0)._crop(image, own) == 200).all()


def test_an_image_without_masks_has_no_phrase(clip):
    model = ranked(clip, pred_iou_thresh=1)
    [embedding] = model.embed([scene().image])
    answer = model.predict(embedding, Prompts(texts=("star",)), multimask=True)
    assert not answer.iou.any()
    assert not answer.binary().any()


def test_the_composition_runs_through_the_command_line(clip, tmp_path, capsys):
    words = ["run", "--task", "text", "--dataset", "scenes:images=3", "--workers", "0", "--json"]
    words += ["--output", str(tmp_path), "--model", f"clip_rank:clip={clip},points_per_side=3"]
    assert main(words) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["model"].startswith("minisam_tiny_clip")
    assert result["images"] == 3
    assert "against 'a photo of the background'" in result["protocol"]["model"]["preprocessing"]


def test_a_missing_clip_is_named(tmp_path):
    with pytest.raises(UserError, match="cannot be loaded by transformers"):
        load("model", f"clip_rank:clip={tmp_path / 'nothing'}")


def test_a_sample_without_phrases_asks_nothing():
    truth = Concepts(SIZE, (), (), np.zeros(0, bool))
    found = found_by(
        load("task", "text"), Told({}), Sample("1", np.zeros((*SIZE, 3), np.uint8), truth)
    )
    assert found.phrases == ()


def test_an_image_of_which_nothing_is_known_asks_nothing():
    none = np.zeros(0, dtype=np.int64)
    truth = Instances((4, 4), (), (), none, np.zeros((0, 4)), np.zeros(0), none.astype(bool))
    found = from_categories(truth, {1: "cat"}, absent=(), unsure=())
    assert found.phrases == ()
    assert found.exhaustive.dtype == bool
    assert load("task", "text")._asked(found, "one") == ()
