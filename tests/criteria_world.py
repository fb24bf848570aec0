"""A world made by hand for the tests of the criteria: one straight road, and an ego that is moved along it.

Seen from above, CARLA's frame (x east, y south), metres:

    x 0 ............................ 200 .. junction .. 220 ............................ 400
    y -1.75   <- lane +1 (road 1)         lane (road 2)       lane +1 (road 3) <-
    y +1.75   -> lane -1 (road 1)         lane (road 2)       lane -1 (road 3) ->        the route
    y +4.75   -> parking, lane -2 (road 1)                    parking, lane -2 (road 3)

Lanes are 3.5 m wide, parking lanes 2.5 m. A traffic light rules the entry of the junction from the west (line at
x = 199), another one, 8 m further on, has its line inside. A stop sign lies on the eastbound lane at x = 300.
"""

from __future__ import annotations

import numpy as np

from leaderboard_adapters.criteria import reset_criteria, update_criteria
from leaderboard_adapters.criteria_state import empty_criteria
from leaderboard_adapters.infractions import infraction_list
from scenarios.switches import empty_switches
from scenarios.weather import BASE_WEATHER
from simulator.actors import place_actor, set_speed, spawn_actor
from simulator.array_bundle import bundle
from simulator.blueprints import EGO_BLUEPRINT, blueprint_index
from simulator.roads.network import LaneType, RoadArrays
from simulator.route_arrays import RouteArrays
from simulator.state import EGO, LightState, Role, empty_worlds

LANE_Y = 1.75
ONCOMING_Y = -1.75
PARKING_Y = 4.75
STOP_LINE_X = 199.0
SECOND_LINE_X = 207.0
SIGN_X = 300.0
SPEED_LIMIT = 10.0  # m/s
ROUTE_START, ROUTE_END = 2.0, 398.0

_CELL = 10.0


def _lanes() -> list[dict]:
    lanes = []
    for road, junction, x0, x1 in ((1, -1, 0, 200), (2, 0, 200, 220), (3, -1, 220, 400)):
        lanes.append(
            {"road": road, "id": -1, "type": LaneType.DRIVING, "y": LANE_Y, "x": (x0, x1), "width": 3.5, "j": junction}
        )
        lanes.append(
            {
                "road": road,
                "id": 1,
                "type": LaneType.DRIVING,
                "y": ONCOMING_Y,
                "x": (x1, x0),
                "width": 3.5,
                "j": junction,
            }
        )
        if junction < 0:
            lanes.append(
                {
                    "road": road,
                    "id": -2,
                    "type": LaneType.PARKING,
                    "y": PARKING_Y,
                    "x": (x0, x1),
                    "width": 2.5,
                    "j": junction,
                }
            )
    return lanes


