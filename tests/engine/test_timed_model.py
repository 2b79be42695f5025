"""A model as a run calls it: memory that runs out, times that add up."""

import io
import sys
import threading
from dataclasses import dataclass, replace
from typing import ClassVar

import numba
import numpy as np
import pytest
import torch

from sambench.commands._options import load_model
from sambench.commands.run import _fitting
from sambench.engine import clock as timing
from sambench.engine.compiling import COMPILING, compiling_announced
from sambench.engine.evaluation import Local, run
from sambench.engine.progress import Progress, duration, redraws
from sambench.engine.settings import Settings
from sambench.engine.timed_model import Predictor, TimedModel
from sambench.errors import UserError
from sambench.interfaces import Masks, Model, ModelCard, Prompts, Sample, Task
from sambench.masks.grid import candidates
from sambench.masks.grid_options import GridOptions
from sambench.registry import load
from sambench.store.timing import summarize
from sambench.truths import Instances


class Hands:
    """A clock that stands still until it is moved."""

    now = 0.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    hands = Hands()
    monkeypatch.setattr(timing, "time", hands)
    return hands


class Discs(Model):
    """Answers a point with discs around it; holds only so many prompts at a time."""

    prompts = frozenset({"points", "masks"})

    def __init__(self, room=1000, batch=16, seconds=0.0, clock=None):
        self.card = ModelCard(name="discs")
        self.prompt_batch, self.room, self.seconds = batch, room, seconds
        self.asked, self.embedded, self.clock = [], [], clock or Hands()

    def embed(self, images):
        self.clock.now += self.seconds
        self.embedded += [image.shape[:2] for image in images]
        return [image.shape[:2] for image in images]

    def predict(self, embedding, prompts, *, multimask):
        self.asked.append(len(prompts))
        if len(prompts) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")
        self.clock.now += self.seconds
        y, x = np.mgrid[: embedding[0], : embedding[1]]
        centres = prompts.points[:, 0]
        distance = np.hypot(x - centres[:, 0, None, None], y - centres[:, 1, None, None])
        logits = torch.tensor(np.stack([r - distance for r in (5, 9, 14)], axis=1)).float()
        iou = torch.tensor([[0.2, 0.9, 0.4]]).repeat(len(prompts), 1)
        return Masks(logits, iou, embedding, lambda masks: masks)


class Sparing(Discs):
    """Has a way of its own to leave out masks."""

    def predict_above(self, embedding, prompts, pred_iou_thresh, *, multimask):
        answer = Discs.predict(self, embedding, prompts, multimask=multimask)
        return replace(
            answer, logits=answer.logits * (answer.iou > pred_iou_thresh)[..., None, None]
        )


@dataclass(frozen=True)
class Above(Task):
    """Everything that is promising, by whichever way the model has."""

    truth: ClassVar[type] = Instances

    def predict(self, model, embedding, sample):
        options = GridOptions(points_per_side=6, pred_iou_thresh=0.3, stability_score_thresh=0)
        return candidates(model, embedding, sample.image.shape[:2], options).boxes

    def score(self, prediction, truth):
        raise NotImplementedError

    def estimator(self, records):
        raise NotImplementedError


@dataclass(frozen=True)
class Grid(Task):
    """Asks for many points at once, in batches or not."""

    batches: bool = True
    truth: ClassVar[type] = Instances
    metric: ClassVar[str] = "sum"
    needs: ClassVar[frozenset[str]] = frozenset({"points"})
    paper: ClassVar[str] = "none"

    def predict(self, model, embedding, sample):
        points = np.stack(np.mgrid[4:60:8, 4:60:8], axis=-1).reshape(-1, 1, 2).astype(float)
        prompts = Prompts(points=points, labels=np.ones((len(points), 1), dtype=int))
        step = model.prompt_batch if self.batches else len(points)
        found = [
            model.predict(embedding, prompts[i : i + step], multimask=True).most_confident()
            for i in range(0, len(points), step)
        ]
        return np.concatenate([masks.binary()[:, 0] for masks in found])

    def score(self, prediction, truth):
        return {"areas": prediction.sum(axis=(1, 2)).tolist()}

    def estimator(self, records):
        sums = np.array([sum(record["areas"]) for record in records], dtype=float)
        return lambda counts: {"sum": float(sums @ counts)}


SAMPLE = Sample("a", np.zeros((64, 64, 3), dtype=np.uint8), None)


