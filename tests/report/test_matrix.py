"""Models against tasks: which boards, which models, what is said where there is no number."""

from dataclasses import replace
from pathlib import Path

import pytest

from sambench.metrics.statistics import Estimate
from sambench.report.formats import matrix_markdown
from sambench.report.leaderboard import make_boards
from sambench.report.matrix import Known, Matrix, filters, known, make_matrix
from sambench.store.result import Result, write_result
from sambench.store.run import find_runs

ALL = ["boxes", "masks", "points"]


def result(model: str, task: str = "points", dataset: str = "mini", **about: object) -> Result:
    """A result of a model that declares what is given."""
    metric = {"points": "mIoU", "edges": "ODS", "instances": "mIoU"}.get(task, "score")
    return Result(
        task=task,
        model=model,
        dataset=dataset,
        metric=metric,
        images=3,
        metrics={metric: Estimate(0.6, 0.5, 0.7)},
        protocol={
            "task": {},
            "model": {"name": model, **about},
            "dataset": {"name": dataset, "fingerprint": dataset, "images": "3 of 3"},
            "sambench": "0",
        },
        timing={"images_per_second": 2.5},
        environment={"cpu": "a processor", "device": "cpu"},
    )


def scored(found: Result, value: float, half: float = 0.01) -> Result:
    return replace(found, metrics={found.metric: Estimate(value, value - half, value + half)})


@pytest.fixture
def matrix_of(tmp_path: Path):
    def made(*results: Result) -> Matrix:
        for number, each in enumerate(results):
            write_result(tmp_path / f"{number}.json", each)
        return make_matrix(make_boards(find_runs([tmp_path])))

    return made


def reasons(matrix: Matrix) -> dict[str, list[str]]:
    return {row.model.label: [cell.why for cell in row.cells] for row in matrix.rows}


def test_a_missing_number_says_why(matrix_of) -> None:
    matrix = matrix_of(
        result("clicked", "points", prompts=["points"], methods=[]),
        result("boxed", "instances", prompts=["boxes"], methods=[]),
        result("detector", "edges", prompts=[], methods=["boundaries"]),
        result("able", "points", prompts=ALL, methods=[]),
    )
    assert [(place.board.task, place.board.dataset) for place in matrix.places] == [
        ("edges", "mini"),
        ("instances", "mini"),
        ("points", "mini"),
    ]
    assert reasons(matrix) == {
        "clicked": ["not run", "cannot: takes no boxes", ""],
        "boxed": ["cannot: takes no points", "", "cannot: takes no points"],
        "detector": ["", "cannot: takes no boxes", "cannot: takes no points"],
        "able": ["not run", "not run", ""],
    }


def test_a_method_of_its_own_does_the_task(matrix_of) -> None:
    matrix = matrix_of(
        result("boxed", "instances", prompts=["boxes"], methods=["boundaries"]),
        result("clicked", "edges", prompts=["points"], methods=[]),
    )
    assert reasons(matrix)["boxed"] == ["not run", ""]


def test_options_of_a_task_say_what_it_needs(matrix_of) -> None:
    chained = result("able", prompts=ALL, methods=[])
    chained.protocol["task"].update(points=3, feedback=True)
    matrix = matrix_of(chained, result("clicked", "edges", prompts=["points"], methods=[]))
    assert reasons(matrix)["clicked"] == ["", "cannot: takes no masks"]


def test_nothing_is_claimed_of_what_is_not_declared(matrix_of) -> None:
    matrix = matrix_of(
        result("old", "points"),
        result("other", "edges", prompts=[], methods=[]),
        result("boxed", "a_task_that_is_not_here", prompts=["boxes"], methods=[]),
    )
    found = reasons(matrix)
    assert found["old"] == ["not run", "not run", ""]
    assert found["other"] == ["not run", "", "cannot: takes no points"]
    assert [row.model.takes for row in matrix.rows if row.model.label == "old"] == ["not stated"]


def test_one_protocol_stands_for_a_task_on_a_dataset(matrix_of) -> None:
    def other(name: str) -> Result:
        found = result(name, prompts=ALL, methods=[])
        found.protocol["task"]["points"] = 2
        return found

    matrix = matrix_of(
        result("a", prompts=ALL, methods=[]),
        result("b", prompts=ALL, methods=[]),
        result("e", prompts=ALL, methods=[]),
        other("b"),
        other("c"),
        replace(other("d"), images=5),
        result("a", dataset="scenes"),
    )
    first, second = matrix.places
    assert [entry.label for entry in first.board.entries] == ["a", "b", "e"]
    assert len(first.others) == 2
    assert second.others == ()
    cells = {row.model.label: row.cells[0] for row in matrix.rows}
    assert cells["b"].entry is not None
    assert cells["c"].why == "other protocol"
    assert cells["c"].board in first.others
    assert cells["d"].board in first.others


def test_of_as_many_models_the_protocol_of_more_images_stands(matrix_of) -> None:
    matrix = matrix_of(replace(result("a"), images=2), result("a"), replace(result("a"), images=1))
    [place] = matrix.places
    assert [entry.run.result.images for entry in place.board.entries] == [3]


