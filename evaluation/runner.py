"""`run_eval.py run`: plan, drive on the pool, keep the ledger, export, print."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import shlex
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.console import Console

from agents.registry import check_agent
from evaluation.cold_start import compile_kernels
from evaluation.ledger import LEDGER_NAME, Attempt, Ledger
from evaluation.options import EXIT_BELOW, EXIT_INCOMPLETE, EXIT_INTERRUPTED, EXIT_OK, RunOptions
from evaluation.pool import DRIVER, Pool, PoolEvent, RouteEnded, Start
from evaluation.progress import progress_view
from evaluation.run_folder import export
from evaluation.summary import print_summary, say, summary_document
from evaluation.tasks import NEVER_DRIVEN, RunPlan, plan_run
from evaluation.worker_process import start_process
from leaderboard_adapters.comfort import METRIC_FOLDER
from leaderboard_adapters.recordings import FOLDER as RECORDINGS
from leaderboard_adapters.records import RouteResult
from leaderboard_adapters.scores import SCORER
from simulator.errors import EvaluationError

RESULTS = Path("results")


def run(options: RunOptions, command: str, *, driver: str = DRIVER) -> int:
    """Carry out `run`; tables and progress go to standard error, with `--json` one object to standard output.

    Args:
        options: of the command line.
        command: the command line itself, to tell how to resume.
        driver: `module:function` that drives a route, see `evaluation.worker.Driver`.

    Returns:
        An exit code of `evaluation.options`.

    Raises:
        RouteGymError: when the run cannot start or go on. What is finished stays in the ledger.
    """
    if options.scale.ray and (options.evaluator.official or options.world.backend == "carla"):
        raise EvaluationError("--ray spreads drives in the embedded town; leave out --official and --backend carla")
    if options.evaluator.official:
        from evaluation.official_command import run_official

        return run_official(options, command)
    console = Console(stderr=True)
    _check_options(options)
    on_carla = options.world.backend == "carla"
    if driver == DRIVER:
        check_agent(options.agent)
        _settle_agent_files(options)
    plan = plan_run(
        options.routes,
        agent=options.agent,
        seed=options.seed,
        repetitions=options.repetitions,
        route_ids=options.route_ids,
        maps=options.maps,
        missing_maps=options.missing_maps,
        pedestrians=options.pedestrians,
        parked_cars=options.parked_cars,
        maps_elsewhere=on_carla,
    )
    folder = run_folder(options, plan)
    if on_carla:
        from evaluation.carla_command import CARLA_DRIVER, settle_plan

        plan, driver = settle_plan(options, plan, folder, console), CARLA_DRIVER

    def drive(ledger: Ledger) -> None:
        _drive(options, plan, ledger, console, folder, driver)

    return carry_out(options, command, plan, folder, run_header(options, plan), console, drive)


def carry_out(
    options: RunOptions,
    command: str,
    plan: RunPlan,
    folder: Path,
    header: dict[str, Any],
    console: Console,
    drive: Callable[[Ledger], None],
) -> int:
    """Let `drive` fill the ledger of a run folder, then export and tell its results; as `run`."""
    with Ledger(folder) as ledger:
        ledger.start(header)
        try:
            drive(ledger)
        except KeyboardInterrupt:  # or the pool's `Interrupted`, which is one
            results = final_results(plan, ledger)
            if results:
                _export(folder, plan, header, results)
            _say_how_to_resume(console, command, len(results), len(plan.tasks))
            return EXIT_INTERRUPTED
        results = final_results(plan, ledger)
        document = _export(folder, plan, header, results)
    _conclude(console, folder, plan, results)
    if options.video != "none" and not _film(options, console, folder, results):
        return EXIT_INTERRUPTED
    if options.json:
        print(json.dumps(document, allow_nan=False), flush=True)
    if any(result.status in NEVER_DRIVEN for result in results):
        return EXIT_INCOMPLETE
    if options.fail_under is not None and document["driving_score"] < options.fail_under:
        return EXIT_BELOW
    return EXIT_OK


def run_folder(options: RunOptions, plan: RunPlan) -> Path:
    """The run folder: `--out`, or one under results/ named after suite, agent and seed.

    Without `--out`, a new run takes the first free of `<name>`, `<name>-2`, ..., and `--resume` the last that exists.

    Raises:
        EvaluationError: when `--out` already holds a run and `--resume` is not given.
    """
    if options.out is not None:
        if not options.resume and (options.out / LEDGER_NAME).exists():
            raise EvaluationError(
                f"{options.out} already holds a run; continue it with --resume, or choose another folder with --out"
            )
        return options.out
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", f"{plan.suite}-{options.agent}-{options.seed}")
    candidates = [RESULTS / name]
    while (candidates[-1] / LEDGER_NAME).exists():
        candidates.append(RESULTS / f"{name}-{len(candidates) + 1}")
    return candidates[-2] if options.resume and len(candidates) > 1 else candidates[-1]


def run_header(options: RunOptions, plan: RunPlan) -> dict[str, Any]:
    """What is known of a run before it starts: what decides its results (`ledger.IDENTITY`), and its options."""
    return {
        "suite": plan.suite,
        "route_file_digest": plan.route_file_digest,
        "suite_routes": plan.suite_routes,
        "routes": plan.route_ids,
        "scenario_types": {task.route_id: task.scenario_type for task in plan.tasks},
        "synthetic_routes": [task.route_id for task in plan.tasks if task.synthetic and not task.repetition],
        "skipped_routes": [dataclasses.asdict(route) for route in plan.skipped],
        "repetitions": options.repetitions,
        "agent": options.agent + (" in real time" if options.realtime else ""),
        "seed": options.seed,
        "towns": plan.towns,
        "versions": {"routegym": metadata.version("routegym"), "world": plan.tasks[0].world, "scorer": SCORER},
        "options": {name: value if value is None else str(value) for name, value in vars(options).items()},
    }


def final_results(plan: RunPlan, ledger: Ledger) -> list[RouteResult]:
    """The result that counts of every attempt that has one, in the order of the plan, whatever order they ended in."""
    last = ledger.last_attempts()
    keys = [(task.route_id, task.repetition) for task in plan.tasks]
    return [dataclasses.replace(last[key].result, index=i) for i, key in enumerate(keys) if key in last]


def _settle_agent_files(options: RunOptions) -> None:
    """Tell the workers what `--agent official:FILE` runs in, and refuse now what cannot be started."""
    name, _, argument = options.agent.partition(":")
    if name != "official":
        return
    from agents.autonomous import API_VARIABLE, PYTHON_VARIABLE, ROOT_VARIABLE, AgentFile  # brings the sensors

    chosen = options.evaluator
    for variable, value in (
        (PYTHON_VARIABLE, chosen.official_python),
        (ROOT_VARIABLE, chosen.bench2drive_root),
        (API_VARIABLE, chosen.carla_python_api),
    ):
        if value:
            os.environ[variable] = str(Path(value).absolute() if isinstance(value, Path) else value)
    AgentFile.from_argument(argument)


def _check_options(options: RunOptions) -> None:
    for name, value in (("workers", options.workers), ("timeout", options.timeout)):
        if not value > 0:
            raise EvaluationError(f"--{name} {value}: must be above 0")
    if options.video != "none" and options.no_recordings:
        raise EvaluationError("--video makes films from recordings; leave out --no-recordings")


def _drive(options: RunOptions, plan: RunPlan, ledger: Ledger, console: Console, folder: Path, driver: str) -> None:
    """Drive what the ledger lacks."""
    attempts = ledger.attempts()
    last = {(attempt.route_id, attempt.repetition): attempt for attempt in attempts}
    done = {key: attempt for key, attempt in last.items() if attempt.driven}
    logged = str((folder / METRIC_FOLDER).resolve()) if options.metric_info else ""
    recordings = "" if options.no_recordings else str((folder / RECORDINGS).resolve())
    tasks = [
        dataclasses.replace(task, metric_info=logged, recordings=recordings, realtime=options.realtime)
        for task in plan.tasks
        if (task.route_id, task.repetition) not in done
    ]
    say(console, _opening(options, plan, len(done), folder))
    if not tasks:
        return
    carla = None
    if options.world.backend == "carla":
        from evaluation.carla_command import server_options, silence

        carla = server_options(options, folder)
        tasks = [dataclasses.replace(task, carla=dataclasses.asdict(carla)) for task in tasks]
    if driver == DRIVER or carla:
        compile_kernels(console, folder / "logs")
    with _starter(options, plan, folder) as start:
        pool = Pool(
            tasks,
            workers=max(options.workers, options.world.servers if carla else 1),
            driver=driver,
            timeout_s=silence(options.timeout, carla) if carla else options.timeout,
            memory_gb=options.world.carla_memory if carla else 0.0,
            earlier=earlier_reasons(attempts),
            log_folder=folder / "logs",
            start=start,
        )
        record_events(pool.events(), ledger, console, len(plan.tasks), [attempt.result for attempt in done.values()])


@contextlib.contextmanager
def _starter(options: RunOptions, plan: RunPlan, folder: Path) -> Iterator[Start]:
    """What starts workers: processes here, or on a Ray cluster."""
    if not options.scale.ray:
        yield start_process
        return
    from evaluation.ray_workers import ray_cluster

    needs = [folder.resolve(), plan.route_file, *([options.maps.resolve()] if options.maps else [])]
    with ray_cluster(options.scale.ray, gpus=options.scale.ray_gpus, needs=needs) as start:
        yield start


def record_events(
    events: Generator[PoolEvent, None, None],
    ledger: Ledger,
    console: Console,
    total: int,
    done: Iterable[RouteResult],
) -> None:
    """Put what a pool tells into the ledger and on the screen. `done`: results that are there, of `total` in all."""
    with progress_view(console, total, done) as view, contextlib.closing(events):
        for event in events:
            if isinstance(event, RouteEnded):
                ledger.add(event.attempt)
            view.show(event)


def _opening(options: RunOptions, plan: RunPlan, done: int, folder: Path) -> str:
    lines = [f"{options.agent} on {plan.suite}: {len(plan.tasks)} routes to drive, results in {folder}"]
    if options.repetitions > 1:
        lines[0] = lines[0].replace("routes to drive", f"drives ({options.repetitions} of each route)")
    if done:
        lines.append(f"  {done} are already driven and kept")
    if plan.skipped:
        towns = ", ".join(sorted({route.town for route in plan.skipped}))
        lines.append(f"  {len(plan.skipped)} routes are left out, for want of the maps of {towns}")
    synthetic = sum(task.synthetic for task in plan.tasks)
    if synthetic:
        lines.append(f"  {synthetic} on synthetic corridors, for want of their maps")
    return "\n".join(lines)


def earlier_reasons(attempts: Sequence[Attempt]) -> dict[str, list[str]]:
    """Why attempts failed, by record id, '' for those that did not."""
    reasons: dict[str, list[str]] = {}
    for attempt in attempts:
        reasons.setdefault(attempt.result.route_id, []).append(attempt.reason)
    return reasons


def _export(folder: Path, plan: RunPlan, header: dict[str, Any], results: Sequence[RouteResult]) -> dict[str, Any]:
    """Write the files of the run folder; returns what stands in summary.json."""
    told = {name: value for name, value in header.items() if name not in ("scenario_types", "synthetic_routes")}
    planned = {"out": str(folder), "planned": len(plan.tasks), "complete": len(results) == len(plan.tasks)}
    document = summary_document({**told, **planned}, results)
    export(folder, header, results, document)
    return document


def _film(options: RunOptions, console: Console, folder: Path, results: Sequence[RouteResult]) -> bool:
    """Films of the routes that have none yet; whatever goes wrong costs films only. False when interrupted."""
    from evaluation.video_command import film

    wanted = [result for result in results if options.video == "all" or not result.success]
    maps = str(options.maps.resolve()) if options.maps else ""
    try:
        film(console, folder, wanted, maps=maps, route_file=options.routes, workers=options.workers)
    except EvaluationError as error:
        say(console, f"no videos: {error}")
    except KeyboardInterrupt:
        say(console, f"no more videos: interrupted. All results are there; run_eval.py video {folder} makes the rest")
        return False
    return True


def _say_how_to_resume(console: Console, command: str, done: int, planned: int) -> None:
    resume = command if "--resume" in command.split() else f"{command} --resume"
    text = f"Interrupted with {done} of {planned} routes done. Continue with\n  {resume}"
    say(console, text)


def _conclude(console: Console, folder: Path, plan: RunPlan, results: Sequence[RouteResult]) -> None:
    print_summary(console, f"{plan.tasks[0].agent} on {plan.suite}", results)
    crashed = [result for result in results if result.status in NEVER_DRIVEN]
    for result in crashed[:10]:
        say(console, f"  {result.route_id}: {result.status}: {result.notes[-1]}")
    if len(crashed) > 10:
        say(console, f"  ... and {len(crashed) - 10} more; see summary.json")
    noted = [result for result in results if result.notes and result not in crashed]
    if noted:
        say(console, f"routes with notes: {len(noted)}, see summary.json; the first: {noted[0].notes[0]}")
    names = sorted(path.name for path in folder.glob("*.json"))
    say(console, f"results in {folder}: {', '.join(names)}, {LEDGER_NAME}, logs")
    say(console, f"  full score sheet: python run_eval.py report {shlex.quote(str(folder))}")
    say(console, f"  what happened on a route: python run_eval.py show {shlex.quote(str(folder))} --route ID")
