"""Committed results are measured again by one command, which says whether a digit differs."""

import json
import shutil

import pytest

from sambench.cli import main

CHEAP = ["--workers", "0", "--resamples", "0", "--limit", "2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Committed results of two tasks and two models, on two images."""
    folder = tmp_path_factory.mktemp("results")
    words = [
        "run",
        "--task",
        "points,points:seed=1",
        "--model",
        "superpixel:segments=40,whole_image",
    ]
    assert main([*words, "--predictions", "none", *CHEAP, "--output", str(folder)]) == 0
    assert len([*folder.rglob("*.json")]) == 4
    (folder / "published").mkdir()
    return folder


def reproduce(folder, tmp_path, *words):
    published, output = str(folder / "published"), str(tmp_path / "again")
    return main(["reproduce", "mini", *words, "--published", published, *CHEAP, "--output", output])


def test_all_that_was_committed_is_equal(folder, tmp_path, capsys):
    assert reproduce(folder, tmp_path) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[-1] == "4 of 4 results reproduced to the digit."
    assert out[0].endswith("equal to the printed digit")


def test_a_digit_that_differs_is_named(folder, tmp_path, capsys):
    (path,) = folder.glob("points/*/superpixel*.json")
    text = path.read_text()
    data = json.loads(text)
    name = data["metric"]
    data["metrics"][name]["value"] += 0.001
    path.write_text(json.dumps(data))
    try:
        assert reproduce(folder, tmp_path, data["model"]) == 1
    finally:
        path.write_text(text)
    first, second, last = capsys.readouterr().out.splitlines()
    (said,) = (line for line in (first, second) if "equal" not in line)
    assert said.startswith("points, mini, superpixel-segments=40: ")
    assert f"{name} " in said
    assert last == "1 of 2 results reproduced to the digit."


def test_what_needs_files_that_are_not_here_is_named_and_left_out(folder, tmp_path, capsys):
    results = tmp_path / "results"
    shutil.copytree(folder, results)
    (path,) = results.glob("points/*/whole_image.json")
    text = path.read_text().replace('"whole_image"', '"sam"')
    path.with_name("sam.json").write_text(text)
    assert reproduce(results, tmp_path) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    (said,) = (line for line in lines if line.startswith("points, mini, sam: "))
    assert "not measured, sam needs checkpoint" in said
    assert last == "4 of 4 results reproduced to the digit; 1 not measured."
    assert reproduce(results, tmp_path, "sam") == 2  # asked for by its name
    assert reproduce(results, tmp_path, "sam:checkpoint=absent.pth") == 2  # or with its options
    assert "absent.pth" in capsys.readouterr().err


def test_another_number_of_images_is_not_compared(folder, tmp_path, capsys):
    assert main([
        "reproduce", "mini", "--published", str(folder / "published"), "--limit", "1",
        "--workers", "0", "--resamples", "0", "--output", str(tmp_path),
    ]) == 1  # fmt: skip
    assert "2 images committed, 1 now" in capsys.readouterr().out


def test_where_there_are_none_it_is_said(folder, tmp_path, capsys):
    assert reproduce(folder, tmp_path, "nobody") == 2
    assert "has no results on mini nobody" in capsys.readouterr().err
