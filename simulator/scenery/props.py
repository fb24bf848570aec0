"""Low-poly props: cones, warning signs, barriers, debris, street furniture."""

from __future__ import annotations

import numpy as np

from simulator.blueprints import Blueprint
from simulator.scenery.mesh import Solid, box, column, prism, ring
from simulator.scenery.model import Lamp, ModelBuilder
from simulator.scenery.tags import Material, Tag

ORANGE = (0.90, 0.36, 0.08)
WHITE = (0.92, 0.92, 0.90)
GREY = (0.5, 0.51, 0.52)
DARK = (0.12, 0.12, 0.13)
YELLOW = (0.95, 0.75, 0.10)
RED = (0.75, 0.10, 0.08)
STRAW = (0.80, 0.66, 0.30)


def build_prop(out: ModelBuilder, blueprint: Blueprint) -> None:
    """The model of a prop, filling its blueprint's box."""
    name = blueprint.id.removeprefix("static.prop.")
    size = np.array([blueprint.half_length, blueprint.half_width, 2.0 * blueprint.half_height])
    builder = {
        "trafficcone01": _cone, "constructioncone": _cone, "barrel": _barrel, "streetbarrier": _barrier,
        "warningconstruction": _warning, "warningaccident": _warning, "trafficwarning": _arrow_board,
        "vendingmachine": _vending_machine, "advertisement": _advertisement, "container": _container,
        "busstop": _shelter, "busstoplb": _shelter, "foodcart": _food_cart, "haybalelb": _hay_bales,
        "trafficcone02": _cone, "haybale": _hay_bales, "kiosk_01": _food_cart, "glasscontainer": _container,
        "clothcontainer": _container,
    }.get(name, _debris if name.startswith("dirtdebris") else _crate)  # fmt: skip
    builder(_Prop(out, size, name))


class _Prop:
    """Pieces in shares of the half length, half width and height."""

    def __init__(self, out: ModelBuilder, size: np.ndarray, name: str) -> None:
        self.out, self.size, self.name = out, size, name

    def add(
        self, solid: Solid, colour: tuple[float, float, float], lamp: int = Lamp.NONE, tag: int = Tag.DYNAMIC
    ) -> None:
        vertices, faces = solid
        material = Material.LAMP if lamp else Material.PLAIN
        self.out.add(vertices * self.size, faces, colour, tag, material, lamp=lamp)

    def box(self, low: tuple[float, float, float], high: tuple[float, float, float], colour: tuple[float, float, float],
            lamp: int = Lamp.NONE, tag: int = Tag.DYNAMIC) -> None:  # fmt: skip
        self.add(box(low, high), colour, lamp, tag)


def _cone(p: _Prop) -> None:
    p.box((-1, -1, 0), (1, 1, 0.06), ORANGE)
    bands = ((0.06, 0.34, ORANGE), (0.34, 0.52, WHITE), (0.52, 0.70, ORANGE), (0.70, 0.82, WHITE), (0.82, 1.0, ORANGE))
    for low, high, colour in bands:
        p.add(column(0, 0, low, high, 0.72 * (1.08 - low), 0.72 * (1.08 - high), 10), colour)


def _food_cart(p: _Prop) -> None:
    """A stall on wheels under a striped roof."""
    for x in (-0.6, 0.6):
        for y in (-1.0, 0.9):
            p.box((x - 0.16, y, 0.0), (x + 0.16, y + 0.1, 0.16), DARK)
    p.box((-0.9, -0.88, 0.10), (0.9, 0.88, 0.42), RED)
    p.box((-1.0, -0.97, 0.42), (1.0, 0.97, 0.46), WHITE)
    for x in (-0.85, 0.85):
        for y in (-0.8, 0.8):
            p.box((x - 0.04, y - 0.04, 0.46), (x + 0.04, y + 0.04, 0.88), GREY)
    for k in range(6):
        p.box((-1 + k / 3, -1, 0.88), (-1 + (k + 1) / 3, 1, 1.0), (RED, WHITE)[k % 2])


