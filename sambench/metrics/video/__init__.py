"""How well the masks of objects are carried over a clip: region J, boundary F, and J&F.

Perazzi et al., A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation, CVPR
2016; Pont-Tuset et al., The 2017 DAVIS Challenge on Video Object Segmentation, arXiv:1704.00675;
Ravi et al., SAM 2: Segment Anything in Images and Videos, ICLR 2025, for the rule of SA-V.
"""

from sambench.metrics.video.boundary import boundary_f
from sambench.metrics.video.clips import RULES, clip_record, estimator, object_table
from sambench.metrics.video.region import jaccard
from sambench.metrics.video.statistics import Statistics, statistics

__all__ = [
    "RULES",
    "Statistics",
    "boundary_f",
    "clip_record",
    "estimator",
    "jaccard",
    "object_table",
    "statistics",
]
