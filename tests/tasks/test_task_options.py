"""Every option of every task changes what it says, and an option without an entry here fails.

A probe answers with squares around each prompt and remembers what it was asked; each entry has two
settings of an option and says what must differ between what was seen with them.
"""

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch

from sambench.data.expressions import Expressions
from sambench.errors import UserError
from sambench.interfaces import Masks, Model, ModelCard, Prompts, Sample
from sambench.masks import rle
from sambench.metrics.edges import boundaries
from sambench.registry import find, load, names, option_types
from sambench.truths import Boundaries, Concepts, Instances, Regions, Segments


class Probe(Model):
    """Squares around the last click, a box's centre or a phrase's place; larger, more confident."""

    prompts = frozenset({"points", "boxes", "masks", "texts"})
    RADII = (5.0, 8.0, 12.0)

    def __init__(self) -> None:
        self.card = ModelCard("probe")
        self.asked: list[tuple[Prompts, bool]] = []

    def embed(self, images):
        return [image.shape[:2] for image in images]

    def predict(self, embedding, prompts, *, multimask):
        self.asked.append((prompts, multimask))
        height, width = embedding
        centres = self.centres(prompts, width, height)
        rows, columns = torch.arange(height), torch.arange(width)
        far = torch.maximum(
            (rows[None, :, None] - centres[:, 1, None, None]).abs(),
            (columns[None, None] - centres[:, 0, None, None]).abs(),
        )
        spread = 0.3 * torch.frac(centres[:, 0] * 0.37 + centres[:, 1] * 0.11)
        radii = torch.tensor(self.RADII if multimask else [6.0]) * (1.4 - 2 * spread[:, None])
        steep = torch.tensor([8.0, 4.0, 0.3] if multimask else [1.0])
        logits = (radii[..., None, None] - far[:, None]) * steep[:, None, None]
        first = torch.tensor([0.97, 0.85, 0.72] if multimask else [0.9])
        return Masks(logits, first[None] - spread[:, None], embedding, lambda logits: logits)

    @staticmethod
    def centres(prompts, width, height):
        if prompts.points is not None:
            last = (prompts.labels >= 0).sum(axis=1) - 1
            return torch.as_tensor(prompts.points[np.arange(len(last)), last]).float()
        if prompts.boxes is not None:
            return torch.as_tensor(prompts.boxes.reshape(-1, 2, 2).mean(axis=1)).float()
        places = [sum(map(ord, text)) for text in prompts.texts]
        return torch.tensor([[place % width, place * 7 % height] for place in places]).float()


@dataclass
class Seen:
    """What there was with one setting."""

    task: Any
    asked: list[tuple[Prompts, bool]]
    predictions: list[Any]
    records: list[Any]
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def first(self):
        return self.asked[0][0]

    @property
    def prompted(self):
        """Prompts of all calls."""
        return sum(len(prompts) for prompts, _ in self.asked)

    def text(self):
        return json.dumps([self.records, self.metrics], sort_keys=True)


SIZE = 48, 64
PHRASES = ("square", "disc", "cat", "dog", "tree", "car", "sun")


def disc(x, y, radius):
    rows, columns = np.ogrid[: SIZE[0], : SIZE[1]]
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


def square(x, y, side):
    mask = np.zeros(SIZE, dtype=bool)
    mask[y : y + side, x : x + side] = True
    return mask


def instances(masks):
    encoded = rle.encode(np.stack(masks))
    return Instances(
        size=SIZE, rles=tuple(encoded), ids=tuple(range(1, len(masks) + 1)),
        categories=np.arange(1, len(masks) + 1), boxes=rle.boxes(encoded).astype(np.float64),
        areas=np.array([mask.sum() for mask in masks], dtype=np.float64),
        crowd=np.array([False] * (len(masks) - 1) + [True]),
    )  # fmt: skip


