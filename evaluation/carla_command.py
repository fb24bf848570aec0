"""What `run --backend carla` does before the pool starts: options, a server asked who it is, the plan settled."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from envs.carla.names import carla_world_name
from envs.carla.options import CarlaOptions
from evaluation.options import RunOptions
from evaluation.summary import say
from evaluation.tasks import RunPlan
from simulator.densities import Ambient
from simulator.errors import EvaluationError, MissingMapError, SimulatorError

#: The driver of workers, as `module:function`.
CARLA_DRIVER = "evaluation.carla_drive:drive_route"

_STARTS = 2  # of a session


def server_options(options: RunOptions, folder: Path) -> CarlaOptions:
    """The backend's part of the command line; logs go to the run folder.

    Raises:
        EvaluationError: when it makes no sense.
    """
    chosen = options.world
    seconds = _seconds(chosen.carla_timeouts)
    if options.missing_maps == "corridor":
        raise EvaluationError("--missing-maps corridor: corridors are rebuilt in the embedded town, not in CARLA")
    try:
        found = CarlaOptions(
            address=chosen.carla,
            start=chosen.carla_start,
            stop=chosen.carla_stop,
            ports=chosen.carla_ports,
            lights=chosen.carla_lights,
            memory_gb=chosen.carla_memory,
            start_s=seconds[0],
            load_s=seconds[1],
            tick_s=seconds[2],
            log_folder=str((folder / "logs").resolve()),
        )
    except SimulatorError as error:
        raise EvaluationError(
            f"--backend carla: {error}; see --carla, --carla-start and docs/carla_backend.md"
        ) from None
    wanted = max(options.workers, chosen.servers)
    if found.address and wanted > len(found.addresses):
        raise EvaluationError(
            f"{wanted} workers need as many servers, --carla names {len(found.addresses)}; give several with commas"
        )
    return found


def silence(timeout: float, carla: CarlaOptions) -> float:
    """Seconds without progress after which a worker is hung: longer than any call that it may wait for."""
    return max(timeout, _STARTS * carla.start_s, 2.0 * carla.load_s, 2.0 * carla.tick_s + 5.0)


def settle_plan(options: RunOptions, plan: RunPlan, folder: Path, console: Console) -> RunPlan:
    """Ask a server who it is and which towns it has: a run that cannot work ends here, and results name their world.

    The question is put by a process of its own, with the server that the workers would use; a client library that
    crashes costs nothing.

    Raises:
        EvaluationError: when no server answers.
        MissingMapError: when towns are missing.
    """
    carla = server_options(options, folder)
    say(console, "asking the CARLA server which version and towns it has ...")
    facts = _ask(carla)
    towns = sorted({task.town for task in plan.tasks} - set(facts["towns"]))
    if towns and options.missing_maps == "error":
        raise MissingMapError(
            f"the CARLA server {facts['version']} has no {', '.join(towns)} (it has {', '.join(facts['towns'])}); "
            "leave these routes out with --missing-maps skip"
        )
    plan = plan.without_towns(towns)
    if not plan.tasks:
        raise EvaluationError(f"nothing to drive: the CARLA server has none of the towns {', '.join(towns)}")
    ambient = Ambient(options.pedestrians, options.parked_cars)
    world = carla_world_name(facts["version"], tuple(facts["towns"]), carla.lights, ambient)
    say(console, f"  {world}")
    return plan.in_world(world)


def _seconds(text: str) -> tuple[float, float, float]:
    with contextlib.suppress(ValueError):
        start, load, tick = (float(part) for part in text.split(","))
        return start, load, tick
    raise EvaluationError(f"--carla-timeouts {text}: three numbers of seconds are needed, such as 120,120,30")


def _ask(carla: CarlaOptions) -> dict:
    """What `evaluation.carla_facts` tells."""
    limit = _STARTS * carla.start_s + carla.load_s + 30.0
    search = os.pathsep.join(os.path.abspath(entry) for entry in sys.path if entry)
    process = subprocess.Popen(
        [sys.executable, "-m", "evaluation.carla_facts", json.dumps(dataclasses.asdict(carla))],
        env={**os.environ, "PYTHONPATH": search},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        text, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        raise EvaluationError(f"the CARLA server could not be asked within {limit:g} s") from None
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    lines = [line for line in text.decode("utf-8", "replace").splitlines() if line.startswith("{")]
    if not lines:
        code = process.returncode
        how = f"code {code}" if code >= 0 else signal.Signals(-code).name
        raise EvaluationError(f"the process that asked the CARLA server ended with {how}; its output above says why")
    facts = json.loads(lines[-1])
    if "error" in facts:
        raise EvaluationError(f"{facts['error']}; nothing was driven")
    return dict(facts)
