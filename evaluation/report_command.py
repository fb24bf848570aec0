"""`run_eval.py report`: score sheets of result files and run folders."""

from __future__ import annotations

import sys

from evaluation.options import EXIT_INPUT, EXIT_OK, ReportOptions
from evaluation.run_folder import read_run_folder
from leaderboard_adapters.junction_shares import TracedJunctions, trace_junctions
from leaderboard_adapters.report import build_report, show_report
from scenarios.route_file import read_routes
from scenarios.suites import find_suite
from simulator.errors import EvaluationError


def report(options: ReportOptions) -> int:
    """Carry out `report`; returns an exit code of `evaluation.options`.

    Raises:
        RouteGymError: when nothing can be read, or an option makes no sense.
    """
    if options.total is not None and options.total < 1:
        raise EvaluationError(f"--total {options.total}: must be at least 1")
    if options.maps is not None and not options.routes and options.html is None:
        raise EvaluationError("--maps serves to trace the routes of a route file; name it with --routes")
    if options.maps is not None and not options.maps.is_dir():
        raise EvaluationError(f"--maps {options.maps}: no such folder; name one that holds <town>.xodr files")
    routes = read_routes(find_suite(options.routes)) if options.routes else None
    traced = TracedJunctions()
    if routes is not None:
        if options.maps is not None:
            print("tracing routes up to their first junction ...", file=sys.stderr)
        traced = trace_junctions(routes, options.maps)
    made = build_report(options.paths, total=options.total, routes=routes, traced=traced, read_run=read_run_folder)
    if options.html is not None:
        from evaluation.html_report.write import write_html

        index = write_html(made, options.html, maps=options.maps, say=lambda text: print(text, file=sys.stderr))
        print(f"web pages: {index}", file=sys.stderr)
    return EXIT_INPUT if show_report(made, options.out, options.json) else EXIT_OK
