"""Clips, read frame by frame, and the objects that are annotated over their frames."""

from sambench.video.clips import Clip, ClipDataset, FileClip
from sambench.video.tracks import Tracks

__all__ = ["Clip", "ClipDataset", "FileClip", "Tracks"]
