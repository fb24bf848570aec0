"""Rollout workers on a Ray cluster: one actor each, anywhere on it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from rl.config import PpoConfig
from rl.rollout_workers import RolloutDriver, Worker, WorkerLost
from simulator.errors import RouteGymError, TrainingError
from simulator.ray_cluster import how_it_died, joined_cluster


class RayWorker(Worker):
    """An actor. Until the cluster has room for it, it is not ready."""

    def __init__(self, number: int, config: PpoConfig, needs: Sequence[str], ray: Any, actor: Any) -> None:
        """
        Args:
            ray: the module; actor: handle of a `RolloutDriver`.
        """
        self._ray, self._actor = ray, actor
        super().__init__(number, config, needs)

    def _ask(self, method: str, *arguments: Any) -> Any:
        try:
            return self._ray.get(getattr(self._actor, method).remote(*arguments))
        except self._ray.exceptions.RayError as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, RouteGymError):
                raise cause from None
            if cause is not None and not isinstance(cause, MemoryError):
                raise TrainingError(f"a worker failed: {how_it_died(error)}") from error
            raise WorkerLost(how_it_died(error)) from None

    def _end(self) -> None:
        self._ray.kill(self._actor)


class RayWorkers:
    """Starts workers on a cluster, and hands all of them the same weights."""

    def __init__(self, ray: Any, needs: Sequence[str]) -> None:
        self._ray, self._needs = ray, needs
        self._remote = ray.remote(num_cpus=1, max_restarts=0)(RolloutDriver)

    def start(self, number: int, config: PpoConfig) -> RayWorker:
        """Start a worker; Ray finds it a place."""
        return RayWorker(number, config, self._needs, self._ray, self._remote.remote())

    def publish(self, weights: dict[str, Any]) -> Any:
        """Put weights where every machine fetches them once."""
        return self._ray.put(weights)


@contextlib.contextmanager
def ray_workers(address: str, needs: Sequence[str] = ()) -> Iterator[RayWorkers]:
    """Join a cluster for as long as the context lasts (`simulator.ray_cluster.joined_cluster`).

    Args:
        needs: files and folders that every machine must see.

    Raises:
        TrainingError: when it cannot be joined.
    """
    with joined_cluster(address, error=TrainingError) as ray:
        yield RayWorkers(ray, needs)
