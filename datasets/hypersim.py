"""Hypersim, rendered rooms: number 12 of the 23 of Segment Anything."""

from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sambench.data.sources import data_root, require
from sambench.errors import UserError
from sambench.interfaces import DatasetCard
from sambench.truths import Instances

from ._files import InstanceFiles
from ._instances import from_labels
from ._subsample import Sampled

VOLUMES = tuple(volume for volume in range(1, 56) if volume not in (20, 25, 40, 49))
"""Evermotion archinteriors volumes of the paper."""
NOTHING = -1


class Hypersim(Sampled, InstanceFiles):
    """Tone-mapped frames with semantic instances; needs the package h5py.

    Args:
        root: folder with the scenes ``ai_<volume>_<number>/images/``.
        sample: "sa23" for about 10,000 masks, "all" for everything.

    Raises:
        UserError: files or h5py are missing.
    """

    card = DatasetCard(
        name="hypersim",
        title="Hypersim",
        licence="CC-BY-SA-3.0",
        citation="Roberts et al., Hypersim: A Photorealistic Synthetic Dataset for Holistic Indoor "
        "Scene Understanding, ICCV 2021",
        homepage="https://github.com/apple/ml-hypersim",
        split="volumes 1 to 55 without 20, 25, 40 and 49",
        steps="download the scenes ai_001_001 to ai_055_010 as the homepage tells (frame.*.tonemap."
        "jpg and frame.*.semantic_instance.hdf5 suffice), give the folder with them as root=",
        layout="from documentation",
        expected={"images of the paper": 338, "masks of the paper": 9445},
    )

    def __init__(self, root: str = "", sample: str = "sa23") -> None:
        super().__init__(sample)
        self.folder = require(data_root("hypersim", root), type(self))

    @cached_property
    def _maps(self) -> dict[str, Path]:
        """Id -> instance map; ids are scene, camera and frame: ai_001_001-cam_00-0000."""
        found = {}
        for volume in VOLUMES:
            pattern = f"ai_{volume:03}_*/images/scene_*_geometry_hdf5/*.semantic_instance.hdf5"
            for path in sorted(self.folder.glob(pattern)):
                scene, camera = path.parts[-4], path.parts[-2]
                camera = camera.removeprefix("scene_").removesuffix("_geometry_hdf5")
                found[f"{scene}-{camera}-{path.name.split('.')[1]}"] = path
        return found

    @cached_property
    def everything(self) -> tuple[str, ...]:
        """All frames."""
        return tuple(self._maps)

    def count(self, id: str) -> int:
        """Number of objects."""
        return len(self.instances(id))

    def image_path(self, id: str) -> Path:
        """The tone-mapped preview of a frame."""
        path = self._maps[id]
        preview = path.parent.name.replace("_geometry_hdf5", "_final_preview")
        name = path.name.replace(".semantic_instance.hdf5", ".tonemap.jpg")
        return path.parent.with_name(preview) / name

    def truth_paths(self, id: str) -> tuple[Path, ...]:
        """The instance map of a frame."""
        return (self._maps[id],)

    def instances(self, id: str) -> Instances:
        """Objects in ascending order of their number."""
        return from_labels(_read_hdf5(self._maps[id]), background=(NOTHING,))


def _read_hdf5(path: Path) -> NDArray[np.int64]:
    try:
        import h5py
    except ImportError:
        raise UserError("hypersim needs h5py; run `pip install h5py`.") from None
    try:
        with h5py.File(path, "r") as file:
            return np.asarray(file["dataset"], dtype=np.int64)
    except (OSError, KeyError) as error:
        raise UserError(f"{path} is not a map of Hypersim ({error}); fetch it again.") from None
