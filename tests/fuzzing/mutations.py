"""What goes wrong with files and words, drawn from a seeded generator."""

from __future__ import annotations

import io
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Random = random.Random
STRANGE: list[Any] = [
    None, True, False, 0, 1, -1, 2**31, 2**63, -(2**63), 1e308, -1e308, 0.5, -0.5, float("nan"),
    float("inf"), float("-inf"), "", "x", "1", "-1", "1.5", "nan", "\u56fe", "a/b", "../x", "/x",
    [], {}, [[]], [1], ["x"], {"x": 1}, [None], [[1, 2]], [1, 2, 3], "\0",
]  # fmt: skip
"""Values that people's programs put where others belong."""
PICTURES = {".png", ".jpg", ".tif"}


def files_of(folder: Path) -> list[Path]:
    """The files of a seed, in order; not what a command wrote."""
    found = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return [path for path in found if "out" not in path.relative_to(folder).parts]


def of_bytes(path: Path, rng: Random) -> str:
    """Cut, flip, insert, repeat, empty or replace what a file holds."""
    data = bytearray(path.read_bytes())
    kind = rng.choice(["cut", "flip", "insert", "repeat", "empty", "web page", "pointer", "zeros"])
    at = rng.randrange(len(data)) if data else 0
    if kind == "cut":
        del data[at:]
    elif kind == "flip":
        for _ in range(rng.choice([1, 1, 3, 30])):
            if data:
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == "insert":
        data[at:at] = rng.randbytes(rng.choice([1, 4, 60]))
    elif kind == "repeat":
        data[at:at] = data[at : at + rng.choice([1, 10, 200])]
    elif kind == "zeros":
        data[at : at + 16] = bytes(len(data[at : at + 16]))
    else:
        pages = {
            "empty": b"", "web page": b"<!DOCTYPE html><html><title>Sign in</title></html>",
            "pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
        }  # fmt: skip
        data = bytearray(pages[kind])
    path.write_bytes(bytes(data))
    return kind


