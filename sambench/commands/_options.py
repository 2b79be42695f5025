"""What several commands share: lists of plug-ins, options of tasks as arguments, the device."""

from __future__ import annotations

import re
import shlex
from argparse import SUPPRESS, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from sambench.commands._arguments import OPTION, Parser, Typed, add_options
from sambench.data.suites import SUITES
from sambench.engine.models import load_model as load_model
from sambench.errors import UserError
from sambench.options import Range
from sambench.registry import find, names, option_names, option_types, resolve, split_spec

if TYPE_CHECKING:
    from sambench.engine.settings import Settings
    from sambench.store.run import Run

COUNT = Typed(Annotated[int, Range(0)])
WORKERS = Typed(Annotated[int, Range(0, 1024)])
RESAMPLES = Typed(Annotated[int, Range(0, 10**6)])


def split_list(text: str, kind: str) -> list[str]:
    """``points,coco:annotations=A,images=B`` -> ``points`` and ``coco:annotations=A,images=B``.

    A part with a key continues the plug-in before it; so does a part of a path that has a comma in
    it, which is not a name.

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


def add_own_tasks(parser: Parser) -> None:
    """Add ``--task``, for commands that read what was made of a task of the user's own."""
    parser.add_argument(
        "--task", dest="own", action="append", default=[], type=Path, metavar="FILE",
        help=".py file of your own task, to be imported; may be repeated",
    )  # fmt: skip


def add_task_options(parser: Parser, specs: Sequence[str]) -> None:
    """Add each option that at least one of the tasks has, and ``--preset``.

    Raises:
        UserError: there is no such task.
    """
    classes: dict[str, Any] = {name: find("task", name) for name, _ in map(split_spec, specs)}
    several = "s" if len(classes) > 1 else ""
    group = parser.add_argument_group(f"options of the task{several} {', '.join(classes)}")
    presets = [name for cls in classes.values() for name in cls.presets]
    if presets:
        group.add_argument(
            "--preset", dest=f"{OPTION}preset", default=SUPPRESS, metavar="NAME",
            choices=list(dict.fromkeys(presets)),
            help=f"named set of options: {', '.join(dict.fromkeys(presets))}",
        )  # fmt: skip
    add_options(group, classes)


def load_tasks(specs: Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """Tasks by name, or as given where one occurs again.

    Args:
        specs: names with options.
        options: given as arguments; each is for the tasks that have it.

    Raises:
        UserError: there is no such task, or an option cannot be used; what was given as an
            argument is named as one.
    """
    tasks: dict[str, Any] = {}
    for spec in specs:
        name, own = split_spec(spec)
        cls = find("task", name)
        given = {**own, **options_of(cls, options)}
        try:
            tasks[spec if name in tasks else name] = cls(**resolve(cls, name, given))
        except UserError as error:
            raise UserError(_as_flags(str(error), name, options)) from error
    return tasks


def _as_flags(text: str, task: str, options: Mapping[str, Any]) -> str:
    """``points:min_error=x`` and ``min_error=x`` as typed, ``--min-error x``, in a message."""
    for key in options:
        flag = f"--{key.replace('_', '-')} "
        text = re.sub(rf"(?<![\w:])(?:{re.escape(task)}:)?{key}=", flag, text)
    return text


def options_of(cls: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the options that a task has."""
    names = option_names(cls)
    return {key: value for key, value in options.items() if key in names}


def with_precision(spec: str, precision: str) -> str:
    """A model's spec with that arithmetic, unless it names one itself.

    Raises:
        UserError: the model has no choice of it.
    """
    name, options = split_spec(spec)
    if "precision" in options:
        return spec
    if "precision" not in option_types(find("model", name)):
        raise UserError(f"model {name} has no precision option; leave out --precision.")
    return f"{spec}{',' if ':' in spec else ':'}precision={precision}"


def add_device(parser: Parser) -> None:
    """Add ``--device``."""
    parser.add_argument(
        "--device",
        default="auto",
        help="cpu, cuda, cuda:1, mps, ...; auto: a CUDA GPU if the model can use one",
    )


def add_run_options(parser: Parser) -> None:
    """Add what says how a run is carried out, and where its results go."""
    add_limit(parser)
    parser.add_argument("--ids", type=Path, help="file of image ids, one per line: use only these")
    parser.add_argument("--output", type=Path, default=Path("runs"), help="folder for results")
    parser.add_argument("--json", action="store_true", help="print the result as JSON on stdout")
    parser.add_argument(
        "--workers",
        type=WORKERS,
        help="scoring processes; default: number of cores minus one, none for up to 5 images",
    )
    add_resamples(parser)
    parser.add_argument("--fresh", action="store_true", help="discard records of an earlier run")


def add_limit(parser: Parser) -> None:
    """Add ``--limit``."""
    parser.add_argument("--limit", type=COUNT, default=0, help="only the first N images; 0: all")


def add_resamples(parser: Parser) -> None:
    """Add ``--resamples``."""
    parser.add_argument(
        "--resamples",
        type=RESAMPLES,
        default=1000,
        help="sets of images that intervals look at; 0: no intervals",
    )


def add_all(parser: Parser) -> None:
    """Add ``--all``."""
    parser.add_argument("--all", action="store_true", help="print all, not only what tells most")


def where(runs: Sequence[Run], output: Path, photographs: Sequence[str] = ()) -> str:
    """Where runs lie, and what to do with them next.

    Args:
        runs: they have results.
        output: the folder of all.
        photographs: datasets that have to be named for their photographs to be found.
    """
    lines = []
    for run in runs:
        lines += [f"result       {run.path}", f"records      {run.records_path}"]
        lines += [f"predictions  {run.predictions}"] if run.predictions.is_dir() else []
    first, *more = (run.path for run in runs)
    viewed = [output] if more else [first]
    named = [word for spec in photographs for word in ("--dataset", spec)]
    other = next((path for path in more if path.parent == first.parent), "OTHER.json")
    return "\n".join(
        [
            *lines,
            f"table        {_command('report', output)}",
            f"{runs[0].result.items:<12} {_command('view', *viewed, *named)}",
            f"differences  {_command('compare', first, other)}",
        ]
    )


def _command(*words: str | Path) -> str:
    """What to type, whatever is in the names of files."""
    return shlex.join(["sambench", *map(str, words)])


def run_settings(arguments: Namespace) -> Settings:
    """The settings that `add_run_options` and the command's own arguments give.

    Raises:
        UserError: the list of ids cannot be read.
    """
    from sambench.engine.settings import Settings, read_ids

    return Settings(
        output=arguments.output,
        limit=arguments.limit,
        only=read_ids(arguments.ids) if arguments.ids else (),
        workers=arguments.workers,
        batch=getattr(arguments, "batch", 0),
        resamples=arguments.resamples,
        fresh=arguments.fresh,
        progress=not arguments.quiet,
    )