def _hay_bales(p: _Prop) -> None:
    """Two layers of bales, tied with twine."""
    for row in range(3):
        p.box((-1, -1 + row * 0.68, 0), (1, -0.36 + row * 0.68, 0.48), STRAW)
    for row in range(2):
        p.box((-0.95 + row * 0.97, -0.98, 0.5), (-0.02 + row * 0.97, 0.98, 1.0), STRAW)
    for x in (-0.5, 0.5):
        p.box((x - 0.02, -1, 0.0), (x + 0.02, 1, 0.49), DARK)


def _barrel(p: _Prop) -> None:
    for k in range(5):
        p.add(
            column(0, 0, 0.2 * k, 0.2 * k + 0.2, 0.92 if k % 2 else 1.0, 0.92 if k % 2 else 1.0, 10),
            (ORANGE, WHITE)[k % 2],
        )


def _barrier(p: _Prop) -> None:
    for y in (-0.8, 0.8):
        p.box((-1, y - 0.06, 0), (1, y + 0.06, 0.08), DARK)
        p.box((-0.12, y - 0.05, 0.05), (0.12, y + 0.05, 1.0), GREY)
    for low, high in ((0.45, 0.65), (0.75, 0.97)):
        for k in range(8):
            y = -1 + 0.25 * k
            p.box((-0.2, y, low), (0.2, y + 0.25, high), (RED, WHITE)[k % 2])


def _warning(p: _Prop) -> None:
    """A triangle on a stand; it looks backwards, towards who comes from behind."""
    p.box((-0.9, -0.06, 0), (0.9, 0.06, 0.05), DARK)
    p.box((-0.06, -0.8, 0), (0.06, 0.8, 0.05), DARK)
    p.box((-0.06, -0.05, 0.03), (0.06, 0.05, 0.45), GREY)
    rim = np.array([[-0.10, -1.0, 0.28], [-0.10, 1.0, 0.28], [-0.10, 0.0, 1.0]])
    _plate(p, rim, 0.10, RED)
    centre = rim.mean(axis=0)
    inner = centre + 0.72 * (rim - centre)
    inner[:, 0] -= 0.02
    _plate(p, inner, 0.02, YELLOW if "construction" in p.name else WHITE)
    p.box((-0.16, -0.07, 0.52), (-0.13, 0.07, 0.74), DARK)
    p.box((-0.16, -0.07, 0.40), (-0.13, 0.07, 0.47), DARK)


def _plate(p: _Prop, corners: np.ndarray, thickness: float, colour: tuple[float, float, float]) -> None:
    back = corners + np.array([thickness, 0.0, 0.0])
    vertices = np.concatenate([corners, back])
    n = len(corners)
    faces = [[0, i + 1, i] for i in range(1, n - 1)] + [[n, n + i, n + i + 1] for i in range(1, n - 1)]
    for i in range(n):
        j = (i + 1) % n
        faces += [[i, j, n + j], [i, n + j, n + i]]
    p.add((vertices, np.array(faces)), colour)


def _arrow_board(p: _Prop) -> None:
    """A trailer with a lit arrow."""
    p.box((-0.9, -0.55, 0.12), (0.9, 0.55, 0.24), DARK)
    for y in (-0.6, 0.6):
        p.add((box((-0.28, y - 0.08, 0.0), (0.28, y + 0.08, 0.17))), (0.05, 0.05, 0.05))
    p.box((-0.10, -0.05, 0.2), (0.10, 0.05, 0.5), GREY)
    p.box((-0.10, -1.0, 0.46), (0.10, 1.0, 1.0), (0.16, 0.16, 0.17))
    p.box((-0.13, -1.0, 0.44), (0.12, 1.0, 0.47), YELLOW)
    for k in range(7):
        y = -0.72 + 0.20 * k
        p.box((-0.14, y, 0.70), (-0.10, y + 0.10, 0.76), (0.95, 0.60, 0.10), Lamp.ALWAYS)
    for k in range(1, 4):
        for sign in (-1, 1):
            z = 0.73 + sign * 0.055 * k
            y = -0.72 + 0.14 * k
            p.box((-0.14, y, z - 0.03), (-0.10, y + 0.10, z + 0.03), (0.95, 0.60, 0.10), Lamp.ALWAYS)


