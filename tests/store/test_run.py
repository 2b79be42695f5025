"""A run on disk: what lies beside what, and its task made again."""

import json

import pytest

from sambench.cli import main
from sambench.errors import UserError
from sambench.store import lines as line_of
from sambench.store import records
from sambench.store.run import Run, find_runs, read_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A finished run of a model whose label has dots."""
    folder = tmp_path_factory.mktemp("runs")
    words = ["run", "--task", "points:seed=3", "--model", "superpixel:segments=40,name=v1.0.b"]
    assert main([*words, "--limit", "2", "--workers", "0", "--output", str(folder)]) == 0
    return folder


def test_its_files_share_a_stem(folder):
    (run,) = find_runs([folder])
    assert run.path == folder / "points-seed=3" / "mini" / "v1.0.b.json"
    assert run.records_path.name == "v1.0.b.records.jsonl"
    assert run.records_path.is_file()
    assert run.predictions == run.path.with_name("v1.0.b.predictions")
    assert run.records_files == [run.records_path]
    shard = run.path.with_name("v1.0.b.shard-1-of-2.records.jsonl")
    other = run.path.with_name("v1.0.shard-1-of-2.records.jsonl")
    for path in (shard, other):
        path.touch()
    assert run.records_files == [run.records_path, shard]
    for path in (shard, other):
        path.unlink()


def test_a_path_of_any_of_its_files_names_it(folder):
    (run,) = find_runs([folder])
    for path in (run.path, run.records_path, run.path.parent, folder):
        assert read_run(path) == run
    assert read_run(folder).name == f"v1.0.b ({run.records_path})"
    with pytest.raises(UserError, match=r"nowhere\.records\.jsonl holds no records"):
        read_run(folder / "nowhere.json")


def test_it_holds_result_records_and_task(folder):
    run = read_run(folder)
    assert run.result.images == len(run.lines()) == 2
    assert [line["id"] for line in run.lines()] == list(run.index.offsets)
    assert run.task.seed == 3


def test_each_line_is_parsed_once_and_the_last_of_an_image_counts(tmp_path, folder, monkeypatch):
    (found,) = find_runs([folder])
    run = Run(tmp_path / found.path.name)
    run.path.write_bytes(found.path.read_bytes())
    header, *rest = found.records_path.read_bytes().splitlines(keepends=True)
    first, second = (line for line in rest if b'"record"' in line)
    again = line_of.as_line({**json.loads(first), "seconds": {"embed": 123.0}, "crc": 0})
    gone = line_of.as_line({"changed": [json.loads(first)["id"]]})
    content = [header, first, second, gone, again.replace(b',"crc":0', b"")]
    content[-1] = line_of._checked(content[-1].rpartition(b',"crc"')[0])
    run.records_path.write_bytes(b"".join(content))
    parsed, parse = [], records.parsed
    monkeypatch.setattr(records, "parsed", lambda line: parsed.append(line) or parse(line))
    lines = run.lines()
    assert parsed == content
    assert lines == run.index.lines(run.index.offsets)[::-1]
    assert lines[0]["seconds"] == {"embed": 123.0}
    later = Run(run.path)
    assert (later.index, later.lines()) == (run.index, lines)  # the index was asked for first


def test_its_task_is_made_again_from_the_result_alone(folder, tmp_path):
    (found,) = find_runs([folder])
    alone = Run(tmp_path / "x.json")
    alone.path.write_bytes(found.path.read_bytes())
    assert alone.task == found.task
    assert alone.lines() == []
    data = json.loads(alone.path.read_text())
    for name in ("nothing", "points.py"):
        alone.path.write_text(json.dumps({**data, "task": name}))
        with pytest.raises(UserError, match=r"x\.json is of the task"):
            _ = Run(alone.path).task


@pytest.mark.parametrize(
    ("part", "value"),
    [("about", 3), ("plan", {}), ("plan", {"scores": {"code": 1}}), ("about", {"task": "points"})],
)
def test_a_damaged_header_is_one_sentence(folder, tmp_path, part, value):
    first, rest = read_run(folder).records_path.read_text().split("\n", 1)
    path = tmp_path / "x.records.jsonl"
    path.write_text(json.dumps({**json.loads(first), part: value}) + "\n" + rest)
    with pytest.raises(UserError, match=rf"x\.records\.jsonl, at \$\.{part}") as caught:
        _ = read_run(path).task
    assert str(caught.value).endswith(".")
