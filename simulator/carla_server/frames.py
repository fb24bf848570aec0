"""Episode-state frames: one buffer that holds the next frame as it goes on the wire, and the kernels that fill it.

Layout (little-endian, packed): u32 size, the 48-byte sensor header, 36 bytes of the episode's state, then 119 bytes an
actor. A row is written once when its actor appears; each tick only what moves is written again.
"""

from __future__ import annotations

import math

import numpy as np

from simulator.carla_server.tick import tick_world
from simulator.kernel import kernel
from simulator.roads.network import RoadArrays
from simulator.sensors.pose import rotation_of, set_axes
from simulator.state import MAX_ACTORS

ROW_BYTES = 119
_COMMON = {
    "id": ("<u4", 0),
    "state": ("u1", 4),
    "pose": (("<f4", (6,)), 5),  # x y z (m) pitch yaw roll (deg)
    "velocity": (("<f4", (3,)), 29),  # m/s
    "spin": (("<f4", (3,)), 41),  # deg/s
    "acceleration": (("<f4", (3,)), 53),  # m/s2
}


def _row(**own: tuple[object, int]) -> np.dtype:
    fields = {**_COMMON, **own}
    return np.dtype(
        {
            "names": list(fields),
            "formats": [f[0] for f in fields.values()],
            "offsets": [f[1] for f in fields.values()],
            "itemsize": ROW_BYTES,
        }  # type: ignore[call-overload]
    )


ROW = _row()
VEHICLE_ROW = _row(
    throttle=("<f4", 65), steer=("<f4", 69), brake=("<f4", 73), hand_brake=("u1", 77), reverse=("u1", 78),
    manual=("u1", 79), gear=("<i4", 80), speed_limit=("<f4", 84), light_state=("u1", 88), has_light=("u1", 89),
    light_id=("<u4", 90), failure=("u1", 94),
)  # fmt: skip
WALKER_ROW = _row(direction=(("<f4", (3,)), 65), speed=("<f4", 77), jump=("u1", 81))
LIGHT_ROW = _row(
    sign=("S32", 65), green=("<f4", 97), yellow=("<f4", 101), red=("<f4", 105), elapsed=("<f4", 109),
    pole=("<u4", 113), frozen=("u1", 117), light_state=("u1", 118),
)  # fmt: skip
#: As LIGHT_ROW without the text, which kernels have no use for.
LIGHT_NUMBERS = _row(elapsed=("<f4", 109), frozen=("u1", 117), light_state=("u1", 118),
                     green=("<f4", 97), yellow=("<f4", 101), red=("<f4", 105))  # fmt: skip
SIGN_ROW = _row(sign=("S32", 65))

HEADER = np.dtype(
    [
        ("size", "<u4"),
        ("type", "<u8"),
        ("frame", "<u8"),
        ("timestamp", "<f8"),  # s
        ("pose", "<f4", (6,)),
        ("episode", "<u8"),
        ("platform_time", "<f8"),  # s
        ("delta", "<f4"),  # s
        ("origin", "<i4", (3,)),
        ("flags", "<u4"),  # bit 0 map changed, bit 1 street lights changed
    ]
)
MAP_CHANGED, STREET_LIGHTS_CHANGED = 1, 2
ACTIVE = 1  # actor state


