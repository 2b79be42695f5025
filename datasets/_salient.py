"""Datasets of salient objects: an image and a grey mask of the same name."""

from sambench.truths import Instances

from ._instances import encode, from_rles
from ._label_maps import read_grey
from ._pairs import PairedFiles

THRESHOLD = 128
"""Masks may be grey at the outline; what is brighter is the object, as in common evaluations."""


class SalientPairs(PairedFiles):
    """One object an image: everything that is salient."""

    def instances(self, id: str) -> Instances:
        """The salient object, empty where nothing is."""
        grey = read_grey(self.truth_paths(id)[0])
        return from_rles((grey.shape[0], grey.shape[1]), [encode(grey > THRESHOLD)])
