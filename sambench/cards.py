"""What a model and a dataset say of themselves: it stands beside every number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ModelCard:
    """What a model is, as far as it can move a number.

    Attributes:
        name: the model's name, as ``sambench list`` shows it.
        weights_sha256: identity of the checkpoint: its content, never its file name.
        preprocessing: how an image becomes the network's input, in words.
        precision: arithmetic, such as float32.
        parameters: number of parameters.
        licence: SPDX name or words.
        citation: paper.
    """

    name: str
    weights_sha256: str = ""
    preprocessing: str = ""
    precision: str = "float32"
    parameters: int = 0
    licence: str = ""
    citation: str = ""


@dataclass(frozen=True)
class DatasetCard:
    """What a dataset is and where it is from.

    Attributes:
        name: as ``sambench list`` shows it.
        title: full name.
        licence: SPDX name or words.
        citation: paper.
        homepage: where it is described.
        split: which part this is.
        note: one sentence that a table must show beside the numbers, such as that the set is a
            demonstration.
        steps: how to get it, in words, where no command can fetch it.
        layout: "verified on real files" or "from documentation".
        expected: expected counts, such as {"images": 100}.
        own: it is the user's own data, whose name others may bear too.
    """

    name: str
    title: str
    licence: str
    citation: str
    homepage: str = ""
    split: str = ""
    note: str = ""
    steps: str = ""
    layout: str = "verified on real files"
    expected: Mapping[str, int] = field(default_factory=dict)
    own: bool = False
