"""Exported pairs: the bundled model through onnxruntime and TorchScript gives its own masks."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sambench.errors import UserError
from sambench.interfaces import ModelCard, Prompts
from sambench.model._framed import Inputs
from sambench.model._frames import Padded, Stretched
from sambench.model._pair import Pair, choose
from sambench.model.nn.sam import input_size, preprocess, to_input_pixels, upsampling
from sambench.model.onnx import _provider, _session
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
    broken.write_bytes(bytes(range(256)))
    with pytest.raises(UserError, match="cannot be loaded as TorchScript"):
        load("model", f"torchscript:encoder={broken},decoder={broken}")
    encoder = scripted / "encoder.pt"
    with pytest.raises(UserError, match="no input point_coords and point_labels"):
        load("model", f"torchscript:encoder={encoder},decoder={encoder}")


def test_onnx_files_that_are_none_are_refused_in_one_sentence(tmp_path):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(bytes(range(256)))
    with pytest.raises(UserError, match="cannot be loaded by onnxruntime"):
        load("model", f"onnx:encoder={broken},decoder={broken}")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"<html>log in</html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
    ],
)
@pytest.mark.parametrize("kind", ["onnx", "torchscript"])
def test_what_came_instead_of_an_export_is_named(tmp_path, kind, content, words):
    if kind == "onnx":
        pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    path = tmp_path / "encoder.bin"
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"encoder\.bin {words}"):
        load("model", f"{kind}:encoder={path},decoder={path}")


IMAGE_INPUT = ("image", "float", (1, 3, 64, 64))
FEATURES = ("image_embeddings", "float", (1, 3, 4, 4))
PROMPTS = {
    "image_embeddings": ("float", (1, 3, 4, 4)),
    "point_coords": ("float", ("b", "n", 2)),
    "point_labels": ("float", ("b", "n")),
}
ANSWERS = {"low_res_masks": ("float", ("b", 1, 4, 4)), "iou_predictions": ("float", ("b", 1))}


@pytest.fixture
def graphs(tmp_path):
    """Writes an encoder and a decoder of the inputs and outputs asked for; returns the spec."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    from onnx import helper

    def value(name, kind, shape):
        return helper.make_tensor_value_info(name, getattr(onnx.TensorProto, kind.upper()), shape)

    def cast(source, target, kind):
        to = getattr(onnx.TensorProto, kind.upper())
        return helper.make_node("Cast", [source], [target], to=to)

    def nothing(name, kind, shape):
        lengths = [length if isinstance(length, int) else 1 for length in shape]
        kind = getattr(onnx.TensorProto, kind.upper())
        zeros = helper.make_tensor(name, kind, lengths, [0] * int(np.prod(lengths)))
        return helper.make_node("Constant", [], [name], value=zeros)

    def write(name, nodes, inputs, outputs):
        given, made = [value(*one) for one in inputs], [value(*one) for one in outputs]
        graph = helper.make_graph(nodes, "tiny", given, made)
        opset = [helper.make_opsetid("", 17)]
        path = tmp_path / f"{name}.onnx"
        onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
        return f"{name}={path}"

    def make(image=IMAGE_INPUT, features=FEATURES, more=(), prompts=PROMPTS, answers=ANSWERS):
        given = [(name, *rest) for name, rest in prompts.items()]
        made = [(name, *rest) for name, rest in answers.items()]
        encoder = write("encoder", [nothing(*features)], [image, *more], [features])
        return f"onnx:{encoder},{write('decoder', [nothing(*one) for one in made], given, made)}"

    def summing(kind):
        """The mean colour plus the sum of a prompt's coordinates, in and out of one type."""
        image, features = ("image", kind, (1, 3, "h", 64)), ("image_embeddings", kind, (1, 3, 4, 4))
        size = {"kernel_shape": [16, 16], "strides": [16, 16]}
        pool = helper.make_node("AveragePool", ["x"], ["y"], **size)
        nodes = [cast("image", "x", "float"), pool, cast("y", features[0], kind)]
        encoder = write("encoder", nodes, [image], [features])
        nodes = [
            cast("image_embeddings", "x", "float"),
            cast("point_coords", "p", "float"),
            helper.make_node("Constant", [], ["axes"], value_ints=[1, 2]),
            helper.make_node("ReduceSum", ["p", "axes"], ["sum"], keepdims=1),
            helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1], keepdims=1),
            helper.make_node("Constant", [], ["last"], value_ints=[-1, 1, 1, 1]),
            helper.make_node("Reshape", ["sum", "last"], ["square"]),
            helper.make_node("Add", ["mean", "square"], ["logits"]),
            helper.make_node("Constant", [], ["flat"], value_ints=[-1, 1]),
            helper.make_node("Reshape", ["sum", "flat"], ["iou"]),
            cast("logits", "low_res_masks", kind),
            cast("iou", "iou_predictions", kind),
        ]
        given = [(name, kind, shape) for name, (_, shape) in PROMPTS.items()]
        given[-1] = ("point_labels", "int64", ("b", "n"))
        made = [(name, kind, shape) for name, (_, shape) in ANSWERS.items()]
        return f"onnx:{encoder},{write('decoder', nodes, given, made)}"

    make.summing = summing
    return make


