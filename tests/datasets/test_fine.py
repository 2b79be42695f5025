"""HQ-SAM's fine-grained sets: found as released, masks with their grey values, one suite."""

import numpy as np
import pytest
from PIL import Image

from sambench.data.suites import SUITES, select
from sambench.errors import UserError
from sambench.registry import load
from sambench.truths import Instances

PLACES = {
    "dis": ("DIS5K/DIS-VD", "im", "gt"),
    "coift": ("thin_object_detection/COIFT", "images", "masks"),
    "hrsod": ("thin_object_detection/HRSOD", "images", "masks_max255"),
    "thinobject": ("thin_object_detection/ThinObject5K", "images_test", "masks_test"),
}


@pytest.fixture
def release(tmp_path):
    grey = np.zeros((30, 40), dtype=np.uint8)
    grey[10:20, 10:30] = 255
    grey[20, 10:30] = 128
    grey[9, 10:30] = 129
    for place, images, masks in PLACES.values():
        for folder in (images, masks):
            (tmp_path / place / folder).mkdir(parents=True)
        Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(tmp_path / place / images / "a.jpg")
        Image.fromarray(grey).save(tmp_path / place / masks / "a.png")
    return tmp_path


@pytest.mark.parametrize("name", PLACES)
def test_an_object_is_brighter_than_128_and_keeps_its_grey(release, name):
    for root in (release, release / PLACES[name][0], release / name):
        dataset = load("dataset", name, root=str(root))
        assert dataset.ids == ("a",)
    truth = dataset.read_truth("a", Instances)
    assert truth.mask(0).sum() == 11 * 20
    assert truth.mask(0)[9, 10]
    assert truth.extra["grey"][20, 10] == 128
    assert dataset.read_image("a").shape == (30, 40, 3)


def test_the_four_are_a_suite(release):
    chosen = select(f"hqseg44k:root={release}")
    assert [part.card.name for part in chosen.datasets] == list(SUITES["hqseg44k"]) == list(PLACES)


def test_as_one_set_each_image_counts_and_any_value_but_black_is_the_object(release):
    dataset = load("dataset", f"hqseg44k_val:root={release}")
    assert dataset.ids == ("dis/a", "thinobject/a", "coift/a", "hrsod/a")
    assert dataset.read_truth("coift/a", Instances).mask(0).sum() == 12 * 20
    assert dataset.read_image("hrsod/a").shape == (30, 40, 3)
    before = dataset.fingerprint
    file = release / "thin_object_detection/COIFT/masks/a.png"
    Image.fromarray(np.full((30, 40), 255, np.uint8)).save(file)
    assert load("dataset", f"hqseg44k_val:root={release}").fingerprint != before


def test_a_release_that_lacks_a_part_is_refused(tmp_path):
    with pytest.raises(UserError, match="images"):
        load("dataset", "coift", root=str(tmp_path))
