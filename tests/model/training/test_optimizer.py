"""The schedule, the layers' learning rates, dropout and drop path."""

import pytest
import torch

from sambench.model.nn.image_encoder import ImageEncoder
from sambench.model.nn.tiny_vit import TinyViT
from sambench.model.training.interaction import decode
from sambench.model.training.optimizer import depths, make_optimizer, rate, set_rate, trainable
from sambench.model.training.regularization import drop_path, dropout

from .tiny import tiny_net


def test_the_paper_s_schedule():
    at = [rate(step, 90_000, 250) for step in (0, 124, 249, 250, 59_999, 60_000, 86_665, 86_666)]
    assert at == pytest.approx([1 / 250, 0.5, 1, 1, 1, 0.1, 0.1, 0.01])


def test_layers_of_a_vit_learn_slower_the_nearer_to_the_image():
    layers = depths(ImageEncoder(8, 12, 2, global_blocks=(11,), image_size=32))
    wanted = {"pos_embed": 0, "patch_embed.proj.weight": 0, "blocks.0.attn.qkv.weight": 1}
    wanted |= {"blocks.11.norm1.bias": 12, "neck.2.weight": 13}
    assert {name: layers[name] for name in wanted} == wanted


def test_layers_of_a_tiny_vit_are_counted_over_its_stages():
    with torch.device("meta"):
        layers = depths(TinyViT())
    assert layers["patch_embed.seq.0.c.weight"] == 0
    assert (
        layers["layers.0.blocks.1.conv1.c.weight"]
        == layers["layers.0.downsample.conv1.c.weight"]
        == 2
    )
    assert layers["layers.3.blocks.1.mlp.fc1.weight"] == 12
    assert layers["neck.0.weight"] == 13


def test_groups_have_their_share_of_the_rate_and_of_the_decay():
    net = tiny_net()
    parameters = trainable(net, whole=True)
    optimizer = make_optimizer(net, parameters, lr=1.0, weight_decay=0.1, layer_decay=0.8)
    set_rate(optimizer, 0.5)
    names = {id(parameter): name for name, parameter in parameters.items()}
    found = {
        names[id(p)]: (g["lr"], g["weight_decay"])
        for g in optimizer.param_groups
        for p in g["params"]
    }
    assert found.keys() == parameters.keys()
    assert found["image_encoder.pos_embed"] == (pytest.approx(0.5 * 0.8**3), 0)
    assert found["image_encoder.patch_embed.proj.weight"] == (pytest.approx(0.5 * 0.8**3), 0.1)
    assert found["image_encoder.blocks.1.attn.rel_pos_h"] == (pytest.approx(0.5 * 0.8), 0)
    assert found["image_encoder.blocks.1.mlp.lin1.weight"] == (pytest.approx(0.5 * 0.8), 0.1)
    assert found["mask_decoder.iou_token.weight"] == (0.5, 0)
    assert found["mask_decoder.output_upscaling.0.weight"] == (0.5, 0.1)


def test_a_frozen_encoder_has_no_parameters_to_move():
    assert {name.split(".")[0] for name in trainable(tiny_net(), whole=False)} == {
        "prompt_encoder",
        "mask_decoder",
    }


def answers(net, image):
    import numpy as np

    from sambench.model.training.interaction import Prompted

    prompts = Prompted(np.full((1, 1, 2), 9.0), np.ones((1, 1), np.int64))
    with torch.no_grad():
        return decode(net, net.image_encoder(image), prompts, (64, 64))[0]


def test_regularization_is_gone_afterwards():
    net, image = tiny_net(), torch.randn(1, 3, 64, 64)
    before = answers(net, image)
    for dropped, part in ((dropout, 0.5), (drop_path, 0.9)):
        torch.manual_seed(4)
        with dropped(net, part):
            within = answers(net, image)
        assert not torch.equal(within, before)
        assert torch.equal(answers(net, image), before)


def test_drop_path_drops_a_whole_branch_or_strengthens_it():
    net, image = tiny_net(), torch.randn(1, 3, 64, 64)
    block = net.image_encoder.blocks[1]  # the last: the full rate
    seen = []
    with torch.no_grad(), drop_path(net, 0.5):
        block.mlp.register_forward_hook(lambda module, given, out: seen.append((given[0], out)))
        for seed in range(24):
            torch.manual_seed(seed)
            net.image_encoder(image)
        plain = [torch.equal(out, torch.zeros_like(out)) for _, out in seen]
    assert 4 <= sum(plain) <= 20
    for (given, out), dropped in zip(seen, plain, strict=True):
        if not dropped:
            with torch.no_grad():
                assert torch.allclose(
                    out,
                    2 * block.mlp.lin2(torch.nn.functional.gelu(block.mlp.lin1(given))),
                    atol=1e-5,
                )
