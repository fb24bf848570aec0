"""What each scenario type does, watched on its route of the smoke suite (docs/bench2drive.md 1.7)."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scenarios.director import TRIGGER_DISTANCE, perturb_control
from scenarios.director_state import Status
from scenarios.suite_recipes import RECIPES
from simulator.state import EGO, HAZARD, SPECIAL, TICK_SECONDS, Behaviour, DriverFlag, LightState, Role
from tests.scenario_drive import Drive, smoke_batch, smoke_drive

ENDING = [kind for kind in RECIPES if kind != "PedestrianCrossing"]  # as officially, that one runs on
SPEED = 8.0  # m/s of the ego where nothing else is said


def end_of(drive: Drive, speed: float = SPEED) -> None:
    """Drive until the scenario has ended."""
    drive.until(lambda: drive.status == Status.DONE, speed)


def ego_distance(drive: Drive, place) -> float:  # type: ignore[no-untyped-def]
    return math.dist(drive.place(EGO), place[:3])


# What holds for all


@pytest.mark.parametrize("kind", RECIPES)
def test_it_starts_at_its_trigger_point_and_not_before(kind: str) -> None:
    drive = smoke_drive(kind, traffic=False)
    while drive.path_s < drive.trigger_s - TRIGGER_DISTANCE - 1.0:
        drive.tick(SPEED)
        assert drive.status == Status.NEAR
    drive.to_trigger(SPEED)
    assert abs(drive.path_s - drive.trigger_s) < TRIGGER_DISTANCE + 1.0


@pytest.mark.parametrize("kind", ENDING)
def test_it_ends_and_leaves_the_world_as_it_was(kind: str) -> None:
    drive = smoke_drive(kind, traffic=False)
    before = {name: drive.w[name].copy() for name in drive.w.dtype.names if name.startswith("bg_")}
    switches = drive.s.copy()
    drive.to_trigger(SPEED)
    for _ in range(1800):
        let_pass = kind != "YieldToEmergencyVehicle" and any(drive.w["speed"][drive.cast_slots()] > 0.5)
        drive.tick(0.0 if let_pass else SPEED)
        if drive.status == Status.DONE:
            break

    assert drive.status == Status.DONE
    assert not np.isin(drive.w["role"][drive.w["kind"] != 0], [Role.SCENARIO, Role.FLOW]).any()
    assert (drive.d["slot_flow"] == -1).all()
    assert drive.d["num_live"] == 0
    assert drive.w["num_closed"] == 0
    assert (drive.w["group_frozen"] == 0).all()
    assert (drive.d["noise"] == 0.0).all()
    for name in ("bg_max_speed", "bg_extra_space", "bg_front_stopped", "bg_opposite_active", "bg_route_sources"):
        assert drive.w[name] == before[name], name
    for name in ("wrong_direction_test", "blocked_test_off", "double_collision", "scenario_timeouts"):
        assert drive.s[name] == switches[name], name


@pytest.mark.parametrize("kind", RECIPES)
def test_its_actors_are_in_the_world_from_the_start(kind: str) -> None:
    drive = smoke_drive(kind)
    for member in drive.script.cast:
        slot = drive.slot(member.name)
        assert drive.w["blueprint"][slot] in member.choices
        assert drive.w["hidden"][slot] == member.hidden
        assert drive.w["role"][slot] == Role.SCENARIO


# Obstacles


def test_parked_obstacle_stands_in_the_lane_at_its_distance() -> None:
    drive = smoke_drive("ParkedObstacle")
    car = drive.slot("car")
    s, right = drive.beside_path(car)
    assert s == pytest.approx(drive.trigger_s + drive.value("distance"), abs=1.0)
    assert right == pytest.approx(0.7 * 3.5 / 2, abs=0.1)
    assert drive.w["lights"][car] == HAZARD
    drive.wait(2.0)
    assert drive.w["speed"][car] == 0.0
    assert drive.beside_path(drive.slot("sign"))[1] > 3.5  # beside the road


def test_parked_obstacle_keeps_traffic_away_then_slow() -> None:
    drive = smoke_drive("ParkedObstacle")
    drive.to_trigger(4.0)
    ahead = [
        s - drive.path_s
        for i in np.flatnonzero(drive.w["role"] == Role.BACKGROUND)
        for s, right in [drive.beside_path(int(i))]
        if drive.w["kind"][i] != 0 and abs(right) < 1.5 and s > drive.path_s
    ]
    assert all(metres > drive.value("distance") + 10.0 for metres in ahead)
    drive.until(lambda: drive.distance(drive.slot("car")) < 50.0, 4.0)
    drive.wait(4.8)
    assert drive.w["bg_max_speed"] == 0.0
    drive.wait(0.3)
    assert drive.w["bg_max_speed"] == pytest.approx(drive.value("speed") / 3.6)


def test_parked_obstacle_ends_50_m_beyond_the_car() -> None:
    drive = smoke_drive("ParkedObstacle", traffic=False)
    car_s = drive.beside_path(drive.slot("car"))[0]
    drive.to_trigger()
    assert drive.s["blocked_test_off"] == 1  # it has a scenario timeout
    end_of(drive)
    assert drive.path_s == pytest.approx(car_s + 50.0, abs=2.0)
    assert drive.s["blocked_test_off"] == 0


def test_accident_blocks_the_lane_with_three_cars() -> None:
    drive = smoke_drive("AccidentTwoWays")
    places = [drive.beside_path(drive.slot(name))[0] for name in ("police", "first wreck", "second wreck")]
    assert places[0] == pytest.approx(drive.trigger_s + drive.value("distance"), abs=1.0)
    assert np.diff(places) == pytest.approx([10.0, 6.0], abs=0.5)
    assert drive.w["lights"][drive.slot("police")] == SPECIAL


def test_accident_lets_the_ego_pass_between_oncoming_cars() -> None:
    drive = smoke_drive("AccidentTwoWays", traffic=False)
    drive.to_trigger()
    drive.until(lambda: drive.distance(drive.slot("first wreck")) < 50.0, SPEED)
    drive.wait(4.8)
    assert drive.s["wrong_direction_test"] == 1
    drive.wait(0.3)
    assert drive.s["wrong_direction_test"] == 0
    assert drive.w["bg_opposite_active"] == 0

    spacing, source = drive.value("frequency", "from"), drive.script.flows[0].track
    newest, gaps = drive.flow_slots()[0], []
    for _ in range(600):
        place = drive.place(newest)
        drive.tick()
        if int(drive.d["flow_newest"][0, 0]) not in (newest, -1):
            gaps.append(math.hypot(place[0] - source.x[0], place[1] - source.y[0]))
            newest = int(drive.d["flow_newest"][0, 0])
        for i in drive.flow_slots():
            assert drive.beside_path(i)[1] == pytest.approx(-3.5, abs=0.5)  # in the oncoming lane
            assert math.cos(drive.w["yaw"][i] - drive.w["yaw"][EGO]) < -0.9
            assert drive.w["speed"][i] < drive.script.flows[0].speed + 0.5
    assert len(gaps) >= 2
    assert all(gap > spacing - 1.0 for gap in gaps)
    end_of(drive)
    assert drive.s["wrong_direction_test"] == 1


def test_construction_site_appears_and_closes_the_lane() -> None:
    drive = smoke_drive("ConstructionObstacle", traffic=False)
    props = [member.name for member in drive.script.cast if member.hidden]
    assert len(props) == 9  # traffic warning, debris, 7 cones
    drive.to_trigger(4.0)
    assert all(drive.w["hidden"][drive.slot(name)] == 0 for name in props)
    assert drive.w["closed_lane"][0] == drive.w["lane"][EGO]

    site = drive.trigger_s + drive.value("distance")
    places = {name: drive.beside_path(drive.slot(name)) for name in props}
    assert places["traffic warning"][0] == pytest.approx(site - 5.0, abs=1.0)
    along = [places[f"cone {k}"][0] - site for k in range(1, 5)]
    assert along == pytest.approx([2.0, 4.0, 6.0, 8.0], abs=1.0)
    assert [places[f"cone {k}"][1] for k in range(4, 8)] == pytest.approx([-1.5, -0.5, 0.5, 1.5], abs=0.1)

    drive.until(lambda: drive.path_s > site - 29.0, 4.0)
    drive.wait(5.1)
    assert drive.w["bg_max_speed"] == pytest.approx(drive.value("speed") / 3.6)
    end_of(drive)
    assert drive.path_s == pytest.approx(site + 50.0, abs=2.0)


# Walkers


@pytest.mark.parametrize("speed", [2.0, 8.0])
def test_walker_steps_out_in_front_of_the_ego(speed: float) -> None:
    drive = smoke_drive("DynamicObjectCrossing", traffic=False)
    walker = drive.slot("walker")
    assert drive.w["hidden"][walker] == 1
    drive.to_trigger(speed)
    assert drive.w["hidden"][walker] == 0
    drive.until(lambda: drive.w["speed"][walker] > 0.0, speed)
    meeting = drive.trigger_s + drive.value("distance")
    patience = 2.1 + 0.1 * (drive.value("crossing_angle") // 5)
    assert meeting - drive.path_s == pytest.approx(max(patience * speed, 6.0), abs=0.1 * speed + 0.5)

    right = [drive.beside_path(walker)[1]]
    for _ in range(60):
        drive.tick()
        right.append(drive.beside_path(walker)[1])
    assert right[0] > 2.5
    assert right[-1] == pytest.approx(right[0] - 2.0 * 60 * TICK_SECONDS, abs=0.5)  # 2 m/s across


def test_walker_and_blocker_go_once_the_road_is_crossed() -> None:
    drive = smoke_drive("DynamicObjectCrossing", traffic=False)
    walker = drive.slot("walker")
    drive.to_trigger()
    drive.until(lambda: drive.w["speed"][walker] > 0.0, SPEED)
    seconds = drive.until(lambda: drive.slot("walker") < 0)
    way = 2.0 * math.dist(drive.script.cast[1].place[:3], _meeting_place(drive))
    assert seconds == pytest.approx(way / 2.0, abs=0.2)
    assert drive.slot("blocker") < 0
    at = drive.path_s
    end_of(drive)
    assert drive.path_s - at == pytest.approx(40.0, abs=1.0)


def _meeting_place(drive: Drive) -> tuple[float, float, float]:
    g = drive.geometry
    k = int((drive.trigger_s + drive.value("distance")) / g.path_step)
    return float(g.path_x[k]), float(g.path_y[k]), float(g.path_z[k])


def test_three_walkers_cross_before_the_junction() -> None:
    drive = smoke_drive("PedestrianCrossing", traffic=False)
    names = [member.name for member in drive.script.cast]
    walkers = [drive.slot(name) for name in names]
    drive.to_trigger(4.0)
    assert drive.w["bg_keep_behind"] == 1  # the ego's entry is cleared
    drive.until(lambda: any(drive.w["speed"][i] > 0 for i in walkers) or drive.path_s > 60.0, 4.0)
    set_off_s = drive.path_s
    speeds = {i: 0.0 for i in walkers}
    for _ in range(35):  # all have set off 1.5 s later
        drive.tick()
        for i in walkers:
            speeds[i] = max(speeds[i], float(drive.w["speed"][i]))
    assert all(1.3 <= v <= 2.0 for v in speeds.values())
    assert len(set(speeds.values())) == 3
    # they wait for the ego to be 3.5 s or 12 m away, and then up to 1.5 s
    entry = min(drive.beside_path(i)[0] for i in walkers)
    assert entry - set_off_s < 3.5 * 4.0 + 2.0
    drive.wait(12.0)
    assert all(drive.slot(name) < 0 for name in names)


def test_traffic_is_free_again_after_the_pedestrians_junction() -> None:
    drive = smoke_drive("PedestrianCrossing", traffic=False)
    drive.to_trigger()
    junction_exit = drive.batch.arrays.crossing_exit[drive.batch.arrays.crossing_first[drive.route]]
    drive.until(lambda: drive.path_s > junction_exit - 1.0, SPEED)
    assert drive.w["bg_keep_behind"] == 1
    drive.wait(0.5, SPEED)
    assert drive.w["bg_keep_behind"] == 0
    assert drive.w["bg_route_sources"] == 1
    assert drive.status == Status.ACTIVE


# Traffic ahead


def test_hard_brake_stops_those_ahead_for_10_s() -> None:
    drive = smoke_drive("HardBreakRoute")
    drive.to_trigger(4.0)
    assert drive.w["bg_front_stopped"] == 1
    drive.wait(6.0)
    ahead = [
        int(i)
        for i in np.flatnonzero((drive.w["role"] == Role.BACKGROUND) & (drive.w["kind"] != 0))
        for s, right in [drive.beside_path(int(i))]
        if abs(right) < 6.0 and 0.0 < s - drive.path_s < 60.0
        if math.cos(drive.w["yaw"][i] - drive.w["yaw"][EGO]) > 0.5
    ]
    assert ahead
    assert max(drive.w["speed"][ahead]) < 0.5
    drive.wait(3.9)
    assert drive.w["bg_front_stopped"] == 1
    drive.wait(0.3)
    assert drive.w["bg_front_stopped"] == 0
    at = drive.path_s
    end_of(drive, 4.0)
    assert drive.path_s - at == pytest.approx(15.0, abs=1.0)


# Junctions


def test_red_light_runner_crosses_while_the_ego_has_green() -> None:
    drive = smoke_drive("OppositeVehicleRunningRedLight", traffic=False)
    vehicle = drive.slot("vehicle")
    drive.to_trigger()
    assert drive.w["hidden"][vehicle] == 0
    assert _ego_light(drive) == LightState.GREEN
    assert _other_lights(drive) == {LightState.RED}
    drive.until(lambda: drive.w["speed"][vehicle] > 0.0, SPEED)
    assert drive.w["speed"][vehicle] == pytest.approx(60.0 / 3.6, abs=0.01)
    start, time = drive.place(vehicle), float(drive.w["time"])
    nearest = 1e9
    while drive.slot("vehicle") >= 0:
        end = drive.place(vehicle)
        nearest = min(nearest, abs(drive.beside_path(vehicle)[1]))
        drive.tick()
    assert nearest < 1.0  # it has crossed the ego's way
    assert math.dist(start, end) == pytest.approx((float(drive.w["time"]) - time) * 60.0 / 3.6, abs=6.0)
    end_of(drive)
    assert (drive.w["group_frozen"] == 0).all()


def test_red_light_runner_waits_up_to_30_m_before_the_junction() -> None:
    drive = smoke_drive("OppositeVehicleRunningRedLight", traffic=False)
    drive.tick()
    vehicle = drive.slot("vehicle")
    drive.to_trigger()
    drive.tick()
    net, lane = drive.batch.network.arrays, int(drive.w["lane"][vehicle])
    assert net.lane_junction[lane] < 0
    assert net.lane_length[lane] - drive.w["lane_s"][vehicle] == pytest.approx(30.0, abs=1.5)
    assert lane in drive.w["closed_lane"]


def test_left_turn_waits_for_green_and_then_for_a_gap() -> None:
    drive = smoke_drive("SignalizedJunctionLeftTurn", traffic=False)
    drive.to_trigger(4.0)
    assert drive.w["bg_opposite_active"] == 0
    theirs = set(_source_lights(drive))
    assert _ego_light(drive) == LightState.RED
    drive.wait(4.8)
    assert _ego_light(drive) == LightState.RED
    assert {drive.light(i) for i in theirs} == {LightState.GREEN}
    drive.wait(0.3)
    assert _ego_light(drive) == LightState.GREEN
    assert {drive.light(i) for i in theirs} == {LightState.GREEN}
    drive.wait(20.0)
    assert _ego_light(drive) == LightState.GREEN  # held to the end

    speeds = [float(drive.w["speed"][i]) for i in drive.flow_slots()]
    assert len(speeds) >= 2
    assert speeds == pytest.approx([drive.value("flow_speed")] * len(speeds), abs=0.01)


def test_left_turn_ends_10_m_behind_the_junction() -> None:
    drive = smoke_drive("SignalizedJunctionLeftTurn", traffic=False)
    drive.to_trigger()
    end_of(drive)
    junction = drive.batch.arrays.crossing_exit[drive.batch.arrays.crossing_first[drive.route]]
    assert drive.path_s == pytest.approx(junction + 10.0, abs=1.5)


def _junction_lights(drive: Drive) -> tuple[int, list[int]]:
    """The ego's light, and all lights of its junction."""
    b = drive.batch
    junction = int(b.arrays.crossing_junction[b.arrays.crossing_first[drive.route]])
    net = b.network.arrays
    lanes = [i for i in dict.fromkeys(drive.geometry.path_lane.tolist()) if i >= 0 and net.lane_junction[i] == junction]
    groups = np.flatnonzero(net.group_junction == junction)
    return int(net.lane_light[lanes[0]]), [int(i) for i in np.flatnonzero(np.isin(net.light_group, groups))]


