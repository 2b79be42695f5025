"""What training minimises: 20 parts focal loss, one part dice loss, and the IoU head's error.

Kirillov et al., "Segment Anything", 2023, appendix A. Of a prompt's three masks only the one of
lowest loss is learned from (Guzman-Rivera et al., "Multiple Choice Learning", 2012).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

FOCAL_WEIGHT = 20.0
ALPHA, GAMMA = 0.25, 2.0
"""Of the focal loss: Lin et al.'s values, which the SAM paper does not repeat."""


def focal(logits: Tensor, target: Tensor) -> Tensor:
    """Focal loss (Lin et al., ICCV 2017, equation 5), the mean over pixels.

    Args:
        logits: (..., n) float.
        target: (..., n) float, 0 or 1.

    Returns:
        (...) of -a (1 - p)^2 log p, where p is the probability of the true class and a is .25 for
        foreground and .75 for background.
    """
    surprise = F.binary_cross_entropy_with_logits(logits, target, reduction="none")  # -log p
    probability = logits.sigmoid()
    wrong = probability + target - 2 * probability * target  # 1 - p
    weight = ALPHA * target + (1 - ALPHA) * (1 - target)
    return (weight * wrong**GAMMA * surprise).mean(dim=-1)


def dice(logits: Tensor, target: Tensor) -> Tensor:
    """Dice loss (Milletari et al., 3DV 2016), with one added above and below the fraction.

    Args:
        logits: (..., n) float.
        target: (..., n) float, 0 or 1.

    Returns:
        (...) of 1 - (2 sum p t + 1) / (sum p + sum t + 1).
    """
    probability = logits.sigmoid()
    both = (probability * target).sum(dim=-1)
    return 1 - (2 * both + 1) / (probability.sum(dim=-1) + target.sum(dim=-1) + 1)


@dataclass(frozen=True)
class Terms:
    """Losses of P prompts, (P,) each: of the mask that each learns from."""

    focal: Tensor
    dice: Tensor
    iou: Tensor

    @property
    def total(self) -> Tensor:
        """The weighted sum, (P,)."""
        return FOCAL_WEIGHT * self.focal + self.dice + self.iou


def losses(
    logits: Tensor, target: Tensor, predicted: Tensor, actual: Tensor, *, every_iou: bool = False
) -> Terms:
    """Losses of P prompts with C masks each; all but one mask of a prompt get no gradient.

    Args:
        logits: (P, C, n) of n pixels.
        target: (P, n) float, 0 or 1.
        predicted: (P, C) IoU that the network predicts.
        actual: (P, C) IoU that its masks have.
        every_iou: learn from the predicted IoU of every mask, not only of the one of lowest loss.
    """
    wanted = target[:, None].expand_as(logits)
    focals, dices = focal(logits, wanted), dice(logits, wanted)  # (P, C)
    best = (FOCAL_WEIGHT * focals + dices).argmin(dim=1)
    rows = torch.arange(len(best), device=best.device)
    errors = (predicted - actual) ** 2
    iou = errors.mean(dim=1) if every_iou else errors[rows, best]
    return Terms(focals[rows, best], dices[rows, best], iou)
