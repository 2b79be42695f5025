"""The leaderboard: what may stand in one table, who ties, how it is written, when it is wrong."""

import csv
import io
import json
import math
import re
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sambench.cli import main
from sambench.errors import UserError
from sambench.metrics.statistics import Estimate
from sambench.report.comparable import comparability_key, differing_fields, protocol_fields
from sambench.report.formats import (
    matrix_markdown,
    md,
    tex,
    to_csv,
    to_json,
    to_latex,
    to_markdown,
)
from sambench.report.leaderboard import Entry, make_boards, rank, show_ranks, tie_rule
from sambench.report.numbers import show_estimate, show_metric, show_value
from sambench.report.published import read_published
from sambench.report.readme import END, START, readme_block
from sambench.report.upkeep import problems
from sambench.shown import Metric, find_metric
from sambench.store.result import Result, write_result
from sambench.store.run import Run, find_runs
from sambench.store.tasks import declared_metrics

PUBLISHED = Path(__file__).resolve().parents[2] / "results" / "published"
HOSTILE = "<img src=x onerror=alert(1)>|`$x$`\n=cmd"


def result(model: str = "a", value: float = 0.6, half: float = 0.05, **changes: object) -> Result:
    options = changes.pop("options", {"points": 1})
    dataset = changes.pop("dataset", "mini")
    base = Result(
        task="points",
        model=model,
        dataset=str(dataset),
        metric="mIoU",
        images=3,
        metrics={
            "mIoU": Estimate(value, value - half, value + half),
            "mIoUs": Estimate(math.nan, math.nan, math.nan),
        },
        protocol={
            "task": options,
            "model": {"name": model},
            "dataset": {"name": dataset, "split": "", "fingerprint": f"f-{dataset}", "ids": "i"},
            "sambench": "0.1.0",
        },
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def runs(*results: Result) -> list[Run]:
    folder = Path(tempfile.mkdtemp())
    for number, found in enumerate(results):
        write_result(folder / f"{number}.json", found)
    return find_runs([folder])


def declared(task: str, metric: str) -> Metric:
    return find_metric(declared_metrics(task), metric)


def key(found: Result) -> str:
    return comparability_key(protocol_fields(found))


class TestComparability:
    def test_another_model_is_comparable(self) -> None:
        assert key(result("a", 0.5)) == key(result("b", 0.9))

    def test_where_a_model_comes_from_is_part_of_the_model(self) -> None:
        here = replace(result(), protocol={**result().protocol, "plugins": {"model": "built-in"}})
        there = replace(result(), protocol={**result().protocol, "plugins": {"model": "mine.py"}})
        assert key(here) == key(there)
        task = replace(result(), protocol={**result().protocol, "plugins": {"task": "mine.py"}})
        assert key(task) != key(result())

    @pytest.mark.parametrize(
        "other",
        [
            result(options={"points": 3}),
            result(options={"points": 1, "new": 0}),
            result(dataset="coco"),
            result(images=2),
            result(failed={"x": "unreadable"}, images=3),
            replace(result(), protocol={**result().protocol, "sambench": "0.2.0"}),
        ],
    )
    def test_any_other_choice_is_not(self, other: Result) -> None:
        assert key(other) != key(result())

    def test_different_protocols_never_share_a_table(self) -> None:
        found = runs(result("a"), result("b"), result("a", options={"points": 3}))
        boards = make_boards(found, read_published(PUBLISHED))
        assert sorted(len(b.entries) for b in boards if b.measured) == [1, 2]
        assert len({board.key for board in boards}) == len(boards)

    def test_the_fields_that_differ_are_named(self) -> None:
        protocols = {
            "x": protocol_fields(result()),
            "y": protocol_fields(result(options={"points": 3, "crowd": True})),
        }
        assert differing_fields(protocols) == {
            "task.points": {"x": 1, "y": 3},
            "task.crowd": {"x": None, "y": True},
        }


def entry(label: str, value: float, low: float = math.nan, high: float = math.nan) -> Entry:
    return Entry(label, label, "d", {"m": Estimate(value, low, high)})


M = Metric("m", "a number")


class TestRank:
    def test_the_best_comes_first_with_the_rank_it_shares(self) -> None:
        lines = [entry("c", 0.3, 0.2, 0.4), entry("a", 0.9, 0.8, 1.0), entry("b", 0.85, 0.7, 0.95)]
        ranked = rank(lines, M, [line.metrics["m"] for line in lines])
        assert [(e.label, show_ranks(e), e.ties) for e in ranked] == [
            ("a", "1\u20132", ("b",)), ("b", "1\u20132", ("a",)), ("c", "3", ()),
        ]  # fmt: skip

    def test_what_was_not_measured_has_no_rank(self) -> None:
        lines = [entry("x", math.nan), entry("y", 0.1)]
        ranked = rank(lines, M, [line.metrics["m"] for line in lines])
        assert [(e.label, e.ranks) for e in ranked] == [("y", (1, 1)), ("x", None)]

    def test_published_numbers_without_intervals_have_their_plain_order(self) -> None:
        boards = make_boards([], read_published(PUBLISHED))
        (board,) = [b for b in boards if b.table and b.table.name == "sam:table-3"]
        assert [show_ranks(e) for e in board.entries] == ["1", "2", "3", "4", "5", "6"]
        assert tie_rule(board).startswith("Ranks follow the printed values")


class TestFormats:
    boards = make_boards(runs(result(HOSTILE, 0.5), result("b", 0.7)), read_published(PUBLISHED))

    def test_numbers_are_written_as_the_field_writes_them(self) -> None:
        overlap, clicks = declared("points", "mIoU"), declared("interactive", "NoC@90")
        assert show_value(overlap, 0.5912) == "59.1"
        assert show_value(declared("edges", "ODS"), 0.7684) == "0.768"
        assert show_value(clicks, 5.148) == "5.15"
        assert show_value(overlap, math.nan) == "\u2013"
        assert show_estimate(overlap, Estimate(0.6, 0.55, 0.65)) == "60.0 (55.0 to 65.0)"
        assert show_estimate(overlap, Estimate(0.6, 0.6, 0.6)) == "60.0"
        heads = [show_metric(m) for m in (overlap, clicks, declared("foreground", "MAE"))]
        assert heads == ["mIoU %", "NoC@90 clicks \u2193", "MAE \u2193"]

    def test_markdown_is_escaped_and_tables_are_whole(self) -> None:
        text = to_markdown(self.boards)
        assert "<img" not in text
        assert "&lt;img src=x onerror=alert(1)&gt;\\|" in text
        lines = [line for line in text.splitlines() if line.startswith("| ")]
        assert all(line.endswith(" |") for line in lines)

    def test_csv_holds_every_number_and_no_formula(self) -> None:
        rows = list(csv.DictReader(io.StringIO(to_csv(make_boards(runs(result("=1+1", 0.5)))))))
        assert [(r["model"], r["metric"], r["value"]) for r in rows] == [
            ("'=1+1", "mIoU", "0.5"),
            ("'=1+1", "mIoUs", ""),
        ]
        assert rows[0]["best_rank"] == "1"

    def test_csv_says_of_each_number_where_it_is_from(self) -> None:
        text = to_csv(make_boards(runs(result("a", 0.5), result("b", 0.7))))
        head, *rows = csv.reader(io.StringIO(text))
        assert head == [
            "task", "dataset", "key", "model", "label", "mark", "source", "metric", "value", "low",
            "high", "best_rank", "worst_rank", "unit", "higher_is_better", "withheld", "bias",
        ]  # fmt: skip
        assert len(rows) == 4
        first = dict(zip(head, rows[0], strict=True))
        assert (first["task"], first["dataset"], first["model"]) == ("points", "mini", "b")
        assert (first["metric"], first["value"], first["source"]) == ("mIoU", "0.7", "")
        assert (first["unit"], first["higher_is_better"]) == ("percent", "true")
        assert 0 < float(first["low"]) < 0.7 < float(first["high"])
        ranks = [(r[head.index("best_rank")], r[head.index("worst_rank")]) for r in rows]
        assert ranks[1] == ranks[3] == ("", "")  # only the metric that ranks has them
        assert {ranks[0], ranks[2]} <= {("1", "1"), ("2", "2"), ("1", "2")}

    def test_each_format_says_why_there_is_no_interval_and_the_bias(self) -> None:
        few = Estimate(0.6, math.nan, math.nan, "too few", 0.034)
        more = replace(few, bias=0.012)
        boards = make_boards(
            runs(result("a", metrics={"mIoU": more}), result("b", metrics={"mIoU": few}))
        )
        said = "No interval for mIoU: too few (here mIoU by up to 3.4)."
        for text in (to_markdown(boards), to_latex(boards), readme_block(boards)):
            assert text.count(said) == 1
        assert f"points on mini: {said}" in matrix_markdown(boards)
        by_model = {row["model"]: row for row in csv.DictReader(io.StringIO(to_csv(boards)))}
        assert (by_model["b"]["withheld"], by_model["a"]["bias"]) == ("too few", "0.012")
        entries = {e["model"]: e for e in json.loads(to_json(boards))[0]["entries"]}
        assert entries["b"]["withheld"] == {"mIoU": "too few"}
        assert entries["a"]["bias"] == {"mIoU": 0.012}

    def test_json_says_what_a_board_is_of(self) -> None:
        (board,) = json.loads(to_json(make_boards(runs(result("a", 0.5)))))
        assert board.keys() == {
            "key", "task", "dataset", "metric", "metrics", "published", "protocol", "entries",
        }  # fmt: skip
        assert (board["task"], board["dataset"], board["metric"]) == ("points", "mini", "mIoU")
        (entry,) = board["entries"]
        assert entry.keys() == {
            "model", "label", "dataset", "mark", "notes", "ranks", "metrics", "withheld", "bias",
        }  # fmt: skip
        assert entry["metrics"]["mIoU"][0] == 0.5
        assert entry["ranks"] == [1, 1]

    def test_a_latex_table_has_a_column_for_each_cell(self) -> None:
        text = to_latex(make_boards(runs(result("a", 0.5))))
        columns = re.search(r"begin\{tabular\}\{(\w+)\}", text).group(1)
        rows = [line for line in text.splitlines() if line.endswith(r"\\")]
        assert len(rows) == 2
        assert {line.count(" & ") + 1 for line in rows} == {len(columns)}
        assert re.fullmatch("rlr+l", columns)
        assert text.index("toprule") < text.index("midrule") < text.index("bottomrule")
        assert r"\caption{" in text
        assert text.endswith("\\end{table}")

    def test_json_is_strict(self) -> None:
        found = json.loads(to_json(self.boards), parse_constant=lambda name: pytest.fail(name))
        own = next(board for board in found if board["published"] is None)
        assert own["entries"][0]["metrics"]["mIoUs"] == [None, None, None]

    def test_latex_is_escaped(self) -> None:
        assert tex("50% of $x_1$ & {more}\\") == (r"50\% of \$x\_1\$ \& \{more\}\textbackslash{}")
        assert to_latex(self.boards).count(r"\begin{table}") == len(self.boards)

    @given(st.text())
    def test_no_text_breaks_a_markdown_table(self, text: str) -> None:
        escaped = md(text)
        assert "\n" not in escaped
        assert "<" not in escaped
        assert "|" not in escaped.replace("\\|", "").replace("\\\\", "")


class TestResults:
    def test_runs_are_found_without_predictions_and_published(self, tmp_path: Path) -> None:
        write_result(tmp_path / "points" / "mini" / "a.json", result())
        for other in ("points/mini/a.predictions", "published"):
            (tmp_path / other).mkdir(parents=True)
            (tmp_path / other / "x.json").write_text("[]")
        assert [run.path.name for run in find_runs([tmp_path, tmp_path])] == ["a.json"]

    def test_records_are_those_of_the_result(self, tmp_path: Path, records_of) -> None:
        """In the dataset's order, without what failed and what a later run added."""
        own = result(images=2)
        ids, records = list("1234"), {id: {"iou": [0.5]} for id in ("3", "2", "4")}
        text = records_of(own, records, ids) + '{"id": "1", "failed": "why"}\n{"id": "torn'
        (tmp_path / "a.records.jsonl").write_text(text)
        write_result(tmp_path / "a.json", own)
        found = Run(tmp_path / "a.json").lines()
        assert [line["id"] for line in found] == ["2", "3"]

    @pytest.mark.parametrize("damage", ["another model", "another format"])
    def test_records_of_something_else_are_left_out_and_said(
        self, tmp_path: Path, records_of, caplog: pytest.LogCaptureFixture, damage: str
    ) -> None:
        text = records_of(result("b" if damage == "another model" else "a"), {"1": {"iou": [0.5]}})
        if damage == "another format":
            text = text.replace('"format": 2', '"format": 1')
        (tmp_path / "a.records.jsonl").write_text(text)
        write_result(tmp_path / "a.json", result("a"))
        assert Run(tmp_path / "a.json").lines() == []
        assert "a.json" in caplog.text

    def test_a_missing_folder_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="nowhere"):
            find_runs([tmp_path / "nowhere"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository with one committed result."""
    write_result(tmp_path / "results" / "points" / "mini" / "a.json", result())
    (tmp_path / "README.md").write_text(f"# project\n{START}\nold\n{END}\nrest\n")
    return tmp_path / "results"


class TestSchema:
    def test_what_we_write_is_valid(self, folder: Path) -> None:
        assert problems(folder / "points" / "mini" / "a.json", folder) == []

    @pytest.mark.parametrize(
        ("change", "word"),
        [
            ({"schema": 2}, "$.schema: invalid enum value 2"),
            ({"metric": "AP"}, "'AP'"),
            ({"images": 0}, "no image"),
            ({"images": True}, "$.images: expected `int`, got `bool`"),
            ({"extra": 1}, "'extra'"),
            ({"complete": False}, "complete"),
            ({"model": "b"}, "another model"),
            ({"protocol": {"task": {}}}, "$.protocol: object missing required field `model`"),
            ({"metrics": {"mIoU": 0.5}}, "$.metrics.mIoU: expected `object`, got `float`"),
            (
                {"metrics": {"mIoU": {"value": "x", "low": 0, "high": 1}}},
                "$.metrics.mIoU.value: expected `float | null`, got `str`",
            ),
            (
                {"metrics": {"mIoU": {"value": math.inf, "low": 0, "high": 1}}},
                "$.metrics.mIoU: expected finite numbers",
            ),
            (
                {"metrics": {"mIoU": {"value": 1, "low": 0}}},
                "$.metrics.mIoU: object missing required field `high`",
            ),
            (
                {"metrics": {"mIoU": {"value": 1, "low": 0, "high": 1, "n": 3}}},
                "$.metrics.mIoU: object contains unknown field `n`",
            ),
            (
                {"metrics": {"mIoU": {"value": 0.5, "low": 1, "high": 0}}},
                "$.metrics.mIoU: the interval ends before",
            ),
        ],
    )
    def test_what_is_wrong_is_named(self, folder: Path, change: dict, word: str) -> None:
        path = folder / "points" / "mini" / "a.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
        problem = problems(path, folder)[0]
        assert str(path) in problem
        assert word in problem

    def test_all_that_is_wrong_is_one_sentence_with_a_remedy(self, folder: Path) -> None:
        path = folder / "points" / "mini" / "a.json"
        text = path.read_text()
        for damaged in ("[]", "3", text[:-40], text.replace("0.6", "NaN"), '{"schema": 1}'):
            path.write_text(damaged)
            (problem,) = problems(path, folder)
            assert problem.startswith(f"{path}")
            assert problem.endswith(".")
            assert "\n" not in problem

    def test_a_result_in_the_wrong_place(self, folder: Path) -> None:
        path = folder / "edges" / "mini" / "a.json"
        write_result(path, result())
        assert "expected points/mini/a.json" in problems(path, folder)[0]


@pytest.mark.parametrize("name", ["markdown", "csv", "latex", "json"])
def test_the_command_writes_each_format(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(folder), "--format", name, "--no-published"]) == 0
    assert "mIoU" in capsys.readouterr().out


def test_a_terminal_gets_its_own_tables_and_published_ones_if_asked(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def printed(*words: str) -> str:
        assert main(["report", str(folder), *words]) == 0
        return capsys.readouterr().out

    own = printed()
    assert "mIoU" in own
    assert own == printed("--no-published")
    assert "Published" not in own
    for words in (
        ["--published"],
        ["--format", "markdown"],
        ["--published", str(PUBLISHED)],
        ["--format", "markdown", "--published"],
    ):
        text = printed(*words)
        assert own.splitlines()[2] in text
        assert "<details><summary>Published" in text
    assert "Published" not in printed("--format", "markdown", "--no-published")


def test_a_terminal_is_told_where_nothing_was_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "Nothing was measured yet.\n"


def test_what_is_given_the_truth_has_no_rank_and_moves_none() -> None:
    def of(model: str, value: float, family: str) -> Result:
        found = result(model, value)
        own = {"name": model, "family": family}
        return replace(found, protocol={**found.protocol, "model": own})

    models = of("a", 0.6, "SAM"), of("b", 0.2, "baseline")
    [alone] = make_boards(runs(*models))
    [board] = make_boards(runs(of("oracle", 0.99, "bound"), *models))
    assert [(e.label, e.ranks) for e in board.entries] == [
        *((e.label, e.ranks) for e in alone.entries), ("oracle", None)
    ]  # fmt: skip
    assert board.entries[-1].notes == ("given the truth: a bound, not ranked",)
    assert tie_rule(board) == tie_rule(alone)
