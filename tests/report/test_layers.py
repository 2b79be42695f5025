"""What the image browser shows of regions and segments."""

import numpy as np

from sambench.masks.rle import decode
from sambench.report.pages.layers import prediction_scenes, truth_scene
from sambench.truths import Regions, Segments

LABELS = np.repeat([[0, 0, 1, 1]], 4, axis=0)


def test_regions_are_drawn_by_their_boundaries():
    edges = truth_scene(Regions((LABELS, LABELS * 0))).map
    assert edges.tolist() == [[0, 0.5, 0.5, 0]] * 4
    superpixels = prediction_scenes(LABELS.astype(np.int32))["Prediction"].map
    assert superpixels.tolist() == [[False, True, True, False]] * 4


def test_segments_are_drawn_as_masks_without_crowd_regions():
    flags = np.array([False, True])
    segments = Segments(LABELS + 1, np.array([3, 4]), ~flags, flags)
    for scene in (truth_scene(segments), prediction_scenes(segments)["Prediction"]):
        [mask] = decode(scene.masks)
        assert (mask == (LABELS == 0)).all()
