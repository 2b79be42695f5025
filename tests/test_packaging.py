"""The package works installed and from a bare checkout, and never shadows another `datasets`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run_python(*words, cwd, path=(ROOT,)):
    """Run Python elsewhere; the output, or the error it ended in."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
    done = subprocess.run(
        [sys.executable, *words], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done


def test_a_bare_checkout_works_as_a_module():
    done = run_python("-m", "sambench", "list", "tasks", cwd=ROOT)
    assert "points" in done.stdout


@pytest.mark.parametrize("elsewhere", [False, True])
def test_another_package_named_datasets_is_still_found(tmp_path, elsewhere):
    other = tmp_path / "site" / "datasets"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("name = 'the other one'\n")
    code = (
        "import sambench.datasets.mini, datasets; print(datasets.name);"
        "print(sambench.datasets.mini.__name__)"
    )
    paths = [str(tmp_path / "site"), str(ROOT)]
    done = run_python("-c", code, cwd=tmp_path if elsewhere else ROOT, path=paths)
    assert done.stdout.split("\n")[:2] == ["the other one", "sambench.datasets.mini"]


def test_listing_imports_no_torch():
    code = (
        "import sys; from sambench.cli import main; main(['list']);"
        "assert 'torch' not in sys.modules and 'numba' not in sys.modules"
    )
    run_python("-c", code, cwd=ROOT)


def test_importing_sambench_is_light():
    heavy = ("torch", "numba", "pandas", "matplotlib", "skimage", "scipy")
    run_python("-c", f"import sys, sambench; assert not set({heavy}) & set(sys.modules)", cwd=ROOT)


def test_the_wheel_check_refuses_a_top_level_datasets(tmp_path):
    import zipfile

    wheel = tmp_path / "bad.whl"
    with zipfile.ZipFile(wheel, "w") as bundle:
        bundle.writestr("sambench/__init__.py", "")
        bundle.writestr("datasets/mini.py", "")
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests/check_wheel.py"), str(wheel)],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode != 0
    assert "datasets" in done.stderr
