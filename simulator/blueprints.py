"""The actors that the embedded town knows: CARLA's blueprint ids with their half sizes (metres) and classes.

Half sizes are those of CARLA 0.9.15's bounding boxes. A blueprint is referred to by its index in `BLUEPRINTS`; kernels
read the parallel arrays below.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np


class Kind(IntEnum):
    """What an actor slot holds."""

    NONE = 0
    VEHICLE = 1
    BICYCLE = 2  # all two-wheelers; their type id is `vehicle.*` as in CARLA
    WALKER = 3
    PROP = 4


@dataclass(frozen=True)
class Blueprint:
    """One entry of the blueprint library."""

    id: str
    kind: Kind
    half_length: float
    half_width: float
    half_height: float
    base_type: str = ""
    special_type: str = ""
    generation: int = 0
    has_lights: bool = False
    has_dynamic_doors: bool = False


def _vehicle(name: str, length: float, width: float, height: float, **rest: object) -> Blueprint:
    options: dict[str, object] = {"base_type": "car", "generation": 2, "has_lights": True} | rest
    return Blueprint(f"vehicle.{name}", Kind.VEHICLE, length, width, height, **options)  # type: ignore[arg-type]


def _two_wheeler(name: str, length: float, width: float, height: float, base_type: str) -> Blueprint:
    lights = base_type == "motorcycle"
    return Blueprint(f"vehicle.{name}", Kind.BICYCLE, length, width, height, base_type, "", 1, lights)


def _prop(name: str, length: float, width: float, height: float) -> Blueprint:
    return Blueprint(f"static.prop.{name}", Kind.PROP, length, width, height)


_EMERGENCY = {"special_type": "emergency"}

BLUEPRINTS: tuple[Blueprint, ...] = (
    _vehicle("lincoln.mkz_2020", 2.446, 1.092, 0.745),
    _vehicle("lincoln.mkz_2017", 2.451, 1.064, 0.755, generation=1),
    _vehicle("audi.a2", 1.853, 0.895, 0.774, generation=1, has_lights=False),
    _vehicle("audi.etron", 2.427, 1.016, 0.825, generation=1, has_lights=False),
    _vehicle("audi.tt", 2.09, 0.997, 0.692, generation=1),
    _vehicle("bmw.grandtourer", 2.306, 1.121, 0.834, generation=1, has_lights=False),
    _vehicle("chevrolet.impala", 2.679, 1.017, 0.705, generation=1, has_lights=False),
    _vehicle("citroen.c3", 1.994, 0.926, 0.812, generation=1, has_lights=False),
    _vehicle("dodge.charger_2020", 2.503, 1.045, 0.773),
    _vehicle("dodge.charger_police", 2.487, 1.019, 0.771, generation=1, **_EMERGENCY),
    _vehicle("dodge.charger_police_2020", 2.619, 1.050, 0.819, **_EMERGENCY),
    _vehicle("ford.crown", 2.683, 0.900, 0.787, special_type="taxi"),
    _vehicle("ford.mustang", 2.359, 0.947, 0.650, generation=1),
    _vehicle("jeep.wrangler_rubicon", 1.933, 0.953, 0.939, generation=1, has_lights=False),
    _vehicle("mercedes.coupe", 2.513, 1.076, 0.825, generation=1),
    _vehicle("mercedes.coupe_2020", 2.336, 1.001, 0.722),
    _vehicle("micro.microlino", 1.104, 0.741, 0.693, generation=1, has_lights=False, special_type="electric"),
    _vehicle("mini.cooper_s", 1.903, 0.985, 0.737, generation=1, has_lights=False),
    _vehicle("mini.cooper_s_2021", 2.276, 1.049, 0.883, has_dynamic_doors=True),
    _vehicle("nissan.micra", 1.817, 0.923, 0.765, generation=1, has_lights=False),
    _vehicle("nissan.patrol", 2.302, 0.966, 0.927, generation=1, has_lights=False),
    _vehicle("nissan.patrol_2021", 2.783, 1.075, 1.022, has_dynamic_doors=True),
    _vehicle("seat.leon", 2.096, 0.908, 0.737, generation=1, has_lights=False),
    _vehicle("toyota.prius", 2.257, 1.003, 0.763, generation=1, has_lights=False),
    _vehicle("tesla.model3", 2.396, 1.082, 0.744, generation=1, has_dynamic_doors=True),
    _vehicle("tesla.cybertruck", 3.137, 1.195, 1.049, base_type="truck", generation=1, has_lights=False),
    _vehicle("volkswagen.t2", 2.240, 1.034, 1.019, base_type="van", generation=1),
    _vehicle("volkswagen.t2_2021", 2.221, 0.941, 0.996, base_type="van", has_dynamic_doors=True),
    _vehicle("mercedes.sprinter", 2.957, 0.994, 1.280, base_type="van"),
    _vehicle("ford.ambulance", 3.183, 1.175, 1.215, base_type="van", has_dynamic_doors=True, **_EMERGENCY),
    _vehicle("carlamotors.carlacola", 2.602, 1.307, 1.238, base_type="truck", generation=1, has_lights=False),
    _vehicle("carlamotors.firetruck", 4.234, 1.450, 1.914, base_type="truck", generation=2, **_EMERGENCY),
    _vehicle("carlamotors.european_hgv", 3.968, 1.446, 1.733, base_type="truck", generation=2),
    _vehicle("mitsubishi.fusorosa", 5.136, 1.972, 2.126, base_type="bus", generation=2),
    _two_wheeler("bh.crossbike", 0.744, 0.430, 0.890, "bicycle"),
    _two_wheeler("diamondback.century", 0.821, 0.186, 0.870, "bicycle"),
    _two_wheeler("gazelle.omafiets", 0.919, 0.165, 0.890, "bicycle"),
    _two_wheeler("harley-davidson.low_rider", 1.178, 0.382, 0.770, "motorcycle"),
    _two_wheeler("kawasaki.ninja", 1.017, 0.398, 0.730, "motorcycle"),
    _two_wheeler("vespa.zx125", 0.903, 0.433, 0.790, "motorcycle"),
    _two_wheeler("yamaha.yzf", 1.104, 0.433, 0.780, "motorcycle"),
    *(Blueprint(f"walker.pedestrian.{n:04d}", Kind.WALKER, 0.188, 0.188, 0.930) for n in range(1, 52)),
    _prop("trafficcone01", 0.21, 0.21, 0.42),
    _prop("constructioncone", 0.17, 0.17, 0.29),
    _prop("warningconstruction", 0.58, 0.75, 1.05),
    _prop("warningaccident", 0.58, 0.75, 1.05),
    _prop("trafficwarning", 1.13, 1.20, 1.78),
    _prop("streetbarrier", 0.27, 0.61, 0.53),
    _prop("dirtdebris01", 0.90, 0.90, 0.03),
    _prop("dirtdebris02", 0.70, 0.70, 0.03),
    _prop("dirtdebris03", 0.70, 0.70, 0.03),
    _prop("vendingmachine", 0.58, 0.43, 1.05),
    _prop("advertisement", 0.21, 0.87, 1.20),
    _prop("container", 1.03, 0.97, 0.90),
    _prop("busstop", 1.90, 0.80, 1.38),
    _prop("barrel", 0.32, 0.32, 0.46),
    # Blockers of Leaderboard 2.0's walkers; sizes estimated from what they show
    _prop("busstoplb", 1.90, 0.80, 1.38),
    _prop("foodcart", 1.00, 0.70, 1.20),
    _prop("haybalelb", 0.90, 0.90, 0.80),
    # The rest of CARLA's catalogue of props, which clients may spawn; sizes estimated from what they show
    *(
        _prop(name, length, width, height)
        for name, length, width, height in (
            ("atm", 0.45, 0.35, 0.95),
            ("barbeque", 0.55, 0.30, 0.50),
            ("bench01", 0.30, 0.85, 0.42),
            ("bench02", 0.30, 0.85, 0.42),
            ("bench03", 0.30, 0.85, 0.42),
            ("bike helmet", 0.14, 0.11, 0.09),
            ("bin", 0.35, 0.30, 0.55),
            ("box01", 0.30, 0.25, 0.22),
            ("box02", 0.28, 0.28, 0.25),
            ("box03", 0.22, 0.22, 0.18),
            ("briefcase", 0.22, 0.07, 0.17),
            ("brokentile01", 0.25, 0.25, 0.03),
            ("brokentile02", 0.25, 0.25, 0.03),
            ("brokentile03", 0.25, 0.25, 0.03),
            ("brokentile04", 0.25, 0.25, 0.03),
            ("calibrator", 0.50, 0.02, 0.50),
            ("chainbarrier", 0.75, 0.06, 0.45),
            ("chainbarrierend", 0.10, 0.06, 0.45),
            ("clothcontainer", 0.60, 0.60, 0.95),
            ("clothesline", 0.80, 0.30, 0.90),
            ("colacan", 0.04, 0.04, 0.06),
            ("creasedbox01", 0.30, 0.25, 0.20),
            ("creasedbox02", 0.28, 0.28, 0.22),
            ("creasedbox03", 0.22, 0.22, 0.16),
            ("doghouse", 0.55, 0.45, 0.50),
            ("fountain", 1.80, 1.80, 1.00),
            ("garbage01", 0.15, 0.15, 0.06),
            ("garbage02", 0.15, 0.15, 0.06),
            ("garbage03", 0.15, 0.15, 0.06),
            ("garbage04", 0.15, 0.15, 0.06),
            ("garbage05", 0.15, 0.15, 0.06),
            ("garbage06", 0.15, 0.15, 0.06),
            ("gardenlamp", 0.12, 0.12, 0.60),
            ("glasscontainer", 0.75, 0.75, 0.90),
            ("gnome", 0.12, 0.10, 0.25),
            ("guitarcase", 0.52, 0.20, 0.08),
            ("haybale", 0.70, 0.70, 0.60),
            ("ironplank", 1.10, 0.75, 0.02),
            ("kiosk_01", 1.30, 1.30, 1.45),
            ("mailbox", 0.30, 0.30, 0.60),
            ("maptable", 0.50, 0.80, 0.60),
            ("mesh", 0.50, 0.50, 0.50),
            ("mobile", 0.07, 0.04, 0.01),
            ("motorhelmet", 0.16, 0.13, 0.14),
            ("pergola", 1.80, 1.80, 1.35),
            ("plantpot01", 0.35, 0.35, 0.45),
            ("plantpot02", 0.60, 0.60, 0.30),
            ("plantpot03", 0.35, 0.35, 0.45),
            ("plantpot04", 0.30, 0.30, 0.40),
            ("plantpot05", 0.60, 0.30, 0.30),
            ("plantpot06", 0.35, 0.35, 0.40),
            ("plantpot07", 0.35, 0.35, 0.40),
            ("plantpot08", 0.35, 0.35, 0.40),
            ("plasticbag", 0.20, 0.15, 0.18),
            ("plasticchair", 0.28, 0.28, 0.42),
            ("plastictable", 0.45, 0.45, 0.37),
            ("platformgarbage01", 1.00, 0.80, 0.50),
            ("purse", 0.15, 0.07, 0.14),
            ("shoppingbag", 0.17, 0.08, 0.20),
            ("shoppingcart", 0.45, 0.28, 0.50),
            ("shoppingtrolley", 0.20, 0.18, 0.48),
            ("slide", 1.50, 0.40, 1.00),
            ("streetfountain", 0.35, 0.35, 0.55),
            ("streetsign", 0.05, 0.45, 1.25),
            ("streetsign01", 0.05, 0.45, 1.25),
            ("streetsign04", 0.05, 0.45, 1.25),
            ("swing", 1.00, 1.60, 1.10),
            ("swingcouch", 0.70, 1.00, 0.90),
            ("table", 0.90, 0.70, 0.38),
            ("trafficcone02", 0.19, 0.19, 0.36),
            ("trampoline", 1.60, 1.60, 0.45),
            ("trashbag", 0.30, 0.30, 0.28),
            ("trashcan01", 0.32, 0.32, 0.50),
            ("trashcan02", 0.32, 0.32, 0.50),
            ("trashcan03", 0.32, 0.32, 0.50),
            ("trashcan04", 0.32, 0.32, 0.50),
            ("trashcan05", 0.32, 0.32, 0.50),
            ("travelcase", 0.25, 0.13, 0.35),
            ("wateringcan", 0.20, 0.10, 0.15),
        )
    ),
)

_INDEX = {blueprint.id: index for index, blueprint in enumerate(BLUEPRINTS)}

#: float64[N, 3] half length, half width, half height (metres)
HALF_SIZE = np.array([(b.half_length, b.half_width, b.half_height) for b in BLUEPRINTS])
#: int8[N] Kind
KIND = np.array([b.kind for b in BLUEPRINTS], dtype=np.int64)

EGO_BLUEPRINT = _INDEX["vehicle.lincoln.mkz_2020"]


def blueprint_index(blueprint_id: str) -> int:
    """Index of a blueprint id.

    Raises:
        KeyError: for an id that the library lacks.
    """
    return _INDEX[blueprint_id]


def filter_blueprints(
    *,
    base_type: str | None = None,
    special_type: str | None = None,
    generation: int | None = None,
    has_lights: bool | None = None,
    has_dynamic_doors: bool | None = None,
    kind: Kind | None = None,
) -> np.ndarray:
    """int64[n] indices of the blueprints with the given attributes, in library order, as CARLA's scenarios filter."""

    def fits(b: Blueprint) -> bool:
        wanted = (
            (base_type, b.base_type),
            (special_type, b.special_type),
            (generation, b.generation),
            (has_lights, b.has_lights),
            (has_dynamic_doors, b.has_dynamic_doors),
            (kind, b.kind),
        )
        return all(want is None or want == value for want, value in wanted)

    return np.array([i for i, b in enumerate(BLUEPRINTS) if fits(b)], dtype=np.int64)


#: Cars that background traffic and flows draw from (docs/bench2drive.md 1.6 "car filter", 1.8).
TRAFFIC_CARS = filter_blueprints(base_type="car", special_type="", has_lights=True)
OBSTACLE_CARS = filter_blueprints(base_type="car", generation=2)
EMERGENCY_VEHICLES = filter_blueprints(special_type="emergency")
BICYCLES = filter_blueprints(base_type="bicycle")
WALKERS = filter_blueprints(kind=Kind.WALKER)
