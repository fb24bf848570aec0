"""The shares of a run, driven by workers: started, watched, replaced, and their rollouts put in order.

What comes of it does not depend on the workers: not on how many there are, which one drives what, who is slow, and who
is lost. A share whose worker is lost is driven again from its state at the beginning of the update. The bits are those
of `rl.rollouts.Rollouts` as long as all processors are of one kind: matrix products of torch differ between kinds.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, wait
from typing import Any, Protocol

import gymnasium as gym
from stable_baselines3.common.policies import ActorCriticPolicy

from rl.config import PpoConfig, RolloutOptions, on_any_machine
from rl.rollout_workers import Order, ProcessWorker, Worker, WorkerLost
from rl.rollouts import Rollout, Rollouts, State, joined, parted, training_routes, warmed
from simulator.errors import TrainingError

_TRIES = 4  # of one share in one update
_STARTS = 4  # of workers in a row that never became ready
_NEWS_S = 60.0


class Workers(Protocol):
    """What starts workers."""

    def start(self, number: int, config: PpoConfig) -> Worker:
        """Start a worker."""

    def publish(self, weights: dict[str, Any]) -> Any:
        """What `Worker.give` takes for weights."""


class ProcessWorkers:
    """Workers that are processes of this machine."""

    def start(self, number: int, config: PpoConfig) -> ProcessWorker:
        """Start a worker."""
        return ProcessWorker(number, config)

    def publish(self, weights: dict[str, Any]) -> Any:
        """They go with every order."""
        return weights


class PooledRollouts(Rollouts):
    """All shares, driven by workers. To be closed.

    Attributes:
        workers: those that live, ready or not.
    """

    def __init__(
        self, config: PpoConfig, source: Workers, count: int, timeout: float = 0.0, say: Callable[[str], None] = print
    ) -> None:
        """
        Args:
            count: workers; more than shares are not started.
            timeout: seconds after which a worker that drives has to have answered; 0: never.
            say: told what happens to workers.
        """
        self.config = config
        self.shares = []
        self.workers: list[Worker] = []
        self._source, self._timeout, self._say = source, timeout, say
        # compiles whatever is not compiled, once, before all workers would do it at the same time
        driving = warmed(training_routes(config), config).worlds.driving
        self._spaces = (driving.observation_space, driving.action_space)
        self._states: list[State | None] = [None] * config.shares
        self._failed_starts = 0
        self._numbers = 0
        try:
            for _ in range(min(count, config.shares)):
                self._start()
        except BaseException:
            self.close()
            raise

    @property
    def spaces(self) -> tuple[gym.Space[Any], gym.Space[Any]]:
        return self._spaces

    def collect(self, policy: ActorCriticPolicy, decisions: int = 0) -> list[Rollout]:
        weights = {name: tensor.detach().cpu().numpy().copy() for name, tensor in policy.state_dict().items()}
        published = self._source.publish(weights)
        waiting = deque(range(self.config.shares))
        tries: Counter[int] = Counter()
        driven: dict[int, tuple[Rollout, State]] = {}
        news = time.monotonic() + _NEWS_S
        while len(driven) < self.config.shares:
            for worker in self.workers:
                if worker.answer is None and waiting:
                    share = waiting.popleft()
                    tries[share] += 1
                    worker.give(Order(share, self._states[share], decisions), published)
            asked = [worker.answer for worker in self.workers if worker.answer is not None]
            wait(asked, timeout=self._until_next_limit(news), return_when=FIRST_COMPLETED)
            for worker in list(self.workers):
                order = worker.order
                if worker.answer is not None and worker.answer.done():
                    lost = self._hear(worker, driven)
                elif order is not None and self._timeout and time.monotonic() > worker.since + self._timeout:
                    lost = f"it has not answered for {self._timeout:g} s"
                else:
                    continue
                if lost:
                    self._replace(worker, lost, tries)
                    if order is not None:
                        waiting.appendleft(order.share)
            if time.monotonic() > news:
                news = time.monotonic() + _NEWS_S
                if all(worker.order is None for worker in self.workers):
                    self._say("no worker is ready yet: they load, or wait for room on the cluster")
        self._states = [driven[share][1] for share in range(self.config.shares)]
        return [driven[share][0] for share in range(self.config.shares)]

    def snapshot(self) -> State:
        states = [state for state in self._states if state is not None]
        if len(states) < self.config.shares:
            raise TrainingError("nothing has been driven yet; there is no state to keep")
        return joined(states)

    def restore(self, kept: Mapping[str, Any]) -> None:
        self._states = [*parted(kept, self.config)]

    def close(self) -> None:
        """End all workers."""
        for worker in self.workers:
            worker.kill()
        self.workers = []

    def _start(self) -> None:
        self._numbers += 1
        self.workers.append(self._source.start(self._numbers, self.config))

    def _hear(self, worker: Worker, driven: dict[int, tuple[Rollout, State]]) -> str:
        """Take in an answer; how the worker was lost, if that is what it says."""
        assert worker.answer is not None
        try:
            answer = worker.answer.result()
        except WorkerLost as lost:
            return str(lost)
        if worker.order is None:
            worker.place = answer
            self._failed_starts = 0
        else:
            driven[worker.order.share] = answer
        worker.answer = worker.order = None
        return ""

    def _replace(self, worker: Worker, how: str, tries: Counter[int]) -> None:
        """Start another worker in the place of one that was lost.

        Raises:
            TrainingError: when that has happened too often.
        """
        self.workers.remove(worker)
        order = worker.order
        worker.kill()
        if order is None:
            self._failed_starts += 1
            if self._failed_starts >= _STARTS:
                raise TrainingError(f"workers cannot be started: {how}")
            self._say(f"{worker} was lost before it was ready: {how}; another one is started")
        else:
            self.lost += 1
            if tries[order.share] >= _TRIES:
                raise TrainingError(
                    f"share {order.share} of the worlds was lost with {_TRIES} workers in one update, the last time: "
                    f"{how}. The last checkpoint is whole; see to the machines and go on with --resume"
                )
            self._say(f"{worker} was lost while it drove share {order.share}: {how}; the share is driven again")
        self._start()

    def _until_next_limit(self, news: float) -> float:
        limits = [news]
        if self._timeout:
            limits += [worker.since + self._timeout for worker in self.workers if worker.order is not None]
        return max(min(limits) - time.monotonic(), 0.01)


@contextlib.contextmanager
def open_rollouts(config: PpoConfig, options: RolloutOptions, say: Callable[[str], None]) -> Iterator[Rollouts]:
    """Who drives, for as long as the context lasts.

    Raises:
        TrainingError: when there is nobody.
    """
    if not options.workers:
        yield Rollouts(training_routes(config), config)
        return
    with contextlib.ExitStack() as stack:
        source: Workers = ProcessWorkers()
        if options.ray:
            from rl.rollout_ray import ray_workers

            config, needs = on_any_machine(config)
            source = stack.enter_context(ray_workers(options.ray, needs))
        rollouts = PooledRollouts(config, source, options.workers, options.timeout, say)
        stack.callback(rollouts.close)
        yield rollouts
