"""RITM: its data sets, evaluate_dataset, Clicker and compute_noc_metric, as they are.

The repository is github.com/SamsungLabs/ritm_interactive_segmentation. The predictor is SAM as in
SegNext's notebook, by segment-anything with the bundled weights and embeddings: all clicks, the
previous logits, the most confident of three. What else is put in the place of others is what its
data sets import to augment images with. Files in the layout of GrabCut, Berkeley, DAVIS-345 or SBD
are read by its own data sets; of others each object becomes an image of GrabCut's.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
from common import Case, Objects, key, module, on_cpu, reference, torchvision
from PIL import Image

CLICKS, STOP = 20, 0.95
READERS = {
    "berkeley": ("berkeley", "BerkeleyDataset"),
    "davis345": ("davis", "DavisDataset"),
    "grabcut": ("grabcut", "GrabCutDataset"),
    "sbd": ("sbd", "SBDEvaluationDataset"),
}


def run(repository: Path, case: Case, folder: Path, arguments: list[str]) -> Objects:
    """Each object's IoU after each click."""
    del arguments
    on_cpu()
    stand_ins()
    sys.path.insert(0, str(repository))
    evaluation = importlib.import_module("isegm.inference.evaluation")
    data, names = samples_of(case, folder)
    curves, _ = evaluation.evaluate_dataset(
        data, _Predictor(case), pred_thr=0.49, max_iou_thr=STOP, min_clicks=1, max_clicks=CLICKS
    )
    report(curves)
    return {
        name: {"iou": [round(float(value), 7) for value in curve]}
        for name, curve in zip(names, curves, strict=True)
    }


def report(curves: Any) -> None:
    """Print the NoC and NoF of the peer's own function."""
    utils = importlib.import_module("isegm.inference.utils")
    values = [np.array(curve) for curve in curves]
    clicks, *_, failures = utils.compute_noc_metric(values, [0.8, 0.85, 0.9, 0.95], CLICKS)
    print(f"NoC at .80 .85 .90 .95: {[*map(float, clicks)]}, NoF: {[*map(int, failures)]}")


def samples_of(case: Case, folder: Path) -> tuple[Any, list[str]]:
    """A data set of the peer with the images of a case, and the objects of its samples."""
    name = case.dataset.card.name
    file, reader = READERS.get(name, READERS["grabcut"])
    kind = getattr(importlib.import_module(f"isegm.data.datasets.{file}"), reader)
    if name not in READERS:
        names = _write(case, folder)
        data = kind(str(folder))
        return data, [names[Path(sample).stem] for sample in data.dataset_samples]
    # The folder that holds the folder of images.
    data = kind(str(case.dataset.image_path(case.ids[0]).parents[1]))
    wanted = set(case.ids)
    if name == "sbd":
        data.dataset_samples = [s for s in data.dataset_samples if s[0] in wanted]
        return data, [key(*sample) for sample in data.dataset_samples]
    data.dataset_samples = [s for s in data.dataset_samples if Path(s).stem in wanted]
    return data, [key(Path(sample).stem, 1) for sample in data.dataset_samples]


class _Predictor:
    def __init__(self, case: Case) -> None:
        self.sam = reference(case)
        self.logits: Any = None

    def set_input_image(self, image: Any) -> None:
        self.sam.set_image(image)
        self.logits = None

    def get_prediction(self, clicker: Any) -> Any:
        clicks = clicker.get_clicks()
        points = np.array([click.coords[::-1] for click in clicks])
        labels = np.array([int(click.is_positive) for click in clicks])
        masks, iou, logits = self.sam.predict(points, labels, mask_input=self.logits)
        self.logits = logits[[iou.argmax()]]
        return masks[iou.argmax()].astype(np.float32)


def _write(case: Case, folder: Path) -> dict[str, str]:
    """Images and masks as GrabCut has them; name of a file -> object."""
    for name in ("data_GT", "boundary_GT"):
        (folder / name).mkdir()
    names: dict[str, str] = {}
    for sample in case.samples:
        for index in np.flatnonzero(~sample.truth.crowd):
            name = f"{len(names):06}"
            names[name] = key(sample.id, sample.truth.ids[index])
            mask = sample.truth.mask(int(index)).astype(np.uint8) * 255
            Image.fromarray(sample.image).save(folder / "data_GT" / f"{name}.png")
            Image.fromarray(mask).save(folder / "boundary_GT" / f"{name}.png")
    return names


def stand_ins() -> None:
    """Modules that a data set imports to augment images with."""
    np.int = int  # a name that NumPy no longer has
    torchvision()
    module("torch.utils.tensorboard", SummaryWriter=type("SummaryWriter", (), {}))
    base = type("Transform", (), {})
    for name in ("", ".core", ".augmentations", ".augmentations.geometric"):
        made = module(f"albumentations{name}", ReplayCompose=base, DualTransform=base)
        made.__getattr__ = lambda _: MagicMock
    module("albumentations.core.serialization", SERIALIZABLE_REGISTRY={})
    module("albumentations.core.transforms_interface", DualTransform=base, to_tuple=None)
    module("albumentations.augmentations.functional")
