"""Which images of a large dataset are taken: the rule of Segment Anything, made repeatable.

Kirillov et al., Segment Anything, ICCV 2023, appendix D.1: of a dataset of more than 15,000 masks
whole images are picked at random until they hold about 10,000. No list and no seed were published.
Here an image's place in the order is a hash of seed and id: two people get the same sample,
whatever their machine and whatever other images they have.
"""

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property

from sambench.errors import UserError
from sambench.interfaces import Dataset

MASKS = 10_000
SAMPLES = ("sa23", "all")


def subsample(
    ids: Sequence[str], count: Callable[[str], int], masks: int = MASKS, seed: int = 0
) -> tuple[str, ...]:
    """Images at random until they hold so many masks, in their old order.

    Args:
        ids: all images.
        count: number of masks of an image; an image without any is not taken.
        masks: enough is reached with the image that brings the total to this or above.
        seed: another gives another sample.
    """
    taken: set[str] = set()
    total = 0
    for id in sorted(ids, key=lambda id: _place(id, seed)):
        if total >= masks:
            break
        found = count(id)
        if found:
            taken.add(id)
            total += found
    return tuple(id for id in ids if id in taken)


def _place(id: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{id}".encode()).hexdigest()


class Sampled(Dataset):
    """A dataset of more than 15,000 masks, of which a sample of about 10,000 is used.

    Args:
        sample: "sa23" for the sample, "all" for everything.
    """

    def __init__(self, sample: str) -> None:
        if sample not in SAMPLES:
            raise UserError(f"sample={sample} is unknown; known are {' and '.join(SAMPLES)}.")
        self.sampling = sample

    @cached_property
    @abstractmethod
    def everything(self) -> tuple[str, ...]:
        """All ids of the split."""

    @abstractmethod
    def count(self, id: str) -> int:
        """Number of masks of an image, as cheaply as can be told."""

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Ids of the sample, or all."""
        if self.sampling == "all":
            return self.everything
        return subsample(self.everything, self.count)
