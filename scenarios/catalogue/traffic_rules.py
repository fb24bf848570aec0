"""Scenarios that only ask for the rules of the road, and for lane changes (BENCH2DRIVE.md 1.7 "Traffic rules only")."""

from __future__ import annotations

from scenarios.parts import hold_lights, note_missing_lights
from scenarios.placement import NotPlaced, Site
from scenarios.registry import scenario_type
from scenarios.script import Script, Strand
from scenarios.vocabulary import Drove, End, LeftJunction, Wait
from simulator.state import LightState

_BEYOND_JUNCTION: Strand = (LeftJunction(), Drove(10.0), End())


@scenario_type("T_Junction")
def t_junction(at: Site) -> Script:
    """The ego finds its way through a T junction; ends after 200 m."""
    return Script(strands=((Drove(200.0), End()),), timeout=True)


@scenario_type("SequentialLaneChange")
def sequential_lane_change(at: Site) -> Script:
    """The route changes lanes several times; ends after 200 m."""
    return Script(strands=((Drove(200.0), End()),), timeout=True)


@scenario_type("VanillaNonSignalizedTurn")
def vanilla_non_signalized_turn(at: Site) -> Script:
    """The ego turns at a junction without lights; ends 10 m after it."""
    return Script(strands=(_BEYOND_JUNCTION,))


@scenario_type("VanillaNonSignalizedTurnEncounterStopsign")
def vanilla_non_signalized_turn_encounter_stopsign(at: Site) -> Script:
    """The ego turns at a junction with a stop sign; ends 10 m after it."""
    return Script(strands=(_BEYOND_JUNCTION,))


@scenario_type("VanillaSignalizedTurnEncounterGreenLight")
def vanilla_signalized_turn_encounter_green_light(at: Site) -> Script:
    """The ego turns at a junction with green: its light is green for 5 s, then all are red for 5 s.

    The other lights are red. Ends after these 10 s, or 10 m after the junction.
    """
    note_missing_lights(at)
    return Script(
        strands=(
            (
                *hold_lights(at, ego=LightState.GREEN, others=LightState.RED),
                Wait(5.0),
                *hold_lights(at, ego=LightState.RED, others=LightState.RED),
                Wait(5.0),
                End(),
            ),
            _BEYOND_JUNCTION,
        )
    )


@scenario_type("VanillaSignalizedTurnEncounterRedLight")
def vanilla_signalized_turn_encounter_red_light(at: Site) -> Script:
    """The ego meets a red light: all are red for 5 s, then its own is green. Ends 10 m after the junction."""
    note_missing_lights(at)
    return Script(
        strands=(
            (
                *hold_lights(at, ego=LightState.RED, others=LightState.RED),
                Wait(5.0),
                *hold_lights(at, ego=LightState.GREEN, others=LightState.RED),
            ),
            _BEYOND_JUNCTION,
        )
    )


@scenario_type("PriorityAtJunction")
def priority_at_junction(at: Site) -> Script:
    """The ego has priority at the junction ahead: its light is green and the others red until it has left it.

    A type of Leaderboard 2.0, which lets an ego gather speed before another scenario takes place in the junction. Left
    out where there is no light for the ego, as officially.
    """
    lights = hold_lights(at, ego=LightState.GREEN, others=LightState.RED)
    if not lights:
        raise NotPlaced("the junction ahead has no traffic light for the ego")
    return Script(strands=((*lights, LeftJunction(at.junction.junction), End()),))