@pytest.mark.parametrize("batches", [True, False])
@pytest.mark.parametrize("room", [1, 3, 15])
def test_out_of_gpu_memory_halves_the_prompts_says_so_and_moves_no_number(room, batches, caplog):
    task = Grid(batches)
    expected, _ = Predictor(Discs()).predict(task, (64, 64), SAMPLE)
    model = Discs(room)
    predictor = Predictor(model)
    found, _ = predictor.predict(task, (64, 64), SAMPLE)
    np.testing.assert_array_equal(found, expected)
    assert "out of GPU memory: going on with 8 prompts at a time" in caplog.text
    model.asked.clear()
    predictor.predict(task, (64, 64), SAMPLE)  # the next image begins with what held
    assert max(model.asked) <= room
    assert model.prompt_batch == 16  # the caller's model is not touched


@pytest.mark.parametrize("kind", [Discs, Sparing])
def test_a_models_own_way_to_promising_masks_is_timed_and_survives_as_well(kind, clock):
    expected, spent = Predictor(kind(seconds=2.0, clock=clock)).predict(Above(), (64, 64), SAMPLE)
    assert spent == {"decode": 6.0, "post": 0.0}  # 36 points, 16 at a time
    found, _ = Predictor(kind(room=5)).predict(Above(), (64, 64), SAMPLE)
    assert len(expected) == 72
    np.testing.assert_array_equal(found, expected)


def test_a_prompt_that_does_not_fit_by_itself_fails_the_image():
    task = Grid()
    with pytest.raises(torch.OutOfMemoryError):
        Predictor(Discs(room=0)).predict(task, (64, 64), SAMPLE)


def test_other_errors_pass(caplog):
    class Broken(Discs):
        def predict(self, embedding, prompts, *, multimask):
            raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes"):
        Predictor(Broken()).predict(Grid(), (64, 64), SAMPLE)
    assert not caplog.text


class TestWrapping:
    def test_nothing_of_the_model_changes_and_what_it_offers_is_passed_on(self):
        class Packs(Discs):
            device = "cuda:7"

            def pack(self, embedding):
                return {"size": torch.tensor(embedding)}

            def unpack(self, packed):
                return tuple(packed["size"].tolist())

            def areas(self, image):
                return image.sum()

        model = Packs(batch=12)
        before, timed = dict(vars(model)), TimedModel(model)
        assert (timed.card, timed.prompts, timed.device) == (model.card, model.prompts, "cuda:7")
        assert timed.unpack(timed.pack((3, 4))) == (3, 4)
        assert timed.direct("areas")(np.ones((2, 2))) == 4
        assert timed.direct("boundaries") is timed.direct("") is None
        assert [timed.halve(), timed.prompt_batch] == [True, 6]
        assert vars(model) == before

    def test_prompts_are_halved_down_to_one(self):
        timed = TimedModel(Discs(batch=5))
        assert [(timed.halve(), timed.prompt_batch) for _ in range(3)] == [
            (True, 2), (True, 1), (False, 1),
        ]  # fmt: skip

    def test_answers_are_looked_at_once_an_image_after_the_last(self, monkeypatch):
        model = Discs(batch=7)

        looks = []
        monkeypatch.setattr(
            "sambench.engine.timed_model.all_true",
            lambda flags: looks.append((len(flags), len(model.asked))) or True,
        )
        Predictor(model).predict(Grid(), (64, 64), SAMPLE)
        assert looks == [(7, 7)]

    @pytest.mark.parametrize("part", ["logits", "iou"])
    def test_an_image_is_refused_for_its_own_answers_alone(self, part):
        class Once(Discs):
            def predict(self, embedding, prompts, *, multimask):
                answer = super().predict(embedding, prompts, multimask=multimask)
                if embedding == (8, 8):
                    getattr(answer, part)[-1] = torch.nan
                return answer

        @dataclass(frozen=True)
        class Stops(Grid):
            def predict(self, model, embedding, sample):
                super().predict(model, embedding, sample)
                raise UserError("stop")

        predictor = Predictor(Once())
        for task, reason in ((Grid(), "not finite"), (Stops(), "stop")):
            with pytest.raises(UserError, match=reason):
                predictor.predict(task, (8, 8), SAMPLE)
        assert predictor.predict(Grid(), (64, 64), SAMPLE)[0].any()


class FakeGpus:
    """What is asked of the GPUs of a machine, and a clock of their own."""

    def __init__(self, monkeypatch):
        self.asked, self.now = set(), 0.0

        def answers(value):
            return lambda device: (self.asked.add(device), value)[1]

        for name, value in {
            "get_device_name": "Fake GPU", "max_memory_allocated": 123,
            "max_memory_reserved": 456, "reset_peak_memory_stats": None, "current_stream": self,
        }.items():  # fmt: skip
            monkeypatch.setattr(torch.cuda, name, answers(value))
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "Event", lambda enable_timing: None)

    def record_event(self, event):
        self.now += 1.5
        return FakeEvent(self.now)


