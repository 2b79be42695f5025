"""Edges from masks: by hand, from files made elsewhere, and the benchmark's own example."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat
from scipy.ndimage import binary_erosion, sobel

from sambench.cli import main
from sambench.errors import UserError
from sambench.interfaces import Masks, Model, ModelCard, Sample
from sambench.metrics.edges.boundaries import edge_counts, thin
from sambench.metrics.edges.f_measure import boundary_scores
from sambench.metrics.edges.maps import edge_map, on_boundary
from sambench.metrics.edges.maps import sobel as torch_sobel
from sambench.registry import load
from sambench.truths import Boundaries


class Squares(Model):
    """Every point gives a square as one of its masks, and two empty ones."""

    def __init__(self, squares):
        self.card = ModelCard("squares")
        self.squares = torch.as_tensor(np.stack(squares)).float() * 20 - 10
        self.asked = []

    def embed(self, images):
        return [image.shape[:2] for image in images]

    def predict(self, embedding, prompts, *, multimask):
        assert multimask
        self.asked.append(prompts)
        logits = torch.full((len(prompts), 3, *embedding), -10.0)
        logits[:, 0] = self.squares[torch.arange(len(prompts)) % len(self.squares)]
        iou = torch.tensor([0.9, 0.5, 0.4]).repeat(len(prompts), 1)
        return Masks(logits, iou, embedding, lambda logits: logits)


@pytest.fixture
def square():
    mask = np.zeros((60, 80), dtype=bool)
    mask[15:45, 20:60] = True
    return mask


def drawn(mask):
    """The outline as an annotator draws it: one pixel wide."""
    return thin(mask & ~binary_erosion(mask))


def test_sobel_equals_scipy():
    maps = np.random.default_rng(0).random((2, 9, 12))
    expected = [np.hypot(sobel(m, 0, mode="nearest"), sobel(m, 1, mode="nearest")) for m in maps]
    assert np.allclose(torch_sobel(torch.as_tensor(maps)).numpy(), expected)


@pytest.mark.parametrize(
    ("boundary", "expected"),
    [
        ("inner", [0, 0, 0, 1, 0, 0, 1, 0, 0, 0]),
        ("outer", [0, 0, 1, 0, 0, 0, 0, 1, 0, 0]),
        ("both", [0, 0, 1, 1, 0, 0, 1, 1, 0, 0]),
        ("sobel", [0, 0, 1, 1, 0, 0, 1, 1, 0, 0]),
        ("all", [1] * 10),
    ],
)
def test_widths_of_the_boundary(boundary, expected):
    mask = torch.zeros(1, 10, 10, dtype=torch.bool)
    mask[:, 3:7, 3:7] = True
    assert on_boundary(mask, boundary)[0, 5].int().tolist() == expected


def test_the_border_of_the_image_is_no_edge():
    whole = torch.ones(1, 8, 8, dtype=torch.bool)
    for boundary in ("inner", "outer", "both", "sobel"):
        assert not on_boundary(whole, boundary).any()


def test_the_strongest_mask_counts_whatever_the_chunks():
    logits = torch.randn(6, 12, 15, generator=torch.Generator().manual_seed(0)) * 3
    whole = edge_map([logits], (12, 15), "sobel")
    parts = edge_map(logits.split(2), (12, 15), "sobel")
    assert torch.equal(whole, parts)
    assert not edge_map([], (12, 15), "sobel").any()


def test_a_grid_of_points_finds_the_outline():
    mask = np.zeros((240, 320), dtype=bool)  # pixels may match 3 apart: 0.0075 of the diagonal
    mask[60:180, 80:240] = True
    model, task = Squares([mask]), load("task", "edges")
    sample = Sample("one", np.zeros((240, 320, 3), np.uint8), Boundaries((drawn(mask),)))
    prediction = task.predict(model, (240, 320), sample)
    assert sum(len(prompts) for prompts in model.asked) == 256
    assert prediction.max() == 1.0
    record = task.score(prediction, sample.truth)
    scores = task.estimator([record])(np.ones(1))
    assert scores["ODS"] > 0.97


def test_a_model_may_find_edges_itself(square):
    class Detector(Squares):
        def boundaries(self, image):
            return drawn(square) * 7.0

    task, truth = load("task", "edges:suppression=none"), Boundaries((drawn(square),))
    sample = Sample("one", np.zeros((60, 80, 3), np.uint8), truth)
    record = task.score(task.predict(Detector([square]), None, sample), truth)
    assert task.estimator([record])(np.ones(1))["ODS"] == pytest.approx(1.0)


def test_a_saved_map_scores_as_the_map_itself(square, tmp_path):
    task = load("task", "edges")
    values = np.random.default_rng(0).random((60, 80, 3))
    sample = Sample("a.b", (values * 255).astype(np.uint8), Boundaries((drawn(square),)))

    class Detector(Squares):
        def boundaries(self, image):
            return values[:, :, 0]

    prediction = task.predict(Detector([square]), None, sample)
    task.save(prediction, tmp_path / "a.b")
    assert np.array_equal(task.load(tmp_path / "a.b"), prediction)


@pytest.mark.parametrize("ending", ["png8", "png16", "npy", "npy8", "mat"])
def test_maps_made_elsewhere_are_read(tmp_path, ending):
    task = load("task", "edges")
    steps = np.arange(6).reshape(2, 3) * 51
    if ending == "png8":
        Image.fromarray(steps.astype(np.uint8)).save(tmp_path / "x.png")
    elif ending == "png16":
        Image.fromarray((steps * 257).astype(np.uint16)).save(tmp_path / "x.png")
    elif ending == "mat":
        savemat(tmp_path / "x.mat", {"E": steps / 255})
    else:
        whole = steps.astype(np.uint8)
        np.save(tmp_path / "x.npy", whole if ending == "npy8" else (steps / 255))
    assert np.allclose(task.load(tmp_path / "x"), steps / 255, atol=1e-7)


def test_wrong_maps_are_named(tmp_path):
    task = load("task", "edges")
    with pytest.raises(UserError, match="there is none"):
        task.load(tmp_path / "x")
    np.save(tmp_path / "x.npy", np.full((3, 3), 1.5))
    with pytest.raises(UserError, match=r"x\.npy has values up to 1.5, outside"):
        task.load(tmp_path / "x")
    Image.new("RGB", (3, 3), (9, 8, 7)).save(tmp_path / "x.png")
    with pytest.raises(UserError, match="there is several"):
        task.load(tmp_path / "x")
    (tmp_path / "x.npy").unlink()
    with pytest.raises(UserError, match=r"x\.png has 3 channels"):
        task.load(tmp_path / "x")
    (tmp_path / "x.png").unlink()
    np.save(tmp_path / "x.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(UserError, match="is not a NumPy array"):
        task.load(tmp_path / "x")


def test_the_benchmarks_own_example_by_the_command_line(shared, tmp_path, capsys):
    """Maps scored without a model or torch, as they are."""
    bench = shared / "reference/bsds_bench_5"
    for kind in ("images", "groundTruth"):
        (tmp_path / "data" / kind).mkdir(parents=True)
        (tmp_path / "data" / kind / "test").symlink_to(bench / kind)
    words = ["score", "--task", "edges", "--dataset", f"bsds500:root={tmp_path}/data",
             "--predictions", str(bench / "png"), "--output", str(tmp_path / "runs"), "--json",
             "--workers", "0"]  # fmt: skip
    assert main(words) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["images"] == 5
    assert result["protocol"]["task"]["suppression"] == "none"
    dataset = load("dataset", f"bsds500:root={tmp_path}/data")
    counts = [
        edge_counts(
            np.asarray(Image.open(bench / f"png/{id}.png")) / np.float32(255),
            dataset.read_truth(id, Boundaries).annotators,
        )
        for id in dataset.ids
    ]
    expected = boundary_scores(np.array(counts))
    assert result["metrics"]["ODS"]["value"] == expected.ods
    assert result["metrics"]["OIS"]["value"] == expected.ois
    assert result["metrics"]["AP"]["value"] == expected.ap
