"""sambench: zero-shot evaluation of promptable segmentation models.

``sambench.evaluate("points", model="minisam", dataset="mini")`` is the command line's ``run`` for
one task, one model and one dataset; each may be an object instead of a name. Its `Result` is a
table in a notebook and draws itself; `load_result` reads one that is on disk, `compare` holds two
against each other, and `to_pandas` makes tables of them. `load` makes a model, a task or a dataset.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sambench.engine.evaluation import evaluate
    from sambench.errors import UserError
    from sambench.registry import load
    from sambench.store.comparing import Comparison
    from sambench.store.reading import compare, load_result, to_pandas
    from sambench.store.result import Result

__version__ = "0.1.0"
__all__ = [
    "Comparison",
    "Result",
    "UserError",
    "compare",
    "evaluate",
    "load",
    "load_result",
    "to_pandas",
]

_HOMES = {
    "Comparison": "sambench.store.comparing",
    "Result": "sambench.store.result",
    "UserError": "sambench.errors",
    "compare": "sambench.store.reading",
    "evaluate": "sambench.engine.evaluation",
    "load": "sambench.registry",
    "load_result": "sambench.store.reading",
    "to_pandas": "sambench.store.reading",
}
"""The module of each name that is exported."""


def __getattr__(name: str) -> Any:
    """Import what is asked for only then: ``import sambench`` stays quick."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """What is exported."""
    return [*__all__, "__version__"]


# In a checkout the plug-in folders model/, tasks/ and datasets/ lie beside this package; installed
# from a wheel they lie inside it. Both are imported as sambench.model and so on.
_root = Path(__file__).resolve().parent.parent
if (_root / "pyproject.toml").is_file() and (_root / "tasks").is_dir():
    __path__.append(str(_root))
