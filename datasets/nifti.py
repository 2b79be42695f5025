"""Your own volumes: slices of NIfTI files, such as of CT and MRI, and of their label maps."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from sambench.data.images import Intensity
from sambench.data.sources import require
from sambench.errors import UserError
from sambench.files import file_stamp, sha256
from sambench.interfaces import Dataset, DatasetCard, T
from sambench.options import Range
from sambench.truths import Instances

from ._instances import encode, from_rles

ENDINGS = (".nii.gz", ".nii")
CHANNEL = "_0000"
"""What nnU-Net puts behind the name of an image, of its first channel."""
SIDES_DIFFER = 0.01
"""Parts by which a side of a voxel may differ between pixdim and the affine: rounding."""
FLOAT32 = (-float(np.finfo(np.float32).max), float(np.finfo(np.float32).max))
"""What ``intensity=full`` would take: no scale for scans, so that it is refused."""


class Slice(NamedTuple):
    """One slice: the files of its image and its labels, and its place along the axis."""

    image: Path
    mask: Path
    place: int


class Nifti(Dataset):
    """Slices of volumes and of their label maps, which belong together by their names.

    The labels of ``images/x.nii.gz``, or of nnU-Net's ``images/x_0000.nii.gz``, are in
    ``masks/x.nii.gz``: 0 is background, and every other value in a slice one object, whose category
    is that value. A slice lies as it is stored: its rows along the later of the two other axes, its
    columns along the earlier, as SimpleITK reads the same file. Distances of ``--surface`` are in
    the unit of the header, mostly millimetres. Needs the package nibabel.

    Args:
        images: folder of volumes, .nii or .nii.gz, of three dimensions.
        masks: folder of label maps of the same shape and place in space.
        intensity: which values become black and white: LO..HI such as -160..240 for a soft-tissue
            window of CT; or of each slice minmax or percentile, its 1st and 99th.
        axis: of the array as stored, along which slices are counted.
        slices: those with a labelled pixel, or all.

    Raises:
        UserError: a folder is missing, a volume has no labels, or an option is unknown.
    """

    card = DatasetCard(
        name="nifti",
        title="your own volumes, by slice",
        licence="as their owner says",
        citation="none",
        steps="give the folders and how values become grey, as nifti:images=DIR,masks=DIR,"
        "intensity=-160..240",
        own=True,
    )
    truths: tuple[type, ...] = (Instances,)
    neutral = frozenset({"images", "masks"})

    def __init__(
        self,
        images: str = "",
        masks: str = "",
        intensity: str = "",
        axis: Annotated[int, Range(0, 2)] = 2,
        slices: Literal["labelled", "all"] = "labelled",
    ) -> None:
        if not (images and masks and intensity):
            raise UserError(f"nifti needs two folders and a scale; {self.card.steps}.")
        self.images = require(Path(images).expanduser(), type(self))
        self.masks = require(Path(masks).expanduser(), type(self))
        scale = Intensity.parse(intensity)
        if scale is None or scale.way == "full":
            raise UserError(
                f"intensity={intensity} is no scale of a scan; give LO..HI such as -160..240, "
                "minmax or percentile."
            )
        if axis not in (0, 1, 2):
            raise UserError(f"axis={axis} is none of a volume; give 0, 1 or 2.")
        if slices not in ("labelled", "all"):
            raise UserError(f"slices={slices} is unknown; give labelled or all.")
        self.intensity, self.axis, self.slices = scale, axis, slices

    @cached_property
    def _slices(self) -> dict[str, Slice]:
        """Id -> slice; ids are the name of the volume and the place, such as case_01-042."""
        found = {}
        images, masks = _volumes(self.images, CHANNEL), _volumes(self.masks, "")
        for name in sorted(masks.keys() - images.keys()):
            raise UserError(
                f"{masks[name]} belongs to no image in {self.images}; take it away, or name it as "
                "its image."
            )
        for name, image in images.items():
            mask = masks.get(name)
            if mask is None:
                raise UserError(f"{image} has no labels {name}.nii.gz or .nii in {self.masks}.")
            _refuse_other_space(image, mask)
            for place in self._places(mask):
                found[f"{name}-{place:03}"] = Slice(image, mask, place)
        if not found:
            raise UserError(
                f"{self.images} has no volume with a labelled slice in {self.masks}; check both "
                "folders, or give slices=all."
            )
        return found

    def _places(self, mask: Path) -> Sequence[int]:
        if self.slices == "all":
            return range(_load(mask).shape[self.axis])
        others = tuple(axis for axis in range(3) if axis != self.axis)
        labelled = (_values(mask) != 0).any(axis=others)
        places: list[int] = np.flatnonzero(labelled).tolist()
        return places

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Names of the slices, by volume."""
        return tuple(self._slices)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the label maps, which slices there are, and how values become grey."""
        chosen = [str(self.intensity), self.axis, self.slices, self.ids]
        whole = hashlib.sha256(json.dumps(chosen).encode())
        for mask in dict.fromkeys(each.mask for each in self._slices.values()):
            whole.update(sha256(mask).encode())
        return whole.hexdigest()

    def stamp(self, id: str) -> str | None:
        """Size and times of the volume."""
        return file_stamp(self._slices[id].image)

    def read_image(self, id: str) -> NDArray[np.uint8]:
        """The slice, grey, (H, W, 3)."""
        image, _, place = self._slices[id]
        grey = self.intensity.to_eight_bits(self._slice(image, place), FLOAT32, image)
        return np.repeat(grey[..., None], 3, axis=2)

    def read_truth(self, id: str, kind: type[T]) -> T:
        """The objects of the slice by ascending label; ``spacing`` is among the extras."""
        assert kind is Instances
        _, mask, place = self._slices[id]
        labels = self._slice(mask, place)
        if not np.array_equal(labels, np.rint(labels)):
            raise UserError(f"{mask} has values that are not whole numbers; give a label map.")
        if labels.min() < 0:
            raise UserError(
                f"{mask} has the label {int(labels.min())} in slice {place}; write labels from 0, "
                "which is background."
            )
        values = [int(value) for value in np.unique(labels) if value]
        rles = [encode(labels == value) for value in values]
        size = (labels.shape[0], labels.shape[1])
        extra = {"spacing": self._spacing(mask)}
        return cast(T, from_rles(size, rles, ids=values, categories=values, extra=extra))

    def _slice(self, path: Path, place: int) -> NDArray[np.float64]:
        """(H, W) of a volume: rows along the later of the other axes."""
        where = tuple(place if axis == self.axis else slice(None) for axis in range(3))
        return _values(path, where).T

    def _spacing(self, mask: Path) -> tuple[float, float]:
        """From row to row and from column to column, in the unit of the header.

        Raises:
            UserError: a side is not above 0, or the header states another one beside its affine.
        """
        volume = _load(mask)
        zooms = [float(side) for side in volume.header.get_zooms()[:3]]
        columns, rows = (side for axis, side in enumerate(zooms) if axis != self.axis)
        if not (0 < rows < math.inf and 0 < columns < math.inf):
            raise UserError(f"{mask} has voxels of {rows} x {columns}; correct its header.")
        placed = np.sqrt((volume.affine[:3, :3] ** 2).sum(axis=0))
        if not np.allclose(placed, zooms, rtol=SIDES_DIFFER, atol=0):
            raise UserError(
                f"{mask} has voxels of {_sides(zooms)} by pixdim and of {_sides(placed)} by its "
                "affine; correct its header, distances are measured by it."
            )
        return rows, columns


def _sides(sides: Iterable[float]) -> str:
    return " x ".join(f"{side:.4g}" for side in sides)


def _volumes(folder: Path, channel: str) -> dict[str, Path]:
    """Name without its endings -> file, sorted.

    Raises:
        UserError: the folder cannot be listed, or two files have one name.
    """
    try:
        files = sorted(path for path in folder.iterdir() if path.name.endswith(ENDINGS))
    except OSError as error:
        raise UserError(f"{folder} cannot be listed ({error.strerror}).") from None
    found: dict[str, Path] = {}
    for path in files:
        name = path.name.removesuffix(".gz").removesuffix(".nii").removesuffix(channel)
        first = found.setdefault(name, path)
        if first != path:
            raise UserError(f"{first} and {path} have the same name; rename one.")
    return found


def _load(path: Path) -> Any:
    """The header of a volume; its values are read when they are asked for.

    Raises:
        UserError: nibabel is missing, or the file is no NIfTI volume of three dimensions, or not of
            numbers.
    """
    try:
        import nibabel
    except ImportError:
        raise UserError("nifti needs nibabel; run `pip install nibabel`.") from None
    try:
        volume: Any = nibabel.load(path)  # typed as a base without a shape
    except (OSError, EOFError, ValueError, nibabel.filebasedimages.ImageFileError) as error:
        raise UserError(f"{path} is no NIfTI volume ({error}); save it again.") from None
    if len(volume.shape) != 3:
        raise UserError(
            f"{path} has {len(volume.shape)} dimensions, not 3; save each volume by itself."
        )
    kind = np.dtype(volume.get_data_dtype())
    if kind.kind not in "iuf":
        words = "colours" if kind.names else f"values of type {kind}"
        raise UserError(f"{path} holds {words}; give one number for each voxel.")
    return volume


def _values(path: Path, where: tuple[Any, ...] = ()) -> NDArray[np.float64]:
    """Values of a volume or a part of it, as its header scales them."""
    volume = _load(path)
    try:
        return np.asarray(volume.dataobj[where or ...], dtype=np.float64)
    except (OSError, EOFError, ValueError) as error:
        raise UserError(f"{path} ends early or is damaged ({error}); save it again.") from None


def _refuse_other_space(image: Path, mask: Path) -> None:
    """Labels of another shape or place in space would lie on the wrong voxels.

    Raises:
        UserError: they differ.
    """
    one, other = _load(image), _load(mask)
    if one.shape != other.shape or not np.allclose(one.affine, other.affine, atol=1e-3):
        raise UserError(
            f"{mask} is not of the voxels of {image} (shapes {other.shape} and {one.shape}, or "
            "another place in space); resample the labels onto the image."
        )