def _ego_light(drive: Drive) -> LightState:
    return drive.light(_junction_lights(drive)[0])


def _other_lights(drive: Drive) -> set[LightState]:
    own, lights = _junction_lights(drive)
    return {drive.light(i) for i in lights if i != own}


def _source_lights(drive: Drive) -> list[int]:
    """Lights of the junction lanes that the flow takes."""
    net, line = drive.batch.network.arrays, drive.script.flows[0].track
    first, last = net.lane_first[:-1], net.lane_first[1:] - 1
    found = []
    for lane in np.flatnonzero(net.lane_light >= 0):
        ends = [(net.point_x[p], net.point_y[p]) for p in (first[lane], last[lane])]
        if all(np.min(np.hypot(line.x - x, line.y - y)) < 0.5 for x, y in ends):
            found.append(int(net.lane_light[lane]))
    assert found
    return found


# Flows


def test_flow_to_enter_is_there_when_the_scenario_starts() -> None:
    drive = smoke_drive("EnterActorFlow", traffic=False)
    drive.to_trigger()
    slots = drive.flow_slots()
    low, high = drive.value("source_dist_interval", "from"), drive.value("source_dist_interval", "to")
    along = np.sort(drive.w["track_s"][slots])
    length = (len(drive.script.flows[0].track.x) - 1) * drive.script.flows[0].track.step
    assert len(slots) >= int(length / high)
    assert np.all(np.diff(along)[1:] >= low - 1.0)
    assert np.all(np.diff(along)[1:] <= high + 2.0)
    assert drive.w["speed"][slots] == pytest.approx([drive.value("flow_speed")] * len(slots))
    assert drive.w["bg_route_sources"] == 0


