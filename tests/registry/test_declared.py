"""What every built-in model, task and dataset says of itself: options, defaults, cards, facts.

People cite cards, type options and read protocols, so that none of it may change by accident. Run
as a script, this file writes fixtures/declared.json anew; read the difference before you keep it.
"""

import dataclasses
import inspect
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from sambench.registry import find, names, option_types

DECLARED = Path(__file__).resolve().parents[1] / "fixtures" / "declared.json"
KINDS = ("dataset", "model", "task")


def plain(value):
    """As JSON; sets in order, classes by name."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case type():
            return f"class {value.__name__}"
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case set() | frozenset():
            return sorted(map(plain, value))
        case list() | tuple():
            return [plain(item) for item in value]
        case _ if dataclasses.is_dataclass(value):
            fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
            return plain(fields)
        case _:
            return repr(value)


def is_code(value):
    return callable(value) and not isinstance(value, type)


def attributes(cls):
    """Public values that the class or one of ours that it extends declares."""
    ours = [c for c in reversed(cls.__mro__) if c.__module__.startswith("sambench.")]
    found = {}
    for owner in ours:
        found.update({name: value for name, value in vars(owner).items() if name[0] != "_"})
    other = (property, classmethod, staticmethod)
    return {
        name: plain(value)
        for name, value in sorted(found.items())
        if not isinstance(value, other) and not is_code(value) and not hasattr(value, "func")
    }


def options(cls):
    """Name -> type and default."""
    parameters = inspect.signature(cls).parameters
    empty = inspect.Parameter.empty
    return {
        name: [
            kind.__name__ if isinstance(kind, type) else str(kind),
            "required" if parameters[name].default is empty else plain(parameters[name].default),
        ]
        for name, kind in option_types(cls).items()
        if name in parameters
    }


def declared(kind, name):
    cls = find(kind, name)
    return json.loads(json.dumps({"options": options(cls), **attributes(cls)}))


RECORDED = json.loads(DECLARED.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in KINDS for name in RECORDED[kind]]
)
def test_a_plug_in_declares_what_it_did(kind, name):
    """A new one is held from the next time on that the file is written."""
    assert declared(kind, name) == RECORDED[kind][name]


if __name__ == "__main__":
    every = {kind: {name: declared(kind, name) for name in names(kind)} for kind in KINDS}
    DECLARED.write_text(json.dumps(every, indent=1) + "\n")
