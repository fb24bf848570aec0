"""The lane graph of CARLA's `GlobalRoutePlanner`, restated, and the search in it (docs/bench2drive.md 1.2).

The official route length, every route percentage and the plan that an agent gets come from this planner, so its
behaviour is followed to the point, oddities included. Works on a `carla.Map`, so it runs only in a child process.

Nodes are the rounded ends of lane sections, edges are lane sections ("lane edges") or lane changes (length 0). Node
numbers are given in order of appearance, edges of a node keep their order of insertion: both decide ties.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count, pairwise
from typing import Any

import carla

from simulator.roads.planner import RoadOption

Node = int
LaneKey = tuple[int, int, int]  # road, section, lane
Vector = tuple[float, float, float]

#: Points sampled on one lane before the map is called broken: longer than any real lane.
MAX_LANE_POINTS = 50_000


class NoPathError(Exception):
    """Raised when no edge sequence leads from one node to the other."""


@dataclass(frozen=True)
class Edge:
    """A lane section (`option` LANEFOLLOW) or the possibility to change from it to its neighbour."""

    option: RoadOption
    length: int
    entry: Any  # carla.Waypoint
    exit: Any  # carla.Waypoint
    path: list[Any] = field(default_factory=list)  # waypoints strictly between entry and exit
    in_junction: bool = False
    exit_vector: Vector | None = None  # unit, along the lane at its exit
    net_vector: Vector | None = None  # unit, from entry to exit


def find_path(
    successors: Mapping[Node, Mapping[Node, int]], source: Node, target: Node, estimate: Callable[[Node, Node], float]
) -> list[Node]:
    """A* from `source` to `target`, both included.

    Takes the same decisions as networkx's `astar_path`: equal priorities leave the queue in order of insertion, and a
    node is expanded again when a cheaper way to it turns up (lane changes are free, so the estimate may be too high).

    Args:
        successors: cost of each edge, in insertion order.
        estimate: rest of the cost between two nodes.

    Raises:
        NoPathError: when there is none.
    """
    order = count()
    queue: list[tuple[float, int, Node, int, Node | None]] = [(0.0, next(order), source, 0, None)]
    best: dict[Node, tuple[int, float]] = {}
    parent_of: dict[Node, Node | None] = {}
    while queue:
        _, _, node, cost, parent = heapq.heappop(queue)
        if node == target:
            path = [node]
            while parent is not None:
                path.append(parent)
                parent = parent_of[parent]
            return path[::-1]
        if node in parent_of and (parent_of[node] is None or best[node][0] < cost):
            continue
        parent_of[node] = parent
        for neighbour, step in successors.get(node, {}).items():
            new_cost = cost + step
            if neighbour in best:
                known, rest = best[neighbour]
                if known <= new_cost:
                    continue
            else:
                rest = estimate(neighbour, target)
            best[neighbour] = new_cost, rest
            heapq.heappush(queue, (new_cost + rest, next(order), neighbour, new_cost, node))
    raise NoPathError(f"no path from node {source} to node {target}")


class RouteGraph:
    """Lane graph of one map, sampled every `resolution` metres."""

    def __init__(self, carla_map: Any, resolution: float = 1.0) -> None:
        self._map = carla_map
        self._resolution = resolution
        self._vertex: dict[Node, Vector] = {}
        self._edges: dict[Node, dict[Node, Edge]] = {}
        self._lane_edge: dict[LaneKey, tuple[Node, Node]] = {}
        segments = self._add_lanes()
        self._add_loose_ends(segments)
        self._add_lane_changes(segments)
        self._costs = {n: {m: e.length for m, e in edges.items()} for n, edges in self._edges.items()}

    def localize(self, location: Any) -> tuple[Node, Node] | None:
        """Ends of the lane edge whose lane is nearest to the location, or None where the graph lacks that lane."""
        return self._lane_edge.get(lane_key(self._map.get_waypoint(location)))

    def find_nodes(self, start: tuple[Node, Node], end: tuple[Node, Node]) -> list[Node]:
        """Nodes from the entry of edge `start` over the entry of edge `end` to its exit.

        Raises:
            NoPathError: when the two are not connected.
        """
        nodes = find_path(self._costs, start[0], end[0], self._distance)
        nodes.append(end[1])
        if any(b not in self._edges.get(a, {}) for a, b in pairwise(nodes)):
            raise NoPathError("the last lane is a dead end without length")
        return nodes

    def edge(self, start: Node, end: Node) -> Edge:
        return self._edges[start][end]

    def edges_from(self, node: Node) -> dict[Node, Edge]:
        return self._edges.get(node, {})

    def edge_of_lane(self, waypoint: Any) -> Edge:
        """The lane edge that the waypoint's lane belongs to."""
        start, end = self._lane_edge[lane_key(waypoint)]
        return self._edges[start][end]

    def _distance(self, a: Node, b: Node) -> float:
        return math.dist(self._vertex[a], self._vertex[b])

    # Construction. A later edge between the same two nodes takes the place of the earlier one and keeps its rank.

    def _add_lanes(self) -> list[tuple[Any, Any, list[Any], tuple[Node, Node]]]:
        node_at: dict[Vector, Node] = {}
        segments = []
        for entry, exit_ in self._map.get_topology():
            path = self._sample(entry, exit_)
            if path is None:
                continue
            nodes = []
            for waypoint in (entry, exit_):
                at = waypoint.transform.location
                rounded = (float(round(at.x)), float(round(at.y)), float(round(at.z)))
                node = node_at.setdefault(rounded, len(node_at))
                self._vertex[node] = rounded
                nodes.append(node)
            start, end = nodes
            self._lane_edge[lane_key(entry)] = start, end
            self._edges.setdefault(start, {})[end] = Edge(
                option=RoadOption.LANEFOLLOW,
                length=len(path) + 1,
                entry=entry,
                exit=exit_,
                path=path,
                in_junction=entry.is_junction,
                exit_vector=_xyz(exit_.transform.rotation.get_forward_vector()),
                net_vector=_unit(exit_.transform.location - entry.transform.location),
            )
            segments.append((entry, exit_, path, (start, end)))
        return segments

    def _sample(self, entry: Any, exit_: Any) -> list[Any] | None:
        """Waypoints between the two; None for a segment that nothing follows."""
        end = exit_.transform.location
        following = entry.next(self._resolution)
        if entry.transform.location.distance(end) <= self._resolution:
            return following[:1] or None
        path = []
        while following and following[0].transform.location.distance(end) > self._resolution:
            path.append(following[0])
            following = following[0].next(self._resolution)
            if len(path) > MAX_LANE_POINTS:
                raise ValueError(
                    f"lane (road, section, lane) {lane_key(entry)} never comes near its successor {lane_key(exit_)}"
                )
        return path

    def _add_loose_ends(self, segments: list[tuple[Any, Any, list[Any], tuple[Node, Node]]]) -> None:
        """Lanes that are the exit of a segment but begin none: dead ends."""
        loose = 0
        for _, exit_, _, (_, node) in segments:
            key = lane_key(exit_)
            if key in self._lane_edge:
                continue
            loose += 1
            self._lane_edge[key] = node, -loose
            path = []
            following = exit_.next(self._resolution)
            while following and lane_key(following[0]) == key:
                path.append(following[0])
                following = following[0].next(self._resolution)
            if path:
                self._vertex[-loose] = _xyz(path[-1].transform.location)
                self._edges.setdefault(node, {})[-loose] = Edge(
                    RoadOption.LANEFOLLOW, len(path) + 1, exit_, path[-1], path, exit_.is_junction
                )

    def _add_lane_changes(self, segments: list[tuple[Any, Any, list[Any], tuple[Node, Node]]]) -> None:
        """One edge of length 0 a side, at the first point of a segment whose marking lets a vehicle cross."""
        sides = (
            (RoadOption.CHANGELANERIGHT, "right_lane_marking", carla.LaneChange.Right, "get_right_lane"),
            (RoadOption.CHANGELANELEFT, "left_lane_marking", carla.LaneChange.Left, "get_left_lane"),
        )
        for entry, _, path, (start, _) in segments:
            if entry.is_junction:
                continue
            found: set[RoadOption] = set()
            for waypoint in path:
                for option, marking_name, permission, neighbour_name in sides:
                    if option in found:
                        continue
                    marking = getattr(waypoint, marking_name)
                    if not (marking and marking.lane_change & permission):
                        continue
                    neighbour = getattr(waypoint, neighbour_name)()
                    if neighbour is None or neighbour.lane_type != carla.LaneType.Driving:
                        continue
                    if neighbour.road_id != waypoint.road_id:
                        continue
                    target = self.localize(neighbour.transform.location)
                    if target is not None:
                        self._edges[start][target[0]] = Edge(option, 0, waypoint, neighbour)
                        found.add(option)
                if len(found) == len(sides):
                    break


def lane_key(waypoint: Any) -> LaneKey:
    """What identifies the lane of a waypoint."""
    return waypoint.road_id, waypoint.section_id, waypoint.lane_id


def _xyz(vector: Any) -> Vector:
    return vector.x, vector.y, vector.z


def _unit(vector: Any) -> Vector:
    length = max(math.hypot(vector.x, vector.y, vector.z), 1e-5)
    return vector.x / length, vector.y / length, vector.z / length
