"""The command line: ``sambench COMMAND``.

Data goes to stdout, progress and messages to stderr. Exit codes: 0 done; 1 done but something is
wrong (images failed, a check found problems); 2 the input cannot be used; 130 interrupted.
"""

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from typing import Any

import sambench
from sambench.errors import UserError

COMMANDS = {
    "run": "score a model on a task and a dataset",
    "predict": "segment one photograph and draw the masks",
    "train": "train a SAM with simulated prompts",
    "report": "leaderboard, static site, check of committed results",
    "reproduce": "run the protocol of a published number and say whether it holds",
    "merge": "join the records of shards to results",
    "compare": "differences of two results on the same images",
    "score": "score predictions from files, without a model",
    "data": "list, fetch and check datasets",
    "list": "show models, tasks, datasets and suites",
    "new": "write the template of a model, a task or a dataset",
    "check-model": "try whether a model keeps its contract",
    "check-task": "try whether a task keeps its contract",
    "check-dataset": "read a dataset and look for what is wrong",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    arguments, rest = _parse(words)
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.DEBUG if arguments.verbose else logging.WARNING,
        format="%(levelname)s: %(message)s",
        force=True,
    )
    try:
        return int(arguments.main(arguments, rest))
    except UserError as error:
        print(f"sambench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("sambench: interrupted; the same command continues.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output has left, as `| head` does; Python must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.filename is None and error.errno is None:
            raise
        where = f" {error.filename}" if error.filename else ""
        print(f"sambench: {error.strerror}{where}; what was done is kept.", file=sys.stderr)
        return 2


def _parse(words: list[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog="sambench", description="Zero-shot evaluation of promptable segmentation models."
    )
    parser.add_argument("--version", action="version", version=f"sambench {sambench.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        module = _module(name)
        command = commands.add_parser(name, help=summary, description=module.__doc__)
        command.formatter_class = argparse.RawDescriptionHelpFormatter
        command.add_argument("-v", "--verbose", action="store_true", help="show tracebacks")
        module.add(command)
        command.set_defaults(main=module.main)
    return parser.parse_known_args(words)


def _module(command: str) -> Any:
    return importlib.import_module(f"sambench.commands.{command.replace('-', '_')}")


if __name__ == "__main__":
    sys.exit(main())
