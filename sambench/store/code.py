"""A digest of the code that a number passes through, which only a change of what it computes moves.

A module counts by its syntax tree: comments, docstrings, annotations, line numbers and the words of
raised errors are left out, and an import of one of our own modules counts by the content of that
module, not by its name. So neither a reworded sentence nor a file that moves costs anyone records.

Which modules: those of a plug-in's class and its bases, and whatever they import, anywhere in them,
of sambench, of the plug-in's own package, or of code that is not installed, such as a module beside
the file of a plug-in. Modules that fetch, report or refuse and never touch a number are left out,
see `APART`.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec, resolve_name
from pathlib import Path
from types import ModuleType
from typing import Any

APART = frozenset(
    f"sambench.{name}" for name in ("errors", "download", "sources", "timing", "registry")
)
"""Modules of ours that no number passes through, whoever imports them."""
ENGINE = ("sambench.session",)
"""Modules of the engine through which every prediction passes: it splits and joins prompts."""


@dataclass(frozen=True)
class Code:
    """A module's code.

    Attributes:
        file: name of its file.
        digest: of the module by itself, whatever the modules are called that it imports.
        imports: names of our own modules that it imports, in order.
    """

    file: str
    digest: str
    imports: tuple[str, ...]


def modules_of(*plugins: object, also: Iterable[str] = ()) -> dict[str, Code]:
    """The modules that plug-ins compute with.

    Args:
        plugins: models, tasks, datasets.
        also: names of further modules to begin from.

    Returns:
        Their code by name.
    """
    found: dict[str, Code] = {}
    for plugin in plugins:
        for cls in type(plugin).__mro__:
            _collect(cls.__module__, found)
    for name in also:
        _collect(name, found)
    return found


def digest_of(modules: Mapping[str, Code]) -> str:
    """SHA-256 over the code of modules, whatever they are called and wherever they lie."""
    whole = (
        [code.digest, *(modules[name].digest for name in code.imports if name in modules)]
        for code in modules.values()
    )
    return hashlib.sha256(repr(sorted(whole)).encode()).hexdigest()


def _collect(module: str, found: dict[str, Code]) -> None:
    """Add a module and what it imports of ours, by name."""
    path = _file_of(module)
    if path is None or module in found or module in APART:
        return
    found[module] = _read(path, module)
    for name in found[module].imports:
        _collect(name, found)


def _file_of(module: str) -> Path | None:
    """The source of a module of ours or of a plug-in; None for all others."""
    if module.partition(".")[0] in sys.stdlib_module_names:
        return None
    loaded = sys.modules.get(module)
    if loaded is not None:
        return _source_file(loaded)
    spec = find_spec(module)
    return Path(spec.origin) if spec is not None and spec.has_location and spec.origin else None


def _source_file(module: ModuleType) -> Path | None:
    try:
        path = Path(inspect.getsourcefile(module) or "")
    except TypeError:  # made in a notebook, or built in
        return None
    return path if path.is_file() else None


@cache
def _read(path: Path, module: str) -> Code:
    """A module's code, read once: a process runs what it imported, whatever is edited meanwhile."""
    normal = _Normal(path, module)
    tree = normal.visit(ast.parse(path.read_bytes()))
    digest = hashlib.sha256(repr(_plain(tree)).encode()).hexdigest()
    return Code(path.name, digest, tuple(normal.imports))


def _for_checkers(node: ast.AST) -> bool:
    """Whether a statement is ``if TYPE_CHECKING:``."""
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )


def _targets(node: ast.Import | ast.ImportFrom, path: Path, module: str) -> Iterator[str]:
    """The modules of the same house that an import names."""
    for name in _named(node, path, module):
        if _file_of(name) is not None:
            yield name


def _named(node: ast.Import | ast.ImportFrom, path: Path, module: str) -> Iterator[str]:
    """Absolute names of the same house that an import names, if they are modules."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if _same_house(alias.name, module))
        return
    base = node.module or ""
    if node.level:
        is_package = path.name == "__init__.py" or hasattr(sys.modules.get(module), "__path__")
        package = module if is_package else module.rpartition(".")[0]
        if not package:
            return
        base = resolve_name("." * node.level + base, package)
    if not _same_house(base, module):
        return
    yield base
    yield from (f"{base}.{alias.name}" for alias in node.names if _is_module(base, alias.name))


def _same_house(name: str, module: str) -> bool:
    """Whether a module is sambench's, or of the user's own code that a plug-in imports."""
    top, own = name.partition(".")[0], module.partition(".")[0]
    return top in {"sambench", own} or (own != "sambench" and _is_own_code(top))


def _is_own_code(top: str) -> bool:
    """Whether a top-level module is neither Python's nor an installed package's."""
    if top in sys.stdlib_module_names:
        return False
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):  # made by hand, or broken
        return False
    if spec is None:
        return False
    places = [spec.origin] if spec.has_location else list(spec.submodule_search_locations or ())
    installed = {"site-packages", "dist-packages"}
    return any(place and not installed & set(Path(place).parts) for place in places)


def _is_module(package: str, name: str) -> bool:
    """Whether a name imported from a package is a module of it."""
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):  # not installed here: an optional part
        return False
    folders = spec.submodule_search_locations if spec else None
    return any(
        (Path(folder) / f"{name}.py").is_file() or (Path(folder) / name / "__init__.py").is_file()
        for folder in folders or ()
    )


def _plain(value: Any) -> Any:
    """A tree as tuples, without what is empty: `ast.dump` differs between versions of Python."""
    if isinstance(value, ast.AST):
        fields = ((name, child) for name, child in ast.iter_fields(value) if name != "ctx")
        kept = [(name, _plain(child)) for name, child in fields if child not in (None, [])]
        return type(value).__name__, kept
    return [_plain(each) for each in value] if isinstance(value, list) else value


class _Normal(ast.NodeTransformer):
    """Takes out of a module all that computes nothing, and notes what it imports of ours.

    Args:
        path: of the module.
        module: its name.
    """

    def __init__(self, path: Path, module: str) -> None:
        self._path, self._module = path, module
        self.imports: list[str] = []

    def _import(self, node: ast.Import | ast.ImportFrom) -> ast.AST:
        own = list(_targets(node, self._path, self._module))
        if not own:
            return node
        self.imports += own
        bound = [(alias.name.rpartition(".")[2], alias.asname or "") for alias in node.names]
        return ast.Expr(ast.Constant(repr(bound)))

    visit_Import = visit_ImportFrom = _import  # noqa: N815 (ast's names)

    def _documented(self, node: Any) -> ast.AST:
        """Without docstring: that of a module, a class or a function."""
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
        node.body = [each for each in node.body if not _is_text(each)]
        return self.generic_visit(node)

    visit_Module = visit_ClassDef = _documented  # noqa: N815 (ast's names)

    def _function(self, node: Any) -> ast.AST:
        node.returns = None
        return self._documented(node)

    visit_FunctionDef = visit_AsyncFunctionDef = _function  # noqa: N815 (ast's names)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        """An argument without its annotation."""
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """A field or variable without its annotation."""
        node.annotation = ast.Constant(None)
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        """A raised error without its words: an image that fails has no number."""
        if isinstance(node.exc, ast.Call):
            node.exc = node.exc.func
        return node

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.AST] | None:
        """Without what only type checkers see."""
        return None if _for_checkers(node) else self.generic_visit(node)


def _is_text(node: ast.AST) -> bool:
    """Whether a statement is text alone: what documents a variable."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
