"""Low-poly walkers, and bicycles and motorcycles with their riders."""

from __future__ import annotations

import math

import numpy as np

from simulator.blueprints import Blueprint
from simulator.scenery.mesh import Solid, box, column, prism, ring
from simulator.scenery.model import Lamp, ModelBuilder, Part, disc
from simulator.scenery.tags import Material, Tag

SKIN = ((0.87, 0.68, 0.55), (0.76, 0.56, 0.42), (0.55, 0.38, 0.27), (0.38, 0.26, 0.19))
HAIR = ((0.12, 0.09, 0.07), (0.25, 0.16, 0.09), (0.45, 0.33, 0.18), (0.5, 0.48, 0.46), (0.07, 0.07, 0.08))
TOPS = (
    (0.72, 0.18, 0.16), (0.18, 0.33, 0.58), (0.83, 0.80, 0.74), (0.16, 0.18, 0.22), (0.28, 0.45, 0.30),
    (0.80, 0.58, 0.20), (0.50, 0.30, 0.46), (0.42, 0.52, 0.60), (0.62, 0.40, 0.28),
)  # fmt: skip
TROUSERS = ((0.16, 0.19, 0.28), (0.22, 0.21, 0.20), (0.42, 0.37, 0.29), (0.10, 0.10, 0.11), (0.30, 0.33, 0.38))
SHOES = (0.1, 0.09, 0.09)
DARK = (0.08, 0.08, 0.09)


def build_walker(out: ModelBuilder, blueprint: Blueprint, index: int) -> None:
    """A person who stands along x; legs and arms swing about hip and shoulder."""
    height = 2.0 * blueprint.half_height
    skin, hair = SKIN[index * 7 % 4], HAIR[index * 3 % 5]
    top, trousers = TOPS[index * 5 % 9], TROUSERS[index * 2 % 5]
    hip, shoulder, neck = 0.50 * height, 0.80 * height, 0.84 * height
    for side, leg, arm in ((-1.0, Part.LEG_LEFT, Part.ARM_LEFT), (1.0, Part.LEG_RIGHT, Part.ARM_RIGHT)):
        y = 0.092 * side
        at = np.array([0.0, y, hip])
        out.solid(column(0.0, y, 0.07, hip + 0.03, 0.058, 0.092, 6), trousers, Tag.PEDESTRIAN, part=leg, pivot=at)
        out.solid(box((-0.07, y - 0.05, 0.0), (0.16, y + 0.05, 0.08)), SHOES, Tag.PEDESTRIAN, part=leg, pivot=at)
        y = 0.235 * side
        at = np.array([0.0, y, shoulder])
        out.solid(column(0.0, y, 0.52 * height, shoulder, 0.042, 0.058, 5), top, Tag.PEDESTRIAN, part=arm, pivot=at)
        out.solid(column(0.0, y, 0.455 * height, 0.525 * height, 0.036, 0.04, 5, True), skin, Tag.PEDESTRIAN, part=arm,
                  pivot=at)  # fmt: skip
    out.solid(_torso(hip - 0.03, shoulder + 0.03, 0.15, 0.20), top, Tag.PEDESTRIAN)
    _head(out, 0.0, neck, height, skin, hair, Tag.PEDESTRIAN)


def _torso(low: float, high: float, waist: float, shoulders: float) -> Solid:
    outline = ring(0.0, 0.0, 1.0, 8, math.pi / 8) * np.array([0.115, waist])
    vertices, faces = prism(outline, low, high, shrink=1.0, bottom=True)
    vertices[8:, 1] *= shoulders / waist
    return vertices, faces


def _head(
    out: ModelBuilder, x: float, neck: float, top: float, skin: tuple[float, float, float],
    hair: tuple[float, float, float], tag: int,
) -> None:  # fmt: skip
    size = top - neck
    out.solid(column(x, 0.0, neck - 0.06, neck + 0.05, 0.055, 0.055, 6), skin, tag)
    out.solid(column(x + 0.01, 0.0, neck + 0.02, neck + 0.55 * size, 0.085, 0.105, 8, True), skin, tag)
    out.solid(column(x - 0.012, 0.0, neck + 0.48 * size, top, 0.107, 0.075, 8, True), hair, tag)


