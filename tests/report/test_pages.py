"""The templates: whatever a result, its records or a paper say is text on every page."""

import json
import math
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from jinja2 import UndefinedError

from sambench.metrics.statistics import Estimate
from sambench.report.details import Drawings, Part, drawings
from sambench.report.leaderboard import Board, make_boards
from sambench.report.pages.browser import ScoredRun
from sambench.report.pages.contents import Contents
from sambench.report.pages.images import browser_page
from sambench.report.pages.overview import overview_page
from sambench.report.pages.render import Page, environment, render
from sambench.report.pages.run import run_page
from sambench.report.pages.task import task_page
from sambench.report.published import Paper, PublishedRow, PublishedTable
from sambench.shown import Metric
from sambench.store.result import Result, write_result
from sambench.store.run import Run

ATTACK = "'\"></script></style></title><hacked onload=hack()>&lt;{{ 7 * 7 }}{% x %}$\\frac{"


def hostile(field: str) -> str:
    """A value of a field that tries to become markup."""
    return field + ATTACK


class Parsed(HTMLParser):
    """The elements, attributes and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.data = ""
        self._is_data = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.texts += [value for _, value in attrs if value]
        self._is_data = ("type", "application/json") in attrs

    def handle_data(self, data: str) -> None:
        if self._is_data:
            self.data += data
        else:
            self.texts.append(data)


def result(model: str, dataset: str = "dataset") -> Result:
    """A result with something hostile wherever text may stand."""
    nested = {hostile("key"): {hostile("inner key"): hostile("value"), "list": [hostile("item")]}}
    curve = {"x": [1, 2], "y": [0.1, 0.2], "caption": hostile("caption")}
    main, second = hostile("metric"), hostile("second metric")
    return Result(
        task=hostile("task"),
        model=hostile(model),
        dataset=hostile(dataset),
        metric=hostile("metric"),
        images=3,
        metrics={
            hostile("metric"): Estimate(0.5, 0.4, 0.6),
            hostile("second metric"): Estimate(0.5, math.nan, math.nan, hostile("withheld")),
        },
        protocol={
            "task": nested,
            "model": {"name": hostile(model)},
            "dataset": {"name": hostile(dataset), "images": hostile("images")},
            "sambench": hostile("version"),
        },
        failed={hostile("failed id"): hostile("reason")},
        timing={hostile("step"): 0.5, "images_per_second": 1.5, "memory": {"host_rss": 2**30}},
        environment={hostile("machine"): hostile("hardware"), "cpu": hostile("cpu")},
        note=hostile("note"),
        details={
            "curves": {hostile("curve"): curve},
            "histograms": {hostile("histogram"): {"edges": [0, 1, 2], "counts": [3, 4]}},
        },
        declared=(
            Metric(main, hostile("description"), hostile("unit")),
            Metric(
                second,
                hostile("second description"),
                hostile("second unit"),
                group=hostile("breakdown"),
                member=hostile("label"),
                of=main,
            ),
        ),
    )


def published() -> PublishedTable:
    """A published table with something hostile wherever text may stand."""
    rows = tuple(
        PublishedRow(
            label=hostile(f"row {i}"),
            model=hostile("printed model"),
            dataset=hostile(f"printed dataset {i}"),
            values={hostile("printed metric"): 0.5},
            mark=hostile("mark"),
            baseline=hostile("baseline"),
            options={hostile("row option"): hostile("row value")},
        )
        for i in range(2)
    )
    return PublishedTable(
        paper=Paper("key", hostile("paper"), 2023, url=f"example.org/{hostile('url')}"),
        id=hostile("id"),
        where=hostile("where"),
        title=hostile("title"),
        task=hostile("task"),
        dataset=hostile("printed dataset"),
        columns={hostile("printed metric"): "fraction"},
        rows=rows,
        facts={hostile("fact"): hostile("fact value")},
        unknown=(hostile("unknown"),),
    )


def drawn(found: Result) -> Drawings:
    """What is drawn of a result, and a category."""
    own = drawings(found)
    categories = {hostile("other label"): Part(0.5, 3)}
    return replace(own, breakdowns={**own.breakdowns, "category": categories})


@pytest.fixture(scope="module")
def contents(tmp_path_factory) -> Contents:
    first, second = result("first"), result("second")
    other = replace(second, protocol={**second.protocol, "task": {hostile("option"): hostile("9")}})
    results = [first, second, other, result("first", "more data"), result("second", "more data")]
    folder = tmp_path_factory.mktemp("results")
    runs = [Run(folder / f"{i}.json") for i in range(len(results))]
    for run, found in zip(runs, results, strict=True):
        write_result(run.path, found)
    line = {"record": {}, "seconds": {hostile("step"): 0.1}}
    id = hostile("image")
    linked, unlinked = published(), Paper("other", hostile("paper without address"), 2024)
    return Contents(
        boards=make_boards(runs, [linked, replace(linked, paper=unlinked)], records=False),
        addresses={run.path: f"run-{i}.html" for i, run in enumerate(runs)},
        drawings={run.path: drawn(run.result) for run in runs},
        scored={run.path: ScoredRun(run, None, {id: line}, {id: 0.5}) for run in runs},
        about={"points": hostile("about")},
    )


def board_of(contents: Contents, entries: int) -> Board:
    return next(b for b in contents.boards if b.measured and len(b.entries) == entries)


def images_page(contents: Contents) -> Page:
    board = board_of(contents, 2)
    layers = {"Photo": "images/0.jpg", hostile("layer"): "images/0.png"}
    prompts = {"points": [[1, 2, 1]], "boxes": [], "later": []}
    runs = [{"layers": {hostile("drawn"): "images/1.png"}, "prompts": prompts}]
    image = {"id": hostile("image"), "scores": [0.5, 0.4], "layers": layers, "runs": runs}
    return browser_page(board, contents.scored_runs(board), [image], readable=False)


OF_RESULT = ["task", "dataset", "first"]
FIELDS = {
    "overview": [*OF_RESULT, "metric", "second", "more data"],
    "task": [
        *OF_RESULT, "metric", "second", "second metric", "more data", "note", "inner key",
        "description", "unit", "second unit", "breakdown", "label",
        "value", "option", "9", "images", "version", "paper", "url", "where", "title", "row 0",
        "row 1", "printed dataset", "printed dataset 0", "printed metric", "mark", "baseline",
        "row option", "row value", "fact", "fact value", "unknown", "paper without address",
        "withheld",
    ],
    "run": [
        *OF_RESULT, "metric", "second metric", "note", "failed id", "reason", "inner key",
        "value", "images", "version", "step", "machine", "hardware", "label", "other label",
        "breakdown", "histogram", "image", "description", "second description", "unit", "caption",
        "withheld",
    ],
    "images": [*OF_RESULT, "second", "images", "layer", "drawn"],
}  # fmt: skip
"""What is sure to stand on each page."""


def page_of(name: str, contents: Contents) -> Page:
    board = board_of(contents, 2)
    assert board.entries[0].run is not None
    if name == "run":
        return run_page(contents, board, board.entries[0].run)
    if name == "task":
        return task_page(contents, board.task)
    return images_page(contents) if name == "images" else overview_page(contents)


@pytest.mark.parametrize("name", FIELDS)
def test_what_is_hostile_is_text_on_every_page(name: str, contents: Contents) -> None:
    links = [("index.html", hostile("link")), ("x.html", hostile("second link"))]
    found = Parsed(render(page_of(name, contents), links))
    assert "hacked" not in found.elements
    assert not [name for name in found.attributes if name.startswith("on")]
    shown = "\n".join(found.texts)
    for field in [*FIELDS[name], "link", "second link"]:
        assert hostile(field) in shown, field
    if name in ("task", "run"):  # which show the protocol, lists as JSON
        assert json.dumps([hostile("item")]) in shown


def test_data_for_scripts_cannot_end_its_script(contents: Contents) -> None:
    data = json.loads(Parsed(render(images_page(contents))).data)
    assert data["runs"] == [hostile("first"), hostile("second")]
    assert data["metric"].startswith(hostile("metric"))
    assert data["images"][0]["id"] == hostile("image")
    # The order of layers is that in which they lie on each other.
    assert list(data["images"][0]["layers"]) == ["Photo", hostile("layer")]


def test_a_name_that_a_template_is_not_given_is_an_error(contents: Contents) -> None:
    page = overview_page(contents)
    with pytest.raises(UndefinedError, match="counts"):
        render(replace(page, data={k: v for k, v in page.data.items() if k != "counts"}))


def test_no_template_trusts_data() -> None:
    """What is put in as it is comes from sambench: assets, plots, and data as JSON."""
    templates = environment().list_templates()
    assert {"base.html", "images.html", "macros.html", "overview.html"} <= {*templates}
    for name in templates:
        source, _, _ = environment().loader.get_source(environment(), name)
        assert "|safe" not in source.replace(" ", "").replace("|safe_link", "")
        assert "autoescape" not in source
