"""Baselines: a floor for every table, a ceiling, and no more than they say they are."""

import numpy as np
import pytest

from sambench.engine.evaluation import evaluate
from sambench.errors import UserError
from sambench.interfaces import Prompts
from sambench.masks.rle import decode
from sambench.metrics.iou import iou
from sambench.registry import load
from sambench.truths import Boundaries, Instances

SIZE = (60, 80)


def square():
    """A red square on grey, its mask and its box."""
    mask = np.zeros(SIZE, bool)
    mask[20:40, 30:60] = True
    image = np.full((*SIZE, 3), 90, np.uint8)
    image[mask] = (200, 30, 30)
    return image, mask, np.array([[30.0, 20.0, 60.0, 40.0]])


def answer(name, prompts, image):
    model = load("model", name)
    [embedding] = model.embed([image])
    found = model.predict(embedding, prompts, multimask=True)
    assert found.iou.shape == found.logits.shape[:2]
    return found.binary()[:, 0]


def click(x, y, label=1):
    return Prompts(points=np.array([[[x, y]]], float), labels=np.array([[label]]))


def test_the_box_is_its_own_mask():
    image, mask, box = square()
    assert np.array_equal(answer("box_mask", Prompts(boxes=box), image)[0], mask)


def test_the_whole_image_is_every_pixel():
    image, _, box = square()
    assert answer("whole_image", Prompts(boxes=box), image).all()


@pytest.mark.parametrize("name", ["flood_fill", "felzenszwalb:sigma=0.1,min_size=20"])
def test_a_click_finds_the_region_of_its_colour(name):
    image, mask, _ = square()
    assert iou(mask[None], answer(name, click(45, 30), image))[0] > 0.95
    outside = answer(name, click(3, 3), image)[0]
    assert not (outside & mask).any()


def test_superpixels_hold_their_click_and_leave_out_the_background_click():
    image, _, _ = square()
    assert answer("superpixel", click(45, 30), image)[0][30, 45]
    both = Prompts(points=np.array([[[45, 30], [46, 30]]], float), labels=np.array([[1, 0]]))
    assert not answer("superpixel:segments=4", both, image)[0][30, 46]


def test_grabcut_finds_the_object_in_a_wide_box_and_repeats_itself():
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    image, mask, box = square()
    wide = Prompts(boxes=box + np.array([[-12, -10, 12, 10]]))
    first, second = (answer("grabcut", wide, image) for _ in range(2))
    assert iou(mask[None], first)[0] > 0.9
    assert np.array_equal(first, second)


@pytest.mark.parametrize("name", ["felzenszwalb", "selective_search:min_size=20", "box_grid"])
def test_proposals_hold_the_object_once_each_in_falling_order(name):
    image, mask, _ = square()
    rles, scores = load("model", name).propose(image)
    masks = decode(rles)
    assert (np.diff(scores) < 0).all()
    assert len({rle["counts"] for rle in rles}) == len(rles)
    least = {"box_grid": 0.5}.get(name, 0.9)
    assert iou(np.broadcast_to(mask, masks.shape), masks).max() > least


@pytest.mark.parametrize("name", ["sobel", "canny", "felzenszwalb"])
def test_edges_lie_on_the_outline(name):
    image, mask, _ = square()
    edges = load("model", name).boundaries(image)
    assert edges.shape == SIZE
    assert edges.dtype == np.float32
    assert edges.min() >= 0
    assert edges.max() <= 1
    from scipy.ndimage import binary_dilation, binary_erosion

    near = binary_dilation(mask, iterations=4) & ~binary_erosion(mask, iterations=4)
    assert edges[near].max() > 0.3
    assert edges[~near].max() < 0.2 * edges[near].max()


def test_the_oracle_reaches_the_top_and_beats_the_floor(tmp_path):
    settings = {"dataset": "mini", "limit": 2, "progress": False, "output": tmp_path}
    options = "points:points=1"
    best = evaluate(options, model="oracle:dataset=mini", **settings).metrics
    floor = evaluate(options, model="superpixel", **settings).metrics
    assert best["mIoU_oracle"].value > 0.95
    assert best["mIoU"].value > floor["mIoU"].value + 0.2


def test_the_oracle_knows_masks_boxes_and_boundaries():
    dataset = load("dataset", "mini")
    name = dataset.ids[1]
    image, truth = dataset.read_image(name), dataset.read_truth(name, Instances)
    oracle = load("model", "oracle:dataset=mini")
    [embedding] = oracle.embed([image])
    found = oracle.predict(embedding, Prompts(boxes=truth.boxes), multimask=False).binary()[:, 0]
    assert iou(truth.masks(), found).mean() > 0.99
    assert oracle.propose(image)[0] == list(truth.rles)
    drawn = dataset.read_truth(name, Boundaries).annotators
    np.testing.assert_allclose(oracle.boundaries(image), np.mean(drawn, axis=0))
    with pytest.raises(UserError, match="an image is not of dataset mini"):
        oracle.embed([image[:50]])


def test_a_task_that_prompts_otherwise_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(UserError, match="prompts with points, which model box_mask does not take"):
        evaluate("points", model="box_mask", dataset="mini", output=tmp_path)
    with pytest.raises(UserError, match="which model sobel does not take"):
        evaluate("points", model="sobel", dataset="mini", output=tmp_path)
    with pytest.raises(UserError, match="give --feedback false or choose another model"):
        evaluate("interactive", model="superpixel", dataset="mini", output=tmp_path)


def test_a_result_is_a_table_and_a_plot(tmp_path):
    result = evaluate(
        "points", model="whole_image", dataset="mini", limit=2, progress=False, output=tmp_path
    )
    frame = result.to_pandas()
    assert frame.loc["mIoU", "value"] == result.metrics["mIoU"].value
    assert list(frame.columns) == ["value", "low", "high"]
    axes = result.plot()
    assert "whole_image" in axes.get_title()
    apart = {metric.name for metric in result.declared if metric.group == "confidence"}
    assert len(axes.patches) == len(result.metrics.keys() - apart) == 6
    assert axes._repr_png_().startswith(b"\x89PNG")
