"""Corrupted images: what each is, that nothing but id and seed moves them, and who they are."""

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

import sambench
from sambench.datasets import corrupted as module
from sambench.datasets.corrupted import KINDS, Corrupted, corrupted
from sambench.errors import UserError
from sambench.interfaces import Dataset
from sambench.registry import load
from sambench.store.paths import label_of
from sambench.store.plan import describe
from sambench.truths import Boundaries, Instances

ALL = [kind for group in KINDS.values() for kind in group]
SMALL = "scenes:images=3;width=64;height=64;objects=3"
pytest.importorskip("imagecorruptions", reason="imagecorruptions-imaug is not installed")


def grey(value, size=64):
    return np.full((size, size, 3), value, dtype=np.uint8)


def change(kind, severity, image):
    return np.abs(corrupted(image, kind, severity, 7).astype(int) - image).mean()


def test_the_fifteen_of_the_paper_in_its_groups():
    assert len(ALL) == len(set(ALL)) == 15
    assert [len(group) for group in KINDS.values()] == [3, 4, 4, 4]


@pytest.mark.parametrize("kind", ALL)
def test_an_image_has_the_same_pixels_again_and_others_in_another_severity(kind):
    image = load("dataset", SMALL.replace(";", ",")).read_image("0")
    first, again, strong = (corrupted(image, kind, s, 5) for s in (1, 1, 5))
    assert first.shape == image.shape
    assert first.dtype == np.uint8
    assert (first == again).all()
    assert (first != image).any()
    assert (first != strong).any()


def test_brightness_and_contrast_by_hand():
    # 100 / 255 + 0.1 is 125.5 / 255, and + 0.5 is 227.5 / 255.
    assert np.unique(corrupted(grey(100), "brightness", 1, 0)).tolist() == [125]
    assert np.unique(corrupted(grey(100), "brightness", 5, 0)).tolist() == [227]
    image = grey(50)
    image[:, 32:] = 150
    # Of a mean of 100, 50 and 150 keep 0.4 of their distance: 80 and 120.
    found = np.unique(corrupted(image, "contrast", 1, 0))
    assert found == pytest.approx([80, 120], abs=1)


def test_jpeg_is_that_of_pillow():
    image = load("dataset", "scenes:images=1").read_image("0")
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=7)
    assert (corrupted(image, "jpeg_compression", 5, 0) == np.asarray(Image.open(file))).all()


def test_noise_has_the_strength_that_the_paper_gives():
    image = grey(127, 256)
    normal = corrupted(image, "gaussian_noise", 1, 3).astype(float)
    assert normal.std() == pytest.approx(0.08 * 255, rel=0.01)
    counts = corrupted(image, "shot_noise", 1, 3).astype(float)
    assert counts.std() == pytest.approx(255 * np.sqrt(127 / 255 / 60), rel=0.01)
    replaced = np.isin(corrupted(image, "impulse_noise", 5, 3), (0, 255))
    assert replaced.mean() == pytest.approx(0.27, abs=0.005)


@pytest.mark.parametrize("kind", ["gaussian_noise", "defocus_blur", "contrast", "pixelate"])
def test_higher_severities_change_more(kind):
    image = load("dataset", "scenes:images=1").read_image("0")
    changes = [change(kind, severity, image) for severity in range(1, 6)]
    assert changes == sorted(changes)
    assert changes[-1] > 1.3 * changes[0]


def test_id_and_seed_alone_decide_in_any_order_and_thread():
    dataset = load("dataset", f"corrupted:dataset={SMALL},kind=fog")
    ids = list(dataset.ids)
    inner, before = dataset.dataset, np.random.get_state()[1].copy()
    expected = {id: dataset.read_image(id) for id in ids}
    assert (np.random.get_state()[1] == before).all()
    with ThreadPoolExecutor(4) as threads:
        many = ids[::-1] * 4
        found = zip(many, threads.map(dataset.read_image, many), strict=True)
        assert all((image == expected[id]).all() for id, image in found)
    of_two = hashlib.sha256(b"0 2").digest()[:4]
    by_hand = corrupted(inner.read_image("2"), "fog", 3, int.from_bytes(of_two, "big"))
    assert (expected["2"] == by_hand).all()
    other = load("dataset", f"corrupted:dataset={SMALL},kind=fog,seed=1").read_image("2")
    assert (expected["2"] != other).any()


def test_all_but_the_pixels_is_the_datasets_own():
    dataset, inner = load("dataset", "corrupted:kind=contrast"), load("dataset", "mini")
    assert dataset.truths == inner.truths
    assert dataset.ids == inner.ids
    assert dataset.categories == inner.categories
    assert dataset.annotated(inner.ids) == inner.annotated(inner.ids)
    id = inner.ids[0]
    assert dataset.read_truth(id, Instances).rles == inner.read_truth(id, Instances).rles
    assert len(dataset.read_truth(id, Boundaries).annotators) == 2
    assert dataset.card.note == inner.card.note
    assert dataset.card.references == ()
    assert dataset.image_path(id) is None


