"""HQ-SAM: evaluate() of train/train.py of github.com/SysCV/sam-hq, with its readers and measures.

What is put in the place of others: the image encoder (the bundled model's, given the input that the
peer prepared), the plain mask decoder in place of the HQ one, CUDA and torchvision. Files in the
layout of its four sets are listed and read by the script itself; of other data an image stands
there once for each of its objects, whose label is 0 and 255.
"""

from __future__ import annotations

import ast
import importlib
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import JSON, Case, Objects, key, on_cpu, torchvision, weights_but_encoder
from PIL import Image

SCRIPT = "train/train.py"
SETS = {"coift": "COIFT", "dis": "DIS5K-VD", "hrsod": "HRSOD", "thinobject": "ThinObject5k-TE"}
"""Our names of its validation sets, and its own."""


def run(repository: Path, case: Case, folder: Path, arguments: list[str]) -> Objects:
    """Each object's IoU and Boundary IoU."""
    del arguments
    on_cpu()
    sys.path.insert(0, str(repository / "train"))
    torchvision()
    sets, names = _listed(case, folder, repository / SCRIPT)
    made = torch.tensor
    torch.tensor = lambda *a, **k: made(*a, **{**k, "device": "cpu"} if "device" in k else k)
    torch.cuda.is_available = lambda: False
    torch.cuda.max_memory_allocated = lambda *_: 0
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29905")
    torch.distributed.init_process_group("gloo", rank=0, world_size=1)
    train = importlib.import_module("train")
    sam = _sam(case)
    rows: list[list[float]] = []
    overlap, boundary = train.compute_iou, train.compute_boundary_iou

    def first(*given: Any) -> Any:
        value = overlap(*given)
        rows.append([float(value)])
        return value

    def second(*given: Any) -> Any:
        value = boundary(*given)
        rows[-1].append(float(value))
        return value

    train.compute_iou, train.compute_boundary_iou = first, second
    loaders, sets = train.create_dataloaders(
        train.get_im_gt_name_dict(sets),
        my_transforms=[train.Resize([1024, 1024])],
        batch_size=1,
        training=False,
    )
    train.evaluate(None, _plain_decoder(sam), sam, loaders)
    order = [names.get(name, key(name, 1)) for name in sets[0].dataset["im_name"]]
    return {
        own: {"iou": round(row[0], 7), "boundary_iou": round(row[1], 7)}
        for own, row in zip(order, rows, strict=True)
    }


def _listed(case: Case, folder: Path, script: Path) -> tuple[list[JSON], dict[str, str]]:
    """The set to evaluate as the script lists its own, and name of a file -> object."""
    own = SETS.get(case.dataset.card.name)
    if own is None:
        names = _write(case, folder)
        place = {"name": "case", "im_dir": str(folder / "im"), "gt_dir": str(folder / "gt")}
        return [{**place, "im_ext": ".png", "gt_ext": ".png"}], names
    (folder / "data").symlink_to(case.dataset.image_path(case.ids[0]).resolve().parents[3])
    os.chdir(folder)
    *_, main = ast.parse(script.read_text()).body
    assert isinstance(main, ast.If)
    values = (ast.literal_eval(n.value) for n in main.body if isinstance(n, ast.Assign)
              and isinstance(n.value, ast.Dict))  # fmt: skip
    return [value for value in values if value["name"] == own], {}


def _write(case: Case, folder: Path) -> dict[str, str]:
    """Images and labels as files; name of a file -> object."""
    (folder / "im").mkdir()
    (folder / "gt").mkdir()
    names: dict[str, str] = {}
    for sample in case.samples:
        for index in np.flatnonzero(~sample.truth.crowd):
            name = f"{len(names):06}"
            names[name] = key(sample.id, sample.truth.ids[index])
            label = sample.truth.mask(int(index)).astype(np.uint8) * 255
            Image.fromarray(sample.image).save(folder / "im" / f"{name}.png")
            Image.fromarray(label).save(folder / "gt" / f"{name}.png")
    return names


def _sam(case: Case) -> torch.nn.Module:
    """The peer's own modules with the bundled weights."""
    parts = importlib.import_module("segment_anything_training.modeling")

    class Encoder(torch.nn.Module):
        img_size = 1024

        def __init__(self) -> None:
            super().__init__()
            self.known: dict[int, torch.Tensor] = {}

        def forward(self, images: torch.Tensor) -> Any:
            seen = hash(images.numpy().tobytes())  # an image comes once for each object
            if seen not in self.known:
                self.known = {seen: case.model.net.image_encoder(images)}
            return self.known[seen], []

    transformer = parts.TwoWayTransformer(depth=2, embedding_dim=256, mlp_dim=2048, num_heads=8)
    sam = parts.Sam(
        Encoder(),
        parts.PromptEncoder(256, (64, 64), (1024, 1024), 16),
        parts.MaskDecoder(transformer_dim=256, transformer=transformer, num_multimask_outputs=3),
    ).eval()
    result = sam.load_state_dict(weights_but_encoder(), strict=False)
    assert not result.unexpected_keys, result
    return sam


def _plain_decoder(sam: torch.nn.Module) -> torch.nn.Module:
    class Decoder(torch.nn.Module):
        def forward(self, hq_token_only: bool, interm_embeddings: Any, **given: Any) -> Any:
            alike = (
                "image_embeddings",
                "image_pe",
                "sparse_prompt_embeddings",
                "dense_prompt_embeddings",
            )
            with torch.no_grad():
                masks = [
                    sam.mask_decoder(
                        image_embeddings=given["image_embeddings"][i : i + 1],
                        **{name: given[name][i] for name in alike[1:]},
                        multimask_output=given["multimask_output"],
                    )[0]
                    for i in range(len(given["image_embeddings"]))
                ]
            return torch.cat(masks), torch.cat(masks)

    return Decoder()
