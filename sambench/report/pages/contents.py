"""What the pages of a site are made of: boards, and of each run its page, plots and images."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sambench.errors import UserError
from sambench.interfaces import JSON, Dataset, Estimator
from sambench.registry import entries
from sambench.report.details import Drawings, drawings
from sambench.report.leaderboard import Board
from sambench.report.pages.browser import ScoredRun
from sambench.report.pages.links import file_slug
from sambench.report.scores import image_scores
from sambench.store.result import Result
from sambench.store.run import Run

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Contents:
    """What a site shows.

    Attributes:
        boards: all boards.
        addresses: result file -> its page.
        drawings: result file -> its curves, histograms and breakdowns.
        scored: result file -> its records with scores; missing where there are none.
        about: task -> what it is, in a line; of those that are installed.
    """

    boards: Sequence[Board]
    addresses: Mapping[Path, str]
    drawings: Mapping[Path, Drawings]
    scored: Mapping[Path, ScoredRun]
    about: Mapping[str, str]

    def tasks(self) -> list[str]:
        """The tasks, in order."""
        return list(dict.fromkeys(board.task for board in self.boards))

    def scored_runs(self, board: Board) -> list[ScoredRun]:
        """The runs of a board whose images have scores."""
        return [self.scored[run.path] for run in runs_of(board) if run.path in self.scored]


def runs_of(board: Board) -> list[Run]:
    """The runs of a board, in its order."""
    return [entry.run for entry in board.entries if entry.run is not None]


def gather(boards: Sequence[Board], datasets: Mapping[str, Dataset]) -> Contents:
    """Read the records behind boards, and give each run its page.

    Args:
        boards: what to show.
        datasets: fingerprint -> dataset, which may name its categories.
    """
    addresses: dict[Path, str] = {}
    drawn: dict[Path, Drawings] = {}
    scored: dict[Path, ScoredRun] = {}
    estimators = {path: own for board in boards for path, own in board.estimators.items()}
    for run in {run.path: run for board in boards for run in runs_of(board)}.values():
        addresses[run.path] = _run_address(run.result, set(addresses.values()))
        lines = run.lines()
        dataset = datasets.get(str(run.result.protocol["dataset"].get("fingerprint")))
        # A dataset need not have names of categories.
        categories = getattr(dataset, "categories", None)
        found = _scored(run, lines, estimators.get(run.path)) if lines else None
        if found is None:
            drawn[run.path] = drawings(run.result)
        else:
            scored[run.path] = found
            records = [line["record"] for line in lines]
            references = run.index.header.get("references", ())
            drawn[run.path] = drawings(run.result, found.task, records, categories, references)
    about = {entry.name: entry.summary for entry in entries("task")}
    return Contents(boards, addresses, drawn, scored, about)


def _run_address(result: Result, taken: set[str]) -> str:
    slug = file_slug("run", result.task, result.dataset, result.model)
    names = (f"{slug}{'' if n == 1 else f'-{n}'}.html" for n in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


def _scored(run: Run, lines: Sequence[JSON], estimator: Estimator | None) -> ScoredRun | None:
    """The scores of its images; None, which is logged, where its task cannot be set up."""
    try:
        task = run.task
        scores = image_scores(task, run.result.metric, lines, estimator)
    except UserError as error:
        log.warning("no scores of single images for %s: %s", run.path, error)
        return None
    return ScoredRun(run, task, {line["id"]: line for line in lines}, scores)
