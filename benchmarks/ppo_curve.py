"""Learning curves of training runs that differ in their seed: `python benchmarks/ppo_curve.py RUN ... --out curve.png`.

Each RUN is a folder of `run_train.py ppo`. Thin lines are seeds, the thick line is their mean, on the held-out routes
that choose the best checkpoint. Needs the extra `view`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

PANELS = {
    "held_out/driving_score": "driving score",
    "held_out/success_rate": "success rate, %",
    "held_out/route_completion": "route completion, %",
}
LINE, SEED = "#1f5fa8", "#9dbfe3"


@dataclass(frozen=True)
class Options:
    """What to draw."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of runs."""
    out: Path = Path("curve.png")
    """Picture to write."""


def held_out(run: Path) -> dict[int, dict[str, float]]:
    """Scores at every evaluation of a run, by decisions."""
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return {line["decisions"]: line for line in lines if "held_out/driving_score" in line}


def main(options: Options) -> None:
    """Draw the picture and print the table of means."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    curves = [held_out(run) for run in options.runs]
    steps = sorted(set.intersection(*(set(curve) for curve in curves)))
    figure, axes = plt.subplots(1, len(PANELS), figsize=(11.0, 3.2), layout="constrained")
    print("decisions", *PANELS.values(), sep="  ")
    means = {key: [float(np.mean([curve[n][key] for curve in curves])) for n in steps] for key in PANELS}
    for k, n in enumerate(steps):
        print(n, *(f"{means[key][k]:.1f}" for key in PANELS), sep="  ")
    millions = np.array(steps) / 1e6
    for ax, (key, label) in zip(axes, PANELS.items()):
        for curve in curves:
            ax.plot(millions, [curve[n][key] for n in steps], color=SEED, linewidth=1.0)
        ax.plot(millions, means[key], color=LINE, linewidth=2.2)
        ax.set(title=label, xlabel="million decisions", ylim=(0.0, 100.0), xlim=(0.0, None))
        ax.grid(alpha=0.25)
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(options.out, dpi=110)


if __name__ == "__main__":
    main(tyro.cli(Options))
