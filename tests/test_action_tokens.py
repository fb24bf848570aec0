"""Action tokens: what is said in them comes back, is driven, and is refused when it is not theirs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from agents.tokens.base import ActionTokens
from agents.tokens.bins import CoordinateBins, fit_bins
from agents.tokens.codebook import SegmentCodebook, corners, fit_k_disk, fit_k_means
from agents.tokens.files import ARRAYS, load_tokens, save_tokens
from agents.tokens.grid import ControlGrid, default_grid
from agents.tokens.poses import compose, relative
from agents.tokens.track import EXTENSION, lay_plan
from simulator.errors import AgentError


def drives(count: int, waypoints: int, interval: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Trajectories of a car that holds a curvature and an acceleration, and the speeds that they begin with."""
    draws = np.random.default_rng(seed)
    speed = draws.uniform(0.0, 15.0, count)
    acceleration, curvature = draws.uniform(-4.0, 2.0, count), draws.normal(0.0, 0.03, count)
    pose, found, velocity = np.zeros((count, 3)), [], speed.copy()
    for _ in range(waypoints):
        way = np.maximum(velocity, 0.0) * interval
        velocity = np.maximum(velocity + acceleration * interval, 0.0)
        pose = compose(pose, np.stack([way, 0.5 * curvature * way**2, curvature * way], axis=-1))
        found.append(pose)
    return np.stack(found, axis=1), speed


def codebook(kind: str, length: int = 4, size: int = 256) -> SegmentCodebook:
    segments, _ = drives(6000, 5, 0.1)
    chosen = fit_k_means(segments, size, 0) if kind == "k-means" else fit_k_disk(segments, size, 0, 0.05)
    return SegmentCodebook(chosen, 0.1, length, kind)


def vocabulary(kind: str) -> ActionTokens:
    if kind == "bins":
        return fit_bins(drives(2000, 4, 0.5)[0], 512, 0.5)
    return default_grid(length=2) if kind == "grid" else codebook(kind)


def test_poses_compose_and_come_apart():
    draws = np.random.default_rng(1)
    frame, pose = draws.normal(size=(2, 50, 3))
    assert np.allclose(relative(frame, compose(frame, pose)), pose)


@pytest.mark.parametrize(("kind", "limit"), [("k-means", 0.5), ("k-disk", 0.8), ("bins", 0.1), ("grid", 0.6)])
def test_a_trajectory_survives_being_said_in_tokens(kind: str, limit: float):
    tokens = vocabulary(kind)
    trajectories, speeds = drives(200, tokens.waypoints, tokens.interval, seed=7)
    said = tokens.encode(trajectories, speeds)
    assert said.shape == (200, tokens.length)
    assert 0 <= said.min() <= said.max() < tokens.size
    error = tokens.error(trajectories, speeds)
    assert error.mean < limit
    assert error.p95 >= error.mean


def test_more_tokens_say_it_better():
    trajectories, speeds = drives(200, 20, 0.1, seed=7)
    assert codebook("k-means", size=512).error(trajectories, speeds).mean < (
        0.8 * codebook("k-means", size=32).error(trajectories, speeds).mean
    )


def test_errors_of_a_chain_do_not_add_up():
    book = codebook("k-means", length=8)
    trajectories, speeds = drives(200, book.waypoints, 0.1, seed=3)
    alone = relative(np.concatenate([np.zeros((200, 1, 3)), trajectories[:, 4:-1:5]], axis=1)[:, :, None],
                     trajectories.reshape(200, 8, 5, 3))  # fmt: skip
    naive = np.stack([book.nearest(alone[:, k]) for k in range(8)], axis=1)
    said = (book.encode(trajectories, speeds), naive)
    ends = [book.decode(each, speeds)[:, -1, :2] - trajectories[:, -1, :2] for each in said]
    chained, separate = (np.hypot(*end.T).mean() for end in ends)
    assert chained < separate


