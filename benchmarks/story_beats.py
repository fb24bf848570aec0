"""The decisive moments of a recording, in words: what `benchmarks.draw_story` numbers and tells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from leaderboard_adapters.recordings import ActorCard, Recording
from leaderboard_adapters.story import Happening, Moment
from simulator.blueprints import BLUEPRINTS, Kind

BLUEPRINT_OF = {blueprint.id: blueprint for blueprint in BLUEPRINTS}
MERGE_TICKS = 8  # moments this near to each other are told as one
MAX_BEATS = 6
CLOSE_AFTER_TICKS = 30  # after the trigger, from when on the closest approach is looked for
CLOSE_METRES = 30.0
MOVED = 2.0  # m that an actor has to go between two moments to be drawn at both


@dataclass(frozen=True)
class Beat:
    """A decisive moment, numbered in the figure."""

    tick: int
    text: str
    weight: int  # what is left out first when there are too many: the lightest


def trigger_tick(recording: Recording) -> int:
    """Tick of the first trigger; 0 where nothing triggered."""
    return next((m.tick for m in recording.timeline if m.kind == Happening.TRIGGER), 0)


def beats_of(recording: Recording) -> list[Beat]:
    """The decisive moments in order: trigger, steps of the scenario, the closest approach, its end, infractions."""
    groups: list[list[Moment]] = []
    told = (Happening.TRIGGER, Happening.PHASE, Happening.SCENARIO_END, Happening.INFRACTION)
    for moment in recording.timeline:
        if moment.kind not in told:
            continue
        if groups and moment.tick - groups[-1][0].tick <= MERGE_TICKS:
            groups[-1].append(moment)
        else:
            groups.append([moment])
    beats = [beat for group in groups if (beat := _beat(group)).text]
    closest = _closest(recording)
    if closest is not None:
        near = [i for i, beat in enumerate(beats) if abs(closest.tick - beat.tick) <= MERGE_TICKS]
        if near:
            told = beats[near[0]]
            beats[near[0]] = replace(told, text=f"{told.text}; {closest.text}", weight=max(told.weight, closest.weight))
        else:
            beats.append(closest)
    beats.sort(key=lambda beat: beat.tick)
    if sum(beat.weight > 2 for beat in beats) > 2:
        beats = [beat for beat in beats if beat.weight > 2]
    while len(beats) > MAX_BEATS:
        lightest = min(range(len(beats)), key=lambda i: (beats[i].weight, -i))
        beats.pop(lightest)
    return beats


def _beat(group: Sequence[Moment]) -> Beat:
    kinds = {moment.kind for moment in group}
    texts: list[str] = []
    weight = 1
    for moment in group:
        if moment.kind == Happening.TRIGGER:
            weight = 9
        elif moment.kind == Happening.INFRACTION:
            texts.append(moment.text.partition(" at (")[0])
            weight = 9
        elif moment.kind == Happening.SCENARIO_END:
            texts.append(f"the scenario ends: {moment.because}" if moment.because else "the scenario ends")
            weight = max(weight, 5)
        else:
            done = [part for part in moment.text.split("; ") if not part.startswith("waits until")]
            stages = [
                part
                for part in done
                if re.search(r"(^|\s)'", part) or "light" in part or "control" in part or "brake" in part
            ]
            if done:
                going = all("taken away" in part or "again" in part for part in stages or done)
                weight = max(weight, 2 if going else 7 if stages else 3)
                because = _because(moment.because) if Happening.TRIGGER not in kinds else ""
                texts.append(because + ", ".join(stages or done[:2]))
    text = "; ".join(dict.fromkeys(texts))
    if Happening.TRIGGER in kinds:
        text = f"trigger{': ' if text else ''}{text}"
    return Beat(group[0].tick, text, weight)


def _because(clause: str) -> str:
    waited = re.fullmatch(r"([\d.]+(?: to [\d.]+)?) s have gone by", clause)
    if waited:
        return f"after {waited[1]} s: "
    if not clause or re.search(r"(less than|or more).* the place", clause):
        return ""
    return f"{clause}: "


def _closest(recording: Recording) -> Beat | None:
    """When the ego was nearest to the scenario's actors, after the trigger."""
    best: tuple[bool, float, int, ActorCard] | None = None
    start = trigger_tick(recording) + CLOSE_AFTER_TICKS
    for i, card in enumerate(recording.actors):
        if card.role not in ("scenario", "flow") or BLUEPRINT_OF[card.blueprint].kind == Kind.PROP:
            continue
        rows = recording.rows_of(i)
        ticks = rows["tick"]
        metres: Any = np.hypot(rows["x"] - recording.ego["x"][ticks], rows["y"] - recording.ego["y"][ticks])
        lowest = np.zeros(len(metres), bool)  # comes nearer, then goes
        lowest[1:-1] = (metres[1:-1] < metres[:-2]) & (metres[1:-1] <= metres[2:]) & (ticks[1:-1] >= start)
        if not lowest.any():
            continue
        k = int(np.argmin(np.where(lowest, metres, np.inf)))
        if metres[k] > CLOSE_METRES:
            continue
        stands = float(max(np.ptp(rows["x"]), np.ptp(rows["y"]))) < MOVED  # who moves is of more interest
        found = (stands, float(metres[k]), int(ticks[k]), card)
        best = found if best is None else min(best, found)
    if best is None:
        return None
    _, metres, tick, card = best
    name = f"flow '{card.member}'" if card.role == "flow" else f"'{card.member}'"
    return Beat(tick, f"closest to {name}: {metres:.1f} m between centres", 4)
