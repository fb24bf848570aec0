"""The story of a route in words: what happened at each moment, and what is known about why."""

from __future__ import annotations

from collections.abc import Iterable

from leaderboard_adapters.records import Infraction, RouteResult
from leaderboard_adapters.scores import penalty_factor
from leaderboard_adapters.story import Happening, Involved, Moment, Part, ScenarioState

_KMH = 3.6
_LONG_STANDING_S = 1.0


def told(moment: Moment) -> str:
    """What a moment tells, without the name of its scenario."""
    said = moment.text
    if moment.kind == Happening.SCENARIO_END:
        said += f": {moment.because}" if moment.because else ""
    elif moment.because:
        said = f"{moment.because}: {said}"
    elif moment.kind == Happening.ROUTE_END:
        said = f"end of the route: {said}, {moment.percent:.1f} % driven"
    return said


def costs(result: RouteResult) -> list[str]:
    """What cost the route its points, in words, worst first."""
    factors: dict[str, float] = {}
    counts: dict[str, int] = {}
    for infraction in result.infractions:
        factors[infraction.name] = factors.get(infraction.name, 1.0) * penalty_factor(infraction)
        counts[infraction.name] = counts.get(infraction.name, 0) + 1
    named = sorted((factor, name) for name, factor in factors.items() if factor < 1.0)
    return [f"{counts[name]} {name} (x{factor:.2f})" for factor, name in named]


def reasons(infraction: Infraction | None, moment: Moment) -> Iterable[str]:
    """What is known about an infraction or an early end, a line each."""
    seen = moment.circumstances
    if infraction is not None:
        factor = penalty_factor(infraction)
        if factor < 1.0:
            yield f"{infraction.name}: the score is multiplied by {factor:.3g}"
        seen = infraction.circumstances
    if seen is None:
        return
    if seen.standing >= _LONG_STANDING_S:
        yield f"the ego has stood for {seen.standing:.0f} s"
    for actor in seen.actors:
        yield _who(actor, seen.speed)
    for state in seen.scenarios:
        yield from _doing(state)


def _who(actor: Involved, ego_speed: float) -> str:
    verb = {Part.HIT: "hit", Part.EMERGENCY: "not let by", Part.NEAR: "near"}[actor.part]
    if actor.role == "map":
        return f"{verb}: the surroundings (a fence, pole or building), ego {ego_speed * _KMH:.0f} km/h"
    if actor.scenario:
        kind = "a vehicle of flow" if actor.role == "flow" else "actor"
        whose = f"{kind} '{actor.member}' of {actor.scenario}" if actor.member else f"an actor of {actor.scenario}"
    else:
        whose = {"background": "background traffic", "ambient": "a bystander"}.get(actor.role, "an actor")
    speeds = f"ego {ego_speed * _KMH:.0f} km/h, it {actor.speed * _KMH:.0f} km/h afterwards"
    if actor.part != Part.HIT:
        speeds = f"{actor.distance:.1f} m away, {actor.speed * _KMH:.0f} km/h"
    return f"{verb}: {whose} ({actor.blueprint}, id {actor.actor}); {speeds}"


def _doing(state: ScenarioState) -> list[str]:
    if state.stage == "ahead":
        return [f"{state.scenario}: its trigger is {state.metres:.0f} m ahead"]
    if state.stage == "ended":
        return [f"{state.scenario}: ended {state.seconds:.1f} s before"]
    since = f"{state.scenario}: {state.seconds:.1f} s after its trigger"
    return [f"{since}, waits until {waits}" for waits in state.waits] or [since]
