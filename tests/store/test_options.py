"""Options that name files and folders count by what lies there; words are words."""

from pathlib import Path

import pytest

from sambench.errors import UserError
from sambench.registry import load
from sambench.store.options import constructor_options, task_options
from sambench.store.paths import label_of, slug

MODEL = """
from pathlib import Path
from typing import Literal

from sambench.interfaces import Model, ModelCard


class Mine(Model):
    def __init__(
        self, weights: {annotation} = "", mode: Literal["fast", "slow"] = "fast",
        parts: tuple = (Path(__file__).with_name("part"),), device: str = "cpu",
    ) -> None:
        self.card = ModelCard(name="mine")

    def embed(self, images):
        return [1]

    def predict(self, embedding, prompts, *, multimask):
        return None
"""
TASK = """
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from sambench.interfaces import Task
from sambench.truths import Instances


@dataclass(frozen=True)
class Mine(Task):
    file: {annotation} = Path()
    truth: ClassVar[type] = Instances
    metric: ClassVar[str] = "m"
    needs: ClassVar[frozenset] = frozenset()
    paper: ClassVar[str] = "none"

    def predict(self, model, embedding, sample):
        return 1

    def score(self, prediction, truth):
        return {{}}

    def estimator(self, records):
        return lambda counts: {{"m": 1.0}}
"""


@pytest.fixture(params=["str", "Path", "Path | None"])
def place(request, tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.py").write_text(MODEL.format(annotation=request.param))
    (tmp_path / "task.py").write_text(TASK.format(annotation=request.param))
    (tmp_path / "part").write_text("1")
    (tmp_path / "w" / "deep").mkdir(parents=True)
    (tmp_path / "w" / "deep" / "a.bin").write_text("1")
    (tmp_path / "link").symlink_to("w")
    return tmp_path


def both(kind: str, spec: str) -> tuple[dict, str]:
    found = load(kind, spec)
    if kind == "task":
        return task_options(found), slug("mine", found)
    return constructor_options(found), label_of(found)


@pytest.mark.parametrize("spec", ["model my.py:weights=", "task task.py:file="])
def test_a_folder_counts_by_what_lies_in_it(place, spec):
    kind, _, option = spec.partition(" ")
    before = both(kind, f"{option}w")
    for typed in ("./w/", f"{place}/w", "link", "w/deep/.."):
        assert both(kind, option + typed) == before
    (place / "w" / "deep" / "a.bin").write_text("2")
    options, name = both(kind, f"{option}w")
    assert options != before[0]
    assert name != before[1]


@pytest.mark.parametrize("spec", ["model my.py:weights=", "task task.py:file="])
def test_a_file_counts_by_its_content(place, spec):
    kind, _, option = spec.partition(" ")
    before = both(kind, f"{option}w/deep/a.bin")
    (place / "w" / "deep" / "a.bin").write_text("2")
    assert both(kind, f"{option}w/deep/a.bin") != before


def test_files_in_a_default_count_too(place):
    before = constructor_options(load("model", "my.py"))
    (place / "part").write_text("2")
    assert constructor_options(load("model", "my.py")) != before


def test_a_word_is_none_though_a_folder_has_its_name(place):
    before = both("model", "my.py:mode=slow")
    (place / "slow").mkdir()
    assert both("model", "my.py:mode=slow") == before
    assert before[1] == "mine-mode=slow"


def test_a_file_of_a_task_that_is_not_there_is_refused(place):
    task = load("task", "task.py:file=absent")
    if isinstance(task.file, Path):
        with pytest.raises(UserError, match="absent cannot be read"):
            task_options(task)


def test_the_split_of_a_dataset_is_no_folder_of_the_user(tmp_path, monkeypatch):
    (tmp_path / "boxes.py").write_text(DATASET)
    monkeypatch.chdir(tmp_path)
    before = both("dataset", "boxes.py:split=val")
    (tmp_path / "val").mkdir()
    (tmp_path / "test").mkdir()
    assert both("dataset", "boxes.py:split=val") == before
    assert before == ({"split": "val"}, "boxes-split=val")
    assert both("dataset", "boxes.py") == ({"split": "test"}, "boxes")


DATASET = """
from sambench.interfaces import Dataset, DatasetCard
from sambench.truths import Instances


class Boxes(Dataset):
    truths = (Instances,)
    card = DatasetCard(name="boxes", title="boxes", licence="none", citation="none")
    fingerprint = "1"
    ids = ("a",)

    def __init__(self, split: str = "test") -> None:
        pass

    def read_image(self, id):
        raise OSError

    def read_truth(self, id, kind):
        raise OSError
"""
