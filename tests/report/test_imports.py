"""The modules of the report depend on each other in one direction."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def imported(text: str) -> Iterator[str]:
    """Every module that a text imports, be it in a function or only for its types."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            yield from (f"{node.module}.{name.name}" for name in node.names)
            yield str(node.module)


def graph(texts: dict[str, str]) -> dict[str, set[str]]:
    """Module -> those of the same modules that it imports."""
    return {name: set(imported(text)) & texts.keys() for name, text in texts.items()}


def test_no_module_of_the_report_needs_itself() -> None:
    paths = sorted((ROOT / "sambench" / "report").rglob("*.py"))
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths]
    texts = {
        name.removesuffix(".__init__"): path.read_text()
        for name, path in zip(names, paths, strict=True)
    }
    found = graph(texts)
    assert "sambench.report.pages.charts" in found["sambench.report.pages.task"]
    TopologicalSorter(found).prepare()  # a CycleError names the modules of the circle


@pytest.mark.parametrize(
    "text",
    ["from a import b", "def f():\n    import a.b", "if TYPE_CHECKING:\n    from a.b import C"],
)
def test_a_circle_is_found_wherever_the_import_stands(text: str) -> None:
    with pytest.raises(CycleError):
        TopologicalSorter(graph({"a.b": "import a.c", "a.c": text})).prepare()
