"""Contacts: when boxes touch, what that does to speeds and places, and what the record says of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from simulator.actors import place_actor, set_speed
from simulator.blueprints import EGO_BLUEPRINT, blueprint_index
from simulator.collisions import collide, mass_of, overlap
from simulator.state import EGO, MAX_CONTACTS, Behaviour, Role, empty_worlds

CAR, TRUCK, BIKE = "vehicle.lincoln.mkz_2020", "vehicle.carlamotors.firetruck", "vehicle.bh.crossbike"
WALKER, CONE, CONTAINER, DEBRIS = (
    "walker.pedestrian.0001",
    "static.prop.trafficcone01",
    "static.prop.container",
    "static.prop.dirtdebris01",
)


def open_ground(speed: float = 10.0) -> np.void:
    """A world in which the ego drives east through the origin."""
    w = empty_worlds(1)[0]
    put(w, EGO, CAR, 0.0, 0.0, speed=speed)
    return w


def put(
    w: np.void, slot: int, blueprint: str, x: float, y: float, yaw: float = 0.0, speed: float = 0.0, z: float = 0.0
) -> int:
    index = EGO_BLUEPRINT if blueprint == CAR else blueprint_index(blueprint)
    place_actor(w, slot, index, int(Role.SCENARIO), x, y, z, yaw)
    set_speed(w, slot, speed)
    return slot


def momentum(w: np.void, *slots: int) -> np.ndarray:
    return sum(mass_of(w, k) * np.array([w["vx"][k], w["vy"][k]]) for k in slots)


# When boxes touch


def points_of(w: np.void, i: int, count: int = 60) -> np.ndarray:
    """float64[count, count, 2] points all over a box, its border included."""
    along = np.linspace(-w["half_length"][i], w["half_length"][i], count)
    across = np.linspace(-w["half_width"][i], w["half_width"][i], count)
    a, b = np.meshgrid(along, across)
    c, s = math.cos(w["yaw"][i]), math.sin(w["yaw"][i])
    return np.stack([w["x"][i] + a * c - b * s, w["y"][i] + a * s + b * c], axis=-1)


def depth_in(w: np.void, i: int, points: np.ndarray) -> float:
    """How deep the deepest of the points lies inside a box, negative when all are outside."""
    c, s = math.cos(w["yaw"][i]), math.sin(w["yaw"][i])
    dx, dy = points[..., 0] - w["x"][i], points[..., 1] - w["y"][i]
    along, across = abs(dx * c + dy * s), abs(-dx * s + dy * c)
    return float(np.minimum(w["half_length"][i] - along, w["half_width"][i] - across).max())


@settings(max_examples=200)
@given(
    x=st.floats(-7.0, 7.0),
    y=st.floats(-7.0, 7.0),
    yaw=st.floats(-math.pi, math.pi),
    other_yaw=st.floats(-math.pi, math.pi),
    blueprint=st.sampled_from([CAR, TRUCK, BIKE, WALKER, CONTAINER]),
)
def test_overlap_agrees_with_points_inside_both_boxes(
    x: float, y: float, yaw: float, other_yaw: float, blueprint: str
) -> None:
    w = open_ground()
    w["yaw"][EGO] = yaw
    put(w, 1, blueprint, x, y, other_yaw)
    depth, nx, ny = overlap(w, EGO, 1)
    inside = max(depth_in(w, EGO, points_of(w, 1)), depth_in(w, 1, points_of(w, EGO)))
    assume(abs(inside) > 0.02)  # closer than the points can tell
    if depth > 0.0:
        assume(depth > 0.15)  # corners may slip between the points
    assert (depth > 0.0) == (inside > 0.0)
    if depth > 0.0:
        assert math.hypot(nx, ny) == pytest.approx(1.0)


@settings(max_examples=100)
@given(
    x=st.floats(-3.0, 3.0), y=st.floats(-2.0, 2.0), yaw=st.floats(-math.pi, math.pi), other=st.floats(-math.pi, math.pi)
)
def test_pushing_by_the_depth_along_the_normal_separates(x: float, y: float, yaw: float, other: float) -> None:
    w = open_ground()
    w["yaw"][EGO] = yaw
    put(w, 1, CAR, x, y, other)
    depth, nx, ny = overlap(w, EGO, 1)
    assume(depth > 0.0)
    w["x"][EGO] += nx * (depth + 1e-9)
    w["y"][EGO] += ny * (depth + 1e-9)
    assert overlap(w, EGO, 1)[0] <= 0.0


def test_overlap_is_symmetric() -> None:
    w = open_ground()
    put(w, 1, CAR, 3.0, 1.0, 0.7)
    there, back = overlap(w, EGO, 1), overlap(w, 1, EGO)
    assert there[0] == pytest.approx(back[0])
    assert there[1:] == pytest.approx([-back[1], -back[2]])


# What a contact does


@pytest.mark.parametrize("other_speed", [-10.0, 0.0, 5.0])
def test_momentum_along_the_contact_is_kept(other_speed: float) -> None:
    w = open_ground(speed=12.0)
    put(w, 1, CAR, 4.5, 0.3, speed=other_speed)
    before = momentum(w, EGO, 1)
    collide(w)
    assert momentum(w, EGO, 1) == pytest.approx(before)


def test_rear_end_pushes_the_one_in_front_and_slows_the_one_behind() -> None:
    w = open_ground(speed=12.0)
    put(w, 1, CAR, 4.5, 0.0, speed=2.0)
    collide(w)
    ego, other = float(w["speed"][EGO]), float(w["speed"][1])
    assert 2.0 < ego < other < 12.0
    assert other - ego == pytest.approx(0.1 * 10.0)  # restitution 0.1


def test_a_heavy_vehicle_gives_way_less_than_a_light_one() -> None:
    w = open_ground(speed=0.0)
    put(w, 1, TRUCK, 6.5, 0.0, math.pi, speed=5.0)
    collide(w)
    assert abs(w["vx"][EGO]) > 3.0
    assert 5.0 - w["speed"][1] < 0.5 * abs(w["vx"][EGO])


def test_contact_pushes_boxes_apart_until_they_only_touch() -> None:
    w = open_ground()
    put(w, 1, CAR, 4.0, 0.5, 0.3)
    collide(w)
    assert overlap(w, EGO, 1)[0] == pytest.approx(0.0, abs=1e-9)


def test_cars_that_drive_apart_exchange_no_momentum() -> None:
    w = open_ground(speed=-3.0)
    put(w, 1, CAR, 4.5, 0.0, speed=6.0)
    collide(w)
    assert w["speed"][EGO] == -3.0
    assert w["speed"][1] == 6.0
    assert w["num_contacts"] == 1


def test_walker_who_is_hit_falls_and_stays() -> None:
    w = open_ground(speed=8.0)
    put(w, 1, WALKER, 2.5, 0.5, math.pi / 2, speed=1.4)
    w["behaviour"][1] = int(Behaviour.WALK)
    w["target_speed"][1] = 1.4
    collide(w)
    assert w["behaviour"][1] == Behaviour.HOLD
    assert w["speed"][1] == w["vx"][1] == w["vy"][1] == 0.0
    assert w["speed"][EGO] > 7.5  # 75 kg do not stop a car


def test_a_glancing_blow_keeps_what_lies_along_the_wheels() -> None:
    w = open_ground(speed=10.0)
    put(w, 1, CAR, 1.0, 2.1, -0.1, speed=10.0)
    collide(w)
    assert w["num_contacts"] == 1
    assert w["speed"][EGO] > 9.0
    assert w["vy"][EGO] == 0.0


# Props


def test_small_props_are_pushed_aside_and_hardly_slow_a_car() -> None:
    w = open_ground(speed=10.0)
    put(w, 1, CONE, 2.5, 0.0)
    collide(w)
    assert w["x"][1] > 2.6
    assert w["speed"][EGO] > 9.8
    assert w["vx"][1] == 0.0
    assert list(w["contact_slot"][: w["num_contacts"]]) == [1]


def test_large_props_stop_a_car_more() -> None:
    w = open_ground(speed=10.0)
    put(w, 1, CONTAINER, 3.3, 0.0)
    collide(w)
    assert w["speed"][EGO] < 9.0


def test_debris_is_driven_over() -> None:
    w = open_ground(speed=10.0)
    put(w, 1, DEBRIS, 1.0, 0.0)
    collide(w)
    assert w["num_contacts"] == 0
    assert w["speed"][EGO] == 10.0
    assert w["x"][1] == 1.0


def test_props_do_not_hit_each_other() -> None:
    w = open_ground(speed=0.0)
    w["x"][EGO] = 100.0
    put(w, 1, CONTAINER, 0.0, 0.0, speed=1.0)
    put(w, 2, CONTAINER, 0.5, 0.0)
    collide(w)
    assert w["x"][2] == 0.5
    assert w["other_contacts"] == 0


# What the record says


def test_contact_of_the_ego_is_noted_with_slot_and_change_of_speed() -> None:
    w = open_ground(speed=10.0)
    put(w, 1, CAR, 50.0, 0.0)
    put(w, 2, CAR, 4.5, 0.0)
    collide(w)
    assert w["num_contacts"] == 1
    assert w["contact_slot"][0] == 2
    assert w["contact_impulse"][0] == pytest.approx(10.0 - w["speed"][EGO])
    assert w["other_contacts"] == 0


def test_contacts_are_those_of_this_tick() -> None:
    w = open_ground(speed=10.0)
    put(w, 1, CAR, 4.5, 0.0)
    collide(w)
    w["x"][1] = 50.0
    collide(w)
    assert w["num_contacts"] == 0


def test_contacts_among_others_are_counted_apart() -> None:
    w = open_ground()
    put(w, 1, CAR, 50.0, 0.0, speed=5.0)
    put(w, 2, CAR, 54.0, 0.0)
    collide(w)
    assert w["num_contacts"] == 0
    assert w["other_contacts"] == 1


def test_no_more_contacts_are_noted_than_there_is_room_for() -> None:
    w = open_ground(speed=10.0)
    for slot in range(1, MAX_CONTACTS + 4):
        put(w, slot, CONE, 2.5, -1.0 + 0.18 * slot)
    collide(w)
    assert w["num_contacts"] == MAX_CONTACTS


@pytest.mark.parametrize("case", ["hidden", "above", "both stand"])
def test_no_contact_with(case: str) -> None:
    w = open_ground(speed=0.0 if case == "both stand" else 10.0)
    put(w, 1, CAR, 4.5, 0.0, z=6.0 if case == "above" else 0.0)
    w["hidden"][1] = int(case == "hidden")
    collide(w)
    assert w["num_contacts"] == 0
    assert w["x"][1] == 4.5


# Open doors


@pytest.mark.parametrize(
    ("door", "passed_on", "hit"), [(1, -2.6, True), (1, 2.6, False), (2, 2.6, True), (0, -2.6, False)]
)
def test_an_open_door_is_hit_on_its_side(door: int, passed_on: float, hit: bool) -> None:
    """`door`: 1 front left, 2 front right, 0 closed; `passed_on`: metres right of the parked car where the ego is."""
    w = open_ground()
    parked = put(w, 1, "vehicle.tesla.model3", 1.0, -passed_on)
    w["door"][parked] = door
    collide(w)
    assert (w["num_contacts"] > 0) == hit
