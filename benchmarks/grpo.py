"""What groups teach at equal simulated time: decision groups, episode groups and PPO, from one imitated policy.

    python benchmarks/grpo.py train --policy sft/policy --out results/groups     # may run twice, side by side
    python benchmarks/grpo.py measure --policy sft/policy --out results/groups   # before and after, on the same rides
    python benchmarks/grpo.py draw --out results/groups --picture docs/grpo.png

Every run is one thread, and starts from the same weights; seeds are those of routes, worlds and decisions.
Simulated time counts every tick of every world that learning drives, branches included, evaluations not.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from simulator.state import TICK_SECONDS

METHODS = {"decision": "decision_groups", "episode": "episode_groups", "ppo": "ppo"}  # settings of rl/settings
BEFORE = "before.json"  # held-out measures of the policy that all begin with
MEASURES = {"greedy": "held_out_driving_score", "sampled": "held_out_sampled_driving_score"}  # on validation routes
NAMES = {"decision": "decision groups", "episode": "episode groups", "ppo": "PPO"}


@dataclass(frozen=True)
class Train:
    """Train every method with every seed."""

    policy: Path
    """The imitated policy to begin with."""
    out: Path
    """A folder for each run goes here: METHOD-SEED."""
    ticks: int = 8_000_000
    """Ticks of 0.05 s that each run simulates."""
    every: int = 1_000_000
    """Ticks between evaluations on the validation routes."""
    rides: int = 2
    """Worlds on each validation route."""
    methods: tuple[str, ...] = tuple(METHODS)
    """Which of them."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Seeds of the runs."""


@dataclass(frozen=True)
class Measure:
    """Drive minitown220, on which nothing was chosen, before and after, greedy and sampled."""

    policy: Path
    """The imitated policy."""
    out: Path
    """Folder of the runs; what measures.json there has already is not driven again."""
    step: int = 1
    """Every so-manieth of its routes."""


@dataclass(frozen=True)
class Draw:
    """Draw the curves: driving score on the validation routes over simulated time."""

    out: Path
    """Folder of the runs."""
    picture: Path = Path("docs/grpo.png")
    """Where to write it."""


def train(options: Train) -> None:
    """Run what has not been run."""
    import torch

    from agents.token_policy import TokenPolicy
    from envs.vector_env import load_routes
    from rl.config import resolve_routes
    from rl.grpo import GrpoTrainer
    from rl.grpo_settings import load_settings, settings_file

    torch.set_num_threads(1)
    routes = load_routes(resolve_routes("minitown_train"))
    held = load_routes(resolve_routes("minitown_validation"))
    tasks = [(k, 10_000 + s) for s in range(options.rides) for k in range(len(held.routes))]
    for seed in options.seeds:
        for method in options.methods:
            folder = options.out / f"{method}-{seed}"
            try:
                folder.mkdir(parents=True)
            except FileExistsError:  # done, or begun by another process
                continue
            settings = replace(
                load_settings(settings_file(METHODS[method])),
                max_ticks=options.ticks, evaluate_ticks=options.every, seed=seed,
            )  # fmt: skip
            policy = TokenPolicy.load(options.policy)
            began, used = time.perf_counter(), time.process_time()
            trainer = GrpoTrainer(policy, routes, settings, folder, held_out=tasks, held_out_routes=held)
            if not (options.out / BEFORE).exists():
                (options.out / BEFORE).write_text(json.dumps(trainer.evaluate()) + "\n")
            trainer.run(_say(folder.name), json.loads((options.out / BEFORE).read_text()))
            times = {"wall_s": time.perf_counter() - began, "processor_s": time.process_time() - used}
            (folder / "times.json").write_text(json.dumps(times) + "\n")
            print(folder.name, times, flush=True)


def _say(name: str) -> Callable[[dict[str, float]], None]:
    def say(measures: dict[str, float]) -> None:
        if "held_out_driving_score" in measures:
            shown = ("ticks", "reward", "held_out_driving_score", "held_out_sampled_driving_score")
            print(name, {key: round(measures[key], 2) for key in shown}, flush=True)

    return say


def measure(options: Measure) -> None:
    """Write measures.json and print the table."""
    import torch

    from agents.policy_agent import PolicyAgent
    from agents.token_policy import TokenPolicy
    from envs.vector_env import load_routes
    from rl.held_out import drive_all

    torch.set_num_threads(1)
    routes = load_routes("minitown220")
    tasks = [(k, 20_000) for k in range(0, len(routes.routes), options.step)]
    kept = options.out / "measures.json"
    found: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    for folder in [options.policy, *sorted(path / "policy" for path in options.out.glob("*-[0-9]"))]:
        if not folder.exists():
            continue
        policy = TokenPolicy.load(folder)
        name = "before" if folder == options.policy else folder.parent.name
        for way, temperature in (("greedy", 0.0), ("sampled", 1.0)):
            if f"{name}/{way}" in found:
                continue
            results = drive_all(PolicyAgent(policy, temperature=temperature), routes, tasks)
            scores = [[r.xml_id, r.score_composed, 100.0 * r.success, r.score_route] for r in results]
            found[f"{name}/{way}"] = scores
            print(name, way, np.round(np.mean([s[1:] for s in scores], axis=0), 1).tolist(), flush=True)
            kept.write_text(json.dumps(found) + "\n")
    Console(width=140).print(table(found))


