"""The command line of `run_eval.py`: one frozen dataclass a subcommand, a sentence under every field."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from simulator.ray_cluster import with_address

_COMMANDS = ("run", "report", "show", "video", "drive", "list", "routes")

EXIT_OK = 0
EXIT_BELOW = 1
EXIT_INPUT = 2
EXIT_INCOMPLETE = 3
EXIT_INTERRUPTED = 130

_EPILOGUE = """\
exit codes:
  0    done
  1    the driving score is below --fail-under
  2    wrong options or input, nothing was driven
  3    some routes crashed or could not be driven
  130  interrupted; continue with --resume

documentation: docs/evaluation.md
"""


@dataclass(frozen=True)
class OfficialOptions:
    """The official evaluator, run from the user's own copy (docs/official.md)."""

    official: bool = False
    """Drive with the official Bench2Drive evaluator, unmodified, instead of RouteGym's own."""

    bench2drive_root: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Checkout of Bench2Drive: the folder with leaderboard and scenario_runner."""

    official_python: Annotated[str, tyro.conf.arg(metavar="PY")] = ""
    """Python for the official code, such as a virtual environment's bin/python. Default: this one."""

    carla_root: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """CARLA installation whose server is started. Without it, and without --carla-start, RouteGym's own server is."""

    carla_python_api: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """CARLA's PythonAPI/carla, which holds the package `agents`. Default: that of --carla-root."""

    official_agent: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Agent file for the official evaluator. Without it, --agent drives, through RouteGym's official_agent.py."""

    agent_config: Annotated[str, tyro.conf.arg(metavar="TEXT")] = ""
    """What --official-agent gets as its configuration."""

    track: Literal["SENSORS", "MAP", "SENSORS_QUALIFIER", "MAP_QUALIFIER"] = "SENSORS"
    """Track of the official evaluation."""

    gpus: Annotated[str, tyro.conf.arg(metavar="IDS")] = ""
    """GPUs such as 0,1,3, which the servers and agents get in turn. Default: no choice is made."""

    routes_per_start: int = 20
    """Routes that an evaluator drives before it and its server are started afresh."""


@dataclass(frozen=True)
class BackendOptions:
    """The world to drive in (docs/carla_backend.md)."""

    backend: Literal["embedded", "carla"] = "embedded"
    """Drive in the embedded town, or on CARLA servers."""

    carla: Annotated[str, tyro.conf.arg(metavar="HOST:PORT")] = ""
    """CARLA server that is running already; several with commas between them."""

    carla_start: Annotated[str, tyro.conf.arg(metavar="CMD")] = ""
    """Shell command that starts a CARLA server, with {port} in it. Each worker starts its own; so does each official
    evaluator, which has {gpu} too."""

    carla_stop: Annotated[str, tyro.conf.arg(metavar="CMD")] = ""
    """Shell command to run when a started server has been ended, with {port} in it; containers need one."""

    carla_ports: Annotated[str, tyro.conf.arg(metavar="FIRST-LAST")] = "10000-19999"
    """Ports for started servers, each takes a block of 8."""

    carla_lights: Literal["routegym", "server"] = "routegym"
    """Whose traffic lights: RouteGym's, or those of the server as they run there. Another world in results."""

    carla_memory: Annotated[float, tyro.conf.arg(metavar="GB")] = 0.0
    """Resident memory of a server or worker from which it is replaced between two routes; 0: never."""

    carla_timeouts: Annotated[str, tyro.conf.arg(metavar="START,LOAD,TICK")] = "120,120,30"
    """Seconds for a server to come up, to load a town, and for any other call, such as a tick."""

    servers: int = 1
    """CARLA servers side by side; as --workers, of which each has one. With --official, each has an evaluator."""


@dataclass(frozen=True)
class ScaleOptions:
    """More than one machine (docs/scale.md)."""

    ray: Annotated[str, tyro.conf.arg(metavar="[ADDRESS]")] = ""
    """Spread --workers over a Ray cluster: HOST:PORT of its head. Without an address: the cluster in RAY_ADDRESS or of
    this machine, or else one that is started here for this run."""

    ray_gpus: Annotated[float, tyro.conf.arg(metavar="SHARE")] = 0.0
    """GPUs that each worker on Ray claims, such as 0.25; with 0 it sees none."""


