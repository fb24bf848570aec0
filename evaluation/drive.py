"""Drive one route once with one agent: the inside of an evaluation."""

from __future__ import annotations

import contextlib
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from agents.registry import make_agent
from envs.routes import load_network, prepare_routes
from envs.world import LOG_COLUMNS, EpisodeStart, WorldBatch
from evaluation.recorder import Recorder
from evaluation.tasks import RouteTask
from evaluation.witness import Witness
from leaderboard_adapters.comfort import METRIC_FILE, MetricLog, comfort, write_metric_info
from leaderboard_adapters.criteria_state import RouteEnd
from leaderboard_adapters.infractions import build_result
from leaderboard_adapters.recordings import SUFFIX, write_recording
from leaderboard_adapters.records import RouteResult
from scenarios.route import Route
from scenarios.route_file import read_routes
from simulator.densities import Ambient
from simulator.errors import RouteFileError
from simulator.state import TICK_SECONDS

PROGRESS_TICKS = 200  # ticks between two reports of progress

_files: OrderedDict[tuple[str, int], dict[str, Route]] = OrderedDict()


def drive_route(task: RouteTask, on_progress: Callable[[int, float], None]) -> RouteResult:
    """Drive one route to its end.

    Args:
        task: what to drive, with whom, from which seed.
        on_progress: called now and then with (tick, route completion in percent).

    Raises:
        RouteGymError: when the route, its town or the agent cannot be made.
    """
    began = time.monotonic()
    route = find_route(task)
    network = load_network(route, Path(task.maps) if task.maps else None, corridor=task.synthetic)
    batch = prepare_routes(network, [route])
    worlds = WorldBatch(batch, 1, log=True, ambient=Ambient(task.pedestrians, task.parked_cars))
    return drive_world(task, worlds, on_progress, began=began, world=worlds.ambient.world)


def drive_world(
    task: RouteTask,
    worlds: WorldBatch,
    on_progress: Callable[[int, float], None],
    *,
    began: float,
    world: str,
    progress_ticks: int = PROGRESS_TICKS,
) -> RouteResult:
    """Drive the one route of a batch of one, that keeps a log, to its end.

    Args:
        began: when work on the route began, monotonic seconds.
        world: name of the world in results.
        progress_ticks: ticks between two reports of progress.
    """
    batch = worlds.routes
    route = batch.routes[0].route
    agent = make_agent(task.agent)
    agent.realtime = task.realtime
    crash: tuple[str, ...] = ()
    criteria = worlds.criteria
    with contextlib.closing(agent):
        agent.bind(worlds)
        worlds.reset(0, EpisodeStart(route=0, seed=task.seed))
        witness = Witness(worlds)
        recorder = Recorder(worlds) if task.recordings else None
        agent.reset(0, task.seed)
        while criteria["finished"][0] == RouteEnd.RUNNING:
            try:
                controls = checked_controls(agent.act(), 1)
            except Exception as error:
                # the official evaluator keeps the partial score of such a route (docs/bench2drive.md 2.4)
                tick = int(worlds.worlds["tick"][0])
                crash = (f"agent crashed at tick {tick}: {type(error).__name__}: {error}",)
                worlds.finish(0, RouteEnd.AGENT_CRASHED)
                witness.look()
                break
            worlds.tick(controls)
            news = witness.look()
            if recorder is not None:
                recorder.note(new=news)
            tick = int(worlds.worlds["tick"][0])
            if tick % progress_ticks == 0:
                on_progress(tick, float(criteria["route_percent"][0]))
    ride = ride_log(worlds.log[0, : int(worlds.worlds["tick"][0])])
    if task.metric_info:
        write_metric_info(Path(task.metric_info) / task.save_name / METRIC_FILE, ride)
    smooth = comfort(ride)
    result = build_result(
        criteria[0],
        route,
        save_name=task.save_name,
        repetition=task.repetition,
        network=batch.network,
        witnessed=witness.circumstances,
        duration_system=time.monotonic() - began,
        notes=batch.routes[0].drive_notes(worlds.directors[0]) + crash,
        index=task.index,
        seed=task.seed,
        agent=task.agent,
        suite=task.suite,
        inference=agent.inference_costs(),
        comfort=smooth.official,
        comfort_corrected=smooth.corrected,
        **batch.routes[0].result_fields(worlds.directors[0], world),
    )
    result = replace(result, timeline=witness.timeline(result.infractions, result.status))
    if recorder is None:
        return result
    return replace(result, notes=(*result.notes, *_keep_recording(Path(task.recordings), result, recorder, witness)))


