"""A SAM to train from the start, whose encoder is MAE's."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from sambench.errors import UserError
from sambench.model.nn import sam as nets
from sambench.model.training import mae

from .tiny import tiny_net


def mae_like(width=32, depth=2, side=4):
    """Tensors under the names that MAE's pre-trained ViT has."""
    torch.manual_seed(5)
    tensors = {
        "cls_token": (1, 1, width), "pos_embed": (1, 1 + side * side, width),
        "patch_embed.proj.weight": (width, 3, 16, 16), "patch_embed.proj.bias": (width,),
        "norm.weight": (width,), "norm.bias": (width,), "mask_token": (1, 1, 8),
        "decoder_embed.weight": (8, width), "decoder_blocks.0.norm1.weight": (8,),
    }  # fmt: skip
    shapes = {
        "norm1": (width,), "norm2": (width,), "attn.qkv": (3 * width, width),
        "attn.proj": (width, width), "mlp.fc1": (4 * width, width), "mlp.fc2": (width, 4 * width),
    }  # fmt: skip
    for block in range(depth):
        for name, shape in shapes.items():
            tensors[f"blocks.{block}.{name}.weight"] = shape
            tensors[f"blocks.{block}.{name}.bias"] = shape[:1]
    return {name: torch.randn(shape) for name, shape in tensors.items()}


@pytest.fixture
def tiny_is_known(monkeypatch):
    monkeypatch.setattr(mae, "ARCHITECTURES", {32: "tiny"})
    monkeypatch.setattr(mae, "GRID", 4)
    monkeypatch.setitem(nets.BUILDERS, "tiny", lambda: tiny_net(torch.initial_seed()))


def test_an_encoder_of_mae_becomes_sam_s(tmp_path, tiny_is_known):
    weights = mae_like()
    torch.save({"model": weights}, tmp_path / "mae.pth")
    made = load_file(mae.sam_from_mae(tmp_path / "mae.pth", tmp_path, seed=1))
    assert made.keys() == tiny_net().state_dict().keys()
    part = "image_encoder."
    assert torch.equal(made[part + "blocks.1.mlp.lin1.weight"], weights["blocks.1.mlp.fc1.weight"])
    assert torch.equal(made[part + "patch_embed.proj.bias"], weights["patch_embed.proj.bias"])
    flat = weights["pos_embed"][:, 1:].reshape(1, 4, 4, 32)
    assert torch.allclose(made[part + "pos_embed"], flat, atol=1e-6)
    assert not made[part + "blocks.0.attn.rel_pos_h"].any()
    again = load_file(mae.sam_from_mae(tmp_path / "mae.pth", tmp_path, seed=1))
    assert all(torch.equal(tensor, again[name]) for name, tensor in made.items())


def test_positions_are_resized_and_lose_the_class_token():
    ramp = torch.arange(14.0).repeat(14, 1).reshape(1, 196, 1)  # grows by one from left to right
    resized = mae.resized_positions(torch.cat([torch.full((1, 1, 1), 99.0), ramp], dim=1), 28)
    assert resized.shape == (1, 28, 28, 1)
    inner = resized[0, 5, 4:-4, 0]
    assert torch.allclose(inner[2:] - inner[:-2], torch.ones(18), atol=1e-5)
    assert torch.allclose(inner[:2], torch.tensor([1.75, 2.25]), atol=0.05)  # centres: bicubic


def test_patches_of_fourteen_pixels_become_sixteen(tmp_path, tiny_is_known):
    weights = mae_like()
    weights["patch_embed.proj.weight"] = torch.ones(32, 3, 14, 14)
    save_file(weights, tmp_path / "mae.safetensors")
    made = load_file(mae.sam_from_mae(tmp_path / "mae.safetensors", tmp_path))
    kernel = made["image_encoder.patch_embed.proj.weight"]
    assert kernel.shape == (32, 3, 16, 16)
    assert torch.allclose(kernel, torch.ones_like(kernel))


def test_another_vit_is_refused(tmp_path, tiny_is_known):
    for weights in (mae_like(width=48), mae_like(depth=3), mae_like(depth=1)):
        save_file(weights, tmp_path / "mae.safetensors")
        with pytest.raises(UserError, match="is not a ViT of MAE's that SAM has"):
            mae.sam_from_mae(tmp_path / "mae.safetensors", tmp_path)
