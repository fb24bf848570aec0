"""From a CRITERIA record to the official words: infraction messages, status, scores, `RouteResult`.

Wording and rounding are those of the official result files (docs/bench2drive.md 2.3). The entries of a list stand as
the official code collects them: criterion after criterion, so that a scenario's own collision test follows the route's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from leaderboard_adapters.criteria_state import (
    BLOCKED,
    DEVIATION,
    LAYOUT,
    MIN_SPEED,
    OUTSIDE_LANES,
    PEDESTRIAN,
    RED_LIGHT,
    ROUTE_TIMEOUT,
    SCENARIO_TIMEOUT,
    STOP,
    TICK_STEP,
    VEHICLE,
    YIELD,
    RouteEnd,
)
from leaderboard_adapters.records import INFRACTION_NAMES, Infraction, RouteResult
from leaderboard_adapters.scores import (
    AGENT_CRASHED,
    AGENT_NOT_SET_UP,
    SCORER,
    SENSORS_INVALID,
    SIMULATION_CRASHED,
    TICK_RUNTIME,
    RouteScores,
    route_scores,
)
from leaderboard_adapters.scores import route_status as status_of
from leaderboard_adapters.story import Circumstances
from scenarios.route import Route
from simulator.blueprints import BLUEPRINTS
from simulator.roads.network import RoadNetwork

#: What stands for all fences, poles and buildings, which have no blueprint.
MAP_GEOMETRY_TYPE = "static.static"

#: What `witnessed` calls the first metre outside the route lanes, which has no event; events go by their position.
LANE_EXCURSION = -1

#: Reasons that the run loop gives; the other ends explain themselves by their infraction.
_REASONS = {
    RouteEnd.TICK_CAP: TICK_RUNTIME,
    RouteEnd.AGENT_CRASHED: AGENT_CRASHED,
    RouteEnd.AGENT_NOT_SET_UP: AGENT_NOT_SET_UP,
    RouteEnd.SENSORS_INVALID: SENSORS_INVALID,
    RouteEnd.SIMULATION_CRASHED: SIMULATION_CRASHED,
}


def infraction_list(
    record: np.void, network: RoadNetwork | None = None, witnessed: Mapping[int, Circumstances] | None = None
) -> tuple[Infraction, ...]:
    """All infractions of one CRITERIA record, list after list in the order of the official JSON.

    `network` gives lights and stop signs the ids of their map; without it they go by their index. `witnessed` gives
    circumstances, by position of the event in the record, or `LANE_EXCURSION`.
    """
    seen = witnessed or {}
    found = [(int(record["event_code"][k]), int(record["event_test"][k]), k) for k in range(int(record["num_events"]))]
    infractions: list[Infraction] = []
    for code, name in enumerate(INFRACTION_NAMES):
        if code == OUTSIDE_LANES:
            infractions += _lane_excursion(record, seen.get(LANE_EXCURSION))
        elif code == MIN_SPEED:
            infractions += [_min_speed(record, k) for k in range(int(record["num_speed_events"]))]
        else:
            events = sorted((test, k) for event_code, test, k in found if event_code == code)
            infractions += [
                Infraction(name, _message(record, k, network), int(record["event_tick"][k]), circumstances=seen.get(k))
                for _, k in events
            ]
    return tuple(infractions)


def route_completed(record: np.void) -> float:
    """Percent of the route, two decimals; the integer 100 once the end was reached, as in the official files."""
    return 100 if record["completed"] else round(float(record["route_percent"]), 2)


def scores(record: np.void) -> RouteScores:
    """Scores of the route so far, or of the finished route."""
    return route_scores(route_completed(record), infraction_list(record))


def route_status(record: np.void) -> str:
    """Official status: `Completed`, `Perfect`, or `Failed - <reason>` (docs/bench2drive.md 2.4)."""
    reason = _REASONS.get(RouteEnd(int(record["finished"])), "")
    return status_of(route_completed(record), infraction_list(record), reason)


def build_result(
    record: np.void,
    route: Route,
    *,
    route_length: float,
    weather_id: str | None,
    save_name: str = "",
    repetition: int = 0,
    network: RoadNetwork | None = None,
    witnessed: Mapping[int, Circumstances] | None = None,
    duration_system: float = 0.0,
    notes: Sequence[str] = (),
    **rest: Any,
) -> RouteResult:
    """The result of a finished route.

    Args:
        record: its CRITERIA record.
        route: as read from its file.
        route_length: metres, of the traced route.
        weather_id: id of the weather case, or None.
        save_name: name of the attempt's log folder.
        repetition: the k of `_rep<k>`.
        network: the town, for ids of lights and signs and for `synthetic`.
        witnessed: circumstances of its infractions, as for `infraction_list`.
        duration_system: seconds of wall time.
        notes: remarks, such as scenarios that could not be placed.
        rest: further fields of `RouteResult` (index, seed, agent, suite, world, comfort, ...).
    """
    infractions = infraction_list(record, network, witnessed)
    route_score, penalty, composed = route_scores(route_completed(record), infractions)
    lost = int(record["events_lost"])
    if lost:
        notes = (*notes, f"{lost} more infractions are not listed; a world record holds no more")
    return RouteResult(
        route_id=f"{route.name}_rep{repetition}",
        scenario_name=route.scenarios[0].name if route.scenarios else "",
        scenario_type=route.scenario_type,
        town=route.town,
        weather_id=weather_id,
        save_name=save_name,
        status=route_status(record),
        infractions=infractions,
        score_route=route_score,
        score_penalty=penalty,
        score_composed=composed,
        route_length=round(route_length, 3),
        duration_game=round(int(record["tick"]) * TICK_STEP, 3),
        duration_system=round(duration_system, 3),
        num_ticks=int(record["tick"]),
        scorer=SCORER,
        synthetic=network.synthetic if network is not None else False,
        notes=tuple(notes),
        **rest,
    )


def _lane_excursion(record: np.void, seen: Circumstances | None) -> list[Infraction]:
    metres = float(record["wrong_distance"])
    if metres <= 0.0:
        return []
    percentage = metres / float(record["driven_distance"]) * 100
    message = (
        f"Agent went outside its route lanes for about {round(metres, 3)} meters "
        f"({round(percentage, 2)}% of the completed route)"
    )
    return [Infraction(INFRACTION_NAMES[OUTSIDE_LANES], message, int(record["wrong_tick"]), percentage, seen)]


def _min_speed(record: np.void, k: int) -> Infraction:
    percentage = float(record["speed_percent"][k])
    if percentage < 0.0:
        percentage = 100  # without traffic the official value is this integer, which shows in the text
    message = f"Average speed is {round(percentage, 2)}% of the surrounding traffic's one"
    return Infraction(INFRACTION_NAMES[MIN_SPEED], message, int(record["speed_tick"][k]), percentage)


def _message(record: np.void, k: int, network: RoadNetwork | None) -> str:
    code = int(record["event_code"][k])
    subject = int(record["event_subject"][k])
    place = "(" + ", ".join(f"{axis}={round(float(record[f'event_{axis}'][k]), 3)}" for axis in "xyz") + ")"
    if code in (LAYOUT, PEDESTRIAN, VEHICLE):
        blueprint = int(record["event_blueprint"][k])
        kind = BLUEPRINTS[blueprint].id if blueprint >= 0 else MAP_GEOMETRY_TYPE
        return f"Agent collided against object with type={kind} and id={subject} at {place}"
    if code == RED_LIGHT:
        return f"Agent ran a red light {network.light_ids[subject] if network else subject} at {place}"
    if code == STOP:
        return f"Agent ran a stop with id={network.stop_ids[subject] if network else subject} at {place}"
    return _PLAIN[code].format(place=place)


_PLAIN = {
    YIELD: "Agent failed to yield to an emergency vehicle",
    SCENARIO_TIMEOUT: "Agent timed out a scenario",
    DEVIATION: "Agent deviated from the route at {place}",
    BLOCKED: "Agent got blocked at {place}",
    ROUTE_TIMEOUT: "Route timeout.",
}