def straight_road() -> RoadArrays:
    """The road of this module's picture, points 1 m apart."""
    lanes = _lanes()
    xs = [np.linspace(lane["x"][0], lane["x"][1], abs(lane["x"][1] - lane["x"][0]) + 1) for lane in lanes]
    first = np.cumsum([0] + [len(x) for x in xs]).astype(np.int32)
    point_x = np.concatenate(xs)
    point_y = np.concatenate([np.full(len(x), lane["y"]) for x, lane in zip(xs, lanes, strict=True)])
    yaw = [0.0 if lane["x"][1] > lane["x"][0] else np.pi for lane in lanes]
    count, points = len(lanes), len(point_x)

    def per_point(values: list[float]) -> np.ndarray:
        return np.concatenate([np.full(len(x), value) for x, value in zip(xs, values, strict=True)])

    follows = {
        i: [
            k
            for k, other in enumerate(lanes)
            if other["x"][0] == lane["x"][1] and other["y"] == lane["y"] and abs(other["road"] - lane["road"]) == 1
        ]
        for i, lane in enumerate(lanes)
    }
    leads = {i: [k for k in follows if i in follows[k]] for i in follows}
    size = np.array([43, 3])
    origin = np.array([-10.0, -15.0])
    cells = ((point_y - origin[1]) // _CELL * size[0] + (point_x - origin[0]) // _CELL).astype(int)
    order = np.argsort(cells, kind="stable")
    fields = {name: np.zeros(0) for name in RoadArrays._fields}
    fields.update(
        lane_road=np.array([lane["road"] for lane in lanes], np.int32),
        lane_section=np.zeros(count, np.int32),
        lane_id=np.array([lane["id"] for lane in lanes], np.int32),
        lane_type=np.array([lane["type"] for lane in lanes], np.int8),
        lane_length=np.array([float(len(x) - 1) for x in xs]),
        lane_step=np.ones(count),
        lane_first=first,
        lane_speed_limit=np.full(count, SPEED_LIMIT),
        lane_junction=np.array([lane["j"] for lane in lanes], np.int32),
        succ_first=np.cumsum([0] + [len(follows[i]) for i in range(count)]).astype(np.int32),
        succ_lane=np.array([k for i in range(count) for k in follows[i]], np.int32),
        pred_first=np.cumsum([0] + [len(leads[i]) for i in range(count)]).astype(np.int32),
        pred_lane=np.array([k for i in range(count) for k in leads[i]], np.int32),
        point_x=point_x,
        point_y=point_y,
        point_z=np.zeros(points),
        point_yaw=per_point(yaw),
        point_pitch=np.zeros(points),
        point_width=per_point([lane["width"] for lane in lanes]),
        point_curvature=np.zeros(points),
        point_change=np.zeros(points, np.uint8),
        grid_origin=origin,
        grid_size=size,
        grid_cell=np.array([_CELL]),
        cell_first=np.searchsorted(cells[order], np.arange(size.prod() + 1)).astype(np.int32),
        cell_point=order.astype(np.int32),
        point_lane=np.repeat(np.arange(count), np.diff(first)).astype(np.int32),
        light_x=np.array([205.0, 215.0]),
        light_y=np.array([6.0, 6.0]),
        light_z=np.array([5.0, 5.0]),
        light_box_x=np.array([STOP_LINE_X - 2.0, SECOND_LINE_X - 2.0]),
        light_box_y=np.array([LANE_Y, LANE_Y]),
        light_box_z=np.zeros(2),
        light_stop_first=np.array([0, 1, 2], np.int32),
        light_stop_lane=np.array([0, 3], np.int32),
        light_stop_x=np.array([STOP_LINE_X, SECOND_LINE_X]),
        light_stop_y=np.array([LANE_Y, LANE_Y]),
        light_stop_yaw=np.zeros(2),
        light_stop_width=np.full(2, 3.5),
        stop_x=np.array([SIGN_X]),
        stop_y=np.array([LANE_Y]),
        stop_z=np.zeros(1),
        stop_extent_x=np.array([1.5]),
        stop_extent_y=np.array([0.9]),
    )
    return RoadArrays(**fields)


def straight_route(
    start: float = ROUTE_START,
    end: float = ROUTE_END,
    y: float = LANE_Y,
    weather: list[tuple[float, tuple[float, ...]]] | None = None,
) -> RouteArrays:
    """One route of points 1 m apart, from x = `start` to x = `end` (eastward when `end` is greater)."""
    x = np.linspace(start, end, round(abs(end - start)) + 1)
    distance = np.abs(x - start)
    distance[1:] += np.hypot(1.0, 0.5) - 1.0  # the first point is raised by 0.5 m
    frames = weather or [(0.0, BASE_WEATHER)]
    fields = {name: np.zeros(0) for name in RouteArrays._fields}
    fields.update(
        stream=np.zeros(1, np.int64),
        trace_first=np.array([0, len(x)], np.int32),
        trace_x=x,
        trace_y=np.full(len(x), y),
        trace_z=np.zeros(len(x)),
        trace_yaw=np.full(len(x), 0.0 if end > start else np.pi),
        trace_pitch=np.zeros(len(x)),
        trace_distance=distance,
        trace_option=np.full(len(x), 4, np.int8),
        weather_first=np.array([0, len(frames)], np.int32),
        weather_percent=np.array([percent for percent, _ in frames]),
        weather_values=np.array([values for _, values in frames], np.float64),
    )
    return RouteArrays(**fields)


class Drive:
    """An ego on the straight road with its criteria. All lights are green until a test turns them."""

    def __init__(self, net: RoadArrays | None = None, routes: RouteArrays | None = None, yaw: float = 0.0) -> None:
        self.net = bundle(net or straight_road())
        self.routes = bundle(routes or straight_route())
        self.worlds = empty_worlds(1)
        self.criteria = empty_criteria(1)
        self.switch_records = empty_switches(1)
        self.worlds["light_state"] = int(LightState.GREEN)
        place_actor(
            self.w,
            EGO,
            EGO_BLUEPRINT,
            int(Role.HERO),
            self.routes.trace_x[0],
            self.routes.trace_y[0],
            0.0,
            yaw,
        )
        reset_criteria(self.w, self.c, self.net, self.routes)

    @property
    def w(self) -> np.void:
        return self.worlds[0]

    @property
    def c(self) -> np.void:
        return self.criteria[0]

    @property
    def switches(self) -> np.void:
        return self.switch_records[0]

    def copy(self) -> Drive:
        """Another drive that shares nothing with this one, by copying the three records."""
        twin = object.__new__(Drive)
        twin.net, twin.routes = self.net, self.routes
        twin.worlds, twin.criteria = self.worlds.copy(), self.criteria.copy()
        twin.switch_records = self.switch_records.copy()
        return twin

    def rebuild(self, **arrays: np.ndarray) -> None:
        """Put other arrays into the road network, such as `stop_x`."""
        self.net = bundle(straight_road()._replace(**arrays))

    def tick(self, count: int = 1) -> None:
        """Judge `count` ticks in which the ego stays where it is."""
        for _ in range(count):
            update_criteria(self.w, self.c, self.switches, self.net, self.routes)
            self.w["num_contacts"] = 0

    def put(self, x: float, y: float = LANE_Y, speed: float = 10.0, yaw: float = 0.0) -> None:
        """Place the ego without judging."""
        self.w["x"][EGO], self.w["y"][EGO], self.w["yaw"][EGO] = x, y, yaw
        set_speed(self.w, EGO, speed)

    def go(self, x: float, y: float = LANE_Y, speed: float = 10.0, yaw: float | None = None) -> None:
        """Move the ego to (x, y) in a straight line at `speed`, judging every tick; it then still has that speed."""
        x0, y0 = float(self.w["x"][EGO]), float(self.w["y"][EGO])
        ticks = max(int(np.ceil(np.hypot(x - x0, y - y0) / (speed * 0.05) - 1e-9)), 1)
        heading = (0.0 if x >= x0 else np.pi) if yaw is None else yaw
        for k in range(1, ticks + 1):
            self.put(x0 + (x - x0) * k / ticks, y0 + (y - y0) * k / ticks, speed, heading)
            self.tick()
            if self.c["finished"]:
                return

    def stand(self, ticks: int) -> None:
        """Judge ticks in which the ego stands."""
        set_speed(self.w, EGO, 0.0)
        self.tick(ticks)

    def spawn(self, blueprint: str, x: float = 50.0, y: float = 30.0, role: Role = Role.SCENARIO) -> int:
        """A standing actor; returns its slot."""
        return int(spawn_actor(self.w, blueprint_index(blueprint), int(role), x, y, 0.0, 0.0))

    def touch(self, *slots: int) -> None:
        """The ego is in contact with these slots in the tick that is judged next."""
        self.w["num_contacts"] = len(slots)
        self.w["contact_slot"][: len(slots)] = slots

    def lights(self, state: LightState, *which: int) -> None:
        """Set lights 0 (at the entry) and 1 (inside the junction)."""
        for light in which:
            self.w["light_state"][light] = int(state)

    def messages(self, name: str) -> list[str]:
        """Messages of one infraction list so far."""
        return [i.message for i in infraction_list(self.c) if i.name == name]

    def names(self) -> list[str]:
        """Infraction lists that have entries, the min-speed one aside, one name an entry."""
        return [i.name for i in infraction_list(self.c) if i.name != "min_speed_infractions"]
