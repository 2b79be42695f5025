"""Write a working template: sambench new model my_sam writes my_sam.py.

It runs as it is: sambench run --task points --model my_sam.py
"""

import argparse
import re
from pathlib import Path

from sambench.commands._arguments import Parser
from sambench.errors import UserError

KINDS = ("model", "task", "dataset")


def add(parser: Parser) -> None:
    """Define the arguments."""
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("name", help="letters, digits and underscores; the file is NAME.py")
    parser.add_argument("--folder", type=Path, default=Path(), help="where to write it")


def main(arguments: argparse.Namespace) -> int:
    """Write the file and say what to try."""
    path = write_template(arguments.kind, arguments.name, arguments.folder)
    print(f"{path} is written; try: {_try(arguments.kind, path)}")
    return 0


def write_template(kind: str, name: str, folder: Path) -> Path:
    """Write NAME.py.

    Raises:
        UserError: the name is not valid, or the file exists.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise UserError(
            f"{name!r} is not a valid name; give lower-case letters, digits and underscores."
        )
    path = folder / f"{name}.py"
    if path.exists():
        raise UserError(f"{path} exists; give another name or folder.")
    template = Path(__file__).parent / "templates" / f"{kind}.py"
    text = template.read_text(encoding="utf-8")
    camel = "".join(part.capitalize() for part in name.split("_"))
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(
        text.replace(f"new_{kind}", name).replace(f"New{kind.capitalize()}", camel),
        encoding="utf-8",
    )
    return path


def _try(kind: str, path: Path) -> str:
    options = ":root=FOLDER" if kind == "dataset" else ""
    return f"sambench check {kind} {path}{options}"
