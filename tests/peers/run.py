"""Runs a peer's own evaluation with the bundled model, and ours beside it, and compares objects.

    python tests/peers/run.py edgesam ../EdgeSAM --dataset mini --images 3

The repository is a checkout of the peer's, laid beside this one; nothing of it is committed here.
What it needs and is not installed (EdgeSAM: kornia, mmengine, yacs, loralib, timm) goes to a folder
on PYTHONPATH. `--write` keeps the numbers of the peer, and of nobody else, as a fixture by which
tests/tasks/test_peers.py holds our side; `--json` keeps them elsewhere.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from common import Peer, case_of, compared, ours, peers

FIXTURES = Path(__file__).parents[1] / "fixtures" / "peers"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", choices=peers())
    parser.add_argument("repository", type=Path)
    parser.add_argument("--dataset", default="mini")
    parser.add_argument("--images", type=int, default=3, help="so many of the first")
    parser.add_argument("--ids", nargs="+", default=(), help="these instead")
    parser.add_argument("--detections", type=Path, help="a detector's boxes, COCO results JSON")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def main() -> None:
    given = arguments()
    peer: Peer = peers()[given.peer]
    case = case_of(given.dataset, given.images, given.ids, given.detections)
    script = importlib.import_module(peer.module)
    own = ours(case, peer)
    target = given.json.resolve() if given.json else None
    with tempfile.TemporaryDirectory() as folder:
        theirs = script.run(given.repository.resolve(), case, Path(folder), list(peer.arguments))
    for line in compared(theirs, own):
        print(line)
    content = {
        "peer": given.peer,
        "dataset": given.dataset,
        "images": list(case.ids),
        "objects": theirs,
    }
    if given.write:
        target = FIXTURES / f"{given.peer}-{given.dataset.partition(':')[0]}.json"
    if target:
        target.parent.mkdir(exist_ok=True)
        target.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