def truths(shift):
    """Three objects, of which the first two overlap and the last is a crowd, in each form."""
    masks = [square(8 + shift, 6, 15), disc(24 + shift, 20, 9), square(44, 30 - shift, 12)]
    labels = np.zeros(SIZE, dtype=np.int64)
    for number, mask in enumerate(masks, start=1):
        labels[mask] = number
    other = np.where(labels == 2, 1, labels)
    edges = [drawn != np.roll(drawn, 1, axis=1) for drawn in (labels, other)]
    named = [((tuple(rle.encode(mask[None])),)) for mask in masks[:2]]
    return {
        Instances: instances(masks),
        Boundaries: Boundaries(tuple(edges)),
        Regions: Regions((labels, other)),
        Segments: Segments(
            labels, np.array([1, 2, 3]), np.array([True, True, False]), np.array([False] * 3)
        ),
        Concepts: Concepts(
            SIZE, PHRASES, tuple(named) + (((),),) * (len(PHRASES) - 2),
            np.ones(len(PHRASES), dtype=bool),
        ),
        Expressions: Expressions(
            SIZE, PHRASES, tuple(own for (own,) in named) + ((),) * (len(PHRASES) - 2)
        ),
    }  # fmt: skip


def see(spec):
    task, model = load("task", spec), Probe()
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    predictions, records = [], []
    for shift in (0, 2):
        sample = Sample(f"image {shift}", image, truths(shift)[task.truth])
        [embedding] = model.embed([sample.image])
        predictions.append(task.predict(model, embedding, sample))
        records.append(json.loads(json.dumps(task.score(predictions[-1], sample.truth))))
    metrics = task.estimator(records)(np.ones(len(records)))
    return Seen(task, model.asked, predictions, records, metrics)


def differ(one, other):
    """Same prompts and predictions are made; the numbers differ."""
    assert len(one.asked) == len(other.asked)
    assert one.text() != other.text()


def grid_of(seen):
    return len(np.unique(seen.first.points[:, 0, 0])), len(np.unique(seen.first.points[:, 0, 1]))


def sides(one, other):
    assert (grid_of(one), grid_of(other)) == ((3, 3), (5, 5))
    assert (one.prompted, other.prompted) == (2 * 9, 2 * 25)


def counts(seen):
    return [len(found.detections) for found in seen.predictions]


def fewer(one, other):
    assert all(a > b > 0 for a, b in zip(counts(one), counts(other), strict=True))


def values(seen):
    return sum(len(np.unique(prediction)) for prediction in seen.predictions)


def less_found(one, other):
    assert values(one) > values(other) > len(other.predictions)


def asks_for_one(one, other):
    assert {several for _, several in one.asked} == {True}
    assert {several for _, several in other.asked} == {False}


def boxes_then_points(one, other):
    assert one.first.points is None
    assert one.first.boxes is not None
    assert other.first.boxes is None
    assert set(other.first.labels.ravel().tolist()) == {1}


def other_masks(one, other):
    differ(one, other)
    assert [p.kinds() for p, _ in one.asked] == [p.kinds() for p, _ in other.asked]


def longest(seen):
    return max(len(masks) for found in seen.predictions for masks in found.masks)


def clicks_made(one, other):
    assert (longest(one), longest(other)) == (2, 4)


def fed_back(one, other):
    assert all(p.masks is not None for p, _ in one.asked[1:2])
    assert all(p.masks is None for p, _ in other.asked)


def distinct(seen):
    found = [clicks for prediction in seen.predictions for clicks in prediction.clicks]
    return all(len({tuple(c[:2]) for c in clicks}) == len(clicks) for clicks in found)


def never_twice(one, other):
    assert not distinct(one)
    assert distinct(other)


def other_clicks(one, other):
    assert [p.clicks for p in one.predictions] != [p.clicks for p in other.predictions]
    first = [[clicks[0] for clicks in p.clicks] for p in one.predictions]
    return first == [[clicks[0] for clicks in p.clicks] for p in other.predictions]


def only_later_clicks(one, other):
    assert other_clicks(one, other)


def all_clicks(one, other):
    assert not other_clicks(one, other)


def stops(one, other):
    def made(seen):
        return sum(len(masks) for found in seen.predictions for masks in found.masks)

    assert made(one) < made(other)
    assert {len(m) for found in other.predictions for m in found.masks} == {4}


def several_each_time(one, other):
    """Confident asks for three each time; single never; the mixed rule the first time only."""
    rounds = [several for _, several in one.asked]
    assert rounds[0]
    assert not all(rounds)
    assert all(several for _, several in other.asked)


def lighter(one, other):
    differ(one, other)
    assert all((a != b).any() for a, b in zip(one.predictions, other.predictions, strict=True))


def same_map(one, other):
    """An option of scoring: predictions stay, records differ."""
    differ(one, other)
    for a, b in zip(one.predictions, other.predictions, strict=True):
        np.testing.assert_array_equal(a, b)


def best_alone(one, other):
    assert all(set(np.unique(p)) == {0.0, 1.0} for p in one.predictions)
    assert values(other) > 4


