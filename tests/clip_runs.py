"""Runs over the drawn clips, and what they leave: records, numbers and files."""

import json

from sambench.cli import main
from tests.runs import PARTS

CLIPS = str(PARTS / "clips.py")
KEPT = "id", "image", "stamp", "record", "prediction"
"""What of a record is not measured."""


def words(folder, *more, model="still"):
    given = ["--task=video_object", f"--model={model}", f"--dataset={CLIPS}", f"--output={folder}"]
    return ["run", *given, "--resamples=0", "--predictions=all", "--device=cpu", *more]


def run(folder, *more, model="still"):
    return main(words(folder, *more, model=model))


def record_files(folder):
    return [*folder.rglob("*.records.jsonl")]


def bytes_of(folder):
    """Records without what is measured, and every file of the predictions."""
    [path] = record_files(folder)
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    records = {line["id"]: {k: line[k] for k in KEPT} for line in lines if "record" in line}
    names = {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*.png"))
    }
    return json.dumps(records, sort_keys=True), names


def numbers_of(folder):
    """The bytes of the result, but for when and where it was made."""
    [path] = [p.with_name(p.name.removesuffix(".records.jsonl") + ".json")
              for p in record_files(folder)]  # fmt: skip
    result = json.loads(path.read_text(encoding="utf-8"))
    for measured in ("timing", "environment"):
        del result[measured]
    return json.dumps(result)