class Frame:
    """The buffer of one episode's frames, and which row is whose."""

    def __init__(self, world_state_type: int, capacity: int = 256) -> None:
        self.count = 0
        self.row_of_slot = np.full(MAX_ACTORS, -1, np.int64)
        # carried actors: row, row of the parent; x, y, z, roll, pitch, yaw (m, rad) on the parent
        self.carried = np.zeros((0, 2), np.int64)
        self.mounting = np.zeros((0, 6))
        self._type = world_state_type
        self._allot(capacity)
        self.header["type"] = world_state_type

    def _allot(self, capacity: int) -> None:
        self._buffer = np.zeros(HEADER.itemsize + capacity * ROW_BYTES, np.uint8)
        self.header = self._buffer[: HEADER.itemsize].view(HEADER)[0:1]
        body = self._buffer[HEADER.itemsize :]
        self.rows, self.vehicles, self.walkers = body.view(ROW), body.view(VEHICLE_ROW), body.view(WALKER_ROW)
        self.lights, self.signs = body.view(LIGHT_ROW), body.view(SIGN_ROW)
        self.light_numbers = body.view(LIGHT_NUMBERS)

    def append(self, actor_id: int) -> int:
        """A fresh row for an actor."""
        if self.count == len(self.rows):
            old = self._buffer
            self._allot(2 * len(self.rows))
            self._buffer[: len(old)] = old
        row = self.count
        self.rows[row : row + 1].view(np.uint8)[:] = 0
        self.rows["id"][row] = actor_id
        self.rows["state"][row] = ACTIVE
        self.count += 1
        return row

    def remove(self, row: int) -> None:
        """Take out a row; those behind it move up."""
        first = HEADER.itemsize + row * ROW_BYTES
        last = HEADER.itemsize + self.count * ROW_BYTES
        self._buffer[first : last - ROW_BYTES] = self._buffer[first + ROW_BYTES : last].copy()
        self.count -= 1
        self.row_of_slot[self.row_of_slot == row] = -1
        self.row_of_slot[self.row_of_slot > row] -= 1
        kept = (self.carried != row).all(axis=1)
        self.carried, self.mounting = self.carried[kept], self.mounting[kept]
        self.carried[self.carried > row] -= 1

    def carry(self, row: int, parent_row: int, mounting: np.ndarray) -> None:
        """From now on `row` goes where `parent_row` goes. `mounting`: float64[6], see `mounting`."""
        kept = self.carried[:, 0] != row
        self.carried = np.concatenate([self.carried[kept], [[row, parent_row]]])
        self.mounting = np.concatenate([self.mounting[kept], mounting[None]])
        order = np.argsort(self.carried[:, 0], kind="stable")  # parents before what hangs on them
        self.carried, self.mounting = np.ascontiguousarray(self.carried[order]), self.mounting[order]

    def pose(self, row: int) -> tuple[float, float, float, float, float, float]:
        """x, y, z (m), pitch, yaw, roll (deg)."""
        x, y, z, pitch, yaw, roll = (float(v) for v in self.rows["pose"][row])
        return x, y, z, pitch, yaw, roll

    def bytes(self) -> bytes:
        """The frame as it goes on the wire, size first."""
        end = HEADER.itemsize + self.count * ROW_BYTES
        self.header["size"] = end - 4
        return self._buffer[:end].tobytes()


_DEGREES = 180.0 / math.pi


@kernel
def tick_and_write(worlds, all_bodies, net, seconds, steps, row_of_slot, rows, vehicles, walkers, light_ids,
                   first_light_row, lights, carried, mounting, scratch):  # type: ignore[no-untyped-def]  # fmt: skip
    """A tick of world 0 (`tick.tick_world`), then every row: one call from Python, which costs more than what it does.

    It takes the arrays of records, as handing over a single record costs 20 us.
    """
    w = worlds[0]
    bodies = all_bodies[0]
    if steps > 0:
        tick_world(w, bodies, net, seconds, steps)
    write_bodies(w, bodies, net, row_of_slot, rows, vehicles, walkers, light_ids)
    write_lights(w, net, first_light_row, lights)
    write_carried(carried, mounting, rows, scratch)


@kernel
def write_bodies(w, bodies, net, row_of_slot, rows, vehicles, walkers, light_ids):  # type: ignore[no-untyped-def]
    """Rows of everything that has a slot. `light_ids`: int64[S] actor ids of the traffic lights."""
    for i in range(w.num_slots):
        row = row_of_slot[i]
        if row < 0 or w.kind[i] == 0:
            continue
        pose = rows[row].pose
        pose[0] = w.x[i]
        pose[1] = w.y[i]
        pose[2] = w.z[i] + bodies.centre[i]
        pose[3] = w.pitch[i] * _DEGREES
        pose[4] = w.yaw[i] * _DEGREES
        pose[5] = bodies.roll[i] * _DEGREES
        velocity = rows[row].velocity
        velocity[0] = w.vx[i]
        velocity[1] = w.vy[i]
        velocity[2] = bodies.vz[i]
        rows[row].spin[2] = w.yaw_rate[i] * _DEGREES
        acceleration = rows[row].acceleration
        acceleration[0] = w.ax[i]
        acceleration[1] = w.ay[i]
        if w.kind[i] <= 2:
            write_vehicle(w, bodies, vehicles, i, row, light_ids)
        elif w.kind[i] == 3:
            direction = walkers[row].direction
            direction[0] = bodies.walk_x[i]
            direction[1] = bodies.walk_y[i]
            direction[2] = bodies.walk_z[i]
            walkers[row].speed = bodies.walk_speed[i]
            walkers[row].jump = bodies.jump[i]


