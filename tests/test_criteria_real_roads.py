"""The criteria on a whole town: MiniTown, with CARLA's own map as the judge of lanes."""

from __future__ import annotations

import math

import carla
import numpy as np
import pytest
from criteria_world import Drive, straight_route

from leaderboard_adapters.criteria import reset_criteria, update_criteria
from leaderboard_adapters.criteria_lanes import place_ego
from leaderboard_adapters.criteria_state import RouteEnd
from leaderboard_adapters.infractions import infraction_list
from simulator.actors import set_speed
from simulator.array_bundle import bundle
from simulator.roads.network import LaneType, RoadNetwork
from simulator.roads.planner import TracedRoute, trace_routes
from simulator.roads.queries import advance, lane_pose
from simulator.roads.towns import load_named_town
from simulator.route_arrays import RouteArrays
from simulator.state import EGO, LightState


@pytest.fixture(scope="module")
def mini_town() -> RoadNetwork:
    return load_named_town("MiniTown", None)


def test_place_of_the_ego_is_judged_as_by_carlas_map(mini_town: RoadNetwork) -> None:
    town_map = carla.Map("MiniTown", mini_town.xodr)
    arrays = mini_town.arrays
    drive = Drive()
    net = bundle(arrays)
    random = np.random.default_rng(1)
    points = np.flatnonzero(arrays.lane_type[arrays.point_lane] == LaneType.DRIVING)
    outside = 0
    for p in random.choice(points, 400):
        shift = random.normal(0.0, (4.0, 4.0, 0.2))
        point = np.array([arrays.point_x[p], arrays.point_y[p], arrays.point_z[p]])
        place = carla.Location(*(point + shift).tolist())
        driving = town_map.get_waypoint(place, lane_type=carla.LaneType.Driving)
        parking = town_map.get_waypoint(place, lane_type=carla.LaneType.Parking)
        nearer = min((parking, driving), key=lambda w: place.distance(w.transform.location))
        margin = place.distance(nearer.transform.location) - nearer.lane_width / 2 - 0.5
        drive.w["x"][EGO], drive.w["y"][EGO], drive.w["z"][EGO] = place.x, place.y, place.z
        place_ego(drive.w, drive.c, net)
        waypoint = (drive.c["ego_lane_x"], drive.c["ego_lane_y"], drive.c["ego_lane_z"])
        gap = math.dist(waypoint, (place.x, place.y, place.z))
        assert gap == pytest.approx(place.distance(driving.transform.location), abs=0.2)
        if abs(margin) > 0.2:  # CARLA's projection is that rough on slopes
            assert drive.c["outside_lane"] == (margin > 0)
            outside += margin > 0
    assert outside > 20


def _trace_along(town: RoadNetwork, lane: int, length: float) -> TracedRoute:
    net = bundle(town.arrays)
    places = []
    for metres in np.arange(5.0, length, 4.0):
        places.append(
            lane_pose(
                net,
                *advance(net, lane, 0.0, metres, 0),
            )[:3]
        )
    return trace_routes(town.xodr, town.town, [np.array(places)])[0]


def _as_route(trace: TracedRoute) -> RouteArrays:
    return straight_route()._replace(
        trace_first=np.array([0, len(trace)]),
        trace_x=trace.x,
        trace_y=trace.y,
        trace_z=trace.z,
        trace_yaw=trace.yaw,
        trace_pitch=trace.pitch,
        trace_distance=trace.s,
    )


def test_following_the_traced_route_completes_it_without_lane_infractions(mini_town: RoadNetwork) -> None:
    arrays = mini_town.arrays
    roads = np.flatnonzero(
        (arrays.lane_type == LaneType.DRIVING) & (arrays.lane_junction < 0) & (arrays.lane_length > 60)
    )
    for lane in roads[:: max(len(roads) // 6, 1)]:
        trace = _trace_along(mini_town, int(lane), 260.0)
        drive = Drive()
        drive.net, drive.routes = bundle(arrays), bundle(_as_route(trace))
        drive.lights(LightState.GREEN, *range(len(arrays.light_x)))
        drive.put(trace.x[0], trace.y[0], yaw=trace.yaw[0])
        drive.w["z"][EGO] = trace.z[0]
        reset_criteria(drive.w, drive.c, drive.net, drive.routes)
        ahead = (float(trace.x[-1] + 2 * math.cos(trace.yaw[-1])), float(trace.y[-1] + 2 * math.sin(trace.yaw[-1])))
        for x, y, z, yaw in [*zip(trace.x, trace.y, trace.z, trace.yaw), (*ahead, trace.z[-1], trace.yaw[-1])]:
            drive.put(x, y, speed=10.0, yaw=yaw)
            drive.w["z"][EGO] = z
            for _ in range(2):  # 1 m between points
                update_criteria(drive.w, drive.c, drive.switches, drive.net, drive.routes)
        set_speed(drive.w, EGO, 0.0)
        drive.tick()
        names = {i.name for i in infraction_list(drive.c)}
        assert names <= {"min_speed_infractions", "stop_infraction"}
        assert RouteEnd(int(drive.c["finished"])) is RouteEnd.COMPLETED
