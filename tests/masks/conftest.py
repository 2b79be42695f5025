"""The trusted evaluators, for run lengths too."""

from ..metrics.detection.conftest import coco, coco_found, coco_truth, oracle  # noqa: F401
