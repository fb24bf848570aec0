"""An agent file for the official leaderboard evaluator that lets a RouteGym agent drive.

    leaderboard_evaluator.py --agent official_agent.py --agent-config HOST:PORT[:SEED] ...

This one file is all that the evaluator's Python needs: 3.7 or newer, the standard library and NumPy. The RouteGym agent
sits in another process (`python -m agents.official_host --agent expert --port PORT`), in another Python, and answers
over a socket. Each message is one line of JSON, which says how the raw bytes behind it divide into arrays; nothing in
it can run code.

| message | to | content |
|---|---|---|
| `begin` | host | version, seed, names of route and town, digest of the map; arrays `plan`, `plan_option`, `plan_gps` |
| `map` | host | array `opendrive`: the town's OpenDRIVE text, when the host asks for it |
| `sensors` | agent | what `sensors()` returns; `world` if each step is to bring it; `map` if that is wanted first |
| `step` | host | tick, time; array a sensor; the world as in `WorldReader` |
| `control` | agent | throttle, brake, steer, hand brake, reverse |
| `end` | host | the route is over |
| `error` | agent | why nothing can be done; raised here, so the evaluator records it |
"""

import contextlib
import hashlib
import json
import math
import os
import socket
import time

import numpy as np

try:
    from leaderboard.autoagents.autonomous_agent import AutonomousAgent, Track
except ImportError:  # the other side uses the message format of this file, without any leaderboard
    AutonomousAgent, Track = object, None

VERSION = 1
WAIT_S = 600.0  # for an answer, such as the first of an agent that loads its model
CONNECT_S = 120.0  # for the host to come up
_MAX_HEADER = 1 << 24

#: Columns of the array `actors`: metres, degrees, m/s, m/s2, deg/s, in CARLA's frame.
ACTOR_COLUMNS = (
    ("id", "x", "y", "z", "roll", "pitch", "yaw")
    + ("vx", "vy", "vz", "ax", "ay", "az", "wz", "throttle", "brake", "steer")
)
_MOVING = ("vehicle.", "walker.", "static.prop.")
METRICS = ("acceleration", "angular_velocity", "forward_vector", "right_vector", "location", "rotation")


def get_entry_point():
    """Name of the class that the evaluator makes."""
    return "RouteGymAgent"


class Link:
    """Messages over a connected socket, in both directions."""

    def __init__(self, connection):
        if connection.family != getattr(socket, "AF_UNIX", None):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connection
        self._file = connection.makefile("rb")

    def send(self, kind, arrays=None, **fields):
        """Send one message. `fields` are JSON values, `arrays` NumPy arrays by name."""
        arrays = {name: np.ascontiguousarray(array) for name, array in (arrays or {}).items()}
        layout = [[name, array.dtype.str, list(array.shape)] for name, array in arrays.items()]
        header = json.dumps({"kind": kind, "arrays": layout, **fields}).encode("ascii") + b"\n"
        self._socket.sendall(b"".join([header] + [array.tobytes() for array in arrays.values()]))

    def receive(self):
        """The next message as (kind, fields, arrays); None when the other side has closed.

        Raises:
            ValueError: for what is no message.
            OSError: when the connection breaks or nothing comes in time.
        """
        line = self._file.readline(_MAX_HEADER)
        if not line:
            return None
        try:
            fields = json.loads(line.decode("ascii"))
            kind, layout = fields.pop("kind"), fields.pop("arrays")
        except (ValueError, KeyError, AttributeError, TypeError):
            raise ValueError(f"no RouteGym message: {line[:80]!r}") from None
        arrays = {}
        for name, code, shape in layout:
            dtype = np.dtype(code)
            if dtype.hasobject:
                raise ValueError(f"array {name!r} has objects in it")
            size = dtype.itemsize * int(np.prod(shape, dtype=np.int64))
            data = self._file.read(size)
            if len(data) < size:
                return None
            arrays[name] = np.frombuffer(data, dtype).reshape(shape)
        return kind, fields, arrays

    def close(self):
        """Close the connection."""
        for part in (self._file, self._socket):
            with contextlib.suppress(OSError):
                part.close()


def sensor_arrays(input_data):
    """A tick's sensor data as (arrays, values): arrays by sensor id, and what is none, each with its frame."""
    arrays, values = {}, {}
    for name, (frame, data) in input_data.items():
        told = None
        if isinstance(data, np.ndarray):
            arrays["sensor:" + name] = data
        else:  # speed and map come as dicts
            told = {key: v if isinstance(v, str) else float(v) for key, v in dict(data).items()}
        values[name] = [int(frame), told]
    return arrays, values


