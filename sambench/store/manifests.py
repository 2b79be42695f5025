"""What a run notes beside the predictions that it saves."""

from __future__ import annotations

from pathlib import Path

import msgspec

from sambench.files import read_json
from sambench.interfaces import JSON
from sambench.store.paths import MANIFEST
from sambench.store.schema import parse


class Predictions(msgspec.Struct, frozen=True):
    """The part of a plan that moves predictions, as far as scoring them again needs it."""

    model: JSON
    dataset: JSON
    code: str


class Manifest(msgspec.Struct, frozen=True):
    """What a run notes beside the predictions that it saves."""

    task: str
    label: str
    options: JSON
    model: JSON
    predictions: Predictions


def read_manifest(folder: Path) -> JSON:
    """What made the predictions of a folder; empty where they were made elsewhere.

    Raises:
        UserError: the file is damaged.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return {}
    found = read_json(path)
    parse(found, Manifest, str(path), "run it again, or remove the file to score them as foreign")
    return dict(found)
