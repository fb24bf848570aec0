"""The scene in words, for language models: deterministic, and of bounded length.

```text
Ego: 8.3 m/s (30 km/h), limit 50 km/h, 0.2 m right of the lane's path, heading +1 deg.
Route: 34% done, 120 m left. In 45 m turn left, in a junction with traffic light.
Light: red, 42 m ahead.
Lead: car 12 m ahead, 5.0 m/s, braking.
Others:
- car, 15 m ahead, 4 m left, oncoming, 8.0 m/s
- pedestrian, 20 m ahead, 3 m right, crossing to the left, 1.2 m/s
Hazards: pedestrian near the path 20 m ahead.
```

Distances are those between the edges of vehicles along the path for the lead, from the ego's middle for everybody else.
"""

from __future__ import annotations

import math
import string
from dataclasses import dataclass
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from envs.observations.base import Observation
from envs.routes import RouteBatch
from simulator.blueprints import Kind
from simulator.state import EGO, Behaviour, LightState, Role, VehicleLight

VERSION = 1

_STORY = 5.0  # m
_COMMANDS = {
    1: "turn left",
    2: "turn right",
    3: "go straight on",
    5: "change to the left lane",
    6: "change to the right lane",
}
_KINDS = {Kind.VEHICLE: "car", Kind.BICYCLE: "bicycle", Kind.WALKER: "pedestrian", Kind.PROP: "obstacle"}
_LONG = 3.2  # m of half length from which on a vehicle is called a truck
_SPECIAL = int(VehicleLight.SPECIAL1 | VehicleLight.SPECIAL2)
_HAZARD = int(VehicleLight.LEFT_BLINKER | VehicleLight.RIGHT_BLINKER)


@dataclass(frozen=True)
class TextConfig:
    """How much is told."""

    neighbours: int = 8
    """Others that are listed, nearest first."""
    radius: float = 50.0
    """Metres within which they are."""
    max_length: int = 1600
    """Characters; what is longer is cut at the end of a line."""

    def __post_init__(self) -> None:
        if self.neighbours < 0 or not 0.0 < self.radius <= 200.0 or self.max_length < 400:
            raise ValueError(
                "neighbours is 0 or more, radius up to 200 m, max_length at least 400; "
                f"got {self.neighbours}, {self.radius}, {self.max_length}"
            )


