"""Junctions: which lane leads where, and the connecting roads that carry it.

`driving_movements` decides as a traffic engineer would: left turns from the innermost lane into the innermost lane,
right turns from the outermost into the outermost, straight lanes side by side, and no incoming lane without a way out
(a lane that ends with a negative id disappears from `carla.Map.get_topology`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from simulator.roads.writer.geometry import Profile, connect, wrap
from simulator.roads.writer.road import LANE_LINE, NO_MARK, POCKET, Arm, Lane, Link, Mark, Road, Section

Turn = Literal["left", "straight", "right"]
Pairs = Sequence[tuple[int, int]]

_STRAIGHT_WITHIN = 0.6  # rad between entry and exit that still counts as going straight
_BACK = 2.6  # rad beyond which a way leads back to where it came from


class Connection(NamedTuple):
    """One connecting road: from arm `entry` to arm `exit`, carrying lanes of one type side by side."""

    entry: int
    exit: int
    turn: Turn
    kind: str
    pairs: tuple[tuple[int, int], ...]
    road: Road


@dataclass
class Junction:
    """One `<junction>`."""

    id: int
    name: str
    arms: list[Arm]
    connections: list[Connection] = field(default_factory=list)
    controllers: list[str] = field(default_factory=list)

    def driving(self, arm: int, turns: Sequence[str] = ("left", "straight", "right")) -> list[Connection]:
        """Driving connections that start at an arm and take one of the turns."""
        return [c for c in self.connections if c.entry == arm and c.turn in turns and c.kind == "driving"]


class Movement(NamedTuple):
    """A legal way through a junction, before it has a road."""

    entry: int
    exit: int
    turn: Turn
    pairs: tuple[tuple[int, int], ...]


def turn_between(entry: Arm, leave: Arm) -> tuple[Turn, float]:
    """What a driver does from one arm to another, and the change of heading in radians (left positive)."""
    change = wrap(leave.outward.heading - entry.outward.reversed().heading)
    if abs(change) < _STRAIGHT_WITHIN:
        return "straight", change
    return ("left" if change > 0 else "right"), change


def driving_movements(arms: Sequence[Arm]) -> list[Movement]:
    """Movements of the driving lanes of all arms, without U-turns."""
    found = []
    for i, entry in enumerate(arms):
        lanes = entry.lanes(incoming=True)
        if not lanes:
            continue
        exits = []
        for k, leave in enumerate(arms):
            targets = leave.lanes(incoming=False)
            if k != i and targets:
                exits.append((k, turn_between(entry, leave)[0], targets))
        found += _assign(i, entry, lanes, exits)
    return found


def _assign(i: int, entry: Arm, lanes: list[int], exits: list[tuple[int, Turn, list[int]]]) -> list[Movement]:
    has_left = any(turn == "left" for _, turn, _ in exits)
    has_right = any(turn == "right" for _, turn, _ in exits)
    pocket = has_left and entry.lane(lanes[0]).key == POCKET and len(lanes) > 1
    pairs: dict[int, list[tuple[int, int]]] = {}
    for k, turn, targets in exits:
        if turn == "left":
            pairs[k] = [(lanes[0], targets[0])]
        elif turn == "right":
            pairs[k] = [(lanes[-1], targets[-1])]
        else:
            through = lanes[1:] if pocket else lanes
            surplus = len(through) - len(targets)
            if surplus > 0:  # the lanes that cannot go on are those that turn
                through = through[:-surplus] if has_right and not has_left else through[surplus:]
            pairs[k] = list(zip(through, targets))
    used = {lane for chosen in pairs.values() for lane, _ in chosen}
    for position, lane in enumerate(lanes):
        if lane not in used and exits:
            order = ("left", "straight", "right") if position < len(lanes) / 2 else ("right", "straight", "left")
            k, _, targets = min(exits, key=lambda e: order.index(e[1]))
            pairs[k] = sorted([*pairs[k], (lane, targets[min(position, len(targets) - 1)])], key=lambda p: abs(p[0]))
    return [Movement(i, k, turn, tuple(pairs[k])) for k, turn, _ in exits]


def explicit_movements(arms: Sequence[Arm], moves: Mapping[tuple[int, int], Pairs]) -> list[Movement]:
    """Movements as given: (entry arm, exit arm) -> pairs of lane ids."""
    return [Movement(i, k, turn_between(arms[i], arms[k])[0], tuple(pairs)) for (i, k), pairs in moves.items()]


def bike_movements(arms: Sequence[Arm]) -> list[Movement]:
    """Every bike lane leads to the bike lanes of all other arms."""
    found = []
    for i, entry in enumerate(arms):
        for k, leave in enumerate(arms):
            lanes, targets = entry.lanes(True, "biking"), leave.lanes(False, "biking")
            if i != k and lanes and targets:
                found.append(Movement(i, k, turn_between(entry, leave)[0], ((lanes[-1], targets[-1]),)))
    return found


def curb_movements(arms: Sequence[Arm], kind: str) -> list[Movement]:
    """Every sidewalk (or shoulder) leads around the corner to its right, or straight on past arms that have none."""
    bearing = [(arm.outward.heading % (2 * math.pi), i) for i, arm in enumerate(arms)]
    around = [i for _, i in sorted(bearing)]
    found = []
    for i, entry in enumerate(arms):
        lanes = entry.lanes(True, kind)
        start = around.index(i)
        for k in around[start + 1 :] + around[:start]:
            targets = arms[k].lanes(False, kind)
            turn, change = turn_between(entry, arms[k])
            if not targets or abs(change) > _BACK:
                continue
            if lanes and turn != "left":
                found.append(Movement(i, k, turn, ((lanes[-1], targets[-1]),)))
            break
    return found


def side_by_side(pairs: Pairs) -> list[list[tuple[int, int]]]:
    """Split lane pairs into runs that one connecting road can carry: neighbours at both ends."""
    runs: list[list[tuple[int, int]]] = []
    for pair in pairs:
        if runs and all(abs(now) == abs(before) + 1 for now, before in zip(pair, runs[-1][-1])):
            runs[-1].append(pair)
        else:
            runs.append([pair])
    return runs


def connecting_road(road_id: int, junction: int, entry: Arm, leave: Arm, pairs: Pairs, kind: str) -> Road:
    """The road through a junction for lanes that run side by side; its lanes are right lanes, -1 innermost."""
    path = connect(entry.lane_pose(pairs[0][0], True), leave.lane_pose(pairs[0][1], False))
    lanes = []
    for number, (source, target) in enumerate(pairs):
        width = Profile.eased([(0.0, entry.width(source)), (path.length, leave.width(target))])
        inner_line = Mark(LANE_LINE.type, LANE_LINE.color) if number + 1 < len(pairs) else NO_MARK
        lanes.append(Lane(f"{kind}{number + 1}", kind, width, inner_line))
    return Road(
        id=road_id,
        name="",
        path=path,
        sections=[Section(0.0, [], lanes)],
        center=NO_MARK,
        speed_kmh=min(entry.road.speed_kmh, leave.road.speed_kmh) if kind == "driving" else entry.road.speed_kmh,
        kind=entry.road.kind,
        junction=junction,
        elevation=Profile.through(
            [(0.0, entry.height(), entry.climb(True)), (path.length, leave.height(), leave.climb(False))]
        ),
        predecessor=Link("road", entry.road.id, entry.contact),
        successor=Link("road", leave.road.id, leave.contact),
        lane_links={-(n + 1): pair for n, pair in enumerate(pairs)},
    )