def test_most_results_come_first_and_then_better_ranks(matrix_of) -> None:
    matrix = matrix_of(
        scored(result("low", prompts=ALL), 0.1),
        scored(result("high", prompts=ALL), 0.9),
        scored(result("both", prompts=ALL), 0.05),
        result("both", "edges", prompts=ALL),
    )
    assert [row.model.label for row in matrix.rows] == ["both", "high", "low"]


def test_a_model_is_what_its_results_declare() -> None:
    declared = {"family": "SAM", "parameters": 10_130_092, "weights_sha256": "e6"}
    found = known(result("m", prompts=["boxes", "masks", "points"], methods=["x"], **declared))
    assert found == Known("m", "SAM", ("points", "boxes", "masks"), frozenset({"x"}), 10_130_092)
    assert (found.takes, found.size) == ("points, boxes, masks", "10.1 M")
    assert found.size_class == "under 25 M"


def test_a_model_of_clips_takes_prompts_on_their_frames(matrix_of) -> None:
    kinds = ["clip boxes", "clip masks"]
    matrix = matrix_of(result("still", "video_object", prompts=kinds, methods=[]))
    assert matrix.rows[0].model.takes == "clip boxes, clip masks"
    clicks = result("asked", "video_interactive", prompts=["clip points"], methods=[])
    assert reasons(matrix_of(result("still", "video_object", prompts=kinds), clicks))["still"] == [
        "cannot: takes no clip points", ""
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("parameters", "words", "size_class"),
    [
        (None, "not stated", "not stated"),
        (0, "no weights", "no weights"),
        (24_999_999, "25 M", "under 25 M"),
        (25_000_000, "25 M", "25 to 100 M"),
        (93_735_472, "93.7 M", "25 to 100 M"),
        (312_342_832, "312 M", "100 to 500 M"),
        (641_090_608, "641 M", "500 M and more"),
    ],
)
def test_sizes_in_words(parameters: int | None, words: str, size_class: str) -> None:
    found = Known("m", parameters=parameters)
    assert (found.size, found.size_class) == (words, size_class)


def test_no_parameters_are_none_only_without_weights() -> None:
    assert known(result("a", parameters=0, weights_sha256="")).parameters == 0
    assert known(result("a", parameters=0, weights_sha256="ab")).parameters is None
    assert known(result("a")).parameters is None


def test_of_several_results_the_one_that_declares_counts(matrix_of) -> None:
    matrix = matrix_of(result("m", "edges"), result("m", family="SAM", prompts=["points"]))
    [row] = matrix.rows
    assert (row.model.family, row.model.prompts) == ("SAM", ("points",))


def test_filters_have_the_values_that_occur(matrix_of) -> None:
    matrix = matrix_of(
        result("a", family="SAM", prompts=ALL, parameters=10_000_000),
        result("b", family="baseline", prompts=[], parameters=0, weights_sha256=""),
        result("c"),
    )
    assert dict(filters(matrix)) == {
        "family": ["SAM", "baseline", "not stated"],
        "prompts": ["points", "boxes", "masks", "no prompts", "not stated"],
        "size": ["no weights", "under 25 M", "not stated"],
    }


def test_markdown_has_a_line_for_each_task_and_for_each_model(tmp_path: Path) -> None:
    write_result(tmp_path / "a.json", result("a|b", family="SAM", prompts=["points"]))
    write_result(tmp_path / "b.json", result("c", "edges", prompts=[], methods=["boundaries"]))
    text = matrix_markdown(make_boards(find_runs([tmp_path])))
    assert text.splitlines() == [
        "| task | dataset | metric | models, by rank |",
        "| --- | --- | --- | --- |",
        "| edges | mini | ODS | 1: c 0.600 (0.500 to 0.700) |",
        r"| points | mini | mIoU % | 1: a\|b 60.0 (50.0 to 70.0) |",
        "",
        "| model | family | prompts | parameters |",
        "| --- | --- | --- | --- |",
        r"| a\|b | SAM | points | not stated |",
        "| c | not stated | no prompts | not stated |",
    ]
    assert matrix_markdown([]) == ""


def test_what_a_dataset_demands_stands_beside_the_numbers(matrix_of) -> None:
    noted = replace(result("a"), note="A demonstration.", images=20)
    assert matrix_of(noted, replace(noted, model="b")).notes == ["A demonstration."]
    busy = replace(noted, model="b", note="A demonstration. Busy.")
    assert matrix_of(noted, busy).notes == ["A demonstration. Busy."]


def test_few_images_are_told_by_board(matrix_of) -> None:
    matrix = matrix_of(result("a"), result("b"), result("a", "edges"))
    assert matrix.notes == ["points on mini: 3 images are too few to tell 2 models apart."]


def test_another_metric_of_a_task_has_its_own_column(matrix_of) -> None:
    mean = result("a", "instances")
    precise = replace(
        mean, metric="AP", metrics={"AP": Estimate(0.2, 0.1, 0.3)},
        protocol={**mean.protocol, "task": {"detections": "0" * 64}},
    )  # fmt: skip
    matrix = matrix_of(mean, precise)
    assert sorted(place.board.metric.name for place in matrix.places) == ["AP", "mIoU"]
    assert all(cell.entry for row in matrix.rows for cell in row.cells)
