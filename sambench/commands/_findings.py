"""How the check commands print what they found."""

from sambench.checks.findings import Report


def show(name: str, report: Report) -> int:
    """Print a report.

    Returns:
        The exit code: 1 if there are findings.
    """
    for finding in report.findings:
        print(f"{finding.check}: {finding.problem.rstrip(chr(46))}.\n  {finding.remedy}")
    for fact, value in report.facts.items():
        print(f"{fact}: {value:.4g}" if isinstance(value, float) else f"{fact}: {value}")
    count = len(report.findings)
    outcome = f"{count} finding{'' if count == 1 else 's'}" if count else "no findings"
    print(f"{name}: {outcome} in {len(report.checks)} checks ({', '.join(report.checks)})")
    return 1 if count else 0