class TextObservation(Observation):
    """A text a world."""

    def __init__(self, routes: RouteBatch, config: TextConfig | None = None) -> None:
        self.config = TextConfig() if config is None else config
        self._batch = routes
        self.space: gym.Space[Any] = gym.spaces.Text(
            min_length=1, max_length=self.config.max_length, charset=string.printable
        )

    def write(self, worlds: np.ndarray, out: np.ndarray, first: int = 0) -> None:
        for b in range(len(worlds)):
            out[b] = self.describe(worlds[b])

    def describe(self, w: np.void) -> str:
        """The scene of one world."""
        path = self._path(w)
        lines = [self._ego(w), self._route(w), *self._signals(w, path), *self._actors(w, path)]
        text = "\n".join(lines)
        if len(text) > self.config.max_length:
            text = text[: self.config.max_length].rsplit("\n", 1)[0]
        return text

    def _path(self, w: np.void) -> np.ndarray:
        """float64[P, 4]: x, y, way ahead (m) and lane of the path from the ego on."""
        arrays = self._batch.arrays
        first, last = arrays.path_first[w["route"]], arrays.path_first[w["route"] + 1]
        step = float(arrays.path_step[w["route"]])
        here = min(first + int(w["path_s"] / step), last - 1)
        span = slice(here, min(here + int(self.config.radius / step) + 1, last))
        count = span.stop - span.start
        ahead = np.arange(count) * step - (w["path_s"] / step - int(w["path_s"] / step)) * step
        return np.stack([arrays.path_x[span], arrays.path_y[span], ahead, arrays.path_lane[span]], -1)

    def _ego(self, w: np.void) -> str:
        speed, lane = float(w["speed"][EGO]), int(w["lane"][EGO])
        arrays = self._batch.arrays
        p = arrays.path_first[w["route"]] + int(w["path_s"] / arrays.path_step[w["route"]])
        p = min(p, arrays.path_first[w["route"] + 1] - 1)
        heading = math.degrees(_wrapped(float(w["yaw"][EGO]) - float(arrays.path_yaw[p])))
        limit = f"limit {self._batch.net.lane_speed_limit[lane] * 3.6:.0f} km/h" if lane >= 0 else "no lane"
        offset = float(w["path_offset"])
        side = (
            "on the path"
            if abs(offset) < 0.1
            else f"{abs(offset):.1f} m {'right' if offset > 0 else 'left'} of the path"
        )
        return f"Ego: {speed:.1f} m/s ({speed * 3.6:.0f} km/h), {limit}, {side}, heading {heading:+.0f} deg."

    def _route(self, w: np.void) -> str:
        arrays = self._batch.arrays
        end, s = float(arrays.path_end[w["route"]]), float(w["path_s"])
        left = max(end - s, 0.0)
        text = f"Route: {100.0 * min(s / max(end, 1e-6), 1.0):.0f}% done, {left:.0f} m left."
        first, last = arrays.trace_first[w["route"]], arrays.trace_first[w["route"] + 1]
        distance = np.asarray(arrays.trace_distance[first:last])
        here = int(np.searchsorted(distance, s / max(end, 1e-6) * distance[-1]))
        for k in range(here, len(distance)):
            command = _COMMANDS.get(int(arrays.trace_option[first + k]))
            ahead = distance[k] - distance[min(here, len(distance) - 1)]
            if ahead > 80.0:
                break
            if command:
                return f"{text} {'Now' if ahead < 3.0 else f'In {ahead:.0f} m'} {command}."
        return f"{text} Follow the lane."

    def _signals(self, w: np.void, path: np.ndarray) -> list[str]:
        net = self._batch.net
        found = []
        for k, (_, _, ahead, on) in enumerate(path):
            lane = int(on)
            if lane < 0 or net.lane_junction[lane] < 0:
                continue
            if k == 0:
                found.append("Junction: the ego is in it.")
            else:
                found.append(f"Junction: {max(ahead, 0.0):.0f} m ahead.")
                light = int(net.lane_light[lane])
                if light >= 0 and w["light_state"][light] != LightState.OFF:
                    state = LightState(int(w["light_state"][light])).name.lower()
                    found.append(f"Light: {state}, {max(ahead, 0.0):.0f} m ahead.")
                before = int(path[k - 1, 3])
                if before >= 0 and net.lane_stop_sign[before] >= 0:
                    found.append(f"Stop sign: {max(ahead, 0.0):.0f} m ahead.")
                elif before >= 0 and net.lane_yield_sign[before]:
                    found.append(f"Yield sign: {max(ahead, 0.0):.0f} m ahead.")
            break
        return found

    def _actors(self, w: np.void, path: np.ndarray) -> list[str]:
        others = self._others(w, path)
        lead: tuple[float, str] | None = None
        hazards: list[str] = []
        listed: list[str] = []
        for o in others:
            name, motion = o.name, o.motion
            if 0 < o.at < len(path) - 1 and o.beside < o.room + 0.2 and o.kind != Kind.WALKER:
                if o.gap > -1.0 and (lead is None or o.gap < lead[0]):
                    lead = (o.gap, f"Lead: {name} {max(o.gap, 0.0):.0f} m ahead, {motion}.")
            if o.kind in (Kind.WALKER, Kind.BICYCLE) and o.beside < 5.0 and o.at > 0:
                hazards.append(f"{name} near the path {o.along:.0f} m ahead")
            if name == "emergency vehicle":
                hazards.append(f"{name} {abs(o.ahead):.0f} m {'ahead' if o.ahead > 0 else 'behind'}")
            if o.door and o.ahead > 0:
                hazards.append(f"open door {o.ahead:.0f} m ahead")
            if len(listed) < self.config.neighbours:
                listed.append(f"- {name}, {_place(o.ahead, o.right)}, {motion}")
        shown = list(dict.fromkeys(hazards))[:4]
        # what matters most comes first, where the text has to be cut
        lines = [lead[1] if lead else "Lead: none.", f"Hazards: {'; '.join(shown)}." if shown else "Hazards: none."]
        return [*lines, "Others:", *listed] if listed else [*lines, "Others: none."]

    def _others(self, w: np.void, path: np.ndarray) -> list[_Other]:
        """Everybody within the radius, nearest first."""
        count = int(w["num_slots"])
        f = {name: w[name][:count] for name in _FIELDS}
        dx, dy = f["x"] - f["x"][EGO], f["y"] - f["y"][EGO]
        distance = np.hypot(dx, dy)
        there = (f["kind"] != 0) & (f["hidden"] == 0) & (np.abs(f["z"] - f["z"][EGO]) <= _STORY)
        there[EGO] = False
        slots = np.flatnonzero(there & (distance <= self.config.radius))
        if not len(slots):
            return []
        slots = slots[np.argsort(distance[slots], kind="stable")]
        gaps = np.hypot(path[None, :, 0] - f["x"][slots, None], path[None, :, 1] - f["y"][slots, None])
        at = gaps.argmin(axis=1)
        yaw0 = float(f["yaw"][EGO])
        c, s = math.cos(yaw0), math.sin(yaw0)
        found = []
        for k, j in enumerate(slots.tolist()):
            one = {name: value[j].item() for name, value in f.items()}
            along = float(path[at[k], 2])
            found.append(
                _Other(
                    kind=one["kind"],
                    name=_name(one),
                    motion=_motion(one, yaw0),
                    at=int(at[k]),
                    beside=float(gaps[k, at[k]]),
                    along=along,
                    gap=along - one["half_length"] - float(f["half_length"][EGO]),
                    room=one["half_width"] + float(f["half_width"][EGO]),
                    ahead=float(dx[j] * c + dy[j] * s),
                    right=float(-dx[j] * s + dy[j] * c),
                    door=one["door"],
                )
            )
        return found


