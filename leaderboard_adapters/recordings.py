"""Recordings of driven routes: what stood where at every moment, small enough to keep of every route.

The file is an `.npz` archive without pickled objects; docs/recordings.md describes it. `read_recording` gives a
`Recording`, which has been checked, and interpolates between the frames of other actors.
"""

from __future__ import annotations

import io
import itertools
import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from leaderboard_adapters.json_files import Place
from leaderboard_adapters.story import Moment
from leaderboard_adapters.story_json import read_timeline, timeline_document
from scenarios.weather import WEATHER_FIELDS
from simulator.errors import ResultFileError

SCHEMA = "routegym-recording"
VERSION = 1
SUFFIX = ".npz"
COMPRESSION = 3  # the usual 6 takes two to five times as long for a tenth less
FOLDER = "recordings"  # of a run folder

#: Columns of the ego's motion, one row a tick, and the step that each is rounded to.
EGO_COLUMNS: Mapping[str, float] = {
    "x": 0.001,  # m, world
    "y": 0.001,
    "z": 0.001,
    "yaw": 0.0001,  # rad, continuous
    "pitch": 0.0001,  # rad, up positive
    "speed": 0.001,  # m/s along the heading
    "ax": 0.01,  # m/s2, world
    "ay": 0.01,
    "yaw_rate": 0.001,  # rad/s
    "throttle": 0.001,  # 0..1, as it was applied
    "brake": 0.001,
    "steer": 0.001,  # -1..1, right positive
}
#: Columns of the frames.
FRAME_COLUMNS: Mapping[str, float] = {
    "tick": 1,
    "ego_lights": 1,  # VehicleLight bits
    "percent": 0.01,  # of the route
    "path_s": 0.001,  # m along the path
    "path_offset": 0.001,  # m beside it, right positive
}
#: Columns of the rows of other actors, sorted by actor, then frame.
ACTOR_COLUMNS: Mapping[str, float] = {
    "actor": 1,  # index in `actors` of the header
    "frame": 1,  # index of a frame
    "x": 0.001,
    "y": 0.001,
    "z": 0.001,
    "yaw": 0.0001,
    "pitch": 0.0001,
    "speed": 0.001,
    "lights": 1,
    "door": 1,  # 0 closed, else 1 + CARLA door index
}
LIGHT_COLUMNS: Mapping[str, float] = {"tick": 1, "light": 1, "state": 1}  # LightState, when it changes
LINE_COLUMNS: Mapping[str, float] = {"x": 0.001, "y": 0.001, "z": 0.001}

_TABLES: Mapping[str, Mapping[str, float]] = {
    "ego": EGO_COLUMNS,
    "frames": FRAME_COLUMNS,
    "actor_rows": ACTOR_COLUMNS,
    "lights": LIGHT_COLUMNS,
    "path": LINE_COLUMNS,
    "trace": LINE_COLUMNS,
}
_OWN_KEYS = ("schema", "version", "actors", "scenarios", "timeline")  # of the header, which the others stand beside
_WHOLE = {"tick", "ego_lights", "actor", "frame", "lights", "door", "light", "state"}


class ActorCard(NamedTuple):
    """Who an actor is. `scenario` is the name of the scenario that it belongs to, `member` its name there."""

    actor: int  # id, as in infraction messages
    blueprint: str
    role: str  # "background", "scenario", "flow", "ambient"
    scenario: str = ""
    member: str = ""


class ScenarioCard(NamedTuple):
    """A scenario that was placed on the route. Trigger: metres, and degrees as in the route file."""

    name: str
    type: str
    x: float
    y: float
    z: float
    yaw: float
    distance: float  # m along the trace at which it triggers


class ActorPose(NamedTuple):
    """An actor at one moment; angles in radians, speed in m/s."""

    card: ActorCard
    x: float
    y: float
    z: float
    yaw: float
    pitch: float
    speed: float
    lights: int
    door: int


Table = dict[str, np.ndarray]


