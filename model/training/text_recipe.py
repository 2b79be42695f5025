"""The choices of training with texts that move a number."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Literal

from sambench.errors import UserError
from sambench.interfaces import JSON
from sambench.options import Range, check_fields


@dataclass(frozen=True)
class TextRecipe:
    """Teach a SAM to take texts.

    Attributes:
        text: the encoder of texts: minilm, or CLIP of transformers or a sentence encoder, by its
            name on the Hub or its folder; without it no text is taught.
        text_source: phrases: a phrase stands for all that it names in an image, taken together;
            crops: what CLIP sees of an object stands for it, as in the paper.
        text_template: a text around the phrase, {} in its place.
        text_negatives: of phrases, how many that an image does not show teach, each time, that
            their predicted IoU is 0.
        text_learns: the projection alone, or prompt encoder and mask decoder too.
    """

    text: str = ""
    text_source: Literal["phrases", "crops"] = "phrases"
    text_template: str = "{}"
    text_negatives: Annotated[int, Range(0)] = 4
    text_learns: Literal["projection", "decoder"] = "projection"

    def __post_init__(self) -> None:
        check_fields(self)
        if "{}" not in self.text_template:
            raise UserError(f"text_template {self.text_template!r} has no {{}} for the phrase.")

    def to_json(self) -> JSON:
        """All of it but where the encoder lies, by name; what the source has no use for is left."""
        unused = {"text"} | ({"text_negatives"} if self.text_source == "crops" else set())
        return {name: value for name, value in asdict(self).items() if name not in unused}
