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
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.files import file_stamp
from sambench.findings import Finding as Finding
from sambench.options import Range as Range
from sambench.options import check_fields
from sambench.prompts import Masks as Masks
from sambench.prompts import Prompts as Prompts
from sambench.shown import Curve as Curve
from sambench.shown import DatasetCard as DatasetCard
from sambench.shown import Histogram as Histogram
from sambench.shown import Layer as Layer
from sambench.shown import Marks as Marks
from sambench.shown import Metric as Metric
from sambench.shown import ModelCard as ModelCard
from sambench.shown import Reference as Reference
from sambench.truths import Boundaries as Boundaries
from sambench.truths import Concepts as Concepts
from sambench.truths import Instances as Instances
from sambench.truths import Regions as Regions
from sambench.truths import Segments as Segments
from sambench.truths import Truth as Truth

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


class Model(ABC):
    """A promptable segmentation model.

    A model that does a task by itself may also have that task's method (see `Task.direct`), such as
    ``boundaries(image)``; the task then scores its output directly.
    """

    card: ModelCard
    prompts: frozenset[str] = frozenset({"points", "boxes", "masks"})
    """Kinds of prompt it takes: points, boxes, masks, texts; blanks among points."""
    prompt_batch: int = 64
    """How many prompts one call of `predict` should be given, for speed and bounded memory."""
    chunk: int = 0
    """How many of them it decodes together; 0: all. Fewer are given where memory runs out."""
    image_batch: int = 1  # images that one call of `embed` should be given
    device: str = "cpu"
    """Where it computes: cpu, cuda, cuda:1 and so on. Time and memory are measured there."""
    concurrent: bool = False
    """Whether threads may call it at once, each with images of its own, for the same answers."""
    requires: ClassVar[str] = ""
    """What has to be installed or is downloaded, in words; "" where nothing is."""
    neutral: ClassVar[frozenset[str]] = frozenset({"device"})
    """Constructor options that cannot move a mask: a run with another one is the same run."""

    @classmethod
    def best_device(cls) -> str:
        """What ``--device auto`` is for models of this class: a GPU that PyTorch finds, or cpu."""
        import torch

        return "cuda" if torch.cuda.is_available() else "cpu"

    def prepare(self, image: NDArray[np.uint8]) -> Any:
        """What `embed` takes in place of an image; readers make it ahead, in their threads."""
        return image

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
        self, embedding: Embedding, prompts: Prompts, pred_iou_thresh: float, *, multimask: bool
    ) -> Masks:
        """As `predict`, for one who drops masks whose predicted IoU is not above the threshold.

        A model may save itself those: it gives their predicted IoU, but logits of zero.
        """
        return self.predict(embedding, prompts, multimask=multimask)

    def direct(self, method: str) -> Callable[..., Any] | None:
        """The model's own way to a task's prediction, by the name of `Task.direct`, or None."""
        return getattr(self, method, None) if method else None

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


class Dataset(Mapping[str, Sample]):
    """Images and their truth by id, lazy, in a fixed order."""

    card: DatasetCard
    truths: tuple[type, ...]
    """The types of truth it can give, subclasses of `Truth`; the first is the default."""
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
        """What changes whenever the pixels of an image may have, found without reading it.

        Of a file it is size and times; of what follows from the options alone, any constant. None
        if it cannot be known: then a run that is continued reads the image to see.
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
    have the name of an argument of the commands, such as limit.
    """

    truth: ClassVar[type]
    """The type of truth it needs."""
    direct: ClassVar[str] = ""
    """The method of a model that gives this task's prediction itself, if the task knows one.

    A task calls it as ``model.direct(self.direct)``, never by its name.
    """
    prompting: ClassVar[frozenset[str]] = frozenset()
    """Options and facts that say how a model is prompted: of no account for one with `direct`."""
    paper: ClassVar[str]
    """The command that runs the paper's own protocol."""
    facts: ClassVar[Mapping[str, Any]] = {}
    """Choices that move the number and are not options: they stand in the protocol card."""
    scoring: ClassVar[frozenset[str]] = frozenset()
    """Options that move only scores: predictions are kept when they change."""
    foreign: ClassVar[Mapping[str, Any]] = {}
    """Options for predictions made elsewhere, which are scored as they are."""
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Named sets of options, such as the variant of a paper."""
    left_open: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """By preset, options that its paper leaves open: they keep their default."""

    @property
    def needs(self) -> frozenset[str]:
        """Kinds of prompt that the model must take: a class variable, or a property of options."""
        raise AttributeError(f"task {type(self).__name__} does not say which prompts it needs")

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that it may give, the one to rank by first: a class variable or a property.

        A metric of the estimator that is not declared is printed as a plain number and not ranked.
        """
        return ()

    @property
    def stated(self) -> Mapping[str, Any]:
        """The facts that hold under these options."""
        return self.facts

    @property
    def metric(self) -> str:
        """The name of the metric to rank by."""
        if not self.metrics:
            raise AttributeError(f"task {type(self).__name__} declares no metrics")
        return self.metrics[0].name

    def __post_init__(self) -> None:
        """Refuse options outside the range of their annotation (a `sambench.options.Range`)."""
        check_fields(self)

    def check(self, dataset: Dataset) -> None:  # noqa: B027 (most tasks fit any dataset)
        """Refuse (`UserError`), before anything is predicted, a dataset the options do not fit."""

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
        """CPU half: one image -> its sufficient statistics as JSON values; NaN is None."""

    @abstractmethod
    def estimator(self, records: Sequence[JSON]) -> Estimator:
        """All images -> a function of how often each record counts, for intervals and tests."""

    def by_category(self, records: Sequence[JSON]) -> Estimator | None:
        """As `estimator`, of the main metric by category; None where records know of none."""
        return None

    def category_counts(self, records: Sequence[JSON]) -> Mapping[str, int]:
        """How many objects there are of each category of `by_category`; empty if not known."""
        return {}

    def curves(self, records: Sequence[JSON]) -> Sequence[Curve | Histogram]:
        """All images -> curves and histograms to draw beside the metrics."""
        return ()

    def layers(self, prediction: Prediction) -> Mapping[str, Layer]:
        """What of a prediction may be drawn over its image; all but the first are hidden first."""
        return {}

    def asked(self, prediction: Prediction, truth: Any) -> Layer | None:
        """What of the truth the first layer should show, so that errors can be drawn; or None."""
        layer: Layer | None = truth.layer()
        return layer

    def marks(self, record: JSON, prediction: Prediction | None, truth: Any) -> Marks:
        """The prompts to draw over an image; the prediction is None where it was not kept."""
        return Marks()

    def save(self, prediction: Prediction, stem: Path) -> Path:
        """Write a prediction to a file whose name starts with stem; returns the file."""
        raise NotImplementedError(f"{type(self).__name__} saves no predictions")

    def load(self, stem: Path) -> Prediction:
        """Read what `save` wrote."""
        raise NotImplementedError(f"{type(self).__name__} loads no predictions")

    def surveyed(self, stems: Sequence[Path]) -> Task:
        """The task that reads predictions made elsewhere: with what they have in common settled.

        Args:
            stems: what the name of each prediction starts with; files may be missing.

        Raises:
            UserError: they cannot be read as what they are meant to be.
        """
        del stems
        return self

    def load_all(self, path: Path, dataset: Dataset) -> Mapping[str, Prediction]:
        """Read the predictions of all images from one file, made elsewhere.

        Raises:
            UserError: the task reads no such file, or it is of another format or dataset.
        """
        raise UserError(
            f"{path} is a file, but predictions for this task are a folder with one file per "
            "image; give the folder."
        )
