"""The vocabulary in plain words, and what each strand of a running scenario waits for.

Words of an installed package that are not known here go by their name.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from scenarios.compiler import CompiledScenario
from scenarios.geometry import Polyline
from scenarios.opcodes import FIRST_COMMAND
from scenarios.vocabulary import (
    AheadOfEgo,
    Arriving,
    AwayFrom,
    Between,
    Chase,
    ClearEgoEntry,
    ClearJunction,
    CloseLanes,
    CountCollisionsTwice,
    DisturbControl,
    Drove,
    EgoPassed,
    EgoSpeed,
    End,
    EndFlow,
    ExtendExit,
    ExtraSpace,
    Follow,
    Forever,
    FreeJunction,
    Hold,
    HoldLights,
    JudgeYielding,
    LeaveCrossingSpace,
    LeaveSpaceInFront,
    LeftJunction,
    Lights,
    MaxSpeed,
    MeetEgo,
    Near,
    Number,
    Oncoming,
    OncomingSpacing,
    OpenDoor,
    Passed,
    Place,
    PlaceEgo,
    Raise,
    ReleaseLights,
    Remove,
    ReopenLanes,
    RouteSources,
    SetSpeed,
    Spacing,
    Speed,
    Stands,
    StartFlow,
    StopAhead,
    StopBehind,
    StopOtherEntries,
    Wait,
    Walk,
    Word,
    WrongDirectionTest,
)
from simulator.state import HAZARD, SPECIAL

_KMH = 3.6
_DOORS = ("front left", "front right", "rear left", "rear right")


#: How a place is called.
Namer = Callable[[Place], str]


def by_coordinates(place: Place) -> str:
    """A place by where it is in the town."""
    return f"({place.x:.0f}, {place.y:.0f})"


def in_words(word: Word, name_place: Namer = by_coordinates) -> str:
    """A condition as a clause ("the ego is less than 50 m from 'car'"), a command as what is done."""
    say = _SAYINGS.get(type(word))
    if say is not None:
        return say(word, name_place)
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", type(word).__name__).lower()


def is_condition(word: Word) -> bool:
    """Whether a strand waits at this word."""
    rows = word.rows(_AnyNames())
    return bool(rows) and rows[0].op < FIRST_COMMAND


class StrandWords:
    """The strands of one scenario, word by word, as instruction rows number them."""

    def __init__(self, scenario: CompiledScenario) -> None:
        self.scenario = scenario
        self._words = [_by_row(strand) for strand in scenario.script.strands]
        at = scenario.spec.trigger_point
        self._trigger = (at.x, at.y)

    def _say(self, word: Word) -> str:
        return in_words(word, lambda place: f"the place {math.dist(place[:2], self._trigger):.0f} m from the trigger")

    def __len__(self) -> int:
        return len(self._words)

    def waits(self, strand: int, row: int) -> str:
        """What a strand that stands at a row waits for; '' when it is done."""
        words = self._words[strand]
        return "" if row >= len(words) else self._say(words[row])

    def step(self, strand: int, before: int, after: int) -> tuple[str, tuple[str, ...]]:
        """What a strand did between two rows: the last condition that came true ('' if none), its commands."""
        because, done = "", []
        last: Word | None = None
        for word in self._words[strand][before:after]:
            if word is last:
                continue  # one word may stand for several rows
            last = word
            if is_condition(word):
                because = self._say(word)
            else:
                done.append(self._say(word))
        return because, tuple(done)

    def ends_because(self, strand: int) -> str:
        """The condition after which a strand ends the scenario; '' when it never does, or does so at once."""
        words = self._words[strand]
        ends = [row for row, word in enumerate(words) if isinstance(word, End)]
        return next((self._say(w) for row in ends for w in reversed(words[:row]) if is_condition(w)), "")

    def stands_at_end(self, strand: int, row: int) -> bool:
        """Whether a strand has come to the word that ends the scenario."""
        words = self._words[strand]
        return 0 <= row < len(words) and isinstance(words[row], End)


def _by_row(strand: tuple[Word, ...]) -> list[Word]:
    return [word for word in strand for _ in word.rows(_AnyNames())]


class _AnyNames:
    """Stands in for the names of a script where only the number of rows matters."""

    def member(self, name: str) -> int:
        return 0

    def flow(self, name: str) -> int:
        return 0

    def track(self, line: Polyline) -> int:
        return 0


# Sayings


def _range(number: Number) -> str:
    if isinstance(number, Between):
        return f"{number.low:.3g}" if number.low == number.high else f"{number.low:.3g} to {number.high:.3g}"
    return f"{number:.3g}"


def _pace(speed: Speed) -> str:
    if isinstance(speed, EgoSpeed):
        share = "the ego's speed" if speed.share == 1.0 else f"{100 * speed.share:.0f} % of the ego's speed"
        if not speed.share:
            return f"{speed.plus * _KMH:.0f} km/h"
        return f"{share} {speed.plus * _KMH:+.0f} km/h" if speed.plus else share
    if isinstance(speed, Between):
        return f"{speed.low * _KMH:.0f} to {speed.high * _KMH:.0f} km/h"
    return f"{speed * _KMH:.0f} km/h"


def _names(names: tuple[str, ...]) -> str:
    """Names in quotes; "'cone 1' to 'cone 7'" where several differ by their number only."""
    groups = [list(group) for _, group in itertools.groupby(names, key=lambda name: name.rstrip("0123456789"))]
    told = [group if len(group) < 3 else [f"{group[0]}' to '{group[-1]}"] for group in groups]
    return ", ".join(f"'{name}'" for group in told for name in group)


def _up_to(metres: float) -> str:
    return f" for {metres:.3g} m" if metres > 0.0 else ""


def _lit(lights: int) -> str:
    if lights == 0:
        return "switches its lights off"
    if lights & SPECIAL:
        return "switches its siren lights on"
    return "switches its hazard lights on" if lights == HAZARD else "switches its lights"


def _passed(word: Passed, at: Namer) -> str:
    within = "" if math.isinf(word.within) else f", within {word.within:g} m of it"
    return f"the ego has passed {at(word.place)}{within}"


def _drove(word: Drove, at: Namer) -> str:
    return f"{_names((word.member,)) if word.member else 'the ego'} has gone {word.metres:.3g} m"


def _stands(word: Stands, at: Namer) -> str:
    late = "" if math.isinf(word.seconds) else f" (or had {word.seconds:.3g} s for it)"
    return f"'{word.member}' has come to its end{late}"


def _held(word: HoldLights, at: Namer) -> str:
    others = Counter(state.name.lower() for _, state in word.lights if state != word.others)
    return f"lights of the junction are held {word.others.name.lower()}" + "".join(
        f", {count} {name}" for name, count in others.items()
    )


def _switch(on: bool) -> str:
    return "on" if on else "off"


_SAYINGS: Mapping[type, Callable[[Any, Namer], str]] = {
    Wait: lambda w, at: f"{_range(w.seconds)} s have gone by",
    Near: lambda w, at: (
        f"the ego is less than {w.metres:.3g} m from {_names((w.what,)) if isinstance(w.what, str) else at(w.what)}"
    ),
    AwayFrom: lambda w, at: f"the ego is {w.metres:.3g} m or more from {at(w.place)}",
    Arriving: lambda w, at: f"the ego is {w.seconds:.3g} s or {w.metres:.3g} m from {at(w.place)}",
    Passed: _passed,
    Drove: _drove,
    Stands: _stands,
    AheadOfEgo: lambda w, at: f"'{w.member}' is ahead of the ego, within {w.within:.3g} m",
    EgoPassed: lambda w, at: f"the ego has passed '{w.member}'",
    LeftJunction: lambda w, at: "the ego has left the junction",
    Forever: lambda w, at: "the scenario ends",
    Chase: lambda w, at: f"the scenario ends, while '{w.member}' keeps to {_pace(w.speed)}",
    MeetEgo: lambda w, at: f"'{w.member}', timed to meet the ego, is within {w.metres:.3g} m of {at(w.goal)}",
    Raise: lambda w, at: f"{_names(w.members)} {'appears' if len(w.members) == 1 else 'appear'}",
    Remove: lambda w, at: f"{_names(w.members)} {'is' if len(w.members) == 1 else 'are'} taken away",
    Hold: lambda w, at: f"'{w.member}' stops",
    Walk: lambda w, at: f"'{w.member}' sets out at {_pace(w.speed)}{_up_to(w.metres)}",
    Follow: lambda w, at: f"'{w.member}' sets out at {_pace(w.speed)}{_up_to(w.metres)}",
    SetSpeed: lambda w, at: f"'{w.member}' takes {_pace(w.speed)}",
    Lights: lambda w, at: f"'{w.member}' {_lit(w.lights)}",
    OpenDoor: lambda w, at: f"'{w.member}' opens its {_DOORS[w.door]} door",
    StartFlow: lambda w, at: f"flow '{w.flow}' begins",
    EndFlow: lambda w, at: f"flow '{w.flow}' ends",
    HoldLights: _held,
    ReleaseLights: lambda w, at: "lights of the junction run on",
    LeaveSpaceInFront: lambda w, at: f"traffic ahead leaves {w.metres:.3g} m free",
    CloseLanes: lambda w, at: "traffic leaves " + (f"{len(w.lanes)} lanes" if len(w.lanes) != 1 else "a lane"),
    ReopenLanes: lambda w, at: "traffic may use the lanes again",
    ClearJunction: lambda w, at: "traffic leaves the junction",
    ClearEgoEntry: lambda w, at: "traffic ahead on the ego's road is taken away",
    ExtendExit: lambda w, at: f"traffic behind the junction moves {w.metres:.3g} m on",
    StopOtherEntries: lambda w, at: "traffic at the other entries stands",
    FreeJunction: lambda w, at: "traffic may enter the junction again",
    RouteSources: lambda w, at: f"traffic sources on the ego's road: {_switch(w.on)}",
    Oncoming: lambda w, at: f"oncoming traffic: {_switch(w.on)}",
    OncomingSpacing: lambda w, at: f"oncoming vehicles keep {w.metres:.3g} m apart",
    MaxSpeed: lambda w, at: (
        f"traffic drives {w.speed * _KMH:.0f} km/h at most" if w.speed else "traffic is free in speed"
    ),
    ExtraSpace: lambda w, at: (
        f"traffic ahead keeps {w.metres:.3g} m more" if w.metres else "traffic ahead keeps its gaps"
    ),
    Spacing: lambda w, at: f"traffic keeps {w.metres:.3g} m apart",
    StopAhead: lambda w, at: "traffic ahead brakes to a stop" if w.on else "traffic ahead drives on",
    StopBehind: lambda w, at: "traffic behind stops" if w.on else "traffic behind drives on",
    LeaveCrossingSpace: lambda w, at: f"oncoming traffic near {at(w.place)} is taken away",
    WrongDirectionTest: lambda w, at: f"the test for driving against the traffic: {_switch(w.on)}",
    CountCollisionsTwice: lambda w, at: f"its own collision test: {_switch(w.on)}",
    JudgeYielding: lambda w, at: f"from here the ego is to let '{w.member}' pass",
    DisturbControl: lambda w, at: (
        "the ego's control is disturbed"
        if any((w.throttle, w.throttle_deviation, w.steer, w.steer_deviation))
        else "the ego's control is its own again"
    ),
    PlaceEgo: lambda w, at: f"the ego is put at {at(w.place)}",
    End: lambda w, at: "the scenario ends",
}
