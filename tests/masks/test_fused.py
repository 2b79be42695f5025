"""The GPU's kernel in Triton's interpreter, beside the CPU's, and what happens where it fails.

Triton comes with PyTorch for GPUs; beside PyTorch for CPUs the extra dev brings it, on Linux.
"""

import logging
import subprocess
import sys

import pytest
import torch

from sambench.masks import upsampling

INTERPRETED = """
import os
os.environ["TRITON_INTERPRET"] = "1"
import torch
from sambench.masks._fused import measure
from sambench.masks.upsampling import _axes, _in_one_pass
from sambench.model.nn.sam import input_size, upsampling
for size in ((8, 11), (5, 64), (12, 3), (1, 5)):  # each row of each mask is interpreted anew
    resize = upsampling(input_size(*size, 64), size, 16, 64)
    logits = 4 * torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(size[0]))
    logits[2] = -5
    # Numbers whose products are exact where they can be: the interpreter rounds twice.
    logits = (16 * logits).round() / 16
    expected = _in_one_pass(resize, logits, 1.0)
    masks, counts, boxes = measure(logits, _axes(resize), size, 1.0, stored=True)
    assert torch.equal(masks, expected.masks), size
    assert torch.equal(boxes, expected.boxes), size
    stability = counts[:, 0] / counts[:, 1]
    assert torch.equal(stability.nan_to_num(7), expected.stability.nan_to_num(7))
    bare, again, _ = measure(logits, _axes(resize), size, 1.0, stored=False)
    assert bare is None and torch.equal(again, counts)
assert len(measure(logits[:0], _axes(resize), size, 1.0, stored=True)[1]) == 0
"""


def test_the_kernel_gives_the_bits_of_the_cpus():
    pytest.importorskip("triton", reason="triton is not installed: it is for Linux")
    subprocess.run([sys.executable, "-c", INTERPRETED], check=True, timeout=600)


@pytest.mark.parametrize("fault", ["raises", "differs", "none"])
def test_a_kernel_that_fails_or_errs_is_left_out_and_that_is_said(fault, monkeypatch, caplog):
    def by_kernel(resize, logits, offset, *, stored):
        if fault == "raises":
            raise RuntimeError("no compiler")
        found = upsampling._in_one_pass(resize, logits, offset)
        return upsampling.Upsampled(
            found.masks, found.boxes + (fault == "differs"), found.stability
        )

    monkeypatch.setattr(upsampling, "find_spec", lambda name: True)
    monkeypatch.setattr(upsampling, "_by_kernel", by_kernel)
    with caplog.at_level(logging.WARNING):
        works = upsampling._kernel_works.__wrapped__(torch.device("cpu"))
    assert works == (fault == "none")
    assert len(caplog.records) == (fault != "none")
