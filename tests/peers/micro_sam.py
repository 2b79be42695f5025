"""micro-sam: iterative prompting and its scores, of computational-cell-analytics/micro-sam.

Run as they are: micro_sam/evaluation/inference.py with its prompt generators and its merging of
masks, and _run_evaluation of micro_sam/evaluation/evaluation.py with elf's accuracies. What is put
in the place of others: the embeddings, packages for downloads, files and views, and the random
numbers: each object's own generator, as here.
"""

from __future__ import annotations

import importlib
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from common import Case, Objects, module, on_cpu, reference, torchvision
from PIL import Image

from sambench.registry import find

ITERATIONS = 3


def run(repository: Path, case: Case, folder: Path, arguments: list[str]) -> Objects:
    """Each image's scores after each iteration."""
    on_cpu()
    keys = _write(case, folder)
    inference, evaluation = _modules(repository)
    _own_draws(keys)
    images, truths = (sorted((folder / name).iterdir()) for name in ("images", "labels"))
    inference.run_inference_with_iterative_prompting(
        reference(case), images, truths, None, folder / "out",
        start_with_box_prompt="--box" in arguments, batch_size=10**6, n_iterations=ITERATIONS,
    )  # fmt: skip
    found: Objects = {id: {} for id in case.ids}
    for number in range(ITERATIONS):
        answers = sorted((folder / "out" / f"iteration{number:02}").iterdir())
        scores, _ = evaluation._run_evaluation(truths, answers, verbose=False)
        for id, mean, half, three_quarters in zip(case.ids, *scores, strict=True):
            found[id][f"mSA@{number + 1}"] = float(mean)
            found[id] |= {"mSA": float(mean), "SA50": float(half), "SA75": float(three_quarters)}
    return found


def _write(case: Case, folder: Path) -> list[list[tuple[int, int]]]:
    """Images and label images; what seeds the draws of the objects of each image."""
    of = sys.modules[find("task", "cells").__module__].LabelImage.of
    keys = []
    for name in ("images", "labels"):
        (folder / name).mkdir()
    for number, sample in enumerate(case.samples):
        labelled = of(sample.truth)
        place = zlib.crc32(sample.id.encode())
        keys.append([(place, sample.truth.ids[i] & 0xFFFFFFFF) for i in labelled.objects])
        Image.fromarray(sample.image).save(folder / "images" / f"{number:03}.tif")
        labels = Image.fromarray(labelled.labels.astype(np.uint16))
        labels.save(folder / "labels" / f"{number:03}.tif")
    return keys


def _modules(repository: Path) -> tuple[Any, Any]:
    torchvision()
    for name in ("pooch", "xxhash", "zarr"):
        module(name)
    module("natsort", natsorted=sorted)
    module("micro_sam", repository / "micro_sam")
    module("micro_sam.__version__", __version__="")
    module("micro_sam.models")
    module("micro_sam.evaluation", repository / "micro_sam/evaluation")
    for name in ("instance_segmentation", "evaluation.instance_segmentation"):
        module(f"micro_sam.{name}").__getattr__ = lambda _: None
    util = importlib.import_module("micro_sam.util")
    util.precompute_image_embeddings = lambda predictor, image, *_, **__: predictor.set_image(image)
    util.set_precomputed = lambda *_: None
    names = ("inference", "evaluation")
    inference, evaluation = (importlib.import_module(f"micro_sam.evaluation.{n}") for n in names)
    write = inference.imageio.imwrite
    inference.imageio.imwrite = lambda path, image, **_: write(path, image)  # not compressed
    return inference, evaluation


def _own_draws(keys: list[list[tuple[int, int]]]) -> None:
    """Of each image, in each iteration: a positive click of each object, then a negative one."""

    def generators() -> Iterator[np.random.Generator]:
        for objects in keys:
            for number in range(ITERATIONS):
                own = [np.random.default_rng((0, *key, number + 1)) for key in objects]
                yield from (*own, *own)

    following = generators()
    np.random.choice = lambda count: int(next(following).integers(count))
