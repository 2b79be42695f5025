"""How a grid of points prompts a model, and which of its masks are kept."""

from dataclasses import dataclass
from typing import Annotated

from sambench.options import Range, check_fields


@dataclass(frozen=True)
class GridOptions:
    """How one image, or one crop of it, is prompted and what is kept.

    Attributes:
        points_per_side: points along each side of the grid; of n points, the i-th lies at
            (i + 0.5) / n of the width or height.
        multimask: several candidate masks per point, or a single one.
        pred_iou_thresh: masks are kept if their predicted IoU is above this; 0 keeps all.
        stability_score_thresh: masks are kept if their stability score is at least this; 0 keeps
            all, None does not compute it.
        stability_score_offset: the stability score is the IoU between the masks thresholded at
            +offset and at -offset.
        box_nms_thresh: of two masks whose boxes have a higher IoU than this, the one of lower
            predicted IoU is suppressed.
    """

    points_per_side: Annotated[int, Range(1)] = 32
    multimask: bool = True
    pred_iou_thresh: Annotated[float, Range(0, 1)] = 0.88
    stability_score_thresh: Annotated[float | None, Range(0, 1)] = 0.95
    stability_score_offset: Annotated[float, Range(0)] = 1.0
    box_nms_thresh: Annotated[float, Range(0, 1)] = 0.7

    def __post_init__(self) -> None:
        check_fields(self)
