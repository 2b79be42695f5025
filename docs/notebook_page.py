"""The page of the notebook, which is run when the site is built: its outputs are of the code."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

NOTEBOOK = Path(__file__).with_name("notebook.ipynb")


def on_files(files: Any, config: Any) -> Any:
    """Add the page (called by mkdocs)."""
    from mkdocs.structure.files import File

    files.append(File.generated(config, "notebook.md", content=page()))
    return files


def page() -> str:
    """The notebook with its outputs, as Markdown.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell fails.
    """
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": folder}}).execute()
    return "\n\n".join(part for cell in notebook.cells for part in _cell(cell)) + "\n"


def _cell(cell: Any) -> list[str]:
    if cell.cell_type == "markdown":
        return [cell.source]
    return [_fenced("python", cell.source), *map(_output, cell.outputs)]


def _output(output: Any) -> str:
    """What a cell gave: a table, a picture, or text."""
    data = output.get("data", {})
    if "text/html" in data:
        return f"<div>\n{data['text/html']}\n</div>"
    if "image/png" in data:
        png = data["image/png"].replace("\n", "")
        return f'<img alt="output of the cell above" src="data:image/png;base64,{png}">'
    return _fenced("text", data.get("text/plain") or output.get("text", ""))


def _fenced(language: str, text: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```"
