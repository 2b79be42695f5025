"""The network's gradients: beside the package segment-anything, and by finite differences."""

import numpy as np
import pytest
import torch

from sambench.model.nn.tiny_vit import TinyViT
from sambench.model.training.interaction import Prompted, decode

from .tiny import CHANNELS, SIDE, tiny_net


def theirs_like(package, net):
    """The package's SAM with the weights of our tiny one."""
    parts = package.modeling
    encoder = parts.ImageEncoderViT(
        img_size=SIDE, embed_dim=32, depth=2, num_heads=2, use_rel_pos=True, window_size=3,
        norm_layer=lambda channels: torch.nn.LayerNorm(channels, eps=1e-6),
        global_attn_indexes=(1,), out_chans=CHANNELS,
    )  # fmt: skip
    transformer = parts.TwoWayTransformer(
        depth=2, embedding_dim=CHANNELS, mlp_dim=2048, num_heads=8
    )
    sam = parts.Sam(
        image_encoder=encoder,
        prompt_encoder=parts.PromptEncoder(CHANNELS, (SIDE // 16,) * 2, (SIDE,) * 2, 16),
        mask_decoder=parts.MaskDecoder(
            transformer_dim=CHANNELS, transformer=transformer, iou_head_hidden_dim=CHANNELS
        ),
    )
    sam.load_state_dict(net.state_dict(), strict=False)
    return sam


def scrambled():
    net = tiny_net(1)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if "pos" in name or parameter.ndim == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return net.requires_grad_(True)


CASES = {
    "point": (np.full((2, 1, 2), 20.0), False, False),
    "box": (np.zeros((2, 0, 2)), True, False),
    "points and mask": (np.array([[[9.0, 30], [40, 11]], [[3, 5], [60, 60]]]), False, True),
    "all": (np.array([[[9.0, 30], [40, 11]], [[3, 5], [60, 60]]]), True, True),
}


@pytest.mark.parametrize("case", CASES)
def test_gradients_equal_the_package_s(package, case):
    points, boxed, masked = CASES[case]
    ours = scrambled()
    theirs = theirs_like(package, ours)
    labels = np.ones(points.shape[:2], np.int64)
    labels[:, 1:] = 0
    boxes = np.array([[5.0, 6, 50, 40], [0, 3, 20, 64]]) if boxed else None
    masks = torch.randn(2, 1, 16, 16) if masked else None
    image = torch.randn(1, 3, SIDE, SIDE)
    prompts = Prompted(points, labels, boxes, masks)
    logits, iou = decode(ours, ours.image_encoder(image), prompts, (SIDE, SIDE))

    given = (torch.tensor(points).float(), torch.tensor(labels)) if points.size else None
    sparse, dense = theirs.prompt_encoder(
        given, None if boxes is None else torch.tensor(boxes).float(), masks
    )
    wanted, quality = theirs.mask_decoder(
        theirs.image_encoder(image), theirs.prompt_encoder.get_dense_pe(), sparse, dense,
        multimask_output=prompts.ambiguous,
    )  # fmt: skip
    weights = torch.randn_like(logits)
    for masks_, ious in ((logits, iou), (wanted, quality)):
        ((masks_ * weights).mean() + (ious**2).sum()).backward()
    references = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        # What is never computed has none here, and zero there: masks not asked for, and the bias of
        # keys, which cancels in the softmax.
        given, wanted = (
            torch.zeros_like(p) if p.grad is None else p.grad for p in (parameter, references[name])
        )
        scale = wanted.abs().max() + 1e-4
        assert (given - wanted).abs().max() / scale < 1e-3, name


def test_gradients_of_tiny_vit_by_finite_differences():
    torch.manual_seed(0)
    net, image = TinyViT().double(), torch.randn(1, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    weights = torch.randn(1, 256, 4, 4, dtype=torch.float64)
    (net(image) * weights).sum().backward()
    moved = {n: p for n, p in net.named_parameters() if p.grad is not None}
    assert {n.split(".")[0] for n, _ in net.named_parameters() if n not in moved} == {
        "norm_head",
        "head",
    }
    parts = ("patch_embed", "layers.0", "layers.1", "layers.2", "layers.3", "neck", "bn.")
    for part in parts:
        some = [p for n, p in moved.items() if part in n]
        ways = [torch.randn_like(p) for p in some]
        slope = sum(float((p.grad * way).sum()) for p, way in zip(some, ways, strict=True))
        values = []
        with torch.no_grad():
            for step in (1e-6, -2e-6):
                for p, way in zip(some, ways, strict=True):
                    p.add_(step * way)
                values.append(float((net(image) * weights).sum()))
            for p, way in zip(some, ways, strict=True):
                p.add_(1e-6 * way)
        assert (values[0] - values[1]) / 2e-6 == pytest.approx(slope, rel=1e-4), part
