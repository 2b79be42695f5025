"""What `sambench predict` asks of a model, and what it makes of the answer."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sambench.cli import main
from sambench.masks.rle import decode

ASKED = Path(__file__).resolve().parents[1] / "parts" / "asked.py"


@pytest.fixture
def predict(tmp_path, capsys):
    """Runs the command on a black image of 40 x 20; returns the questions and what is printed."""
    Image.fromarray(np.zeros((20, 40, 3), dtype=np.uint8)).save(tmp_path / "black.png")
    log = tmp_path / "asked.jsonl"

    def run(*words, code=0):
        log.unlink(missing_ok=True)
        log.touch()
        model = f"--model={ASKED}:log={log}"
        assert main(["predict", str(tmp_path / "black.png"), model, "--device=cpu", *words]) == code
        return [json.loads(line) for line in log.read_text().splitlines()], capsys.readouterr()

    return run


def masks_in(printed):
    found = json.loads(printed.out)
    rles = [{**m["segmentation"], "counts": m["segmentation"]["counts"].encode()} for m in found]
    return decode(rles), [m["predicted_iou"] for m in found]


def test_one_point_takes_the_most_confident_of_several(predict):
    [asked], printed = predict("--point=3,4", "--json")
    assert (asked["points"], asked["labels"], asked["boxes"]) == ([[[3, 4]]], [[1]], None)
    assert asked["multimask"]
    masks, scores = masks_in(printed)
    assert scores == [0.9375]
    assert masks.shape == (1, 20, 40)
    assert masks[0, :10].all()
    assert not masks[0, 10:].any()


def test_a_box_alone_takes_the_most_confident_too(predict):
    [asked], _ = predict("--box=1,2,10,12")
    assert (asked["points"], asked["boxes"], asked["multimask"]) == (None, [[1, 2, 10, 12]], True)


def test_more_prompts_take_the_single_mask(predict):
    [asked], printed = predict(
        "--point=3,4", "--point=5,6", "--negative=7,8", "--box=1,2,10,12", "--json"
    )
    assert asked["points"] == [[[3, 4], [5, 6], [7, 8]]]
    assert asked["labels"] == [[1, 1, 0]]
    assert not asked["multimask"]
    assert masks_in(printed)[1] == [0.5]
    for words in (("--point=3,4", "--negative=7,8"), ("--point=3,4", "--box=1,2,10,12")):
        [asked], _ = predict(*words)
        assert not asked["multimask"]


def test_the_grid_has_the_side_that_is_asked_for(predict):
    for side in (2, 3):
        asked, _ = predict(f"--points-per-side={side}", "--json")
        points = {tuple(point) for line in asked for [point] in line["points"]}
        assert len(points) == side**2
    assert sorted(points)[0] == pytest.approx((40 / 6, 20 / 6))


def test_the_picture_lies_beside_the_image_or_where_it_is_asked_for(predict, tmp_path):
    _, printed = predict("--point=3,4")
    usual = tmp_path / "black.sambench.png"
    assert printed.out == f"{usual}: 1 mask, predicted IoU 0.938\n"
    pixels = np.asarray(Image.open(usual).convert("RGB"))
    assert pixels.shape == (20, 40, 3)
    assert pixels[2:8, 10:].any(axis=-1).all()
    assert not pixels[13:].any()
    usual.unlink()
    predict("--point=3,4", "-o", str(tmp_path / "other.png"))
    assert (tmp_path / "other.png").exists()
    assert not usual.exists()


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("--point=3", "--point 3 is not 2 numbers"),
        ("--negative=3,x", "--negative 3,x is not 2 numbers"),
        ("--box=1,2,3", "--box 1,2,3 is not 4 numbers"),
        ("--point=nan,1", "is not 2 numbers"),
        ("--point=41,3", "lies outside the image, which is 40 x 20"),
        ("--point=3,21", "lies outside the image"),
        ("--point=-1,3", "lies outside the image"),
        ("--box=5,5,5,9", "is empty"),
        ("--box=5,9,8,9", "is empty"),
    ],
)
def test_what_is_no_place_in_the_image_is_refused(predict, word, said):
    asked, printed = predict(word, code=2)
    assert asked == []
    assert said in printed.err


def test_the_far_edge_of_the_image_is_in_it(predict):
    [asked], _ = predict("--box=0,0,40,20")
    assert asked["boxes"] == [[0, 0, 40, 20]]
