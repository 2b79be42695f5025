"""Detectors without prompts: how a model is prompted is no part of their protocol."""

import json

import pytest

from sambench.cli import main
from sambench.registry import find
from sambench.report.leaderboard import make_boards
from sambench.shown import Curve, with_references
from sambench.store.records import scan
from sambench.store.run import find_runs

RUN = ["run", "--dataset=mini", "--limit=1", "--workers=0", "--resamples=0"]


def run(out, *words):
    assert main([*RUN, f"--output={out}", *words]) == 0


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """Sobel with two grids, which it has no use for, and a model that has."""
    folder = tmp_path_factory.mktemp("runs")
    run(folder, "--task=edges", "--model=sobel", "--points-per-side=2", "--box-nms-thresh=0.5")
    run(folder, "--task=edges", "--model=sobel", "--points-per-side=3")
    for side in (1, 2):
        run(folder, "--task=edges", "--model=whole_image", f"--points-per-side={side}")
    return folder


def test_options_that_it_does_not_use_are_no_part_of_a_run(out):
    paths = [run.path for run in find_runs([out]) if run.path.stem == "sobel"]
    assert paths == [out / "edges" / "mini" / "sobel.json"]
    plan = scan(paths[0].with_suffix(".records.jsonl")).plan
    assert "points_per_side" not in plan["predictions"]["options"]


def test_its_protocol_has_no_grid_and_no_box_nms(out):
    protocol = json.loads((out / "edges/mini/sobel.json").read_text())["protocol"]["task"]
    assert not {"points_per_side", "box_nms_thresh", "boundary", "masks", "edge"} & {*protocol}
    assert protocol["prompts"] == "none, the model gives boundaries itself"
    assert protocol["suppression"] == "structured"  # this is of the scores


def test_it_stands_beside_the_models_of_each_grid(out):
    boards = make_boards(find_runs([out]))
    assert len(boards) == 2
    for board in boards:
        assert {entry.model for entry in board.entries} == {"sobel", "whole_image"}
        assert "task.points_per_side" in board.fields


def test_alone_it_has_a_board_of_its_own(out):
    boards = make_boards([run for run in find_runs([out]) if run.path.stem == "sobel"])
    assert [len(board.entries) for board in boards] == [1]


def test_the_site_has_one_page_for_it(out, tmp_path):
    assert main(["view", str(out), "-o", str(tmp_path)]) == 0
    assert len([*tmp_path.glob("run-edges-mini-sobel*.html")]) == 1


def test_what_is_given_in_vain_is_said(tmp_path, capsys):
    run(tmp_path, "--task=edges", "--model=sobel", "--points-per-side=2")
    assert "WARNING: edges: model sobel takes no prompts" in capsys.readouterr().err
    run(tmp_path, "--task=edges", "--model=sobel")
    assert "WARNING" not in capsys.readouterr().err


def test_its_predictions_can_be_scored_again(out, tmp_path, capsys):
    folder = out / "edges/mini/sobel.predictions"
    words = ["score", "--task=edges", "--dataset=mini", "--limit=1", f"--predictions={folder}"]
    assert main([*words, f"--output={tmp_path}", "--workers=0", "--suppression=none"]) == 0
    (found,) = find_runs([tmp_path])
    assert "points_per_side" not in found.result.protocol["task"]


def test_a_comparison_names_no_choice_that_it_does_not_have(out, capsys):
    paths = [str(run.path) for run in find_runs([out]) if "=" not in run.path.parent.parent.name]
    other = str(out / "edges-points_per_side=1/mini/whole_image.json")
    assert main(["compare", paths[0], other, "--resamples=10"]) == 0
    assert "differ by choice" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["edges", "foreground", "superpixels", "proposals"])
def test_what_is_of_prompts_are_options_or_facts(name):
    cls = find("task", name)
    assert cls.direct
    assert cls.prompting <= {*cls.__dataclass_fields__, *cls.facts}


def test_people_are_drawn_where_the_dataset_has_their_point(out):
    (person,) = find("dataset", "bsds500").card.references
    assert (person.task, person.curve, person.label) == ("edges", "precision-recall", "human")
    f = 2 * person.x * person.y / (person.x + person.y)
    assert f == pytest.approx(0.787, abs=5e-4)
    curve = Curve("precision-recall", (0.1, 0.9), (0.9, 0.1), caption="Said.")
    (drawn,) = with_references([curve], [vars(person)])
    assert drawn.points == {"human": (person.x, person.y)}
    assert drawn.caption.startswith("Said. Human")
    details = json.loads((out / "edges/mini/sobel.json").read_text())["details"]
    assert details["curves"]["precision-recall"]["points"] == {}
