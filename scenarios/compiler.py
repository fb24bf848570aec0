"""Scenarios of a route file, placed on their route and compiled to tables for the director."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from scenarios.director_state import MAX_CAST, MAX_FLOWS, MAX_SCENARIOS, MAX_STRANDS, Status
from scenarios.geometry import Polyline, RouteGeometry
from scenarios.opcodes import FIRST_COMMAND, Op
from scenarios.parameters import read_parameters
from scenarios.placement import NotPlaced, Site, find_trigger
from scenarios.registry import find_type, is_official, nearest_types
from scenarios.route import Route, ScenarioSpec
from scenarios.script import Script
from scenarios.script_arrays import ScriptArrays
from scenarios.vocabulary import Flow, Instruction, Member, Word
from simulator.errors import ScenarioError, WorldCapacityError
from simulator.roads.network import RoadNetwork

_TRACK_OPERAND = 1  # column of an instruction's whole numbers that holds a track


@dataclass(frozen=True)
class CompiledScenario:
    """One placed scenario: its script, and the rows that it stands for."""

    spec: ScenarioSpec
    script: Script
    trigger_distance: float  # metres along the trace
    strands: tuple[tuple[Instruction, ...], ...]  # side by side, then setup, then finish
    tracks: tuple[Polyline, ...]  # as numbered in instructions; those of the flows come first, in their order


@dataclass(frozen=True)
class CompiledScripts:
    """The scenarios of one route, and what could not be done as the file asks."""

    route_id: str
    scenarios: tuple[CompiledScenario, ...] = ()
    notes: tuple[str, ...] = ()


def used_places(scripts: CompiledScripts) -> np.ndarray:
    """float64[n, 2] x, y of where a route's scenarios put actors, and of every fourth metre that they drive them."""
    found: list[tuple[float, float]] = []
    for scenario in scripts.scenarios:
        found += [(m.place.x, m.place.y) for m in scenario.script.cast]
        for line in scenario.tracks:
            stride = max(round(4.0 / line.step), 1)
            found += [(float(x), float(y)) for x, y in zip(line.x[::stride], line.y[::stride])]
    return np.array(found, np.float64).reshape(-1, 2)


@dataclass
class _Names:
    """Numbers the members, flows and tracks of one script."""

    script: Script
    tracks: list[Polyline] = field(default_factory=list)

    def member(self, name: str) -> int:
        return _position(name, self.script.cast)

    def flow(self, name: str) -> int:
        return _position(name, self.script.flows)

    def track(self, line: Polyline) -> int:
        for i, known in enumerate(self.tracks):
            if known is line:
                return i
        self.tracks.append(line)
        return len(self.tracks) - 1


def compile_scripts(
    network: RoadNetwork, route: Route, geometry: RouteGeometry, *, skip_unknown: bool = False
) -> CompiledScripts:
    """Place and compile the scenarios of one route.

    A scenario that cannot be placed is left out with a note, and the route runs without it; so is a type of the
    official route files that is not built yet.

    Args:
        network: the route's town.
        route: as read from its file.
        geometry: the same route, traced and laid on the town's lanes.
        skip_unknown: leave out types that nobody knows with a note, too.

    Raises:
        ScenarioError: for a type that nobody knows, with the nearest names.
        RouteFileError: when a required parameter is missing or no number.
    """
    compiled: list[CompiledScenario] = []
    notes: list[str] = []
    for spec in route.scenarios:
        remarks: list[str] = []
        try:
            scenario = _compile(network, route, geometry, spec, remarks, skip_unknown)
        except NotPlaced as reason:
            scenario = None
            remarks.append(f"not placed, the route runs without it: {reason}")
        if scenario is not None:
            compiled.append(scenario)
        notes += [f"{_label(route.id, spec)}: {remark}" for remark in remarks]
    if len(compiled) > MAX_SCENARIOS:
        raise WorldCapacityError(
            f"{route.file}: route '{route.id}' has {len(compiled)} scenarios; a world holds {MAX_SCENARIOS}. "
            f"Split the route, or raise MAX_SCENARIOS in scenarios/director_state.py"
        )
    return CompiledScripts(route.id, tuple(compiled), tuple(notes))


