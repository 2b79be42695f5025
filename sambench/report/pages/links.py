"""Addresses of the pages, and what may be linked."""

import re

from sambench.report.leaderboard import Board


def file_slug(*words: str) -> str:
    """A file name that is safe everywhere: letters, digits and hyphens, 80 at most.

    Different words may give the same name; whoever needs a unique one adds to it.
    """
    text = "-".join(re.sub(r"[^A-Za-z0-9]+", "-", word).strip("-").lower() for word in words)
    return text[:80].strip("-") or "x"


def task_address(task: str) -> str:
    """File of a task's page."""
    return f"{file_slug('task', task)}.html"


def browser_address(board: Board) -> str:
    """File of a board's image browser."""
    return f"images-{board.key}.html"


def board_address(board: Board) -> str:
    """Where a board stands on the page of its task."""
    return f"{task_address(board.task)}#board-{board.key}"


def safe_link(address: str) -> str | None:
    """An address if it is one of the web, None if it is anything else."""
    return address if address.startswith("https://") else None