def at_most(one, other):
    assert counts(one) == [4, 4]
    assert counts(other) == [7, 7]


def order_of_masks(one, other):
    def ordered(seen):
        return [str(p.detections.rles) for p in seen.predictions]

    assert ordered(one) != ordered(other)


def smaller_scores(one, other):
    for a, b in zip(one.predictions, other.predictions, strict=True):
        assert a.detections.rles == b.detections.rles
        assert (b.detections.scores < a.detections.scores).all()


def twice(one, other):
    assert len(other.asked) == 2 * len(one.asked)
    refined, several = other.asked[1]
    assert refined.kinds() == {"boxes", "masks"}
    assert not several


def asked_phrases(seen):
    return [p.phrases for p in seen.predictions]


def negatives(one, other):
    assert all(set(a) < set(b) for a, b in
               zip(asked_phrases(one), asked_phrases(other), strict=True))  # fmt: skip


def draws(one, other):
    assert [len(a) for a in asked_phrases(one)] == [len(a) for a in asked_phrases(other)]
    assert asked_phrases(one) != asked_phrases(other)


def kept_masks(one, other):
    def kept(seen):
        return sum(len(masks) for p in seen.predictions for masks in p.rles)

    assert kept(one) > kept(other)
    assert all(s >= 0.8 for p in other.predictions for scores in p.scores for s in scores)


def nothing_answered(one, other):
    def answered(seen):
        return sum(row[3] for record in seen.records for row in record["pixels"])

    assert answered(one) > answered(other)


def finer(one, other):
    assert values(one) > values(other)
    for labels in other.predictions:
        assert np.bincount(labels.ravel()).min() >= 40


def best_is_no_worse(one, other):
    same_map(one, other)
    assert other.metrics["ASA"] >= one.metrics["ASA"]
    assert other.metrics["UE"] <= one.metrics["UE"]


def more_recall(one, other):
    same_map(one, other)
    assert other.metrics["BR"] > one.metrics["BR"]


def tolerates(one, other):
    assert one.prompted == other.prompted
    assert one.metrics["NSD"] < other.metrics["NSD"] <= 1
    for name in ("Dice", "HD95"):
        assert one.metrics[name] == other.metrics[name]


def other_sizes(one, other):
    """Prompts are moved farther: that which lies still is the same."""
    for first, second in zip(one.predictions, other.predictions, strict=True):
        pairs = list(zip(first.prompts, second.prompts, strict=True))
        assert pairs
        assert all(a[0] == b[0] and a[1:] != b[1:] for a, b in pairs)


def more_draws(one, other):
    counts = [{len(own) for p in seen.predictions for own in p.masks} for seen in (one, other)]
    assert counts == [{5}, {9}]


def clicks_of_boxes(one, other):
    assert one.first.boxes is not None
    assert other.first.points is not None


def gives_up(one, other):
    assert [len(clicks) for p in one.predictions for clicks in p.clicks] == [2] * 4
    assert [len(clicks) for p in other.predictions for clicks in p.clicks] == [1] * 4


def counts_crowds(one, other):
    assert [record["objects"] for record in one.records] == [[1, 2], [1, 2]]
    assert [record["objects"] for record in other.records] == [[1, 2, 3], [1, 2, 3]]


def moves_away(one, other):
    """How far the negative clicks are, rounded to pixels; the positive ones stay."""
    assert other_clicks(one, other)
    for seen, distance in ((one, 5), (other, 9)):
        pairs = [np.array(pair) for p in seen.predictions for pair in p.clicks]
        far = [np.hypot(*(last - first)[:2]) for first, last in pairs]
        assert far == pytest.approx([distance] * len(far), abs=0.71)


