"""Look at runs: build their site, images with truth and predictions among it, print its address.

sambench view runs/points/mini/minisam.json    one run; its site is minisam.site beside it
sambench view A.json B.json                    several, to compare; site in the folder they share
sambench view runs                             all runs below a folder; site in that folder

The address opens in any browser, without a server. Photographs that have to be found are named, as
in --dataset coco:root=DIR; what `run` prints at its end has that already.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from sambench.commands._arguments import Parser
from sambench.commands._collector import no_search_for_garbage
from sambench.commands._site import add_site_options, write_site
from sambench.engine.progress import say
from sambench.errors import UserError
from sambench.store.paths import SITE


def add(parser: Parser) -> None:
    """Define the arguments."""
    parser.add_argument(
        "runs", nargs="*", type=Path, default=[Path("runs")], metavar="RUN",
        help="results, records, or folders of them; default: runs",
    )  # fmt: skip
    parser.add_argument("-o", "--output", type=Path, help="folder for the site; default: beside")
    add_site_options(parser)


def main(arguments: argparse.Namespace) -> int:
    """Build the site."""
    from sambench.report.leaderboard import make_boards
    from sambench.report.pages.links import browser_address
    from sambench.store.run import find_runs, result_path

    places = [result_path(path) for path in arguments.runs]
    runs = find_runs(places, arguments.own)
    if not runs:
        raise UserError(f"there is no result in {', '.join(map(str, places))}; run one first.")
    with no_search_for_garbage():
        boards = make_boards(runs)
        index = write_site(boards, arguments.output or folder_for(places), arguments).resolve()
    for board in boards:
        page = index.with_name(browser_address(board))
        if page.is_file():
            say(f"{board.items} of {board.title}: {page.as_uri()}", quiet=arguments.quiet)
    print(index.as_uri())
    return 0


def folder_for(places: Sequence[Path]) -> Path:
    """Where the site of some results or folders of them goes.

    Raises:
        UserError: they have no folder in common.
    """
    if len(places) == 1:
        return places[0] / SITE if places[0].is_dir() else places[0].with_suffix(f".{SITE}")
    folders = [place if place.is_dir() else place.parent for place in map(Path.resolve, places)]
    common = Path(os.path.commonpath(folders))
    if common == Path(common.anchor):
        raise UserError(f"the runs have no folder in common but {common}; give --output.")
    return common / SITE
