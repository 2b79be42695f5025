"""A cache of image embeddings on disk, for models that can pack them.

A file is named by a hash of all that can move an embedding: the model's weights, preprocessing,
precision and code, and the pixels of the image. It holds named arrays and no code (safetensors), is
there whole or not at all, and is the first to go when the cache is full and it was not used for
longest. Several processes may share a folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.interfaces import Embedding, Model
from sambench.registry import with_option
from sambench.store.code import digest_of, modules_of
from sambench.store.options import parts_of
from sambench.store.plan import identity
from sambench.video.interfaces import VideoModel

if TYPE_CHECKING:
    from torch import Tensor

ENDING = ".safetensors"
CONTENT = "sambench"
"""Key of a file's note: the digest of what was stored in it."""
log = logging.getLogger(__name__)


class EmbeddingCache:
    """Packed embeddings of one model.

    Args:
        folder: where the files are.
        model: whose embeddings they are.
        size: bytes that all files together may take; 0 for no limit.
        half: keep floats in 16 bits: half the size, and numbers move slightly.
    """

    def __init__(self, folder: Path, model: Model, size: int = 0, *, half: bool = False) -> None:
        self._folder, self._size, self._half = folder, size, half
        self._signature = _signature(model, half=half)
        folder.mkdir(parents=True, exist_ok=True)
        self._used = sum(size for _, size, _ in self._files())

    def embedding(self, model: Model, image: NDArray[np.uint8]) -> tuple[bool, Embedding]:
        """Whether the embedding of an image is there, and the embedding if it is."""
        packed = self.load(image)
        return packed is not None, None if packed is None else model.unpack(packed)

    def load(self, image: NDArray[np.uint8]) -> dict[str, Tensor] | None:
        """The packed embedding of an image (H, W, 3), on the CPU.

        None if it is not there; nor, which is said, if it is not what was stored.
        """
        from safetensors import SafetensorError, safe_open

        path = self._path(image)
        try:
            with safe_open(path, "pt") as file:
                stated = (file.metadata() or {}).get(CONTENT)
                names = list(file.keys())
                packed: dict[str, Tensor] = {name: file.get_tensor(name) for name in names}
            os.utime(path)
        except FileNotFoundError:
            return None
        except (SafetensorError, OSError) as error:
            log.warning("%s cannot be read and is computed again: %s", path, error)
            return None
        if stated != _content(packed):
            log.warning("%s is not what was stored there and is computed again", path)
            return None
        return _widened(packed) if self._half else packed

    def store(self, image: NDArray[np.uint8], packed: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Keep a packed embedding; returns what `load` will."""
        from safetensors import SafetensorError

        kept = {name: _narrowed(t) if self._half else t.cpu() for name, t in packed.items()}
        kept = {name: tensor.contiguous() for name, tensor in kept.items()}
        if not all(bool(tensor.isfinite().all()) for tensor in kept.values()):
            raise UserError("the model gave an embedding that is not finite; check its weights.")
        try:
            self._write(self._path(image), kept)
        except (SafetensorError, OSError) as error:
            log.warning("an embedding cannot be kept: %s", error)
        if self._size and self._used > self._size:
            self._shrink()
        return _widened(kept) if self._half else kept

    def _write(self, path: Path, packed: dict[str, Tensor]) -> None:
        """Write a file so that it is there whole or not at all."""
        from safetensors.torch import save_file

        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        try:
            save_file(packed, part, {CONTENT: _content(packed)})
            self._used += part.stat().st_size
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def _path(self, image: NDArray[np.uint8]) -> Path:
        digest = hashlib.sha256(f"{self._signature} {image.shape}".encode())
        digest.update(np.ascontiguousarray(image).data)
        name = digest.hexdigest()
        return self._folder / name[:2] / (name + ENDING)

    def _files(self) -> list[tuple[float, int, Path]]:
        """When it was last used, size and path of each file, those of other processes included."""
        found = []
        for path in self._folder.glob(f"??/*{ENDING}"):
            with contextlib.suppress(FileNotFoundError):  # another process made room
                stat = path.stat()
                found.append((stat.st_mtime, stat.st_size, path))
        return found

    def _shrink(self) -> None:
        """Remove what was not used for longest until a tenth of the size is free."""
        files = sorted(self._files())
        self._used = sum(size for _, size, _ in files)
        for _, size, path in files:
            if self._used <= 0.9 * self._size:
                break
            path.unlink(missing_ok=True)
            self._used -= size


@dataclass(frozen=True)
class CacheOptions:
    """Where embeddings are kept, the bytes they may take (0: any number), and whether halved."""

    folder: Path
    size: int = 0
    half: bool = False

    def open(self, model: Model) -> EmbeddingCache | None:
        """The cache of a model's embeddings; None, and said, if the model cannot pack them."""
        if type(model).pack is Model.pack:
            name = model.card.name
            log.warning("%s cannot pack its embeddings: it embeds without a cache", name)
            return None
        return EmbeddingCache(self.folder, model, self.size, half=self.half)

    def stated(self, model: Model) -> Model:
        """The model with a card that says what the cache does to its precision.

        Raises:
            UserError: it is a model of clips, which embeds no image for others to keep.
        """
        if isinstance(model, VideoModel):
            raise UserError(
                f"{model.card.name} embeds frames as it goes; leave out --embedding-cache."
            )
        if not self.half or type(model).pack is Model.pack:
            return model
        stated: Model = with_option(model, "embeddings", "float16")
        stated.card = replace(
            model.card, precision=f"{model.card.precision}, embeddings in float16"
        )
        return stated


def _signature(model: Model, *, half: bool) -> str:
    """All of a model that can move an embedding."""
    code = digest_of(modules_of(model, *parts_of(model)))
    return json.dumps([identity(model), code, "float16" if half else ""], sort_keys=True)


def _content(packed: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and values."""
    import torch

    digest = hashlib.sha256()
    for name in sorted(packed):
        tensor = packed[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _narrowed(tensor: Tensor) -> Tensor:
    import torch

    if tensor.dtype != torch.float32:
        return tensor.cpu()
    half = tensor.to(torch.float16)
    if not bool(half.isfinite().all()):
        raise UserError("an embedding is too large for float16; leave --cache-half out.")
    return half.cpu()


def _widened(packed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    import torch

    return {
        name: t.to(torch.float32) if t.dtype == torch.float16 else t for name, t in packed.items()
    }
