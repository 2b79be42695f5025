"""Show models, tasks, datasets and suites: what can be typed after --model, --task, --dataset.

sambench list             all of them, a line each
sambench list models      those of one kind
sambench list edges       its options with their defaults, what it needs, its card
"""

import argparse
import json

from sambench.commands._arguments import Parser
from sambench.data.suites import SUITES
from sambench.errors import UserError, nearest
from sambench.interfaces import JSON
from sambench.registry import Entry, entries

KINDS = ("model", "task", "dataset")
INDENT = " " * 20


def add(parser: Parser) -> None:
    """Define the arguments."""
    parser.add_argument(
        "what", nargs="?", default="",
        help="models, tasks, datasets or suites; or the name of one, for all that is known of it",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON, with the options of each")


def main(arguments: argparse.Namespace) -> int:
    """Print one line a plug-in, or all about one; those that cannot be used say why."""
    what = arguments.what
    kinds = [kind for kind in KINDS if what in ("", f"{kind}s")]
    suites = SUITES if what in ("", "datasets", "suites") else {}
    if kinds or suites:
        listed = {kind: entries(kind) for kind in kinds}
    else:
        listed = {kind: [e for e in entries(kind) if e.name == what] for kind in KINDS}
        suites = {name: members for name, members in SUITES.items() if name == what}
        _require_known(what, bool(suites or any(listed.values())))
    if arguments.json:
        print(json.dumps(_json(listed, suites), indent=2))
    elif kinds or what == "suites":
        _print_lines(listed, suites)
    else:
        _print_all_about(listed)
        _print_lines({}, suites)
    return 0


def _require_known(what: str, known: bool) -> None:
    """Refuse a name that nothing has.

    Raises:
        UserError: it is unknown; says the nearest.
    """
    if not known:
        names = {entry.name for kind in KINDS for entry in entries(kind)}
        kinds = {f"{kind}s" for kind in (*KINDS, "suite")}
        raise UserError(f"nothing is called {what!r}; {nearest(what, names | kinds | {*SUITES})}")


def _json(listed: dict[str, list[Entry]], suites: dict[str, tuple[str, ...]]) -> list[JSON]:
    from sambench.commands._about import about

    plugins = [about(kind, entry) for kind, found in listed.items() for entry in found]
    members = ({"kind": "suite", "name": n, "datasets": list(d)} for n, d in suites.items())
    return [*plugins, *members]


def _print_lines(listed: dict[str, list[Entry]], suites: dict[str, tuple[str, ...]]) -> None:
    for kind, found in listed.items():
        print(f"{kind}s")
        for entry in found:
            print(_line(entry))
    for name, members in suites.items():
        print(f"suite {name}: {', '.join(members)}")


def _print_all_about(listed: dict[str, list[Entry]]) -> None:
    from sambench.commands._about import about, lines

    for kind, found in listed.items():
        for entry in found:
            print("\n".join(lines(about(kind, entry))))


def _line(entry: Entry) -> str:
    origin = "" if entry.origin == "built-in" else f" [{entry.origin}]"
    needs = f"\n{INDENT}needs: {entry.requires}" if entry.requires else ""
    said = f"UNUSABLE: {entry.error}" if entry.error else entry.summary
    return f"  {entry.name:<18}{said}{origin}{needs}"
