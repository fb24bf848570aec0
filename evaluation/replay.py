"""A recorded drive as it was: the world record and the dashboard of any of its ticks, for frames and pictures."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from envs.views.dashboard import CAPTION_SECONDS, Caption, Dashboard
from leaderboard_adapters.infraction_words import caption_of
from leaderboard_adapters.recordings import Recording
from leaderboard_adapters.records import Infraction
from leaderboard_adapters.scores import penalty_factor, percentage_in
from leaderboard_adapters.story import Happening, Moment
from scenarios.weather import WEATHER_FIELDS
from scenarios.weather_words import weather_words
from simulator.blueprints import BLUEPRINTS, EGO_BLUEPRINT
from simulator.dynamics import STEERING_GAIN
from simulator.state import EGO, MAX_ACTORS, TICK_SECONDS, LightState, Role, empty_worlds

_BLUEPRINT_NUMBER = {blueprint.id: number for number, blueprint in enumerate(BLUEPRINTS)}
_BRAKING = 0.8  # m/s2; who loses speed faster has its brake lights on
_TOLD = (Happening.TRIGGER, Happening.PHASE, Happening.SCENARIO_END, Happening.STAGED, Happening.MISSED)


class Replay:
    """World records of a recording.

    A record holds what sensors and pictures read: poses, sizes, lights, doors, controls of the ego, traffic lights,
    weather. It cannot be driven on.
    """

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.path = np.stack([recording.path["x"], recording.path["y"]], axis=1)
        self._world = empty_worlds(1)
        self._actors = [(card, _BLUEPRINT_NUMBER.get(card.blueprint, -1)) for card in recording.actors]
        rows = recording.actor_rows
        self._order = np.argsort(rows["frame"], kind="stable")  # by frame, then actor
        self._edges = np.searchsorted(rows["frame"][self._order], np.arange(len(recording.frames["tick"]) + 1))
        self._travelled, self._braking = _motion(recording)
        self._infractions = _infractions(recording)
        self._marks = [float(self._percent(infraction.tick)) for infraction in self._infractions]
        self._moments = [moment for moment in recording.timeline if moment.kind in _TOLD]
        self._moment_ticks = [moment.tick for moment in self._moments]

    @property
    def num_ticks(self) -> int:
        """Ticks driven."""
        return self.recording.num_ticks

    def world(self, tick: int) -> np.ndarray:
        """The WORLD record at a tick; the next call writes into the same one."""
        recording = self.recording
        w = self._world[0]
        tick = min(max(tick, 0), self.num_ticks)
        w["tick"], w["time"] = tick, tick * TICK_SECONDS
        w["kind"][:] = 0
        self._place_ego(w, tick)
        self._place_others(w, tick)
        w["light_state"] = LightState.OFF
        for light, state in recording.light_states(tick).items():
            w["light_state"][light] = state
        weather = recording.weather_at(tick)
        if weather:
            w["weather"] = [weather[name] for name in WEATHER_FIELDS]
        return w

    def dashboard(self, tick: int) -> Dashboard:
        """What there is to tell at a tick."""
        recording, header = self.recording, self.recording.header
        ego = {name: float(column[tick]) for name, column in recording.ego.items()}
        over = tick >= self.num_ticks
        booked = self._infractions if over else [i for i in self._infractions if i.tick <= tick]
        penalty = float(np.prod([penalty_factor(infraction) for infraction in booked])) if booked else 1.0
        percent = float(self._percent(tick))
        if over:
            percent, penalty = float(header.get("score_route", percent)), float(header.get("score_penalty", penalty))
        ages = [(tick - infraction.tick) * TICK_SECONDS for infraction in booked]
        captions = tuple(
            Caption(caption_of(infraction), penalty_factor(infraction), age)
            for infraction, age in zip(booked, ages)
            if 0.0 <= age < CAPTION_SECONDS
        )
        scenario, phase = self._phase(tick)
        return Dashboard(
            title=title_of(header),
            subtitle=", ".join(self._subtitle(tick)),
            seconds=tick * TICK_SECONDS,
            speed=ego["speed"],
            throttle=ego["throttle"],
            brake=ego["brake"],
            steer=ego["steer"],
            percent=percent,
            score=float(header["score_composed"]) if over and "score_composed" in header else percent * penalty,
            penalty=penalty,
            scenario=scenario,
            phase=phase,
            captions=captions[-4:],
            marks=tuple(self._marks[: len(booked)]),
            status=str(header.get("status", "")) if over else "",
        )

    def _percent(self, tick: int) -> float:
        frames = self.recording.frames
        return float(np.interp(tick, frames["tick"], frames["percent"])) if len(frames["tick"]) else 0.0

    def _subtitle(self, tick: int) -> Sequence[str]:
        header, weather = self.recording.header, self.recording.weather_at(tick)
        town = str(header.get("town", "")) + (" (synthetic)" if header.get("synthetic") else "")
        told = (town, str(header.get("agent", "")), weather_words(weather) if weather else "")
        return [part for part in told if part]

    def _phase(self, tick: int) -> tuple[str, str]:
        """The scenario that runs or comes next, and what it does, by the last moment of the timeline."""
        k = bisect_right(self._moment_ticks, tick) - 1
        if k < 0:
            return "", ""
        # A phase says more than the trigger that opens it in the same tick.
        here = [m for m in self._moments[: k + 1] if m.tick == self._moments[k].tick]
        moment: Moment = next((m for m in reversed(here) if m.kind == Happening.PHASE), here[-1])
        if moment.kind == Happening.SCENARIO_END:
            told = f"ended: {moment.because}" if moment.because else "ended"
        else:
            told = f"{moment.because}: {moment.text}" if moment.because else moment.text
        return moment.scenario, told

    def _place_ego(self, w: np.void, tick: int) -> None:
        recording = self.recording
        row = {name: float(column[tick]) for name, column in recording.ego.items()}
        _dress(w, EGO, EGO_BLUEPRINT, 1, Role.HERO)
        for name in ("x", "y", "z", "yaw", "pitch", "speed", "ax", "ay", "yaw_rate", "throttle", "brake", "steer"):
            w[name][EGO] = row[name]
        w["yaw"][EGO] = math.remainder(row["yaw"], math.tau)  # recorded without a jump at half turns
        w["steer_angle"][EGO] = STEERING_GAIN * row["steer"]
        frames = recording.frames
        if len(frames["tick"]):
            k = max(int(np.searchsorted(frames["tick"], tick, side="right")) - 1, 0)
            w["lights"][EGO] = frames["ego_lights"][k]
            w["path_s"] = np.interp(tick, frames["tick"], frames["path_s"])

    def _place_others(self, w: np.void, tick: int) -> None:
        """Between two frames: those in both are moved, those in one are shown on its side of the middle."""
        ticks, rows = self.recording.frames["tick"], self.recording.actor_rows
        w["num_slots"] = 1
        if not len(ticks):
            return
        after = min(max(int(np.searchsorted(ticks, tick)), min(1, len(ticks) - 1)), len(ticks) - 1)
        before = max(after - 1, 0)
        gap = int(ticks[after] - ticks[before])
        share = min(max((tick - int(ticks[before])) / gap, 0.0), 1.0) if gap else 0.0
        at = np.full((2, len(self._actors)), -1)
        for side, frame in enumerate((before, after)):
            here = self._order[self._edges[frame] : self._edges[frame + 1]]
            at[side, rows["actor"][here]] = here
        both = (at >= 0).all(axis=0)
        alone = np.where(share < 0.5, at[0], at[1])
        shown = np.flatnonzero(both | (alone >= 0))[: MAX_ACTORS - 1]
        a = np.where(both, at[0], alone)[shown]
        b = np.where(both, at[1], alone)[shown]
        slots = slice(1, 1 + len(shown))
        w["num_slots"] = 1 + len(shown)
        for slot, actor in enumerate(shown, 1):
            card, blueprint = self._actors[actor]
            _dress(w, slot, blueprint, card.actor, _ROLES.get(card.role, Role.BACKGROUND))
        for name in ("x", "y", "z", "pitch", "speed"):
            w[name][slots] = rows[name][a] + share * (rows[name][b] - rows[name][a])
        turn = np.angle(np.exp(1j * (rows["yaw"][b] - rows["yaw"][a])))
        w["yaw"][slots] = rows["yaw"][a] + share * turn
        w["travelled"][slots] = self._travelled[a] + share * (self._travelled[b] - self._travelled[a])
        nearest = a if share < 0.5 else b
        for name in ("lights", "door"):
            w[name][slots] = rows[name][nearest]
        w["brake"][slots] = np.where(self._braking[b], 0.5, 0.0)


_ROLES = {role.name.lower(): role for role in Role}


def title_of(header: object) -> str:
    """Heading of a drive: number of the route (and of the repetition), scenario type."""
    get = header.get  # type: ignore[attr-defined]
    route, _, repetition = str(get("route_id", "")).removeprefix("RouteScenario_").partition("_rep")
    name = f"route {route}" + (f" rep {repetition}" if repetition not in ("", "0") else "")
    return f"{name}  {get('scenario_type', '')}".strip()


def _dress(w: np.void, slot: int, blueprint: int, actor: int, role: Role) -> None:
    """Give a slot its looks and size; -1 stands for a blueprint that this version does not have."""
    known = BLUEPRINTS[blueprint]
    w["kind"][slot] = known.kind if blueprint >= 0 else 0
    w["blueprint"][slot], w["actor_id"][slot], w["role"][slot], w["hidden"][slot] = blueprint, actor, role, 0
    for name in ("half_length", "half_width", "half_height"):
        w[name][slot] = getattr(known, name)
    for name in ("throttle", "brake", "steer", "steer_angle", "reverse", "lights", "door"):
        w[name][slot] = 0


def _motion(recording: Recording) -> tuple[np.ndarray, np.ndarray]:
    """Of every actor row: metres gone since the actor's first row, and whether it has braked since the row before."""
    rows, ticks = recording.actor_rows, recording.frames["tick"]
    count = len(rows["actor"])
    steps = np.zeros(count)
    braking = np.zeros(count, bool)
    if count > 1:
        same = rows["actor"][1:] == rows["actor"][:-1]
        steps[1:] = np.where(same, np.hypot(np.diff(rows["x"]), np.diff(rows["y"])), 0.0)
        seconds = np.maximum(np.diff(ticks[rows["frame"]]), 1) * TICK_SECONDS
        braking[1:] = same & (np.diff(np.abs(rows["speed"])) / seconds < -_BRAKING)
    return np.cumsum(steps), braking


def _infractions(recording: Recording) -> list[Infraction]:
    """The infractions of the header that cost something or end the route, by tick."""
    found = []
    for entry in recording.header.get("infractions", ()):
        name, message = str(entry["name"]), str(entry["message"])
        if name != "min_speed_infractions":
            share = percentage_in(message) or 0.0
            found.append(Infraction(name, message, int(entry["tick"]), percentage=share))
    return sorted(found, key=lambda infraction: infraction.tick)
