"""How fast films are made: milliseconds a frame for camera, map, dashboard and encoder.

python -m benchmarks.video                       # drives a smoke route, films it, prints a table
python -m benchmarks.video --size 1280x720 --json
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from envs.routes import load_network
from envs.views.dashboard import draw_dashboard
from envs.views.painter import FramePainter
from evaluation.drive import drive_route
from evaluation.replay import Replay
from evaluation.tasks import plan_run
from evaluation.video import VideoStyle, encode
from evaluation.video_command import size_of
from leaderboard_adapters.recordings import read_recording
from scenarios.route_file import read_routes
from scenarios.suites import find_suite


def measure(size: tuple[int, int], route: str, frames: int, rounds: int) -> dict[str, float]:
    """Median processor milliseconds a frame of each part."""
    task = plan_run("smoke", agent="autopilot", seed=0, route_ids=route).tasks[0]
    found = next(r for r in read_routes(find_suite("smoke")) if r.id == route)
    with tempfile.TemporaryDirectory() as folder:
        drive_route(replace(task, recordings=folder), lambda tick, percent: None)
        replay = Replay(read_recording(Path(folder) / f"{task.record_id}.npz"))
        style = VideoStyle(width=size[0], height=size[1])
        painter = FramePainter(load_network(found), *size)
        ticks = np.linspace(0, replay.num_ticks, frames).astype(int).tolist()
        pictures = [painter.paint(replay.world(t), replay.path, replay.dashboard(t)) for t in ticks]  # compiles

        def each(work: Callable[[int], object]) -> float:
            times = []
            for _ in range(rounds):
                began = time.process_time()
                for tick in ticks:
                    work(tick)
                times.append((time.process_time() - began) * 1e3 / frames)
            return statistics.median(times)

        began = time.process_time()
        encode(Path(folder) / "one.mp4", iter(pictures), style)
        film = (time.process_time() - began) * 1e3 / frames
        kilobytes = (Path(folder) / "one.mp4").stat().st_size / 1e3
        camera = each(lambda t: painter.paint(replay.world(t), replay.path))
        whole = each(lambda t: painter.paint(replay.world(t), replay.path, replay.dashboard(t)))
        dash = each(lambda t: draw_dashboard(pictures[0], replay.dashboard(t)))
    return {
        "replay and camera": camera,
        "map": whole - camera - dash,
        "dashboard": dash,
        "encoder": film,
        "all": whole + film,
        "frames a second": 1e3 / (whole + film),
        "kB a frame": kilobytes / frames,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="960x540", help="pixels of a frame")
    parser.add_argument("--route", default="110", help="of the smoke suite")
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    arguments = parser.parse_args()
    told = measure(size_of(arguments.size), arguments.route, arguments.frames, arguments.rounds)
    print(f"{platform.machine()}, one core, {arguments.size}, route {arguments.route}; processor time, ms a frame")
    for name, value in told.items():
        print(f"  {name:20} {value:8.1f}")
    if arguments.json:
        print(json.dumps({"size": arguments.size, "frames": arguments.frames, **told}))


if __name__ == "__main__":
    main()
