"""Scenario types with streams to enter or to cross (docs/bench2drive.md 1.7)."""

from __future__ import annotations

import math

import numpy as np
import pytest

from simulator.state import EGO, DriverFlag, LightState
from tests.scenario_drive import Drive, smoke_drive
from tests.type_drives import (
    LANE,
    SPEED,
    drive_of,
    end_of,
    exit_s,
    has_light,
    junction_ahead,
    lights,
    many,
)

# Of the smoke suite


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


# Beyond it


MERGERS = ("MergerIntoSlowTraffic", "MergerIntoSlowTrafficV2", "EnterActorFlowV2")


@pytest.mark.parametrize("kind", MERGERS)
def test_slow_traffic_is_there_when_the_ego_comes(kind: str) -> None:
    drive = drive_of(kind)
    drive.to_trigger()
    slots = drive.flow_slots()
    low, high = drive.value("source_dist_interval", "from"), drive.value("source_dist_interval", "to")
    line = drive.script.flows[0].track
    assert len(drive.script.flows) == 1
    assert len(slots) >= int((len(line.x) - 1) * line.step / high)
    gaps = np.diff(np.sort(drive.w["track_s"][slots]))[1:]
    assert np.all((gaps > low - 1.0) & (gaps < high + 2.0))
    assert drive.w["speed"][slots] == pytest.approx([drive.value("flow_speed")] * len(slots))
    assert drive.w["bg_route_sources"] == 0
    assert drive.w["bg_keep_behind"] == 1
    assert drive.w["bg_clear_junction"] == (-1 if kind.endswith("V2") else junction_ahead(drive))


@pytest.mark.parametrize("kind", MERGERS)
def test_merging_ends_at_the_end_of_the_slow_traffic(kind: str) -> None:
    drive = drive_of(kind)
    drive.to_trigger()
    line = drive.script.flows[0].track
    end_of(drive)
    assert math.hypot(drive.w["x"][EGO] - line.x[-1], drive.w["y"][EGO] - line.y[-1]) < 2.5
    assert drive.w["bg_route_sources"] == 1


@pytest.mark.parametrize("kind", ["MergerIntoSlowTrafficV2", "EnterActorFlowV2"])
def test_the_second_version_closes_the_way_behind_the_junction(kind: str) -> None:
    drive = drive_of(kind)
    drive.to_trigger()
    net = drive.batch.network.arrays
    k = int((exit_s(drive) + 10.0) / drive.geometry.path_step)
    roads = {int(net.lane_road[lane]) for lane in drive.w["closed_lane"][: int(drive.w["num_closed"])]}
    assert int(net.lane_road[drive.geometry.path_lane[k]]) in roads


def test_oncoming_stream_of_an_interurban_road_is_to_be_crossed() -> None:
    drive = drive_of("InterurbanActorFlow")
    drive.to_trigger(4.0)
    assert drive.w["bg_opposite_active"] == 0
    assert drive.w["num_closed"] == 3
    assert len(drive.flow_slots()) <= 1  # none from the beginning
    nearest = []
    for _ in range(400):
        drive.tick()
        nearest += [abs(right) for s, right in map(drive.beside_path, drive.flow_slots()) if s < exit_s(drive)]
    assert min(nearest) < 1.5
    at = exit_s(drive)
    end_of(drive)
    assert drive.path_s == pytest.approx(at, abs=1.5)


def test_one_stream_to_cross_and_one_to_enter() -> None:
    drive = drive_of("InterurbanAdvancedActorFlow")
    drive.to_trigger(4.0)
    assert drive.w["bg_opposite_active"] == 0
    assert drive.w["bg_route_sources"] == 0
    cross, enter = (flow.track for flow in drive.script.flows)
    assert math.cos(cross.yaw[0] - enter.yaw[-1]) < -0.8  # side by side, in opposite directions
    assert math.hypot(cross.x[0] - enter.x[-1], cross.y[0] - enter.y[-1]) == pytest.approx(LANE, abs=0.7)
    seen = set()
    for _ in range(300):
        drive.tick()
        seen |= {int(drive.d["slot_flow"][i]) for i in drive.flow_slots()}
    assert len(seen) == 2
    ends = [(enter.x[-1], enter.y[-1])]
    k = int(np.argmin(np.hypot(drive.geometry.path_x - ends[0][0], drive.geometry.path_y - ends[0][1])))
    end_of(drive)
    assert drive.path_s == pytest.approx(k * drive.geometry.path_step, abs=2.0)


def test_bicycles_cross_the_turn_of_the_ego() -> None:
    drive = drive_of("CrossingBicycleFlow")
    drive.to_trigger(4.0)
    slots = drive.flow_slots()
    assert len(slots) >= 2  # some are there from the beginning
    flow = drive.script.flows[0]
    along = drive.w["track_s"][slots]
    assert not np.any((along > flow.junction_from + 1.0) & (along < flow.junction_to - 1.0))
    assert set(drive.w["blueprint"][slots]) <= set(flow.choices)
    assert drive.w["bg_entries_stopped"] == 1
    nearest = []
    for _ in range(400):
        drive.tick()
        slots = drive.flow_slots()
        nearest += [abs(right) for s, right in map(drive.beside_path, slots) if s < exit_s(drive) + 5.0]
    assert drive.w["speed"][slots] == pytest.approx([drive.value("flow_speed")] * len(slots), abs=1.5)
    assert min(nearest) < 1.0
    at = exit_s(drive)
    end_of(drive)
    assert drive.path_s == pytest.approx(at, abs=1.5)


def test_the_turn_across_bicycles_gets_green_after_5_s_where_there_are_lights() -> None:
    routes = many("CrossingBicycleFlow", 5)
    held = [k for k in range(5) if has_light(routes, k)]
    drive = Drive(routes, held[0], traffic=False)
    drive.to_trigger()
    assert lights(drive) == (LightState.RED, {LightState.RED})
    drive.wait(4.8)
    assert lights(drive) == (LightState.RED, {LightState.RED})
    drive.wait(0.4)
    assert lights(drive) == (LightState.GREEN, {LightState.RED})
