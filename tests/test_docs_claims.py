"""What README and docs claim of options, defaults, presets, metrics, models and counts is so."""

import importlib
import inspect
import re
from dataclasses import fields
from pathlib import Path

import pytest

from sambench import cli
from sambench.data.suites import SUITES
from sambench.options import described
from sambench.registry import entries, find, load, names
from sambench.report.published import MARKS, SCALES, TableFile
from sambench.shown import Metric
from sambench.store.schema import Protocol, ResultFile
from sambench.truths import Instances

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
BUILT_IN = {kind: {e.name for e in entries(kind) if e.origin == "built-in"} for kind in
            ("task", "model", "dataset")}  # fmt: skip
OTHERS = {
    "--shell", "--strict", "--nproc-per-node", "--point-from", "--prompt-types", "--refine-iter",
    "--per_obj_png_file", "--track_object_appearing_later_in_video",
}  # fmt: skip
"""Flags of other programs: argcomplete, mkdocs, torchrun, EdgeSAM's evaluation."""


def tables(page, head):
    """The rows, as lists of cells, of the tables of a page whose first heading is this."""
    found, inside = [], []
    for line in (DOCS / page).read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not cells:
            inside = []
        elif cells[0] == head and not inside:
            inside = [[cell] for cell in cells]
            found.append([])
        elif inside and set(cells[0]) - set("-:"):
            found[-1].append(cells)
    return found


def code(cell):
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def option(flag):
    return flag.removeprefix("--").replace("-", "_")


OPTION_TABLES = [
    ("instances.md", "option", 0, ("task", "instances")),
    ("points.md", "option", 0, ("task", "points")),
    ("points.md", "option", 1, ("task", "interactive")),
    ("proposals.md", "option", 0, ("task", "proposals")),
    ("robustness.md", "option", 0, ("task", "shaken")),
    ("text.md", "option", 0, ("model", "clip_rank")),
    ("text.md", "option", 1, ("task", "open_vocabulary")),
]


@pytest.mark.parametrize(("page", "head", "number", "owner"), OPTION_TABLES)
def test_options_have_the_defaults_and_choices_of_their_table(page, head, number, owner):
    known = {each.name: each for each in described(find(*owner))}
    rows = tables(page, head)[number]
    assert len(rows) >= 5
    for named, stated, effect in rows:
        flags = [option(flag) for flag in code(named)]
        assert {*flags} <= known.keys(), named
        values = [value.strip(" `") for value in stated.split(",")]
        for flag, value in zip(flags, values * len(flags) if len(values) == 1 else values,
                               strict=len(values) == len(flags)):  # fmt: skip
            if value in {"none", "all"} and not known[flag].choices:
                assert known[flag].default_text in {"", "-inf", "0"}, named
            elif known[flag].choices or len(values) == 1 or len(flags) > 1:
                assert value == known[flag].default_text, named
        for flag in flags:
            choices = [str(choice) for choice in known[flag].choices]
            listed = code(stated) if len(code(stated)) > 1 else []
            assert not choices or {*listed} <= {*choices}, named
            if listed:
                assert listed == choices, named
            alternatives = re.match(r"(or )?`([\w-]+)`(?:, `([\w-]+)`)?", effect)
            if choices and choices != ["true", "false"] and alternatives:
                assert {*filter(None, alternatives.groups()[1:])} <= {*choices}, effect


@pytest.mark.parametrize("task", ["instances", "points", "proposals"])
def test_the_presets_of_a_page_are_those_of_its_task(task):
    [rows] = tables(f"{task}.md", "preset")
    assert [code(row[0])[0] for row in rows] == list(find("task", task).presets)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_flag_that_is_named_is_there(page):
    tasks = [["--task", task] for task in sorted(BUILT_IN["task"])]
    parsers = [cli.parser_of(name) for name in cli.COMMANDS]
    parsers += [cli.parser_of("run", words) for words in tasks]
    known = {flag for parser in parsers for flag in parser._option_string_actions}
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    spans = " ".join(re.findall(r"`([^`\n]+)`", text))
    assert {*re.findall(r"(?<![\w-])--[a-z][\w-]*", spans)} - known - OTHERS == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_is_named_in_sambench_is_there(page):
    groups = {"sambench.models", "sambench.tasks", "sambench.datasets"}  # of entry points
    for path in {*re.findall(r"`(sambench(?:\.\w+)+)", page.read_text(encoding="utf-8"))} - groups:
        module, _, name = path.rpartition(".")
        try:
            importlib.import_module(path)
        except ModuleNotFoundError:
            assert hasattr(importlib.import_module(module), name), path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_to_files_that_are_there(page):
    made = {"cli.md", "tasks.md", "contributing.md", "notebook.md"}
    made |= {"result.schema.json", "published.schema.json"}
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if not target.startswith(("https:", "http:")) and target not in made:
            assert (page.parent / target).exists(), target


