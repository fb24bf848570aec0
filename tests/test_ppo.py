"""Training: it is the same to the bit every time, resumes to the bit, and survives what goes wrong."""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("stable_baselines3")

from agents.policy_file import read_policy, write_policy  # noqa: E402
from agents.registry import make_agent  # noqa: E402
from agents.sb3 import Sb3Agent  # noqa: E402
from envs.vector_env import load_routes  # noqa: E402
from envs.world import EpisodeStart, WorldBatch  # noqa: E402
from leaderboard_adapters.infractions import route_completed  # noqa: E402
from rl.checkpoint import read_checkpoint  # noqa: E402
from rl.config import PpoConfig  # noqa: E402
from rl.evaluation import drive_all, scores_of  # noqa: E402
from rl.route_worlds import RouteWorlds  # noqa: E402
from rl.train import BEST, LAST, RunLog, Training, evaluate, train  # noqa: E402
from simulator.errors import AgentError, TrainingError  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
SMALL = PpoConfig(
    routes="smoke",
    validation="",
    steps=2048,
    worlds=16,
    rollout=32,
    batch_size=128,
    epochs=2,
    hidden=(32, 32),
    evaluate_every=10**9,
    checkpoint_every=1024,
)


def weights(training: Training) -> dict[str, np.ndarray]:
    return {name: tensor.numpy().copy() for name, tensor in training.model.policy.state_dict().items()}


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """The folder of a small run that has ended."""
    folder = tmp_path_factory.mktemp("ppo") / "run"
    assert train(SMALL, folder)
    return folder


def test_ten_thousand_decisions_are_the_same_to_the_bit(tmp_path):
    config = dataclasses.replace(SMALL, steps=10_240, worlds=32, rollout=64, batch_size=512)
    ends = []
    for name in "ab":
        training = Training(config, tmp_path / name)
        while training.progress.decisions < 10_000:
            training.update()
        ends.append((weights(training), training.rollouts.snapshot()))
    assert same(ends[0][0], ends[1][0])
    assert same(ends[0][1], ends[1][1])
    other = Training(dataclasses.replace(config, seed=1), tmp_path / "c")
    other.update()
    assert not same(weights(other), ends[0][0])


@pytest.mark.parametrize(("observation", "action"), [("frenet", "route_command"), ("vector", "control")])
def test_a_resumed_run_equals_one_that_was_never_stopped(tmp_path, observation, action):
    config = dataclasses.replace(SMALL, observation=observation, action=action)
    whole = Training(config, tmp_path / "whole")
    for _ in range(4):
        whole.update()
    first = Training(config, tmp_path / "first")
    for _ in range(2):
        first.update()
    first.keep()
    np.random.seed(99)  # noqa: NPY002 - what a new process would find
    torch.manual_seed(99)
    second = Training(config, tmp_path / "second", resume=tmp_path / "first" / LAST)
    assert second.progress.decisions == 1024
    for _ in range(2):
        second.update()
    assert same(weights(second), weights(whole))
    assert same(second.rollouts.snapshot(), whole.rollouts.snapshot())
    assert second.progress.decisions == whole.progress.decisions


def test_worlds_put_back_pay_the_same_also_for_windows_that_had_begun():
    """PDMS pays for four seconds that lie partly before the snapshot."""
    config = dataclasses.replace(SMALL, worlds=4, reward="pdms")
    actions = np.tile([5, 1], (4, 1))
    worlds = RouteWorlds(load_routes("smoke"), config)
    worlds.reset()
    for _ in range(15):
        worlds.step(actions)
    kept = worlds.snapshot()
    paid = [worlds.step(actions)[1] for _ in range(20)]
    again = RouteWorlds(load_routes("smoke"), config)
    again.reset()
    again.restore(kept)
    assert [again.step(actions)[1].tolist() for _ in range(20)] == [each.tolist() for each in paid]
    assert len(np.unique(paid)) > 3


def test_a_run_leaves_config_log_board_and_checkpoints(run):
    assert PpoConfig.from_json((run / "config.json").read_text()) == SMALL
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [line["decisions"] for line in lines] == [512, 1024, 1536, 2048]
    assert {"train/approx_kl", "train/entropy_loss", "reward/completion", "episode/driving_score"} <= lines[-1].keys()
    assert list((run / "tensorboard").iterdir())
    _, config, progress = read_checkpoint(run / LAST)
    assert (config, progress.decisions) == (SMALL, 2048)


