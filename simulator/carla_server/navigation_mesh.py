"""The navigation mesh of a town, as CARLA's client loads it for its pedestrians.

The client downloads a file (`get_required_files("Nav")`, `request_file`) and gives it to Detour (Recast Navigation by
M. Mononen): a set of tiles, each with vertices, convex polygons with neighbours, and their fans of triangles. Detour's
axes are x, height, y. Layouts are those of DetourNavMesh.h, mesh version 7, and of RecastDemo's set of tiles,
version 1.
"""

from __future__ import annotations

import hashlib
import os
import struct
import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np

from simulator.carla_server.walkable import CELL, TILE, Area, Tile, walkable_tiles
from simulator.kernel import cache_root
from simulator.roads.network import RoadNetwork
from simulator.scenery.town import load_scenery, scenery_version

_SET_MAGIC, _SET_VERSION = int.from_bytes(b"MSET", "big"), 1
_TILE_MAGIC, _TILE_VERSION = int.from_bytes(b"DNAV", "big"), 7
_CORNERS = 6
_BORDER = 0x8000  # an edge on a tile's border; the side's number is added: 0 at high x, 2 at high y, 4 low x, 6 low y
LONGEST_LANES = 300_000.0  # m of all lanes together; for larger towns a mesh would take minutes to make
_AGENT_HEIGHT, _AGENT_RADIUS, _AGENT_CLIMB = 1.8, 0.3, 0.9  # m
_REF_BITS = 22  # of a polygon's 32 bits that number it and its tile; Detour wants at least 10 for its salt

#: CARLA's flags of polygons by their area.
_FLAGS = {Area.SIDEWALK: 0x02, Area.CROSSWALK: 0x04, Area.ROAD: 0x08}

_HEADER = struct.Struct("<5iI9i10f")
_POLYGON = np.dtype(
    [
        ("first_link", "<u4"),
        ("vertex", "<u2", _CORNERS),
        ("neighbour", "<u2", _CORNERS),  # 1 + index of the polygon behind edge k, or a border's side, or 0
        ("flags", "<u2"),
        ("corners", "u1"),
        ("area", "u1"),
    ]
)
_DETAIL = np.dtype([("vertex", "<u4"), ("triangle", "<u4"), ("vertices", "u1"), ("triangles", "u1"), ("pad", "<u2")])
_LINK_BYTES = 12


def file_name(network: RoadNetwork) -> str:
    """What `get_required_files("Nav")` lists. Clients keep files by name, so the map's identity is part of it."""
    return f"Carla/Maps/Nav/{network.town}-{network.digest[:12]}-{_version()}.bin"


def navigation_path(network: RoadNetwork) -> Path:
    """Where the file is kept on this side."""
    return cache_root() / "navigation" / f"{network.digest[:32]}-{_version()}.bin"


def load_navigation(network: RoadNetwork, *, cache: bool = True) -> bytes:
    """The file's content, from the cache folder where it was made before; b"" for a town that has none."""
    if float(network.arrays.lane_length.sum()) > LONGEST_LANES:
        return b""
    path = navigation_path(network)
    if cache and path.is_file():
        return path.read_bytes()
    content = build_navigation(network)
    if cache:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, work = tempfile.mkstemp(dir=path.parent)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.replace(work, path)
        except OSError:
            pass  # no place to keep it: the mesh is at hand either way
    return content