@dataclass(frozen=True)
class Recording:
    """One drive. Lengths in metres, world frame (x east, y south, z up), angles in radians.

    T ticks, F frames, N rows of other actors.
    """

    header: Mapping[str, Any]  # what was driven, and how it ended: texts and numbers, see docs/recordings.md
    actors: tuple[ActorCard, ...]
    scenarios: tuple[ScenarioCard, ...]
    timeline: tuple[Moment, ...]
    ego: Table  # float64[T+1] each, row = tick
    frames: Table  # [F] each
    actor_rows: Table  # [N] each
    lights: Table  # [K] each
    path: Table  # the drivable path of the route, about every 2 m
    trace: Table  # the route as the leaderboard traces it
    weather_tick: np.ndarray  # int64[W], from when the row of `weather` shows
    weather: np.ndarray  # float32[W, 14], fields as in scenarios/weather.py
    _spans: dict[int, slice] = field(default_factory=dict, repr=False, compare=False)

    @property
    def num_ticks(self) -> int:
        """Ticks driven; the ego has one row more, its start."""
        return len(self.ego["x"]) - 1

    def rows_of(self, actor: int) -> Table:
        """The rows of one actor (an index of `actors`), with their `tick`."""
        if not self._spans:
            edges = np.searchsorted(self.actor_rows["actor"], np.arange(len(self.actors) + 1))
            self._spans.update({i: slice(int(a), int(b)) for i, (a, b) in enumerate(itertools.pairwise(edges))})
        rows = {name: column[self._spans[actor]] for name, column in self.actor_rows.items()}
        rows["tick"] = self.frames["tick"][rows["frame"]]
        return rows

    def poses(self, tick: float) -> list[ActorPose]:
        """All other actors that were near the ego at a tick, interpolated between frames."""
        after = int(np.searchsorted(self.frames["tick"], tick))
        after = min(max(after, 1), len(self.frames["tick"]) - 1) if len(self.frames["tick"]) > 1 else 0
        before = max(after - 1, 0)
        t0, t1 = self.frames["tick"][before], self.frames["tick"][after]
        share = min(max((tick - t0) / (t1 - t0), 0.0), 1.0) if t1 > t0 else 0.0
        found = []
        r = self.actor_rows
        here = np.flatnonzero((r["frame"] == before) | (r["frame"] == after))
        rows = {(int(r["actor"][i]), int(r["frame"][i])): int(i) for i in here}
        for actor in sorted({actor for actor, _ in rows}):
            a, b, part = rows.get((actor, before), -1), rows.get((actor, after), -1), share
            if a < 0 or b < 0:  # comes or goes between the frames
                if (a >= 0) != (share < 0.5):
                    continue
                a = b = max(a, b)
                part = 0.0
            turn = np.angle(np.exp(1j * (r["yaw"][b] - r["yaw"][a])))
            mixed = {name: r[name][a] + part * (r[name][b] - r[name][a]) for name in ("x", "y", "z", "pitch", "speed")}
            found.append(
                ActorPose(
                    self.actors[actor],
                    yaw=float(r["yaw"][a] + part * turn),
                    lights=int(r["lights"][a if part < 0.5 else b]),
                    door=int(r["door"][a if part < 0.5 else b]),
                    **{name: float(value) for name, value in mixed.items()},
                )
            )
        return found

    def light_states(self, tick: int) -> dict[int, int]:
        """State of each traffic light near the route at a tick, by light index."""
        known = self.lights["tick"] <= tick
        return dict(zip(self.lights["light"][known].tolist(), self.lights["state"][known].tolist()))

    def weather_at(self, tick: int) -> dict[str, float]:
        """Weather by field of `carla.WeatherParameters` at a tick; {} where none was recorded."""
        k = int(np.searchsorted(self.weather_tick, tick, side="right")) - 1
        return dict(zip(WEATHER_FIELDS, self.weather[k].tolist())) if k >= 0 else {}


def as_table(columns: Mapping[str, float], rows: np.ndarray) -> Table:
    """A table of `rows` [n, columns]; columns that count something are int64, the others float64."""
    return {name: rows[:, i].astype(np.int64 if name in _WHOLE else np.float64) for i, name in enumerate(columns)}


