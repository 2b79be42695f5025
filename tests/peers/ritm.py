"""RITM: GrabCutDataset, evaluate_dataset, Clicker and compute_noc_metric of RITM, as they are.

The repository is github.com/SamsungLabs/ritm_interactive_segmentation. The predictor is SAM as in
SegNext's notebook, by segment-anything with the bundled weights and embeddings: all clicks, the
previous logits, the most confident of three. What else is put in the place of others is what its
data set imports to augment images with. An image stands there once for each of its objects.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
from common import Case, Objects, key, module, on_cpu, reference
from PIL import Image

CLICKS, STOP = 20, 0.95


def run(repository: Path, case: Case, folder: Path, arguments: list[str]) -> Objects:
    """Each object's IoU after each click."""
    del arguments
    on_cpu()
    names = _write(case, folder)
    _stand_ins()
    sys.path.insert(0, str(repository))
    evaluate = importlib.import_module("isegm.inference.evaluation").evaluate_dataset
    data = importlib.import_module("isegm.data.datasets.grabcut").GrabCutDataset(str(folder))
    curves, _ = evaluate(
        data, _Predictor(case), pred_thr=0.49, max_iou_thr=STOP, min_clicks=1, max_clicks=CLICKS
    )
    return {
        names[Path(name).stem]: {"iou": [round(float(value), 7) for value in curve]}
        for name, curve in zip(data.dataset_samples, curves, strict=True)
    }


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


def _stand_ins() -> None:
    np.int = int  # a name that NumPy no longer has
    base = type("Transform", (), {})
    for name in ("", ".core", ".augmentations", ".augmentations.geometric"):
        made = module(f"albumentations{name}", ReplayCompose=base, DualTransform=base)
        made.__getattr__ = lambda _: MagicMock
    module("albumentations.core.serialization", SERIALIZABLE_REGISTRY={})
    module("albumentations.core.transforms_interface", DualTransform=base)
    module("albumentations.augmentations.functional")
