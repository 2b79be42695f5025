"""HTML from Python: what is text is escaped, always; only what this module made is not."""

import html
import json
import re
from typing import Any


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Child = Any
"""`Markup` is put in as it is, None is left out, all else is escaped as text."""
_VOID = {"img", "input", "meta", "br", "link", "hr"}


def tag(name: str, /, *children: Child, **attributes: Any) -> Markup:
    """An element.

    Args:
        name: its name.
        children: text or elements; lists are spread.
        attributes: ``class_`` is class, other underscores are hyphens; None and False are left
            out, True has no value.
    """
    start = f"<{name}{''.join(_attribute(key, value) for key, value in attributes.items())}>"
    return Markup(start if name in _VOID else f"{start}{join(children)}</{name}>")


def _attribute(key: str, value: Any) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{html.escape(str(value))}"'


def join(children: Any) -> Markup:
    """Children one after another, escaped unless they are markup."""
    parts: list[str] = []
    for child in children:
        if isinstance(child, list | tuple):
            parts.append(join(child))
        elif isinstance(child, Markup):
            parts.append(child)
        elif child is not None:
            parts.append(html.escape(str(child)))
    return Markup("".join(parts))


def data_script(id: str, value: Any) -> Markup:
    """JSON for a script to read; nothing in it can end the element."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    safe = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return Markup(f'<script type="application/json" id="{html.escape(id)}">{safe}</script>')


def file_slug(*words: str) -> str:
    """A file name that is safe everywhere: letters, digits and hyphens; unique by `unique`."""
    text = "-".join(re.sub(r"[^A-Za-z0-9]+", "-", word).strip("-").lower() for word in words)
    return text[:80].strip("-") or "x"


def safe_link(address: str) -> str | None:
    """An address if it is one of the web, None if it is anything else."""
    return address if address.startswith("https://") else None