def test_flow_to_enter_keeps_coming_and_disappears_at_its_end() -> None:
    drive = smoke_drive("EnterActorFlow", traffic=False)
    drive.to_trigger()
    ids = set()
    sink = drive.script.flows[0].track
    for _ in range(400):
        drive.tick()
        for i in drive.flow_slots():
            ids.add(int(drive.w["actor_id"][i]))
            assert math.hypot(drive.w["x"][i] - sink.x[-1], drive.w["y"][i] - sink.y[-1]) >= 1.4
    assert len(ids) > len(drive.flow_slots()) + 3


def test_flow_brakes_only_after_the_ego_has_touched_it() -> None:
    drive = smoke_drive("EnterActorFlow", traffic=False)
    drive.to_trigger()
    reckless = DriverFlag.CONSTANT_VELOCITY | DriverFlag.IGNORE_VEHICLES
    assert all(drive.w["driver_flags"][i] & reckless == reckless for i in drive.flow_slots())
    # stand where the flow comes along
    junction_exit = drive.batch.arrays.crossing_exit[drive.batch.arrays.crossing_first[drive.route]]
    drive.until(lambda: drive.path_s > junction_exit + 5.0 or drive.d["flow_touched"][0, 0] == 1, SPEED)
    drive.until(lambda: drive.d["flow_touched"][0, 0] == 1)
    assert all(drive.w["driver_flags"][i] & reckless == 0 for i in drive.flow_slots())
    drive.wait(5.0)
    assert all(drive.w["driver_flags"][i] & reckless == 0 for i in drive.flow_slots())