def staging_notes(compiled: CompiledScripts, director: np.ndarray) -> tuple[str, ...]:
    """What a drive's director (one DIRECTOR record) has to add to the notes: scenarios that found no room."""
    return tuple(
        f"{_label(compiled.route_id, scenario.spec)}: not staged, there was no room for its actors"
        for scenario, status in zip(compiled.scenarios, director["status"], strict=False)
        if status == Status.BLOCKED
    )


def _label(route_id: str, spec: ScenarioSpec) -> str:
    return f"route '{route_id}', scenario '{spec.name}' ({spec.type})"


def _compile(
    network: RoadNetwork,
    route: Route,
    geometry: RouteGeometry,
    spec: ScenarioSpec,
    remarks: list[str],
    skip_unknown: bool,
) -> CompiledScenario | None:
    kind = find_type(spec.type)
    if kind is None:
        if is_official(spec.type):
            remarks.append("this type is not yet supported; the route runs without it")
            return None
        near = ", ".join(nearest_types(spec.type)) or "none is near; `run_eval.py list scenarios` shows all"
        if skip_unknown:
            remarks.append(f"unknown type; the route runs without it. Nearest known types: {near}")
            return None
        raise ScenarioError(
            f"{route.file}:{spec.line}: route '{route.id}', scenario '{spec.name}': unknown type '{spec.type}'. "
            f"Nearest known types: {near}"
        )
    index = find_trigger(geometry, spec)
    if index < 0:
        t = spec.trigger_point
        raise NotPlaced(
            f"its trigger point ({t.x:.1f}, {t.y:.1f}, {t.z:.1f}, yaw {t.yaw:.0f}) is not on the route "
            f"(no route point within 2 m, 2 m of height and 10 degrees)"
        )
    values = read_parameters(spec, kind.parameters, remarks)
    script = kind.build(Site(network, geometry, spec, index, remarks), **values)
    return assemble(script, spec, float(geometry.trace_distance[index]))


def assemble(script: Script, spec: ScenarioSpec, trigger_distance: float) -> CompiledScenario:
    """Turn a script into instruction rows.

    Raises:
        ScenarioError: when the script is not well formed: names, sizes, conditions where only commands may stand.
    """
    names = _Names(script)
    for flow in script.flows:
        names.tracks.append(flow.track)
    strands = tuple(_rows(strand, names) for strand in (*script.strands, script.setup, script.finish))
    for what, rows in (("setup", strands[-2]), ("finish", strands[-1])):
        if any(row.op < FIRST_COMMAND or row.op == Op.END for row in rows):
            raise ScenarioError(f"scenario type {spec.type}: its {what} must hold commands only, and no End")
    for what, count, limit in (
        ("strands", len(script.strands), MAX_STRANDS),
        ("members", len(script.cast), MAX_CAST),
        ("flows", len(script.flows), MAX_FLOWS),
    ):
        if count > limit:
            raise ScenarioError(f"scenario type {spec.type}: its script has {count} {what}; the limit is {limit}")
    return CompiledScenario(spec, script, trigger_distance, strands, tuple(names.tracks))


def _rows(words: Iterable[Word], names: _Names) -> tuple[Instruction, ...]:
    return tuple(row for word in words for row in word.rows(names))


def _position(name: str, things: Sequence[Member] | Sequence[Flow]) -> int:
    known = [thing.name for thing in things]
    if name not in known:
        raise ScenarioError(f"a script speaks of '{name}', but has only: {', '.join(known) or 'nobody'}")
    return known.index(name)


# Packing


class _Tables(NamedTuple):
    """Growing columns of the packed tables."""

    begin: list[int]
    op: list[int]
    whole: list[tuple[int, ...]]
    number: list[tuple[float, ...]]
    strand_first: list[int]
    cast: list[Member]
    cast_first: list[int]
    flows: list[Flow]
    flow_first: list[int]
    flow_track: list[int]
    tracks: list[Polyline]


