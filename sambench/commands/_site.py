"""What commands share that build a site: which photographs it shows, how many and how large."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from sambench.commands._arguments import Parser, Typed
from sambench.commands._options import COUNT, add_own_tasks
from sambench.options import Range

if TYPE_CHECKING:
    from sambench.report.leaderboard import Board

SIDE = Typed(Annotated[int, Range(16)])


def add_site_options(parser: Parser) -> None:
    """Add what a site is made of besides results."""
    parser.add_argument(
        "--dataset",
        action="append",
        default=[],
        metavar="SPEC",
        help="a dataset whose images the site may show, such as coco:root=DIR; may be repeated",
    )
    parser.add_argument(
        "--images", type=COUNT, default=60, help="images to draw for each leaderboard of the site"
    )
    add_own_tasks(parser)
    parser.add_argument(
        "--image-size", type=SIDE, default=640, help="longest side of a drawn image, in pixels"
    )


def write_site(boards: Sequence[Board], folder: Path, arguments: Namespace) -> Path:
    """Write the site of boards to a folder; returns its first page.

    Raises:
        UserError: a dataset that was asked for cannot be opened.
    """
    from sambench.report.pages.site import build_site, open_datasets

    return build_site(
        boards,
        folder,
        datasets=open_datasets(boards, arguments.dataset),
        images=arguments.images,
        side=arguments.image_size,
    )