@dataclass(frozen=True)
class FakeEvent:
    at: float

    def synchronize(self):
        pass

    def elapsed_time(self, end):
        return 1000 * (end.at - self.at)


class TestDevice:
    def measured(self, tmp_path, device):
        model = Discs()
        model.device = device
        dataset = load("dataset", "scenes:images=1,width=64,height=64")
        settings = Settings(tmp_path, resamples=20, progress=False)
        [run] = Local(model).carry_out({"a": Grid()}, dataset, settings)
        [session], [line] = run.records.index.sessions, run.records.index.lines(dataset.ids)
        return session, line["seconds"]

    @pytest.mark.parametrize("device", ["cuda:1", torch.device("cuda:1")])
    def test_time_and_memory_are_read_where_the_model_is(self, tmp_path, monkeypatch, device):
        gpus = FakeGpus(monkeypatch)
        session, seconds = self.measured(tmp_path, device)
        assert gpus.asked == {"cuda:1"}
        assert session["environment"]["device"] == "Fake GPU"
        assert session["memory"]["gpu_allocated"] == 123
        assert session["memory"]["gpu_reserved"] == 456
        assert seconds["embed"] == 1.5
        assert seconds["decode"] % 1.5 == 0

    @pytest.mark.parametrize("kind", ["mps", "xpu"])
    def test_other_accelerators_are_waited_for(self, monkeypatch, clock, kind):
        def wait():
            clock.now += 1.0

        monkeypatch.setattr(getattr(torch, kind), "synchronize", wait)
        model = Discs(seconds=2.0, clock=clock)
        model.device = f"{kind}:0"
        ((_, embedded),) = Predictor(model).embed([SAMPLE.image])
        assert embedded() == {"embed": 3.0}

    def test_a_model_on_the_cpu_asks_nothing_of_the_gpu_beside_it(self, tmp_path, monkeypatch):
        gpus = FakeGpus(monkeypatch)
        session, _ = self.measured(tmp_path, "cpu")
        assert gpus.asked == set()
        assert session["environment"]["device"] == "cpu"
        assert set(session["memory"]) == {"host_rss", "worker_rss"}

    def test_a_gpu_that_pytorch_cannot_measure_is_named(self, tmp_path):
        if torch.cuda.is_available():
            pytest.skip("there is a GPU")
        session, seconds = self.measured(tmp_path, "cuda:1")
        assert session["environment"]["device"] == "cuda:1"
        assert seconds["embed"] >= 0

    @pytest.mark.parametrize(
        ("spec", "device"),
        [("minisam", "cpu"), ("minisam:device=cpu", "cpu"), ("sobel", "cpu"), ("slic", "cpu")],
    )
    def test_built_in_models_say_where_they_are(self, spec, device):
        assert load("model", spec).device == device

    def test_a_device_is_chosen_only_for_models_that_have_the_choice(self, monkeypatch):
        FakeGpus(monkeypatch)
        assert load_model("sobel", "auto").device == "cpu"
        assert load_model("minisam:device=cpu", "auto").device == "cpu"
        with pytest.raises(UserError, match="runs on the CPU only"):
            load_model("sobel", "cuda")


def test_points_give_the_same_numbers_when_memory_runs_out(tmp_path):
    dataset = load("dataset", "scenes:images=3,width=64,height=64")
    task = load("task", "points:points=2")
    values = [
        run(
            {"points": task},
            Discs(room),
            dataset,
            Settings(tmp_path / str(room), resamples=20, progress=False),
        )
        for room in (1000, 2)
    ]
    plenty, little = (results[0].to_json() for results in values)
    assert plenty["metrics"] == little["metrics"]
    assert plenty["complete"]


def test_tasks_share_each_images_embedding_and_one_that_is_done_asks_for_none(tmp_path):
    dataset, model = load("dataset", "scenes:images=4,width=64,height=64"), Discs()
    tasks, settings = (
        {"a": Grid(), "b": Grid(batches=False)},
        Settings(tmp_path, resamples=20, progress=False),
    )
    both = run(tasks, model, dataset, settings)
    assert len(model.embedded) == 4
    assert [result.task for result in both] == ["a", "b"]
    run({**tasks, "points": load("task", "points")}, model, dataset, settings)
    assert len(model.embedded) == 8  # for the new task alone
    run({**tasks, "points": load("task", "points")}, model, dataset, settings)
    assert len(model.embedded) == 8


