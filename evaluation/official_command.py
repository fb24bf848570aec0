"""`run_eval.py --official`: the official evaluator drives, RouteGym plans, watches, resumes, merges and reports."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from agents.registry import check_agent
from envs.carla.ports import reserve_block
from evaluation.cold_start import compile_kernels
from evaluation.ledger import Ledger
from evaluation.official_checkout import OfficialCheckout, open_checkout
from evaluation.official_pool import PORT_RANGE, OfficialAgent, OfficialPool, OfficialSetup
from evaluation.official_servers import Servers, choose_servers, start_once
from evaluation.options import RunOptions
from evaluation.runner import carry_out, earlier_reasons, record_events, run_folder, run_header
from evaluation.summary import say
from evaluation.tasks import RunPlan, plan_run
from leaderboard_adapters.comfort import METRIC_FOLDER
from simulator import WORLD
from simulator.errors import EvaluationError

FOLDER = "official"  # of a run folder: what the evaluators wrote, the script that starts servers, the agent file
SCORER = "bench2drive-official"

_AGENT_FILE = Path(__file__).resolve().parent.parent / "leaderboard_adapters" / "official_agent.py"


def run_official(options: RunOptions, command: str) -> int:
    """Carry out `run --official`; messages, results and exit codes as those of `runner.run`.

    Raises:
        RouteGymError: when the run cannot start or go on. What is finished stays in the ledger.
    """
    console = Console(stderr=True)
    chosen = options.evaluator
    _check_options(options)
    checkout = open_checkout(
        _needed(chosen.bench2drive_root),
        python=chosen.official_python,
        carla_root=chosen.carla_root,
        python_api=chosen.carla_python_api,
    )
    own_server = chosen.carla_root is None and not options.world.carla_start
    agent = options.agent if chosen.official_agent is None else _name_of(chosen.official_agent, chosen.agent_config)
    plan = plan_run(
        options.routes,
        agent=agent,
        seed=options.seed,
        repetitions=options.repetitions,
        route_ids=options.route_ids,
        maps=options.maps,
        missing_maps="skip" if options.missing_maps == "corridor" else options.missing_maps,
        maps_elsewhere=not own_server,
    )
    folder = run_folder(options, plan)
    files = (folder / FOLDER).resolve()
    servers = choose_servers(
        files / "launch",
        carla_version=checkout.carla_version,
        carla_root=chosen.carla_root,
        carla_start=options.world.carla_start,
        maps=options.maps,
    )
    scorer = f"{SCORER}/{checkout.fingerprint}"
    plan = plan.in_world(servers.world)
    header = {**run_header(options, plan), "agent": agent}
    header["versions"] = {**header["versions"], **_versions(checkout, scorer)}
    setup = OfficialSetup(
        checkout=checkout,
        servers=servers,
        agent=_agent(options, files),
        folder=files,
        save_path=(folder / METRIC_FOLDER).resolve(),
        scorer=scorer,
        gpus=tuple(part.strip() for part in chosen.gpus.split(",") if part.strip()),
        routes_per_start=chosen.routes_per_start,
        timeout_s=options.timeout,
    )

    def drive(ledger: Ledger) -> None:
        _drive(options, plan, setup, ledger, console, folder)

    return carry_out(options, command, plan, folder, header, console, drive)


def _drive(
    options: RunOptions, plan: RunPlan, setup: OfficialSetup, ledger: Ledger, console: Console, folder: Path
) -> None:
    attempts = ledger.attempts()
    last = {(attempt.route_id, attempt.repetition): attempt for attempt in attempts}
    done = {key: attempt for key, attempt in last.items() if attempt.driven}
    tasks = [task for task in plan.tasks if (task.route_id, task.repetition) not in done]
    servers = min(options.world.servers, max(len(tasks), 1))
    say(
        console,
        f"{plan.tasks[0].agent} on {plan.suite}, official evaluator {setup.scorer} on {setup.servers.world}: "
        f"{len(plan.tasks)} routes to drive, {servers} servers, results in {folder}",
    )
    if done:
        say(console, f"  {len(done)} are already driven and kept")
    if plan.skipped:
        towns = ", ".join(sorted({route.town for route in plan.skipped}))
        say(console, f"  {len(plan.skipped)} routes are left out, for want of the maps of {towns}")
    if not tasks:
        return
    if setup.agent.host:
        compile_kernels(console, folder / "logs")
    if setup.servers.world.startswith(WORLD):
        _prepare_server(setup.servers, console, folder / "logs")
    pool = OfficialPool(tasks, setup, servers, earlier_reasons(attempts))
    record_events(pool.events(), ledger, console, len(plan.tasks), [attempt.result for attempt in done.values()])


def _prepare_server(servers: Servers, console: Console, log_folder: Path) -> None:
    """Start our own server once if this version has never been up here: it compiles for longer than evaluators wait."""
    from simulator.kernel import compiled_folder  # brings Numba

    mark = Path(compiled_folder(1)) / "official-server"
    if mark.exists():
        return
    say(console, "the CARLA server is prepared, once per version: about a minute on two cores ...")
    lock = reserve_block(*PORT_RANGE)
    try:
        if start_once(servers, lock.port, log_folder / "server.log"):
            mark.touch()
        else:
            say(console, f"  it did not come up, see {log_folder / 'server.log'}")
    finally:
        lock.release()


def _agent(options: RunOptions, files: Path) -> OfficialAgent:
    chosen = options.evaluator
    if chosen.official_agent is not None:
        return OfficialAgent(chosen.official_agent.resolve(), chosen.agent_config, chosen.track)
    files.mkdir(parents=True, exist_ok=True)
    file = files / "agent" / "routegym_agent.py"  # alone in its folder, which the evaluator puts on its search path
    file.parent.mkdir(exist_ok=True)
    shutil.copyfile(_AGENT_FILE, file)
    host = (sys.executable, "-m", "agents.official_host", "--agent", options.agent, "--port", "{port}")
    return OfficialAgent(file, "127.0.0.1:{port}:{seed}", chosen.track, host)


def _versions(checkout: OfficialCheckout, scorer: str) -> dict[str, Any]:
    major, minor = checkout.python_version
    return {"scorer": scorer, "carla_client": checkout.carla_version, "official_python": f"{major}.{minor}"}


def _name_of(agent: Path, config: str) -> str:
    return f"official:{agent.name}" + (f":{config}" if config else "")


def _needed(root: Path | None) -> Path:
    if root is None:
        raise EvaluationError("--official needs --bench2drive-root, a checkout of Thinklab-SJTU/Bench2Drive")
    return root


def _check_options(options: RunOptions) -> None:
    chosen = options.evaluator
    for name, value in (
        ("servers", options.world.servers),
        ("routes-per-start", chosen.routes_per_start),
        ("timeout", options.timeout),
    ):
        if not value > 0:
            raise EvaluationError(f"--{name} {value}: must be above 0")
    if options.video != "none":
        raise EvaluationError("--video makes films from recordings, which the official evaluator does not keep")
    if options.pedestrians or options.parked_cars:
        raise EvaluationError("--pedestrians and --parked-cars are of RouteGym's own evaluator; leave them out")
    if chosen.official_agent is None:
        check_agent(options.agent)
    elif not chosen.official_agent.is_file():
        raise EvaluationError(f"--official-agent {chosen.official_agent}: no such file")
