"""The base class of leaderboard agents, for agent files that are run without the leaderboard.

Same names and calls as the leaderboard's own class, which is not needed here; with a checkout of it, that one is used.
"""

from enum import Enum

from leaderboard.utils.route_manipulation import downsample_route


class Track(Enum):
    """What an agent may be given."""

    SENSORS = "SENSORS"
    MAP = "MAP"
    SENSORS_QUALIFIER = "SENSORS_QUALIFIER"
    MAP_QUALIFIER = "MAP_QUALIFIER"


class AutonomousAgent:
    """Life: made for each route, `set_global_plan`, `setup`, `sensors`, then `run_step` each tick, `destroy`."""

    def __init__(self, carla_host, carla_port, debug=False):
        self.track = Track.SENSORS
        self._global_plan = None
        self._global_plan_world_coord = None
        self.wallclock_t0 = None
        self.get_hero()

    def setup(self, path_to_conf_file):
        """Read the configuration, load the model, set `track`."""

    def sensors(self):
        """List of sensor dicts."""
        return []

    def run_step(self, input_data, timestamp):
        """`carla.VehicleControl` for a tick. `input_data`: id -> (frame, data)."""
        raise NotImplementedError(f"{type(self).__name__} has no run_step")

    def destroy(self):
        """Let go of what the route needed."""

    @staticmethod
    def get_ros_version():
        """-1: no ROS."""
        return -1

    def set_global_plan(self, global_plan_gps, global_plan_world_coord):
        """Keep the route's plan, thinned out to points 50 m apart and those where something changes."""
        kept = downsample_route(global_plan_world_coord, 50)
        self._global_plan_world_coord = [tuple(global_plan_world_coord[i]) for i in kept]
        self._global_plan = [global_plan_gps[i] for i in kept]
        self._plan_gps_HACK = global_plan_gps

    def get_hero(self):
        """Find the ego vehicle, as `hero_actor`."""
        from srunner.scenariomanager.carla_data_provider import CarlaDataProvider

        self.hero_actor = CarlaDataProvider.get_hero_actor()

    def get_metric_info(self):
        """The ego vehicle's motion at this tick, for metric_info.json."""
        ego = self.hero_actor
        place = ego.get_transform()
        vectors = {
            "acceleration": ego.get_acceleration(),
            "angular_velocity": ego.get_angular_velocity(),
            "forward_vector": place.get_forward_vector(),
            "right_vector": place.get_right_vector(),
            "location": place.location,
        }
        info = {name: [vector.x, vector.y, vector.z] for name, vector in vectors.items()}
        info["rotation"] = [place.rotation.roll, place.rotation.pitch, place.rotation.yaw]
        return info