def test_each_dataset_takes_the_tasks_that_fit_and_the_others_are_told(tmp_path, capsys):
    class Pictures(type(load("dataset", "scenes"))):
        truths = (Instances,)

    tasks = {"points": load("task", "points"), "edges": load("task", "edges")}
    dataset = Pictures(images=1, width=64, height=64)
    assert list(_fitting(tasks, Local(Discs()), dataset, strict=False)) == ["points"]
    assert "task edges needs Boundaries" in capsys.readouterr().err
    with pytest.raises(UserError, match="needs Boundaries"):
        _fitting(tasks, Local(Discs()), dataset, strict=True)


class TestTiming:
    def test_decoding_and_the_rest_are_told_apart(self, clock):
        @dataclass(frozen=True)
        class Slow(Grid):
            def predict(self, model, embedding, sample):
                clock.now += 5.0
                return super().predict(model, embedding, sample)

        predictor = Predictor(Discs(batch=7, seconds=2.0, clock=clock))
        ((embedding, embedded),) = predictor.embed([SAMPLE.image])
        _, spent = predictor.predict(Slow(), embedding, SAMPLE)
        assert embedded() == {"embed": 2.0}
        assert spent == {"decode": 14.0, "post": 5.0}  # 49 points, 7 at a time

    def test_a_models_own_method_counts_as_decoding(self, clock):
        class Direct(Discs):
            def areas(self, image):
                clock.now += 1.0
                return self.predict((64, 64), PROMPTS, multimask=True)

        @dataclass(frozen=True)
        class Asks(Grid):
            direct: ClassVar[str] = "areas"

            def predict(self, model, embedding, sample):
                return model.direct(self.direct)(sample.image)

        model = Direct(seconds=2.0, clock=clock)
        _, spent = Predictor(model).predict(Asks(), None, SAMPLE)
        assert spent == {"decode": 3.0, "post": 0.0}  # not twice what is within it

    def test_what_failed_for_lack_of_memory_does_not_count(self, clock):
        task = Grid()
        predictor = Predictor(Discs(room=8, seconds=1.0, clock=clock))
        _, spent = predictor.predict(task, (64, 64), SAMPLE)
        assert spent == {"decode": 7.0, "post": 0.0}

    def test_warm_ups_are_left_out_and_a_shared_embedding_is_told_both_ways(self):
        def record(embed, decode, **more):
            return {"seconds": {"embed": embed, "decode": decode, "post": 0.0}, **more}

        warm = [record(0.4, 0.1, tasks=2) for _ in range(4)]
        first = record(9.0, 9.0, tasks=2, warmup=["embed", "decode", "post"])
        found = summarize([first, *warm])
        assert found["images"] == 4
        assert found["embed"] == {"median": 0.4, "p95": 0.4}
        assert found["images_per_second"] == pytest.approx(2.0)
        assert found["images_per_second_shared"] == pytest.approx(1 / 0.3)
        assert summarize([first])["embed"]["median"] == 9.0  # better than nothing

    def test_a_run_states_its_steps_memory_and_place(self, tmp_path):
        dataset = load("dataset", "scenes:images=3,width=64,height=64")
        runs = Local(Discs()).carry_out(
            {"a": Grid(), "b": Grid(batches=False)},
            dataset,
            Settings(tmp_path, resamples=20, progress=False),
        )
        assert {str(run.on_disk.path.relative_to(tmp_path).parent) for run in runs} == {
            "a/scenes-images=3-width=64-height=64",
            "b-batches=False/scenes-images=3-width=64-height=64",
        }  # fmt: skip
        (session,) = runs[0].records.index.sessions
        assert session["memory"]["host_rss"] > 10**7
        assert session["environment"]["packages"]["torch"]
        first, *others = runs[0].records.index.lines(dataset.ids)
        assert set(first["seconds"]) == {"read", "embed", "decode", "post", "score"}
        assert first["warmup"] == ["embed", "decode", "post", "score"]
        assert all("warmup" not in other for other in others)
        assert first["tasks"] == 2


PROMPTS = Prompts(points=np.full((1, 1, 2), 30.0), labels=np.ones((1, 1), dtype=int))


class Clock:
    """A clock that only moves when it is told to."""

    now = 0.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


