"""Recordings: what is written comes back, damage is named, drives are recorded and never harmed by it."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_drive import drive, task_for

from evaluation.recorder import FRAME_TICKS, NEAR_METRES
from leaderboard_adapters.recordings import (
    ACTOR_COLUMNS,
    EGO_COLUMNS,
    FRAME_COLUMNS,
    VERSION,
    ActorCard,
    Recording,
    ScenarioCard,
    Table,
    as_table,
    read_recording,
    validate,
    write_recording,
)
from leaderboard_adapters.story import Happening, Moment
from simulator.errors import ResultFileError

CAR = ActorCard(101, "vehicle.audi.tt", "scenario", "ParkedObstacle_1", "car")
WALKER = ActorCard(102, "walker.pedestrian.0001", "background")


def table(columns: Any, rows: list[tuple[float, ...]]) -> Table:
    return as_table(columns, np.array(rows))


def two_frames(**changes: Any) -> Recording:
    """Eight ticks, frames at 0, 4, 8; a car that turns through north all the time, a walker in the last frame only."""
    ego = [(k, 2.0 * k, 0.0, 0.1 * k, 0.0, 10.0, 0.0, 0.0, 0.0, 0.5, 0.0, -0.25) for k in range(9)]
    rows = [
        (0, 0, 10.0, 5.0, 0.25, 3.1, 0.0, 4.0, 0, 0),
        (0, 1, 14.0, 5.0, 0.25, -3.1, 0.0, 8.0, 8, 1),
        (0, 2, 18.0, 5.0, 0.25, -3.0, 0.0, 8.0, 8, 1),
        (1, 2, -7.0, 1.0, 0.0, 0.0, 0.0, 1.5, 0, 0),
    ]
    values: dict[str, Any] = {
        "header": {"route_id": "RouteScenario_1_rep0", "score_composed": 60.0},
        "actors": (CAR, WALKER),
        "scenarios": (ScenarioCard("ParkedObstacle_1", "ParkedObstacle", 1.0, 2.0, 0.0, 90.0, 20.0),),
        "timeline": (Moment(3, Happening.TRIGGER, "triggers", scenario="ParkedObstacle_1", speed=5.0),),
        "ego": table(EGO_COLUMNS, ego),
        "frames": table(FRAME_COLUMNS, [(0, 0, 0.0, 0.0, 0.0), (4, 8, 10.0, 5.0, 0.1), (8, 0, 20.0, 10.0, -0.1)]),
        "actor_rows": table(ACTOR_COLUMNS, rows),
        "lights": table(("tick", "light", "state"), [(0, 3, 0), (0, 5, 2), (6, 3, 2)]),
        "path": table("xyz", [(0.0, 0.0, 0.0), (2.0, 0.0, 0.0)]),
        "trace": table("xyz", [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0)]),
        "weather_tick": np.array([0, 5]),
        "weather": np.arange(28, dtype=np.float32).reshape(2, 14),
    }
    return Recording(**{**values, **changes})


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path = tmp_path / "deep" / "one.npz"
    write_recording(path, two_frames())
    return path


def test_a_recording_comes_back(stored: Path) -> None:
    before, after = two_frames(), read_recording(stored)
    assert (after.header, after.actors, after.scenarios) == (before.header, before.actors, before.scenarios)
    assert after.timeline == before.timeline
    assert after.num_ticks == 8
    for name in ("ego", "frames", "actor_rows", "lights", "path", "trace"):
        for column, values in getattr(before, name).items():
            np.testing.assert_allclose(getattr(after, name)[column], values, atol=0.0051, err_msg=f"{name}.{column}")
    np.testing.assert_array_equal(after.weather, before.weather)


def test_what_was_read_is_written_to_the_same_bytes(stored: Path, tmp_path: Path) -> None:
    write_recording(tmp_path / "again.npz", read_recording(stored))
    assert (tmp_path / "again.npz").read_bytes() == stored.read_bytes()


def test_actors_are_interpolated_between_frames_the_short_way_round() -> None:
    recording = two_frames()
    (car,) = recording.poses(1.0)
    assert car.card == CAR
    assert (car.x, car.y, car.speed, car.lights, car.door) == (11.0, 5.0, 5.0, 0, 0)
    assert math.cos(car.yaw) < -0.99  # through 180 degrees, not through 0
    (car,) = recording.poses(3.0)
    assert (car.x, car.lights, car.door) == (13.0, 8, 1)


@pytest.mark.parametrize(("tick", "cards"), [(0, [CAR]), (5.9, [CAR]), (6.1, [CAR, WALKER]), (99, [CAR, WALKER])])
def test_who_comes_between_two_frames_is_there_from_the_middle_on(tick: float, cards: list[ActorCard]) -> None:
    assert [pose.card for pose in two_frames().poses(tick)] == cards


def test_lights_and_weather_hold_until_they_change() -> None:
    recording = two_frames()
    assert recording.light_states(5) == {3: 0, 5: 2}
    assert recording.light_states(6) == {3: 2, 5: 2}
    assert recording.weather_at(4)["cloudiness"] == 0.0
    assert recording.weather_at(5)["cloudiness"] == 14.0


def test_the_rows_of_an_actor_have_ticks() -> None:
    rows = two_frames(frames=table(FRAME_COLUMNS, [(0,) * 5, (4,) * 5, (8,) * 5])).rows_of(0)
    assert rows["x"].tolist() == [10.0, 14.0, 18.0]


def members(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as archive:
        return {name: archive[name] for name in archive.files}


def with_header(stored: Path, **changes: Any) -> dict[str, np.ndarray]:
    found = members(stored)
    document = {**json.loads(found["header"].tobytes()), **changes}
    return {**found, "header": np.frombuffer(json.dumps(document).encode(), np.uint8)}


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda p: p.write_bytes(p.read_bytes()[:700]), "damaged"),
        (lambda p: p.write_bytes(b""), "damaged"),
        (lambda p: p.write_text("{}"), "damaged"),
        (lambda p: p.unlink(), "cannot be read: No such file"),
        (lambda p: np.savez(p, header=np.zeros(3, np.uint8)), "not a recording: actor_rows, ego, "),
        (lambda p: np.savez(p, **{**members(p), "header": np.zeros(3, np.uint8)}), "header: no JSON"),
        (lambda p: np.savez(p, **{**members(p), "header": np.array([{}], object)}), "damaged"),
        (lambda p: np.savez(p, **{**members(p), "ego": np.zeros((3, 9), np.int32)}), r"ego: expected int32\[12, n\]"),
        (lambda p: np.savez(p, **{**members(p), "ego": np.zeros((12, 0), np.int32)}), "ego: it has no row"),
        (lambda p: np.savez(p, **{**members(p), "weather": np.zeros((1, 14))}), "weather: shape"),
        (lambda p: np.savez(p, **with_header(p, schema="other")), 'expected "routegym-recording"'),
        (lambda p: np.savez(p, **with_header(p, version=VERSION + 1)), f"this version reads {VERSION}"),
        (lambda p: np.savez(p, **with_header(p, actors=[list(CAR)])), "an actor is not in the header"),
        (lambda p: np.savez(p, **with_header(p, actors=[["car"], ["b"]])), r"header\.actors\[0\]: expected \[actor, "),
        (lambda p: np.savez(p, **with_header(p, timeline=[{"tick": 1}])), r"timeline\[0\]\.kind is missing"),
    ],
)
def test_damage_is_named(stored: Path, damage: Any, says: str) -> None:
    damage(stored)
    with pytest.raises(ResultFileError, match=says) as caught:
        read_recording(stored)
    assert str(stored) in str(caught.value)


def test_rows_out_of_order_are_refused() -> None:
    recording = two_frames()
    shuffled = {name: column[::-1] for name, column in recording.actor_rows.items()}
    with pytest.raises(ResultFileError, match="sorted by actor"):
        validate(dataclasses.replace(recording, actor_rows=shuffled))


def test_a_failed_write_leaves_the_old_file_and_no_other(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(28, "No space left on device")

    before = stored.read_bytes()
    monkeypatch.setattr(np.lib.format, "write_array", full)
    with pytest.raises(OSError, match="No space left"):
        write_recording(stored, two_frames())
    assert stored.read_bytes() == before
    assert list(stored.parent.iterdir()) == [stored]


# --- drives ----------------------------------------------------------------------------------------------------------


def recorded(folder: Path, scenario_type: str, agent: str) -> Recording:
    result = drive(dataclasses.replace(task_for(scenario_type, agent), recordings=str(folder)))
    assert not any("no recording" in note for note in result.notes)
    return read_recording(folder / f"{result.route_id}.npz")


@pytest.fixture(scope="module")
def ride(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return recorded(tmp_path_factory.mktemp("recordings"), "ParkingCutIn", "autopilot")


def test_the_ego_is_recorded_every_tick(ride: Recording) -> None:
    ego = ride.ego
    assert ride.num_ticks == ride.header["num_ticks"]
    steps = np.hypot(np.diff(ego["x"]), np.diff(ego["y"]))
    np.testing.assert_allclose(steps, np.abs(ego["speed"][:-1]) * 0.05, atol=0.03)
    assert set(np.unique(ego["brake"] > 0)) == {False, True}
    assert ((ego["throttle"] >= 0) & (ego["throttle"] <= 1)).all()
    assert np.abs(np.diff(ego["yaw"])).max() < 0.1


def test_frames_come_five_times_a_second_and_when_something_happens(ride: Recording) -> None:
    ticks = set(ride.frames["tick"].tolist())
    assert set(range(0, ride.num_ticks + 1, FRAME_TICKS)) <= ticks
    assert {moment.tick for moment in ride.timeline} - {ride.num_ticks} <= ticks
    assert (np.diff(ride.frames["percent"]) >= 0).all()
    assert ride.frames["percent"][-1] > 95.0


def test_near_actors_are_recorded_with_who_they_are(ride: Recording) -> None:
    cast = {card.member: i for i, card in enumerate(ride.actors) if card.scenario == "ParkingCutIn_1"}
    assert set(cast) == {"blocker", "car"}
    assert {card.role for card in ride.actors} >= {"scenario", "background"}
    rows = ride.rows_of(cast["car"])
    assert np.hypot(rows["x"][-1] - rows["x"][0], rows["y"][-1] - rows["y"][0]) > 20.0
    ego = np.stack([ride.ego["x"], ride.ego["y"]])[:, ride.frames["tick"][ride.actor_rows["frame"]]]
    away = np.hypot(ride.actor_rows["x"] - ego[0], ride.actor_rows["y"] - ego[1])
    assert away.max() < NEAR_METRES + 0.1


def test_the_recording_tells_of_route_scenario_and_result(ride: Recording) -> None:
    assert ride.header["scenario_type"] == "ParkingCutIn"
    assert ride.header["agent"] == "autopilot"
    assert [scenario.type for scenario in ride.scenarios] == ["ParkingCutIn"]
    way = np.stack([ride.ego["x"], ride.ego["y"]], axis=1)
    for name in ("path", "trace"):
        line = np.stack([getattr(ride, name)["x"], getattr(ride, name)["y"]], axis=1)
        assert np.hypot(*(line[0] - way[0])).max() < 3.0
        assert np.hypot(*(line[-1] - way[-1])).max() < 8.0
    assert ride.weather_at(0)["sun_altitude_angle"] > -91.0
    assert ride.timeline[-1].kind == Happening.ROUTE_END


def test_the_same_drive_leaves_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        recorded(tmp_path / name, "PedestrianCrossing", "autopilot")
    (a,), (b,) = (list((tmp_path / name).iterdir()) for name in "ab")
    assert a.read_bytes() == b.read_bytes()
    assert a.stat().st_size < 150_000


def test_a_recording_that_cannot_be_written_costs_the_recording_only(tmp_path: Path) -> None:
    task = task_for("PedestrianCrossing", "autopilot")
    good = drive(task)
    (tmp_path / "file").write_text("")
    result = drive(dataclasses.replace(task, recordings=str(tmp_path / "file")))
    assert result.notes[-1].startswith("no recording: ")
    assert dataclasses.replace(result, notes=(), duration_system=0.0) == dataclasses.replace(
        good, notes=(), duration_system=0.0
    )


def test_infractions_stand_in_the_recording(tmp_path: Path) -> None:
    recording = recorded(tmp_path, "PedestrianCrossing", "constant:0.5")
    hits = [i for i in recording.header["infractions"] if i["name"] == "collisions_pedestrian"]
    assert hits
    assert all(hit["tick"] in recording.frames["tick"] for hit in hits)