def sensor_data(arrays, values):
    """The inverse of `sensor_arrays`."""
    return {
        name: (frame, arrays["sensor:" + name] if data is None else data) for name, (frame, data) in values.items()
    }


class WorldReader:
    """The actors and lights of a running CARLA world, as arrays.

    `actors`: float64[N, 17], `ACTOR_COLUMNS`, the ego vehicle first; those far away are left out. `lights`: int64[K, 2]
    actor id and state (CARLA's numbers, bit 8 set when frozen). What hardly changes about an actor is told once, and
    again when it has changed, in `known`: type, role, half sizes and centre of its box, and the lights of a scenario's
    vehicle that stands, which tell a breakdown from a parked car; of a traffic light its OpenDRIVE id.
    """

    REACH = 200.0  # m around the ego vehicle
    LAMPS_EVERY = 10  # ticks between two questions for the lights of a vehicle that stands: each goes to the server

    def __init__(self, world, ego):
        self._world, self._ego = world, ego
        self._actors, self._lights = {}, {}
        self._passed_over = set()
        self._lamps = {}  # of scenarios' vehicles, by actor id
        self._ticks = 0

    def read(self):
        """(arrays, known) of the present tick; `known` holds actors that are new since the last call."""
        snapshot = self._world.get_snapshot()
        known = self._meet([state.id for state in snapshot])
        self._ticks += 1
        here = self._ego.get_location()
        rows = []
        for number, actor in self._actors.items():
            state = snapshot.find(number)
            if state is None:
                continue
            place = state.get_transform()
            at = place.location
            if number != self._ego.id and math.hypot(at.x - here.x, at.y - here.y) > self.REACH:
                continue
            speed = state.get_velocity()
            if number in self._lamps and (self._ticks + number) % self.LAMPS_EVERY == 0 and speed.length() < 0.1:
                self._ask_lamps(actor, known)
            row = [float(number), at.x, at.y, at.z, place.rotation.roll, place.rotation.pitch, place.rotation.yaw]
            for vector in (speed, state.get_acceleration()):
                row += [vector.x, vector.y, vector.z]
            row.append(state.get_angular_velocity().z)
            row += [0.0, 0.0, 0.0]
            if hasattr(actor, "get_control") and actor.type_id.startswith("vehicle."):
                control = actor.get_control()
                row[-3:] = [control.throttle, control.brake, control.steer]
            rows.append(row)
        rows.sort(key=lambda row: row[0] != self._ego.id)
        lights = [
            [number, int(light.get_state()) | (256 if light.is_frozen() else 0)]
            for number, light in self._lights.items()
        ]
        arrays = {
            "actors": np.array(rows, np.float64).reshape(len(rows), len(ACTOR_COLUMNS)),
            "lights": np.array(lights, np.int64).reshape(len(lights), 2),
        }
        return arrays, known

    def _meet(self, numbers):
        present = set(numbers)
        for number in [n for n in self._actors if n not in present]:
            del self._actors[number]
            self._lamps.pop(number, None)
        new = [n for n in numbers if n not in self._actors and n not in self._lights and n not in self._passed_over]
        known = {}
        for actor in self._world.get_actors(new) if new else ():
            kind = actor.type_id
            if kind == "traffic.traffic_light":
                self._lights[actor.id] = actor
                known[str(actor.id)] = {"type": kind, "opendrive": actor.get_opendrive_id()}
            elif kind.startswith(_MOVING):
                self._actors[actor.id] = actor
                known[str(actor.id)] = _facts(actor)
                if kind.startswith("vehicle.") and known[str(actor.id)]["role"].startswith("scenario"):
                    self._lamps[actor.id] = 0
            else:
                self._passed_over.add(actor.id)
        return known

    def _ask_lamps(self, actor, known):
        try:
            lamps = int(actor.get_light_state())
        except RuntimeError:  # the actor has just been destroyed
            return
        if lamps != self._lamps[actor.id]:
            self._lamps[actor.id] = lamps
            known[str(actor.id)] = dict(_facts(actor), lamps=lamps)


def _facts(actor):
    """What `WorldReader` tells once about an actor that can move."""
    box = actor.bounding_box
    return {
        "type": actor.type_id,
        "role": actor.attributes.get("role_name", ""),
        "half": [box.extent.x, box.extent.y, box.extent.z],
        "centre": [box.location.x, box.location.y, box.location.z],
    }


