"""Agent files of the CARLA leaderboard, driven in the embedded town: `--agent official:FILE[:CONFIG]`.

The file runs in a process of its own (`leaderboard_adapters.agent_child`), in any Python, so that its imports meet none
of ours. With a checkout of Bench2Drive its base class and helpers come from there, otherwise from a small package of
the same names (`leaderboard_adapters/compatible_leaderboard`).
"""

from __future__ import annotations

import math
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import leaderboard_adapters
from agents.base import BRAKE, STEER, THROTTLE, Agent
from envs.world import Rig, WorldBatch
from leaderboard_adapters import official_agent
from leaderboard_adapters.official_agent import Link, sensor_arrays
from scenarios.weather import weather_id
from simulator.errors import AgentError, SensorError
from simulator.roads.planner import SPAWN_RAISE_M
from simulator.sensors.geo import to_geo
from simulator.sensors.leaderboard_presets import check_leaderboard_rules
from simulator.sensors.specs import parse_sensors
from simulator.state import EGO, TICK_SECONDS

#: Settings of the process that runs agent files; `run_eval.py` sets them from its options.
PYTHON_VARIABLE = "ROUTEGYM_OFFICIAL_PYTHON"
ROOT_VARIABLE = "ROUTEGYM_BENCH2DRIVE_ROOT"
API_VARIABLE = "ROUTEGYM_CARLA_PYTHON_API"

_ADAPTERS = Path(leaderboard_adapters.__file__).resolve().parent
_CHILD = _ADAPTERS / "agent_child.py"
_COMPATIBLE = _ADAPTERS / "compatible_leaderboard"
_END_S = 10.0
_OURS = ("PYTHONPATH", "PYTHONHOME", "PYTHONSAFEPATH", "VIRTUAL_ENV")


@dataclass(frozen=True)
class AgentFile:
    """An agent file, its configuration, and what it runs in."""

    file: Path
    config: str = ""
    python: str = sys.executable
    root: Path | None = None  # checkout of Bench2Drive
    api: Path | None = None  # CARLA's PythonAPI/carla

    @classmethod
    def from_argument(cls, argument: str) -> AgentFile:
        """Of `FILE[:CONFIG]` and the environment variables above.

        Raises:
            AgentError: when there is no such file, or no such folder.
        """
        name, _, config = argument.partition(":")
        file = Path(name).expanduser()
        if file.suffix != ".py" or not file.is_file():
            raise AgentError(f"official:{argument}: there is no Python file {file}; write official:FILE.py[:CONFIG]")
        folders = {}
        for variable, inside in ((ROOT_VARIABLE, "leaderboard"), (API_VARIABLE, "agents")):
            text = os.environ.get(variable, "")
            folders[variable] = Path(text).resolve() if text else None
            if text and not (Path(text) / inside).is_dir():
                raise AgentError(f"{variable}={text}: there is no folder {inside} in it")
        python = os.environ.get(PYTHON_VARIABLE) or sys.executable
        return cls(file.resolve(), config, python, folders[ROOT_VARIABLE], folders[API_VARIABLE])

    def environment(self) -> dict[str, str]:
        """The whole environment of the process."""
        search = [] if self.api is None else [self.api]
        if self.root is not None:
            search += [self.root / name for name in ("leaderboard", "leaderboard/team_code", "scenario_runner")]
        search.append(_COMPATIBLE)
        kept = {name: value for name, value in os.environ.items() if name not in _OURS}
        return {
            **kept,
            "PYTHONPATH": os.pathsep.join(map(str, search)),
            "PYTHONUNBUFFERED": "1",
            "IS_BENCH2DRIVE": "True",
        }


