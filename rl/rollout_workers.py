"""Workers that drive shares for the learner, and the worker that is a process of this machine.

A worker keeps nothing that counts: an order brings the weights and the state of a share, the answer brings the rollout
and the state after it. So a worker that is lost costs the time that it was at work, and nothing else.
"""

from __future__ import annotations

import contextlib
import errno
import faulthandler
import os
import signal
import sys
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import numpy as np
import torch

from rl.config import PpoConfig
from rl.rollouts import Rollout, Share, State, make_policy, training_routes, warmed
from rl.route_worlds import RouteWorlds
from simulator.errors import RouteGymError, TrainingError
from simulator.ray_cluster import check_sight

_GRACE_S = 5.0


class Order(NamedTuple):
    """What a worker is to drive."""

    share: int
    """Its number"""
    state: State | None
    """Its state at the beginning of the update; None: it has none yet"""
    decisions: int
    """Of the whole run before this rollout, for messages"""


class Place(NamedTuple):
    """Where a worker is."""

    machine: str
    pid: int
    node: str
    """Id of the node on a Ray cluster"""


class RolloutDriver:
    """What runs in a worker."""

    def begin(self, config: str, needs: Sequence[str]) -> Place:
        """Make ready: load the routes, compile what is not compiled.

        Args:
            config: a `PpoConfig` as JSON.
            needs: files and folders that this machine must see.

        Raises:
            TrainingError: when it does not see one of them.
        """
        check_sight(needs, TrainingError)
        self._config = PpoConfig.from_json(config)
        self._routes = training_routes(self._config)
        driving = warmed(self._routes, self._config).worlds.driving
        self._policy = make_policy(self._config, driving.observation_space, driving.action_space)
        self._share: Share | None = None
        ray = sys.modules.get("ray")
        node = ray.get_runtime_context().get_node_id() if ray is not None and ray.is_initialized() else ""
        return Place(os.uname().nodename, os.getpid(), node)

    def drive(self, order: Order, weights: Mapping[str, np.ndarray]) -> tuple[Rollout, State]:
        """Drive a share; returns its rollout, and its state thereafter.

        Raises:
            TrainingError: when the policy gives numbers that are not finite.
        """
        self._policy.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in weights.items()})
        if self._share is None or order.state is None:
            self._share = Share(RouteWorlds(self._routes, self._config))
        if order.state is None:
            self._share.begin(order.share)
        else:
            self._share.restore(order.state)
        return self._share.drive(self._policy, order.decisions), self._share.snapshot()


class WorkerLost(Exception):
    """Raised when a worker died before it answered; the text says how."""


class Worker(ABC):
    """One worker and what it is at.

    Attributes:
        number: for messages; place: where it is, None before it is ready.
        answer: of what it was asked last: its place, then rollouts; None: it is idle.
        order: what it drives; since: when it was asked, monotonic seconds.
    """

    def __init__(self, number: int, config: PpoConfig, needs: Sequence[str]) -> None:
        self.number = number
        self.place: Place | None = None
        self.order: Order | None = None
        self.since = time.monotonic()
        self._line = ThreadPoolExecutor(1, f"rollout-worker-{number}")
        self.answer: Future[Any] | None = self._line.submit(self._ask, "begin", config.to_json(), list(needs))

    def give(self, order: Order, weights: Any) -> None:
        """Have an idle worker drive."""
        self.order, self.since = order, time.monotonic()
        self.answer = self._line.submit(self._ask, "drive", order, weights)

    def __str__(self) -> str:
        return f"worker {self.number}" + (f" on {self.place.machine}" if self.place else "")

    def kill(self) -> None:
        """End it, whatever it does."""
        self._end()
        self._line.shutdown(wait=True)

    @abstractmethod
    def _ask(self, method: str, *arguments: Any) -> Any:
        """What a method of its `RolloutDriver` returns.

        Raises:
            WorkerLost: when it died.
            RouteGymError: what the method raised.
        """

    @abstractmethod
    def _end(self) -> None:
        """End it; `_ask` then comes back."""


class ProcessWorker(Worker):
    """A process of this machine."""

    def __init__(self, number: int, config: PpoConfig, needs: Sequence[str] = ()) -> None:
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs,), name=f"rollout-worker-{number}")
        self.process.start()
        theirs.close()
        super().__init__(number, config, needs)

    def _ask(self, method: str, *arguments: Any) -> Any:
        try:
            self._pipe.send((method, arguments))
            done, answer = self._pipe.recv()
        except (EOFError, OSError):
            raise WorkerLost(self._how_it_died()) from None
        if not done:
            raise answer
        return answer

    def _how_it_died(self) -> str:
        self.process.join(_GRACE_S)
        code = self.process.exitcode
        if code is None:
            return "it no longer answers"
        if code >= 0:
            return "it ran out of memory" if code == errno.ENOMEM else f"it exited with code {code}"
        cause = {signal.SIGKILL: " (out of memory, or killed from outside)", signal.SIGSEGV: " (segmentation fault)"}
        return f"it was killed by {signal.Signals(-code).name}{cause.get(signal.Signals(-code), '')}"

    def _end(self) -> None:
        self.process.kill()
        self.process.join()
        self._pipe.close()


def _serve(pipe: Connection) -> None:
    """The main loop of a worker process. It ends with the learner, which alone hears signals."""
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)
    faulthandler.enable()
    driver = RolloutDriver()
    with contextlib.suppress(BrokenPipeError):
        while True:
            answer: tuple[bool, Any]
            try:
                method, arguments = pipe.recv()
                answer = (True, getattr(driver, method)(*arguments))
            except RouteGymError as error:
                answer = (False, error)
            except MemoryError:
                os._exit(errno.ENOMEM)  # as good as killed: another one may have room
            except EOFError:
                return
            except Exception as error:
                traceback.print_exc()
                answer = (False, TrainingError(f"a worker failed: {type(error).__name__}: {error}"))
            pipe.send(answer)
