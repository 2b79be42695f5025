"""IoU of masks under its name of version 0.1, for plug-ins: it is in `sambench.metrics.iou`."""

from sambench.metrics.iou import boundary_iou as boundary_iou
from sambench.metrics.iou import iou as iou
