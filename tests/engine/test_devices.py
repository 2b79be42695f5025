"""Where a model computes: a machine with GPUs, or a cluster of them, is pretended."""

import functools
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

import sambench
from sambench.cli import main
from sambench.commands import run as command
from sambench.engine import ray_cluster
from sambench.engine.models import load_model, own_device, wanted_device
from sambench.engine.ray_actor import Order, Worker
from sambench.engine.ray_cluster import OnRay
from sambench.engine.settings import Settings
from sambench.errors import UserError
from sambench.model import onnx
from sambench.model.minisam import MiniSam
from sambench.registry import load


@pytest.fixture
def gpus(monkeypatch):
    """A machine with four GPUs, on which nothing can be computed."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    for name in ("LOCAL_RANK", "SLURM_LOCALID"):
        monkeypatch.delenv(name, raising=False)


class TestAuto:
    @pytest.mark.parametrize(
        "words",
        [
            ["run", "--task=edges", "--model=canny", "--limit=1", "--resamples=0", "--workers=0"],
            ["check", "model", "canny", "--images=2"],
            ["check", "task", "edges", "--model=canny", "--images=2"],
        ],
        ids=lambda words: " ".join(words[:2]),
    )
    def test_a_model_of_the_cpu_runs_on_a_machine_with_gpus(self, gpus, tmp_path, capsys, words):
        output = [f"--output={tmp_path}"] if words[0] == "run" else []
        assert main([*words, *output]) == 0
        if words[0] == "run":
            assert "edges on mini: 1 of 10 images, on cpu\n" in capsys.readouterr().err

    def test_python_does_as_the_command_does(self, gpus, tmp_path):
        evaluate = functools.partial(
            sambench.evaluate, "edges", dataset="mini", limit=1, progress=False, resamples=0,
            output=tmp_path,
        )  # fmt: skip
        assert evaluate(model="canny").complete
        with pytest.raises(UserError, match=r"canny runs on the CPU only; give --device cpu"):
            evaluate(model="canny", device="cuda")
        canny = load("model", "canny")
        assert evaluate(model=canny, device="cpu").complete
        with pytest.raises(UserError, match="this canny is on cpu; leave out device"):
            evaluate(model=canny, device="cuda")

    @pytest.mark.parametrize(("providers", "best"), [((), "cpu"), ((onnx.GPU,), "cuda")])
    def test_onnxruntime_takes_the_gpu_only_if_it_can(
        self, gpus, monkeypatch, caplog, providers, best
    ):
        runtime = SimpleNamespace(get_available_providers=lambda: providers)
        monkeypatch.setattr(onnx, "require", lambda *names: runtime)
        assert onnx.Onnx.best_device() == best
        assert ("onnxruntime-gpu could" in caplog.text) == (best == "cpu")
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        assert onnx.Onnx.best_device() == "cpu"

    def test_a_models_own_option_goes_first(self, gpus, monkeypatch):
        assert wanted_device("minisam:device=cpu", "cuda") == "cpu"
        assert wanted_device("minisam:device=auto", "cpu") == "auto"
        assert wanted_device("minisam", "cuda:1") == "cuda:1"
        assert wanted_device("canny", "auto") == wanted_device("canny", "cpu") == "cpu"
        assert load_model("minisam:device=cpu", "auto").device == "cpu"


class TestProcesses:
    @pytest.mark.parametrize("variable", ["LOCAL_RANK", "SLURM_LOCALID"])
    @pytest.mark.parametrize("rank", range(4))
    def test_each_process_of_a_machine_has_a_gpu_of_its_own(
        self, gpus, monkeypatch, variable, rank
    ):
        monkeypatch.setenv(variable, str(rank))
        assert own_device(MiniSam, "auto") == own_device(MiniSam, "cuda") == f"cuda:{rank}"
        assert own_device(MiniSam, "cuda:2") == "cuda:2"
        assert own_device(MiniSam, "cpu") == "cpu"

    def test_a_process_that_is_shown_a_single_gpu_takes_that(self, gpus, monkeypatch):
        monkeypatch.setenv("LOCAL_RANK", "3")
        monkeypatch.setenv("SLURM_LOCALID", "1")
        assert own_device(MiniSam, "auto") == "cuda:3"
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        assert own_device(MiniSam, "auto") == "cuda:0"

    def test_a_single_process_takes_the_first(self, gpus):
        assert own_device(MiniSam, "auto") == "cuda"

    @pytest.mark.parametrize("words", ["minisam", "minisam:device=cuda", "minisam:device=auto"])
    def test_every_command_loads_models_there(self, gpus, monkeypatch, words):
        made = []
        monkeypatch.setenv("LOCAL_RANK", "2")
        monkeypatch.setattr(
            "sambench.engine.models.construct", lambda kind, name, options: made.append(options)
        )
        load_model(words, "auto")
        assert made == [{"device": "cuda:2"}]


class Ray:
    """A cluster with GPUs, whose driver has none; its actors work in this process."""

    exceptions = SimpleNamespace(RayActorError=SystemError, RayTaskError=ConnectionError)

    def __init__(self, gpus):
        self.gpus, self.rooms, self.orders, self.answers = gpus, [], [], {}

    def cluster_resources(self):
        return {"CPU": 8.0, **({"GPU": float(self.gpus)} if self.gpus else {})}

    def remote(self, **room):
        self.rooms.append(room)

        def hire(order):
            self.orders.append(order)
            worker = Worker(order)
            calls = {name: self._call(getattr(worker, name)) for name in ("begin", "work")}
            return SimpleNamespace(**calls)

        return lambda worker: SimpleNamespace(remote=hire)

    def _call(self, function):
        def remote(*arguments):
            reference = object()
            self.answers[reference] = function(*arguments)
            return reference

        return SimpleNamespace(remote=remote)

    def wait(self, references, num_returns, timeout):
        return references[:1], []

    def get(self, reference):
        return self.answers[reference]

    def kill(self, actor):
        pass


def engine(model="minisam", device="auto", gpus=None, actors=2):
    return OnRay(model, device, actors, gpus)


class TestRay:
    @pytest.mark.parametrize(
        ("there", "given", "shared"),
        [
            (4, {}, ("auto", 1)),  # the driver has none, and yet they are used
            (0, {}, ("cpu", 0)),
            (4, {"gpus": 0}, ("cpu", 0)),
            (4, {"gpus": 0.5}, ("auto", 0.5)),
            (4, {"device": "cpu"}, ("cpu", 0)),
            (4, {"device": "cuda"}, ("cuda", 1)),
            (4, {"device": "cuda:0"}, ("cuda:0", 1)),
            (4, {"device": "cuda", "gpus": 0}, ("cuda", 0)),
            (4, {"model": "minisam:device=cpu"}, ("auto", 0)),
            (4, {"model": "minisam:device=cuda"}, ("auto", 1)),
            (4, {"model": "canny"}, ("auto", 0)),
        ],
    )
    def test_actors_get_the_clusters_gpus_if_the_model_wants_them(self, there, given, shared):
        device, gpus = engine(**given).share(Ray(there))
        assert gpus == shared[1]
        wanted = wanted_device(engine(**given).model, device)
        assert wanted == wanted_device(engine(**given).model, shared[0])

    def test_more_actors_than_gpus_are_said_to_wait(self, caplog):
        engine(actors=8).share(Ray(4))
        assert "has 4 GPUs for 8 actors of 1 each" in caplog.text

    @pytest.mark.parametrize("given", [{"device": "cuda:1"}, {"model": "minisam:device=cuda:1"}])
    def test_a_gpu_by_its_number_is_refused(self, given):
        with pytest.raises(UserError, match=r"cuda:1 is a GPU of one machine.*give --device cuda"):
            engine(**given)

    def test_the_command_leaves_the_choice_to_the_cluster(self, gpus):
        arguments = SimpleNamespace(
            engine="ray", device="auto", gpus=None, actors=3, address="", patience=None
        )
        made = command._engine(arguments, "minisam")
        assert (made.device, made.gpus) == ("auto", None)
        assert made.place == "Ray: 3 actors"
        assert replace(made, actors=1).place == "Ray: 1 actor"

    def test_a_driver_without_a_gpu_asks_its_own_pytorch_for_nothing(
        self, monkeypatch, tmp_path, capsys, caplog
    ):
        def fails(*arguments):
            raise AssertionError("Torch not compiled with CUDA enabled")

        for name in ("max_memory_allocated", "max_memory_reserved", "reset_peak_memory_stats"):
            monkeypatch.setattr(torch.cuda, name, fails)
        cluster = Ray(2)
        monkeypatch.setattr(ray_cluster, "_connected", lambda engine, settings: cluster)
        settings = Settings(tmp_path, only=("astronaut",), resamples=0)
        made = OnRay("minisam", "auto", 1, None)
        [run] = made.carry_out(
            {"points": load("task", "points")}, load("dataset", "mini"), settings
        )
        assert cluster.rooms == [{"num_cpus": 1, "num_gpus": 1.0}]
        assert [order.device for order in cluster.orders] == ["auto"]
        [session] = run.records.index.sessions
        assert session["environment"]["device"] == "cpu"  # of the actor, which had no GPU either
        assert "the first actor is on cpu" in capsys.readouterr().err
        assert "holds 1 GPUs and does not use them; give --gpus 0" in caplog.text

    def test_an_actor_chooses_for_itself(self, gpus, monkeypatch):
        loaded = []
        monkeypatch.setattr(
            "sambench.engine.ray_actor.load_model",
            lambda spec, device: loaded.append(own_device(MiniSam, device)) or load("model", spec),
        )
        parts = __import__("pickle").dumps(
            ({"points": load("task", "points")}, load("dataset", "mini"))
        )
        Worker(Order("minisam", "auto", (), parts, Settings())).begin()
        assert loaded == ["cuda"]


def test_onnxruntime_says_which_gpus_there_are(gpus):
    with pytest.raises(UserError, match="no device cuda:7: PyTorch sees cuda:0 to cuda:3"):
        onnx._provider("cuda:7")
    assert onnx._provider("cuda:3") == (onnx.GPU, {"device_id": 3})


@pytest.mark.parametrize("falls_back", [True, False])
def test_plain_onnxruntime_is_told_from_one_that_fell_back(falls_back, tmp_path, monkeypatch):
    session = SimpleNamespace(get_providers=lambda: ["CPUExecutionProvider"])
    runtime = SimpleNamespace(
        SessionOptions=SimpleNamespace,
        get_available_providers=lambda: [onnx.GPU] if falls_back else ["CPUExecutionProvider"],
        InferenceSession=lambda *arguments, **named: session,
    )
    path = tmp_path / "a.onnx"
    path.touch()
    monkeypatch.setattr(onnx, "not_weights", lambda path: "")
    with pytest.raises(UserError, match="cannot use cuda; give --device cpu, or install"):
        onnx._session(runtime, path, "cuda", 0)