@pytest.mark.parametrize("kind", ["float", "float16", "double"])
def test_onnx_files_of_any_float_type_are_served(graphs, kind):
    model = load("model", graphs.summing(kind))
    assert model.frame.side == 64
    assert model.card.precision == ("float16" if kind == "float16" else "float32")
    [embedding] = model.embed([IMAGE])
    masks = model.predict(
        embedding, Prompts(points=POINTS[:, :1], labels=LABELS[:, :1]), multimask=True
    )
    assert masks.logits.dtype == torch.float32
    # In a frame of 64 pixels for an image of 60 x 90: the sum of each prompt's coordinates.
    expected = POINTS[:, 0].sum(axis=1) * 64 / 90
    np.testing.assert_allclose(masks.iou[:, 0], expected, rtol=0.02)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"image": ("image", "uint8", (1, 3, 64, 64))},
            r"takes an image \(1, 3, 64, 64\) of uint8",
        ),
        ({"image": ("image", "float", (1, 64, 64, 3))}, r"\(1, 64, 64, 3\) of float, in another"),
        (
            {"image": ("image", "float", (1, "h", "w", 3))},
            r"\(1, any, any, 3\) of float, in another",
        ),
        ({"image": ("image", "float", (64, 64, 3))}, r"\(64, 64, 3\) of float, in another layout"),
        ({"image": ("image", "float", (4, 3, 64, 64))}, r"\(4, 3, 64, 64\) of float, in another"),
        ({"image": ("image", "float", (1, 1, 64, 64))}, r"\(1, 1, 64, 64\) of float, in another"),
        ({"image": ("image", "float", (1, 3, 48, 64))}, "which is not square"),
        (
            {"more": [("size", "int64", (2,))]},
            "has the inputs image, size; an encoder takes the image",
        ),
        (
            {"features": ("image_embeddings", "float", (1, 3, 8, 8))},
            "wants image_embeddings .*pair",
        ),
        (
            {"prompts": {**PROMPTS, "high_res_feats_0": ("float", (1, 3, 8, 8))}},
            "wants high_res_feats_0, the encoder gives image_embeddings",
        ),
        (
            {"prompts": {**PROMPTS, "point_coords": ("float", ("b", 2, 2))}},
            r"takes exactly 2 points a prompt \(point_coords\)",
        ),
        ({"prompts": {**PROMPTS, "point_coords": ("float", ("n", 2))}}, "takes point_coords"),
        ({"prompts": {**PROMPTS, "point_coords": ("int64", ("b", "n", 2))}}, "coords .* of int64"),
        ({"prompts": {**PROMPTS, "point_labels": ("float", ("n",))}}, "takes point_labels"),
        (
            {"prompts": {**PROMPTS, "mask_input": ("float", ("b", 1, 128, 128))}},
            r"takes mask_input \(any, 1, 128, 128\) of float, but it is given \(1, 1, 256, 256\)",
        ),
        (
            {"answers": {**ANSWERS, "low_res_masks": ("bool", ("b", 1, 4, 4))}},
            r"gives low_res_masks \(1, 1, 4, 4\) of bool; it must be of floats",
        ),
        ({"answers": {"masks": ANSWERS["low_res_masks"]}}, "gives masks; a decoder gives"),
    ],
)
def test_onnx_files_that_take_or_give_something_else_are_refused_at_load(graphs, changes, words):
    spec = graphs(**changes)
    with pytest.raises(UserError, match=words) as error:
        load("model", spec)
    assert ".onnx" in str(error.value)


class Scripted(torch.nn.Module):
    """Answers as it is told."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.kind = kind

    def forward(self, image_embeddings: torch.Tensor, point_coords: torch.Tensor,
                point_labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
        masks = point_coords.new_zeros(len(point_coords), 1, 4, 4) * self.weight
        iou = masks[:, :, 0, 0]
        return (iou, masks) if self.kind == "swapped" else (masks, iou)


class Pooled(torch.nn.Module):
    """An encoder with a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.avg_pool2d(image, 16) * self.weight


