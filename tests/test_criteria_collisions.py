"""CollisionTest: classes, what counts as the same collision, and the doubled test (docs/bench2drive.md 2.3)."""

from __future__ import annotations

import pytest
from criteria_world import Drive

from leaderboard_adapters.criteria_state import MAP_GEOMETRY, UNCLASSIFIED
from leaderboard_adapters.infractions import scores
from simulator.actors import remove_actor, set_speed
from simulator.state import EGO

CAR = "vehicle.audi.tt"


@pytest.fixture
def drive() -> Drive:
    """On its way, at x = 20 m with 10 m/s."""
    drive = Drive()
    drive.go(20.0)
    return drive


@pytest.mark.parametrize(
    ("blueprint", "name", "penalty"),
    [
        (CAR, "collisions_vehicle", 0.6),
        ("vehicle.bh.crossbike", "collisions_vehicle", 0.6),
        ("walker.pedestrian.0007", "collisions_pedestrian", 0.5),
        ("static.prop.trafficcone01", "collisions_layout", 0.65),
    ],
)
def test_partner_decides_the_class(drive: Drive, blueprint: str, name: str, penalty: float) -> None:
    slot = drive.spawn(blueprint)
    drive.touch(slot)
    drive.tick()
    partner = int(drive.w["actor_id"][slot])
    assert drive.messages(name) == [
        f"Agent collided against object with type={blueprint} and id={partner} at (x=20.0, y=1.75, z=0.0)"
    ]
    assert scores(drive.c).score_penalty == penalty


def test_map_geometry_is_layout_with_id_0(drive: Drive) -> None:
    drive.touch(MAP_GEOMETRY)
    drive.tick()
    assert drive.messages("collisions_layout") == [
        "Agent collided against object with type=static.static and id=0 at (x=20.0, y=1.75, z=0.0)"
    ]


def test_being_hit_while_parked_does_not_count(drive: Drive) -> None:
    car = drive.spawn(CAR)
    drive.stand(1)
    drive.touch(car)
    drive.tick()
    assert drive.names() == []


def test_crash_that_stops_the_ego_counts(drive: Drive) -> None:
    """The speed before the contact decides, as the official sensor callback runs before the data are refreshed."""
    car = drive.spawn(CAR)
    set_speed(drive.w, EGO, 0.0)
    drive.touch(car)
    drive.tick()
    assert drive.names() == ["collisions_vehicle"]


def test_place_of_a_collision_is_where_the_ego_was_before_the_tick(drive: Drive) -> None:
    drive.put(20.4)
    drive.touch(drive.spawn(CAR))
    drive.tick()
    assert "(x=20.0," in drive.messages("collisions_vehicle")[0]


def test_lasting_contact_is_one_collision(drive: Drive) -> None:
    car = drive.spawn(CAR)
    for k in range(40):
        drive.touch(car)
        drive.go(20.0 + 0.1 * k, speed=2.0)
    assert len(drive.names()) == 1


def test_two_partners_within_5_m_are_one_collision(drive: Drive) -> None:
    first, second = drive.spawn(CAR), drive.spawn(CAR)
    drive.touch(first)
    drive.tick()
    drive.go(24.0)
    drive.touch(second)
    drive.tick()
    assert len(drive.names()) == 1


def test_two_partners_more_than_5_m_apart_are_two_collisions(drive: Drive) -> None:
    first, second = drive.spawn(CAR), drive.spawn(CAR)
    drive.touch(first)
    drive.tick()
    drive.go(25.5)
    drive.touch(second)
    drive.tick()
    assert len(drive.names()) == 2


def test_one_partner_more_than_5_m_on_but_within_5_s_is_one_collision(drive: Drive) -> None:
    car = drive.spawn(CAR)
    drive.touch(car)
    drive.tick()
    drive.go(60.0)  # 4 s
    drive.touch(car)
    drive.tick()
    assert len(drive.names()) == 1


def test_one_partner_after_5_s_and_5_m_is_hit_again(drive: Drive) -> None:
    car = drive.spawn(CAR)
    drive.touch(car)
    drive.tick()
    drive.go(72.0)  # 5.2 s
    drive.touch(car)
    drive.tick()
    assert len(drive.names()) == 2


