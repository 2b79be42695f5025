"""Presets against what the peers' own scripts measured with the bundled model.

The numbers in tests/fixtures/peers are the peers': tests/peers/run.py says how they were made.
"""

import json
from pathlib import Path

import pytest

from sambench.registry import BUILT_IN, entries, find

from ..peers import common

FIXTURES = sorted((Path(__file__).parents[1] / "fixtures" / "peers").glob("*.json"))


@pytest.fixture(scope="module")
def cases():
    return {}


@pytest.mark.parametrize("file", FIXTURES, ids=[file.stem for file in FIXTURES])
def test_a_preset_measures_what_its_peer_does(file, cases):
    kept = json.loads(file.read_text())
    dataset, images = kept["dataset"], len(kept["images"])
    if (dataset, images) not in cases:
        cases[dataset, images] = common.case_of(dataset, images)
    case = cases[dataset, images]
    assert list(case.ids) == kept["images"]
    own = common.ours(case, common.peers()[kept["peer"]])
    assert own.keys() == kept["objects"].keys()
    worst = {name: common.largest(kept["objects"][name], own[name]) for name in own}
    assert max(worst.values()) < 1e-3, max(worst, key=worst.__getitem__)


def test_the_page_on_presets_has_a_row_for_each():
    page = (Path(__file__).parents[2] / "docs" / "presets.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    for entry in entries("task"):
        if entry.origin == BUILT_IN:
            for preset in find("task", entry.name).presets:
                named = [r for r in rows if f"`{entry.name}`" in r and f"`{preset}`" in r]
                assert named, (entry.name, preset)