def pack_scripts(compiled: Sequence[CompiledScripts]) -> tuple[ScriptArrays, list[Polyline]]:
    """Pack the scripts of a batch of routes, in their order.

    Returns:
        the tables, and the polylines that they number, for `pack_routes`.
    """
    t = _Tables([0], [], [], [], [0], [], [0], [], [0], [], [])
    scenarios = [s for scripts in compiled for s in scripts.scenarios]
    for scenario in scenarios:
        _add(t, scenario)
    places = [(s.spec.trigger_point.x, s.spec.trigger_point.y, s.spec.trigger_point.z) for s in scenarios]
    drawn_from = [m.choices for m in t.cast] + [f.choices for f in t.flows]
    arrays = ScriptArrays(
        scenario_first=_offsets(len(scripts.scenarios) for scripts in compiled),
        trigger_place=np.array(places, np.float64).reshape(-1, 3),
        trigger_distance=np.array([s.trigger_distance for s in scenarios], np.float64),
        timeout=np.array([s.script.timeout for s in scenarios], np.int8),
        strand_first=np.array(t.strand_first, np.int32),
        cast_first=np.array(t.cast_first, np.int32),
        flow_first=np.array(t.flow_first, np.int32),
        begin=np.array(t.begin, np.int32),
        op=np.array(t.op, np.int16),
        whole=np.array(t.whole, np.int32).reshape(-1, 3),
        number=np.array(t.number, np.float64).reshape(-1, 5),
        cast_place=np.array([m.place for m in t.cast], np.float64).reshape(-1, 4),
        cast_half_widths_right=np.array([m.half_widths_right for m in t.cast], np.float64),
        cast_hidden=np.array([m.hidden for m in t.cast], np.int8),
        cast_lights=np.array([m.lights for m in t.cast], np.int32),
        cast_choice_first=_offsets(len(m.choices) for m in t.cast),
        flow_track=np.array(t.flow_track, np.int32),
        flow_spacing=np.array([f.spacing for f in t.flows], np.float64).reshape(-1, 2),
        flow_speed=np.array([f.speed for f in t.flows], np.float64),
        flow_flags=np.array([int(f.flags) for f in t.flows], np.int32),
        flow_sink=np.array([f.sink_distance for f in t.flows], np.float64),
        flow_offset=np.array([f.offset for f in t.flows], np.float64),
        flow_initial=np.array([_initial(f) for f in t.flows], np.int8),
        flow_junction=np.array([(f.junction_from, f.junction_to) for f in t.flows], np.float64).reshape(-1, 2),
        flow_choice_first=_offsets((len(f.choices) for f in t.flows), sum(len(m.choices) for m in t.cast)),
        choice=np.array([b for choices in drawn_from for b in choices], np.int32),
    )
    return arrays, t.tracks


def _add(t: _Tables, scenario: CompiledScenario) -> None:
    track_offset = len(t.tracks)
    for rows in scenario.strands:
        for row in rows:
            whole = (*row.whole, 0, 0, 0)[:3]
            if row.op == Op.FOLLOW:
                whole = tuple(v + track_offset * (i == _TRACK_OPERAND) for i, v in enumerate(whole))
            t.op.append(int(row.op))
            t.whole.append(whole)
            t.number.append((*row.numbers, 0.0, 0.0, 0.0, 0.0, 0.0)[:5])
        t.begin.append(len(t.op))
    t.strand_first.append(len(t.begin) - 1)
    t.cast.extend(scenario.script.cast)
    t.cast_first.append(len(t.cast))
    t.flow_track.extend(track_offset + i for i in range(len(scenario.script.flows)))
    t.flows.extend(scenario.script.flows)
    t.flow_first.append(len(t.flows))
    t.tracks.extend(scenario.tracks)


def _initial(flow: Flow) -> int:
    if not flow.initial:
        return 0
    return 2 if flow.initial_in_junction else 1


def _offsets(lengths: Iterable[int], start: int = 0) -> np.ndarray:
    return np.cumsum([start, *lengths], dtype=np.int64).astype(np.int32)
