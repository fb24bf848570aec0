"""Build and measure action tokens: `python -m agents.tokens build --help`, `python -m agents.tokens show FOLDER`."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro

from agents.extras import install_hint
from simulator.errors import RouteGymError
from simulator.state import TICK_SECONDS


@dataclass(frozen=True)
class BuildOptions:
    """Drive an expert over routes and build action tokens from its motion; a tenth of the rides is kept to measure."""

    out: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder to write tokens.safetensors and manifest.json to."""

    kind: Literal["k-means", "k-disk", "bins", "grid", "commands"] = "k-means"
    """How a trajectory is said; `commands` are not built from anything."""

    size: int = 2048
    """Tokens in the vocabulary (k-means, k-disk, bins; a k-disk codebook may find fewer)."""

    length: int = 4
    """Tokens a trajectory, each a segment of half a second; for bins half as many waypoints as tokens, 0.5 s apart."""

    tolerance: float = 0.05
    """k-disk: least distance between the corners of the vehicle's box at the ends of two segments, metres."""

    mirror: bool = True
    """Add every motion with left and right exchanged."""

    routes: Annotated[str, tyro.conf.arg(metavar="FILE|NAME")] = "minitown60"
    """Route file or built-in suite to drive; routes of one town."""

    count: int = 0
    """Drive only so many of its routes, evenly spread; 0 drives all."""

    agent: Annotated[str, tyro.conf.arg(metavar="NAME[:ARG]")] = "expert"
    """Who drives."""

    seed: int = 0
    """Seed of traffic and of the fit."""


@dataclass(frozen=True)
class ShowOptions:
    """Print the manifest of action tokens."""

    folder: Annotated[Path, tyro.conf.Positional]
    """Folder with tokens.safetensors and manifest.json."""


def build(options: BuildOptions) -> dict[str, object]:
    """Build, save, and return the manifest's `built_from`, the measured errors among it."""
    from agents.tokens.base import ActionTokens
    from agents.tokens.bins import fit_bins
    from agents.tokens.codebook import SegmentCodebook, fit_k_disk, fit_k_means
    from agents.tokens.commands import CommandTokens
    from agents.tokens.files import save_tokens
    from agents.tokens.grid import default_grid
    from agents.tokens.rides import cut_trajectories, drive_rides, mirrored
    from envs.vector_env import load_routes

    if options.kind == CommandTokens.kind:
        save_tokens(CommandTokens(), options.out)
        return {}
    routes = load_routes(options.routes)
    picks = spread(len(routes.routes), options.count)
    rides = sorted(
        drive_rides(routes, picks, agent=options.agent, seed=options.seed), key=lambda ride: (ride.seed, ride.route_id)
    )
    held = rides[::10]
    kept = [ride for n, ride in enumerate(rides) if n % 10] or rides
    interval = 0.5 if options.kind == "bins" else 0.1
    points = 1 if options.kind == "bins" else 5
    segments, _ = cut_trajectories(kept, points, interval)
    tokens: ActionTokens
    if options.kind in ("k-means", "k-disk"):
        if options.mirror:
            segments = np.concatenate([segments, mirrored(segments)])
        if options.kind == "k-means":
            chosen = fit_k_means(segments, options.size, options.seed)
        else:
            chosen = fit_k_disk(segments, options.size, options.seed, options.tolerance)
        tokens = SegmentCodebook(chosen, interval, options.length, options.kind)
    elif options.kind == "bins":
        trajectories, _ = cut_trajectories(kept, max(options.length // 2, 1), interval)
        tokens = fit_bins(trajectories, options.size, interval)
    else:
        tokens = default_grid(options.length)
    trajectories, speeds = cut_trajectories(held, tokens.waypoints, tokens.interval, stride=round(0.5 / TICK_SECONDS))
    measured = dataclasses.asdict(tokens.error(trajectories, speeds))
    built_from: dict[str, object] = {
        "options": {name: str(value) for name, value in vars(options).items() if name != "out"},
        "rides": len(kept),
        "segments": len(segments),
        "held_out_rides": len(held),
        "held_out_trajectories": len(trajectories),
        "error": {name: round(value, 5) for name, value in measured.items()},
    }
    save_tokens(tokens, options.out, built_from)
    return built_from


def spread(total: int, count: int) -> list[int]:
    """`count` of 0..total-1, evenly spread; all for 0."""
    if count <= 0 or count >= total:
        return list(range(total))
    return [int(n) for n in np.linspace(0, total - 1, count).round()]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    options = tyro.extras.subcommand_cli_from_dict({"build": BuildOptions, "show": ShowOptions}, args=arguments)
    try:
        if isinstance(options, BuildOptions):
            print(json.dumps(build(options), indent=2))
        else:
            from agents.tokens.files import MANIFEST, load_tokens

            load_tokens(options.folder)
            print((options.folder / MANIFEST).read_text(encoding="utf-8"), end="")
        return 0
    except RouteGymError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except ImportError as error:
        if not (hint := install_hint(error)):
            raise
        print(f"error: action tokens need more packages ({error}){hint}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