def test_one_partner_after_5_s_at_the_same_place_is_one_collision(drive: Drive) -> None:
    car = drive.spawn(CAR)
    drive.touch(car)
    drive.tick()
    drive.stand(150)
    drive.go(20.5)
    drive.touch(car)
    drive.tick()
    assert len(drive.names()) == 1


def test_map_geometry_is_told_apart_by_place_only(drive: Drive) -> None:
    drive.touch(MAP_GEOMETRY)
    drive.tick()
    drive.go(26.0)  # 0.6 s
    drive.touch(MAP_GEOMETRY)
    drive.tick()
    assert drive.names() == ["collisions_layout"] * 2


def test_unclassified_contact_has_no_event_but_hides_others_near_it(drive: Drive) -> None:
    car = drive.spawn(CAR)
    drive.touch(UNCLASSIFIED)
    drive.tick()
    drive.go(23.0)
    drive.touch(car)
    drive.tick()
    assert drive.names() == []
    drive.go(26.0)
    drive.touch(car)
    drive.tick()
    assert drive.names() == ["collisions_vehicle"]


def test_two_contacts_of_one_tick_are_one_collision(drive: Drive) -> None:
    drive.touch(drive.spawn(CAR), drive.spawn("walker.pedestrian.0001"))
    drive.tick()
    assert drive.names() == ["collisions_vehicle"]


def test_partner_that_a_scenario_removed_in_the_same_tick_keeps_its_class(drive: Drive) -> None:
    walker = drive.spawn("walker.pedestrian.0001")
    drive.touch(walker)
    remove_actor(drive.w, walker)
    drive.tick()
    assert drive.names() == ["collisions_pedestrian"]


def test_second_test_of_a_scenario_books_every_collision_again(drive: Drive) -> None:
    walker = drive.spawn("walker.pedestrian.0001")
    drive.switches["double_collision"] = 1
    drive.tick()
    drive.touch(walker)
    drive.tick()
    messages = drive.messages("collisions_pedestrian")
    assert len(messages) == 2
    assert messages[0] == messages[1]
    assert scores(drive.c).score_penalty == 0.25


def test_second_test_hears_from_the_tick_after_it_is_switched_on(drive: Drive) -> None:
    drive.switches["double_collision"] = 1
    drive.touch(drive.spawn("walker.pedestrian.0001"))
    drive.tick()
    assert len(drive.names()) == 1


def test_second_test_starts_without_memory(drive: Drive) -> None:
    car = drive.spawn(CAR)
    drive.touch(car)
    drive.tick()
    drive.switches["double_collision"] = 1
    drive.tick()
    drive.touch(car)
    drive.tick()
    assert len(drive.names()) == 2


def test_second_test_is_silent_once_its_scenario_is_over(drive: Drive) -> None:
    drive.switches["double_collision"] = 1
    drive.tick()
    drive.switches["double_collision"] = 0
    drive.tick()
    drive.touch(drive.spawn(CAR))
    drive.tick()
    assert len(drive.names()) == 1


def test_entries_of_the_second_test_follow_those_of_the_first(drive: Drive) -> None:
    first, second = drive.spawn(CAR), drive.spawn("vehicle.bmw.grandtourer")
    drive.switches["double_collision"] = 1
    drive.tick()
    drive.touch(first)
    drive.tick()
    drive.go(40.0)
    drive.touch(second)
    drive.tick()
    kinds = [m.split("type=")[1].split(" ")[0] for m in drive.messages("collisions_vehicle")]
    assert kinds == [CAR, "vehicle.bmw.grandtourer"] * 2


def test_more_collisions_than_the_record_holds_are_counted(drive: Drive) -> None:
    for k in range(70):
        drive.touch(MAP_GEOMETRY)
        drive.tick()
        drive.go(26.0 + 5.2 * k)
    assert drive.c["num_events"] + drive.c["events_lost"] == drive.c["counts"].sum() - drive.c["num_speed_events"]
    assert drive.c["events_lost"] > 0
