"""A leaderboard agent file for tests that goes wrong where its configuration says."""

import os

import carla
from leaderboard.autoagents.autonomous_agent import AutonomousAgent
from srunner.scenariomanager.carla_data_provider import CarlaDataProvider


def get_entry_point():
    return "DifficultAgent"


class DifficultAgent(AutonomousAgent):
    def setup(self, path_to_conf_file):
        self.deed = path_to_conf_file.split("+")[0]
        self.steps = 0
        if self.deed == "setup":
            raise FileNotFoundError("weights.pt")

    def sensors(self):
        place = {"x": 0.0, "y": 0.0, "z": 2.0, "roll": 0.0, "pitch": 0.0, "yaw": 0.0}
        if self.deed == "depth":
            return [{"type": "sensor.camera.depth", "id": "d", "width": 8, "height": 8, "fov": 90, **place}]
        if self.deed == "two gps":
            return [{"type": "sensor.other.gnss", "id": name, **place} for name in ("a", "b")]
        return [{"type": "sensor.speedometer", "id": "speed"}]

    def run_step(self, input_data, timestamp):
        self.steps += 1
        print("a line on standard output")
        if self.steps == 3 and self.deed == "step":
            raise ZeroDivisionError("a bug")
        if self.steps == 3 and self.deed == "exit":
            os._exit(3)
        if self.steps == 3 and self.deed == "nan":
            return carla.VehicleControl(throttle=float("nan"))
        if self.steps == 3 and self.deed == "world":
            CarlaDataProvider.get_world().get_lightmanager()
        if self.deed == "metrics":
            assert len(self.get_metric_info()["location"]) == 3
            assert CarlaDataProvider.get_map().name
        return carla.VehicleControl(brake=1.0)

    def destroy(self):
        with open(os.environ["DESTROYED"], "w") as file:
            file.write(str(self.steps))
