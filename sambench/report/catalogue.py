"""What was published, as a list; and what to do about tables that no task can measure."""

from __future__ import annotations

from collections.abc import Sequence

from sambench.data.suites import SUITES
from sambench.errors import UserError
from sambench.registry import names
from sambench.report.published import PublishedTable
from sambench.report.reproduction import Claim

REMEDIES = {
    "speed": "a speed is of one machine, so it is not compared: time the model on yours with "
    "sambench run --task points --model {model}, whose result has images a second and the seconds "
    "of each step",
    "model": "sambench list {model} says the parameters, and so does the card of each result",
    "video": "sambench measures single images, and has no task for video",
}
"""Word that stands where a table has no task -> what to do."""
HARDWARE = "hardware"


def catalogue(tables: Sequence[PublishedTable]) -> str:
    """A line for each table: what `sambench reproduce` takes, task, dataset, rows and title."""
    known = set(names("task"))
    head = ("table", "task", "dataset", "rows", "")
    lines = [head] + [
        (
            table.name,
            table.task if table.task in known else f"none ({table.task})",
            table.dataset,
            str(len(table.rows)),
            f"{table.where}: {table.title}",
        )
        for table in tables
    ]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def require_task(claims: Sequence[Claim]) -> None:
    """Refuse published rows that no task can measure.

    Raises:
        UserError: says on what they were measured, as far as that is known, and what to do.
    """
    known = set(names("task"))
    for claim in claims:
        if claim.table.task not in known:
            raise UserError(_unanswered(claim, claims))


def require_dataset(claim: Claim) -> None:
    """Refuse a published row on data that no plug-in reads.

    Raises:
        UserError: says to give other data.
    """
    if claim.row.dataset not in {*names("dataset"), *SUITES}:
        raise UserError(
            f"{claim.table.name} is on {claim.row.dataset}, which no dataset here reads; give "
            "your own with --dataset, see sambench list datasets."
        )


def _unanswered(claim: Claim, claims: Sequence[Claim]) -> str:
    table, here = claim.table, set(names("model"))
    own = [each for each in claims if each.table == table]
    models = [each.row.model for each in own if each.row.model in here]
    model = (models or ["MODEL"])[0]
    remedy = REMEDIES.get(table.task, "it comes with a package that is not installed")
    if table.task == "speed":
        places = ", ".join(dict.fromkeys(map(_place, own)))
        return f"{table.name} was timed on {places}; {remedy.format(model=model)}."
    return f"{table.name} is of no task: {remedy.format(model=model)}."


def _place(claim: Claim) -> str:
    """The machine that a row was timed on; with the row's name where it is the row's own."""
    table, row = claim.table, claim.row
    if HARDWARE in row.facts:
        return f"{row.facts[HARDWARE]} ({row.label})"
    return str(table.facts.get(HARDWARE, "a machine that the paper does not name"))
