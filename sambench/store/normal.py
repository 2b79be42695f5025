"""A module's code without all that computes nothing: what is left has a digest.

Left out are comments, docstrings, annotations, imports that only these need, what only type
checkers see, the wording of raised errors, and the words that describe a metric or label a curve.
Imports that stand together have no order. An import of a module of ours counts by the content of
that module, not by its name.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

from sambench.registry.imports import Imported, imported

TYPING = {
    "__future__", "collections.abc", "numpy.typing", "sambench.options", "typing",
    "typing_extensions",
}  # fmt: skip
"""Modules of which nothing but annotations, and refusals of options, needs anything."""

DECLARING = {"sambench", "sambench.interfaces", "sambench.shown"}
"""Modules that the types with `WORDS` are imported from."""
WORDS = {
    "Metric": {"description": 1},
    "Curve": {"x_label": 3, "y_label": 4, "caption": 9},
    "Histogram": {"y_label": 3},
}
"""Type -> its fields that only say what a number is, and their places among the arguments."""


class Normal(ast.NodeTransformer):
    """Takes out of a tree all that computes nothing, and notes what is imported and named.

    Args:
        own: the modules of ours among what is imported, by absolute names.
    """

    def __init__(self, own: Callable[[Imported], list[str]]) -> None:
        self._own = own
        self._fields = [False]
        self._words: dict[str, dict[str, int]] = {}
        self.imports: dict[str, None] = {}
        self.texts: set[str] = set()

    def digest(self, tree: ast.AST) -> str:
        """SHA-256 over what is left of a tree."""
        return hashlib.sha256(repr(_plain(self.visit(tree))).encode()).hexdigest()

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Any node; imports that stand together in it are put in one order first."""
        for name, value in ast.iter_fields(node):
            if isinstance(value, list):
                setattr(node, name, list(_ordered(value)))
        return super().generic_visit(node)

    def _import(self, node: Any) -> ast.AST | None:
        found = list(imported(node))
        for each, alias in zip(found, node.names, strict=True):
            if each.module in DECLARING and each.name in WORDS and not each.level:
                self._words[alias.asname or each.name] = WORDS[each.name]
        if all(each.module in TYPING for each in found):
            return None
        own = [name for each in found for name in self._own(each)]
        if not own:
            return node  # type: ignore[no-any-return]
        self.imports |= dict.fromkeys(own)
        bound = [(alias.name.rpartition(".")[2], alias.asname or "") for alias in node.names]
        return ast.Constant(repr(bound))

    visit_Import = visit_ImportFrom = _import  # noqa: N815 (ast's names)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """A call, which may be an import: it counts by the content of the module too.

        One that declares a metric or a curve is left without the words that describe it.
        """
        own = [name for each in imported(node) for name in self._own(each)]
        self.imports |= dict.fromkeys(own)
        if own:
            node.args[0] = ast.Constant(None)
        words = self._words.get(getattr(node.func, "id", ""), {})
        node.keywords = [each for each in node.keywords if each.arg not in words]
        places = set() if any(isinstance(a, ast.Starred) for a in node.args) else {*words.values()}
        node.args = [ast.Constant(None) if i in places else a for i, a in enumerate(node.args)]
        return self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        """A constant, however it was written."""
        if isinstance(node.value, str):
            self.texts.add(node.value)
        node.kind = None
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        """Without docstrings, and other constants that nothing is done with."""
        return None if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_Pass(self, node: ast.Pass) -> None:
        """Without what does nothing."""

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """A class; where it is decorated, what is annotated in it may be a field."""
        self._fields.append(bool(node.decorator_list))
        try:
            return self.generic_visit(node)
        finally:
            self._fields.pop()

    def _function(self, node: Any) -> ast.AST:
        node.returns, node.type_params = None, []
        self._fields.append(False)
        try:
            return self.generic_visit(node)
        finally:
            self._fields.pop()

    visit_FunctionDef = visit_AsyncFunctionDef = _function  # noqa: N815 (ast's names)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        """An argument without its annotation."""
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """A variable without its annotation; a field stays one."""
        of_class = "ClassVar" in ast.unparse(node.annotation)
        node.annotation = ast.Constant(None)
        if node.value is None or (self._fields[-1] and not of_class):
            return self.generic_visit(node)
        return self.generic_visit(ast.Assign([node.target], node.value))

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        """A raised error without its words: an image that fails has no number."""
        if isinstance(node.exc, ast.Call):
            node.exc.args = [each for each in node.exc.args if not _is_wording(each)]
        return self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        """Without what only type checkers see."""
        if not _for_checkers(node):
            return self.generic_visit(node)
        rest = ast.Module(node.orelse, [])
        self.generic_visit(rest)
        return rest.body


def _ordered(nodes: list[Any]) -> Iterator[Any]:
    """A list of nodes in which imports that stand together are one by one, ordered by name.

    Not those of a star: what they bind may hide, or be hidden by, what others do.
    """
    for movable, group in groupby(nodes, _movable):
        if movable:
            single = [each for node in group for each in _singly(node)]
            yield from sorted(single, key=lambda each: _bound(each.names[0]))
        else:
            yield from group


def _movable(node: Any) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom) and node.names[0].name != "*"


def _singly(node: ast.Import | ast.ImportFrom) -> list[ast.Import | ast.ImportFrom]:
    if isinstance(node, ast.Import):
        return [ast.Import([alias]) for alias in node.names]
    return [ast.ImportFrom(node.module, [alias], node.level) for alias in node.names]


def _bound(alias: ast.alias) -> str:
    return alias.asname or alias.name.rpartition(".")[2]


def _for_checkers(node: ast.If) -> bool:
    """Whether a statement is ``if TYPE_CHECKING:``."""
    test = node.test
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


def _is_wording(node: ast.expr) -> bool:
    """Whether an expression makes a text of a literal one."""
    if isinstance(node, ast.BinOp):
        return _is_wording(node.left) or _is_wording(node.right)
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Attribute) and _is_wording(node.func.value)
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _plain(value: Any) -> Any:
    """A tree as tuples, without what is empty: `ast.dump` differs between versions of Python."""
    if isinstance(value, ast.AST):
        fields = ((name, child) for name, child in ast.iter_fields(value) if name != "ctx")
        kept = [(name, _plain(child)) for name, child in fields if child not in (None, [])]
        return type(value).__name__, kept
    return [_plain(each) for each in value] if isinstance(value, list) else value
