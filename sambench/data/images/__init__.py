"""Images and label images from files: read as meant, or refused in one sentence.

Every dataset and command reads its images here, so that a file is read, or refused, alike by all.
docs/data.md states the policy in tables. `Decoding` settles what a file leaves open; without it,
whatever could be read in two ways is refused.
"""

from sambench.data.images.decoding import Decoding, image_size, read_rgb
from sambench.data.images.intensity import Intensity
from sambench.data.images.labels import (
    LabelPage,
    channels,
    labels_of,
    read_label_pages,
    read_labels,
)
from sambench.data.images.plausible import grey_levels, taken_for_labels

__all__ = [
    "Decoding",
    "Intensity",
    "LabelPage",
    "channels",
    "grey_levels",
    "image_size",
    "labels_of",
    "read_label_pages",
    "read_labels",
    "read_rgb",
    "taken_for_labels",
]