@pytest.fixture
def scripts(tmp_path):
    """Saves an encoder and a decoder; returns the spec."""

    def make(decoder="right", change=lambda module: module):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.jit.script(change(Pooled())).save(tmp_path / "encoder.pt")
            torch.jit.script(change(Scripted(decoder))).save(tmp_path / "decoder.pt")
        return f"torchscript:encoder={tmp_path}/encoder.pt,decoder={tmp_path}/decoder.pt,side=64"

    return make


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript_in_half_precision_is_served(scripts):
    model = load("model", scripts(change=lambda module: module.half()))
    [embedding] = model.embed([IMAGE])
    masks = model.predict(embedding, Prompts(points=POINTS, labels=LABELS), multimask=True)
    assert masks.logits.dtype == torch.float32
    assert masks.iou.shape == (2, 1)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript_of_another_make_is_refused(scripts, tmp_path):
    model = load("model", scripts("swapped"))
    [embedding] = model.embed([IMAGE])
    with pytest.raises(
        UserError, match=r"2 prompts with masks \(2, 1\) and predicted IoU \(2, 1, 4"
    ):
        model.predict(
            embedding, Prompts(points=POINTS[:, :1], labels=LABELS[:, :1]), multimask=True
        )

    def spoilt(module):
        module.weight.data.fill_(float("nan"))
        return module

    with pytest.raises(UserError, match=r"encoder\.pt: tensor weight holds NaN"):
        load("model", scripts(change=spoilt))
    torch.save(Pooled().state_dict(), tmp_path / "weights.pt")
    with pytest.raises(UserError, match="cannot be loaded as TorchScript"):
        load("model", f"torchscript:encoder={tmp_path}/weights.pt,decoder={tmp_path}/weights.pt")
    spec = scripts()
    with pytest.raises(
        UserError, match="takes image_embeddings, point_coords, point_labels; an enc"
    ):
        load("model", spec.replace("encoder.pt", "decoder.pt"))


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


def test_a_mask_alone_gets_a_padding_point_from_decoders_of_any_kind():
    masks, nothing = torch.zeros(2, 1, 8, 8), torch.zeros(2, 0, 2)
    alone, emptied = Inputs(masks=masks), Inputs(nothing, nothing[..., 0].long(), masks=masks)
    for pad in (True, False):
        for inputs in (alone, emptied):
            points, labels = inputs.as_points(pad=pad)
            assert (points.tolist(), labels.tolist()) == ([[[0, 0]]] * 2, [[-1]] * 2)


def test_a_mask_alone_is_answered_by_a_decoder_that_pads_itself():
    class Recorder(Pair):
        def __init__(self):
            self.card, self.given = ModelCard(name="recorder"), {}
            self.settle("sam2", ("point_coords", "point_labels", "mask_input", "high_res_feats_0"))

        def run_encoder(self, pixels):
            return {"high_res_feats_0": pixels}

        def run_decoder(self, inputs):
            self.given = inputs
            return torch.ones(len(inputs["point_coords"]), 1, 256, 256), torch.ones(2, 1)

    model = Recorder()
    asked = Prompts(masks=np.ones((2, 1, 256, 256), dtype=np.float32))
    answer = model.predict(model.embed([IMAGE])[0], asked, multimask=True)
    assert answer.logits.shape == (2, 1, 256, 256)
    assert model.given["point_labels"].tolist() == [[-1], [-1]]
    assert model.given["mask_input"].min() == 1


def test_the_padded_frame_is_that_of_sam():
    frame, size = Padded(), IMAGE.shape[:2]
    assert torch.equal(frame.pixels(IMAGE), preprocess(IMAGE))
    np.testing.assert_array_equal(frame.points(POINTS, size), to_input_pixels(POINTS, size))
    assert frame.resize((256, 256), size) == upsampling(input_size(*size), size, 256)


def test_the_stretched_frame_fills_the_square():
    frame = Stretched(64)
    assert frame.pixels(IMAGE).shape == (3, 64, 64)
    corners = np.array([[0.0, 0.0], [60.0, 90.0], [30.0, 45.0]])  # x, y in 60 x 90 pixels
    assert frame.points(corners, (90, 60)).tolist() == [[0, 0], [64, 64], [32, 32]]
    assert frame.resize((16, 16), (90, 60))(torch.ones(2, 16, 16)).shape == (2, 90, 60)


@pytest.mark.parametrize(
    ("device", "provider", "options"),
    [
        ("cpu", "CPUExecutionProvider", {}),
        ("cuda", "CUDAExecutionProvider", {"device_id": 0}),
        ("cuda:1", "CUDAExecutionProvider", {"device_id": 1}),
    ],
)
def test_onnxruntime_computes_on_the_gpu_that_is_named(
    monkeypatch, tmp_path, device, provider, options
):
    made = []

    class Runtime:
        SessionOptions = SimpleNamespace

        def get_available_providers(self):
            return ["CPUExecutionProvider", "CUDAExecutionProvider"]

        def InferenceSession(self, path, options, providers):  # noqa: N802 (onnxruntime's name)
            made.append(providers)
            return SimpleNamespace(get_providers=lambda: [providers[0][0], "CPUExecutionProvider"])

    path = tmp_path / "a.onnx"
    path.touch()
    monkeypatch.setattr("sambench.model.onnx.not_weights", lambda path: "")
    _session(Runtime(), path, device, 0)
    assert made == [[(provider, options)]]


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "mps"])
def test_onnxruntime_refuses_a_device_that_it_does_not_know(device):
    with pytest.raises(UserError, match="is unknown to onnxruntime"):
        _provider(device)
