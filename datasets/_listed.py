"""Datasets whose split is a text file of names."""

from functools import cached_property
from pathlib import Path

from sambench.data.text_lists import read_lines
from sambench.errors import UserError

from ._files import InstanceFiles


def read_names(path: Path) -> tuple[str, ...]:
    """The first word of each line that is not empty, in the order of the file.

    Raises:
        UserError: it cannot be read, or a name occurs twice.
    """
    names = tuple(line.split()[0] for line in read_lines(path))
    if len(set(names)) != len(names):
        raise UserError(f"{path} lists a name twice; fetch it again.")
    return names


class ListedFiles(InstanceFiles):
    """Ids are the lines of a split file."""

    list_file: Path

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Names as the split file lists them."""
        return read_names(self.list_file)
