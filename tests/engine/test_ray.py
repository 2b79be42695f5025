"""Any number of actors, dying or not, give the bytes of a plain run."""

import contextlib
import os
import signal
import threading
import time

import pytest

from tests import clip_runs

pytest.importorskip("ray", reason="the extra sambench[ray] is not installed")

# What Ray does at exit and at start is not this project's to mend.
pytestmark = pytest.mark.filterwarnings("ignore")
IMAGES = {"images": 24}


@pytest.fixture(scope="module", autouse=True)
def cluster():
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray

    ray.init("local", num_cpus=4, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture
def plain(tmp_path, runner):
    whole = type(runner)(tmp_path / "plain", dataset=IMAGES)
    whole.run()
    return whole


@pytest.mark.parametrize("actors", [1, 4])
def test_the_number_of_actors_moves_no_number(runner, plain, actors):
    runner.dataset = IMAGES
    runner.run("--engine=ray", f"--actors={actors}")
    assert runner.scores == plain.scores
    kept, usual = (
        {path.name for path in r.file(".predictions").iterdir()} for r in (runner, plain)
    )
    assert kept == usual  # they come back from the actors, which may be elsewhere
    assert len(kept) == 24 + 1


def test_clips_come_back_whole(tmp_path):
    """A clip is an item of its own, whose predictions are a folder of files."""
    assert clip_runs.run(tmp_path / "plain", "--workers=0") == 0
    assert clip_runs.run(tmp_path / "ray", "--workers=0", "--engine=ray", "--actors=2") == 0
    for left in (clip_runs.bytes_of, clip_runs.numbers_of):
        assert left(tmp_path / "ray") == left(tmp_path / "plain")


def test_actors_may_die_midway(runner, plain, tmp_path):
    pids = tmp_path / "pids"
    pids.mkdir()
    runner.dataset = IMAGES
    runner.model = {"seconds": 0.2, "pids": pids}
    killed = []

    def kill_two():
        while len(killed) < 2:
            for path in pids.iterdir():
                if path.name not in killed and len(killed) < 2:
                    killed.append(path.name)
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(path.name), signal.SIGKILL)
            time.sleep(0.3)

    killer = threading.Thread(target=kill_two, daemon=True)
    killer.start()
    runner.run("--engine=ray", "--actors=4")
    killer.join(600)
    assert len(killed) == 2
    assert len([*pids.iterdir()]) > 2
    assert runner.scores == plain.scores


def test_a_run_goes_on_with_another_number_of_actors(runner, plain):
    runner.dataset = IMAGES
    runner.run("--limit=9")
    runner.run("--engine=ray", "--actors=2", "--limit=15")
    runner.run("--engine=ray", "--actors=1")
    assert runner.scores == plain.scores


def test_an_image_that_kills_its_actors_fails_alone(runner, plain):
    runner.dataset, runner.task = IMAGES, {"kills": "04"}
    runner.run("--engine=ray", "--actors=1", code=1)
    assert "killed 3 actors" in runner.result["failed"]["04"]
    assert {**runner.records, "04": plain.records["04"]} == plain.records


def test_what_an_actor_finds_wrong_is_told(runner, capsys):
    runner.model = {"wieghts": "x"}
    runner.run("--engine=ray", code=2)
    assert "no option 'wieghts'" in capsys.readouterr().err


def test_sigterm_ends_a_run_on_ray_as_any_other(runner, plain):
    runner.dataset, runner.model = IMAGES, {"seconds": 0.3}
    process = runner.start("--engine=ray", "--actors=1")
    runner.wait_for(process, 3)
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=600)
    assert process.returncode == 143
    assert b"ended by SIGTERM; the same command continues" in error
    runner.run()
    assert runner.scores == plain.scores
