"""What the image browser shows of regions and segments."""

import numpy as np

from sambench.masks.rle import decode
from sambench.registry import load
from sambench.truths import Regions, Segments

LABELS = np.repeat([[0, 0, 1, 1]], 4, axis=0)


def test_regions_are_drawn_by_their_boundaries():
    edges = Regions((LABELS, LABELS * 0)).layer().map
    assert edges.tolist() == [[0, 0.5, 0.5, 0]] * 4
    superpixels = load("task", "superpixels").layers(LABELS.astype(np.int32))["Prediction"].map
    assert superpixels.tolist() == [[False, True, True, False]] * 4


def test_segments_are_drawn_as_masks_without_crowd_regions():
    flags = np.array([False, True])
    segments = Segments(LABELS + 1, np.array([3, 4]), ~flags, flags)
    for layer in (segments.layer(), load("task", "panoptic").layers(segments)["Prediction"]):
        [mask] = decode(layer.masks)
        assert (mask == (LABELS == 0)).all()
