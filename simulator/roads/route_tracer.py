"""From positions to the points of a route on CARLA's lane graph (docs/bench2drive.md 1.2). Runs in a child process."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import carla
import numpy as np

from simulator.roads.planner import RoadOption
from simulator.roads.route_graph import Edge, Node, NoPathError, RouteGraph, Vector, lane_key

#: Positions farther than this from every driving lane are refused (the official planner would snap them from anywhere).
MAX_OFF_ROAD_M = 5.0
#: Turns flatter than this are STRAIGHT.
STRAIGHT_LIMIT_RAD = math.radians(35)
#: A lane change arrives this many points beyond the nearest one on the new lane.
LANE_CHANGE_POINTS = 5


def trace_in_child(payload: dict[str, Any]) -> dict[str, Any]:
    """Trace routes on one map; the half of `planner.trace_routes` that runs beside CARLA's parser.

    Args:
        payload: `town`, `xodr`; `positions` float64[K, 3] of all routes in a row, `first` int64[R+1] their offsets.

    Returns:
        `points` float64[N, 6] x, y, z (metres), pitch, yaw (degrees), OpenDRIVE s; `lanes` int32[N, 5] option, road,
        section, lane, in junction; `point_first` int64[R+1]; `errors` [route, position, text] of routes that failed.
    """
    carla_map = carla.Map(payload["town"], payload["xodr"])
    graph = RouteGraph(carla_map)
    first = payload["first"]
    rows: list[tuple[Any, RoadOption]] = []
    point_first = [0]
    errors: list[list[Any]] = []
    for route in range(len(first) - 1):
        places = [carla.Location(*map(float, p)) for p in payload["positions"][first[route] : first[route + 1]]]
        try:
            rows += _trace_route(carla_map, graph, places)
        except _TraceError as error:
            errors.append([route, error.position, str(error)])
        point_first.append(len(rows))
    points = np.empty((len(rows), 6))
    lanes = np.empty((len(rows), 5), np.int32)
    for i, (waypoint, option) in enumerate(rows):
        at, rotation = waypoint.transform.location, waypoint.transform.rotation
        points[i] = at.x, at.y, at.z, rotation.pitch, rotation.yaw, waypoint.s
        lanes[i] = option, *lane_key(waypoint), waypoint.is_junction
    return {"points": points, "lanes": lanes, "point_first": np.array(point_first), "errors": errors}


class _TraceError(Exception):
    """A route that cannot be traced, and the index of the position to blame."""

    def __init__(self, position: int, text: str) -> None:
        super().__init__(text)
        self.position = position


def _trace_route(carla_map: Any, graph: RouteGraph, places: list[Any]) -> list[tuple[Any, RoadOption]]:
    edges = []
    for index, place in enumerate(places):
        nearest = carla_map.get_waypoint(place)
        at = nearest.transform.location
        away = math.hypot(at.x - place.x, at.y - place.y)
        if away > MAX_OFF_ROAD_M:
            raise _TraceError(index, f"is {away:.1f} m off the nearest driving lane, at ({at.x:.1f}, {at.y:.1f})")
        edge = graph.localize(place)
        if edge is None:
            raise _TraceError(index, "lies on a lane that leads nowhere and that nothing leads to")
        edges.append(edge)
    tracer = RouteTracer(carla_map, graph)
    rows: list[tuple[Any, RoadOption]] = []
    for index in range(len(places) - 1):
        try:
            nodes = graph.find_nodes(edges[index], edges[index + 1])
        except NoPathError:
            raise _TraceError(index + 1, "cannot be reached from the position before it") from None
        rows += tracer.trace(places[index], places[index + 1], nodes)
    return rows


class RouteTracer:
    """Traces the pairs of one route, in order.

    One tracer a route: the turn that it decided last carries over to the next pair, as in the official code.
    """

    def __init__(self, carla_map: Any, graph: RouteGraph, resolution: float = 1.0) -> None:
        self._map = carla_map
        self._graph = graph
        self._resolution = resolution
        self._previous_decision: RoadOption | None = RoadOption.VOID
        self._junction_end: Node = -1

    def trace(self, origin: Any, destination: Any, nodes: list[Node]) -> list[tuple[Any, RoadOption]]:
        """Waypoints from `origin` to `destination` (both `carla.Location`) along the nodes of the graph."""
        trace: list[tuple[Any, RoadOption]] = []
        current = self._map.get_waypoint(origin)
        goal = self._map.get_waypoint(destination)
        for index in range(len(nodes) - 1):
            decided = self._decide(index, nodes)
            option = RoadOption.VOID if decided is None else decided
            edge = self._graph.edge(nodes[index], nodes[index + 1])
            if edge.option != RoadOption.LANEFOLLOW:
                trace.append((current, option))
                lane = self._graph.edge_of_lane(edge.exit)
                if lane.path:
                    at = min(len(lane.path) - 1, _nearest(current, lane.path) + LANE_CHANGE_POINTS)
                    current = lane.path[at]
                else:
                    current = lane.exit
                trace.append((current, option))
                continue
            points = [edge.entry, *edge.path, edge.exit]
            first = _nearest(current, points)
            is_last = index >= len(nodes) - 2
            for current in points[first:]:
                trace.append((current, option))
                if not is_last:
                    continue
                if current.transform.location.distance(destination) < 2 * self._resolution:
                    break
                if lane_key(current) == lane_key(goal) and first > _nearest(goal, points):
                    break
        return trace

    def _decide(self, index: int, nodes: list[Node]) -> RoadOption | None:
        """Option of the edge after `nodes[index]`; a turn is decided once, at the entry of a junction."""
        following = self._graph.edge(nodes[index], nodes[index + 1])
        enters_junction = following.option == RoadOption.LANEFOLLOW and following.in_junction
        if index == 0:
            decision: RoadOption | None = following.option
        elif (
            self._previous_decision != RoadOption.VOID
            and self._junction_end > 0
            and self._junction_end != nodes[index - 1]
            and enters_junction
        ):
            decision = self._previous_decision
        else:
            self._junction_end = -1
            before = self._graph.edge(nodes[index - 1], nodes[index])
            decision = following.option
            if before.option == RoadOption.LANEFOLLOW and not before.in_junction and enters_junction:
                self._junction_end, last = self._last_junction_edge(index, nodes)
                if before.exit_vector is None or last.exit_vector is None:
                    return last.option
                decision = self._turn(before.exit_vector, last.exit_vector, nodes[index], nodes[index + 1])
        self._previous_decision = decision
        return decision

    def _last_junction_edge(self, index: int, nodes: list[Node]) -> tuple[Node, Edge]:
        """The end of the run of junction edges that begins at `nodes[index]`, and its last edge."""
        last_node, last_edge = nodes[index], self._graph.edge(nodes[index], nodes[index + 1])
        for a, b in pairwise(nodes[index:]):
            edge = self._graph.edge(a, b)
            if edge.option != RoadOption.LANEFOLLOW or not edge.in_junction:
                break
            last_node, last_edge = b, edge
        return last_node, last_edge

    def _turn(self, arriving: Vector, leaving: Vector, node: Node, taken: Node) -> RoadOption | None:
        """LEFT, RIGHT or STRAIGHT by angle, compared with the other ways out of the node."""
        others = [
            _cross(arriving, edge.net_vector)
            for neighbour, edge in self._graph.edges_from(node).items()
            if edge.option == RoadOption.LANEFOLLOW and neighbour != taken and edge.net_vector is not None
        ] or [0.0]
        cross = _cross(arriving, leaving)
        cosine = sum(a * b for a, b in zip(arriving, leaving)) / (math.hypot(*arriving) * math.hypot(*leaving))
        if math.acos(min(max(cosine, -1.0), 1.0)) < STRAIGHT_LIMIT_RAD:
            return RoadOption.STRAIGHT
        if cross < min(others):
            return RoadOption.LEFT
        if cross > max(others):
            return RoadOption.RIGHT
        if cross == 0:
            return None
        return RoadOption.LEFT if cross < 0 else RoadOption.RIGHT


def _nearest(waypoint: Any, points: list[Any]) -> int:
    """Index of the point nearest in 3-D; the first of equals."""
    here = waypoint.transform.location
    distances = [point.transform.location.distance(here) for point in points]
    return distances.index(min(distances))


def _cross(a: Vector, b: Vector) -> float:
    """z of the cross product: positive where b points to the right of a."""
    return a[0] * b[1] - a[1] * b[0]
