"""Action tokens compared: what is lost in saying the expert's trajectories, and what the expert scores through them.

`python -m benchmarks.action_tokens [--routes 30]` drives the expert over routes of `minitown60` once, builds every kind
of tokens from nine tenths of the rides, measures on the rest, and drives the smoke routes with the expert's plans said
in each.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from agents.tokens.__main__ import spread
from agents.tokens.base import ActionTokens
from agents.tokens.bins import fit_bins
from agents.tokens.codebook import SegmentCodebook, fit_k_disk, fit_k_means
from agents.tokens.files import save_tokens
from agents.tokens.grid import default_grid
from agents.tokens.rides import cut_trajectories, drive_rides, mirrored
from envs.vector_env import load_routes


def main() -> None:
    """Print the table, and one JSON object with `--json`."""
    from agents.registry import make_agent
    from rl.held_out import drive_all, score_of

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--routes", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    routes = load_routes("minitown60")
    rides = list(drive_rides(routes, spread(len(routes.routes), options.routes)))
    rides.sort(key=lambda ride: (ride.seed, ride.route_id))
    held, kept = rides[::10], [ride for n, ride in enumerate(rides) if n % 10]
    segments = cut_trajectories(kept, 5, 0.1)[0]
    segments = np.concatenate([segments, mirrored(segments)])
    smoke = load_routes("smoke")
    tasks = [(route, 0) for route in range(len(smoke.routes))]
    made: dict[str, ActionTokens] = {
        **{f"k-means {n}": SegmentCodebook(fit_k_means(segments, n, 0), 0.1, 4, "k-means") for n in (256, 512, 2048)},
        "k-disk 2048": SegmentCodebook(fit_k_disk(segments, 2048, 0), 0.1, 4, "k-disk"),
        "bins 512": fit_bins(cut_trajectories(kept, 4, 0.5)[0], 512, 0.5),
        "grid 13 x 9": default_grid(4),
    }
    print(f"{len(kept)} rides, {len(segments)} segments; {len(held)} held-out rides; trajectories of 2 s")
    print("tokens        vocabulary  a decision  mean m  p95 m  final m  yaw deg  DS    SR %")
    rows = []
    for name, tokens in made.items():
        trajectories, speeds = cut_trajectories(held, tokens.waypoints, tokens.interval, stride=10)
        error = tokens.error(trajectories, speeds)
        with TemporaryDirectory() as folder:
            save_tokens(tokens, Path(folder))
            score = score_of(drive_all(make_agent(f"expert-tokens:{folder}"), smoke, tasks))
        rows.append({"tokens": name, "size": tokens.size, "length": tokens.length, **vars(error), **score.document()})
        print(
            f"{name:13} {tokens.size:10} {tokens.length:11} {error.mean:7.3f} {error.p95:6.3f} {error.final:8.3f} "
            f"{error.yaw:8.2f} {score.driving_score:5.1f} {score.success_rate:5.1f}",
            flush=True,
        )
    if options.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
