"""Lets a RouteGym agent drive in the official evaluator: `python -m agents.official_host --agent expert --port 5555`.

`leaderboard_adapters/official_agent.py`, which the evaluator loads, connects here for each route and asks for a control
each tick. The route is laid on the town from the plan that the evaluator gives its agents, the town is read from the
OpenDRIVE text that comes along.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import socket
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from agents.base import BRAKE, STEER, THROTTLE, Agent
from agents.registry import check_agent, make_agent
from agents.seen_world import SeenWorld
from envs.routes import RouteBatch, prepare_routes
from leaderboard_adapters.official_agent import VERSION, Link
from scenarios.route import Location, Route
from simulator.errors import AgentError, RouteGymError
from simulator.roads.cache import load_town
from simulator.roads.network import RoadNetwork
from simulator.roads.planner import RoadOption

_POINT_SPACING = 15.0  # m between the points of the plan from which the route is laid anew
_LANE_CHANGE_ROOM = 8.0  # m around a lane change without such points

#: An agent that is given the world drives without sensors, but the leaderboard calls results without any invalid. This
#: one comes with the frame; for a speedometer the leaderboard keeps a thread that looks a thousand times a second.
_SENSORS: tuple[dict[str, Any], ...] = ({"type": "sensor.other.gnss", "id": "gps", "x": 0.0, "y": 0.0, "z": 0.0},)


class Host:
    """Answers connections, one route each, one after the other."""

    def __init__(self, agent: str) -> None:
        """Raises AgentError for an agent that nobody knows."""
        check_agent(agent)
        self._agent = agent
        self._rehearsed = False
        self._networks: dict[str, RoadNetwork] = {}

    def serve(self, link: Link) -> None:
        """Drive one route. What goes wrong is told to the other side, and to standard error."""
        try:
            self._drive(link)
        except RouteGymError as error:
            print(f"error: {error}", file=sys.stderr, flush=True)
            _tell(link, str(error))
        except (OSError, EOFError) as error:
            print(f"the connection broke: {error}", file=sys.stderr, flush=True)
        except Exception as error:
            traceback.print_exc()
            _tell(link, f"{type(error).__name__}: {error}")

    def _drive(self, link: Link) -> None:
        fields, arrays = _expect(link, "begin")
        if fields["version"] != VERSION:
            raise AgentError(
                f"official_agent.py speaks version {fields['version']} of the protocol, this host version {VERSION}; "
                "take both from one RouteGym"
            )
        network = self._network(link, fields)
        route = _lay_route(network, fields, arrays)
        if not self._rehearsed:  # what an agent compiles or loads with its first act is not to count as driving
            self._rehearsed = True
            seen, agent = self._start(route, fields)
            seen.see(seen.alone(), np.zeros((0, 2), np.int64))
            agent.act()
        seen, agent = self._start(route, fields)
        print(f"{fields['save_name'] or 'route'} on {fields['town']}: {self._agent}", file=sys.stderr, flush=True)
        link.send("sensors", sensors=list(_SENSORS), world=True, map=False)
        while (message := link.receive()) is not None:
            kind, fields, arrays = message
            if kind == "end":
                return
            if kind != "step":
                raise AgentError(f"expected a step, got {kind!r}")
            seen.meet(fields["known"])
            seen.see(arrays["actors"], arrays["lights"])
            control = agent.act()[0]
            if not np.isfinite(control).all():
                raise AgentError(f"the agent's control is not finite: {control.tolist()}")
            link.send(
                "control",
                throttle=float(np.clip(control[THROTTLE], 0.0, 1.0)),
                brake=float(np.clip(control[BRAKE], 0.0, 1.0)),
                steer=float(np.clip(control[STEER], -1.0, 1.0)),
                hand_brake=False,
                reverse=False,
            )

    def _start(self, route: RouteBatch, fields: Mapping[str, Any]) -> tuple[SeenWorld, Agent]:
        """A fresh world and a fresh agent for a route."""
        seen = SeenWorld(route, oncoming_allowed="TwoWays" in fields["save_name"])
        agent = make_agent(self._agent)
        agent.bind(seen.batch)
        agent.reset(0, int(fields["seed"]))
        return seen, agent

    def _network(self, link: Link, fields: Mapping[str, Any]) -> RoadNetwork:
        digest = fields["map"]
        if digest not in self._networks:
            link.send("sensors", sensors=[], world=True, map=True)
            _, arrays = _expect(link, "map")
            text = arrays["opendrive"].tobytes().decode("utf-8")
            self._networks[digest] = load_town(text, fields["town"])
        return self._networks[digest]


def _lay_route(network: RoadNetwork, fields: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> RouteBatch:
    match = re.match(r"RouteScenario_(\w+?)_rep", fields["save_name"])
    points = plan_points(arrays["plan"][:, :3], arrays["plan_option"])
    route = Route(match[1] if match else "0", network.town, tuple(Location(*point) for point in points.tolist()))
    return prepare_routes(network, [route])


def plan_points(places: np.ndarray, options: np.ndarray) -> np.ndarray:
    """Points of a dense plan from which the same route can be laid: its ends, and some between, off lane changes.

    Args:
        places: float64[N, 3] metres, about 1 m apart.
        options: int64[N] RoadOption.
    """
    travelled = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(places, axis=0), axis=1))])
    changes = travelled[np.isin(options, (RoadOption.CHANGELANELEFT, RoadOption.CHANGELANERIGHT))]
    kept = [0]
    for i in range(1, len(places) - 1):
        far = travelled[i] - travelled[kept[-1]] >= _POINT_SPACING <= 2.0 * (travelled[-1] - travelled[i])
        if far and not (np.abs(changes - travelled[i]) < _LANE_CHANGE_ROOM).any():
            kept.append(i)
    return np.asarray(places[[*kept, len(places) - 1]])


def _expect(link: Link, kind: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    message = link.receive()
    if message is None:
        raise EOFError(f"closed before a message {kind!r}")
    if message[0] != kind:
        raise AgentError(f"expected a message {kind!r}, got {message[0]!r}")
    return message[1], message[2]


def _tell(link: Link, text: str) -> None:
    with contextlib.suppress(OSError):
        link.send("error", message=text)


def listen(host: Host, address: tuple[str, int]) -> None:
    """Serve for ever."""
    with socket.create_server(address) as server:
        print(json.dumps({"listening": server.getsockname()[:2]}), flush=True)
        while True:
            connection, _ = server.accept()
            link = Link(connection)
            try:
                host.serve(link)
            finally:
                link.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    about = (__doc__ or "").partition(":")[0]
    parser = argparse.ArgumentParser(prog="python -m agents.official_host", description=about)
    parser.add_argument("--agent", default="expert", metavar="NAME[:ARG]", help="see `run_eval.py list agents`")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, required=True, help="TCP port to listen on; 0 picks a free one")
    options = parser.parse_args(arguments)
    try:
        listen(Host(options.agent), (options.host, options.port))
    except RouteGymError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
