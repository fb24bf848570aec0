"""Collects the recording of one running world, tick by tick; see `leaderboard_adapters.recordings`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from envs.world import LOG_COLUMNS, WorldBatch
from evaluation.witness import Witness
from leaderboard_adapters.recordings import (
    ACTOR_COLUMNS,
    EGO_COLUMNS,
    FRAME_COLUMNS,
    LIGHT_COLUMNS,
    ActorCard,
    Recording,
    ScenarioCard,
    Table,
    as_table,
)
from leaderboard_adapters.story import Moment
from simulator.blueprints import BLUEPRINTS
from simulator.state import EGO

FRAME_TICKS = 4  # ticks between frames: 5 Hz
WEATHER_TICKS = 20  # ticks between looks at the weather
NEAR_METRES = 120.0  # around the ego within which other actors are recorded
LIGHT_METRES = 150.0  # around the ego's way within which traffic lights are recorded
LINE_PITCH = 2.0  # metres between points of the path

_COPIED = ("actor_id", "kind", "hidden", "x", "y", "z", "yaw", "pitch", "speed", "lights", "door")


class Recorder:
    """Records world `index` of a batch that keeps a log, from its reset on."""

    def __init__(self, batch: WorldBatch, index: int = 0) -> None:
        self._batch, self._index = batch, index
        self._world, self._criteria = batch.worlds[index], batch.criteria[index]
        self._actors = [batch.worlds[name][index] for name in _COPIED]
        count = len(batch.routes.network.arrays.light_x)
        self._light_view = batch.worlds["light_state"][index, :count]
        self._tick_view = batch.worlds["tick"][index : index + 1]
        self._lights: list[tuple[int, np.ndarray]] = []
        self._lights_seen = b""
        self._frames: list[tuple[float, ...]] = []
        self._frame_actors: list[list[np.ndarray]] = []
        self._weather: list[tuple[int, np.ndarray]] = []
        w = self._world
        start = {name: float(w[name][EGO]) for name in EGO_COLUMNS if name in LOG_COLUMNS}
        self._start = [start[name] for name in EGO_COLUMNS]
        self.note(new=True)

    def note(self, *, new: bool = False) -> None:
        """Take in the tick that has just been done; `new`: something happened in it that deserves a frame."""
        tick = int(self._tick_view[0])
        seen = self._light_view.tobytes()
        if seen != self._lights_seen:
            self._lights_seen = seen
            self._lights.append((tick, self._light_view.copy()))
        if new or tick % FRAME_TICKS == 0:
            self._add_frame(tick)
        if tick % WEATHER_TICKS == 0 or not self._weather:
            weather = self._world["weather"].astype(np.float32)
            if not self._weather or not np.array_equal(weather, self._weather[-1][1]):
                self._weather.append((tick, weather))

    def recording(self, header: Mapping[str, Any], witness: Witness, timeline: Sequence[Moment]) -> Recording:
        """What has been recorded. The witness tells who the actors are; `header` goes into the file."""
        prepared = self._batch.routes.routes[int(self._world["route"])]
        specs = [(scenario.spec, scenario.trigger_distance) for scenario in prepared.compiled.scenarios]
        points = [(spec, spec.trigger_point, metres) for spec, metres in specs]
        scenarios = tuple(
            ScenarioCard(spec.name, spec.type, at.x, at.y, at.z, at.yaw, metres) for spec, at, metres in points
        )
        ego = self._ego()
        frames = np.array(self._frames, np.float64).reshape(-1, len(FRAME_COLUMNS))
        ids, rows = self._rows(ego, frames)
        names = [scenario.name for scenario in scenarios]
        geometry = prepared.geometry
        every = max(round(LINE_PITCH / geometry.path_step), 1)
        end = min(round(geometry.path_end / geometry.path_step), len(geometry.path_x) - 1)
        path = np.unique(np.append(np.arange(0, end, every), end))
        return Recording(
            header=header,
            actors=tuple(_card(witness, actor, names) for actor in ids),
            scenarios=scenarios,
            timeline=tuple(timeline),
            ego=ego,
            frames=as_table(FRAME_COLUMNS, frames),
            actor_rows=rows,
            lights=self._light_changes(ego),
            path={axis: getattr(geometry, f"path_{axis}")[path] for axis in "xyz"},
            trace={axis: getattr(geometry, f"trace_{axis}") for axis in "xyz"},
            weather_tick=np.array([tick for tick, _ in self._weather], np.int64),
            weather=np.array([weather for _, weather in self._weather], np.float32),
        )

    def _add_frame(self, tick: int) -> None:
        w = self._world
        if self._frames and self._frames[-1][0] == tick:
            return
        percent = 100.0 if self._criteria["completed"] else float(self._criteria["route_percent"])
        self._frames.append((tick, int(w["lights"][EGO]), percent, float(w["path_s"]), float(w["path_offset"])))
        used = max(int(w["num_slots"]), 1)
        self._frame_actors.append([field[:used].copy() for field in self._actors])

    def _ego(self) -> Table:
        log = self._batch.log[self._index, : int(self._tick_view[0])]
        columns = [LOG_COLUMNS.index(name) for name in EGO_COLUMNS]
        table = as_table(EGO_COLUMNS, np.vstack([self._start, log[:, columns]]))
        table["yaw"] = np.unwrap(table["yaw"])
        return table

    def _rows(self, ego: Table, frames: np.ndarray) -> tuple[list[int], Table]:
        """Ids of all actors that came near, and their rows."""
        sizes = [len(fields[0]) for fields in self._frame_actors]
        joined = [np.concatenate(field) for field in zip(*self._frame_actors)]
        a = dict(zip(_COPIED, joined))
        frame = np.repeat(np.arange(len(sizes)), sizes)
        slot = np.concatenate([np.arange(size) for size in sizes])
        at = frames[frame, 0].astype(np.int64)
        near = np.hypot(a["x"] - ego["x"][at], a["y"] - ego["y"][at]) < NEAR_METRES
        keep = near & (slot != EGO) & (a["kind"] != 0) & (a["hidden"] == 0)
        ids, actor = np.unique(a["actor_id"][keep], return_inverse=True)
        order = np.lexsort((frame[keep], actor))
        rows: Table = {"actor": actor[order].astype(np.int64), "frame": frame[keep][order]}
        for name in ACTOR_COLUMNS:
            if name not in rows:
                rows[name] = a[name][keep][order]
        return ids.tolist(), rows

    def _light_changes(self, ego: Table) -> Table:
        net = self._batch.routes.network.arrays
        way = np.stack([ego["x"], ego["y"]], axis=1)[::20]
        lights = np.stack([net.light_x, net.light_y], axis=1)
        near = np.array([np.hypot(*(way - light).T).min() < LIGHT_METRES for light in lights], bool)
        changes = []
        before = np.full(len(lights), -1)
        for tick, states in self._lights:
            changes += [(tick, light, int(states[light])) for light in np.flatnonzero(near & (states != before))]
            before = states
        return as_table(LIGHT_COLUMNS, np.array(changes, np.int64).reshape(-1, len(LIGHT_COLUMNS)))


def _card(witness: Witness, actor: int, scenarios: Sequence[str]) -> ActorCard:
    who = witness.identities[actor]
    scenario = scenarios[who.scenario] if who.scenario >= 0 else ""
    return ActorCard(actor, BLUEPRINTS[who.blueprint].id, who.role, scenario, who.member)
