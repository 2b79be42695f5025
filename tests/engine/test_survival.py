"""Runs that are killed, interrupted, starved and torn lose nothing and reproduce every number."""

import errno
import json
import os
import random
import resource
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sambench.cli import main
from sambench.store import records
from sambench.store.records import RecordFile, scan

HEADER = {"plan": {"predictions": {"model": "a"}}, "about": {}, "ids": []}


def test_a_run_killed_at_random_points_resumes_to_identical_scores(runner, plain):
    rng = random.Random(0)
    runner.model = {"seconds": 0.03}
    for lines in (1, 3, 6, 8):
        process = runner.start(f"--workers={rng.choice([0, 1])}")
        runner.wait_for(process, lines)
        process.kill()
        process.communicate()
    runner.run()
    assert runner.scores == plain.scores


def test_nothing_is_done_twice(runner):
    runner.run("--limit=5")
    first = runner.file(".records.jsonl").read_bytes()
    runner.run()
    both = runner.file(".records.jsonl").read_bytes()
    assert both.startswith(first)
    ids = [json.loads(line).get("id") for line in both.splitlines()]
    assert len([id for id in ids if id]) == 12
    runner.run()  # all is done: not even a session is noted
    assert runner.file(".records.jsonl").read_bytes() == both


@pytest.mark.parametrize("torn", [b'{"id":"03","val', b'{"id":"03"}', b"\0\0\0"])
def test_a_torn_last_line_is_dropped(runner, plain, torn):
    runner.run("--limit=3")
    with runner.file(".records.jsonl").open("ab") as file:
        file.write(torn)
    runner.run()
    assert runner.scores == plain.scores


def test_a_torn_first_line_is_begun_again(tmp_path):
    path = tmp_path / "a.records.jsonl"
    path.write_bytes(b'{"plan":{"predic')
    RecordFile(path, HEADER).close()
    assert scan(path).header == {"format": records.FORMAT, **HEADER}