@kernel
def write_vehicle(w, bodies, vehicles, i, row, light_ids):  # type: ignore[no-untyped-def]
    """The part of a row that only vehicles have."""
    vehicles[row].throttle = w.throttle[i]
    vehicles[row].steer = w.steer[i]
    vehicles[row].brake = w.brake[i]
    vehicles[row].hand_brake = w.hand_brake[i]
    vehicles[row].reverse = w.reverse[i]
    vehicles[row].manual = bodies.manual[i]
    vehicles[row].gear = bodies.gear[i]
    vehicles[row].speed_limit = bodies.limit[i]
    light = bodies.light[i]
    if light >= 0:
        vehicles[row].light_state = w.light_state[light]
        vehicles[row].has_light = 1
        vehicles[row].light_id = light_ids[light]
    else:
        vehicles[row].light_state = 2  # CARLA says green where there is none
        vehicles[row].has_light = 0
        vehicles[row].light_id = 0


@kernel
def write_lights(w, net, first_row, lights):  # type: ignore[no-untyped-def]
    """Rows of the traffic lights, which follow each other from `first_row` on."""
    for k in range(net.light_group.shape[0]):
        row = first_row + k
        g = net.light_group[k]
        h = net.group_first[g] + net.light_phase[k]
        current = net.group_first[g] + w.group_phase[g]
        lights[row].light_state = w.light_state[k]
        lights[row].frozen = w.group_frozen[g]
        lights[row].green = net.phase_green[h]
        lights[row].yellow = net.phase_yellow[h]
        lights[row].red = net.phase_red[h]
        t = w.group_time[g]
        if t >= net.phase_green[current]:
            t -= net.phase_green[current]
            if t >= net.phase_yellow[current]:
                t -= net.phase_yellow[current]
        lights[row].elapsed = t


@kernel
def write_carried(carried, mounting, rows, scratch):  # type: ignore[no-untyped-def]
    """Rows of carried actors: their mounting on the row of their parent. `scratch`: float64[3, 4, 3]."""
    parent = scratch[0]
    local = scratch[1]
    out = scratch[2]
    for k in range(carried.shape[0]):
        row = carried[k, 0]
        of = carried[k, 1]
        p = rows[of].pose
        place = mounting[k]
        set_axes(parent, p[5] / _DEGREES, p[3] / _DEGREES, p[4] / _DEGREES)
        set_axes(local, place[3], place[4], place[5])
        for axis in range(1, 4):
            for c in range(3):
                out[axis, c] = (
                    local[axis, 0] * parent[1, c] + local[axis, 1] * parent[2, c] + local[axis, 2] * parent[3, c]
                )
        roll, pitch, yaw = rotation_of(out)
        pose = rows[row].pose
        for c in range(3):
            pose[c] = p[c] + place[0] * parent[1, c] + place[1] * parent[2, c] + place[2] * parent[3, c]
        pose[3] = pitch * _DEGREES
        pose[4] = yaw * _DEGREES
        pose[5] = roll * _DEGREES
        for c in range(3):
            rows[row].velocity[c] = rows[of].velocity[c]
            rows[row].spin[c] = rows[of].spin[c]
            rows[row].acceleration[c] = rows[of].acceleration[c]


def mounting(pose: tuple[float, float, float, float, float, float]) -> np.ndarray:
    """float64[6] x, y, z, roll, pitch, yaw (m, rad) of a CARLA transform."""
    x, y, z, pitch, yaw, roll = pose
    return np.array([x, y, z, *np.radians([roll, pitch, yaw])])


def own_phases(arrays: RoadArrays) -> RoadArrays:
    """The town's arrays with phase times of their own, so that a client may change them."""
    return arrays._replace(
        phase_green=np.array(arrays.phase_green, np.float64),
        phase_yellow=np.array(arrays.phase_yellow, np.float64),
        phase_red=np.array(arrays.phase_red, np.float64),
    )
