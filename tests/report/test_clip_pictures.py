"""Pictures over a clip's frames: what is written at once is what the general way draws."""

import numpy as np
import pytest
from PIL import Image

from sambench.masks.rle import encode
from sambench.report.pages.layers import (
    MOST_HUES,
    draw_outlines,
    draw_prediction,
    write_outlines,
    write_prediction,
)
from sambench.shown import Layer


def blobs(count, size=(48, 64)):
    """Discs that overlap, one that touches the border, one without a pixel."""
    rows, columns = np.indices(size)
    centres = np.random.default_rng(count).uniform((0, 0), size, (count, 2))
    radii = np.linspace(0, 12, count)[:, None, None]
    y, x = centres.T[..., None, None]
    return encode((rows - y) ** 2 + (columns - x) ** 2 < radii**2)


@pytest.mark.parametrize("size", [(48, 64), (36, 48)])
@pytest.mark.parametrize("count", [1, 2, 9])
def test_masks_written_at_once_are_those_that_are_drawn(tmp_path, count, size):
    layer = Layer(masks=blobs(count))
    for write, draw in ((write_outlines, draw_outlines), (write_prediction, draw_prediction)):
        write(layer.masks, size, tmp_path / "layer.png")
        written = np.asarray(Image.open(tmp_path / "layer.png").convert("RGBA"))
        drawn = draw(layer, size)
        assert (written[..., 3] == drawn[..., 3]).all()
        seen = drawn[..., 3] > 0
        assert seen.any() == (count > 1)
        assert (written[seen] == drawn[seen]).all()


def test_more_masks_than_colours_are_all_drawn(tmp_path):
    masks = blobs(MOST_HUES + 40)
    write_prediction(masks, (48, 64), tmp_path / "layer.png")
    written = np.asarray(Image.open(tmp_path / "layer.png").convert("RGBA"))
    assert (
        (written[..., 3] > 0) == (draw_prediction(Layer(masks=masks), (48, 64))[..., 3] > 0)
    ).all()
