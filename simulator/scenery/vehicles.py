"""Low-poly vehicles: cars, vans, trucks, buses, emergency vehicles. Every model fills its blueprint's box.

Model frame: x forward, y right, z up, origin on the ground at the middle of the box. Shapes are given in shares of the
half length (x), half width (y) and full height (z).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from simulator.blueprints import Blueprint
from simulator.scenery.mesh import Solid, box, side_profile
from simulator.scenery.model import Lamp, ModelBuilder, Part
from simulator.scenery.tags import Material, Tag

Profile = tuple[tuple[float, float], ...]

GLASS = (0.13, 0.16, 0.19)
TRIM = (0.07, 0.07, 0.08)
RUBBER = (0.06, 0.06, 0.065)
RIM = (0.55, 0.56, 0.58)
WHITE = (0.9, 0.9, 0.9)


@dataclass(frozen=True)
class Style:
    """Proportions of a kind of vehicle."""

    body: Profile
    cabin: Profile
    roof: tuple[float, float]  # x of the roof panel's rear and front
    axles: tuple[float, ...]
    wheel: float = 0.235  # radius in shares of the height
    lean: float = 0.80  # width of the roof
    nose: float = 0.10  # how much narrower both ends are
    pillars: tuple[float, ...] = (-0.12,)
    lamp_height: tuple[float, float] = (0.44, 0.56)  # front, rear
    tag: int = Tag.CAR
    extra: str = ""
    doors: tuple[tuple[float, float], ...] = field(default=((0.38, -0.12), (-0.12, -0.58)))  # front, rear: from, to


_SEDAN = Style(
    body=((-0.98, 0.15), (0.97, 0.15), (1.0, 0.28), (0.985, 0.43), (0.90, 0.51), (0.42, 0.60),
          (-0.66, 0.64), (-0.96, 0.60), (-1.0, 0.38)),
    cabin=((-0.80, 0.61), (0.46, 0.59), (0.12, 0.965), (-0.08, 1.0), (-0.34, 0.985), (-0.52, 0.93)),
    roof=(-0.50, 0.12),
    axles=(-0.60, 0.62),
)  # fmt: skip
_HATCH = Style(
    body=((-0.97, 0.15), (0.97, 0.15), (1.0, 0.28), (0.98, 0.43), (0.90, 0.51), (0.52, 0.59),
          (-0.88, 0.63), (-0.98, 0.55), (-1.0, 0.34)),
    cabin=((-0.95, 0.60), (0.56, 0.58), (0.20, 0.96), (-0.05, 1.0), (-0.55, 0.98), (-0.78, 0.93)),
    roof=(-0.76, 0.20),
    axles=(-0.64, 0.64),
    wheel=0.215,
    pillars=(-0.10,),
    doors=((0.44, -0.10), (-0.10, -0.60)),
)  # fmt: skip
_COUPE = Style(
    body=((-0.98, 0.15), (0.97, 0.15), (1.0, 0.28), (0.985, 0.43), (0.90, 0.52), (0.35, 0.62),
          (-0.70, 0.66), (-0.96, 0.61), (-1.0, 0.38)),
    cabin=((-0.86, 0.63), (0.38, 0.61), (0.02, 0.96), (-0.15, 1.0), (-0.32, 0.98)),
    roof=(-0.42, 0.02),
    axles=(-0.60, 0.62),
    wheel=0.245,
    pillars=(-0.28,),
    doors=((0.30, -0.28),),
)  # fmt: skip
_SUV = Style(
    body=((-0.98, 0.19), (0.97, 0.19), (1.0, 0.32), (0.99, 0.48), (0.93, 0.55), (0.46, 0.60),
          (-0.92, 0.63), (-0.99, 0.55), (-1.0, 0.34)),
    cabin=((-0.96, 0.61), (0.48, 0.59), (0.18, 0.96), (0.0, 1.0), (-0.72, 0.99), (-0.86, 0.95)),
    roof=(-0.84, 0.18),
    axles=(-0.62, 0.62),
    wheel=0.215,
    lean=0.84,
    pillars=(-0.10, -0.54),
    lamp_height=(0.47, 0.56),
)  # fmt: skip
_VAN = Style(
    body=((-0.98, 0.13), (0.96, 0.13), (1.0, 0.24), (0.99, 0.38), (0.93, 0.47), (-0.98, 0.52), (-1.0, 0.30)),
    cabin=((-0.985, 0.46), (0.93, 0.45), (0.70, 0.90), (0.55, 0.985), (-0.88, 1.0), (-0.97, 0.95)),
    roof=(-0.93, 0.60),
    axles=(-0.58, 0.64),
    wheel=0.165,
    lean=0.86,
    nose=0.06,
    pillars=(0.34, -0.2, -0.62),
    lamp_height=(0.36, 0.42),
    doors=((0.68, 0.34), (0.34, -0.12)),
)  # fmt: skip
_BUS = Style(
    body=((-0.99, 0.09), (0.99, 0.09), (1.0, 0.20), (1.0, 0.42), (-1.0, 0.42), (-1.0, 0.18)),
    cabin=((-0.995, 0.40), (0.995, 0.40), (0.985, 0.86), (0.95, 0.985), (-0.96, 1.0), (-0.99, 0.90)),
    roof=(-0.97, 0.96),
    axles=(-0.56, 0.66),
    wheel=0.125,
    lean=0.95,
    nose=0.03,
    pillars=(0.74, 0.44, 0.14, -0.16, -0.46, -0.76),
    lamp_height=(0.20, 0.24),
    tag=Tag.BUS,
    extra="bus",
    doors=(),
)  # fmt: skip
_TRUCK_CAB = Style(
    body=((0.42, 0.12), (0.97, 0.12), (1.0, 0.20), (1.0, 0.46), (0.42, 0.46)),
    cabin=((0.45, 0.44), (0.995, 0.44), (0.93, 0.74), (0.86, 0.80), (0.46, 0.80)),
    roof=(0.46, 0.88),
    axles=(-0.62, -0.34, 0.66),
    wheel=0.145,
    lean=0.92,
    nose=0.0,
    pillars=(0.58,),
    lamp_height=(0.20, 0.19),
    tag=Tag.TRUCK,
    extra="box",
    doors=((0.88, 0.58),),
)  # fmt: skip
_CYBERTRUCK = Style(
    body=((-0.98, 0.22), (0.96, 0.22), (1.0, 0.36), (0.97, 0.50), (-0.2, 0.64), (-0.98, 0.62), (-1.0, 0.40)),
    cabin=((-0.98, 0.60), (0.86, 0.52), (0.10, 1.0), (0.0, 0.995)),
    roof=(-0.16, 0.12),
    axles=(-0.58, 0.60),
    wheel=0.205,
    lean=0.72,
    nose=0.05,
    pillars=(-0.05, -0.5),
    tag=Tag.CAR,
    doors=((0.42, -0.05), (-0.05, -0.45)),
)  # fmt: skip

_HATCHES = ("audi.a2", "citroen.c3", "mini", "nissan.micra", "seat.leon", "toyota.prius", "micro.")
_COUPES = ("audi.tt", "ford.mustang", "mercedes.coupe")
_SUVS = ("audi.etron", "jeep.", "nissan.patrol", "bmw.grandtourer")
_VANS = ("volkswagen.t2", "mercedes.sprinter")


def style_of(blueprint: Blueprint) -> Style:
    """Proportions for a blueprint, by its id."""
    name = blueprint.id.removeprefix("vehicle.")
    if name.startswith(_HATCHES):
        return _HATCH
    if name.startswith(_COUPES):
        return _COUPE
    if name.startswith(_SUVS):
        return _SUV
    if name.startswith(_VANS):
        return _VAN
    if name == "ford.ambulance":
        return Style(**{**_TRUCK_CAB.__dict__, "extra": "ambulance", "axles": (-0.56, 0.64), "wheel": 0.165})
    if name == "carlamotors.firetruck":
        return Style(**{**_TRUCK_CAB.__dict__, "extra": "firetruck"})
    if name == "carlamotors.carlacola":
        return Style(**{**_TRUCK_CAB.__dict__, "extra": "cola", "axles": (-0.56, 0.66)})
    if name == "carlamotors.european_hgv":
        return Style(**{**_TRUCK_CAB.__dict__, "extra": "tractor"})
    if name == "mitsubishi.fusorosa":
        return _BUS
    if name == "tesla.cybertruck":
        return _CYBERTRUCK
    return _SEDAN


def build_vehicle(out: ModelBuilder, blueprint: Blueprint) -> None:
    """The model of a four-wheeled vehicle."""
    style = style_of(blueprint)
    shape = _Shape(out, blueprint, style)
    shape.body()
    shape.wheels()
    shape.lamps()
    extra = style.extra
    if extra in ("box", "cola", "ambulance", "firetruck", "tractor"):
        shape.load(extra)
    if blueprint.special_type == "taxi":
        shape.block((-0.12, -0.16, 0.985), (0.02, 0.16, 1.0), (0.95, 0.78, 0.15), Material.PLAIN)
    if blueprint.special_type == "emergency":
        shape.beacons()


class _Shape:
    def __init__(self, out: ModelBuilder, blueprint: Blueprint, style: Style) -> None:
        self.out = out
        self.style = style
        self.tag = style.tag
        self.scale = np.array([blueprint.half_length, blueprint.half_width, 2.0 * blueprint.half_height])
        self.police = "police" in blueprint.id
        self.doors_open = blueprint.has_dynamic_doors
        self.low_roof = blueprint.special_type == "emergency" and style.extra == ""
        self.fire = style.extra == "firetruck"
        self.fixed = WHITE if style.extra in ("ambulance",) or self.police else None
        if self.fire:
            self.fixed = (0.72, 0.08, 0.07)
        if style.extra == "cola":
            self.fixed = (0.75, 0.06, 0.08)

    def _warp(self, solid: Solid) -> Solid:
        """Shares to metres; both ends are narrower."""
        vertices, faces = solid
        v = vertices.copy()
        v[:, 1] *= 1.0 - self.style.nose * np.abs(np.clip(v[:, 0], -1, 1)) ** 4
        if self.low_roof:
            v[:, 2] *= 0.94  # room for the light bar
        return v * self.scale, faces

    def paint(self, solid: Solid) -> None:
        if self.fixed is None:
            self.out.add(*self._warp(solid), (1.0, 1.0, 1.0), self.tag, Material.PAINT)
        else:
            self.out.add(*self._warp(solid), self.fixed, self.tag, Material.PLAIN)

    def block(
        self, low: tuple[float, float, float], high: tuple[float, float, float], colour: tuple[float, float, float],
        material: int, lamp: int = Lamp.NONE, part: int = Part.BODY,
    ) -> None:  # fmt: skip
        self.out.add(*self._warp(box(low, high)), colour, self.tag, material, part=part, lamp=lamp)

    def body(self) -> None:
        s = self.style
        self.paint(side_profile(s.body, 0.965))
        x = [p[0] for p in s.body]
        bottom = min(p[1] for p in s.body)
        self.block((min(x) + 0.03, -0.93, bottom - 0.03), (max(x) - 0.03, 0.93, bottom + 0.04), TRIM, Material.PLAIN)
        cabin = np.array(s.cabin)
        self.out.add(*self._warp(side_profile(s.cabin, 0.90, s.lean)), GLASS, self.tag, Material.GLASS)
        top = cabin[:, 1].max()
        belt = cabin[:, 1].min()
        rear, front = s.roof
        roof_low = (
            float(np.interp(0.5 * (rear + front), np.sort(cabin[:, 0]), cabin[np.argsort(cabin[:, 0]), 1])) - 0.045
        )
        roof_low = min(roof_low, top - 0.06)
        self.paint(
            side_profile(
                ((rear - 0.03, roof_low), (front + 0.03, roof_low), (front - 0.08, top - 0.012), (rear + 0.12, top)),
                s.lean + 0.035, s.lean - 0.02,
            )
        )  # fmt: skip
        # pillars: slices through the cabin a little wider than it
        ends = [(front + 0.005, 0.045), (rear - 0.01, 0.06)]
        for x_middle, half in [*((p, 0.022) for p in s.pillars), *ends]:
            self._pillar(x_middle, half, belt, top - 0.02)
        for side in (-1, 1):  # mirrors
            x_mirror = front + 0.24 if s.extra == "" else 0.9
            z = belt + 0.04
            y = sorted((side * 0.86, side * 1.0))
            self.block((x_mirror - 0.03, y[0], z), (x_mirror + 0.02, y[1], z + 0.08), TRIM, Material.PLAIN)
        if self.doors_open or self.tag == Tag.CAR:
            self._doors(belt)
        if self.police:
            self.block((-0.42, -0.975, 0.30), (0.30, 0.975, 0.50), (0.06, 0.07, 0.1), Material.PLAIN)

    def _pillar(self, x: float, half: float, low: float, high: float) -> None:
        cabin = sorted(self.style.cabin)
        xs = np.array([p[0] for p in cabin])
        upper = [p for p in self.style.cabin if p[1] > low + 0.06]
        x = min(max(x, float(xs.min()) + half), float(xs.max()) - half)
        reach = float(np.interp(x, xs, [max(p[1], low) for p in cabin])) if len(upper) else high
        reach = min(max(reach, low + 0.05), high)
        share = (reach - low) / max(high - low, 1e-6)
        width = 0.90 + (self.style.lean - 0.90) * share
        for side in (-1.0, 1.0):
            quad = np.array(
                [[x - half, side * 0.915, low], [x + half, side * 0.915, low],
                 [x + half, side * (width + 0.015), reach], [x - half, side * (width + 0.015), reach]]
            )  # fmt: skip
            faces = np.array([[0, 1, 2], [0, 2, 3]])
            self.paint((quad, faces if side < 0 else faces[:, ::-1]))

    def _doors(self, belt: float) -> None:
        """Seams, and panels that swing out; CARLA's doors: 0 front left, 1 front right, 2 rear left, 3 rear right."""
        for row, (front, rear) in enumerate(self.style.doors):
            for side in (-1.0, 1.0):
                y = 0.972 * side
                low = 0.22
                seam = np.array([[rear, y, low], [rear + 0.006, y, low], [rear + 0.006, y, belt], [rear, y, belt]])
                faces = np.array([[0, 1, 2], [0, 2, 3]])
                self.out.add(*self._warp((seam, faces if side < 0 else faces[:, ::-1])), TRIM, self.tag, Material.PLAIN)
                if not self.doors_open:
                    continue
                part = Part.DOOR_FRONT_LEFT + 2 * row + (1 if side > 0 else 0)
                panel = box((rear + 0.01, min(y, 0.90 * side), low), (front, max(y, 0.90 * side), belt))
                window = box(
                    (rear + 0.03, min(0.86 * side, 0.90 * side), belt),
                    (front - 0.10, max(0.86 * side, 0.90 * side), belt + 0.24),
                )
                hinge = np.array([front, y, 0.0]) * self.scale
                self.out.add(*self._warp(panel), (1.0, 1.0, 1.0), self.tag, Material.PAINT, part=part, pivot=hinge)
                self.out.add(*self._warp(window), GLASS, self.tag, Material.GLASS, part=part, pivot=hinge)

    def wheels(self) -> None:
        length, width, height = self.scale
        radius = self.style.wheel * height
        for x in self.style.axles:
            for side in (-1.0, 1.0):
                bare = self.style.extra == "tractor" and x < 0.0
                thickness = 0.13 * width + 0.06
                self.out.wheel(x * length, side, width, radius, thickness, self.tag, RUBBER, RIM, bare=bare)

    def _lamp(
        self,
        end: float,
        inner: float,
        outer: float,
        low: float,
        high: float,
        colour: tuple[float, float, float],
        lamp: int,
    ) -> None:
        """A lamp at the nose (end > 0) or the tail: its face, and its side where it reaches around the corner."""
        ahead = 1.0 if end > 0 else -1.0
        x, side = end + 0.004 * ahead, 1.0 if outer > 0 else -1.0
        back = end - 0.06 * ahead
        vertices = np.array(
            [
                [x, inner, low],
                [x, outer, low],
                [x, outer, high],
                [x, inner, high],
                [back, outer, low],
                [back, outer, high],
            ]
        )
        faces = np.array([[0, 1, 2], [0, 2, 3], [1, 4, 5], [1, 5, 2]])
        if ahead * side < 0:
            faces = faces[:, ::-1]
        self.out.add(*self._warp((vertices, faces)), colour, self.tag, Material.LAMP, lamp=lamp)

    def lamps(self) -> None:
        s = self.style
        front, rear = s.lamp_height
        nose = max(p[0] for p in s.body)
        tail = min(min(p[0] for p in s.body), -1.0 if s.extra else 0.0)
        for side in (-1.0, 1.0):
            outer = 0.968 * side
            turn = Lamp.LEFT if side < 0 else Lamp.RIGHT
            self._lamp(nose, 0.60 * side, outer, front - 0.035, front + 0.035, (0.75, 0.78, 0.8), Lamp.HEAD)
            self._lamp(nose, 0.80 * side, outer, front - 0.075, front - 0.04, (0.75, 0.45, 0.12), turn)
            self._lamp(tail, 0.58 * side, outer, rear - 0.045, rear + 0.035, (0.45, 0.04, 0.04), Lamp.TAIL)
            self._lamp(tail, 0.80 * side, outer, rear - 0.085, rear - 0.047, (0.7, 0.4, 0.1), turn)
            self._lamp(tail, 0.48 * side, 0.575 * side, rear - 0.03, rear + 0.025, (0.7, 0.7, 0.7), Lamp.REVERSE)
        low = min(p[1] for p in s.body)
        self.block((nose - 0.05, -0.50, low + 0.05), (nose + 0.003, 0.50, front - 0.03), TRIM, Material.PLAIN)
        self.block((nose - 0.02, -0.13, low + 0.08), (nose + 0.006, 0.13, low + 0.14), WHITE, Material.PLAIN)
        plate = max(rear - 0.16, low + 0.06)
        self.block((tail - 0.006, -0.14, plate), (tail + 0.02, 0.14, plate + 0.06), WHITE, Material.PLAIN)
        self.block((tail + 0.12, -0.80, 0.05), (nose - 0.12, 0.80, low + 0.02), (0.03, 0.03, 0.03), Material.PLAIN)

    def load(self, kind: str) -> None:
        """What a truck carries behind its cab."""
        self.block((-0.96, -0.5, 0.14), (0.5, 0.5, 0.24), TRIM, Material.PLAIN)
        if kind == "tractor":
            self.block((-0.98, -0.35, 0.22), (0.2, 0.35, 0.29), (0.2, 0.2, 0.22), Material.PLAIN)
            self.block((-0.62, -0.30, 0.27), (-0.30, 0.30, 0.33), (0.12, 0.12, 0.12), Material.PLAIN)
            self.paint(side_profile(((0.30, 0.30), (0.47, 0.30), (0.47, 1.0), (0.36, 1.0)), 0.94))
            self.paint(side_profile(((0.44, 0.78), (0.86, 0.78), (0.62, 1.0), (0.44, 1.0)), 0.90, 0.82))
            self.block((-1.0, -0.97, 0.11), (-0.95, 0.97, 0.235), TRIM, Material.PLAIN)
            return
        colours = {"ambulance": WHITE, "firetruck": (0.72, 0.08, 0.07), "cola": (0.75, 0.06, 0.08)}
        colour = colours.get(kind, (0.82, 0.82, 0.8))
        self.block((-1.0, -0.985, 0.22), (0.40, 0.985, 0.985), colour, Material.PLAIN)
        self.block((0.38, -0.8, 0.14), (0.46, 0.8, 0.72), TRIM, Material.PLAIN)
        self.block((-1.0, -0.90, 0.15), (-0.96, 0.90, 0.22), TRIM, Material.PLAIN)
        if kind == "ambulance":
            self.block((-1.002, -0.99, 0.46), (0.405, 0.99, 0.56), (0.85, 0.35, 0.05), Material.PLAIN)
            self.block((-0.42, -0.992, 0.66), (-0.24, 0.992, 0.88), (0.1, 0.25, 0.6), Material.PLAIN)
        elif kind == "firetruck":
            self.block((-1.002, -0.99, 0.40), (0.405, 0.99, 0.46), (0.92, 0.85, 0.2), Material.PLAIN)
            for x in (-0.80, -0.45, -0.10):
                self.block((x, -0.993, 0.50), (x + 0.28, 0.993, 0.84), (0.62, 0.63, 0.65), Material.METAL)
            self.block((-0.95, -0.30, 0.97), (0.60, -0.22, 1.0), (0.75, 0.75, 0.75), Material.METAL)
            self.block((-0.95, 0.22, 0.97), (0.60, 0.30, 1.0), (0.75, 0.75, 0.75), Material.METAL)
        elif kind == "cola":
            self.block((-0.85, -0.99, 0.45), (0.25, 0.99, 0.72), (0.92, 0.92, 0.92), Material.PLAIN)

    def beacons(self) -> None:
        """Special lights: red on the left, blue on the right, as light bars have them."""
        if self.style.extra:
            x0, x1, z0, z1 = 0.60, 0.70, 0.80, 0.845
        else:
            x0, x1, z0, z1 = -0.16, -0.06, 0.995, 1.063
        self.block((x0, -0.08, z0), (x1, 0.08, z1 - 0.01), (0.15, 0.15, 0.16), Material.PLAIN)
        self.block((x0, -0.56, z0), (x1, -0.08, z1), (0.45, 0.05, 0.05), Material.LAMP, Lamp.SPECIAL_RED)
        self.block((x0, 0.08, z0), (x1, 0.56, z1), (0.05, 0.08, 0.45), Material.LAMP, Lamp.SPECIAL_BLUE)
