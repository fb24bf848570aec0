"""Cameras, LiDAR and the other sensors of the ego vehicle as observations (docs/sensors.md).

Two forms. `Sensors` gives arrays of a fixed size by sensor id, as learners want them; `Leaderboard` gives what an
`AutonomousAgent` gets in `run_step`: `{id: (frame, data)}`.

| sensor | `Sensors` | `Leaderboard` data |
|---|---|---|
| `sensor.camera.*` | uint8[H, W, 3], RGB | uint8[H, W, 4], BGRA |
| `sensor.lidar.ray_cast`, `sensor.other.radar` | float32[N, 4], padded with zeros; `<id>_count` tells how many count | the same, padded; the count beside it |
| `sensor.other.gnss` | float64[3] | float64[3] |
| `sensor.other.imu` | float64[7] | float64[7] |
| `sensor.speedometer` | float64[1], m/s | float64[1] |
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np

from envs.observations.base import Observation, Observed
from envs.world import WorldBatch
from simulator.sensors import SensorRig, parse_sensors
from simulator.sensors.specs import SensorSpec
from simulator.state import TICK_SECONDS

_VECTORS = {"sensor.other.gnss": 3, "sensor.other.imu": 7, "sensor.speedometer": 1}
_CLOUDS = ("sensor.lidar.ray_cast", "sensor.other.radar")


@dataclass(frozen=True)
class Sensors:
    """Sensors of the ego vehicle, as an agent's `sensors()` lists them."""

    sensors: Sequence[Mapping[str, Any]]
    """Dicts with type, id, place and attributes."""
    leaderboard: bool = False
    """Give them the attributes that the leaderboard fixes."""


@dataclass(frozen=True)
class Leaderboard(Sensors):
    """The same sensors in the leaderboard's form, `{id: (frame, data)}`."""

    leaderboard: bool = True


class SensorObservation(Observation):
    """Sensors of B worlds."""

    def __init__(self, batch: WorldBatch, config: Sensors) -> None:
        """
        Raises:
            SensorError: for sensors that do not exist, or not in this form.
            ValueError: for sensors of a kind that has no array of a fixed size, or that do not measure at every tick.
        """
        self._raw = isinstance(config, Leaderboard)
        self._specs = parse_sensors(config.sensors, leaderboard=config.leaderboard)
        if not self._specs:
            raise ValueError("an observation of sensors needs at least one")
        for spec in self._specs:
            if not (spec.kind.camera or spec.type in _VECTORS or spec.type in _CLOUDS):
                raise ValueError(f"sensor {spec.id!r}: {spec.type} has no array of a fixed size; leave it out")
            if float(spec.attributes.get("sensor_tick", 0.0)) > TICK_SECONDS:
                raise ValueError(
                    f"sensor {spec.id!r}: an observation needs every sensor every tick; leave sensor_tick 0"
                )
        scene = None
        if any(spec.kind.camera or spec.type in _CLOUDS for spec in self._specs):
            from simulator.sensors.scene import Scene  # the town's triangles: only where somebody looks

            scene = Scene(batch.routes.network)
        self._rigs = [
            SensorRig(self._specs, batch.routes.network, batch.worlds, world=b, net=batch.routes.net, scene=scene)
            for b in range(batch.num_worlds)
        ]
        frame = gym.spaces.Box(0, np.iinfo(np.int64).max, (), np.int64)
        spaces: dict[str, gym.Space[Any]] = {}
        for spec in self._specs:
            box = _space(spec, self._raw)
            if self._raw:
                spaces[spec.id] = gym.spaces.Tuple((frame, box))
            else:
                spaces[spec.id] = box
            if spec.type in _CLOUDS:
                spaces[f"{spec.id}_count"] = gym.spaces.Box(0, box.shape[0], (), np.int64)
        self.space = gym.spaces.Dict(spaces)

    def write(self, worlds: np.ndarray, out: Observed, first: int = 0) -> None:
        for b in range(len(worlds)):
            measured = self._rigs[first + b].read()
            for spec in self._specs:
                frame, data = measured[spec.id]
                into = out[spec.id][1] if self._raw else out[spec.id]
                if self._raw:
                    out[spec.id][0][b] = frame
                if spec.kind.camera:
                    into[b] = data if self._raw else data[..., 2::-1]
                elif spec.type in _CLOUDS:
                    count = min(len(data), into.shape[1])
                    into[b, :count] = data[:count]
                    into[b, count:] = 0
                    out[f"{spec.id}_count"][b] = count
                elif spec.type == "sensor.speedometer":
                    into[b, 0] = data["speed"]
                else:
                    into[b] = data


def _space(spec: SensorSpec, raw: bool) -> gym.spaces.Box:
    if spec.kind.camera:
        shape = (int(spec.attributes["image_size_y"]), int(spec.attributes["image_size_x"]), 4 if raw else 3)
        return gym.spaces.Box(0, 255, shape, np.uint8)
    if spec.type in _CLOUDS:
        rays = spec.number("points_per_second") * TICK_SECONDS
        if spec.type == "sensor.lidar.ray_cast":
            lasers = spec.number("channels")
            rays = round(rays / lasers) * lasers
        return gym.spaces.Box(-np.inf, np.inf, (max(int(rays), 1), 4), np.float32)
    return gym.spaces.Box(-np.inf, np.inf, (_VECTORS[spec.type],), np.float64)
