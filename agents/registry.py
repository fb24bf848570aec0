"""Agents by name. Third parties add theirs through the entry-point group `routegym.agents`."""

from __future__ import annotations

import difflib
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from agents.extras import install_hint
from simulator.errors import AgentError

if TYPE_CHECKING:
    from agents.base import Agent

#: name -> (module:class, first line for `list agents`); modules are imported only when an agent is made
BUILT_IN = {
    "expert": ("agents.expert:Expert", "privileged rule-based planner: forecasts, yields, overtakes, merges"),
    "autopilot": ("agents.autopilot:Autopilot", "follows the route with IDM and traffic lights, never overtakes"),
    "route-follower": (
        "agents.autopilot:RouteFollower",
        "tracks the route at the speed limit, blind to everything else",
    ),
    "token": ("agents.token_agent:TokenAgent", "token policy of a checkpoint; ARG = FOLDER[,temperature=T]"),
    "vla": ("agents.vla.agent:VlaAgent", "vision-language policy; ARG = FOLDER[,temperature=T]"),
    "remote": ("agents.remote:remote_agent", "an agent on a policy server; ARG = HOST:PORT[,timeout=SECONDS]"),
    "expert-tokens": ("agents.token_oracle:ExpertTokens", "the expert's plans, said in action tokens; ARG = FOLDER"),
    "constant": ("agents.simple:Constant", "one control for ever; ARG = throttle,brake,steer (default 0.5,0,0)"),
    "random": ("agents.simple:Random", "seeded random controls"),
    "idle": ("agents.simple:Idle", "stands still"),
    "official": (
        "agents.autonomous:AutonomousAgentFile",
        "a leaderboard agent file, in a process of its own; ARG = FILE[:CONFIG]",
    ),
    "sb3": ("agents.sb3:Sb3Agent", "policy trained with run_train.py; ARG = checkpoint or run folder"),
}

#: Agents whose ARG names a file or folder, and what ends its name there.
_ON_DISK = {"token": ",", "vla": ",", "expert-tokens": ",", "official": ":", "sb3": ","}


def list_agents() -> dict[str, str]:
    """Name -> one line, built-in agents first, then those that other packages register."""
    found = {name: text for name, (_, text) in BUILT_IN.items()}
    for point in sorted(entry_points(group="routegym.agents"), key=lambda p: p.name):
        found.setdefault(point.name, f"from {point.value}")
    return found


def check_agent(spec: str) -> None:
    """Raise AgentError when no agent has the name in `NAME[:ARG]`, or the file that it is to read is not there.

    Imports nothing, so that a slip of the pen ends a run before it begins.
    """
    name, _, argument = spec.partition(":")
    _check_name(name)
    if argument and name in _ON_DISK:
        path = Path(argument.partition(_ON_DISK[name])[0])
        if not path.exists():
            raise AgentError(f"agent {spec!r}: no such file or folder: {path}")


def _check_name(name: str) -> None:
    if name in list_agents():
        return
    close = difflib.get_close_matches(name, list_agents(), n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise AgentError(f"no agent is called {name!r}{hint} (known: {', '.join(list_agents())})")


def make_agent(spec: str) -> Agent:
    """Make the agent of `NAME[:ARG]`.

    Raises:
        AgentError: for an unknown name, a bad argument, or an agent that cannot be imported.
    """
    name, _, argument = spec.partition(":")
    _check_name(name)
    try:
        if name in BUILT_IN:
            module, _, attribute = BUILT_IN[name][0].partition(":")
            maker = getattr(import_module(module), attribute)
        else:
            maker = next(p for p in entry_points(group="routegym.agents") if p.name == name).load()
        agent: Agent = maker(argument) if argument else maker()
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise AgentError(f"agent {spec!r} cannot be made: {error}{install_hint(error)}") from error
    return agent
