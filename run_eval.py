"""Evaluate a driving agent on Bench2Drive / Leaderboard routes: `python run_eval.py --help`."""

from __future__ import annotations

import os
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
    DriveOptions,
    Options,
    ReportOptions,
    RoutesOptions,
    RunOptions,
    ShowOptions,
    VideoOptions,
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
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        options = parse_options(arguments)
        code = _carry_out(options, shlex.join(["python", sys.argv[0], *arguments]), driver)
        sys.stdout.flush()
        return code
    except RouteGymError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_INPUT
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader, such as `head`, has enough. What is still to be flushed at exit has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    finally:
        signal.signal(signal.SIGTERM, previous)


def _carry_out(options: Options, command: str, driver: str | None) -> int:
    if isinstance(options, RunOptions):
        from evaluation import runner

        return runner.run(options, command, driver=driver or runner.DRIVER)
    if isinstance(options, ReportOptions):
        from evaluation import report_command

        return report_command.report(options)
    if isinstance(options, ShowOptions):
        from evaluation import show_command

        return show_command.show(options)
    if isinstance(options, VideoOptions):
        from evaluation import video_command

        return video_command.video(options)
    if isinstance(options, DriveOptions):
        from evaluation import drive_command

        return drive_command.drive(options)
    if isinstance(options, RoutesOptions):
        from evaluation import routes_command

        return routes_command.routes(options)
    from evaluation import listing

    listing.show(options)
    return EXIT_OK


def _interrupt(signum: int, frame: FrameType | None) -> NoReturn:
    """A SIGTERM ends a command like Ctrl-C."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