DAMAGE = [b"{]", b"\0\0\0", b"[]", b'{"id":"01"}', b'{"id":1,"image":"0","record":{},"seconds":{}}']


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_line_costs_its_image_alone_and_is_told(runner, plain, capsys, damage):
    runner.run("--limit=3")
    path = runner.file(".records.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], damage + b"\n", *lines[3:]]))
    runner.run()
    assert "line 3 is damaged" in capsys.readouterr().err
    assert runner.result["metrics"] == plain.result["metrics"]
    scored = [line for line in path.read_bytes().splitlines()[3:] if b'"record":{"' in line]
    done = [json.loads(line)["id"] for line in scored]
    assert done == ["02", "01", *(f"{i:02d}" for i in range(3, 12))]
    found = scan(path)
    assert found.damaged == (3,)
    assert found.read(done) == [plain.records[id]["record"] for id in done]


def test_one_changed_digit_is_damage(runner, plain, capsys):
    """Not a number of another value, nor a session that tells nothing."""
    runner.run("--limit=3")
    path = runner.file(".records.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    value = str(runner.records["01"]["record"]["value"]).encode()
    assert value in lines[2]
    lines[2] = lines[2].replace(value, value[:-1] + b"%d" % (9 - int(value[-1:])))
    lines[4] = lines[4].replace(b'"environment"', b'"environmens"')
    path.write_bytes(b"".join(lines))
    runner.run()
    assert "line 3, 5 is damaged" in capsys.readouterr().err
    assert runner.result["metrics"] == plain.result["metrics"]


def test_a_damaged_first_line_is_refused(runner, capsys):
    runner.run("--limit=3")
    path = runner.file(".records.jsonl")
    path.write_bytes(b"{]\n" + path.read_bytes())
    runner.run(code=2)
    assert "begins with a damaged line" in capsys.readouterr().err


@pytest.mark.parametrize("version", ["1", "3"])
def test_another_version_of_the_format_is_named(runner, capsys, version):
    runner.run("--limit=3")
    path = runner.file(".records.jsonl")
    path.write_text(path.read_text().replace('"format":2', f'"format":{version}'))
    runner.run(code=2)
    assert f"format {version}, and this sambench reads format 2" in capsys.readouterr().err


def test_a_changed_plan_is_refused_with_the_field_that_differs(runner, capsys):
    runner.run("--limit=2")
    before = runner.file(".records.jsonl").read_bytes()
    runner.model = {"weights": "two"}
    runner.run("--limit=2", code=2)
    error = capsys.readouterr().err
    assert 'predictions.model.weights: "one", now "two"' in error
    assert runner.file(".records.jsonl").read_bytes() == before
    runner.run("--limit=2", "--fresh")
    assert runner.result["protocol"]["model"]["weights_sha256"] == "two"


def test_an_unreadable_image_is_recorded_and_the_run_is_incomplete(runner, plain, tmp_path, capsys):
    repaired = tmp_path / "repaired"
    runner.dataset = {"bad": "03+07", "until": repaired}
    runner.run(code=1)
    said = capsys.readouterr()
    assert "INCOMPLETE: 2 images failed" in said.out
    assert "image 03 is damaged" in said.err
    assert runner.result["complete"] is False
    assert set(runner.result["failed"]) == {"03", "07"}
    repaired.touch()
    runner.run()
    assert runner.scores == plain.scores


def test_a_run_gives_up_when_nothing_works(runner, capsys):
    runner.dataset = {"bad": "+".join(f"{i:02d}" for i in range(12))}
    runner.run(code=2)
    assert "5 images in a row failed" in capsys.readouterr().err
    assert not [*runner.output.rglob("*mean.json")]  # no result of nothing


def test_images_that_failed_before_do_not_stop_a_run(runner):
    runner.dataset = {"bad": "+".join(f"{i:02d}" for i in range(3, 9))}
    runner.run(code=1)
    runner.run(code=1)
    assert len(runner.records) == 6


@pytest.mark.parametrize(
    "how", [["--workers=1"], ["--workers=2"], ["--batch=3"], ["--batch=5", "--workers=1"]]
)
def test_how_a_run_is_carried_out_moves_no_number(runner, plain, how):
    runner.run(*how)
    assert runner.scores == plain.scores


def test_neither_does_the_order(runner, plain, tmp_path):
    later = tmp_path / "later"
    runner.dataset = {"bad": "00+05", "until": later}  # these two are done last
    runner.run(code=1)
    later.touch()
    runner.run("--limit=7")
    runner.run()
    assert runner.scores == plain.scores


def test_images_that_cannot_be_embedded_together_are_embedded_one_by_one(runner, plain):
    runner.model = {"together": 1}
    runner.run("--batch=4")
    assert runner.scores == plain.scores


def test_a_score_whose_process_is_killed_is_made_again(runner, plain, tmp_path):
    runner.task = {"kills": "04", "until": tmp_path / "killed"}
    runner.run("--workers=2")
    assert (tmp_path / "killed").exists()
    assert runner.records == plain.records
    assert runner.result["metrics"] == plain.result["metrics"]


def test_a_score_that_always_kills_its_process_fails_alone(runner, plain, capsys):
    runner.task = {"kills": "04"}
    runner.run("--workers=2", code=1)
    said = runner.result["failed"]["04"]
    assert "killed its process 3 times" in said
    assert "in a script of your own write `if __name__ == '__main__':`" in said
    assert {**runner.records, "04": plain.records["04"]} == plain.records


class TestDisk:
    def test_a_full_disk_leaves_whole_lines_and_the_run_goes_on(
        self, runner, plain, monkeypatch, capsys
    ):
        written = 0
        header = len(plain.file(".records.jsonl").read_bytes().splitlines()[0])

        def full(file, data):
            nonlocal written
            room = header + 2000 - written
            if room <= 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            written += len(data[:room])
            return write(file, data[:room])

        write = os.write
        with monkeypatch.context() as patched:
            patched.setattr(records.os, "write", full)
            runner.run(code=2)
        assert "No space left on device" in capsys.readouterr().err
        done = runner.records
        assert 0 < len(done) < 12
        assert runner.file(".records.jsonl").read_bytes().endswith(b"\n")
        runner.run()
        assert runner.scores == plain.scores

    def test_a_file_that_may_not_grow_is_cut_to_whole_lines(self, runner, plain):
        """A real partial write: the system lets a file grow to so many bytes only."""
        runner.run("--limit=2")
        room = runner.file(".records.jsonl").stat().st_size + 500
        process = runner.start(
            prepare=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
        )
        _, error = process.communicate()
        assert process.returncode == 2
        assert b"File too large" in error
        assert 2 < len(runner.records) < 12
        assert runner.file(".records.jsonl").read_bytes().endswith(b"\n")
        runner.run()
        assert runner.scores == plain.scores


class TestInterrupt:
    @pytest.mark.parametrize("workers", [0, 2])
    def test_ctrl_c_keeps_what_is_done_and_the_same_command_continues(self, runner, plain, workers):
        runner.model = {"seconds": 0.1}
        process = runner.start(f"--workers={workers}")
        runner.wait_for(process, 3)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=600)
        assert process.returncode == 130
        assert b"the same command continues" in error
        assert b"Traceback" not in error
        assert 2 <= len(runner.records) < 12
        assert not [*runner.output.rglob("*mean.json")]
        runner.run()
        assert runner.scores == plain.scores

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
    @pytest.mark.parametrize("workers", [0, 2])
    def test_being_told_to_end_is_as_ctrl_c(self, runner, plain, workers, number):
        runner.model = {"seconds": 0.1}
        process = runner.start(f"--workers={workers}")
        runner.wait_for(process, 3)
        process.send_signal(number)
        _, error = process.communicate(timeout=600)
        assert process.returncode == 128 + number
        assert f"ended by {number.name}; the same command continues.".encode() in error
        assert b"Traceback" not in error
        assert 2 <= len(runner.records) < 12
        assert not [*runner.output.rglob("*mean.json")]
        runner.run()
        assert runner.scores == plain.scores

    def test_a_signal_to_all_processes_of_a_job_is_survived_too(self, runner, plain):
        """As a scheduler sends it; twice, as some do."""
        runner.model = {"seconds": 0.1}
        process = runner.start("--workers=2", start_new_session=True)
        runner.wait_for(process, 3)
        for _ in range(2):
            os.killpg(process.pid, signal.SIGTERM)
        _, error = process.communicate(timeout=600)
        assert process.returncode == 143
        assert b"Traceback" not in error
        assert 2 <= len(runner.records) < 12
        runner.run()
        assert runner.scores == plain.scores

    def test_nohup_is_respected(self, runner, plain):
        runner.model = {"seconds": 0.02}
        process = runner.start(prepare=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        runner.wait_for(process, 3)
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=600)
        assert process.returncode == 0
        assert len(runner.records) == 12

    def test_a_caller_has_its_own_ways_with_signals_back(self, runner):
        before = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)]
        runner.run("--limit=1")
        after = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)]
        assert after == before
        with ThreadPoolExecutor(1) as pool:  # where Python allows no handlers
            pool.submit(runner.run, "--limit=2").result()

    def test_workers_end_with_the_process_that_began_them(self, runner):
        runner.model = {"seconds": 0.1}
        process = runner.start("--workers=1")
        runner.wait_for(process, 3)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert children
        process.kill()
        process.communicate()
        for _ in range(500):
            alive = [pid for pid in children if _running(pid)]
            if not alive:
                return
            signal.sigtimedwait([], 0.01)
        raise AssertionError(f"{alive} live on")


