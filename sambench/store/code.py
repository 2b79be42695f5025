"""A digest of the code that a number passes through, which only a change of what it computes moves.

A module counts by what is left of its syntax tree, see `store.normal`; so neither a reworded
sentence nor a file that moves costs anyone records.

Which modules: those of a plug-in's class and its bases, the packages that they lie in, and whatever
they import, anywhere in them, of sambench, of the plug-in's own package, or of code that is not
installed, such as a module beside the file of a plug-in. A file beside a module that a text of the
module names counts by its content: weights and tables may be opened without being an option.
Modules that fetch, time, describe or refuse and never touch a number are left out, see `APART`.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec, resolve_name
from itertools import accumulate
from pathlib import Path
from types import ModuleType

from sambench.files import sha256
from sambench.registry.imports import Imported
from sambench.store.forms import normal_form

APART = frozenset({
    "sambench",
    *(
        f"sambench.{name}"
        for name in (
            "errors", "files", "findings", "shown", "registry", "data.download", "data.sources",
            "data.images.plausible", "engine.clock", "store.timing",
        )
    ),
})  # fmt: skip
"""Modules of ours that no number passes through, whoever imports them; a package with all its own.
They fetch, time, describe what is drawn and printed, or refuse input."""
ENGINE = ("sambench.engine.timed_model",)
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


def has_source(plugin: object) -> bool:
    """Whether the code of a plug-in's class lies in a file; that of a notebook's cell does not."""
    return _file_of(type(plugin).__module__) is not None


def digest_of(modules: Mapping[str, Code]) -> str:
    """SHA-256 over the code of modules and which imports which, whatever they are called."""
    order = {name: place for place, name in enumerate(modules)}
    whole = [
        [code.digest, *(order[name] for name in code.imports if name in order)]
        for code in modules.values()
    ]
    return hashlib.sha256(repr(whole).encode()).hexdigest()


def _collect(module: str, found: dict[str, Code]) -> None:
    """Add a module and what it imports of ours, by name; other files by their paths."""
    path = _file_of(module)
    if path is None or module in found or _is_apart(module):
        return
    found[module] = _read(path, module)
    for name in found[module].imports:
        _collect(name, found)


def _is_apart(module: str) -> bool:
    """Whether no number passes through a module of ours, or through the package that it is in."""
    packages = accumulate(module.split("."), "{}.{}".format)
    return module in APART or not APART.isdisjoint(list(packages)[1:])


def _file_of(module: str) -> Path | None:
    """The source of a module of ours or of a plug-in; None for all others."""
    if _is_path(module):
        return Path(module)
    if module.partition(".")[0] in sys.stdlib_module_names:
        return None
    loaded = sys.modules.get(module)
    if loaded is not None:
        return _source_file(loaded)
    try:
        spec = find_spec(module)
    except (ImportError, ValueError):  # its package is not there: an optional part
        return None
    return Path(spec.origin) if spec is not None and spec.has_location and spec.origin else None


def _source_file(module: ModuleType) -> Path | None:
    try:
        path = Path(inspect.getsourcefile(module) or module.__file__ or "")
    except (TypeError, AttributeError):  # made in a notebook, or built in
        return None
    return path if path.is_file() else None


def _is_path(module: str) -> bool:
    """Whether a name of a module is the path of a file that is not one."""
    return "/" in module


@cache
def _read(path: Path, module: str) -> Code:
    """A module's code, read once: a process runs what it imported, whatever is edited meanwhile.

    A file that is not Python counts by its content.
    """
    if path.suffix != ".py":
        return Code(path.name, sha256(path), ())
    ours = module.partition(".")[0] == "sambench" or _is_path(module)
    found = normal_form(
        path.read_bytes(), lambda each: list(_targets(each, path, module)), texts=not ours
    )
    if ours:
        return Code(path.name, found.digest, tuple(found.imports))
    packages = list(accumulate(module.split("."), "{}.{}".format))[:-1]
    files = _files_beside(path.parent, found.texts)
    return Code(path.name, found.digest, tuple(dict.fromkeys([*packages, *found.imports, *files])))


def _files_beside(folder: Path, texts: Iterable[str]) -> Iterator[str]:
    """The files in a folder that texts name, and those in a folder in it that texts name too."""
    words = sorted(text.lstrip("/") for text in texts if 0 < len(text) < 256 and "\0" not in text)
    folders = [folder, *(folder / word for word in words if word and (folder / word).is_dir())]
    for place in folders:
        yield from ((place / word).as_posix() for word in words if (place / word).is_file())


def _targets(found: Imported, path: Path, module: str) -> Iterator[str]:
    """The modules of the same house that an import names."""
    for name in _named(found, path, module):
        if _file_of(name) is not None:
            yield name


def _named(found: Imported, path: Path, module: str) -> Iterator[str]:
    """Absolute names of the same house that an import names, if they are modules."""
    base = found.module
    if found.level:
        is_package = path.name == "__init__.py" or hasattr(sys.modules.get(module), "__path__")
        package = module if is_package else module.rpartition(".")[0]
        if not package or _is_path(module):
            return
        base = resolve_name("." * found.level + base, package)
    if not _same_house(base, module):
        return
    yield base
    if found.name and _is_module(base, found.name):
        yield f"{base}.{found.name}"


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
