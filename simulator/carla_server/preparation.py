"""What takes long the first time, done before clients wait for it.

Kernels are compiled once in an installation (a minute or two), the look of a town and its navigation mesh once for each
map (half a minute). Both are kept in the cache folder; later starts only look whether they are there.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from simulator.carla_server.log import LOG
from simulator.carla_server.navigation_mesh import LONGEST_LANES, load_navigation, navigation_path
from simulator.carla_server.sensor_readers import GnssReader, ImuReader, Mounted, ObstacleReader, RayReader
from simulator.kernel import compiled_folder
from simulator.roads.network import RoadNetwork
from simulator.sensors.catalogue import SENSOR_TYPES
from simulator.sensors.specs import parse_blueprint
from simulator.state import empty_worlds


def prepare_town(network: RoadNetwork) -> bytes:
    """The navigation mesh of a town; with it, its look is in the cache."""
    if not navigation_path(network).is_file() and float(network.arrays.lane_length.sum()) <= LONGEST_LANES:
        LOG.info("%s: its look and its navigation mesh are made, once for each map", network.town)
    return load_navigation(network)


def prepare_sensors(network: RoadNetwork) -> None:
    """See that the kernels of every sensor are compiled."""
    mark = Path(compiled_folder(1)) / "carla-server-sensors"
    if mark.exists():
        return
    LOG.info("the sensors' kernels are compiled, once in an installation")
    measure_once(network)
    try:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    except OSError:
        LOG.warning("%s cannot be written: kernels are compiled at every start", mark.parent)


def measure_once(network: RoadNetwork) -> None:
    """Measure with one sensor of every kind, in an empty world."""
    from simulator.carla_server.motion_cameras import MOTION_TYPES, MotionCamera
    from simulator.sensors.camera_reader import CameraReaders
    from simulator.sensors.scene import Scene
    from simulator.sensors.scene_weather import Field

    w = empty_worlds(1)[0]
    scene = Scene(network)
    scene.place(w)
    cameras = CameraReaders(scene)
    small = {"image_size_x": "32", "image_size_y": "24"}
    kinds = [t for t in SENSOR_TYPES if t.startswith("sensor.camera.") and t not in MOTION_TYPES]
    readers = [cameras.reader(parse_blueprint(type_id, small), -1) for type_id in kinds]
    for altitude, rain in ((45.0, 0.0), (-45.0, 80.0)):  # shadows, lamps and rain have kernels of their own
        w["weather"][[Field.SUN_ALTITUDE, Field.PRECIPITATION]] = altitude, rain
        cameras.begin()
        for read in readers:
            read(w, 1)
    for type_id in sorted(MOTION_TYPES):
        sensor = Mounted(parse_blueprint(type_id, small), 0)
        motion = MotionCamera(sensor)
        for shade in (0, 200):
            motion.measure(scene, w, sensor, np.full((24, 32, 4), shade, np.uint8))
    for type_id in ("sensor.lidar.ray_cast", "sensor.lidar.ray_cast_semantic", "sensor.other.radar"):
        sensor = Mounted(parse_blueprint(type_id, {}), 0)
        RayReader(sensor, scene).measure(w, sensor, 1.0)
    sensor = Mounted(parse_blueprint("sensor.other.imu", {}), 0)
    ImuReader(sensor.spec).measure(w, sensor, 1.0)
    sensor = Mounted(parse_blueprint("sensor.other.gnss", {}), 0)
    GnssReader(sensor.spec, network).measure(w, sensor, 1.0)
    sensor = Mounted(parse_blueprint("sensor.other.obstacle", {}), 0)
    ObstacleReader(sensor.spec).find(w, sensor)
