"""From the record to the official result: wording, order, status, scores (docs/bench2drive.md 2.3, 2.4, 3.1)."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from criteria_world import LANE_Y, STOP_LINE_X, Drive

from leaderboard_adapters.criteria import finish_criteria
from leaderboard_adapters.criteria_state import MAP_GEOMETRY, RouteEnd
from leaderboard_adapters.infractions import build_result, infraction_list
from leaderboard_adapters.records import INFRACTION_NAMES
from leaderboard_adapters.scores import metres_in, percentage_in
from scenarios.route import Location, Route, ScenarioSpec, TriggerPoint
from simulator.state import LightState

ROUTE = Route(
    "2534",
    "Town12",
    (Location(2.0, LANE_Y, 0.0), Location(398.0, LANE_Y, 0.0)),
    (ScenarioSpec("Accident_1", "Accident", TriggerPoint(10.0, LANE_Y, 0.0, 0.0)),),
)


def eventful_drive() -> Drive:
    """Something of everything, in an order other than that of the official lists."""
    drive = Drive()
    drive.switches["emergency_slot"] = drive.spawn("vehicle.ford.ambulance", 3.0, LANE_Y)
    drive.go(20.0)
    drive.switches["scenario_timeouts"] = 1
    drive.switches["emergency_done"] = 1
    drive.tick()
    drive.put(20.0, 9.0)
    drive.go(30.0, 9.0)
    drive.put(30.0)
    drive.lights(LightState.RED, 0)
    drive.go(STOP_LINE_X + 5.0)
    for partner in (drive.spawn("vehicle.audi.tt"), drive.spawn("walker.pedestrian.0001"), MAP_GEOMETRY):
        drive.touch(partner)
        drive.tick()
        drive.go(float(drive.w["x"][0]) + 6.0)
    drive.go(320.0)
    drive.stand(1201)
    return drive


def test_lists_stand_in_the_official_order() -> None:
    names = [i.name for i in infraction_list(eventful_drive().c)]
    assert names == sorted(names, key=INFRACTION_NAMES.index)
    assert set(names) == set(INFRACTION_NAMES) - {"route_dev", "route_timeout"}


def test_result_of_a_route_holds_scores_status_and_identity() -> None:
    drive = eventful_drive()
    result = build_result(
        drive.c,
        ROUTE,
        route_length=396.118,
        weather_id="7",
        save_name="RouteScenario_2534_rep1_Town12_Accident_1_7_01_02_03_04_05",
        repetition=1,
        duration_system=12.34567,
        notes=["placed"],
        seed=5,
        agent="expert",
    )
    assert (result.route_id, result.town, result.scenario_name) == ("RouteScenario_2534_rep1", "Town12", "Accident_1")
    assert result.status == "Failed - Agent got blocked"
    assert result.success is False
    share = next(i.percentage for i in result.infractions if i.name == "outside_route_lanes")
    factor = 0.65 * 0.5 * 0.6 * 0.7 * 0.8 * 0.7 * 0.7 * (1 - share / 100)
    assert result.score_penalty == round(factor, 6)
    assert result.score_composed == round(result.score_route * factor, 6)
    assert result.duration_game == round(int(drive.c["tick"]) * 0.05, 3)
    assert result.duration_system == 12.346
    assert (result.seed, result.agent, result.notes) == (5, "expert", ("placed",))


def test_clean_finished_route_is_completed_and_a_success_but_never_perfect() -> None:
    drive = Drive()
    drive.go(296.0)
    drive.stand(1)
    drive.go(400.0)
    result = build_result(drive.c, ROUTE, route_length=396.118, weather_id=None)
    assert result.status == "Completed"  # the min-speed entries are infractions too
    assert result.success
    assert (result.score_route, result.score_penalty, result.score_composed) == (100, 1.0, 100.0)


def test_game_time_at_the_tick_cap_is_the_official_one() -> None:
    drive = Drive()
    drive.c["tick"] = 4000
    drive.tick()
    result = build_result(drive.c, ROUTE, route_length=396.118, weather_id=None)
    assert (result.status, result.duration_game, result.num_ticks) == ("Failed - TickRuntime", 200.05, 4001)


def test_agent_that_could_not_be_set_up_scores_nothing() -> None:
    drive = Drive()
    finish_criteria(drive.w, drive.c, drive.switches, drive.net, drive.routes, int(RouteEnd.AGENT_NOT_SET_UP))
    result = build_result(drive.c, ROUTE, route_length=396.118, weather_id=None)
    assert result.status == "Failed - Agent couldn't be set up"
    assert (result.score_composed, result.infractions) == (0.0, ())


def test_lost_events_leave_a_note() -> None:
    drive = Drive()
    drive.c["events_lost"] = 3
    assert "3 more" in build_result(drive.c, ROUTE, route_length=1.0, weather_id=None).notes[0]


def test_numbers_can_be_read_back_from_the_messages() -> None:
    found = {i.name: i for i in infraction_list(eventful_drive().c)}
    lanes, speed = found["outside_route_lanes"], found["min_speed_infractions"]
    assert percentage_in(lanes.message) == round(lanes.percentage, 2)
    assert metres_in(lanes.message) == pytest.approx(10.0, abs=1.0)
    assert percentage_in(speed.message) == round(speed.percentage, 2)


def _shape(message: str) -> str:
    """A message without its numbers, types and ids."""
    message = re.sub(r"type=\S+", "type=T", message)
    return re.sub(r"-?\d+(\.\d+)?(e-\d+)?", "N", message)


@pytest.mark.official_data
def test_every_message_has_the_shape_of_the_official_ones(official_data: Path) -> None:
    official: dict[str, set[str]] = {name: set() for name in INFRACTION_NAMES}
    for path in sorted((official_data / "results").rglob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        for record in content.get("_checkpoint", {}).get("records", []) if isinstance(content, dict) else []:
            for name, messages in record.get("infractions", {}).items():
                official.get(name, set()).update(_shape(m) for m in messages)
    deviated = Drive()
    deviated.put(2.0, 60.0)
    deviated.tick()
    checked = set()
    for infraction in infraction_list(eventful_drive().c) + infraction_list(deviated.c):
        if official[infraction.name]:
            assert _shape(infraction.message) in official[infraction.name]
            checked.add(infraction.name)
    assert len(checked) >= 9