def test_entering_ends_at_the_end_of_the_flow() -> None:
    drive = smoke_drive("EnterActorFlow", traffic=False)
    drive.to_trigger()
    sink = drive.script.flows[0].track
    end_of(drive)
    assert math.hypot(drive.w["x"][EGO] - sink.x[-1], drive.w["y"][EGO] - sink.y[-1]) < 2.5
    assert drive.w["bg_route_sources"] == 1


# Cut-in


def test_parked_car_pulls_out_in_front_of_the_ego() -> None:
    drive = smoke_drive("ParkingCutIn", traffic=False)
    car, blocker = drive.slot("car"), drive.slot("blocker")
    assert drive.beside_path(car)[0] == pytest.approx(drive.trigger_s + 35.0, abs=1.0)
    assert drive.beside_path(blocker)[0] == pytest.approx(drive.trigger_s + 28.0, abs=1.0)
    assert drive.beside_path(car)[1] > 2.0
    drive.to_trigger()
    drive.until(lambda: drive.w["behaviour"][car] == Behaviour.TRACK, SPEED)
    assert drive.trigger_s + 35.0 - drive.path_s == pytest.approx(2.35 * SPEED, abs=1.0)
    assert drive.w["bg_extra_space"] == 20.0
    drive.wait(5.0)  # the ego brakes
    assert abs(drive.beside_path(car)[1]) < 0.6  # it is in the ego's lane
    assert drive.w["speed"][car] == pytest.approx(20.0 / 3.6, abs=0.4)
    start = drive.script.cast[1].place
    drive.until(lambda: drive.slot("car") < 0)
    assert drive.w["bg_extra_space"] == 0.0
    assert math.dist(drive.place(car), start[:3]) == pytest.approx(30.0, abs=1.5)


