"""Plug-ins given by the path of their file; the modules that lie beside one can be imported.

Only the file asked for is imported, and the modules beside it that it imports.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Iterable
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from sambench.errors import UserError, place_of
from sambench.registry.imports import imported

PLUGIN = "sambench_plugin_"
"""Modules of plug-ins that were given by path have names that begin so."""


def imported_files() -> list[Path]:
    """The plug-ins of this process that were given by path."""
    modules = {name: module for name, module in sys.modules.items() if name.startswith(PLUGIN)}
    return [Path(str(module.__file__)) for module in modules.values()]


def import_files(files: Iterable[Path]) -> None:
    """Know in this process the plug-ins that were given by path in another one."""
    for path in files:
        import_file("plug-in", path)


def import_file(kind: str, path: Path) -> types.ModuleType:
    """Import a plug-in from any file, once for each path.

    Args:
        kind: what it is, for the message.
        path: of the file.

    Raises:
        UserError: it cannot be imported; the reason is named.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist; give the path of a {kind}'s .py file.")
    path = path.resolve()
    place = hashlib.sha256(path.as_posix().encode()).hexdigest()[:16]
    module_name = f"{PLUGIN}{path.stem.replace('.', '_')}_{place}"
    if module_name in sys.modules:
        return sys.modules[module_name]
    # A package whose folder is that of the file: `from .helper import x` works too.
    spec = importlib.util.spec_from_file_location(
        module_name, path, submodule_search_locations=[str(path.parent)]
    )
    if spec is None or spec.loader is None:
        raise UserError(f"{path} is not a Python file; give the path of a {kind}'s .py file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        finder = _allow_neighbours(path)
        spec.loader.exec_module(module)
        _check_found(path, finder)
    except Exception as error:  # a plug-in may raise anything; its reason is passed on
        del sys.modules[module_name]
        if isinstance(error, UserError):
            raise
        raise broken(str(path), error) from error
    return module


def broken(name: str, error: Exception) -> UserError:
    """Why a plug-in cannot be imported, in one sentence; a missing package names its install."""
    if isinstance(error, ModuleNotFoundError) and not str(error.name).startswith("sambench"):
        return UserError(
            f"{name} needs the package {error.name}, which is not installed; install it."
        )
    place = "" if isinstance(error, SyntaxError) else place_of(error)
    return UserError(f"{name} cannot be imported: {type(error).__name__}: {error}{place}")


class Neighbours:
    """Finds the modules beside a plug-in given by its path that it imports, and no others.

    Attributes:
        folders: where they lie, by name.
    """

    def __init__(self) -> None:
        self.folders: dict[str, Path] = {}

    def find_spec(
        self, name: str, path: Any = None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Where a module lies, as `importlib.abc.MetaPathFinder` has it."""
        folder = self.folders.get(name)
        return PathFinder.find_spec(name, [str(folder)]) if folder else None


def _neighbours() -> Neighbours:
    """The finder of this process, which stands before Python's own."""
    for finder in sys.meta_path:
        if isinstance(finder, Neighbours):
            return finder
    sys.meta_path.insert(0, finder := Neighbours())
    return finder


def _allow_neighbours(path: Path) -> Neighbours:
    """Make the modules beside a file importable that it imports, and theirs.

    Returns:
        The finder that knows them.

    Raises:
        UserError: another module of that name is in use.
    """
    finder = _neighbours()
    folder, unread = path.parent, [path]
    while unread:
        for name in _top_levels(unread.pop()):
            files = _neighbour(folder, name, finder)
            if not files or finder.folders.get(name) == folder:
                continue
            if name in finder.folders or name in sys.modules:
                raise _in_use(path, name)
            finder.folders[name] = folder
            unread += files
    return finder


def _check_found(path: Path, finder: Neighbours) -> None:
    """Refuse a plug-in that extended the search path, and got a module of another one all the same.

    Raises:
        UserError: a module that it imports is in use already, and lies elsewhere.
    """
    for name in _top_levels(path) & sys.modules.keys() - finder.folders.keys():
        wanted, used = PathFinder.find_spec(name), getattr(sys.modules[name], "__spec__", None)
        if wanted and used and wanted.origin and used.origin and wanted.origin != used.origin:
            raise _in_use(path, name)


def _in_use(path: Path, name: str) -> UserError:
    return UserError(
        f"{path} imports its own {name}, but another module of that name is in use already; "
        "rename one, or use them in two commands."
    )


def _top_levels(path: Path) -> set[str]:
    """First parts of the names of all modules that a file imports absolutely."""
    nodes = ast.walk(ast.parse(path.read_bytes()))
    modules = (found.module for node in nodes for found in imported(node) if not found.level)
    found = {module.partition(".")[0] for module in modules}
    return found - set(sys.stdlib_module_names) - {"sambench", ""}


def _neighbour(folder: Path, name: str, finder: Neighbours) -> list[Path]:
    """The files of the module or package of that name in a folder; none if it has none."""
    file, package = folder / f"{name}.py", folder / name
    if file.is_file():
        return [file]
    if (package / "__init__.py").is_file() or (
        # A folder of data may have the name of an installed package.
        any(package.rglob("*.py"))
        and (name in finder.folders or importlib.util.find_spec(name) is None)
    ):
        return sorted(package.rglob("*.py"))
    return []