def _vending_machine(p: _Prop) -> None:
    p.box((-1, -1, 0), (1, 1, 1), (0.68, 0.10, 0.10))
    for side in (-1, 1):
        x = sorted((side * 1.0, side * 1.015))
        p.box((x[0], -0.85, 0.30), (x[1], 0.45, 0.94), (0.55, 0.72, 0.80))
        p.box((x[0], 0.58, 0.45), (x[1], 0.86, 0.75), (0.15, 0.15, 0.17))
        p.box((x[0], -0.85, 0.08), (x[1], 0.45, 0.20), (0.1, 0.1, 0.11))


def _advertisement(p: _Prop) -> None:
    p.box((-0.35, -0.75, 0.0), (0.35, 0.75, 0.10), GREY)
    p.box((-1, -1, 0.10), (1, 1, 1.0), (0.20, 0.21, 0.23))
    for side in (-1, 1):
        x = sorted((side * 1.0, side * 1.04))
        p.box((x[0], -0.9, 0.16), (x[1], 0.9, 0.95), (0.90, 0.88, 0.80))
        p.box((x[0] - 0.02, -0.75, 0.42), (x[1] + 0.02, 0.75, 0.78), (0.20, 0.45, 0.62))
        p.box((x[0] - 0.02, -0.75, 0.24), (x[1] + 0.02, 0.35, 0.32), (0.80, 0.40, 0.18))


def _container(p: _Prop) -> None:
    body = (0.16, 0.36, 0.24)
    p.box((-1, -1, 0.10), (1, 1, 0.88), body)
    p.add(prism(np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], float), 0.88, 1.0, 0.86), (0.10, 0.24, 0.16))
    for x in (-0.8, 0.8):
        for y in (-0.8, 0.8):
            p.add(column(x, y, 0.0, 0.12, 0.12, 0.12, 6), DARK)
    for y in (-0.5, 0.0, 0.5):
        p.box((-1.02, y - 0.04, 0.12), (1.02, y + 0.04, 0.86), (0.13, 0.30, 0.20))


def _shelter(p: _Prop) -> None:
    p.box((-1, -1, 0.94), (1, 1, 1.0), (0.28, 0.30, 0.32))
    for x in (-0.96, 0.0, 0.96):
        p.box((x - 0.02, 0.80, 0.0), (x + 0.02, 0.90, 0.95), GREY)
    p.box((-0.96, 0.83, 0.15), (0.96, 0.86, 0.88), (0.62, 0.72, 0.76))
    p.box((-0.98, -0.4, 0.15), (-0.95, 0.86, 0.88), (0.30, 0.52, 0.66))
    p.box((-0.7, 0.15, 0.17), (0.7, 0.65, 0.21), (0.50, 0.36, 0.22))
    for x in (-0.6, 0.6):
        p.box((x - 0.03, 0.3, 0.0), (x + 0.03, 0.5, 0.17), GREY)


def _debris(p: _Prop) -> None:
    for k in range(9):
        a, r = 2.4 * k, 0.25 + 0.08 * k
        outline = ring(r * np.cos(a), r * np.sin(a), 0.16 + 0.02 * (k % 3), 5, a)
        shade = 0.22 + 0.05 * (k % 4)
        p.add(prism(outline, 0.0, 1.0 - 0.08 * k, 0.6), (shade * 1.2, shade, shade * 0.75))


def _crate(p: _Prop) -> None:
    p.box((-1, -1, 0.0), (1, 1, 0.12), (0.42, 0.31, 0.19))
    p.box((-0.94, -0.94, 0.12), (0.94, 0.94, 0.88), (0.5, 0.38, 0.24))
    p.box((-1, -1, 0.88), (1, 1, 1.0), (0.42, 0.31, 0.19))
