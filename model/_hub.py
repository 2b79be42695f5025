"""What the adapters of transformers share: parts of a checkpoint on the Hub or in a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sambench.errors import UserError

EXTRA = "hf"
"""The extra of sambench that installs transformers."""


def read_part(checkpoint: str, load: Callable[..., Any], options: dict[str, Any]) -> Any:
    """Load a part of a checkpoint; no code of the checkpoint runs.

    Raises:
        UserError: there is no such part.
    """
    try:
        return load(checkpoint, **options)
    except (OSError, ValueError, KeyError, ImportError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(
            f"checkpoint {checkpoint} cannot be loaded by transformers ({lines[0]}); give a name "
            "on the Hub or a folder that save_pretrained wrote."
        ) from error


def stated_preprocessing(checkpoint: str, place: dict[str, Any]) -> dict[str, Any]:
    """What the checkpoint's preprocessor_config.json says, empty where it has none."""
    from transformers.image_processing_base import ImageProcessingMixin

    try:
        stated, _ = ImageProcessingMixin.get_image_processor_dict(checkpoint, **place)
    except OSError:
        return {}
    return dict(stated)


def card_name(checkpoint: str) -> str:
    """A name that is good as a file name: the folder's own, or owner_name of the Hub."""
    path = Path(checkpoint)
    return path.resolve().name if path.is_dir() else checkpoint.replace("/", "_")
