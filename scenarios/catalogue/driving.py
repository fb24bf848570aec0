"""Scenarios without actors of their own (docs/bench2drive.md 1.7)."""

from __future__ import annotations

from scenarios.placement import Site
from scenarios.registry import scenario_type
from scenarios.script import Script
from scenarios.vocabulary import (
    AwayFrom,
    DisturbControl,
    Drove,
    End,
    Member,
    Near,
    Passed,
    StopAhead,
    Wait,
    exactly,
)


@scenario_type("HardBreakRoute")
def hard_break_route(at: Site) -> Script:
    """The vehicles ahead of the ego brake hard, stand for 10 s, and drive on."""
    return Script(
        strands=((StopAhead(True), Wait(10.0), StopAhead(False), Drove(15.0), End()),),
        finish=(StopAhead(False),),
    )


@scenario_type("ControlLoss")
def control_loss(at: Site) -> Script:
    """Three patches of debris disturb the ego's throttle and steering while it is within 2 m of them.

    They lie 14, 48 and 74 m ahead. Ends 36 m beyond the third, or after 110 m.
    """
    spots = [at.trigger.ahead(metres).place for metres in (14.0, 48.0, 74.0)]
    noise = DisturbControl(throttle=0.03, throttle_deviation=0.01, steer=0.055, steer_deviation=0.015)
    return Script(
        cast=tuple(
            Member(f"debris {k}", exactly("static.prop.dirtdebris01"), spot) for k, spot in enumerate(spots, start=1)
        ),
        strands=(
            *((Near(spot, 2.0), noise, AwayFrom(spot, 2.0), DisturbControl()) for spot in spots),
            (Passed(spots[-1]), Drove(36.0), End()),
            (Drove(110.0), End()),
        ),
        finish=(DisturbControl(),),
    )
