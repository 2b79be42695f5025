"""What several commands share: lists of plug-ins, options of tasks as flags, the device."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sambench.data.suites import SUITES
from sambench.engine.models import choose_device as choose_device
from sambench.engine.models import load_model as load_model
from sambench.errors import UserError, nearest
from sambench.registry import find, names, option_types, resolve, split_spec

if TYPE_CHECKING:
    from sambench.engine.settings import Settings


def split_list(text: str, kind: str) -> list[str]:
    """``points,coco:annotations=A,images=B`` -> ``points`` and ``coco:annotations=A,images=B``.

    A part with a key continues the plug-in before it; so does a part of a path that has a comma in
    it, which is no name.

    Args:
        text: what was typed.
        kind: model, task or dataset: what the names are of.
    """
    known = {*names(kind), *SUITES}
    specs: list[str] = []
    for part in filter(None, text.split(",")):
        name = part.partition(":")[0]
        in_options = bool(specs) and ":" in specs[-1]
        with_key = re.match(r"\w+=", part) is not None
        of_a_path = name not in known and not name.endswith(".py")
        if in_options and (with_key or ("=" in specs[-1].partition(":")[2] and of_a_path)):
            specs[-1] += f",{part}"
        else:
            specs.append(part)
    return specs


def add_own_tasks(parser: argparse.ArgumentParser) -> None:
    """Add ``--task``, for commands that read what was made of a task of the user's own."""
    parser.add_argument(
        "--task", dest="own", action="append", default=[], type=Path, metavar="FILE",
        help="the .py file of your own task, which is imported; may be repeated",
    )  # fmt: skip


RANGES: dict[str, tuple[float, float]] = {
    "limit": (0, 10**12),
    "workers": (0, 1024),
    "resamples": (0, 10**6),
    "batch": (1, 10**6),
    "actors": (1, 10**5),
    "gpus": (0, 1024),
    "patience": (0, 10**9),
    "images": (0, 10**6),
    "seed": (0, 2**63 - 1),
    "page": (0, 10**9),
    "save_every": (1, 10**12),
}
"""What numbers may be, in every command that takes them."""


def check_ranges(arguments: argparse.Namespace) -> None:
    """Refuse numbers that make no sense, before anything is loaded.

    Raises:
        UserError: it names the option, and what it takes.
    """
    for name, (least, most) in RANGES.items():
        value = getattr(arguments, name, None)
        if value is None or least <= value <= most:
            continue
        flag = f"--{name.replace('_', '-')} {value}"
        if value > most:
            raise UserError(f"{flag} is too large; give {most} or less.")
        raise UserError(f"{flag} is too small; give {least} or more.")


def flags(rest: list[str]) -> dict[str, str]:
    """``--points 3 --refine --seed=1`` -> options by name; a flag without a value is true.

    Raises:
        UserError: a word that belongs to no flag.
    """
    options: dict[str, str] = {}
    waiting: str | None = None
    for word in rest:
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            waiting = None if equals else name.replace("-", "_")
            options[name.replace("-", "_")] = value if equals else "true"
        elif waiting is not None:
            options[waiting] = word
            waiting = None
        else:
            raise UserError(f"{word!r} belongs to no option; see --help.")
    return options


def no_more(rest: list[str], command: str) -> None:
    """Refuse words that a command does not know.

    Raises:
        UserError: there are any.
    """
    if rest:
        raise UserError(f"{' '.join(rest)} is not understood; see sambench {command} --help.")


def load_tasks(specs: list[str], rest: list[str]) -> dict[str, Any]:
    """Tasks by name, or as given where one occurs again, with the flags that are options of it.

    Raises:
        UserError: a flag that no task has.
    """
    extra = flags(rest)
    used: set[str] = set()
    tasks: dict[str, Any] = {}
    known: set[str] = set()
    for spec in specs:
        name, options = split_spec(spec)
        cls = find("task", name)
        names = {*option_types(cls), *(["preset"] if cls.presets else [])}  # type: ignore[attr-defined]
        known |= names
        used |= names & set(extra)
        own = {key: value for key, value in extra.items() if key in names}
        tasks[spec if name in tasks else name] = cls(**resolve(cls, name, {**options, **own}))
    for unknown in set(extra) - used:
        raise UserError(
            f"no option --{unknown.replace('_', '-')} for {', '.join(specs)}; "
            f"{nearest(unknown, known)}"
        )
    return tasks


def with_precision(spec: str, precision: str) -> str:
    """A model's spec with that arithmetic, unless it names one itself.

    Raises:
        UserError: the model has no choice of it.
    """
    name, options = split_spec(spec)
    if "precision" in options:
        return spec
    if "precision" not in option_types(find("model", name)):
        raise UserError(f"model {name} has no choice of precision; leave --precision out.")
    return f"{spec}{',' if ':' in spec else ':'}precision={precision}"


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add ``--device``."""
    parser.add_argument(
        "--device", default="auto", help="cpu, cuda, cuda:1, ...; default: a GPU if there is one"
    )


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add what says how a run is carried out, and where its results go."""
    parser.add_argument("--limit", type=int, default=0, help="only the first so many images")
    parser.add_argument("--ids", type=Path, help="file of ids: only these images, one id a line")
    parser.add_argument("--output", type=Path, default=Path("runs"), help="folder for results")
    parser.add_argument("--json", action="store_true", help="print the result as JSON on stdout")
    parser.add_argument("--workers", type=int, help="scoring processes; default: cores less one")
    parser.add_argument("--resamples", type=int, default=1000, help="bootstrap resamples")
    parser.add_argument("--fresh", action="store_true", help="discard records of an earlier run")


def run_settings(arguments: argparse.Namespace) -> Settings:
    """The settings that `add_run_options` and the command's own arguments give.

    Raises:
        UserError: the list of ids cannot be read.
    """
    from sambench.engine.settings import Settings, default_workers, read_ids

    workers = arguments.workers
    return Settings(
        output=arguments.output,
        limit=arguments.limit,
        only=read_ids(arguments.ids) if arguments.ids else (),
        workers=default_workers() if workers is None else workers,
        batch=getattr(arguments, "batch", 1),
        resamples=arguments.resamples,
        fresh=arguments.fresh,
        save_predictions=getattr(arguments, "save_predictions", False),
    )
