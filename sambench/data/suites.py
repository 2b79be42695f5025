"""Named sets of datasets that are evaluated together."""

from __future__ import annotations

from dataclasses import dataclass

from sambench.errors import UserError
from sambench.interfaces import Dataset
from sambench.registry import load, split_spec

SUITES: dict[str, tuple[str, ...]] = {
    "sa23": (
        "ppdls",
        "bbbc038v1",
        "doors",
        "timberseg",
        "ndd20",
        "lvis_v05",
        "streets",
        "zerowaste_f",
        "ishape",
        "ade20k",
        "ovis",
        "hypersim",
        "ndispark",
        "visor",
        "plittersdorf",
        "egohos",
        "ibd",
        "woodscape",
        "cityscapes",
        "pidray",
        "dram",
        "trashcan",
        "gtea",
    ),
    "hqseg44k": ("dis", "coift", "hrsod", "thinobject"),
    "saco_gold": tuple(
        f"saco:subset=gold_{name}"
        for name in (
            "metaclip",
            "sa1b",
            "crowded",
            "fg_food",
            "fg_sports_equipment",
            "attributes",
            "wiki_common",
        )
    ),
    "saco_silver": tuple(
        f"saco:subset=silver_{name}"
        for name in (
            "bdd100k",
            "droid",
            "ego4d",
            "food_rec",
            "geode",
            "inaturalist",
            "nga_art",
            "sav",
            "yt1b",
            "fathomnet",
        )
    ),
}
"""Name -> datasets in the order of the paper, with options where one reader has several.

sa23: the 23 of Kirillov et al., Segment Anything, ICCV 2023, table 7, whose unweighted mean is the
headline number of point prompts. SAM 2 and 3 add 14 sets of video frames (SA-37) whose readers are
not here.

hqseg44k: the four fine-grained sets of Ke et al., Segment Anything in High Quality, NeurIPS 2023,
on which its HQSeg-44K models are evaluated.

saco_gold, saco_silver: the subsets of Carion et al., SAM 3, 2025, whose unweighted mean is the
headline number of noun phrases.
"""


@dataclass(frozen=True)
class Selection:
    """Datasets to run one after another.

    Attributes:
        suite: its name, or "" for a dataset by itself.
        datasets: those that are here.
        absent: why not, by name, for those that are not.
    """

    suite: str
    datasets: tuple[Dataset, ...]
    absent: dict[str, str]


def select(spec: str) -> Selection:
    """A dataset, or the members of a suite that are here.

    Args:
        spec: dataset with options, or suite, such as ``sa23`` or ``sa23:root=DIR``, where each
            member lies in ``DIR/<name>``.

    Raises:
        UserError: there is no such dataset, or no member of the suite is here.
    """
    name, options = split_spec(spec)
    if name not in SUITES:
        dataset: Dataset = load("dataset", spec)
        if not dataset.ids:  # found here, before hours are spent on the datasets before it
            raise UserError(f"dataset {name} has no images; check its options.")
        return Selection("", (dataset,), {})
    root = options.pop("root", "")
    if options:
        raise UserError(f"suite {name} takes the option root only, not {', '.join(options)}.")
    present: list[Dataset] = []
    absent: dict[str, str] = {}
    for member in SUITES[name]:
        try:
            own = {"root": f"{root}/{split_spec(member)[0]}"} if root else {}
            present.append(load("dataset", member, **own))
        except UserError as error:
            absent[member] = str(error)
    if not present:
        raise UserError(f"no dataset of {name} is here; see sambench data list.")
    return Selection(name, tuple(present), absent)
