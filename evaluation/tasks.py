"""What a run will drive: one task an attempt, plain data that travels to a worker as JSON."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scenarios.route import Route
from scenarios.route_file import read_routes
from scenarios.route_subset import select_routes
from scenarios.suites import find_suite
from scenarios.weather import weather_id
from simulator import WORLD
from simulator.densities import Ambient
from simulator.errors import EvaluationError, MissingMapError, ScenarioError
from simulator.roads.towns import find_town

#: Statuses of routes that were never driven to an end. `--resume` drives them again; every other status is final.
CRASHED = "Failed - Simulation crashed"
NOT_SET_UP = "Failed - Agent couldn't be set up"
NEVER_DRIVEN = (CRASHED, NOT_SET_UP)


@dataclass(frozen=True)
class RouteTask:
    """What a worker needs to drive one route once.

    `town`, `scenario_name`, `scenario_type` and `weather_id` repeat what the route file says, so that a route whose
    worker died can be recorded without reading the file again.
    """

    route_file: str  # absolute path
    route_id: str  # `id` of the `<route>` element
    repetition: int  # 0, 1, ...
    index: int  # position in the results, file order, repetitions of a route side by side
    agent: str  # NAME[:ARG]
    seed: int  # seed of this attempt: the run's seed + repetition
    maps: str | None  # folder with .xodr files, absolute path
    missing_maps: str  # "error", "skip" or "corridor"
    suite: str  # name of a built-in suite, or the stem of the route file
    town: str = ""
    scenario_name: str = ""
    scenario_type: str = ""
    weather_id: str | None = None
    synthetic: bool = False  # the town is missing and the route is driven on a corridor rebuilt from itself
    world: str = WORLD  # the world to drive in
    realtime: bool = False  # decisions of a policy come into effect as late as they took to make
    pedestrians: float = 0.0  # density of ambient pedestrians
    parked_cars: float = 0.0  # share of the parking places that are taken
    metric_info: str = ""  # folder for metric_info.json files, absolute path; none are written without it
    recordings: str = ""  # folder for recordings, absolute path; none are written without it
    carla: Mapping[str, Any] | None = None  # the CARLA server to drive on: `envs.carla.options.CarlaOptions` as a dict

    @property
    def save_name(self) -> str:
        """Official name of the attempt's log folder, without the time stamp at its end: results are reproducible."""
        return f"{self.record_id}_{self.town}_{self.scenario_name or 'none'}_{self.weather_id}"

    @property
    def record_id(self) -> str:
        """Id of the result record, as the official evaluator writes it."""
        return f"RouteScenario_{self.route_id}_rep{self.repetition}"


@dataclass(frozen=True)
class SkippedRoute:
    """A route that is left out because its town has no map (`--missing-maps skip`)."""

    route_id: str
    town: str


@dataclass(frozen=True)
class RunPlan:
    """Everything that a run will drive, known before the first route starts."""

    suite: str
    route_file: Path  # absolute
    route_file_digest: str  # SHA-256 of the file
    suite_routes: int  # routes of the file, chosen or not
    towns: dict[str, str | None]  # SHA-256 of each town's map, None where it is missing
    tasks: tuple[RouteTask, ...]
    skipped: tuple[SkippedRoute, ...]

    @property
    def route_ids(self) -> tuple[str, ...]:
        """Routes to be driven, in file order, each once."""
        return tuple(dict.fromkeys(task.route_id for task in self.tasks))

    def in_world(self, world: str) -> RunPlan:
        """The same plan, to be driven in another world."""
        return dataclasses.replace(self, tasks=tuple(dataclasses.replace(task, world=world) for task in self.tasks))

    def without_towns(self, towns: Sequence[str]) -> RunPlan:
        """The same plan without the routes on some towns."""
        skipped = [SkippedRoute(t.route_id, t.town) for t in self.tasks if t.town in towns and not t.repetition]
        kept = [task for task in self.tasks if task.town not in towns]
        tasks = tuple(dataclasses.replace(task, index=index) for index, task in enumerate(kept))
        return dataclasses.replace(self, tasks=tasks, skipped=(*self.skipped, *skipped))


