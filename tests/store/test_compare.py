"""Two results on the same images, held against each other."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sambench.cli import main
from sambench.metrics.detection.coco import average_precision, category_precision
from sambench.metrics.statistics import by_group

OWN_TASK = f"--task={Path(__file__).resolve().parents[1] / 'parts/brightness.py'}"


def other(runner, name, **options):
    return type(runner)(runner.output.with_name(name), **options)


def compared(capsys, *words):
    capsys.readouterr()
    assert main(["compare", *map(str, words), OWN_TASK, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def two(runner):
    """A run, and one whose scores have something added that each image decides."""
    second = other(runner, "second", model={"weights": "two", "blind": 0.01})
    runner.run()
    second.run()
    return runner, second


def test_a_run_does_not_differ_from_itself(runner, capsys):
    runner.run()
    found = compared(capsys, runner.output, runner.output)
    assert found["metrics"]["brightness"] == {
        "first": found["metrics"]["brightness"]["second"],
        "second": found["metrics"]["brightness"]["second"],
        "difference": 0.0, "low": 0.0, "high": 0.0, "p": 1.0, "withheld": "",
        "bias": None,
        "images_to_settle": None,
    }  # fmt: skip
    assert (found["choices"], found["only"]) == ([], [0, 0])


def test_differences_are_paired_and_their_interval_is_that_of_the_differences(two, capsys):
    first, second = two
    found = compared(capsys, first.file(".json"), second.file(".json"), "--resamples=500")
    values = [np.array([r["record"]["value"] for r in run.records.values()]) for run in two]
    row = found["metrics"]["brightness"]
    gaps = values[1] - values[0]
    assert row["difference"] == pytest.approx(gaps.mean())
    # Student's interval of the differences, with the jackknife's error about the value itself.
    half = 2.201 * gaps.std(ddof=1) / np.sqrt(11)
    assert row["high"] - row["difference"] == pytest.approx(row["difference"] - row["low"])
    assert half <= row["high"] - row["difference"] <= 1.5 * half
    signs = (np.arange(2**12)[:, None] >> np.arange(12) & 1) * 2 - 1
    assert row["p"] == np.mean(np.abs(signs @ gaps) >= abs(gaps.sum()) * (1 - 1e-9))
    # Far narrower than what the two intervals by themselves suggest.
    own = [run.result["metrics"]["brightness"] for run in two]
    assert row["high"] - row["low"] < 0.2 * (own[0]["high"] - own[0]["low"])
    furthest = [image["id"] for image in found["furthest"]]
    ids = list(first.records)
    assert furthest == [ids[i] for i in np.argsort(-abs(gaps), kind="stable")[:10]]


def test_images_of_one_side_only_are_left_out_and_counted(runner, capsys):
    second = other(runner, "second", model={"weights": "two", "blind": 0.01})
    runner.run("--limit=8")
    second.run("--limit=5")
    found = compared(capsys, runner.output, second.output)
    assert (found["images"], found["only"]) == (5, [3, 0])
    assert main(["compare", str(runner.output), str(second.output), OWN_TASK]) == 0
    assert "left out: 3 images of A only, 0 of B only" in capsys.readouterr().out


def test_what_is_not_the_same_question_is_refused(runner, capsys):
    runner.run()
    second = other(runner, "second", dataset={"images": 13})
    second.run()
    assert main(["compare", str(runner.output), str(second.output), OWN_TASK]) == 2
    assert "dataset.fingerprint" in capsys.readouterr().err


def test_other_choices_may_be_compared_and_are_told(runner, capsys):
    second = other(runner, "second", task={"channel": 2})
    runner.run()
    second.run()
    found = compared(capsys, runner.output, second.output)
    assert found["choices"] == ["channel: 0, now 2"]
    assert main(["compare", str(runner.output), str(second.output), OWN_TASK]) == 0
    said = capsys.readouterr().out
    assert "they differ by choice too: channel: 0, now 2" in said
    assert "images that differ most in brightness" in said


@pytest.mark.parametrize("path", ["nowhere.json", "."])
def test_a_result_without_records_is_named(tmp_path, monkeypatch, capsys, path):
    monkeypatch.chdir(tmp_path)
    assert main(["compare", path, path]) == 2
    assert "records" in capsys.readouterr().err


def test_means_by_group():
    estimate = by_group([[3, 5], [], [5, 5]], [[0.5, 1.0], [], [0.0, 0.25]])
    assert estimate(np.ones(3)) == {"3": 0.5, "5": pytest.approx(1.25 / 3)}
    assert estimate(np.array([1.0, 1, 3])) == {"3": 0.5, "5": pytest.approx(1.75 / 7)}
    only_last = estimate(np.array([0.0, 0, 1]))
    assert np.isnan(only_last["3"])
    assert by_group([[], []], [[], []])(np.ones(2)) == {}


def test_precision_by_category_has_the_mean_of_all():
    rng = np.random.default_rng(0)
    records = [
        {
            "categories": [1, 7], "truths": [[2, 1, 1, 0]] * 2, "detections": [3, 3],
            "scores": np.sort(rng.random((2, 3)))[:, ::-1].ravel().tolist(), "ranges": [15] * 6,
            "matched": [int(rng.integers(2)) * ((1 << 20) - 1) for _ in range(6)],
            "skipped": [0] * 6,
        }
        for _ in range(20)
    ]  # fmt: skip
    counts = rng.integers(0, 3, 20).astype(float)
    by_category = category_precision(records)(counts)
    assert set(by_category) == {"1", "7"}
    mean = average_precision(records)(counts)["AP"]
    assert np.mean(list(by_category.values())) == pytest.approx(mean)


def test_too_few_images_get_no_star(runner, capsys):
    """Two models, one of which is better on each of five images."""
    second = other(runner, "second", model={"weights": "two", "blind": 0.01})
    for run in (runner, second):
        run.run("--limit=5")
    row = compared(capsys, runner.output, second.output)["metrics"]["brightness"]
    assert row["p"] >= 0.0625
    assert main(["compare", str(runner.output), str(second.output), OWN_TASK]) == 0
    said = capsys.readouterr().out
    assert "5 images are too few to tell 2 models apart." in said
    assert " *\n" not in said


def test_one_image_has_neither_interval_nor_star(runner, capsys):
    second = other(runner, "second", model={"weights": "two", "blind": 0.01})
    for run in (runner, second):
        run.run("--limit=1")
    row = compared(capsys, runner.output, second.output)["metrics"]["brightness"]
    assert (row["low"], row["high"], row["p"]) == (None, None, 1.0)
    assert row["difference"] != 0


def test_seed_resamples_and_images_are_as_asked_for(two, capsys):
    sides = [run.file(".json") for run in two]
    usual = compared(capsys, *sides)
    row = usual["metrics"]["brightness"]
    gaps = [image["second"] - image["first"] for image in usual["furthest"]]
    assert row["difference"] == pytest.approx(row["second"] - row["first"])
    assert [abs(gap) for gap in gaps] == sorted(map(abs, gaps), reverse=True)
    assert len(compared(capsys, *sides, "--images=3")["furthest"]) == 3
    others = (compared(capsys, *sides, word) for word in ("--seed=5", "--resamples=6"))
    for other_row in (found["metrics"]["brightness"] for found in others):
        assert other_row["difference"] == row["difference"]
        assert (other_row["low"], other_row["high"]) != (row["low"], row["high"])
    assert compared(capsys, *sides, "--seed=0", "--resamples=1000", "--swaps=10000") == usual
    untested = compared(capsys, *sides, "--resamples=0", "--swaps=0")["metrics"]["brightness"]
    assert (untested["low"], untested["p"]) == (None, None)
    few = compared(capsys, *sides, "--swaps=99")["metrics"]["brightness"]
    assert few["p"] != row["p"]
    assert 100 * few["p"] == pytest.approx(round(100 * few["p"]))


def test_what_a_comparison_is_of(two, capsys):
    found = compared(capsys, *(run.output for run in two))
    assert found.keys() == {
        "first", "second", "metric", "declared", "images", "only", "choices", "metrics",
        "categories", "category_names", "furthest",
    }  # fmt: skip
    assert (found["metric"], found["images"], found["categories"]) == ("brightness", 12, {})
    assert found["first"] != found["second"]
    assert found["metrics"].keys() == {"brightness", "objects"}
    reverse = compared(capsys, *(run.output for run in reversed(two)))
    assert (reverse["first"], reverse["second"]) == (found["second"], found["first"])
    for name, row in found["metrics"].items():
        assert reverse["metrics"][name]["difference"] == -row["difference"]


def test_a_comparison_in_words(two, capsys):
    capsys.readouterr()
    assert main(["compare", *(str(run.output) for run in two), OWN_TASK, "--images=2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:2] for line in lines[:2]] == ["A ", "B "]
    assert lines[2] == "12 images that both have scored"
    assert lines[3].split() == [
        "metric", "A", "B", "B", "-", "A", "95", "%", "interval", "p", "images", "to", "settle",
    ]  # fmt: skip
    assert [line.split()[0] for line in lines[4:6]] == ["brightness", "objects"]
    furthest = lines.index("images that differ most in brightness")
    rows = [line for line in lines[furthest + 1 :] if re.match(r"\d\d  ", line)]
    assert len(rows) == 2
    assert "brightness: mean of a colour over a number" in lines
    assert lines[-1].startswith("*: p of .05 or less")


def coco(folder, names):
    """Two images with one rectangular object of each category, wider in the first one."""
    squares = [
        {"id": 2 * i + k, "image_id": i, "category_id": k, "iscrowd": 0, "area": 10 * wide,
         "bbox": [10 * k, 5, wide, 10],
         "segmentation": [[10 * k, 5, 10 * k + wide, 5, 10 * k + wide, 15, 10 * k, 15]]}
        for i, wide in ((1, 10), (2, 8)) for k in (1, 2)
    ]  # fmt: skip
    images = [{"id": i, "file_name": f"{i}.png", "width": 40, "height": 20} for i in (1, 2)]
    categories = [{"id": k, "name": name} for k, name in enumerate(names, start=1)]
    for image in images:
        Image.new("RGB", (40, 20), "gray").save(folder / image["file_name"])
    whole = {"images": images, "annotations": squares, "categories": categories}
    (folder / "objects.json").write_text(json.dumps(whole))
    return f"coco:annotations={folder / 'objects.json'},images={folder}"


def test_categories_are_called_by_the_names_that_the_dataset_gives(tmp_path, capsys):
    dataset = coco(tmp_path, ["cell", "nucleus"])
    for model in ("box_mask", "whole_image"):
        words = ["--task=points", "--first=box", f"--dataset={dataset}", f"--model={model}"]
        more = ["--resamples=20", "--workers=0", f"--output={tmp_path / model}"]
        assert main(["run", *words, *more]) == 0
    capsys.readouterr()
    sides = [str(tmp_path / model) for model in ("box_mask", "whole_image")]
    assert main(["compare", *sides]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("mIoU % by category"))
    assert [line.split()[:2] for line in lines[at + 1 : at + 3]] == [
        ["cell", "100.0"], ["nucleus", "100.0"],
    ]  # fmt: skip
    reason = "intervals from fewer than 5 images do not hold 95 %"
    assert lines[at + 3] == f"no interval for some of them: {reason}"
    found = compared(capsys, *sides)
    assert found["categories"].keys() == {"1", "2"}
    assert found["category_names"] == {"1": "cell", "2": "nucleus"}
