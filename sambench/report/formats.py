"""Boards as text: markdown, CSV, LaTeX, JSON. Whatever comes from data is escaped."""

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict

from sambench.interfaces import JSON
from sambench.metrics.statistics import Estimate
from sambench.report.comparable import differing_fields
from sambench.report.leaderboard import Board, Entry, caution, show_ranks, without_intervals
from sambench.report.matrix import UNSTATED, Cell, make_matrix
from sambench.report.numbers import (
    DASH,
    central,
    direction_unknown,
    legend,
    show_estimate,
    show_metric,
    speed,
)
from sambench.report.reproduced import Settled
from sambench.shown import Metric, find_metric

MOST_METRICS = 8
"""A table for reading shows this many metrics; CSV and JSON have all."""


def to_markdown(boards: Sequence[Board]) -> str:
    """One section for each task: what was measured, then what was published."""
    sections = []
    for task in dict.fromkeys(board.task for board in boards):
        own = [board for board in boards if board.task == task]
        parts = [f"## {md(task)}", *_differences(own), *(_section(board) for board in own)]
        sections.append("\n\n".join(parts))
    return "\n\n".join(sections)


def _differences(boards: Sequence[Board]) -> list[str]:
    """Why measured results of one task stand in different tables."""
    protocols = {board.key: board.fields for board in boards if board.measured}
    if len(protocols) < 2:
        return []
    head = ["field", *(f"`{key}`" for key in protocols)]
    rows = [
        [md(name), *(md(_word(by_key[key])) for key in protocols)]
        for name, by_key in differing_fields(protocols).items()
    ]
    text = "Protocols differ, so their numbers stand in different tables:"
    return [f"{text}\n\n{_table(head, rows)}"]


def _word(value: object) -> str:
    if value is None:
        return DASH
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _section(board: Board) -> str:
    if board.table is None:
        return f"### {md(board.title)} · protocol `{board.key}`\n\n{board_markdown(board)}"
    unknown = f"\n\nNot known: {md('; '.join(board.table.unknown))}." if board.table.unknown else ""
    title = md(f"Published · {board.dataset} · {board.title}")
    text = f"{board_markdown(board)}{unknown}"
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"


def board_markdown(board: Board) -> str:
    """One board as a markdown table, and what must be said beside it."""
    head, rows = cells(board)
    table = _table([md(cell) for cell in head], [[md(cell) for cell in row] for row in rows])
    metrics = central(board.metrics)[:MOST_METRICS]
    said = [*board.notes, *unranked(board), *filter(None, [caution(board).strip()])]
    said += without_intervals(board, metrics)
    words = [f"<sub>{md('; '.join(lines))}</sub>"] if (lines := legend(metrics)) else []
    return "\n\n".join([table, *words, *(md(note) for note in said)])


NO_NUMBER = f"{DASH}: not run, or the model takes none of the prompts; the site says which."


def matrix_markdown(boards: Sequence[Board]) -> str:
    """Models against tasks as a markdown table: headline metric, interval, rank, speed.

    There is a column for each task and dataset, and below it what must be said beside the numbers;
    "" if nothing was measured.
    """
    matrix = make_matrix(boards)
    if not matrix.rows:
        return ""
    metrics = [place.board.metric for place in matrix.places]
    titles = [
        f"{place.board.task}, {place.board.dataset}: {show_metric(metric)}"
        for place, metric in zip(matrix.places, metrics, strict=True)
    ]
    head = ["model", "family", "prompts", "parameters", *titles]
    rows = [
        [
            *(row.model.label, row.model.family or UNSTATED, row.model.takes, row.model.size),
            *(_matrix_cell(*pair) for pair in zip(row.cells, metrics, strict=True)),
        ]
        for row in matrix.rows
    ]
    table = _table([md(cell) for cell in head], [[md(cell) for cell in row] for row in rows])
    empty = any(cell.entry is None for row in matrix.rows for cell in row.cells)
    return "\n\n".join([table, *([NO_NUMBER] if empty else []), *map(md, matrix.notes)])


def settled_markdown(claims: Sequence[Settled]) -> str:
    """Published numbers against measured ones as a markdown table; "" if there are none."""
    head = ["claim", "published in", "metric", "printed", "measured", "95 % interval", "verdict"]
    rows = [
        [
            md(each.claim),
            f"[{md(each.where)}]({each.link})" if each.link else md(each.where),
            *map(md, (line.metric, line.printed, line.measured, line.interval, line.verdict)),
            f"`{each.command}`",
        ]
        for each in claims
        for line in each.lines
    ]
    return _table([*head, "command"], rows) if rows else ""


def _matrix_cell(cell: Cell, metric: Metric) -> str:
    entry = cell.entry
    if entry is None:
        return DASH
    found = speed(entry.run.result) if entry.run else None
    parts = [_cell(entry, metric), f"rank {ranks}" if (ranks := show_ranks(entry)) else ""]
    return ", ".join(filter(None, [*parts, f"{found[0]:.3g} {found[1]}" if found else ""]))


def unranked(board: Board) -> list[str]:
    """Why a board of several lines has no ranks, if it is for want of a direction."""
    several = len(board.entries) > 1 and board.measured
    unknown = board.metric.higher_is_better is None
    return [direction_unknown(board.metric)] if several and unknown else []


