"""One file adds a metric: it is shown right wherever numbers are, or as a plain number."""

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from sambench.cli import main
from sambench.metrics.statistics import Estimate
from sambench.report.leaderboard import make_boards, show_ranks, tie_rule
from sambench.report.numbers import legend, show_metric, show_value
from sambench.shown import Metric, find_metric
from sambench.store.result import Result, read_result, write_result
from sambench.store.run import Run

SOURCE = '''
"""hd: Hausdorff distance of the box prompt."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt

from sambench.interfaces import Curve, Histogram, Instances, Layer, Metric, Prompts, Task
from sambench.masks.rle import decode, encode
from sambench.metrics.statistics import ratios


@dataclass(frozen=True)
class Hd(Task):
    """Hausdorff distance of the box prompt."""

    truth = Instances
    needs = frozenset({"boxes"})
    paper = "none"
    DECLARED

    def predict(self, model, embedding, sample):
        prompts = Prompts(boxes=sample.truth.boxes)
        answer = model.predict(embedding, prompts, multimask=True)
        return encode(answer.most_confident().binary()[:, 0])

    def score(self, prediction, truth):
        return {"hd": [apart(p, t) for p, t in zip(decode(prediction), truth.masks())]}

    def estimator(self, records):
        return ratios({"HD": [r["hd"] for r in records]})

    def curves(self, records):
        values = sorted(v for r in records for v in r["hd"])
        share = tuple((i + 1) / len(values) for i in range(len(values)))
        return [Curve("within distance", tuple(values), share, "pixels", "objects", "percent")]

    def layers(self, prediction):
        return {"Answer": Layer(masks=prediction)}

    def save(self, prediction, stem):
        path = stem.with_name(stem.name + ".npy")
        np.save(path, np.array(prediction, dtype=object))
        return path

    def load(self, stem):
        return list(np.load(stem.with_name(stem.name + ".npy"), allow_pickle=True))


def apart(mine, other):
    if not mine.any() or not other.any():
        return 100.0
    far = distance_transform_edt(~other)[mine].max(), distance_transform_edt(~mine)[other].max()
    return float(max(far))
'''
DECLARED = (
    'metrics = (Metric("HD", "mean Hausdorff distance of the mask", "pixels", '
    "higher_is_better=False, decimals=1),)"
)
HEAD = "HD pixels \N{DOWNWARDS ARROW}"


@dataclass(frozen=True)
class Made:
    """A task file and the results of two models that were measured with it, the worse one first."""

    task: Path
    results: tuple[Path, Path]
    printed: str

    @property
    def values(self) -> list[float]:
        return [read_result(path).metrics["HD"].value for path in self.results]


def make(name: str, folder: Path, declared: str, capsys: pytest.CaptureFixture[str]) -> Made:
    task = folder / f"{name}.py"
    task.write_text(SOURCE.replace("DECLARED", declared))
    capsys.readouterr()
    for model in ("whole_image", "box_mask"):
        command = ["run", f"--task={task}", f"--model={model}", "--dataset=mini", "--limit=5"]
        more = ["--resamples=50", "--workers=0", "--predictions=all", f"--output={folder / 'out'}"]
        assert main([*command, *more]) == 0
    found = {
        path.stem: path for path in (folder / "out").rglob("*.json") if path.parent.name == "mini"
    }
    return Made(task, (found["whole_image"], found["box_mask"]), capsys.readouterr().out)


