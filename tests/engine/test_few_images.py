"""How many processes score beside the model, where nobody said."""

import pytest

from sambench.cli import main
from sambench.engine import loop, rescoring
from sambench.engine.settings import FEW, Settings
from sambench.engine.workers import Scorer


@pytest.fixture
def asked(monkeypatch):
    """The number of scoring processes that each command asks for; none is begun."""
    numbers = []

    class Told(Scorer):
        def __init__(self, workers, done):
            numbers.append(workers)
            super().__init__(0, done)

    for module in (loop, rescoring):
        monkeypatch.setattr(module, "Scorer", Told)
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    return numbers


@pytest.mark.parametrize(("cores", "workers"), [(1, 1), (2, 1), (4, 3), (64, 8), (None, 1)])
def test_workers_suit_cores_and_images(monkeypatch, cores, workers):
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    assert Settings(workers=None).settled(FEW + 1).workers == workers
    assert Settings(workers=None).settled(FEW).workers == 0
    assert Settings(workers=2).settled(1).workers == 2
    assert Settings(workers=0).settled(10**6).workers == 0


def test_few_images_are_scored_beside_no_model(asked, tmp_path, capsys):
    words = ["--task=instances", "--model=box_mask", "--resamples=0", "--predictions=all"]
    for limit, more in ((FEW, []), (FEW + 1, []), (2, ["--workers=2"])):
        place = f"--output={tmp_path / str(limit)}"
        assert main(["run", *words, f"--limit={limit}", place, *more]) == 0
    made = next((tmp_path / str(FEW + 1)).rglob("*.predictions"))
    for limit in (FEW, FEW + 1):
        place = f"--output={tmp_path / 'scored' / str(limit)}"
        again = ["score", "--task=instances", "--dataset=mini", f"--predictions={made}", place]
        assert main([*again, f"--limit={limit}", "--resamples=0"]) == 0
    assert asked == [0, 3, 2, 0, 3]
