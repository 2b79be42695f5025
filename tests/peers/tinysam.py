"""TinySAM: eval/tinysam_zero_shot_ins_eval.py of github.com/xinghaochen/TinySAM, as it is.

What is put in the place of others: their network and their predictor class, by segment-anything's
with the bundled weights and embeddings. LVIS's evaluation is not imported by the script and cannot
run.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from common import (
    Case,
    Objects,
    detected,
    execute,
    module,
    on_cpu,
    reference,
    write_coco,
    write_detections,
)
from pycocotools import cocoeval

SCRIPT = "eval/tinysam_zero_shot_ins_eval.py"


def run(repository: Path, case: Case, folder: Path, arguments: list[str]) -> Objects:
    """What a detector's boxes give."""
    del arguments
    write_coco(case, folder, ["images"], "annotations.json")
    for file in (folder / "images").iterdir():
        file.rename(file.with_suffix(".jpg"))
    write_detections(case, folder / "boxes.json")
    on_cpu()
    torch.cuda.is_available = lambda: False
    predictor = reference(case)
    network = {"vit_t": lambda **_: predictor.model}
    module("tinysam", sam_model_registry=network, SamPredictor=lambda _: predictor)
    evaluations: list[Any] = []

    class Evaluation(cocoeval.COCOeval):  # type: ignore[misc]
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            evaluations.append(self)

    cocoeval.COCOeval = Evaluation
    script = (repository / SCRIPT).resolve()
    os.chdir(folder)
    given = ["--val_img_path", "images/", "--val_json_path", "annotations.json"]
    execute(script, [*given, "--vit_det_file_path", "boxes.json"])
    [evaluation] = evaluations
    return detected(case, list(evaluation.cocoDt.anns.values()), evaluation.stats[:6])
