"""docs/contradictions.md prints what results/published holds, and says of it what that says."""

import json
import re
from pathlib import Path

import pytest

from sambench.report.published import published_folder

PAGE = Path(__file__).resolve().parents[1] / "docs" / "contradictions.md"
SECTIONS = PAGE.read_text(encoding="utf-8").split("\n## ")[1:]
PUBLISHED = {
    f"{path.stem}:{table['id']}": table
    for path in published_folder().glob("*.json")
    for table in json.loads(path.read_text(encoding="utf-8"))["tables"]
}


def rows(section):
    """The cells of a section's table."""
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[1:]]


ROWS = [row for section in SECTIONS for row in rows(section)]


def published(name, label, metric):
    """A table, and its rows of that label that print the metric."""
    table = PUBLISHED[name]
    place = list(table["columns"]).index(metric)
    return table, [(r, r["values"][place]) for r in table["rows"] if r["label"] == label]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[3]}-{row[0]}")
def test_a_number_and_its_protocol_are_those_of_the_published_data(row):
    printed, metric, label, place, said = row
    table, found = published(place.strip("`"), label, metric)
    [own] = [r for r, value in found if value == float(printed)]
    known = {**table.get("facts", {}), **table.get("options", {})}
    known |= {**own.get("facts", {}), **own.get("options", {})}
    stated, _, left_open = said.partition("open:")
    fields = [field.split(": ", 1) for field in re.findall(r"`([^`]+)`", stated)]
    assert fields
    for name, value in fields:
        assert str(known[name]) == value, name
    assert set(re.findall(r"`([^`]+)`", left_open)) <= set(table.get("unknown", ()))


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.partition(":")[0])
def test_a_contradiction_is_one(section):
    """One model and metric, and more than one number, each of which the heading or range covers."""
    cells = rows(section)
    models = {
        published(place.strip("`"), label, m)[1][0][0]["model"] for _, m, label, place, _ in cells
    }
    assert len(models) == len({metric for _, metric, *_ in cells}) == 1
    numbers = sorted({float(printed) for printed, *_ in cells})
    assert len(numbers) > 1
    heading = section.splitlines()[0].rpartition(":")[2]
    named = [float(n) for n in re.findall(r"(?<![\w-])\d*\.?\d+", heading)]
    assert (min(named), max(named)) == pytest.approx((numbers[0], numbers[-1]), abs=0.05)
    assert len({place for *_, place, _ in cells}) == len(cells)


def test_rows_that_are_called_equal_are():
    def values(name):
        table = PUBLISHED[name]
        return next(r["values"] for r in table["rows"] if r["label"] == "MobileSAM")

    assert values("efficientvit_sam:vitdet-lvis") == values("tinysam:vitdet-lvis")
    assert values("efficientvit_sam:vitdet-coco") == values("efficientsam:vitdet-coco")
    assert len(values("tinysam:vitdet-lvis")) == len(values("efficientsam:vitdet-coco")) == 4
