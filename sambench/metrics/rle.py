"""Run lengths under their name of version 0.1, for plug-ins: they are in `sambench.masks.rle`."""

from sambench.masks.rle import areas as areas
from sambench.masks.rle import decode as decode
from sambench.masks.rle import encode as encode
