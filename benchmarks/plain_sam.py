"""SAM in plain PyTorch: the reference's algebra, operation by operation, on the weights of ours.

It stands in for the package segment-anything where that cannot be installed, on any device and in
any arithmetic: windows are padded before their projection, scores with their bias are stored whole,
each prompt has its own copy of the image, all masks are enlarged and measured step by step.
Kirillov et al., "Segment Anything", 2023; the steps are those of the authors' published code.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from sambench.interfaces import JSON
from sambench.masks import rle
from sambench.masks.geometry import boxes_of, nms
from sambench.masks.grid import point_grid
from sambench.masks.grid_options import GridOptions

BATCH = 64
"""Points that its mask generator decodes together."""


def encode(encoder: Any, image: Tensor) -> Tensor:
    """Images (B, 3, S, S) -> features (B, 256, S / 16, S / 16), by a ViT."""
    patches = encoder.patch_embed.proj
    x = F.conv2d(image, patches.weight, patches.bias, stride=16).permute(0, 2, 3, 1)
    x = x + encoder.pos_embed
    for block in encoder.blocks:
        x = x + _in_windows(block.attn, block.norm1(x))
        hidden = F.linear(block.norm2(x), block.mlp.lin1.weight, block.mlp.lin1.bias)
        x = x + F.linear(F.gelu(hidden), block.mlp.lin2.weight, block.mlp.lin2.bias)
    first, norm1, second, norm2 = encoder.neck
    x = _norm2d(norm1, F.conv2d(x.permute(0, 3, 1, 2), first.weight))
    return _norm2d(norm2, F.conv2d(x, second.weight, padding=1))


def _in_windows(attention: Any, x: Tensor) -> Tensor:
    """Attention of (B, H, W, C) within windows that are padded with zeros."""
    batch, height, width, channels = x.shape
    side = attention.window
    x = F.pad(x, (0, 0, 0, -width % side, 0, -height % side))
    rows, columns = x.shape[1] // side, x.shape[2] // side
    x = x.view(batch, rows, side, columns, side, channels).transpose(2, 3)
    x = _with_bias(attention, x.reshape(-1, side, side, channels))
    x = x.view(batch, rows, columns, side, side, channels).transpose(2, 3)
    return x.reshape(batch, rows * side, columns * side, channels)[:, :height, :width]


def _with_bias(attention: Any, x: Tensor) -> Tensor:
    """Attention of windows (B, H, W, C) with decomposed relative positions, scores stored."""
    batch, side = x.shape[:2]
    heads, n = attention.heads, side * side
    qkv = F.linear(x, attention.qkv.weight, attention.qkv.bias).view(batch, n, 3, heads, -1)
    q, k, v = qkv.permute(2, 0, 3, 1, 4).reshape(3, batch * heads, n, -1)
    scores = (q * q.shape[-1] ** -0.5) @ k.mT
    steps = torch.arange(side, device=x.device)
    apart = steps[:, None] - steps[None, :] + side - 1
    grid = q.view(-1, side, side, q.shape[-1])
    rows = torch.einsum("byxc,ykc->byxk", grid, attention.rel_pos_h[apart].to(q.dtype))
    columns = torch.einsum("byxc,xkc->byxk", grid, attention.rel_pos_w[apart].to(q.dtype))
    scores = scores.view(-1, side, side, side, side)
    scores = scores + rows[..., :, None] + columns[..., None, :]
    seen = scores.view(-1, n, n).softmax(dim=-1).to(v.dtype) @ v
    seen = seen.view(batch, heads, side, side, -1).permute(0, 2, 3, 1, 4).reshape(x.shape)
    return F.linear(seen, attention.proj.weight, attention.proj.bias)


def _norm2d(norm: Any, x: Tensor) -> Tensor:
    """LayerNorm over the channels of (B, C, H, W), step by step."""
    x = x - x.mean(1, keepdim=True)
    x = x / (x.square().mean(1, keepdim=True) + norm.eps).sqrt()
    out: Tensor = norm.weight[:, None, None] * x + norm.bias[:, None, None]
    return out


def decode(net: Any, features: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Three masks of each of P single points (P, 1, 2), in pixels of the network's input.

    Returns:
        Logits (P, 3, 256, 256) and predicted IoU (P, 3).
    """
    labels = torch.ones(points.shape[:2], dtype=torch.int64, device=points.device)
    sparse, _ = net.prompt_encoder(points, labels)
    return decode_tokens(net, features, sparse, net.prompt_encoder.dense_positions())


