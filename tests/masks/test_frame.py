"""SAM's square and the decoder's grid over it: against their definitions, pixel by pixel."""

import numpy as np
import pytest
import torch

from sambench.interfaces import Masks
from sambench.masks import frame
from sambench.masks.clicks import convolved_centre
from sambench.masks.stretched import box_of, from_square, stretch
from sambench.masks.upsampling import Upsampling


def touched_by(line, length, side):
    """Places of a line of `side` that interpolation from `length` places takes from, if set."""
    found = np.zeros(side, dtype=bool)
    for place in range(side):
        at = max((place + 0.5) * length / side - 0.5, 0)
        low = int(at)
        found[place] = line[low] or (at > low and low + 1 < length and line[low + 1])
    return found


@pytest.mark.parametrize("size", [(48, 64), (64, 30), (1500, 900)])
def test_a_dilated_mask_is_every_pixel_that_the_enlarged_one_touches(size):
    rng = np.random.default_rng(0)
    rows, columns = (rng.random(length) < 0.3 for length in size)
    inner = frame.inner_size(size)
    nearest = [
        line[(np.arange(to) * len(line) / to).astype(int)]
        for line, to in zip((rows, columns), inner, strict=True)
    ]
    mask = np.outer(rows, columns)
    assert (frame.enlarged(mask) == np.outer(*nearest)).all()
    back = [touched_by(n, len(n), side) for n, side in zip(nearest, size, strict=True)]
    assert (frame.dilated(mask) == np.outer(*back)).all()


def test_a_mask_that_is_dilated_grows_unless_the_scale_is_a_whole_number():
    mask = np.zeros((480, 640), dtype=bool)
    mask[101:111, 201:211] = True
    assert frame.dilated(mask).sum() == 11 * 11
    double = np.zeros((512, 512), dtype=bool)
    double[100:110, 200:210] = True
    assert (frame.dilated(double) == double).all()


def test_a_cell_is_the_objects_if_it_is_touched_or_held_by_half():
    mask = np.zeros((1024, 1024), dtype=bool)
    mask[0:8, 0:4] = True  # two cells
    mask[16:18, 16:18] = True  # one of the four pixels that are looked at in a cell
    nothing = np.zeros((256, 256), dtype=bool)
    touched, _ = frame.errors_on_grid(mask, nothing, touched=True)
    half, _ = frame.errors_on_grid(mask, nothing, touched=False)
    assert np.argwhere(half).tolist() == [[0, 0], [1, 0]]
    assert np.argwhere(touched).tolist() == [[0, 0], [1, 0], [4, 4]]


def test_a_cell_partly_in_the_image_may_be_extra_but_not_missed():
    mask = np.ones((1024, 1022), dtype=bool)
    nothing, everything = np.zeros((256, 256), dtype=bool), np.ones((256, 256), dtype=bool)
    missed, _ = frame.errors_on_grid(mask, nothing, touched=True)
    assert missed[:, :255].all()
    assert not missed[:, 255].any()
    _, extra = frame.errors_on_grid(~mask, everything, touched=True)
    assert extra.all()


def test_ignored_pixels_are_no_errors_on_the_grid():
    mask = np.zeros((1024, 1024), dtype=bool)
    mask[:8, :8] = True
    ignore = np.zeros_like(mask)
    ignore[:4] = True
    missed, _ = frame.errors_on_grid(mask, np.zeros((256, 256), bool), ignore, touched=True)
    assert np.argwhere(missed).tolist() == [[1, 0], [1, 1]]


def test_places_of_the_square_the_grid_and_the_image():
    size = (480, 640)
    assert frame.to_image(1024, 768, size) == (640, 480)
    assert frame.of_cell(100, 50, size) == (250, 125)
    assert frame.to_cell(250, 125, size) == (100, 50)
    cells = [(column, row) for column in range(0, 256, 7) for row in range(0, 192, 5)]
    for narrow in ((333, 500), (427, 640), size):
        assert [frame.to_cell(*frame.of_cell(*c, narrow), narrow) for c in cells] == cells
    assert frame.pixels_of_cell(size) == 6.25


@pytest.mark.parametrize("padded", [True, False])
def test_the_answer_on_the_grid_is_the_decoders_or_that_of_the_mask(padded):
    logits = torch.full((1, 1, 256, 256), -1.0)
    logits[0, 0, 10:20, 30:50] = 1
    size = (1024, 1024)
    resize = (
        Upsampling(size, (((256, 256), size),))
        if padded
        else lambda low: low.repeat_interleave(4, 1).repeat_interleave(4, 2)
    )
    found = frame.answer_on_grid(Masks(logits, torch.ones(1, 1), size, resize))
    assert (found[0] == (logits[0, 0] > 0).numpy()).all()


def convolved(region):
    """The cascade by its definition, in float64."""
    reached = np.pad(~region, 1, constant_values=True)
    distance = np.zeros(reached.shape)
    offsets = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if y or x]
    for step in range(max(reached.shape)):
        total = np.zeros(reached.shape)
        for y, x in offsets:
            total += np.exp(-np.hypot(y, x) / 0.35) * np.roll(reached, (y, x), (0, 1))
        new = ~reached & (total > 0)
        distance[new] = step - 0.35 * np.log(total[new])
        reached = reached | new
    return distance[1:-1, 1:-1]


def test_the_convolved_centre_is_the_maximum_of_the_cascade():
    rng = np.random.default_rng(3)
    for _ in range(20):
        region = rng.random((20, 24)) < 0.9
        distance = convolved(region)
        x, y = convolved_centre(region)
        assert distance[y, x] == pytest.approx(distance.max(), abs=1e-5)


def test_the_convolved_centre_counts_a_diagonal_as_long_as_a_side():
    diamond = np.add.outer(abs(np.arange(-20, 21)), abs(np.arange(-20, 41))) <= 20
    assert convolved_centre(diamond) == (20, 20)
    whole = np.ones((5, 9), dtype=bool)  # the border of the image is a boundary
    assert convolved_centre(whole)[1] == 2


def test_a_stretched_label_has_the_box_of_its_first_and_last_pixels():
    grey = np.zeros((512, 2048), dtype=np.uint8)
    grey[100:200, 1000:1200] = 255
    # Twice as high: bilinear interpolation, 128 and above is the object; half as wide.
    assert box_of(grey).tolist() == [1000, 100, 1198, 199.5]
    assert box_of(np.zeros((512, 2048), np.uint8)).tolist() == [0, 0, 2048, 512]


def test_logits_of_the_square_go_straight_to_the_image():
    logits = torch.randn(2, 1, 256, 256)
    answer = Masks(logits, torch.ones(2, 1), (1024, 1024), lambda low: low)
    full = torch.nn.functional.interpolate(logits, (300, 500), mode="bilinear")
    assert torch.equal(from_square(answer, (300, 500)).at_image_size(), full)


def test_stretching_cuts_fractions_off():
    image = np.zeros((512, 512, 3), dtype=np.uint8)
    image[:, 256:] = 255
    row = stretch(image)[0, 510:514, 0].tolist()
    assert row == [0, 63, 191, 255]