def cells(board: Board) -> tuple[list[str], list[list[str]]]:
    """Head and rows of a board for reading, as plain text."""
    metrics = central(board.metrics)[:MOST_METRICS]
    several = len({entry.dataset for entry in board.entries}) > 1
    head = ["rank", "model", *(["dataset"] if several else [])]
    head += [*(show_metric(metric) for metric in metrics), "source"]
    rows = [
        [
            show_ranks(entry),
            entry.label,
            *([entry.dataset] if several else []),
            *(_cell(entry, metric) for metric in metrics),
            "; ".join([entry.mark, *entry.notes]),
        ]
        for entry in board.entries
    ]
    return head, rows


def _cell(entry: Entry, metric: Metric) -> str:
    estimate = entry.metrics.get(metric.name)
    return DASH if estimate is None else show_estimate(metric, estimate)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [list(head), ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def md(text: str) -> str:
    """Escape text for a cell of markdown."""
    flat = " ".join(str(text).split())
    escaped = re.sub(r"([\\`*_{}\[\]|~])", r"\\\1", flat)
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


CSV_HEAD = (
    "task", "dataset", "key", "model", "label", "mark", "source", "metric", "value", "low", "high",
    "best_rank", "worst_rank", "unit", "higher_is_better", "withheld", "bias",
)  # fmt: skip


def to_csv(boards: Sequence[Board]) -> str:
    """One line for each metric of each entry; fractions as they are, nothing rounded."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_HEAD)
    for board in boards:
        for entry in board.entries:
            for name, estimate in entry.metrics.items():
                writer.writerow(_csv_row(board, entry, name, estimate))
    return out.getvalue()


def _csv_row(board: Board, entry: Entry, name: str, estimate: Estimate) -> list[str]:
    source = "" if board.table is None else board.table.name
    words = [board.task, entry.dataset, board.key, entry.model, entry.label, entry.mark, source]
    numbers = [estimate.value, estimate.low, estimate.high]
    ranks = (
        [str(place) for place in entry.ranks or ("", "")] if name == board.metric.name else ["", ""]
    )
    metric = find_metric(board.metrics, name)
    better = "" if metric.higher_is_better is None else str(metric.higher_is_better).lower()
    digits = ["" if math.isnan(number) else repr(float(number)) for number in numbers]
    bias = "" if estimate.bias is None else repr(float(estimate.bias))
    about = [_no_formula(metric.unit), better, _no_formula(estimate.withheld), bias]
    return [*(_no_formula(word) for word in [*words, name]), *digits, *ranks, *about]


def _no_formula(text: str) -> str:
    """A spreadsheet must not run a name as a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def to_json(boards: Sequence[Board]) -> str:
    """All boards as JSON."""
    return json.dumps([_board_json(board) for board in boards], indent=1, allow_nan=False)


def _board_json(board: Board) -> JSON:
    return {
        "key": board.key,
        "task": board.task,
        "dataset": board.dataset,
        "metric": board.metric.name,
        "metrics": [asdict(metric) for metric in board.metrics],
        "published": None if board.table is None else board.table.name,
        "protocol": board.fields,
        "entries": [
            {
                "model": entry.model,
                "label": entry.label,
                "dataset": entry.dataset,
                "mark": entry.mark,
                "notes": list(entry.notes),
                "ranks": entry.ranks,
                "metrics": {name: _numbers(value) for name, value in entry.metrics.items()},
                "withheld": {n: e.withheld for n, e in entry.metrics.items() if e.withheld},
                "bias": {n: e.bias for n, e in entry.metrics.items() if e.bias is not None},
            }
            for entry in board.entries
        ],
    }


def _numbers(estimate: Estimate) -> list[float | None]:
    numbers = (estimate.value, estimate.low, estimate.high)
    return [None if math.isnan(number) else float(number) for number in numbers]


def to_latex(boards: Sequence[Board]) -> str:
    """One table for each board; needs the package booktabs."""
    return "\n\n".join(_latex_table(board) for board in boards)


def _latex_table(board: Board) -> str:
    head, rows = cells(board)
    columns = "rl" + "r" * (len(head) - 3) + "l"
    lines = [" & ".join(tex(cell) for cell in row) + r" \\" for row in rows]
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{tex(board.title)} (protocol {board.key})}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(tex(cell) for cell in head) + r" \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            *_latex_notes(board),
            r"\end{table}",
        ]
    )


def _latex_notes(board: Board) -> list[str]:
    """What the metrics are, and why there are no ranks or intervals where there are none."""
    metrics = central(board.metrics)[:MOST_METRICS]
    words = "; ".join(legend(metrics))
    said = (*unranked(board), *without_intervals(board, metrics))
    notes = [word for word in (f"{words}." if words else "", *said) if word]
    return [rf"\par\footnotesize {tex(' '.join(notes))}"] if notes else []


_TEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "↓": r"$\downarrow$", DASH: "--",
}  # fmt: skip


def tex(text: str) -> str:
    """Escape text for LaTeX."""
    return "".join(_TEX.get(letter, letter) for letter in text)


FORMATS: dict[str, Callable[[Sequence[Board]], str]] = {
    "markdown": to_markdown,
    "csv": to_csv,
    "latex": to_latex,
    "json": to_json,
}