def decode_tokens(
    net: Any, features: Tensor, sparse: Tensor, position: Tensor
) -> tuple[Tensor, Tensor]:
    """As `decode`, of prompt tokens (P, T, C); position (N, C) is that of the image's places."""
    count, decoder = len(sparse), net.mask_decoder
    out = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
    tokens = torch.cat([out.expand(count, -1, -1), sparse], dim=1)
    image = features.repeat_interleave(count, dim=0)
    image = image + net.prompt_encoder.no_mask()[:, None, None]
    position = position.expand(count, -1, -1)
    queries, keys = _transform(decoder.transformer, tokens, image, position)
    side = features.shape[-1]
    x = keys.mT.reshape(count, -1, side, side)
    first, norm, _, second = decoder.output_upscaling
    x = F.gelu(_norm2d(norm, F.conv_transpose2d(x, first.weight, first.bias, stride=2)))
    x = F.gelu(F.conv_transpose2d(x, second.weight, second.bias, stride=2))
    mlps = decoder.output_hypernetworks_mlps
    weights = torch.stack([mlp(queries[:, 1 + i]) for i, mlp in enumerate(mlps)], dim=1)
    masks = (weights @ x.flatten(2)).view(count, len(mlps), *x.shape[2:])
    return masks[:, 1:], decoder.iou_prediction_head(queries[:, 0])[:, 1:]


def _transform(
    transformer: Any, tokens: Tensor, image: Tensor, position: Tensor
) -> tuple[Tensor, Tensor]:
    """The two-way transformer: queries (P, T, C), and image (P, C, h, w) as keys (P, N, C)."""
    queries, keys = tokens, image.flatten(2).mT
    for layer in transformer.layers:
        if layer.first:
            queries = _attend(layer.self_attn, queries, queries, queries)
        else:
            placed = queries + tokens
            queries = queries + _attend(layer.self_attn, placed, placed, queries)
        queries = layer.norm1(queries)
        to_image = layer.cross_attn_token_to_image
        queries = queries + _attend(to_image, queries + tokens, keys + position, keys)
        queries = layer.norm2(queries)
        queries = layer.norm3(queries + layer.mlp(queries))
        to_token = layer.cross_attn_image_to_token
        keys = layer.norm4(keys + _attend(to_token, keys + position, queries + tokens, queries))
    last = transformer.final_attn_token_to_image
    queries = queries + _attend(last, queries + tokens, keys + position, keys)
    return transformer.norm_final_attn(queries), keys


def _attend(heads: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Multi-head attention with every projection, scores stored."""
    q = heads.split(heads.q_proj(query))
    k, v = heads.split(heads.k_proj(key)), heads.split(heads.v_proj(value))
    weights = (q @ k.mT * q.shape[-1] ** -0.5).softmax(dim=-1).to(v.dtype)
    out: Tensor = heads.out_proj((weights @ v).transpose(1, 2).flatten(2))
    return out


def enlarged(logits: Tensor, inner: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Logits (P, C, 256, 256) -> (P, C, H, W): enlarge, cut the padding, resize."""
    full = F.interpolate(logits.float(), (1024, 1024), mode="bilinear")
    return F.interpolate(full[..., : inner[0], : inner[1]], size, mode="bilinear")


def everything(
    net: Any,
    features: Tensor,
    inner: tuple[int, int],
    size: tuple[int, int],
    options: GridOptions,
) -> list[JSON]:
    """Masks of a grid, filtered and suppressed, as run lengths."""
    scale = np.array([inner[1] / size[1], inner[0] / size[0]])
    points = torch.as_tensor(point_grid(options.points_per_side, size) * scale)[:, None]
    boxes, scores, rles = [], [], []
    least, offset = options.stability_score_thresh or 0, options.stability_score_offset
    for some in torch.split(points, BATCH):
        logits, iou = decode(net, features, some.to(features.device))
        full, quality = enlarged(logits, inner, size).flatten(0, 1), iou.flatten()
        kept = quality > options.pred_iou_thresh
        full, quality = full[kept], quality[kept]
        stability = (full > offset).sum((1, 2)) / (full > -offset).sum((1, 2))
        full, quality = full[stability >= least], quality[stability >= least]
        boxes.append(boxes_of(full > 0).cpu())
        scores.append(quality.float().cpu())
        rles += rle.encode(full > 0)
    index = nms(torch.cat(boxes).numpy(), torch.cat(scores).numpy(), options.box_nms_thresh)
    return [rles[i] for i in index]
