"""The fixed lists name images of their datasets, as their table says."""

import re
from pathlib import Path

import pytest

from sambench.data.text_lists import read_lines
from sambench.registry import load, split_spec

LISTS = Path(__file__).resolve().parents[2] / "datasets" / "lists"
ROWS = {
    Path(name).stem: (int(images), spec)
    for name, images, spec in re.findall(
        r"^\| `(\S+)` \| (\d+) \| `(\S+)` \|", (LISTS / "README.md").read_text(), re.MULTILINE
    )
}
FOLDERS = {"lvis_v05": "lvis_v0.5", "coco_train2017": "coco", "bsds500_example": "bsds500"}
PARTS = {"bsds500_example"}
"""Lists of a part of what is here; any other is of all of it."""
HERE = {
    "grabcut": {"images": "images_from_bsds500", "masks": "ground-truth", "subset": "present"},
    "lvis_v05": {"annotations": "lvis_val_100.json", "subset": "present"},
}
"""Where a reader's files have other names here than in the release."""


def test_the_table_lists_every_list():
    assert ROWS.keys() == {path.stem for path in LISTS.glob("*.txt")}


@pytest.mark.parametrize("name", ROWS)
def test_a_list_has_its_images_once_in_the_datasets_order(name, shared):
    images, spec = ROWS[name]
    ids = read_lines(LISTS / f"{name}.txt")
    assert len(ids) == len(set(ids)) == images
    root = shared / "data" / FOLDERS.get(name, name)
    if not root.is_dir():
        pytest.skip(f"real data of {name} is not on this machine")
    dataset, options = split_spec(spec.replace("DIR", str(root)))
    options |= HERE.get(name, {})
    if "annotations" in options:
        options["annotations"] = str(root / options["annotations"])
    known = load("dataset", dataset, **options).ids
    assert [id for id in known if id in ids or name not in PARTS] == ids
