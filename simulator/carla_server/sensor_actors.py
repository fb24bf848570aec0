"""Sensors on the streams: which of them exist, and what they send after a tick.

`SensorActors` is told of every sensor that comes and goes, and publishes after every tick. A sensor nobody reads is not
measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgpack

from simulator.carla_server.actors import Actor
from simulator.sensors.measurements import Measurement, Placement

if TYPE_CHECKING:
    from simulator.carla_server.server import CarlaServer


class SensorActors:
    """The sensors of one episode."""

    def __init__(self, server: CarlaServer) -> None:
        self.server = server
        self._sensors: dict[int, Actor] = {}

    def added(self, actor: Actor) -> None:
        """A sensor has been spawned; `actor.stream` is its stream."""
        self._sensors[actor.id] = actor

    def removed(self, actor: Actor) -> None:
        """A sensor has been destroyed."""
        self._sensors.pop(actor.id, None)

    def publish(self) -> None:
        """Measure, and send, after a tick."""
        for actor in self._sensors.values():
            if actor.type_id == "sensor.other.collision" and self.server.streams.has_readers(actor.stream):
                self._collisions(actor)

    def _collisions(self, actor: Actor) -> None:
        """One frame for each contact of the actor that carries the sensor."""
        episode = self.server.episode
        parent = episode.registry.actors.get(actor.parent)
        if parent is None or parent.slot < 0:
            return
        for other, impulse in episode.contacts(parent.slot):
            body = msgpack.packb([parent.wire(), other.wire(), list(impulse)], use_bin_type=True)
            self.send(actor, body)

    def send(self, actor: Actor, body: bytes) -> None:
        """Send one frame of a sensor."""
        kind = self.server.protocol.sensor_type(actor.type_id)
        if kind is None:
            return
        clock = self.server.clock
        placement = Placement(*self.server.episode.frame.pose(actor.row))
        header = Measurement.header(kind, clock.frame, clock.elapsed, placement)
        size = (len(header) + len(body)).to_bytes(4, "little")
        droppable = not self.server.settings.synchronous
        self.server.streams.publish(actor.stream, size + header + body, droppable=droppable)
