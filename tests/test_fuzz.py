"""Two thousand mutated inputs of every format and command; 20,000 on demand, see tests/fuzzing."""

import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).parent / "fuzzing" / "fuzz.py"


@pytest.mark.parametrize("first", range(0, 2000, 500))  # so that no worker has all at the end
def test_what_enters_is_read_right_or_refused_in_a_sentence(first):
    words = [sys.executable, str(FUZZ), "--cases", "500", "--first", str(first)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "500 cases, 0 failed" in done.stdout
