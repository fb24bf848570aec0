"""What it costs to have workers drive: the same training in one process, by local processes, and on a Ray cluster.

    python benchmarks/rollouts.py [--shares 2] [--updates 5] [--json]

The cluster is two node processes of this machine with a CPU each. On a machine that has no more cores than there are
workers, or is busy with other things, the rates say nothing about scaling; what counts there is the processor time that
workers cost more than the same drives in one process, and what is sent to and fro. All rows must end in the same bits.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pickle
import platform
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from rl.config import PpoConfig
from rl.rollout_pool import PooledRollouts, ProcessWorkers
from rl.rollouts import Rollouts, training_routes
from rl.train import Training


@dataclass(frozen=True)
class Options:
    """What to measure."""

    routes: str = "minitown_validation"
    """Routes to drive."""
    shares: int = 2
    """Shares of the 64 worlds, and workers."""
    updates: int = 5
    """Updates that are measured, after one that does not count."""
    json: bool = False
    """Print one JSON object as the last line."""


def processor_seconds(pid: int) -> float:
    """Processor time of a process so far, in user and system mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def drivers(name: str, config: PpoConfig) -> Iterator[Rollouts]:
    """Who drives in a row."""
    if name == "here":
        yield Rollouts(training_routes(config), config)
        return
    with contextlib.ExitStack() as stack:
        source: Any = ProcessWorkers()
        if name == "Ray":
            from ray.cluster_utils import Cluster

            from rl.rollout_ray import ray_workers

            nodes = {"num_cpus": (config.shares + 1) // 2, "object_store_memory": 200_000_000}
            cluster = Cluster(initialize_head=True, head_node_args=nodes)
            stack.callback(cluster.shutdown)
            cluster.add_node(**nodes)
            source = stack.enter_context(ray_workers(cluster.address))
        rollouts = PooledRollouts(config, source, config.shares)
        stack.callback(rollouts.close)
        yield rollouts


def measure(name: str, config: PpoConfig, updates: int) -> dict[str, Any]:
    """One row."""
    began = time.perf_counter()
    with drivers(name, config) as rollouts, tempfile.TemporaryDirectory() as folder:
        training = Training(config, Path(folder), rollouts=rollouts)
        training.update()
        ready = time.perf_counter() - began
        workers = [worker.place.pid for worker in getattr(rollouts, "workers", []) if worker.place]
        sent = 0
        if isinstance(rollouts, PooledRollouts):
            order = pickle.dumps((rollouts._states[0], training.model.policy.state_dict()))
            sent = config.shares * len(order)
        before = [processor_seconds(pid) for pid in (os.getpid(), *workers)]
        noted = [training.update() for _ in range(updates)]
        spent = [processor_seconds(pid) - b for pid, b in zip((os.getpid(), *workers), before, strict=True)]
        digest = hashlib.sha256()
        for tensor in training.model.policy.state_dict().values():
            digest.update(tensor.numpy().tobytes())
        rates = [each["time/decisions_per_second"] for each in noted]
        million = 1e6 / (updates * config.worlds * config.rollout)
        share = rollouts.collect(training.model.policy)[0]
        return {
            "drivers": name,
            "ready_s": ready,
            "per_second": float(np.median(rates)),
            "spread": (max(rates) - min(rates)) / float(np.median(rates)),
            "learner_s_per_million": spent[0] * million,
            "workers_s_per_million": sum(spent[1:]) * million,
            "order_mb": sent / 1e6,
            "rollout_mb": config.shares * len(pickle.dumps(share)) / 1e6 if sent else 0.0,
            "bits": digest.hexdigest()[:8],
        }


def main(options: Options) -> None:
    """Measure and print."""
    config = replace(PpoConfig(), routes=options.routes, validation="", shares=options.shares)
    print(
        f"{config.worlds} worlds in {config.shares} shares, {config.rollout} decisions each between updates; "
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}"
    )
    print(
        f"{'drivers':<12}{'ready':>8}{'decisions/s':>13}{'spread':>8}{'learner':>9}{'workers':>9}{'all':>7}"
        f"{'orders':>9}{'answers':>9}  bits"
    )
    print(f"{'':<12}{'s':>8}{'wall':>13}{'':>8}{'s of processor a million':>25}{'MB an update':>18}")
    rows = []
    for name in ("here", "processes", "Ray"):
        row = measure(name, config, options.updates)
        rows.append(row)
        learner, workers = row["learner_s_per_million"], row["workers_s_per_million"]
        print(
            f"{name:<12}{row['ready_s']:>8.0f}{row['per_second']:>13.0f}{row['spread']:>8.0%}{learner:>9.0f}"
            f"{workers:>9.0f}{learner + workers:>7.0f}{row['order_mb']:>9.1f}{row['rollout_mb']:>9.1f}  {row['bits']}",
            flush=True,
        )
    if options.json:
        print(json.dumps({"machine": platform.processor() or platform.machine(), "rows": rows}))


if __name__ == "__main__":
    main(tyro.cli(Options))
