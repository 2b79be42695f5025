"""The bundled SAM: the reference implementation's numbers, for every kind of prompt."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data

from sambench.errors import UserError
from sambench.interfaces import Prompts
from sambench.model.nn import transformer
from sambench.model.nn.image_encoder import ImageEncoder
from sambench.model.nn.sam import input_size, preprocess, upsampling
from sambench.registry import load

PHOTOGRAPHS = ("astronaut", "coffee", "chelsea")
KINDS = ("point", "point_single", "box_single", "box_multi", "point_neg_box", "point_mask")


@pytest.fixture(scope="module")
def embeddings(minisam):
    """The three photographs, embedded once."""
    images = [getattr(data, name)() for name in PHOTOGRAPHS]
    return dict(zip(PHOTOGRAPHS, minisam.embed(images), strict=True))


@pytest.fixture(scope="module")
def reference():
    """The reference's numbers, thinned out."""
    return np.load(
        Path(__file__).resolve().parents[1] / "fixtures/sam/minisam.npz", allow_pickle=False
    )


def answer(model, embedding, prompts, kind):
    """Masks for a kind of prompt on one photograph; prompts has point, neg and box."""
    point, box = np.array([[prompts["point"]]]), np.array([prompts["box"]])
    both, one = np.array([[prompts["point"], prompts["neg"]]]), np.ones((1, 1), int)
    if kind == "point_mask":
        mask = answer(model, embedding, prompts, "point").most_confident().logits
        given = Prompts(points=point, labels=one, masks=mask)
    else:
        given = {
            "point": Prompts(points=point, labels=one),
            "point_single": Prompts(points=point, labels=one),
            "box_single": Prompts(boxes=box),
            "box_multi": Prompts(boxes=box),
            "point_neg_box": Prompts(points=both, labels=np.array([[1, 0]]), boxes=box),
        }[kind]
    return model.predict(embedding, given, multimask=kind in ("point", "box_multi"))


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_embeddings_equal_the_reference(embeddings, reference, name):
    features = embeddings[name].features
    assert features.shape == (1, 256, 64, 64)
    assert features.dtype == torch.float32
    sample = features[0, :, 4::8, 4::8].numpy()
    np.testing.assert_allclose(sample, reference[f"{name}.embedding"], atol=4e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_masks_equal_the_reference(minisam, embeddings, reference, name, kind):
    prompts = {part: reference[f"{name}.prompt.{part}"] for part in ("point", "neg", "box")}
    found = answer(minisam, embeddings[name], prompts, kind)
    expected = {part: reference[f"{name}.{kind}.{part}"] for part in ("iou", "logits", "low")}
    np.testing.assert_allclose(found.iou[0], expected["iou"], atol=1e-5)
    # The reference's logits are stored as float16: half a unit in the last place is 2 ** -11.
    sample = found.logits[0, :, 2::16, 2::16]
    np.testing.assert_allclose(sample, expected["logits"], rtol=2**-11, atol=5e-4)
    low = np.unpackbits(expected["low"], axis=-1).astype(bool)
    assert ((found.logits[0] > 0).numpy() != low).sum() <= 2
    pixels = found.binary()[0].sum((1, 2))
    assert np.abs(pixels.astype(int) - reference[f"{name}.{kind}.pixels"].astype(int)).max() <= 5


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_full_masks_equal_the_reference(minisam, embeddings, shared, name):
    stored = np.load(shared / f"reference/minisam/{name}.npz", allow_pickle=False)
    prompts = json.loads(str(stored["prompts"]))
    for kind in KINDS:
        found = answer(minisam, embeddings[name], prompts, kind).binary()[0]
        masks = np.unpackbits(stored[f"{kind}.masks"], axis=-1, count=found.shape[-1])
        assert (found != masks.astype(bool)).sum() <= 5, kind


def mixed(count, kinds):
    """Prompts of these kinds in an image of 512 x 512."""
    random = np.random.default_rng(0)
    corner = random.uniform(0, 250, (count, 2))
    parts = {
        "points": random.uniform(0, 512, (count, 3, 2)),
        "labels": np.tile([1, 0, 1], (count, 1)),
        "boxes": np.concatenate([corner, corner + random.uniform(20, 250, (count, 2))], axis=1),
        "masks": random.normal(0, 5, (count, 1, 256, 256)).astype(np.float32),
    }
    return Prompts(**{kind: parts[kind] for kind in kinds})


@pytest.mark.parametrize(
    "kinds", [("points", "labels"), ("boxes",), ("masks",), ("points", "labels", "boxes", "masks")]
)
def test_results_do_not_depend_on_the_batch(minisam, embeddings, monkeypatch, kinds):
    prompts = mixed(5, kinds)
    together = minisam.predict(embeddings["astronaut"], prompts, multimask=True)
    monkeypatch.setattr(minisam, "chunk", 1)
    for i in range(5):
        alone = minisam.predict(embeddings["astronaut"], prompts[i : i + 1], multimask=True)
        torch.testing.assert_close(alone.logits[0], together.logits[i], atol=1e-3, rtol=0)
        torch.testing.assert_close(alone.iou[0], together.iou[i], atol=1e-5, rtol=0)
    monkeypatch.setattr(minisam, "chunk", 5)
    large = minisam.predict(embeddings["astronaut"], prompts, multimask=True)
    torch.testing.assert_close(large.logits, together.logits, atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    "kinds", [("points", "labels"), ("masks",), ("points", "labels", "boxes", "masks")]
)
def test_projecting_tokens_or_the_image_gives_the_same(minisam, embeddings, monkeypatch, kinds):
    prompts = mixed(3, kinds)
    few = minisam.predict(embeddings["astronaut"], prompts, multimask=False)
    monkeypatch.setattr(transformer, "ABSORBED_TOKENS", 0)
    many = minisam.predict(embeddings["astronaut"], prompts, multimask=False)
    torch.testing.assert_close(few.logits, many.logits, atol=1e-3, rtol=0)
    torch.testing.assert_close(few.iou, many.iou, atol=1e-5, rtol=0)


def test_padding_points_change_no_answer(minisam, embeddings):
    """A batch of unequal numbers of points, some of them not at the front, as each prompt alone."""
    points = np.random.default_rng(1).uniform(50, 450, (4, 3, 2))
    labels = np.array([[1, -1, -1], [1, 0, 1], [-1, 1, 0], [-1, -1, -1]])
    boxes = np.tile([[100.0, 50.0, 400.0, 500.0]], (4, 1))
    prompts = Prompts(points=points, labels=labels, boxes=boxes)
    together = minisam.predict(embeddings["astronaut"], prompts, multimask=False)
    for i, real in enumerate(labels != -1):
        alone = Prompts(boxes=boxes[:1])
        if real.any():
            alone = Prompts(points[i : i + 1, real], labels[i : i + 1, real], boxes[:1])
        found = minisam.predict(embeddings["astronaut"], alone, multimask=False)
        torch.testing.assert_close(found.logits[0], together.logits[i], atol=1e-3, rtol=0)


@pytest.mark.parametrize("kinds", [("points", "labels"), ("masks",)])
def test_only_prompts_without_a_promising_mask_are_left_out(minisam, embeddings, kinds):
    """Chunks of two, of which both, one or none is decoded."""
    prompts = mixed(7, kinds)
    every = minisam.predict(embeddings["astronaut"], prompts, multimask=True)
    best = every.iou.amax(dim=1)
    for least in sorted(best.tolist()):
        some = minisam.predict_above(embeddings["astronaut"], prompts, least, multimask=True)
        left = best > least
        torch.testing.assert_close(some.iou, every.iou, atol=1e-5, rtol=0)
        torch.testing.assert_close(some.logits[left], every.logits[left], atol=1e-3, rtol=0)
        assert not some.logits[~left].any()


def test_an_image_leaves_no_trace_in_the_next(minisam, embeddings):
    prompts = mixed(1, ("points", "labels"))
    before = minisam.predict(embeddings["astronaut"], prompts, multimask=True).logits
    minisam.predict(embeddings["coffee"], prompts, multimask=True)
    after = minisam.predict(embeddings["astronaut"], prompts, multimask=True).logits
    assert torch.equal(before, after)


def test_no_prompts_give_no_masks(minisam, embeddings):
    found = minisam.predict(embeddings["coffee"], Prompts(boxes=np.zeros((0, 4))), multimask=True)
    assert found.logits.shape == (0, 3, 256, 256)
    assert found.binary().shape == (0, 3, 400, 600)


def test_half_precision_moves_masks_only_a_little(embeddings):
    from sambench.model.minisam import MiniSam

    half, prompts = MiniSam(precision="bfloat16"), mixed(2, ("points", "labels"))
    features = half.embed([data.astronaut()])[0].features
    assert features.dtype == torch.float32
    assert (features - embeddings["astronaut"].features).abs().mean() < 2e-3
    packed = half.pack(embeddings["astronaut"])  # each model prepares the features for itself
    found, exact = (
        model.predict(model.unpack(packed), prompts, multimask=True) for model in (half, MiniSam())
    )
    assert found.logits.dtype == torch.float32
    assert half.card.precision == "bfloat16"
    assert not torch.equal(found.logits, exact.logits)
    assert ((found.logits > 0) != (exact.logits > 0)).float().mean() < 0.02
    torch.testing.assert_close(found.iou, exact.iou, atol=0.03, rtol=0)


def test_a_compiler_takes_encoder_and_decoder_in_one_piece(embeddings, monkeypatch):
    """What a GPU is given, traced: a break in the graph would be an error."""
    way = partial(torch.compile, backend="aot_eager", fullgraph=True)
    monkeypatch.setattr(torch, "compile", way)
    compiled, plain = (load("model", f"minisam:compiled={on}") for on in ("true", "false"))
    assert compiled.card.precision == "float32, compiled"
    prompts, packed = mixed(3, ("points", "labels")), plain.pack(embeddings["coffee"])
    found, expected = (
        model.predict(model.unpack(packed), prompts, multimask=True) for model in (compiled, plain)
    )
    torch.testing.assert_close(found.logits, expected.logits, atol=1e-3, rtol=0)

    encoder = ImageEncoder(32, 2, 2, global_blocks=(1,), window=3, image_size=128).eval()
    image = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = encoder(image)
        encoder.compile()
        torch.testing.assert_close(encoder(image), expected, atol=1e-5, rtol=0)


def test_the_card_says_what_the_model_is(minisam):
    card = minisam.card
    assert card.name == "minisam"
    assert card.weights_sha256.startswith("e6150f38")
    assert card.parameters == 10_130_092
    assert card.licence == "MIT"
    assert "MobileSAM" not in card.citation


@pytest.mark.parametrize(
    "size", [(512, 512), (300, 451), (1365, 2048), (1024, 7), (33, 1500), (1023, 1024)]
)
def test_upsampling_without_the_padding_changes_no_bit(size):
    logits = torch.randn(3, 256, 256, generator=torch.Generator().manual_seed(0))
    inner = input_size(*size)
    full = torch.nn.functional.interpolate(logits[:, None], (1024, 1024), mode="bilinear")
    cut = full[..., : inner[0], : inner[1]]
    expected = torch.nn.functional.interpolate(cut, size, mode="bilinear")[:, 0]
    assert torch.equal(upsampling(inner, size, 256)(logits), expected)


def test_an_image_is_padded_after_normalising():
    image = np.full((100, 200, 3), 124, np.uint8)
    pixels = preprocess(image)
    assert pixels.shape == (3, 1024, 1024)
    assert torch.allclose(pixels[0, :512], torch.tensor((124 - 123.675) / 58.395))
    assert (pixels[:, 512:] == 0).all()


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((8, 8), np.uint8), r"\(8, 8\)"),
        (np.zeros((8, 8, 4), np.uint8), r"\(8, 8, 4\)"),
        (np.zeros((8, 8, 3), np.float32), "float32"),
        (np.zeros((0, 8, 3), np.uint8), r"\(0, 8, 3\)"),
        (np.zeros((2, 5000, 3), np.uint8), "too narrow"),
    ],
)
def test_what_is_no_image_is_refused(minisam, image, words):
    with pytest.raises(UserError, match=words):
        minisam.embed([image])


