"""What deciding costs: latency, tokens, parameters, memory. Collected by whoever drives with a policy."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Costs:
    """Costs of the decisions of one policy.

    Attributes:
        seconds: of each call, waiting included.
        decisions: made in each call.
        tokens, prompt_tokens: said and read, in all.
        failures: decisions that could not be driven, by reason.
        late_ticks: how late each decision came in real time, failures included.
    """

    parameters: int = 0
    trainable: int = 0
    seconds: list[float] = field(default_factory=list)
    decisions: list[int] = field(default_factory=list)
    tokens: int = 0
    prompt_tokens: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    late_ticks: list[int] = field(default_factory=list)

    def failed(self, reason: str) -> None:
        """Count one format failure."""
        self.failures[reason] = self.failures.get(reason, 0) + 1

    def document(self) -> dict[str, Any]:
        """As JSON: milliseconds a call, means a decision, megabytes of this process and its GPU at the peak."""
        total = sum(self.decisions)
        seconds = np.array(self.seconds) if self.seconds else np.zeros(1)
        return {
            "decisions": total,
            "latency_ms_p50": round(float(np.percentile(seconds, 50)) * 1e3, 3),
            "latency_ms_p95": round(float(np.percentile(seconds, 95)) * 1e3, 3),
            "latency_ms_max": round(float(seconds.max()) * 1e3, 3),
            "decisions_per_second": round(total / max(float(seconds.sum()), 1e-9), 2),
            "tokens_per_decision": round(self.tokens / max(total, 1), 2),
            "prompt_tokens_per_decision": round(self.prompt_tokens / max(total, 1), 2),
            "parameters": self.parameters,
            "trainable_parameters": self.trainable,
            "peak_memory_mb": round(peak_memory_mb(), 1),
            "peak_device_memory_mb": round(peak_device_memory_mb(), 1),
            "format_failures": sum(self.failures.values()),
            "format_failures_by_reason": dict(sorted(self.failures.items())),
            "late_ticks_mean": round(float(np.mean(self.late_ticks)), 3) if self.late_ticks else 0.0,
        }


def peak_memory_mb() -> float:
    """Peak resident memory of this process, megabytes."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def peak_device_memory_mb() -> float:
    """Peak memory that this process has held on its GPU, megabytes; 0 without one."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return 0.0
    return float(torch.cuda.max_memory_allocated()) / 2**20
