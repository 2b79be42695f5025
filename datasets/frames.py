"""Your own clips: folders of frames or video files, and a folder of masks for each."""

from functools import cached_property
from pathlib import Path
from typing import Annotated

from sambench.data.sources import require
from sambench.errors import UserError
from sambench.interfaces import JSON, DatasetCard, Range
from sambench.video import Clip

from ._clips import MOST_OBJECTS, LabelClips, folders_in
from ._files import by_stem, files_in
from ._movie import MOVIES, Movie
from ._numbered import NumberReading


class Frames(LabelClips):
    """Clips and masks that belong together by their names.

    ``images`` has a folder of frames or a video file for each clip, ``masks`` a folder of the same
    name, of label images with the names of frames: 0 is background, any other value the object of
    that number. Frames of a video file are named 00000, 00001 and so on; such files need PyAV. Only
    the first frame must have a mask; others without one count in no score. A label image without
    an object says that none is to be seen.

    Args:
        images: folder of clips.
        masks: folder of their masks.
        void: the value of pixels that belong to no object for certain, such as 255; 0 if there is
            none.
        merged: take all values but 0 as one object.
        step: of video files, take every frame of this number, from the first.

    Raises:
        UserError: a folder is missing or not given, a clip has no masks, masks have no clip, or
            there is no video file of which every n-th frame could be taken.
    """

    card = DatasetCard(
        name="frames",
        title="your own clips and masks",
        licence="as their owner says",
        citation="none",
        steps="give folders as frames:images=DIR,masks=DIR, with a folder for each clip in both",
        own=True,
    )
    neutral = frozenset({"images", "masks"})

    def __init__(
        self,
        images: str = "",
        masks: str = "",
        void: Annotated[int, Range(0, MOST_OBJECTS)] = 0,
        merged: bool = False,
        step: Annotated[int, Range(1)] = 1,
    ) -> None:
        if not images or not masks:
            raise UserError(f"frames needs two folders; {self.card.steps}.")
        if merged and void:
            raise UserError("void= and merged= exclude each other; leave one out.")
        self.images = require(Path(images).expanduser(), type(self))
        self.masks = require(Path(masks).expanduser(), type(self))
        self.labels, self.step = NumberReading(void=void, merged=merged), step

    @cached_property
    def _movies(self) -> dict[str, Path]:
        return by_stem(files_in(self.images, MOVIES))

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Names of the clips, sorted."""
        folders, masks = {*folders_in(self.images)}, {*folders_in(self.masks)}
        clips = folders | self._movies.keys()
        for name in sorted(folders & self._movies.keys()):
            raise UserError(f"{self._movies[name]} and the folder {name} are one clip; keep one.")
        if not clips:
            raise UserError(f"{self.images} has no folder of frames and no video file; add some.")
        if self.step > 1 and not self._movies:
            raise UserError(
                f"step={self.step} is for video files, and {self.images} has folders of frames "
                "alone, all of which count; leave it out, or take the other frames away."
            )
        for name in sorted(clips ^ masks):
            here, there = (self.images, self.masks) if name in clips else (self.masks, self.images)
            raise UserError(f"{here / name} has no folder {there / name}; add it, or take it away.")
        return tuple(sorted(clips))

    def frames_folder(self, id: str) -> Path:
        """Where the frames of a clip are."""
        return self.images / id

    def masks_folder(self, id: str) -> Path:
        """Where its masks are."""
        return self.masks / id

    def clip(self, id: str) -> Clip:
        """The frames of a clip."""
        return Movie(self._movies[id], self.step) if id in self._movies else super().clip(id)

    def image_path(self, id: str) -> Path | None:
        """File of the first frame, or of all."""
        return self._movies.get(id) or super().image_path(id)

    def reading(self) -> JSON:
        """How values are understood."""
        return {"void": self.labels.void, "merged": self.labels.merged, "step": self.step}