# Give way


def test_emergency_vehicle_comes_up_close_behind_and_stays_there() -> None:
    drive = smoke_drive("YieldToEmergencyVehicle", traffic=False)
    vehicle = drive.slot("vehicle")
    assert drive.beside_path(vehicle)[0] == pytest.approx(drive.trigger_s - drive.value("distance"), abs=1.0)
    drive.to_trigger()
    assert drive.s["emergency_slot"] == vehicle
    drive.tick(SPEED)
    assert drive.w["speed"][vehicle] > SPEED + 20.0
    drive.wait(3.0, SPEED)
    behind = drive.path_s - drive.beside_path(vehicle)[0]
    assert 5.0 < behind < 20.0
    assert drive.w["speed"][vehicle] == pytest.approx(SPEED, abs=0.5)
    assert drive.w["num_contacts"] == 0
    drive.wait(6.7, SPEED)
    assert drive.status == Status.ACTIVE
    drive.wait(0.5, SPEED)
    assert drive.status == Status.DONE  # 10 s after it has come within 50 m
    assert drive.s["emergency_done"] == 1


def test_emergency_vehicle_passes_an_ego_that_makes_room() -> None:
    drive = smoke_drive("YieldToEmergencyVehicle", traffic=False)
    vehicle = drive.slot("vehicle")
    drive.to_trigger()
    for k in range(30):
        drive.tick(SPEED, right=-3.5 * (k + 1) / 30)
    passed = drive.until(lambda: drive.beside_path(vehicle)[0] > drive.path_s, SPEED, right=-3.5, limit=5.0)
    assert passed < 4.0
    drive.until(lambda: drive.status == Status.DONE, SPEED, right=-3.5, limit=4.0)


