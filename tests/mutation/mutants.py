"""The mutants of a Python file: one small, real slip each.

Not mutated is what no test can or should hold: docstrings, annotations, assertions (invariants),
what a message says, arguments of decorators and of `zip(strict=...)`, `__all__`, and code that only
a type checker reads.
"""

from __future__ import annotations

import ast
import copy
import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.Pow: ast.Mult,
}  # fmt: skip
TWINS = {
    "min": "max", "max": "min", "any": "all", "all": "any", "floor": "ceil", "ceil": "floor",
    "argmin": "argmax", "argmax": "argmin", "minimum": "maximum", "maximum": "minimum",
    "zeros": "ones", "ones": "zeros",
}  # fmt: skip
SPEAKING = {
    "fail",
    "warn",
    "print",
    "debug",
    "info",
    "warning",
    "error",
    "exception",
    "cast",
    "TypeVar",
}
"""Functions whose arguments are words for people or types for a checker."""
WORDS = {
    "help",
    "description",
    "epilog",
    "citation",
    "title",
    "licence",
    "note",
    "steps",
    "metavar",
}
"""Arguments that are prose."""


@dataclass(frozen=True)
class Mutant:
    """One change of one file.

    Attributes:
        file: relative to the checkout.
        kind: what was done.
        line: the first line changed, from 1.
        text: the whole file after the change.
        function: the innermost function around it, as a name; "" at a module's or class's level.
        names: what is defined by the statement around it where that is not in a function.
    """

    file: str
    kind: str
    line: int
    text: str
    function: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class _Place:
    """A change of the text between two positions, (line from 1, column in bytes)."""

    kind: str
    start: tuple[int, int]
    stop: tuple[int, int]
    text: str
    function: str
    names: tuple[str, ...]


def draw(root: Path, folders: Sequence[str], count: int, seed: int) -> Iterator[Mutant]:
    """Mutants of the code in folders, each line that can be mutated equally likely, none twice."""
    files = [file for folder in folders for file in sorted((root / folder).rglob("*.py"))]
    places = {
        (file, line): choices
        for file in files
        for line, choices in sorted(_by_line(file.read_text()).items())
    }
    lines = sorted(places)
    random.Random(seed).shuffle(lines)
    drawn = (_at_line(*line, places[line], seed, root) for line in lines)
    return itertools.islice((mutant for mutant in drawn if mutant is not None), count)


def _at_line(
    file: Path, line: int, places: Sequence[_Place], seed: int, root: Path
) -> Mutant | None:
    """One of the changes of a line; None if the one that is drawn changes nothing."""
    name, text = file.relative_to(root).as_posix(), file.read_text()
    chance = random.Random(f"{seed} {name} {line}")
    kind = chance.choice(sorted({place.kind for place in places}))
    place = chance.choice([place for place in places if place.kind == kind])
    changed = _changed(text, place)
    try:
        same = ast.dump(ast.parse(changed)) == ast.dump(ast.parse(text))
    except SyntaxError:
        return None
    return None if same else Mutant(name, kind, line, changed, place.function, place.names)


def _by_line(text: str) -> dict[int, list[_Place]]:
    found: dict[int, list[_Place]] = {}
    for place in _Finder().places(ast.parse(text)):
        found.setdefault(place.start[0], []).append(place)
    return found


def _changed(text: str, place: _Place) -> str:
    lines = text.encode().splitlines(keepends=True)
    (first, begin), (last, end) = place.start, place.stop
    head, tail = lines[first - 1][:begin], lines[last - 1][end:]
    return b"".join([*lines[: first - 1], head, place.text.encode(), tail, *lines[last:]]).decode()


