"""Superpixels: each measure by hand and by brute force, how masks become a partition, the task."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.io import savemat

from sambench.checks.task import check_task
from sambench.cli import main
from sambench.errors import UserError
from sambench.masks import rle
from sambench.metrics import superpixels
from sambench.registry import load
from sambench.tasks.superpixels import partition
from sambench.truths import Regions

MAPS = arrays(np.int64, (6, 8), elements=st.integers(0, 4))


def brute(labels, truth, radius):
    """The definitions, pixel by pixel and pair by pair."""
    height, width = labels.shape

    def on_edge(of, y, x):
        around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
        inside = [(r, c) for r, c in around if 0 <= r < height and 0 <= c < width]
        return any(of[place] != of[y, x] for place in inside)

    pixels = [(y, x) for y in range(height) for x in range(width)]
    drawn = [place for place in pixels if on_edge(truth, *place)]
    own = [place for place in pixels if on_edge(labels, *place)]
    found = [any(max(abs(y - r), abs(x - c)) <= radius for r, c in own) for y, x in drawn]
    ue = asa = 0
    for s in np.unique(labels):
        shares = [int(((labels == s) & (truth == g)).sum()) for g in np.unique(truth)]
        area = int((labels == s).sum())
        ue += sum(min(share, area - share) for share in shares if share)
        asa += max(shares)
    return (
        sum(found) / len(found) if found else None,
        ue / labels.size,
        asa / labels.size,
    )


@settings(max_examples=40, deadline=None)
@given(MAPS, MAPS, st.sampled_from([0.0, 0.1, 0.2]))
def test_equals_brute_force(labels, truth, tolerance):
    record = superpixels.image_record(labels, [truth], tolerance)
    expected = brute(labels, truth, round(tolerance * 10))
    assert (record["BR"][0], record["UE"][0], record["ASA"][0]) == pytest.approx(expected)
    assert record["superpixels"] == len(np.unique(labels))


def test_by_hand():
    truth = np.repeat([[0, 0, 0, 0, 1, 1, 1, 1]], 4, axis=0)
    labels = np.repeat([[0, 0, 0, 0, 0, 1, 1, 1]], 4, axis=0)
    record = superpixels.image_record(labels, [truth, truth + 7], tolerance=0.0)
    # A column of four pixels leaks; of the two columns of the drawn boundary one is found.
    assert record["UE"] == [8 / 32] * 2
    assert record["ASA"] == [28 / 32] * 2
    assert record["BR"] == [0.5] * 2


@settings(max_examples=30, deadline=None)
@given(MAPS, MAPS)
def test_finer_is_never_worse_and_the_truth_itself_is_perfect(labels, truth):
    finer = np.unique(labels * 10 + truth, return_inverse=True)[1].reshape(labels.shape)
    coarse, fine = (superpixels.image_record(m, [truth]) for m in (labels, finer))
    assert fine["UE"] == [0]
    assert fine["ASA"] == [1] >= coarse["ASA"]
    assert fine["BR"] in ([1], [None])


def test_radius_of_the_literature():
    assert superpixels.radius_of((321, 481), superpixels.TOLERANCE) == 1
    # A diagonal of 200 and one of 1000: halves are rounded up, not to even.
    assert superpixels.radius_of((120, 160), superpixels.TOLERANCE) == 1
    assert superpixels.radius_of((600, 800), superpixels.TOLERANCE) == 3


def test_sizes_that_differ_are_refused():
    with pytest.raises(UserError, match="cannot be compared"):
        superpixels.image_record(np.zeros((4, 5), int), [np.zeros((5, 4), int)])


def test_masks_and_leftovers_become_connected_regions():
    masks = np.zeros((2, 20, 30), dtype=bool)
    masks[0, :, 10:20] = True  # splits what is left into two
    masks[1, 5:10, 12:15] = True  # lies on it
    labels = partition(rle.encode(masks), (20, 30), 0)
    assert len(np.unique(labels)) == 4
    assert len({labels[0, 0], labels[0, 29], labels[0, 10], labels[7, 13]}) == 4
    below = partition(rle.encode(masks[::-1]), (20, 30), 0)
    assert len(np.unique(below)) == 3
    merged = partition(rle.encode(masks), (20, 30), 16)
    assert len(np.unique(merged)) == 3
    assert merged[7, 13] == merged[0, 10]
    assert not partition([], (20, 30), 16).any()


@pytest.mark.parametrize(("annotators", "value"), [("mean", 0.5), ("best", 0.7), ("worst", 0.3)])
def test_annotators_are_combined_as_asked(annotators, value):
    task = load("task", "superpixels", annotators=annotators)
    record = {"BR": [None, 0.3, 0.7], "ASA": [0.3, 0.7, 0.5], "UE": [0.3, 0.7, 0.5]}
    found = task.estimator([{**record, "superpixels": 3}])(np.ones(1))
    assert found["BR"] == found["ASA"] == pytest.approx(value)
    assert found["UE"] == pytest.approx(1 - value)


@pytest.mark.parametrize("model", ["slic", "felzenszwalb"])
def test_the_contract_is_kept(model):
    task, dataset = load("task", "superpixels"), load("dataset", "scenes", width=80, height=64)
    assert check_task(task, load("model", model), dataset).findings == ()


def test_slic_gives_about_as_many_as_asked():
    image = load("dataset", "scenes").read_image("00")
    assert 120 < len(np.unique(load("model", "slic", segments=200).superpixels(image))) < 280


def test_bsds500_gives_the_regions_of_every_annotator(tmp_path):
    for folder in ("images", "groundTruth"):
        (tmp_path / folder / "val").mkdir(parents=True)
    drawn = np.empty((1, 2), dtype=object)
    maps = [np.repeat([[1, 2]], 3, axis=0), np.repeat([[4, 9]], 3, axis=0)]
    for i, labels in enumerate(maps):
        part = {"Segmentation": labels.astype(np.uint16), "Boundaries": labels.astype(np.uint8)}
        drawn[0, i] = part
    savemat(tmp_path / "groundTruth" / "val" / "12.mat", {"groundTruth": drawn})
    truth = load("dataset", "bsds500", root=str(tmp_path), split="val").read_truth("12", Regions)
    assert [labels.tolist() for labels in truth.annotators] == [m.tolist() for m in maps]


def test_runs_from_the_command_line(tmp_path, capsys):
    words = ["--task", "superpixels", "--dataset", "scenes", "--limit", "2", "--model", "slic"]
    assert main(["run", *words, "--output", str(tmp_path), "--json"]) == 0
    metrics = json.loads(capsys.readouterr().out)["metrics"]
    scenes, slic = load("dataset", "scenes"), load("model", "slic")
    expected = [
        superpixels.image_record(
            slic.superpixels(scenes.read_image(id)), scenes.read_truth(id, Regions).annotators
        )
        for id in scenes.ids[:2]
    ]
    for name in ("ASA", "BR", "UE"):
        value = np.mean([record[name][0] for record in expected])
        assert metrics[name]["value"] == pytest.approx(value)
