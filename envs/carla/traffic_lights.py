"""Traffic lights of a CARLA server and of the record, matched by their OpenDRIVE signal id.

`routegym`: the record decides. The server's lights are frozen and set whenever the record's change.
`server`: the server decides, its states are copied into the record. What a scenario sets (the record says so by holding
a group) is set on the server and held there until the scenario lets go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from envs.carla.client import CarlaClient
from simulator.roads.network import RoadNetwork

if TYPE_CHECKING:
    import carla


def lights_by_index(world: carla.World, network: RoadNetwork) -> dict[int, carla.TrafficLight]:
    """Traffic lights of a CARLA world by their index in the town's arrays."""
    actors = world.get_actors().filter("traffic.traffic_light*")
    by_id = {actor.get_opendrive_id(): actor for actor in actors}
    return {light: by_id[name] for light, name in enumerate(network.light_ids) if name in by_id}


class TrafficLights:
    """The lights of one town on one server.

    Attributes:
        missing: signal ids of the map that no light of the server has.
    """

    def __init__(self, client: CarlaClient, network: RoadNetwork, whose: str) -> None:
        """`whose`: "routegym" or "server". The client's town is `network`."""
        self._client, self._whose = client, whose
        with client.calls("asking for traffic lights", client.options.load_s):
            found = lights_by_index(client.world, network)
        self._actors = [found.get(light) for light in range(len(network.light_ids))]
        self.missing = tuple(name for light, name in enumerate(network.light_ids) if light not in found)
        self._group = np.asarray(network.arrays.light_group)
        self._told = np.full(len(self._actors), -1, np.int64)
        self._held = np.zeros(len(self._actors), bool)  # by a scenario, on the server

    def begin(self, w: np.void) -> None:
        """A route begins: `w` is its record."""
        world = self._client.world
        with self._client.calls("setting traffic lights", self._client.options.tick_s):
            world.freeze_all_traffic_lights(self._whose == "routegym")
            if self._whose == "server":
                world.reset_all_traffic_lights()
        self._told[:] = -1
        self._held[:] = False
        if self._whose == "server":
            w["group_frozen"] = 1  # the record's own clocks stand
        self.send(w)

    def send(self, w: np.void) -> None:
        """Tell the server, before its tick, what the record says."""
        import carla

        states = w["light_state"][: len(self._actors)]
        if self._whose == "routegym":
            changed = np.flatnonzero(states != self._told)
        else:
            self._let_go(w)
            changed = np.flatnonzero((self._told >= 0) & (states != self._told))
        if not len(changed):
            return
        with self._client.calls("setting traffic lights", self._client.options.tick_s):
            for light in changed.tolist():
                actor = self._actors[light]
                if actor is not None:
                    if self._whose == "server":
                        actor.freeze(True)
                        self._held[light] = True
                    actor.set_state(carla.TrafficLightState.values[int(states[light])])
        self._told[changed] = states[changed]

    def receive(self, w: np.void) -> None:
        """Copy the server's states into the record, after its tick."""
        if self._whose == "routegym":
            return
        states = w["light_state"]
        for light, actor in enumerate(self._actors):
            if actor is not None and not self._held[light]:
                self._told[light] = states[light] = min(int(actor.get_state()), 3)

    def _let_go(self, w: np.void) -> None:
        """Groups that a scenario has released run on the server again."""
        frozen = w["group_frozen"]
        released = np.flatnonzero(self._held & (frozen[self._group] == 0))
        if len(released):
            with self._client.calls("setting traffic lights", self._client.options.tick_s):
                for light in released.tolist():
                    actor = self._actors[light]
                    if actor is not None:
                        actor.freeze(False)
                    self._held[light] = False
                    self._told[light] = -1
        frozen[:] = 1
