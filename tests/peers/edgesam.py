"""EdgeSAM: evaluation/eval_mIoU.py of github.com/chongzhou96/EdgeSAM, as it is.

What is put in the place of others: the image encoder (the bundled model's embeddings), CUDA, parts
that need mmdet, torchvision's reading of a picture, and the random numbers: each object's own
generator, as here, so that both sides draw the same pixels. kornia's distance transform is given
the object's box instead of the whole square, which yields the same values in less time.
"""

from __future__ import annotations

import importlib
import os
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import (
    JSON,
    Case,
    Objects,
    execute,
    module,
    on_cpu,
    torchvision,
    weights_but_encoder,
    write_coco,
)

CONFIG = "training/configs/rep_vit_m1_fuse_enc_dec_4m_ft_bp_iter2b_sa_distill.yaml"
SCRIPT = "evaluation/eval_mIoU.py"
SEED = 0


def run(repository: Path, case: Case, folder: Path, arguments: list[str]) -> Objects:
    """Each object's IoU after each prompt."""
    place = folder / "datasets/coco"
    content = write_coco(case, place, ["trainval"], "annotations/instances_val2017.json")
    wanted = [
        [a for a in content["annotations"] if a["image_id"] == image["id"] and not a["iscrowd"]]
        for image in content["images"]
    ]
    on_cpu()
    sys.path.insert(0, str(repository))
    _stand_ins(repository)
    network = _network(case)
    sys.modules["edge_sam"].build_sam_from_config = lambda *_, **__: network
    _own_draws(wanted)
    _small_transforms()
    collected = _collected()
    given = [str((repository / CONFIG).resolve()), "--dataset", "coco", "--checkpoint", "none.pth"]
    given += [
        "--max-prompt-bs",
        "-1",
        "--refine-iter",
        "3",
        "--device",
        "cpu",
        "--out-name",
        "peer",
    ]
    os.chdir(folder)
    torch.save({}, "none.pth")
    execute((repository / SCRIPT).resolve(), [*given, *arguments])
    found: Objects = {}
    for number, objects in enumerate(wanted):
        for row, annotation in enumerate(objects):
            curve = [round(float(part[number][row]), 7) for part in collected]
            found[annotation["key"]] = {"iou": curve if len(curve) > 1 else curve[0]}
    return found


def _stand_ins(repository: Path) -> None:
    """Modules that are not installed, and packages without what they import first."""
    torchvision()
    for name in ("mmdet", "mmdet.structures", "mmdet.models", "projects"):
        module(name)
    module("mmdet.structures.bbox", bbox_overlaps=None)
    module("mmdet.models.dense_heads", RPNHead=None, CenterNetUpdateHead=None)
    module("mmdet.models.necks", FPN=None)
    module("projects.EfficientDet", efficientdet=None)
    module("torch.utils.tensorboard", SummaryWriter=None)
    module("edge_sam", repository / "edge_sam")
    module("edge_sam.modeling", repository / "edge_sam/modeling")
    module("training", repository / "training")
    data = module("training.data", repository / "training/data", SA1BDataset=None)
    data.COCODataset = importlib.import_module("training.data.coco_dataset").COCODataset


def _network(case: Case) -> torch.nn.Module:
    """The peer's own modules with the bundled weights."""
    batch = importlib.import_module("edge_sam.modeling.sam_batch")
    layers = importlib.import_module("edge_sam.modeling.transformer").TwoWayTransformer
    following = iter(case.ids)

    class Encoder(torch.nn.Module):
        img_size = 1024

        def forward(self, _images: torch.Tensor) -> Any:
            return case.embedding(next(following)).features

    class Network(torch.nn.Module):
        mask_threshold = 0.0

        def __init__(self) -> None:
            super().__init__()
            self.image_encoder = Encoder()
            self.prompt_encoder = batch.PromptEncoderBatch(256, (64, 64), (1024, 1024), 16)
            transformer = layers(depth=2, embedding_dim=256, mlp_dim=2048, num_heads=8, lora=False)
            self.mask_decoder = batch.MaskDecoderBatch(
                num_multimask_outputs=3, transformer=transformer, transformer_dim=256,
                iou_head_depth=3, iou_head_hidden_dim=256,
            )  # fmt: skip
            result = super().load_state_dict(weights_but_encoder(), strict=False)
            assert not result.missing_keys, result
            assert not result.unexpected_keys, result

        def load_state_dict(self, *_: Any, **__: Any) -> str:
            return "the bundled weights stay"

    return Network()


def _collected() -> list[Any]:
    """What the script will have measured: for each prompt the IoU of the objects of each image."""
    import mmengine.dist

    collected: list[Any] = []
    collect = mmengine.dist.collect_results

    def kept(part: Any, *rest: Any) -> Any:
        collected.append(part)
        return collect(part, *rest)

    mmengine.dist.collect_results = kept
    return collected


def _small_transforms() -> None:
    """kornia's own function, of the object's box within two pixels of background."""
    common = importlib.import_module("edge_sam.utils.common")
    transform = common.distance_transform

    def small(background: torch.Tensor) -> torch.Tensor:
        ys, xs = torch.where(background[0, 0] == 0)
        distance = torch.zeros_like(background)
        if len(ys):
            rows = slice(max(int(ys.min()) - 2, 0), int(ys.max()) + 3)
            columns = slice(max(int(xs.min()) - 2, 0), int(xs.max()) + 3)
            part = background[:, :, rows, columns].contiguous()
            distance[:, :, rows, columns] = transform(part) * (part == 0)
        return distance

    common.distance_transform = small


def _own_draws(wanted: list[list[JSON]]) -> None:
    """Let each object draw from its own generator, object by object."""
    common = importlib.import_module("edge_sam.utils.common")
    sample, drawn = common.sample_point_in_mask, torch.randint
    rounds: Iterator[tuple[int, int]] = iter((i, r) for i in range(len(wanted)) for r in (1, 2))

    def one_by_one(mask: torch.Tensor, gt: torch.Tensor, **options: Any) -> Any:
        image, number = next(rounds)
        parts = []
        for row, annotation in enumerate(wanted[image]):
            name, own = annotation["key"].rsplit("/", 1)
            seeds = (SEED, zlib.crc32(name.encode()), int(own) & 0xFFFFFFFF, number)
            rng = np.random.default_rng(seeds)
            torch.randint = lambda high, _size, rng=rng: torch.tensor([int(rng.integers(high))])
            parts.append(sample(mask[row : row + 1], gt[row : row + 1], **options))
        torch.randint = drawn
        return torch.cat([point for point, _ in parts]), torch.cat([label for _, label in parts])

    common.sample_point_in_mask = one_by_one
