"""A driver that does to its worker what real ones do on a bad day; the agent's argument says what, by route id.

The agent is written as `fake:<deed>@<route id>,...`, such as `fake:kill@3,hang@5`. Routes without a deed are driven to
their end. Deeds marked `once-` spoil the first attempt only, told by a mark file in the folder `ROUTEGYM_FAKE_MARKS`.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from evaluation.tasks import RouteTask
from leaderboard_adapters.records import Infraction, RouteResult
from simulator.errors import AgentError, RouteError, SimulatorStartError

NAME = "fake_drive:drive_route"


def drive_route(task: RouteTask, on_progress: Callable[[int, float], None]) -> RouteResult:
    """Drive nothing, and report a result that depends on the task alone."""
    deed = _deed(task)
    on_progress(1, 0.5)
    score = 100.0
    if deed == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif deed == "hang":
        threading.Event().wait()
    elif deed == "exit":
        os._exit(7)
    elif deed == "node":
        _lose_the_node()
    elif deed == "refuse":
        raise RouteError(f"route {task.route_id}: position 1 is 12.0 m off the road; move it onto a lane")
    elif deed == "simulator":
        raise SimulatorStartError("the server is gone")
    elif deed == "agent":
        raise AgentError("weights.pt: no such file")
    elif deed == "bug":
        raise ZeroDivisionError("a bug")
    elif deed == "nan":
        score = float("nan")
    elif deed == "bump":
        score = 60.0
    elif deed == "chatter":
        print("a print from an agent")
    bumped = deed == "bump"
    infractions = (Infraction("collisions_vehicle", "Agent collided against object", tick=40),) if bumped else ()
    return RouteResult(
        route_id=task.record_id,
        scenario_name=task.scenario_name,
        scenario_type=task.scenario_type,
        town=task.town,
        weather_id="7",
        save_name=f"{task.record_id}_{task.town}_{task.scenario_name}_7",
        status="Completed" if bumped else "Perfect",
        infractions=infractions,
        score_route=100.0,
        score_penalty=score / 100.0,
        score_composed=score,
        route_length=100.0 + int(task.route_id),
        duration_game=20.0,
        duration_system=1.0,
        index=task.index,
        num_ticks=400,
        seed=task.seed,
        agent=task.agent,
        suite=task.suite,
        synthetic=task.synthetic,
        comfort=0.5,
        comfort_corrected=0.75,
        first_junction=(20, 100),
        scenarios_missing=(task.scenario_name,) if deed == "without" else (),
    )


def _lose_the_node() -> None:
    """Kill the Ray node where this is driven. On the node `ROUTEGYM_FAKE_HEAD`, wait until another one has died so."""
    import ray

    mark = Path(os.environ["ROUTEGYM_FAKE_MARKS"]) / "node"
    if ray.get_runtime_context().get_node_id() == os.environ["ROUTEGYM_FAKE_HEAD"]:
        while not mark.exists():
            time.sleep(0.05)
        return
    mark.touch()
    os.kill(os.getppid(), signal.SIGKILL)
    threading.Event().wait()


def _deed(task: RouteTask) -> str:
    for entry in task.agent.partition(":")[2].split(","):
        deed, _, route_id = entry.partition("@")
        if route_id != task.route_id:
            continue
        if not deed.startswith("once-"):
            return deed
        mark = Path(os.environ["ROUTEGYM_FAKE_MARKS"]) / task.record_id
        if not mark.exists():
            mark.touch()
            return deed.removeprefix("once-")
    return ""