def build_navigation(network: RoadNetwork) -> bytes:
    """The navigation mesh of a town."""
    origin, tiles = walkable_tiles(load_scenery(network).mesh, network.arrays)
    if not tiles:
        return b""
    tile_bits = max(len(tiles) - 1, 1).bit_length()
    most = max(len(tile.polygons) for tile in tiles)
    if tile_bits + (most - 1).bit_length() > _REF_BITS:
        return b""  # more polygons than Detour can number
    low = min(float(tile.vertex[:, 2].min()) for tile in tiles) - 1.0
    poly_bits = _REF_BITS - tile_bits
    parts = [
        struct.pack("<3i", _SET_MAGIC, _SET_VERSION, len(tiles)),
        struct.pack("<5f2i", origin[0], low, origin[1], TILE, TILE, 1 << tile_bits, 1 << poly_bits),
    ]
    for index, tile in enumerate(tiles):
        data = tile_data(tile, origin)
        parts += [struct.pack("<Ii", 1 << _REF_BITS | index << poly_bits, len(data)), data]
    return b"".join(parts)


def tile_data(tile: Tile, origin: np.ndarray) -> bytes:
    """One tile as Detour's `addTile` takes it; without a tree of boxes, which a hundred polygons do not need."""
    count = len(tile.polygons)
    corner = origin + TILE * np.array([tile.column, tile.row])
    vertex = np.ascontiguousarray(tile.vertex[:, [0, 2, 1]], "<f4")
    polygon = np.zeros(count, _POLYGON)
    detail = np.zeros(count, _DETAIL)
    behind: dict[tuple[int, int], int] = {}
    for number, corners in enumerate(tile.polygons):
        for a, b in zip(corners, [*corners[1:], corners[0]]):
            behind[a, b] = number
    fans: list[tuple[int, int, int, int]] = []
    edges = borders = 0
    for number, corners in enumerate(tile.polygons):
        # Detour's polygons run clockwise as one looks down on (x, z), which is the way of CARLA's (x, y)
        turned = corners[::-1]
        n = len(turned)
        row = polygon[number]
        row["vertex"][:n] = turned
        row["corners"], row["area"], row["flags"] = n, tile.area[number], _FLAGS[Area(tile.area[number])]
        for k, (a, b) in enumerate(zip(turned, [*turned[1:], turned[0]])):
            edges += 1
            other = behind.get((a, b))  # the neighbour walks our reversed edge the other way round
            if other is not None:
                row["neighbour"][k] = other + 1
            elif (side := _side(tile.vertex[[a, b], :2], corner)) is not None:
                row["neighbour"][k] = _BORDER | side
                borders += 1
        detail[number] = (0, len(fans), 0, n - 2, 0)
        fans += [(0, k - 1, k, 4 | (1 if k == 2 else 0) | (16 if k == n - 1 else 0)) for k in range(2, n)]
    links = edges + 2 * borders
    low, high = vertex.min(axis=0), vertex.max(axis=0)
    header = _HEADER.pack(
        _TILE_MAGIC, _TILE_VERSION, tile.column, tile.row, 0, 0, count, len(vertex), links, count, 0, len(fans), 0,
        0, count, _AGENT_HEIGHT, _AGENT_RADIUS, _AGENT_CLIMB, corner[0], low[1] - 1.0, corner[1], corner[0] + TILE,
        high[1] + 2.0, corner[1] + TILE, 1.0 / CELL,
    )  # fmt: skip
    fan = np.array(fans, np.uint8).tobytes()
    return b"".join((header, vertex.tobytes(), polygon.tobytes(), bytes(_LINK_BYTES * links), detail.tobytes(), fan))


def _side(edge: np.ndarray, corner: np.ndarray) -> int | None:
    """Number of the tile's side that an edge lies on."""
    for axis, low_side, high_side in ((0, 4, 0), (1, 6, 2)):
        for at, side in ((corner[axis], low_side), (corner[axis] + TILE, high_side)):
            if np.abs(edge[:, axis] - at).max() < 1e-6:
                return side
    return None


@lru_cache(maxsize=1)
def _version() -> str:
    """Fingerprint of the code that makes navigation meshes."""
    digest = hashlib.sha256(scenery_version().encode())
    for name in ("navigation_mesh.py", "walkable.py"):
        digest.update((Path(__file__).parent / name).read_bytes())
    return digest.hexdigest()[:8]