def table(found: dict[str, Any]) -> Table:
    """Before and after, with 95 % bootstrap intervals over routes and seeds, and the gain on the same rides."""
    shown = Table("policy", "driven", "seeds", "DS", "SR %", "RC %", "gain in DS", "gain of each seed")
    for method in ("before", *METHODS):
        for way in ("greedy", "sampled"):
            runs = [np.array([row[1:] for row in found[key]]) for key in sorted(found) if _is(key, method, way)]
            if not runs:
                continue
            scores = np.stack(runs)  # [seeds, routes, 3]
            before = np.array([row[1:] for row in found[f"before/{way}"]])
            cells = ["{:.1f} [{:.1f}, {:.1f}]".format(*interval(scores[:, :, k])) for k in range(2)]
            cells.append(f"{scores[:, :, 2].mean():.1f}")
            gain, each = "", ""
            if method != "before":
                gain = "{:+.1f} [{:+.1f}, {:+.1f}]".format(*interval(scores[:, :, 0] - before[None, :, 0]))
                each = ", ".join(f"{value:+.1f}" for value in (scores[:, :, 0] - before[None, :, 0]).mean(axis=1))
            shown.add_row(NAMES.get(method, method), way, str(len(runs)), *cells, gain, each)
    return shown


def _is(key: str, method: str, way: str) -> bool:
    name, driven = key.split("/")
    return driven == way and name.rpartition("-")[0] == method if method != "before" else key == f"before/{way}"


def interval(values: np.ndarray, draws: int = 4000, seed: int = 0) -> tuple[float, float, float]:
    """Mean of float[seeds, routes] and its 95 % interval, with seeds and routes both drawn anew."""
    random = np.random.default_rng(seed)
    seeds, routes = values.shape
    means = [values[np.ix_(random.integers(seeds, size=seeds), random.integers(routes, size=routes))].mean()
             for _ in range(draws)]  # fmt: skip
    low, high = np.percentile(means, [2.5, 97.5])
    return float(values.mean()), float(low), float(high)


def curves(out: Path, measure: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Of each method: simulated seconds float64[E], scores float64[seeds, E] at them; curves end with the shortest.

    Methods with a run that has not been evaluated since its start are left out.
    """
    found = {}
    for method in METHODS:
        runs = []
        for path in sorted(out.glob(f"{method}-[0-9]/metrics.jsonl")):
            rows = [json.loads(line) for line in path.read_text().splitlines()]
            runs.append([(row["ticks"] * TICK_SECONDS, row[measure]) for row in rows if measure in row])
        count = min((len(run) for run in runs), default=0)
        if count > 1:
            points = np.array([run[:count] for run in runs])
            found[method] = points[:, :, 0].mean(axis=0), points[:, :, 1]
    return found


def speeds(out: Path) -> Table:
    """How fast each method learns: its score on the validation routes averaged over the simulated time of its runs."""
    shown = Table("method", "driven", "DS over the whole run", "of each seed", "DS at the end", "hours until +10")
    for way, measure in MEASURES.items():
        for method, (seconds, scores) in curves(out, measure).items():
            each = (scores[:, 1:] + scores[:, :-1]) @ np.diff(seconds) / (2.0 * (seconds[-1] - seconds[0]))
            mean = scores.mean(axis=0)
            there = np.flatnonzero(mean >= mean[0] + 10.0)
            shown.add_row(
                NAMES[method], way, f"{each.mean():.1f}", ", ".join(f"{value:.1f}" for value in each),
                f"{mean[-1]:.1f}", f"{seconds[there[0]] / 3600.0:.1f}" if len(there) else "-",
            )  # fmt: skip
    return shown


def draw(options: Draw) -> None:
    """Two panels: driven greedily, and sampled as in training; and the table of `speeds`."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(9.0, 3.6), sharey=True, layout="constrained")
    colours = {"decision": "#1b6ca8", "episode": "#d1811e", "ppo": "#4f8f4f"}
    for panel, (title, measure) in zip(panels, MEASURES.items(), strict=True):
        for method, (seconds, scores) in curves(options.out, measure).items():
            colour = colours[method]
            label = f"{NAMES[method]} ({len(scores)} seeds)"
            panel.plot(seconds / 3600.0, scores.mean(axis=0), color=colour, marker="o", markersize=3, label=label)
            panel.fill_between(
                seconds / 3600.0, scores.min(axis=0), scores.max(axis=0), color=colour, alpha=0.15, linewidth=0
            )
        panel.set_title(f"validation routes, {title}", fontsize=10)
        panel.set_xlabel("hours driven in learning, simulated")
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("driving score")
    panels[1].legend(frameon=False, fontsize=9, loc="lower right")
    options.picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(options.picture, dpi=130)
    Console(width=140).print(speeds(options.out))


if __name__ == "__main__":
    chosen = tyro.extras.subcommand_cli_from_dict({"train": Train, "measure": Measure, "draw": Draw})
    {Train: train, Measure: measure, Draw: draw}[type(chosen)](chosen)
