"""Evaluate a driving agent on Bench2Drive / Leaderboard routes: `python run_eval.py --help`."""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from evaluation.options import (
    EXIT_INPUT,
    EXIT_INTERRUPTED,
    EXIT_OK,
    ListOptions,
    ReportOptions,
    RunOptions,
    parse_options,
)
from simulator.errors import RouteGymError


def main(arguments: Sequence[str] | None = None, *, driver: str | None = None) -> int:
    """Run one command and return its exit code (see `evaluation.options`).

    Args:
        arguments: of the command line, without the program; those of this process by default.
        driver: for `run`: `module:function` that drives a route instead of the embedded town.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parse_options(arguments)
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        match options:
            case RunOptions():
                from evaluation import runner

                command = shlex.join(["python", sys.argv[0], *arguments])
                return runner.run(options, command, driver=driver or runner.DRIVER)
            case ReportOptions():
                return _report(options)
            case ListOptions():
                from evaluation import listing

                listing.show(options)
                return EXIT_OK
    except RouteGymError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_INPUT
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, previous)


def _report(options: ReportOptions) -> int:
    from leaderboard_adapters.report import run_report
    from scenarios.route_file import read_routes
    from scenarios.suites import find_suite

    routes = read_routes(find_suite(options.routes)) if options.routes else None
    problems = run_report(options.paths, options.out, options.json, total=options.total, routes=routes)
    return EXIT_INPUT if problems else EXIT_OK


def _interrupt(signum: int, frame: FrameType | None) -> NoReturn:
    """A SIGTERM ends a command like Ctrl-C."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
