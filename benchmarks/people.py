"""How well people find boundaries by the measure of detectors: each against all other annotators.

python -m benchmarks.people --dataset bsds500:root=DIR        two minutes for the 200 test images

Every annotator's boundaries are scored as if a detector had drawn them, with the others of the same
image as truth; counts are pooled over annotators and images, and once more with each annotator
against one other alone.
"""

from __future__ import annotations

import argparse

import numpy as np

from sambench.interfaces import Boundaries, Dataset
from sambench.metrics.edges.boundaries import edge_counts
from sambench.registry import load


def people(dataset: Dataset, *, pairs: bool) -> tuple[float, float, float]:
    """Recall, precision and F of one annotator, by the others together or by each of them."""
    total = np.zeros(4, dtype=np.int64)
    for id in dataset.ids:
        maps = dataset.read_truth(id, Boundaries).annotators
        for place, drawn in enumerate(maps):
            others = [other for number, other in enumerate(maps) if number != place]
            for truth in [[other] for other in others] if pairs else [others]:
                total += edge_counts(drawn.astype(float), truth, thresholds=1)[0]
    recall, precision = float(total[0] / total[1]), float(total[2] / total[3])
    return recall, precision, 2 * recall * precision / (recall + precision)


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="bsds500", help="name with options")
    dataset = load("dataset", parser.parse_args().dataset)
    for words, pairs in (("all others", False), ("one other at a time", True)):
        recall, precision, f = people(dataset, pairs=pairs)
        print(f"against {words}: recall {recall:.4f}, precision {precision:.4f}, F {f:.4f}")


if __name__ == "__main__":
    main()
