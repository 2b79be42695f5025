"""EfficientViT-SAM: its evaluation script in github.com/mit-han-lab/efficientvit, as it is.

What is put in the place of others: their network and their predictor class, by segment-anything's
with the bundled weights and embeddings, and CUDA. Its summary, which divides by zero where there is
no object of a size, is not printed.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import (
    JSON,
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

SCRIPT = "applications/efficientvit_sam/eval_efficientvit_sam_model.py"
CLICKS = 5


def run(repository: Path, case: Case, folder: Path, arguments: list[str]) -> Objects:
    """Each object's IoU after each click, or with its box; or what a detector's boxes give."""
    content = write_coco(case, folder, ["images"], "annotations.json")
    on_cpu()
    answers: list[Any] = []
    _stand_ins(case, answers)
    given = ["--dataset", "coco", "--model", "bundled", "--num_workers", "0"]
    given += ["--image_root", str(folder / "images"), "--num_click", str(CLICKS)]
    given += ["--annotation_json_file", str(folder / "annotations.json"), *arguments]
    if "box_from_detector" in arguments:
        write_detections(case, folder / "boxes.json")
        given += ["--source_json_file", str(folder / "boxes.json")]
    script = (repository / SCRIPT).resolve()
    sys.path.insert(0, str(script.parent))
    utils = importlib.import_module("sam_eval_utils")
    utils.get_iou_metric = lambda _: {}
    evaluations: list[Any] = []
    evaluate = utils.evaluate_predictions_on_coco
    utils.evaluate_predictions_on_coco = lambda **o: evaluations.append(evaluate(**o))
    names = execute(script, given)
    if evaluations:
        return detected(case, names["results"], evaluations[0].stats[:6])
    return _overlaps(content, names, answers)


def _overlaps(content: JSON, names: JSON, answers: list[Any]) -> Objects:
    """IoU of every mask that was taken, by the script's own functions; crowd regions count."""
    each = CLICKS if names["args"].prompt_type == "point" else 1
    found: Objects = {}
    rest = iter(answers)
    for number in names["dataset"].ids:
        image = next(i for i in content["images"] if i["id"] == number)
        for own in (a for a in content["annotations"] if a["image_id"] == number):
            truth = names["ann_to_mask"](own, image["height"], image["width"])
            curve = [round(names["iou"](next(rest), truth) / 100, 7) for _ in range(each)]
            found[own["key"]] = {"iou": curve if each > 1 else curve[0]}
    assert next(rest, None) is None
    return found


def _stand_ins(case: Case, answers: list[Any]) -> None:
    predictor = reference(case)

    class Predictor(type(predictor)):  # type: ignore[misc]
        def predict(self, **given: Any) -> Any:
            masks, iou, logits = super().predict(**given)
            answers.append(np.array(masks[iou.argmax()]))
            return masks, iou, logits

    module("efficientvit")
    module("efficientvit.models")
    module("efficientvit.models.efficientvit")
    module("efficientvit.models.efficientvit.sam", EfficientViTSamPredictor=Predictor)
    module("efficientvit.sam_model_zoo", create_efficientvit_sam_model=lambda *_: predictor.model)
    start = torch.distributed.init_process_group

    def alone(backend: str) -> None:
        place = "tcp://127.0.0.1:29911"
        start(backend=backend.replace("nccl", "gloo"), init_method=place, rank=0, world_size=1)

    torch.distributed.init_process_group = alone
    torch.cuda.set_device = lambda *_: None
    os.environ.update(LOCAL_RANK="0", WORLD_SIZE="1", RANK="0")
