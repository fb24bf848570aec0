"""RPC: what vehicles are made of, and what they report of it: physics control, Ackermann control, telemetry, wheels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from simulator.carla_server import encoding
from simulator.carla_server.ackermann import DEFAULT_GAINS, read_ackermann
from simulator.carla_server.actors import Actor
from simulator.carla_server.blueprint_library import ActorKind
from simulator.carla_server.methods import Result, Support, method
from simulator.dynamics import DRAG, STEERING_GAIN

if TYPE_CHECKING:
    from simulator.carla_server.server import CarlaServer

_WHEEL_RADIUS = 0.36  # m
_WHEELBASE_SHARE = 0.585  # of half the length, from the centre to each axle
_MAX_STEER = 70.0  # deg, what CARLA's cars report
_IDLE_RPM, _MAX_RPM, _RPM_PER_MPS = 800.0, 5800.0, 110.0


def _vehicle(server: CarlaServer, actor_id: Any) -> Actor:
    return server.episode.registry.with_body(actor_id, ActorKind.VEHICLE)


@method(
    Result.VALUE,
    Support.APPROXIMATES,
    "mass is the one that counts; the rest are CARLA's usual values, or what was set",
)
def get_physics_control(server: CarlaServer, actor_id: Any) -> list[Any]:
    actor = _vehicle(server, actor_id)
    control = list(actor.extras.get("physics") or _usual_physics(server, actor))
    control[15] = [[*wheel[:9], place] for wheel, place in zip(control[15], _wheel_places(server, actor), strict=True)]
    return control


@method(
    Result.VOID,
    Support.APPROXIMATES,
    "mass counts in contacts and pushes; the rest is kept and reported, without effect",
)
def apply_physics_control(server: CarlaServer, actor_id: Any, control: Any) -> None:
    actor = _vehicle(server, actor_id)
    fields = encoding.fields(control, 17, "VehiclePhysicsControl")
    mass = encoding.number(fields[11], "mass")
    if mass <= 0.0:
        raise encoding.BadArgument("mass is not positive")
    wheels = encoding.items(fields[15], "wheels")
    usual = _usual_physics(server, actor)
    if len(wheels) != len(usual[15]):
        raise encoding.BadArgument(f"{actor.type_id} has {len(usual[15])} wheels, not {len(wheels)}")
    actor.extras["physics"] = _like(fields, usual)
    server.episode.bodies["mass"][0, actor.slot] = mass


def _like(value: Any, pattern: Any) -> Any:
    """A value checked against one of the same make; arrays of pairs may have any length."""
    if isinstance(pattern, bool):
        return encoding.flag(value)
    if isinstance(pattern, (int, float)):
        return encoding.number(value)
    parts = encoding.items(value, "VehiclePhysicsControl")
    if pattern and all(isinstance(p, list) for p in pattern):
        if len(parts) > 64:
            raise encoding.BadArgument("a curve has more than 64 points")
        return [_like(part, pattern[0]) for part in parts]
    return [_like(part, p) for part, p in zip(encoding.fields(parts, len(pattern), "VehiclePhysicsControl"), pattern)]


def _usual_physics(server: CarlaServer, actor: Actor) -> list[Any]:
    mass = float(server.episode.bodies["mass"][0, actor.slot])
    front, rear = _MAX_STEER, 0.0
    wheels = [
        [3.5, 0.25, steer, 100.0 * _WHEEL_RADIUS, 1500.0, 3000.0 if steer == 0.0 else 0.0, 3.0, 20.0, 3000.0, [0.0] * 3]
        for steer in ((front, front, rear, rear) if actor.attributes.get("number_of_wheels") != "2" else (front, rear))
    ]
    gears = [[ratio, 0.5, 0.65] for ratio in (5.0, 3.0, 2.0, 1.5, 1.0)]
    return [
        [[0.0, 500.0], [_MAX_RPM, 500.0]], _MAX_RPM, 1.0, 0.15, 2.0, 0.35, True, 0.5, 10.0, 4.0, gears, mass, 0.3,
        [0.45, 0.0, -0.3], [[0.0, 1.0], [20.0, 0.9], [60.0, 0.8], [120.0, 0.7]], wheels, True,
    ]  # fmt: skip


def _wheel_places(server: CarlaServer, actor: Actor) -> list[list[float]]:
    """Centres of the wheels in the world, cm."""
    w, slot = server.episode.worlds, actor.slot
    x, y, z, yaw = (float(w[k][0, slot]) for k in ("x", "y", "z", "yaw"))
    along = _WHEELBASE_SHARE * float(w["half_length"][0, slot])
    aside = 0.8 * float(w["half_width"][0, slot])
    two = actor.attributes.get("number_of_wheels") == "2"
    places = ((1, 0), (-1, 0)) if two else ((1, -1), (1, 1), (-1, -1), (-1, 1))
    c, s = math.cos(yaw), math.sin(yaw)
    return [
        [100.0 * (x + u * along * c - v * aside * s), 100.0 * (y + u * along * s + v * aside * c),
         100.0 * (z + _WHEEL_RADIUS)]
        for u, v in places
    ]  # fmt: skip


@method(Result.VALUE, Support.APPROXIMATES, "engine and wheels are worked out from the speed: there are none")
def get_telemetry_data(server: CarlaServer, actor_id: Any) -> list[Any]:
    actor = _vehicle(server, actor_id)
    w, slot = server.episode.worlds, actor.slot
    speed = float(w["speed"][0, slot])
    rpm = min(_IDLE_RPM + _RPM_PER_MPS * abs(speed), _MAX_RPM)
    gear = -1 if speed < -0.1 else min(1 + int(abs(speed) / 8.0), 5) if speed > 0.1 else 0
    spin = speed / _WHEEL_RADIUS
    wheel = [3.5, 0.0, 0.0, spin, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    drag = DRAG * speed * speed * float(server.episode.bodies["mass"][0, slot])
    controls = [float(w[k][0, slot]) for k in ("steer", "throttle", "brake")]
    return [speed, *controls, rpm, gear, drag, [wheel] * len(_wheel_places(server, actor))]


@method(Result.VALUE, Support.APPROXIMATES, "the share of full lock times 70 degrees, front wheels alike")
def get_wheel_steer_angle(server: CarlaServer, actor_id: Any, wheel: Any) -> float:
    slot = _vehicle(server, actor_id).slot
    if encoding.whole(wheel, "wheel", 0, 255) >= 2:
        return 0.0
    return float(server.episode.worlds["steer_angle"][0, slot]) / STEERING_GAIN * _MAX_STEER


@method(Result.VALUE, Support.APPROXIMATES, "all wheels alike, from the way travelled")
def get_wheel_pitch_angle(server: CarlaServer, actor_id: Any, wheel: Any) -> float:
    slot = _vehicle(server, actor_id).slot
    encoding.whole(wheel, "wheel", 0, 255)
    return math.degrees(float(server.episode.worlds["travelled"][0, slot]) / _WHEEL_RADIUS) % 360.0


@method(Result.VOID, Support.REFUSES, "wheels turn with the steering and the way travelled alone")
def set_wheel_pitch_angle(server: CarlaServer, actor_id: Any, wheel: Any, angle: Any) -> None:
    raise encoding.RpcError("wheels turn with the way travelled alone")


@method(Result.VOID, Support.REFUSES, "wheels turn with the steering and the way travelled alone")
def set_wheel_steer_direction(server: CarlaServer, actor_id: Any, wheel: Any, angle: Any) -> None:
    raise encoding.RpcError("wheels turn with the steering alone")


@method(Result.VOID, note="pedals from the dynamics; the gains have no effect")
def apply_ackermann_control_to_vehicle(server: CarlaServer, actor_id: Any, control: Any) -> None:
    actor = _vehicle(server, actor_id)
    wanted = read_ackermann(control)
    before = server.ackermann.get(actor.id)
    if before is not None:
        wanted.angle, wanted.pull = before.angle, before.pull
    server.ackermann[actor.id] = wanted


@method(Result.VALUE)
def get_ackermann_controller_settings(server: CarlaServer, actor_id: Any) -> list[float]:
    return list(_vehicle(server, actor_id).extras.get("gains", DEFAULT_GAINS))


@method(Result.VOID, Support.ACCEPTS, "kept and reported: pedals are found from the dynamics, not by PID")
def apply_ackermann_controller_settings(server: CarlaServer, actor_id: Any, settings: Any) -> None:
    gains = [encoding.number(v, "gain") for v in encoding.fields(settings, 6, "AckermannControllerSettings")]
    _vehicle(server, actor_id).extras["gains"] = gains
