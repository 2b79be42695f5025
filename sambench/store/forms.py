"""Normal forms of modules, kept on disk: to parse a package anew takes longer than to resume a run.

A form is kept under a digest of the module's content and of the code that makes forms, and with the
modules that its imports were found to be. It counts only where they are found to be the same again,
so that it is what would be made now.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sambench.data.download import cache_dir
from sambench.files import write_json
from sambench.registry import imports
from sambench.registry.imports import Imported
from sambench.store import normal


@dataclass(frozen=True)
class Form:
    """What `normal.Normal` makes of a module.

    Attributes:
        digest: of what is left of it.
        imports: the modules of ours that it imports, in order.
        texts: the texts in it, as far as they are wanted.
    """

    digest: str
    imports: list[str]
    texts: list[str]


def normal_form(content: bytes, own: Callable[[Imported], list[str]], *, texts: bool) -> Form:
    """The normal form of a module, made, or as it was made before.

    Args:
        content: of its file.
        own: the modules of ours among what is imported, by absolute names.
        texts: whether its texts are wanted.
    """
    key = hashlib.sha256(f"{_makers()} {texts} ".encode() + content).hexdigest()
    path = cache_dir() / "code" / f"{key}.json"
    with contextlib.suppress(OSError, ValueError):  # never made, or damaged: it is made
        kept = json.loads(path.read_text(encoding="utf-8"))
        if all(own(Imported(*asked)) == answer for asked, answer in kept["asked"]):
            return Form(**kept["form"])
    asked: dict[Imported, list[str]] = {}

    def ask(found: Imported) -> list[str]:
        asked[found] = own(found)
        return asked[found]

    maker = normal.Normal(ask)
    digest = maker.digest(ast.parse(content))
    form = Form(digest, list(maker.imports), sorted(maker.texts) if texts else [])
    with contextlib.suppress(OSError):  # where nothing can be written, it is made again
        write_json(path, {"asked": list(asked.items()), "form": vars(form)}, sync=False)
    return form


@cache
def _makers() -> str:
    """A digest of the code that makes forms, and of the Python whose trees they are made of."""
    files = [Path(str(module.__file__)) for module in (normal, imports, sys.modules[__name__])]
    whole = b"".join(file.read_bytes() for file in files)
    return f"{sys.version_info[:3]} {hashlib.sha256(whole).hexdigest()}"
