"""The director and its vocabulary: triggers, strands, conditions, commands; compiling and its notes."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from envs.routes import prepare_routes
from scenarios.compiler import CompiledScripts, assemble, compile_scripts, pack_scripts, staging_notes
from scenarios.director import TIMEOUT_SECONDS, perturb_control
from scenarios.director_state import MAX_CAST, Status
from scenarios.geometry import Polyline
from scenarios.opcodes import Op
from scenarios.registry import (
    BENCH2DRIVE_TYPES,
    ScenarioType,
    find_type,
    is_official,
    nearest_types,
    scenario_types,
)
from scenarios.route import Route, ScenarioSpec, TriggerPoint
from scenarios.script import Script
from scenarios.tracks import resample
from scenarios.vocabulary import (
    CAREFUL,
    OBSTACLE_CAR,
    RECKLESS,
    WALKER,
    AheadOfEgo,
    Arriving,
    AwayFrom,
    Between,
    Chase,
    ClearEgoEntry,
    ClearJunction,
    CloseLanes,
    CountCollisionsTwice,
    DisturbControl,
    Drove,
    EgoPassed,
    EgoSpeed,
    End,
    EndFlow,
    ExtraSpace,
    Flow,
    Follow,
    Forever,
    FreeJunction,
    Hold,
    HoldLights,
    JudgeYielding,
    LeftJunction,
    Lights,
    MaxSpeed,
    MeetEgo,
    Member,
    Near,
    Oncoming,
    OncomingSpacing,
    OpenDoor,
    Passed,
    Place,
    PlaceEgo,
    Raise,
    ReleaseLights,
    Remove,
    ReopenLanes,
    RouteSources,
    SetSpeed,
    Spacing,
    Stands,
    StartFlow,
    StopAhead,
    StopBehind,
    StopOtherEntries,
    Wait,
    Walk,
    Word,
    WrongDirectionTest,
    exactly,
)
from simulator.errors import RouteFileError, ScenarioError
from simulator.state import EGO, Behaviour, DriverFlag, LightState
from tests.scenario_drive import Drive, scripted_drive, smoke_batch, smoke_drive

DONE = MaxSpeed(7.0)  # a command whose effect tells that a strand has come to it


def path_place(ahead: float, right: float = 0.0, turned: float = 0.0) -> Place:
    """A place beside the path of the ControlLoss route, metres from its trigger; on the straight line before it."""
    drive = smoke_drive("ControlLoss", traffic=False)
    g = drive.geometry
    k = round((drive.trigger_s + max(ahead, 0.0)) / g.path_step)
    at = Place(float(g.path_x[k]), float(g.path_y[k]), float(g.path_z[k]), float(g.path_yaw[k]))
    return at.moved(forward=min(ahead, 0.0), right=right, turned=turned)


def line_between(start: Place, end: Place) -> Polyline:
    x, y, z = (np.array([a, b]) for a, b in zip(start[:3], end[:3], strict=True))
    return resample(x, y, z)


def car(name: str = "car", ahead: float = 30.0, right: float = 0.0, **options: object) -> Member:
    return Member(name, OBSTACLE_CAR, path_place(ahead, right), **options)  # type: ignore[arg-type]


def running(*words: Word, cast: tuple[Member, ...] = (), flows: tuple[Flow, ...] = (), **options: object) -> Drive:
    """A drive whose scenario of one strand has just started; then the ego stands."""
    drive = scripted_drive(Script(cast=cast, flows=flows, strands=(words,), **options))  # type: ignore[arg-type]
    drive.to_trigger()
    return drive


def is_done(drive: Drive) -> bool:
    return bool(drive.w["bg_max_speed"] == 7.0)


# Life of a scenario


def test_a_scenario_triggers_once() -> None:
    drive = scripted_drive(Script(strands=((End(),),)))
    drive.until(lambda: drive.status == Status.DONE, 8.0)
    drive.path_s = 0.0  # back to the start
    drive.d["route_index"] = 0
    drive.wait(4.0, 8.0)
    assert drive.status == Status.DONE


def test_setup_is_carried_out_before_the_trigger() -> None:
    drive = scripted_drive(Script(setup=(DONE,), strands=((Forever(),),)))
    assert is_done(drive)
    assert drive.status == Status.NEAR


def test_finish_is_carried_out_when_any_strand_ends() -> None:
    drive = scripted_drive(Script(strands=((Forever(),), (Wait(1.0), End())), finish=(DONE,)))
    drive.to_trigger()
    assert drive.until(lambda: is_done(drive)) == pytest.approx(1.0, abs=0.06)
    assert drive.status == Status.DONE


def test_strands_run_side_by_side() -> None:
    drive = scripted_drive(Script(strands=((Wait(0.5), StopAhead(True)), (Wait(0.5), StopBehind(True)))))
    drive.to_trigger()
    drive.wait(0.6)
    assert drive.w["bg_front_stopped"] == 1
    assert drive.w["bg_back_stopped"] == 1


def test_timeout_ends_the_scenario_and_is_counted() -> None:
    drive = running(Forever(), timeout=True)
    assert drive.s["blocked_test_off"] == 1
    drive.d["since"][drive.live] -= TIMEOUT_SECONDS - 1.0
    assert drive.until(lambda: drive.status == Status.DONE) == pytest.approx(1.0, abs=0.1)
    assert drive.s["scenario_timeouts"] == 1
    assert drive.s["blocked_test_off"] == 0


def test_the_cast_goes_when_the_scenario_ends() -> None:
    drive = running(Wait(0.5), End(), cast=(car(),))
    slot = drive.slot("car")
    assert drive.w["kind"][slot] != 0
    drive.wait(0.6)
    assert drive.w["kind"][slot] == 0


def test_a_scenario_far_behind_ends_or_is_given_up() -> None:
    started = running(Forever(), cast=(car(),), finish=(DONE,))
    started.batch.scripts.trigger_distance[0] -= 510.0
    started.tick()
    assert started.status == Status.DONE
    assert is_done(started)
    waiting = scripted_drive(Script(cast=(car(),), strands=((Forever(),),)))
    waiting.batch.scripts.trigger_distance[0] -= 250.0
    waiting.wait(1.1)
    assert waiting.status == Status.MISSED
    assert waiting.d["num_live"] == 0


def test_a_scenario_without_room_for_its_actors_is_told() -> None:
    crowd = Script(cast=(car(ahead=-smoke_drive("ControlLoss", traffic=False).trigger_s),), strands=((End(),),))
    drive = scripted_drive(crowd)  # its car would stand on the ego
    assert drive.status == Status.BLOCKED
    assert np.count_nonzero(drive.w["kind"]) == 1
    compiled = CompiledScripts("112", (assemble(crowd, drive.spec, 0.0),))
    (note,) = staging_notes(compiled, drive.d)
    assert note == "route '112', scenario 'ControlLoss_1' (ControlLoss): not staged, there was no room for its actors"


def test_the_cast_takes_the_place_of_background_vehicles() -> None:
    drive = smoke_drive("ParkingCutIn")
    drive.to_trigger(4.0)
    for member in drive.script.cast:
        slot = drive.slot(member.name)
        others = [i for i in range(1, int(drive.w["num_slots"])) if drive.w["kind"][i] != 0 and i != slot]
        assert min(math.dist(drive.place(i)[:2], drive.place(slot)[:2]) for i in others) > 1.8


def test_a_copied_world_goes_on_in_the_same_way() -> None:
    first = smoke_drive("PedestrianCrossing")
    first.to_trigger()
    copied, at = first.worlds.snapshot(0), first.path_s
    first.wait(5.0, 6.0)
    second = smoke_drive("PedestrianCrossing", seed=9)
    second.worlds.restore(0, copied)
    second.path_s = at
    second.wait(5.0, 6.0)
    assert first.w.tobytes() == second.w.tobytes()
    assert first.d.tobytes() == second.d.tobytes()


def test_the_seed_decides_who_takes_part() -> None:
    casts = {
        tuple(int(drive.w["blueprint"][drive.slot(m.name)]) for m in drive.script.cast)
        for drive in (smoke_drive("AccidentTwoWays", seed=seed, traffic=False) for seed in range(6))
    }
    assert len(casts) > 1
    again = [smoke_drive("AccidentTwoWays", seed=3) for _ in range(2)]
    assert again[0].w.tobytes() == again[1].w.tobytes()


# Conditions


@pytest.mark.parametrize("seconds", [0.05, 1.0, 5.0])
def test_wait(seconds: float) -> None:
    drive = running(Wait(seconds), DONE)
    assert drive.until(lambda: is_done(drive)) == pytest.approx(seconds, abs=1e-9)


def test_wait_between_draws_from_the_interval() -> None:
    waits = []
    for _ in range(3):
        drive = running(Wait(Between(1.0, 2.0)), DONE)
        waits.append(drive.until(lambda drive=drive: is_done(drive)))  # type: ignore[misc]
    assert all(1.0 <= w <= 2.05 for w in waits)


@pytest.mark.parametrize("what", ["car", path_place(30.0)])
def test_near_a_member_or_place(what: str | Place) -> None:
    drive = running(Near(what, 12.0), DONE, cast=(car(),))
    drive.until(lambda: is_done(drive), 5.0)
    assert drive.trigger_s + 30.0 - drive.path_s == pytest.approx(12.0, abs=0.6)


def test_a_hidden_or_removed_member_is_never_near() -> None:
    drive = running(Near("car", 100.0), DONE, cast=(car(hidden=True),))
    drive.wait(1.0)
    assert not is_done(drive)
    drive = running(Remove(("car",)), Near("car", 100.0), DONE, cast=(car(),))
    drive.wait(1.0)
    assert not is_done(drive)


def test_away_from_a_place() -> None:
    drive = running(AwayFrom(path_place(0.0), 10.0), DONE)
    drive.until(lambda: is_done(drive), 5.0)
    assert drive.path_s - drive.trigger_s == pytest.approx(10.0, abs=0.6)


@pytest.mark.parametrize(("speed", "metres"), [(8.0, 16.0), (1.0, 5.0)])
def test_arriving_by_time_or_distance(speed: float, metres: float) -> None:
    drive = running(Arriving(path_place(30.0), 2.0, 5.0), DONE)
    drive.until(lambda: is_done(drive), speed)
    assert drive.trigger_s + 30.0 - drive.path_s == pytest.approx(metres, abs=0.6)


def test_a_standing_ego_never_arrives() -> None:
    drive = running(Wait(1.0), Arriving(path_place(30.0), 1000.0, 5.0), DONE)
    drive.wait(3.0)
    assert not is_done(drive)
    drive.tick(0.5)
    assert is_done(drive)


def test_passed_a_place() -> None:
    drive = running(Passed(path_place(10.0)), DONE)
    drive.until(lambda: is_done(drive), 5.0)
    assert drive.path_s - drive.trigger_s == pytest.approx(10.0, abs=0.6)


def test_passed_only_counts_near_the_place() -> None:
    drive = running(Passed(path_place(-30.0), within=20.0), DONE)
    drive.wait(2.0)
    assert not is_done(drive)


def test_drove_counts_from_where_the_strand_waits() -> None:
    drive = running(Wait(1.0), Drove(10.0), DONE)
    drive.wait(1.0, 5.0)
    at = drive.path_s
    drive.until(lambda: is_done(drive), 5.0)
    assert drive.path_s - at == pytest.approx(10.0, abs=0.6)


def test_drove_of_a_member_and_the_end_of_a_walk() -> None:
    walker = Member("walker", WALKER, path_place(40.0, right=8.0))
    words = Walk("walker", 2.0, 10.0), Drove(4.0, "walker"), StopAhead(True), Stands("walker"), DONE
    drive = running(*words, cast=(walker,))
    assert drive.until(lambda: drive.w["bg_front_stopped"] == 1) == pytest.approx(2.0, abs=0.15)
    assert drive.until(lambda: is_done(drive)) == pytest.approx(3.0, abs=0.15)


def test_a_member_that_was_hit_has_its_time_to_finish() -> None:
    walker = Member("walker", WALKER, path_place(40.0, right=8.0))
    drive = running(Walk("walker", 2.0, 10.0), Stands("walker", 5.0), DONE, cast=(walker,))
    drive.wait(1.0)
    drive.w["behaviour"][drive.slot("walker")] = Behaviour.HOLD  # as a collision leaves it
    assert drive.until(lambda: is_done(drive)) == pytest.approx(4.0, abs=0.15)


def test_ahead_of_and_passed_by_the_ego() -> None:
    drive = running(AheadOfEgo("car", 12.0), StopAhead(True), EgoPassed("car"), DONE, cast=(car(right=4.0),))
    drive.until(lambda: drive.w["bg_front_stopped"] == 1, 5.0)
    assert drive.distance(drive.slot("car")) == pytest.approx(12.0, abs=0.6)
    drive.until(lambda: is_done(drive), 5.0)
    lengths = drive.w["half_length"][EGO] + drive.w["half_length"][drive.slot("car")]
    assert drive.path_s - drive.trigger_s - 30.0 == pytest.approx(lengths, abs=0.6)


def test_left_junction() -> None:
    drive = scripted_drive(Script(strands=((LeftJunction(), DONE),)), kind="SignalizedJunctionLeftTurn")
    drive.to_trigger()
    drive.until(lambda: is_done(drive), 8.0)
    assert drive.path_s == pytest.approx(drive.batch.arrays.crossing_exit[0], abs=1.5)


def test_chase_keeps_its_distance_to_what_is_ahead() -> None:
    chaser = car("chaser", ahead=-20.0)
    line = line_between(chaser.place, path_place(80.0))
    faster = EgoSpeed(1.0, plus=10.0)
    drive = running(
        Follow("chaser", line, faster, CAREFUL | DriverFlag.CONSTANT_VELOCITY),
        Chase("chaser", faster, look=8.0, look_seconds=0.1),
        cast=(chaser,),
    )
    drive.tick(4.0)
    assert drive.w["speed"][drive.slot("chaser")] == pytest.approx(14.0, abs=0.1)
    drive.wait(4.0, 4.0)
    assert drive.w["speed"][drive.slot("chaser")] == pytest.approx(4.0, abs=0.1)
    assert drive.w["num_contacts"] == 0


def test_a_member_meets_the_ego() -> None:
    line = line_between(path_place(10.0, right=5.0), path_place(70.0, right=5.0))
    goal = path_place(50.0, right=5.0)
    drive = running(
        Follow("car", line, 0.0, RECKLESS),
        MeetEgo("car", goal, path_place(20.0)),
        DONE,
        cast=(car(ahead=10.0, right=5.0),),
    )
    drive.wait(1.0)
    assert drive.w["speed"][drive.slot("car")] == 0.0  # the ego stands
    drive.until(lambda: is_done(drive), 5.0)
    assert drive.distance(drive.slot("car")) == pytest.approx(math.hypot(30.0 - 4.0 + 1.9, 5.0), abs=3.0)
    assert drive.path_s - drive.trigger_s == pytest.approx(20.0 - 5.0 / 2.0, abs=1.5)


# Commands


def test_commands_to_members() -> None:
    line = line_between(path_place(30.0), path_place(70.0))
    drive = running(
        Raise(("car",)),
        Lights("car", 8),
        OpenDoor("car", 1),
        Follow("car", line, 6.0, RECKLESS),
        Wait(1.0),
        SetSpeed("car", 3.0),
        Wait(1.0),
        Hold("car"),
        cast=(car(hidden=True),),
    )
    slot = drive.slot("car")
    assert (drive.w["hidden"][slot], drive.w["lights"][slot], drive.w["door"][slot]) == (0, 8, 2)
    drive.wait(0.5)
    assert drive.w["speed"][slot] == pytest.approx(6.0)
    drive.wait(1.0)
    assert drive.w["speed"][slot] == pytest.approx(3.0)
    drive.wait(3.0)
    assert drive.w["speed"][slot] == 0.0
    assert drive.w["behaviour"][slot] == Behaviour.HOLD


def test_follow_runs_beside_its_track_and_stops_after_its_metres() -> None:
    line = line_between(path_place(30.0), path_place(90.0))
    drive = running(Follow("car", line, 6.0, RECKLESS, offset=1.5, metres=20.0), cast=(car(right=1.5),))
    drive.wait(5.0)
    s, right = drive.beside_path(drive.slot("car"))
    assert s - drive.trigger_s == pytest.approx(50.0 + 6.0**2 / (2 * 8.0), abs=1.0)  # and brakes at 8 m/s2
    assert right == pytest.approx(1.5, abs=0.3)


def test_flow_starts_and_ends() -> None:
    line = line_between(path_place(100.0, right=-3.5), path_place(20.0, right=-3.5))
    flow = Flow("stream", line, Between(12.0, 12.0), 6.0, choices=exactly("vehicle.mini.cooper_s"))
    drive = running(StartFlow("stream"), Wait(8.0), EndFlow("stream"), flows=(flow,))
    drive.wait(7.0)
    along = np.sort(drive.w["track_s"][drive.flow_slots()])
    assert len(along) == 4
    assert np.diff(along) == pytest.approx([12.0] * 3, abs=0.7)
    drive.wait(1.2)
    assert drive.flow_slots() == []


def test_lights_are_held_and_released() -> None:
    batch = smoke_batch()
    net = batch.network.arrays
    junction = int(net.group_junction[net.group_junction >= 0][0])
    group = int(np.flatnonzero(net.group_junction == junction)[0])
    lights = np.flatnonzero(net.light_group == group)
    one = int(lights[0])
    hold = HoldLights(junction, LightState.RED, ((one, LightState.GREEN),))
    drive = running(hold, Wait(20.0), ReleaseLights(junction))
    drive.wait(19.0)
    assert drive.light(one) == LightState.GREEN
    assert all(drive.light(int(i)) == LightState.RED for i in lights[1:])
    drive.wait(2.0)
    assert (drive.w["group_frozen"] == 0).all()


@pytest.mark.parametrize(
    ("word", "field", "value"),
    [
        (StopAhead(True), "bg_front_stopped", 1),
        (StopBehind(True), "bg_back_stopped", 1),
        (StopOtherEntries(), "bg_entries_stopped", 1),
        (RouteSources(False), "bg_route_sources", 0),
        (Oncoming(False), "bg_opposite_active", 0),
        (OncomingSpacing(30.0), "bg_opposite_source", 60.0),
        (MaxSpeed(9.0), "bg_max_speed", 9.0),
        (ExtraSpace(20.0), "bg_extra_space", 20.0),
        (Spacing(25.0), "bg_spawn_dist", 25.0),
        (ClearJunction(3), "bg_clear_junction", 3),
        (ClearEgoEntry(), "bg_keep_behind", 1),
    ],
)
def test_commands_to_the_traffic(word: Word, field: str, value: float) -> None:
    assert running(word).w[field] == value


def test_lanes_are_closed_and_reopened() -> None:
    drive = running(CloseLanes((3, 7)), Wait(1.0), ReopenLanes((3,)), Wait(1.0), ReopenLanes((7,)), FreeJunction())
    assert drive.w["num_closed"] == 2
    drive.wait(1.1)
    assert list(drive.w["closed_lane"][:2]) == [7, -1]
    drive.wait(1.0)
    assert drive.w["num_closed"] == 0


def test_commands_to_the_criteria() -> None:
    drive = running(
        WrongDirectionTest(False), CountCollisionsTwice(True), JudgeYielding("car"), Wait(1.0), End(), cast=(car(),)
    )
    assert (drive.s["wrong_direction_test"], drive.s["double_collision"]) == (0, 1)
    assert drive.s["emergency_slot"] == drive.slot("car")
    assert drive.s["emergency_done"] == 0
    drive.wait(1.1)
    assert drive.s["emergency_done"] == 1


def test_noise_changes_the_control_until_it_ends() -> None:
    drive = running(DisturbControl(0.1, 0.0, 0.2, 0.0), Wait(1.0), DisturbControl())
    drive.w["throttle"][EGO], drive.w["steer"][EGO] = 0.5, 0.0
    perturb_control(drive.w, drive.d)
    assert abs(drive.w["throttle"][EGO] - 0.5) == pytest.approx(0.1)
    assert abs(drive.w["steer"][EGO]) == pytest.approx(0.2)
    drive.wait(1.1)
    drive.w["steer"][EGO] = 0.0
    perturb_control(drive.w, drive.d)
    assert drive.w["steer"][EGO] == 0.0


def test_noise_stays_within_the_control_range() -> None:
    drive = running(DisturbControl(1.0, 0.5, 1.0, 0.5))
    for _ in range(50):
        drive.w["throttle"][EGO], drive.w["steer"][EGO] = 0.9, -0.9
        perturb_control(drive.w, drive.d)
        assert 0.0 <= drive.w["throttle"][EGO] <= 1.0
        assert -1.0 <= drive.w["steer"][EGO] <= 1.0


def test_the_ego_can_be_placed_at_the_start() -> None:
    place = path_place(5.0, right=3.0)
    drive = scripted_drive(Script(setup=(PlaceEgo(place, half_widths_right=1.0),), strands=((Forever(),),)))
    s, right = drive.beside_path(EGO)
    assert s == pytest.approx(drive.trigger_s + 5.0, abs=0.5)
    assert right == pytest.approx(3.0 + drive.w["half_width"][EGO], abs=0.01)


# Compiling


def one_scenario(kind: str = "ControlLoss", **changes: object) -> Route:
    """The smoke route of a type, its scenario changed."""
    route = next(p.route for p in smoke_batch().routes if p.route.scenario_type == kind)
    return dataclasses.replace(route, scenarios=(dataclasses.replace(route.scenarios[0], **changes),))  # type: ignore[arg-type]


def compiled_notes(route: Route, **options: bool) -> tuple[str, ...]:
    batch = smoke_batch()
    geometry = next(p.geometry for p in batch.routes if p.route.id == route.id)
    return compile_scripts(batch.network, route, geometry, **options).notes


def test_an_unknown_type_is_an_error_that_names_the_place_and_near_names() -> None:
    with pytest.raises(ScenarioError, match="unknown type 'ParkedObstcle'") as error:
        compiled_notes(one_scenario(type="ParkedObstcle"))
    assert "ParkedObstacle" in str(error.value)
    assert "route '112'" in str(error.value)
    assert "smoke.xml" in str(error.value)


def test_an_unknown_type_can_be_skipped_with_a_note() -> None:
    (note,) = compiled_notes(one_scenario(type="ParkedObstcle"), skip_unknown=True)
    assert "unknown type" in note
    assert "ParkedObstacle" in note


def test_an_official_type_that_is_not_built_yet_is_noted() -> None:
    missing = [name for name in BENCH2DRIVE_TYPES if find_type(name) is None]
    for name in missing:
        (note,) = compiled_notes(one_scenario(type=name))
        assert note.startswith(f"route '112', scenario 'ControlLoss_1' ({name}): this type is not yet supported")
    assert compiled_notes(one_scenario(type="PriorityAtJunction"))


@pytest.mark.parametrize("change", ["aside", "above", "turned"])
def test_a_trigger_off_the_route_is_noted(change: str) -> None:
    trigger = one_scenario().scenarios[0].trigger_point
    moved = {
        "aside": dataclasses.replace(trigger, x=trigger.x + 5.0, y=trigger.y + 5.0),
        "above": dataclasses.replace(trigger, z=trigger.z - 3.0),
        "turned": dataclasses.replace(trigger, yaw=trigger.yaw + 15.0),
    }[change]
    (note,) = compiled_notes(one_scenario(trigger_point=moved))
    assert "is not on the route" in note


def test_a_trigger_turned_by_whole_turns_is_on_the_route() -> None:
    trigger = one_scenario().scenarios[0].trigger_point
    assert compiled_notes(one_scenario(trigger_point=dataclasses.replace(trigger, yaw=trigger.yaw - 720.0))) == ()


def test_a_scenario_without_room_is_noted_with_the_reason() -> None:
    route = one_scenario("HardBreakRoute", type="ParkingCutIn", parameters={})  # no parking lane on the motorway
    (note,) = compiled_notes(route)
    assert "not placed" in note
    assert "no parking lane on the right" in note


def test_parameters_out_of_range_or_unknown_are_noted() -> None:
    parameters = {"distance": {"value": "-5"}, "directoin": {"value": "right"}, "speed": {"value": "50"}}
    notes = compiled_notes(one_scenario("ParkedObstacle", parameters=parameters))
    assert any("distance -5 is outside 0 to 1000 m; taken as 0" in note for note in notes)
    assert any("unknown parameter 'directoin'" in note and "did you mean 'direction'" in note for note in notes)
    assert all(note.startswith("route '101', scenario 'ParkedObstacle_1' (ParkedObstacle): ") for note in notes)


def test_a_wrong_word_falls_back_to_the_default_with_a_note() -> None:
    parameters = {"direction": {"value": "up"}, "blocker_model": {"value": "static.prop.moon"}}
    notes = compiled_notes(one_scenario("DynamicObjectCrossing", parameters=parameters))
    assert any("direction 'up' is none of right, left" in note for note in notes)
    assert any("'static.prop.moon' is no known blueprint" in note for note in notes)


def test_a_missing_required_parameter_is_an_error() -> None:
    with pytest.raises(RouteFileError, match="start_actor_flow"):
        compiled_notes(one_scenario("EnterActorFlow", parameters={}))


def test_speeds_in_kmh_reach_the_script_in_metres_per_second() -> None:
    drive = smoke_drive("ParkedObstacle", traffic=False)
    word = drive.script.strands[1][2]
    assert isinstance(word, MaxSpeed)
    assert word.speed == pytest.approx(drive.value("speed") / 3.6)


def test_scripts_with_mistakes_do_not_compile() -> None:
    spec = ScenarioSpec("X_1", "X", TriggerPoint(0.0, 0.0, 0.0, 0.0))
    with pytest.raises(ScenarioError, match="speaks of 'nobody'"):
        assemble(Script(strands=((Hold("nobody"),),)), spec, 0.0)
    with pytest.raises(ScenarioError, match="finish must hold commands only"):
        assemble(Script(finish=(Wait(1.0),)), spec, 0.0)
    crowd = tuple(Member(f"m{k}", WALKER, Place(0.0, 0.0, 0.0, 0.0)) for k in range(MAX_CAST + 1))
    with pytest.raises(ScenarioError, match=f"the limit is {MAX_CAST}"):
        assemble(Script(cast=crowd), spec, 0.0)


def test_packing_keeps_the_scripts_of_a_batch_apart() -> None:
    batch = smoke_batch()
    compiled = [compile_scripts(batch.network, p.route, p.geometry) for p in batch.routes]
    scripts, tracks = pack_scripts(compiled)
    alone = [pack_scripts([c]) for c in compiled]
    assert len(tracks) == sum(len(t) for _, t in alone)
    first_track = np.cumsum([0, *(len(t) for _, t in alone)])
    for r, (mine, _) in enumerate(alone):
        n = int(scripts.scenario_first[r])
        strands = slice(scripts.strand_first[n], scripts.strand_first[n + 1] + 1)
        begin = scripts.begin[strands]
        assert np.array_equal(begin - begin[0], mine.begin)
        rows = slice(begin[0], begin[-1])
        assert np.array_equal(scripts.op[rows], mine.op)
        assert np.array_equal(scripts.number[rows], mine.number)
        whole = scripts.whole[rows].copy()
        whole[mine.op == Op.FOLLOW, 1] -= first_track[r]
        assert np.array_equal(whole, mine.whole)
        cast = slice(scripts.cast_first[n], scripts.cast_first[n + 1])
        assert np.array_equal(scripts.cast_place[cast], mine.cast_place)


def test_a_batch_without_scenarios_runs() -> None:
    batch = smoke_batch()
    bare = dataclasses.replace(batch.routes[0].route, scenarios=())
    drive_batch = prepare_routes(batch.network, [bare])
    assert drive_batch.scripts.scenario_first.tolist() == [0, 0]


# Registry


def test_every_type_describes_itself() -> None:
    types = scenario_types()
    assert list(types) == sorted(types)
    for kind in types.values():
        assert isinstance(kind, ScenarioType)
        assert kind.summary.endswith(".")
        assert all(parameter.describe() for parameter in kind.parameters.values())


def test_official_types_are_known() -> None:
    assert len(BENCH2DRIVE_TYPES) == 44
    assert all(is_official(name) for name in BENCH2DRIVE_TYPES)
    assert not is_official("ParkedObstcle")
    assert nearest_types("parkedobstcle")[0] == "ParkedObstacle"
