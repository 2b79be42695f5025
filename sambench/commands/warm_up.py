"""Compile all kernels, so that no run has to: for a container or a new machine.

They are kept in NUMBA_CACHE_DIR, or beside the package where that can be written.
"""

import argparse

from sambench.commands._arguments import Parser


def add(parser: Parser) -> None:
    """There are no arguments."""


def main(arguments: argparse.Namespace) -> int:
    """Compile."""
    from sambench.engine.compiling import compile_all, compiling_announced

    with compiling_announced(show=not arguments.quiet):
        compile_all()
    return 0
