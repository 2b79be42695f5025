"""Salient objects: the measures against py-sod-metrics and by hand, readers, and the whole task."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from PIL import Image

from sambench.checks.task import check_task
from sambench.cli import main
from sambench.masks import rle
from sambench.metrics import saliency
from sambench.registry import load
from sambench.truths import Instances

EXAMPLE = {
    "maxF": 0.6113403691151422, "meanF": 0.5022107348482866, "adaptiveF": 0.5332580017398012,
    "maxE": 0.6921673087085013, "meanE": 0.5485569382243696, "adaptiveE": 0.6190958126272638,
    "Smeasure": 0.5903141979587389, "MAE": 0.3180531773211568,
}  # fmt: skip
"""What py-sod-metrics 1.6.2 gives for the two maps of `example`."""


def example():
    y, x = np.mgrid[:24, :32]
    truth = (y - 10) ** 2 + (x - 18) ** 2 < 60
    first = (y * 7 + x * 13) % 200 * 0.5 + (abs(y - 11) < 8) * (abs(x - 17) < 9) * 120
    second = (x > 12) * 255
    return [(first.astype(np.uint8), truth), (second.astype(np.uint8), np.roll(truth, 3, 1))]


def values(records):
    return saliency.saliency_estimator(records)(np.ones(len(records)))


def record(levels, truth, ignore=None):
    return saliency.image_record(saliency.scaled(levels / np.float64(255)), truth, ignore)


def test_equals_py_sod_metrics():
    found = values([record(*pair) for pair in example()])
    assert found == pytest.approx(EXAMPLE, abs=1e-9)


def test_by_hand():
    truth = np.array([[True, True, False, False]])
    found = values([saliency.image_record(np.array([[1.0, 0.0, 1.0, 0.0]]), truth)])
    # Half of what is marked is right and half of the object is found, at all thresholds but 0,
    # where everything is marked: precision 1/2, recall 1.
    assert found["maxF"] == pytest.approx(1.3 * 0.5 / (0.3 * 0.5 + 1))
    assert found["adaptiveF"] == pytest.approx(0.5)
    assert found["MAE"] == 0.5


def test_a_perfect_map_is_perfect_and_its_inverse_is_not():
    truth = example()[0][1]
    right = values([saliency.image_record(truth * 1.0, truth)])
    wrong = values([saliency.image_record(~truth * 1.0, truth)])
    assert right["maxF"] == pytest.approx(1)
    assert right["adaptiveF"] == pytest.approx(1)
    assert right["Smeasure"] == pytest.approx(1)
    assert right["MAE"] == wrong["adaptiveF"] == 0
    assert wrong["MAE"] == 1
    assert wrong["Smeasure"] < 0.1


def test_eight_bit_levels_survive_single_precision():
    levels = np.arange(256, dtype=np.uint8)[None]
    stored = levels / np.float32(255)
    found = saliency.image_record(stored, np.ones((1, 256), dtype=bool))
    assert found["marked"] == list(range(1, 257))


def test_ignored_pixels_do_not_count():
    (levels, truth), _ = example()
    ignore = np.zeros_like(truth)
    ignore[:, :5] = True
    noisy = levels.copy()
    noisy[:, :5] = 77
    plain = saliency.image_record(levels / 255, truth, ignore)
    assert plain == saliency.image_record(noisy / 255, truth, ignore)
    assert plain["pixels"] == (~ignore).sum()


@settings(max_examples=40, deadline=None)
@given(arrays(np.uint8, (5, 7)), arrays(bool, (5, 7)))
def test_ranges_and_brute_force(levels, truth):
    found = saliency.image_record(levels / 255, truth)
    for place, threshold in ((0, 255), (100, 155), (255, 0)):
        marked = levels >= threshold
        assert found["marked"][place] == marked.sum()
        assert found["hits"][place] == (marked & truth).sum()
    assert -1e-9 <= found["s"] <= 1 + 1e-9
    numbers = values([found])
    assert all(-1e-9 <= v <= 1.03 for v in numbers.values())  # E divides by pixels - 1


def test_best_takes_the_centred_mask_and_soft_orders_them():
    size = 60, 80
    centre, corner = np.zeros((2, *size), dtype=bool)
    centre[20:40, 30:50] = True
    corner[:15, :20] = True
    rles, iou = rle.encode(np.stack([corner, centre])), np.array([0.95, 0.8])
    best = load("task", "foreground", fusion="best")._map(rles, iou, size)
    assert (best == centre).all()
    plain = load("task", "foreground", fusion="best", center=0.0, border=False)
    assert (plain._map(rles, iou, size) == corner).all()
    soft = load("task", "foreground")._map(rles, iou, size)
    assert soft[30, 40] == 1
    assert 0 < soft[5, 5] < 0.3
    assert soft[50, 70] == 0
    assert not load("task", "foreground")._map([], np.zeros(0), size).any()


def test_the_contract_is_kept():
    task, model = load("task", "foreground"), load("model", "center")
    report = check_task(task, model, load("dataset", "scenes", width=80, height=64))
    assert report.findings == ()


@pytest.fixture
def duts(tmp_path):
    base = tmp_path / "DUTS-TE"
    for folder in ("DUTS-TE-Image", "DUTS-TE-Mask"):
        (base / folder).mkdir(parents=True)
    grey = np.zeros((20, 30), dtype=np.uint8)
    grey[5:15, 10:20] = 255
    grey[5, 10], grey[6, 10] = 128, 129
    Image.fromarray(np.full((20, 30, 3), 90, dtype=np.uint8)).save(
        base / "DUTS-TE-Image" / "sun_a.jpg"
    )
    Image.fromarray(grey).save(base / "DUTS-TE-Mask" / "sun_a.png")
    return tmp_path


def test_duts_reads_what_is_brighter_than_half(duts):
    for root in (duts, duts / "DUTS-TE"):
        truth = load("dataset", "duts", root=str(root)).read_truth("sun_a", Instances)
        assert len(truth) == 1
        assert truth.mask(0).sum() == 99
        assert truth.mask(0)[6, 10]


def test_ecssd_reads_its_own_folders(duts):
    base = duts / "DUTS-TE"
    (base / "DUTS-TE-Image").rename(base / "images")
    (base / "DUTS-TE-Mask").rename(base / "ground_truth_mask")
    assert load("dataset", "ecssd", root=str(base)).ids == ("sun_a",)


def test_maps_made_elsewhere_are_scored(duts, tmp_path, capsys):
    folder = tmp_path / "maps"
    folder.mkdir()
    mask = Image.open(duts / "DUTS-TE" / "DUTS-TE-Mask" / "sun_a.png")
    Image.fromarray((np.asarray(mask) > 128).astype(np.uint8) * 255).save(folder / "sun_a.png")
    words = ["--task", "foreground", "--dataset", f"duts:root={duts}", "--predictions", str(folder)]
    assert main(["score", *words, "--output", str(tmp_path / "out"), "--json"]) == 0
    metrics = json.loads(capsys.readouterr().out)["metrics"]
    assert metrics["MAE"]["value"] == 0
    assert metrics["maxF"]["value"] == pytest.approx(1)
