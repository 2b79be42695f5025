"""One result as text for a terminal."""

import math

from sambench.metrics.statistics import Estimate
from sambench.store.result import Result


def result_table(result: Result, paper: str = "") -> str:
    """A result's metrics with their intervals, and what must be said beside them.

    Args:
        result: what to show.
        paper: the command that runs the paper's own protocol.
    """
    head = f"{result.task} on {result.dataset} with {result.model}: {result.images} images"
    width = max(len("metric"), *(len(name) for name in result.metrics))
    rows = [f"{name:<{width}}  {_numbers(value)}" for name, value in result.metrics.items()]
    lines = [head, f"{'metric':<{width}}   value   95 % interval", *rows]
    if result.failed:
        lines.append(f"INCOMPLETE: {len(result.failed)} images failed:")
        lines += [f"  {id}: {reason}" for id, reason in result.failed.items()]
    if not result.defined:
        lines.append(f"UNDEFINED: these images have nothing that {result.metric} measures.")
    if result.note:
        lines.append(result.note + (f" The paper's protocol: {paper}" if paper else ""))
    speed = result.timing.get("images_per_second")
    if speed:
        lines.append(f"{speed:.2f} images/s for the model on {_device(result)}")
    return "\n".join(lines)


def _numbers(estimate: Estimate) -> str:
    if math.isnan(estimate.value):
        return "     -"
    if math.isnan(estimate.low):
        return f"{estimate.value:6.4f}"
    return f"{estimate.value:6.4f}   {estimate.low:.4f} to {estimate.high:.4f}"


def _device(result: Result) -> str:
    environment = result.environment
    device = environment.get("device", "cpu")
    return str(environment.get("cpu") if device == "cpu" else device)
