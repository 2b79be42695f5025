"""Where a run lies: ``OUTPUT/<task>/<dataset>/<model>.json``, and beside it all that belongs to it.

Each part carries what distinguishes it: options that are not the default, a checkpoint's file name
with the beginning of its SHA-256, the folder of one's own images.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sambench.interfaces import Dataset, Model, Task
from sambench.registry import names, plain, spec_of
from sambench.store.options import changed_options, content_of, given_parts, given_paths

RECORDS = ".records.jsonl"
PREDICTIONS = ".predictions"
MANIFEST = "manifest@sambench.json"
"""Beside predictions that a run saved: what made them. No image's file has an @ in its name."""
SITE = "site"
"""The site of all runs of a folder, and the ending of that of one run."""
RESERVED = {"", ".", "..", "published", SITE}
"""Names that no folder or file of a run may have: other things lie there."""
SHORT = 6
"""Hexadecimal digits that tell files of one name apart."""
LONGEST = 200
"""Bytes of a name; file systems take 255, and an ending follows."""


def label_of(plugin: Model | Dataset) -> str:
    """What to call a model or a dataset: its name, and what distinguishes it from its like.

    The user's own word (``name=``) goes before all. Options stand where they are not the default,
    unless they cannot move a number; a file is called by its name and the beginning of its SHA-256.
    """
    name, spec = plugin.card.name, spec_of(plugin)
    if spec is None:
        return name
    if spec.label:
        return spec.label
    changed = [key for key in spec.changed if key not in plugin.neutral]
    paths = given_paths(plugin)
    parts = {key: label_of(part) for key, part in given_parts(plugin).items()}
    options = {**spec.options, **parts}
    words = [_word(key, options[key], paths.get(key), plugin) for key in changed]
    if isinstance(plugin, Dataset) and plugin.card.own:
        places = [path.name for path in paths.values()]
        content = "\n".join([plugin.fingerprint, *places])
        words.insert(0, hashlib.sha256(content.encode()).hexdigest()[:SHORT])
        if name == spec.name and places:
            name = places[0]
        if name in names("dataset"):  # a folder may be called coco without being it
            name = f"own-{name}"
    return "-".join([name, *filter(None, words)])


def _word(key: str, value: Any, path: Path | None, plugin: Model | Dataset) -> str:
    """An option as part of a label; "" where the plug-in is named after it."""
    if path is None:
        named_after = isinstance(value, str) and plugin.card.name.startswith(file_name(value))
        return "" if named_after else f"{key}={value}"
    if isinstance(plugin, Dataset) and path.is_dir():  # or a word that a folder has for a name
        return f"{key}={path.name}"
    weights = plugin.card.weights_sha256 if isinstance(plugin, Model) and path.is_dir() else ""
    name = path.stem if path.is_file() else path.name
    named_after = plugin.card.name in {name, name.partition(".")[0]}
    digest = weights or content_of(path)
    return "-".join(filter(None, ["" if named_after else name, digest[:SHORT]]))


def slug(name: str, task: Task) -> str:
    """Name of a task's folder: the task, and its options where they are not the default."""
    changed = changed_options(task)
    return "-".join([plain(name), *(f"{k}={_task_word(v)}" for k, v in changed.items())])


def _task_word(value: Any) -> str:
    there = isinstance(value, Path) and value.exists()
    return f"{value.stem}-{content_of(value)[:SHORT]}" if there else str(value)


def file_name(text: str) -> str:
    """A text as the name of a file: what a path would stumble over replaced, and not too long."""
    safe = text.replace("/", "_").replace("\\", "_").replace("\0", "_")
    apart = safe in RESERVED or safe.endswith(PREDICTIONS)
    return shortened(f"{safe}_" if apart else safe)


def shortened(name: str) -> str:
    """A name itself, or where it is too long its beginning and a digest of all of it."""
    data = name.encode()
    if len(data) <= LONGEST:
        return name
    digest = hashlib.sha256(data).hexdigest()[:16]
    return data[: LONGEST - 17].decode(errors="ignore") + "-" + digest


def stem_of(name: str, task: Task, dataset: str, model: str, output: Path) -> Path:
    """Path of a run's result without its ending.

    Args:
        name: of the task.
        task: its options are part of the path.
        dataset: label of the dataset.
        model: label of the model.
        output: folder of all runs.
    """
    return output / file_name(slug(name, task)) / file_name(dataset) / file_name(model)


def beside(stem: Path, ending: str) -> Path:
    """The file with that ending, appended: names of models may have dots."""
    return stem.with_name(stem.name + ending)


def file_stem(id: str) -> str:
    """An image's id as the name of its prediction, without an ending."""
    return shortened(quote(id, safe=""))


def files_by_stem(folder: Path) -> dict[str, list[Path]]:
    """The files of a folder of predictions by the image's `file_stem`, in order.

    A prediction of many files, as that of a clip, has a folder of its own.
    """
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            found[path.name] = sorted(file for file in path.rglob("*") if file.is_file())
        elif path.name != MANIFEST:
            found.setdefault(path.stem, []).append(path)
    return found
