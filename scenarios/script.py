"""A scenario written down: who takes part, and what happens when."""

from __future__ import annotations

from dataclasses import dataclass

from scenarios.vocabulary import Flow, Member, Word

Strand = tuple[Word, ...]


@dataclass(frozen=True)
class Script:
    """One scenario, placed on its route.

    The cast is spawned when the ego comes near. When the scenario triggers, all strands start side by side; each is a
    sequence of conditions to wait for and commands to carry out. `End` in any strand ends the scenario: then `finish`
    is carried out, cast and flows go, and held lights are released.
    """

    cast: tuple[Member, ...] = ()
    flows: tuple[Flow, ...] = ()
    setup: Strand = ()  # commands, when the cast is spawned
    strands: tuple[Strand, ...] = ()
    finish: Strand = ()  # commands, when the scenario ends
    timeout: bool = False  # has a ScenarioTimeout: at most 240 s, and no blocked test meanwhile
