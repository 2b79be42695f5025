"""From a name to a plug-in: the path of a thing is its name.

``edges`` is the one `Task` defined in tasks/edges.py; a path to any other .py file works the same;
so does an entry point ``sambench.models``, ``sambench.tasks`` or ``sambench.datasets`` of an
installed package. Only the file asked for is imported, and the modules beside it that it imports.

Options follow the name: ``coco:annotations=FILE,images=DIR``. They are the parameters of the
plug-in's constructor, converted to their annotated types; a value without a key is the first one.
``name=`` says what to call a model or a dataset in results.
"""

import ast
import copy
import hashlib
import importlib
import importlib.machinery
import importlib.util
import inspect
import math
import re
import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.machinery import PathFinder
from importlib.metadata import EntryPoint, entry_points, packages_distributions, version
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from sambench.errors import UserError, nearest
from sambench.files import sha256
from sambench.imports import imported
from sambench.interfaces import Dataset, Model, Task

BASES: dict[str, type] = {"model": Model, "task": Task, "dataset": Dataset}
PLUGIN = "sambench_plugin_"
"""Modules of plug-ins that were given by path have names that begin so."""
FOLDERS = {"model": "sambench.model", "task": "sambench.tasks", "dataset": "sambench.datasets"}
BUILT_IN = "built-in"
SPEC = "_sambench_spec"
"""Attribute of a loaded plug-in that holds its `Spec`."""
_KEY = re.compile(r"[A-Za-z_]\w*=")
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


@dataclass(frozen=True)
class Spec:
    """What a model or dataset was loaded as.

    Attributes:
        kind: model or dataset.
        name: of the plug-in: a path's is its stem.
        options: all arguments of its constructor, defaults included.
        changed: names of those that are not the default.
        label: what to call it, "" where the user did not say.
        text: as which it was named: ``name:key=value,...``.
    """

    kind: str
    name: str
    options: Mapping[str, Any]
    changed: tuple[str, ...]
    label: str = ""
    text: str = ""


@dataclass(frozen=True)
class Entry:
    """One line of ``sambench list``.

    Attributes:
        name: what to type.
        summary: first line of its docstring.
        origin: "built-in", or the package it comes from.
        error: why it cannot be used, or "".
    """

    name: str
    summary: str
    origin: str = BUILT_IN
    error: str = ""


def entries(kind: str) -> list[Entry]:
    """All plug-ins of a kind, without importing those that ship with sambench."""
    return sorted([*map(_file_entry, _files(kind).values()), *_package_entries(kind)], key=_by_name)


def names(kind: str) -> list[str]:
    """All names of a kind (model, task or dataset)."""
    return sorted({*_files(kind), *(point.name for point in _entry_points(kind))})


def imported_files() -> list[Path]:
    """The plug-ins of this process that were given by path."""
    modules = {name: module for name, module in sys.modules.items() if name.startswith(PLUGIN)}
    return [Path(str(module.__file__)) for module in modules.values()]


def import_files(files: Iterable[Path]) -> None:
    """Know in this process the plug-ins that were given by path in another one."""
    for path in files:
        _import_path("plug-in", path)


@cache
def _packages(path: tuple[str, ...]) -> Mapping[str, list[str]]:
    """Package of each top-level module; finding out takes seconds where many are installed."""
    del path  # what it was found on: another one is another answer
    return packages_distributions()


def origin(plugin: object) -> str:
    """Where a plug-in comes from: built-in, its file with its SHA-256, or its package's version."""
    module = type(plugin).__module__
    if module.startswith("sambench."):
        return BUILT_IN
    if module.startswith(PLUGIN):
        path = Path(str(sys.modules[module].__file__))
        return f"{path.name}, SHA-256 {sha256(path)}"
    packages = _packages(tuple(sys.path)).get(module.partition(".")[0], [])
    return ", ".join(f"{name} {version(name)}" for name in packages) or module


