"""Baseline: the graph-based segmentation of Felzenszwalb and Huttenlocher (2004)."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from sambench.interfaces import JSON, Prompts
from sambench.options import Range

from ._baseline import Baseline, Seen, as_proposals, clicked

SCALES = (100.0, 200.0, 400.0, 800.0)


class Felzenszwalb(Baseline):
    """Its regions for clicks and as superpixels, at several scales as proposals and boundaries.

    Args:
        scale: k of the paper for clicks and superpixels: larger makes larger regions.
        sigma: deviation of the Gaussian that smooths the image, in pixels.
        min_size: smaller regions are merged, in pixels.
    """

    name = "felzenszwalb"
    citation = "Felzenszwalb and Huttenlocher, Efficient Graph-Based Image Segmentation, IJCV 2004"
    prompts = frozenset({"points"})

    def __init__(
        self,
        scale: Annotated[float, Range(0)] = 400.0,
        sigma: Annotated[float, Range(0)] = 0.8,
        min_size: Annotated[int, Range(0)] = 100,
    ) -> None:
        self.scale, self.sigma, self.min_size = scale, sigma, min_size
        super().__init__()

    def settings(self) -> str:
        """The settings that affect its predictions, in words, for the model card."""
        scales = ", ".join(f"{scale:g}" for scale in SCALES)
        return (
            f"k {self.scale:g} for clicks and superpixels, {scales} for proposals and boundaries, "
            f"sigma {self.sigma:g}, at least {self.min_size} pixels"
        )

    def study(self, image: NDArray[np.uint8]) -> Any:
        """An empty cache for the regions, which are computed when first needed."""
        del image
        return {}

    def segment(self, seen: Seen, prompt: Prompts) -> NDArray[np.bool_]:
        """The regions of foreground clicks minus those of background clicks, (H, W) bool."""
        if "regions" not in seen.known:
            seen.known["regions"] = self.regions(seen.image, self.scale)
        return clicked(seen.known["regions"], prompt)

    def regions(self, image: NDArray[np.uint8], scale: float) -> NDArray[np.int64]:
        """Label of the region of each pixel, (H, W)."""
        return regions(image, scale, self.sigma, self.min_size)

    def superpixels(self, image: NDArray[np.uint8]) -> NDArray[np.int64]:
        """The regions of one scale, (H, W)."""
        return self.regions(image, self.scale)

    def propose(self, image: NDArray[np.uint8]) -> tuple[list[JSON], NDArray[np.float64]]:
        """All regions of all scales, those of the coarsest first, larger ones before smaller."""
        masks = []
        for scale in reversed(SCALES):
            found = self.regions(image, scale)
            order = np.argsort(-np.bincount(found.ravel()), kind="stable")
            masks += [found == label for label in order]
        return as_proposals(masks)

    def boundaries(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(H, W) in 0 to 1: at how many of the scales a boundary runs through a pixel."""
        from skimage.segmentation import find_boundaries

        found = [find_boundaries(self.regions(image, scale), mode="inner") for scale in SCALES]  # type: ignore[no-untyped-call]
        share: NDArray[np.float32] = np.mean(found, axis=0, dtype=np.float32)
        return share


def regions(
    image: NDArray[np.uint8], scale: float, sigma: float, min_size: int
) -> NDArray[np.int64]:
    """Label of the region of each pixel, (H, W)."""
    from skimage.segmentation import felzenszwalb

    found: NDArray[np.int64] = felzenszwalb(image, scale, sigma, min_size)
    return found
