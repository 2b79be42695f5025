"""Merge the records of shards, or of several machines, into results.

Nothing is scored again; the records are those of one run, whatever the number of shards. Exit code
1 if images are missing or failed: they are listed on stderr.
"""

import argparse
import json
import sys
from pathlib import Path

from sambench.commands._arguments import Parser
from sambench.commands._options import add_all, add_limit, add_own_tasks, add_resamples, where
from sambench.engine.progress import say

LISTED = 20


def add(parser: Parser) -> None:
    """Define the arguments."""
    parser.add_argument("folders", type=Path, nargs="+", help="folders of records, or record files")
    parser.add_argument("--output", type=Path, default=Path("runs"), help="folder for the results")
    add_limit(parser)
    add_resamples(parser)
    add_all(parser)
    parser.add_argument("--json", action="store_true", help="print the results as JSON on stdout")
    add_own_tasks(parser)


def main(arguments: argparse.Namespace) -> int:
    """Merge; 1 if any result is incomplete."""
    from sambench.report.table import result_table
    from sambench.store.display import counted
    from sambench.store.merging import merge

    runs = merge(
        arguments.folders,
        arguments.output,
        limit=arguments.limit,
        resamples=arguments.resamples,
        own=arguments.own,
    )
    for run in runs:
        left = list(run.result.failed)
        if left:
            more = f" and {len(left) - LISTED} more" if len(left) > LISTED else ""
            names = ", ".join(left[:LISTED])
            print(
                f"{run.records_path}: {counted(len(left), run.result.items)} missing: "
                f"{names}{more}",
                file=sys.stderr,
            )
        if not arguments.json:
            print(result_table(run.result, run.task.paper, all_metrics=arguments.all))
    if arguments.json:
        print(json.dumps([run.result.to_json() for run in runs], indent=2))
    say(where(runs, arguments.output), quiet=arguments.quiet)
    return 0 if all(run.result.complete and run.result.defined for run in runs) else 1