@dataclass(frozen=True)
class RunOptions:
    """Drive an agent closed-loop over the routes of a file and score it like the leaderboard."""

    routes: Annotated[str, tyro.conf.arg(metavar="FILE|NAME")] = "smoke"
    """Route file in the Leaderboard / Bench2Drive format, or the name of a built-in suite (see `list routes`)."""

    maps: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder with the OpenDRIVE maps (.xodr) of the towns. The built-in towns need none."""

    agent: Annotated[str, tyro.conf.arg(metavar="NAME[:ARG]")] = "expert"
    """NAME or NAME:ARG of the agent (see `list agents`)."""

    seed: int = 0
    """Seed of traffic and agent. Repetition k is driven with seed + k."""

    repetitions: int = 1
    """How often each route is driven."""

    workers: int = 1
    """Processes that drive routes side by side. The results do not depend on it."""

    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Run folder. Default: results/<suite>-<agent>-<seed>, or the first of -2, -3, ... that is free."""

    resume: bool = False
    """Continue the run in the run folder: driven routes are kept, missing and crashed ones are driven."""

    route_ids: Annotated[str, tyro.conf.arg(metavar="IDS")] = ""
    """Only these routes, such as 1711,2509-2513. A range follows the order of the file."""

    fail_under: Annotated[float | None, tyro.conf.arg(metavar="DS")] = None
    """Exit with code 1 when the driving score (0..100) is below this."""

    missing_maps: Literal["error", "skip", "corridor"] = "error"
    """Routes of towns without a map: refuse to start, leave them out, or drive them on a corridor rebuilt from the
    route, labelled synthetic in every result."""

    metric_info: bool = False
    """Write the motion of each route to <run folder>/metric_info/<save_name>/metric_info.json, which the official
    efficiency and smoothness script reads."""

    pedestrians: float = 0.0
    """Density of pedestrians on sidewalks and crossings, 0 (as in Bench2Drive) to 1. Another density is another world:
    its results are not compared."""

    parked_cars: float = 0.0
    """Share of the parking places along the roads that are taken, 0 (as in Bench2Drive) to 1. Also another world."""

    realtime: bool = False
    """Decisions of a policy come into effect as many ticks late as it took to make them on this machine. Results then
    depend on the machine, and are those of another agent."""

    no_recordings: bool = False
    """Keep no recordings of the driven routes, which pictures and replays are made from (docs/recordings.md)."""

    video: Literal["none", "all", "failed"] = "none"
    """Make a film of every driven route, or of those without success, once all are driven."""

    timeout: float = 600.0
    """Seconds without progress after which a worker counts as hung and is replaced."""

    json: bool = False
    """Print the scores as one JSON object, the last line of standard output."""

    world: BackendOptions = BackendOptions()
    """The world to drive in."""

    evaluator: OfficialOptions = OfficialOptions()
    """The official evaluator."""

    scale: ScaleOptions = ScaleOptions()
    """More than one machine."""


@dataclass(frozen=True)
class ReportOptions:
    """Score run folders, and official result files of anyone: merged files, shards, one file a route, or folders."""

    paths: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Run folders, result files, or folders of them."""

    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder to write the score sheet to, as report.json and report.md."""

    html: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder to write the report to as web pages, which need no network: index.html, a page a route, its videos."""

    routes: Annotated[str, tyro.conf.arg(metavar="FILE|NAME")] = ""
    """Route file or built-in suite that the results belong to; its routes without a result count as 0."""

    maps: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder with the OpenDRIVE maps of the towns: with --routes for the official Traffic_Signs rule on results of
    others (RouteGym's own need none), with --html for the maps of the route pages (the run's own folder without it)."""

    total: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Number of routes to divide by, where neither a route file nor the run tells. Default: 220, or 10 for results of
    Dev10."""

    json: bool = False
    """Print the score sheet as one JSON object on standard output."""


@dataclass(frozen=True)
class ListOptions:
    """Show what can be named on the command line."""

    what: Annotated[Literal["routes", "scenarios", "agents", "towns"], tyro.conf.Positional]
    """What to list."""

    routes: Annotated[str, tyro.conf.arg(metavar="FILE|NAME")] = ""
    """With `list routes`: the route file or suite whose routes to list."""

    maps: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """With `list towns`: folder with further maps."""


@dataclass(frozen=True)
class ShowOptions:
    """Tell what happened on a route and why it failed, or which routes went worst."""

    path: Annotated[Path, tyro.conf.Positional]
    """Run folder, result file, or folder of result files."""

    route: Annotated[str, tyro.conf.arg(metavar="ID")] = ""
    """Route to tell of, such as 1711. Without it, the worst routes are listed."""

    repetition: Annotated[int | None, tyro.conf.arg(metavar="K")] = None
    """Which repetition of the route; all without it."""

    json: bool = False
    """Print one JSON value on standard output: an object for the route (a list for several repetitions), or the list of
    all routes, worst first."""


@dataclass(frozen=True)
class VideoOptions:
    """Make films (MP4, H.264) of recorded routes of a run folder."""

    run: Annotated[Path, tyro.conf.Positional]
    """Run folder with recordings."""

    route: Annotated[str, tyro.conf.arg(metavar="ID")] = ""
    """Route to film, such as 1711; all routes without it."""

    repetition: Annotated[int | None, tyro.conf.arg(metavar="K")] = None
    """Which repetition of the routes; all without it."""

    failed: bool = False
    """Only routes without success."""

    view: Annotated[str, tyro.conf.arg(metavar="VIEW")] = "chase"
    """Where the camera stands: chase (behind the ego), front, or above."""

    fps: int = 10
    """Frames a second, 10 or 20."""

    size: Annotated[str, tyro.conf.arg(metavar="WxH")] = "960x540"
    """Pixels of a frame."""

    codec: str = "libx264"
    """Codec of the video, a name that FFmpeg has. Browsers play what libx264 makes."""

    maps: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder with the OpenDRIVE maps of the towns; the folder of the run without it."""

    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder to write to. Default: videos in the run folder, where reports look for them."""

    workers: int = 1
    """Films that are made side by side."""


@dataclass(frozen=True)
class DriveOptions:
    """Drive a route by hand, in a window.

    Arrow keys or WASD drive, space is the hand brake, Q reverse, TAB changes the view, P pauses, R resets, ESC quits.
    """

    routes: Annotated[str, tyro.conf.arg(metavar="FILE|NAME")] = "smoke"
    """Route file or built-in suite."""

    route_id: Annotated[str, tyro.conf.arg(metavar="ID")] = ""
    """Route to drive; the first of the file without it."""

    maps: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder with the OpenDRIVE maps of the towns."""

    seed: int = 0
    """Seed of the traffic."""

    view: Annotated[str, tyro.conf.arg(metavar="VIEW")] = "chase"
    """Where the camera stands at first: chase, front, or above."""

    size: Annotated[str, tyro.conf.arg(metavar="WxH")] = "960x540"
    """Pixels of the window."""

    pedestrians: float = 0.0
    """Density of pedestrians, 0 to 1."""

    parked_cars: float = 0.0
    """Share of the parking places that are taken, 0 to 1."""

    ticks: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """End after so many ticks of 0.05 s."""


