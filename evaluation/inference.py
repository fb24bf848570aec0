"""What deciding cost a policy over a run: one object of several results, and a line for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leaderboard_adapters.records import RouteResult


def inference_summary(results: Sequence[RouteResult]) -> dict[str, Any] | None:
    """Costs of all decisions, or None where no policy drove.

    Latencies `p50` and `p95` are means over routes of the routes' own, weighted by their decisions.
    """
    costs = [result.inference for result in results if result.inference.get("decisions")]
    if not costs:
        return None
    total = sum(int(cost["decisions"]) for cost in costs)

    def mean(name: str) -> float:
        return round(sum(float(cost[name]) * int(cost["decisions"]) for cost in costs) / total, 3)

    return {
        "decisions": total,
        "latency_ms_p50": mean("latency_ms_p50"),
        "latency_ms_p95": mean("latency_ms_p95"),
        "latency_ms_max": max(float(cost["latency_ms_max"]) for cost in costs),
        "tokens_per_decision": mean("tokens_per_decision"),
        "prompt_tokens_per_decision": mean("prompt_tokens_per_decision"),
        "parameters": max(int(cost["parameters"]) for cost in costs),
        "peak_memory_mb": max(float(cost["peak_memory_mb"]) for cost in costs),
        "peak_device_memory_mb": max(float(cost.get("peak_device_memory_mb", 0.0)) for cost in costs),
        "format_failures": sum(int(cost["format_failures"]) for cost in costs),
        "late_ticks_mean": mean("late_ticks_mean"),
    }


def inference_line(costs: dict[str, Any]) -> str:
    """One line for people."""
    device = f" and {costs['peak_device_memory_mb']:.0f} MB of the GPU" if costs["peak_device_memory_mb"] else ""
    late = f", {costs['late_ticks_mean']:.1f} ticks late" if costs["late_ticks_mean"] else ""
    return (
        f"inference: {costs['decisions']} decisions, p50 {costs['latency_ms_p50']:.1f} ms, "
        f"p95 {costs['latency_ms_p95']:.1f} ms, {costs['prompt_tokens_per_decision']:.0f} tokens read and "
        f"{costs['tokens_per_decision']:.1f} said each, "
        f"{costs['parameters'] / 1e6:.2f} M parameters, {costs['peak_memory_mb']:.0f} MB{device}, "
        f"{costs['format_failures']} format failures{late}"
    )
