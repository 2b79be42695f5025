"""The types that everything else is made of: read this first.

A `Dataset` gives a `Sample` for each id: an image and its truth. A `Model` embeds the image once
and answers `Prompts` with `Masks`. A `Task` recasts its question as prompts (`predict`), compares
the answer with the truth (`score`: one image, one record) and turns all records into numbers
(`estimator`).

Conventions: images are (H, W, 3) uint8 RGB. Points are (x, y) and boxes (x0, y0, x1, y1), both in
pixels of the original image, where the centre of the top-left pixel is (0, 0) for a point taken
from a mask, as in the reference implementation. This module imports no torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.options import Range as Range
from sambench.options import check_fields
from sambench.truths import Boundaries as Boundaries
from sambench.truths import Concepts as Concepts
from sambench.truths import Instances as Instances
from sambench.truths import Regions as Regions
from sambench.truths import Segments as Segments

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")
JSON = dict[str, Any]
"""A JSON object: what a record, a card or a protocol is made of."""
Embedding = Any
"""What a model keeps of an image; opaque to everything but the model."""
Prediction = Any
"""What a task makes of a model's answers for one image: NumPy arrays, no tensors; it pickles."""
Estimator = Callable[[NDArray[np.float64]], dict[str, float]]
"""Counts (n,) of how often each record is taken -> metrics. All ones gives the value itself."""


def file_stamp(path: Path) -> str | None:
    """Size of a file, and the times of its last change and of its name's; None if it is missing."""
    try:
        found = path.stat()
    except OSError:
        return None
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"


