"""The process in which somebody's leaderboard agent file runs: `PYTHON agent_child.py DESCRIPTOR OFFICIAL_AGENT_PY`.

It may be another Python (3.7 or newer; NumPy and CARLA's client are needed), and imports nothing of RouteGym but the
message format of `official_agent.py`. The other end of the socket is `agents.autonomous`.

| message | to | content |
|---|---|---|
| `begin` | child | file, config, town, map; arrays `plan`, `plan_option`, `plan_gps`; answered by `sensors` |
| `sensors` | parent | what the agent's `sensors()` returned, its track |
| `step` | child | tick, time, ego; array a sensor; answered by `control` |
| `control` | parent | throttle, brake, steer |
| `end` | child | `destroy` is called; answered by `done` |
| `error` | parent | an exception of the agent: its text and traceback |
"""

import importlib
import importlib.util
import os
import socket
import sys
import traceback


class EgoVehicle:
    """The ego vehicle as an agent may look at it: place and motion of the present tick."""

    id = 0
    type_id = "vehicle.lincoln.mkz_2020"

    def __init__(self):
        self.attributes = {"role_name": "hero"}
        self.state = [0.0] * 12

    def get_transform(self):
        """`carla.Transform` on the ground under the vehicle's centre."""
        import carla

        x, y, z, roll, pitch, yaw = self.state[:6]
        return carla.Transform(carla.Location(x, y, z), carla.Rotation(pitch=pitch, yaw=yaw, roll=roll))

    def get_location(self):
        """`carla.Location`."""
        return self.get_transform().location

    def get_velocity(self):
        """`carla.Vector3D`, m/s, world."""
        return self._vector(6)

    def get_acceleration(self):
        """`carla.Vector3D`, m/s2, world."""
        return self._vector(8)

    def get_angular_velocity(self):
        """`carla.Vector3D`, deg/s."""
        import carla

        return carla.Vector3D(0.0, 0.0, self.state[10])

    def _vector(self, first):
        import carla

        return carla.Vector3D(self.state[first], self.state[first + 1], 0.0)

    def __getattr__(self, name):
        raise AttributeError(_NO_WORLD.format("its ego vehicle", name))


class EmbeddedWorld:
    """What agents get for a CARLA world: the ego vehicle, and an explanation."""

    def __init__(self, ego):
        self._ego = ego

    def get_actors(self, ids=None):
        """The ego vehicle."""
        return [self._ego]

    def __getattr__(self, name):
        raise AttributeError(_NO_WORLD.format("it", name))


_NO_WORLD = (
    "the embedded town has no CARLA world for agents to look into: {} has no {!r}. Agents that need one are run on a "
    "CARLA server, with run_eval.py --official"
)


class Child:
    """Serves one connection."""

    def __init__(self, link, wire):
        self._link, self._wire = link, wire
        self._module = None
        self._agent = None
        self._ego = EgoVehicle()
        self._map = ("", None)

    def serve(self):
        """Answer until the other side closes."""
        answers = {"begin": self._begin, "step": self._step, "end": self._end}
        while True:
            message = self._link.receive()
            if message is None:
                return
            kind, fields, arrays = message
            try:
                kind, fields = answers[kind](fields, arrays)
            except Exception as error:
                traceback.print_exc()
                trace = traceback.extract_tb(error.__traceback__)[-1]
                place = f"{os.path.basename(trace.filename)}:{trace.lineno}"
                text = f"{type(error).__name__}: {error} ({place})"
                kind, fields = "error", {"message": text}
            self._link.send(kind, **fields)

    def _begin(self, fields, arrays):
        """A fresh agent for a route, in the evaluator's order."""
        import carla
        from srunner.scenariomanager.carla_data_provider import CarlaDataProvider

        # CARLA's package, which has the name of one of ours
        RoadOption = importlib.import_module("agents.navigation.local_planner").RoadOption

        file = fields["file"]
        if self._module is None:
            sys.path.insert(0, os.path.dirname(file))
            self._module = importlib.import_module(os.path.basename(file).split(".")[0])
        if self._map[0] != fields["town"]:
            self._map = (fields["town"], carla.Map(fields["town"], arrays["opendrive"].tobytes().decode("utf-8")))
        self._ego.state = fields["ego"]
        CarlaDataProvider._world = EmbeddedWorld(self._ego)
        CarlaDataProvider._map = self._map[1]
        maker = getattr(self._module, self._module.get_entry_point())
        self._agent = maker("localhost", 2000, 0)
        options = [RoadOption(int(option)) for option in arrays["plan_option"]]
        places = [
            carla.Transform(carla.Location(x, y, z), carla.Rotation(pitch=pitch, yaw=yaw))
            for x, y, z, pitch, yaw in arrays["plan"].tolist()
        ]
        gps = [{"lat": lat, "lon": lon, "z": z} for lat, lon, z in arrays["plan_gps"].tolist()]
        self._agent.set_global_plan(list(zip(gps, options)), list(zip(places, options)))
        self._agent.setup(fields["config"])
        sensors = self._agent.sensors()
        track = getattr(self._agent.track, "value", str(self._agent.track))
        return "sensors", {"sensors": list(sensors), "track": track}

    def _step(self, fields, arrays):
        from srunner.scenariomanager.timer import GameTime

        self._ego.state = fields["ego"]
        for name, value in (
            ("_frame", fields["step"]),
            ("_time", fields["time"]),
            ("_current_game_time", fields["time"]),
            ("_last_frame", fields["step"]),
        ):
            if hasattr(GameTime, name):
                setattr(GameTime, name, value)
        data = self._wire.sensor_data(arrays, fields["sensors"])
        control = self._agent.run_step(data, fields["time"])
        values = {name: float(getattr(control, name)) for name in ("throttle", "brake", "steer")}
        if control.hand_brake:
            values["throttle"], values["brake"] = 0.0, 1.0
        values["reverse"] = bool(control.reverse)
        return "control", values

    def _end(self, fields, arrays):
        agent, self._agent = self._agent, None
        if agent is not None:
            agent.destroy()
        return "done", {}


def main():
    """Entry point."""
    descriptor, wire_file = int(sys.argv[1]), sys.argv[2]
    sys.path.pop(0)  # the folder of this file: its modules are none of the agent's business
    spec = importlib.util.spec_from_file_location("routegym_official_agent", wire_file)
    wire = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(wire)
    Child(wire.Link(socket.socket(fileno=descriptor)), wire).serve()


if __name__ == "__main__":
    main()
