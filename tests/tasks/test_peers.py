"""Presets against what the peers' own scripts measured with the bundled model.

The numbers in tests/fixtures/peers are the peers': tests/peers/run.py says how they were made.
"""

import json
from dataclasses import replace
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
    dataset, images = kept["dataset"], tuple(kept["images"])
    if dataset not in cases:
        cases[dataset] = common.case_of(dataset, len(images), images)
    case = replace(cases[dataset], ids=images)  # what is embedded is known to all of them
    own = common.ours(case, common.peers()[kept["peer"]])
    assert own.keys() == kept["objects"].keys()
    worst = {name: common.largest(kept["objects"][name], own[name]) for name in own}
    assert max(worst.values()) < 1e-3, max(worst, key=worst.__getitem__)


def test_every_peer_is_held():
    held = {json.loads(file.read_text())["peer"] for file in FIXTURES}
    detector = {"efficientvit-detector", "tinysam"}  # of the boxes of COCO, which are not committed
    assert held == common.peers().keys() - detector


def test_the_page_on_presets_has_a_row_for_each():
    page = (Path(__file__).parents[2] / "docs" / "presets.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    for entry in entries("task"):
        if entry.origin == BUILT_IN:
            for preset in find("task", entry.name).presets:
                named = [r for r in rows if f"`{entry.name}`" in r and f"`{preset}`" in r]
                assert named, (entry.name, preset)