def masks_at_once(size: tuple[int, int], device: str) -> int:
    """How many masks to enlarge to (H, W) together: bounds memory and time, not results.

    Few stay in a processor's cache and under the size from which each allocation is mapped anew,
    which halves the time; a GPU wants many. Models pass through about 1024 x 1024 on the way.
    """
    budget = 1 << (22 if device == "cpu" else 27)
    return max(1, budget // max(size[0] * size[1], 1 << 20))


@dataclass(frozen=True)
class Prompts:
    """B prompts for one image; each may combine points, a box and a mask.

    Attributes:
        points: (B, N, 2) float, (x, y) in pixels of the original image.
        labels: (B, N) int, 1 foreground, 0 background, -1 padding that is to be ignored.
        boxes: (B, 4) float, (x0, y0, x1, y1) in pixels of the original image.
        masks: (B, 1, h, w) low-resolution logits as the same model returned them in
            `Masks.logits`: array or tensor.
        texts: B noun phrases.
    """

    points: NDArray[Any] | None = None
    labels: NDArray[Any] | None = None
    boxes: NDArray[Any] | None = None
    masks: Any | None = None
    texts: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        given = [len(part) for part in self._parts()]
        if not given or len(set(given)) != 1:
            raise ValueError(f"prompts of one batch need equal, known lengths, got {given}")
        if (self.points is None) != (self.labels is None):
            raise ValueError("points and labels go together: give both or neither")

    def _parts(self) -> Iterator[Any]:
        parts = (self.points, self.labels, self.boxes, self.masks, self.texts)
        return (part for part in parts if part is not None)

    def __len__(self) -> int:
        return len(next(self._parts()))

    def __getitem__(self, index: slice) -> Prompts:
        """The prompts of a slice of the batch."""

        def cut(part: Any) -> Any:
            return None if part is None else part[index]

        return Prompts(
            cut(self.points), cut(self.labels), cut(self.boxes), cut(self.masks), cut(self.texts)
        )

    def kinds(self) -> frozenset[str]:
        """Which kinds of prompt are present: points, boxes, masks, texts."""
        named = {
            "points": self.points,
            "boxes": self.boxes,
            "masks": self.masks,
            "texts": self.texts,
        }
        return frozenset(name for name, part in named.items() if part is not None)


@dataclass(frozen=True)
class Masks:
    """A model's answer: C candidate masks for each of B prompts.

    Attributes:
        logits: (B, C, h, w) float tensor at the model's own resolution; > 0 is foreground.
        iou: (B, C) float tensor, the quality that the model predicts for each mask.
        size: (H, W) of the original image.
        resize: brings (n, h, w) logits to (n, H, W): the model's own un-padding and interpolation.
    """

    logits: Tensor
    iou: Tensor
    size: tuple[int, int]
    resize: Callable[[Tensor], Tensor]

    def at_image_size(self) -> Tensor:
        """Logits at the size of the original image, (B, C, H, W)."""
        flat = self.resize(self.logits.flatten(0, 1))
        return flat.reshape(*self.logits.shape[:2], *self.size)

    def binary(self) -> NDArray[np.bool_]:
        """Masks at the size of the original image, (B, C, H, W) bool: logits > 0."""
        from sambench.masks.upsampling import binary

        flat = self.logits.flatten(0, 1)
        step = masks_at_once(self.size, flat.device.type)
        masks = np.empty((len(flat), *self.size), dtype=bool)
        for start in range(0, len(flat), step):
            stop = start + step
            masks[start:stop] = binary(self.resize, flat[start:stop]).cpu().numpy()
        return masks.reshape(*self.logits.shape[:2], *self.size)

    def take(self, channel: Tensor | NDArray[Any]) -> Masks:
        """Keep one candidate of each prompt: channel (B,) int -> Masks with C = 1."""
        import torch

        index = torch.as_tensor(channel, device=self.logits.device, dtype=torch.long)
        rows = torch.arange(len(index), device=self.logits.device)
        logits, iou = self.logits[rows, index], self.iou[rows, index]
        return Masks(logits[:, None], iou[:, None], self.size, self.resize)

    def most_confident(self) -> Masks:
        """Keep the candidate of highest predicted IoU of each prompt (the first of equal ones)."""
        return self.take(self.iou.argmax(dim=1))


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


class Model(ABC):
    """A promptable segmentation model.

    A model that does a task by itself may also have that task's method (see the task), such as
    ``boundaries(image)``; the task then scores its output directly.
    """

    card: ModelCard
    prompts: frozenset[str] = frozenset({"points", "boxes", "masks"})
    """Kinds of prompt it takes: points, boxes, masks, texts."""
    prompt_batch: int = 64
    """How many prompts one call of `predict` should be given, for speed and bounded memory."""
    neutral: ClassVar[frozenset[str]] = frozenset({"device"})
    """Constructor options that cannot move a mask: a run with another one is the same run."""

    @abstractmethod
    def embed(self, images: Sequence[NDArray[np.uint8]]) -> list[Embedding]:
        """Embed images, each (H, W, 3) uint8 RGB of any size: the expensive half."""

    @abstractmethod
    def predict(self, embedding: Embedding, prompts: Prompts, *, multimask: bool) -> Masks:
        """Answer prompts on one embedded image.

        Args:
            embedding: one item of what `embed` returned.
            prompts: B prompts in pixels of the original image.
            multimask: several candidates for each prompt (SAM: three), or the single one.
        """

    def predict_above(
        self, embedding: Embedding, prompts: Prompts, iou: float, *, multimask: bool
    ) -> Masks:
        """As `predict`, for one who drops masks whose predicted IoU is not above `iou`.

        A model may save itself those: it gives their predicted IoU, but logits of zero.
        """
        return self.predict(embedding, prompts, multimask=multimask)

    def pack(self, embedding: Embedding) -> dict[str, Tensor]:
        """An embedding as named tensors, for a cache on disk; no model has to offer it."""
        raise NotImplementedError(f"{self.card.name} packs no embeddings")

    def unpack(self, packed: Mapping[str, Tensor]) -> Embedding:
        """The embedding that `pack` was given, exactly; the tensors are on the CPU."""
        raise NotImplementedError(f"{self.card.name} unpacks no embeddings")


@dataclass(frozen=True)
class Sample:
    """One image with its truth.

    Attributes:
        id: unique in the dataset.
        image: (H, W, 3) uint8 RGB.
        truth: of the type that was asked for, such as `Instances`.
    """

    id: str
    image: NDArray[np.uint8]
    truth: Any


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


class Dataset(Mapping[str, Sample]):
    """Images and their truth by id, lazy, in a fixed order."""

    card: DatasetCard
    truths: ClassVar[tuple[type, ...]]
    """The types of truth it can give; the first is the default."""
    neutral: ClassVar[frozenset[str]] = frozenset({"root"})
    """Constructor options that only say where files are: what is in them is identified itself."""

    @property
    def categories(self) -> Mapping[int, str]:
        """Category id -> name, as far as they have names."""
        return {}

    @cached_property
    @abstractmethod
    def ids(self) -> tuple[str, ...]:
        """All ids, in a fixed order."""

    @abstractmethod
    def read_image(self, id: str) -> NDArray[np.uint8]:
        """The image, (H, W, 3) uint8 RGB.

        Raises:
            UserError: the file is missing or damaged.
        """

    @abstractmethod
    def read_truth(self, id: str, kind: type[T]) -> T:
        """The truth of the kind asked for; kind is one of `truths`."""

    @cached_property
    @abstractmethod
    def fingerprint(self) -> str:
        """SHA-256 over the annotations: two datasets of equal fingerprint give equal truth."""

    def image_path(self, id: str) -> Path | None:
        """The file of an image; None where it does not come from one file."""
        return None

    def stamp(self, id: str) -> str | None:
        """What changes whenever the pixels of an image may have changed, found without reading it.

        Of an image in a file it is size and times; of one that follows from the options alone, any
        constant. None if it cannot be known: then a run that is continued reads the image to see
        whether it is still the one that was scored.
        """
        path = self.image_path(id)
        return None if path is None else file_stamp(path)

    def annotated(self, ids: Sequence[str]) -> tuple[int, int] | None:
        """How many objects and crowd regions images have; None where only their truths tell."""
        return None

    def sample(self, id: str, kind: type) -> Sample:
        """Image and truth of the kind asked for."""
        return Sample(id, self.read_image(id), self.read_truth(id, kind))

    def __contains__(self, id: object) -> bool:
        return id in self.ids  # a Mapping's own would read the sample

    def __getitem__(self, id: str) -> Sample:
        return self.sample(id, self.truths[0])

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids)

    def __len__(self) -> int:
        return len(self.ids)


