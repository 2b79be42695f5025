"""Non-maximum suppression: known ridges, and maps that the original toolbox's steps produced."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter, sobel

from sambench.errors import UserError
from sambench.metrics.edges.nms import (
    canny_nms,
    orientation,
    ridge_normal,
    structured_nms,
    triangle_filter,
)

SHARED = Path(__file__).resolve().parents[4] / "shared"
EDGES = SHARED / "reference" / "edges"
IMAGES = SHARED / "data" / "bsds500" / "images" / "val"
LUMA = np.array([0.2125, 0.7154, 0.0721])

ANGLES = np.deg2rad([0, 20, 45, 70, 89, 110, 135, 160])


def ridge(angle: float, size: int = 41, width: float = 2.5) -> np.ndarray:
    """A straight ridge through the centre whose normal has the angle."""
    y, x = np.mgrid[:size, :size] - size // 2
    return np.exp(-((x * np.cos(angle) + y * np.sin(angle)) ** 2) / (2 * width**2))


SUPPRESSIONS = [structured_nms, canny_nms, partial(canny_nms, neighbours="interpolated")]


@pytest.mark.parametrize("suppress", SUPPRESSIONS)
@pytest.mark.parametrize("angle", ANGLES)
def test_a_ridge_becomes_a_thin_line_on_its_crest(suppress, angle):
    edge_map = ridge(angle)
    kept = suppress(edge_map)[8:-8, 8:-8] > 0
    crest = edge_map[8:-8, 8:-8]
    assert crest[kept].min() > 0.9
    across = kept.sum(axis=1 if abs(np.cos(angle)) > np.sin(angle) else 0)
    assert across.min() >= 1
    assert across.max() <= 3
    assert (suppress(edge_map)[8:-8, 8:-8][kept] == crest[kept]).all()


@pytest.mark.parametrize("angle", ANGLES)
def test_ridge_normal_is_the_normal(angle):
    found = ridge_normal(ridge(angle, width=4))[20, 20]
    apart = abs(found - angle) % np.pi
    assert min(apart, np.pi - apart) < 0.02


@pytest.mark.parametrize("angle", ANGLES)
def test_orientation_is_near_the_normal(angle):
    found = orientation(ridge(angle, width=4))[20, 20]
    apart = abs(found - np.arctan(np.tan(angle) * abs(np.tan(angle)))) % np.pi
    assert min(apart, np.pi - apart) < 0.02


def test_the_border_fades_out():
    flat = np.ones((30, 40))
    kept = structured_nms(flat, np.zeros((30, 40)))
    assert kept[15].tolist() == [0, 0.2, 0.4, 0.6, 0.8, *[1] * 30, 0.8, 0.6, 0.4, 0.2, 0]
    assert kept[0].sum() == 0


def test_a_flat_top_keeps_one_pixel_with_canny_and_all_with_the_multiplier():
    edge_map = np.zeros((20, 20))
    edge_map[:, 9:11] = 0.5
    normal = np.zeros((20, 20))
    assert (canny_nms(edge_map, normal) > 0).sum(axis=1).tolist() == [1] * 20
    assert (structured_nms(edge_map, normal, border=0) > 0).sum(axis=1).tolist() == [2] * 20


def test_triangle_filter_keeps_constants_and_sums_to_one():
    assert triangle_filter(np.full((12, 9), 3.0), 4) == pytest.approx(3)
    impulse = np.zeros((21, 21))
    impulse[10, 10] = 1
    row = np.array([0, 1, 2, 3, 4, 5, 4, 3, 2, 1, 0]) / 25
    assert triangle_filter(impulse, 4)[5:16, 5:16] == pytest.approx(np.outer(row, row))


@pytest.mark.skipif(
    not (EDGES.is_dir() and IMAGES.is_dir()),
    reason="the reference maps are not beside the checkout",
)
def test_reference_maps_are_met():
    """Maps of Gaussian, Sobel, a triangle of radius 1 and the toolbox's suppression, in 8 bits."""
    for path in sorted(EDGES.glob("*.png")):
        gray = np.asarray(Image.open(IMAGES / f"{path.stem}.jpg")) @ LUMA
        smooth = gaussian_filter(gray, 1.5)
        magnitude = np.hypot(sobel(smooth, 0), sobel(smooth, 1))
        ours = structured_nms(triangle_filter(magnitude / magnitude.max(), 1))
        assert np.mean(np.rint(255 * ours) == np.asarray(Image.open(path))) > 0.9995


def test_what_is_no_map_is_refused():
    for bad in (np.zeros((3, 4, 5)), np.zeros((1, 9)), np.full((4, 4), np.nan)):
        with pytest.raises(UserError, match=r"\(H, W\)"):
            structured_nms(bad)
    with pytest.raises(UserError, match="'four' or 'interpolated'"):
        canny_nms(np.zeros((4, 4)), neighbours="eight")
