"""Runs over clips that are cut off at any frame go on to the bytes of one that was not."""

import os
import signal
import subprocess
import sys

import pytest

import sambench
from sambench.registry import load
from tests.clip_runs import bytes_of, numbers_of, record_files, run, words
from tests.parts.clips import PATHS, Clips, Drawn
from tests.runs import HANGS, PARTS

READ = sum(len(next(iter(paths.values()))) for paths in PATHS.values())
CARRIED = READ - len(PATHS)
"""Frames of all clips: each is read once, to tell its pixels, and all but the first are carried."""


class Fault:
    """Raises instead of one call of a function; once, and counts all.

    Args:
        call: the function.
        place: how many calls come before.
        error: what is raised.
    """

    def __init__(self, call, place, error):
        self.call, self.place, self.error, self.count = call, place, error, 0

    def __call__(self, *arguments):
        self.count += 1
        if self.count == self.place + 1:
            raise self.error
        return self.call(*arguments)


def evaluate(folder, model):
    return sambench.evaluate(
        "video_object", model=model, dataset=Clips(), output=folder, predictions="all",
        resamples=0, progress=False, fresh=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    evaluate(folder, load("model", "still"))
    return bytes_of(folder), numbers_of(folder)


def test_every_frame_is_read_and_carried_once(tmp_path, monkeypatch):
    """So that the places of the tests below are all there are."""
    model = load("model", "still")
    model.carry = carried = Fault(model.carry, -1, None)
    read = Fault(Drawn.frame, -1, None)
    monkeypatch.setattr(Drawn, "frame", lambda self, index: read(self, index))
    evaluate(tmp_path, model)
    assert (read.count, carried.count) == (READ, CARRIED)


@pytest.mark.parametrize("place", range(CARRIED))
def test_a_run_cut_off_at_any_frame_resumes_to_equal_bytes(tmp_path, whole, place):
    model = load("model", "still")
    carry = model.carry
    model.carry = Fault(carry, place, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        evaluate(tmp_path, model)
    assert record_files(tmp_path)[0].read_bytes().count(b'"record"') < len(PATHS)
    model.carry = carry
    evaluate(tmp_path, model)
    assert (bytes_of(tmp_path), numbers_of(tmp_path)) == whole


@pytest.mark.parametrize("place", range(READ))
def test_a_frame_that_cannot_be_read_fails_its_clip_until_it_can(
    tmp_path, whole, place, monkeypatch
):
    model, read = load("model", "still"), Drawn.frame
    fault = Fault(read, place, OSError("the disk is gone"))
    with monkeypatch.context() as patch:
        patch.setattr(Drawn, "frame", lambda self, index: fault(self, index))
        failed = evaluate(tmp_path, model)
    assert len(failed.failed) == 1
    assert "the disk is gone" in next(iter(failed.failed.values()))
    evaluate(tmp_path, model)
    assert (bytes_of(tmp_path), numbers_of(tmp_path)) == whole


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_run_killed_amid_a_clip_resumes_to_equal_bytes(tmp_path):
    """By SIGKILL, which no program can do anything about, at a frame of the second clip."""
    model, grave = str(PARTS / "mortal.py"), tmp_path / "grave"
    assert run(tmp_path / "whole", "--workers=0", model=model) == 0
    dying = f"{model}:frames=7,grave={grave}"
    command = [sys.executable, "-m", "sambench", *words(tmp_path / "cut", model=dying)]
    killed = subprocess.run([*command, "--workers=0"], capture_output=True, timeout=HANGS)
    assert killed.returncode == -signal.SIGKILL
    [records] = record_files(tmp_path / "cut")
    assert records.read_bytes().count(b'"record"') == 1
    assert run(tmp_path / "cut", "--workers=0", model=dying) == 0
    assert bytes_of(tmp_path / "cut") == bytes_of(tmp_path / "whole")
    assert numbers_of(tmp_path / "cut") == numbers_of(tmp_path / "whole")