def test_held_out_routes_choose_the_best_checkpoint_and_stop_early(tmp_path):
    config = dataclasses.replace(SMALL, steps=10**6, validation="smoke", evaluate_every=512, patience=1)
    assert train(config, tmp_path)
    _, _, progress = read_checkpoint(tmp_path / LAST)
    scores = [each["driving_score"] for each in progress.evaluations]
    assert progress.best == max(scores)
    assert scores[-1] <= max(scores[:-1])  # the first that was no better ended the run
    assert progress.decisions < 10**6
    best = json.loads(read_policy(tmp_path / BEST).metadata["progress"])
    assert best["evaluations"][-1]["driving_score"] == progress.best


def test_the_checkpoint_is_an_agent_that_drives_alone_as_in_a_batch(run):
    routes = load_routes("smoke")
    results = drive_all(Sb3Agent(run), routes)
    assert set(scores_of(results)) == {"driving_score", "success_rate", "route_completion"}
    batch = WorldBatch(routes, 1)
    agent = make_agent(f"sb3:{run}")
    agent.bind(batch)
    batch.reset(0, EpisodeStart(3, 0))
    agent.reset(0, 0)
    while not batch.finished[0]:
        batch.tick(agent.act())
    completed = route_completed(batch.criteria[0])
    assert completed == results[3].score_route
    assert int(batch.criteria["tick"][0]) == results[3].num_ticks


def test_the_kernel_network_is_the_network_that_was_trained(run, tmp_path):
    training = Training(SMALL, tmp_path, resume=run / LAST)
    worlds = training.rollouts.shares[0].worlds
    seen = worlds.driving.observe()
    agent = Sb3Agent(run / LAST)
    agent.bind(worlds.batch)
    with torch.no_grad():
        policy = training.model.policy
        theirs = policy.action_net(policy.mlp_extractor.forward_actor(torch.from_numpy(seen))).numpy()
    np.testing.assert_allclose(agent._network(seen), theirs, atol=1e-4)


def test_a_birds_eye_policy_trains_and_drives(tmp_path):
    config = dataclasses.replace(SMALL, observation="bev", worlds=4, rollout=16, batch_size=32, steps=64, epochs=1)
    assert train(config, tmp_path)
    batch = WorldBatch(load_routes("smoke"), 1)
    agent = Sb3Agent(tmp_path / LAST)
    agent.bind(batch)
    batch.reset(0, EpisodeStart(0, 0))
    agent.reset(0, 0)
    controls = agent.act()
    assert controls.shape == (1, 3)
    assert np.isfinite(controls).all()


def test_the_policy_that_ships_drives():
    routes = load_routes("smoke")
    scores = scores_of(drive_all(Sb3Agent(ROOT / "rl" / "checkpoints" / "minitown-1.safetensors"), routes))
    assert scores["driving_score"] > 55.0


# What goes wrong


def test_actions_that_are_not_finite_or_misshapen_are_refused():
    worlds = RouteWorlds(load_routes("smoke"), dataclasses.replace(SMALL, action="control"))
    worlds.reset()
    for actions in (np.full((16, 2), np.nan), np.zeros((3, 2))):
        with pytest.raises(TrainingError, match="actions must be finite, of shape"):
            worlds.step(actions)


def test_a_policy_that_is_not_finite_ends_the_run_and_leaves_the_checkpoint(tmp_path):
    training = Training(SMALL, tmp_path)
    training.update()
    assert training.keep()
    before = (tmp_path / LAST).read_bytes()
    with torch.no_grad():
        training.model.policy.action_net.weight.fill_(float("nan"))
    with pytest.raises(TrainingError, match="not finite after 512 decisions"):
        training.update()
    assert (tmp_path / LAST).read_bytes() == before