GRID = "points_per_side=3,pred_iou_thresh=0,stability_score_thresh=0"
FINE = GRID.replace("3", "8", 1)
ENTRIES = {
    ("edges", "points_per_side"): ("points_per_side=3", "points_per_side=5", sides),
    ("edges", "box_nms_thresh"): (
        "points_per_side=6,box_nms_thresh=1",
        "points_per_side=6,box_nms_thresh=0.1",
        lighter,
    ),
    ("edges", "boundary"): ("points_per_side=4", "points_per_side=4,boundary=inner", lighter),
    ("edges", "suppression"): (
        "points_per_side=4",
        "points_per_side=4,suppression=canny",
        same_map,
    ),
    ("edges", "smooth"): ("points_per_side=4", "points_per_side=4,smooth=3", same_map),
    ("foreground", "points_per_side"): (GRID, GRID.replace("3", "5", 1), sides),
    ("foreground", "pred_iou_thresh"): (
        GRID,
        GRID.replace("pred_iou_thresh=0", "pred_iou_thresh=0.7"),
        less_found,
    ),
    ("foreground", "stability_score_thresh"): (
        GRID,
        GRID.replace("score_thresh=0", "score_thresh=0.8"),
        less_found,
    ),
    ("foreground", "box_nms_thresh"): (
        f"{GRID},box_nms_thresh=1",
        f"{GRID},box_nms_thresh=0.01",
        lighter,
    ),
    ("foreground", "center"): (GRID, f"{GRID},center=0", lighter),
    ("foreground", "border"): (GRID, f"{GRID},border=false", lighter),
    ("foreground", "fusion"): (f"{GRID},fusion=best", f"{GRID},fusion=soft", best_alone),
    ("cells", "iterations"): ("iterations=2", "iterations=4", clicks_made),
    ("cells", "feedback"): ("iterations=2,feedback=true", "iterations=2", fed_back),
    ("cells", "seed"): ("iterations=2", "iterations=2,seed=1", only_later_clicks),
    ("instances", "mask"): ("mask=confident", "mask=single", asks_for_one),
    ("instances", "refine"): ("refine=no", "refine=single", twice),
    ("interactive", "clicks"): ("clicks=2,stop=2", "clicks=4,stop=2", clicks_made),
    ("interactive", "stop"): ("clicks=4,stop=0.1", "clicks=4,stop=2", stops),
    ("interactive", "mask"): (
        "clicks=3,mask=confident-then-single",
        "clicks=3,mask=confident",
        several_each_time,
    ),
    ("interactive", "feedback"): ("clicks=2", "clicks=2,feedback=false", fed_back),
    ("interactive", "shake"): ("clicks=4,stop=2", "clicks=4,stop=2,shake=0.5", all_clicks),
    ("interactive", "seed"): (
        "clicks=4,stop=2,shake=0.5",
        "clicks=4,stop=2,shake=0.5,seed=1",
        all_clicks,
    ),
    ("interactive", "repeat"): (
        "clicks=9,stop=2,repeat=true",
        "clicks=9,stop=2,repeat=false",
        never_twice,
    ),
    ("points", "points"): ("points=2", "points=4", clicks_made),
    ("points", "first"): ("first=center", "first=random", all_clicks),
    ("points", "next"): ("points=3", "points=3,next=error-random", only_later_clicks),
    ("points", "mask"): (
        "points=3,mask=confident-then-single",
        "points=3,mask=confident",
        several_each_time,
    ),
    ("points", "feedback"): ("points=2", "points=2,feedback=false", fed_back),
    ("points", "repeat"): ("points=9,repeat=true", "points=9,repeat=false", never_twice),
    ("points", "min_error"): (
        "points=2,next=error-random",
        "points=2,next=error-random,min_error=99999",
        gives_up,
    ),
    ("points", "crowd"): ("points=1", "points=1,crowd=true", counts_crowds),
    ("points", "seed"): ("first=random", "first=random,seed=1", all_clicks),
    ("proposals", "points_per_side"): ("points_per_side=3", "points_per_side=5", sides),
    ("proposals", "multimask"): (
        "points_per_side=3",
        "points_per_side=3,multimask=false",
        asks_for_one,
    ),
    ("proposals", "box_nms_thresh"): (
        "points_per_side=8,box_nms_thresh=1",
        "points_per_side=8,box_nms_thresh=0.1",
        fewer,
    ),
    ("proposals", "rank"): (
        "points_per_side=6,box_nms_thresh=0.1",
        "points_per_side=6,box_nms_thresh=0.1,rank=random",
        order_of_masks,
    ),
    ("proposals", "max_proposals"): (
        "points_per_side=4,max_proposals=4",
        "points_per_side=4,max_proposals=7",
        at_most,
    ),
    ("proposals", "pred_iou_thresh"): (
        "points_per_side=4",
        "points_per_side=4,pred_iou_thresh=0.7",
        fewer,
    ),
    ("proposals", "stability_score_thresh"): (
        "points_per_side=4",
        "points_per_side=4,stability_score_thresh=0.8",
        fewer,
    ),
    ("proposals", "seed"): (
        "points_per_side=4,rank=random",
        "points_per_side=4,rank=random,seed=1",
        order_of_masks,
    ),
    ("shaken", "shake"): ("shake=sides", "shake=click", clicks_of_boxes),
    ("shaken", "most"): ("most=0.1,steps=2", "most=0.3,steps=2", other_sizes),
    ("shaken", "steps"): ("steps=2,draws=2", "steps=4,draws=2", more_draws),
    ("shaken", "draws"): ("steps=2,draws=2", "steps=2,draws=4", more_draws),
    ("shaken", "mask"): ("mask=confident", "mask=single", asks_for_one),
    ("shaken", "seed"): ("seed=0", "seed=1", other_sizes),
    ("everything", "points_per_side"): (GRID, GRID.replace("3", "5", 1), sides),
    ("everything", "pred_iou_thresh"): (
        FINE,
        FINE.replace("iou_thresh=0", "iou_thresh=0.7"),
        fewer,
    ),
    ("everything", "stability_score_thresh"): (
        FINE,
        FINE.replace("score_thresh=0", "score_thresh=0.8"),
        fewer,
    ),
    ("everything", "box_nms_thresh"): (
        FINE + ",box_nms_thresh=1",
        FINE + ",box_nms_thresh=0.1",
        fewer,
    ),
    ("agreement", "teacher"): ("teacher=flood_fill", "teacher=whole_image", other_masks),
    ("agreement", "prompt"): (
        "teacher=whole_image,prompt=box",
        "teacher=whole_image,prompt=point",
        boxes_then_points,
    ),
    ("agreement", "distance"): (
        "teacher=whole_image,prompt=pair,distance=5",
        "teacher=whole_image,prompt=pair,distance=9",
        moves_away,
    ),
    ("agreement", "mask"): (
        "teacher=whole_image,mask=confident",
        "teacher=whole_image,mask=single",
        asks_for_one,
    ),
    ("agreement", "seed"): (
        "teacher=whole_image,prompt=pair,distance=9",
        "teacher=whole_image,prompt=pair,distance=9,seed=1",
        only_later_clicks,
    ),
    ("superpixels", "points_per_side"): (GRID, GRID.replace("3", "5", 1), sides),
    ("superpixels", "pred_iou_thresh"): (
        GRID,
        GRID.replace("pred_iou_thresh=0", "pred_iou_thresh=0.7"),
        less_found,
    ),
    ("superpixels", "stability_score_thresh"): (
        GRID,
        GRID.replace("score_thresh=0", "score_thresh=0.8"),
        less_found,
    ),
    ("superpixels", "box_nms_thresh"): (
        f"{GRID},box_nms_thresh=1",
        f"{GRID},box_nms_thresh=0.01",
        less_found,
    ),
    ("superpixels", "top"): (
        f"{FINE},box_nms_thresh=1",
        f"{FINE},box_nms_thresh=1,top=iou",
        lighter,
    ),
    ("superpixels", "min_region"): (
        f"{FINE},box_nms_thresh=1,min_region=0",
        f"{FINE},box_nms_thresh=1,min_region=40",
        finer,
    ),
    ("superpixels", "annotators"): (GRID, f"{GRID},annotators=best", best_is_no_worse),
    ("superpixels", "tolerance"): (GRID, f"{GRID},tolerance=0.03", more_recall),
    ("referring", "answer"): ("answer=best", "answer=all,min_score=1", nothing_answered),
    ("referring", "min_score"): (
        "answer=all,min_score=0.1",
        "answer=all,min_score=0.8",
        nothing_answered,
    ),
    ("text", "min_score"): ("min_score=0.1", "min_score=0.8", kept_masks),
    ("text", "negatives"): ("negatives=0", "negatives=-1", negatives),
    ("text", "seed"): ("negatives=1", "negatives=1,seed=2", draws),
}
for _task in ("panoptic", "semantic"):
    ENTRIES |= {
        (_task, "prompt"): ("prompt=box", "prompt=point", boxes_then_points),
        (_task, "mask"): ("mask=confident", "mask=single", asks_for_one),
        (_task, "top"): ("top=confident", "top=small", other_masks),
    }