_FIELDS = (
    "x", "y", "z", "yaw", "kind", "hidden", "half_length", "half_width", "lights", "door", "speed", "brake", "role",
    "behaviour",
)  # fmt: skip


class _Other(NamedTuple):
    """Somebody near the ego. Metres; `at`: index of the nearest point of the path."""

    kind: int
    name: str
    motion: str
    at: int
    beside: float
    along: float
    gap: float
    room: float
    ahead: float
    right: float
    door: int


def _name(actor: dict[str, Any]) -> str:
    kind = Kind(actor["kind"])
    if kind == Kind.VEHICLE:
        if actor["lights"] & _SPECIAL:
            return "emergency vehicle"
        return "truck" if actor["half_length"] > _LONG else "car"
    return _KINDS[kind]


def _motion(actor: dict[str, Any], yaw: float) -> str:
    """Where somebody is heading, against the ego's yaw, and how fast."""
    speed = abs(actor["speed"])
    if actor["kind"] == Kind.PROP:
        return "still"
    if speed < 0.1:
        return "parked" if actor["role"] == Role.AMBIENT and actor["behaviour"] == Behaviour.HOLD else "standing"
    turn = math.degrees(_wrapped(actor["yaw"] - yaw))
    if abs(turn) < 45.0:
        way = "same direction"
    elif abs(turn) > 135.0:
        way = "oncoming"
    else:
        way = f"crossing to the {'right' if turn > 0 else 'left'}"
    told = [way, f"{speed:.1f} m/s"]
    lights = actor["lights"]
    if lights & VehicleLight.BRAKE or actor["brake"] > 0.05:
        told.append("braking")
    if lights & _HAZARD == _HAZARD:
        told.append("hazard lights")
    elif lights & VehicleLight.LEFT_BLINKER:
        told.append("blinking left")
    elif lights & VehicleLight.RIGHT_BLINKER:
        told.append("blinking right")
    return ", ".join(told)


def _wrapped(angle: float) -> float:
    return math.atan2(math.sin(angle), math.cos(angle))


def _place(ahead: float, right: float) -> str:
    along = f"{abs(ahead):.0f} m {'ahead' if ahead >= 0 else 'behind'}"
    return f"{along}, {abs(right):.0f} m {'right' if right > 0 else 'left'}" if abs(right) >= 0.5 else along