class AgentProcess:
    """A running agent file: one process, one route after the other."""

    def __init__(self, agent: AgentFile) -> None:
        ours, theirs = socket.socketpair()
        command = [agent.python, str(_CHILD), str(theirs.fileno()), official_agent.__file__]
        try:
            self._process = subprocess.Popen(
                command,
                env=agent.environment(),
                cwd=agent.root or agent.file.parent,
                stdin=subprocess.DEVNULL,
                stdout=2,  # what it prints is no answer of the command's
                pass_fds=[theirs.fileno()],
            )
        except OSError as error:
            ours.close()
            raise AgentError(f"{agent.python} cannot be started ({error.strerror}); name a Python") from error
        finally:
            theirs.close()
        self._agent = agent
        self._link = Link(ours)

    def ask(self, kind: str, wanted: str, arrays: dict[str, np.ndarray] | None = None, **fields: Any) -> dict[str, Any]:
        """Send a message and return the answer's fields.

        Raises:
            AgentError: with the agent's exception, or when its process has ended.
        """
        try:
            self._link.send(kind, arrays, **fields)
            message = self._link.receive()
        except OSError:
            message = None
        if message is None:
            code = self._process.wait()
            how = f"exited with code {code}" if code >= 0 else f"was killed by signal {-code}"
            raise AgentError(f"the process of {self._agent.file.name} {how}")
        answer, found, _ = message
        if answer == "error":
            raise AgentError(str(found["message"]))
        if answer != wanted:
            raise AgentError(f"expected {wanted!r} from the process of {self._agent.file.name}, got {answer!r}")
        return dict(found)

    def close(self) -> None:
        """End the process."""
        self._link.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class AutonomousAgentFile(Agent):
    """Somebody's `AutonomousAgent` on the sensors of the embedded town. One process a world."""

    def __init__(self, argument: str = "") -> None:
        """`argument`: FILE[:CONFIG]."""
        self._file = AgentFile.from_argument(argument)
        self._processes: dict[int, AgentProcess] = {}
        self._rigs: dict[int, Rig] = {}

    def bind(self, batch: WorldBatch) -> None:
        super().bind(batch)
        self._controls = np.zeros((batch.num_worlds, 3))

    def reset(self, index: int, seed: int) -> None:
        """Set the agent up for the route of world `index`, and check its sensors.

        Raises:
            AgentError: when it cannot be set up, or the leaderboard would reject its sensors.
        """
        self._end_route(index)
        if index not in self._processes:
            self._processes[index] = AgentProcess(self._file)
        network, world = self.batch.routes.network, self.batch.worlds[index]
        plan = self._plan(index)
        answer = self._processes[index].ask(
            "begin",
            "sensors",
            {**plan, "opendrive": np.frombuffer(network.xodr.encode(), np.uint8)},
            file=str(self._file.file),
            config=f"{self._file.config}+{self._save_name(index)}",
            town=network.town,
            ego=_ego_state(world),
        )
        track = answer["track"]
        try:
            specs = parse_sensors(answer["sensors"])
            check_leaderboard_rules(specs, track)
        except SensorError as error:
            raise AgentError(f"the leaderboard would reject the sensors of {self._file.file.name}: {error}") from error
        self._rigs[index] = self.batch.sensor_rig(specs, index)
        self._controls[index] = 0.0

    def act(self) -> np.ndarray:
        for index, rig in self._rigs.items():
            world = self.batch.worlds[index]
            if self.batch.criteria["finished"][index]:
                continue
            arrays, values = sensor_arrays(rig.read())
            tick = int(world["tick"]) + 1
            answer = self._processes[index].ask(
                "step",
                "control",
                arrays,
                step=tick,
                time=tick * TICK_SECONDS,
                sensors=values,
                ego=_ego_state(world),
            )
            self._controls[index, THROTTLE] = min(max(answer["throttle"], 0.0), 1.0)
            self._controls[index, BRAKE] = min(max(answer["brake"], 0.0), 1.0)
            self._controls[index, STEER] = min(max(answer["steer"], -1.0), 1.0)
        return self._controls

    def close(self) -> None:
        """Let the agents clean up, and end their processes."""
        for index in list(self._processes):
            self._end_route(index)
        while self._processes:
            self._processes.popitem()[1].close()

    def _end_route(self, index: int) -> None:
        """`destroy`; what goes wrong there is printed by the child, and changes nothing."""
        if self._rigs.pop(index, None) is not None:
            try:
                self._processes[index].ask("end", "done")
            except AgentError:
                self._processes.pop(index).close()

    def _plan(self, index: int) -> dict[str, np.ndarray]:
        """The dense plan of a world's route, in the units of the leaderboard."""
        trace = self.batch.routes.routes[int(self.batch.worlds["route"][index])].trace
        lat0, lon0, *_ = self.batch.routes.network.geo_reference
        places = np.stack([trace.x, trace.y, trace.z, np.degrees(trace.pitch), np.degrees(trace.yaw)], axis=1)
        gps = np.array([[*to_geo(lat0, lon0, x, y), z] for x, y, z in places[:, :3].tolist()])
        places[0, 2] += SPAWN_RAISE_M
        return {"plan": places, "plan_option": trace.option.astype(np.int64), "plan_gps": gps}

    def _save_name(self, index: int) -> str:
        route = self.batch.routes.routes[int(self.batch.worlds["route"][index])].route
        scenario = route.scenarios[0].name if route.scenarios else "none"
        return f"{route.name}_rep0_{route.town}_{scenario}_{weather_id(route)}"


def _ego_state(w: np.void) -> list[float]:
    """x, y, z (m), roll, pitch, yaw (deg), vx, vy (m/s), ax, ay (m/s2), yaw rate (deg/s), speed (m/s)."""
    values: Sequence[float] = (
        *(w["x"][EGO], w["y"][EGO], w["z"][EGO]),
        *(0.0, math.degrees(w["pitch"][EGO]), math.degrees(w["yaw"][EGO])),
        *(w["vx"][EGO], w["vy"][EGO], w["ax"][EGO], w["ay"][EGO]),
        *(math.degrees(w["yaw_rate"][EGO]), w["speed"][EGO]),
    )
    return [float(value) for value in values]
