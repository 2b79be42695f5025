"""What `sambench run` says beside its tables, from the first second to the next command."""

import io
import json
import sys


def test_a_run_says_what_it_does_and_where_everything_lies(runner, capsys):
    runner.run("--limit=3")
    out, err = capsys.readouterr()
    first, *_, table, images, differences = err.splitlines()
    assert first == "brightness on faulty: 3 of 12 images, on cpu"
    result = runner.file(".json")
    assert f"result       {result}" in err
    assert f"records      {result.with_suffix('.records.jsonl')}" in err
    assert f"predictions  {result.with_suffix('.predictions')}" in err
    assert table == f"table        sambench report {runner.output}"
    assert images == f"images       sambench view {result}"
    assert differences == f"differences  sambench compare {result} OTHER.json"
    assert str(result) not in out


def test_json_is_alone_on_stdout_and_predictions_are_named_if_there(runner, capsys):
    runner.run("--json", "--predictions=none")
    out, err = capsys.readouterr()
    assert json.loads(out)["images"] == 12
    assert err.startswith("brightness on faulty: 12 images, on cpu\n")
    assert "result       " in err
    assert "predictions" not in err


def test_a_terminal_is_told_what_is_loaded(runner, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    runner.run()
    first, second, *_ = sys.stderr.getvalue().splitlines()
    assert first.startswith("loading dataset ")
    assert second.startswith("loading model ")
