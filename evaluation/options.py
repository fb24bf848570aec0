"""The command line of `run_eval.py`: one frozen dataclass a subcommand, a sentence under every field."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

_COMMANDS = ("run", "report", "show", "list")

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

    no_recordings: bool = False
    """Keep no recordings of the driven routes, which pictures and replays are made from (docs/recordings.md)."""

    timeout: float = 600.0
    """Seconds without progress after which a worker counts as hung and is replaced."""

    json: bool = False
    """Print the scores as one JSON object, the last line of standard output."""


@dataclass(frozen=True)
class ReportOptions:
    """Score run folders, and official result files of anyone: merged files, shards, one file a route, or folders."""

    paths: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Run folders, result files, or folders of them."""

    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder to write the score sheet to, as report.json and report.md."""

    routes: Annotated[str, tyro.conf.arg(metavar="FILE|NAME")] = ""
    """Route file or built-in suite that the results belong to; its routes without a result count as 0."""

    maps: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """With --routes: folder with the OpenDRIVE maps of the towns, for the official Traffic_Signs rule on results of
    others. RouteGym's own results need none."""

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


Options = RunOptions | ReportOptions | ShowOptions | ListOptions


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
    subcommands = (
        Annotated[RunOptions, tyro.conf.subcommand("run")]
        | Annotated[ReportOptions, tyro.conf.subcommand("report")]
        | Annotated[ShowOptions, tyro.conf.subcommand("show")]
        | Annotated[ListOptions, tyro.conf.subcommand("list")]
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
