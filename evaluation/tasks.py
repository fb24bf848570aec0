"""One attempt at one route, as plain data that travels to a worker as JSON."""

from __future__ import annotations

from dataclasses import dataclass

#: Statuses of routes that were never driven to an end. `--resume` drives them again; every other status is final.
CRASHED = "Failed - Simulation crashed"
NOT_SET_UP = "Failed - Agent couldn't be set up"
NEVER_DRIVEN = (CRASHED, NOT_SET_UP)


@dataclass(frozen=True)
class RouteTask:
    """What a worker needs to drive one route once.

    `town`, `scenario_name` and `scenario_type` repeat what the route file says, so that a route whose worker died can
    be recorded without reading the file again.
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
    synthetic: bool = False  # the town is missing and the route is driven on a corridor rebuilt from itself

    @property
    def record_id(self) -> str:
        """Id of the result record, as the official evaluator writes it."""
        return f"RouteScenario_{self.route_id}_rep{self.repetition}"
