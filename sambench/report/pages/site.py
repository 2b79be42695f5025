"""The static site: one folder that opens from disk in any browser."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from sambench.errors import UserError
from sambench.files import write_text
from sambench.interfaces import JSON, Dataset
from sambench.registry import construct, load, names
from sambench.report.leaderboard import Board
from sambench.report.pages.browser import browser_images
from sambench.report.pages.clips import clip_page
from sambench.report.pages.contents import Contents, gather, runs_of
from sambench.report.pages.images import browser_page
from sambench.report.pages.links import task_address
from sambench.report.pages.overview import overview_page
from sambench.report.pages.render import Page, render
from sambench.report.pages.run import run_page
from sambench.report.pages.svg import Plot
from sambench.report.pages.task import task_page
from sambench.video.interfaces import ClipTask

log = logging.getLogger(__name__)
CLIP = 10
"""A clip is drawn where so many images would be."""


def open_datasets(boards: Sequence[Board], specs: Sequence[str]) -> dict[str, Dataset]:
    """Datasets by fingerprint: those asked for, and those of the boards that need no options.

    Raises:
        UserError: a dataset that was asked for cannot be opened.
    """
    found: dict[str, Dataset] = {}
    for spec in specs:
        dataset: Dataset = load("dataset", spec)
        found[dataset.fingerprint] = dataset
    for board in boards:
        name = str(board.fields.get("dataset.name"))
        if not board.measured or name not in names("dataset"):  # a file may name no path
            continue
        try:
            dataset = construct("dataset", name, _options(board))
            found.setdefault(dataset.fingerprint, dataset)
        except UserError as error:
            log.info("images of %s: %s", name, error)
    return found


def _options(board: Board) -> JSON:
    """The dataset's options of a board, as far as they are not where its files are."""
    prefix = "dataset.options."
    return {k.removeprefix(prefix): v for k, v in board.fields.items() if k.startswith(prefix)}


def build_site(
    boards: Sequence[Board],
    folder: Path,
    *,
    datasets: Mapping[str, Dataset] | None = None,
    images: int = 60,
    side: int = 640,
) -> Path:
    """Write the site; what an earlier one of the same results left is overwritten.

    Args:
        boards: what to show.
        folder: where to; made when missing.
        datasets: fingerprint -> dataset whose photographs may be shown.
        images: how many images to draw for each board.
        side: longest side of a drawn image.

    Returns:
        The first page.
    """
    datasets = datasets or {}
    contents = gather(boards, datasets)
    tasks = list(dict.fromkeys(b.task for b in boards if b.measured)) or contents.tasks()
    links = [("index.html", "Overview"), *((task_address(task), task) for task in tasks)]
    browsers = _browser_pages(contents, datasets, folder, images, side)
    for page in chain(browsers, _table_pages(contents)):
        _write_plots(page.plots, folder / "plots")
        write_text(folder / page.address, render(page, links))
    return folder / "index.html"


def _browser_pages(
    contents: Contents, datasets: Mapping[str, Dataset], folder: Path, images: int, side: int
) -> Iterator[Page]:
    """The image browser of each board whose images have scores; draws its pictures."""
    for board in contents.boards:
        runs = contents.scored_runs(board)
        if not runs:
            continue
        dataset = datasets.get(str(board.fields.get("dataset.fingerprint")))
        pictures = folder / "images" / board.key
        if isinstance(runs[0].task, ClipTask):
            yield clip_page(board, runs, dataset, pictures, most=images // CLIP, side=side)
            continue
        shown = browser_images(runs, dataset, pictures, most=images, side=side)
        yield browser_page(board, runs, shown, readable=dataset is not None)


def _table_pages(contents: Contents) -> Iterator[Page]:
    """The pages of tasks and of runs, and the first one."""
    for task in contents.tasks():
        yield task_page(contents, task)
    for board in contents.boards:
        for run in runs_of(board):
            yield run_page(contents, board, run)
    yield overview_page(contents)


def _write_plots(plots: Sequence[Plot], folder: Path) -> None:
    for plot in plots:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{plot.name}.svg").write_text(plot.svg, encoding="utf-8")
