"""STREETS, vehicles before traffic cameras: number 7 of the 23 of Segment Anything."""

from functools import cached_property
from pathlib import Path

from sambench.data.sources import data_root, require
from sambench.interfaces import DatasetCard

from ._polygons import Outlined, OutlinedFiles, by_id, read_via
from ._subsample import Sampled


class Streets(Sampled, OutlinedFiles):
    """Outlines of vehicles.

    Args:
        root: folder with ``vehicleannotations/``.
        sample: "sa23" for about 10,000 masks, "all" for everything.

    Raises:
        UserError: files are missing.
    """

    card = DatasetCard(
        name="streets",
        title="STREETS",
        licence="stated on its homepage",
        citation="Snyder and Do, STREETS: A Novel Camera Network Dataset for Traffic Flow, 2019",
        homepage="https://doi.org/10.13012/B2IDB-3671567_V1",
        steps="unpack vehicleannotations.zip of the homepage and give the folder with "
        "vehicleannotations as root=",
        layout="from documentation",
        expected={"images of the paper": 819, "masks of the paper": 9854},
    )

    def __init__(self, root: str = "", sample: str = "sa23") -> None:
        super().__init__(sample)
        base = data_root("streets", root) / "vehicleannotations"
        self.images = require(base / "images", type(self))
        self.source = require(base / "annotations" / "vehicle-annotations.json", type(self))

    @cached_property
    def outlined(self) -> dict[str, Outlined]:
        """Ids are the names of the images."""
        found = read_via(self.source, self.images)
        return by_id((Path(name).stem, outlined) for name, outlined in found.items())

    @cached_property
    def everything(self) -> tuple[str, ...]:
        """All images that have an entry."""
        return tuple(self.outlined)

    def count(self, id: str) -> int:
        """Number of outlines."""
        return len(self.outlined[id].objects)
