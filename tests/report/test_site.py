"""The site: self-contained, escaped, with the images and plots of real records."""

import inspect
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sambench.cli import main, parser_of
from sambench.files import write_json
from sambench.masks.rle import encode
from sambench.metrics.statistics import Estimate
from sambench.registry import load
from sambench.report.details import Drawings, Part, drawings
from sambench.report.pages.bars import bars
from sambench.report.pages.layers import (
    EXTRA,
    MISSED,
    draw_errors,
    draw_outlines,
    draw_prediction,
    fit,
)
from sambench.report.pages.links import file_slug, safe_link
from sambench.report.pages.pareto import Dot, pareto_front
from sambench.report.pages.site import build_site
from sambench.report.pages.svg import inline_svg
from sambench.report.scores import chosen_images
from sambench.shown import Histogram, Layer, Metric
from sambench.store.paths import MANIFEST
from sambench.store.result import Result, write_result
from sambench.truths import Boundaries

from ..runs import manifest_of

PUBLISHED = Path(__file__).resolve().parents[2] / "results" / "published"
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)> $\\frac{'
IMAGES = ("chelsea", "coffee", "coins")


class Links(HTMLParser):
    """What a page refers to, and whether its tags are balanced."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.open: list[str] = []
        self.ids: list[str] = []
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.links += [v for k, v in attrs if k in {"href", "src"} and v]
        self.ids += [values["id"]] if values.get("id") else []
        self.handlers += [k for k, _ in attrs if k.startswith("on")]
        if tag not in {"img", "input", "meta", "br", "link", "hr"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in {"img", "input", "meta", "br", "link", "hr"}:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(path: Path) -> Links:
    links = Links()
    links.feed(path.read_text(encoding="utf-8"))
    assert not links.open, path
    return links


def write_run(records_of, folder: Path, model: str, shift: int, save: bool = True) -> Result:
    """A result on mini with records and saved masks: the truth, moved to the right by some pixels.

    The masks are made here, but records and numbers come from the task itself.
    """
    dataset, task = load("dataset", "mini"), load("task", "points:points=2")
    stem = folder / "points-points=2" / "mini" / f"run{shift}"
    records = {}
    for number, id in enumerate(IMAGES):
        truth = dataset.read_truth(id, task.truth)
        moved = np.roll(truth.masks(), shift * (number + 1), axis=2)
        rles = [[rle, good] for rle, good in zip(encode(moved), truth.rles, strict=True)]
        clicks = [
            [(int(b[0]), int(b[1]), True), (int(b[2]), int(b[3]), False)] for b in truth.boxes
        ]
        prediction = task_prediction(list(range(len(truth))), clicks, rles)
        if save:
            (target := stem.with_name(f"{stem.name}.predictions")).mkdir(
                parents=True, exist_ok=True
            )
            (target / MANIFEST).write_text(manifest_of(model))
            task.save(prediction, target / id)
        records[id] = task.score(prediction, truth)
    values = task.estimator([*records.values()])(np.ones(len(records)))
    result = Result(
        task="points",
        model=model,
        dataset="mini",
        metric="mIoU",
        images=3,
        metrics={name: Estimate(v, v - 0.05, v + 0.05) for name, v in values.items()},
        protocol={
            "task": {"points": 2, "note": HOSTILE},
            "model": {"name": model, "weights_sha256": "0" * 64},
            "dataset": {"name": "mini", "fingerprint": dataset.fingerprint, "images": "3 of 10"},
            "sambench": "0.1.0",
        },
        timing={"images_per_second": 1.5 + shift, "memory": {"host_rss": 2**30}},
        environment={"cpu": HOSTILE, "device": "cpu"},
        note=HOSTILE,
    )
    write_result(stem.with_name(f"{stem.name}.json"), result)
    path = stem.with_name(f"{stem.name}.records.jsonl")
    seconds = dict.fromkeys(("read", "embed", "decode", "score"), 0.1)
    path.write_text(records_of(result, records, seconds=seconds))
    return result


def task_prediction(objects: list[int], clicks: list, masks: list) -> object:
    cls = type(load("task", "points")).predict.__globals__["Clicked"]
    return cls(objects, clicks, masks, [own[:1] for own in masks])


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, records_of) -> Path:
    """A site of two runs on real photographs, one of which has a hostile name."""
    runs = tmp_path_factory.mktemp("runs")
    write_run(records_of, runs, "steady", 2)
    write_run(records_of, runs, HOSTILE, 9)
    folder = tmp_path_factory.mktemp("site")
    published = tmp_path_factory.mktemp("published")
    for name in ("segnext", "edgetam"):
        shutil.copy(PUBLISHED / f"{name}.json", published)
    words = [
        "report",
        str(runs),
        "-o",
        str(folder),
        "--image-size",
        "200",
        "--published",
        str(published),
    ]
    assert main(words) == 0
    return folder


def test_every_page_is_well_formed_and_refers_only_to_itself(site: Path) -> None:
    pages = sorted(site.glob("*.html"))
    assert len(pages) == 8
    for page in pages:
        found = parsed(page)
        for link in found.links:
            address, _, anchor = link.partition("#")
            if address.startswith("https://"):
                continue  # a paper: a link to follow, nothing that is loaded
            assert not re.match(r"[a-z]+:|//", address), link
            target = site / address if address else page
            assert target.is_file(), f"{page.name} refers to {link}"
            if anchor and address.startswith("task-"):
                assert anchor in parsed(target).ids
        assert len(found.ids) == len(set(found.ids)), page


def test_nothing_from_data_becomes_markup(site: Path) -> None:
    for page in site.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert not parsed(page).handlers
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", path.name) for path in site.rglob("*"))


def test_pages_forbid_what_they_do_not_need(site: Path) -> None:
    text = (site / "index.html").read_text()
    assert "default-src 'none'" in text
    assert "http" not in text.replace("https://arxiv.org", "").replace("http-equiv", "").replace(
        "http://www.w3.org", ""
    )


def browser_data(site: Path) -> dict:
    (page,) = site.glob("images-*.html")
    text = page.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text)
    assert found
    return json.loads(found[1])


def test_images_of_the_browser_have_scores_and_layers(site: Path) -> None:
    data = browser_data(site)
    assert sorted(data["runs"]) == sorted(["steady", HOSTILE])
    assert {image["id"] for image in data["images"]} == set(IMAGES)
    for image in data["images"]:
        assert all(0 <= score <= 1 for score in image["scores"])
        for run in image["runs"]:
            assert set(run["layers"]) == {"Prediction", "After the last prompt", "Errors"}
            assert run["prompts"]["points"]
            assert run["prompts"]["later"][0][2] == 0
            for address in [*run["layers"].values(), *image["layers"].values()]:
                with Image.open(site / address) as picture:
                    assert picture.size == (image["width"], image["height"])
                    assert max(picture.size) == 200


def test_the_worse_run_scores_worse(site: Path) -> None:
    data = browser_data(site)
    steady = data["runs"].index("steady")
    assert all(image["scores"][steady] > image["scores"][1 - steady] for image in data["images"])


def test_without_saved_predictions_the_truth_is_still_shown(tmp_path: Path, records_of) -> None:
    write_run(records_of, tmp_path / "runs", "plain", 2, save=False)
    words = ["report", str(tmp_path / "runs"), "-o", str(tmp_path / "site"), "--no-published"]
    assert main(words) == 0
    image = browser_data(tmp_path / "site")["images"][0]
    assert set(image["layers"]) == {"Photo", "Truth"}
    assert image["runs"][0]["layers"] == {}
    assert image["runs"][0]["prompts"]["points"]


def test_no_images_are_drawn_if_none_are_wanted(tmp_path: Path, records_of) -> None:
    write_run(records_of, tmp_path / "runs", "plain", 2, save=False)
    words = ["report", str(tmp_path / "runs"), "-o", str(tmp_path / "site"), "--images", "0"]
    assert main([*words, "--no-published"]) == 0
    assert not (tmp_path / "site" / "images").exists()
    assert "layers" not in browser_data(tmp_path / "site")["images"][0]


class TestLinks:
    def test_file_names_are_safe(self) -> None:
        assert file_slug("../../etc", "a b/<c>") == "etc-a-b-c"
        assert file_slug("\u4e2d") == "x"

    def test_only_web_addresses_become_links(self) -> None:
        assert safe_link("javascript:alert(1)") is None
        assert safe_link("https://arxiv.org/abs/1") == "https://arxiv.org/abs/1"


class TestLayers:
    square = np.zeros((40, 60), dtype=bool)
    square[10:30, 10:30] = True
    moved = np.roll(square, 5, axis=1)

    def test_masks_are_tinted_and_outlined_each_in_its_colour(self) -> None:
        scene = Layer(masks=encode(np.stack([self.square[:, ::-1], self.square])))
        picture = draw_prediction(scene, (40, 60))
        assert picture.shape == (40, 60, 4)
        assert picture[10, 10, 3] == 255
        assert 0 < picture[20, 20, 3] < 255
        assert ((picture[..., 3] > 0) == (self.square | self.square[:, ::-1])).all()
        assert tuple(picture[20, 20]) != tuple(picture[20, 40])

    def test_small_masks_lie_upon_large_ones(self) -> None:
        small = np.zeros_like(self.square)
        small[18:22, 18:22] = True
        for masks in ([small, self.square], [self.square, small]):
            picture = draw_prediction(Layer(masks=encode(np.stack(masks))), (40, 60))
            assert picture[18, 18, 3] == 255

    def test_the_truth_is_an_outline(self) -> None:
        picture = draw_outlines(Layer(masks=encode(self.square[None])), (40, 60))
        assert picture[10, 10, 3] == 255
        assert picture[20, 20, 3] == 0

    def test_errors_are_missed_and_extra_pixels(self) -> None:
        scenes = [Layer(masks=encode(mask[None])) for mask in (self.square, self.moved)]
        picture = draw_errors(*scenes, (40, 60))
        assert picture is not None
        assert tuple(picture[20, 12, :3]) == MISSED
        assert tuple(picture[20, 32, :3]) == EXTRA
        assert picture[20, 20, 3] == 0

    def test_thin_boundaries_do_not_fade_when_shrunk(self) -> None:
        drawn = np.zeros((400, 600), dtype=bool)
        drawn[200] = True
        scene = Boundaries((drawn, drawn)).layer()
        assert scene is not None
        picture = draw_outlines(scene, (40, 60))
        assert (picture[20, :, 3] == 255).all()

    def test_a_boundary_map_is_a_layer(self) -> None:
        drawn = load("task", "edges").layers(np.zeros((4, 4), dtype=np.float32))
        assert drawn["Prediction"].map.shape == (4, 4)

    def test_pictures_are_never_enlarged(self) -> None:
        assert fit((100, 50), 640) == (100, 50)
        assert fit((1000, 500), 100) == (100, 50)


CLICKS = Metric("NoC", "clicks needed", "clicks", higher_is_better=False)


class TestChoice:
    def test_worst_median_best_and_differences_come_first(self) -> None:
        first = {str(i): i / 100 for i in range(101)}
        second = {**first, "70": 0.0}
        chosen = chosen_images({"a": first, "b": second}, Metric("mIoU", "overlap"), 8)
        assert {"0", "100", "50"} <= set(chosen)
        assert "70" in chosen
        assert len(chosen) == 8

    def test_more_clicks_are_worse(self) -> None:
        assert chosen_images({"a": {"x": 20.0, "y": 1.0, "z": 2.0}}, CLICKS, 1) == ["x"]

    def test_nothing_to_choose(self) -> None:
        assert chosen_images({}, CLICKS, 5) == []
        assert chosen_images({"a": {"x": None}}, CLICKS, 5) == []


class TestPlots:
    def test_the_front_holds_what_is_not_beaten(self) -> None:
        def dot(label: str, cost: float, accuracy: float) -> Dot:
            return Dot(label, cost, Estimate(accuracy, accuracy, accuracy), "cpu")

        dots = [
            dot("slow", 1, 0.9),
            dot("fast", 10, 0.5),
            dot("beaten", 1, 0.4),
            dot("mid", 5, 0.7),
        ]
        front = pareto_front(dots, more_is_better=True, lower=False)
        assert [d.label for d in front] == ["fast", "mid", "slow"]

    def test_a_plot_is_the_same_each_time_and_follows_the_theme(self) -> None:
        first, second = (bars("p", {HOSTILE: 0.5, "b": -0.1}, "x", "cap <&>") for _ in range(2))
        assert first.svg == second.svg
        svg = inline_svg(first)
        assert "var(--s1)" in svg
        assert "<script" not in svg
        assert "cap &lt;&amp;&gt;" in svg
        assert all(id.startswith("p-") for id in re.findall(r'\bid="([^"]*)"', svg))

    def test_precision_and_recall_come_from_the_counts(self) -> None:
        counts = [[[8, 10, 9, 10], [5, 10, 5, 5], [0, 10, 0, 0]]]
        curve = drawn("edges", [{"counts": c} for c in counts]).curves["precision-recall"]
        assert (curve.x, curve.y) == ((0.8, 0.5), (0.9, 1.0))
        assert curve.equal_f

    def test_histograms_and_categories_come_from_the_records(self) -> None:
        record = {"iou": [[0.1, 0.9], [1.0]], "categories": [3, 7]}
        named = drawn("points", [record], categories={3: "cat"})
        assert list(named.breakdowns["category"]) == ["cat", "7"]
        twins = drawn("points", [record], categories={3: "cat", 7: "cat"})
        assert list(twins.breakdowns["category"]) == ["3 cat", "7 cat"]
        found = drawn("points", [record])
        assert sum(found.histograms["IoU"].counts) == 2
        assert found.breakdowns["category"] == {"3": Part(0.1, 1), "7": Part(1.0, 1)}
        assert found.curves == {}, "one prompt is no curve"

    def test_the_main_metric_is_broken_down_as_it_is_declared(self) -> None:
        names = ("mIoU", "mIoUs", "mIoUl", "mIoU@3", "BoundaryIoU")
        metrics = {name: Estimate(i / 10, 0, 1) for i, name in enumerate(names)}
        found = drawings(empty("points", "mIoU", metrics))
        assert found.breakdowns == {"size": {"small": Part(0.1), "large": Part(0.2)}}

    def test_a_result_without_records_draws_what_it_carries(self) -> None:
        own = {
            "curves": {
                "old": {"x": [1, 2], "y": [0.1, 0.2]},
                "short": {"x": [1, 2], "y": [0.1]},
                "hostile": {"x": [1, 2], "y": [1, 2], "x_label": 7, "points": {"a": [1]}},
            },
            "histograms": {"IoU": {"edges": [0, 0.5, 1], "counts": [1, 2]}, "odd": None},
        }
        found = drawings(empty("points", "mIoU", details=own))
        assert {name: (c.x, c.y) for name, c in found.curves.items()} == {
            "old": ((1, 2), (0.1, 0.2)), "hostile": ((1, 2), (1, 2)),
        }  # fmt: skip
        assert found.histograms == {"IoU": Histogram("IoU", (0, 0.5, 1), (1, 2))}
        assert found.curves["hostile"].points == {}


def drawn(task: str, records: list, categories: dict | None = None) -> Drawings:
    made = load("task", task)
    return drawings(empty(task, made.metric), made, records, categories)


def empty(
    task: str, metric: str, metrics: dict | None = None, details: dict | None = None
) -> Result:
    protocol = {"task": {}, "model": {}, "dataset": {}, "sambench": ""}
    return Result(task, "m", "d", metric, 1, metrics or {}, protocol, details=details or {})


def test_json_of_saved_masks_is_what_the_task_reads(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"objects": [], "clicks": [], "masks": [], "candidates": []})
    prediction = load("task", "points").load(tmp_path / "x")
    assert set(load("task", "points").layers(prediction)) == {"Prediction"}


def test_pictures_have_the_same_longest_side_from_python_as_from_the_command() -> None:
    side = inspect.signature(build_site).parameters["side"].default
    assert side == parser_of("report").read([]).image_size == 640
