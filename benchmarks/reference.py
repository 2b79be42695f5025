"""SAM as its authors published it, with the weights of ours: what the benchmarks stand beside.

The package segment-anything imports torchvision, of which there is no build beside PyTorch's CPU
wheel; the few functions that it takes from there are stood in for. It has no TinyViT; that one's is
rebuilt with the operations of MobileSAM, one by one. transformers' SamModel takes the weights under
other names.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from sambench.masks.geometry import nms


def reference() -> Any:
    """The package segment-anything."""
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
    boxes.batched_nms, boxes.box_area = _batched_nms, _box_area
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


class PlainTinyViT(nn.Module):
    """MobileSAM's encoder, (B, 3, 1024, 1024) -> (B, 256, 64, 64), on the weights of ours."""

    img_size = 1024

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, image: Tensor) -> Tensor:
        """Image (1, 3, side, side) -> features, by the reference's operations."""
        return plain_tiny_vit(self.encoder, image)


def reference_sam(net: Any) -> Any:
    """The package's whole model with the weights of ours, a vit_t or vit_b."""
    package = reference()
    if hasattr(net.image_encoder, "patch_embed") and hasattr(net.image_encoder.patch_embed, "seq"):
        encoder: Any = PlainTinyViT(net.image_encoder)
    else:
        encoder = package.sam_model_registry["vit_b"]().image_encoder
        encoder.load_state_dict(net.image_encoder.state_dict())
    return package.modeling.Sam(encoder, *reference_decoder(net)).eval()


def _batched_nms(boxes: Tensor, scores: Tensor, groups: Tensor, iou_threshold: float) -> Tensor:
    if len(set(groups.tolist())) > 1:
        raise NotImplementedError("boxes of several groups")
    return torch.from_numpy(nms(boxes.numpy(), scores.numpy(), iou_threshold))


def _box_area(boxes: Tensor) -> Tensor:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


# Names of our (the official) parameters -> those of transformers, in its converter's order.
RENAMED = (
    (r"^prompt_encoder\.pe_layer\.positional_encoding_gaussian_matrix",
     "shared_image_embedding.positional_embedding"),
    (r"^prompt_encoder\.point_embeddings", "prompt_encoder.point_embed"),
    (r"mask_downscaling\.0", "mask_embed.conv1"),
    (r"mask_downscaling\.1", "mask_embed.layer_norm1"),
    (r"mask_downscaling\.3", "mask_embed.conv2"),
    (r"mask_downscaling\.4", "mask_embed.layer_norm2"),
    (r"mask_downscaling\.6", "mask_embed.conv3"),
    (r"output_upscaling\.0", "upscale_conv1"),
    (r"output_upscaling\.1", "upscale_layer_norm"),
    (r"output_upscaling\.3", "upscale_conv2"),
    (r"(iou_prediction_head|output_hypernetworks_mlps\.\d)\.layers\.0", r"\1.proj_in"),
    (r"(iou_prediction_head|output_hypernetworks_mlps\.\d)\.layers\.1", r"\1.layers.0"),
    (r"(iou_prediction_head|output_hypernetworks_mlps\.\d)\.layers\.2", r"\1.proj_out"),
    (r"(mask_decoder\.transformer\.layers\.\d)\.norm(\d)", r"\1.layer_norm\2"),
    (r"norm_final_attn", "layer_norm_final_attn"),
    (r"^image_encoder\.patch_embed\.proj", "vision_encoder.patch_embed.projection"),
    (r"^image_encoder\.pos_embed", "vision_encoder.pos_embed"),
    (r"^image_encoder\.blocks\.(\d+)\.norm", r"vision_encoder.layers.\1.layer_norm"),
    (r"^image_encoder\.blocks", "vision_encoder.layers"),
    (r"^image_encoder\.neck\.0", "vision_encoder.neck.conv1"),
    (r"^image_encoder\.neck\.1", "vision_encoder.neck.layer_norm1"),
    (r"^image_encoder\.neck\.2", "vision_encoder.neck.conv2"),
    (r"^image_encoder\.neck\.3", "vision_encoder.neck.layer_norm2"),
)  # fmt: skip


def converted(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our parameters under the names of transformers."""
    renamed = {}
    for name, tensor in state.items():
        for pattern, new in RENAMED:
            changed = re.sub(pattern, new, name)
            if changed != name:
                name = changed
                if not name.startswith(("vision_encoder.layers", "mask_decoder")):
                    break
        renamed[name] = tensor
    shared = "shared_image_embedding.positional_embedding"
    renamed["prompt_encoder.shared_embedding.positional_embedding"] = renamed[shared].clone()
    return renamed


def transformers_sam(state: Mapping[str, Tensor], **vision: Any) -> Any:
    """SamModel of transformers with our weights; those of an encoder that state lacks are random.

    Args:
        state: our parameters by name.
        vision: fields of its SamVisionConfig.
    """
    package = import_module("transformers")
    # Its decoder normalises with an epsilon of 1e-6, the authors' (and ours) with 1e-5.
    decoder = package.SamMaskDecoderConfig(layer_norm_eps=1e-5)
    encoder = package.SamVisionConfig(**vision)
    config = package.SamConfig(vision_config=encoder, mask_decoder_config=decoder)
    model = package.SamModel(config)
    missing, unexpected = model.load_state_dict(converted(state), strict=False)
    strange = [name for name in missing if not name.startswith("vision_encoder.")] + unexpected
    if strange:
        raise ValueError(f"transformers has other parameters: {strange}")
    return model.eval()
