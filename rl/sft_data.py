"""Decisions to imitate: what the expert did in its own rides, and what it would do where a student has gone (DAgger).

A dataset is a folder: `shard-00000.safetensors`, ... with rows of observations and trajectories, and `index.json`,
which lists the shards with their sizes, hashes, and where they come from. Trajectories are stored, not tokens, so that
one dataset serves every vocabulary.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agents.policy import Observer, Policy, Rows, stack_rows, take_rows
from agents.policy_agent import PolicyAgent
from agents.registry import make_agent
from agents.token_oracle import ExpertAhead
from agents.token_view import TokenView
from agents.tokens.poses import relative
from envs.routes import RouteBatch
from envs.world import EpisodeStart, WorldBatch
from simulator.errors import TrainingError
from simulator.state import EGO, TICK_SECONDS

INDEX = "index.json"
VERSION = 2


@dataclass
class DecisionSet:
    """N decisions to imitate.

    Attributes:
        rows: what was seen.
        trajectories: float64[N, W, 3] of the expert from there, ego frame, `interval` seconds apart.
        offsets: float64[N, W] m of their waypoints from the route's path, right positive.
        ride: int64[N] number of the ride. tick: int64[N] of the world.
    """

    rows: Rows
    trajectories: np.ndarray
    offsets: np.ndarray
    ride: np.ndarray
    tick: np.ndarray
    interval: float

    def __len__(self) -> int:
        return len(self.trajectories)

    def take(self, at: np.ndarray) -> DecisionSet:
        """Some of the decisions."""
        rows = take_rows(self.rows, at)
        return DecisionSet(rows, self.trajectories[at], self.offsets[at], self.ride[at], self.tick[at], self.interval)


def join_sets(parts: Sequence[DecisionSet]) -> DecisionSet:
    """All decisions of several sets; rides are numbered on.

    Raises:
        TrainingError: for none, or sets whose trajectories do not fit together.
    """
    if len({(part.interval, part.trajectories.shape[1]) for part in parts}) != 1:
        raise TrainingError("expected sets of decisions with trajectories of one length and interval")
    rides, first = [], 0
    for part in parts:
        rides.append(part.ride + first)
        first += int(part.ride.max(initial=-1)) + 1
    return DecisionSet(
        stack_rows([part.rows for part in parts]),
        np.concatenate([part.trajectories for part in parts]),
        np.concatenate([part.offsets for part in parts]),
        np.concatenate(rides),
        np.concatenate([part.tick for part in parts]),
        parts[0].interval,
    )


def collect_expert(
    routes: RouteBatch,
    tasks: Sequence[tuple[int, int]],
    observer: Callable[[WorldBatch], Observer],
    *,
    waypoints: int,
    interval: float,
    agent: str = "expert",
    every: int = 5,
    width: int = 16,
) -> DecisionSet:
    """The expert's own rides, one decision every `every` ticks; labels are where it then went.

    Args:
        tasks: (route index, seed) of each ride.
        observer: what sees the worlds, such as a policy's `observer`.
        waypoints, interval: of the trajectories.
    """
    width = min(width, len(tasks))
    batch = WorldBatch(routes, width, log=True)
    driver, view = make_agent(agent), observer(batch)
    driver.bind(batch)
    waiting = iter(enumerate(tasks))
    running: dict[int, int] = {}
    seen: dict[int, list[tuple[int, Rows]]] = {}
    starts = np.zeros((width, 3))
    offsets: list[list[float]] = [[] for _ in range(width)]
    parts: list[DecisionSet] = []

    def begin(b: int) -> None:
        following = next(waiting, None)
        if following is not None:
            number, (route, seed) = following
            batch.reset(b, EpisodeStart(route, seed))
            driver.reset(b, seed)
            view.reset(b)
            running[b], seen[b] = number, []
            starts[b] = [batch.worlds[name][b, EGO] for name in ("x", "y", "yaw")]
            offsets[b] = [float(batch.worlds["path_offset"][b])]

    for b in range(width):
        begin(b)
    while running:
        ticks = batch.worlds["tick"]
        due = np.array([b for b in running if ticks[b] % every == 0], np.int64)
        if len(due):
            rows = view.observe(due)
            for k, b in enumerate(due):
                seen[int(b)].append((int(ticks[b]), take_rows(rows, np.array([k]))))
        batch.tick(driver.act())
        for b in running:
            offsets[b].append(float(batch.worlds["path_offset"][b]))
        for b in [b for b in running if batch.finished[b]]:
            number = running.pop(b)
            driven = batch.log[b, : int(batch.worlds["tick"][b])][:, [0, 1, 3]]
            poses = np.concatenate([starts[b : b + 1], driven])
            for part in _labelled(poses, np.array(offsets[b]), seen[b], number, waypoints, interval):
                if isinstance(view, TokenView):
                    part.rows = view.retrace(part.rows, part.trajectories, part.offsets)
                parts.append(part)
            begin(b)
    if not parts:
        raise TrainingError("the expert's rides are too short to imitate")
    return join_rides(parts)


def _labelled(
    poses: np.ndarray,
    offsets: np.ndarray,
    seen: list[tuple[int, Rows]],
    number: int,
    waypoints: int,
    interval: float,
) -> list[DecisionSet]:
    """The decisions of one ride that have a future of full length.

    Args:
        poses: float64[T + 1, 3], row t after tick t. offsets: float64[T + 1] m from the path.
    """
    ticks = round(interval / TICK_SECONDS)
    kept = [(t, rows) for t, rows in seen if t + waypoints * ticks < len(poses)]
    if not kept:
        return []
    at = np.array([t for t, _ in kept])
    future = at[:, None] + ticks * np.arange(1, waypoints + 1)
    labels = relative(poses[at][:, None], poses[future])
    rows = stack_rows([rows for _, rows in kept])
    return [DecisionSet(rows, labels, offsets[future], np.full(len(at), number), at, interval)]


def join_rides(parts: Sequence[DecisionSet]) -> DecisionSet:
    """Parts with ride numbers of their own, side by side."""
    return DecisionSet(
        stack_rows([part.rows for part in parts]),
        np.concatenate([part.trajectories for part in parts]),
        np.concatenate([part.offsets for part in parts]),
        np.concatenate([part.ride for part in parts]),
        np.concatenate([part.tick for part in parts]),
        parts[0].interval,
    )


def collect_dagger(
    policy: Policy,
    routes: RouteBatch,
    tasks: Sequence[tuple[int, int]],
    *,
    waypoints: int,
    interval: float,
    beta: float = 0.0,
    temperature: float = 1.0,
    seed: int = 0,
    width: int = 16,
    max_seconds: float = 120.0,
) -> DecisionSet:
    """Rides of a student, every decision labelled with what the expert would do from there.

    Args:
        beta: share of decisions after which the expert drives in the student's place.
        width: rides side by side; tasks are driven in such rounds.
    """
    parts: list[DecisionSet] = []
    draws = np.random.default_rng(seed)
    for first in range(0, len(tasks), width):
        chosen = tasks[first : first + width]
        parts += _student_round(
            policy, routes, chosen, first, waypoints, interval, beta, temperature, draws, max_seconds
        )
    return join_rides(parts)


def _student_round(
    policy: Policy,
    routes: RouteBatch,
    tasks: Sequence[tuple[int, int]],
    first: int,
    waypoints: int,
    interval: float,
    beta: float,
    temperature: float,
    draws: np.random.Generator,
    max_seconds: float,
) -> list[DecisionSet]:
    batch = WorldBatch(routes, len(tasks))
    student, ahead = PolicyAgent(policy, temperature=temperature), ExpertAhead(batch)
    student.bind(batch)
    for b, (route, seed) in enumerate(tasks):
        batch.reset(b, EpisodeStart(route, seed))
        student.reset(b, int(draws.integers(2**63)))
        ahead.reset(b)
    expert_drives = np.zeros(len(tasks), bool)
    parts: list[DecisionSet] = []
    heard: list[tuple[np.ndarray, Rows]] = []
    student.listener = lambda due, rows, decisions: heard.append((due, rows))
    for _ in range(int(max_seconds / TICK_SECONDS)):
        if batch.finished.all():
            break
        controls = student.act().copy()
        for due, rows in heard:
            labels, offsets = ahead.look(due, waypoints, interval)
            ticks = batch.worlds["tick"][due].astype(np.int64)
            parts.append(DecisionSet(rows, labels, offsets, first + due, ticks, interval))
            expert_drives[due] = draws.random(len(due)) < beta
        heard.clear()
        controls[expert_drives] = ahead.watch()[expert_drives]
        batch.tick(controls)
    return parts


def save_set(data: DecisionSet, folder: str | Path, source: dict[str, Any], shard: int = 4096) -> Path:
    """Add a set's shards to a dataset folder, and its source to the index."""
    from safetensors.numpy import save

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    fresh: dict[str, Any] = {"format": "routegym-decisions", "version": VERSION, "shards": []}
    index = _read_index(folder) if (folder / INDEX).exists() else fresh
    sources = {entry["source"]["name"] for entry in index["shards"]}
    name = source.get("name", f"part{len(sources)}")
    for first in range(0, len(data), shard):
        part = data.take(np.arange(first, min(first + shard, len(data))))
        arrays = {f"rows/{key}": np.ascontiguousarray(array) for key, array in part.rows.items()}
        arrays |= {"trajectories": part.trajectories.astype(np.float32), "offsets": part.offsets.astype(np.float32)}
        arrays |= {"ride": part.ride, "tick": part.tick}
        content = save(arrays)
        file = f"shard-{len(index['shards']):05d}.safetensors"
        (folder / file).write_bytes(content)
        index["shards"].append(
            {
                "file": file,
                "decisions": len(part),
                "sha256": hashlib.sha256(content).hexdigest(),
                "interval": data.interval,
                "source": {**source, "name": name},
            }
        )
    (folder / INDEX).write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
    return folder


