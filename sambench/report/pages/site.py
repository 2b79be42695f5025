"""The static site: one folder that opens from disk in any browser."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sambench.errors import UserError
from sambench.interfaces import JSON, Dataset
from sambench.registry import construct, load, names
from sambench.report.collect import Run, read_lines
from sambench.report.details import Drawings, drawings
from sambench.report.leaderboard import Board
from sambench.report.pages.browser import Scored, browser_images
from sambench.report.pages.images import browser_page
from sambench.report.pages.links import browser_address, task_address
from sambench.report.pages.markup import file_slug
from sambench.report.pages.overview import index_page
from sambench.report.pages.plots import Plot
from sambench.report.pages.run import run_page
from sambench.report.pages.task import task_page
from sambench.report.scores import image_scores, load_task
from sambench.store.result import write_text

log = logging.getLogger(__name__)


@dataclass
class Site:
    """What the pages of a site share while it is built.

    Attributes:
        folder: where it is written.
        boards: all boards.
        datasets: fingerprint -> dataset whose photographs may be read.
        links: navigation, (address, text).
        addresses: result file -> its page.
        drawings: result file -> its curves, histograms and breakdowns.
        scored: result file -> its records with scores; missing where there are none.
    """

    folder: Path
    boards: Sequence[Board]
    datasets: Mapping[str, Dataset]
    links: list[tuple[str, str]] = field(default_factory=list)
    addresses: dict[Path, str] = field(default_factory=dict)
    drawings: dict[Path, Drawings] = field(default_factory=dict)
    scored: dict[Path, Scored] = field(default_factory=dict)

    def write(self, address: str, text: str) -> None:
        """Write a page."""
        write_text(self.folder / address, text)

    def keep(self, plots: Sequence[Plot]) -> list[Plot]:
        """Write the files of plots beside the pages; returns the plots."""
        folder = self.folder / "plots"
        folder.mkdir(parents=True, exist_ok=True)
        for plot in plots:
            (folder / f"{plot.name}.svg").write_text(plot.svg, encoding="utf-8")
            (folder / f"{plot.name}.png").write_bytes(plot.png)
        return list(plots)


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
    site = Site(folder, boards, datasets or {})
    tasks = list(dict.fromkeys(board.task for board in boards))
    own = list(dict.fromkeys(board.task for board in boards if board.measured)) or tasks
    site.links = [("index.html", "Overview"), *((task_address(task), task) for task in own)]
    for board in boards:
        for run in _runs(board):
            _add_run(site, run)
    for board in boards:
        if any(run.path in site.scored for run in _runs(board)):
            _write_browser(site, board, images, side)
    for task in tasks:
        site.write(task_address(task), task_page(site, task))
    for board in boards:
        for run in _runs(board):
            site.write(site.addresses[run.path], run_page(site, board, run))
    site.write("index.html", index_page(site))
    return folder / "index.html"


def _runs(board: Board) -> list[Run]:
    return [entry.run for entry in board.entries if entry.run is not None]


def _add_run(site: Site, run: Run) -> None:
    """Give a run its page, and read its records."""
    result = run.result
    slug = file_slug("run", result.task, result.dataset, result.model)
    taken = set(site.addresses.values())
    names = (f"{slug}{'' if n == 1 else f'-{n}'}.html" for n in range(1, len(taken) + 2))
    site.addresses[run.path] = next(name for name in names if name not in taken)
    lines = read_lines(run)
    dataset = site.datasets.get(str(result.protocol["dataset"].get("fingerprint")))
    site.drawings[run.path] = drawings(result)
    if not lines:
        return
    try:
        task = load_task(run)
        scores = image_scores(task, result.metric, lines)
    except UserError as error:
        log.warning("no scores of single images for %s: %s", run.path, error)
        return
    # Names of categories are no part of what a dataset must have.
    categories = getattr(dataset, "categories", None)
    records = [line["record"] for line in lines]
    site.drawings[run.path] = drawings(result, task, records, categories)
    site.scored[run.path] = Scored(run, task, {line["id"]: line for line in lines}, scores)


def _write_browser(site: Site, board: Board, images: int, side: int) -> None:
    runs = [site.scored[run.path] for run in _runs(board) if run.path in site.scored]
    dataset = site.datasets.get(str(board.fields.get("dataset.fingerprint")))
    folder = site.folder / "images" / board.key
    shown = browser_images(runs, dataset, folder, most=images, side=side)
    address = browser_address(board)
    site.write(address, browser_page(site, board, runs, shown, readable=dataset is not None))
