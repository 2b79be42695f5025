"""Options that settle how an image file is read reach the reader, in every dataset with them."""

import inspect
import sys

import pytest

from sambench.data.images.intensity import Intensity
from sambench.registry import find, names, option_types

OPTIONS = {"orientation": "stored", "intensity": "0..4095", "page": 3}
READERS = [
    name
    for name in names("dataset")
    if OPTIONS.keys() <= option_types(find("dataset", name)).keys() and name != "folder"
]
CONTENT = {"cvat": ("a.xml", "<annotations></annotations>"), "via": ("a.json", "{}")}


class ReachedError(Exception):
    """The options are where they are used."""


def test_the_readers_of_the_users_own_images_have_them():
    wanted = {"colour_masks", "cvat", "label_studio", "labelme", "via", "voc", "yolo"}
    assert wanted <= {*READERS}


@pytest.mark.parametrize("name", READERS)
def test_options_of_decoding_are_passed_on(name, tmp_path, monkeypatch):
    cls = find("dataset", name)
    given = {}

    def spy(*arguments):
        given.update(zip(OPTIONS, arguments, strict=True))
        raise ReachedError

    monkeypatch.setattr(sys.modules[cls.__module__], "decoding_of", spy)
    file, content = CONTENT.get(name, ("a.json", "[]"))
    (tmp_path / file).write_text(content)
    for folder in ("JPEGImages", "SegmentationObject", "SegmentationClass"):
        (tmp_path / folder).mkdir()
    paths = {"root", "images", "masks", "table"} & inspect.signature(cls).parameters.keys()
    with pytest.raises(ReachedError):
        cls(**dict.fromkeys(paths, str(tmp_path)), **OPTIONS)
    assert given == OPTIONS


def test_a_folder_takes_them_itself(tmp_path):
    decoding = find("dataset", "folder")(str(tmp_path), str(tmp_path), **OPTIONS).decoding
    assert (decoding.orientation, decoding.page) == ("stored", 3)
    assert decoding.intensity == Intensity.parse("0..4095")
