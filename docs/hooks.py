"""Pages that are made of the code when the site is built, so that they cannot go stale."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

from sambench import cli
from sambench.options import Option, described
from sambench.registry import entries, find
from sambench.report.published import PaperFile
from sambench.store.schema import ResultFile, json_schema


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages (called by mkdocs)."""
    from mkdocs.structure.files import File

    house = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    pages = {
        "cli.md": command_line(),
        "tasks.md": tasks(),
        "contributing.md": house.replace("](docs/", "]("),
        **schemas(),
    }
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Add what the code says to pages that are written by hand (called by mkdocs)."""
    made = {"models.md": models, "data.md": datasets}.get(page.file.src_uri)
    return markdown + made() if made else markdown


def models() -> str:
    """The name and first sentence of every model that ships."""
    built_in = [entry for entry in entries("model") if entry.origin == "built-in"]
    rows = [f"| `{entry.name}` | {entry.summary} | {entry.requires} |" for entry in built_in]
    table = ["| model | | needs |", "|---|---|---|", *rows]
    return "\n".join(["", "", "## All models", "", *table, ""])


def datasets() -> str:
    """How the reader of every dataset that ships knows its files, and what was seen of them."""
    cards = [
        find("dataset", each.name).card for each in entries("dataset") if each.origin == "built-in"
    ]
    rows = [f"| `{card.name}` | {card.layout} | {card.seen} |" for card in cards if card.layout]
    table = ["| dataset | layout | seen on real files |", "|---|---|---|", *rows]
    return "\n".join(["", "", "## Readers on real files", "", *table, ""])


def schemas() -> dict[str, str]:
    """The JSON Schemas of the files under results/, by file name."""
    kinds = {"result": ResultFile, "published": PaperFile}
    return {
        f"{name}.schema.json": json.dumps(json_schema(kind), indent=2) + "\n"
        for name, kind in kinds.items()
    }


def command_line() -> str:
    """The help of every command."""
    parts = ["# Command line\n"]
    for name in cli.COMMANDS:
        parts.append(f"## {name}\n\n```text\n{cli.parser_of(name).format_help()}```\n")
    return "\n".join(parts)


def tasks() -> str:
    """Protocol, options and presets of every task that ships."""
    parts = ["# Tasks and their protocols\n"]
    built_in = (entry for entry in entries("task") if entry.origin == "built-in")
    for entry in built_in:
        parts.append(task_page(entry.name, find("task", entry.name)))
    return "\n".join(parts)


def task_page(name: str, cls: Any) -> str:
    """One task."""
    lines = [f"## {name}\n", inspect.getdoc(inspect.getmodule(cls)) or "", ""]
    lines += [f"Needs {cls.truth.__name__}; ranked by {cls().metric}. The paper's protocol:", ""]
    lines += ["```text", cls.paper, "```", "", (inspect.getdoc(cls) or "").partition("\n")[0], ""]
    lines += ["| option | default | takes | |", "|---|---|---|---|"]
    lines += [_option_row(option) for option in described(cls)] + [""]
    lines += [f"- **{fact}**: {value}" for fact, value in cls.facts.items()]
    if cls.presets:
        lines += ["", "| preset | sets |", "|---|---|"]
        for preset, options in cls.presets.items():
            words = ", ".join(f"{key}={value}" for key, value in options.items())
            lines.append(f"| {preset} | {words or 'the defaults'} |")
    return "\n".join([*lines, ""])


def _option_row(option: Option) -> str:
    cells = [option.name, option.default_text and f"`{option.default_text}`", option.takes]
    return "| " + " | ".join([*cells, option.description.replace("|", "\\|")]) + " |"