def test_k_disk_segments_keep_their_distance_and_begin_with_standing_still():
    segments, _ = drives(3000, 5, 0.1)
    chosen = fit_k_disk(segments, 200, seed=0, tolerance=0.1)
    assert not chosen[0].any()
    shape = corners(chosen[:, -1])
    gaps = np.hypot(*np.moveaxis(shape[:, None] - shape[None], -1, 0)).mean(axis=2)
    assert gaps[~np.eye(len(chosen), dtype=bool)].min() >= 0.1


def test_the_fit_depends_on_its_seed_alone():
    segments, _ = drives(1500, 5, 0.1)
    assert np.array_equal(fit_k_means(segments, 64, 3), fit_k_means(segments, 64, 3))
    assert not np.array_equal(fit_k_means(segments, 64, 3), fit_k_means(segments, 64, 4))


def test_too_few_segments_are_refused():
    with pytest.raises(AgentError, match="drive more routes"):
        fit_k_means(drives(10, 5, 0.1)[0], 64, 0)


@pytest.mark.parametrize("kind", ["k-means", "k-disk", "bins", "grid"])
def test_tokens_come_back_from_disk(kind: str, tmp_path: Path):
    tokens = vocabulary(kind)
    folder = save_tokens(tokens, tmp_path / "tokens", {"rides": 3})
    again = load_tokens(folder)
    assert (again.kind, again.size, again.length, again.interval) == (kind, tokens.size, tokens.length, tokens.interval)
    said = np.random.default_rng(0).integers(tokens.size, size=(20, tokens.length))
    speeds = np.full(20, 5.0)
    assert np.allclose(again.decode(said, speeds), tokens.decode(said, speeds), atol=1e-4)
    assert json.loads((folder / "manifest.json").read_text())["built_from"] == {"rides": 3}


def test_a_changed_file_is_refused(tmp_path: Path):
    folder = save_tokens(default_grid(), tmp_path)
    content = bytearray((folder / ARRAYS).read_bytes())
    content[-1] ^= 1
    (folder / ARRAYS).write_bytes(bytes(content))
    with pytest.raises(AgentError, match="SHA-256"):
        load_tokens(folder)
    with pytest.raises(AgentError, match="no action tokens"):
        load_tokens(tmp_path / "nowhere")


@pytest.mark.parametrize("wrong", [np.array([[600]]), np.array([[-1]]), np.array([[0.5]]), np.array([3])])
def test_foreign_tokens_are_refused(wrong: np.ndarray):
    with pytest.raises(ValueError, match="tokens"):
        ControlGrid(np.array([0.0]), np.array([0.0, 1.0])).decode(wrong, np.zeros(len(wrong)))


def test_bins_draw_what_lies_outside_to_their_border():
    bins = CoordinateBins(np.array([0.0, -5.0]), np.array([50.0, 5.0]), 100, 1, 0.5)
    far = np.array([[[80.0, -9.0, 0.0]]])
    assert bins.encode(far, np.zeros(1)).tolist() == [[99, 0]]


def test_a_plan_passes_through_its_waypoints_and_goes_on():
    trajectory, speed = drives(1, 5, 0.1, seed=5)
    pose = np.array([10.0, -3.0, 1.0])
    plan, last = lay_plan(trajectory[0], 0.1, pose, float(speed[0]))
    assert last == 10 + EXTENSION
    assert np.allclose(plan[2:12:2], compose(pose, trajectory[0]))
    steps = np.hypot(*np.diff(plan[: last + 1, :2], axis=0).T)
    assert np.allclose(steps[10:], steps[9])


@pytest.mark.parametrize("wrong", [np.full((5, 3), np.nan), np.zeros((0, 3)), np.zeros((5, 2)), np.zeros((200, 3))])
def test_a_plan_that_cannot_be_is_refused(wrong: np.ndarray):
    with pytest.raises(ValueError, match=r"trajectory|plan"):
        lay_plan(wrong, 0.1, np.zeros(3), 1.0)
