"""Proposals: find all objects of an image, regardless of category, by a grid of points.

The experiment of Segment Anything, section 7.3 and appendix D.3 (Kirillov et al., 2023).
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from sambench.interfaces import (
    JSON,
    Curve,
    Dataset,
    Embedding,
    Estimator,
    Layer,
    Marks,
    Metric,
    Model,
    Prediction,
    Sample,
    Task,
)
from sambench.metrics.detection import proposals as recall
from sambench.metrics.detection.assignment import Detections
from sambench.metrics.statistics import Statistic, evaluated
from sambench.options import Range
from sambench.truths import Instances

from ._coco_results import (
    ImageDetections,
    image_id,
    read_all,
    read_results,
    require_image,
    write_results,
)
from ._objects import SINGLE, require_objects
from ._sizes import FREQUENCIES, SIZES, by_frequency, by_size

if TYPE_CHECKING:
    from sambench.masks.mask_data import MaskData

V = TypeVar("V")


def _recalls(start: str, kind: str) -> tuple[Metric, ...]:
    """AR at each budget, the largest first, by size and by frequency."""
    wholes = [
        Metric(f"{start}AR@{k}", f"AR of {kind} over IoU .50:.05:.95, {k} proposals", "percent")
        for k in sorted(recall.BUDGETS, reverse=True)
    ]
    return tuple(m for w in wholes for m in (w, *by_size(w), *by_frequency(w)))


PARTS = {"AR": ""} | {f"AR{k}": f", {word}" for k, word in (SIZES | FREQUENCIES).items()}
"""Name of a recall -> what a label says of which objects it is of."""


@dataclass(frozen=True)
class Proposals(Task):
    """Average recall of the masks of a grid of points, regardless of category.

    Attributes:
        points_per_side: points along each side of the grid.
        multimask: several candidate masks per point, or a single one.
        box_nms_thresh: of two masks whose boxes have a higher IoU than this, the lower ranked is
            suppressed.
        rank: by quality: predicted IoU in suppression, its mean with the stability score among
            what is left; or random, for a model without a predicted IoU.
        max_proposals: proposals of an image that count, the best ranked.
        pred_iou_thresh: masks are kept if their predicted IoU is above this; 0 keeps all.
        stability_score_thresh: masks are kept if their stability score is at least this; 0 keeps
            all.
        seed: of the random ranks.
    """

    points_per_side: Annotated[int, Range(1)] = 64
    multimask: bool = True
    box_nms_thresh: Annotated[float, Range(0, 1)] = 0.9
    rank: Literal["quality", "random"] = "quality"
    max_proposals: Annotated[int, Range(1)] = 1000
    pred_iou_thresh: Annotated[float, Range(0, 1)] = 0.0
    stability_score_thresh: Annotated[float, Range(0, 1)] = 0.0
    seed: Annotated[int, Range(0)] = 0

    truth: ClassVar[type] = Instances
    metrics = (
        *_recalls("", "masks"),
        *_recalls("box", "boxes"),
        Metric("masks", "proposals of an image, mean", "count", None),
    )
    needs = frozenset({"points"})
    direct: ClassVar[str] = "propose"
    """image -> N masks as COCO run-length encodings of the image's size, and (N,) scores."""
    paper: ClassVar[str] = "sambench run --task proposals --model sam_vit_h --dataset lvis"
    facts: ClassVar[Mapping[str, Any]] = {
        "AR": "class-agnostic, mean over IoU .50:.05:.95; crowd regions ask for nothing",
        "sizes": "annotated area: small <= 32^2 <= medium <= 96^2 <= large, as COCO",
        "frequencies": "against the objects of the bucket alone, where the dataset tells them",
        "boxAR": "of the tight boxes of the masks against the annotated boxes",
        "empty masks": "are dropped",
        "crops": "none",
    }
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "sam": {},
        "single-output": {
            "points_per_side": 128,
            "multimask": False,
            "box_nms_thresh": 0.95,
            "rank": "random",
        },
    }

    def check_images(self, dataset: Dataset, ids: Sequence[str]) -> None:
        """Refuse images without a single object."""
        require_objects(dataset, ids, SINGLE)

    def predict(self, model: Model, embedding: Embedding, sample: Sample) -> ImageDetections:
        """At most `max_proposals` masks with their scores, all of category 1."""
        if (propose := model.direct(self.direct)) is not None:
            rles, scores = propose(sample.image)
        else:
            rles, scores = self._from_grid(model, embedding, sample)
        scores = np.asarray(scores, dtype=np.float64)
        order = np.argsort(-scores, kind="stable")[: self.max_proposals]
        ranked = tuple(rles[i] for i in order)
        categories = np.ones(len(order), dtype=np.int64)
        return ImageDetections(image_id(sample), Detections(ranked, scores[order], categories))

    def _from_grid(
        self, model: Model, embedding: Embedding, sample: Sample
    ) -> tuple[Sequence[JSON], NDArray[np.float64]]:
        from sambench.masks import rle
        from sambench.masks.geometry import nms
        from sambench.masks.grid import candidates
        from sambench.masks.grid_options import GridOptions

        options = GridOptions(
            self.points_per_side, self.multimask, self.pred_iou_thresh, self.stability_score_thresh
        )
        size = sample.image.shape[0], sample.image.shape[1]
        found = candidates(model, embedding, size, options)
        found = found.take(np.flatnonzero(rle.areas(found.rles)))
        if self.rank == "random":
            rng = np.random.default_rng((self.seed, zlib.crc32(sample.id.encode())))
            priority = quality = rng.random(len(found))
        else:
            priority, quality = found.iou.astype(np.float64), _quality(found)
        kept = nms(found.boxes, priority, self.box_nms_thresh)
        return found.take(kept).rles, quality[kept]

    def score(self, prediction: ImageDetections, truth: Instances) -> JSON:
        """Matches of masks and boxes at each threshold and budget, for each size and frequency."""
        require_image(prediction, truth)
        given = truth.extra.get("frequency")
        buckets = (
            None if given is None else dict(zip(truth.categories.tolist(), given, strict=True))
        )
        found = prediction.detections.rles, prediction.detections.scores, truth, buckets
        return {
            "mask": recall.image_record(*found, recall.CURVE),
            "box": recall.image_record(*found, recall.BUDGETS, iou_type="bbox"),
        }

    def estimator(self, records: Sequence[JSON]) -> Estimator:
        """AR of masks, and of boxes, at 1000, 100 and 10; the mean number of masks."""
        of_masks = recall.average_recall([record["mask"] for record in records])
        of_boxes = recall.average_recall([record["box"] for record in records])

        def joined(masks: dict[str, V], boxes: dict[str, V]) -> dict[str, V]:
            wanted = [n for k in sorted(recall.BUDGETS, reverse=True) for n in boxes if _at(n, k)]
            return {
                **{name: masks[name] for name in wanted},
                **{f"box{name}": boxes[name] for name in wanted},
                "masks": masks["proposals"],
            }

        def estimate(weights: NDArray[np.float64]) -> dict[str, float]:
            return joined(of_masks(weights), of_boxes(weights))

        def many(
            weights: NDArray[np.float64], names: frozenset[str] | None
        ) -> dict[str, NDArray[np.float64]]:
            del names  # all are cheap
            masks, boxes = (evaluated(each, weights, None) for each in (of_masks, of_boxes))
            return joined(masks, boxes)

        kinds = {f"{start}{name}": k for start in ("", "box") for name, k in of_masks.kinds.items()}
        return Statistic(estimate, many, kinds)

    def curves(self, records: Sequence[JSON]) -> Sequence[Curve]:
        """Recall against the number of proposals, for all objects and for each bucket."""
        values = recall.average_recall([record["mask"] for record in records])(
            np.ones(len(records))
        )
        names = [name.partition("@")[0] for name in values if _at(name, recall.CURVE[0])]
        return [
            Curve(
                f"recall-proposals{PARTS[name]}",
                recall.CURVE,
                tuple(values[f"{name}@{k}"] for k in recall.CURVE),
                x_label="proposals",
                y_label=f"recall{PARTS[name]}",
                unit="percent",
                log=True,
            )
            for name in names
        ]

    def layers(self, prediction: Prediction) -> Mapping[str, Layer]:
        """The masks, of hundreds the most confident."""
        return {"Prediction": prediction.layer()}

    def marks(self, record: JSON, prediction: Prediction | None, truth: Instances) -> Marks:
        """Boxes, where the masks of a saved prediction have some."""
        return Marks() if prediction is None else prediction.marks()

    def save(self, prediction: ImageDetections, stem: Path) -> Path:
        """Write COCO results JSON."""
        return write_results(prediction, stem)

    def load(self, stem: Path) -> ImageDetections:
        """Read COCO results JSON."""
        return read_results(stem)

    def load_all(self, path: Path, dataset: Dataset) -> Mapping[str, ImageDetections]:
        """Read COCO results JSON of all images, of whatever categories."""
        return read_all(path, dataset.ids, dataset)


def _quality(found: MaskData) -> NDArray[np.float64]:
    """Mean of predicted IoU and stability; a mask whose stability is not defined has none."""
    return (found.iou.astype(np.float64) + np.nan_to_num(found.stability)) / 2


def _at(name: str, budget: int) -> bool:
    return name.endswith(f"@{budget}")
