"""How the check commands print what they found."""

from sambench.checks.findings import Report

SHOWN = 3
"""Problems of one check and remedy that are listed; the others are counted."""


def show(name: str, report: Report) -> int:
    """Print a report, with problems of the same check and remedy together.

    Returns:
        The exit code: 1 if there are findings.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for finding in report.findings:
        groups.setdefault((finding.check, finding.remedy), []).append(finding.problem)
    for (check, remedy), problems in groups.items():
        more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        print(f"{check}: {'; '.join(problems[:SHOWN]).rstrip('.')}{more}.\n  {remedy}")
    for fact, value in report.facts.items():
        print(f"{fact}: {value:.4g}" if isinstance(value, float) else f"{fact}: {value}")
    count = len(groups)
    outcome = f"{count} finding{'' if count == 1 else 's'}" if count else "no findings"
    print(f"{name}: {outcome} in {len(report.checks)} checks ({', '.join(report.checks)})")
    return 1 if count else 0
