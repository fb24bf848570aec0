"""Drive routes on a CARLA server: the driver of workers under `--backend carla`.

A worker keeps its server from route to route. When either fails or has outgrown its memory, both are replaced.
"""

from __future__ import annotations

import atexit
import dataclasses
import time
from collections.abc import Callable

from envs.carla.options import CarlaOptions
from envs.carla.session import CarlaSession
from envs.carla.world import CarlaWorld
from envs.routes import prepare_routes
from evaluation.drive import drive_world, find_route
from evaluation.tasks import RouteTask
from evaluation.worker import leave_after_route
from leaderboard_adapters.records import RouteResult
from simulator.densities import Ambient
from simulator.errors import EvaluationError, SimulatorError

DRIVER = "evaluation.carla_drive:drive_route"
PROGRESS_TICKS = 20  # ticks between two reports of progress: a CARLA server may take a second for them

_session: CarlaSession | None = None


def drive_route(task: RouteTask, on_progress: Callable[[int, float], None]) -> RouteResult:
    """As `evaluation.drive.drive_route`, on the server that the task names.

    Raises:
        SimulatorError: when the server fails; nothing is known of the agent then, and the route may be driven again.
        RouteGymError: when the route, its town or the agent cannot be made.
    """
    began = time.monotonic()
    session = _session_for(task)
    route = find_route(task)
    network = session.network(route.town, lambda: on_progress(0, 0.0))
    worlds = CarlaWorld(
        prepare_routes(network, [route]),
        session.client(),
        log=True,
        ambient=Ambient(task.pedestrians, task.parked_cars),
    )
    try:
        result = drive_world(task, worlds, on_progress, began=began, world=task.world, progress_ticks=PROGRESS_TICKS)
    except SimulatorError as error:
        at = int(worlds.worlds["tick"][0])
        raise SimulatorError(f"{error}, at tick {at}") from error
    try:
        worlds.close()
    except SimulatorError as error:  # the result is there already
        leave_after_route(f"{error}, after the route")
    if reason := session.too_big():
        leave_after_route(reason)
    return dataclasses.replace(result, notes=(*result.notes, *worlds.notes()))


def _session_for(task: RouteTask) -> CarlaSession:
    """The session of this process, made for the first route."""
    global _session
    if task.carla is None:
        raise EvaluationError(f"route {task.route_id}: its task names no CARLA server")
    options = CarlaOptions.from_document(task.carla)
    if _session is None or _session.options != options:
        if _session is not None:
            _session.close()
        _session = CarlaSession(options)
        atexit.register(_session.close)
    return _session