def plan_of(spec):
    task, model = load("task", "points"), load("model", "whole_image")
    return describe("points", task, model, load("dataset", spec))


def test_what_is_done_to_the_pixels_is_a_part_of_the_run(monkeypatch):
    usual = f"corrupted:dataset={SMALL},kind=fog"
    plans = [plan_of(usual), plan_of(SMALL.replace(";", ","))]
    plans += [plan_of(usual.replace("fog", "frost"))]
    plans += [plan_of(f"{usual},severity=4"), plan_of(f"{usual},seed=1")]
    plans += [plan_of(usual.replace("images=3", "images=2"))]
    stamp = load("dataset", usual).stamp("0")
    monkeypatch.setattr(module, "_installed", lambda package: "9.9")
    plans += [plan_of(usual)]
    assert load("dataset", usual).stamp("0") != stamp
    assert len({str(plan["plan"]["predictions"]) for plan in plans}) == len(plans)
    about = plans[0]["about"]["dataset"]
    assert about["name"] == "scenes-corrupted"
    assert about["split"].startswith("fog 3 of 5 by imagecorruptions-imaug ")
    assert about["options"]["kind"] == "fog"
    assert {"sambench.datasets.corrupted", "sambench.datasets.scenes"} <= plans[0]["code"].keys()


def test_where_the_data_lie_is_none_of_it(tmp_path):
    """The same photographs elsewhere are the same run."""
    source = load("dataset", "mini")
    for id in source.ids:
        path = source.image_path(id)
        (tmp_path / path.name).write_bytes(path.read_bytes())
    here, there = (
        plan_of(f"corrupted:dataset={mini},kind=fog") for mini in ("mini", f"mini:root={tmp_path}")
    )
    assert here["plan"] == there["plan"]
    assert here["place"] != there["place"]


@pytest.mark.parametrize("make", ["mkdir", "touch"])
def test_a_kind_is_a_word_whatever_lies_in_the_folder(tmp_path, monkeypatch, make):
    usual = f"corrupted:dataset={SMALL},kind=fog"
    before, label = plan_of(usual), label_of(load("dataset", usual))
    getattr(tmp_path / "fog", make)()
    monkeypatch.chdir(tmp_path)
    assert plan_of(usual) == before
    assert label_of(load("dataset", usual)) == label
    with pytest.raises(UserError, match=r"kind=foggy is not known; did you mean fog\? Known are b"):
        load("dataset", "corrupted:kind=foggy")


def test_it_is_called_by_its_dataset_and_what_was_done():
    assert label_of(load("dataset", "corrupted:kind=fog")) == "mini-corrupted-kind=fog"
    spec = "corrupted:dataset=scenes:images=3,kind=snow,severity=5"
    assert label_of(load("dataset", spec)) == (
        "scenes-corrupted-dataset=scenes-images=3-kind=snow-severity=5"
    )


def test_a_run_is_like_any_other_and_compares_with_the_clean_one(tmp_path):
    common = {"model": "flood_fill", "output": tmp_path, "progress": False}
    clean = sambench.evaluate("points", dataset=SMALL.replace(";", ","), **common)
    noisy = sambench.evaluate(
        "points", dataset=f"corrupted:dataset={SMALL},kind=gaussian_noise,severity=5", **common
    )
    assert noisy.images == clean.images == 3
    assert noisy.metrics["mIoU"].value < clean.metrics["mIoU"].value


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, r"^corrupted needs a kind=; known are brightness, contrast, .*\.$"),
        ({"kind": "foggy"}, r"^kind=foggy is unknown; did you mean fog\? Known are brightness, "),
        ({"kind": "fog", "severity": 6}, r"^corrupted:severity=6 is too large; give 1 to 5\.$"),
        ({"kind": "fog", "seed": -1}, r"^corrupted:seed=-1 is too small; give 0 or more\.$"),
        ({"kind": "fog", "dataset": "none"}, "none"),
    ],
)
def test_a_bad_option_is_one_sentence(options, words):
    with pytest.raises(UserError, match=words):
        Corrupted(**options)


def test_an_image_that_is_too_small_is_named():
    class Tiny(Dataset):
        card = load("dataset", "mini").card
        ids = ("a",)
        read_truth = fingerprint = None

        def read_image(self, id):
            return np.zeros((40, 31, 3), dtype=np.uint8)

    dataset = load("dataset", "corrupted:kind=fog")
    dataset.dataset = Tiny()
    with pytest.raises(UserError, match=r"image a of dataset mini has 31 x 40 pixels.*below 32"):
        dataset.read_image("a")


def test_a_package_that_is_missing_is_named_with_the_remedy(monkeypatch):
    monkeypatch.setattr(module, "LIBRARY", "no-such-package")
    words = r"needs the package no-such-package: pip install 'sambench\[corruptions\]'\.$"
    with pytest.raises(UserError, match=words):
        Corrupted(kind="fog")