class TestProgress:
    def test_a_log_file_gets_few_whole_lines(self, capsys):
        with Progress(1000, 0, clock=Clock()) as progress:
            for _ in range(1000):
                progress.update()
        lines = capsys.readouterr().err.splitlines()
        assert lines == ["1/1000 images", "1000/1000 images"]

    @pytest.mark.parametrize(
        ("total", "seconds", "shown"),
        [
            (1000, 0.5, [1, *range(21, 1000, 20), 1000]),  # every 10 s
            (20, 3.0, [*range(1, 20, 2), 20]),  # every 10 %
            (20, 0.125, [1, 9, 17, 20]),  # but not more than once a second
        ],
    )
    def test_lines_are_sparse(self, capsys, total, seconds, shown):
        clock = Clock()
        progress = Progress(total, 0, clock=clock)
        for _ in range(total):
            progress.update()
            clock.now += seconds
        lines = capsys.readouterr().err.splitlines()
        assert [int(line.partition("/")[0]) for line in lines] == shown

    def test_time_left_counts_only_this_session_and_no_warm_up(self):
        clock = Clock()
        progress = Progress(100, 90, show=False, clock=clock)
        clock.now += 60  # compiling, loading
        progress.update(failed=True)
        assert progress.line() == "91/100 images, 1 failed"
        for _ in range(4):
            clock.now += 2
            progress.update(failed=True)
        assert progress.line() == "95/100 images, 0.50 images/s, 10 s left, 5 failed"
        for _ in range(5):
            progress.update()
        assert progress.line() == "100/100 images, 1.12 images/s, 5 failed"

    def test_images_that_come_out_together_give_no_speed(self):
        clock = Clock()
        progress = Progress(2, 0, show=False, clock=clock)
        progress.update()
        clock.now += 0.004
        progress.update()
        assert progress.line() == "2/2 images"

    def test_a_terminal_has_one_line_from_the_start(self, monkeypatch):
        monkeypatch.setattr(sys, "stderr", Terminal())
        with Progress(4, 1, clock=Clock()) as progress:
            assert "1/4 images" in sys.stderr.getvalue()
            for _ in range(3):
                progress.update()
        drawn = sys.stderr.getvalue()
        assert drawn.rstrip("\n").count("\n") == 0
        assert "100%" in drawn.rpartition("\r")[2]
        assert "4/4 images" in drawn.rpartition("\r")[2]

    def test_a_notebook_redraws_too(self):
        class OutStream(io.StringIO):
            pass

        OutStream.__module__ = "ipykernel.iostream"
        assert [redraws(s) for s in (OutStream(), Terminal(), io.StringIO())] == [True, True, False]

    def test_compiling_is_announced_when_it_happens_and_once(self, capsys):
        first, second = numba.njit(lambda x: x + 1), numba.njit(lambda x: x + 2)
        with compiling_announced(show=True):
            assert capsys.readouterr().err == ""
            assert (first(1), second(1)) == (2, 3)
        assert capsys.readouterr().err == f"{COMPILING}\n"
        with compiling_announced(show=True):
            first(2)
        with compiling_announced(show=False):
            first(0.5)
        assert capsys.readouterr().err == ""

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(0.4, "0 s"), (59, "59 s"), (275, "4 min 35 s"), (7500, "2 h 5 min"), (90000, "1 d 1 h")],
    )
    def test_durations(self, seconds, text):
        assert duration(seconds) == text


def test_on_a_gpu_nothing_waits_until_someone_asks_for_the_seconds(monkeypatch):
    gpus, waited = FakeGpus(monkeypatch), []
    monkeypatch.setattr(FakeEvent, "synchronize", lambda event: waited.append(event.at))
    clock = timing.Clock("cuda:0")
    for step in ("a", "b", "a"):
        with clock.measure(step), clock.measure(step):
            pass
    seconds = clock.later()
    gpus.now += 100
    with clock.measure("b"):
        pass
    assert waited == []
    assert seconds() == {"a": 3.0, "b": 1.5}
    assert clock.take() == {"b": 1.5}
    assert len(waited) == 4


@pytest.mark.parametrize(("asked", "batches"), [(0, [3, 2]), (2, [2, 2, 1])])
def test_images_are_prepared_by_readers_and_embedded_as_many_as_the_model_likes(
    tmp_path, asked, batches
):
    class Prepares(Discs):
        image_batch = 3

        def prepare(self, image):
            assert threading.current_thread() is not threading.main_thread()
            return image[:, :, 0]

        def embed(self, images):
            assert all(image.ndim == 2 for image in images)
            seen.append(len(images))
            return [image.shape for image in images]

    seen = []
    dataset = load("dataset", "scenes:images=5,width=64,height=64")
    settings = Settings(tmp_path, resamples=20, progress=False, batch=asked)
    Local(Prepares()).carry_out({"a": Grid()}, dataset, settings)
    assert seen == batches
