"""The class names of a dataset, asked as phrases: what the tasks of open vocabulary share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from sambench.data.json_input import At
from sambench.errors import UserError
from sambench.interfaces import Dataset, Embedding, Masks, Model, Prompts, Task
from sambench.metrics.concepts import phrases
from sambench.options import Range

from ._elsewhere import refuse_unasked

Words = Mapping[int, tuple[str, ...]]
"""The phrases that stand for a category, by its id."""


@dataclass(frozen=True)
class Answer:
    """What a model answers for one category, the best first.

    Attributes:
        category: its id.
        scores: (n,) float64.
        masks: n candidates of one prompt.
    """

    category: int
    scores: NDArray[np.float64]
    masks: Masks

    def binary(self, count: int) -> NDArray[np.bool_]:
        """The first so many masks, (count, H, W)."""
        part = Masks(
            self.masks.logits[:count], self.masks.iou[:count], self.masks.size, self.masks.resize
        )
        return part.binary()[:, 0]


@dataclass(frozen=True)
class NamingTask(Task):
    """A task that asks an image for categories by their names, which `check` learns of the dataset.

    Attributes:
        ask: of each image: all: every category of the dataset; judged: those whose presence or
            absence is annotated, which are all but in LVIS; shown: those that it shows.
        template: a text around each name, {} in its place.
        synonyms: a category's name alone; or the names that the annotation file gives it under
            "synonyms", of which in each image the one with the best mask answers.
        dealt: the names are dealt anew among the categories, from this seed: what a model gets that
            does not understand them; -1 leaves each its own.
        min_score: masks of at least this score count.
    """

    ask: Literal["all", "judged", "shown"] = "all"
    template: str = "{}"
    synonyms: Literal["name", "best"] = "name"
    dealt: Annotated[int, Range(-1)] = -1
    min_score: Annotated[float, Range(0, 1)] = 0.0

    needs = frozenset({"texts"})
    asking: ClassVar[tuple[str, ...]] = (
        "ask", "template", "synonyms", "dealt", "min_score",
    )  # fmt: skip
    """Options that say how a model is asked, and nothing of predictions made elsewhere."""
    naming: ClassVar[Mapping[str, Any]] = {
        "names": "underscores are spaces; names that differ in case or spaces are one phrase",
        "phrase": "one prompt; its score is the mask's predicted IoU, as text-prompted models give",
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if "{}" not in self.template:
            raise UserError(f"template={self.template} has no {{}} for the name; add it.")

    def __getstate__(self) -> dict[str, Any]:
        """The options: the names stay behind when a task goes to a scoring process."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def check(self, dataset: Dataset) -> None:
        """Learn the names of the categories; refuse a dataset that has none, or no synonyms."""
        object.__setattr__(self, "_words", self._read(dataset))

    def _read(self, dataset: Dataset) -> Words:
        named = phrases(dataset.categories)
        if not named:
            raise UserError(
                f"dataset {dataset.card.name} lists no categories, whose names are what is asked; "
                "add them to its annotations."
            )
        _require_different(dataset, named)
        words: Words = {id: (name,) for id, name in named.items()}
        if self.synonyms != "name":
            words = _synonyms(dataset)
        return words if self.dealt < 0 else dealt(words, self.dealt)

    def surveyed(self, stems: Sequence[Path]) -> NamingTask:
        """Itself, if no option says how a model was asked that made predictions elsewhere."""
        del stems
        refuse_unasked(self, self.asking)
        return self

    @property
    def words(self) -> Words:
        """The phrases of each category.

        Raises:
            UserError: no dataset has told them yet.
        """
        known: Words | None = vars(self).get("_words")
        if known is None:
            raise UserError("the names of the categories are not known; call check(dataset) first.")
        return known

    def answers(
        self, model: Model, embedding: Embedding, categories: Sequence[int]
    ) -> Iterator[Answer]:
        """What a model answers for categories, in their order; each phrase is asked once.

        Args:
            model: takes texts.
            embedding: of the image.
            categories: which.
        """
        asked = [(category, phrase) for category in categories for phrase in self.words[category]]
        best: Answer | None = None
        for start in range(0, len(asked), model.prompt_batch):
            part = asked[start : start + model.prompt_batch]
            texts = tuple(self.template.replace("{}", phrase) for _, phrase in part)
            found = model.predict(embedding, Prompts(texts=texts), multimask=True)
            for row, (category, _) in enumerate(part):
                answer = _answer(category, found, row, self.min_score)
                if best is not None and best.category != category:
                    yield best
                    best = None
                if best is None or _top(answer) > _top(best):
                    best = answer
        if best is not None:
            yield best

    def wanted(self, shown: NDArray[np.int64], extra: Mapping[str, Any]) -> list[int]:
        """Which categories an image is asked for, in ascending order.

        Args:
            shown: ids of those that it shows.
            extra: of its truth.
        """
        known = set(self.words)
        if self.ask == "shown":
            return sorted(known & set(shown.tolist()))
        if self.ask == "judged" and "neg_category_ids" in extra:
            return sorted(known & {*shown.tolist(), *extra["neg_category_ids"]})
        return sorted(known)


def dealt(words: Words, seed: int) -> Words:
    """The phrases of each category given to another one, none to its own, where there are two."""
    ids, random = sorted(words), np.random.default_rng(seed)
    order = random.permutation(len(ids))
    following = np.roll(order, 1)
    return {ids[i]: words[ids[j]] for i, j in zip(order, following, strict=True)}


def _require_different(dataset: Dataset, named: Mapping[int, str]) -> None:
    """Refuse categories of one name: by it they cannot be told apart, and one takes all.

    Raises:
        UserError: there are some.
    """
    first: dict[str, int] = {}
    for id, name in named.items():
        other = first.setdefault(name, id)
        if other != id:
            raise UserError(
                f"dataset {dataset.card.name} calls both category {other} and {id} {name!r}, and "
                "by a name they cannot be told apart; rename or remove one in its annotations."
            )


def _synonyms(dataset: Dataset) -> Words:
    """The synonyms of each category, of an annotation file that has them.

    Raises:
        UserError: it has none.
    """
    entries: Mapping[int, At] = getattr(getattr(dataset, "file", None), "category_entries", {})
    if not entries or any("synonyms" not in entry for entry in entries.values()):
        raise UserError(
            f"dataset {dataset.card.name} gives its categories no synonyms; leave out synonyms."
        )
    found: dict[int, tuple[str, ...]] = {}
    for id, entry in entries.items():
        given = [each.text() for each in entry["synonyms"].items("a list of names")]
        texts = given or [dataset.categories[id]]
        found[id] = tuple(dict.fromkeys(phrases(dict(enumerate(texts))).values()))
    return found


def _answer(category: int, found: Masks, row: int, least: float) -> Answer:
    """The candidates of one prompt whose score is at least so much, the best first."""
    scores = found.iou[row].double().cpu().numpy()
    order = np.argsort(-scores, kind="stable")
    order = order[scores[order] >= least]
    logits, iou = found.logits[row][order.copy()], found.iou[row][order.copy()]
    masks = Masks(logits[:, None], iou[:, None], found.size, found.resize)
    return Answer(category, scores[order], masks)


def _top(answer: Answer) -> float:
    return float(answer.scores[0]) if len(answer.scores) else -np.inf