def load_sets(folder: str | Path) -> DecisionSet:
    """All decisions of a dataset folder.

    Raises:
        TrainingError: when it holds none, or a shard is not the one of the index.
    """
    from safetensors.numpy import load

    folder = Path(folder)
    parts: dict[str, list[DecisionSet]] = {}
    for entry in _read_index(folder)["shards"]:
        path = folder / entry["file"]
        try:
            content = path.read_bytes()
        except OSError as error:
            raise TrainingError(f"{path} is listed in {INDEX} and cannot be read: {error}") from error
        if hashlib.sha256(content).hexdigest() != entry["sha256"]:
            raise TrainingError(f"{path} is not the shard that {INDEX} describes (SHA-256 differs)")
        arrays = load(content)
        rows = {name[5:]: array for name, array in arrays.items() if name.startswith("rows/")}
        parts.setdefault(entry["source"]["name"], []).append(
            DecisionSet(
                rows,
                arrays["trajectories"].astype(np.float64),
                arrays["offsets"].astype(np.float64),
                arrays["ride"],
                arrays["tick"],
                entry["interval"],
            )
        )
    if not parts:
        raise TrainingError(f"{folder} holds no decisions")
    return join_sets([join_rides(shards) for shards in parts.values()])


def _read_index(folder: Path) -> dict[str, Any]:
    try:
        index: dict[str, Any] = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(f"{folder} is no dataset of decisions ({INDEX}): {error}") from error
    if index.get("format") != "routegym-decisions" or index.get("version") != VERSION:
        raise TrainingError(f"{folder / INDEX}: expected version {VERSION} of routegym-decisions")
    return index
