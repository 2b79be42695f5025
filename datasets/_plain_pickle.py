"""Pickles that hold plain data: read without running what else a pickle may hold.

A pickle can name any function and have it called. Here nothing that is named is looked up: lists,
dicts, texts and numbers need no names.
"""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any, NoReturn

from sambench.errors import UserError

_REMEDY = "fetch it again from its authors"


class _Plain(pickle.Unpickler):
    """Refuses every name that a pickle asks for."""

    def find_class(self, module: str, name: str) -> NoReturn:
        """Refuse it, whatever it is."""
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no plain data")

    def persistent_load(self, pid: Any) -> NoReturn:
        """Refuse what lies outside of the file."""
        raise pickle.UnpicklingError("it asks for what lies outside of it")


def read_plain(path: Path) -> Any:
    """Lists, dicts, texts and numbers of a pickle, of Python 2 too, as JSON would hold them.

    Raises:
        UserError: it cannot be read, or holds anything else.
    """
    try:
        with path.open("rb") as file:
            content = _Plain(file, encoding="utf-8").load()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).") from None
    except Exception as error:  # noqa: BLE001 (a damaged pickle raises whatever it meets)
        raise UserError(f"{path} is no pickle of plain data: {error}; {_REMEDY}.") from None
    try:
        return json.loads(json.dumps(content))
    except (TypeError, ValueError, RecursionError) as error:
        raise UserError(f"{path} holds more than plain data: {error}; {_REMEDY}.") from None
