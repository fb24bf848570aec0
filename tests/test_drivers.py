"""Traffic: distance, bends, walkers, tracks, lane changes, and a town full of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sim_world import BEND_RADIUS, CAR, EAST, NORTH, SOUTH, Traffic, crossroads, crowd, smoke, with_track

from simulator.drivers import FREE, HARD_BRAKE, MAX_ACCELERATION, idm
from simulator.state import TICK_SECONDS, Behaviour, DriverFlag, LightState

LIMIT = 50.0 / 3.6  # m/s, on all roads of the crossroads


@pytest.fixture
def traffic() -> Traffic:
    return Traffic(crossroads())


def gap_between(traffic: Traffic, follower: int, leader: int) -> float:
    """Bumper to bumper along the x axis, metres."""
    w = traffic.w
    return float(w["x"][leader] - w["half_length"][leader] - w["x"][follower] - w["half_length"][follower])


# Distance


@given(
    speed=st.floats(0.0, 60.0),
    wanted=st.floats(0.0, 60.0),
    gap=st.one_of(st.floats(-1.0, 200.0), st.just(FREE)),
    leader=st.floats(0.0, 60.0),
)
def test_idm_stays_within_its_accelerations(speed: float, wanted: float, gap: float, leader: float) -> None:
    assert -HARD_BRAKE <= idm(speed, wanted, gap, leader, 1.2, 2.0) <= MAX_ACCELERATION


def test_idm_is_at_rest_at_its_wanted_speed_on_a_free_road() -> None:
    assert idm(13.0, 13.0, FREE, 0.0, 1.2, 2.0) == 0.0
    assert idm(0.0, 13.0, FREE, 0.0, 1.2, 2.0) == MAX_ACCELERATION
    assert idm(20.0, 13.0, FREE, 0.0, 1.2, 2.0) < 0.0


def test_halts_behind_a_stopped_leader_without_contact(traffic: Traffic) -> None:
    follower = traffic.drive(-150.0, 1.75, EAST, speed=13.0)
    leader = traffic.spawn(CAR, -60.0, 1.75)
    traffic.seconds(15.0)
    assert traffic.speed(follower) == 0.0
    assert 1.0 < gap_between(traffic, follower, leader) < 3.0
    assert traffic.w["other_contacts"] == 0


def test_halts_for_a_leader_that_brakes_hard(traffic: Traffic) -> None:
    follower = traffic.drive(-160.0, 1.75, EAST, speed=13.0)
    leader = traffic.drive(-135.0, 1.75, EAST, speed=13.0)
    traffic.seconds(2.0)
    traffic.w["behaviour"][leader] = int(Behaviour.HOLD)  # 8 m/s2
    traffic.seconds(12.0)
    assert traffic.speed(follower) == 0.0
    assert gap_between(traffic, follower, leader) > 0.5
    assert traffic.w["other_contacts"] == 0


def test_follows_a_slower_leader_at_its_speed_and_time_gap(traffic: Traffic) -> None:
    leader = traffic.drive(-170.0, 1.75, EAST, speed=6.0)
    follower = traffic.drive(-190.0, 1.75, EAST, speed=6.0)
    traffic.w["target_speed"][leader] = 6.0
    traffic.seconds(25.0)
    assert traffic.speed(follower) == pytest.approx(6.0, abs=0.2)
    # IDM in balance: (s0 + v T) / sqrt(1 - (v / v0)^4)
    balance = (2.0 + 6.0 * 1.2) / math.sqrt(1.0 - (6.0 / LIMIT) ** 4)
    assert gap_between(traffic, follower, leader) == pytest.approx(balance, rel=0.1)


def test_does_not_brake_for_oncoming_or_parked_neighbours(traffic: Traffic) -> None:
    car = traffic.drive(-150.0, 1.75, EAST, speed=LIMIT)
    traffic.drive(-40.0, -1.75, math.pi, speed=LIMIT)
    traffic.spawn(CAR, -80.0, 4.5)  # beside the lane
    slowest = min(_speeds(traffic, car, seconds=7.0))
    assert slowest > 0.97 * LIMIT


def test_halts_before_the_end_of_a_road_that_leads_nowhere(traffic: Traffic) -> None:
    car = traffic.drive(1.75, -100.0, NORTH, speed=10.0)
    traffic.seconds(20.0)
    assert traffic.speed(car) == 0.0
    assert 138.0 < traffic.front(car, NORTH) < 140.0


def test_standing_vehicles_do_not_move_at_all(traffic: Traffic) -> None:
    parked = traffic.spawn(CAR, -80.0, 4.5)
    before = traffic.w["x"][parked], traffic.w["y"][parked], traffic.w["yaw"][parked]
    traffic.seconds(5.0)
    assert (traffic.w["x"][parked], traffic.w["y"][parked], traffic.w["yaw"][parked]) == before


# Bends


def _speeds(traffic: Traffic, slot: int, seconds: float) -> list[float]:
    found = []
    for _ in range(round(seconds / TICK_SECONDS)):
        traffic.tick()
        found.append(traffic.speed(slot))
    return found


@pytest.mark.parametrize(
    ("place", "turns"),
    [((220.0, 1.75, EAST), "SSSS"), ((-60.0, 1.75, EAST), "RSSS"), ((-60.0, 1.75, EAST), "LSSS")],
    ids=["bend", "right turn", "left turn"],
)
def test_bends_are_driven_slowly_and_on_the_lane(traffic: Traffic, place: tuple, turns: str) -> None:
    car = traffic.drive(*place, speed=13.0, turns=turns)
    sideways, offsets, speeds = [], [], []
    for _ in range(20 * 12):
        traffic.tick()
        speeds.append(traffic.speed(car))
        sideways.append(abs(traffic.speed(car) * float(traffic.w["yaw_rate"][car])))
        offsets.append(abs(float(traffic.w["lane_offset"][car])))
    assert min(speeds) < 8.0  # it did bend
    assert max(sideways) < 2.6
    assert max(offsets) < 0.3


def test_speed_in_the_bend_follows_its_radius(traffic: Traffic) -> None:
    car = traffic.drive(220.0, 1.75, EAST, speed=13.0)
    slowest = min(_speeds(traffic, car, seconds=12.0))
    # 2 m/s2 sideways on the inner lane of the bend
    assert slowest == pytest.approx(math.sqrt(2.0 * (BEND_RADIUS - 1.75)), rel=0.05)


# Walkers


@pytest.mark.parametrize("start", [4.5, 5.5, 6.5, 7.0, 7.5, 8.0, 8.5, 9.0, 10.0])
def test_brakes_for_a_walker_who_crosses_and_then_goes_on(traffic: Traffic, start: float) -> None:
    car = traffic.drive(-120.0, 1.75, EAST, speed=12.0)
    traffic.walk(-75.0, start, NORTH)
    traffic.seconds(16.0)
    assert traffic.w["other_contacts"] == 0
    assert traffic.w["x"][car] > -60.0


def test_halts_for_a_walker_who_stands_on_its_lane(traffic: Traffic) -> None:
    car = traffic.drive(-120.0, 1.75, EAST, speed=12.0)
    traffic.spawn("walker.pedestrian.0001", -70.0, 2.0)
    traffic.seconds(15.0)
    assert traffic.speed(car) == 0.0
    assert -74.0 < traffic.front(car) < -70.2
    assert traffic.w["other_contacts"] == 0


def test_walker_who_walks_along_the_road_makes_nobody_brake(traffic: Traffic) -> None:
    car = traffic.drive(-120.0, 1.75, EAST, speed=LIMIT)
    traffic.walk(-75.0, 6.0, EAST)
    assert min(_speeds(traffic, car, seconds=6.0)) > 0.97 * LIMIT


def test_who_ignores_vehicles_does_not_brake(traffic: Traffic) -> None:
    car = traffic.drive(-120.0, 1.75, EAST, speed=LIMIT)
    traffic.w["driver_flags"][car] = int(DriverFlag.IGNORE_VEHICLES)
    traffic.spawn(CAR, -60.0, 1.75)
    traffic.seconds(4.0)
    assert traffic.w["other_contacts"] > 0


def test_walker_stops_after_its_distance(traffic: Traffic) -> None:
    walker = traffic.walk(-100.0, 8.0, NORTH, speed=2.0)
    traffic.w["travel_limit"][walker] = 5.0
    traffic.seconds(5.0)
    assert traffic.speed(walker) == 0.0
    assert traffic.w["y"][walker] == pytest.approx(3.0, abs=0.5)  # 0.4 m to come to a halt


# Tracks


def on_track(speed: float, flags: DriverFlag) -> tuple[Traffic, int]:
    """A car at the start of a track that swings over to the other lane of the West road and back."""
    s = np.arange(0.0, 101.0, 1.0)
    swing = 1.75 - 1.75 * (1.0 - np.cos(2.0 * np.pi * s / 100.0))
    traffic = Traffic(with_track(crossroads(), list(zip(-150.0 + s, swing))))
    car = traffic.spawn(CAR, -150.0, 1.75)
    w = traffic.w
    w["behaviour"][car] = int(Behaviour.TRACK)
    w["track"][car] = 0
    w["target_speed"][car] = speed
    w["driver_flags"][car] = int(flags)
    return traffic, car


def test_track_is_followed_at_constant_velocity() -> None:
    traffic, car = on_track(8.0, DriverFlag.CONSTANT_VELOCITY)
    for _ in range(20 * 11):
        traffic.tick()
        assert traffic.speed(car) == 8.0
        x, y = float(traffic.w["x"][car]), float(traffic.w["y"][car])
        assert y == pytest.approx(1.75 * math.cos(2.0 * math.pi * (x + 150.0) / 100.0), abs=0.25)


def test_after_its_track_a_vehicle_goes_on_as_traffic() -> None:
    traffic, car = on_track(8.0, DriverFlag.CONSTANT_VELOCITY)
    traffic.seconds(25.0)
    assert traffic.w["behaviour"][car] == Behaviour.LANES
    assert traffic.w["x"][car] > 0.0
    traffic.spawn(CAR, 120.0, 1.75)
    traffic.seconds(15.0)
    assert traffic.speed(car) == 0.0  # its velocity is no longer imposed
    assert traffic.w["other_contacts"] == 0


def test_with_stop_at_end_a_vehicle_stands_where_its_track_ends() -> None:
    traffic, car = on_track(8.0, DriverFlag.STOP_AT_END)
    traffic.seconds(25.0)
    assert traffic.w["behaviour"][car] == Behaviour.HOLD
    assert traffic.speed(car) == 0.0
    assert -50.5 < traffic.w["x"][car] < -43.0


def test_on_a_track_vehicles_brake_for_what_stands_in_it() -> None:
    traffic, car = on_track(8.0, DriverFlag.NONE)
    traffic.spawn(CAR, -80.0, 0.5)
    traffic.seconds(25.0)
    assert traffic.speed(car) == 0.0
    assert traffic.w["other_contacts"] == 0


# Lane changes


def _slower_ahead(changes: int) -> tuple[Traffic, int]:
    """On the three lanes of Broad Avenue, a car at 16 m/s comes up behind one at 5 m/s in the middle lane."""
    traffic = Traffic(smoke())
    traffic.w["bg_lane_changes"] = changes
    fast = traffic.drive(35.0, -84.75, EAST, speed=12.0)
    slow = traffic.drive(75.0, -84.75, EAST, speed=5.0)
    traffic.w["target_speed"][slow] = 5.0
    return traffic, fast


def test_traffic_keeps_its_lane_as_in_bench2drive() -> None:
    traffic, fast = _slower_ahead(changes=0)
    lane = int(traffic.w["lane"][fast])
    traffic.seconds(9.0)
    assert traffic.w["lane"][fast] == lane
    assert traffic.speed(fast) < 7.0


def test_with_lane_changes_a_fast_car_overtakes_a_slow_one() -> None:
    traffic, fast = _slower_ahead(changes=1)
    lane = int(traffic.w["lane"][fast])
    traffic.seconds(9.0)
    assert traffic.w["lane"][fast] in (traffic.net.lane_left[lane], traffic.net.lane_right[lane])
    assert traffic.speed(fast) > 10.0
    assert abs(traffic.w["lane_offset"][fast]) < 0.5
    assert traffic.w["other_contacts"] == 0


# A town full of traffic


class Observer:
    """Watches traffic tick by tick, and counts what must not happen."""

    def __init__(self, traffic: Traffic) -> None:
        self.traffic = traffic
        self.red_runs: list[tuple[int, int]] = []
        self.largest_offset = 0.0
        self.stuck = np.zeros(len(traffic.w["kind"]))  # s at walking pace or less, red and yellow lights aside
        self.longest_stuck = 0.0
        self.metres = 0.0

    def tick(self) -> None:
        w, net = self.traffic.w, self.traffic.net
        lane, front, lights = w["lane"].copy(), w["lane_s"] + w["half_length"], w["light_state"].copy()
        self.traffic.tick()
        cars = np.flatnonzero((w["kind"] != 0) & (w["lane"] >= 0))
        self.metres += float(w["speed"][cars].sum()) * TICK_SECONDS
        self.largest_offset = max(self.largest_offset, float(abs(w["lane_offset"][cars]).max()))
        line = np.where(lane >= 0, net.lane_stop_line[lane], -1.0)
        moved_on = w["lane"] != lane
        over = (line >= 0.0) & (front < line) & (moved_on | (w["lane_s"] + w["half_length"] >= line))
        for i in cars[over[cars]]:
            light = net.lane_light[w["lane"][i] if moved_on[i] else w["plan"][i, 1]]
            if light >= 0 and lights[light] == LightState.RED:
                self.red_runs.append((int(w["tick"]), int(i)))
        ahead = w["junction_lane"]
        light = np.where(ahead >= 0, net.lane_light[ahead], -1)
        held = (light >= 0) & (w["light_state"][light] != LightState.GREEN)
        self.stuck[(w["speed"] > 3.0) | (w["kind"] == 0)] = 0.0
        self.stuck[(w["speed"] < 0.3) & ~held & (w["kind"] != 0)] += TICK_SECONDS
        self.longest_stuck = max(self.longest_stuck, float(self.stuck.max()))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_full_town_drives_for_three_minutes_without_contact_red_light_or_jam(seed: int) -> None:
    traffic = Traffic(smoke())
    traffic.run_lights()
    assert crowd(traffic, 50, seed) == 50
    observer = Observer(traffic)
    for _ in range(3 * 60 * 20):
        observer.tick()
    assert traffic.w["other_contacts"] == 0
    assert observer.red_runs == []
    assert observer.largest_offset < 1.0
    assert observer.longest_stuck < 60.0
    assert (traffic.w["lane"][traffic.w["kind"] != 0] >= 0).all()
    assert observer.metres / 50 / 180.0 > 5.0  # m/s on average, halts included


def test_a_full_town_that_changes_lanes_stays_free_of_contacts() -> None:
    traffic = Traffic(smoke())
    traffic.w["bg_lane_changes"] = 1
    traffic.run_lights()
    crowd(traffic, 50, seed=4)
    observer = Observer(traffic)
    changes = 0
    for _ in range(3 * 60 * 20):
        before = traffic.w["changing_lane"].copy()
        observer.tick()
        changes += int(((traffic.w["changing_lane"] != 0) & (before == 0)).sum())
    assert changes > 3
    assert traffic.w["other_contacts"] == 0
    assert observer.red_runs == []


def test_the_same_seed_gives_the_same_traffic() -> None:
    twins = [Traffic(smoke()), Traffic(smoke())]
    for traffic in twins:
        traffic.run_lights()
        crowd(traffic, 30, seed=9)
        traffic.seconds(30.0)
    assert twins[0].worlds.tobytes() == twins[1].worlds.tobytes()


def test_heading_constants_are_those_of_the_picture(traffic: Traffic) -> None:
    walker = traffic.walk(-100.0, 20.0, SOUTH, speed=1.0)
    traffic.seconds(1.0)
    assert traffic.w["y"][walker] == pytest.approx(21.0)
