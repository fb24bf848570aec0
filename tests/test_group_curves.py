"""The comparison of what groups teach: curves over simulated time, and gains on the same rides."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.grpo import METHODS, Draw, curves, draw, interval, speeds, table
from rl.grpo_settings import load_settings, settings_file


def run(folder: Path, scores: list[float]) -> None:
    folder.mkdir(parents=True)
    rows = [{"update": float(k), "ticks": 2000.0 * k, "reward": 1.0} for k in range(2 * len(scores))]
    for k, score in enumerate(scores):
        rows[2 * k] |= {"held_out_driving_score": score, "held_out_sampled_driving_score": score + 1.0}
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_curves_count_simulated_seconds_and_end_with_the_shortest_run(tmp_path: Path):
    run(tmp_path / "decision-0", [50.0, 60.0, 70.0])
    run(tmp_path / "decision-1", [50.0, 64.0])
    run(tmp_path / "ppo-0", [50.0, 55.0])
    found = curves(tmp_path, "held_out_driving_score")
    assert list(found) == ["decision", "ppo"]
    seconds, scores = found["decision"]
    assert seconds.tolist() == [0.0, 200.0]
    assert scores.tolist() == [[50.0, 60.0], [50.0, 64.0]]
    shown = [next(iter(column.cells)) for column in speeds(tmp_path).columns]
    assert shown == ["decision groups", "greedy", "56.0", "55.0, 57.0", "62.0", "0.1"]
    pytest.importorskip("matplotlib")
    draw(Draw(tmp_path, tmp_path / "curves.png"))
    assert (tmp_path / "curves.png").stat().st_size > 10_000


def test_all_methods_have_as_much_simulated_time():
    chosen = [load_settings(settings_file(name)) for name in METHODS.values()]
    assert [settings.group.kind for settings in chosen] == ["decision", "episode", "single"]
    assert len({(s.max_ticks, s.evaluate_ticks, s.learning_rate, s.reward, s.loss.entropy) for s in chosen}) == 1


def test_intervals_cover_seeds_and_routes():
    assert interval(np.full((3, 20), 7.0)) == (7.0, 7.0, 7.0)
    seeds_differ = np.repeat([[0.0], [10.0], [20.0]], 50, axis=1)
    mean, low, high = interval(seeds_differ)
    assert mean == 10.0
    assert low < 3.0
    assert high > 17.0


def test_gains_are_those_on_the_same_rides():
    rides = [[str(k), 40.0 + k, 0.0, 90.0] for k in range(10)]
    better = [[name, score + 12.0, 100.0, 100.0] for name, score, *_ in rides]
    runs = {"before": rides, "ppo-0": better}
    found = {f"{name}/{way}": rows for way in ("greedy", "sampled") for name, rows in runs.items()}
    shown = table(found)
    assert list(shown.columns[0].cells) == ["before", "before", "PPO", "PPO"]
    assert list(shown.columns[6].cells)[2] == "+12.0 [+12.0, +12.0]"
    assert list(shown.columns[7].cells)[2] == "+12.0"
