"""Watches one running world and writes down why things happened: the timeline, and the circumstances of infractions.

`look` is called after every tick. It compares a few counters, and only where one has changed reads the records.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from envs.world import WorldBatch
from leaderboard_adapters.criteria_state import (
    BLOCKED,
    LAYOUT,
    PEDESTRIAN,
    ROUTE_TIMEOUT,
    SCENARIO_TIMEOUT,
    VEHICLE,
    YIELD,
)
from leaderboard_adapters.infractions import LANE_EXCURSION, MAP_GEOMETRY_TYPE
from leaderboard_adapters.records import Infraction
from leaderboard_adapters.story import Circumstances, Happening, Involved, Moment, Part, ScenarioState
from leaderboard_adapters.story_json import rounded
from scenarios.director_state import MAX_CAST, MAX_FLOWS, MAX_LIVE, MAX_STRANDS, Stage, Status
from scenarios.wording import StrandWords
from simulator.blueprints import BLUEPRINTS, Kind
from simulator.state import EGO, TICK_SECONDS, Role

MAX_MOMENTS = 240  # of a timeline, infractions and the end not counted
MAX_NAMED = 4  # actors that a moment names
NEAR_METRES = 15.0  # around the ego within which actors are near
MAX_NEAR = 3
STANDING = 0.1  # m/s below which the ego stands
AHEAD_METRES = 100.0  # along the route within which a trigger is worth telling
ENDED_SECONDS = 10.0  # for which the end of a scenario is worth telling

_COLLISIONS = (LAYOUT, PEDESTRIAN, VEHICLE)
_STANDSTILLS = (BLOCKED, ROUTE_TIMEOUT, SCENARIO_TIMEOUT)


@dataclass(frozen=True)
class Identity:
    """Who an actor is, for as long as it lives. `scenario` is its number on the route, -1 none."""

    actor: int
    blueprint: int
    role: str
    scenario: int = -1
    member: str = ""


class Witness:
    """The observer of one world of a batch, from its reset on.

    Attributes:
        circumstances: of the events booked so far, as `leaderboard_adapters.infractions.build_result` takes them.
        identities: of all actors seen so far, by actor id.
    """

    def __init__(self, batch: WorldBatch, index: int = 0) -> None:
        """Begin with world `index`, which has just been reset."""
        self._batch, self._index = batch, index
        self._world, self._director, self._criteria, self._switches = (records[index] for records in batch.state)
        self._scripts = batch.routes.scripts
        route = int(self._world["route"])
        self._prepared = batch.routes.routes[route]
        self._words = [StrandWords(scenario) for scenario in self._prepared.compiled.scenarios]
        self._names = [words.scenario.spec.name for words in self._words]
        self._first = int(self._scripts.scenario_first[route])
        self._length = max(self._prepared.length, 1e-9)
        count = len(self._words)
        self._status = self._director["status"][:count]
        one = slice(index, index + 1)  # a field of a single record is a number, which does not follow it
        self._counters = (
            batch.criteria["num_events"][one],
            batch.criteria["wrong_tick"][one],
            batch.directors["status"][index, :count],
            batch.directors["pc"][index],
        )
        self._next_id = batch.worlds["next_actor_id"][one]
        self._ego_speed = batch.worlds["speed"][index, :1]
        self.circumstances: dict[int, Circumstances] = {}
        self.identities: dict[int, Identity] = {}
        self._moments: list[Moment] = []
        self._left_out = 0
        self._ended: dict[int, int] = {}  # scenario -> tick
        self._events = 0
        self._timeouts = 0
        self._outside = False
        self._pcs: dict[int, list[int]] = {}  # running scenario -> row of each strand
        self._before = [int(Status.WAITING)] * count
        self._speed = 0.0
        self._still = 0  # ticks for which the ego has stood
        self._seen = b""
        self._last_id = -1
        self.look()

    def look(self) -> bool:
        """Take in the tick that has just been done; True when it has anything to tell."""
        seen = b"".join([counter.tobytes() for counter in self._counters])
        told = len(self._moments) + len(self.circumstances)
        if self._next_id[0] != self._last_id:
            self._last_id = int(self._next_id[0])
            self._register()
        if seen != self._seen:
            self._seen = seen
            self._note_scenarios()
            self._note_events()
        self._speed = float(self._ego_speed[0])
        self._still = self._still + 1 if abs(self._speed) < STANDING else 0
        return len(self._moments) + len(self.circumstances) > told

    def timeline(self, infractions: Sequence[Infraction], status: str) -> tuple[Moment, ...]:
        """All moments by tick: scenarios, infractions that cost something, the end."""
        told = [*self._moments, *(self._told(infraction) for infraction in infractions if infraction.circumstances)]
        told.sort(key=lambda moment: moment.tick)
        if self._left_out:
            told.append(self._moment(Happening.LEFT_OUT, f"{self._left_out} more moments are not listed"))
        end = self._moment(Happening.ROUTE_END, status)
        if not self._criteria["completed"]:
            end = dataclasses.replace(end, circumstances=self._circumstances(self._near()))
        return (*told, end)

    # Actors

    def _register(self) -> None:
        w, d = self._world, self._director
        used = int(w["num_slots"])
        kinds, ids = w["kind"][:used].tolist(), w["actor_id"][:used].tolist()
        new = [slot for slot in range(1, used) if kinds[slot] and ids[slot] not in self.identities]
        if not new:
            return
        members: dict[int, tuple[int, str]] = {}
        for live in range(MAX_LIVE):
            scenario = int(d["scenario"][live])
            if scenario < 0:
                continue
            cast = self._words[scenario].scenario.script.cast
            for m in range(min(MAX_CAST, len(cast))):
                members[int(d["cast_slot"][live, m])] = (scenario, cast[m].name)
        for slot in new:
            actor = ids[slot]
            scenario, member = members.get(slot, (int(w["scenario"][slot]), ""))
            flow = int(d["slot_flow"][slot])
            if flow >= 0 and scenario >= 0:
                member = self._words[scenario].scenario.script.flows[flow % MAX_FLOWS].name
            role = Role(int(w["role"][slot])).name.lower()
            self.identities[actor] = Identity(actor, int(w["blueprint"][slot]), role, scenario, member)

    def _involved(self, actor: int, blueprint: int, part: Part) -> Involved:
        if actor == 0 or blueprint < 0:
            return Involved(0, MAP_GEOMETRY_TYPE, "map", part)
        w = self._world
        slots = np.flatnonzero(w["actor_id"][: int(w["num_slots"]) + 1] == actor)
        known = self.identities.get(actor, Identity(actor, blueprint, "none"))
        distance = speed = 0.0
        if len(slots):
            distance, speed = self._distance(int(slots[0])), float(w["speed"][slots[0]])
        name = self._names[known.scenario] if known.scenario >= 0 else ""
        return Involved(
            actor, BLUEPRINTS[blueprint].id, known.role, part, name, known.member, distance=distance, speed=speed
        )

    def _distance(self, slot: int) -> float:
        w = self._world
        return math.dist((w["x"][EGO], w["y"][EGO], w["z"][EGO]), (w["x"][slot], w["y"][slot], w["z"][slot]))

    def _near(self) -> list[Involved]:
        w = self._world
        slots = [
            (self._distance(slot), slot)
            for slot in range(1, int(w["num_slots"]))
            if w["kind"][slot] != Kind.NONE and not w["hidden"][slot]
        ]
        nearest = [slot for metres, slot in sorted(slots)[:MAX_NEAR] if metres < NEAR_METRES]
        return [self._involved(int(w["actor_id"][s]), int(w["blueprint"][s]), Part.NEAR) for s in nearest]

    # Scenarios

    def _note_scenarios(self) -> None:
        d = self._director
        lives = {int(n): live for live, n in enumerate(d["scenario"]) if n >= 0 and d["stage"][live] == Stage.RUNNING}
        for n, status in enumerate(self._status.tolist()):
            before = self._before[n]
            if status == before:
                continue
            self._before[n] = status
            self._note_status(n, before, status)
        for n, live in lives.items():
            self._note_steps(n, live)

    def _note_status(self, n: int, before: int, status: int) -> None:
        if status == Status.NEAR:
            cast = [member.name for member in self._words[n].scenario.script.cast]
            who = f"its actors are placed: {_listed(cast)}" if cast else "comes within reach"
            self._add(Happening.STAGED, f"{who}; its trigger is {self._metres_ahead(n):.0f} m ahead", n)
        elif status == Status.BLOCKED:
            self._add(Happening.NOT_STAGED, "does not run: there was no room for its actors", n)
        elif status == Status.MISSED:
            self._add(Happening.MISSED, "is given up: the ego went by without triggering it", n)
        else:
            if before in (Status.WAITING, Status.NEAR):
                self._add(Happening.TRIGGER, "triggers" + self._cast_distances(n), n)
                self._pcs[n] = [self._begin(n, strand) for strand in range(len(self._words[n]))]
            if status == Status.DONE:
                self._ended[n] = int(self._world["tick"])
                self._add(Happening.SCENARIO_END, "ends", n, because=self._end_reason(n))
                self._pcs.pop(n, None)

    def _note_steps(self, n: int, live: int) -> None:
        for strand, before in enumerate(self._pcs.get(n, ())):
            now = int(self._director["pc"][live, strand])
            if now == before and self._ticks_running(live) > 0:
                continue
            self._pcs[n][strand] = now
            begin = self._begin(n, strand)
            because, done = self._words[n].step(strand, before - begin, now - begin)
            waits = self._words[n].waits(strand, now - begin)
            text = "; ".join([*done, *([f"waits until {waits}"] if waits else [])])
            if text:
                self._add(Happening.PHASE, text, n, because=because)

    def _ticks_running(self, live: int) -> int:
        return round((float(self._world["time"]) - float(self._director["since"][live])) / TICK_SECONDS)

    def _begin(self, n: int, strand: int) -> int:
        return int(self._scripts.begin[int(self._scripts.strand_first[self._first + n]) + strand])

    def _end_reason(self, n: int) -> str:
        timeouts = int(self._switches["scenario_timeouts"])
        if timeouts > self._timeouts:
            self._timeouts = timeouts
            return "it ran for 240 s"
        words, d = self._words[n], self._director
        # Its row of the records is free now; only the first strand's place has been used again.
        rows = self._pcs.get(n, [])
        for live in range(MAX_LIVE):
            for strand in range(1, len(words)):
                row = int(d["pc"][live, strand]) - self._begin(n, strand)
                if words.stands_at_end(strand, row) and rows:
                    return words.ends_because(strand)
        return words.ends_because(0) if len(words) else ""

    def _cast_distances(self, n: int) -> str:
        d, w = self._director, self._world
        told = []
        for live in range(MAX_LIVE):
            if d["scenario"][live] != n:
                continue
            for m, member in enumerate(self._words[n].scenario.script.cast):
                slot = int(d["cast_slot"][live, m])
                if slot >= 0 and not w["hidden"][slot]:
                    told.append((self._distance(slot), member.name))
        named = [f"{metres:.0f} m to '{name}'" for metres, name in sorted(told)[:MAX_NAMED]]
        return f", {', '.join(named)}" if named else ""

    def _metres_ahead(self, n: int) -> float:
        trace = self._prepared.trace.s
        here = float(trace[min(max(int(self._director["route_index"]), 0), len(trace) - 1)])
        return float(self._scripts.trigger_distance[self._first + n]) - here

    def _scenario_states(self) -> Iterable[ScenarioState]:
        d, now = self._director, float(self._world["time"])
        for live in range(MAX_LIVE):
            n = int(d["scenario"][live])
            if n >= 0 and d["stage"][live] == Stage.RUNNING:
                words = self._words[n]
                rows = [int(d["pc"][live, strand]) - self._begin(n, strand) for strand in range(len(words))]
                waits = tuple(text for strand, row in enumerate(rows) if (text := words.waits(strand, row)))
                yield ScenarioState(self._names[n], "running", seconds=now - float(d["since"][live]), waits=waits)
            elif n >= 0 and 0.0 <= self._metres_ahead(n) < AHEAD_METRES:
                yield ScenarioState(self._names[n], "ahead", metres=self._metres_ahead(n))
        for n, tick in self._ended.items():
            seconds = (int(self._world["tick"]) - tick) * TICK_SECONDS
            if seconds < ENDED_SECONDS:
                yield ScenarioState(self._names[n], "ended", seconds=seconds)

    # Infractions

    def _note_events(self) -> None:
        c = self._criteria
        for k in range(self._events, int(c["num_events"])):
            code, subject = int(c["event_code"][k]), int(c["event_subject"][k])
            actors: list[Involved] = []
            if code in _COLLISIONS:
                actors = [self._involved(subject, int(c["event_blueprint"][k]), Part.HIT)]
            elif code == YIELD:
                actors = [self._involved(subject, int(c["event_blueprint"][k]), Part.EMERGENCY)]
            elif code in _STANDSTILLS:
                actors = self._near()
            self.circumstances[k] = self._circumstances(actors)
        self._events = int(c["num_events"])
        if not self._outside and c["wrong_tick"] >= 0:
            self._outside = True
            self.circumstances[LANE_EXCURSION] = self._circumstances([])

    def _circumstances(self, actors: list[Involved]) -> Circumstances:
        w = self._world
        return rounded(
            Circumstances(
                speed=self._speed,
                x=float(w["x"][EGO]),
                y=float(w["y"][EGO]),
                percent=float(self._criteria["route_percent"]),
                standing=self._still * TICK_SECONDS,
                actors=tuple(actors),
                scenarios=tuple(self._scenario_states()),
            )
        )

    def _told(self, infraction: Infraction) -> Moment:
        seen = infraction.circumstances
        assert seen is not None
        return Moment(infraction.tick, Happening.INFRACTION, infraction.message, speed=seen.speed, percent=seen.percent)

    # Moments

    def _add(self, kind: Happening, text: str, n: int, because: str = "") -> None:
        moment = dataclasses.replace(self._moment(kind, text), scenario=self._names[n], because=because)
        if moment in self._moments[-MAX_STRANDS:]:
            return  # strands that are alike go on alike
        if len(self._moments) == MAX_MOMENTS:
            self._left_out += 1
            return
        self._moments.append(moment)

    def _moment(self, kind: Happening, text: str) -> Moment:
        w = self._world
        percent = 100.0 if self._criteria["completed"] else float(self._criteria["route_percent"])
        return rounded(Moment(int(w["tick"]), kind, text, speed=float(w["speed"][EGO]), percent=percent))


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:MAX_NAMED])
    return shown if len(names) <= MAX_NAMED else f"{shown} and {len(names) - MAX_NAMED} more"
