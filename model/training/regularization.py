"""Dropout and drop path, hung on the network while it is trained and taken off again.

The network knows nothing of them, so that inference costs nothing. Kirillov et al., "Segment
Anything", 2023, appendix A: dropout .1 in the decoder; drop path (Huang et al., "Deep Networks with
Stochastic Depth", 2016) in the encoder, whose rate grows from 0 at the first block to the full one
at the last, as in ViTDet. Draws are from torch's generator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.hooks import RemovableHandle

from ..nn.sam import SamNet
from ..nn.transformer import MLP, Attention, ImageToToken, TokenToImage
from .optimizer import blocks

BRANCHES = ("attn", "mlp", "conv3")
"""Modules of an encoder's block whose output is added to its input."""


@contextmanager
def dropout(net: SamNet, rate: float) -> Iterator[None]:
    """Within, the decoder drops parts of what it adds."""
    with _hung(_drop_out(net.mask_decoder, rate)):
        yield


@contextmanager
def drop_path(net: SamNet, rate: float) -> Iterator[None]:
    """Within, the encoder drops whole branches: for one that learns, and for no other."""
    with _hung(_drop_paths(net, rate)):
        yield


@contextmanager
def _hung(handles: Iterable[RemovableHandle]) -> Iterator[None]:
    """Take hooks off again."""
    with ExitStack() as stack:
        for handle in handles:
            stack.callback(handle.remove)
        yield


def _drop_out(decoder: nn.Module, rate: float) -> Iterator[RemovableHandle]:
    """Drop from what each attention and MLP of the transformer adds."""
    for module in decoder.modules() if rate else ():
        if isinstance(module, ImageToToken):
            yield module.register_forward_hook(_added_dropout(rate))
        elif isinstance(module, Attention | TokenToImage | MLP):
            yield module.register_forward_hook(_dropout(rate))


def _dropout(rate: float) -> Callable[..., Tensor]:
    def hook(_: nn.Module, __: tuple[Any, ...], out: Tensor) -> Tensor:
        return F.dropout(out, rate)

    return hook


def _added_dropout(rate: float) -> Callable[..., Tensor]:
    def hook(_: nn.Module, given: tuple[Any, ...], out: Tensor) -> Tensor:
        keys = given[2]  # this module adds by itself
        return keys + F.dropout(out - keys, rate)  # type: ignore[no-any-return]  # a tensor

    return hook


def _drop_paths(net: SamNet, rate: float) -> Iterator[RemovableHandle]:
    """Drop branches of the encoder's blocks, for a whole image at a time."""
    names = blocks(net.image_encoder)
    for index, name in enumerate(names) if rate else ():
        block = net.image_encoder.get_submodule(name)
        here = rate * index / max(1, len(names) - 1)
        for branch in BRANCHES:
            module = getattr(block, branch, None)
            if module is not None:
                drop = _DropPath(here)
                yield block.register_forward_pre_hook(drop.draw)
                yield module.register_forward_hook(drop.apply)


class _DropPath:
    """Drops a branch of an image; a block that works in strips drops it in all of them."""

    def __init__(self, rate: float) -> None:
        self.keep = 1 - rate
        self.factor = torch.ones(1)

    def draw(self, block: nn.Module, given: tuple[Any, ...]) -> None:
        """Decide for each image of a batch when the block begins."""
        x = given[0]
        shape = (len(x), *[1] * (x.ndim - 1))
        self.factor = torch.bernoulli(torch.full(shape, self.keep, device=x.device)) / self.keep

    def apply(self, module: nn.Module, given: tuple[Any, ...], out: Tensor) -> Tensor:
        """Keep the branch, and more of it, or nothing of it."""
        return out * self.factor.to(out.dtype)