def readme_rows():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    rows = [line.split("|")[1:-1] for line in lines if re.match(r"\| `\w+` \|", line)]
    return {code(row[0])[0]: [cell.strip() for cell in row[1:]] for row in rows}


def test_the_readme_lists_every_task_with_metrics_that_it_has():
    rows = readme_rows()
    assert rows.keys() == BUILT_IN["task"]
    for task, (_, _, metrics, _) in rows.items():
        cls = find("task", task)
        variants = [cls(), *(cls(**preset) for preset in cls.presets.values())]
        if task == "instances":
            variants.append(cls(**cls.foreign) if cls.foreign else cls())
        declared = " ".join(m.name for made in variants for m in made.metrics).lower()
        for name in re.findall(
            r"\b[A-Z][A-Za-z_0-9]*[A-Z0-9][A-Za-z]*\b", metrics.replace("COCO, LVIS", "")
        ):
            assert name.lower() in declared, (task, name)


def test_metrics_of_dense_tasks_are_named_as_declared():
    saliency, regions = tables("dense.md", "metric")
    for task, rows in (("foreground", saliency), ("superpixels", regions)):
        declared = {metric.name for metric in find("task", task)().metrics}
        named = [name for row in rows for name in row[0].split(", ")]
        assert {*named} <= declared, task
        assert len(named) >= len(declared) - 1


def test_models_take_and_need_what_their_tables_say():
    prompted, baselines = tables("models.md", "model")
    kinds = {"points", "boxes", "masks", "texts"}
    for named, takes, needs in prompted:
        for name in code(named):
            cls = find("model", name)
            stated = {kind for kind in kinds if kind in takes.split(";")[0].split(" by ")[0]}
            assert cls.prompts - {"blanks"} == stated or name in {"onnx", "torchscript"}, name
            for extra in code(needs):
                assert extra in cls.requires, name
    listed = {name for rows in (prompted, baselines) for row in rows for name in code(row[0])}
    assert BUILT_IN["model"] == listed


def test_what_baselines_need_and_do():
    [_, rows] = tables("models.md", "model")
    own = {"proposals": "propose", "boundaries": "boundaries", "superpixels": "superpixels",
           "saliency": "saliency"}  # fmt: skip
    for named, does, *_ in rows:
        for name in code(named):
            cls = find("model", name)
            for extra in (each for each in code(does) if each.startswith("sambench[")):
                assert extra in cls.requires, name
            if "oracle" not in name and "click" not in does:
                for word, method in own.items():
                    assert (word in does) == hasattr(cls, method), (name, word)


def words_of(text, pattern):
    return [int(number) for number in re.findall(pattern, text)]


def test_counts_are_right():
    text = {page.stem: page.read_text(encoding="utf-8") for page in PAGES}
    everything = "\n".join(text.values())
    mini = load("dataset", "mini")
    objects = sum(len(mini.read_truth(id, Instances)) for id in mini.ids)
    assert len(mini.ids) == 10
    assert "ten photographs from scikit-image" in text["README"]
    assert words_of(text["README"], r"with (\d+) masks, and boundaries") == [objects]
    counted = [n for n in words_of(everything, r"\b(\d+) datasets\b") if n != 37]  # SAM 2's
    assert {*counted} == {len(SUITES["sa23"])}


def test_the_readme_names_datasets_that_are_there():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    part = text.partition("## Datasets")[2].partition("\n## ")[0]
    assert {word for word in code(part) if re.fullmatch(r"[a-z_0-9]+", word)} <= {*names("dataset")}


def test_options_of_folder_are_those_of_its_table():
    [rows] = tables("data.md", "option of `folder`")
    known = {each.name for each in described(find("dataset", "folder"))}
    named = {name for row in rows for name in re.findall(r"(\w+)=", row[0])}
    assert named <= known
    assert len(named) >= 7


def test_the_fields_of_files_are_those_of_the_tables():
    result, declared, _, published = (
        [name for row in rows for name in code(row[0])]
        for rows in tables("result-schema.md", "field")
    )
    assert len(result) == len({*result})
    assert {*result} == {*ResultFile.__struct_fields__}
    assert {*declared} == {field.name for field in fields(Metric)}
    assert len(published) == len({*published})
    assert {*published} == {*TableFile.__struct_fields__}
    [rows] = tables("result-schema.md", "part")
    assert {code(row[0])[0] for row in rows} == {*Protocol.__struct_fields__}
    page = (DOCS / "result-schema.md").read_text(encoding="utf-8")
    for word in (*MARKS, *SCALES):
        assert f"`{word}`" in page


def test_the_parts_of_a_class_that_a_page_explains_are_there():
    from sambench.interfaces import ModelCard

    page = (DOCS / "adding-a-model.md").read_text(encoding="utf-8")
    for name in ("weights_sha256", "family", "parameters"):
        assert f"`{name}`" in page
        assert name in inspect.signature(ModelCard).parameters
