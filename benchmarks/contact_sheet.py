"""One picture of what the cameras of the embedded town see: scenario types, weathers and places side by side.

    python -m benchmarks.contact_sheet                      # writes docs/contact_sheet.jpg
    python -m benchmarks.contact_sheet --out sheet.png --width 640 --seed 3

Every frame is a route of `minitown220` in the middle of its scenario, driven there by the expert, under one of
Bench2Drive's weathers.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import cv2
import numpy as np

from agents.registry import make_agent
from envs.routes import load_network, prepare_routes
from envs.world import EpisodeStart, WorldBatch
from scenarios.route import Route
from scenarios.route_file import read_routes
from scenarios.suites import find_suite
from scenarios.weather import BASE_WEATHER, WEATHER_CASES, WEATHER_FIELDS
from simulator.sensors.camera import Camera
from simulator.sensors.camera_geometry import Pose
from simulator.sensors.scene import Scene
from simulator.state import EGO, Role

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = 4
TICKS = 560  # of driving in which the best moment is looked for
EVERY = 8  # ticks between two looks
SCENARIO = int(Role.SCENARIO)

CHASE, FRONT = Pose(x=-7.0, z=3.3, pitch=-11.0), Pose(x=0.8, z=1.6)

#: scenario type, id of Bench2Drive's weather, camera
FRAMES: tuple[tuple[str, str, Pose], ...] = (
    ("ParkedObstacle", "26", CHASE), ("ConstructionObstacleTwoWays", "0", FRONT),
    ("VanillaSignalizedTurnEncounterRedLight", "7", FRONT), ("DynamicObjectCrossing", "1", CHASE),
    ("AccidentTwoWays", "2", FRONT), ("PedestrianCrossing", "3", CHASE),
    ("OppositeVehicleRunningRedLight", "5", FRONT), ("CrossingBicycleFlow", "6", CHASE),
    ("HighwayCutIn", "8", FRONT), ("YieldToEmergencyVehicle", "26", CHASE),
    ("SignalizedJunctionLeftTurn", "9", FRONT), ("VehicleOpensDoorTwoWays", "10", CHASE),
    ("MergerIntoSlowTraffic", "18", CHASE), ("HazardAtSideLane", "12", FRONT),
    ("ParkingCutIn", "13", CHASE), ("BlockedIntersection", "14", FRONT),
    ("InvadingTurn", "15", CHASE), ("EnterActorFlow", "0", CHASE),
    ("VanillaNonSignalizedTurnEncounterStopsign", "18", FRONT), ("NonSignalizedJunctionLeftTurn", "19", CHASE),
    ("Accident", "19", FRONT), ("SignalizedJunctionRightTurn", "20", CHASE),
    ("StaticCutIn", "22", FRONT), ("VehicleTurningRoutePedestrian", "25", CHASE),
)  # fmt: skip


def interest(world: np.ndarray) -> float:
    """How much there is to see in front of the ego: actors by nearness, those of the scenario above all."""
    n = int(world["num_slots"])
    yaw = float(world["yaw"][EGO])
    dx, dy = world["x"][1:n] - world["x"][EGO], world["y"][1:n] - world["y"][EGO]
    ahead, aside = dx * math.cos(yaw) + dy * math.sin(yaw), -dx * math.sin(yaw) + dy * math.cos(yaw)
    there = (world["kind"][1:n] > 0) & (world["hidden"][1:n] == 0) & (ahead > 5.0) & (ahead < 60.0)
    there &= np.abs(aside) < 0.7 * ahead
    weight = np.where(world["role"][1:n] == SCENARIO, 6.0, 1.0)
    return float((weight / (12.0 + ahead))[there].sum())


def best_moments(routes: list[Route], seed: int) -> tuple[Scene, list[np.ndarray]]:
    """The town, and for every route the world record of its most interesting moment."""
    network = load_network(routes[0], None)
    batch = WorldBatch(prepare_routes(network, routes), len(routes))
    agent = make_agent("expert")
    agent.bind(batch)
    for i in range(len(routes)):
        batch.reset(i, EpisodeStart(i, seed))
        agent.reset(i, seed)
    best = [-1.0] * len(routes)
    kept = [batch.worlds[i].copy() for i in range(len(routes))]
    for tick in range(TICKS):
        batch.tick(agent.act())
        if tick % EVERY == 0 and tick > 40:
            for i in np.flatnonzero(~batch.finished):
                value = interest(batch.worlds[i])
                if value > best[i]:
                    best[i], kept[i] = value, batch.worlds[i].copy()
    return Scene(network), kept


def set_weather(world: np.ndarray, case: str) -> None:
    """Give a record one of Bench2Drive's weathers."""
    values = {**BASE_WEATHER._asdict(), **{k: float(v) for k, v in WEATHER_CASES[case].items()}}
    world["weather"] = [values[name] for name in WEATHER_FIELDS]


def caption(image: np.ndarray, text: str) -> None:
    """Write a line into the lower left corner."""
    scale = image.shape[1] / 1050.0
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    pad = height // 2
    corner = image[image.shape[0] - height - 2 * pad :, : width + 2 * pad]
    corner[:] = (corner * 0.45).astype(np.uint8)
    cv2.putText(
        image, text, (pad, image.shape[0] - pad - 1), cv2.FONT_HERSHEY_SIMPLEX, scale, (235, 235, 235), 1, cv2.LINE_AA
    )


def draw(width: int, seed: int) -> np.ndarray:
    """uint8[rows, columns, 3] BGR sheet of frames `width` pixels wide."""
    by_type: dict[str, Route] = {}
    for route in read_routes(find_suite("minitown220")):
        by_type.setdefault(route.scenario_type, route)
    frames = [frame for frame in FRAMES if frame[0] in by_type]
    scene, moments = best_moments([by_type[name] for name, _, _ in frames], seed)
    height = width * 9 // 16
    tiles = []
    for (name, case, mount), world in zip(frames, moments):
        set_weather(world, case)
        camera = Camera(scene, width, height, 80.0, mount, antialias=2)
        image = camera.render(world)["rgb"][..., :3].copy()
        caption(image, f"{name}, weather {case}")
        tiles.append(image)
    while len(tiles) % COLUMNS:
        tiles.append(np.zeros_like(tiles[0]))
    rows = [np.concatenate(tiles[i : i + COLUMNS], axis=1) for i in range(0, len(tiles), COLUMNS)]
    return np.concatenate(rows, axis=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "contact_sheet.jpg", help="picture to write")
    parser.add_argument("--width", type=int, default=480, help="pixels of one frame")
    parser.add_argument("--seed", type=int, default=1, help="of the drives")
    arguments = parser.parse_args()
    sheet = draw(arguments.width, arguments.seed)
    jpeg = arguments.out.suffix.lower() in (".jpg", ".jpeg")
    quality = [cv2.IMWRITE_JPEG_QUALITY, 86] if jpeg else [cv2.IMWRITE_PNG_COMPRESSION, 9]
    cv2.imwrite(str(arguments.out), sheet, quality)
    print(f"wrote {arguments.out} ({sheet.shape[1]} x {sheet.shape[0]}, {arguments.out.stat().st_size / 1e6:.2f} MB)")


if __name__ == "__main__":
    main()