def _limb(a: tuple[float, float, float], b: tuple[float, float, float], r0: float, r1: float, sides: int = 5) -> Solid:
    """Truncated cone between two points."""
    p, q = np.array(a), np.array(b)
    axis = (q - p) / np.linalg.norm(q - p)
    u = np.cross(axis, [0.0, 1.0, 0.0] if abs(axis[1]) < 0.9 else [1.0, 0.0, 0.0])
    u /= np.linalg.norm(u)
    v = np.cross(axis, u)
    angle = np.arange(sides) * (2 * math.pi / sides)
    around = np.cos(angle)[:, None] * u + np.sin(angle)[:, None] * v
    vertices = np.concatenate([p + r0 * around, q + r1 * around])
    i = np.arange(sides)
    j = (i + 1) % sides
    fan = np.arange(1, sides - 1)
    zero = np.zeros(sides - 2, np.int64)
    faces = np.concatenate(
        [np.stack([i, j, j + sides], 1), np.stack([i, j + sides, i + sides], 1),
         np.stack([zero, fan + 1, fan], 1), np.stack([zero + sides, fan + sides, fan + 1 + sides], 1)]
    )  # fmt: skip
    return vertices, faces


def build_two_wheeler(out: ModelBuilder, blueprint: Blueprint, index: int) -> None:
    """A bicycle or motorcycle with its rider, scaled to the blueprint's length and height."""
    motor = blueprint.base_type == "motorcycle"
    tag = Tag.MOTORCYCLE if motor else Tag.BICYCLE
    length, height = blueprint.half_length, 2.0 * blueprint.half_height
    # CARLA's boxes hold the machine with a rider who leans forward; the rider's head reaches the box's top
    radius = min(0.345 if not motor else 0.30, 0.42 * length)
    front, rear = length - radius, -length + radius
    seat = (0.52 if motor else 0.56) * height
    bars = (0.62 if motor else 0.63) * height
    width = 0.05 if not motor else 0.11
    machine = {True: ((0.1, 0.1, 0.11), (0.6, 0.1, 0.08)), False: (DARK, (0.2, 0.45, 0.62))}[motor]
    body = (machine[1], (0.75, 0.7, 0.2), (0.15, 0.4, 0.3), (0.85, 0.85, 0.85))[index % 4]
    for x in (front, rear):
        for side in (-1.0, 1.0):
            out.solid(disc(x, side * 0.5 * width, radius, radius, width, side, 12), DARK, tag)
            out.solid(disc(x, side * (0.5 * width + 0.004), radius, 0.72 * radius, 0.004, side, 12),
                      (0.62, 0.63, 0.65) if not motor else (0.4, 0.4, 0.42), tag)  # fmt: skip
    crank = (0.0, 0.0, 0.85 * radius)
    if motor:
        out.solid(
            box((rear + 0.25 * length, -0.14, 0.75 * radius), (front - 0.3 * length, 0.14, seat - 0.08)), body, tag
        )
        out.solid(box((rear - 0.02, -0.13, seat - 0.14), (0.05 * length, 0.13, seat)), DARK, tag)
        out.solid(_limb((front, 0.0, radius), (front - 0.28 * length, 0.0, bars), 0.05, 0.06), machine[0], tag)
        out.solid(_limb((0.15 * length, 0.0, seat), (front - 0.30 * length, 0.0, bars - 0.06), 0.13, 0.11), body, tag)
        lamp_z = bars - 0.08
        out.add(*box((front - 0.2 * length, -0.09, lamp_z - 0.08), (front - 0.1 * length, 0.09, lamp_z + 0.08)),
                (0.8, 0.82, 0.85), tag, Material.LAMP, lamp=Lamp.HEAD)  # fmt: skip
        out.add(*box((rear - 0.08, -0.08, seat - 0.12), (rear - 0.02, 0.08, seat - 0.05)), (0.45, 0.04, 0.04), tag,
                Material.LAMP, lamp=Lamp.TAIL)  # fmt: skip
    else:
        head = (front - 0.16 * length, 0.0, bars - 0.14)
        saddle = (-0.28 * length, 0.0, seat - 0.06)
        for a, b in ((crank, saddle), (crank, head), (saddle, head), (crank, (rear, 0.0, radius)),
                     (saddle, (rear, 0.0, radius)), (head, (front, 0.0, radius))):  # fmt: skip
            out.solid(_limb(a, b, 0.022, 0.022, 4), body, tag)
        out.solid(_limb(head, (head[0], 0.0, bars), 0.02, 0.02, 4), DARK, tag)
        out.solid(box((saddle[0] - 0.13, -0.06, seat - 0.08), (saddle[0] + 0.12, 0.06, seat - 0.01)), DARK, tag)
    handle = (front - 0.24 * length, 0.0, bars)
    half = min(0.28, max(blueprint.half_width, 0.24))
    out.solid(box((handle[0] - 0.03, -half, handle[2] - 0.02), (handle[0] + 0.03, half, handle[2] + 0.03)), DARK, tag)
    _rider(out, index, height, seat, -0.24 * length, handle, half, crank[2] if not motor else radius)