def plan_run(
    routes: str,
    *,
    agent: str,
    seed: int,
    repetitions: int = 1,
    route_ids: str = "",
    maps: Path | None = None,
    missing_maps: str = "error",
    pedestrians: float = 0.0,
    parked_cars: float = 0.0,
    maps_elsewhere: bool = False,
) -> RunPlan:
    """Read the route file, choose its routes, find their towns and lay out the tasks; arguments as in `RunOptions`.

    `maps_elsewhere`: the simulator has its own maps, so that none has to be there.

    Raises:
        RouteFileError: when the file or suite is not there, is malformed, or lacks a chosen route.
        ScenarioError: when a chosen route has a scenario of a type that nobody knows.
        MissingMapError: when towns have no map and `missing_maps` is "error".
        EvaluationError: when a count or density makes no sense, there is no maps folder, or nothing is left to drive.
    """
    if repetitions < 1:
        raise EvaluationError(f"--repetitions {repetitions}: must be at least 1")
    if seed < 0:
        raise EvaluationError(f"--seed {seed}: must not be negative")
    try:
        world = Ambient(pedestrians, parked_cars).world
    except ValueError as error:
        raise EvaluationError(f"--pedestrians, --parked-cars: {error}") from None
    if maps is not None and not maps.is_dir():
        raise EvaluationError(f"--maps {maps}: no such folder; name one that holds <town>.xodr files")
    route_file = find_suite(routes).resolve()
    routes_of_file = read_routes(route_file)
    chosen = select_routes(routes_of_file, route_ids)
    _check_scenario_types(chosen)
    paths = {town: find_town(town, maps) for town in sorted({route.town for route in chosen})}
    gaps = [] if maps_elsewhere else [town for town, path in paths.items() if path is None]
    missing = {town: [route.id for route in chosen if route.town == town] for town in gaps}
    if missing and missing_maps == "error":
        raise MissingMapError(_missing_towns(missing, maps))
    skipped = [route for route in chosen if route.town in missing] if missing_maps == "skip" else []
    driven = [route for route in chosen if route not in skipped]
    if not driven:
        raise EvaluationError(
            f"nothing to drive: no maps of the towns {', '.join(missing)}; give their folder with --maps, or drive the "
            "routes on rebuilt corridors with --missing-maps corridor"
        )
    tasks = [
        RouteTask(
            route_file=str(route_file),
            route_id=route.id,
            repetition=repetition,
            index=0,
            agent=agent,
            seed=seed + repetition,
            maps=None if maps is None else str(maps.resolve()),
            missing_maps=missing_maps,
            suite=route_file.stem,
            town=route.town,
            scenario_name=route.scenarios[0].name if route.scenarios else "",
            scenario_type=route.scenario_type,
            weather_id=weather_id(route),
            synthetic=route.town in missing,
            world=world,
            pedestrians=pedestrians,
            parked_cars=parked_cars,
        )
        for route in driven
        for repetition in range(repetitions)
    ]
    return RunPlan(
        suite=route_file.stem,
        route_file=route_file,
        route_file_digest=_digest(route_file),
        suite_routes=len(routes_of_file),
        towns={town: None if path is None else _digest(path) for town, path in paths.items()},
        tasks=tuple(dataclasses.replace(task, index=index) for index, task in enumerate(tasks)),
        skipped=tuple(SkippedRoute(route.id, route.town) for route in skipped),
    )


def _check_scenario_types(routes: list[Route]) -> None:
    from scenarios.registry import find_type, is_official, nearest_types  # brings Numba, which `list` does without

    for route in routes:
        for spec in route.scenarios:
            if find_type(spec.type) is None and not is_official(spec.type):
                near = nearest_types(spec.type)
                hint = f"did you mean {near[0]}? " if near else ""
                raise ScenarioError(
                    f"{route.file}:{spec.line}: route '{route.id}': scenario type '{spec.type}' is unknown; {hint}"
                    "`run_eval.py list scenarios` shows all types"
                )


def _missing_towns(missing: dict[str, list[str]], maps: Path | None) -> str:
    count = sum(map(len, missing.values()))
    lines = [f"{count} routes need {len(missing)} towns whose maps are not there:"]
    for town, ids in missing.items():
        shown = ", ".join(ids[:8]) + (f", ... ({len(ids)} routes)" if len(ids) > 8 else "")
        lines.append(f"  {town}: routes {shown}")
    where = "no folder was given with --maps" if maps is None else f"{maps} has no such .xodr file"
    lines += [
        f"Looked among the built-in towns; {where}. A CARLA installation keeps the maps in",
        "  CarlaUE4/Content/Carla/Maps/OpenDrive/<town>.xodr         (Town01 to Town10HD)",
        "  CarlaUE4/Content/Carla/Maps/<town>/OpenDrive/<town>.xodr  (Town11, Town12, Town13, Town15)",
        "Name that Maps folder, or one with copies, with --maps; or leave these routes out with --missing-maps skip;",
        "or drive them on corridors rebuilt from the routes, labelled synthetic, with --missing-maps corridor.",
    ]
    return "\n".join(lines)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
