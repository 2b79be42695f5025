"""Two thousand mutated inputs of every format and command; 20,000 on demand, see tests/fuzzing."""

import subprocess
import sys
from pathlib import Path

FUZZ = Path(__file__).parent / "fuzzing" / "fuzz.py"


def test_what_enters_is_read_right_or_refused_in_a_sentence():
    words = [sys.executable, str(FUZZ), "--cases", "2000"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "2000 cases, 0 failed" in done.stdout
