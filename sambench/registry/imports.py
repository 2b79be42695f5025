"""Which modules a syntax tree imports, wherever in it and however it says so."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple


class Imported(NamedTuple):
    """One name that is imported.

    Attributes:
        level: dots before the module.
        module: what follows them; "" where nothing does.
        name: taken out of the module; "" where it is the module itself.
    """

    level: int
    module: str
    name: str = ""


def imported(node: ast.AST) -> Iterator[Imported]:
    """What one node imports: a statement, or a call of ``import_module`` or ``__import__``."""
    if isinstance(node, ast.Import):
        yield from (Imported(0, alias.name) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from (Imported(node.level, node.module or "", a.name) for a in node.names)
    elif isinstance(node, ast.Call) and _imports(node.func):
        first = node.args[0] if node.args else None
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            module = first.value.lstrip(".")
            yield Imported(len(first.value) - len(module), module)


def _imports(function: ast.expr) -> bool:
    """Whether a function is one that imports the module which its first argument names."""
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in {"import_module", "__import__"}
