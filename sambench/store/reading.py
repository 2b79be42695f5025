"""What runs left on disk, as Python and notebooks ask for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sambench.errors import UserError
from sambench.metrics.significance import SWAPS
from sambench.metrics.statistics import RESAMPLES
from sambench.store import comparing
from sambench.store.comparing import Comparison
from sambench.store.result import Result
from sambench.store.run import Run, find_runs, read_run, result_path

if TYPE_CHECKING:
    from pandas import DataFrame


def load_result(path: str | Path) -> Result:
    """Read the result of a run.

    Args:
        path: of its file, ``OUTPUT/<task>/<dataset>/<model>.json``, of its records, or of a folder
            that holds no other result.

    Raises:
        UserError: there is none or there are several, or the file is no result.
    """
    path = result_path(Path(path))
    runs = find_runs([path])
    if len(runs) != 1:
        named = f", such as {runs[0].path}" if runs else ""
        raise UserError(f"{path} holds {len(runs)} results; name one{named}.")
    return runs[0].result


def compare(
    a: Result | str | Path,
    b: Result | str | Path,
    *,
    resamples: int = RESAMPLES,
    swaps: int = SWAPS,
    seed: int = 0,
    images: int = 10,
) -> Comparison:
    """Compare two results on the images that both have scored; their records are read from disk.

    Args:
        a: what the other is held against: a result, or the path of one, of its records, or of a
            folder with one.
        b: likewise; a difference is b minus a.
        resamples: how many sets of images the intervals may look at; 0: no intervals.
        swaps: of the randomization test; 0: no test.
        seed: of its draws.
        images: how many of those that differ most are named.

    Raises:
        UserError: they are of different tasks or truth, have no image in common, or no records.
    """
    return comparing.compare(
        _with_records(a),
        _with_records(b),
        resamples=resamples,
        swaps=swaps,
        seed=seed,
        images=images,
    )


def to_pandas(result: Result | str | Path, *, per_image: bool = False) -> DataFrame:
    """A result as a pandas table.

    Args:
        result: a result, or a path as of `load_result`.
        per_image: a row for each image, indexed by its id: each metric of that image alone, as a
            fraction where a table prints percent, and the seconds of each step. Its records are
            read from disk. Otherwise a row for each metric: value, low and high.

    Raises:
        UserError: there is no such result, or no records of it.
    """
    result = result if isinstance(result, Result) else load_result(result)
    return _per_image(_with_records(result)) if per_image else result.to_pandas()


def _with_records(given: Result | str | Path) -> Run:
    """The run with records that is meant.

    Raises:
        UserError: there are no records.
    """
    if not isinstance(given, Result):
        return read_run(Path(given))
    if given.path is None:
        raise UserError(
            f"the result of {given.model} is in no file, so it has no records; give the path of a "
            "result that lies beside its records."
        )
    return read_run(given.path)


def _per_image(run: Run) -> DataFrame:
    import pandas as pd

    lines = run.lines()
    rows = [
        {
            **run.task.estimator([line["record"]])(np.ones(1)),
            **{f"seconds_{step}": spent for step, spent in line["seconds"].items()},
        }
        for line in lines
    ]
    return pd.DataFrame(rows, index=pd.Index([line["id"] for line in lines], name="image"))