@pytest.mark.parametrize(
    ("prompts", "words"),
    [
        (Prompts(texts=("cat",)), "texts"),
        (Prompts(boxes=np.zeros((2, 3))), "boxes"),
        (Prompts(boxes=np.array([[0, 0, np.nan, 1]])), "finite"),
        (Prompts(points=np.zeros((1, 2, 2)), labels=np.ones((1, 1), int)), "one label"),
        (Prompts(points=np.zeros((1, 1, 2)), labels=np.array([[7]])), "labels are"),
        (Prompts(masks=np.zeros((1, 1, 64, 64))), "256"),
    ],
)
def test_what_is_no_prompt_is_refused(minisam, embeddings, prompts, words):
    with pytest.raises(UserError, match=words):
        minisam.predict(embeddings["coffee"], prompts, multimask=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"precision": "float8"}, "did you mean"),
        ({"precision": "tf32"}, "CUDA"),
        ({"device": "gpu"}, "unknown to PyTorch"),
    ],
)
def test_what_is_not_to_be_had_is_refused(options, words):
    from sambench.model.minisam import MiniSam

    with pytest.raises(UserError, match=words):
        MiniSam(**options)


def test_process_wide_switches_are_restored(minisam, embeddings):
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        minisam.predict(embeddings["coffee"], mixed(1, ("boxes",)), multimask=False)
        assert torch.get_float32_matmul_precision() == "high"
        assert torch.is_grad_enabled()
    finally:
        torch.set_float32_matmul_precision(before)
