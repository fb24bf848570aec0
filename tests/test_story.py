"""Why a route failed: circumstances of infractions and the timeline, from drives that go wrong on purpose."""

from __future__ import annotations

import dataclasses

import pytest
from test_drive import drive, task_for

from evaluation import witness as witness_module
from leaderboard_adapters.records import Infraction, RouteResult
from leaderboard_adapters.story import Happening, Moment, Part


def driven(scenario_type: str, agent: str) -> RouteResult:
    return drive(task_for(scenario_type, agent))


def first(result: RouteResult, name: str) -> Infraction:
    return next(infraction for infraction in result.infractions if infraction.name == name)


def moments(result: RouteResult, kind: Happening) -> list[Moment]:
    return [moment for moment in result.timeline if moment.kind == kind]


@pytest.fixture(scope="module")
def cut_off() -> RouteResult:
    """An ego that looks at nothing meets a car that pulls out of a parking space."""
    return driven("ParkingCutIn", "constant:0.5")


@pytest.fixture(scope="module")
def standing() -> RouteResult:
    return driven("ParkedObstacle", "idle")


def test_a_collision_names_whom_it_hit_and_what_the_scenario_was_doing(cut_off: RouteResult) -> None:
    hit = first(cut_off, "collisions_vehicle")
    seen = hit.circumstances
    assert seen is not None
    (actor,) = seen.actors
    assert (actor.part, actor.role, actor.member, actor.scenario) == (Part.HIT, "scenario", "car", "ParkingCutIn_1")
    assert actor.blueprint in hit.message
    assert f"id={actor.actor} " in hit.message
    assert 3.0 < actor.distance < 8.0
    assert 5.0 < seen.speed < 12.0  # before the impact, which leaves less
    (state,) = seen.scenarios
    assert (state.scenario, state.stage) == ("ParkingCutIn_1", "running")
    trigger = moments(cut_off, Happening.TRIGGER)[0]
    assert state.seconds == pytest.approx((hit.tick - trigger.tick) * 0.05, abs=0.06)
    assert state.waits == ("'car' has gone 30 m",)


def test_the_vehicle_that_was_not_let_by_is_named() -> None:
    result = driven("YieldToEmergencyVehicle", "constant:0.5")
    seen = first(result, "yield_emergency_vehicle_infractions").circumstances
    assert seen is not None
    (actor,) = seen.actors
    assert (actor.part, actor.member, actor.scenario) == (Part.EMERGENCY, "vehicle", "YieldToEmergencyVehicle_1")


def test_a_walker_that_was_hit_is_known_by_its_name_in_the_cast() -> None:
    result = driven("PedestrianCrossing", "constant:0.5")
    seen = first(result, "collisions_pedestrian").circumstances
    assert seen is not None
    assert seen.actors[0].member.endswith("walker")
    assert seen.actors[0].blueprint.startswith("walker.pedestrian")
    outside = first(result, "outside_route_lanes").circumstances
    assert outside is not None
    assert outside.actors == ()


def test_who_stands_too_long_hears_for_how_long(standing: RouteResult) -> None:
    blocked = first(standing, "vehicle_blocked").circumstances
    assert blocked is not None
    assert blocked.standing > 55.0
    assert blocked.speed == 0.0
    assert all(actor.part == Part.NEAR and actor.distance < 15.0 for actor in blocked.actors)
    assert [(state.stage, state.scenario) for state in blocked.scenarios] == [("ahead", "ParkedObstacle_1")]
    assert blocked.scenarios[0].metres > 5.0


def test_the_end_of_a_failed_route_has_circumstances_and_that_of_a_good_one_none(standing: RouteResult) -> None:
    end = standing.timeline[-1]
    assert (end.kind, end.text) == (Happening.ROUTE_END, standing.status)
    assert end.circumstances is not None
    good = driven("PedestrianCrossing", "autopilot").timeline[-1]
    assert (good.text, good.percent, good.circumstances) == ("Completed", 100.0, None)


def test_the_timeline_tells_of_the_scenario_from_actors_to_end(cut_off: RouteResult) -> None:
    ticks = [moment.tick for moment in cut_off.timeline]
    assert ticks == sorted(ticks)
    assert ticks[-1] == cut_off.num_ticks
    assert cut_off.timeline[0].kind == Happening.STAGED
    assert "'blocker', 'car'" in cut_off.timeline[0].text
    (trigger,) = moments(cut_off, Happening.TRIGGER)
    assert "m to 'car'" in trigger.text
    assert trigger.speed > 1.0
    steps = moments(cut_off, Happening.PHASE)
    assert steps[0].because == ""  # what begins with the trigger needs no reason
    pulls_out = next(step for step in steps if "'car' sets out" in step.text)
    assert "from the trigger" in pulls_out.because
    (hit,) = moments(cut_off, Happening.INFRACTION)
    assert (hit.tick, hit.text) == (cut_off.infractions[0].tick, cut_off.infractions[0].message)


def test_the_end_of_a_scenario_says_why() -> None:
    result = driven("HardBreakRoute", "autopilot")
    (end,) = moments(result, Happening.SCENARIO_END)
    assert end.because == "the ego has gone 15 m"


def test_min_speed_entries_stay_out_of_the_timeline(standing: RouteResult) -> None:
    slow = driven("PedestrianCrossing", "autopilot")
    assert slow.messages("min_speed_infractions")
    assert moments(slow, Happening.INFRACTION) == []
    assert first(slow, "min_speed_infractions").circumstances is None


def test_a_timeline_does_not_grow_without_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witness_module, "MAX_MOMENTS", 2)
    result = driven("ParkingCutIn", "constant:0.5")
    kinds = [moment.kind for moment in result.timeline]
    assert kinds.count(Happening.PHASE) + kinds.count(Happening.TRIGGER) + kinds.count(Happening.STAGED) == 2
    assert kinds[-3:] == [Happening.INFRACTION, Happening.LEFT_OUT, Happening.ROUTE_END]
    assert "more moments are not listed" in result.timeline[-2].text


def test_a_witness_changes_nothing(cut_off: RouteResult) -> None:
    again = driven("ParkingCutIn", "constant:0.5")
    assert dataclasses.replace(again, duration_system=0.0) == dataclasses.replace(cut_off, duration_system=0.0)