class Task(ABC):
    """A question put to a model: a frozen dataclass whose fields are the options.

    A numeric option may say what it takes: ``points: Annotated[int, Range(1)] = 1``. No option may
    bear the name of an argument of the commands, such as limit.
    """

    truth: ClassVar[type]
    """The type of truth it needs."""
    metric: ClassVar[str]
    """The metric to rank by."""
    needs: ClassVar[frozenset[str]]
    """Kinds of prompt that the model must take; a property where they depend on the options."""
    direct: ClassVar[str] = ""
    """The method of a model that gives this task's prediction itself, if the task knows one."""
    paper: ClassVar[str]
    """The command that runs the paper's own protocol."""
    facts: ClassVar[Mapping[str, Any]] = {}
    """Choices that move the number and are no option: they stand in the protocol card."""
    scoring: ClassVar[frozenset[str]] = frozenset()
    """Options that move only scores: predictions are kept when they change."""
    foreign: ClassVar[Mapping[str, Any]] = {}
    """Options for predictions made elsewhere, which are scored as they are."""
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Named sets of options, such as the variant of a paper."""

    def __post_init__(self) -> None:
        """Refuse options outside the range of their annotation (a `sambench.options.Range`).

        Raises:
            UserError: an option is out of range; it is named, with what it takes.
        """
        check_fields(self)

    def check(self, dataset: Dataset) -> None:  # noqa: B027 (most tasks fit any dataset)
        """Refuse, before anything is predicted, a dataset that the options do not fit.

        Raises:
            UserError: a file given as an option belongs to another dataset.
        """

    def check_images(self, dataset: Dataset, ids: Sequence[str]) -> None:  # noqa: B027
        """Refuse, before anything is predicted, images that cannot be scored with these options.

        Raises:
            UserError: a file given as an option lacks one, or none has anything to score.
        """

    @abstractmethod
    def predict(self, model: Model, embedding: Embedding, sample: Sample) -> Prediction:
        """GPU half: recast the task as prompts. Returns NumPy arrays."""

    @abstractmethod
    def score(self, prediction: Prediction, truth: Any) -> JSON:
        """CPU half: one image -> its sufficient statistics as JSON values.

        NaN is written as None.
        """

    @abstractmethod
    def estimator(self, records: Sequence[JSON]) -> Estimator:
        """All images -> a function of how often each record counts, for the bootstrap."""

    def by_category(self, records: Sequence[JSON]) -> Estimator | None:
        """As `estimator`, of the main metric by category; None where records know of none."""
        return None

    def details(self, records: Sequence[JSON]) -> JSON:
        """All images -> data for plots and breakdowns beside the metrics."""
        return {}

    def save(self, prediction: Prediction, stem: Path) -> Path:
        """Write a prediction to a file whose name starts with stem; returns the file."""
        raise NotImplementedError(f"{type(self).__name__} saves no predictions")

    def load(self, stem: Path) -> Prediction:
        """Read what `save` wrote."""
        raise NotImplementedError(f"{type(self).__name__} loads no predictions")

    def surveyed(self, stems: Sequence[Path]) -> Task:
        """Look at all predictions made elsewhere before any is scored.

        Args:
            stems: what the name of each prediction starts with; files may be missing.

        Returns:
            The task that reads them: with what they have in common settled.

        Raises:
            UserError: they cannot be read as what they are meant to be.
        """
        del stems
        return self

    def load_all(self, path: Path, dataset: Dataset) -> Mapping[str, Prediction]:
        """Read the predictions of all images from one file, made elsewhere.

        Raises:
            UserError: there is no such format, or the file is not of it or of another dataset.
        """
        raise UserError(
            f"{path} is a file, but predictions for this task are a folder with one file an image; "
            "give the folder."
        )
