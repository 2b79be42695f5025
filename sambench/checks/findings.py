"""What a check of a plug-in reports, and how its experiments are carried out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sambench.errors import place_of
from sambench.findings import Finding
from sambench.interfaces import JSON

log = logging.getLogger(__name__)
S = TypeVar("S")
Check = Callable[[S], Iterator[Finding]]
"""An experiment with some subject; its function's name is its own."""


@dataclass(frozen=True)
class Report:
    """All findings, the experiments that were done, and what was measured on the way."""

    findings: tuple[Finding, ...]
    checks: tuple[str, ...]
    facts: JSON


def carry_out(checks: Sequence[Check[S]], subject: S, facts: JSON) -> Report:
    """Do experiments in order; whatever one of them raises is a finding, and ends them.

    Args:
        checks: the experiments.
        subject: what they are done with.
        facts: what they measure, filled by them.
    """
    findings: list[Finding] = []
    done: list[str] = []
    for check in checks:
        done.append(check.__name__.replace("_", " "))
        try:
            findings += check(subject)
        except Exception as error:  # noqa: BLE001 (whatever a plug-in raises is a finding)
            findings.append(raised(done[-1], error))
            break
    return Report(tuple(findings), tuple(done), facts)


def raised(check: str, error: Exception) -> Finding:
    """An exception as a finding: where it was raised, and of what input if that was noted."""
    log.debug("check %s", check, exc_info=error)
    asked = "".join(f", asked for {note}" for note in getattr(error, "__notes__", ()))
    problem = f"it raised {type(error).__name__}: {error}{place_of(error)}{asked}"
    return Finding(check, problem, "Mend it there; -v shows the traceback.")
