"""The committed leaderboard: every number of it from its records, packed beside the results."""

import gzip
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import sambench
from sambench.cli import main
from sambench.errors import UserError
from sambench.report.published import published_folder
from sambench.report.readme import END, START, replace_block
from sambench.store.run import Run, find_runs, read_run


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of five images, as it leaves it."""
    folder = tmp_path_factory.mktemp("measured")
    words = ["run", "--task", "edges", "--model", "sobel", "--limit", "5", "--workers", "0"]
    assert main([*words, "--predictions", "none", "--output", str(folder / "results")]) == 0
    return folder


@pytest.fixture
def kept(measured: Path, tmp_path: Path) -> Path:
    """A repository with that result, its records still as the run wrote them."""
    shutil.copytree(measured / "results", tmp_path / "results")
    (tmp_path / "README.md").write_text(f"# project\n{START}\nold\n{END}\nrest\n")
    return tmp_path / "results"


def report(folder: Path, *words: str) -> int:
    return main(["report", str(folder), *words])


def test_update_makes_the_check_pass(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(kept, "--check") == 1
    assert "not current" in capsys.readouterr().out
    assert report(kept, "--update") == 0
    assert report(kept, "--check") == 0
    readme = (kept.parent / "README.md").read_text()
    assert readme.startswith(f"# project\n{START}\n")
    assert readme.endswith(f"{END}\nrest\n")
    ods = json.loads((kept / "edges/mini/sobel.json").read_text())["metrics"]["ODS"]["value"]
    for text in (readme, (kept / "README.md").read_text()):
        assert f"1: sobel {ods:.3f}" in text


def test_records_are_packed_and_read_as_before(kept: Path) -> None:
    (before,) = find_runs([kept])
    lines = before.lines()
    assert before.records_path.name == "sobel.records.jsonl"
    report(kept, "--update")
    (after,) = find_runs([kept])
    assert after.records_path.name == "sobel.records.jsonl.gz"
    assert [path.suffix for path in after.path.parent.iterdir()].count(".jsonl") == 0
    assert after.lines() == lines
    assert read_run(after.records_path) == read_run(after.path.parent) == after
    assert main(["compare", str(after.path), str(after.records_path)]) == 0
    first = after.records_path.read_bytes()
    shutil.copy(before.path, kept / "copy.json")
    (kept / "copy.records.jsonl").write_bytes(gzip.decompress(first))
    Run(kept / "copy.json").compact()
    assert (kept / "copy.records.jsonl.gz").read_bytes() == first


def test_packed_records_name_files_without_their_folders(tmp_path: Path) -> None:
    boxes = tmp_path / "boxes.json"
    box = {"image_id": "astronaut", "category_id": 1, "bbox": [9, 9, 90, 90], "score": 0.5}
    boxes.write_text(json.dumps([box]))
    sambench.evaluate(
        f"instances:detections={boxes},coverage=any", model="box_mask", dataset="mini",
        limit=1, output=tmp_path / "results", progress=False,
    )  # fmt: skip
    (before,) = find_runs([tmp_path / "results"])
    lines, task = before.lines(), before.task
    report(tmp_path / "results", "--update")
    (after,) = find_runs([tmp_path / "results"])
    text = gzip.decompress(after.records_path.read_bytes()).decode()
    assert str(tmp_path) not in text
    assert '"detections":"boxes.json"' in text
    assert after.lines() == lines
    assert after.task == replace(task, detections=Path("boxes.json"))
    assert report(tmp_path / "results", "--check") == 0


@pytest.mark.parametrize(
    ("place", "shift"), [(("metrics", "OIS", "value"), 1e-6), (("metrics", "ODS", "high"), 1e-4)]
)
def test_a_changed_digit_fails_until_it_is_computed_again(
    kept: Path, place: tuple[str, ...], shift: float,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    report(kept, "--update")
    path = kept / "edges" / "mini" / "sobel.json"
    right = path.read_text()
    data = json.loads(right)
    data[place[0]][place[1]][place[2]] += shift
    path.write_text(json.dumps(data))
    capsys.readouterr()
    assert report(kept, "--check") == 1
    (said,) = capsys.readouterr().out.splitlines()
    assert f"sobel.json, $.{'.'.join(place)}: its records give" in said
    report(kept, "--update")
    assert report(kept, "--check") == 0
    assert json.loads(path.read_text()) == json.loads(right)


def test_a_result_without_its_records_is_reported(
    kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report(kept, "--update")
    (kept / "edges" / "mini" / "sobel.records.jsonl.gz").unlink()
    assert report(kept, "--check") == 1
    assert "has no records beside it" in capsys.readouterr().out


def test_records_that_cannot_be_unpacked_are_reported(
    kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report(kept, "--update")
    packed = kept / "edges" / "mini" / "sobel.records.jsonl.gz"
    packed.write_bytes(packed.read_bytes()[:-20])
    capsys.readouterr()
    assert report(kept, "--check") == 1
    said = capsys.readouterr()
    assert f"{packed} cannot be unpacked, it is cut short or damaged" in said.err
    assert "sobel.json has no records beside it" in said.out


def test_a_damaged_file_is_reported(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (kept / "edges" / "mini" / "b.json").write_text("{")
    assert report(kept, "--check") == 1
    assert "b.json" in capsys.readouterr().out


def test_a_damaged_published_file_is_reported(
    kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (kept / "published").mkdir()
    (kept / "published" / "p.json").write_text('{"paper": {}}')
    assert report(kept, "--check") == 1
    assert "p.json" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", START, f"{END}{START}", f"{START}{START}{END}"])
def test_a_readme_without_its_place_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="README"):
        replace_block(text, "block")


def test_the_committed_leaderboard_is_current() -> None:
    assert report(published_folder().parent, "--check") == 0
