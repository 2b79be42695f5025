"""Parts of a run for the jobs of an array, and what joins them."""

import gzip
import json
from pathlib import Path

import pytest

from sambench.cli import main
from sambench.engine.sharding import Shard, parse_shard
from sambench.errors import UserError

from ..runs import Runner

OWN_TASK = f"--task={Path(__file__).resolve().parents[1] / 'parts/brightness.py'}"


@pytest.mark.parametrize(
    ("variables", "shard"),
    [
        ({"SLURM_ARRAY_TASK_ID": "2", "SLURM_ARRAY_TASK_COUNT": "4"}, Shard(2, 4)),
        (
            {
                "SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_COUNT": "4",
                "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_STEP": "2",
            },
            Shard(3, 4),
        ),
        ({"SLURM_PROCID": "1", "SLURM_NTASKS": "8"}, Shard(1, 8)),
        ({"RANK": "3", "WORLD_SIZE": "4"}, Shard(3, 4)),
        # torchrun inside of srun: its ranks count, not those of the nodes
        ({"RANK": "3", "WORLD_SIZE": "4", "SLURM_PROCID": "0", "SLURM_NTASKS": "2"}, Shard(3, 4)),
        # an array whose jobs have two processes each
        (
            {
                "SLURM_ARRAY_TASK_ID": "1", "SLURM_ARRAY_TASK_COUNT": "3",
                "SLURM_PROCID": "1", "SLURM_NTASKS": "2",
            },
            Shard(3, 6),
        ),
    ],
)  # fmt: skip
def test_auto_reads_the_jobs_variables(variables, shard):
    assert parse_shard("auto", variables) == shard


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("0/4", {}), ("5/4", {}), ("half", {}), ("auto", {}), ("auto", {"RANK": "0"}),
        ("auto", {"RANK": "4", "WORLD_SIZE": "4"}), ("auto", {"RANK": "x", "WORLD_SIZE": "4"}),
        (
            "auto",
            {
                "SLURM_ARRAY_TASK_ID": "4", "SLURM_ARRAY_TASK_COUNT": "3",
                "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_STEP": "2",
            },
        ),
    ],
)  # fmt: skip
def test_what_names_no_part_is_refused(text, variables):
    with pytest.raises(UserError, match="1/4"):
        parse_shard(text, variables)


@pytest.mark.parametrize("count", [1, 2, 5, 13])
def test_parts_cover_all_images_once(count):
    ids = tuple(map(str, range(12)))
    parts = [Shard(i, count).take(ids) for i in range(count)]
    assert sorted(sum(parts, ()), key=int) == list(ids)


def merged(runner, *more, code=0):
    words = ["merge", str(runner.output), f"--output={runner.output}", OWN_TASK, *more]
    assert main(words) == code


def test_merged_shards_are_the_run_to_the_byte(runner, plain):
    for part in ("1/3", "2/3", "3/3"):
        runner.run(f"--shard={part}")
    assert not [*runner.output.rglob("*mean.json")]  # a shard is not a result
    merged(runner, "--resamples=20")
    assert runner.scores == plain.scores
    merged(runner, "--resamples=20")  # the joined records are found too, and count once
    assert runner.scores == plain.scores


def test_packed_records_are_merged_like_others(runner, plain, tmp_path):
    """Those of a committed result; where they lie unpacked, too, they count once."""
    (path,) = plain.output.rglob("*.records.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(b"".join(lines[:5])))
    path.unlink()
    runner.run("--shard=2/2")
    words = ["merge", str(plain.output), str(runner.output), OWN_TASK, "--resamples=20"]
    scores = []
    for code in (1, 0):  # what the packed file and the second half have; then the other half
        assert main([*words, f"--output={tmp_path / 'merged'}"]) == code
        scores.append(Runner(tmp_path / "merged").scores)
        runner.run("--shard=1/2")
    assert json.loads(scores[0]) != json.loads(scores[1])
    path.write_bytes(b"".join(lines))
    assert main([*words, f"--output={tmp_path / 'again'}"]) == 0
    assert Runner(tmp_path / "again").scores == scores[1] == plain.scores


def test_another_number_of_shards_goes_on_with_what_is_there(runner, plain, capsys):
    runner.run("--shard=1/4")
    runner.run("--shard=2/4")
    capsys.readouterr()
    runner.run("--shard=1/2", "--json")
    part = json.loads(capsys.readouterr().out)
    assert part["shard"] == "1/2"
    assert part["left"] == []
    runner.run("--shard=2/2")
    merged(runner, "--resamples=20")
    assert runner.scores == plain.scores


def test_missing_images_are_listed_and_the_result_is_incomplete(runner, capsys):
    runner.run("--shard=1/3")
    runner.run("--shard=3/3")
    capsys.readouterr()
    merged(runner, code=1)
    said = capsys.readouterr()
    assert "4 images missing: 01, 04, 07, 10" in said.err
    assert "INCOMPLETE" in said.out
    assert runner.result["failed"] == dict.fromkeys(["01", "04", "07", "10"], "not scored")


def test_why_an_image_failed_outlives_the_merge(runner, tmp_path):
    runner.dataset = {"bad": "04"}
    runner.run("--shard=1/2", code=1)
    runner.run("--shard=2/2")
    merged(runner, code=1)
    assert "damaged" in runner.result["failed"]["04"]


def test_different_plans_do_not_mix(runner, capsys):
    runner.run("--shard=1/2")
    runner.model = {"weights": "two"}
    runner.run("--shard=2/2", code=2)
    assert 'model.weights: "one", now "two"' in capsys.readouterr().err
    # Nor do they when they come from different machines.
    elsewhere = type(runner)(runner.output.with_name("elsewhere"), model=runner.model)
    elsewhere.run("--shard=2/2")
    places = [str(runner.output), str(elsewhere.output)]
    words = ["merge", *places, f"--output={runner.output}", OWN_TASK]
    capsys.readouterr()
    assert main(words) == 2
    assert "model.weights" in capsys.readouterr().err


def test_records_of_one_image_that_differ_are_refused(runner, capsys):
    runner.run("--shard=1/2")
    elsewhere = type(runner)(runner.output.with_name("elsewhere"))
    elsewhere.run()
    path = elsewhere.file(".records.jsonl")
    text = path.read_text()
    value = next(iter(elsewhere.records.values()))["record"]["value"]
    path.write_text(text.replace(str(value), str(value + 1)))
    places = [str(runner.output), str(elsewhere.output)]
    words = ["merge", *places, f"--output={runner.output}", OWN_TASK]
    assert main(words) == 2
    assert "differ in image 00" in capsys.readouterr().err


def test_an_empty_place_is_named(tmp_path, capsys):
    assert main(["merge", str(tmp_path)]) == 2
    assert "no records" in capsys.readouterr().err


def test_shards_begun_afresh_do_not_count_on_what_others_will_discard(runner, plain):
    for fresh in ([], ["--fresh"]):
        for part in ("1/2", "2/2"):
            runner.run(f"--shard={part}", "--predictions=all", *fresh)
    assert len([*runner.file(".predictions").iterdir()]) == 12 + 1
    merged(runner, "--resamples=20")
    assert runner.scores == plain.scores
