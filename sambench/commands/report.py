"""Turn result files into a leaderboard: text, a static site, or a check of what is committed.

sambench report runs                         your own tables
sambench report runs --format markdown       with the published ones; also csv, latex, json
sambench report runs -o site                 a site that opens in any browser, without a server
sambench report results --update             write results/README.md and README.md's block
sambench report results --check              is every file valid and the leaderboard current?
"""

import argparse
from pathlib import Path

from sambench.commands._arguments import Parser
from sambench.commands._collector import no_search_for_garbage
from sambench.commands._site import add_site_options, write_site
from sambench.errors import UserError
from sambench.report.formats import FORMATS
from sambench.report.leaderboard import Board, make_boards
from sambench.report.published import read_published, require_published
from sambench.report.upkeep import check, published_for, update
from sambench.store.run import find_runs


def add(parser: Parser) -> None:
    """Define the arguments."""
    parser.add_argument("paths", nargs="*", type=Path, default=[Path("results")], metavar="PATH")
    parser.add_argument("-o", "--output", type=Path, help="folder for the site")
    parser.add_argument("--format", choices=list(FORMATS))
    parser.add_argument("--update", action="store_true", help="write the generated leaderboard")
    parser.add_argument("--check", action="store_true", help="check files and leaderboard")
    parser.add_argument("--readme", type=Path, help="README with a block for the leaderboard")
    parser.add_argument(
        "--published", type=Path, nargs="?", const=Path(), metavar="FOLDER",
        help="published numbers, too, or those of a folder; formats and sites have them anyway",
    )  # fmt: skip
    parser.add_argument("--no-published", action="store_true", help="leave published numbers out")
    add_site_options(parser)


def main(arguments: argparse.Namespace) -> int:
    """Report; 1 if a check found problems."""
    with no_search_for_garbage():
        return _report(arguments)


def _report(arguments: argparse.Namespace) -> int:
    if arguments.check or arguments.update:
        return _keep(arguments)
    boards = _boards(arguments)
    if arguments.output is None:
        print(FORMATS[arguments.format or "markdown"](boards) or "Nothing was measured yet.")
        return 0
    print(write_site(boards, arguments.output, arguments))
    return 0


def _boards(arguments: argparse.Namespace) -> list[Board]:
    asked = arguments.published
    to_read = arguments.output is None and arguments.format is None  # on a terminal
    tables = []
    if not arguments.no_published and not (to_read and asked is None):
        own = asked in {None, Path()}
        tables = read_published(published_for(arguments.paths) if own else require_published(asked))
    return make_boards(find_runs(arguments.paths, arguments.own), tables)


def _keep(arguments: argparse.Namespace) -> int:
    """Write the committed leaderboard, or check it."""
    if len(arguments.paths) != 1:
        raise UserError("--check and --update take one folder of results; give one.")
    folder = arguments.paths[0]
    if arguments.update:
        for path in update(folder, arguments.readme):
            print(f"wrote {path}")
        return 0
    found = check(folder, arguments.readme)
    for problem in found:
        print(problem)
    if not found:
        print(f"{len(find_runs([folder]))} results valid, leaderboard current")
    return 1 if found else 0
