"""From a name to a plug-in: the path of a thing is its name.

``edges`` is the one `Task` defined in tasks/edges.py; a path to any other .py file works the same;
so does an entry point ``sambench.models``, ``sambench.tasks`` or ``sambench.datasets`` of an
installed package.

Options follow the name: ``coco:annotations=FILE,images=DIR``. They are the parameters of the
plug-in's constructor, converted to their annotated types; a value without a key is the first one.
``name=`` says what to call a model or a dataset in results.
"""

from sambench.options import option_types
from sambench.registry.files import PLUGIN, import_files, imported_files
from sambench.registry.finding import BUILT_IN, RESERVED, Entry, entries, find, installed, names
from sambench.registry.loading import (
    Spec,
    construct,
    load,
    origin,
    plain,
    preset_of,
    spec_of,
    with_option,
)
from sambench.registry.options import convert, option_names, resolve, split_spec

__all__ = [
    "BUILT_IN",
    "PLUGIN",
    "RESERVED",
    "Entry",
    "Spec",
    "construct",
    "convert",
    "entries",
    "find",
    "import_files",
    "imported_files",
    "installed",
    "load",
    "names",
    "option_names",
    "option_types",
    "origin",
    "plain",
    "preset_of",
    "resolve",
    "spec_of",
    "split_spec",
    "with_option",
]
