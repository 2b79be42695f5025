"""Parts of a run for the jobs of an array: each does every n-th image."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from sambench.errors import UserError


@dataclass(frozen=True)
class Shard:
    """Part number `index` (from 0) of `count`."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index + 1}/{self.count}"

    @property
    def word(self) -> str:
        """As part of a file's name."""
        return f"shard-{self.index + 1}-of-{self.count}"

    def take(self, ids: tuple[str, ...]) -> tuple[str, ...]:
        """Its part of all images."""
        return ids[self.index :: self.count]


def parse_shard(text: str, variables: Mapping[str, str] | None = None) -> Shard:
    """``2/8``, the second of eight, or ``auto``: what the job's variables say.

    Raises:
        UserError: it is neither, or the variables are not set.
    """
    if text == "auto":
        return _automatic(os.environ if variables is None else variables)
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise UserError(f"--shard {text} is not a part; give one such as 1/4 ... 4/4, or auto.")
    return Shard(int(match[1]) - 1, int(match[2]))


def _automatic(variables: Mapping[str, str]) -> Shard:
    """An array's job may itself have several processes: each gets a part of the job's part."""
    inner = _pair(variables, "RANK", "WORLD_SIZE") or _pair(
        variables, "SLURM_PROCID", "SLURM_NTASKS"
    )
    outer = _array(variables)
    if inner is None and outer is None:
        raise UserError(
            "--shard auto finds neither SLURM_ARRAY_TASK_ID and SLURM_ARRAY_TASK_COUNT, nor "
            "SLURM_PROCID and SLURM_NTASKS, nor torchrun's RANK and WORLD_SIZE; give 1/4 or so."
        )
    outer, inner = outer or Shard(0, 1), inner or Shard(0, 1)
    return Shard(outer.index * inner.count + inner.index, outer.count * inner.count)


def _array(variables: Mapping[str, str]) -> Shard | None:
    """The place in a SLURM array, whose numbers may begin anywhere and leave steps."""
    found = _pair(variables, "SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", check=False)
    if found is None:
        return None
    first = _number(variables, "SLURM_ARRAY_TASK_MIN") or 0
    step = _number(variables, "SLURM_ARRAY_TASK_STEP") or 1
    index, left = divmod(found.index - first, step)
    if left or not 0 <= index < found.count:
        raise UserError(
            f"SLURM_ARRAY_TASK_ID {found.index} does not number {found.count} parts from {first} "
            f"in steps of {step}; give an array such as 0-3, or --shard 1/4."
        )
    return Shard(index, found.count)


def _pair(
    variables: Mapping[str, str], index: str, count: str, *, check: bool = True
) -> Shard | None:
    place, number = _number(variables, index), _number(variables, count)
    if place is None or number is None:
        return None
    if check and not place < number:
        raise UserError(f"{index} {place} is not below {count} {number}; give --shard 1/4 or so.")
    return Shard(place, number)


def _number(variables: Mapping[str, str], name: str) -> int | None:
    text = variables.get(name, "")
    if text and not text.isdecimal():
        raise UserError(f"{name} is {text!r}, not a number; give --shard 1/4 or so.")
    return int(text) if text else None