def write_recording(path: str | os.PathLike[str], recording: Recording) -> None:
    """Write a recording whole or not at all.

    Raises:
        OSError: when the folder or file cannot be written.
    """
    target = Path(path)
    document = {
        "schema": SCHEMA,
        "version": VERSION,
        **recording.header,
        "actors": [list(card) for card in recording.actors],
        "scenarios": [list(card) for card in recording.scenarios],
        "timeline": timeline_document(recording.timeline),
    }
    members: dict[str, np.ndarray] = {
        "header": np.frombuffer(json.dumps(document, allow_nan=False).encode(), np.uint8),
        "weather_tick": recording.weather_tick.astype(np.int32),
        "weather": recording.weather.astype(np.float32),
    }
    for name, columns in _TABLES.items():
        members[name] = _pack(getattr(recording, name), columns)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".partial")
    try:
        with zipfile.ZipFile(partial, "w") as archive:
            for name, array in members.items():
                data = io.BytesIO()
                np.lib.format.write_array(data, array, allow_pickle=False)
                # without a date, so that the same drive gives the same bytes
                archive.writestr(zipfile.ZipInfo(f"{name}.npy"), data.getvalue(), zipfile.ZIP_DEFLATED, COMPRESSION)
        os.replace(partial, target)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def read_recording(path: str | os.PathLike[str]) -> Recording:
    """Read and check a recording.

    Raises:
        ResultFileError: when the file is not there, is damaged, or is of another version; it says what and where.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            members = {name: archive[name] for name in archive.files}
    except OSError as error:
        raise ResultFileError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, AttributeError, TypeError) as error:
        raise ResultFileError(f"{path}: not a recording, or damaged: {error}") from None
    missing = sorted({"header", "weather", "weather_tick", *_TABLES} - members.keys())
    if missing:
        raise ResultFileError(f"{path}: not a recording: {', '.join(missing)} is missing")
    try:
        document = json.loads(members["header"].astype(np.uint8).tobytes())
    except ValueError as error:
        raise ResultFileError(f"{path}: header: no JSON: {error}") from None
    header = Place(str(path), document, "header")
    if header.at("schema").text() != SCHEMA:
        raise header.at("schema").fail(f'"{SCHEMA}"')
    if header.at("version").integer() != VERSION:
        raise ResultFileError(
            f"{path}: a recording of version {header.at('version').value}; this version reads {VERSION}. "
            "Drive the route again."
        )
    tables = {name: _unpack(str(path), name, members[name], columns) for name, columns in _TABLES.items()}
    kept = {key: value for key, value in header.mapping().items() if key not in _OWN_KEYS}
    recording = Recording(
        header=kept,
        actors=tuple(_actor_card(item) for item in header.at("actors").items()),
        scenarios=tuple(_scenario_card(item) for item in header.at("scenarios").items()),
        timeline=read_timeline(header.at("timeline")),
        weather_tick=members["weather_tick"].astype(np.int64),
        weather=members["weather"].astype(np.float32),
        **tables,  # type: ignore[arg-type]
    )
    validate(recording, str(path))
    return recording


def validate(recording: Recording, path: str = "recording") -> None:
    """Check that the parts fit together.

    Raises:
        ResultFileError: naming the part that does not.
    """

    def check(holds: bool, text: str) -> None:
        if not holds:
            raise ResultFileError(f"{path}: {text}")

    for name in _TABLES:
        lengths = {len(column) for column in getattr(recording, name).values()}
        check(len(lengths) == 1, f"{name}: its columns have different lengths")
    r, ticks = recording.actor_rows, recording.frames["tick"]
    check(len(recording.ego["x"]) > 0, "ego: it has no row")
    check(bool((np.diff(ticks) > 0).all()), "frames: ticks must grow")
    check(not len(ticks) or (ticks[0] >= 0 and ticks[-1] <= recording.num_ticks), "frames: a tick is out of range")
    check(_within(r["actor"], len(recording.actors)), "actor_rows: an actor is not in the header")
    check(_within(r["frame"], len(ticks)), "actor_rows: a frame does not exist")
    order = r["actor"] * (len(ticks) + 1) + r["frame"]
    check(bool((np.diff(order) > 0).all()), "actor_rows: must be sorted by actor, then frame")
    shape = (len(recording.weather_tick), len(WEATHER_FIELDS))
    check(recording.weather.shape == shape, f"weather: shape {recording.weather.shape}, expected {shape}")
    check(bool(np.isfinite(recording.weather).all()), "weather: a value is not finite")


def _within(values: np.ndarray, count: int) -> bool:
    return not len(values) or bool(values.min() >= 0 and values.max() < count)


def _pack(table: Table, columns: Mapping[str, float]) -> np.ndarray:
    """int32[columns, n]: values in steps of their column, each as the difference from the one before."""
    packed = np.empty((len(columns), len(next(iter(table.values())))), np.int32)
    for i, (name, step) in enumerate(columns.items()):
        whole = np.round(np.asarray(table[name], np.float64) / step).astype(np.int64)
        packed[i] = np.diff(whole, prepend=0)
    return packed


def _unpack(path: str, name: str, packed: np.ndarray, columns: Mapping[str, float]) -> Table:
    if packed.ndim != 2 or len(packed) != len(columns) or packed.dtype != np.int32:
        expected = f"int32[{len(columns)}, n]"
        raise ResultFileError(f"{path}: {name}: expected {expected}, found {packed.dtype}{list(packed.shape)}")
    whole = np.cumsum(packed.astype(np.int64), axis=1)
    return {
        column: whole[i] if column in _WHOLE else whole[i] * step for i, (column, step) in enumerate(columns.items())
    }


def _actor_card(place: Place) -> ActorCard:
    items = place.items()
    if len(items) != len(ActorCard._fields):
        raise place.fail(f"[{', '.join(ActorCard._fields)}]")
    return ActorCard(items[0].integer(), *(item.text() for item in items[1:]))


def _scenario_card(place: Place) -> ScenarioCard:
    items = place.items()
    if len(items) != len(ScenarioCard._fields):
        raise place.fail(f"[{', '.join(ScenarioCard._fields)}]")
    return ScenarioCard(items[0].text(), items[1].text(), *(item.number() for item in items[2:]))
