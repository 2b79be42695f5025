"""A follower like `still` that kills its process, once, when it has carried so many frames."""

import os
import signal
from pathlib import Path

from sambench.model.still import Still


class Mortal(Still):
    """Dies as no program can help.

    Args:
        frames: masks carried before.
        grave: a file that says it has died before; else it is made.
    """

    neutral = Still.neutral | {"frames", "grave"}

    def __init__(self, frames: int = 0, grave: str = "", device: str = "cpu") -> None:
        super().__init__(device=device)
        self.left, self.grave = frames, grave

    def carry(self, state, before, frame, known):
        """The same masks."""
        if self.grave and not Path(self.grave).exists():
            if not self.left:
                Path(self.grave).touch()
                os.kill(os.getpid(), signal.SIGKILL)
            self.left -= 1
        return super().carry(state, before, frame, known)