def _running(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def test_two_processes_never_write_the_same_records(tmp_path):
    path = tmp_path / "a.records.jsonl"
    first = RecordFile(path, HEADER)
    try:
        with pytest.raises(ValueError, match="being written by another run"):
            RecordFile(path, HEADER)
    finally:
        first.close()
    RecordFile(path, HEADER).close()


def test_a_later_record_of_an_image_counts_and_beats_its_failure(tmp_path):
    path = tmp_path / "a.records.jsonl"
    file = RecordFile(path, HEADER)
    file.fail("a", "why")
    for value in (1, 2):
        file.append("a", {"image": "0", "record": {"value": value}, "seconds": {}})
    file.fail("b", "why not")
    file.close()
    index = scan(path)
    assert index.read(["a"]) == [{"value": 2}]
    assert index.failed == {"b": "why not"}


class TestSavedPredictions:
    def test_they_are_scored_again_without_the_model(self, runner, plain, capsys):
        runner.run("--predictions=all")
        folder = runner.file(".predictions")
        task = f"--task={Path(__file__).resolve().parents[1] / 'parts/brightness.py'}"
        dataset = f"--dataset={Path(__file__).resolve().parents[1] / 'parts/faulty.py'}"
        words = ["score", task, dataset, f"--predictions={folder}", "--json", "--workers=0"]
        capsys.readouterr()
        assert main([*words, "--divisor=1", f"--output={runner.output}"]) == 0
        value = json.loads(capsys.readouterr().out)["metrics"]["brightness"]["value"]
        expected = plain.result["metrics"]["brightness"]["value"]
        assert value == pytest.approx(255 * expected)
        # With the same options the records of the run itself serve.
        assert main([*words, f"--output={runner.output}", "--resamples=20"]) == 0
        assert json.loads(capsys.readouterr().out)["metrics"] == plain.result["metrics"]

    def test_other_options_than_they_were_made_with_are_refused(self, runner, capsys):
        runner.run("--predictions=all", "--limit=2")
        parts = Path(__file__).resolve().parents[1] / "parts"
        words = ["score", f"--task={parts}/brightness.py", f"--dataset={parts}/faulty.py"]
        folder = runner.file(".predictions")
        code = main([*words, f"--predictions={folder}", "--channel=1", f"--output={runner.output}"])
        assert code == 2
        assert "other predictions than asked for: options.channel: 0, now 1" in (
            capsys.readouterr().err
        )

    def test_images_done_without_them_are_done_again(self, runner, plain):
        runner.run("--limit=3")
        runner.run("--predictions=all")
        assert len([*runner.file(".predictions").iterdir()]) == 12 + 1
        assert runner.scores == plain.scores


def test_a_fresh_start_leaves_no_result_of_before(runner, capsys):
    runner.run()
    runner.model, runner.dataset = {"weights": "two"}, {"bad": "00+01+02+03+04"}
    runner.run("--fresh", code=2)  # gives up before there is any record
    assert not [*runner.output.rglob("*mean.json")]
