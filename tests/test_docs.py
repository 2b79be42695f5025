"""What the documentation shows works: its commands and its Python run as they stand."""

import importlib.util
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from sambench import cli
from sambench.registry import entries

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"


def blocks(page, language):
    """The code blocks of a page in one language."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def pages(language):
    return sorted(page for page in DOCS.glob("*.md") if blocks(page, language))


@pytest.fixture(scope="module")
def hooks():
    spec = importlib.util.spec_from_file_location("docs_hooks", DOCS / "hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", pages("sh"), ids=lambda page: page.stem)
def test_the_commands_of_a_page_run(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for block in blocks(page, "sh"):
        for line in block.strip().splitlines():
            program, *words = shlex.split(line)
            assert program == "sambench"
            assert cli.main(words) == 0, line
    assert capsys.readouterr().out


@pytest.mark.parametrize("page", pages("python"), ids=lambda page: page.stem)
def test_the_python_of_a_page_runs(page, tmp_path):
    code = "\n".join(blocks(page, "python"))
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert ("result.png" in code) == (tmp_path / "result.png").is_file()


def test_the_command_line_is_described_from_the_code(hooks):
    page = hooks.command_line()
    for name in cli.COMMANDS:
        assert f"\n## {name}\n" in page
        assert f"usage: sambench {name}" in page


def test_every_task_has_its_protocol(hooks):
    page = hooks.tasks()
    for entry in entries("task"):
        if entry.origin == "built-in":
            assert f"\n## {entry.name}\n" in page


def test_every_model_is_named_in_the_documentation(hooks):
    page = hooks.models()
    missing = [entry.name for entry in entries("model") if f"`{entry.name}`" not in page]
    assert not missing


def test_the_site_builds(tmp_path):
    pytest.importorskip("material", reason="mkdocs-material is not installed")
    pytest.importorskip("nbclient", reason="nbclient is not installed")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(tmp_path)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "cli" / "index.html").is_file()
    assert "points" in (tmp_path / "tasks" / "index.html").read_text(encoding="utf-8")
    notebook = (tmp_path / "notebook" / "index.html").read_text(encoding="utf-8")
    assert "<td>mIoU</td><td>%</td><td>22.1</td><td>2.5 to 41.6</td>" in notebook
    assert 'src="data:image/png;base64,' in notebook
    schema = json.loads((tmp_path / "result.schema.json").read_text(encoding="utf-8"))
    assert "metrics" in schema["$defs"]["ResultFile"]["required"]
