"""The command line: ``sambench COMMAND``.

Data goes to stdout, progress and messages to stderr. Exit codes: 0 done; 1 done but something is
wrong (images failed, a check found problems); 2 the input cannot be used; 130 interrupted, 143 and
129 ended by SIGTERM and SIGHUP: what was done is kept.
"""

import argparse
import contextlib
import importlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import sambench
from sambench.commands._options import check_ranges
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
        check_ranges(arguments)
        with _ended_like_ctrl_c():
            return int(arguments.main(arguments, rest))
    except UserError as error:
        print(f"sambench: {error}", file=sys.stderr)
        return 2
    except Ended as error:
        with contextlib.suppress(OSError):  # a terminal that hung up takes no words
            print(f"sambench: ended by {error.signal.name}; {_how_to_go_on(arguments)}",
                  file=sys.stderr)  # fmt: skip
        return 128 + error.signal
    except KeyboardInterrupt:
        print(f"sambench: interrupted; {_how_to_go_on(arguments)}", file=sys.stderr)
        return 130
    except MemoryError as error:
        print(
            f"sambench: there is not enough memory ({error}); give smaller images, fewer --workers "
            "or a machine with more; what was done is kept.",
            file=sys.stderr,
        )
        return 2
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


def _how_to_go_on(arguments: argparse.Namespace) -> str:
    fresh = ", without --fresh," if getattr(arguments, "fresh", False) else ""
    return f"the same command{fresh} continues."


class Ended(KeyboardInterrupt):
    """The process was told to end; as Ctrl-C, it is not swallowed on its way and keeps records.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.signal = signal.Signals(number)


@contextlib.contextmanager
def _ended_like_ctrl_c() -> Iterator[None]:
    """SIGTERM (of a scheduler or a container) and SIGHUP (of a terminal) raise `Ended` in here.

    One that is ignored, as nohup does, stays so; so does one that the embedding program handles.
    """
    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    numbers = [getattr(signal, name) for name in names]
    free = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    if threading.current_thread() is not threading.main_thread():
        free = []  # Python lets only the main thread decide

    received: list[int] = []

    def end(number: int, frame: object) -> None:
        del frame
        received.append(number)
        for each in free:  # a second one must not disturb what is kept now
            signal.signal(each, signal.SIG_IGN)
        raise Ended(number)

    for number in free:
        signal.signal(number, end)
    try:
        yield
    except KeyboardInterrupt as error:
        if received and not isinstance(error, Ended):  # Ray passes it on as a bare one
            raise Ended(received[0]) from None
        raise
    finally:
        for number in free:
            signal.signal(number, signal.SIG_DFL)


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