for _task in ("points", "interactive", "instances", "semantic"):
    ENTRIES[_task, "surface"] = ("surface=0", "surface=3", tolerates)
ALONE = {
    *(("edges", name) for name in ("matching", "seed", "scale", "normalise")),
    ("foreground", "stretch"),
}
"""Options with a test of their own below."""
ELSEWHERE = {
    # The rules of EdgeSAM and EfficientViT-SAM: test_points.py, on images of another size.
    *(
        ("points", name)
        for name in (
            "center", "errors", "error_unit", "ground_truth", "no_error", "small_error",
        )
    ),
    ("interactive", "no_error"),
    # Of annotated boxes: test_instances.py and, against the scripts, test_peers.py.
    ("instances", "ground_truth"), ("instances", "view"),
    # test_open_vocabulary.py, on a dataset whose categories have names.
    *(
        (task, name)
        for task in ("open_vocabulary", "open_semantic")
        for name in ("ask", "template", "synonyms", "dealt", "min_score")
    ),
    *(("open_vocabulary", name) for name in ("most", "fixed", "evaluator")),
    ("open_semantic", "background"),
    # test_cells.py
    *(("cells", name) for name in ("first", "positives", "negatives")),
    # Of clips: tests/video.
    *(("video_object", name) for name in ("prompt", "exclusive", "rule")),
    *(("video_interactive", name) for name in ("protocol", "frames", "clicks", "pause", "rule")),
    # instances' options for a detector's boxes: test_instances.py has the file they need.
    *(
        ("instances", name)
        for name in (
            "detections", "confidence", "max_boxes", "min_score", "coverage", "crowd", "fixed",
            "evaluator", "source",
        )
    ),
}  # fmt: skip


