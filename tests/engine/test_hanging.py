"""Actors of Ray that hang are given up, with a stand-in for Ray and for time."""

from collections import deque
from pathlib import Path

import pytest

from sambench.engine.loop import WorkItem
from sambench.engine.ray_actor import Order
from sambench.engine.ray_cluster import ATTEMPTS, OnRay, _Crew
from sambench.engine.settings import Settings
from sambench.errors import UserError

PATIENCE = 100.0
IDS = [f"{index:02d}" for index in range(20)]


class Ray:
    """A cluster whose actors answer at once, or never: where `hangs` says so of their work.

    An actor does what it was given in order; after a call that hangs nothing more comes from it.
    """

    class exceptions:  # noqa: N801
        class RayActorError(Exception):
            pass

        class RayTaskError(Exception):
            pass

    def __init__(self, hangs, begins=lambda number: True):
        self.hangs, self.begins = hangs, begins
        self.now, self.hired, self.killed = 0.0, [], []
        self.done: deque = deque()

    def remote(self, **room):
        cluster = self

        class Call:
            def __init__(self, function):
                self.remote = function

        class Actor:
            def __init__(self):
                self.number, self.stuck = len(cluster.hired), False
                cluster.hired.append(self)
                self.begin, self.work = Call(self._begin), Call(self._work)

            def _begin(self):
                self.stuck = not cluster.begins(self.number)
                return self._answered(([], {}))

            def _work(self, chunk):
                self.stuck = self.stuck or any(
                    cluster.hangs(self.number, item.id) for item in chunk
                )
                return self._answered(
                    ([(0, item.id, {"by": self.number}, {}) for item in chunk], {})
                )

            def _answered(self, value):
                reference = object()
                if not self.stuck:
                    cluster.done.append((reference, value, self))
                return reference

        Actor.remote = staticmethod(lambda order: Actor())
        return lambda worker: Actor

    def wait(self, references, num_returns, timeout):
        for reference, _, _ in self.done:
            if reference in references:
                return [reference], []
        self.now += timeout
        return [], references

    def get(self, reference):
        [found] = [entry for entry in self.done if entry[0] is reference]
        self.done.remove(found)
        return found[1]

    def kill(self, actor):
        self.killed.append(actor.number)


class Kept:
    """A sink."""

    def __init__(self):
        self.records, self.failures = {}, {}

    def scored(self, job, id, record, files):
        assert id not in self.records
        self.records[id] = record

    def failed(self, job, id, error):
        self.failures[id] = str(error)


def run(ray, actors=2):
    engine = OnRay("mean", "cpu", actors, 0, patience=PATIENCE)
    order = Order("mean", "cpu", (Path("x.py"),), b"", Settings())
    kept = Kept()
    with _Crew(ray, engine, order, clock=lambda: ray.now) as crew:
        crew.first()
        crew.work([WorkItem(id, (0,)) for id in IDS], kept)
    return kept


def test_without_a_hang_nobody_waits():
    ray = Ray(lambda actor, id: False)
    kept = run(ray)
    assert sorted(kept.records) == IDS
    assert ray.now == 0
    assert len(ray.hired) == 2


@pytest.mark.parametrize("actors", [1, 3])
def test_an_actor_that_hangs_is_replaced_and_others_do_its_images(actors):
    ray = Ray(lambda actor, id: actor == 0 and id >= "04")
    kept = run(ray, actors)
    assert sorted(kept.records) == IDS
    assert kept.failures == {}
    assert ray.killed[0] == 0
    assert ray.now == PATIENCE


def test_an_image_at_which_all_actors_hang_fails_alone():
    ray = Ray(lambda actor, id: id == "05")
    kept = run(ray)
    assert sorted(kept.records) == [id for id in IDS if id != "05"]
    assert "killed 3 actors or made them hang" in kept.failures["05"]
    assert ray.now <= (ATTEMPTS + 1) * PATIENCE


def test_actors_that_all_hang_end_the_run_with_the_reason():
    with pytest.raises(
        UserError, match="actors keep dying, the last one because of: nothing came from it fo"
    ):
        run(Ray(lambda actor, id: True))


def test_actors_that_never_begin_end_the_run_with_the_reason():
    with pytest.raises(UserError, match="no actor loaded the model within 100 seconds"):
        run(Ray(lambda actor, id: False, begins=lambda number: False))


def test_one_that_never_begins_holds_nobody_up():
    ray = Ray(lambda actor, id: False, begins=lambda number: number != 0)
    assert sorted(run(ray).records) == IDS
    assert ray.now == 0


def test_those_hired_for_the_hanging_must_begin_too():
    ray = Ray(lambda actor, id: actor == 0, begins=lambda number: number == 0)
    with pytest.raises(UserError, match="no actor loaded the model"):
        run(ray, actors=1)
