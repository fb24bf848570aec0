"""Workers of the pool on a Ray cluster: one actor each, anywhere on it, that runs the worker's function.

The pool speaks with an actor as with a process, in the messages of `evaluation.worker` over a pipe; here a thread
carries them to and fro. When a node or an actor dies, the pipe closes, and the pool does what it always does with a
worker that died: it records the attempt, has another worker started (Ray finds it a place) and drives the route again.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

from evaluation.tasks import RouteTask
from evaluation.worker import answer_task, load_driver
from evaluation.worker_process import PoolWorker, Setting, log_file
from simulator.errors import EvaluationError
from simulator.ray_cluster import check_sight, how_it_died, joined_cluster

_GRACE_S = 2.0
_WATCH = "watch"  # concurrency group, for what must be done while a route is being driven


class RouteActor:
    """A worker in an actor's process."""

    def begin(self, driver: str, memory_gb: float, log: str, needs: Sequence[str]) -> str:
        """Make ready; returns the id of the node.

        Args:
            driver, memory_gb: as in `Setting`.
            log: file to append all output to; empty: that of Ray.
            needs: files and folders that this machine must see.

        Raises:
            EvaluationError: when it does not see one of them.
        """
        check_sight(needs, EvaluationError)
        if log:
            descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
            os.close(descriptor)
        faulthandler.enable(file=2)
        self._driver = load_driver(driver)
        self._memory_gb = memory_gb
        import ray

        return str(ray.get_runtime_context().get_node_id())

    def drive(self, message: bytes) -> Iterator[bytes]:
        """Drive the task in a message to the worker; yields the messages from it."""
        said: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()

        def work() -> None:
            try:
                task = RouteTask(**json.loads(message)["task"])
                said.put(answer_task(self._driver, task, said.put, self._memory_gb))
            finally:
                said.put(None)

        threading.Thread(target=work, daemon=True).start()
        while (each := said.get()) is not None:
            yield json.dumps(each).encode()

    def write_stack(self) -> None:
        """Write the stacks of all threads to the log."""
        faulthandler.dump_traceback(file=2, all_threads=True)


class RayWorker(PoolWorker):
    """An actor.

    Attributes:
        node: id of the node where it is, empty before it is ready.
    """

    waits_for_place = True

    def __init__(self, number: int, actor: Any, begin: tuple[Any, ...]) -> None:
        """
        Args:
            number: of the worker.
            actor: handle of a `RouteActor`.
            begin: arguments of its `begin`.
        """
        ours, self._theirs = Pipe()
        super().__init__(number, ours)
        self.node = ""
        self._actor = actor
        self._over = threading.Event()
        self._how = "the worker ended"
        self._thread = threading.Thread(target=self._carry, args=(begin, self._theirs), daemon=True)
        self._thread.start()

    def _carry(self, begin: tuple[Any, ...], pipe: Connection) -> None:
        """Carry messages between the pool and the actor until one of them is gone."""
        import ray

        try:
            self.node = ray.get(self._actor.begin.remote(*begin))
            pipe.send_bytes(b'{"ready": true}')
            while True:
                message = pipe.recv_bytes()
                for reference in self._actor.drive.options(num_returns="streaming").remote(message):
                    pipe.send_bytes(ray.get(reference))
        except ray.exceptions.RayError as error:
            self._how = how_it_died(error)
        except (EOFError, OSError):
            pass  # the pool has closed its end
        finally:
            self._over.set()
            pipe.close()

    def gone(self) -> bool:
        return self._over.is_set()

    def end(self) -> str:
        self._thread.join(_GRACE_S)
        self.kill()
        return self._how

    def abort(self) -> None:
        import ray

        with contextlib.suppress(ray.exceptions.RayError):
            ray.get(self._actor.write_stack.options(concurrency_group=_WATCH).remote(), timeout=_GRACE_S)
        self.kill()

    def kill(self) -> None:
        import ray

        ray.kill(self._actor)
        self.connection.close()

    def dismiss(self) -> None:
        self.kill()
        self._thread.join(_GRACE_S)


@contextlib.contextmanager
def ray_cluster(
    address: str, *, gpus: float = 0.0, needs: Sequence[Path] = ()
) -> Iterator[Callable[[int, Setting], RayWorker]]:
    """Join a Ray cluster for as long as the context lasts; gives what starts a worker there (`evaluation.pool.Start`).

    Args:
        address: `HOST:PORT` of its head, or `auto`: the cluster that RAY_ADDRESS names, that of this machine, or a new
            one of this machine alone.
        gpus: that each worker claims, beside one CPU.
        needs: files and folders that every machine must see.

    Raises:
        EvaluationError: when Ray is not installed, or there is no such cluster, or it has nothing to run workers on.
    """
    with joined_cluster(address, gpus=gpus, error=EvaluationError) as ray:
        remote = ray.remote(num_cpus=1, num_gpus=gpus, max_restarts=0, concurrency_groups={_WATCH: 1})(RouteActor)

        def start(number: int, setting: Setting) -> RayWorker:
            log = str(log_file(setting, number).resolve()) if setting.log_folder else ""
            begin = (setting.driver, setting.memory_gb, log, [str(path) for path in needs])
            return RayWorker(number, remote.remote(), begin)

        yield start
