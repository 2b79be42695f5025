"""Label maps in the forms that datasets ship them: grey in three channels, MAT files."""

import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.images import read_rgb


def read_grey(path: Path) -> NDArray[np.int64]:
    """Grey values (H, W) of a mask that may be stored with three equal channels.

    Raises:
        UserError: it cannot be read, or it has colours.
    """
    rgb = read_rgb(path)
    if (rgb != rgb[..., :1]).any():
        raise UserError(f"{path} has colours; a mask is grey.")
    return rgb[..., 0].astype(np.int64)


def read_mat(path: Path, key: str) -> Any:
    """One variable of a MATLAB file (version 5 to 7.2).

    Raises:
        UserError: it cannot be read, or it has no such variable.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        return loadmat(path)[key]
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; check the path.") from None
    except KeyError:
        raise UserError(f'{path} has no variable "{key}"; fetch it again.') from None
    except (MatReadError, OSError, ValueError, TypeError, NotImplementedError, zlib.error) as error:
        raise UserError(f"{path} is no readable MATLAB file ({error}); fetch it again.") from None
