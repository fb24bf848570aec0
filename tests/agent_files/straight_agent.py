"""A leaderboard agent file for tests: steers at its plan by GPS, compass and speedometer, stops at nothing."""

import math

import carla
from agents.navigation.local_planner import RoadOption
from leaderboard.autoagents.autonomous_agent import AutonomousAgent, Track

EARTH_RADIUS = 6378137.0


def get_entry_point():
    return "StraightAgent"


class StraightAgent(AutonomousAgent):
    def setup(self, path_to_conf_file):
        self.track = Track.SENSORS
        self.wanted = float(path_to_conf_file.split("+")[0] or 6.0)  # m/s
        assert all(isinstance(option, RoadOption) for _, option in self._global_plan)
        self.points = [(point["lat"], point["lon"]) for point, _ in self._plan_gps_HACK]
        self.at = 0

    def sensors(self):
        return [
            {"type": "sensor.other.gnss", "x": 0.0, "y": 0.0, "z": 0.0, "id": "gps"},
            {
                **{"type": "sensor.other.imu", "x": 0.0, "y": 0.0, "z": 0.0},
                **{"roll": 0.0, "pitch": 0.0, "yaw": 0.0, "id": "imu"},
            },
            {"type": "sensor.speedometer", "reading_frequency": 20, "id": "speed"},
        ]

    def run_step(self, input_data, timestamp):
        latitude, longitude, _ = input_data["gps"][1]
        compass = input_data["imu"][1][-1]
        speed = input_data["speed"][1]["speed"]
        while self.at + 1 < len(self.points) and self.metres(latitude, longitude) < 6.0:
            self.at += 1
        north, east = self.offset(latitude, longitude)
        turn = math.atan2(east, north) - compass
        turn = math.atan2(math.sin(turn), math.cos(turn))
        pedal = 0.5 * (self.wanted - speed)
        return carla.VehicleControl(
            throttle=min(max(pedal, 0.0), 0.75), brake=min(max(-pedal, 0.0), 1.0), steer=min(max(1.5 * turn, -1.0), 1.0)
        )

    def offset(self, latitude, longitude):
        target = self.points[self.at]
        north = math.radians(target[0] - latitude) * EARTH_RADIUS
        east = math.radians(target[1] - longitude) * EARTH_RADIUS * math.cos(math.radians(latitude))
        return north, east

    def metres(self, latitude, longitude):
        return math.hypot(*self.offset(latitude, longitude))