@pytest.fixture
def hd(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Made:
    return make("hd", tmp_path, DECLARED, capsys)


@pytest.fixture
def plain(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Made:
    return make("silent_hd", tmp_path, 'metric = "HD"', capsys)


def report(capsys: pytest.CaptureFixture[str], made: Made, *more: str) -> str:
    capsys.readouterr()
    assert main(["report", str(made.task.parent / "out"), "--no-published", *more]) == 0
    return capsys.readouterr().out


def test_a_declared_metric_is_shown_right_everywhere(
    hd: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    worse, better = hd.values
    assert worse > better
    assert f"{HEAD}  " in hd.printed
    assert "mean Hausdorff distance of the mask" in hd.printed
    assert f" {better:.1f} " in hd.printed

    text = report(capsys, hd)
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    assert HEAD in rows[0]
    assert [row[1] for row in rows[2:]] == ["box\\_mask", "whole\\_image"]
    assert [row[2].partition(" ")[0] for row in rows[2:]] == [f"{better:.1f}", f"{worse:.1f}"]
    assert "HD: mean Hausdorff distance of the mask" in text

    lines = list(csv.DictReader(io.StringIO(report(capsys, hd, "--format=csv"))))
    assert [(line["unit"], line["higher_is_better"]) for line in lines] == [("pixels", "false")] * 2
    assert float(lines[0]["value"]) == better
    latex = report(capsys, hd, "--format=latex")
    assert r"HD pixels $\downarrow$" in latex
    assert "mean Hausdorff distance" in latex
    [board] = json.loads(report(capsys, hd, "--format=json"))
    assert (board["metric"], board["metrics"][0]["unit"]) == ("HD", "pixels")
    assert board["entries"][0]["ranks"][0] == 1
    assert board["entries"][0]["model"] == "box_mask"

    site = tmp_path / "site"
    report(capsys, hd, f"--output={site}", f"--task={hd.task}", "--images=2")
    page = (site / "task-hd.html").read_text()
    assert HEAD in page
    assert "HD: mean Hausdorff distance of the mask" in page
    assert "Objects % against pixels" in page
    assert HEAD in (site / "index.html").read_text()
    [browser] = site.glob("images-*.html")
    data = json.loads(browser.read_text().split('id="data"')[1].partition(">")[2].partition("<")[0])
    assert (data["metric"], data["factor"], data["decimals"], data["lower"]) == (HEAD, 1, 1, True)
    drawn = [image for image in data["images"] if "runs" in image]
    assert {name for image in drawn for run in image["runs"] for name in run["layers"]} == {
        "Answer", "Errors",
    }  # fmt: skip
    run = (site / "run-hd-mini-box-mask.html").read_text()
    assert f"{HEAD} {better:.1f}" in run

    assert main(["compare", *map(str, hd.results), f"--task={hd.task}"]) == 0
    compared = capsys.readouterr().out
    assert HEAD in compared
    assert f"{better - worse:+.2f}" in compared


def test_without_a_declaration_it_is_a_plain_number_that_nothing_ranks(
    plain: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"{plain.values[0]:.4f}" in plain.printed
    text = report(capsys, plain)
    assert "%" not in text.replace("95 %", "")
    assert "the direction of HD is not declared" in text
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    assert {row[0] for row in rows[2:]} == {"| "}
    lines = list(csv.DictReader(io.StringIO(report(capsys, plain, "--format=csv"))))
    assert {(line["unit"], line["higher_is_better"], line["best_rank"]) for line in lines} == {
        ("", "", "")
    }


def result(value: float, model: str, declared: tuple[Metric, ...]) -> Result:
    protocol = {"task": {}, "model": {"name": model}, "dataset": {"name": "d"}, "sambench": "0"}
    metrics = {"HD": Estimate(value, value - 0.1, value + 0.1)}
    return Result("hd", model, "d", "HD", 30, metrics, protocol, declared=declared)


def test_ranks_follow_the_declared_direction(tmp_path: Path) -> None:
    for higher, order in ((True, ["b", "a"]), (False, ["a", "b"]), (None, ["b", "a"])):
        declared = (Metric("HD", "a distance", "pixels", higher),)
        runs = [Run(tmp_path / f"{model}.json") for model in ("b", "a")]
        for run, value in zip(runs, (9.0, 2.0), strict=True):
            write_result(run.path, result(value, run.path.stem, declared))
        [board] = make_boards(runs, records=False)
        assert [entry.model for entry in board.entries] == order
        assert [show_ranks(e) for e in board.entries] == (
            ["", ""] if higher is None else ["1", "2"]
        )
    assert tie_rule(board) == "Nothing is ranked: the direction of HD is not declared."


def test_declarations_survive_the_file(tmp_path: Path) -> None:
    declared = (Metric("HD", "a distance", "pixels", False, 1, "size", "small", "D"),)
    write_result(tmp_path / "a.json", result(1.0, "a", declared))
    assert read_result(tmp_path / "a.json").declared == declared


def test_units_print_as_the_field_prints_them() -> None:
    shown = [
        (Metric("a", "x", "percent"), "a %", "51.2"),
        (Metric("a", "x"), "a", "0.512"),
        (Metric("a", "x", "count"), "a", "0.51"),
        (Metric("seconds/click", "x", "seconds", False), "seconds/click ↓", "0.51"),
        (Metric("a", "x", "pixels", decimals=0), "a pixels", "1"),
        (find_metric((), "a"), "a", "0.5123"),
    ]
    for metric, head, value in shown:
        assert (show_metric(metric), show_value(metric, 0.5123)) == (head, value)
    with pytest.raises(ValueError, match="11 decimals"):
        Metric("a", "x", decimals=11)


def test_a_legend_has_a_line_for_each_family() -> None:
    whole = Metric("AP", "average precision")
    parts = [Metric(f"AP{w[0]}", "x", group="size", member=w, of="AP") for w in ("small", "large")]
    assert legend([whole, *parts, find_metric((), "other")]) == [
        "AP: average precision", "APs, APl: AP by size (small, large)",
    ]  # fmt: skip
    assert legend(parts[:1]) == ["APs: x"]