class _Finder:
    """Walks a module and collects what can be changed."""

    def __init__(self) -> None:
        self._found: list[_Place] = []
        self._function = ""
        self._names: tuple[str, ...] = ()

    def places(self, tree: ast.Module) -> list[_Place]:
        self._body(tree.body)
        return self._found

    def _add(self, kind: str, node: Any, text: str) -> None:
        start = (node.lineno, node.col_offset)
        stop = (node.end_lineno, node.end_col_offset)
        self._found.append(_Place(kind, start, stop, text, self._function, self._names))

    def _swap(self, kind: str, node: ast.expr, change: Callable[[Any], None]) -> None:
        """The expression with a change made to a copy of it."""
        other = copy.deepcopy(node)
        change(other)
        self._add(kind, node, ast.unparse(other))

    # Statements.

    def _body(self, body: Sequence[ast.stmt]) -> None:
        for place, node in enumerate(body):
            constant = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            if not constant:
                self._statement(node, alone=place == 0 and len(body) == 1)

    def _statement(self, node: ast.stmt, *, alone: bool) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._in_function(node)
            case ast.ClassDef():
                self._body(node.body)
            case ast.Assert() | ast.Import() | ast.ImportFrom() | ast.Global() | ast.Nonlocal():
                pass
            case ast.Raise():
                pass
            case ast.If() if _for_checkers_only(node.test):
                self._body(node.orelse)
            case ast.If() | ast.While():
                self._condition(node.test)
                if isinstance(node, ast.If):
                    self._skip_body(node.body)
                self._body(node.body)
                self._body(node.orelse)
            case ast.For():
                self._expression(node.iter)
                self._body(node.body)
                self._body(node.orelse)
            case ast.With():
                for item in node.items:
                    self._expression(item.context_expr)
                self._body(node.body)
            case ast.Try():
                for part in (node.body, node.orelse, node.finalbody):
                    self._body(part)
                for handler in node.handlers:
                    self._body(handler.body)
            case ast.Match():
                for each in node.cases:
                    self._body(each.body)
            case ast.Return():
                self._return(node)
            case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
                self._assignment(node)
            case ast.Expr() if isinstance(node.value, ast.Call):
                if not _speaks(node.value):
                    self._add("call left out", node, "pass")
                self._expression(node.value)
            case ast.Expr():
                self._expression(node.value)
            case ast.Continue():
                self._add("continue to break", node, "break")
            case ast.Break():
                self._add("break to continue", node, "continue")
            case _:
                pass

    def _in_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        before = self._function, self._names
        self._function, self._names = node.name, ()
        for default in [*node.args.defaults, *node.args.kw_defaults]:
            if default is not None:
                self._expression(default, kind="default changed")
        self._body(node.body)
        self._function, self._names = before

    def _skip_body(self, body: Sequence[ast.stmt]) -> None:
        if not isinstance(body[0], ast.Raise | ast.Pass):
            whole = ast.Pass(
                lineno=body[0].lineno, col_offset=body[0].col_offset,
                end_lineno=body[-1].end_lineno, end_col_offset=body[-1].end_col_offset,
            )  # fmt: skip
            self._add("body skipped", whole, "pass")
        else:
            self._add("check left out", body[0], "pass")

    def _return(self, node: ast.Return) -> None:
        value = node.value
        if value is None:
            return
        if isinstance(value, ast.Constant) and isinstance(value.value, bool):
            self._expression(value)
            return
        if not (isinstance(value, ast.Constant) and value.value is None):
            self._add("return value dropped", value, "None")
        self._expression(value)

    def _assignment(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> None:
        before = self._names
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if not self._function:
            self._names = tuple(
                n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)
            )
        if isinstance(node, ast.AugAssign) and type(node.op) in ARITHMETIC:
            other = copy.deepcopy(node)
            other.op = ARITHMETIC[type(node.op)]()
            self._add("arithmetic", node, ast.unparse(other))
        if self._names != ("__all__",) and node.value is not None:
            self._expression(node.value)
        self._names = before

    # Expressions.

    def _condition(self, node: ast.expr) -> None:
        if not isinstance(node, ast.Compare):
            self._add("condition negated", node, f"not ({ast.unparse(node)})")
        self._expression(node)

    def _expression(self, node: ast.AST, kind: str = "") -> None:
        match node:
            case ast.JoinedStr() | ast.Lambda(body=ast.Constant()):
                return
            case ast.Call():
                if _speaks(node):
                    return
                self._call(node)
            case ast.Compare():
                for place, op in enumerate(node.ops):
                    self._swap("comparison", node, _set_item("ops", place, COMPARISONS[type(op)]()))
            case ast.BinOp() if type(node.op) in ARITHMETIC and not _formats(node):
                self._swap("arithmetic", node, _set("op", ARITHMETIC[type(node.op)]()))
            case ast.BoolOp():
                other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
                self._swap("and/or", node, _set("op", other))
            case ast.UnaryOp(op=ast.Not()):
                self._add("condition negated", node, f"({ast.unparse(node.operand)})")
            case ast.UnaryOp(op=ast.USub()) if not isinstance(node.operand, ast.Constant):
                self._add("sign", node, f"({ast.unparse(node.operand)})")
            case ast.IfExp():
                self._condition(node.test)
                self._expression(node.body)
                self._expression(node.orelse)
                return
            case ast.Subscript():
                self._subscript(node)
                return
            case ast.Dict():
                self._dict(node)
                return
            case ast.Constant():
                self._constant(node, kind)
                return
            case ast.comprehension():
                self._expression(node.iter)
                for test in node.ifs:
                    self._condition(test)
                return
            case _:
                pass
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.keyword):
                self._expression(child, kind)
            elif child.arg not in WORDS | {"strict"}:
                self._expression(child.value, kind)

    def _call(self, node: ast.Call) -> None:
        name = _name(node.func)
        if name in TWINS:
            twin = TWINS[name]
            self._swap("twin function", node, lambda n: _rename(n.func, twin))
        plain = [a for a in node.args if not isinstance(a, ast.Starred)]
        if len(plain) >= 2 and plain == node.args:
            self._swap("arguments swapped", node, _swapped)
            self._swap("argument left out", node, lambda n: n.args.pop())
        for place, keyword in enumerate(node.keywords):
            if keyword.arg is not None and keyword.arg not in WORDS | {"strict", "stacklevel"}:
                self._swap("argument left out", node, _pop("keywords", place))

    def _subscript(self, node: ast.Subscript) -> None:
        self._expression(node.value)
        index = node.slice
        if isinstance(index, ast.Constant) and isinstance(index.value, str):
            self._add("key changed", index, repr(index.value + "_"))
        elif isinstance(index, ast.Slice):
            for bound in (index.lower, index.upper):
                if bound is not None:
                    if not isinstance(bound, ast.Constant):
                        self._add("slice off by one", bound, f"({ast.unparse(bound)}) + 1")
                    self._expression(bound, "slice off by one")
        elif not isinstance(node.ctx, ast.Load) or not _is_type(node):
            self._expression(index, "index changed")

    def _dict(self, node: ast.Dict) -> None:
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                self._add("key changed", key, repr(key.value + "_"))
            elif key is not None:
                self._expression(key)
            self._expression(value)

    def _constant(self, node: ast.Constant, kind: str) -> None:
        value = node.value
        if isinstance(value, bool):
            self._add(kind or "True/False", node, repr(not value))
        elif isinstance(value, int | float):
            self._add(kind or "constant", node, repr(value + 1))
        elif isinstance(value, str) and len(value.split()) < 3:
            self._add(kind or "label", node, repr(value + "_" if value.strip() else value + "x"))


