"""What releases are made with names files that are there, and no address of a registry."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TEXTS = [*WORKFLOWS, ROOT / "Dockerfile", ROOT / "RELEASING.md"]


def commands(workflow):
    """The shell commands of a workflow."""
    jobs = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"].values()
    return [step["run"] for job in jobs for step in job["steps"] if "run" in step]


def test_there_is_a_workflow_each_for_checks_docs_and_releases():
    found = {path.stem: commands(path) for path in WORKFLOWS}
    assert found["ci"] == [".ci/run"]
    assert found["docs"][-1] == "mkdocs build --strict"
    assert ".ci/run" in found["release"]
    assert found["release"][-2:] == ["python -m build", "python tests/check_wheel.py dist/*.whl"]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_no_address_of_a_registry_is_written_down(path):
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"https?://|\b\w+\.(?:io|org|com)\b", text) == []


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_the_files_that_are_named_are_there(path):
    text = path.read_text(encoding="utf-8")
    named = re.findall(r"[\w./-]+\.(?:md|yml|py|txt|toml)\b|\.ci/\w+|\bDockerfile\b", text)
    assert [name for name in named if not (ROOT / name).exists() and name != "release.yml"] == []


def test_the_version_is_one():
    import sambench

    assert f'version = "{sambench.__version__}"' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_the_pictures_of_the_readme_are_there_and_small():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"!\[[^]]+\]\(([^)]+)\)", text)
    assert shown
    assert [path for path in shown if (ROOT / path).stat().st_size >= 150_000] == []
    pages = " ".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md"))
    unused = [
        path.name
        for path in (ROOT / "docs" / "pictures").iterdir()
        if f"docs/pictures/{path.name}" not in shown and f"(pictures/{path.name})" not in pages
    ]
    assert unused == []
