"""The house: imports point down only, lazy ones and those for type checkers included."""

import ast
from pathlib import Path

import pytest

from sambench.registry.imports import imported

PACKAGE = Path(__file__).resolve().parents[1] / "sambench"
FLOORS = (
    {"errors", "_compile"},
    {"files", "findings", "options", "shown"},
    {"truths", "prompts"},
    {"interfaces"},
    {"masks", "registry"},
    {"metrics", "data"},
    {"video"},
    {"store"},
    {"engine", "report"},
    {"checks"},
    {"commands"},
    {"cli"},
    {"__main__"},
)
"""Rooms from the ground up: a room imports from the floors below it."""
STAIRS = {
    ("sambench.findings", "sambench.masks.rle"),
    ("sambench.truths", "sambench.masks.rle"),
    ("sambench.prompts", "sambench.masks.upsampling"),
    ("sambench.commands.train", "sambench.model.training.recipe"),
    ("sambench.commands.train", "sambench.model.training.text_recipe"),
    ("sambench.commands.train", "sambench.model.training.training"),
}
"""The imports that do not, all of them when a function is called: truths count the pixels of run
lengths and `Masks.binary` upsamples in one pass, with modules of masks that need no interface;
training, which is no plug-in, lies beside the networks that it trains."""
MOST_ROOMS = 20


def name_of(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def targets(module):
    """Modules of sambench, plug-ins included, that a module imports anywhere in it."""
    found = {}
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        for each in imported(node):
            assert not each.level, f"{module} has a relative import"
            inner = f"{each.module}.{each.name}"
            found[inner if inner in MODULES else each.module] = None
    # The package itself is there whenever a module of it is: no import of that orders anything.
    return [name for name in found if name.startswith("sambench.")]


IMPORTS = {module: targets(module) for module in MODULES if module != "sambench"}


def room(module):
    return module.split(".")[1]


def test_every_room_has_a_floor():
    rooms = [room(module) for module in IMPORTS]
    assert set().union(*FLOORS) == set(rooms)
    entries = {path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    assert len(entries - {"__init__.py", "__main__.py", "py.typed"}) <= MOST_ROOMS


@pytest.mark.parametrize("module", IMPORTS)
def test_imports_point_down(module):
    floor = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
    others = [name for name in IMPORTS[module] if room(name) != room(module)]
    top = len(FLOORS)  # plug-ins: they import the rooms
    up = [name for name in others if floor.get(room(name), top) >= floor[room(module)]]
    assert [name for name in up if (module, name) not in STAIRS] == []


def test_no_modules_import_each_other():
    """What imports nothing that is left is taken away; a circle is what stays."""
    left = {module: {*names} - {module} for module, names in IMPORTS.items()}
    while free := {module for module, names in left.items() if not names & left.keys()}:
        left = {module: names for module, names in left.items() if module not in free}
    assert sorted(left) == []


SHIPPED = [
    path
    for folder in ("sambench", "model", "tasks", "datasets")
    for path in sorted((PACKAGE.parent / folder).rglob("*.py"))
]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_modules_and_functions_are_read_in_one_sitting(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    assert [f.name for f in functions if f.end_lineno - f.lineno >= 60] == []
