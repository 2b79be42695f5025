"""What is said of a run's speed, by hand."""

import pytest

from sambench.store.timing import summarize


def line(seconds, tasks=1, warmup=()):
    return {"seconds": seconds, "tasks": tasks, "warmup": list(warmup)}


def test_the_first_image_is_left_out():
    slow = line({"embed": 9.0, "decode": 9.0, "score": 7.0}, warmup=["embed", "decode"])
    lines = [slow, *(line({"embed": e, "decode": 1.0, "score": 2.0}) for e in (1.0, 2.0, 3.0))]
    timing = summarize(lines)
    assert timing["embed"] == {"median": 2.0, "p95": pytest.approx(2.9)}
    assert timing["decode"] == {"median": 1.0, "p95": 1.0}
    assert timing["score"] == {"median": 2.0, "p95": pytest.approx(6.25)}  # no warm-up of its own
    assert timing["images"] == 3
    assert timing["tasks"] == 1
    assert timing["images_per_second"] == pytest.approx(3 / (2 + 3 + 4))
    assert "images_per_second_shared" not in timing
    assert "read" not in timing


def test_a_single_image_is_all_there_is():
    timing = summarize([line({"embed": 4.0, "post": 1.0}, warmup=["embed", "post"])])
    assert timing["embed"]["median"] == 4.0
    assert timing["images"] == 1
    assert timing["images_per_second"] == pytest.approx(1 / 5)


def test_several_tasks_share_an_embedding():
    timing = summarize([line({"load": 1.0, "embed": 5.0, "decode": 1.0, "post": 3.0}, tasks=3)] * 2)
    assert timing["tasks"] == 3
    assert timing["images_per_second"] == pytest.approx(1 / 10)
    assert timing["images_per_second_shared"] == pytest.approx(1 / 6)


def test_reading_and_scoring_are_not_the_models():
    timing = summarize([line({"read": 50.0, "embed": 2.0, "score": 70.0})])
    assert timing["images_per_second"] == pytest.approx(0.5)


def test_what_took_no_time_has_no_speed():
    assert summarize([line({"score": 1.0})])["images_per_second"] is None
    assert summarize([])["images"] == 0
