"""The losses against values worked out by hand, and their gradients."""

import math

import pytest
import torch

from sambench.model.training.losses import dice, focal, losses


def test_focal_loss_of_one_pixel_by_hand():
    zero = torch.zeros(1, dtype=torch.float64)  # p = 1/2: a (1/2)^2 log 2
    assert focal(zero, zero + 1).item() == pytest.approx(0.25 * 0.25 * math.log(2))
    assert focal(zero, zero).item() == pytest.approx(0.75 * 0.25 * math.log(2))
    three = torch.tensor([math.log(3.0)], dtype=torch.float64)  # p = 3/4
    assert focal(three, zero + 1).item() == pytest.approx(0.25 * (1 / 16) * math.log(4 / 3))
    assert focal(three, zero).item() == pytest.approx(0.75 * (9 / 16) * math.log(4))


def test_focal_loss_is_a_mean_over_pixels():
    logits, target = torch.tensor([0.3, -1.0, 4.0]), torch.tensor([1.0, 1.0, 0.0])
    each = [focal(logits[i : i + 1], target[i : i + 1]) for i in range(3)]
    assert focal(logits, target).item() == pytest.approx(sum(each).item() / 3)


def test_dice_loss_by_hand():
    target = torch.tensor([1.0, 1.0, 0.0, 0.0])
    assert dice(torch.zeros(4), target).item() == pytest.approx(1 - (2 * 1 + 1) / (2 + 2 + 1))
    sure = torch.tensor([50.0, -50.0, -50.0, -50.0])
    assert dice(sure, target).item() == pytest.approx(1 - (2 * 1 + 1) / (1 + 2 + 1))
    assert dice(torch.tensor([50.0, 50, -50, -50]), target).item() == pytest.approx(0, abs=1e-6)


def test_gradients_of_both_losses():
    torch.manual_seed(0)
    logits = torch.randn(3, 7, dtype=torch.float64, requires_grad=True)
    target = (torch.rand(3, 7) > 0.5).double()
    assert torch.autograd.gradcheck(lambda x: focal(x, target), logits)
    assert torch.autograd.gradcheck(lambda x: dice(x, target), logits)


def test_only_the_mask_of_lowest_loss_learns():
    target = torch.tensor([[1.0, 1.0, 0.0, 0.0]])
    logits = torch.tensor([[[-1.0, -1, 1, 1], [1, 1, -1, -1], [0, 0, 0, 0]]], requires_grad=True)
    predicted = torch.tensor([[0.9, 0.4, 0.1]], requires_grad=True)
    actual = torch.tensor([[0.0, 1.0, 0.5]])
    terms = losses(logits, target, predicted, actual)
    best = focal(logits[0, 1], target[0]), dice(logits[0, 1], target[0])
    assert terms.total.item() == pytest.approx(20 * best[0].item() + best[1].item() + 0.36)
    terms.total.sum().backward()
    assert logits.grad[0, 1].abs().min() > 0
    assert not logits.grad[0, [0, 2]].any()
    assert predicted.grad.tolist() == [[0, pytest.approx(2 * (0.4 - 1.0)), 0]]


def test_every_predicted_iou_may_learn():
    logits, predicted = torch.zeros(1, 3, 4), torch.tensor([[0.9, 0.4, 0.1]])
    terms = losses(
        logits, torch.ones(1, 4), predicted, torch.tensor([[0.0, 1.0, 0.5]]), every_iou=True
    )
    assert terms.iou.item() == pytest.approx((0.81 + 0.36 + 0.16) / 3)