class RouteGymAgent(AutonomousAgent):
    """Asks the host process for every control."""

    def setup(self, path_to_conf_file):
        """Connect to the host and introduce the route. `path_to_conf_file`: HOST:PORT[:SEED], then +save_name."""
        fields = path_to_conf_file.split("+")
        host, port, seed = (fields[0].split(":") + ["0"])[:3]
        self._save_name = fields[-1] if len(fields) > 1 else ""
        self.track = Track[os.environ.get("ROUTEGYM_TRACK", "SENSORS")]
        self._metrics = {}
        self._step = 0
        self._reader = None
        self._link = _connect(host or "127.0.0.1", int(port))
        from srunner.scenariomanager.carla_data_provider import CarlaDataProvider

        self._provider = CarlaDataProvider
        town = CarlaDataProvider.get_map()
        text = town.to_opendrive().encode("utf-8")
        self._link.send(
            "begin",
            {"plan": self._plan_world, "plan_option": self._plan_option, "plan_gps": self._plan_gps},
            version=VERSION,
            seed=int(seed),
            save_name=self._save_name,
            town=town.name.split("/")[-1],
            map=hashlib.sha256(text).hexdigest(),
        )
        _, answer, _ = self._ask("sensors")
        if answer["map"]:
            self._link.send("map", {"opendrive": np.frombuffer(text, np.uint8)})
            _, answer, _ = self._ask("sensors")
        self._sensors, self._wants_world = answer["sensors"], answer["world"]

    def set_global_plan(self, global_plan_gps, global_plan_world_coord):
        """Keep the whole plan, before the base class thins it out."""
        super().set_global_plan(global_plan_gps, global_plan_world_coord)
        places = [transform for transform, _ in global_plan_world_coord]
        self._plan_world = np.array(
            [[p.location.x, p.location.y, p.location.z, p.rotation.pitch, p.rotation.yaw] for p in places], np.float64
        )
        self._plan_option = np.array([int(option.value) for _, option in global_plan_world_coord], np.int64)
        self._plan_gps = np.array([[g["lat"], g["lon"], g["z"]] for g, _ in global_plan_gps], np.float64)

    def sensors(self):
        """The RouteGym agent's sensors."""
        return self._sensors

    def run_step(self, input_data, timestamp):
        """One decision of the RouteGym agent."""
        import carla

        arrays, values = sensor_arrays(input_data)
        known = {}
        if self._wants_world:
            if self._reader is None:
                self._reader = WorldReader(self._provider.get_world(), self._ego())
            world, known = self._reader.read()
            arrays.update(world)
        self._log_metrics()
        self._link.send("step", arrays, step=self._step, time=float(timestamp), sensors=values, known=known)
        self._step += 1
        _, answer, _ = self._ask("control")
        return carla.VehicleControl(
            throttle=answer["throttle"],
            steer=answer["steer"],
            brake=answer["brake"],
            hand_brake=answer["hand_brake"],
            reverse=answer["reverse"],
        )

    def destroy(self):
        """Say that the route is over, and write what the official comfort script reads."""
        link = getattr(self, "_link", None)
        if link is not None:
            with contextlib.suppress(OSError):
                link.send("end")
            link.close()
            self._link = None
        self._write_metrics()

    def _ask(self, wanted):
        message = self._link.receive()
        if message is None:
            raise RuntimeError("the RouteGym agent's process has ended; its log says why")
        kind, fields, _ = message
        if kind == "error":
            raise RuntimeError(fields["message"])
        if kind != wanted:
            raise RuntimeError(f"expected a message {wanted!r} from RouteGym, got {kind!r}")
        return message

    def _ego(self):
        if getattr(self, "hero_actor", None) is None:
            for actor in self._provider.get_world().get_actors().filter("vehicle.*"):
                if actor.attributes.get("role_name") == "hero":
                    self.hero_actor = actor
        return self.hero_actor

    def _log_metrics(self):
        if self._save_name and os.environ.get("SAVE_PATH") and hasattr(self, "get_metric_info"):
            self._ego()
            self._metrics[self._step] = self.get_metric_info()

    def _write_metrics(self):
        if not getattr(self, "_metrics", None):
            return
        folder = os.path.join(os.environ["SAVE_PATH"], self._save_name)
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "metric_info.json"), "w") as file:
            json.dump(self._metrics, file, indent=4)
        self._metrics = {}


def _connect(host, port):
    """A link to the host process, which may still be starting."""
    deadline = time.monotonic() + CONNECT_S
    while True:
        try:
            connection = socket.create_connection((host, port), timeout=10.0)
            break
        except OSError as error:
            if time.monotonic() > deadline:
                raise RuntimeError(f"no RouteGym agent answers on {host}:{port} ({error})") from error
            time.sleep(0.5)
    connection.settimeout(WAIT_S)
    return Link(connection)