def recording_header(result: RouteResult) -> dict[str, Any]:
    """What a recording tells of its drive: all but timings, so that the same drive gives the same file."""
    names = (
        *("route_id", "scenario_name", "scenario_type", "town", "weather_id", "status", "score_route", "score_penalty"),
        *("score_composed", "route_length", "num_ticks", "seed", "agent", "suite", "world", "scorer", "synthetic"),
    )
    header = {name: getattr(result, name) for name in names}
    header["tick_seconds"] = TICK_SECONDS
    header["infractions"] = [
        {"name": infraction.name, "message": infraction.message, "tick": infraction.tick}
        for infraction in result.infractions
    ]
    header["notes"] = list(result.notes)
    return header


def _keep_recording(folder: Path, result: RouteResult, recorder: Recorder, witness: Witness) -> tuple[str, ...]:
    """Write the recording; a failure costs the recording and is a note, the result stays."""
    try:
        recording = recorder.recording(recording_header(result), witness, result.timeline)
        write_recording(folder / f"{result.route_id}{SUFFIX}", recording)
    except OSError as error:
        return (f"no recording: {folder} cannot be written: {error.strerror or error}",)
    except Exception as error:
        traceback.print_exc()
        return (f"no recording: {type(error).__name__}: {error}",)
    return ()


def checked_controls(controls: np.ndarray, count: int) -> np.ndarray:
    """An agent's answer as float64[count, 3].

    Raises:
        ValueError: for a wrong shape or values that are not finite.
    """
    array = np.asarray(controls, dtype=np.float64)
    if array.shape != (count, 3):
        raise ValueError(f"controls must have shape ({count}, 3): throttle, brake, steer; got {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"controls must be finite, got {array.tolist()}")
    return array


def ride_log(log: np.ndarray) -> MetricLog:
    """What comfort is measured on, and metric_info.json holds, from a ride's log, float64[T, 12] (`LOG_COLUMNS`)."""
    column = {name: log[:, k] for k, name in enumerate(LOG_COLUMNS)}
    zero = np.zeros(len(log))
    c, s = np.cos(column["yaw"]), np.sin(column["yaw"])
    slope = np.cos(column["pitch"])
    return MetricLog.from_arrays(
        acceleration=np.stack([column["ax"], column["ay"], zero], axis=1),
        angular_velocity=np.stack([zero, zero, np.degrees(column["yaw_rate"])], axis=1),
        forward_vector=np.stack([c * slope, s * slope, np.sin(column["pitch"])], axis=1),
        right_vector=np.stack([-s, c, zero], axis=1),
        location=np.stack([column[axis] for axis in "xyz"], axis=1),
        rotation=np.stack([zero, np.degrees(column["pitch"]), np.degrees(column["yaw"])], axis=1),
    )


def find_route(task: RouteTask) -> Route:
    """The route of a task, from its file.

    Raises:
        RouteFileError: when the file lacks it.
    """
    key = (task.route_file, Path(task.route_file).stat().st_mtime_ns)
    if key not in _files:
        _files[key] = {route.id: route for route in read_routes(task.route_file)}
        while len(_files) > 4:
            _files.popitem(last=False)
    route = _files[key].get(task.route_id)
    if route is None:
        raise RouteFileError(
            f"{task.route_file}: there is no route {task.route_id}; the file has changed since the run began"
        )
    return route
