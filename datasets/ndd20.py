"""NDD20, dolphins above and below water: number 5 of the 23 of Segment Anything."""

from functools import cached_property
from pathlib import Path

from sambench.data.sources import data_root, require
from sambench.interfaces import DatasetCard

from ._files import place_of
from ._polygons import Outlined, OutlinedFiles, by_id, read_via

PARTS = ("ABOVE", "BELOW")


class Ndd20(OutlinedFiles):
    """Northumberland Dolphin Dataset 2020, outlines of dolphins and their fins.

    Args:
        root: folder with ``ABOVE/``, ``ABOVE_LABELS.json``, ``BELOW/`` and ``BELOW_LABELS.json``.

    Raises:
        UserError: files are missing.
    """

    card = DatasetCard(
        name="ndd20",
        title="Northumberland Dolphin Dataset 2020",
        licence="stated on its homepage",
        citation="Trotter et al., NDD20: A large-scale few-shot dolphin dataset, 2020",
        homepage="https://doi.org/10.25405/data.ncl.c.4982342",
        steps="unpack NDD20.zip of the homepage and give the folder with ABOVE as root=",
        layout="from documentation",
        expected={"images": 4402, "masks": 6100},
    )

    def __init__(self, root: str = "") -> None:
        self.folder = place_of("ABOVE_LABELS.json", data_root("ndd20", root), ("", "NDD20"))
        for part in PARTS:
            require(self.folder / f"{part}_LABELS.json", type(self))
            require(self.folder / part, type(self))

    @cached_property
    def outlined(self) -> dict[str, Outlined]:
        """Ids are the part and the name: ABOVE-1, BELOW-1."""
        return by_id(
            (f"{part}-{Path(name).stem}", outlined)
            for part in PARTS
            for name, outlined in read_via(
                self.folder / f"{part}_LABELS.json", self.folder / part
            ).items()
        )