@dataclass(frozen=True)
class MakeRoutesOptions:
    """Write a route file for a town: every scenario type laid where the town has room for it."""

    town: Annotated[str, tyro.conf.arg(metavar="NAME")]
    """Town to lay routes on: MiniTown, or one with a map in --maps (see `list towns`)."""

    out: Annotated[Path, tyro.conf.arg(metavar="FILE")]
    """Route file to write."""

    maps: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder with the OpenDRIVE maps (.xodr) of the towns. The built-in towns need none."""

    types: Annotated[str, tyro.conf.arg(metavar="A,B")] = ""
    """Scenario types, such as ParkedObstacle,HighwayCutIn (see `list scenarios`). Default: all of Bench2Drive."""

    per_type: int = 5
    """Routes of each type, as far as there is room."""

    seed: int = 0
    """Seed of places, parameters and weather: the same seed gives the same file."""

    first_id: int = 1
    """Id of the first route; the others count on."""

    json: bool = False
    """Print what was made and left out as one JSON object on standard output."""


@dataclass(frozen=True)
class CheckRoutesOptions:
    """Tell of a route file which routes can be traced, and which scenarios are placed, adapted or impossible."""

    file: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="FILE|NAME")]
    """Route file in the Leaderboard / Bench2Drive format, or the name of a built-in suite."""

    maps: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder with the OpenDRIVE maps (.xodr) of the towns. Without a map, only types and parameters are checked."""

    all: bool = False
    """Also list the scenarios that are placed as they are."""

    json: bool = False
    """Print one JSON list, an object for each route, on standard output."""


@dataclass(frozen=True)
class RoutesOptions:
    """Make a route file for a town (`routes make`), or check one (`routes check`)."""

    command: (
        Annotated[MakeRoutesOptions, tyro.conf.subcommand("make", prefix_name=False)]
        | Annotated[CheckRoutesOptions, tyro.conf.subcommand("check", prefix_name=False)]
    )


Options = RunOptions | ReportOptions | ShowOptions | VideoOptions | DriveOptions | ListOptions | RoutesOptions


def parse_options(arguments: Sequence[str]) -> Options:
    """Options of a command line; `run` is the subcommand when none is given.

    Raises:
        SystemExit: after --help (code 0) or for wrong usage (code 2), with the message printed.
    """
    arguments = list(arguments)
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help")):
        arguments.insert(0, "run")
    elif not arguments[0].startswith("-") and arguments[0] not in _COMMANDS:
        print(f"error: '{arguments[0]}' is no command; commands: {', '.join(_COMMANDS)}", file=sys.stderr)
        raise SystemExit(EXIT_INPUT)
    arguments = with_address(arguments)
    subcommands = (
        Annotated[RunOptions, tyro.conf.subcommand("run")]
        | Annotated[ReportOptions, tyro.conf.subcommand("report")]
        | Annotated[ShowOptions, tyro.conf.subcommand("show")]
        | Annotated[VideoOptions, tyro.conf.subcommand("video")]
        | Annotated[DriveOptions, tyro.conf.subcommand("drive")]
        | Annotated[ListOptions, tyro.conf.subcommand("list")]
        | Annotated[RoutesOptions, tyro.conf.subcommand("routes")]
    )
    try:
        options: Options = tyro.cli(
            subcommands,  # type: ignore[arg-type]
            prog="run_eval.py",
            description="Evaluate driving agents on Bench2Drive / Leaderboard routes. `run` is the default command, "
            "its options (see `run --help`) may stand alone.",
            args=arguments,
            config=(tyro.conf.FlagCreatePairsOff, tyro.conf.OmitArgPrefixes),
        )
    except SystemExit as exit_:
        if not exit_.code:  # --help
            print(_EPILOGUE)
        raise
    return options