@contextmanager
def full_disk(room: int = 100_000) -> Iterator[None]:
    """No file may grow beyond `room` bytes: what a log needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_costs_neither_the_checkpoint_before_nor_the_run(tmp_path):
    training = Training(SMALL, tmp_path)
    training.update()
    assert training.keep()
    before = (tmp_path / LAST).read_bytes()
    training.update()
    with full_disk():
        assert not training.keep()
    assert (tmp_path / LAST).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [LAST]  # nothing half written stays
    training.update()
    assert training.keep()
    assert read_checkpoint(tmp_path / LAST)[2].decisions == 1536


def test_a_best_policy_that_could_not_be_written_does_not_count_as_kept(tmp_path):
    config = dataclasses.replace(SMALL, validation="smoke")
    training = Training(config, tmp_path)
    training.update()
    log = RunLog(tmp_path, training)
    with full_disk(10_000):
        evaluate(training, log)
    assert training.progress.best == -1.0
    assert not (tmp_path / BEST).exists()
    evaluate(training, log)
    assert json.loads(read_policy(tmp_path / BEST).metadata["progress"])["best"] == training.progress.best >= 0.0


def test_a_run_whose_last_checkpoint_cannot_be_written_says_so(tmp_path):
    with full_disk(), pytest.raises(TrainingError, match="could not be written"):
        train(dataclasses.replace(SMALL, steps=512), tmp_path)


@pytest.mark.parametrize("damage", ["cut", "garbage", "missing", "policy alone"])
def test_a_damaged_checkpoint_is_named(run, tmp_path, damage):
    content = (run / LAST).read_bytes()
    path = tmp_path / LAST
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "garbage":
        path.write_bytes(b"nothing of the kind" * 100)
    elif damage == "policy alone":
        file = read_policy(run / LAST)
        write_policy(path, file.spec, file.weights)
    with pytest.raises(TrainingError, match="cannot resume") as caught:
        Training(SMALL, tmp_path, resume=path)
    assert LAST in str(caught.value)


def test_another_number_of_worlds_does_not_fit_the_checkpoint(run, tmp_path):
    with pytest.raises(TrainingError, match="worlds"):
        Training(dataclasses.replace(SMALL, worlds=8), tmp_path, resume=run / LAST)


def test_a_policy_of_another_observation_version_is_refused(run, tmp_path):
    file = read_policy(run / LAST)
    write_policy(tmp_path / "old.safetensors", dataclasses.replace(file.spec, observation_version=99), file.weights)
    with pytest.raises(AgentError, match="version 99 of the frenet observation"):
        read_policy(tmp_path / "old.safetensors")


def test_a_policy_of_another_observation_is_refused(run, tmp_path):
    file = read_policy(run / LAST)
    write_policy(tmp_path / "odd.safetensors", dataclasses.replace(file.spec, observation="vector"), file.weights)
    agent = Sb3Agent(tmp_path / "odd.safetensors")
    with pytest.raises(AgentError, match="its network takes 237 numbers"):
        agent.bind(WorldBatch(load_routes("smoke"), 1))


@pytest.mark.parametrize(
    ("argument", "message"), [("nowhere.safetensors", "no such file"), (".", "no best.safetensors"), ("", "sb3:PATH")]
)
def test_an_agent_that_is_not_there_is_named(argument, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AgentError, match=message):
        make_agent(f"sb3:{argument}")


@pytest.mark.parametrize(
    "agent", ["sb3:nowhere.safetensors", "token:nowhere,temperature=0.5", "vla:nowhere", "official:nowhere.py:config"]
)
def test_a_run_does_not_begin_with_an_agent_that_is_not_on_disk(agent, tmp_path):
    run = [sys.executable, str(ROOT / "run_eval.py"), "--routes", "smoke", "--agent", agent, "--out", "out"]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert f"agent '{agent}': no such file or folder: nowhere" in done.stderr
    assert not (tmp_path / "out").exists()


def command(*arguments: str) -> list[str]:
    small = ("--routes", "smoke", "--validation", "", "--worlds", "16", "--rollout", "32", "--batch-size", "128")
    return [sys.executable, str(ROOT / "run_train.py"), "ppo", *small, "--hidden", "32", "32", *arguments]


def test_an_interrupt_saves_and_the_run_can_go_on(tmp_path):
    folder = tmp_path / "run"
    process = subprocess.Popen(command("--steps", "100000000", "--out", str(folder)), stderr=subprocess.PIPE, text=True)
    try:
        until = time.monotonic() + 120.0
        while not (folder / "log.jsonl").exists() and time.monotonic() < until:
            time.sleep(0.1)
        os.kill(process.pid, signal.SIGINT)
        _, told = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, told
    assert f"--resume {folder}" in told
    done = read_checkpoint(folder / LAST)[2].decisions
    assert done > 0
    more = subprocess.run(
        [sys.executable, str(ROOT / "run_train.py"), "ppo", "--resume", str(folder), "--steps", str(done + 512)],
        capture_output=True,
        text=True,
    )
    assert more.returncode == 0, more.stderr
    assert read_checkpoint(folder / LAST)[2].decisions == done + 512


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--resume", "{run}", "--gamma", "0.5"), "cannot change gamma"),
        (("--out", "{run}"), "already holds a run"),
        (("--resume", "nowhere"), "no such file"),
        (("--config-file", "nowhere.json"), "No such file"),
        (("--batch-size", "100000"), "batch_size 100000 is more than"),
        (("--reward", "nonsense"), "nonsense"),
    ],
)
def test_wrong_commands_are_explained(run, arguments, message, capsys, monkeypatch, tmp_path):
    from run_train import main

    monkeypatch.chdir(tmp_path)
    assert main(["ppo", *(part.format(run=run) for part in arguments)]) == 2
    assert message in capsys.readouterr().err


def test_a_configuration_of_another_version_is_refused():
    fields = json.loads(SMALL.to_json())
    for odd in ({**fields, "version": 0}, {**fields, "surprise": 1}, {"version": 1}):
        with pytest.raises(TrainingError, match="another version"):
            PpoConfig.from_json(json.dumps(odd))