def _rider(
    out: ModelBuilder, index: int, height: float, seat: float, x: float, handle: tuple[float, float, float],
    half: float, foot: float,
) -> None:  # fmt: skip
    skin, top, trousers = SKIN[index % 4], TOPS[(index * 4 + 1) % 9], TROUSERS[(index + 1) % 5]
    shoulder = (x + 0.26, 0.0, 0.84 * height)
    torso = _limb((x, 0.0, seat - 0.02), shoulder, 0.15, 0.17, 8)
    torso[0][:, 1] *= 1.15
    out.solid(torso, top, Tag.RIDER)
    for side in (-1.0, 1.0):
        knee = (x + 0.36, 0.12 * side, 0.62 * seat + (0.08 if side < 0 else -0.02))
        ankle = (x + (0.16 if side < 0 else 0.30), 0.12 * side, foot + (0.08 if side < 0 else -0.08))
        out.solid(_limb((x, 0.10 * side, seat), knee, 0.085, 0.07), trousers, Tag.RIDER)
        out.solid(_limb(knee, ankle, 0.065, 0.05), trousers, Tag.RIDER)
        toe = (ankle[0] + 0.15, ankle[1] + 0.04, ankle[2])
        out.solid(box((ankle[0] - 0.07, ankle[1] - 0.04, ankle[2] - 0.09), toe), SHOES, Tag.RIDER)
        arm = (shoulder[0] - 0.03, 0.19 * side, shoulder[2] - 0.03)
        grip = (handle[0], (half - 0.06) * side, handle[2] + 0.03)
        out.solid(_limb(arm, grip, 0.055, 0.04), top, Tag.RIDER)
    neck = 0.865 * height
    helmet = ((0.85, 0.85, 0.86), (0.15, 0.15, 0.17), (0.7, 0.15, 0.12), (0.15, 0.3, 0.55))[index % 4]
    out.solid(column(shoulder[0] + 0.06, 0.0, neck - 0.05, neck + 0.06, 0.06, 0.06, 6), skin, Tag.RIDER)
    out.solid(column(shoulder[0] + 0.07, 0.0, neck + 0.02, neck + 0.6 * (height - neck), 0.09, 0.11, 8, True), skin,
              Tag.RIDER)  # fmt: skip
    out.solid(column(shoulder[0] + 0.06, 0.0, neck + 0.48 * (height - neck), height, 0.13, 0.07, 8, True), helmet,
              Tag.RIDER)  # fmt: skip
