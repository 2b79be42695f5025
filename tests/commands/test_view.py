"""`sambench view`: from a run to the address of its site."""

from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest

from sambench.cli import main
from sambench.commands.view import folder_for
from sambench.errors import UserError
from sambench.store.run import find_runs
from tests.runs import PARTS

OWN = f"--task={PARTS / 'brightness.py'}"


def shown(capsys, *words):
    """The folder of the site whose address is printed, and what was said beside it."""
    capsys.readouterr()
    assert main(["view", *map(str, words), OWN]) == 0
    out, err = capsys.readouterr()
    address = urlparse(out.strip())
    assert address.scheme == "file"
    page = Path(unquote(address.path))
    assert page.name == "index.html"
    assert "<html" in page.read_text()
    return page.parent, err


def test_the_site_of_a_run_lies_beside_it_and_its_address_is_printed(runner, capsys):
    runner.run()
    result = runner.file(".json")
    assert f"images       sambench view {result}\n" in capsys.readouterr().err
    folder, said = shown(capsys, result)
    assert folder == result.with_suffix(".site")
    assert "images of brightness on faulty" in said
    assert [*folder.glob("images-*.html")]
    again, _ = shown(capsys, result.with_suffix(".records.jsonl"))  # its records may be named
    assert again == folder


def test_the_truth_and_the_prediction_are_drawn_without_any_flag(runner, capsys):
    runner.run()
    dataset = f"--dataset={PARTS / 'faulty.py'}"
    folder, _ = shown(capsys, runner.file(".json"), dataset)
    pictures = [path.name for path in folder.glob("images/*/*")]
    assert "000000.jpg" in pictures


def test_several_runs_share_a_site(runner, capsys):
    for blind in ("0.0", "0.5"):
        runner.model = {"blind": blind}
        runner.run()
    results = [run.path for run in find_runs([runner.output])]
    assert len(results) == 2
    folder, _ = shown(capsys, *results)
    assert folder == results[0].parent / "site"
    of_all, _ = shown(capsys, runner.output)
    assert of_all == runner.output / "site"


def test_another_folder_can_be_given(runner, capsys, tmp_path):
    runner.run()
    folder, _ = shown(capsys, runner.file(".json"), "-o", tmp_path / "a b")
    assert folder == tmp_path / "a b"


def test_what_holds_no_result_is_refused(tmp_path, capsys):
    assert main(["view", str(tmp_path)]) == 2
    assert "no result in" in capsys.readouterr().err


def test_runs_without_a_common_folder_need_one():
    with pytest.raises(UserError, match="give --output"):
        folder_for([Path("/a/b.json"), Path("/c/d.json")])
