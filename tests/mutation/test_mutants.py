"""Mutants are drawn as they should be: by line, by seed, real, and nothing that cannot matter."""

import ast
import importlib.util
import sys
from collections import Counter
from pathlib import Path

import pytest

MODULE = Path(__file__).with_name("mutants.py")
SOURCE = '''"""Docstring 1."""
from typing import TYPE_CHECKING, ClassVar
if TYPE_CHECKING:
    from a import b

SIZE = 3

class Thing:
    """Docstring 2."""
    name: ClassVar[str] = "thing"

    def method(self, flag: bool = False, *, limit: int = 4) -> str:
        """Docstring 3."""
        assert limit > 0
        if not flag and limit <= 2:
            raise ValueError(f"limit {limit} is no good, give 3 or more")
        values = [min(x, limit) for x in zip(range(5), [1], strict=True)][1:limit]
        return {"key": values}["key"][0] + self.name
'''


@pytest.fixture(scope="module")
def mutants():
    spec = importlib.util.spec_from_file_location("mutation_mutants", MODULE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture
def root(tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "thing.py").write_text(SOURCE)
    return tmp_path


def every(mutants, root):
    """Many draws: all that can be drawn."""
    found = {}
    for seed in range(60):
        for mutant in mutants.draw(root, ["code"], 100, seed):
            found[mutant.text] = mutant
    return list(found.values())


def test_each_line_is_drawn_at_most_once_and_equal_seeds_draw_equals(mutants, root):
    drawn = list(mutants.draw(root, ["code"], 100, 5))
    assert max(Counter(mutant.line for mutant in drawn).values()) == 1
    assert drawn == list(mutants.draw(root, ["code"], 100, 5))
    assert list(mutants.draw(root, ["code"], 2, 5)) == drawn[:2]


def test_every_mutant_parses_and_differs(mutants, root):
    before = ast.dump(ast.parse(SOURCE))
    texts = [mutant.text for mutant in every(mutants, root)]
    assert all(ast.dump(ast.parse(text)) != before for text in texts)


def test_the_kinds_are_real_slips(mutants, root):
    changed = {
        line.strip()
        for mutant in every(mutants, root)
        for line in mutant.text.splitlines()
        if line not in SOURCE.splitlines()
    }
    assert {
        "SIZE = 4",
        "name: ClassVar[str] = 'thing_'",
        "def method(self, flag: bool = True, *, limit: int = 4) -> str:",
        "def method(self, flag: bool = False, *, limit: int = 5) -> str:",
        "if not flag or limit <= 2:",
        "if not flag and limit < 2:",
        "if not flag and limit <= 3:",
        "if (flag) and limit <= 2:",
        "values = [max(x, limit) for x in zip(range(5), [1], strict=True)][1:limit]",
        "values = [min(limit, x) for x in zip(range(5), [1], strict=True)][1:limit]",
        "values = [min(x, limit) for x in zip(range(5), [1], strict=True)][2:limit]",
        "values = [min(x, limit) for x in zip(range(5), [1], strict=True)][1:(limit) + 1]",
        "return None",
        "return {\"key\": values}['key_'][0] + self.name",
        'return {"key": values}["key"][1] + self.name',
        "return {'key': values}['key'][0] - self.name",
    } <= changed


def test_what_no_test_should_hold_is_left_alone(mutants, root):
    for mutant in every(mutants, root):
        for kept in ("Docstring 1", "Docstring 2", "Docstring 3", "assert limit > 0", "from a"):
            assert kept in mutant.text
        assert "strict=False" not in mutant.text
        assert "is no good" in mutant.text or "pass" in mutant.text


def test_a_mutant_knows_where_it_is(mutants, root):
    found = {(m.function, m.names) for m in every(mutants, root)}
    assert found == {("method", ()), ("", ("SIZE",)), ("", ("name",))}
