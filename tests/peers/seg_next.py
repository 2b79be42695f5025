"""SegNext: the evaluation of SAM in notebooks/eval_sam.ipynb of github.com/uncbiag/SegNext.

The notebook's cell that defines it is run as it is, with the repository's data sets, Clicker and
IoU. What is put in the place of others: the predictor, segment-anything's with the bundled weights
and embeddings, and what the data sets import to augment images with. DAVIS-345 and the images of
HQSeg-44K are read by its own data sets; of others each object becomes an image of GrabCut's.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from common import Case, Objects, key, on_cpu, reference
from ritm import report, samples_of, stand_ins

NOTEBOOK = "notebooks/eval_sam.ipynb"


def run(repository: Path, case: Case, folder: Path, arguments: list[str]) -> Objects:
    """Each object's IoU after each of all clicks."""
    del arguments
    on_cpu()
    stand_ins()
    sys.path[:0] = [str(repository), str(repository / "segnext")]
    os.chdir(repository / "notebooks")
    cells = json.loads((repository / NOTEBOOK).read_text())["cells"]
    [source] = [s for s in ("".join(cell["source"]) for cell in cells) if "def eval(" in s]
    names: dict[str, Any] = {"predictor": reference(case)}
    exec(compile(source, NOTEBOOK, "exec"), names)
    data, objects = _samples(case, folder)
    curves = names["eval"](data)
    report(curves)
    return {
        name: {"iou": [round(float(value), 7) for value in curve]}
        for name, curve in zip(objects, curves, strict=True)
    }


def _samples(case: Case, folder: Path) -> tuple[Any, list[str]]:
    if case.dataset.card.name != "hqseg44k_val":
        return samples_of(case, folder)
    kind = importlib.import_module("isegm.data.datasets.hqseg44k").HQSeg44kDataset
    data = kind(str(case.dataset.image_path(case.ids[0]).parents[3]), split="val")
    wanted = {case.dataset.image_path(id): id for id in case.ids}
    files = [
        data.dataset_path / data.datasets[place]["im_dir"] / f"{name}.jpg"
        for name, place in data.dataset_samples
    ]
    chosen = [place for place, file in enumerate(files) if file in wanted]
    data.dataset_samples = [data.dataset_samples[place] for place in chosen]
    return data, [key(wanted[files[place]], 1) for place in chosen]
