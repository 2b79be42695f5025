"""Colours of categories: tables in files, and masks of such colours."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sambench.data.images import read_label_pages
from sambench.errors import UserError

from ._label_maps import colour_labels

Colour = tuple[int, int, int]

_RGB = r"(\d+)[\s,;]+(\d+)[\s,;]+(\d+)"
_NAME_FIRST = re.compile(rf"(.+?)[\s,;:]+{_RGB}[:\s]*")
_NAME_LAST = re.compile(rf"{_RGB}[\s,;:]+(.+?)")
_HEX = re.compile(r"#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})")


def read_table(file: Path) -> dict[Colour, str]:
    """Colour -> name.

    A ``.json`` file is an object of names with colours, or of colours with names, or a list of
    objects with ``name`` and ``color``; a colour is ``[r, g, b]`` or ``"#rrggbb"``. Any other file
    has a line for each category: the name and three numbers from 0 to 255 or the other way round,
    with commas, blanks or colons between them. Lines with ``#`` at the front and a first line of
    headings are left out.

    Raises:
        UserError: it cannot be read, or gives one colour two names.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read as text ({error}).") from None
    rows = _from_json(file, text) if file.suffix.lower() == ".json" else _from_lines(file, text)
    table: dict[Colour, str] = {}
    for colour, name in rows:
        if max(colour) > 255:
            raise UserError(f"{file}: {name} has the colour {shown(colour)}; give 0 to 255.")
        if table.setdefault(colour, name) != name:
            raise UserError(
                f"{file} gives {shown(colour)} to {table[colour]} and to {name}; change one."
            )
    if not table:
        raise UserError(f"{file} has no colours; give a name and three numbers on each line.")
    return table


def _from_lines(file: Path, text: str) -> Iterator[tuple[Colour, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        found = _NAME_LAST.fullmatch(line.strip()), _NAME_FIRST.fullmatch(line.strip())
        if found[0]:
            r, g, b, name = found[0].groups()
        elif found[1]:
            name, r, g, b = found[1].groups()
        elif _is_comment(line) or (number == 1 and not re.search(r"\d", line)):
            continue
        else:
            raise UserError(
                f"{file}: line {number}, {line.strip()[:40]!r}, is not a name and three numbers; "
                "correct it."
            )
        yield (int(r), int(g), int(b)), name.strip()


def _is_comment(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _from_json(file: Path, text: str) -> Iterator[tuple[Colour, str]]:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise UserError(f"{file} is not valid JSON ({error}); correct it.") from None
    if isinstance(content, dict):
        pairs = list(content.items())
    elif isinstance(content, list) and all(isinstance(entry, dict) for entry in content):
        pairs = [(e.get("name"), e.get("color", e.get("colour"))) for e in content]
    else:
        pairs = []
    for key, value in pairs:
        name, colour = (key, _colour(value)) if _colour(value) else (value, _colour(key))
        if colour is None or not isinstance(name, str):
            raise UserError(
                f'{file}: {key!r} with {value!r} is not a name and a colour; write "car": '
                '[255, 0, 0] or "car": "#ff0000".'
            )
        yield colour, name


def _colour(value: Any) -> Colour | None:
    if (
        isinstance(value, list)
        and len(value) == 3
        and all(type(v) is int and v >= 0 for v in value)
    ):
        return value[0], value[1], value[2]
    found = _HEX.fullmatch(value) if isinstance(value, str) else None
    return (int(found[1], 16), int(found[2], 16), int(found[3], 16)) if found else None


def shown(colour: Colour) -> str:
    """``255,0,0``."""
    return ",".join(map(str, colour))


def coded(colour: Colour) -> int:
    """One number for a colour."""
    return colour[0] << 16 | colour[1] << 8 | colour[2]


def read_codes(path: Path) -> NDArray[np.int64]:
    """Colours (H, W) of a mask, each as `coded`; those of a palette for its indices.

    Raises:
        UserError: it cannot be read, is partly transparent, or has several pages.
    """
    found = read_label_pages(path, (0, 0))
    if len(found) > 1:
        raise UserError(f"{path} has {len(found)} pages; a mask of colours has one.")
    if found[0].lossy:
        raise UserError(f"{path} is stored with loss, which changes colours; save it as PNG.")
    values, palette = found[0].values, found[0].palette
    if palette is not None:
        return colour_labels(palette[values])
    if values.dtype != np.uint8:
        raise UserError(f"{path} has values of more than 8 bits; a mask of colours has 8.")
    return colour_labels(values if values.ndim == 3 else np.repeat(values[..., None], 3, axis=2))