def _set(field: str, value: Any) -> Callable[[Any], None]:
    return lambda node: setattr(node, field, value)


def _set_item(field: str, place: int, value: Any) -> Callable[[Any], None]:
    return lambda node: getattr(node, field).__setitem__(place, value)


def _pop(field: str, place: int) -> Callable[[Any], None]:
    return lambda node: getattr(node, field).pop(place)


def _swapped(node: ast.Call) -> None:
    node.args[:2] = node.args[1::-1]


def _rename(node: ast.expr, name: str) -> None:
    if isinstance(node, ast.Name):
        node.id = name
    elif isinstance(node, ast.Attribute):
        node.attr = name


def _name(node: ast.expr) -> str:
    return getattr(node, "id", "") or getattr(node, "attr", "")


def _speaks(node: ast.Call) -> bool:
    """The call says something to people, or to a type checker."""
    name = _name(node.func)
    return name in SPEAKING or name.endswith(("Error", "Warning"))


def _formats(node: ast.BinOp) -> bool:
    """Text put together."""
    return any(
        isinstance(n, ast.JoinedStr) or (isinstance(n, ast.Constant) and isinstance(n.value, str))
        for n in (node.left, node.right)
    )


def _is_type(node: ast.Subscript) -> bool:
    """Such as Mapping[str, int] or Literal["a"]: annotations as values are few."""
    name = _name(node.value)
    return name[:1].isupper() and name != name.upper() and name != "Literal"


def _for_checkers_only(test: ast.expr) -> bool:
    return "TYPE_CHECKING" in ast.unparse(test) or "__name__" in ast.unparse(test)


def lines_naming(text: str, names: set[str]) -> Iterator[int]:
    """Lines of a file that mention one of the names."""
    for node in ast.walk(ast.parse(text)):
        name = (
            getattr(node, "id", None) or getattr(node, "attr", None) or getattr(node, "arg", None)
        )
        if name in names and hasattr(node, "lineno"):
            yield getattr(node, "lineno", 0)
