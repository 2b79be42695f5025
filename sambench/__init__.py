"""sambench: zero-shot evaluation of promptable segmentation models."""

from pathlib import Path

__version__ = "0.1.0"

# In a checkout the plug-in folders model/, tasks/ and datasets/ lie beside this package; installed
# from a wheel they lie inside it. Both are imported as sambench.model and so on.
_root = Path(__file__).resolve().parent.parent
if (_root / "pyproject.toml").is_file() and (_root / "tasks").is_dir():
    __path__.append(str(_root))
