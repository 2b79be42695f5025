"""Typed files: the JSON Schema that the types give, and the place that an error names."""

import json
from pathlib import Path

import jsonschema
import msgspec
import pytest

from sambench.errors import UserError
from sambench.report.published import PaperFile, read_published
from sambench.store.result import Result, read_result
from sambench.store.schema import ResultFile, json_schema, parse

RESULTS = Path(__file__).resolve().parents[2] / "results"
PUBLISHED = sorted((RESULTS / "published").glob("*.json"))
MEASURED = sorted(set(RESULTS.rglob("*.json")) - set(PUBLISHED))


def validator(kind):
    schema = json_schema(kind)
    found = jsonschema.validators.validator_for(schema)
    found.check_schema(schema)
    return found(schema)


def test_there_are_files_to_validate():
    assert len(MEASURED) >= 2
    assert len(PUBLISHED) >= 24


@pytest.mark.parametrize("path", MEASURED, ids=lambda path: path.parent.parent.name)
def test_committed_results_follow_the_json_schema(path):
    data = json.loads(path.read_text())
    validator(ResultFile).validate(data)
    assert read_result(path).to_json() == data


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_published_files_follow_the_json_schema(path):
    validator(PaperFile).validate(json.loads(path.read_text()))


def test_what_a_run_writes_follows_the_json_schema(plain):
    validator(ResultFile).validate(plain.result)


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"images": "3"},
        {"metrics": {"mIoU": {"value": 0.5, "low": "x", "high": 1}}},
        {"metrics": {"mIoU": {"value": 0.5, "low": 0}}},
        {"protocol": {"task": {}}},
        {"failed": {"x": 3}},
    ],
)
def test_types_and_json_schema_refuse_the_same(change):
    data = {**json.loads(MEASURED[0].read_text()), **change}
    with pytest.raises(jsonschema.ValidationError):
        validator(ResultFile).validate(data)
    with pytest.raises(UserError):
        Result.from_json(data)


class Inner(msgspec.Struct):
    values: dict[str, list[int]]


class Outer(msgspec.Struct):
    parts: list[dict[str, Inner]]


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ([], "$: expected `object`, got `array`"),
        ({}, "$: object missing required field `parts`"),
        ({"parts": 3}, "$.parts: expected `array`, got `int`"),
        ({"parts": [{}, {"a": 1}]}, "$.parts[1].a: expected `object`, got `int`"),
        (
            {
                "parts": [
                    {"a": {"values": {"x": [1]}}, "b c": {"values": {"y": [1], "[...]": [2, "3"]}}}
                ]
            },
            "$.parts[0]['b c'].values['[...]'][1]: expected `int`, got `str`",
        ),
        ({"parts": [{"a": {"values": {"x": ["1"], "y": ["2"]}}}]}, "$.parts[0].a.values.x[0]: "),
    ],
)
def test_the_place_is_named_with_every_key(data, place):
    with pytest.raises(UserError) as caught:
        parse(data, Outer, "runs/a.json", "write it again")
    assert str(caught.value).startswith(f"runs/a.json, at {place}")
    assert str(caught.value).endswith("; write it again.")


def test_a_result_of_later_and_one_that_lacks_a_part_are_read():
    """A field that a later version adds, and one that is missing without harm, are no obstacle."""
    data = json.loads(MEASURED[0].read_text())
    del data["timing"]
    data["metrics"]["new"] = {"value": None, "low": None, "high": None}
    found = Result.from_json({**data, "added": 1})
    assert found.timing == {}
    assert found.metrics["new"].value != found.metrics["new"].value


def test_published_numbers_stay_as_printed():
    tables = read_published(RESULTS / "published")
    printed = {(file["paper"]["key"], table["id"]): table for path in PUBLISHED
               for file in [json.loads(path.read_text())] for table in file["tables"]}  # fmt: skip
    assert len(tables) == len(printed)
    for table in tables:
        rows = printed[table.paper.key, table.id]["rows"]
        assert [row.label for row in table.rows] == [row["label"] for row in rows]
        for row, raw in zip(table.rows, rows, strict=True):
            assert len(row.values) == sum(value is not None for value in raw["values"])