def split_spec(spec: str) -> tuple[str, dict[str, str]]:
    """``name:value,key=value`` -> name and options; a value without a key has the key ``""``.

    Raises:
        UserError: an option is given twice.
    """
    name, _, rest = spec.partition(":")
    options: dict[str, str] = {}
    key = ""
    for part in filter(None, rest.split(",")):
        if options and not _KEY.match(part):  # a path with a comma in it
            options[key] += f",{part}"
            continue
        key, equals, value = part.partition("=")
        key, value = (key, value) if equals and _KEY.match(part) else ("", part)
        if key in options:
            raise UserError(f"{spec!r} gives {key or 'an option without a name'} twice; give one.")
        options[key] = value
    return name, options


def find(kind: str, name: str) -> type:
    """The class of a plug-in.

    Raises:
        UserError: there is no such plug-in, or it cannot be imported; the reason is named.
    """
    if name.endswith(".py"):
        return _class_in(kind, _import_path(kind, Path(name)), name)
    return installed(kind, name)


def installed(kind: str, name: str) -> type:
    """The class of a plug-in that ships with sambench or an installed package: no path will do.

    Raises:
        UserError: see `find`.
    """
    if name in _files(kind):
        return _class_in(kind, _import(f"{FOLDERS[kind]}.{name}", name), name)
    for point in _entry_points(kind):
        if point.name == name:
            return _load_entry_point(kind, point)
    raise UserError(f"there is no {kind} named {name!r}; {nearest(name, names(kind))}")


def load(kind: str, spec: str, **overrides: Any) -> Any:
    """Make a plug-in from ``name:key=value,...``; overrides are options given otherwise.

    Raises:
        UserError: unknown plug-in, unknown option, or a value of the wrong type.
    """
    name, given = split_spec(spec)
    plugin = construct(kind, name, {**given, **overrides})
    made = spec_of(plugin)
    if made is not None:
        object.__setattr__(plugin, SPEC, replace(made, text=spec))
    return plugin


def construct(kind: str, name: str, options: Mapping[str, Any]) -> Any:
    """Make a plug-in from its name and options, and note on it what it was made from.

    Raises:
        UserError: see `load`.
    """
    cls = find(kind, name)
    given = dict(options)
    label = str(given.get("name", ""))
    if kind != "task" and "name" not in option_types(cls):
        given.pop("name", None)
    arguments = resolve(cls, name, given)
    plugin = cls(**arguments)
    if kind != "task":
        signature = inspect.signature(cls)
        bound = signature.bind(**arguments)
        bound.apply_defaults()
        defaults = {p.name: p.default for p in signature.parameters.values()}
        changed = tuple(k for k, v in bound.arguments.items() if v != defaults[k] and k != "name")
        spec = Spec(kind, plain(name), dict(bound.arguments), changed, label)
        object.__setattr__(plugin, SPEC, spec)
    return plugin


def spec_of(plugin: object) -> Spec | None:
    """What a model or dataset was loaded as; None if it was made by hand."""
    found: Spec | None = getattr(plugin, SPEC, None)
    return found


def with_option(plugin: Any, key: str, value: Any) -> Any:
    """A copy of a plug-in that says it was given one more option, by whatever stands around it."""
    told, spec = copy.copy(plugin), spec_of(plugin)
    if spec is not None:
        options = {**spec.options, key: value}
        object.__setattr__(told, SPEC, replace(spec, options=options, changed=(*spec.changed, key)))
    return told


def plain(name: str) -> str:
    """The name of a plug-in as part of a file's name: that of a path is its stem."""
    return Path(name).stem if name.endswith(".py") else name.replace("/", "_")


def option_types(cls: type) -> dict[str, Any]:
    """Names of a plug-in's options with their annotated types, in order."""
    parameters = list(inspect.signature(cls).parameters.values())
    keywords = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    owner = next(base for base in cls.__mro__ if "__init__" in vars(base))
    hints = get_type_hints(cls)
    # What a dataclass generates knows the names of its own module, but not those of its bases'.
    generated = vars(owner).get("__dataclass_params__")
    if generated is None or not generated.init:
        hints |= get_type_hints(inspect.getattr_static(owner, "__init__"))
    return {p.name: hints.get(p.name, str) for p in parameters if p.kind in keywords}


