"""The worker: takes tasks as JSON messages, drives them one at a time, answers with progress and results.

Messages to the worker:   {"task": {...}}
Messages from the worker: {"ready": true}, {"progress": [tick, completion]}, {"result": "..."},
                          {"error": "...", "status": "..."}, with "again": true where the route may be driven once more

A result or error with "leaving" and a reason is the worker's last message: it ends, and wants to be replaced.
"""

from __future__ import annotations

import ctypes
import faulthandler
import importlib
import json
import os
import queue
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from evaluation.ledger import encode_result
from evaluation.tasks import CRASHED, NOT_SET_UP, RouteTask
from leaderboard_adapters.records import RouteResult
from simulator.errors import AgentError, RouteGymError, SimulatorError, SimulatorStartError

#: Drives one route: (task, on_progress(tick, completion in percent)) -> result.
Driver = Callable[[RouteTask, Callable[[int, float], None]], RouteResult]

_PROGRESS_PERIOD_S = 0.1
_PR_SET_PDEATHSIG = 1  # of prctl


_reasons_to_leave: list[str] = []


def leave_after_route(reason: str) -> None:
    """For drivers: have this process replaced by a fresh one when the result of the present route has been sent."""
    _reasons_to_leave.append(reason)


def load_driver(name: str) -> Driver:
    """Import a driver named as `module:function`."""
    module, _, function = name.partition(":")
    driver: Driver = getattr(importlib.import_module(module), function)
    return driver


def serve(connection: Connection, driver: Driver, memory_gb: float = 0.0) -> None:
    """Drive what comes over `connection` until the other side closes it.

    `memory_gb`: resident memory from which the worker leaves after a route; 0: never.
    """
    tasks: queue.SimpleQueue[RouteTask | None] = queue.SimpleQueue()
    busy = threading.Event()
    threading.Thread(target=_listen, args=(connection, tasks, busy), daemon=True).start()
    _send(connection, {"ready": True})
    while (task := tasks.get()) is not None:
        answer = answer_task(driver, task, lambda message: _send(connection, message), memory_gb)
        busy.clear()  # before the answer, since the next task may follow at once
        _send(connection, answer)
        if "leaving" in answer:
            os._exit(0)  # at once: a client library whose server is gone may wait or crash at its end


def _listen(connection: Connection, tasks: queue.SimpleQueue[RouteTask | None], busy: threading.Event) -> None:
    """Queue incoming tasks. When the parent is gone, end: at once in mid-route, in good order between routes."""
    while True:
        try:
            message = json.loads(connection.recv_bytes())
        except (EOFError, OSError):
            if busy.is_set():
                os._exit(1)
            tasks.put(None)
            return
        busy.set()
        tasks.put(RouteTask(**message["task"]))


def answer_task(
    driver: Driver, task: RouteTask, send: Callable[[dict[str, Any]], None], memory_gb: float = 0.0
) -> dict[str, Any]:
    """Drive one task; `send` is called with its progress, what is returned is its last message."""
    answer = _drive(driver, task, send)
    if memory_gb and (size := _resident_gb()) > memory_gb:
        answer.setdefault("leaving", f"the worker had grown to {size:.2f} GB, the limit is {memory_gb:g} GB")
    if _reasons_to_leave:
        answer.setdefault("leaving", _reasons_to_leave[0])
    return answer


def _drive(driver: Driver, task: RouteTask, send: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    last_sent = -_PROGRESS_PERIOD_S

    def on_progress(tick: int, completion: float) -> None:
        nonlocal last_sent
        now = time.monotonic()
        if now - last_sent >= _PROGRESS_PERIOD_S:
            last_sent = now
            send({"progress": [int(tick), float(completion)]})

    try:
        result = driver(task, on_progress)
        if result.route_id != task.record_id:
            raise RouteGymError(f"the driver returned {result.route_id} for {task.record_id}")
        return {"result": encode_result(result)}
    except SimulatorStartError as error:
        return {"error": str(error), "status": CRASHED, "again": True}
    except SimulatorError as error:
        # What a client library does after its server is gone is better not waited for: a fresh process goes on.
        return {"error": str(error), "status": CRASHED, "again": True, "leaving": "its simulator failed"}
    except AgentError as error:
        return {"error": str(error), "status": NOT_SET_UP}
    except RouteGymError as error:
        return {"error": str(error), "status": CRASHED}
    except Exception as error:
        traceback.print_exc()
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{os.path.basename(where.filename)}:{where.lineno}"
        return {"error": f"{type(error).__name__}: {error} ({place})", "status": CRASHED}


def _send(connection: Connection, message: dict[str, Any]) -> None:
    connection.send_bytes(json.dumps(message).encode())


def _resident_gb() -> float:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e9


def _die_with(parent: int) -> None:
    """Have this process killed when its parent is, even while it is stopped or deep in a library."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)  # too late


def main(driver_name: str, descriptor: int, parent: int, memory_gb: float = 0.0) -> None:
    """Entry point of the process.

    Args:
        driver_name: `module:function`.
        descriptor: the inherited end of the pipe.
        parent: process that started this one.
        memory_gb: as in `serve`.
    """
    _die_with(parent)
    os.set_inheritable(descriptor, False)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.enable()  # a crash, or the SIGABRT of the hang watchdog, leaves a stack in the log
    connection = Connection(descriptor)
    try:
        driver = load_driver(driver_name)
    except Exception as error:
        traceback.print_exc()
        sys.exit(f"cannot load {driver_name}: {error}")
    serve(connection, driver, memory_gb)
