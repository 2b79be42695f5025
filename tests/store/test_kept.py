"""Which predictions a run keeps, however it is carried out."""

import json
from pathlib import Path

import pytest

from sambench.cli import main
from sambench.store import kept
from sambench.store.kept import Keep, parse_keep, worth_a_look
from tests.runs import PARTS, Runner


def names(runner, ending=".json"):
    folder = runner.file(".predictions")
    return {path.stem for path in folder.iterdir() if path.suffix == ending} - {"manifest@sambench"}


@pytest.fixture
def few(monkeypatch):
    """Six images are kept, as for a site; and twice as many while a run goes on."""
    monkeypatch.setattr(kept, "IMAGES", 6)


@pytest.fixture
def usual(tmp_path, few):
    """What a run keeps that is carried out at once."""
    runner = Runner(tmp_path / "usual")
    runner.run()
    return names(runner)


def test_the_worst_a_sample_and_the_best_come_first_in_turn():
    scores = {f"{i:02d}": i / 100 for i in range(40)} | {"none": None}
    order = worth_a_look(scores, lower=False)
    assert order[0] == "00"
    assert {"01", "02", "38", "39"} < set(order[:15])
    assert worth_a_look(scores, lower=True)[0] == "39"
    assert sorted(order) == sorted(scores)


def test_the_sample_does_not_depend_on_the_model():
    ids = [f"{i:03d}" for i in range(300)]
    drawn = [
        set(
            worth_a_look({id: (i * step) % 307 / 307 for i, id in enumerate(ids)}, lower=False)[:90]
        )
        for step in (5, 101)
    ]
    assert len(drawn[0] & drawn[1]) >= 30


def test_a_run_keeps_what_a_site_draws_without_being_asked(runner):
    runner.run()
    assert len(names(runner)) == 12


def test_of_many_images_some_are_kept_which_scores_and_ids_decide(runner, few, usual):
    assert len(usual) == 6
    values = {id: record["record"]["value"] for id, record in runner_records(runner).items()}
    order = sorted(values, key=values.get)
    assert {order[0], order[-1]} <= usual


def runner_records(runner):
    runner.run()
    return runner.records


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_that_is_continued_keeps_the_same(runner, usual, workers):
    for limit in (3, 8, 0):
        runner.run(f"--limit={limit}", f"--workers={workers}")
    assert names(runner) == usual


def test_shards_keep_the_same_once_they_are_merged(runner, usual, tmp_path):
    for part in ("1/2", "2/2"):
        runner.run(f"--shard={part}")
    own = f"--task={PARTS / 'brightness.py'}"
    assert main(["merge", str(runner.output), own, f"--output={runner.output}"]) == 0
    assert names(runner) == usual
    # Elsewhere, too: they are copied there.
    elsewhere = type(runner)(tmp_path / "elsewhere")
    assert main(["merge", str(runner.output), own, f"--output={elsewhere.output}"]) == 0
    assert names(elsewhere) == usual


def test_all_and_none_can_be_asked_for(runner, few):
    runner.run("--predictions=none")
    assert not [*runner.output.rglob("*.predictions")]
    runner.run("--predictions=all")
    assert len(names(runner)) == 12
    runner.run("--predictions=drawn")  # whoever asked for all does not lose them
    assert len(names(runner)) == 12


def test_they_take_no_more_room_than_allowed(runner):
    runner.run()
    sizes = [path.stat().st_size for path in runner.file(".predictions").glob("*[0-9]*.json")]
    runner.run("--fresh", f"--predictions={2 * max(sizes)}B")
    left = [path.stat().st_size for path in runner.file(".predictions").glob("*[0-9]*.json")]
    assert 0 < sum(left) <= 2 * max(sizes)


def test_what_is_kept_is_no_part_of_a_run(runner):
    runner.run("--predictions=none", "--limit=6")
    before = runner.file(".records.jsonl").read_text().splitlines()[0]
    runner.run("--predictions=all", "--limit=6")
    assert runner.file(".records.jsonl").read_text().splitlines()[0] == before
    assert len(names(runner)) == 6  # all asks for those that were not kept


def test_the_manifest_says_which_are_kept(runner):
    runner.run()
    assert json.loads((runner.file(".predictions") / kept.MANIFEST).read_text())["kept"] == "drawn"


def test_a_part_of_the_predictions_is_not_scored_as_if_it_were_all(runner, few, capsys):
    runner.run()
    parts = Path(PARTS)
    words = ["score", f"--task={parts}/brightness.py", f"--dataset={parts}/faulty.py"]
    folder = runner.file(".predictions")
    assert main([*words, f"--predictions={folder}", f"--output={runner.output}"]) == 2
    said = capsys.readouterr().err
    assert "holds predictions of 6 of the 12 images" in said
    assert "--predictions all" in said


@pytest.mark.parametrize(
    ("text", "keep"),
    [
        ("drawn", Keep()),
        ("all", Keep("all")),
        ("none", Keep("none")),
        ("500MB", Keep("drawn", 500_000_000)),
    ],
)
def test_what_may_be_asked_for(text, keep):
    assert parse_keep(text) == keep
    assert parse_keep(str(keep)) == keep


def test_anything_else_is_refused_with_the_choices(runner, capsys):
    runner.run("--predictions=drwn", code=2)
    said = capsys.readouterr().err
    assert "did you mean drawn?" in said
    assert "500MB" in said
