"""What mutate.py has pytest do besides: trace which lines each test runs, or run chosen tests.

Tracing (environment MUTATION_TRACE: a file that gets a JSON line for each test) names coverage's
contexts by the test, and fixtures of wider scope by themselves: the lines that such a fixture runs
belong to every test that uses it, not to the first one. Processes that a test starts are traced
under its name too.

Choosing (environment MUTATION_TESTS: a file with node ids, one a line) runs these in this order.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

CONTEXT = "MUTATION_CONTEXT"
TRACE = os.environ.get("MUTATION_TRACE", "")
CHOSEN = os.environ.get("MUTATION_TESTS", "")

hypothesis.settings.register_profile("mutation", derandomize=True, database=None, deadline=None)
hypothesis.settings.load_profile("mutation")


def _switch(context: str) -> None:
    import coverage

    os.environ[CONTEXT] = context
    current = coverage.Coverage.current()
    if current is not None:
        current.switch_context(context)


def _fixture(definition: Any) -> str:
    return f"fixture {definition.baseid}::{definition.argname}"


if CHOSEN:

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
        """Keep the chosen tests, in the order in which they are named."""
        places = {id: place for place, id in enumerate(Path(CHOSEN).read_text().splitlines())}
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in places])
        items[:] = sorted(
            (item for item in items if item.nodeid in places), key=lambda i: places[i.nodeid]
        )


if TRACE:
    _seconds: dict[str, float] = {}
    _outcomes: dict[str, set[str]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
        """Lines run from here on belong to this test."""
        _switch(item.nodeid)
        try:
            return (yield)
        finally:
            _switch("")
            line = {
                "test": item.nodeid,
                "seconds": round(_seconds.get(item.nodeid, 0.0), 3),
                "outcomes": sorted(_outcomes.get(item.nodeid, ())),
                "fixtures": sorted(
                    _fixture(found[-1])
                    for found in getattr(item, "_fixtureinfo").name2fixturedefs.values()  # noqa: B009
                    if found[-1].scope != "function"
                ),
            }
            with Path(TRACE).open("a") as file:
                file.write(json.dumps(line) + "\n")

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(fixturedef: Any, request: Any) -> Iterator[Any]:
        """A fixture that several tests share has a context of its own."""
        before = os.environ.get(CONTEXT, "")
        if fixturedef.scope != "function":
            _switch(_fixture(fixturedef))
        try:
            return (yield)
        finally:
            if fixturedef.scope != "function":
                _switch(before)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(item: pytest.Item) -> Iterator[pytest.TestReport]:
        """Keep how long a test took and how it ended."""
        report: pytest.TestReport = yield
        _seconds[item.nodeid] = _seconds.get(item.nodeid, 0.0) + report.duration
        _outcomes.setdefault(item.nodeid, set()).add(report.outcome)
        return report

    def pytest_sessionfinish() -> None:
        """A worker of xdist ends without a word to coverage."""
        import coverage

        current = coverage.Coverage.current()
        if current is not None:
            current.stop()
            current.save()
