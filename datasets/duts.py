"""DUTS: the largest set of salient objects; its test part is the usual benchmark (DUTS-TE)."""

from dataclasses import replace

from sambench.data.sources import data_root
from sambench.interfaces import DatasetCard

from ._files import place_of
from ._salient import SalientPairs

EXPECTED = {"TE": 5019, "TR": 10553}


class Duts(SalientPairs):
    """DUTS.

    Args:
        root: folder ``DUTS-TE`` (``DUTS-TR``), or the one that holds it.
        split: TE (test) or TR (training).

    Raises:
        UserError: a folder is missing.
    """

    card = DatasetCard(
        name="duts",
        title="DUTS, salient objects",
        licence="as its homepage says; images of ImageNet and SUN, for research",
        citation="Wang et al., Learning to Detect Salient Objects with Image-level Supervision, "
        "CVPR 2017",
        homepage="http://saliencydetection.net/duts",
        split="TE",
        steps="unpack DUTS-TE.zip of the homepage and give the folder it is in as root=",
        layout="from documentation",
        expected={"images": EXPECTED["TE"]},
    )

    def __init__(self, root: str = "", split: str = "TE") -> None:
        name = f"DUTS-{split}"
        base = place_of(f"{name}-Image", data_root("duts", root), ("", name, f"DUTS/{name}"))
        super().__init__(str(base), f"{name}-Image", f"{name}-Mask")
        self.card = replace(self.card, split=split, expected={"images": EXPECTED.get(split, 0)})
