"""Lists of names in text files, in the encodings that programs write."""

from __future__ import annotations

import codecs
from pathlib import Path

from sambench.errors import UserError

CODINGS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""How a text is coded that begins with a byte order mark; all others are UTF-8."""


def read_lines(path: Path) -> list[str]:
    """The lines of a text file that are not blank, without the blanks around them.

    Raises:
        UserError: it cannot be read, or is not text.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); check the path.") from None
    coding = next((c for mark, c in CODINGS.items() if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(coding)
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a text in UTF-8 ({error}); save it as one.") from None
    if "\0" in text:
        raise UserError(f"{path} is not a text, it has a zero byte; write one name a line.")
    return [line.strip() for line in text.splitlines() if line.strip()]