@pytest.mark.parametrize("entry", ENTRIES, ids="-".join)
def test_an_option_changes_what_it_says(entry):
    task, _ = entry
    one, other, check = ENTRIES[entry]
    check(see(f"{task}:{one}"), see(f"{task}:{other}"))


def test_matching_and_seed_of_edges_reach_the_count(monkeypatch):
    given = []
    real = boundaries.edge_counts

    def spy(*arguments, **options):
        given.append((options["matching"], options["seed"]))
        return real(*arguments, **options)

    monkeypatch.setattr(boundaries, "edge_counts", spy)
    drawn = truths(0)[Boundaries]
    for spec in ("edges", "edges:matching=exact", "edges:seed=7"):
        load("task", spec).score(drawn.annotators[1].astype(np.float32), drawn)
    assert given == [("berkeley", 0), ("exact", 0), ("berkeley", 7)]


def test_scale_of_edges_is_what_stands_for_one(tmp_path):
    values = np.array([[0, 51], [102, 255]], dtype=np.float64)
    np.save(tmp_path / "map.npy", values)
    found = load("task", "edges:scale=255").load(tmp_path / "map")
    np.testing.assert_allclose(found, values / 255, atol=1e-4)
    found = load("task", "edges:scale=510").load(tmp_path / "map")
    np.testing.assert_allclose(found, values / 510, atol=1e-4)


def test_a_map_of_edges_is_stretched_or_taken_as_it_is():
    class Faint(Probe):
        def boundaries(self, image):
            return np.linspace(self.low, self.high, image.size // 3).reshape(image.shape[:2])

    model, sample = Faint(), Sample("a", np.zeros((9, 12, 3), np.uint8), None)

    def edges(spec, low, high):
        model.low, model.high = low, high
        return load("task", spec).predict(model, None, sample)

    for low, high in ((0.2, 0.6), (0.0, 1.0), (3.0, 7.0)):
        found = edges("edges", low, high)
        assert (found.min(), found.max()) == (0, 1)
    found = edges("edges:normalise=false", 0.2, 0.6)
    assert (found.min(), found.max()) == (pytest.approx(0.2), pytest.approx(0.6))
    for low, high in ((-0.1, 0.5), (0.5, 1.2)):
        with pytest.raises(UserError, match=f"from {low} to {high}, not within"):
            edges("edges:normalise=false", low, high)


def test_stretch_of_foreground_uses_the_maps_own_range():
    truth = truths(0)[Instances]
    wanted = truth.masks().any(axis=0)
    weak = np.where(wanted, 0.5, 0.25).astype(np.float32)
    stretched = load("task", "foreground").score(weak, truth)
    as_it_is = load("task", "foreground:stretch=false").score(weak, truth)
    assert stretched["mae"] == 0
    assert as_it_is["mae"] == pytest.approx(0.5 * wanted.mean() + 0.25 * (~wanted).mean())


def test_every_option_has_an_entry():
    known = {
        (task, option) for task in names("task") for option in option_types(find("task", task))
    }
    assert known == ENTRIES.keys() | ALONE | ELSEWHERE
