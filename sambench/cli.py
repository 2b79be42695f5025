"""The command line: ``sambench COMMAND``.

Data goes to stdout, progress and messages to stderr. Exit codes: 0 done; 1 done but something is
wrong (images failed, a check found problems); 2 the input cannot be used; 130 interrupted, 143 and
129 ended by SIGTERM and SIGHUP: what was done is kept.
"""

import contextlib
import importlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any

import sambench
from sambench.commands._arguments import Parser
from sambench.commands._completion import ASKING, complete, typed
from sambench.commands._options import add_task_options
from sambench.errors import UserError, nearest

COMMANDS = {
    "run": "score a model on a task and a dataset",
    "predict": "segment one photograph and draw the masks",
    "train": "train a SAM with simulated prompts",
    "view": "build the site of runs and print its address",
    "report": "leaderboard, static site, check of committed results",
    "reproduce": "rerun the protocol of a published number and compare",
    "merge": "merge the records of shards into results",
    "compare": "compare two results on the same images",
    "score": "score predictions from files, without a model",
    "data": "list, fetch and check datasets",
    "list": "show models, tasks, datasets and suites",
    "new": "create a model, task or dataset from a template",
    "check": "check that a model or task keeps its contract, or validate a dataset",
    "warm-up": "compile all kernels, so that no run has to",
}

VERBOSE, QUIET = ("-v", "--verbose"), ("-q", "--quiet")
log = logging.getLogger("sambench")

WITH_TASKS = {
    "run": "sambench run --task NAME --help",
    "score": "sambench score --task NAME --help",
    "reproduce": "sambench reproduce TASK --help",
    "check": "sambench check task NAME --help",
}
"""Commands whose arguments are also those of the tasks that ``tasks(arguments)`` in their module
names, and what shows these."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s: %(message)s", force=True)
    log.setLevel(logging.DEBUG if {*VERBOSE} & {*words} else logging.NOTSET)  # ours alone
    if {*QUIET} & {*words}:
        os.environ["TQDM_DISABLE"] = "1"  # tqdm's own switch, of bars that others draw too
    # Threads that spin while they wait take the time of those they wait for.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        if ASKING in os.environ:
            return _complete(os.environ.get("COMP_LINE", ""), os.environ.get("COMP_POINT", "0"))
        with _ended_like_ctrl_c():
            return _run(words)
    except UserError as error:
        log.debug("where it was raised", exc_info=error)
        print(f"sambench: {error}", file=sys.stderr)
        return 2
    except Ended as error:
        with contextlib.suppress(OSError):  # a terminal that hung up takes no words
            print(f"sambench: ended by {error.signal.name}; {_how_to_go_on(words)}",
                  file=sys.stderr)  # fmt: skip
        return 128 + error.signal
    except KeyboardInterrupt:
        print(f"sambench: interrupted; {_how_to_go_on(words)}", file=sys.stderr)
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


def _how_to_go_on(words: Sequence[str]) -> str:
    fresh = ", without --fresh," if "--fresh" in words else ""
    return f"the same command{fresh} continues."


class Ended(KeyboardInterrupt):
    """The process received a signal to end. Like Ctrl-C, it is not swallowed; records are kept.

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


def _run(words: list[str]) -> int:
    before = [*takewhile((*VERBOSE, *QUIET).__contains__, words)]
    words = words[len(before) :]
    if not words or words[0].startswith("-"):
        _overview().read(words)
    name = words[0] if words else ""
    if name not in COMMANDS:
        raise UserError(f"sambench has no command {name!r}; {nearest(name, COMMANDS)}")
    given = [*words[1:], *before]
    arguments = parser_of(name, given).read(given)
    return int(_module(name).main(arguments))


def _complete(line: str, point: str) -> int:
    """Tell the shell what may come next; the options of a task are known once it is typed."""
    words = [word for word in typed(line, point) if word not in (*VERBOSE, *QUIET)]
    own = _own_parser(words[0]) if words and words[0] in COMMANDS else Parser("sambench", None)
    with contextlib.suppress(UserError):  # a task that is typed by half
        own = parser_of(words[0], words[1:]) if words and words[0] in COMMANDS else own
    complete(_overview({words[0]: own} if words else {}), own)
    return 0


def _overview(parsers: Mapping[str, Parser] | None = None) -> Parser:
    """The parser of ``sambench`` itself: it knows the commands by name, and these whole."""
    parser = Parser("sambench", "Zero-shot evaluation of promptable segmentation models.")
    parser.add_argument("--version", action="version", version=f"sambench {sambench.__version__}")
    _add_volume(parser)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        commands.add_parser(name, prog=f"sambench {name}", description=None, help=summary)
        if parsers and name in parsers:
            commands.choices[name] = parsers[name]
    return parser


def parser_of(name: str, words: Sequence[str] = ()) -> Parser:
    """The parser of a command.

    Args:
        name: of the command.
        words: what follows it. Of the tasks that they name, each option is an argument too.

    Raises:
        UserError: there is no such task, or the words cannot be used.
    """
    parser = _own_parser(name)
    if name not in WITH_TASKS:
        return parser
    specs = _module(name).tasks(_own_parser(name, add_help=False).look(words))
    if specs:
        add_task_options(parser, specs)
    else:
        parser.epilog = f"For the options of a task: {WITH_TASKS[name]}"
    return parser


def _own_parser(name: str, **more: Any) -> Parser:
    module = _module(name)
    parser = Parser(f"sambench {name}", module.__doc__, **more)
    _add_volume(parser)
    module.add(parser)
    return parser


def _add_volume(parser: Parser) -> None:
    """Add what may stand before a command, too."""
    parser.add_argument(*VERBOSE, action="store_true", help="show tracebacks and details")
    parser.add_argument(*QUIET, action="store_true", help="no progress: warnings and results only")


def _module(command: str) -> Any:
    return importlib.import_module(f"sambench.commands.{command.replace('-', '_')}")


if __name__ == "__main__":
    sys.exit(main())
