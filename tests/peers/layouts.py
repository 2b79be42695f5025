"""Writes objects of a dataset that is here in the layout of one that is not.

    python tests/peers/layouts.py hqseg44k ecssd:root=../shared/data/ecssd /tmp/release --images 52

Readers and peers then read the same files. Masks of HQ-SAM's sets are made grey at the outline, and
those of Berkeley get a band that does not count, as the real ones have.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat
from scipy.ndimage import binary_dilation, binary_erosion

from sambench.interfaces import Instances, Sample
from sambench.registry import load

THIN = "thin_object_detection"
FINE = (
    ("DIS5K/DIS-VD/im", "DIS5K/DIS-VD/gt"),
    (f"{THIN}/COIFT/images", f"{THIN}/COIFT/masks"),
    (f"{THIN}/HRSOD/images", f"{THIN}/HRSOD/masks_max255"),
    (f"{THIN}/ThinObject5K/images_test", f"{THIN}/ThinObject5K/masks_test"),
)
"""Folders of images and masks of the suite hqseg44k."""
SMALLER = 0.8
BAND = 2


def _pair(
    folder: Path, places: tuple[str, str], name: str, image: Image.Image, mask: Image.Image
) -> None:
    for place in places:
        (folder / place).mkdir(parents=True, exist_ok=True)
    image.save(folder / places[0] / f"{name}.jpg", quality=95)
    mask.save(folder / places[1] / f"{name}.png")


def _mask(sample: Sample) -> NDArray[np.uint8]:
    """All objects of an image as one, 0 and 255."""
    return sample.truth.masks().any(axis=0).astype(np.uint8) * 255


def fine(samples: Iterator[Sample], folder: Path) -> None:
    """HQ-SAM's four sets, in turn; masks are grey where a pixel is partly the object's."""
    for number, (sample, places) in enumerate(zip(samples, cycle(FINE), strict=False)):
        height, width = sample.truth.size
        size = int(width * SMALLER), int(height * SMALLER)
        pictures = Image.fromarray(sample.image), Image.fromarray(_mask(sample))
        image, mask = (p.resize(size, Image.Resampling.BILINEAR) for p in pictures)
        _pair(folder, places, f"{number:03}", image, mask)


def berkeley(samples: Iterator[Sample], folder: Path) -> None:
    """One object an image, with a band along its outline that does not count."""
    for sample in samples:
        own = _mask(sample) > 0
        inner, outer = binary_erosion(own, iterations=BAND), binary_dilation(own, iterations=BAND)
        grey = np.select([inner, outer], [255, 128], 0).astype(np.uint8)
        pictures = Image.fromarray(sample.image), Image.fromarray(grey)
        _pair(folder, ("images", "masks"), sample.id, *pictures)


def davis345(samples: Iterator[Sample], folder: Path) -> None:
    """One object an image."""
    for sample in samples:
        pictures = Image.fromarray(sample.image), Image.fromarray(_mask(sample))
        _pair(folder, ("img", "gt"), sample.id, *pictures)


def sbd(samples: Iterator[Sample], folder: Path) -> None:
    """Objects of an image in one label map; later ones lie above."""
    base = folder / "benchmark_RELEASE" / "dataset"
    names = []
    for sample in samples:
        labels = np.zeros(sample.truth.size, dtype=np.uint8)
        for index in range(len(sample.truth)):
            labels[sample.truth.mask(index)] = index + 1
        for place in ("img", "inst"):
            (base / place).mkdir(parents=True, exist_ok=True)
        Image.fromarray(sample.image).save(base / "img" / f"{sample.id}.jpg", quality=95)
        savemat(base / "inst" / f"{sample.id}.mat", {"GTinst": {"Segmentation": labels}})
        names.append(sample.id)
    (base / "val.txt").write_text("\n".join(names) + "\n")


LAYOUTS: dict[str, Callable[[Iterator[Sample], Path], None]] = {
    "berkeley": berkeley,
    "davis345": davis345,
    "hqseg44k": fine,
    "sbd": sbd,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("layout", choices=LAYOUTS)
    parser.add_argument("source", help="dataset with options")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=20)
    given = parser.parse_args()
    source = load("dataset", given.source)
    samples = (source.sample(id, Instances) for id in islice(source.ids, given.images))
    LAYOUTS[given.layout](samples, given.folder)


if __name__ == "__main__":
    main()
