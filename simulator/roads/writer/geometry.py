"""Plan-view lines and cubic profiles: the two shapes that every OpenDRIVE road is made of.

Frame: OpenDRIVE's (x east, y north, heading counter-clockwise in radians), which is CARLA's with y and yaw mirrored.
`t` is the lateral offset from a line, positive to its left.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np

_SHORTEST_PIECE = 1e-3  # metres; carla.Map refuses pieces of length 0


class Pose(NamedTuple):
    """A point with a heading, OpenDRIVE frame: metres and radians."""

    x: float
    y: float
    heading: float

    def moved(self, forward: float, left: float = 0.0) -> Pose:
        """The pose `forward` metres ahead and `left` metres to the left, same heading."""
        c, s = math.cos(self.heading), math.sin(self.heading)
        return Pose(self.x + forward * c - left * s, self.y + forward * s + left * c, self.heading)

    def reversed(self) -> Pose:
        """Same point, opposite heading."""
        return Pose(self.x, self.y, wrap(self.heading + math.pi))


def wrap(angle: float) -> float:
    """The same angle in [-pi, pi)."""
    return (angle + math.pi) % (2 * math.pi) - math.pi


@dataclass(frozen=True)
class Piece:
    """One `<geometry>`: a line, an arc (`curvature` 1/m), or a cubic in its own frame (`u`, `v` over p in [0, 1])."""

    start: Pose
    length: float
    curvature: float = 0.0
    u: tuple[float, float, float] | None = None
    v: tuple[float, float, float] | None = None

    def at(self, s: float) -> Pose:
        """Pose `s` metres along the piece (a cubic is parametrised by s / length, as CARLA reads it)."""
        x, y, h = self.start
        if self.u is not None and self.v is not None:
            p = s / self.length
            local_x, local_y = (c[0] * p + c[1] * p * p + c[2] * p**3 for c in (self.u, self.v))
            slope_x, slope_y = (c[0] + 2 * c[1] * p + 3 * c[2] * p * p for c in (self.u, self.v))
            there = self.start.moved(local_x, local_y)
            return Pose(there.x, there.y, wrap(h + math.atan2(slope_y, slope_x)))
        if self.curvature:
            k, end = self.curvature, h + self.curvature * s
            return Pose(x + (math.sin(end) - math.sin(h)) / k, y - (math.cos(end) - math.cos(h)) / k, wrap(end))
        return self.start.moved(s)


class Path:
    """A reference line that grows piece by piece from a start pose; every piece starts where the last one ended."""

    def __init__(self, start: Pose) -> None:
        self.pieces: list[Piece] = []
        self.length = 0.0
        self.start = start
        self.end = start
        self._starts: list[float] = []

    def line(self, length: float) -> Path:
        """Append a straight line of `length` metres."""
        return self._append(Piece(self.end, length))

    def arc(self, length: float, curvature: float) -> Path:
        """Append an arc of `length` metres; positive curvature (1/m) turns left."""
        return self._append(Piece(self.end, length, curvature=curvature))

    def cubic_to(self, target: Pose) -> Path:
        """Append a cubic that ends in `target`; its parameter runs at nearly constant speed."""
        x, y, h = self.end
        c, s = math.cos(h), math.sin(h)
        dx, dy = target.x - x, target.y - y
        u1, v1 = dx * c + dy * s, -dx * s + dy * c
        turn = wrap(target.heading - h)
        length = math.hypot(dx, dy)
        for _ in range(4):  # tangents as long as the curve: parameter speed then stays close to the metric one
            du, dv = length * math.cos(turn), length * math.sin(turn)
            u = (length, 3 * u1 - 2 * length - du, du + length - 2 * u1)
            v = (0.0, 3 * v1 - dv, dv - 2 * v1)
            length = _cubic_length(u, v)
        self._append(Piece(self.end, length, u=u, v=v))
        self.end = target  # not recomputed, so that rounding does not add up along a road
        return self

    def at(self, s: float) -> Pose:
        """Pose `s` metres from the start (clamped to the path)."""
        s = min(max(s, 0.0), self.length)
        i = max(bisect_right(self._starts, s) - 1, 0)
        return self.pieces[i].at(s - self._starts[i])

    def part(self, start: float, end: float) -> Path:
        """The path between two stations, of a path without cubics."""
        cut = Path(self.at(start))
        for piece, s in zip(self.pieces, self._starts):
            if piece.u is not None:
                raise ValueError("a cubic cannot be cut")
            first, last = max(start, s), min(end, s + piece.length)
            if last > first:
                cut._append(Piece(piece.at(first - s), last - first, piece.curvature))
        return cut

    def sample(self, step: float) -> np.ndarray:
        """float64[N, 4]: s, x, y, heading, evenly spaced at most `step` metres apart, both ends included."""
        count = max(2, math.ceil(self.length / step) + 1)
        stations = np.linspace(0.0, self.length, count)
        return np.array([(s, *self.at(float(s))) for s in stations])

    def _append(self, piece: Piece) -> Path:
        if piece.length < _SHORTEST_PIECE:
            return self
        self.pieces.append(piece)
        self._starts.append(self.length)
        self.length += piece.length
        self.end = piece.at(piece.length)
        return self


def _cubic_length(u: Sequence[float], v: Sequence[float]) -> float:
    p = np.linspace(0.0, 1.0, 201)
    x = u[0] * p + u[1] * p**2 + u[2] * p**3
    y = v[0] * p + v[1] * p**2 + v[2] * p**3
    return float(np.hypot(np.diff(x), np.diff(y)).sum())


def polyline_path(points: Sequence[tuple[float, float]], radius: float | Sequence[float]) -> Path:
    """A path along straight legs with corners rounded by arcs.

    Args:
        points: corner points, metres; the first and last are the path's ends.
        radius: metres, one for all inner corners or one each.
    """
    headings = [math.atan2(b[1] - a[1], b[0] - a[0]) for a, b in pairwise(points)]
    radii = list(radius) if isinstance(radius, Sequence) else [radius] * (len(points) - 2)
    path = Path(Pose(points[0][0], points[0][1], headings[0]))
    for corner, before, after, r in zip(points[1:-1], headings, headings[1:], radii):
        turn = wrap(after - before)
        tangent = r * math.tan(abs(turn) / 2)
        leg = math.hypot(corner[0] - path.end.x, corner[1] - path.end.y)
        if tangent > leg + 1e-6:
            raise ValueError(
                f"corner {corner}: radius {r} needs {tangent:.1f} m of leg, but only {leg:.1f} m are there"
            )
        path.line(leg - tangent)
        path.arc(r * abs(turn), math.copysign(1 / r, turn))
        path.end = Pose(path.end.x, path.end.y, after)
    return path.line(math.hypot(points[-1][0] - path.end.x, points[-1][1] - path.end.y))


def connect(start: Pose, end: Pose) -> Path:
    """The plain way from one pose to another: a line, line-arc-line where the headings cross, else a cubic."""
    path = Path(start)
    dx, dy = end.x - start.x, end.y - start.y
    c, s = math.cos(start.heading), math.sin(start.heading)
    ahead, left = dx * c + dy * s, dy * c - dx * s
    turn = wrap(end.heading - start.heading)
    if abs(turn) < 1e-3 and abs(left) < 1e-3:
        path.line(ahead)
    elif abs(turn) > 0.25:
        # the two straight extensions meet `before` metres after the start and `after` metres before the end
        after = left / math.sin(turn)
        before = ahead - after * math.cos(turn)
        if after > 0.5 and before > 0.5:
            tangent = min(after, before)
            r = tangent / math.tan(abs(turn) / 2)
            path.line(before - tangent).arc(r * abs(turn), math.copysign(1 / r, turn)).line(after - tangent)
    if not path.pieces:
        path.cubic_to(end)
    path.end = end
    return path


class Cubic(NamedTuple):
    """a + b d + c d^2 + d d^3 over d = s - s0, as OpenDRIVE writes elevations, widths and offsets."""

    s: float
    a: float
    b: float = 0.0
    c: float = 0.0
    d: float = 0.0


@dataclass
class Profile:
    """A piecewise cubic function of s (elevation, lane width, lane offset), smooth where its pieces meet."""

    pieces: list[Cubic] = field(default_factory=lambda: [Cubic(0.0, 0.0)])

    @staticmethod
    def constant(value: float) -> Profile:
        return Profile([Cubic(0.0, value)])

    @staticmethod
    def through(knots: Sequence[tuple[float, float, float]]) -> Profile:
        """Cubic Hermite through knots (s, value, slope), going on in a straight line after the last one."""
        pieces = []
        for (s0, z0, m0), (s1, z1, m1) in pairwise(knots):
            length, rise = s1 - s0, z1 - z0
            c = (3 * rise / length - 2 * m0 - m1) / length
            d = (m0 + m1 - 2 * rise / length) / length**2
            pieces.append(Cubic(s0, z0, m0, c, d))
        return Profile([*pieces, Cubic(*knots[-1])])

    @staticmethod
    def eased(knots: Sequence[tuple[float, float]]) -> Profile:
        """Smooth steps between knots (s, value), level at each of them."""
        return Profile.through([(s, value, 0.0) for s, value in knots])

    def value(self, s: float) -> float:
        p, d = self._piece(s)
        return p.a + d * (p.b + d * (p.c + d * p.d))

    def slope(self, s: float) -> float:
        p, d = self._piece(s)
        return p.b + d * (2 * p.c + 3 * d * p.d)

    def shifted(self, ds: float) -> Profile:
        """The same function with its s axis moved: new(s) = old(s + ds), for s >= 0."""
        first, d = self._piece(ds)
        head = Cubic(0.0, self.value(ds), self.slope(ds), first.c + 3 * first.d * d, first.d)
        return Profile([head, *(p._replace(s=p.s - ds) for p in self.pieces if p.s > ds + 1e-9)])

    def part(self, start: float, end: float) -> Profile:
        """A cubic with the same values and slopes at two stations, over 0 .. end - start."""
        return Profile.through(
            [(0.0, self.value(start), self.slope(start)), (end - start, self.value(end), self.slope(end))]
        )

    def _piece(self, s: float) -> tuple[Cubic, float]:
        i = max(bisect_right([p.s for p in self.pieces], s + 1e-9) - 1, 0)
        return self.pieces[i], s - self.pieces[i].s