def resolve(cls: type, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as typed by the user -> keyword arguments of the right types, presets filled in."""
    known = option_types(cls)
    given = dict(options)
    if "" in given:
        if not known:
            raise UserError(f"{name} takes no options, but {given['']!r} was given.")
        given[next(iter(known))] = given.pop("")
    preset = _preset(cls, name, given.pop("preset", None))
    for key in given:
        if key not in known:
            raise UserError(f"{name} has no option {key!r}; {nearest(key, known)}")
    typed = {key: _convert(value, known[key], f"{name}:{key}") for key, value in given.items()}
    if known.get("seed") is int and int(typed.get("seed", 0)) < 0:  # NumPy takes no other
        raise UserError(f"{name}:seed={typed['seed']} is negative; give 0 or more.")
    resolved = {**preset, **typed}
    _require_options(cls, name, resolved)
    return resolved


def _require_options(cls: type, name: str, given: Mapping[str, Any]) -> None:
    """Refuse a plug-in without an option that has no default."""
    parameters = inspect.signature(cls).parameters
    lacking = [
        key
        for key in option_types(cls)
        if parameters[key].default is inspect.Parameter.empty and key not in given
    ]
    if lacking:
        example = ",".join(f"{key}=..." for key in lacking)
        raise UserError(f"{name} needs {' and '.join(lacking)}; give {name}:{example}")


def _preset(cls: type, name: str, preset: str | None) -> dict[str, Any]:
    presets: dict[str, dict[str, Any]] = getattr(cls, "presets", {})
    if preset is None:
        return {}
    if preset not in presets:
        raise UserError(f"{name} has no preset {preset!r}; {nearest(preset, presets)}")
    return dict(presets[preset])


def _convert(value: Any, wanted: Any, where: str) -> Any:
    """Text -> the annotated type; what is no text is passed on."""
    if not isinstance(value, str):
        return value
    if get_origin(wanted) in (Union, types.UnionType):
        return _convert(value, next(t for t in get_args(wanted) if t is not type(None)), where)
    if get_origin(wanted) is Literal:
        return _choice(value, get_args(wanted), where)
    if wanted is bool:
        return _flag(value, where)
    if wanted in (int, float, Path):
        try:
            converted = wanted(value)
        except ValueError:
            raise UserError(f"{where}={value} is no {wanted.__name__}; give a number.") from None
        if wanted is float and not math.isfinite(converted):
            raise UserError(f"{where}={value} is not finite; give a number.")
        return converted
    return value


def _choice(value: str, choices: tuple[Any, ...], where: str) -> Any:
    by_text = {str(choice): choice for choice in choices}
    if value not in by_text:
        raise UserError(f"{where}={value} is not known; {nearest(value, by_text)}")
    return by_text[value]


def _flag(value: str, where: str) -> bool:
    if value.lower() not in _TRUE | _FALSE:
        raise UserError(f"{where}={value} is neither true nor false; give one of them.")
    return value.lower() in _TRUE


def _files(kind: str) -> dict[str, Path]:
    """Plug-in files of the kind's folder by name; a leading underscore marks a shared helper."""
    spec = importlib.util.find_spec(FOLDERS[kind])
    folders = [Path(p) for p in spec.submodule_search_locations or ()] if spec else []
    files = (path for folder in folders for path in sorted(folder.glob("*.py")))
    return {path.stem: path for path in files if not path.stem.startswith("_")}


def _by_name(entry: Entry) -> str:
    return entry.name


def _file_entry(path: Path) -> Entry:
    try:
        doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    except (SyntaxError, UnicodeDecodeError, OSError) as error:
        return Entry(path.stem, "", error=f"{path} cannot be read: {error}")
    return Entry(path.stem, doc.partition("\n")[0])


def _package_entries(kind: str) -> Iterator[Entry]:
    for point in _entry_points(kind):
        package = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
        try:
            cls = _load_entry_point(kind, point)
        except UserError as error:
            yield Entry(point.name, "", package, str(error))
        else:
            yield Entry(point.name, (cls.__doc__ or "").partition("\n")[0], package)


def _entry_points(kind: str) -> list[EntryPoint]:
    return list(entry_points(group=f"sambench.{kind}s"))


def _load_entry_point(kind: str, point: EntryPoint) -> type:
    try:
        found = point.load()
    except Exception as error:  # another package's code may raise anything
        raise UserError(_broken(point.value, error)) from error
    return _checked(kind, found, point.value)


def _import(module: str, name: str) -> types.ModuleType:
    try:
        return importlib.import_module(module)
    except Exception as error:  # a plug-in may raise anything; its reason is passed on
        raise UserError(_broken(name, error)) from error


def _import_path(kind: str, path: Path) -> types.ModuleType:
    """Import a plug-in from any file, once for each path."""
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
        raise UserError(f"{path} is no Python file; give the path of a {kind}'s .py file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        _allow_neighbours(path)
        spec.loader.exec_module(module)
        _check_found(path)
    except Exception as error:  # a plug-in may raise anything; its reason is passed on
        del sys.modules[module_name]
        if isinstance(error, UserError):
            raise
        raise UserError(_broken(str(path), error)) from error
    return module


class _Beside:
    """Finds modules that lie beside a plug-in given by path: those that it imports, no others."""

    def __init__(self) -> None:
        self.folders: dict[str, Path] = {}

    def find_spec(
        self, name: str, path: Any = None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        folder = self.folders.get(name)
        return PathFinder.find_spec(name, [str(folder)]) if folder else None


_BESIDE = _Beside()


def _allow_neighbours(path: Path) -> None:
    """Make the modules beside a file importable that it imports, and those that they import.

    Raises:
        UserError: another module of that name is in use.
    """
    if _BESIDE not in sys.meta_path:
        sys.meta_path.insert(0, _BESIDE)
    folder, unread = path.parent, [path]
    while unread:
        for name in _top_levels(unread.pop()):
            files = _neighbour(folder, name)
            if not files or _BESIDE.folders.get(name) == folder:
                continue
            if name in _BESIDE.folders or name in sys.modules:
                raise _in_use(path, name)
            _BESIDE.folders[name] = folder
            unread += files


def _check_found(path: Path) -> None:
    """Refuse a plug-in that extended the search path, and got a module of another one all the same.

    Raises:
        UserError: a module that it imports is in use already, and lies elsewhere.
    """
    for name in _top_levels(path) & sys.modules.keys() - _BESIDE.folders.keys():
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


def _neighbour(folder: Path, name: str) -> list[Path]:
    """The files of the module or package of that name in a folder; none if there is no such."""
    file, package = folder / f"{name}.py", folder / name
    if file.is_file():
        return [file]
    if (package / "__init__.py").is_file() or (
        # A folder of data may have the name of an installed package.
        any(package.rglob("*.py"))
        and (name in _BESIDE.folders or importlib.util.find_spec(name) is None)
    ):
        return sorted(package.rglob("*.py"))
    return []


def _broken(name: str, error: Exception) -> str:
    """Why a plug-in cannot be imported, in one sentence; a missing package names its install."""
    if isinstance(error, ModuleNotFoundError) and not str(error.name).startswith("sambench"):
        return f"{name} needs the package {error.name}, which is not installed; install it."
    return f"{name} cannot be imported: {type(error).__name__}: {error}"


def _class_in(kind: str, module: types.ModuleType, name: str) -> type:
    """The one class of the kind that the module itself defines."""
    base = BASES[kind]
    found = [
        value
        for key, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, base)
        and value.__module__ == module.__name__
        and not key.startswith("_")
    ]
    if len(found) != 1:
        count = ", ".join(sorted(cls.__name__ for cls in found)) or "none"
        raise UserError(f"{name} must define one {base.__name__} subclass; it defines {count}.")
    return _checked(kind, found[0], name)


def _checked(kind: str, found: Any, name: str) -> type:
    if not (isinstance(found, type) and issubclass(found, BASES[kind])):
        raise UserError(f"{name} is no subclass of sambench.interfaces.{BASES[kind].__name__}.")
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    if missing:
        raise UserError(f"{name} does not implement {', '.join(missing)}; add it.")
    return found
