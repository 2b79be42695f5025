"""Small rendered scenes, some of which cannot be read."""

from dataclasses import replace
from pathlib import Path

from sambench.datasets.scenes import Scenes
from sambench.errors import UserError


class Faulty(Scenes):
    """Scenes of 64 x 64 pixels.

    Args:
        images: how many.
        bad: ids that cannot be read, joined by "+".
        until: file that, once there, makes them readable.
    """

    neutral = frozenset({"root", "images", "bad", "until"})

    def __init__(self, images: int = 12, bad: str = "", until: str = "") -> None:
        super().__init__(images=images, width=64, height=64, objects=3)
        self.card = replace(self.card, name="faulty", note="")
        self.bad, self.until = bad.split("+"), until

    def read_image(self, id):
        if id in self.bad and not (self.until and Path(self.until).exists()):
            raise UserError(f"image {id} is damaged; fetch it again.")
        return super().read_image(id)