def places(value: Any, where: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """All places in a JSON value, as keys from the top."""
    found = [where]
    if isinstance(value, dict):
        for key, item in value.items():
            found += places(item, (*where, key))
    elif isinstance(value, list):
        for index, item in enumerate(value[:40]):
            found += places(item, (*where, index))
    return found


def inside(value: Any, where: tuple[Any, ...]) -> Any:
    for key in where:
        value = value[key]
    return value


def of_json(path: Path, rng: Random) -> str:
    """Replace, take away, repeat or swap parts of a JSON file, or of one line of JSON lines."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines() if path.suffix == ".jsonl" else [text]
    row = rng.randrange(len(lines))
    content = json.loads(lines[row])
    said = _change(content, rng)
    lines[row] = json.dumps(content)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return said


def _change(content: Any, rng: Random) -> str:
    where = rng.choice(places(content)[1:] or [()])
    if not where:
        return "nothing"
    parent, key = inside(content, where[:-1]), where[-1]
    kind = rng.choice(
        ["replace", "replace", "replace", "remove", "repeat", "swap", "number", "text"]
    )
    value = parent[key]
    if kind == "remove":
        del parent[key]
    elif kind == "repeat" and isinstance(parent, list):
        parent.insert(key, json.loads(json.dumps(value)))
    elif kind == "swap":
        other = rng.choice(list(parent) if isinstance(parent, dict) else range(len(parent)))
        parent[key], parent[other] = parent[other], parent[key]
    elif kind == "number" and isinstance(value, int | float):
        parent[key] = rng.choice([-value, value * 1000, value + 0.5, value / 7, value + 1])
    elif kind == "text":
        parent[key] = str(value)
    else:
        parent[key] = rng.choice(STRANGE)
    return f"{kind} {'.'.join(map(str, where))}"


def of_picture(path: Path, rng: Random) -> str:
    """Save a picture in another mode, size, depth, orientation or number of frames."""
    with Image.open(path) as opened:
        image = opened.copy()
    changes: dict[str, Callable[[], tuple[Image.Image, dict[str, Any]]]] = {
        "grey": lambda: (image.convert("L"), {}),
        "palette": lambda: (image.convert("RGB").convert("P"), {}),
        "one bit": lambda: (image.convert("1"), {}),
        "alpha": lambda: (image.convert("RGBA"), {}),
        "grey alpha": lambda: (image.convert("LA"), {}),
        "cmyk": lambda: (image.convert("RGB").convert("CMYK"), {}),
        "16 bits": lambda: (
            Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257), {},
        ),
        "float": lambda: (
            Image.fromarray(np.asarray(image.convert("L")).astype(np.float32) / 255), {},
        ),
        "smaller": lambda: (image.resize((7, 5)), {}),
        "turned": lambda: (image.transpose(Image.Transpose.ROTATE_90), {}),
        "one pixel": lambda: (image.resize((1, 1)), {}),
        "smooth": lambda: (image.convert("L").resize((13, 9)).resize(image.size), {}),
        "orientation": lambda: (image, {"exif": _oriented(rng)}),
        "frames": lambda: (image, {"save_all": True, "append_images": [image.copy()]}),
        "black": lambda: (Image.new("L", image.size), {}),
        "white": lambda: (Image.new("RGB", image.size, "white"), {}),
    }  # fmt: skip
    kind = rng.choice(list(changes))
    changed, options = changes[kind]()
    formats = ["PNG", "JPEG", "TIFF", "GIF", "BMP", "WEBP"]
    wanted = {".png": "PNG", ".jpg": "JPEG", ".tif": "TIFF"}[path.suffix]
    for name in [rng.choice([wanted, wanted, rng.choice(formats)]), "TIFF", "PNG"]:
        buffer = io.BytesIO()
        try:
            changed.save(buffer, name, **options)
        except (OSError, ValueError, KeyError, TypeError):  # this format has no such picture
            continue
        path.write_bytes(buffer.getvalue())
        return f"{kind} {name}"
    return "nothing"


def _oriented(rng: Random) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = rng.choice([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    return exif


def of_array(path: Path, rng: Random) -> str:
    """Save a NumPy array of another type, shape or range."""
    array = np.load(path)
    changes: dict[str, Callable[[], Any]] = {
        "bool": lambda: array > 0,
        "int64": lambda: array.astype(np.int64),
        "uint16": lambda: (array * 255).astype(np.uint16),
        "float": lambda: array.astype(np.float64) / 3,
        "negative": lambda: array.astype(np.float64) - 1,
        "nan": lambda: np.where(array > 0, np.nan, array.astype(np.float64)),
        "stack": lambda: np.stack([array, array]),
        "flat": lambda: array.ravel(),
        "empty": lambda: array[:0],
        "text": lambda: array.astype(str),
        "complex": lambda: array.astype(complex),
        "turned": lambda: array.T,
        "large": lambda: array.astype(np.float64) * 1e30,
        "zero": lambda: np.zeros_like(array),
        "scalar": lambda: np.float64(3),
    }
    kind = rng.choice(list(changes))
    np.save(path, changes[kind]())
    return kind


def of_text(path: Path, rng: Random) -> str:
    """Change, repeat or take away a line or a word of a text file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    row = rng.randrange(len(lines))
    words = lines[row].split(" ")
    kind = rng.choice(["word", "word", "no line", "twice", "join", "mark", "utf-16", "cr"])
    if kind == "word":
        words[rng.randrange(len(words))] = str(rng.choice(STRANGE))
        lines[row] = " ".join(words)
    elif kind == "no line":
        del lines[row]
    elif kind == "twice":
        lines.insert(row, lines[row])
    elif kind == "join":
        lines[row : row + 2] = ["".join(lines[row : row + 2])]
    text = ("\r" if kind == "cr" else "\n").join(lines) + "\n"
    coding = {"mark": "utf-8-sig", "utf-16": "utf-16"}.get(kind, "utf-8")
    path.write_text(text, encoding=coding, errors="replace")
    return kind


def of_names(path: Path, rng: Random) -> str:
    """Rename, remove, copy or swap a file, or put a folder in its place."""
    kind = rng.choice(["remove", "rename", "copy", "folder", "upper", "swap", "link"])
    if kind == "remove":
        path.unlink()
    elif kind == "rename":
        path.rename(
            path.with_name(
                rng.choice(["b", "\u56fe" * 31, "a b", "sambench", "-x", "a_1"]) + path.suffix
            )
        )
    elif kind == "copy":
        shutil.copy(
            path, path.with_name(rng.choice(["c", "a_9", ".hidden", "Thumbs"]) + path.suffix)
        )
    elif kind == "folder":
        path.unlink()
        path.mkdir()
    elif kind == "upper":
        path.rename(path.with_name(path.name.upper()))
    elif kind == "link":
        path.unlink()
        path.symlink_to("nowhere")
    else:
        others = [other for other in sorted(path.parent.iterdir()) if other.is_file()]
        other = rng.choice(others)
        first, second = path.read_bytes(), other.read_bytes()
        path.write_bytes(second)
        other.write_bytes(first)
    return kind


def of_words(words: list[str], rng: Random) -> tuple[list[str], str]:
    """The words of a command with one more, fewer or other."""
    kind = rng.choice(["value", "value", "option", "drop"]) if len(words) > 1 else "option"
    if kind == "drop":
        at = rng.randrange(1, len(words))
        return words[:at] + words[at + 1 :], f"drop {words[at]}"
    if kind == "option":
        name = rng.choice(
            [
                "limit", "workers", "resamples", "batch", "shard", "ids", "cache-size", "seed",
                "points", "points-per-side", "images", "max-boxes", "min-score", "scale", "no-such",
            ]
        )  # fmt: skip
        value = rng.choice(["-1", "0", "1", "x", "", "1e9", "nan", "2/1", "99999999999999999999"])
        return [*words, f"--{name}={value}"], f"--{name}={value}"
    at = rng.randrange(1, len(words))
    head, equals, _ = words[at].partition("=")
    value = str(rng.choice(STRANGE)).replace("\0", "")
    changed = f"{head}={value}" if equals else value
    return [*words[:at], changed, *words[at + 1 :]], f"{words[at]} -> {changed}"


def mutate(folder: Path, words: list[str], rng: Random) -> tuple[list[str], str]:
    """Change one thing, sometimes two, of a seed's folder or words; returns the words, and what."""
    said = []
    for _ in range(rng.choice([1, 1, 1, 2])):
        files = files_of(folder)
        if not files or rng.random() < 0.12:
            words, what = of_words(words, rng)
            said.append(what)
            continue
        path = rng.choice(files)
        said.append(f"{path.relative_to(folder)}: {_mutate_file(path, rng)}")
    return words, "; ".join(said)


def _mutate_file(path: Path, rng: Random) -> str:
    ways: list[Callable[[Path, Random], str]] = [of_bytes, of_names]
    if path.suffix in {".json", ".jsonl"}:
        ways = [of_json, of_json, of_json, of_json, *ways]
    elif path.suffix in PICTURES:
        ways = [of_picture, of_picture, of_picture, *ways]
    elif path.suffix == ".npy":
        ways = [of_array, of_array, *ways]
    elif path.suffix in {".txt", ".xml"}:
        ways = [of_text, of_text, of_text, *ways]
    way = rng.choice(ways)
    try:
        return way(path, rng)
    except (ValueError, OSError, SyntaxError, RecursionError):  # damaged by the change before
        return of_bytes(path, rng) if path.is_file() and not path.is_symlink() else "nothing"
