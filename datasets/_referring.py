"""Expressions of the RefCOCO family: an annotation file of COCO's format and its expressions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal, cast

from sambench.data.expressions import Expressions
from sambench.data.json_input import At, read
from sambench.data.sources import data_root, require
from sambench.errors import UserError
from sambench.files import sha256
from sambench.interfaces import JSON, T

from ._coco_file import Annotation
from ._coco_json import CocoJson
from ._outlines import to_rle
from ._plain_pickle import read_plain

Wording = Literal["raw", "sent"]
IMAGES = ("images/train2014", "images/mscoco/images/train2014", "train2014")
"""Where programs expect COCO's images of 2014, below the folder with the annotations."""
NOTHING = -1
"""The annotation that gRefCOCO gives to an expression that names nothing."""


class Referring(CocoJson):
    """Images with expressions of one split.

    Args:
        root: folder with ``<name>/refs(<by>).p``, ``<name>/instances.json``, and the images in
            ``images/train2014``.
        split: of the expressions.
        images: folder of COCO's train2014, where it is another.
        wording: raw as people wrote it, or sent as the authors cleaned it.

    Raises:
        UserError: files are missing, or there are no expressions of the split.
    """

    truths: tuple[type, ...] = (Expressions,)
    neutral = frozenset({"root", "images"})
    outlined = False
    folder: ClassVar[str]
    """Name of the folder with the annotations."""
    files: ClassVar[tuple[str, ...]] = ("refs({}).p",)
    """What the file of expressions may be called."""
    several: ClassVar[bool] = False
    """Whether an expression may name several objects, or none."""
    _by: str = "unc"
    """Who split them, as the file's name says."""

    def __init__(
        self,
        root: str = "",
        split: str = "val",
        images: str = "",
        wording: Wording = "raw",
    ) -> None:
        base = data_root(self.card.name, root)
        own = base / self.folder
        names = [own / name.format(self._by) for name in self.files]
        self.expressions = next((n for n in names if n.exists()), names[0])
        require(self.expressions, type(self))
        places = [Path(images).expanduser()] if images else [base / place for place in IMAGES]
        where = next((place for place in places if place.exists()), places[0])
        super().__init__(require(own / "instances.json", type(self)), require(where, type(self)))
        if wording not in ("raw", "sent"):
            raise UserError(f"wording={wording} is unknown; give raw or sent.")
        self.split, self.wording = split, wording
        self.card = replace(self.card, split=split)

    @cached_property
    def _references(self) -> dict[str, list[At]]:
        """Image id -> its references of the split, in the order of the file."""
        top = (
            At(read_plain(self.expressions), self.expressions)
            if self.expressions.suffix == ".p"
            else read(self.expressions)
        )
        found: dict[str, list[At]] = {}
        splits = dict[str, None]()
        for at in _once(top.items("a list of references")):
            splits[at["split"].text()] = None
            if at["split"].text() == self.split:
                image = str(at["image_id"].id())
                if image not in self.file.images:
                    at["image_id"].fail(f"is {image}, which {self.annotations} does not list")
                found.setdefault(image, []).append(at)
        if not found:
            raise UserError(
                f"{self.expressions} has no split {self.split}; give one of {', '.join(splits)}."
            )
        return found

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Ids of the images that have expressions of the split, ascending."""
        return tuple(id for id in self.file.images if id in self._references)

    @property
    def truth_files(self) -> tuple[Path, ...]:
        """The annotations and the expressions."""
        return self.annotations, self.expressions

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over both files, the ids in use, and which wording is asked."""
        whole = [*map(sha256, self.truth_files), list(self.ids), self.split, self.wording]
        return hashlib.sha256(json.dumps(whole).encode()).hexdigest()

    def read_truth(self, id: str, kind: type[T]) -> T:
        """The expressions of an image, each wording by itself."""
        assert kind is Expressions
        size = self.file.images[id].size
        annotations = {str(each.id): each for each in self.file.annotations.get(id, [])}
        texts: list[str] = []
        targets: list[tuple[JSON, ...]] = []
        for at in self._references[id]:
            named = tuple(to_rle(each.outline, size) for each in self._named(at, annotations))
            sentences = [each[self.wording].text() for each in at["sentences"].items()]
            if not sentences:
                at["sentences"].fail("has no sentence", "add one, or remove the reference")
            texts += sentences
            targets += [named] * len(sentences)
        return cast(T, Expressions(size, tuple(texts), tuple(targets)))

    def _named(self, at: At, annotations: Mapping[str, Annotation]) -> list[Annotation]:
        """What a reference names; crowd regions among several objects do not count."""
        ids = at["ann_id"]
        listed = ids.items() if isinstance(ids.value, list) else [ids]
        if [each.value for each in listed] == [NOTHING]:
            if not self.several:
                ids.fail(f"is {NOTHING}, but every expression names an object here")
            return []
        if not self.several and len(listed) != 1:
            ids.fail(f"names {len(listed)} objects, but every expression names one here")
        if not listed:
            ids.fail("names nothing", f"write [{NOTHING}] if that is what the expression does")
        found = [self._annotation(each, annotations) for each in listed]
        if not self.several:
            return found
        single = [each for each in found if not each.crowd]
        if not single:
            ids.fail("names nothing but crowd regions")
        return single

    def _annotation(self, at: At, annotations: Mapping[str, Annotation]) -> Annotation:
        found = annotations.get(str(at.id()))
        if found is None:
            at.fail(f"is {at.value}, which {self.annotations} does not list for its image")
        if not found.outline:
            at.fail(f"is {at.value}, whose outline in {self.annotations} encloses nothing")
        return found


def _once(references: list[At]) -> Iterator[At]:
    """References, none of which is there twice: each of its sentences would count twice."""
    first: dict[str, At] = {}
    for at in references:
        id = at.get("ref_id")
        other = at if id is None else first.setdefault(str(id.id()), at)
        if other is not at:
            at["ref_id"].fail(f"is {at['ref_id'].value}, which {other.place} has too")
        yield at