# Control loss


def test_debris_disturbs_the_ego_only_within_2_m() -> None:
    drive = smoke_drive("ControlLoss", traffic=False)
    debris = [member.place for member in drive.script.cast]
    assert [drive.beside_path(drive.slot(m.name))[0] - drive.trigger_s for m in drive.script.cast] == pytest.approx(
        [14.0, 48.0, 74.0], abs=1.0
    )
    disturbed = []
    while drive.status != Status.DONE:
        drive.tick(SPEED)
        near = min(ego_distance(drive, place) for place in debris) < 2.0
        drive.w["throttle"][EGO], drive.w["steer"][EGO] = 0.5, 0.1
        perturb_control(drive.w, drive.d)
        change = float(drive.w["throttle"][EGO]) - 0.5, float(drive.w["steer"][EGO]) - 0.1
        assert (change != (0.0, 0.0)) == near
        if near:
            disturbed.append(change)
    assert len(disturbed) == pytest.approx(3 * 4.0 / (SPEED * TICK_SECONDS), abs=4)
    throttle, steer = np.abs(np.mean(disturbed, axis=0))
    assert throttle == pytest.approx(0.03, abs=0.01)
    assert steer == pytest.approx(0.055, abs=0.015)


def test_control_loss_ends_36_m_behind_the_last_debris() -> None:
    drive = smoke_drive("ControlLoss", traffic=False)
    drive.to_trigger()
    end_of(drive)
    assert drive.path_s == pytest.approx(drive.trigger_s + 74.0 + 36.0, abs=2.0)


def test_smoke_has_one_route_for_each_type() -> None:
    assert [p.route.scenario_type for p in smoke_batch().routes] == list(RECIPES)
