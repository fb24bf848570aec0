"""Records built by hand for the tests of scores and result files."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from leaderboard_adapters.records import INFRACTION_NAMES, Infraction, RouteResult, scenario_type_of
from leaderboard_adapters.scores import route_scores, route_status

HERE = "at (x=1.0, y=2.0, z=0.1)"
MESSAGES = {
    "collisions_layout": f"Agent collided against object with type=static.prop and id=0 {HERE}",
    "collisions_pedestrian": f"Agent collided against object with type=walker.pedestrian.0001 and id=7 {HERE}",
    "collisions_vehicle": f"Agent collided against object with type=vehicle.audi.tt and id=8 {HERE}",
    "red_light": f"Agent ran a red light 12 {HERE}",
    "stop_infraction": f"Agent ran a stop with id=13 {HERE}",
    "yield_emergency_vehicle_infractions": "Agent failed to yield to an emergency vehicle",
    "scenario_timeouts": "Agent timed out a scenario",
    "route_dev": f"Agent deviated from the route {HERE}",
    "vehicle_blocked": f"Agent got blocked {HERE}",
    "route_timeout": "Route timeout.",
}


def hit(name: str) -> Infraction:
    """An infraction with its official message."""
    return Infraction(name, MESSAGES[name])


def outside_lanes(percentage: float, metres: float = 12.5) -> Infraction:
    text = f"Agent went outside its route lanes for about {round(metres, 3)} meters "
    text += f"({round(percentage, 2)}% of the completed route)"
    return Infraction("outside_route_lanes", text, percentage=percentage)


def speed(percentage: float) -> Infraction:
    text = f"Average speed is {percentage}% of the surrounding traffic's one"
    return Infraction("min_speed_infractions", text, percentage=percentage)


def driven(
    number: int | str = 1711,
    scenario: str = "ParkingCutIn",
    completed: float = 100,
    *infractions: Infraction,
    failure: str = "",
    town: str = "Town12",
    **fields: Any,
) -> RouteResult:
    """A record that follows the rules: scores and status come from the infractions."""
    route_id = f"RouteScenario_{number}_rep{fields.pop('repetition', 0)}"
    scores = route_scores(completed, infractions)
    values: dict[str, Any] = {
        "route_id": route_id,
        "scenario_name": f"{scenario}_1",
        "scenario_type": scenario,
        "town": town,
        "weather_id": "15",
        "save_name": f"{route_id}_{town}_{scenario}_1_15_01_31_12_00_00",
        "status": route_status(completed, infractions, failure),
        "infractions": infractions,
        "score_route": scores.score_route,
        "score_penalty": scores.score_penalty,
        "score_composed": scores.score_composed,
        "route_length": 100.0,
        "duration_game": 30.0,
        "duration_system": 60.0,
    }
    return RouteResult(**{**values, **fields})


def _infraction(name: str) -> st.SearchStrategy[Infraction]:
    share = st.floats(0, 100).map(lambda value: round(value, 2))
    if name == "outside_route_lanes":
        return st.tuples(share, st.floats(0, 500)).map(lambda pair: outside_lanes(*pair))
    if name == "min_speed_infractions":
        return st.floats(0, 1e6).map(lambda value: speed(round(value, 2)))
    return st.text(max_size=40).map(lambda text: Infraction(name, text))


def records() -> st.SearchStrategy[RouteResult]:
    """Any record that a file can hold: fields need not follow from each other."""
    number = st.floats(0, 1e6) | st.integers(0, 100)
    statuses = ["Completed", "Perfect", "Failed", "Failed - TickRuntime", "Failed - Agent crashed"]
    return st.builds(
        _record,
        st.integers(0, 99999),
        st.lists(st.sampled_from(INFRACTION_NAMES).flatmap(_infraction), max_size=4),
        st.text(max_size=12),
        st.none() | st.text(max_size=3),
        st.sampled_from(statuses),
        st.tuples(*[number] * 6),
    )


def _record(
    number: int, infractions: list[Infraction], text: str, weather: str | None, status: str, values: tuple[float, ...]
) -> RouteResult:
    names = ("score_route", "score_penalty", "score_composed", "route_length", "duration_game", "duration_system")
    return RouteResult(
        route_id=f"RouteScenario_{number}_rep{number % 3}",
        scenario_name=text,
        scenario_type=scenario_type_of(text),
        town=text[::-1],
        weather_id=weather,
        save_name=text * 2,
        status=status,
        infractions=tuple(sorted(infractions, key=lambda infraction: INFRACTION_NAMES.index(infraction.name))),
        index=number % 300,
        **dict(zip(names, values)),
    )
